//! From the bytes of a verified body to what it says.
//!
//! ```text
//! bytes -> empty or {}            -> Ignored(Ping)
//!       -> a platform event       -> Ignored(PlatformEvent)
//!       -> no JSON object, no ids -> Unparseable   (kept as bytes)
//!       -> anything else          -> Payload       (promised; with a `problem` it is born a dead letter)
//! ```
//!
//! Whatever has a location and a message id is a payload: it can be shown, searched and explained.

use dispatch_model::{
    Attachment, ContactId, Content, EmailContent, LocationId, PhoneNumber, Reason, SmsContent,
};
use serde_json::{Map, Value};

use crate::reader::Reader;
use crate::{address, bounded, surrogate};

/// An id is 20 characters. Longer ones are let in up to here, since they become keys of indexes.
const ID_BYTES_MAX: usize = 128;

/// One text is sent to a handful of people at most; each further recipient costs a relay dialogue.
const RECIPIENTS_MAX: usize = 500;

/// Each attachment may be fetched.
const ATTACHMENTS_MAX: usize = 100;

/// What a body says.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
    /// A message to deliver.
    Payload(Box<Payload>),
    /// Something that is none, and is answered like one.
    Ignored(Ignored),
    /// Not to be understood. The reason quotes nothing of the body.
    Unparseable {
        /// Why.
        reason: String,
    },
}

/// What is answered and never delivered. It takes no dedupe key: a platform event may carry the very
/// ids of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// The probe that is sent when the URL is saved.
    Ping,
    /// An event of the platform, sent here because somebody gave it the same URL.
    PlatformEvent,
}

/// A message as the sender wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload {
    /// The tenant.
    pub location: LocationId,
    /// The sender's id.
    pub external_id: String,
    /// The contact.
    pub contact: Option<ContactId>,
    /// What to deliver. A phone number is as written: its E.164 form needs a region.
    pub content: Content,
    /// What goes with it.
    pub attachments: Vec<Attachment>,
    /// All fields not read into the others, `type` among them.
    pub extra: Map<String, Value>,
    /// Why it cannot be delivered as it stands.
    pub problem: Option<Reason>,
}

/// Whether a body is the probe that is sent when the URL is saved: empty, or `{}`.
pub fn is_ping(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    match body.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")) {
        Some(inside) => inside.trim_ascii().is_empty(),
        None => body.is_empty(),
    }
}

/// Reads a body.
pub fn parse(body: &[u8]) -> Parsed {
    if is_ping(body) {
        return Parsed::Ignored(Ignored::Ping);
    }
    match object(body).and_then(read) {
        Ok(parsed) => parsed,
        Err(reason) => Parsed::Unparseable { reason },
    }
}

fn object(body: &[u8]) -> Result<Map<String, Value>, String> {
    let text = std::str::from_utf8(body)
        .map_err(|error| format!("the body is not UTF-8 from byte {} on", error.valid_up_to()))?;
    let text = text.trim_start_matches('\u{feff}');
    let value = bounded::read(text)
        .or_else(|error| match surrogate::repaired(text) {
            Some(repaired) => bounded::read(&repaired),
            None => Err(error),
        })
        .map_err(|error| format!("the body is not JSON: {error}"))?;
    match value {
        Value::Object(fields) => Ok(fields),
        Value::Array(_) => Err("the body is a JSON array, not an object".to_owned()),
        _ => Err("the body is a JSON value, not an object".to_owned()),
    }
}

/// The sender's types. `Custom` stands for further channels and is told by its fields.
enum Kind {
    Sms,
    Email,
    Custom,
    Other,
}

fn read(fields: Map<String, Value>) -> Result<Parsed, String> {
    let kind = match fields.get("type").and_then(Value::as_str).map(str::trim) {
        Some(word) if word.eq_ignore_ascii_case("sms") => Kind::Sms,
        Some(word) if word.eq_ignore_ascii_case("email") => Kind::Email,
        Some(word) if word.eq_ignore_ascii_case("custom") => Kind::Custom,
        _ => Kind::Other,
    };
    let mut reader = Reader::new(fields);
    if is_platform_event(&kind, &reader) {
        return Ok(Parsed::Ignored(Ignored::PlatformEvent));
    }
    let location = LocationId::from(id(&mut reader, "locationId")?);
    let external_id = id(&mut reader, "messageId")?;
    let contact = reader
        .fields
        .get("contactId")
        .and_then(Value::as_str)
        .and_then(|text| checked_id(text).ok())
        .map(ContactId::from);
    if contact.is_some() {
        reader.fields.remove("contactId");
    }
    if matches!(kind, Kind::Other) {
        let problem = unsupported(reader.fields.get("type"));
        reader.problem("unsupported-type", problem);
    }
    let content = match kind {
        Kind::Sms => sms(&mut reader),
        Kind::Email => email(&mut reader),
        Kind::Custom | Kind::Other if looks_like_mail(&reader) => email(&mut reader),
        Kind::Custom | Kind::Other => sms(&mut reader),
    };
    let attachments = attachments(&mut reader);
    let Reader { fields: extra, problem } = reader;
    Ok(Parsed::Payload(Box::new(Payload {
        location,
        external_id,
        contact,
        content,
        attachments,
        extra,
        problem,
    })))
}

/// Platform events name what happened (`OutboundMessage`, `ContactUpdate`), never a channel. The
/// ones about messages say so by `messageType` or `direction`; of the others, those are let go that
/// have neither a message's id nor anything to say to anybody. What looks like a message in any way
/// is kept. With a channel as its type it is a message whatever else it has (fields appear without
/// notice), unless it is one that came in.
fn is_platform_event(kind: &Kind, reader: &Reader) -> bool {
    let is_inbound = reader.fields.get("direction").and_then(Value::as_str) == Some("inbound");
    match kind {
        Kind::Sms | Kind::Email | Kind::Custom => is_inbound,
        Kind::Other => {
            let about_a_message = reader.has("messageType") || reader.has("direction");
            let says_something = ["messageId", "message", "html", "emailTo", "emailMessageId"]
                .iter()
                .any(|name| reader.has(name));
            about_a_message || (reader.has("type") && !says_something)
        }
    }
}

fn unsupported(kind: Option<&Value>) -> String {
    match kind {
        None | Some(Value::Null) => "the webhook has no type: SMS, Email or Custom is expected".to_owned(),
        Some(Value::String(word)) => {
            let word: String = word.chars().take(40).collect();
            format!("the type {word:?} is not supported: SMS, Email and Custom are")
        }
        Some(_) => "the type is not text: SMS, Email or Custom is expected".to_owned(),
    }
}

fn id(reader: &mut Reader, name: &str) -> Result<String, String> {
    match reader.fields.remove(name) {
        None | Some(Value::Null) => Err(format!("{name} is missing")),
        Some(Value::String(text)) => checked_id(&text).map_err(|problem| format!("{name} {problem}")),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(_) => Err(format!("{name} is not text")),
    }
}

/// Ids stand in logs, URLs and file names' neighbourhood: no spaces and nothing that does not print.
fn checked_id(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty");
    }
    if text.len() > ID_BYTES_MAX {
        return Err("is too long to be an id");
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("has characters that no id has");
    }
    Ok(text.to_owned())
}

fn looks_like_mail(reader: &Reader) -> bool {
    !reader.has("phone")
        && ["emailTo", "html", "subject", "emailFrom", "emailMessageId"].iter().any(|name| reader.has(name))
}

fn sms(reader: &mut Reader) -> Content {
    let original = reader.text("phone").unwrap_or_default();
    if original.trim().is_empty() {
        reader.problem("no-recipient", "the webhook has no phone");
    }
    let text = reader.text("message").unwrap_or_default();
    Content::Sms(SmsContent { to: PhoneNumber { original, e164: None }, text })
}

fn email(reader: &mut Reader) -> Content {
    let addresses = |element: &Value| element.as_str().map(address::split);
    let to = reader.list("emailTo", addresses);
    let mut cc = reader.list("cc", addresses);
    cc.extend(reader.list("emailCc", addresses));
    let mut bcc = reader.list("bcc", addresses);
    bcc.extend(reader.list("emailBcc", addresses));
    if to.is_empty() {
        reader.problem("no-recipient", "the webhook has no address in emailTo");
    } else if !to.iter().any(|mailbox| address::is_usable(mailbox)) {
        reader.problem("bad-recipient", "emailTo has no mail address of the form a@b or Name <a@b>");
    }
    let recipients = to.len() + cc.len() + bcc.len();
    if recipients > RECIPIENTS_MAX {
        reader
            .problem("too-many-recipients", format!("{recipients} recipients; {RECIPIENTS_MAX} are allowed"));
    }
    let said = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    Content::Email(EmailContent {
        from: said(reader.text("emailFrom")),
        to,
        cc,
        bcc,
        subject: reader.text("subject").unwrap_or_default(),
        html: reader.text("html").unwrap_or_default(),
        text: said(reader.text("message")),
        in_reply_to: said(reader.text("replyToAltId")),
    })
}

fn attachments(reader: &mut Reader) -> Vec<Attachment> {
    let urls = reader.list("attachments", |element| match element {
        Value::String(url) => Some(vec![url.clone()]),
        Value::Object(fields) => fields.get("url").and_then(Value::as_str).map(|url| vec![url.to_owned()]),
        _ => None,
    });
    if urls.len() > ATTACHMENTS_MAX {
        reader.problem(
            "too-many-attachments",
            format!("{} attachments; {ATTACHMENTS_MAX} are allowed", urls.len()),
        );
    }
    urls.into_iter()
        .map(|url| url.trim().to_owned())
        .filter(|url| !url.is_empty())
        .map(|url| Attachment { url, file: None })
        .collect()
}
