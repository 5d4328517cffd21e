//! Twilio's callbacks: what became of a message, and messages to us.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dispatcher_plugin::secrets::{self, Algorithm};
use dispatcher_plugin::{
    Callback, Channel, Context, Event, Inbound, Reason, Receipt, ReceiptState, Receive, ReceiveStep, Received,
};

use super::{Settings, Twilio, settings};

impl Receive for Twilio {
    type State = ();

    fn receive(_: &Context<Settings>, callback: &Callback) -> Result<ReceiveStep<()>, Reason> {
        let signed = if callback.method == "POST" { form(callback)? } else { Vec::new() };
        verify(callback, &signed)?;
        let fields = if callback.method == "POST" { signed } else { callback.query() };
        let event = event(&fields)?;
        Ok(Received::new(event.into_iter().collect()).answer("text/xml", "<Response/>").into())
    }
}

fn form(callback: &Callback) -> Result<Vec<(String, String)>, Reason> {
    let kind = callback.header("content-type").unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        return Err(Reason::new("content-type", "Twilio sends forms"));
    }
    Ok(callback.form())
}

/// The signature is over the whole URL and then each field's name and value, in the order of the names.
fn verify(callback: &Callback, fields: &[(String, String)]) -> Result<(), Reason> {
    // SignalWire signs by the same rule under a name of its own.
    let given = callback
        .header("x-twilio-signature")
        .or_else(|| callback.header("x-signalwire-signature"))
        .ok_or(Reason::new("unsigned", "there is no signature"))?;
    let signature =
        BASE64_STANDARD.decode(given).map_err(|_| Reason::new("signature", "the signature is not base64"))?;
    let mut sorted: Vec<&(String, String)> = fields.iter().collect();
    sorted.sort();
    // The same field twice with the same value is signed once.
    sorted.dedup();
    let signed: String = sorted.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
    for url in urls(&callback.url) {
        let data = format!("{url}{signed}");
        match secrets::verify(settings::AUTH_TOKEN, Algorithm::HmacSha1, data.as_bytes(), &signature) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => return Err(Reason::new("secret", error.to_string())),
        }
    }
    Err(Reason::new("signature", "the signature is not of this account and this URL"))
}

/// Twilio signs the URL with the default port in some cases and without it in others.
fn urls(url: &str) -> Vec<String> {
    let mut urls = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return urls };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let port = if scheme == "http" { ":80" } else { ":443" };
    match authority.strip_suffix(port) {
        Some(host) => urls.push(format!("{scheme}://{host}{path}")),
        None if !authority.contains(':') => urls.push(format!("{scheme}://{authority}{port}{path}")),
        None => {}
    }
    urls
}

/// What it says; nothing where it is a state that tells nothing.
fn event(fields: &[(String, String)]) -> Result<Option<Event>, Reason> {
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let id = field("MessageSid").or_else(|| field("SmsSid"));
    let id = id.filter(|id| !id.is_empty()).ok_or(Reason::new("incomplete", "there is no MessageSid"))?;
    let state = field("MessageStatus").or_else(|| field("SmsStatus"));
    match state {
        // Older accounts send the status `received` with an inbound message.
        Some(state) if state != "received" => Ok(receipt_state(state).map(|state| {
            let reason = field("ErrorCode").filter(|code| !code.is_empty() && *code != "0").map(|code| {
                Reason::new(code, field("ErrorMessage").unwrap_or("see twilio.com/docs/api/errors"))
            });
            Event::Receipt(Receipt::new(id, state).reason(reason))
        })),
        _ => {
            let from =
                field("From").ok_or(Reason::new("incomplete", "there is neither status nor sender"))?;
            let count: usize = field("NumMedia").and_then(|count| count.parse().ok()).unwrap_or(0);
            // Twilio sends at most ten; a larger number is not Twilio's.
            let media =
                (0..count.min(10)).filter_map(|at| field(&format!("MediaUrl{at}"))).map(str::to_owned);
            Ok(Some(Event::Inbound(Inbound {
                id: id.to_owned(),
                channel: Channel::Sms,
                from: from.to_owned(),
                to: field("To").unwrap_or_default().to_owned(),
                text: field("Body").unwrap_or_default().to_owned(),
                media: media.collect(),
            })))
        }
    }
}

fn receipt_state(state: &str) -> Option<ReceiptState> {
    Some(match state {
        "accepted" | "scheduled" | "queued" | "sending" | "sent" => ReceiptState::Pending,
        "delivered" | "read" => ReceiptState::Delivered,
        "undelivered" | "failed" | "canceled" => ReceiptState::Undelivered,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::{context, set_secrets};
    use dispatcher_plugin::{Pair, percent};
    use serde_json::json;

    use super::*;

    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";

    /// Signs as Twilio does, by the stand-in's own digest.
    fn signed(url: &str, fields: &[(&str, &str)]) -> Callback {
        let mut sorted = fields.to_vec();
        sorted.sort_unstable();
        let data: String =
            std::iter::once(url).chain(sorted.iter().flat_map(|(name, value)| [*name, *value])).collect();
        let digest = secrets::hmac("auth_token", Algorithm::HmacSha1, data.as_bytes()).expect("a secret");
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value))).collect();
        callback(url, &BASE64_STANDARD.encode(digest), &body.join("&"))
    }

    fn callback(url: &str, signature: &str, body: &str) -> Callback {
        let header = |name: &str, value: &str| Pair { name: name.into(), value: value.into() };
        Callback {
            method: "POST".into(),
            url: url.into(),
            headers: vec![
                header("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                header("x-twilio-signature", signature),
            ],
            body: body.as_bytes().to_vec(),
        }
    }

    fn receive(callback: &Callback) -> Result<Received, Reason> {
        let context = context(json!({ "account_sid": "AC1", "from": "12345" }));
        match Twilio::receive(&context, callback)? {
            ReceiveStep::Received(received) => Ok(received),
            step => panic!("Twilio's callbacks are judged at once: {step:?}"),
        }
    }

    #[test]
    fn the_published_example_verifies() {
        // From Twilio's page on request validation: token 12345, a voice call's fields.
        set_secrets(&[("auth_token", "12345")]);
        let body = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
        let callback = callback(URL, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", body);
        // Genuine, but it is no message.
        assert_eq!(receive(&callback).unwrap_err().code, "incomplete");
    }

    #[test]
    fn statuses_become_receipts() {
        set_secrets(&[("auth_token", "t")]);
        let table = [
            ("queued", Some(ReceiptState::Pending)),
            ("sent", Some(ReceiptState::Pending)),
            ("delivered", Some(ReceiptState::Delivered)),
            ("undelivered", Some(ReceiptState::Undelivered)),
            ("failed", Some(ReceiptState::Undelivered)),
            ("dreaming", None),
        ];
        for (word, state) in table {
            let callback =
                signed(URL, &[("MessageSid", "SM1"), ("MessageStatus", word), ("ErrorCode", "30003")]);
            let received = receive(&callback).expect("believed");
            assert_eq!((received.status, received.body.as_slice()), (200, b"<Response/>".as_slice()));
            match (received.events.as_slice(), state) {
                ([Event::Receipt(receipt)], Some(state)) => {
                    assert_eq!((receipt.reference.as_str(), receipt.state), ("SM1", state));
                    assert_eq!(receipt.reason.as_ref().expect("a reason").code, "30003");
                }
                ([], None) => {}
                other => panic!("{word}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_message_to_us() {
        set_secrets(&[("auth_token", "t")]);
        let received = receive(&signed(
            URL,
            &[
                ("MessageSid", "SM2"),
                ("From", "+525512345678"),
                ("To", "+525500001111"),
                ("Body", "STOP ñ"),
                ("NumMedia", "1"),
                ("MediaUrl0", "https://api.twilio.com/x"),
                ("SmsStatus", "received"),
            ],
        ))
        .expect("believed");
        let [Event::Inbound(inbound)] = received.events.as_slice() else { panic!("{received:?}") };
        assert_eq!((inbound.text.as_str(), inbound.from.as_str()), ("STOP ñ", "+525512345678"));
        assert_eq!(inbound.media, ["https://api.twilio.com/x"]);
    }

    #[test]
    fn signalwire_has_a_name_of_its_own_for_it() {
        set_secrets(&[("auth_token", "t")]);
        let mut callback = signed(URL, &[("MessageSid", "SM1"), ("MessageStatus", "delivered")]);
        callback.headers[1].name = "x-signalwire-signature".into();
        assert!(receive(&callback).is_ok());
        callback.body.push(b'0');
        assert_eq!(receive(&callback).unwrap_err().code, "signature");
    }

    #[test]
    fn the_default_port_may_be_signed() {
        set_secrets(&[("auth_token", "t")]);
        let mut callback =
            signed("https://d.example:443/cb?x=1", &[("MessageSid", "SM1"), ("MessageStatus", "sent")]);
        callback.url = "https://d.example/cb?x=1".into();
        assert!(receive(&callback).is_ok());
    }

    #[test]
    fn forgeries_are_refused() {
        set_secrets(&[("auth_token", "t")]);
        let good = signed(URL, &[("MessageSid", "SM1"), ("MessageStatus", "delivered")]);
        assert!(receive(&good).is_ok());
        let refused = |change: &dyn Fn(&mut Callback)| {
            let mut callback = good.clone();
            change(&mut callback);
            receive(&callback).unwrap_err().code
        };
        assert_eq!(refused(&|c| c.url.push('0')), "signature");
        assert_eq!(refused(&|c| c.body.extend_from_slice(b"&x=1")), "signature");
        assert_eq!(refused(&|c| c.body.clear()), "signature");
        assert_eq!(refused(&|c| c.headers.truncate(1)), "unsigned");
        assert_eq!(refused(&|c| c.headers[1].value = "*".into()), "signature");
        assert_eq!(refused(&|c| c.headers[1].value = String::new()), "signature");
        assert_eq!(refused(&|c| c.headers[0].value = "application/json".into()), "content-type");
        assert_eq!(refused(&|c| c.body = vec![0xff, b'%', 0]), "signature");
        // A GET is signed over its URL alone.
        assert_eq!(refused(&|c| c.method = "GET".into()), "signature");
        set_secrets(&[]);
        assert_eq!(receive(&good).unwrap_err().code, "secret");
    }
}
