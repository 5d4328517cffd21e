//! Resend's webhooks: what became of mails, and mails to us.

use dispatcher_plugin::{
    Callback, Context, Event, Reason, Receipt, ReceiptState, Receive, ReceiveStep, Received, Reply, percent,
    status,
};
use serde::Deserialize;

use crate::{KEY, Resend, Settings, inbound, signature};

/// What Resend posts.
#[derive(Debug, Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
    created_at: Option<String>,
    data: Data,
}

#[derive(Debug, Deserialize)]
struct Data {
    email_id: Option<String>,
    /// Ours among them, where it is ours.
    #[serde(default)]
    tags: serde_json::Value,
    #[serde(default)]
    to: Vec<String>,
    bounce: Option<Why>,
    failed: Option<Why>,
    suppressed: Option<Why>,
}

/// Of a bounce, a failure or a suppression.
#[derive(Debug, Deserialize)]
struct Why {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(rename = "subType")]
    subkind: Option<String>,
    message: Option<String>,
    reason: Option<String>,
}

impl Receive for Resend {
    type State = ();

    fn receive(context: &Context<Settings>, callback: &Callback) -> Result<ReceiveStep<()>, Reason> {
        signature::verify(callback, context.now_ms)?;
        let said: Said =
            serde_json::from_slice(&callback.body).map_err(|error| Reason::new("json", error.to_string()))?;
        if let ("email.received", Some(id)) = (said.kind.as_str(), &said.data.email_id) {
            // The callback has no text in it: it has to be fetched.
            let request = context.settings.request("GET", &format!("/emails/receiving/{}", percent(id)));
            return Ok(ReceiveStep::Ask(request.into(), ()));
        }
        Ok(Received::new(receipt(said).map(Event::Receipt).into_iter().collect()).into())
    }

    fn on_receive_reply(_: &Context<Settings>, (): (), reply: Reply) -> Result<ReceiveStep<()>, Reason> {
        let reason = |refusal: dispatcher_plugin::Refusal| refusal.reason().clone();
        let response = reply.http().map_err(reason)?;
        let mail = response.success().map_err(reason)?.json().map_err(reason)?;
        Ok(Received::new(vec![Event::Inbound(inbound::read(mail))]).into())
    }
}

/// What became of a mail; nothing where it says something else, such as that it was opened.
fn receipt(said: Said) -> Option<Receipt> {
    let state = match said.kind.strip_prefix("email.")? {
        "sent" | "scheduled" | "delivery_delayed" => ReceiptState::Pending,
        "delivered" => ReceiptState::Delivered,
        "bounced" => ReceiptState::Bounced,
        "complained" => ReceiptState::Complained,
        "failed" | "suppressed" => ReceiptState::Undelivered,
        _ => return None,
    };
    let why = said.data.bounce.or(said.data.failed).or(said.data.suppressed);
    let reason = why.map(|why| {
        let kinds: Vec<String> = why.kind.into_iter().chain(why.subkind).collect();
        let code = if kinds.is_empty() { said.kind.clone() } else { kinds.join(" ") };
        Reason::new(code, why.message.or(why.reason).unwrap_or_default())
    });
    // Resend tells an event for each recipient, and not which one: where there is one, it is that.
    let recipient = match &said.data.to[..] {
        [one] => Some(one.clone()),
        _ => None,
    };
    Some(Receipt {
        reference: said.data.email_id?,
        key: said.data.tags[KEY].as_str().map(str::to_owned),
        recipient,
        state,
        reason,
        at_ms: said.created_at.as_deref().and_then(status::instant_ms),
    })
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::Action;
    use dispatcher_plugin::testing::{context, response};
    use serde_json::{Value, json};

    use super::*;
    use crate::signature::tests::signed;

    fn receive(callback: &Callback) -> Result<ReceiveStep<()>, Reason> {
        Resend::receive(&context(json!({ "webhooks": true })), callback)
    }

    fn receipt(kind: &str, more: Value) -> Option<Receipt> {
        let mut data = json!({ "email_id": "e-1", "to": ["b@c.example"], "subject": "x", "tags": { "dispatcher_key": "k-1" } });
        for (name, value) in more.as_object().into_iter().flatten() {
            data[name] = value.clone();
        }
        let body = json!({ "type": kind, "created_at": "2026-11-22T00:00:00.000Z", "data": data });
        match receive(&signed(&body.to_string())).expect("believed") {
            ReceiveStep::Received(received) => match received.events.into_iter().next()? {
                Event::Receipt(receipt) => Some(receipt),
                Event::Inbound(inbound) => panic!("{inbound:?}"),
            },
            step => panic!("{step:?}"),
        }
    }

    #[test]
    fn events_become_receipts() {
        use ReceiptState::{Bounced, Complained, Delivered, Pending, Undelivered};
        let table = [
            ("email.sent", Some(Pending)),
            ("email.delivery_delayed", Some(Pending)),
            ("email.delivered", Some(Delivered)),
            ("email.bounced", Some(Bounced)),
            ("email.complained", Some(Complained)),
            ("email.failed", Some(Undelivered)),
            ("email.suppressed", Some(Undelivered)),
            ("email.opened", None),
            ("domain.created", None),
        ];
        for (kind, state) in table {
            let found = receipt(kind, json!({}));
            assert_eq!(found.as_ref().map(|receipt| receipt.state), state, "{kind}");
            if let Some(receipt) = found {
                assert_eq!(
                    (receipt.reference.as_str(), receipt.recipient.as_deref()),
                    ("e-1", Some("b@c.example"))
                );
                assert_eq!(receipt.at_ms, Some(1_795_305_600_000));
                assert_eq!(receipt.key.as_deref(), Some("k-1"));
            }
        }
        let bounce = json!({ "bounce": { "type": "Permanent", "subType": "General", "message": "no such user" }, "to": ["a@b", "c@d"] });
        let receipt = receipt("email.bounced", bounce).expect("a receipt");
        assert_eq!(receipt.reason, Some(Reason::new("Permanent General", "no such user")));
        assert_eq!(receipt.recipient, None, "of which of two is not said");
    }

    #[test]
    fn a_mail_to_us_is_fetched() {
        let body = json!({ "type": "email.received", "created_at": "x", "data": { "email_id": "in/1" } });
        let Ok(ReceiveStep::Ask(Action::Http(request), ())) = receive(&signed(&body.to_string())) else {
            panic!("it asks")
        };
        assert_eq!(request.url_text(), "https://api.resend.com/emails/receiving/in%2F1");
        let mail = json!({
            "id": "in/1", "from": "Ana <ana@c.example>", "to": ["us@acme.example"], "subject": "Re: Hola",
            "text": null, "html": "<p>BAJA</p>",
        });
        let answered = |status| {
            let reply = Reply::Http(response(status, &[], mail.to_string()));
            Resend::on_receive_reply(&context(json!({})), (), reply)
        };
        let Ok(ReceiveStep::Received(received)) = answered(200) else { panic!("believed") };
        let [Event::Inbound(inbound)] = &received.events[..] else { panic!("{received:?}") };
        assert_eq!((inbound.id.as_str(), inbound.from.as_str()), ("in/1", "ana@c.example"));
        assert_eq!((inbound.to.as_str(), inbound.text.as_str()), ("us@acme.example", "BAJA"));
        assert_eq!(answered(401).unwrap_err().code, "401");
    }

    #[test]
    fn hostile_bytes_are_refused() {
        for hostile in ["", "[]", "{", "{}", "{\"type\":\"email.sent\"}", "\u{0}"] {
            assert_eq!(receive(&signed(hostile)).unwrap_err().code, "json", "{hostile}");
        }
        let mut forged = signed("{}");
        forged.body.push(b' ');
        assert_eq!(receive(&forged).unwrap_err().code, "signature");
    }
}
