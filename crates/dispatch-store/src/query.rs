//! What the questions take and give.

use std::collections::BTreeMap;

use dispatch_model::{
    AttemptRecord, BackendName, Channel, Delivery, DeliveryState, HeardReceipt, Lane, LocationId, Message,
    MessageId, Reason, RouteName, SourceName, Timestamp,
};
use serde::{Deserialize, Serialize};

/// Which messages. Empty means all; fields narrow it together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// These ids.
    pub ids: Vec<MessageId>,
    /// This tenant.
    pub location: Option<LocationId>,
    /// This contact.
    pub contact: Option<String>,
    /// To this phone number (E.164 or as given) or address (without a display name), compared without case; of an
    /// inbound message, also from it.
    pub recipient: Option<String>,
    /// These states.
    pub states: Vec<DeliveryState>,
    /// This route.
    pub route: Option<RouteName>,
    /// This backend, the one that is next, under way or last.
    pub backend: Option<BackendName>,
    /// This channel.
    pub channel: Option<Channel>,
    /// Admitted at or after.
    pub since: Option<Timestamp>,
    /// Admitted before.
    pub until: Option<Timestamp>,
    /// Only those that may have been delivered twice.
    pub possible_double: Option<bool>,
    /// Only those that people sent to us, or only those that go to people.
    pub inbound: Option<bool>,
}

/// Where the next page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub i64);

/// A page of something.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins; none on the last.
    pub next: Option<Cursor>,
}

/// A row of a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MessageSummary {
    /// Our id.
    pub id: MessageId,
    /// The sender's id.
    pub external_id: String,
    /// When it was admitted.
    pub admitted_at: Timestamp,
    /// Its tenant.
    pub location: LocationId,
    /// Its channel.
    pub channel: Channel,
    /// Where it goes; empty once the content was purged.
    pub recipients: Vec<String>,
    /// Who sent it, of an inbound message; empty once the content was purged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Where it stands.
    pub state: DeliveryState,
    /// The route.
    pub route: Option<RouteName>,
    /// The backend that is next, under way or last.
    pub backend: Option<BackendName>,
    /// Attempts in all.
    pub attempts: u32,
    /// When it is due, while it waits.
    pub due_at: Timestamp,
    /// The provider's ids.
    pub references: Vec<String>,
    /// Why it is where it is.
    pub reason: Option<Reason>,
    /// Whether the recipient may have got it twice.
    pub possible_double: bool,
}

/// All of a message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MessageView {
    /// The message; its content is empty once purged.
    pub message: Message,
    /// Whether the content was purged.
    pub content_purged: bool,
    /// Its delivery.
    pub delivery: Delivery,
    /// Its attempts in order.
    pub attempts: Vec<AttemptRecord>,
    /// What the providers said later, in the order in which it came.
    pub receipts: Vec<HeardReceipt>,
    /// What else happened, in order.
    pub events: Vec<TimelineEvent>,
}

/// Something that happened to a message besides an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimelineEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
    /// Words.
    pub detail: String,
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// The same webhook came again.
    Duplicate,
    /// Routed: which route and why.
    Planned,
    /// An operator called it off.
    Cancelled,
    /// An operator sent it round again.
    Redriven,
    /// An operator said what became of it.
    Resolved,
    /// The process died during an attempt.
    Recovered,
}

/// Scheduled work of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneCount {
    /// The lane.
    pub lane: Lane,
    /// How many wait in it, those of suspended routes and locations included.
    pub waiting: u64,
    /// When it has work to claim: some time in the past where it has now, the end of time where all
    /// its work is suspended.
    pub first_due: Timestamp,
}

/// A quarantined body.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct QuarantineEntry {
    /// Its number.
    pub id: i64,
    /// Where it came in.
    pub source: SourceName,
    /// When.
    pub received_at: Timestamp,
    /// Why it cannot be used.
    pub reason: String,
    /// Its size in bytes.
    pub size: u64,
    /// How often it came.
    pub seen: u64,
}

/// Counts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StoreStats {
    /// Deliveries by state.
    pub by_state: BTreeMap<String, u64>,
    /// Quarantined bodies.
    pub quarantined: u64,
    /// Receipts that wait for a message which knows them.
    pub parked_receipts: u64,
    /// Bytes of the file and its log.
    pub bytes: u64,
    /// Bytes free on the disk.
    pub disk_free: u64,
}

/// Whether the next write is likely to succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreHealth {
    /// Yes.
    Ready,
    /// Not for want of room.
    Full(String),
    /// No: stop and start again from disk.
    Failed(String),
}
