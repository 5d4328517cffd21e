//! The clock that interrupts guests: an OS thread ticks the engine's epoch, and compiled code looks at it at
//! each loop and call.
//!
//! A guest is ended by what it *computed*, not by how long it took: on a busy machine an honest call of 30
//! microseconds can be off the processor for longer than any bound. So a call that sees a tick looks up the
//! time its thread spent on a processor. Most calls are over before the first tick and never look.

use std::time::Duration;

use wasmtime::{EngineWeak, UpdateDeadline};

use crate::error::HostError;

/// How often guests are looked at: the error of a deadline, and a hundred wakeups a second.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Computing time after which a call is long: many times what an honest delivery takes in any language, and
/// small beside what a person notices.
const LONG: Duration = Duration::from_millis(10);

/// Ticks as long as the engine is there, which is as long as anything can run in it: a plugin outlives its host, and is
/// bounded all the same.
pub(crate) fn start(engine: EngineWeak) -> Result<(), HostError> {
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::park_timeout(TICK);
        }
    };
    std::thread::Builder::new().name("guest-epoch".to_owned()).spawn(tick).map_err(HostError::Thread)?;
    Ok(())
}

/// The guest computed for too long.
#[derive(Debug, thiserror::Error)]
#[error("computed for too long")]
pub(crate) struct TooLong;

/// What is left of a call's time.
pub(crate) struct Budget {
    limit: Duration,
    used: Duration,
    /// Time on the processor at the last tick; none before the first.
    seen: Option<Duration>,
}

impl Budget {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, used: Duration::ZERO, seen: None }
    }

    /// Whether the call has computed for longer than calls do.
    pub(crate) fn is_long(&self) -> bool {
        self.used >= LONG
    }

    /// What to do at a tick. The first one only starts the measure, so that calls which never see a tick
    /// cost nothing: an error of one tick, in the guest's favour.
    pub(crate) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        self.spend(processor_time())
    }

    fn spend(&mut self, now: Option<Duration>) -> wasmtime::Result<UpdateDeadline> {
        self.used += match (self.seen, now) {
            (Some(before), Some(now)) => now.saturating_sub(before),
            (None, Some(_)) => Duration::ZERO,
            // The kernel does not say: the wall has to do.
            (_, None) => TICK,
        };
        self.seen = now;
        if self.used >= self.limit { Err(TooLong.into()) } else { Ok(UpdateDeadline::Continue(1)) }
    }
}

/// How long this thread has been on a processor: the first of three numbers, in nanoseconds.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_ascii_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_time_on_the_processor_counts() {
        let mut budget = Budget::new(Duration::from_millis(20));
        let mut spend = |ms| budget.spend(Some(Duration::from_millis(ms))).is_ok();
        assert!(spend(500), "what the thread did before is not the guest's");
        assert!(spend(510));
        assert!(spend(510), "off the processor");
        assert!(spend(519));
        assert!(!spend(520));
    }

    #[test]
    fn a_call_is_long_before_it_is_too_long() {
        let mut budget = Budget::new(Duration::from_millis(250));
        for (at, long) in [(500, false), (509, false), (510, true)] {
            assert!(budget.spend(Some(Duration::from_millis(at))).is_ok());
            assert_eq!(budget.is_long(), long, "at {at} ms");
        }
    }

    #[test]
    fn the_wall_counts_where_the_kernel_is_silent() {
        let mut budget = Budget::new(TICK * 2);
        assert!(budget.spend(None).is_ok());
        assert!(budget.spend(None).is_err());
    }

    #[test]
    fn this_kernel_says() {
        assert!(processor_time().is_some());
    }
}
