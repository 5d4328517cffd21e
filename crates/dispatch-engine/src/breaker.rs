//! The breaker of a lane: after so many failures in a row nothing is tried for a while, then one delivery
//! at a time, until one comes through.
//!
//! Results of attempts that began before it opened change nothing while it is open: the probe decides.

use std::time::Duration;

use dispatch_model::Timestamp;

/// It stays open at most this many times its first wait.
const LONGEST: u32 = 16;

/// The state of a breaker.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Breaker {
    /// Failures in a row while closed.
    failures: u32,
    /// Open until then, and why; past that time it probes.
    open: Option<(Timestamp, String)>,
    /// How often it has opened in a row.
    opened: u32,
    /// Whether a probe is under way.
    probing: bool,
}

/// What the breaker lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passage {
    /// All.
    Free,
    /// One, as a probe.
    Probe,
    /// None, since a probe is under way.
    Probing,
    /// None before then.
    Shut(Timestamp),
}

impl Breaker {
    /// As it was before a restart.
    pub(crate) fn restored(until: Option<Timestamp>, reason: Option<String>, opened: u32) -> Self {
        Self { open: until.map(|until| (until, reason.unwrap_or_default())), opened, ..Self::default() }
    }

    /// How long it is open at most, where it is open for `wait` at first.
    pub(crate) fn longest(wait: Duration) -> Duration {
        wait.saturating_mul(LONGEST)
    }

    /// What it lets through now.
    pub(crate) fn passage(&self, now: Timestamp) -> Passage {
        match &self.open {
            None => Passage::Free,
            Some((until, _)) if now < *until => Passage::Shut(*until),
            Some(_) if self.probing => Passage::Probing,
            Some(_) => Passage::Probe,
        }
    }

    /// A probe begins.
    pub(crate) fn begin_probe(&mut self) {
        self.probing = true;
    }

    /// A probe ended, with or without a result.
    pub(crate) fn end_probe(&mut self) {
        self.probing = false;
    }

    /// The provider works. Whether it closed.
    pub(crate) fn success(&mut self, probe: bool) -> bool {
        if self.open.is_some() && !probe {
            return false;
        }
        let closed = self.open.is_some();
        *self = Self { probing: self.probing, ..Self::default() };
        closed
    }

    /// The provider seems broken. Whether it opened.
    pub(crate) fn failure(
        &mut self,
        now: Timestamp,
        reason: &str,
        limit: u32,
        wait: Duration,
        probe: bool,
    ) -> bool {
        if self.open.is_none() {
            self.failures += 1;
            if self.failures < limit.max(1) {
                return false;
            }
        }
        self.open_now(now, reason, wait, probe)
    }

    /// The account does not work: opens at once. Whether it opened.
    pub(crate) fn open_now(&mut self, now: Timestamp, reason: &str, wait: Duration, probe: bool) -> bool {
        if self.open.is_some() && !probe {
            return false;
        }
        let factor = 2u32.saturating_pow(self.opened).min(LONGEST);
        self.open = Some((now.plus(wait.saturating_mul(factor)), reason.to_owned()));
        self.opened = self.opened.saturating_add(1);
        self.failures = 0;
        true
    }

    /// The cause may be gone (its settings changed): probe at once. Whether that changed anything.
    pub(crate) fn probe_now(&mut self, now: Timestamp) -> bool {
        match &mut self.open {
            Some((until, _)) if now < *until => {
                *until = now;
                true
            }
            _ => false,
        }
    }

    /// Failures in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Until when it is or was open, and why.
    pub(crate) fn open(&self) -> Option<(Timestamp, &str)> {
        self.open.as_ref().map(|(until, reason)| (*until, reason.as_str()))
    }

    /// How often it has opened in a row.
    pub(crate) fn opened(&self) -> u32 {
        self.opened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn opens_after_failures_in_a_row_and_probes_with_one() {
        let mut breaker = Breaker::default();
        assert!(!breaker.failure(at(0), "x", 3, WAIT, false));
        assert!(!breaker.failure(at(0), "x", 3, WAIT, false));
        assert!(!breaker.success(false), "a success in between starts the count anew");
        assert!(!breaker.failure(at(0), "x", 3, WAIT, false));
        assert!(!breaker.failure(at(0), "x", 3, WAIT, false));
        assert!(breaker.failure(at(0), "x", 3, WAIT, false));
        assert_eq!(breaker.passage(at(9)), Passage::Shut(at(10)));
        assert_eq!(breaker.passage(at(10)), Passage::Probe);
        breaker.begin_probe();
        assert_eq!(breaker.passage(at(10)), Passage::Probing);
        assert!(!breaker.success(false), "an attempt from before it opened decides nothing");
        breaker.end_probe();
        assert!(breaker.success(true));
        assert_eq!(breaker.passage(at(10)), Passage::Free);
    }

    #[test]
    fn stays_open_twice_as_long_up_to_a_bound() {
        let mut breaker = Breaker::default();
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..7 {
            assert!(breaker.open_now(now, "x", WAIT, true));
            let (until, _) = breaker.open().expect("it has just opened");
            waits.push(until.since(now).as_secs());
            now = until;
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 160, 160]);
    }

    #[test]
    fn new_settings_are_probed_at_once() {
        let mut breaker = Breaker::default();
        breaker.open_now(at(0), "x", WAIT, false);
        assert!(breaker.probe_now(at(1)));
        assert_eq!(breaker.passage(at(1)), Passage::Probe);
    }
}
