//! SendGrid's events: what became of mails, many in one callback.

use dispatcher_plugin::{
    Callback, Context, Event, Reason, Receipt, ReceiptState, Receive, ReceiveStep, Received,
};
use serde::Deserialize;

use crate::{Sendgrid, Settings, signature};

/// An event. Of the rest of its fields none tells what became of a mail.
#[derive(Debug, Deserialize)]
struct Said {
    event: String,
    /// Our key, as it was sent along. A mail that another program sent has none.
    dispatcher_key: Option<String>,
    email: Option<String>,
    timestamp: Option<u64>,
    /// Of a bounce: `bounce` or `blocked`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The enhanced status: `5.1.1`.
    status: Option<String>,
    reason: Option<String>,
    /// The other server's words on a deferral.
    response: Option<String>,
}

impl Receive for Sendgrid {
    type State = ();

    fn receive(context: &Context<Settings>, callback: &Callback) -> Result<ReceiveStep<()>, Reason> {
        signature::verify(context.settings.webhook_public_key.as_deref(), callback)?;
        let said: Vec<Said> =
            serde_json::from_slice(&callback.body).map_err(|error| Reason::new("json", error.to_string()))?;
        Ok(Received::new(said.into_iter().filter_map(event).collect()).into())
    }
}

/// What it says of a mail of ours; nothing where it says something else, such as that it was opened.
fn event(said: Said) -> Option<Event> {
    let state = match said.event.as_str() {
        "processed" | "deferred" => ReceiptState::Pending,
        "delivered" => ReceiptState::Delivered,
        // A block is a refusal of this mail, not of this address.
        "bounce" if said.kind.as_deref() == Some("blocked") => ReceiptState::Undelivered,
        "bounce" => ReceiptState::Bounced,
        "dropped" => ReceiptState::Undelivered,
        "spamreport" => ReceiptState::Complained,
        _ => return None,
    };
    let words = said.reason.or(said.response).filter(|_| state != ReceiptState::Delivered);
    let reason = words.map(|words| Reason::new(said.status.unwrap_or(said.event), words));
    let at_ms = said.timestamp.map(|seconds| seconds.saturating_mul(1000));
    Some(Event::Receipt(Receipt {
        reference: said.dispatcher_key.clone()?,
        key: said.dispatcher_key,
        recipient: said.email,
        state,
        reason,
        at_ms,
    }))
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::context;
    use serde_json::{Value, json};

    use super::*;
    use crate::signature::tests::{PUBLIC_KEY, signed};

    fn receive(callback: &Callback) -> Result<Received, Reason> {
        let context = context(json!({ "webhook_public_key": PUBLIC_KEY }));
        match Sendgrid::receive(&context, callback)? {
            ReceiveStep::Received(received) => Ok(received),
            step => panic!("SendGrid's callbacks are judged at once: {step:?}"),
        }
    }

    fn receipts(events: Value) -> Vec<Receipt> {
        let received = receive(&signed(&events.to_string())).expect("believed");
        let events = received.events.into_iter().map(|event| match event {
            Event::Receipt(receipt) => receipt,
            Event::Inbound(inbound) => panic!("{inbound:?}"),
        });
        events.collect()
    }

    #[test]
    fn a_batch_becomes_receipts() {
        let event = |word: &str| json!({ "event": word, "dispatcher_key": "k-1", "email": "b@c.example", "timestamp": 1_795_305_600 });
        let mut bounce = event("bounce");
        bounce["type"] = "bounce".into();
        bounce["status"] = "5.1.1".into();
        bounce["reason"] = "550 no such user".into();
        let mut blocked = event("bounce");
        blocked["type"] = "blocked".into();
        let found = receipts(json!([
            event("processed"), event("deferred"), event("delivered"), bounce, blocked, event("dropped"),
            event("spamreport"), event("open"), event("click"), event("unsubscribe"), event("new"),
            { "event": "delivered", "email": "of@another.program" },
        ]));
        let states: Vec<ReceiptState> = found.iter().map(|receipt| receipt.state).collect();
        use ReceiptState::{Bounced, Complained, Delivered, Pending, Undelivered};
        assert_eq!(states, [Pending, Pending, Delivered, Bounced, Undelivered, Undelivered, Complained]);
        assert!(found.iter().all(|receipt| receipt.reference == "k-1"
            && receipt.key.as_deref() == Some("k-1")
            && receipt.at_ms == Some(1_795_305_600_000)));
        assert_eq!(found[3].reason, Some(Reason::new("5.1.1", "550 no such user")));
    }

    #[test]
    fn what_is_not_to_be_believed() {
        let mut forged = signed("[]");
        forged.body = b"[{}]".to_vec();
        assert_eq!(receive(&forged).unwrap_err().code, "signature");
        for hostile in ["", "{", "{}", "[1]", "[{\"event\":1}]", "\u{0}"] {
            assert_eq!(receive(&signed(hostile)).unwrap_err().code, "json", "{hostile}");
        }
        assert_eq!(receipts(json!([])), []);
    }
}
