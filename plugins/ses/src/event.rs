//! What SES publishes about a mail: one event, for one or more of its recipients.

use dispatcher_plugin::{Reason, Receipt, ReceiptState, status};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::KEY;

/// A receipt as it is kept while the certificate is fetched.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    reference: String,
    key: Option<String>,
    recipient: Option<String>,
    state: State,
    reason: Option<(String, String)>,
    at_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum State {
    Pending,
    Delivered,
    Undelivered,
    Bounced,
    Complained,
}

impl From<Told> for Receipt {
    fn from(told: Told) -> Self {
        Self {
            reference: told.reference,
            key: told.key,
            recipient: told.recipient,
            state: match told.state {
                State::Pending => ReceiptState::Pending,
                State::Delivered => ReceiptState::Delivered,
                State::Undelivered => ReceiptState::Undelivered,
                State::Bounced => ReceiptState::Bounced,
                State::Complained => ReceiptState::Complained,
            },
            reason: told.reason.map(|(code, message)| Reason::new(code, message)),
            at_ms: told.at_ms,
        }
    }
}

/// What a notification's message tells; nothing where it says something else, such as that a mail was opened.
///
/// There are two forms, by configuration sets and by identities, which differ in the name of one field.
pub(crate) fn read(message: &str) -> Vec<Told> {
    let Ok(said) = serde_json::from_str::<Value>(message) else { return Vec::new() };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let kind = text(&said["eventType"]).or(text(&said["notificationType"])).unwrap_or_default();
    let Some(reference) = text(&said["mail"]["messageId"]) else { return Vec::new() };
    let (field, list, state) = match kind.as_str() {
        "Send" => ("send", "", State::Pending),
        "DeliveryDelay" => ("deliveryDelay", "delayedRecipients", State::Pending),
        "Delivery" => ("delivery", "recipients", State::Delivered),
        "Bounce" => ("bounce", "bouncedRecipients", bounce(&said["bounce"])),
        "Complaint" => ("complaint", "complainedRecipients", State::Complained),
        "Reject" => ("reject", "", State::Undelivered),
        "Rendering Failure" => ("failure", "", State::Undelivered),
        _ => return Vec::new(),
    };
    let detail = &said[field];
    let at_ms = text(&detail["timestamp"]).or(text(&said["mail"]["timestamp"]));
    let at_ms = at_ms.as_deref().and_then(status::instant_ms);
    // A tag has a list of values.
    let key = text(&said["mail"]["tags"][KEY][0]);
    let told = |recipient: &Value| Told {
        reference: reference.clone(),
        key: key.clone(),
        recipient: text(recipient).or(text(&recipient["emailAddress"])),
        state,
        reason: (state != State::Delivered).then(|| reason(&kind, detail, recipient)),
        at_ms,
    };
    match detail[list].as_array() {
        Some(recipients) if !recipients.is_empty() => {
            recipients.iter().take(RECIPIENTS_MAX).map(told).collect()
        }
        _ => vec![told(&Value::Null)],
    }
}

/// A mail has 50 at most; the bound is for what only looks like Amazon's.
const RECIPIENTS_MAX: usize = 100;

/// A full mailbox says nothing against the address.
fn bounce(detail: &Value) -> State {
    match detail["bounceType"].as_str() {
        Some("Transient") => State::Undelivered,
        _ => State::Bounced,
    }
}

/// Code and words, cut so that what is kept stays small.
fn reason(kind: &str, detail: &Value, recipient: &Value) -> (String, String) {
    let code: Vec<&str> = ["bounceType", "bounceSubType", "complaintFeedbackType", "delayType"]
        .iter()
        .filter_map(|name| detail[*name].as_str())
        .collect();
    let code = if code.is_empty() { kind.to_owned() } else { code.join(" ") };
    let words =
        [&recipient["diagnosticCode"], &recipient["status"], &detail["reason"], &detail["errorMessage"]];
    let words = words.iter().find_map(|words| words.as_str()).unwrap_or_default();
    let Reason { code, message } = Reason::new(code, words.chars().take(200).collect::<String>());
    (code, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn receipts(message: Value) -> Vec<Receipt> {
        read(&message.to_string()).into_iter().map(Receipt::from).collect()
    }

    #[test]
    fn events_become_receipts() {
        use ReceiptState::{Bounced, Complained, Delivered, Pending, Undelivered};
        let table = [
            ("Send", json!({ "send": {} }), Some(Pending)),
            ("Delivery", json!({ "delivery": { "recipients": ["b@c.example"] } }), Some(Delivered)),
            (
                "DeliveryDelay",
                json!({ "deliveryDelay": { "delayType": "MailboxFull", "delayedRecipients": [{ "emailAddress": "b@c.example" }] } }),
                Some(Pending),
            ),
            (
                "Bounce",
                json!({ "bounce": { "bounceType": "Permanent", "bouncedRecipients": [{ "emailAddress": "b@c.example" }] } }),
                Some(Bounced),
            ),
            ("Bounce", json!({ "bounce": { "bounceType": "Transient" } }), Some(Undelivered)),
            ("Bounce", json!({}), Some(Bounced)),
            (
                "Complaint",
                json!({ "complaint": { "complainedRecipients": [{ "emailAddress": "b@c.example" }] } }),
                Some(Complained),
            ),
            ("Reject", json!({ "reject": { "reason": "Bad content" } }), Some(Undelivered)),
            ("Rendering Failure", json!({ "failure": { "errorMessage": "x" } }), Some(Undelivered)),
            ("Open", json!({}), None),
            ("Subscription", json!({}), None),
        ];
        for (kind, more, state) in table {
            for field in ["eventType", "notificationType"] {
                let mut said = json!({ field: kind, "mail": { "messageId": "ses-1", "timestamp": "2026-11-22T00:00:00.000Z", "tags": { "dispatcher_key": ["k-1"] } } });
                for (name, value) in more.as_object().into_iter().flatten() {
                    said[name] = value.clone();
                }
                let found = receipts(said);
                assert_eq!(found.first().map(|receipt| receipt.state), state, "{kind}");
                assert!(found.iter().all(|one| one.reference == "ses-1"
                    && one.key.as_deref() == Some("k-1")
                    && one.at_ms == Some(1_795_305_600_000)));
            }
        }
    }

    #[test]
    fn each_recipient_has_a_receipt() {
        let found = receipts(json!({
            "eventType": "Bounce", "mail": { "messageId": "ses-1" },
            "bounce": {
                "bounceType": "Permanent", "bounceSubType": "General", "timestamp": "2026-11-22T00:00:00.5Z",
                "bouncedRecipients": [
                    { "emailAddress": "a@c.example", "diagnosticCode": "smtp; 550 5.1.1 no such user" },
                    { "emailAddress": "b@c.example", "status": "5.1.1" },
                ],
            },
        }));
        let told: Vec<(Option<&str>, &str)> = found
            .iter()
            .map(|one| (one.recipient.as_deref(), one.reason.as_ref().map_or("", |reason| &reason.message)))
            .collect();
        assert_eq!(
            told,
            [(Some("a@c.example"), "smtp; 550 5.1.1 no such user"), (Some("b@c.example"), "5.1.1")]
        );
        assert_eq!(found[0].reason.as_ref().map(|reason| reason.code.as_str()), Some("Permanent General"));
        assert_eq!(found[0].at_ms, Some(1_795_305_600_500));
    }

    #[test]
    fn what_says_nothing() {
        let words = "Successfully validated SNS topic for Amazon SES event publishing.";
        for message in [
            words,
            "",
            "[]",
            "{}",
            r#"{"eventType":"Delivery"}"#,
            r#"{"eventType":1,"mail":{"messageId":"x"}}"#,
        ] {
            assert_eq!(read(message), [], "{message}");
        }
    }
}
