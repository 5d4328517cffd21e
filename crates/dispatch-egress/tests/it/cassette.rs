//! The cassette: answers from a record, in order.

use std::time::{Duration, Instant};

use dispatch_egress::CassetteEgress;
use dispatch_engine::{Call, Egress as _, FetchBounds, FetchError, Grants, SpoolContent};
use dispatch_model::{
    Action, Effect, Escape, Exchange, FailureKind, HttpRequest, MailSubmission, Piece, Reply, Timestamp,
};

use crate::support::{failed, get, http, post};

const CASSETTE: &str = r#"[
    { "match": { "http": { "method": "POST", "url": "https://api.example.com/*", "body": ["To=1", "k={secret:key}"] } },
      "reply": { "http": { "status": 201, "headers": [], "body": "first" } } },
    { "match": { "http": { "url": "https://api.example.com/status" } }, "repeat": true,
      "reply": { "http": { "status": 200, "headers": [], "body": "again" } } },
    { "match": { "mail": { "recipient": "ana@example.com" } },
      "reply": { "failed": { "kind": "timeout", "detail": "no answer", "may_have_left": true } } },
    { "match": { "fetch": { "url": "https://cdn.example.com/*" } }, "repeat": true,
      "reply": { "http": { "status": 200, "headers": [{ "name": "content-type", "value": "image/png" }], "body": "png" } } },
    { "match": { "fetch": { "url": "https://gone.example.com/x" } },
      "reply": { "http": { "status": 404, "headers": [], "body": "" } } }
]"#;

async fn perform(cassette: &CassetteEgress, action: &Action) -> Reply {
    let grants = Grants::default();
    let call = Call { grants: &grants, attachments: &[], deadline: Instant::now() + Duration::from_secs(1) };
    cassette.perform(action, &call).await
}

#[tokio::test]
async fn answers_what_fits_in_order() {
    let cassette = CassetteEgress::from_json(CASSETTE).unwrap();
    let mut send = post("https://api.example.com/send", "To=1&k=");
    send.body.push(Piece::Secret { name: "key".to_owned(), escape: Escape::Percent });
    let send = Action::Http(send);
    assert_eq!(&http(perform(&cassette, &send).await).body[..], b"first");
    let (kind, left, detail) = failed(perform(&cassette, &send).await);
    assert_eq!((kind, left), (FailureKind::Refused, false));
    assert!(detail.contains("POST https://api.example.com/send"), "{detail}");

    let status = Action::Http(get("https://api.example.com/status"));
    for _ in 0..3 {
        assert_eq!(&http(perform(&cassette, &status).await).body[..], b"again");
    }
    let mail = |recipient: &str| {
        Action::Mail(MailSubmission {
            sender: String::new(),
            recipients: vec![recipient.to_owned()],
            body: Vec::new(),
        })
    };
    assert_eq!(failed(perform(&cassette, &mail("eva@example.com")).await).0, FailureKind::Refused);
    assert_eq!(
        failed(perform(&cassette, &mail("ana@example.com")).await),
        (FailureKind::Timeout, true, "no answer".to_owned())
    );
    assert_eq!((cassette.taken().len(), cassette.unused()), (7, 1));
}

#[tokio::test]
async fn attachments_come_from_it_too() {
    let cassette = CassetteEgress::from_json(CASSETTE).unwrap();
    let bounds = FetchBounds { max_bytes: 3, timeout: Duration::from_secs(1) };
    let spooled = cassette.fetch("https://cdn.example.com/a/photo?x", bounds).await.unwrap();
    assert_eq!((spooled.file.name.as_str(), spooled.file.size), ("photo.png", 3));
    assert!(matches!(spooled.content, SpoolContent::Memory(_)));
    let small = FetchBounds { max_bytes: 2, ..bounds };
    assert_eq!(
        cassette.fetch("https://cdn.example.com/a", small).await.unwrap_err(),
        FetchError::TooLarge(2)
    );
    assert_eq!(
        cassette.fetch("https://gone.example.com/x", bounds).await.unwrap_err(),
        FetchError::Missing(404)
    );
    assert!(matches!(
        cassette.fetch("https://gone.example.com/x", bounds).await,
        Err(FetchError::Refused(_))
    ));
}

#[tokio::test]
async fn a_recorded_attempt_plays_again() {
    let action = Action::Http(post("https://api.example.com/send", "hello"));
    let reply = Reply::Failed { kind: FailureKind::Reset, detail: "broke".to_owned(), may_have_left: true };
    let at = Timestamp::from_millis(0);
    let exchange =
        Exchange { at, took_ms: 1, action: action.clone(), effect: Effect::Delivers, reply: reply.clone() };
    let cassette = CassetteEgress::of_exchanges(&[exchange]);
    let other = Action::Http(HttpRequest { redirects: 1, ..post("https://api.example.com/send", "hello") });
    assert_eq!(failed(perform(&cassette, &other).await).0, FailureKind::Refused);
    assert_eq!(perform(&cassette, &action).await, reply);
}
