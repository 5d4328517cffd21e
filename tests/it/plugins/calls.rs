//! Whole calls: what the host gives a guest and what it makes of the answer.

use std::sync::Arc;

use dispatch_model::{
    Action, Body, Callback, Event, FailureKind, HttpCallback, HttpResponse, LookupQuery, LookupStep, Pair,
    ReceiptState, ReceiveStep, Reply,
};

use super::*;

const SETTINGS: &str = r#"{"account_sid":"AC0123456789abcdef0123456789abcdef","from":"+525500001111"}"#;

fn http(status: u16, body: &str) -> Reply {
    Reply::Http(HttpResponse {
        status,
        headers: vec![Pair { name: "content-type".to_owned(), value: "application/json".to_owned() }],
        body: Body::from(body.to_owned()),
        truncated: false,
    })
}

fn text(pieces: &[dispatch_model::Piece]) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            dispatch_model::Piece::Bytes(bytes) => bytes.to_text(),
            other => panic!("not text: {other:?}"),
        })
        .collect()
}

#[tokio::test]
async fn a_delivery_by_twilio() {
    let host = host();
    let twilio = load(&host, "twilio").await;
    let (context, grants) = (context(SETTINGS), grants(&[("auth_token", "s3cret")]));
    let ask = asked(twilio.deliver(&context, &Arc::new(sms("Hola & adiós")), &grants).await.unwrap());
    let Action::Http(request) = &ask.action else { panic!("{ask:?}") };
    assert!(text(&request.url).starts_with("https://api.twilio.com/2010-04-01/Accounts/AC0123"));
    assert!(text(&request.body).contains("To=%2B525512345678&From=%2B525500001111&Body=Hola%20%26%20adi"));
    assert!(!format!("{ask:?}").contains("s3cret"), "the guest never saw it");

    let created = http(201, r#"{"sid":"SM1","status":"queued","num_segments":"2"}"#);
    let step = twilio.on_reply(&context, &ask.state, &Arc::new(created), &grants).await.unwrap();
    let Step::Done(Outcome::Accepted(taken)) = step else { panic!("{step:?}") };
    assert_eq!((taken.references, taken.parts), (vec!["SM1".to_owned()], Some(2)));

    let lost =
        Reply::Failed { kind: FailureKind::Timeout, detail: "no answer".to_owned(), may_have_left: true };
    let step = twilio.on_reply(&context, &ask.state, &Arc::new(lost), &grants).await.unwrap();
    assert!(matches!(step, Step::Done(Outcome::Unknown { .. })), "{step:?}");
}

#[tokio::test]
async fn settings_are_held_against_schema_and_plugin() {
    let host = host();
    let twilio = load(&host, "twilio").await;
    let asks = twilio.check(SETTINGS).await.unwrap().unwrap();
    assert_eq!(asks.hosts, ["api.twilio.com"]);
    let problems =
        twilio.check(r#"{"account_sid":"AC1","form":"+525500001111"}"#).await.unwrap().unwrap_err();
    assert!(
        problems.iter().any(|one| one.path == "form" && one.message.contains("did you mean `from`?")),
        "{problems:?}"
    );
}

#[tokio::test]
async fn a_signed_callback_is_believed_and_another_is_not() {
    let host = host();
    let twilio = load(&host, "twilio").await;
    let url = "https://d.example.com/callbacks/t0k3n";
    let body = "AccountSid=AC0123456789abcdef0123456789abcdef&MessageSid=SM1&MessageStatus=delivered";
    // Base64 of the HMAC-SHA1, under `s3cret`, of the URL and then each field, name and value without
    // anything between.
    let signature = "AapYbQx0IYdpYhUSew3iNVkroSw=";
    let callback = |signature: &str| {
        Callback::Http(HttpCallback {
            method: "POST".to_owned(),
            url: url.to_owned(),
            headers: vec![
                Pair {
                    name: "content-type".to_owned(),
                    value: "application/x-www-form-urlencoded".to_owned(),
                },
                Pair { name: "x-twilio-signature".to_owned(), value: signature.to_owned() },
            ],
            body: Body::from(body),
        })
    };
    let (context, grants) = (context(SETTINGS), grants(&[("auth_token", "s3cret")]));
    let step = twilio.receive(&context, &callback(signature), &grants).await.unwrap();
    let ReceiveStep::Received(received) = step else { panic!("{step:?}") };
    let [Event::Receipt(receipt)] = &received.events[..] else { panic!("{received:?}") };
    assert_eq!((receipt.reference.as_str(), receipt.state), ("SM1", ReceiptState::Delivered));
    let step = twilio.receive(&context, &callback("AAAA"), &grants).await.unwrap();
    assert!(matches!(step, ReceiveStep::Refused(_)), "{step:?}");
}

#[tokio::test]
async fn an_attempt_nobody_knows_of_is_asked_for() {
    let host = host();
    let twilio = load(&host, "twilio").await;
    let (context, grants) = (context(SETTINGS), grants(&[("auth_token", "s3cret")]));
    let query = LookupQuery { message: sms("Hola"), attempted_at: context.now };
    let step = twilio.lookup(&context, &query, &grants).await.unwrap();
    let LookupStep::Ask(ask) = step else { panic!("{step:?}") };
    let none = http(200, r#"{"messages":[],"next_page_uri":null}"#);
    let step = twilio.on_lookup_reply(&context, &ask.state, &Arc::new(none), &grants).await.unwrap();
    assert!(!matches!(step, LookupStep::Found(_)), "{step:?}");
}

#[tokio::test]
async fn the_same_input_gives_the_same_output() {
    let host = host();
    let twilio = load(&host, "twilio").await;
    let (context, grants) = (context(SETTINGS), grants(&[]));
    let first = twilio.deliver(&context, &Arc::new(sms("Hola")), &grants).await.unwrap();
    for _ in 0..50 {
        assert_eq!(twilio.deliver(&context, &Arc::new(sms("Hola")), &grants).await.unwrap(), first);
    }
}
