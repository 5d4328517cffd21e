//! The store in memory: what the contract means, with nothing in the way. For tests of whatever uses a
//! store, and the yardstick for the SQLite one.
//!
//! Everything lies in ordered maps behind one lock; every verb is a plain walk. It forgets all when dropped.

mod hear;
mod state;
mod suppression;
mod work;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use dispatch_model::{Lane, Lease, MessageId, Submission, Timestamp};
use parking_lot::Mutex;

use crate::memory::state::State;
use crate::{
    Admitted, ClaimOne, ClaimRequest, Claims, Cursor, Filter, Heard, LaneCount, LaneRecord, MessageSummary,
    MessageView, NewInbound, News, Page, Planned, Planner, Purged, QuarantineEntry, QuarantineRequest,
    Quarantined, Redrive, Resolution, Retention, Settlement, Store, StoreError, StoreHealth, StoreStats,
    Suppression, SuppressionFilter, Suspension, Unplanned, transition,
};

/// A store in memory.
pub struct MemoryStore {
    state: Mutex<State>,
    health: Mutex<StoreHealth>,
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").field("health", &self.health).finish_non_exhaustive()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// Empty, with the usual quota of 200 000 waiting messages for each location.
    pub fn new() -> Self {
        Self::with_quota(crate::LOCATION_WAITING_MAX)
    }

    /// Empty, with another quota of waiting messages for each location.
    pub fn with_quota(location_waiting_max: u64) -> Self {
        Self { state: Mutex::new(State::new(location_waiting_max)), health: Mutex::new(StoreHealth::Ready) }
    }

    /// Makes it behave like a store that is full (it admits nothing) or has failed (it does nothing),
    /// until it is set ready again.
    pub fn set_health(&self, health: StoreHealth) {
        *self.health.lock() = health;
    }

    fn working(&self) -> Result<parking_lot::MutexGuard<'_, State>, StoreError> {
        match &*self.health.lock() {
            StoreHealth::Failed(detail) => Err(StoreError::Fatal { detail: detail.clone() }),
            _ => Ok(self.state.lock()),
        }
    }

    fn room(&self) -> Result<(), StoreError> {
        match &*self.health.lock() {
            StoreHealth::Full(detail) => Err(StoreError::Full { detail: detail.clone() }),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn admit(&self, submission: Submission) -> Result<Admitted, StoreError> {
        let room = self.room();
        let mut state = self.working()?;
        let planner = state.planner.clone();
        state.admit(submission, planner.as_deref(), room)
    }

    fn plan_with(&self, planner: Arc<dyn Planner>) {
        self.state.lock().planner = Some(planner);
    }

    async fn quarantine(&self, request: QuarantineRequest) -> Result<Quarantined, StoreError> {
        let room = self.room();
        self.working()?.quarantine(request, room)
    }

    async fn unplanned(&self, after: MessageId, limit: usize) -> Result<Vec<Unplanned>, StoreError> {
        Ok(self.working()?.unplanned(after, limit))
    }

    async fn plan(&self, planned: Vec<Planned>) -> Result<(), StoreError> {
        self.working()?.plan(&planned)
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claims, StoreError> {
        Ok(self.working()?.claim(&request))
    }

    async fn claim_one(&self, wanted: ClaimOne) -> Result<Option<Lease>, StoreError> {
        Ok(self.working()?.claim_one(&wanted))
    }

    async fn mark(&self, lease: Lease) -> Result<(), StoreError> {
        self.working()?.mark(lease)
    }

    async fn settle(&self, settlement: &Settlement) -> Result<(), StoreError> {
        self.working()?.settle(settlement)
    }

    async fn hear(&self, news: Vec<News>) -> Result<Vec<Heard>, StoreError> {
        self.room()?;
        Ok(self.working()?.hear(&news))
    }

    async fn receive(&self, inbound: NewInbound) -> Result<Admitted, StoreError> {
        let room = self.room();
        self.working()?.receive(inbound, room)
    }

    async fn secret(&self, name: &str, fresh: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        Ok(self.working()?.secrets.entry(name.to_owned()).or_insert(fresh).clone())
    }

    async fn lanes(&self) -> Result<Vec<LaneCount>, StoreError> {
        Ok(self.working()?.lanes())
    }

    async fn relane(&self, from: Lane, to: Lane, limit: usize) -> Result<usize, StoreError> {
        self.working()?.relane(&from, &to, limit)
    }

    async fn recover(&self, now: Timestamp) -> Result<(usize, usize), StoreError> {
        Ok(self.working()?.recover(now))
    }

    async fn cancel(&self, filter: Filter, reason: String, now: Timestamp) -> Result<usize, StoreError> {
        Ok(self.working()?.cancel(&filter, &reason, now))
    }

    async fn redrive(&self, redrive: Redrive, now: Timestamp) -> Result<usize, StoreError> {
        Ok(self.working()?.redrive(&redrive, now))
    }

    async fn resolve(
        &self,
        message: MessageId,
        resolution: Resolution,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.working()?.resolve(message, &resolution, now))
    }

    async fn suspend(&self, what: Suspension, suspended: bool, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.working()?.suspend(what, suspended, now))
    }

    async fn suspensions(&self) -> Result<Vec<(Suspension, Timestamp)>, StoreError> {
        Ok(self.working()?.suspensions())
    }

    async fn suppress(&self, suppressions: Vec<Suppression>) -> Result<usize, StoreError> {
        transition::check_suppressions(&suppressions)?;
        self.room()?;
        Ok(self.working()?.suppress(suppressions))
    }

    async fn unsuppress(&self, filter: SuppressionFilter) -> Result<usize, StoreError> {
        Ok(self.working()?.unsuppress(&filter))
    }

    async fn suppressed(
        &self,
        filter: SuppressionFilter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Suppression>, StoreError> {
        Ok(self.working()?.suppressed(&filter, cursor, limit))
    }

    async fn save_lane(&self, lane: Lane, record: LaneRecord) -> Result<(), StoreError> {
        self.working()?.save_lane(lane, record);
        Ok(())
    }

    async fn lane_records(&self) -> Result<Vec<(Lane, LaneRecord)>, StoreError> {
        Ok(self.working()?.lane_records())
    }

    async fn message(&self, id: MessageId) -> Result<Option<MessageView>, StoreError> {
        Ok(self.working()?.message(id))
    }

    async fn find(&self, any_id: &str) -> Result<Vec<MessageId>, StoreError> {
        Ok(self.working()?.find(any_id))
    }

    async fn search(
        &self,
        filter: Filter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<MessageSummary>, StoreError> {
        Ok(self.working()?.search(&filter, cursor, limit))
    }

    async fn quarantined(
        &self,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<QuarantineEntry>, StoreError> {
        Ok(self.working()?.quarantined(cursor, limit))
    }

    async fn quarantined_body(&self, id: i64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.working()?.quarantined_body(id))
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        Ok(self.working()?.stats())
    }

    fn health(&self) -> StoreHealth {
        self.health.lock().clone()
    }

    async fn purge(&self, retention: Retention, now: Timestamp) -> Result<Purged, StoreError> {
        self.working()?.purge(&retention, now)
    }

    async fn backup(&self, to: &Path) -> Result<u64, StoreError> {
        Err(StoreError::Invalid {
            detail: format!("a store in memory has nothing to copy to {}", to.display()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::MemoryStore;
    use crate::conformance;

    #[tokio::test]
    async fn keeps_the_contract() {
        conformance::run_all(|| Arc::new(MemoryStore::with_quota(conformance::QUOTA))).await;
    }
}
