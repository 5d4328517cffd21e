//! Durability: the contract as a trait, and what keeps it.
//!
//! Every verb of [`Store`] is one atomic, durable batch: when it returns `Ok`, its effect survives
//! `kill -9` and a power cut. No transaction leaks out. All implementations pass one conformance
//! suite ([`conformance`]), and the SQLite one is also compared with the in-memory one by random
//! actions.

pub mod conformance;

mod error;
mod form;
mod memory;
mod query;
mod receipts;
mod sequence;
mod sqlite;
mod suppression;
mod transition;
mod work;

pub use error::StoreError;
pub use memory::MemoryStore;
pub use query::{
    Cursor, EventKind, Filter, LaneCount, MessageSummary, MessageView, Page, QuarantineEntry, StoreHealth,
    StoreStats, TimelineEvent,
};
pub use receipts::{About, Heard, NewReceipt, News, PARKED_FOR, PARKED_MAX, RECEIPTS_MAX};
pub use sqlite::{OpenError, SqliteStore, StoreConfig};
pub use suppression::{Consent, Lift, NewInbound, SUPPRESSIONS_MAX, Suppression, SuppressionFilter};
pub use work::{
    Admitted, Arrival, ClaimOne, ClaimRequest, Claimed, Claims, LaneRecord, Planned, Planner, Purged,
    QuarantineRequest, Quarantined, RecipientKey, Redrive, Resolution, Retention, Settlement, Stands,
    Suspension, Unplanned, Waits,
};

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use dispatch_model::{Lane, Lease, MessageId, Submission, Timestamp};

/// Messages that one location may have waiting, unless configured otherwise: a bulk action of a large
/// agency is some ten thousands; more than this is a tenant gone wrong, and must not fill the disk for all.
pub const LOCATION_WAITING_MAX: u64 = 200_000;

/// The durability contract.
///
/// Time is an argument: a store never asks a clock for anything that it keeps.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    // ---- the door -------------------------------------------------------------------------------

    /// Makes a submission a message, once: dedupe by (location, external id) and the insert are one
    /// transaction. The delivery is born as the [`Planner`] says, or else `Unplanned`.
    ///
    /// Refuses with [`StoreError::LocationFull`] over the location's quota of waiting messages and
    /// with [`StoreError::Full`] below the free-space gate or at the size bound; nothing is stored then.
    /// A duplicate is told as such even then: it asks for no room. The timeline shows the first few.
    async fn admit(&self, submission: Submission) -> Result<Admitted, StoreError>;

    /// Asks this one about each message that is admitted from now on.
    fn plan_with(&self, planner: Arc<dyn Planner>);

    /// Keeps a verified body that could not be parsed; deduped by its digest.
    async fn quarantine(&self, request: QuarantineRequest) -> Result<Quarantined, StoreError>;

    // ---- work -----------------------------------------------------------------------------------

    /// Admitted messages that are not yet planned, by id after `after`, with their deliveries: a
    /// redriven one keeps its generation and totals, and one bound to a backend by its redrive has
    /// that backend as its whole chain already.
    async fn unplanned(&self, after: MessageId, limit: usize) -> Result<Vec<Unplanned>, StoreError>;

    /// Writes plans. One that is no longer `Unplanned` (cancelled, planned before) is skipped. Epoch, generation,
    /// total of attempts and the possible double are the store's: what stands there is kept, whatever the plan
    /// says. `changed_at` is when it was planned.
    async fn plan(&self, planned: Vec<Planned>) -> Result<(), StoreError>;

    /// Leases due deliveries of one lane: round robin over its locations, beginning after
    /// `request.after`; within a location by due time; never two for one recipient and none for a
    /// recipient in `request.busy`. Suspended routes and locations are passed over at no lasting
    /// cost. A suspended backend's lane is claimed as asked: the engine asks only to move its work on
    /// to the next backend. Expired ones are claimed like others: the engine ends them.
    ///
    /// Work held back since its recipient is busy is in neither `next_due` nor `more`: ask again when
    /// an attempt of the lane ends.
    async fn claim(&self, request: ClaimRequest) -> Result<Claims, StoreError>;

    /// Leases this one, and marks it in the same write if asked to. `None` where it does not wait there (cancelled,
    /// moved, leased, redriven), is not due, or its route or location is suspended: nothing changes then.
    async fn claim_one(&self, wanted: ClaimOne) -> Result<Option<Lease>, StoreError>;

    /// Writes "may have been sent" for a lease: it is on disk before the action that delivers leaves.
    async fn mark(&self, lease: Lease) -> Result<(), StoreError>;

    /// Ends a lease with the delivery's next state and what is kept of the attempt, if there was one.
    /// [`StoreError::Stale`] when the lease is not the present one: nothing changes.
    /// One that was called off during the attempt becomes `Cancelled`, unless the provider took it.
    /// The whole delivery is written, its plan too: the order of its backends changes as they come and go.
    async fn settle(&self, settlement: &Settlement) -> Result<(), StoreError>;

    /// What providers said on their own: one answer for each, in order, all durable together. Each finds its message
    /// by the URL it came to (`about`), by our `key`, or by a reference that an attempt at this backend gave; without one it is
    /// parked, and adopted by the settlement that brings the reference. What all receipts of a message make of it is
    /// [`dispatch_model::hear`]; while an attempt is under way its settlement does that. Repeated ones change nothing.
    async fn hear(&self, news: Vec<News>) -> Result<Vec<Heard>, StoreError>;

    /// Admits a message from a person as [`admit`](Self::admit) does it, once for each backend and provider's id, and keeps
    /// in the same transaction what it says of its sender's wish. A repeated one suppresses and lifts nothing: its word
    /// may be an old one.
    async fn receive(&self, inbound: NewInbound) -> Result<Admitted, StoreError>;

    /// What is secret to this installation under a name: what is kept, or `fresh` from now on.
    async fn secret(&self, name: &str, fresh: Vec<u8>) -> Result<Vec<u8>, StoreError>;

    /// Lanes with scheduled work, with how much and when the first of it is due.
    async fn lanes(&self) -> Result<Vec<LaneCount>, StoreError>;

    /// Moves scheduled work of a lane to another one and makes it due now (its configuration
    /// changed); bounded per call, returns how many were moved.
    async fn relane(&self, from: Lane, to: Lane, limit: usize) -> Result<usize, StoreError>;

    /// At start, by the owner of the data folder: voids old leases. Unmarked ones become `Scheduled`
    /// again; marked ones become `Scheduled` with `unresolved` and `possible_double` set and due now, and the engine
    /// applies the route's `on_unknown` at their next claim. The attempt of a marked one is counted
    /// already: a message that kills the process each time must come to an end. One that was called off
    /// meanwhile becomes `Cancelled`. Waits that were set by a clock ahead of `now` begin anew. Returns
    /// (unmarked, marked).
    async fn recover(&self, now: Timestamp) -> Result<(usize, usize), StoreError>;

    // ---- an operator's verbs --------------------------------------------------------------------

    /// Calls off waiting and held deliveries that match; a leased one is left alone unless it is
    /// given by id, when it is called off as soon as its attempt ends without acceptance. Returns how many.
    async fn cancel(&self, filter: Filter, reason: String, now: Timestamp) -> Result<usize, StoreError>;

    /// Dead letters, expired and cancelled deliveries that match become `Unplanned` again: attempts
    /// and expiry reset, generation raised, optionally bound to one backend. Those whose content was
    /// purged are passed over. Returns how many.
    async fn redrive(&self, redrive: Redrive, now: Timestamp) -> Result<usize, StoreError>;

    /// Says what became of a held delivery. `Ok(false)` when it is not held. A retry makes it
    /// `Unplanned`, bound to the same backend, with the same idempotency key, as a possible double.
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

    /// Suppresses these people, at most [`SUPPRESSIONS_MAX`]; returns how many were not before. One that was keeps its
    /// time and note.
    async fn suppress(&self, suppressions: Vec<Suppression>) -> Result<usize, StoreError>;

    /// Lifts the suppressions that match; returns how many.
    async fn unsuppress(&self, filter: SuppressionFilter) -> Result<usize, StoreError>;

    /// Suppressions that match, newest first, paged by key.
    async fn suppressed(
        &self,
        filter: SuppressionFilter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Suppression>, StoreError>;

    /// Keeps the breaker and pause of a lane over a restart.
    async fn save_lane(&self, lane: Lane, record: LaneRecord) -> Result<(), StoreError>;

    /// All kept lane records.
    async fn lane_records(&self) -> Result<Vec<(Lane, LaneRecord)>, StoreError>;

    // ---- questions ------------------------------------------------------------------------------

    /// A message by our id, with its whole timeline.
    async fn message(&self, id: MessageId) -> Result<Option<MessageView>, StoreError>;

    /// Our ids for any id a person may hold: ours, the sender's, or a provider's reference. At most 20.
    async fn find(&self, any_id: &str) -> Result<Vec<MessageId>, StoreError>;

    /// Messages that match, newest first, paged by key. A call looks at a bounded number of messages:
    /// a page may hold fewer than `limit`, even none, and yet name a next one. The last one names none.
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
    /// A key lives at least as long as the record of its message. Call again while `more` says so.
    async fn purge(&self, retention: Retention, now: Timestamp) -> Result<Purged, StoreError>;

    /// Writes a consistent copy to a new file while work goes on.
    async fn backup(&self, to: &Path) -> Result<u64, StoreError>;
}
