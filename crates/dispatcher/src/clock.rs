//! The daemon's clock.

use std::time::{Duration, Instant};

use dispatch_model::{Clock, Timestamp};

/// The wall clock at start and monotonic time since: a jump of the wall clock ends no lease and
/// expires no message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock {
    wall: Timestamp,
    since: Instant,
}

impl SystemClock {
    /// Reads the wall clock, once.
    pub(crate) fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that asks what time it is")]
        let wall = std::time::SystemTime::now();
        let wall = wall.duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { wall: Timestamp::from_millis(0).plus(wall), since: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.wall.plus(self.since.elapsed())
    }
}
