//! A message in, a mail out, read by a parser that others wrote; a reply in, an outcome out.

use dispatcher_plugin::testing::{self, context, email, file, link};
use dispatcher_plugin::{
    Action, Encoding, Failure, FailureKind, MailReply, Piece, Reason, RecipientReply, SmtpReply,
};
use mail_parser::{MessageParser, MimeHeaders};
use serde_json::{Value, json};

use super::*;

const KEY: &str = "01hzy3k9q8w7e-1";

fn deliver(settings: Value, message: &Message) -> (Mail, Sent) {
    match Smtp::deliver(&context(settings), message) {
        Ok(Step::Send(Action::Mail(mail), sent)) => (mail, sent),
        other => panic!("it sends a mail: {other:?}"),
    }
}

fn refusal(settings: Value, message: &Message) -> Refusal {
    Smtp::deliver(&context(settings), message).expect_err("it is refused")
}

/// The mail's bytes with the attachments as the host would splice them in.
fn wire(mail: &Mail) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Attachment { encoding: Encoding::Base64Mime, .. } => "R0lGODlh\r\n".to_owned(),
        piece => piece.to_text(),
    };
    mail.body.clone().into_vec().iter().map(piece).collect()
}

fn plain() -> Message {
    email("Ana Pérez <ana@acme.example>", "b@c.example", "Hola", "<p>Hola <b>tú</b></p>")
}

#[test]
fn a_mail_is_text_and_html() {
    let mut message = plain();
    message.cc = vec!["\"López, Juan\" <juan@c.example>".into()];
    message.bcc = vec!["hidden@c.example".into(), "B@c.example".into()];
    let (mail, _) = deliver(json!({}), &message);
    assert_eq!(mail.sender, "ana@acme.example");
    assert_eq!(mail.recipients, ["b@c.example", "juan@c.example", "hidden@c.example"]);
    let wire = wire(&mail);
    assert!(!wire.contains("hidden"), "bcc is in no header");
    assert!(!wire.replace("\r\n", "").contains(['\r', '\n']), "every line ends with CR LF");
    let parsed = MessageParser::default().parse(&wire).expect("a mail");
    assert_eq!(parsed.subject(), Some("Hola"));
    assert_eq!(parsed.message_id(), Some(format!("{KEY}@acme.example").as_str()));
    assert_eq!(parsed.date().expect("a date").to_rfc3339(), "2026-11-22T00:00:00Z");
    let from = parsed.from().and_then(|from| from.first()).expect("a sender");
    assert_eq!((from.name(), from.address()), (Some("Ana Pérez"), Some("ana@acme.example")));
    let cc = parsed.cc().and_then(|cc| cc.first()).expect("a copy");
    assert_eq!((cc.name(), cc.address()), (Some("López, Juan"), Some("juan@c.example")));
    assert_eq!(parsed.cc().map(|cc| cc.iter().count()), Some(1));
    assert_eq!(parsed.body_text(0).expect("a text").trim(), "Hola tú");
    assert_eq!(parsed.body_html(0).expect("an HTML").trim(), "<p>Hola <b>tú</b></p>");
    assert_eq!(parsed.attachment_count(), 0);
}

#[test]
fn answers_become_what_they_are() {
    testing::answers_of_steps::<Smtp>(include_str!("../testdata/answers.json"));
}

#[test]
fn the_same_call_makes_the_same_bytes() {
    let mut message = plain();
    message.attachments = vec![file("a.gif", "image/gif", 6)];
    assert_eq!(deliver(json!({}), &message), deliver(json!({}), &message));
}

#[test]
fn attachments_are_spliced_in() {
    let mut message = plain();
    message.attachments = vec![
        file("informe ñ, \"final\".pdf", "application/pdf", 6),
        link("https://f.example/x?a=1&b=2"),
        file("x.eml", "message/rfc822", 6),
        file("y", "image/png\r\nX-Evil: 1", 6),
    ];
    let (mail, _) = deliver(json!({}), &message);
    let spliced: Vec<u32> = mail
        .body
        .clone()
        .into_vec()
        .iter()
        .filter_map(|piece| match piece {
            Piece::Attachment { index, .. } => Some(*index),
            _ => None,
        })
        .collect();
    assert_eq!(spliced, [0, 2, 3]);
    let wire = wire(&mail);
    assert!(!wire.contains("X-Evil"));
    let parsed = MessageParser::default().parse(&wire).expect("a mail");
    let attachments: Vec<_> = parsed.attachments().collect();
    assert_eq!(attachments.len(), 3);
    assert_eq!(attachments[0].attachment_name(), Some("informe ñ, \"final\".pdf"));
    assert_eq!(attachments[0].contents(), b"GIF89a");
    let kinds: Vec<String> = attachments
        .iter()
        .map(|part| {
            part.content_type()
                .map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()))
                .unwrap_or_default()
        })
        .collect();
    assert_eq!(kinds, ["application/pdf", "application/octet-stream", "application/octet-stream"]);
    // What was not fetched is a link in both texts.
    assert!(parsed.body_text(0).expect("a text").contains("https://f.example/x?a=1&b=2"));
    assert!(parsed.body_html(0).expect("an HTML").contains("href=\"https://f.example/x?a=1&amp;b=2\""));
}

#[test]
fn what_the_html_shows_goes_with_it() {
    let mut message = plain();
    message.html = Some("<p>Hola <img src=\"cid:logo.gif\"></p>".into());
    message.attachments = vec![file("a.pdf", "application/pdf", 6), file("logo.gif", "image/gif", 6)];
    let wire = wire(&deliver(json!({}), &message).0);
    let parsed = MessageParser::default().parse(&wire).expect("a mail");
    let kinds: Vec<String> = parsed
        .parts
        .iter()
        .filter_map(|part| part.content_type())
        .map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()))
        .collect();
    let tree = "multipart/mixed multipart/related multipart/alternative text/plain text/html image/gif application/pdf";
    assert_eq!(kinds.join(" "), tree);
    let logo = parsed.parts.iter().find(|part| part.content_id().is_some()).expect("an inline file");
    assert_eq!((logo.content_id(), logo.attachment_name()), (Some("logo.gif"), Some("logo.gif")));
    assert_eq!(logo.contents(), b"GIF89a");
    assert!(wire.contains("Content-Disposition: inline") && wire.contains("Content-Disposition: attachment"));
}

#[test]
fn each_reader_leaves_by_an_address_of_its_own() {
    let mut message = plain();
    message.contact = Some("c 1".into());
    let settings = json!({
        "list_unsubscribe": ["https://acme.example/u/{contact}?r={recipient}"], "one_click_unsubscribe": true,
    });
    let wire = wire(&deliver(settings, &message).0).replace("\r\n ", " ");
    assert!(
        wire.contains("\r\nList-Unsubscribe: <https://acme.example/u/c%201?r=b%40c.example>\r\n"),
        "{wire}"
    );
    assert!(wire.contains("\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), "{wire}");
}

#[test]
fn a_plain_text_stays_plain() {
    let mut message = plain();
    message.html = None;
    message.text = Some("línea 1\nlínea 2\r.\rfin".into());
    let wire = wire(&deliver(json!({}), &message).0);
    assert!(!wire.contains("multipart"), "{wire}");
    let parsed = MessageParser::default().parse(&wire).expect("a mail");
    assert_eq!(parsed.body_text(0).expect("a text").trim_end().replace("\r\n", "|"), "línea 1|línea 2|.|fin");
}

#[test]
fn threads_lists_and_headers() {
    let mut message = plain();
    message.in_reply_to = Some("<abc@mail.example>".into());
    let settings = json!({
        "reply_to": "Soporte, S.A. <r@acme.example>", "list_unsubscribe": ["https://acme.example/u", "mailto:u@acme.example"],
        "one_click_unsubscribe": true, "headers": { "X-SES-CONFIGURATION-SET": "main" }, "envelope_from": "bounce@acme.example",
    });
    let (mail, _) = deliver(settings, &message);
    assert_eq!(mail.sender, "bounce@acme.example");
    let wire = wire(&mail).replace("\r\n ", " ");
    for line in [
        "In-Reply-To: <abc@mail.example>",
        "References: <abc@mail.example>",
        "List-Unsubscribe: <https://acme.example/u>, <mailto:u@acme.example>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "X-SES-CONFIGURATION-SET: main",
        "Reply-To: \"Soporte, S.A.\" <r@acme.example>",
    ] {
        assert!(wire.contains(&format!("\r\n{line}\r\n")), "{line} is not in\n{wire}");
    }
}

#[test]
fn injections_are_refused() {
    let with = |change: &dyn Fn(&mut Message)| {
        let mut message = plain();
        change(&mut message);
        refusal(json!({}), &message).kind()
    };
    assert_eq!(with(&|m| m.subject = Some("a\r\nBcc: x@y.example".into())), "rejected-content");
    assert_eq!(with(&|m| m.subject = Some("a\nb".into())), "rejected-content");
    assert_eq!(with(&|m| m.in_reply_to = Some("<a@b>\r\nX: y".into())), "rejected-content");
    assert_eq!(with(&|m| m.to = vec!["a@b.example\r\nX: y".into()]), "rejected-recipient");
    assert_eq!(with(&|m| m.to = vec!["N\r\nX: y <a@b.example>".into()]), "rejected-recipient");
    assert_eq!(with(&|m| m.sender = Some("N\r\nX: y <a@b.example>".into())), "rejected-sender");
    // A line end at its end is an accident and no injection.
    let mut message = plain();
    message.subject = Some("Hola\n".into());
    assert!(wire(&deliver(json!({}), &message).0).contains("\r\nSubject: Hola\r\n"));
}

#[test]
fn long_and_foreign_subjects() {
    for subject in
        ["ñandú ".repeat(60).trim_end().to_owned(), "x".repeat(900), "=?utf-8?B?evil?= \u{1F600}".into()]
    {
        let mut message = plain();
        message.subject = Some(subject.clone());
        let wire = wire(&deliver(json!({}), &message).0);
        assert!(wire.split("\r\n").all(|line| line.len() <= 998));
        let parsed = MessageParser::default().parse(&wire).expect("a mail");
        assert_eq!(parsed.subject(), Some(subject.as_str()));
    }
}

#[test]
fn who_cannot_get_it() {
    let mut message = plain();
    message.to = vec!["nobody".into(), "b@c.example".into()];
    let (mail, sent) = deliver(json!({}), &message);
    assert_eq!(mail.recipients, ["b@c.example"]);
    assert_eq!(sent.recipients.refused()[0].reason, Reason::new("address", "it has no @"));
    message.to = vec!["nobody".into()];
    assert_eq!(refusal(json!({}), &message).kind(), "rejected-recipient");
    message.to = (0..101).map(|n| format!("{n}@c.example")).collect();
    assert_eq!(refusal(json!({}), &message).reason().code, "recipients");
    let mut empty = plain();
    (empty.subject, empty.html) = (None, Some(" ".into()));
    assert_eq!(refusal(json!({}), &empty).reason().code, "empty");
}

fn reply(stage: MailStage, code: u16, text: &str, recipients: &[(&str, u16, &str)]) -> Reply {
    let smtp = |code, text: &str| SmtpReply { code, enhanced: None, text: text.into() };
    Reply::Mail(MailReply {
        stage,
        reply: smtp(code, text),
        recipients: recipients
            .iter()
            .map(|(address, code, text)| RecipientReply {
                address: (*address).into(),
                reply: smtp(*code, text),
            })
            .collect(),
    })
}

fn judged(reply: Reply) -> Result<Acceptance, Refusal> {
    let mut message = plain();
    message.to = vec!["Beto <b@c.example>".into(), "nobody".into()];
    message.cc = vec!["d@e.example".into()];
    let (_, sent) = deliver(json!({}), &message);
    match Smtp::on_reply(&context(json!({})), sent, reply)? {
        Step::Done(acceptance) => Ok(acceptance),
        step => panic!("one mail is all: {step:?}"),
    }
}

#[test]
fn taken_for_some() {
    let acceptance = judged(reply(
        MailStage::Content,
        250,
        "2.0.0 Ok: queued as 4XkY2z1",
        &[("b@c.example", 250, "ok"), ("d@e.example", 450, "4.2.0 greylisted")],
    ))
    .expect("taken");
    assert_eq!(acceptance.references, ["4XkY2z1"]);
    let refused: Vec<_> = acceptance
        .refused
        .iter()
        .map(|each| (each.recipient.as_str(), each.reason.code.as_str(), each.retry))
        .collect();
    assert_eq!(refused, [("nobody", "address", false), ("d@e.example", "450 4.2.0", true)]);
    let acceptance = judged(reply(
        MailStage::Content,
        250,
        "OK",
        &[("b@c.example", 550, "5.1.1 no"), ("d@e.example", 250, "")],
    ))
    .expect("taken");
    assert_eq!(acceptance.references, [format!("{KEY}@acme.example")]);
    assert_eq!(
        (acceptance.refused[1].recipient.as_str(), acceptance.refused[1].retry),
        ("Beto <b@c.example>", false)
    );
}

#[test]
fn taken_for_none() {
    let kind = |reply| judged(reply).unwrap_err().kind();
    let both = |first: (u16, &str), second: (u16, &str)| {
        reply(
            MailStage::Recipient,
            second.0,
            second.1,
            &[("b@c.example", first.0, first.1), ("d@e.example", second.0, second.1)],
        )
    };
    assert_eq!(kind(both((550, "5.1.1 no"), (550, "5.1.1 no"))), "rejected-recipient");
    assert_eq!(kind(both((450, "4.2.0 later"), (550, "5.1.1 no"))), "deferred");
    assert_eq!(kind(reply(MailStage::Auth, 535, "5.7.8 no", &[])), "rejected-account");
    assert_eq!(kind(reply(MailStage::Content, 451, "4.3.0 no", &[("b@c.example", 250, "")])), "deferred");
    let failed = |kind, may_have_left| Reply::Failed(Failure { kind, detail: "x".into(), may_have_left });
    assert_eq!(kind(failed(FailureKind::Connect, false)), "deferred");
    assert_eq!(kind(failed(FailureKind::Reset, true)), "unknown");
}
