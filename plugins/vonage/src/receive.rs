//! Vonage's callbacks: what became of a message or a part of one, and messages to us.
//!
//! Those of Messages are JSON with a token. Those of the SMS interface come as the dashboard says: by GET, as a form, or
//! as JSON; their signature is something that an account may switch on.

use dispatcher_plugin::{
    Callback, Channel, Context, Event, Inbound, Reason, Receipt, ReceiptState, Receive, ReceiveStep,
    Received, status,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::messages::Problem;
use crate::settings::{Mode, Settings};
use crate::{Vonage, jwt, sig};

impl Receive for Vonage {
    type State = ();

    fn receive(context: &Context<Settings>, callback: &Callback) -> Result<ReceiveStep<()>, Reason> {
        let event = match context.settings.mode {
            Mode::Messages => {
                jwt::verify(context, callback)?;
                messages_event(serde_json::from_slice(&callback.body).map_err(unreadable)?)
            }
            Mode::Sms => {
                let fields = fields(callback)?;
                if let Some(algorithm) =
                    context.settings.signature.and_then(|signature| signature.algorithm())
                {
                    sig::verify(context, algorithm, &fields)?;
                }
                sms_event(&fields)?
            }
        };
        Ok(Received::new(vec![event]).into())
    }
}

fn unreadable(error: serde_json::Error) -> Reason {
    Reason::new("unreadable", error.to_string())
}

/// What Messages posts. What has a status is about a message of ours; everything else is a message.
#[derive(Debug, Deserialize)]
struct Notice {
    message_uuid: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(default)]
    error: Option<Problem>,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    image: Option<Medium>,
    #[serde(default)]
    video: Option<Medium>,
    #[serde(default)]
    audio: Option<Medium>,
    #[serde(default)]
    vcard: Option<Medium>,
    #[serde(default)]
    file: Option<Medium>,
    #[serde(default)]
    content: Vec<Medium>,
}

#[derive(Debug, Deserialize)]
struct Medium {
    url: String,
    #[serde(default)]
    caption: Option<String>,
}

fn messages_event(notice: Notice) -> Event {
    if let Some(word) = notice.status {
        let state = match word.as_str() {
            "delivered" | "read" => ReceiptState::Delivered,
            "rejected" | "undeliverable" => ReceiptState::Undelivered,
            _ => ReceiptState::Pending,
        };
        let reason = notice.error.map(|problem| problem.reason());
        let at_ms = notice.timestamp.as_deref().and_then(status::instant_ms);
        return Event::Receipt(Receipt { at_ms, ..Receipt::new(notice.message_uuid, state).reason(reason) });
    }
    let single = [notice.image, notice.video, notice.audio, notice.vcard, notice.file];
    let media: Vec<Medium> = single.into_iter().flatten().chain(notice.content).collect();
    let caption = media.iter().find_map(|medium| medium.caption.clone());
    Event::Inbound(Inbound {
        id: notice.message_uuid,
        channel: Channel::Sms,
        from: number(&notice.from),
        to: number(&notice.to),
        text: notice.text.or(caption).unwrap_or_default(),
        media: media.into_iter().map(|medium| medium.url).collect(),
    })
}

/// The fields of an SMS callback, however it came.
fn fields(callback: &Callback) -> Result<Vec<(String, String)>, Reason> {
    if callback.method == "GET" {
        return Ok(callback.query());
    }
    let kind = callback.header("content-type").unwrap_or_default().to_ascii_lowercase();
    if kind.starts_with("application/x-www-form-urlencoded") {
        return Ok(callback.form());
    }
    if !kind.starts_with("application/json") {
        return Err(Reason::new("content-type", "Vonage sends forms and JSON"));
    }
    let tree: Map<String, Value> = serde_json::from_slice(&callback.body).map_err(unreadable)?;
    let text = |value: Value| match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    Ok(tree.into_iter().map(|(name, value)| (name, text(value))).collect())
}

fn sms_event(fields: &[(String, String)]) -> Result<Event, Reason> {
    let field = |name: &str| {
        let found = fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    };
    let id = field("messageId").ok_or(Reason::new("incomplete", "there is no messageId"))?.to_owned();
    if let Some(word) = field("status") {
        let code = field("err-code").filter(|code| *code != "0");
        let state = match word {
            "delivered" => ReceiptState::Delivered,
            "expired" | "failed" | "rejected" => ReceiptState::Undelivered,
            // A carrier's word that Vonage does not know; its code says that it failed.
            "unknown" if code.is_some() => ReceiptState::Undelivered,
            _ => ReceiptState::Pending,
        };
        let reason = code.map(|code| Reason::new(code, delivery_error(code)));
        return Ok(Event::Receipt(Receipt::new(id, state).reason(reason)));
    }
    let from = field("msisdn").ok_or(Reason::new("incomplete", "there is neither status nor sender"))?;
    Ok(Event::Inbound(Inbound {
        id,
        channel: Channel::Sms,
        from: number(from),
        to: field("to").map(number).unwrap_or_default(),
        // A binary message has none.
        text: field("text").unwrap_or_default().to_owned(),
        media: Vec::new(),
    }))
}

/// A number as others write it: Vonage leaves the `+` out. Short codes and names stay as they are.
fn number(text: &str) -> String {
    let bare = text.len() > 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    if bare { format!("+{text}") } else { text.to_owned() }
}

/// What the codes of receipts say, since the receipts themselves have no words.
fn delivery_error(code: &str) -> &'static str {
    match code {
        "1" => "no cause is known",
        "2" => "the handset was not reachable at the time",
        "3" => "the number is no longer in use",
        "4" => "the recipient has barred such messages",
        "5" => "a problem with the number's portability",
        "6" => "a carrier's spam filter",
        "7" => "the handset was busy",
        "8" => "a network's error",
        "9" => "the recipient has opted out",
        "10" => "something in the message is wrong",
        "11" => "there is no route",
        "12" => "the number cannot be reached",
        "13" => "the recipient's age does not allow it",
        "14" => "the carrier blocks the number",
        "15" => "the recipient has no credit left",
        _ => "see developer.vonage.com, delivery receipts",
    }
}

#[cfg(test)]
mod tests;
