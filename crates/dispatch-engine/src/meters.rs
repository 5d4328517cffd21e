//! Counters by backend. Handles are made once per backend: an attempt costs no label.

use dispatch_model::BackendName;
use metrics::{Counter, Histogram};

/// Attempts that ended, by backend and outcome.
pub const ATTEMPTS_TOTAL: &str = "dispatcher_attempts_total";
/// How long attempts took, in seconds, by backend.
pub const ATTEMPT_SECONDS: &str = "dispatcher_attempt_seconds";

/// What an attempt can be counted as.
const KINDS: [&str; 7] = ["accepted", "deferred", "throttled", "rejected", "unknown", "fault", "released"];

/// The counters of a backend.
pub(crate) struct Meters {
    ended: [Counter; KINDS.len()],
    seconds: Histogram,
}

impl Meters {
    pub(crate) fn new(backend: &BackendName) -> Self {
        let name = backend.as_str().to_owned();
        Self {
            ended: KINDS
                .map(|kind| metrics::counter!(ATTEMPTS_TOTAL, "backend" => name.clone(), "outcome" => kind)),
            seconds: metrics::histogram!(ATTEMPT_SECONDS, "backend" => name.clone()),
        }
    }

    pub(crate) fn ended(&self, kind: &str, seconds: f64) {
        if let Some(index) = KINDS.iter().position(|known| *known == kind) {
            self.ended[index].increment(1);
        }
        self.seconds.record(seconds);
    }
}
