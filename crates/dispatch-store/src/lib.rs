//! Durability: the contract as a trait, and what keeps it.
//!
//! Every verb of [`Store`] is one atomic, durable batch: when it returns `Ok`, its effect survives
//! `kill -9` and a power cut. No transaction leaks out. All implementations pass one conformance
//! suite ([`conformance`]), and the SQLite one is also compared with the in-memory one by random
//! actions.

mod error;
mod query;
mod work;

pub use error::StoreError;
pub use query::{
    Cursor, EventKind, Filter, LaneCount, MessageSummary, MessageView, Page, QuarantineEntry, StoreHealth,
    StoreStats, TimelineEvent,
};
pub use work::{
    Admitted, ClaimRequest, Claimed, Claims, FirstClaim, LaneRecord, Planned, Purged, QuarantineRequest,
    Quarantined, RecipientKey, Redrive, Resolution, Retention, Settlement, Suspension,
};

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use dispatch_model::{Lane, Lease, Message, MessageId, Submission, Timestamp};

/// The durability contract.
///
/// Time is an argument: a store never asks a clock for anything that it keeps.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    // ---- the door -------------------------------------------------------------------------------

    /// Makes a submission a message, once: dedupe by (location, external id) and the insert are one
    /// transaction. The delivery is born `Unplanned`.
    ///
    /// Refuses with [`StoreError::LocationFull`] over the location's quota of waiting messages and
    /// with [`StoreError::Full`] below the free-space gate or at the size bound; nothing is stored then.
    async fn admit(&self, submission: Submission) -> Result<Admitted, StoreError>;

    /// Keeps a verified body that could not be parsed; deduped by its digest.
    async fn quarantine(&self, request: QuarantineRequest) -> Result<Quarantined, StoreError>;

    // ---- work -----------------------------------------------------------------------------------

    /// Admitted messages that are not yet planned, by id after `after`.
    async fn unplanned(&self, after: MessageId, limit: usize) -> Result<Vec<Arc<Message>>, StoreError>;

    /// Writes plans, and claims at once those whose `claim` says so (optionally marked already).
    /// For each in order: the lease when it was claimed. One that is no longer `Unplanned`
    /// (cancelled, planned before) is skipped and gives `None`.
    async fn plan(&self, planned: Vec<Planned>) -> Result<Vec<Option<Lease>>, StoreError>;

    /// Leases due deliveries of one lane: round robin over its locations, beginning after
    /// `request.after`; within a location by due time; never two for one recipient and none for a
    /// recipient in `request.busy`. Suspended routes, locations and backends are passed over at no
    /// lasting cost. Expired ones are claimed like others: the engine ends them.
    async fn claim(&self, request: ClaimRequest) -> Result<Claims, StoreError>;

    /// Writes "may have been sent" for a lease: it is on disk before the action that delivers leaves.
    async fn mark(&self, lease: Lease) -> Result<(), StoreError>;

    /// Ends a lease with the delivery's next state and what is kept of the attempt, if there was one.
    /// [`StoreError::Stale`] when the lease is not the present one: nothing changes.
    async fn settle(&self, settlement: Settlement) -> Result<(), StoreError>;

    /// Lanes with scheduled work, with how much and when the first of it is due.
    async fn lanes(&self) -> Result<Vec<LaneCount>, StoreError>;

    /// Moves all scheduled work of a lane to where `resolve` says (its configuration changed):
    /// makes it due now in the lane given; bounded per call, returns how many were moved.
    async fn relane(&self, from: Lane, to: Lane, limit: usize) -> Result<usize, StoreError>;

    /// At start, by the owner of the data folder: voids old leases. Unmarked ones become `Scheduled`
    /// again; marked ones become `Scheduled` with `unresolved` and `possible_double` set and due now, and the engine
    /// applies the route's `on_unknown` at their next claim. Returns (unmarked, marked).
    async fn recover(&self, now: Timestamp) -> Result<(usize, usize), StoreError>;

    // ---- an operator's verbs --------------------------------------------------------------------

    /// Calls off waiting and held deliveries that match; a leased one is left alone unless it is
    /// given by id, when it is called off as soon as its attempt ends without acceptance. Returns how many.
    async fn cancel(&self, filter: Filter, reason: String, now: Timestamp) -> Result<usize, StoreError>;

    /// Dead letters, expired and cancelled deliveries that match become `Unplanned` again: attempts
    /// and expiry reset, generation raised, optionally bound to one backend. Returns how many.
    async fn redrive(&self, redrive: Redrive, now: Timestamp) -> Result<usize, StoreError>;

    /// Says what became of a held delivery. `Ok(false)` when it is not held.
    async fn resolve(
        &self,
        message: MessageId,
        resolution: Resolution,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Suspends or resumes a backend, a route or a location. `Ok(false)` when nothing changed.
    async fn suspend(&self, what: Suspension, suspended: bool, now: Timestamp) -> Result<bool, StoreError>;

    /// What is suspended, and since when.
    async fn suspensions(&self) -> Result<Vec<(Suspension, Timestamp)>, StoreError>;

    /// Keeps the breaker and pause of a lane over a restart.
    async fn save_lane(&self, lane: Lane, record: LaneRecord) -> Result<(), StoreError>;

    /// All kept lane records.
    async fn lane_records(&self) -> Result<Vec<(Lane, LaneRecord)>, StoreError>;

    // ---- questions ------------------------------------------------------------------------------

    /// A message by our id, with its whole timeline.
    async fn message(&self, id: MessageId) -> Result<Option<MessageView>, StoreError>;

    /// Our ids for any id a person may hold: ours, the sender's, or a provider's reference. At most 20.
    async fn find(&self, any_id: &str) -> Result<Vec<MessageId>, StoreError>;

    /// Messages that match, newest first, paged by key.
    async fn search(
        &self,
        filter: Filter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<MessageSummary>, StoreError>;

    /// Quarantined bodies, newest first, paged by key.
    async fn quarantined(
        &self,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<QuarantineEntry>, StoreError>;

    /// One quarantined body.
    async fn quarantined_body(&self, id: i64) -> Result<Option<Vec<u8>>, StoreError>;

    /// Counts by state and size; cheap enough to ask every few seconds.
    async fn stats(&self) -> Result<StoreStats, StoreError>;

    /// Whether the next write is likely to succeed.
    fn health(&self) -> StoreHealth;

    // ---- upkeep ---------------------------------------------------------------------------------

    /// Takes what retention allows, a bounded bite a call: never unfinished work, never a live dedupe key.
    async fn purge(&self, retention: Retention, now: Timestamp) -> Result<Purged, StoreError>;

    /// Writes a consistent copy to a new file while work goes on.
    async fn backup(&self, to: &Path) -> Result<u64, StoreError>;
}
