//! Infobip's callbacks: lists of reports on what became of messages, and of messages to us.
//!
//! They are not signed. What proves them is the token in the URL, which the host has seen to before it asks here.

use dispatcher_plugin::{
    Callback, Channel, Context, Event, Inbound, Reason, Receipt, ReceiptState, Receive, ReceiveStep,
    Received, status,
};
use serde::Deserialize;

use crate::states::{Fault, Status};
use crate::{Infobip, Settings};

/// As many as the host takes from one callback.
const EVENTS_MAX: usize = 1000;

impl Receive for Infobip {
    type State = ();

    fn receive(_: &Context<Settings>, callback: &Callback) -> Result<ReceiveStep<()>, Reason> {
        let notices: Notices = serde_json::from_slice(&callback.body)
            .map_err(|error| Reason::new("unreadable", error.to_string()))?;
        if notices.results.len() > EVENTS_MAX {
            return Err(Reason::new("too-many", format!("more than {EVENTS_MAX} reports at once")));
        }
        Ok(Received::new(notices.results.into_iter().map(Notice::event).collect()).into())
    }
}

#[derive(Debug, Deserialize)]
struct Notices {
    results: Vec<Notice>,
}

/// One of them. What has a status is a report; everything else is a message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notice {
    message_id: String,
    #[serde(default)]
    status: Option<Status>,
    #[serde(default)]
    error: Option<Fault>,
    #[serde(default)]
    done_at: Option<String>,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    text: String,
}

impl Notice {
    fn event(self) -> Event {
        let Some(status) = self.status else {
            return Event::Inbound(Inbound {
                id: self.message_id,
                channel: Channel::Sms,
                from: number(self.from),
                to: number(self.to),
                text: self.text,
                media: Vec::new(),
            });
        };
        let reason = status.reason(self.error.as_ref());
        let (state, reason) = match (status.group_id, status.id) {
            // With the operator, and on its way to the handset.
            (Some(3), Some(2)) => (ReceiptState::Pending, Some(reason)),
            (Some(3), _) => (ReceiptState::Delivered, None),
            // The operator never said: Infobip's last word, and none either way.
            (Some(4), Some(29)) => (ReceiptState::Pending, Some(reason)),
            (Some(2 | 4 | 5), _) => (ReceiptState::Undelivered, Some(reason)),
            _ => (ReceiptState::Pending, None),
        };
        let at_ms = self.done_at.as_deref().and_then(status::instant_ms);
        Event::Receipt(Receipt { at_ms, ..Receipt::new(self.message_id, state).reason(reason) })
    }
}

/// A number as others write it: Infobip leaves the `+` out. Short codes and names stay as they are.
fn number(text: String) -> String {
    let bare = text.len() > 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    if bare { format!("+{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::tests::settings;

    fn receive(body: &[u8]) -> Result<Vec<Event>, Reason> {
        let callback = Callback {
            method: "POST".into(),
            url: "https://d.example/callbacks/t0k3n".into(),
            headers: Vec::new(),
            body: body.to_vec(),
        };
        match Infobip::receive(&settings(), &callback)? {
            ReceiveStep::Received(received) => {
                assert_eq!(received.status, 200);
                Ok(received.events)
            }
            step => panic!("Infobip's callbacks are judged at once: {step:?}"),
        }
    }

    fn report(id: &str, group: u32, state: u32, error: u32) -> Value {
        json!({
            "bulkId": "b", "messageId": id, "to": "525512345678", "doneAt": "2026-11-22T00:00:01.500+0000",
            "price": { "pricePerMessage": 0.01, "currency": "EUR" }, "messageCount": 1, "callbackData": "x",
            "status": { "groupId": group, "id": state, "name": "NAME", "description": "words" },
            "error": { "groupId": 0, "id": error, "name": "ERROR", "description": "more words", "permanent": true },
        })
    }

    #[test]
    fn a_list_of_reports() {
        let table = [
            (1, 7, 0, ReceiptState::Pending, None),
            (3, 2, 0, ReceiptState::Pending, Some("2")),
            (3, 5, 0, ReceiptState::Delivered, None),
            (2, 9, 1, ReceiptState::Undelivered, Some("1")),
            (4, 15, 0, ReceiptState::Undelivered, Some("15")),
            (4, 29, 0, ReceiptState::Pending, Some("29")),
            (5, 52, 0, ReceiptState::Undelivered, Some("52")),
            (9, 1, 0, ReceiptState::Pending, None),
        ];
        let reports: Vec<Value> = table
            .iter()
            .enumerate()
            .map(|(at, (group, state, error, ..))| report(&format!("m{at}"), *group, *state, *error))
            .collect();
        let events = receive(json!({ "results": reports }).to_string().as_bytes()).expect("believed");
        assert_eq!(events.len(), table.len());
        for (at, (event, (.., state, code))) in events.iter().zip(table).enumerate() {
            let Event::Receipt(receipt) = event else { panic!("{event:?}") };
            assert_eq!((receipt.reference.as_str(), receipt.state), (format!("m{at}").as_str(), state));
            assert_eq!(receipt.reason.as_ref().map(|reason| reason.code.as_str()), code, "m{at}");
            assert_eq!(receipt.at_ms, Some(dispatcher_plugin::testing::NOW_MS + 1500));
        }
    }

    #[test]
    fn a_message_to_us() {
        let body = json!({ "results": [{
            "messageId": "m1", "from": "525512345678", "to": "12345", "text": "ALTO ñ", "cleanText": "ñ",
            "keyword": "ALTO", "receivedAt": "2026-11-22T00:00:01.500+0000", "smsCount": 1,
        }], "messageCount": 1, "pendingMessageCount": 0 });
        let events = receive(body.to_string().as_bytes()).expect("believed");
        let [Event::Inbound(inbound)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((inbound.from.as_str(), inbound.to.as_str()), ("+525512345678", "12345"));
        assert_eq!((inbound.id.as_str(), inbound.text.as_str()), ("m1", "ALTO ñ"));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for body in [&b""[..], b"{}", b"[]", b"{\"results\":[{}]}", b"{\"results\":7}", b"\xff", b"<html>"] {
            assert_eq!(receive(body).unwrap_err().code, "unreadable", "{body:?}");
        }
        assert_eq!(receive(b"{\"results\":[]}").expect("an empty list"), []);
        let many = json!({ "results": vec![report("m", 3, 5, 0); EVENTS_MAX + 1] });
        assert_eq!(receive(many.to_string().as_bytes()).unwrap_err().code, "too-many");
    }
}
