//! Bounds of the engine itself; what belongs to a backend is in its [`Limits`](crate::Limits).

use std::sync::Arc;
use std::time::Duration;

use dispatch_model::Clock;
use dispatch_store::Store;

use crate::{Egress, Setup};

/// What the engine is made of.
pub struct EngineDeps {
    /// Where everything durable is.
    pub store: Arc<dyn Store>,
    /// By which everything leaves.
    pub egress: Arc<dyn Egress>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Routes, backends and overlays.
    pub setup: Setup,
    /// Where jitter comes from: the same seed gives the same waits.
    pub seed: u64,
    /// Bounds.
    pub config: EngineConfig,
}

/// Bounds of the engine. The defaults are meant to be left alone.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Admitted messages that wait in memory to be planned. More of them wait in the store alone, where
    /// they are anyway, and are read back.
    pub queue: usize,
    /// How many messages are planned in one write.
    pub plan_batch: usize,
    /// How many deliveries of a lane are leased at once.
    pub claim_batch: usize,
    /// How many claims run at once, over all lanes: so many share a commit of the store.
    pub claims: usize,
    /// Bytes kept of each body in an attempt's record.
    pub record_body: usize,
    /// How long an attachment's fetch may take.
    pub fetch_timeout: Duration,
    /// How long a `receive` or a `lookup` may take, its requests included.
    pub question_timeout: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            queue: 4096,
            plan_batch: 256,
            claim_batch: 32,
            claims: 64,
            record_body: 16 * 1024,
            fetch_timeout: Duration::from_secs(20),
            question_timeout: Duration::from_secs(10),
        }
    }
}
