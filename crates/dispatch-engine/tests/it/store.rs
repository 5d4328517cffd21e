//! The store in memory, with refusals on order.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use dispatch_model::{Lane, Lease, MessageId, Submission, Timestamp};
use dispatch_store::*;

/// Passes everything on, but refuses so many of the next calls.
pub struct Moody {
    pub inner: Arc<dyn Store>,
    pub refuse_settle: AtomicUsize,
    pub refuse_mark: AtomicUsize,
    pub refuse_plan: AtomicUsize,
    pub refuse_claim: AtomicUsize,
    pub refuse_hear: AtomicUsize,
    pub claims: AtomicUsize,
    pub plans: AtomicUsize,
    pub marks: AtomicUsize,
    pub settles: AtomicUsize,
    /// Whom it asks for plans.
    pub planner: OnceLock<Arc<dyn Planner>>,
    /// The process that holds this end of the store is dead: none of its calls comes back.
    pub dead: AtomicBool,
}

impl Moody {
    pub fn over(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            refuse_settle: AtomicUsize::new(0),
            refuse_mark: AtomicUsize::new(0),
            refuse_plan: AtomicUsize::new(0),
            refuse_claim: AtomicUsize::new(0),
            refuse_hear: AtomicUsize::new(0),
            claims: AtomicUsize::new(0),
            plans: AtomicUsize::new(0),
            marks: AtomicUsize::new(0),
            settles: AtomicUsize::new(0),
            planner: OnceLock::new(),
            dead: AtomicBool::new(false),
        }
    }
}

impl Moody {
    async fn alive(&self) {
        if self.dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

fn refuse(counter: &AtomicUsize) -> Result<(), StoreError> {
    let left = counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if left.is_ok() { Err(StoreError::Unavailable { detail: "on order".into() }) } else { Ok(()) }
}

#[async_trait]
impl Store for Moody {
    fn plan_with(&self, planner: Arc<dyn Planner>) {
        let _ = self.planner.set(Arc::clone(&planner));
        self.inner.plan_with(planner);
    }

    async fn admit(&self, submission: Submission) -> Result<Admitted, StoreError> {
        self.inner.admit(submission).await
    }

    async fn quarantine(&self, request: QuarantineRequest) -> Result<Quarantined, StoreError> {
        self.inner.quarantine(request).await
    }

    async fn unplanned(&self, after: MessageId, limit: usize) -> Result<Vec<Unplanned>, StoreError> {
        self.alive().await;
        self.inner.unplanned(after, limit).await
    }

    async fn plan(&self, planned: Vec<Planned>) -> Result<(), StoreError> {
        self.alive().await;
        refuse(&self.refuse_plan)?;
        self.plans.fetch_add(1, Ordering::SeqCst);
        self.inner.plan(planned).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claims, StoreError> {
        self.alive().await;
        refuse(&self.refuse_claim)?;
        self.claims.fetch_add(1, Ordering::SeqCst);
        self.inner.claim(request).await
    }

    async fn claim_one(&self, wanted: ClaimOne) -> Result<Option<Lease>, StoreError> {
        self.alive().await;
        refuse(&self.refuse_claim)?;
        self.claims.fetch_add(1, Ordering::SeqCst);
        self.inner.claim_one(wanted).await
    }

    async fn mark(&self, lease: Lease) -> Result<(), StoreError> {
        self.alive().await;
        refuse(&self.refuse_mark)?;
        self.marks.fetch_add(1, Ordering::SeqCst);
        self.inner.mark(lease).await
    }

    async fn settle(&self, settlement: &Settlement) -> Result<(), StoreError> {
        self.alive().await;
        refuse(&self.refuse_settle)?;
        self.settles.fetch_add(1, Ordering::SeqCst);
        self.inner.settle(settlement).await
    }

    async fn hear(&self, news: Vec<News>) -> Result<Vec<Heard>, StoreError> {
        self.alive().await;
        refuse(&self.refuse_hear)?;
        self.inner.hear(news).await
    }

    async fn receive(&self, inbound: NewInbound) -> Result<Admitted, StoreError> {
        self.alive().await;
        refuse(&self.refuse_hear)?;
        self.inner.receive(inbound).await
    }

    async fn suppress(&self, suppressions: Vec<Suppression>) -> Result<usize, StoreError> {
        self.inner.suppress(suppressions).await
    }

    async fn unsuppress(&self, filter: SuppressionFilter) -> Result<usize, StoreError> {
        self.inner.unsuppress(filter).await
    }

    async fn suppressed(
        &self,
        filter: SuppressionFilter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Suppression>, StoreError> {
        self.inner.suppressed(filter, cursor, limit).await
    }

    async fn secret(&self, name: &str, fresh: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.inner.secret(name, fresh).await
    }

    async fn lanes(&self) -> Result<Vec<LaneCount>, StoreError> {
        self.inner.lanes().await
    }

    async fn relane(&self, from: Lane, to: Lane, limit: usize) -> Result<usize, StoreError> {
        self.alive().await;
        self.inner.relane(from, to, limit).await
    }

    async fn recover(&self, now: Timestamp) -> Result<(usize, usize), StoreError> {
        self.inner.recover(now).await
    }

    async fn cancel(&self, filter: Filter, reason: String, now: Timestamp) -> Result<usize, StoreError> {
        self.inner.cancel(filter, reason, now).await
    }

    async fn redrive(&self, redrive: Redrive, now: Timestamp) -> Result<usize, StoreError> {
        self.inner.redrive(redrive, now).await
    }

    async fn resolve(&self, id: MessageId, what: Resolution, now: Timestamp) -> Result<bool, StoreError> {
        self.inner.resolve(id, what, now).await
    }

    async fn suspend(&self, what: Suspension, suspended: bool, now: Timestamp) -> Result<bool, StoreError> {
        self.inner.suspend(what, suspended, now).await
    }

    async fn suspensions(&self) -> Result<Vec<(Suspension, Timestamp)>, StoreError> {
        self.inner.suspensions().await
    }

    async fn save_lane(&self, lane: Lane, record: LaneRecord) -> Result<(), StoreError> {
        self.alive().await;
        self.inner.save_lane(lane, record).await
    }

    async fn lane_records(&self) -> Result<Vec<(Lane, LaneRecord)>, StoreError> {
        self.inner.lane_records().await
    }

    async fn message(&self, id: MessageId) -> Result<Option<MessageView>, StoreError> {
        self.inner.message(id).await
    }

    async fn find(&self, any_id: &str) -> Result<Vec<MessageId>, StoreError> {
        self.inner.find(any_id).await
    }

    async fn search(
        &self,
        filter: Filter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<MessageSummary>, StoreError> {
        self.inner.search(filter, cursor, limit).await
    }

    async fn quarantined(
        &self,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<QuarantineEntry>, StoreError> {
        self.inner.quarantined(cursor, limit).await
    }

    async fn quarantined_body(&self, id: i64) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.quarantined_body(id).await
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.inner.stats().await
    }

    fn health(&self) -> StoreHealth {
        self.inner.health()
    }

    async fn purge(&self, retention: Retention, now: Timestamp) -> Result<Purged, StoreError> {
        self.inner.purge(retention, now).await
    }

    async fn backup(&self, to: &Path) -> Result<u64, StoreError> {
        self.inner.backup(to).await
    }
}
