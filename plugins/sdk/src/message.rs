//! What is to be delivered.

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Short messages; with attachments they are MMS.
    Sms,
    /// Mail.
    Email,
}

/// A name and a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// The message to deliver. What does not belong to its channel is empty or absent.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The host's id: 13 characters of `0-9a-z`.
    pub id: String,
    /// How it travels.
    pub channel: Channel,
    /// The sender's tenant.
    pub location: String,
    /// The sender's contact.
    pub contact: Option<String>,
    /// SMS: one number, `+` and digits. Email: addresses as given, `a@b` or `Name <a@b>`.
    pub to: Vec<String>,
    /// Email only.
    pub cc: Vec<String>,
    /// Email only.
    pub bcc: Vec<String>,
    /// Email: `a@b` or `Name <a@b>`, where the sender gave one. SMS: absent, the number to send from is a
    /// setting. Of a message from a person, which a route hands on: who wrote it.
    pub sender: Option<String>,
    /// SMS: the text, perhaps empty where there are attachments. Email: a text part, where the sender gave one.
    pub text: Option<String>,
    /// Email only; may be empty.
    pub subject: Option<String>,
    /// Email only; may be a whole document.
    pub html: Option<String>,
    /// Email only: the Message-ID this answers, with its angle brackets.
    pub in_reply_to: Option<String>,
    /// In the sender's order.
    pub attachments: Vec<Attachment>,
    /// The sender's other fields: each value is JSON.
    pub extra: Vec<Pair>,
}

impl Message {
    /// The one recipient of an SMS; the first one of a mail. Empty where there is none.
    pub fn recipient(&self) -> &str {
        self.to.first().map_or("", String::as_str)
    }

    /// The text, empty where there is none.
    pub fn body(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// One of the sender's other fields: a JSON string without its quotes, any other JSON as it is written.
    pub fn extra(&self, name: &str) -> Option<String> {
        let pair = self.extra.iter().find(|pair| pair.name == name)?;
        Some(serde_json::from_str::<String>(&pair.value).unwrap_or_else(|_| pair.value.clone()))
    }
}

/// Something to send along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Where the sender says it is. Not trusted: put it into requests as data only.
    pub url: String,
    /// What the host found there; only for plugins whose `media` is [`Media::Content`](crate::Media::Content).
    pub file: Option<AttachmentFile>,
}

/// What was found at an attachment's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentFile {
    /// A safe file name: no path, no control characters, at most 120 bytes.
    pub name: String,
    /// For example `image/jpeg`.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
}
