//! What the working verbs take and give.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use dispatch_model::{
    AttemptRecord, BackendName, Delivery, Lane, Lease, LocationId, Message, MessageId, RouteName, SourceName,
    Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::Filter;

/// What became of a submission.
#[derive(Debug, Clone)]
pub enum Admitted {
    /// It is promised now.
    Fresh(Arc<Message>),
    /// It is promised now and planned already ([`Planner`]): it waits in its lane, or is under way.
    Waiting(Arc<Message>),
    /// It was promised before, as this message.
    Duplicate(MessageId),
}

/// A verified body that could not be parsed.
#[derive(Debug, Clone)]
pub struct QuarantineRequest {
    /// Where it came in.
    pub source: SourceName,
    /// When.
    pub received_at: Timestamp,
    /// Why it cannot be used.
    pub reason: String,
    /// All of it.
    pub body: Vec<u8>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quarantined {
    /// Kept under this number.
    Fresh(i64),
    /// The same body is kept already.
    Duplicate(i64),
}

/// A recipient, as a number: two messages with the same key leave in order. A collision costs a
/// little waiting and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecipientKey(pub i64);

impl RecipientKey {
    /// Of a message: all its recipients together, so a mail to two is in order with its like only. Of an inbound
    /// message its sender: all of them go to one number of ours, and only a person's own need an order.
    pub fn of(message: &Message) -> Self {
        // Fixed keys: the number is kept on disk and must be the same after a restart.
        let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
        match message.inbound_from() {
            Some(from) => from.hash(&mut hasher),
            None => message.recipients().iter().for_each(|recipient| recipient.hash(&mut hasher)),
        }
        Self(hasher.finish() as i64)
    }
}

/// FNV-1a: spread enough for a lock key, and its definition does not change with a library.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A message that waits to be planned.
#[derive(Debug, Clone)]
pub struct Unplanned {
    /// The message.
    pub message: Arc<Message>,
    /// Its delivery, `Unplanned`.
    pub delivery: Delivery,
}

/// A plan to write.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The delivery as planned: `Scheduled`, or `DeadLettered` when there is no route or no usable recipient.
    pub delivery: Delivery,
    /// Its recipient's key.
    pub recipient: RecipientKey,
}

/// Plans messages as they are admitted: each is then written once and not twice.
pub trait Planner: Send + Sync + 'static {
    /// The plan of a fresh message that is to be tried; none leaves it `Unplanned`. It takes about so many bytes. Called
    /// within the write that admits it, so it must be quick.
    fn waits(&self, message: &Arc<Message>, bytes: usize) -> Option<Waits>;
}

/// A plan that is written together with its message.
pub struct Waits {
    /// The plan: `Scheduled`.
    pub planned: Planned,
    /// Where it is to stand.
    pub stands: Stands,
    /// Who waits for it.
    pub arrival: Box<dyn Arrival>,
}

/// Where a delivery stands as it is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// In line: claims find it in its turn. That is dear, and in vain where it is
    /// [claimed by its id](crate::Store::claim_one) or its lane is shut.
    InLine,
    /// Behind all that is due. The first claims of the lane put it in line.
    Behind,
    /// Under a lease, and marked: it is attempted as soon as it is written. Where its route or location is suspended it
    /// waits instead.
    Leased,
}

/// Who waits for a message to be written. Dropped without a word when it is not written, or nobody knows.
pub trait Arrival: Send {
    /// It is on disk; under this lease if it is leased.
    fn written(self: Box<Self>, lease: Option<Lease>);
}

/// A claim of one delivery of which somebody knows that it waits.
#[derive(Debug, Clone)]
pub struct ClaimOne {
    /// Which.
    pub message: MessageId,
    /// The lease it had last, as somebody knows it, and how often it was redriven: it may be another one meanwhile.
    pub epoch: u32,
    /// See `epoch`.
    pub generation: u32,
    /// Where it waits.
    pub lane: Lane,
    /// Now.
    pub now: Timestamp,
    /// Whether its first action delivers.
    pub marked: bool,
}

/// A claim of due work.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Which lane.
    pub lane: Lane,
    /// Now.
    pub now: Timestamp,
    /// How many at most.
    pub want: usize,
    /// The location served last: the round robin goes on after it.
    pub after: Option<LocationId>,
    /// Recipients with an attempt under way in this lane.
    pub busy: Arc<HashSet<i64>>,
}

/// What was leased.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// The leased deliveries.
    pub claimed: Vec<Claimed>,
    /// The location served last, for the next request.
    pub after: Option<LocationId>,
    /// When the lane has work again, where it had less than was wanted. `None`: nothing is scheduled.
    pub next_due: Option<Timestamp>,
    /// Whether the lane may have more due work right now.
    pub more: bool,
}

/// A leased delivery with its message.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The delivery, `Leased`.
    pub delivery: Delivery,
    /// Its message.
    pub message: Arc<Message>,
    /// Its recipient's key.
    pub recipient: RecipientKey,
}

/// The end of a lease.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// Which lease.
    pub lease: Lease,
    /// The delivery as it is from now on (its state is not `Leased`).
    pub delivery: Delivery,
    /// What is kept of the attempt; none when the lease is given back without one.
    pub attempt: Option<AttemptRecord>,
}

/// Which dead letters to route anew.
#[derive(Debug, Clone)]
pub struct Redrive {
    /// Which.
    pub filter: Filter,
    /// To this backend alone, whatever the routes say.
    pub to: Option<BackendName>,
    /// Who asked, and why: for the timeline.
    pub note: String,
}

/// What an operator says of a held delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// It arrived.
    Accepted,
    /// It did not, and it is not worth another try.
    Failed,
    /// Try again, double or not.
    Retry,
}

/// What can be suspended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Suspension {
    /// A backend, its location lanes included.
    Backend(BackendName),
    /// A route.
    Route(RouteName),
    /// A location.
    Location(LocationId),
}

/// The pause and breaker of a lane, as kept over a restart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LaneRecord {
    /// Throttled until then, and why.
    pub paused_until: Option<Timestamp>,
    /// Why it is paused.
    pub pause_reason: Option<String>,
    /// The breaker is open, and probes not before then.
    pub open_until: Option<Timestamp>,
    /// Why it is open.
    pub open_reason: Option<String>,
    /// How often it has opened in a row, for the next wait.
    pub opened: u32,
}

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Text, html and addresses of ended messages.
    pub content: Duration,
    /// The record of what happened.
    pub record: Duration,
    /// Dedupe keys; at least 30 days.
    pub dedupe: Duration,
    /// Quarantined bodies.
    pub quarantine: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: u64 = 24 * 3600;
        Self {
            content: Duration::from_secs(30 * DAY),
            record: Duration::from_secs(90 * DAY),
            dedupe: Duration::from_secs(90 * DAY),
            quarantine: Duration::from_secs(30 * DAY),
        }
    }
}

/// What a purge took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Messages whose content was taken.
    pub contents: usize,
    /// Messages taken whole.
    pub records: usize,
    /// Dedupe keys.
    pub keys: usize,
    /// Quarantined bodies.
    pub quarantined: usize,
    /// Receipts that nobody could be found for.
    pub receipts: usize,
    /// Whether there is more to take.
    pub more: bool,
}
