//! A message as a row: made on the caller's thread, so that the writer only binds bytes.

use std::sync::Arc;

use dispatch_model::{
    Attachment, Channel, Content, Direction, EmailContent, Message, MessageId, Reason, SmsContent,
    Submission, Timestamp,
};
use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};

use super::error::{Failure, unreadable};
use super::names::Names;
use crate::transition;

/// What of a submission is written as JSON. The channel is a field of its own: an internally tagged
/// enum would be read twice.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sms: Option<&'a SmsContent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a EmailContent>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    attachments: &'a [Attachment],
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    extra: &'a serde_json::Map<String, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a Reason>,
}

#[derive(Deserialize)]
struct Read {
    sms: Option<SmsContent>,
    email: Option<EmailContent>,
    #[serde(default)]
    attachments: Vec<Attachment>,
    #[serde(default)]
    extra: serde_json::Map<String, serde_json::Value>,
    problem: Option<Reason>,
}

/// The parts of a message's row that are not numbers.
#[derive(Debug)]
pub(super) struct MessageRow {
    pub(super) content: Vec<u8>,
    /// The recipients as JSON, apart from the content: lists need them and not the rest.
    pub(super) recipients: String,
    /// The number as written, where it differs from the one that is dialled.
    pub(super) original: Option<String>,
    /// Who sent it, of an inbound message.
    pub(super) sender: Option<String>,
}

impl MessageRow {
    pub(super) fn of(submission: &Submission) -> Result<Self, serde_json::Error> {
        let (sms, email, original) = match &submission.content {
            Content::Sms(sms) => {
                let original = (sms.to.best() != sms.to.original).then(|| sms.to.original.clone());
                (Some(sms), None, original)
            }
            Content::Email(email) => (None, Some(email), None),
        };
        let written = Written {
            sms,
            email,
            attachments: &submission.attachments,
            extra: &submission.extra,
            problem: submission.problem.as_ref(),
        };
        Ok(Self {
            content: serde_json::to_vec(&written)?,
            recipients: serde_json::to_string(&submission.recipients())?,
            original,
            sender: submission.inbound_from().map(str::to_owned),
        })
    }
}

pub(super) fn channel_number(channel: Channel) -> i64 {
    match channel {
        Channel::Sms => 0,
        Channel::Email => 1,
    }
}

pub(super) fn channel_of(number: i64) -> Channel {
    if number == 0 { Channel::Sms } else { Channel::Email }
}

/// A message as it stands on disk.
#[derive(Debug)]
pub(super) struct RawMessage {
    id: i64,
    location: i64,
    channel: i64,
    source: i64,
    received_at: i64,
    external_id: String,
    contact: Option<String>,
    content: Option<Vec<u8>>,
    sender: Option<String>,
}

impl RawMessage {
    /// From the columns id, location, channel, source, received_at, external_id, contact, content, sender,
    /// which begin at `first`.
    pub(super) fn of(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(first)?,
            location: row.get(first + 1)?,
            channel: row.get(first + 2)?,
            source: row.get(first + 3)?,
            received_at: row.get(first + 4)?,
            external_id: row.get(first + 5)?,
            contact: row.get(first + 6)?,
            content: row.get(first + 7)?,
            sender: row.get(first + 8)?,
        })
    }

    /// The message; without its content where that was purged.
    pub(super) fn resolve(self, db: &Connection, names: &mut Names) -> Result<Message, Failure> {
        let read = match &self.content {
            Some(bytes) => {
                serde_json::from_slice::<Read>(bytes).map_err(|error| unreadable("a message", error))?
            }
            None => Read {
                sms: None,
                email: None,
                attachments: Vec::new(),
                extra: serde_json::Map::new(),
                problem: None,
            },
        };
        let content = match (read.sms, read.email) {
            (Some(sms), _) => Content::Sms(sms),
            (None, Some(email)) => Content::Email(email),
            (None, None) => transition::no_content(channel_of(self.channel)),
        };
        let submission = Submission {
            direction: self.sender.map_or(Direction::Outbound, |from| Direction::Inbound { from }),
            source: (&*names.text(db, self.source)?).into(),
            location: (&*names.text(db, self.location)?).into(),
            external_id: self.external_id,
            contact: self.contact.map(Into::into),
            received_at: Timestamp::from_millis(self.received_at),
            content,
            attachments: read.attachments,
            extra: read.extra,
            problem: read.problem,
        };
        Ok(Message { id: MessageId::from_i64(self.id), submission })
    }
}

/// Reads one message.
pub(super) fn load(db: &Connection, names: &mut Names, id: i64) -> Result<Arc<Message>, Failure> {
    let sql = "SELECT id, location, channel, source, received_at, external_id, contact, content, \
               sender FROM message WHERE id = ?1";
    let raw = db.prepare_cached(sql)?.query_row([id], |row| RawMessage::of(row, 0))?;
    Ok(Arc::new(raw.resolve(db, names)?))
}
