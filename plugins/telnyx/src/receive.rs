//! Telnyx's callbacks: what became of a message, and messages to us.
//!
//! Signed with Ed25519 over the time of the header, a bar, and the raw body. The key is public, so it is a setting and
//! no secret.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dispatcher_plugin::{
    Callback, Channel, Context, Event, Inbound, Reason, Receipt, ReceiptState, Receive, ReceiveStep,
    Received, status,
};
use ed25519_dalek::Signature;
use serde::Deserialize;
use serde_json::Value;

use crate::{Envelope, Party, Settings, Telnyx, codes::Problem};

impl Receive for Telnyx {
    type State = ();

    fn receive(context: &Context<Settings>, callback: &Callback) -> Result<ReceiveStep<()>, Reason> {
        verify(context, callback)?;
        let unreadable = |error: serde_json::Error| Reason::new("unreadable", error.to_string());
        let Envelope { data: notice } =
            serde_json::from_slice::<Envelope<Notice>>(&callback.body).map_err(unreadable)?;
        let events = match notice.event_type.as_str() {
            "message.sent" | "message.finalized" => {
                vec![receipt(notice.occurred_at, serde_json::from_value(notice.payload).map_err(unreadable)?)]
            }
            "message.received" => vec![inbound(serde_json::from_value(notice.payload).map_err(unreadable)?)],
            // Whatever else an account hears of on the same URL.
            _ => Vec::new(),
        };
        Ok(Received::new(events).into())
    }
}

/// What Telnyx posts.
#[derive(Debug, Deserialize)]
struct Notice {
    event_type: String,
    #[serde(default)]
    occurred_at: Option<String>,
    payload: Value,
}

/// A message that we sent.
#[derive(Debug, Deserialize)]
struct Outbound {
    id: String,
    #[serde(default)]
    to: Vec<Party>,
    #[serde(default)]
    errors: Vec<Problem>,
}

/// A message to us.
#[derive(Debug, Deserialize)]
struct Arrived {
    id: String,
    from: Party,
    #[serde(default)]
    to: Vec<Party>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    media: Vec<Medium>,
}

#[derive(Debug, Deserialize)]
struct Medium {
    url: String,
}

fn verify(context: &Context<Settings>, callback: &Callback) -> Result<(), Reason> {
    let header =
        |name: &str| callback.header(name).ok_or(Reason::new("unsigned", format!("there is no {name}")));
    let (signature, time) = (header("telnyx-signature-ed25519")?, header("telnyx-timestamp")?);
    let key = context
        .settings
        .public_key()
        .ok_or(Reason::new("key", "the setting public_key is missing: without it no callback is believed"))?;
    let bytes = BASE64_STANDARD.decode(signature).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
    let signature = bytes.ok_or(Reason::new("signature", "the signature is not 64 bytes of base64"))?;
    let mut signed = format!("{time}|").into_bytes();
    signed.extend_from_slice(&callback.body);
    key.verify_strict(&signed, &signature)
        .map_err(|_| Reason::new("signature", "the signature is not of this account's key"))?;
    // Genuine, but perhaps long ago: what was caught once is not taken again for ever.
    let seconds =
        time.parse::<u64>().map_err(|_| Reason::new("timestamp", "the time is not a number of seconds"))?;
    let age = context.now_ms.abs_diff(seconds.saturating_mul(1000));
    if age > context.settings.tolerance_ms() {
        return Err(Reason::new("timestamp", format!("signed {} seconds away from now", age / 1000)));
    }
    Ok(())
}

fn receipt(occurred_at: Option<String>, message: Outbound) -> Event {
    let word = message.to.first().and_then(|party| party.status.as_deref()).unwrap_or_default();
    let state = match word {
        "delivered" => ReceiptState::Delivered,
        "sending_failed" | "delivery_failed" | "expired" => ReceiptState::Undelivered,
        // queued, sending, sent; and delivery_unconfirmed, which is Telnyx's last word and says nothing either way.
        _ => ReceiptState::Pending,
    };
    let reason = match message.errors.first() {
        Some(problem) => Some(problem.reason()),
        None if word == "delivery_unconfirmed" => {
            Some(Reason::new(word, "the carrier did not say whether it arrived"))
        }
        None => None,
    };
    let at_ms = occurred_at.as_deref().and_then(status::instant_ms);
    Event::Receipt(Receipt { at_ms, ..Receipt::new(message.id, state).reason(reason) })
}

fn inbound(message: Arrived) -> Event {
    Event::Inbound(Inbound {
        id: message.id,
        channel: Channel::Sms,
        from: message.from.phone_number,
        to: message.to.into_iter().next().map(|party| party.phone_number).unwrap_or_default(),
        text: message.text.unwrap_or_default(),
        media: message.media.into_iter().map(|medium| medium.url).collect(),
    })
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::Pair;
    use dispatcher_plugin::testing::{NOW_MS, context};
    use ed25519_dalek::{Signer as _, SigningKey};
    use serde_json::json;

    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn settings() -> Context<Settings> {
        let key = BASE64_STANDARD.encode(key().verifying_key().as_bytes());
        context(json!({ "from": "+15550001111", "public_key": key }))
    }

    fn signed(body: &Value, seconds: u64) -> Callback {
        let body = body.to_string();
        let signature = key().sign(format!("{seconds}|{body}").as_bytes());
        let header = |name: &str, value: String| Pair { name: name.into(), value };
        Callback {
            method: "POST".into(),
            url: "https://d.example/callbacks/t0k3n".into(),
            headers: vec![
                header("telnyx-signature-ed25519", BASE64_STANDARD.encode(signature.to_bytes())),
                header("telnyx-timestamp", seconds.to_string()),
            ],
            body: body.into_bytes(),
        }
    }

    fn receive(callback: &Callback) -> Result<Received, Reason> {
        match Telnyx::receive(&settings(), callback)? {
            ReceiveStep::Received(received) => Ok(received),
            step => panic!("Telnyx's callbacks are judged at once: {step:?}"),
        }
    }

    fn finalized(status: &str, errors: Value) -> Value {
        json!({ "data": {
            "event_type": "message.finalized", "id": "e1", "occurred_at": "2026-11-22T00:00:01.500+00:00",
            "payload": { "id": "m1", "to": [{ "phone_number": "+15", "status": status }], "errors": errors },
        }, "meta": { "attempt": 1 } })
    }

    #[test]
    fn statuses_become_receipts() {
        let table = [
            ("sent", json!([]), ReceiptState::Pending, None),
            ("delivered", json!([]), ReceiptState::Delivered, None),
            ("delivery_unconfirmed", json!([]), ReceiptState::Pending, Some("delivery_unconfirmed")),
            (
                "delivery_failed",
                json!([{ "code": "40001", "title": "Not routable" }]),
                ReceiptState::Undelivered,
                Some("40001"),
            ),
            (
                "sending_failed",
                json!([{ "code": 40300, "title": "STOP" }]),
                ReceiptState::Undelivered,
                Some("40300"),
            ),
            ("expired", json!([]), ReceiptState::Undelivered, None),
            ("dreaming", json!([]), ReceiptState::Pending, None),
        ];
        for (status, errors, state, code) in table {
            let received = receive(&signed(&finalized(status, errors), NOW_MS / 1000)).expect("believed");
            let [Event::Receipt(receipt)] = received.events.as_slice() else { panic!("{received:?}") };
            assert_eq!((receipt.reference.as_str(), receipt.state), ("m1", state), "{status}");
            assert_eq!(receipt.reason.as_ref().map(|reason| reason.code.as_str()), code, "{status}");
            assert_eq!(receipt.at_ms, Some(NOW_MS + 1500));
        }
    }

    #[test]
    fn a_message_to_us() {
        let body = json!({ "data": { "event_type": "message.received", "payload": {
            "id": "m2", "from": { "phone_number": "+525512345678", "carrier": "x" },
            "to": [{ "phone_number": "+15550001111", "status": "webhook_delivered" }], "text": "STOP ñ",
            "media": [{ "url": "https://media.telnyx.com/x.png", "content_type": "image/png" }],
        } } });
        let received = receive(&signed(&body, NOW_MS / 1000)).expect("believed");
        let [Event::Inbound(inbound)] = received.events.as_slice() else { panic!("{received:?}") };
        assert_eq!((inbound.from.as_str(), inbound.to.as_str()), ("+525512345678", "+15550001111"));
        assert_eq!((inbound.text.as_str(), inbound.media.len()), ("STOP ñ", 1));
    }

    #[test]
    fn other_events_are_taken_and_say_nothing() {
        let body = json!({ "data": { "event_type": "10dlc.campaign.update", "payload": {} } });
        assert_eq!(receive(&signed(&body, NOW_MS / 1000)).expect("believed").events, []);
    }

    #[test]
    fn forgeries_are_refused() {
        let now = NOW_MS / 1000;
        let good = signed(&finalized("delivered", json!([])), now);
        assert!(receive(&good).is_ok());
        let refused = |change: &dyn Fn(&mut Callback)| {
            let mut callback = good.clone();
            change(&mut callback);
            receive(&callback).unwrap_err().code
        };
        assert_eq!(refused(&|c| c.body[10] ^= 1), "signature");
        assert_eq!(refused(&|c| c.body.push(b' ')), "signature");
        assert_eq!(refused(&|c| c.body.clear()), "signature");
        assert_eq!(refused(&|c| c.headers[1].value = (now + 1).to_string()), "signature");
        assert_eq!(refused(&|c| c.headers[0].value = "AAAA".into()), "signature");
        assert_eq!(refused(&|c| c.headers[0].value = "*".into()), "signature");
        assert_eq!(refused(&|c| c.headers.truncate(1)), "unsigned");
        assert_eq!(refused(&|c| c.headers.clear()), "unsigned");
        // Genuine words that are no event.
        assert_eq!(receive(&signed(&json!([]), now)).unwrap_err().code, "unreadable");
        assert_eq!(
            receive(&signed(&json!({ "data": { "event_type": "message.sent", "payload": 1 } }), now))
                .unwrap_err()
                .code,
            "unreadable"
        );
    }

    #[test]
    fn what_is_old_is_refused() {
        let body = finalized("delivered", json!([]));
        let now = NOW_MS / 1000;
        for (seconds, believed) in [
            (now - 300, true),
            (now - 301, false),
            (now + 300, true),
            (now + 301, false),
            (0, false),
            (u64::MAX, false),
        ] {
            let result = receive(&signed(&body, seconds));
            assert_eq!(
                result.as_ref().map(|_| ()).map_err(|reason| reason.code.as_str()),
                if believed { Ok(()) } else { Err("timestamp") },
                "{seconds}"
            );
        }
    }

    #[test]
    fn without_a_key_nothing_is_believed() {
        let callback = signed(&finalized("delivered", json!([])), NOW_MS / 1000);
        let refused = Telnyx::receive(&crate::tests::settings(), &callback).unwrap_err();
        assert_eq!(refused.code, "key");
    }
}
