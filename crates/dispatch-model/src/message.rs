//! What is to be delivered: the submission before it is promised, the message after.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::{ContactId, LocationId, MessageId, Reason, SourceName, Timestamp};

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Text message, with media where the backend has it (MMS).
    Sms,
    /// Electronic mail.
    Email,
}

impl Channel {
    /// `sms` or `email`: the word used in the configuration, the contract and the logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }
}

impl std::fmt::Display for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which way a message goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From the sender's application to a person.
    #[default]
    Outbound,
    /// From a person to us, by a backend: the submission's `source` has that backend's name.
    Inbound {
        /// Who wrote: E.164 where the number could be read, else as the provider gave it; empty once purged.
        from: String,
    },
}

impl Direction {
    /// Whether it is the outbound one.
    pub fn is_outbound(&self) -> bool {
        *self == Self::Outbound
    }
}

/// A verified and parsed webhook that is not yet promised. Admitting it makes it a [`Message`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// Which way it goes.
    #[serde(default, skip_serializing_if = "Direction::is_outbound")]
    pub direction: Direction,
    /// The endpoint it came in by; of an inbound message, the backend.
    pub source: SourceName,
    /// The tenant it belongs to; empty where an inbound message's is not known.
    pub location: LocationId,
    /// The sender's id of the message, or the provider's. With [`dedupe_scope`](Self::dedupe_scope) it is the dedupe
    /// key.
    pub external_id: String,
    /// The sender's id of the contact, where it gave one.
    pub contact: Option<ContactId>,
    /// When the webhook was received.
    pub received_at: Timestamp,
    /// What to deliver.
    pub content: Content,
    /// What is to go with it.
    pub attachments: Vec<Attachment>,
    /// The sender's other fields as they came, never interpreted by the core.
    pub extra: Map<String, serde_json::Value>,
    /// Why it cannot be delivered as it stands: an unsupported type, no usable recipient. It is
    /// promised like any other (the sender is not told to try again), and its delivery is born as a
    /// dead letter with this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Reason>,
}

/// A promised message: it is on disk, and it ends in a visible state whatever happens. Immutable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Our id.
    pub id: MessageId,
    /// What was submitted.
    #[serde(flatten)]
    pub submission: Submission,
}

impl std::ops::Deref for Message {
    type Target = Submission;

    fn deref(&self) -> &Submission {
        &self.submission
    }
}

impl Submission {
    /// The channel, as the content says it.
    pub fn channel(&self) -> Channel {
        match self.content {
            Content::Sms(_) => Channel::Sms,
            Content::Email(_) => Channel::Email,
        }
    }

    /// Who wrote it, of an inbound message.
    pub fn inbound_from(&self) -> Option<&str> {
        match &self.direction {
            Direction::Outbound => None,
            Direction::Inbound { from } => Some(from),
        }
    }

    /// Within what its `external_id` is one of a kind: the location, or of an inbound message the backend that brought
    /// it. A backend's scope begins with NUL, so that no location's is the same.
    pub fn dedupe_scope(&self) -> Cow<'_, str> {
        match &self.direction {
            Direction::Outbound => Cow::Borrowed(self.location.as_str()),
            Direction::Inbound { .. } => Cow::Owned(Self::inbound_scope(self.source.as_str())),
        }
    }

    /// The [`dedupe_scope`](Self::dedupe_scope) of what a backend brings.
    pub fn inbound_scope(backend: &str) -> String {
        format!("\0{backend}")
    }

    /// Everyone it goes to (to, cc and bcc), in the form that backends and the search use: E.164 where the number
    /// could be read, the original otherwise; addresses as given.
    pub fn recipients(&self) -> Vec<&str> {
        match &self.content {
            Content::Sms(sms) => vec![sms.to.best()],
            Content::Email(email) => {
                email.to.iter().chain(&email.cc).chain(&email.bcc).map(String::as_str).collect()
            }
        }
    }
}

/// The content, by channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "channel", rename_all = "lowercase")]
pub enum Content {
    /// A text message.
    Sms(SmsContent),
    /// A mail.
    Email(EmailContent),
}

/// A text message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SmsContent {
    /// The recipient.
    pub to: PhoneNumber,
    /// The text; may be empty when there are attachments.
    pub text: String,
}

/// A phone number as it came and as it is dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneNumber {
    /// As the sender wrote it.
    pub original: String,
    /// `+` and digits, where the original could be read with the source's default region.
    pub e164: Option<String>,
}

impl PhoneNumber {
    /// The E.164 form, or the original where there is none.
    pub fn best(&self) -> &str {
        self.e164.as_deref().unwrap_or(&self.original)
    }
}

/// A mail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmailContent {
    /// `a@b` or `Name <a@b>`, as given.
    pub from: Option<String>,
    /// Recipients, as given.
    pub to: Vec<String>,
    /// Copies, as given.
    #[serde(default)]
    pub cc: Vec<String>,
    /// Blind copies, as given.
    #[serde(default)]
    pub bcc: Vec<String>,
    /// The subject; may be empty.
    pub subject: String,
    /// The HTML; may be a whole document, may be empty.
    pub html: String,
    /// A text part, where the sender gave one.
    pub text: Option<String>,
    /// The Message-ID this answers, where the sender gave one (`replyToAltId`).
    pub in_reply_to: Option<String>,
}

/// Something to send along. The URL is the sender's and is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Where it is.
    pub url: String,
    /// What was found there; absent until fetched, and for backends that take URLs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<AttachmentFile>,
}

/// What a fetched attachment is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentFile {
    /// A safe file name: no path, no control characters.
    pub name: String,
    /// Media type, `application/octet-stream` where unknown.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
}
