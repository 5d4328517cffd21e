//! The `[[tests]]` of a file, run.

use std::path::Path;

use dispatch_config::{Inputs, Routers, TestResult, load, run_tests};
use dispatch_model::{Content, Direction, EmailContent, PhoneNumber, SmsContent, Submission, Timestamp};

const CONFIG: &str = r#"
[[sources]]
name = "highlevel"
path = "/webhooks/highlevel"
verify = ["highlevel"]

[backends.a]
plugin = "log"

[backends.b]
plugin = "log"

[[routes]]
name = "mexico"
channel = "sms"
when = { phone_prefix = "+52" }
deliver = ["a", "b"]

[[routes]]
name = "sms"
channel = "sms"
deliver = "b"

[[inbound]]
name = "replies"
backend = "a"
channel = "sms"
to = "b"
"#;

/// A payload is a phone number or an address.
fn parse(bytes: &[u8], inbound: bool) -> Result<Submission, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?.trim();
    let content = match text.strip_prefix('+') {
        Some(_) => {
            let to = PhoneNumber { original: text.to_owned(), e164: Some(text.to_owned()) };
            Content::Sms(SmsContent { to, text: String::new() })
        }
        None if text.contains('@') => Content::Email(EmailContent {
            from: None,
            to: vec![text.to_owned()],
            cc: vec![],
            bcc: vec![],
            subject: String::new(),
            html: String::new(),
            text: None,
            in_reply_to: None,
        }),
        None => return Err("no message in it".to_owned()),
    };
    Ok(Submission {
        direction: match inbound {
            true => Direction::Inbound { from: text.to_owned() },
            false => Direction::Outbound,
        },
        source: "a".into(),
        location: "L1".into(),
        external_id: "1".into(),
        contact: None,
        received_at: Timestamp::from_millis(0),
        content,
        attachments: vec![],
        extra: serde_json::Map::new(),
        problem: None,
    })
}

fn run(payload: &str, expect: &str) -> TestResult {
    run_of("message", payload, expect)
}

/// `key` is `message` or `inbound`.
fn run_of(key: &str, payload: &str, expect: &str) -> TestResult {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("message"), payload).expect("a file");
    let file = folder.path().join("config.toml");
    let text = format!("{CONFIG}\n[[tests]]\n{key} = \"message\"\nexpect = {expect}\n");
    std::fs::write(&file, text).expect("a file");
    let inputs = Inputs { files: vec![file], bundled_plugins: vec!["log".to_owned()], ..Inputs::default() };
    let loaded = load(&inputs).expect("nothing is wrong with this file");
    let mut results =
        run_tests(&loaded.config, Routers { outbound: &loaded.router, inbound: &loaded.inbound }, &parse);
    assert_eq!(results.len(), 1);
    results.remove(0)
}

#[test]
fn a_test_passes_when_all_is_as_expected() {
    for (payload, expect) in [
        ("+525512345678", r#"{ route = "mexico", deliver = ["a", "b"] }"#),
        ("+15864603685", r#"{ route = "sms" }"#),
        ("+15864603685", r#"{ deliver = "b" }"#),
        ("a@b.example", "{ none = true }"),
    ] {
        let result = run(payload, expect);
        assert!(result.passed(), "{payload} {expect}: {:?}", result.failure);
        assert!(result.explanation.is_some());
        assert!(result.message.ends_with(Path::new("message")));
    }
}

#[test]
fn a_message_from_a_person_takes_an_inbound_route() {
    let right = run_of("inbound", "+525512345678", r#"{ route = "replies", deliver = "b" }"#);
    assert!(right.passed(), "{:?}", right.failure);
    let wrong = run_of("inbound", "a@b.example", r#"{ route = "replies" }"#);
    assert_eq!(wrong.failure.as_deref(), Some("expected route \"replies\", but no route matches"));
}

#[test]
fn a_test_that_fails_says_what_came_instead() {
    for (payload, expect, failure) in [
        (
            "+15864603685",
            r#"{ route = "mexico" }"#,
            "expected route \"mexico\", but \"sms\" matches, since when.phone_prefix does not hold",
        ),
        (
            "+525512345678",
            r#"{ route = "sms" }"#,
            "expected route \"sms\", but \"mexico\" matches, which stands before it",
        ),
        (
            "+525512345678",
            r#"{ deliver = ["b", "a"] }"#,
            "expected delivery by \"b\" then \"a\", but it is \"a\" then \"b\"",
        ),
        ("+525512345678", "{ none = true }", "expected no route, but \"mexico\" matches"),
        ("a@b.example", r#"{ route = "sms" }"#, "expected route \"sms\", but no route matches"),
        ("a@b.example", r#"{ deliver = "a" }"#, "no route matches"),
        ("nothing", r#"{ route = "sms" }"#, "no message in it"),
    ] {
        let result = run(payload, expect);
        assert!(!result.passed());
        assert_eq!(result.failure.as_deref(), Some(failure));
    }
}
