//! Postmark's webhooks: what became of mails, and mails to us. Postmark signs nothing: a callback is believed by the
//! password in its URL, or by a header that it was told to send.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dispatcher_plugin::{
    Callback, Context, Event, Reason, Receipt, ReceiptState, Receive, ReceiveStep, Received, secrets, status,
};
use serde::Deserialize;

use crate::{KEY, Postmark, Settings, inbound, settings};

/// What Postmark posts; which fields there are depends on the kind.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Said {
    /// None for a mail to us.
    record_type: Option<String>,
    #[serde(rename = "MessageID")]
    message_id: Option<String>,
    /// Of a delivery.
    recipient: Option<String>,
    /// Of a bounce or a complaint.
    email: Option<String>,
    #[serde(rename = "Type")]
    kind: Option<String>,
    description: Option<String>,
    details: Option<String>,
    delivered_at: Option<String>,
    bounced_at: Option<String>,
    /// Ours among it, where it is ours.
    #[serde(default)]
    metadata: serde_json::Value,
}

impl Receive for Postmark {
    type State = ();

    fn receive(context: &Context<Settings>, callback: &Callback) -> Result<ReceiveStep<()>, Reason> {
        verify(&context.settings, callback)?;
        let json = |error: serde_json::Error| Reason::new("json", error.to_string());
        let said: Said = serde_json::from_slice(&callback.body).map_err(json)?;
        let event = match &said.record_type {
            None => Some(Event::Inbound(inbound::read(&callback.body).map_err(json)?)),
            Some(_) => receipt(said).map(Event::Receipt),
        };
        Ok(Received::new(event.into_iter().collect()).into())
    }
}

/// Whether the callback knows what only Postmark and we know. Where both ways are set up, both must hold.
fn verify(settings: &Settings, callback: &Callback) -> Result<(), Reason> {
    let mut proven = false;
    let wrong = || Reason::new("unproven", "the callback does not prove that it is Postmark's");
    let right = |name: &str, given: &[u8]| match secrets::matches(name, given) {
        Ok(true) => Ok(()),
        Ok(false) => Err(wrong()),
        Err(error) => Err(Reason::new("secret", error.to_string())),
    };
    if let Some(user) = &settings.webhook_user {
        let given = callback.header("authorization").and_then(basic).ok_or_else(wrong)?;
        let (name, password) = given.split_at(given.iter().position(|byte| *byte == b':').ok_or_else(wrong)?);
        if name != user.as_bytes() {
            return Err(wrong());
        }
        right(settings::WEBHOOK_PASSWORD, &password[1..])?;
        proven = true;
    }
    if let Some(header) = &settings.webhook_header {
        let given = callback.header(&header.to_ascii_lowercase()).ok_or_else(wrong)?;
        right(settings::WEBHOOK_TOKEN, given.as_bytes())?;
        proven = true;
    }
    if proven {
        return Ok(());
    }
    Err(Reason::new("setup", "neither webhook_user nor webhook_header is set: no callback can be believed"))
}

/// User and password of `Authorization: Basic`.
fn basic(header: &str) -> Option<Vec<u8>> {
    let (scheme, encoded) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then(|| BASE64_STANDARD.decode(encoded.trim()).ok())?
}

/// What became of a mail; nothing where it says something else, such as that it was opened.
fn receipt(said: Said) -> Option<Receipt> {
    let kind = said.kind.as_deref().unwrap_or_default();
    let state = match said.record_type.as_deref()? {
        "Delivery" => ReceiptState::Delivered,
        "Bounce" => bounce(kind)?,
        "SpamComplaint" => ReceiptState::Complained,
        _ => return None,
    };
    let words = said.description.or(said.details).filter(|_| state != ReceiptState::Delivered);
    let code = if kind.is_empty() { said.record_type.as_deref()? } else { kind };
    let reason = words.map(|words| Reason::new(code, words));
    let at = said.delivered_at.or(said.bounced_at);
    Some(Receipt {
        reference: said.message_id?,
        key: said.metadata[KEY].as_str().map(str::to_owned),
        recipient: said.recipient.or(said.email),
        state,
        reason,
        at_ms: at.as_deref().and_then(status::instant_ms),
    })
}

/// What a type of bounce means; some say nothing of this mail's fate, such as that somebody is on holiday.
fn bounce(kind: &str) -> Option<ReceiptState> {
    Some(match kind {
        "Transient" => ReceiptState::Pending,
        "AutoResponder"
        | "AddressChange"
        | "ChallengeVerification"
        | "Subscribe"
        | "Unsubscribe"
        | "OpenRelayTest" => return None,
        "SpamComplaint" => ReceiptState::Complained,
        // The mail was refused, not the address.
        "Blocked"
        | "SpamNotification"
        | "VirusNotification"
        | "DMARCPolicy"
        | "SMTPApiError"
        | "DnsError"
        | "TemplateRenderingFailed"
        | "ManuallyDeactivated" => ReceiptState::Undelivered,
        _ => ReceiptState::Bounced,
    })
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::Pair;
    use dispatcher_plugin::testing::{context, set_secrets};
    use serde_json::{Value, json};

    use super::*;

    fn callback(headers: &[(&str, &str)], body: &Value) -> Callback {
        let header = |(name, value): &(&str, &str)| Pair { name: (*name).into(), value: (*value).into() };
        Callback {
            method: "POST".into(),
            url: "https://d.example/callbacks/postmark/t0k3n".into(),
            headers: headers.iter().map(header).collect(),
            body: body.to_string().into_bytes(),
        }
    }

    fn receive(settings: Value, callback: &Callback) -> Result<Vec<Event>, Reason> {
        set_secrets(&[("webhook_password", "s3cret"), ("webhook_token", "t0k3n")]);
        match Postmark::receive(&context(settings), callback)? {
            ReceiveStep::Received(received) => Ok(received.events),
            step => panic!("Postmark's callbacks are judged at once: {step:?}"),
        }
    }

    fn receipt(body: &Value) -> Option<Receipt> {
        let good = callback(&[("x-token", "t0k3n")], body);
        match receive(json!({ "webhook_header": "X-Token" }), &good).expect("believed").pop()? {
            Event::Receipt(receipt) => Some(receipt),
            Event::Inbound(inbound) => panic!("{inbound:?}"),
        }
    }

    #[test]
    fn records_become_receipts() {
        use ReceiptState::{Bounced, Complained, Delivered, Pending, Undelivered};
        let delivery = receipt(&json!({
            "RecordType": "Delivery", "MessageID": "m-1", "Recipient": "b@c.example",
            "DeliveredAt": "2026-11-22T00:00:00.5Z", "Details": "Test", "Metadata": { "dispatcher_key": "k-1" },
        }))
        .expect("a receipt");
        let wanted = Receipt {
            at_ms: Some(1_795_305_600_500),
            ..Receipt::new("m-1", Delivered).key("k-1".to_owned()).recipient("b@c.example")
        };
        assert_eq!(delivery, wanted);
        let table = [
            ("HardBounce", Some(Bounced)),
            ("SoftBounce", Some(Bounced)),
            ("Transient", Some(Pending)),
            ("SpamNotification", Some(Undelivered)),
            ("SpamComplaint", Some(Complained)),
            ("AutoResponder", None),
        ];
        for (kind, state) in table {
            let body = json!({ "RecordType": "Bounce", "Type": kind, "MessageID": "m-1", "Email": "b@c.example", "Description": "why" });
            let found = receipt(&body);
            assert_eq!(found.as_ref().map(|receipt| receipt.state), state, "{kind}");
            if let Some(receipt) = found {
                assert_eq!(receipt.reason, Some(Reason::new(kind, "why")));
            }
        }
        let complaint = json!({ "RecordType": "SpamComplaint", "MessageID": "m-1", "Email": "b@c.example" });
        assert_eq!(receipt(&complaint).map(|receipt| receipt.state), Some(Complained));
        assert_eq!(receipt(&json!({ "RecordType": "Open", "MessageID": "m-1" })), None);
        assert_eq!(receipt(&json!({ "RecordType": "Delivery" })), None);
    }

    #[test]
    fn a_mail_to_us() {
        let body = json!({
            "MessageID": "in-1", "From": "ana@c.example", "FromFull": { "Email": "ana@c.example", "Name": "Ana" },
            "To": "\"Us\" <us@acme.example>", "OriginalRecipient": "us@acme.example", "Subject": "Re: Hola", "TextBody": "BAJA\n",
        });
        let good = callback(&[("x-token", "t0k3n")], &body);
        let events = receive(json!({ "webhook_header": "X-Token" }), &good).expect("believed");
        let [Event::Inbound(inbound)] = &events[..] else { panic!("{events:?}") };
        assert_eq!((inbound.from.as_str(), inbound.to.as_str()), ("ana@c.example", "us@acme.example"));
        assert_eq!(inbound.text, "BAJA\n");
    }

    #[test]
    fn only_what_proves_itself_is_believed() {
        let body = json!({ "RecordType": "Delivery", "MessageID": "m-1" });
        let basic = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
        let settings = || json!({ "webhook_user": "pm", "webhook_header": "X-Token" });
        let judged = |authorization: &str, token: &str| {
            let given = callback(&[("authorization", authorization), ("x-token", token)], &body);
            receive(settings(), &given).map_or_else(|reason| reason.code, |events| events.len().to_string())
        };
        assert_eq!(judged(&basic("pm:s3cret"), "t0k3n"), "1");
        for (authorization, token) in [
            (basic("pm:s3crex"), "t0k3n"),
            (basic("px:s3cret"), "t0k3n"),
            (basic("pm"), "t0k3n"),
            ("Basic *".into(), "t0k3n"),
            ("Bearer x".into(), "t0k3n"),
            (String::new(), "t0k3n"),
            (basic("pm:s3cret"), "t0k3m"),
        ] {
            assert_eq!(judged(&authorization, token), "unproven", "{authorization}");
        }
        let bare = callback(&[], &body);
        assert_eq!(receive(json!({ "webhook_user": "pm" }), &bare).unwrap_err().code, "unproven");
        assert_eq!(receive(json!({}), &bare).unwrap_err().code, "setup");
        let mut hostile = callback(&[("x-token", "t0k3n")], &body);
        for bytes in ["", "[]", "{", "{}", "\u{0}", "{\"RecordType\":1}"] {
            hostile.body = bytes.as_bytes().to_vec();
            assert_eq!(
                receive(json!({ "webhook_header": "X-Token" }), &hostile).unwrap_err().code,
                "json",
                "{bytes}"
            );
        }
    }
}
