//! The store on disk: SQLite, one writer, some readers.
//!
//! ```text
//! verbs ----> bounded queue ----> writer thread  (groups, one commit each)
//!                                                      \
//!                                                       one file, its log, a lock, a ballast
//!                                                      /
//! questions -> bounded queue ---> reader threads (short transactions)
//! ```
//! What a verb can do before the writer has it (serialise, digest, check) it does on the caller's
//! thread: the writer is the one place where all of the daemon's promises meet.

mod admit;
mod backup;
mod cache;
mod claim;
mod config;
mod connection;
mod content;
mod delivery;
mod error;
mod hear;
mod journal;
mod keys;
mod ledger;
mod lock;
mod names;
mod open;
mod operator;
mod purge;
mod question;
mod reader;
mod receipt;
mod scan;
mod schema;
mod shared;
mod space;
mod suppression;
mod suspend;
mod tally;
mod terms;
mod verb;
mod work;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use dispatch_model::{Lane, Lease, MessageId, Submission, Timestamp};

pub use config::StoreConfig;
pub use error::OpenError;
pub use open::SqliteStore;
use shared::Shared;

use crate::{
    Admitted, ClaimOne, ClaimRequest, Claims, Cursor, Filter, Heard, LaneCount, LaneRecord, MessageSummary,
    MessageView, NewInbound, News, Page, Planned, Planner, Purged, QuarantineEntry, QuarantineRequest,
    Quarantined, Redrive, Resolution, Retention, Settlement, Store, StoreError, StoreHealth, StoreStats,
    Suppression, SuppressionFilter, Suspension, Unplanned, transition,
};

#[async_trait]
impl Store for SqliteStore {
    async fn admit(&self, submission: Submission) -> Result<Admitted, StoreError> {
        self.write(admit::Admit::new(submission, self.shared().planner())?).await
    }

    fn plan_with(&self, planner: Arc<dyn Planner>) {
        self.shared().set_planner(planner);
    }

    async fn quarantine(&self, request: QuarantineRequest) -> Result<Quarantined, StoreError> {
        self.write(admit::Quarantine::new(request)).await
    }

    async fn unplanned(&self, after: MessageId, limit: usize) -> Result<Vec<Unplanned>, StoreError> {
        self.ask(move |reader| reader.unplanned(after, limit)).await
    }

    async fn plan(&self, planned: Vec<Planned>) -> Result<(), StoreError> {
        planned.iter().try_for_each(transition::check_planned)?;
        self.write(work::Plan(planned)).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claims, StoreError> {
        self.write(claim::Claim::new(request)).await
    }

    async fn claim_one(&self, wanted: ClaimOne) -> Result<Option<Lease>, StoreError> {
        self.write(claim::One(wanted)).await
    }

    async fn mark(&self, lease: Lease) -> Result<(), StoreError> {
        self.write(work::Mark(lease)).await
    }

    async fn settle(&self, settlement: &Settlement) -> Result<(), StoreError> {
        self.write(work::Settle::new(settlement)?).await
    }

    async fn hear(&self, news: Vec<News>) -> Result<Vec<Heard>, StoreError> {
        self.write(hear::Hear(news)).await
    }

    async fn receive(&self, inbound: NewInbound) -> Result<Admitted, StoreError> {
        self.write(suppression::Receive::new(inbound)?).await
    }

    async fn secret(&self, name: &str, fresh: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.write(operator::KeepSecret { name: name.to_owned(), fresh }).await
    }

    async fn lanes(&self) -> Result<Vec<LaneCount>, StoreError> {
        self.ask(|reader| reader.lanes()).await
    }

    async fn relane(&self, from: Lane, to: Lane, limit: usize) -> Result<usize, StoreError> {
        if from == to {
            return Err(StoreError::Invalid { detail: format!("lane {from} moved to itself") });
        }
        self.write(work::Relane { from, to, limit }).await
    }

    async fn recover(&self, now: Timestamp) -> Result<(usize, usize), StoreError> {
        self.write(work::Recover::new(now)).await
    }

    async fn cancel(&self, filter: Filter, reason: String, now: Timestamp) -> Result<usize, StoreError> {
        self.write(operator::Bulk::new(filter, operator::Change::Cancel(reason), now)).await
    }

    async fn redrive(&self, redrive: Redrive, now: Timestamp) -> Result<usize, StoreError> {
        let filter = redrive.filter.clone();
        self.write(operator::Bulk::new(filter, operator::Change::Redrive(Box::new(redrive)), now)).await
    }

    async fn resolve(
        &self,
        message: MessageId,
        resolution: Resolution,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(operator::Resolve { message, resolution, now }).await
    }

    async fn suspend(&self, what: Suspension, suspended: bool, now: Timestamp) -> Result<bool, StoreError> {
        self.write(suspend::Suspend::new(what, suspended, now)).await
    }

    async fn suspensions(&self) -> Result<Vec<(Suspension, Timestamp)>, StoreError> {
        self.ask(|reader| reader.suspensions()).await
    }

    async fn suppress(&self, suppressions: Vec<Suppression>) -> Result<usize, StoreError> {
        transition::check_suppressions(&suppressions)?;
        self.write(suppression::Suppress(suppressions)).await
    }

    async fn unsuppress(&self, filter: SuppressionFilter) -> Result<usize, StoreError> {
        self.write(suppression::Unsuppress::new(filter)).await
    }

    async fn suppressed(
        &self,
        filter: SuppressionFilter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Suppression>, StoreError> {
        self.ask(move |reader| reader.suppressed(&filter, cursor, limit)).await
    }

    async fn save_lane(&self, lane: Lane, record: LaneRecord) -> Result<(), StoreError> {
        self.write(operator::SaveLane { lane, record }).await
    }

    async fn lane_records(&self) -> Result<Vec<(Lane, LaneRecord)>, StoreError> {
        self.ask(|reader| reader.lane_records()).await
    }

    async fn message(&self, id: MessageId) -> Result<Option<MessageView>, StoreError> {
        self.ask(move |reader| reader.message(id)).await
    }

    async fn find(&self, any_id: &str) -> Result<Vec<MessageId>, StoreError> {
        let any_id = any_id.to_owned();
        self.ask(move |reader| reader.find(&any_id)).await
    }

    async fn search(
        &self,
        filter: Filter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<MessageSummary>, StoreError> {
        self.ask(move |reader| reader.search(&filter, cursor, limit)).await
    }

    async fn quarantined(
        &self,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<QuarantineEntry>, StoreError> {
        self.ask(move |reader| reader.quarantined(cursor, limit)).await
    }

    async fn quarantined_body(&self, id: i64) -> Result<Option<Vec<u8>>, StoreError> {
        self.ask(move |reader| reader.quarantined_body(id)).await
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.ask(|reader| reader.stats()).await
    }

    fn health(&self) -> StoreHealth {
        self.shared().health()
    }

    async fn purge(&self, retention: Retention, now: Timestamp) -> Result<Purged, StoreError> {
        transition::check_retention(&retention)?;
        let stragglers = self.shared().stragglers();
        let (purged, places) = self.write(purge::Purge { retention, now, stragglers }).await?;
        self.shared().set_stragglers(places);
        Ok(purged)
    }

    async fn backup(&self, to: &Path) -> Result<u64, StoreError> {
        self.copy_to(to.to_owned()).await
    }
}
