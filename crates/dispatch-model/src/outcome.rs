//! How an attempt ended. Typed, since each kind makes the engine do something else.

use serde::{Deserialize, Serialize};

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The provider took it. That is not yet *delivered*: a receipt may say so later.
    Accepted(Acceptance),
    /// Transient, and nothing was delivered: back off on the same backend.
    Deferred {
        /// Why.
        reason: Reason,
        /// The provider's own wish, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The provider is throttling: pauses the backend for everybody, costs no attempt.
    Throttled {
        /// Why.
        reason: Reason,
        /// The provider's own wish, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The provider will not take it.
    Rejected {
        /// What is wrong with it.
        kind: Rejection,
        /// Why.
        reason: Reason,
    },
    /// It may have been delivered, and nobody has said so.
    Unknown {
        /// Why.
        reason: Reason,
    },
}

impl Outcome {
    /// The word used in logs, metrics and tables.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Deferred { .. } => "deferred",
            Self::Throttled { .. } => "throttled",
            Self::Rejected { .. } => "rejected",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// The reason, for all that were not accepted.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Accepted(_) => None,
            Self::Deferred { reason, .. }
            | Self::Throttled { reason, .. }
            | Self::Rejected { reason, .. }
            | Self::Unknown { reason } => Some(reason),
        }
    }
}

/// The provider took it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Acceptance {
    /// The provider's ids of the message: one, or one for each part where it counts every part as a message.
    #[serde(default)]
    pub references: Vec<String>,
    /// The provider's own word for the state, for example `queued`.
    #[serde(default)]
    pub state: Option<String>,
    /// How many parts it was cut into, where the provider says so.
    #[serde(default)]
    pub parts: Option<u32>,
    /// Recipients that were refused while others were taken.
    #[serde(default)]
    pub refused: Vec<RefusedRecipient>,
}

impl Acceptance {
    /// Ids of one acceptance at most: no provider cuts a text into more parts.
    pub const REFERENCES_MAX: usize = 64;
}

/// One recipient of several that was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusedRecipient {
    /// The address or number as it was asked for.
    pub recipient: String,
    /// Why.
    pub reason: Reason,
    /// Whether it may be tried again; the others are not sent to a second time.
    pub retry: bool,
}

/// What is wrong with a rejected message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rejection {
    /// A bad or opted-out recipient: final, no failover.
    Recipient,
    /// Refused text, size or media: final, no failover unless the route says so.
    Content,
    /// This sender may not send here: next backend.
    Sender,
    /// Credentials, credit or configuration of the backend: opens its breaker, next backend.
    Account,
}

impl Rejection {
    /// The word used in logs, metrics and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recipient => "recipient",
            Self::Content => "content",
            Self::Sender => "sender",
            Self::Account => "account",
        }
    }
}

/// A code and words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The provider's code (`21610`), or one of ours (`timeout`).
    pub code: String,
    /// Words for a person.
    pub message: String,
}

impl Reason {
    /// From a code and words.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// Why the *host* ended a guest call. All but the last are deterministic: a pure function would do it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// The guest trapped.
    #[error("trap: {detail}")]
    Trap {
        /// The kind of trap.
        detail: String,
    },
    /// The guest computed for too long.
    #[error("deadline: computed for more than {limit_ms} ms")]
    Deadline {
        /// The bound.
        limit_ms: u64,
    },
    /// The guest wanted more memory or table entries than it may have.
    #[error("memory: wanted more than {limit_bytes} bytes")]
    Memory {
        /// The bound.
        limit_bytes: u64,
    },
    /// The guest asked for more steps than an attempt may have.
    #[error("steps: asked for more than {limit}")]
    Steps {
        /// The bound.
        limit: u32,
    },
    /// What the guest returned breaks a bound of the contract.
    #[error("contract: {detail}")]
    Contract {
        /// Which bound, and by how much.
        detail: String,
    },
    /// The machine had no memory to give, within the bounds of the call: not the guest's doing, and it passes.
    #[error("starved: the machine had no memory for the call")]
    Starved,
}

impl Fault {
    /// The word used in logs, metrics and tables.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Trap { .. } => "trap",
            Self::Deadline { .. } => "deadline",
            Self::Memory { .. } => "memory",
            Self::Steps { .. } => "steps",
            Self::Contract { .. } => "contract",
            Self::Starved => "starved",
        }
    }
}
