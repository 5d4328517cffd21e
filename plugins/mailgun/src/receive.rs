//! Mailgun's webhooks: what became of mails, and mails to us.
//!
//! What Mailgun signs is a timestamp and a token, and nothing of what it says: who once saw a callback could say something
//! else with its signature. That is why its URL holds a secret of its own and is https, and why a signature of more than a
//! day ago is refused; within the day the dispatcher knows a callback that came before.

use dispatcher_plugin::secrets::{self, Algorithm};
use dispatcher_plugin::{
    Callback, Context, Event, Reason, Receipt, ReceiptState, Receive, ReceiveStep, Received,
};
use serde::Deserialize;

use crate::{KEY, Mailgun, Settings, answer, inbound, settings};

/// Mailgun goes on for eight hours with what was not taken.
const AGE_MAX_MS: u64 = 86_400_000;

/// What proves a callback.
#[derive(Debug, Deserialize)]
pub(crate) struct Signature {
    pub(crate) timestamp: String,
    pub(crate) token: String,
    pub(crate) signature: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Said {
    signature: Signature,
    event_data: Data,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Data {
    event: String,
    severity: Option<String>,
    reason: Option<String>,
    recipient: Option<String>,
    timestamp: Option<f64>,
    message: Option<Mail>,
    delivery_status: Option<Status>,
    reject: Option<Reject>,
    /// Ours among them, where it is ours.
    #[serde(default)]
    user_variables: serde_json::Value,
}

#[derive(Debug, Deserialize)]
struct Mail {
    headers: Headers,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Headers {
    message_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Status {
    code: Option<serde_json::Value>,
    message: Option<String>,
    description: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Reject {
    reason: Option<String>,
}

impl Receive for Mailgun {
    type State = ();

    fn receive(context: &Context<Settings>, callback: &Callback) -> Result<ReceiveStep<()>, Reason> {
        let kind = callback.header("content-type").unwrap_or_default().to_ascii_lowercase();
        if kind.starts_with("application/x-www-form-urlencoded") {
            // A route forwards mails to us as a form.
            let form = callback.form();
            verify(&inbound::signature(&form)?, context.now_ms)?;
            let events = vec![Event::Inbound(inbound::read(&form)?)];
            return Ok(Received::new(events).into());
        }
        let said: Said =
            serde_json::from_slice(&callback.body).map_err(|error| Reason::new("json", error.to_string()))?;
        verify(&said.signature, context.now_ms)?;
        Ok(Received::new(receipt(said.event_data).map(Event::Receipt).into_iter().collect()).into())
    }
}

/// Whether Mailgun signed this, and not too long ago.
fn verify(given: &Signature, now_ms: u64) -> Result<(), Reason> {
    let wrong = |words: &str| Reason::new("signature", words);
    let hex = &given.signature;
    let digits = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digest: Option<Vec<u8>> =
        (0..hex.len() / 2).map(|at| u8::from_str_radix(hex.get(at * 2..at * 2 + 2)?, 16).ok()).collect();
    let digest = digest.filter(|_| digits).ok_or_else(|| wrong("the signature is not hexadecimal"))?;
    let seconds: u64 = given.timestamp.parse().map_err(|_| wrong("the timestamp is none"))?;
    let data = format!("{}{}", given.timestamp, given.token);
    match secrets::verify(settings::SIGNING_KEY, Algorithm::HmacSha256, data.as_bytes(), &digest) {
        Ok(true) if seconds.saturating_mul(1000).abs_diff(now_ms) > AGE_MAX_MS => {
            Err(Reason::new("stale", "it was signed more than a day ago"))
        }
        Ok(true) => Ok(()),
        Ok(false) => Err(wrong("the signature is not of this key")),
        Err(error) => Err(Reason::new("secret", error.to_string())),
    }
}

/// What became of a mail; nothing where it says something else, such as that it was opened.
fn receipt(data: Data) -> Option<Receipt> {
    let state = match (data.event.as_str(), data.severity.as_deref()) {
        ("accepted", _) | ("failed", Some("temporary")) => ReceiptState::Pending,
        ("delivered", _) => ReceiptState::Delivered,
        // Somebody who unsubscribed was written to: the mail came not back, it never went.
        ("failed", _) if data.reason.as_deref() == Some("suppress-unsubscribe") => ReceiptState::Undelivered,
        ("failed", _) => ReceiptState::Bounced,
        ("rejected", _) => ReceiptState::Undelivered,
        ("complained", _) => ReceiptState::Complained,
        _ => return None,
    };
    let status = data.delivery_status.filter(|_| state != ReceiptState::Delivered);
    let reason = match (status, data.reject) {
        (Some(status), _) => {
            let words =
                [status.description, status.message].into_iter().flatten().find(|words| !words.is_empty());
            let code = status.code.map(|code| code.to_string().replace('"', ""));
            Some(Reason::new(code.or(data.reason).unwrap_or_default(), words.unwrap_or_default()))
        }
        (None, Some(reject)) => Some(Reason::new(&data.event, reject.reason.unwrap_or_default())),
        (None, None) => {
            data.reason.filter(|_| state != ReceiptState::Delivered).map(|why| Reason::new(why, ""))
        }
    };
    let id = data.message?.headers.message_id?;
    Some(Receipt {
        reference: answer::bare(&id).to_owned(),
        key: data.user_variables[KEY].as_str().map(str::to_owned),
        recipient: data.recipient,
        state,
        reason,
        at_ms: data.timestamp.map(|seconds| (seconds * 1000.0) as u64),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use dispatcher_plugin::testing::{NOW_MS, context, set_secrets};
    use dispatcher_plugin::{Pair, percent};
    use serde_json::{Value, json};

    use super::*;

    /// Signed as Mailgun does, by the stand-in's own digest.
    fn signature(timestamp: u64) -> Value {
        set_secrets(&[(settings::SIGNING_KEY, "key-of-the-tests")]);
        let data = format!("{timestamp}token-1");
        let digest =
            secrets::hmac(settings::SIGNING_KEY, Algorithm::HmacSha256, data.as_bytes()).expect("a secret");
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({ "timestamp": timestamp.to_string(), "token": "token-1", "signature": hex })
    }

    fn callback(kind: &str, body: String) -> Callback {
        Callback {
            method: "POST".into(),
            url: "https://d.example/callbacks/mailgun/t0k3n".into(),
            headers: vec![Pair { name: "content-type".into(), value: kind.into() }],
            body: body.into_bytes(),
        }
    }

    fn receive(callback: &Callback) -> Result<Vec<Event>, Reason> {
        let context = context(json!({ "domain": "mg.acme.example", "webhooks": true }));
        match Mailgun::receive(&context, callback)? {
            ReceiveStep::Received(received) => Ok(received.events),
            step => panic!("Mailgun's callbacks are judged at once: {step:?}"),
        }
    }

    fn receipt(data: Value) -> Option<Receipt> {
        let body = json!({ "signature": signature(NOW_MS / 1000), "event-data": data });
        match receive(&callback("application/json", body.to_string())).expect("believed").pop()? {
            Event::Receipt(receipt) => Some(receipt),
            Event::Inbound(inbound) => panic!("{inbound:?}"),
        }
    }

    #[test]
    fn events_become_receipts() {
        use ReceiptState::{Bounced, Complained, Delivered, Pending, Undelivered};
        let table = [
            ("accepted", json!({}), Some(Pending)),
            ("delivered", json!({ "delivery-status": { "code": 250, "message": "OK" } }), Some(Delivered)),
            ("failed", json!({ "severity": "temporary" }), Some(Pending)),
            ("failed", json!({ "severity": "permanent", "reason": "bounce" }), Some(Bounced)),
            (
                "failed",
                json!({ "severity": "permanent", "reason": "suppress-unsubscribe" }),
                Some(Undelivered),
            ),
            ("rejected", json!({ "reject": { "reason": "virus" } }), Some(Undelivered)),
            ("complained", json!({}), Some(Complained)),
            ("opened", json!({}), None),
            ("unsubscribed", json!({}), None),
        ];
        for (event, more, state) in table {
            let mut data = json!({
                "event": event, "recipient": "b@c.example", "timestamp": 1_795_305_600.5,
                "message": { "headers": { "message-id": "1@mg.acme.example", "to": "b@c.example" } },
                "user-variables": { "dispatcher_key": "k-1" },
            });
            for (name, value) in more.as_object().into_iter().flatten() {
                data[name] = value.clone();
            }
            let found = receipt(data);
            assert_eq!(found.as_ref().map(|receipt| receipt.state), state, "{event} {more}");
            if let Some(receipt) = found {
                assert_eq!(
                    (receipt.reference.as_str(), receipt.at_ms),
                    ("1@mg.acme.example", Some(1_795_305_600_500))
                );
                assert_eq!(receipt.key.as_deref(), Some("k-1"));
            }
        }
        let bounced = receipt(json!({
            "event": "failed", "severity": "permanent", "message": { "headers": { "message-id": "1@x" } },
            "delivery-status": { "code": 550, "message": "5.1.1 no such user", "description": "" },
        }))
        .expect("a receipt");
        assert_eq!(bounced.reason, Some(Reason::new(550, "5.1.1 no such user")));
    }

    #[test]
    fn a_mail_to_us() {
        let signature = signature(NOW_MS / 1000);
        let form: Vec<String> = [
            ("recipient", "us@acme.example"),
            ("sender", "bounce+ana@c.example"),
            ("from", "Ana <ana@c.example>"),
            ("Message-Id", "<in-1@c.example>"),
            ("body-plain", "BAJA\r\n\r\n> Hola"),
            ("stripped-text", "BAJA"),
            ("timestamp", signature["timestamp"].as_str().unwrap_or_default()),
            ("token", "token-1"),
            ("signature", signature["signature"].as_str().unwrap_or_default()),
        ]
        .iter()
        .map(|(name, value)| format!("{name}={}", percent(value)))
        .collect();
        let good = callback("application/x-www-form-urlencoded", form.join("&"));
        let events = receive(&good).expect("believed");
        let [Event::Inbound(inbound)] = &events[..] else { panic!("{events:?}") };
        assert_eq!((inbound.id.as_str(), inbound.from.as_str()), ("in-1@c.example", "ana@c.example"));
        assert_eq!((inbound.to.as_str(), inbound.text.as_str()), ("us@acme.example", "BAJA"));
        let mut forged = good.clone();
        forged.body = form.join("&").replace("token-1", "token-2").into_bytes();
        assert_eq!(receive(&forged).unwrap_err().code, "signature");
        let unsigned = callback("application/x-www-form-urlencoded", form[..6].join("&"));
        assert_eq!(receive(&unsigned).unwrap_err().code, "unsigned");
    }

    #[test]
    fn forgeries_are_refused() {
        let data = json!({ "event": "delivered", "message": { "headers": { "message-id": "1@x" } } });
        let judged = |signature: Value| {
            let body = json!({ "signature": signature, "event-data": data });
            receive(&callback("application/json", body.to_string()))
                .map_or_else(|reason| reason.code, |events| events.len().to_string())
        };
        let now = NOW_MS / 1000;
        assert_eq!(judged(signature(now)), "1");
        assert_eq!(judged(signature(now - 90_000)), "stale");
        let changed = |name: &str, value: &str| {
            let mut signature = signature(now);
            signature[name] = value.into();
            judged(signature)
        };
        assert_eq!(changed("token", "token-2"), "signature");
        assert_eq!(changed("timestamp", "1"), "signature");
        assert_eq!(changed("timestamp", "now"), "signature");
        assert_eq!(changed("signature", "00"), "signature");
        assert_eq!(changed("signature", "ñ"), "signature");
        assert_eq!(changed("signature", ""), "signature");
        set_secrets(&[]);
        for hostile in ["", "[]", "{", "{}", "\u{0}"] {
            let callback = callback("application/json", hostile.into());
            assert_eq!(receive(&callback).unwrap_err().code, "json", "{hostile}");
        }
    }
}
