//! The twelve fixtures, as HighLevel sends them, and what becomes of each.

use dispatch_model::Content;

use crate::door::{Door, sms};

/// The fixture, the answer's word, and what is stored: the number or address it goes to.
const FIXTURES: [(&str, &str, Option<&str>); 12] = [
    ("A1_doc_sms", "accepted", Some("+15864603685")),
    ("A2_doc_email", "accepted", Some("abc@gmail.com")),
    ("B1_live_sms_full", "accepted", Some("+525512345678")),
    ("B2_live_sms_workflow_no_user", "accepted", Some("+525512345678")),
    ("B3_live_type_custom", "accepted", Some("+525512345678")),
    ("B4_attachment_only", "accepted", Some("+525512345678")),
    ("C1_reply_to_alt", "accepted", Some("a@example.com")),
    ("D1_platform_event_not_provider", "ignored", None),
    ("D2_validation_ping", "ignored", None),
    ("D3_email_to_string", "accepted", Some("a@example.com")),
    ("D4_unknown_location", "accepted", Some("+525512345678")),
    ("D5_bad_phone", "accepted", Some("+525512345678")),
];

fn body(name: &str) -> Vec<u8> {
    let path = format!("{}/../../tests/fixtures/highlevel/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn each_fixture_over_a_real_connection() {
    for (name, word, recipient) in FIXTURES {
        let door = Door::open().await;
        let reply = door.webhook(&body(name)).await;
        assert_eq!((reply.status, reply.word().as_str()), (200, word), "{name}");
        let messages = door.store.messages();
        assert_eq!(messages.len(), usize::from(recipient.is_some()), "{name}");
        assert!(door.store.bodies().is_empty(), "{name}");
        if let (Some(message), Some(recipient)) = (messages.first(), recipient) {
            assert_eq!(message.recipients(), [recipient], "{name}");
            assert_eq!(message.problem, None, "{name}");
            assert_eq!(message.source.as_str(), "highlevel");
            assert_eq!(message.received_at.as_millis(), 1_795_392_000_000);
            assert!(reply.body.contains(&message.id.to_string()), "{}", reply.body);
            assert_eq!(*door.handed.0.lock(), [message.id], "{name}");
        }
    }
}

#[tokio::test]
async fn all_fixtures_on_one_connection_and_once_more() {
    let door = Door::open().await;
    let mut wire = door.connect().await;
    for round in ["accepted", "duplicate"] {
        for (name, word, _) in FIXTURES {
            wire.send(&crate::door::signed(&body(name))).await;
            let reply = wire.reply().await.unwrap();
            let expected = if word == "accepted" { round } else { word };
            assert_eq!((reply.status, reply.word().as_str()), (200, expected), "{name}");
        }
    }
    assert_eq!(door.store.messages().len(), 10);
    assert_eq!(door.handed.0.lock().len(), 10, "a duplicate is not handed on");
}

#[tokio::test]
async fn a_platform_event_does_not_take_the_key_of_the_message() {
    let door = Door::open().await;
    assert_eq!(door.webhook(&body("D1_platform_event_not_provider")).await.word(), "ignored");
    assert_eq!(door.webhook(&body("B1_live_sms_full")).await.word(), "accepted");
    assert_eq!(door.store.messages()[0].external_id, "mSg000000000000000A1");
}

#[tokio::test]
async fn what_cannot_be_delivered_is_promised_with_its_reason() {
    let door = Door::open().await;
    for (n, (fields, code)) in [
        (r#""type":"SMS","phone":"no number""#, "bad-recipient"),
        (r#""type":"SMS","phone":"12345""#, "bad-recipient"),
        (r#""type":"SMS""#, "no-recipient"),
        (r#""type":"Email","emailTo":[]"#, "no-recipient"),
        (r#""type":"WhatsApp","phone":"+525512345678""#, "unsupported-type"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = format!(r#"{{"locationId":"L","messageId":"M{n}","message":"x",{fields}}}"#);
        let reply = door.webhook(body.as_bytes()).await;
        assert_eq!((reply.status, reply.word().as_str()), (200, "accepted"), "{fields}");
        let message = door.store.messages()[n].clone();
        assert_eq!(message.problem.as_ref().map(|reason| reason.code.as_str()), Some(code), "{fields}");
        let shown = message.problem.as_ref().unwrap().to_string();
        assert!(!shown.contains("no number") && !shown.contains("12345"), "{shown}");
    }
    let Content::Sms(sms) = &door.store.messages()[0].content else { panic!() };
    assert_eq!((sms.to.original.as_str(), &sms.to.e164), ("no number", &None));
}

#[tokio::test]
async fn a_verified_body_that_nobody_understands_is_quarantined_once() {
    let door = Door::open().await;
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let bodies: [&[u8]; 6] = [
        b"{\"type\":\"SMS\",\"loca",
        b"\xff\xfe\x00 not text",
        b"[]",
        deep.as_bytes(),
        b"{\"type\":\"SMS\",\"phone\":\"+525512345678\"}",
        b"<xml/>",
    ];
    for body in bodies {
        for _ in 0..2 {
            let reply = door.webhook(body).await;
            assert_eq!((reply.status, reply.word().as_str()), (200, "quarantined"));
        }
    }
    let kept = door.store.bodies();
    assert_eq!(kept.len(), bodies.len());
    for (kept, body) in kept.iter().zip(bodies) {
        assert_eq!(kept.body, body);
        assert!(!kept.reason.is_empty() && kept.source.as_str() == "highlevel");
    }
    assert!(door.store.messages().is_empty());
}

#[tokio::test]
async fn what_the_store_finds_invalid_is_kept_as_bytes() {
    let door = Door::open().await;
    door.store.fail_next([crate::store::Fault::Invalid]);
    let body = sms("M");
    assert_eq!(door.webhook(&body).await.word(), "quarantined");
    assert_eq!(door.store.bodies()[0].body, body);
}
