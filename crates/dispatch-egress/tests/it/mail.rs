//! Mail: the dialogue, what each stage says, and what is known when it breaks.

use std::sync::Arc;
use std::time::Duration;

use dispatch_engine::{Dkim, Grants, Relay, RelayTls, SpoolContent, Spooled};
use dispatch_model::{
    Action, AttachmentEncoding, AttachmentFile, FailureKind, MailReply, MailStage, MailSubmission, Piece,
    Reply, Secret,
};

use crate::support::certificate::Authority;
use crate::support::relay::{Script, Server};
use crate::support::{Egress, egress, egress_with, failed};

const MESSAGE: &str = "From: a@example.com\r\nSubject: x\r\n\r\n.hello\r\n..\r\n.\r\nbye";

fn relay(server: &Server, tls: RelayTls) -> Grants {
    Grants {
        owner: "office".into(),
        plaintext: tls == RelayTls::None,
        relay: Some(Relay {
            host: "localhost".to_owned(),
            port: server.address.port(),
            tls,
            user: None,
            password: None,
            hello: Some("us.example".to_owned()),
        }),
        ..Grants::default()
    }
}

fn with_user(mut grants: Grants) -> Grants {
    if let Some(relay) = &mut grants.relay {
        relay.user = Some("me".to_owned());
        relay.password = Some(Secret::new("s3cr3t"));
    }
    grants
}

fn to(recipients: &[&str]) -> Action {
    Action::Mail(MailSubmission {
        sender: "a@example.com".to_owned(),
        recipients: recipients.iter().map(|one| (*one).to_owned()).collect(),
        body: vec![Piece::text(MESSAGE)],
    })
}

async fn mail(egress: &Egress, action: &Action, grants: &Grants) -> MailReply {
    match egress.perform(action, grants).await {
        Reply::Mail(reply) => reply,
        other => panic!("no mail reply: {other:?}"),
    }
}

#[tokio::test]
async fn a_mail_arrives_as_written() {
    let server =
        Server::start(Script { offers: vec!["SIZE 1000000", "8BITMIME"], ..Script::default() }).await;
    let reply =
        mail(&egress(), &to(&["b@example.com", "c@bücher.example"]), &relay(&server, RelayTls::None)).await;
    assert_eq!((reply.stage, reply.reply.code), (MailStage::Content, 250));
    assert_eq!(reply.reply.enhanced.as_deref(), Some("2.0.0"));
    assert_eq!(reply.reply.text, "Ok: queued as 4F1");
    let recipients: Vec<_> =
        reply.recipients.iter().map(|one| (one.address.as_str(), one.reply.code)).collect();
    assert_eq!(recipients, [("b@example.com", 250), ("c@bücher.example", 250)]);
    assert_eq!(
        server.said(),
        [
            "EHLO us.example",
            &format!("MAIL FROM:<a@example.com> SIZE={} BODY=8BITMIME", MESSAGE.len()),
            "RCPT TO:<b@example.com>",
            "RCPT TO:<c@xn--bcher-kva.example>",
            "DATA",
        ]
    );
    assert_eq!(String::from_utf8(server.mails()[0].clone()).unwrap(), format!("{MESSAGE}\r\n"));
}

#[tokio::test]
async fn each_recipient_has_its_own_reply() {
    let script = Script {
        replies: vec![
            ("RCPT TO:<BAD", "550 5.1.1 no such user"),
            ("RCPT TO:<LATER", "450-4.2.1 full\r\n450 4.2.1 try later"),
        ],
        ..Script::default()
    };
    let server = Server::start(script).await;
    let (egress, grants) = (egress(), relay(&server, RelayTls::None));
    let reply = mail(&egress, &to(&["bad@x", "good@x", "later@x"]), &grants).await;
    assert_eq!((reply.stage, reply.reply.code), (MailStage::Content, 250));
    let codes: Vec<_> = reply.recipients.iter().map(|one| one.reply.code).collect();
    assert_eq!(codes, [550, 250, 450]);
    assert_eq!(reply.recipients[0].reply.enhanced.as_deref(), Some("5.1.1"));
    assert_eq!(reply.recipients[2].reply.text, "full\ntry later");

    // Nobody left: no DATA, and the session is used again after RSET.
    let reply = mail(&egress, &to(&["later@x", "bad@x"]), &grants).await;
    assert_eq!((reply.stage, reply.reply.code, reply.recipients.len()), (MailStage::Recipient, 550, 2));
    let reply = mail(&egress, &to(&["good@x"]), &grants).await;
    assert_eq!((reply.stage, server.mails().len(), server.accepted()), (MailStage::Content, 2, 1));
    let said = server.said();
    assert_eq!(said.iter().filter(|line| *line == "RSET").count(), 1);
    assert_eq!(said.iter().filter(|line| *line == "DATA").count(), 2);
}

#[tokio::test]
async fn a_refusal_names_its_stage() {
    for (replies, greeting, stage, code) in [
        (vec![], Some("554 5.7.1 go away"), MailStage::Greeting, 554),
        (vec![], Some("421 4.3.2 busy"), MailStage::Greeting, 421),
        (vec![("EHLO", "550 5.7.1 who are you")], None, MailStage::Hello, 550),
        (vec![("MAIL", "550 5.7.60 not yours")], None, MailStage::Sender, 550),
        (vec![("MAIL", "421 4.7.0 slow down")], None, MailStage::Sender, 421),
        (vec![("RCPT", "421 4.7.0 slow down")], None, MailStage::Recipient, 421),
        (vec![("DATA", "451 4.3.0 not now")], None, MailStage::Data, 451),
        (vec![(".", "554 5.6.0 not like that")], None, MailStage::Content, 554),
    ] {
        let server = Server::start(Script { greeting, replies, ..Script::default() }).await;
        let reply = mail(&egress(), &to(&["b@x", "c@x"]), &relay(&server, RelayTls::None)).await;
        assert_eq!((reply.stage, reply.reply.code), (stage, code));
    }
}

#[tokio::test]
async fn an_old_relay_is_spoken_to_the_old_way() {
    let server = Server::start(Script { replies: vec![("EHLO", "502 what?")], ..Script::default() }).await;
    let reply = mail(&egress(), &to(&["b@x"]), &relay(&server, RelayTls::None)).await;
    assert_eq!((reply.stage, server.said()[1].as_str()), (MailStage::Content, "HELO us.example"));
}

#[tokio::test]
async fn before_the_dot_nothing_can_have_been_delivered_and_after_it_anything() {
    let commands = ["EHLO", "MAIL", "RCPT", "DATA"].map(|at| (Some(at), false)).to_vec();
    for (at, left) in [commands, vec![(None, false), (Some("."), true)]].concat() {
        let script = Script { drop_at: at, drop_within: at.is_none().then_some(20), ..Script::default() };
        let server = Server::start(script).await;
        // More than the sockets hold, so that the dot is still far when the relay goes.
        let body = if at.is_none() { "hello\r\n".repeat(2 << 20) } else { MESSAGE.to_owned() };
        let action = Action::Mail(MailSubmission {
            sender: "a@x".to_owned(),
            recipients: vec!["b@x".to_owned()],
            body: vec![Piece::text(body)],
        });
        let (kind, found, detail) = failed(egress().perform(&action, &relay(&server, RelayTls::None)).await);
        assert_eq!((kind, found), (FailureKind::Reset, left), "dropped at {at:?}: {detail}");
        let said = server.said();
        assert_eq!(said.iter().filter(|line| line.starts_with("EHLO")).count(), 1, "tried twice at {at:?}");
    }
    for (at, left) in [("EHLO", false), ("MAIL", false), ("DATA", false), (".", true)] {
        let server = Server::start(Script { hang_at: Some(at), ..Script::default() }).await;
        let grants = relay(&server, RelayTls::None);
        let reply = egress().perform_with(&to(&["b@x"]), &grants, &[], Duration::from_millis(1500)).await;
        let (kind, found, detail) = failed(reply);
        assert_eq!((kind, found), (FailureKind::Timeout, left), "hung at {at}: {detail}");
    }
}

#[tokio::test]
async fn sessions_are_kept_and_replaced_when_they_end() {
    let server = Server::start(Script::default()).await;
    let egress = egress();
    let grants = relay(&server, RelayTls::None);
    for _ in 0..5 {
        mail(&egress, &to(&["b@x"]), &grants).await;
    }
    assert_eq!(server.accepted(), 1);
    for other in [Grants { owner: "another".into(), ..grants.clone() }, with_user(grants.clone())] {
        mail_or_auth(&egress, &other).await;
    }
    assert_eq!(server.accepted(), 3);

    let closing = Server::start(Script { one_mail: true, ..Script::default() }).await;
    let grants = relay(&closing, RelayTls::None);
    for _ in 0..3 {
        assert_eq!(mail(&egress, &to(&["b@x"]), &grants).await.stage, MailStage::Content);
    }
    assert_eq!((closing.accepted(), closing.mails().len()), (3, 3));
}

async fn mail_or_auth(egress: &Egress, grants: &Grants) {
    mail(egress, &to(&["b@x"]), grants).await;
}

#[tokio::test]
async fn authenticates_by_what_is_offered() {
    for (offer, words) in [
        ("AUTH LOGIN PLAIN", &["AUTH PLAIN AG1lAHMzY3IzdA=="][..]),
        ("AUTH=PLAIN", &["AUTH PLAIN AG1lAHMzY3IzdA=="]),
        ("AUTH LOGIN", &["AUTH LOGIN", "bWU=", "czNjcjN0"]),
    ] {
        let script = Script {
            offers: vec![offer],
            replies: vec![("BWU=", "334 UGFzc3dvcmQ6"), ("CZNJ", "235 2.7.0 welcome")],
            ..Script::default()
        };
        let server = Server::start(script).await;
        let reply = mail(&egress(), &to(&["b@x"]), &with_user(relay(&server, RelayTls::None))).await;
        assert_eq!(reply.stage, MailStage::Content, "{offer}: {:?}", reply.reply);
        assert_eq!(server.said()[1..=words.len()], *words);
    }
    for (offers, replies, code) in [
        (vec!["AUTH PLAIN"], vec![("AUTH", "535 5.7.8 wrong")], 535),
        (vec!["AUTH LOGIN"], vec![("AUTH", "535 5.7.8 wrong")], 535),
        (vec!["AUTH XOAUTH2"], vec![], 504),
        (vec![], vec![], 504),
    ] {
        let server = Server::start(Script { offers, replies, ..Script::default() }).await;
        let reply = mail(&egress(), &to(&["b@x"]), &with_user(relay(&server, RelayTls::None))).await;
        assert_eq!((reply.stage, reply.reply.code), (MailStage::Auth, code));
        assert!(!format!("{reply:?}").contains("s3cr3t"));
    }
}

#[tokio::test]
async fn starttls_and_implicit_tls() {
    let authority = Authority::new();
    let egress = egress_with(|config| config.extra_ca_file = Some(authority.path()));
    for (tls, implicit) in [(RelayTls::StartTls, false), (RelayTls::Implicit, true)] {
        let script = Script { offers: vec!["STARTTLS", "AUTH PLAIN"], ..Script::default() };
        let server = Server::with_tls(script, Some(authority.acceptor(&["localhost"])), implicit).await;
        let grants = with_user(relay(&server, tls));
        for _ in 0..3 {
            let reply = mail(&egress, &to(&["b@x"]), &grants).await;
            assert_eq!(reply.stage, MailStage::Content, "{:?}", reply.reply);
        }
        assert_eq!((server.accepted(), server.mails().len()), (1, 3));
        let said = server.said();
        let secure = said.iter().position(|line| line == "tls").unwrap();
        let auth = said.iter().position(|line| line.starts_with("AUTH")).unwrap();
        assert!(secure < auth, "{said:?}");
        // What was offered in clear does not count.
        assert!(said[secure + 1].starts_with("EHLO"));
    }
}

#[tokio::test]
async fn tls_is_never_given_up() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let egress = egress_with(|config| config.extra_ca_file = Some(authority.path()));
    let offering = || Script { offers: vec!["STARTTLS", "AUTH PLAIN"], ..Script::default() };

    let silent = Server::start(Script { offers: vec!["AUTH PLAIN"], ..Script::default() }).await;
    let reply = mail(&egress, &to(&["b@x"]), &with_user(relay(&silent, RelayTls::StartTls))).await;
    assert_eq!((reply.stage, reply.reply.code), (MailStage::StartTls, 502));

    let script = Script { replies: vec![("STARTTLS", "454 4.7.0 not now")], ..offering() };
    let refusing = Server::start(script).await;
    let reply = mail(&egress, &to(&["b@x"]), &with_user(relay(&refusing, RelayTls::StartTls))).await;
    assert_eq!((reply.stage, reply.reply.code), (MailStage::StartTls, 454));

    // Said in clear, meant to be heard as if within TLS.
    let script = Script { replies: vec![("STARTTLS", "220 go\r\n250 AUTH PLAIN")], ..offering() };
    let injecting = Server::with_tls(script, Some(authority.acceptor(&["localhost"])), false).await;
    let (kind, left, _) =
        failed(egress.perform(&to(&["b@x"]), &with_user(relay(&injecting, RelayTls::StartTls))).await);
    assert_eq!((kind, left), (FailureKind::Protocol, false));

    for acceptor in [stranger.acceptor(&["localhost"]), authority.acceptor(&["other.example"])] {
        let server = Server::with_tls(offering(), Some(acceptor), false).await;
        let (kind, left, _) =
            failed(egress.perform(&to(&["b@x"]), &with_user(relay(&server, RelayTls::StartTls))).await);
        assert_eq!((kind, left), (FailureKind::Tls, false));
    }
    for server in [&silent, &refusing, &injecting] {
        assert!(!server.said().iter().any(|line| line.starts_with("AUTH")), "{:?}", server.said());
    }

    let plain = Server::start(Script::default()).await;
    let ungranted = Grants { plaintext: false, ..relay(&plain, RelayTls::None) };
    let (kind, left, detail) = failed(egress.perform(&to(&["b@x"]), &ungranted).await);
    assert_eq!((kind, left, plain.accepted()), (FailureKind::Refused, false, 0));
    assert!(detail.contains("plaintext = true"), "{detail}");
}

#[tokio::test]
async fn injection_and_nonsense_are_refused() {
    let server = Server::start(Script::default()).await;
    let (egress, grants) = (egress(), relay(&server, RelayTls::None));
    let action = |sender: &str, recipient: &str| {
        Action::Mail(MailSubmission {
            sender: sender.to_owned(),
            recipients: vec![recipient.to_owned()],
            body: vec![Piece::text(MESSAGE)],
        })
    };
    for (sender, recipient) in [
        ("a@x>\r\nRCPT TO:<evil@x", "b@x"),
        ("a@x", "b@x>\r\nDATA"),
        ("a@x", "b@x\0"),
        ("a@x", "<b@x>"),
        ("a@x", "b@x SIZE=1"),
        ("a@x> BODY=7BIT", "b@x"),
    ] {
        let (kind, left, detail) = failed(egress.perform(&action(sender, recipient), &grants).await);
        assert_eq!((kind, left), (FailureKind::Refused, false), "{sender:?} {recipient:?}");
        assert!(!detail.contains("b@x") && !detail.contains("a@x"), "{detail}");
    }
    for (action, grants) in
        [(to(&[]), grants.clone()), (to(&["b@x"]), Grants { relay: None, ..grants.clone() })]
    {
        assert_eq!(failed(egress.perform(&action, &grants).await).0, FailureKind::Refused);
    }
    assert_eq!(server.accepted(), 0);
    // A false end in the body is no end.
    let mut smuggling = MailSubmission {
        sender: String::new(),
        recipients: vec!["b@x".to_owned()],
        body: vec![Piece::text("hi\n.\nMAIL FROM:<evil@x>\r.\r\nDATA\n.\r")],
    };
    let reply = mail(&egress, &Action::Mail(smuggling.clone()), &grants).await;
    assert_eq!((reply.stage, server.mails().len()), (MailStage::Content, 1));
    assert!(server.said().contains(&"MAIL FROM:<>".to_owned()));
    smuggling.recipients = vec!["x@x".repeat(200)];
    assert_eq!(failed(egress.perform(&Action::Mail(smuggling), &grants).await).0, FailureKind::Refused);
}

#[tokio::test]
async fn what_the_relay_cannot_take_is_said_for_it() {
    let small = Server::start(Script { offers: vec!["SIZE 10"], ..Script::default() }).await;
    let egress = egress();
    let reply = mail(&egress, &to(&["b@x"]), &relay(&small, RelayTls::None)).await;
    assert_eq!((reply.stage, reply.reply.code), (MailStage::Data, 552));
    assert!(!small.said().iter().any(|line| line.starts_with("MAIL")));

    let ascii = Server::start(Script::default()).await;
    let reply = mail(&egress, &to(&["b@x", "ñ@x"]), &relay(&ascii, RelayTls::None)).await;
    let codes: Vec<_> = reply.recipients.iter().map(|one| one.reply.code).collect();
    assert_eq!((reply.stage, codes), (MailStage::Content, vec![250, 553]));

    let utf8 = Server::start(Script { offers: vec!["SMTPUTF8"], ..Script::default() }).await;
    let reply = mail(&egress, &to(&["ñ@x"]), &relay(&utf8, RelayTls::None)).await;
    assert_eq!(reply.stage, MailStage::Content);
    assert!(utf8.said().contains(&"MAIL FROM:<a@example.com> SMTPUTF8".to_owned()));
}

#[tokio::test]
async fn hostile_relays_end_in_a_failure() {
    for greeting in ["SSH-2.0-OpenSSH", "999 x", "220"] {
        let server = Server::start(Script { greeting: Some(greeting), ..Script::default() }).await;
        let reply = egress().perform(&to(&["b@x"]), &relay(&server, RelayTls::None)).await;
        match greeting {
            "220" => assert!(matches!(reply, Reply::Mail(_))),
            _ => assert_eq!(failed(reply).0, FailureKind::Protocol),
        }
    }
    let long: &'static str = Box::leak(format!("220 {}", "x".repeat(10_000)).into_boxed_str());
    let many: &'static str = Box::leak("220-x\r\n".repeat(500).into_boxed_str());
    for greeting in [long, many] {
        let server = Server::start(Script { greeting: Some(greeting), ..Script::default() }).await;
        let (kind, left, _) = failed(egress().perform(&to(&["b@x"]), &relay(&server, RelayTls::None)).await);
        assert_eq!((kind, left), (FailureKind::Protocol, false));
    }
}

#[tokio::test]
async fn a_large_attachment_is_streamed() {
    let server = Server::start(Script::default()).await;
    let content = vec![7_u8; 3_000_000];
    let spooled = Arc::new(Spooled {
        file: AttachmentFile { name: "a".to_owned(), media_type: "x/y".to_owned(), size: 3_000_000 },
        content: SpoolContent::Memory(content.into()),
    });
    let action = Action::Mail(MailSubmission {
        sender: "a@x".to_owned(),
        recipients: vec!["b@x".to_owned()],
        body: vec![
            Piece::text("Content-Transfer-Encoding: base64\r\n\r\n"),
            Piece::Attachment { index: 0, encoding: AttachmentEncoding::Base64Mime },
        ],
    });
    let grants = relay(&server, RelayTls::None);
    let reply = egress().perform_with(&action, &grants, &[spooled], Duration::from_secs(20)).await;
    assert!(matches!(reply, Reply::Mail(MailReply { stage: MailStage::Content, .. })), "{reply:?}");
    let text = String::from_utf8(server.mails()[0].clone()).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.lines().map(str::len).sum::<usize>(), 4_000_000);
}

#[tokio::test]
async fn a_mail_is_signed_on_its_way_out() {
    let server = Server::start(Script::default()).await;
    let sign = |key: &str| Grants {
        dkim: Some(Dkim {
            domain: "acme.example".to_owned(),
            selector: "s1".to_owned(),
            key: Secret::new(key),
        }),
        ..relay(&server, RelayTls::None)
    };
    mail(&egress(), &to(&["b@x"]), &sign(include_str!("../keys/ed25519.pem"))).await;
    let text = String::from_utf8(server.mails()[0].clone()).unwrap();
    let (field, rest) = text.split_once("\r\nFrom: ").unwrap();
    assert!(field.starts_with("DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=acme.example;"));
    assert!(MESSAGE.starts_with(&format!("From: {}", rest.lines().next().unwrap())));

    // A mail that should be signed and cannot be does not go out without.
    let (kind, left, detail) = failed(egress().perform(&to(&["b@x"]), &sign("s3cr3t")).await);
    assert_eq!((kind, left, server.mails().len()), (FailureKind::Refused, false, 1));
    assert!(detail.contains("not a private key") && !detail.contains("s3cr3t"), "{detail}");
}
