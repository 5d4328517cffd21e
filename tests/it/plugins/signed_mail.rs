//! Callbacks of mail providers that the vendors' own libraries sign, or believe, are believed; with one byte changed they
//! are not.

use dispatch_model::{Body, Callback, Event, HttpCallback, Pair, ReceiptState, ReceiveStep};
use dispatch_testkit::Counterparts;
use serde_json::{Value, json};

use super::*;

/// A callback with these headers, and with the pairs of a JSON object among them.
fn callback(headers: &Value, body: &str) -> HttpCallback {
    let pair = |(name, value): (&String, &Value)| Pair {
        name: name.clone(),
        value: value.as_str().expect("text").to_owned(),
    };
    HttpCallback {
        method: "POST".to_owned(),
        url: "https://d.example.com/callbacks/mails/t0k3n".to_owned(),
        headers: headers.as_object().expect("headers").iter().map(pair).collect(),
        body: Body::from(body.to_owned()),
    }
}

/// Believed as it is, with these receipts. Not believed with one byte of the body or of a header changed.
async fn prove(
    plugin: &Plugin,
    context: &Context,
    grants: &Grants,
    good: &HttpCallback,
    references: &[&str],
) {
    let name = plugin.name();
    let receive = async |callback: &HttpCallback| {
        plugin.receive(context, &Callback::Http(callback.clone()), grants).await.unwrap()
    };
    let ReceiveStep::Received(received) = receive(good).await else { panic!("{name} believes nothing") };
    let found: Vec<&str> = received
        .events
        .iter()
        .map(|event| match event {
            Event::Receipt(receipt) if receipt.state == ReceiptState::Delivered => receipt.reference.as_str(),
            event => panic!("{name}: {event:?}"),
        })
        .collect();
    assert_eq!(found, references, "{name}");
    let body = good.body.to_text().to_string().into_bytes();
    for at in 0..body.len() {
        let mut bytes = body.clone();
        bytes[at] ^= 1;
        let step = receive(&HttpCallback { body: Body::from(bytes), ..good.clone() }).await;
        assert!(matches!(step, ReceiveStep::Refused(_)), "{name}, byte {at}: {step:?}");
    }
    for (at, header) in good.headers.iter().enumerate().filter(|(_, header)| header.name != "content-type") {
        let mut changed = good.clone();
        let middle = header.value.len() / 2;
        let other = if header.value.as_bytes()[middle] == b'7' { "8" } else { "7" };
        changed.headers[at].value.replace_range(middle..=middle, other);
        let step = receive(&changed).await;
        assert!(matches!(step, ReceiveStep::Refused(_)), "{name}, {}: {step:?}", header.name);
    }
}

#[tokio::test]
#[ignore = "needs the vendors' libraries: run `cargo xtask test`"]
async fn what_mail_vendors_sign_is_believed_and_nothing_else() {
    let resend = json!({ "type": "email.delivered", "created_at": "2026-11-22T00:00:00Z", "data": { "email_id": "re-1" } });
    let event = |key: &str| json!({ "event": "delivered", "dispatcher_key": key, "email": "a@b.example" });
    let bodies =
        json!({ "resend": resend.to_string(), "sendgrid": json!([event("k-1"), event("k-2")]).to_string() });
    let counterparts = Counterparts::find().unwrap();
    let signed = counterparts.script("sign_mail_callbacks.cjs", &json!({ "bodies": bodies })).await.unwrap();
    let now = Timestamp::from_millis(signed["time"].as_i64().unwrap() * 1000);
    let host = host();
    let text = |value: &Value| value.as_str().unwrap().to_owned();

    let plugin = load(&host, "resend").await;
    let here = Context { now, ..context(r#"{"webhooks":true}"#) };
    let secret = text(&signed["resend"]["secret"]);
    let good = callback(&signed["resend"]["headers"], &text(&bodies["resend"]));
    prove(&plugin, &here, &grants(&[("webhook_secret", &secret)]), &good, &["re-1"]).await;

    let plugin = load(&host, "sendgrid").await;
    let settings = json!({ "webhook_public_key": signed["sendgrid"]["public_key"] }).to_string();
    let here = Context { now, ..context(&settings) };
    let good = callback(&signed["sendgrid"]["headers"], &text(&bodies["sendgrid"]));
    prove(&plugin, &here, &grants(&[]), &good, &["k-1", "k-2"]).await;
}
