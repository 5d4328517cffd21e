//! One try at one backend.

use serde::{Deserialize, Serialize};

use crate::{Action, BackendName, Effect, Fault, Outcome, Reply, Timestamp, WrittenText};

/// What every call of a plugin is told besides its subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// The backend's settings, a location's overlay merged in, as JSON.
    pub settings: std::sync::Arc<str>,
    /// Now.
    pub now: Timestamp,
    /// When the attempt is given up.
    pub deadline: Timestamp,
    /// The number of this attempt at this backend, from 1.
    pub number: u32,
    /// The same for every attempt of this message, until it is redriven. At most 36 characters of `a-z0-9-`.
    pub idempotency_key: String,
    /// Where the provider should send its callbacks for this attempt, where callbacks are configured.
    pub callback_url: Option<String>,
}

/// What is kept of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// The number of this attempt over all backends, from 1.
    pub number: u32,
    /// Where it was tried.
    pub backend: BackendName,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How it ended, the engine's overrulings included.
    pub outcome: Outcome,
    /// The fault, where the host ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// Whether an action that delivers had been taken.
    pub marked: bool,
    /// Whether the message may have been delivered by an earlier attempt.
    #[serde(default)]
    pub possible_double: bool,
    /// The digest of the plugin that decided, as hex.
    #[serde(default)]
    pub plugin_digest: String,
    /// What the plugin was told, for a replay; the settings are left out (they are configuration).
    #[serde(default)]
    pub idempotency_key: String,
    /// How an SMS was written; absent for mails, and for media, which has no parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<WrittenText>,
    /// Where the provider was to send its callbacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
    /// Each action and its reply, bounded in size, attachments and secrets as pieces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exchanges: Vec<Exchange>,
}

impl AttemptRecord {
    /// All but the exchanges, to be written: they are kept elsewhere and not as long. Reads back as an [`AttemptRecord`].
    pub fn without_exchanges(&self) -> impl Serialize {
        WithoutExchanges {
            number: self.number,
            backend: &self.backend,
            started_at: self.started_at,
            ended_at: self.ended_at,
            outcome: &self.outcome,
            fault: self.fault.as_ref(),
            marked: self.marked,
            possible_double: self.possible_double,
            plugin_digest: &self.plugin_digest,
            idempotency_key: &self.idempotency_key,
            text: self.text,
            callback_url: self.callback_url.as_deref(),
        }
    }
}

/// An [`AttemptRecord`]'s fields, lent.
#[derive(Serialize)]
struct WithoutExchanges<'a> {
    number: u32,
    backend: &'a BackendName,
    started_at: Timestamp,
    ended_at: Timestamp,
    outcome: &'a Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a Fault>,
    marked: bool,
    possible_double: bool,
    plugin_digest: &'a str,
    idempotency_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<WrittenText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_url: Option<&'a str>,
}

/// An action and what came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// When it was asked for.
    pub at: Timestamp,
    /// How long the reply took, in milliseconds.
    pub took_ms: u64,
    /// What was asked, as the guest wrote it: secrets are names.
    pub action: Action,
    /// Whether it delivers.
    pub effect: Effect,
    /// What came back.
    pub reply: Reply,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FailureKind, MailSubmission, Reason, TextEncoding};

    #[test]
    fn what_is_written_without_exchanges_lacks_nothing_else() -> serde_json::Result<()> {
        let mail = MailSubmission { sender: "a@b.example".to_owned(), recipients: vec![], body: vec![] };
        let failed =
            Reply::Failed { kind: FailureKind::Dns, detail: "no such host".to_owned(), may_have_left: false };
        let mut attempt = AttemptRecord {
            number: 3,
            backend: "mail".to_owned().into(),
            started_at: Timestamp::from_millis(5),
            ended_at: Timestamp::from_millis(9),
            outcome: Outcome::Unknown { reason: Reason::new("421", "closing") },
            fault: Some(Fault::Starved),
            marked: true,
            possible_double: true,
            plugin_digest: "ab".repeat(32),
            idempotency_key: "0123456789abc".to_owned(),
            text: Some(WrittenText { encoding: TextEncoding::Gsm7, parts: 1, units: 5, changed: 0, cut: 0 }),
            callback_url: Some("https://example.com/callbacks/mail/x".to_owned()),
            exchanges: vec![Exchange {
                at: Timestamp::from_millis(6),
                took_ms: 1,
                action: Action::Mail(mail),
                effect: Effect::Delivers,
                reply: failed,
            }],
        };
        let written = serde_json::to_string(&attempt.without_exchanges())?;
        attempt.exchanges.clear();
        assert_eq!(written, serde_json::to_string(&attempt)?);
        assert_eq!(serde_json::from_str::<AttemptRecord>(&written)?, attempt);
        (attempt.fault, attempt.text, attempt.callback_url) = (None, None, None);
        assert_eq!(serde_json::to_string(&attempt.without_exchanges())?, serde_json::to_string(&attempt)?);
        Ok(())
    }
}
