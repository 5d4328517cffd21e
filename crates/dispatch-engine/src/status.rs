//! What an operator sees of the running engine.

use dispatch_model::{BackendName, Lane, Timestamp};
use dispatch_store::Suspension;
use serde::{Deserialize, Serialize};

/// The engine at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineStatus {
    /// Which setup it works by: raised with each reload.
    pub generation: u64,
    /// Whether it has stopped taking up work.
    pub draining: bool,
    /// Why it stopped for good, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fatal: Option<String>,
    /// Messages in memory that wait to be planned.
    pub planning: usize,
    /// Attempts under way.
    pub attempts: usize,
    /// When an attempt was last recorded.
    pub last_settled_at: Option<Timestamp>,
    /// Lanes that have work or are not in their normal state, and the shared lane of each backend.
    pub lanes: Vec<LaneStatus>,
    /// What is suspended, and since when.
    pub suspensions: Vec<SuspensionStatus>,
}

/// A lane at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaneStatus {
    /// Its name as people write it: `backend` or `backend@location`.
    pub name: String,
    /// The lane.
    pub lane: Lane,
    /// Whether the configuration has it; work of one that is gone moves on.
    pub configured: bool,
    /// Attempts under way, and those whose outcome is still being written down.
    pub in_flight: u32,
    /// How many of the former there may be.
    pub concurrency: u32,
    /// Deliveries that wait in it, where the store could be asked.
    pub waiting: Option<u64>,
    /// When the next of them is due, as far as the engine knows.
    pub next_due: Option<Timestamp>,
    /// Throttled by the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Until>,
    /// Whether its backend is suspended.
    pub suspended: bool,
    /// Its breaker.
    pub breaker: BreakerStatus,
}

/// Until when, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Until {
    /// The end.
    pub until: Timestamp,
    /// Words for a person.
    pub reason: String,
}

/// A breaker at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum BreakerStatus {
    /// Work flows.
    Closed {
        /// Failures in a row.
        failures: u32,
    },
    /// Nothing is tried before then.
    Open(Until),
    /// One delivery at a time is tried.
    Probing {
        /// Why it had opened.
        reason: String,
    },
}

/// Something suspended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspensionStatus {
    /// What.
    pub what: Suspension,
    /// Since when.
    pub since: Timestamp,
}

/// Why a backend of a chain would not be tried now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum LaneState {
    /// It would.
    Open,
    /// Throttled.
    Paused(Until),
    /// Its breaker is open.
    Broken(Until),
    /// An operator suspended it.
    Suspended,
    /// The configuration has no such backend.
    Gone,
}

/// A backend of a chain, as `explain` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainLink {
    /// The backend.
    pub backend: BackendName,
    /// Its lane for this message's location.
    pub lane: Lane,
    /// The plugin behind it, with its version; none where the backend is gone.
    pub plugin: Option<String>,
    /// Whether the location has settings of its own there.
    pub overlay: bool,
    /// Whether it is a dry run.
    pub dry_run: bool,
    /// Whether it would be tried now.
    pub availability: LaneState,
    /// After how many milliseconds the provider is asked whether it has a message whose answer was lost; none where it
    /// cannot be asked, or where a repetition is recognised and nothing has to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup_after_ms: Option<u64>,
}
