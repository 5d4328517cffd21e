//! How an attempt ends: an [`Acceptance`], or a [`Refusal`] that says what the host should do about it.
//!
//! Both halves of a `Result`, so that `?` carries a refusal out of any depth.

/// A code and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The provider's code (`21610`), or a word of the plugin's (`timeout`). At most 64 bytes.
    pub code: String,
    /// Words for a person. At most 1024 bytes.
    pub message: String,
}

impl Reason {
    /// From a code and words, cut to the contract's bounds.
    pub fn new(code: impl ToString, message: impl Into<String>) -> Self {
        Self { code: cut(code.to_string(), 64), message: cut(message.into(), 1024) }
    }
}

/// The text, cut at a character's start to at most `bytes` bytes.
pub(crate) fn cut(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

/// The provider took it. That is not yet *delivered*: a receipt may say so later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acceptance {
    /// The provider's ids: one, or one for each part where it counts every part as a message. Receipts are matched by
    /// any of them, and the message is delivered when each of them is. At most 64 of at most 256 bytes, none empty.
    pub references: Vec<String>,
    /// The provider's own word, for example `queued`.
    pub state: Option<String>,
    /// Into how many parts it was cut.
    pub parts: Option<u32>,
    /// Recipients that were refused while others were taken.
    pub refused: Vec<RefusedRecipient>,
}

impl Acceptance {
    /// Taken, and this is the provider's id of it. An empty one is none.
    pub fn reference(reference: impl Into<String>) -> Self {
        Self::references([reference])
    }

    /// Taken in parts, and these are the provider's ids of them. Empty ones are none.
    pub fn references<T: Into<String>>(references: impl IntoIterator<Item = T>) -> Self {
        let references = references.into_iter().map(|reference| cut(reference.into(), 256));
        Self { references: references.filter(|one| !one.is_empty()).take(64).collect(), ..Self::default() }
    }

    /// Taken, and the provider gave no id.
    pub fn without_reference() -> Self {
        Self::default()
    }

    /// The provider's own word for its state.
    #[must_use]
    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.state = Some(cut(state.into(), 64));
        self
    }
}

/// A recipient that was refused while others were taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRecipient {
    /// As it stood in the message's `to`, `cc` or `bcc`.
    pub recipient: String,
    /// Why.
    pub reason: Reason,
    /// Whether to try it again. Those that were taken are not sent to twice.
    pub retry: bool,
}

/// The provider did not take it, or nobody knows. The kind decides what the host does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Transient, and nothing was delivered: tried again later at the same backend.
    Deferred {
        /// Why.
        reason: Reason,
        /// What the provider asked for, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The provider is throttling us: the whole backend pauses, and no attempt is counted.
    Throttled {
        /// Why.
        reason: Reason,
        /// What the provider asked for, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// A bad or opted-out recipient: final.
    Recipient(Reason),
    /// Refused text, size or media: final.
    Content(Reason),
    /// This sender may not send here: the next backend is tried.
    Sender(Reason),
    /// Credentials, credit or configuration: the backend is taken out of service, the next one is tried.
    Account(Reason),
    /// It may have been delivered.
    Unknown(Reason),
}

impl Refusal {
    /// Transient: try again later.
    pub fn deferred(code: impl ToString, message: impl Into<String>) -> Self {
        Self::Deferred { reason: Reason::new(code, message), retry_after_ms: None }
    }

    /// The provider is throttling us.
    pub fn throttled(code: impl ToString, message: impl Into<String>) -> Self {
        Self::Throttled { reason: Reason::new(code, message), retry_after_ms: None }
    }

    /// A bad or opted-out recipient.
    pub fn recipient(code: impl ToString, message: impl Into<String>) -> Self {
        Self::Recipient(Reason::new(code, message))
    }

    /// Refused text, size or media.
    pub fn content(code: impl ToString, message: impl Into<String>) -> Self {
        Self::Content(Reason::new(code, message))
    }

    /// This sender may not send here.
    pub fn sender(code: impl ToString, message: impl Into<String>) -> Self {
        Self::Sender(Reason::new(code, message))
    }

    /// Credentials, credit or configuration.
    pub fn account(code: impl ToString, message: impl Into<String>) -> Self {
        Self::Account(Reason::new(code, message))
    }

    /// It may have been delivered.
    pub fn unknown(code: impl ToString, message: impl Into<String>) -> Self {
        Self::Unknown(Reason::new(code, message))
    }

    /// The same with the wait that the provider asked for; only deferred and throttled ones have one.
    #[must_use]
    pub fn after(mut self, wait_ms: Option<u64>) -> Self {
        if let Self::Deferred { retry_after_ms, .. } | Self::Throttled { retry_after_ms, .. } = &mut self {
            *retry_after_ms = wait_ms;
        }
        self
    }

    /// For a step before the one that delivers, such as one for a token: nothing can have been delivered, so what is
    /// unknown is only deferred.
    #[must_use]
    pub fn nothing_sent(self) -> Self {
        match self {
            Self::Unknown(reason) => Self::Deferred { reason, retry_after_ms: None },
            other => other,
        }
    }

    /// The same kind with another reason: the provider's own code and words instead of the status.
    #[must_use]
    pub fn because(mut self, code: impl ToString, message: impl Into<String>) -> Self {
        *self.reason_mut() = Reason::new(code, message);
        self
    }

    /// Why.
    pub fn reason(&self) -> &Reason {
        match self {
            Self::Deferred { reason, .. } | Self::Throttled { reason, .. } => reason,
            Self::Recipient(reason)
            | Self::Content(reason)
            | Self::Sender(reason)
            | Self::Account(reason)
            | Self::Unknown(reason) => reason,
        }
    }

    fn reason_mut(&mut self) -> &mut Reason {
        match self {
            Self::Deferred { reason, .. } | Self::Throttled { reason, .. } => reason,
            Self::Recipient(reason)
            | Self::Content(reason)
            | Self::Sender(reason)
            | Self::Account(reason)
            | Self::Unknown(reason) => reason,
        }
    }

    /// The word of the contract: `deferred`, `throttled`, `rejected-recipient` …, `unknown`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Deferred { .. } => "deferred",
            Self::Throttled { .. } => "throttled",
            Self::Recipient(_) => "rejected-recipient",
            Self::Content(_) => "rejected-content",
            Self::Sender(_) => "rejected-sender",
            Self::Account(_) => "rejected-account",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Of the word of the contract; none where there is no such word. The inverse of [`kind`](Self::kind).
    pub fn of_kind(kind: &str, reason: Reason) -> Option<Self> {
        Some(match kind {
            "deferred" => Self::Deferred { reason, retry_after_ms: None },
            "throttled" => Self::Throttled { reason, retry_after_ms: None },
            "rejected-recipient" => Self::Recipient(reason),
            "rejected-content" => Self::Content(reason),
            "rejected-sender" => Self::Sender(reason),
            "rejected-account" => Self::Account(reason),
            "unknown" => Self::Unknown(reason),
            _ => return None,
        })
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reason = self.reason();
        write!(f, "{} ({}): {}", self.kind(), reason.code, reason.message)
    }
}

impl std::error::Error for Refusal {}

/// How an attempt ended.
pub type Outcome = Result<Acceptance, Refusal>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_cut_between_characters() {
        let reason = Reason::new("ñ".repeat(40), "á".repeat(600));
        assert_eq!(reason.code, "ñ".repeat(32));
        assert_eq!(reason.message, "á".repeat(512));
        assert_eq!(Reason::new("x".repeat(65), "").code.len(), 64);
        assert_eq!(Reason::new(format!("{}ñ", "x".repeat(63)), "").code.len(), 63);
    }

    #[test]
    fn kinds_and_back() {
        for kind in [
            "deferred",
            "throttled",
            "rejected-recipient",
            "rejected-content",
            "rejected-sender",
            "rejected-account",
            "unknown",
        ] {
            let refusal = Refusal::of_kind(kind, Reason::new(1, "x")).expect("a word of the contract");
            assert_eq!(refusal.kind(), kind);
        }
        assert_eq!(Refusal::of_kind("sent", Reason::new(1, "x")), None);
    }
}
