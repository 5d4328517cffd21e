//! What is to be delivered: the submission before it is promised, the message after.

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

/// A verified and parsed webhook that is not yet promised. Admitting it makes it a [`Message`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// The endpoint it came in by.
    pub source: SourceName,
    /// The tenant it belongs to.
    pub location: LocationId,
    /// The sender's id of the message. With `location` it is the dedupe key.
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
