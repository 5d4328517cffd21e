//! The tolerant reader, on the twelve fixtures and on what else may come.

use dispatch_highlevel::{Ignored, Parsed, Payload, is_ping, parse};
use dispatch_model::{Channel, Content, EmailContent, SmsContent};
use proptest::prelude::*;
use serde_json::{Value, json};

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/fixtures/highlevel/", $name, ".json")).as_slice()
    };
}

fn payload(body: &[u8]) -> Payload {
    match parse(body) {
        Parsed::Payload(payload) => *payload,
        other => panic!("{}: {other:?}", String::from_utf8_lossy(body)),
    }
}

fn of(body: Value) -> Payload {
    payload(body.to_string().as_bytes())
}

fn sms(payload: &Payload) -> &SmsContent {
    match &payload.content {
        Content::Sms(sms) => sms,
        other => panic!("{other:?}"),
    }
}

fn email(payload: &Payload) -> &EmailContent {
    match &payload.content {
        Content::Email(email) => email,
        other => panic!("{other:?}"),
    }
}

fn problem(payload: &Payload) -> Option<&str> {
    payload.problem.as_ref().map(|reason| reason.code.as_str())
}

fn reason(body: &[u8]) -> String {
    match parse(body) {
        Parsed::Unparseable { reason } => reason,
        other => panic!("{}: {other:?}", String::from_utf8_lossy(body)),
    }
}

/// A minimal good SMS with some fields set differently; null means as JSON null.
fn with(fields: Value) -> Value {
    let mut body =
        json!({"locationId": "L", "messageId": "M", "type": "SMS", "phone": "+525512345678", "message": "x"});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[test]
fn the_published_sms() {
    let read = payload(fixture!("A1_doc_sms"));
    assert_eq!(read.location.as_str(), "GKAWb4yu7A4LSc0skQ6g");
    assert_eq!(read.external_id, "GKJxs4P5L8dWc5CFUITM");
    assert_eq!(read.contact.as_ref().unwrap().as_str(), "GKBhT6BfwY9mjzXAU3sq");
    assert_eq!(sms(&read).to.original, "+15864603685");
    assert_eq!(sms(&read).text, "The text message to be sent to the contact");
    assert_eq!(read.attachments.len(), 1);
    assert_eq!(Value::Object(read.extra.clone()), json!({"type": "SMS", "userId": "GK56r6wdJDrkUPd0xsmx"}));
    assert_eq!(read.problem, None);
}

#[test]
fn the_published_email() {
    let read = payload(fixture!("A2_doc_email"));
    let mail = email(&read);
    assert_eq!(mail.to, ["abc@gmail.com"]);
    assert_eq!(mail.from.as_deref(), Some("From Name <email@gmail.com>"));
    assert_eq!(mail.subject, "Subject from Conversation Page");
    assert!(mail.html.contains("outobund"));
    assert_eq!(mail.text, None);
    assert_eq!(read.extra["emailMessageId"], "GK56r6wdJDrkUPd0xsmx");
    assert_eq!(read.problem, None);
}

#[test]
fn the_other_fixtures_that_are_messages() {
    let full = payload(fixture!("B1_live_sms_full"));
    assert_eq!(sms(&full).text, "Hola, ¿cómo estás?");
    for name in ["conversationId", "conversationProviderId", "customUserId", "userId", "type"] {
        assert!(full.extra.contains_key(name), "{name}");
    }
    assert_eq!(sms(&payload(fixture!("B2_live_sms_workflow_no_user"))).text, "Recordatorio");

    let custom = payload(fixture!("B3_live_type_custom"));
    assert_eq!(sms(&custom).text, "hola");
    assert_eq!(custom.extra["type"], "Custom");

    let attachments = payload(fixture!("B4_attachment_only"));
    assert_eq!(sms(&attachments).text, "");
    assert_eq!(attachments.attachments.len(), 2);
    assert_eq!(attachments.problem, None);

    let reply = payload(fixture!("C1_reply_to_alt"));
    assert_eq!(email(&reply).in_reply_to.as_deref(), Some("<abc@mx.example.com>"));

    let string = payload(fixture!("D3_email_to_string"));
    assert_eq!(email(&string).to, ["a@example.com"]);
    assert_eq!(email(&string).subject, "");
    assert!(string.attachments.is_empty());
    assert_eq!(string.problem, None);

    assert_eq!(payload(fixture!("D4_unknown_location")).location.as_str(), "LoC000000000000000ZZ");
    assert_eq!(sms(&payload(fixture!("D5_bad_phone"))).to.original, "55 1234 5678");
}

#[test]
fn pings_and_platform_events_are_ignored() {
    let event = Parsed::Ignored(Ignored::PlatformEvent);
    assert_eq!(parse(fixture!("D1_platform_event_not_provider")), event);
    for body in [fixture!("D2_validation_ping"), b"", b" \r\n", b"{}", b" {\n} \n"] {
        assert!(is_ping(body));
        assert_eq!(parse(body), Parsed::Ignored(Ignored::Ping));
    }
    for body in [&b"{"[..], b"}", b"{}{}", b"[]", b"null", b"{\"a\":1}"] {
        assert!(!is_ping(body), "{body:?}");
    }
    for body in [
        json!({"type": "InboundMessage", "messageType": "SMS", "messageId": "M", "locationId": "L", "body": "x"}),
        json!({"messageType": "SMS", "direction": "outbound", "body": "x", "messageId": "M", "locationId": "L"}),
        json!({"type": "ContactUpdate", "id": "c", "locationId": "L", "phone": "+525512345678"}),
        json!({"type": "TaskCreate", "id": "t", "locationId": "L", "body": "call back", "title": "t"}),
        json!({"type": "INSTALL", "appId": "a", "companyId": "c"}),
        with(json!({"direction": "inbound"})),
    ] {
        assert_eq!(parse(body.to_string().as_bytes()), event, "{body}");
    }
}

#[test]
fn new_fields_do_not_turn_a_message_into_an_event() {
    let read =
        of(with(json!({"direction": "outbound", "messageType": "SMS", "body": "x", "new": {"deep": [1]}})));
    assert_eq!(problem(&read), None);
    assert_eq!(read.extra["new"], json!({"deep": [1]}));
}

#[test]
fn types_are_read_without_case_and_custom_by_its_fields() {
    for kind in ["SMS", "sms", " Sms "] {
        assert_eq!(problem(&of(with(json!({"type": kind})))), None, "{kind}");
    }
    let mail = json!({"phone": null, "emailTo": "a@b.mx"});
    for kind in ["EMAIL", "email", "custom", "CUSTOM"] {
        let mut body = with(mail.clone());
        body["type"] = json!(kind);
        assert_eq!(email(&of(body)).to, ["a@b.mx"], "{kind}");
    }
    let both = of(with(json!({"type": "Custom", "emailTo": "a@b.mx"})));
    assert_eq!(sms(&both).to.original, "+525512345678");
}

#[test]
fn what_cannot_be_delivered_is_kept_with_its_reason() {
    let long: Vec<String> = (0..501).map(|n| format!("a{n}@b.mx")).collect();
    for (fields, expected, channel) in [
        (json!({"type": "WhatsApp"}), "unsupported-type", Channel::Sms),
        (json!({"type": "Fax", "phone": null, "emailTo": "a@b.mx"}), "unsupported-type", Channel::Email),
        (json!({"type": null}), "unsupported-type", Channel::Sms),
        (json!({"type": 7}), "unsupported-type", Channel::Sms),
        (json!({"phone": null}), "no-recipient", Channel::Sms),
        (json!({"phone": " "}), "no-recipient", Channel::Sms),
        (json!({"type": "Custom", "phone": ""}), "no-recipient", Channel::Sms),
        (json!({"type": "Email"}), "no-recipient", Channel::Email),
        (json!({"type": "Email", "emailTo": []}), "no-recipient", Channel::Email),
        (json!({"type": "Email", "emailTo": [null, " , "]}), "no-recipient", Channel::Email),
        (json!({"type": "Email", "emailTo": "nobody"}), "bad-recipient", Channel::Email),
        (json!({"type": "Email", "emailTo": long}), "too-many-recipients", Channel::Email),
        (json!({"type": "Email", "emailTo": {"a": 1}}), "unreadable-field", Channel::Email),
        (json!({"phone": {"a": 1}}), "unreadable-field", Channel::Sms),
        (json!({"message": ["x"]}), "unreadable-field", Channel::Sms),
        (json!({"attachments": [7]}), "unreadable-field", Channel::Sms),
        (json!({"attachments": vec!["https://a/b"; 101]}), "too-many-attachments", Channel::Sms),
    ] {
        let read = of(with(fields.clone()));
        assert_eq!(problem(&read), Some(expected), "{fields}");
        let is_mail = matches!(read.content, Content::Email(_));
        assert_eq!(is_mail, channel == Channel::Email, "{fields}");
    }
    let unsupported = of(with(json!({"type": "Whats\u{1b}[31m".to_owned() + &"x".repeat(100)})));
    let message = unsupported.problem.unwrap().message;
    assert!(message.len() < 150 && !message.contains('\u{1b}'), "{message}");
    let kept = of(with(json!({"message": ["x"]})));
    assert_eq!(kept.extra["message"], json!(["x"]));
}

#[test]
fn one_or_many_and_null() {
    let mail = |fields: Value| {
        let mut body = with(json!({"type": "Email", "emailTo": "a@b.mx"}));
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        of(body)
    };
    for (to, expected) in [
        (json!("a@b.mx"), &["a@b.mx"][..]),
        (json!("a@b.mx, c@d.mx"), &["a@b.mx", "c@d.mx"]),
        (json!(["a@b.mx", null, "c@d.mx,e@f.mx"]), &["a@b.mx", "c@d.mx", "e@f.mx"]),
    ] {
        assert_eq!(email(&mail(json!({"emailTo": to}))).to, expected);
    }
    let copies = mail(json!({"cc": "a@b.mx", "emailCc": ["c@d.mx"], "bcc": null, "emailBcc": "e@f.mx"}));
    assert_eq!(email(&copies).cc, ["a@b.mx", "c@d.mx"]);
    assert_eq!(email(&copies).bcc, ["e@f.mx"]);

    for (attachments, expected) in [
        (json!(null), &[][..]),
        (json!([]), &[]),
        (json!("https://a/b"), &["https://a/b"]),
        (
            json!([" https://a/b ", null, "", {"url": "https://c/d", "name": "x"}]),
            &["https://a/b", "https://c/d"],
        ),
    ] {
        let read = of(with(json!({"attachments": attachments})));
        let urls: Vec<_> = read.attachments.iter().map(|attachment| attachment.url.as_str()).collect();
        assert_eq!(urls, expected);
        assert_eq!(read.problem, None);
    }
    assert_eq!(sms(&of(with(json!({"message": null})))).text, "");
    assert_eq!(sms(&of(with(json!({"message": 12345})))).text, "12345");
}

#[test]
fn the_last_of_two_equal_keys_counts() {
    let read = payload(br#"{"type":"SMS","locationId":"A","locationId":"B","messageId":"M","phone":"1","phone":"+525512345678"}"#);
    assert_eq!(read.location.as_str(), "B");
    assert_eq!(sms(&read).to.original, "+525512345678");
}

#[test]
fn half_an_emoji_and_a_byte_order_mark_lose_nothing() {
    let read = payload(
        b"\xef\xbb\xbf{\"type\":\"SMS\",\"locationId\":\"A\",\"messageId\":\"M\",\"phone\":\"+525512345678\",\"message\":\"hi \\ud83d\"}",
    );
    assert_eq!(sms(&read).text, "hi \u{fffd}");
}

#[test]
fn what_cannot_be_understood_says_why_and_quotes_nothing() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
    for (body, expected) in [
        (&b"{\"secret\":"[..], "not JSON: EOF"),
        (b"\xff\xfe", "not UTF-8 from byte 0"),
        (b"{\"a\":\"\xff\"}", "not UTF-8 from byte 6"),
        (b"secret", "not JSON"),
        (b"[1]", "array"),
        (b"\"secret\"", "not an object"),
        (b"{\"a\":1} secret", "trailing"),
        (deep.as_bytes(), "nested deeper"),
        (b"{\"type\":\"SMS\",\"messageId\":\"M\"}", "locationId is missing"),
        (b"{\"type\":\"SMS\",\"locationId\":null,\"messageId\":\"M\"}", "locationId is missing"),
        (b"{\"type\":\"SMS\",\"locationId\":\"secret x\",\"messageId\":\"M\"}", "characters that no id has"),
        (b"{\"type\":\"SMS\",\"locationId\":\"L\",\"messageId\":\"\"}", "messageId is empty"),
        (b"{\"type\":\"SMS\",\"locationId\":\"L\",\"messageId\":{}}", "messageId is not text"),
    ] {
        let reason = reason(body);
        assert!(reason.contains(expected) && !reason.contains("secret"), "{reason}");
    }
    let long = json!({"type": "SMS", "locationId": "L".repeat(129), "messageId": "M"}).to_string();
    assert!(reason(long.as_bytes()).contains("too long"));
}

/// JSON of any shape, with the names that matter among its keys.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // As amounts are written. The last digit of 17 may change in reading, and nobody sends those.
        any::<i32>().prop_map(|cents| Value::from(f64::from(cents) / 100.0)),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["SMS", "Email", "Custom", "a@b.mx", "+525512345678"]).prop_map(Value::from),
    ];
    let name = prop_oneof![
        3 => prop::sample::select(vec![
            "type", "locationId", "messageId", "contactId", "phone", "message", "attachments", "emailTo",
            "emailFrom", "html", "subject", "cc", "direction", "messageType", "replyToAltId",
        ])
        .prop_map(str::to_owned),
        1 => ".{0,6}",
    ];
    leaf.prop_recursive(3, 40, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..12).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&body);
    }

    #[test]
    fn no_json_makes_it_panic_and_nothing_said_is_dropped(body in any_json()) {
        let fields = body.as_object().map_or(0, |fields| fields.len());
        if let Parsed::Payload(payload) = parse(body.to_string().as_bytes()) {
            // The two ids are always read out of it; of the others at most those with a place of their own.
            prop_assert!(payload.extra.len() + 2 <= fields);
            for (name, value) in &payload.extra {
                prop_assert_eq!(Some(value.to_string()), body.get(name).map(Value::to_string));
            }
        }
    }
}
