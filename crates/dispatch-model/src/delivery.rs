//! One message along its chain of backends.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{BackendName, Channel, LocationId, MessageId, Reason, RouteName, Timestamp};

/// Where a delivery stands.
///
/// ```text
/// Unplanned -> Scheduled <-> Leased -> Accepted -> Delivered | Undelivered, and between these two
///                                   -> Held -> (resolved) Accepted | DeadLettered | Unplanned
///                                   -> DeadLettered | Expired | Cancelled -> (redriven) Unplanned
/// Unplanned | Scheduled | Held -> Cancelled
/// Unplanned -> Kept -> (redriven) Unplanned
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum DeliveryState {
    /// Admitted and not yet routed.
    Unplanned = 0,
    /// Waits for its time.
    Scheduled = 1,
    /// An attempt is under way.
    Leased = 2,
    /// The provider took it.
    Accepted = 3,
    /// A receipt says that it arrived.
    Delivered = 4,
    /// A receipt says that it did not arrive.
    Undelivered = 5,
    /// It may have been delivered, and an operator has to say what became of it.
    Held = 6,
    /// Given up, with a reason; it can be redriven.
    DeadLettered = 7,
    /// Too late; it can be redriven.
    Expired = 8,
    /// Called off by an operator.
    Cancelled = 9,
    /// An inbound message that no route hands on; it can be redriven once one does.
    Kept = 10,
}

impl DeliveryState {
    /// All states, in order.
    pub const ALL: [Self; 11] = [
        Self::Unplanned,
        Self::Scheduled,
        Self::Leased,
        Self::Accepted,
        Self::Delivered,
        Self::Undelivered,
        Self::Held,
        Self::DeadLettered,
        Self::Expired,
        Self::Cancelled,
        Self::Kept,
    ];

    /// From the number the store keeps.
    pub fn from_u8(raw: u8) -> Option<Self> {
        Self::ALL.get(usize::from(raw)).copied()
    }

    /// The word used in the configuration, the CLI and the logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unplanned => "unplanned",
            Self::Scheduled => "scheduled",
            Self::Leased => "leased",
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Held => "held",
            Self::DeadLettered => "dead-lettered",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Kept => "kept",
        }
    }

    /// Whether work is left to do without an operator.
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Unplanned | Self::Scheduled | Self::Leased)
    }

    /// Whether nothing more will happen unless an operator or a provider says so.
    pub fn is_ended(self) -> bool {
        matches!(
            self,
            Self::Accepted
                | Self::Delivered
                | Self::Undelivered
                | Self::DeadLettered
                | Self::Expired
                | Self::Cancelled
                | Self::Kept
        )
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for DeliveryState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

/// What routing decided: names only, so that settings and policy are read anew at each attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The route that matched; none means that the delivery is born as a dead letter.
    pub route: Option<RouteName>,
    /// Backends in the order they are tried.
    pub chain: Vec<BackendName>,
    /// Why, for the timeline: which route matched and by what.
    pub reasons: Vec<String>,
}

/// Which queue a delivery waits in: a backend, or a backend with a location's own credentials.
///
/// Rate, concurrency, pause and breaker belong to a lane: an account that is blocked at the provider
/// must not stop the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lane {
    /// The backend.
    pub backend: BackendName,
    /// The location, where its overlay of this backend has credentials of its own.
    pub location: Option<LocationId>,
}

impl Lane {
    /// The lane of a backend as such.
    pub fn shared(backend: BackendName) -> Self {
        Self { backend, location: None }
    }
}

/// `backend` or `backend@location`: backend names have no `@`.
impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            None => fmt::Display::fmt(&self.backend, f),
            Some(location) => write!(f, "{}@{location}", self.backend),
        }
    }
}

impl From<&str> for Lane {
    fn from(text: &str) -> Self {
        match text.split_once('@') {
            None => Self::shared(text.into()),
            Some((backend, location)) => Self { backend: backend.into(), location: Some(location.into()) },
        }
    }
}

/// The right to work on a delivery. Each claim raises the epoch, so that a settlement by an owner
/// that has lost its lease changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lease {
    /// Which delivery.
    pub message: MessageId,
    /// Which claim of it.
    pub epoch: u32,
}

/// One message along its chain of backends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// The message; there is one delivery for each.
    pub message: MessageId,
    /// Its tenant.
    pub location: LocationId,
    /// Its channel.
    pub channel: Channel,
    /// Where it stands.
    pub state: DeliveryState,
    /// What routing decided; before that an empty chain, or the one backend that an operator bound it to.
    pub plan: Plan,
    /// Which backend of the chain is next or under way.
    pub position: u32,
    /// The queue it waits in; none when nothing is left to do.
    pub lane: Option<Lane>,
    /// Attempts at this backend that count.
    pub attempts: u32,
    /// Attempts in all, over backends and redrives.
    pub attempts_total: u32,
    /// How often it was redriven. The idempotency key changes with it.
    pub generation: u32,
    /// Not before this time.
    pub due_at: Timestamp,
    /// Not after this time.
    pub expires_at: Timestamp,
    /// Raised with each claim.
    pub epoch: u32,
    /// Whether an action that delivers may have left during the present lease.
    pub marked: bool,
    /// An attempt ended as unknown, and nothing has settled since whether it arrived.
    pub unresolved: bool,
    /// The recipient may have got it more than once. Never cleared.
    pub possible_double: bool,
    /// The provider's ids: of the message, or of its parts, or of what went to some of its recipients.
    pub references: Vec<String>,
    /// Its references are those that receipts named, since no answer of the provider's did.
    pub learnt: bool,
    /// Whom it is still to go to, where some recipients were taken before; none means all.
    pub remaining: Option<Vec<String>>,
    /// Why it is where it is.
    pub reason: Option<Reason>,
    /// When it came to where it is.
    pub changed_at: Timestamp,
}

impl Delivery {
    /// A message that has just been admitted.
    pub fn unplanned(message: MessageId, location: LocationId, channel: Channel, at: Timestamp) -> Self {
        Self {
            message,
            location,
            channel,
            state: DeliveryState::Unplanned,
            plan: Plan { route: None, chain: Vec::new(), reasons: Vec::new() },
            position: 0,
            lane: None,
            attempts: 0,
            attempts_total: 0,
            generation: 0,
            due_at: at,
            expires_at: Timestamp::from_millis(i64::MAX),
            epoch: 0,
            marked: false,
            unresolved: false,
            possible_double: false,
            references: Vec::new(),
            learnt: false,
            remaining: None,
            reason: None,
            changed_at: at,
        }
    }

    /// The backend that is next or under way.
    pub fn backend(&self) -> Option<&BackendName> {
        self.plan.chain.get(self.position as usize)
    }

    /// The right that its present claim gives.
    pub fn lease(&self) -> Lease {
        Lease { message: self.message, epoch: self.epoch }
    }

    /// Becomes what the store has made of it: leased, and perhaps marked.
    pub fn leased(&mut self, lease: Lease, marked: bool) {
        self.state = DeliveryState::Leased;
        self.epoch = lease.epoch;
        self.marked = marked;
    }

    /// The key that makes a repeated request recognisable: the same for all attempts of a generation.
    pub fn idempotency_key(&self) -> String {
        format!("dsp-{}-{}", self.message, self.generation)
    }

    /// The generation that an idempotency key was made for.
    pub fn generation_of(idempotency_key: &str) -> Option<u32> {
        idempotency_key.rsplit('-').next()?.parse().ok()
    }

    /// What an idempotency key was made for: the message, and the generation of its delivery. Nothing where it is none of
    /// ours.
    pub fn of_key(idempotency_key: &str) -> Option<(MessageId, u32)> {
        let (message, generation) = idempotency_key.strip_prefix("dsp-")?.split_once('-')?;
        Some((message.parse().ok()?, generation.parse().ok()?))
    }
}
