//! The store in memory, made to do as it is told.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use dispatch_model::{Lane, Lease, LocationId, Message, MessageId, Submission, Timestamp};
use dispatch_store::*;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

/// What the next admission is to end in instead.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Full,
    LocationFull,
    Unavailable,
    Fatal,
    Invalid,
    Panic,
}

#[derive(Default)]
struct State {
    messages: Vec<Arc<Message>>,
    bodies: Vec<QuarantineRequest>,
    faults: VecDeque<Fault>,
    forever: Option<Fault>,
    calls: usize,
}

pub(crate) struct FakeStore {
    inner: MemoryStore,
    state: Mutex<State>,
    /// One permit lets one call through; closed means that nothing is held back.
    hold: Semaphore,
}

impl FakeStore {
    pub(crate) fn new() -> Self {
        let hold = Semaphore::new(0);
        hold.close();
        Self { hold, ..Self::held() }
    }

    /// A store whose calls wait for [`release`](Self::release).
    pub(crate) fn held() -> Self {
        Self { inner: MemoryStore::new(), state: Mutex::default(), hold: Semaphore::new(0) }
    }

    pub(crate) fn release(&self) {
        self.hold.close();
    }

    pub(crate) fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().faults.extend(faults);
    }

    pub(crate) fn fail_always(&self, fault: Fault) {
        self.state.lock().forever = Some(fault);
    }

    pub(crate) fn messages(&self) -> Vec<Arc<Message>> {
        self.state.lock().messages.clone()
    }

    pub(crate) fn bodies(&self) -> Vec<QuarantineRequest> {
        self.state.lock().bodies.clone()
    }

    pub(crate) fn is_empty(&self) -> bool {
        let state = self.state.lock();
        state.messages.is_empty() && state.bodies.is_empty()
    }

    /// How many verbs were called.
    pub(crate) fn calls(&self) -> usize {
        self.state.lock().calls
    }

    async fn call(&self) -> Result<(), StoreError> {
        self.state.lock().calls += 1;
        // An error means closed: nothing is held back.
        if let Ok(permit) = self.hold.acquire().await {
            permit.forget();
        }
        let fault = {
            let mut state = self.state.lock();
            state.faults.pop_front().or(state.forever)
        };
        let detail = "told so".to_owned();
        match fault {
            None => Ok(()),
            Some(Fault::Full) => Err(StoreError::Full { detail }),
            Some(Fault::LocationFull) => {
                Err(StoreError::LocationFull { location: LocationId::from("L"), waiting: 7 })
            }
            Some(Fault::Unavailable) => Err(StoreError::Unavailable { detail }),
            Some(Fault::Fatal) => Err(StoreError::Fatal { detail }),
            Some(Fault::Invalid) => Err(StoreError::Invalid { detail }),
            Some(Fault::Panic) => panic!("told so"),
        }
    }
}

#[async_trait]
impl Store for FakeStore {
    async fn admit(&self, submission: Submission) -> Result<Admitted, StoreError> {
        self.call().await?;
        let admitted = self.inner.admit(submission).await?;
        if let Admitted::Fresh(message) = &admitted {
            self.state.lock().messages.push(message.clone());
        }
        Ok(admitted)
    }

    fn plan_with(&self, planner: Arc<dyn Planner>) {
        self.inner.plan_with(planner);
    }

    async fn quarantine(&self, request: QuarantineRequest) -> Result<Quarantined, StoreError> {
        self.call().await?;
        let quarantined = self.inner.quarantine(request.clone()).await?;
        if let Quarantined::Fresh(_) = quarantined {
            self.state.lock().bodies.push(request);
        }
        Ok(quarantined)
    }

    async fn unplanned(&self, _: MessageId, _: usize) -> Result<Vec<Unplanned>, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn plan(&self, _: Vec<Planned>) -> Result<(), StoreError> {
        unreachable!("the door does not ask")
    }
    async fn claim(&self, _: ClaimRequest) -> Result<Claims, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn claim_one(&self, _: ClaimOne) -> Result<Option<Lease>, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn mark(&self, _: Lease) -> Result<(), StoreError> {
        unreachable!("the door does not ask")
    }
    async fn settle(&self, _: &Settlement) -> Result<(), StoreError> {
        unreachable!("the door does not ask")
    }
    async fn hear(&self, _: Vec<News>) -> Result<Vec<Heard>, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn receive(&self, _: NewInbound) -> Result<Admitted, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn suppress(&self, _: Vec<Suppression>) -> Result<usize, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn unsuppress(&self, _: SuppressionFilter) -> Result<usize, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn suppressed(
        &self,
        _: SuppressionFilter,
        _: Option<Cursor>,
        _: usize,
    ) -> Result<Page<Suppression>, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn secret(&self, _: &str, _: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn lanes(&self) -> Result<Vec<LaneCount>, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn relane(&self, _: Lane, _: Lane, _: usize) -> Result<usize, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn recover(&self, _: Timestamp) -> Result<(usize, usize), StoreError> {
        unreachable!("the door does not ask")
    }
    async fn cancel(&self, _: Filter, _: String, _: Timestamp) -> Result<usize, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn redrive(&self, _: Redrive, _: Timestamp) -> Result<usize, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn resolve(&self, _: MessageId, _: Resolution, _: Timestamp) -> Result<bool, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn suspend(&self, _: Suspension, _: bool, _: Timestamp) -> Result<bool, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn suspensions(&self) -> Result<Vec<(Suspension, Timestamp)>, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn save_lane(&self, _: Lane, _: LaneRecord) -> Result<(), StoreError> {
        unreachable!("the door does not ask")
    }
    async fn lane_records(&self) -> Result<Vec<(Lane, LaneRecord)>, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn message(&self, _: MessageId) -> Result<Option<MessageView>, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn find(&self, _: &str) -> Result<Vec<MessageId>, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn search(
        &self,
        _: Filter,
        _: Option<Cursor>,
        _: usize,
    ) -> Result<Page<MessageSummary>, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn quarantined(&self, _: Option<Cursor>, _: usize) -> Result<Page<QuarantineEntry>, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn quarantined_body(&self, _: i64) -> Result<Option<Vec<u8>>, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn stats(&self) -> Result<StoreStats, StoreError> {
        unreachable!("the door does not ask")
    }
    fn health(&self) -> StoreHealth {
        unreachable!("the door does not ask")
    }
    async fn purge(&self, _: Retention, _: Timestamp) -> Result<Purged, StoreError> {
        unreachable!("the door does not ask")
    }
    async fn backup(&self, _: &Path) -> Result<u64, StoreError> {
        unreachable!("the door does not ask")
    }
}
