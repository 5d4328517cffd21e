//! The bundled plugins and the honest fixtures as they were built: what they ask, and what they make of answers.
//!
//! Their rules have tests of their own, which run natively; here it is that the components say the same, through the
//! contract and inside of the sandbox.

use std::sync::Arc;

use dispatch_model::{
    Action, Attachment, AttachmentFile, Body, Callback, EmailContent, Event, Fault, HttpCallback,
    HttpResponse, MailReply, MailStage, Outcome, Piece, ReceiptState, ReceiveStep, RecipientReply, Rejection,
    Reply, SmtpReply,
};
use dispatch_plugins::LoadError;

use super::*;

fn http(status: u16, body: &str) -> Reply {
    Reply::Http(HttpResponse {
        status,
        headers: Vec::new(),
        body: Body::from(body.to_owned()),
        truncated: false,
    })
}

/// Pieces as text: attachments and secrets by what they are.
fn text(pieces: &[Piece]) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Bytes(bytes) => bytes.to_text().to_string(),
            Piece::Attachment { index, .. } => format!("{{attachment {index}}}"),
            Piece::Secret { name, .. } => format!("{{secret {name}}}"),
        })
        .collect()
}

fn email() -> Message {
    let mut message = sms("");
    message.submission.content = Content::Email(EmailContent {
        to: vec!["Beto <b@c.example>".to_owned(), "d@e.example".to_owned()],
        from: Some("\"Pérez, Ana\" <ana@acme.example>".to_owned()),
        subject: "¿Qué tal?".to_owned(),
        html: "<p>Hola <b>Beto</b></p>".to_owned(),
        cc: Vec::new(),
        bcc: Vec::new(),
        text: None,
        in_reply_to: None,
    });
    message.submission.attachments = vec![Attachment {
        url: "https://files.example.com/informe.pdf".to_owned(),
        file: Some(AttachmentFile {
            name: "informe ñ.pdf".to_owned(),
            media_type: "application/pdf".to_owned(),
            size: 3,
        }),
    }];
    message
}

#[track_caller]
fn accepted(step: Step) -> String {
    match step {
        Step::Done(Outcome::Accepted(taken)) => taken.references.concat(),
        other => panic!("not accepted: {other:?}"),
    }
}

#[tokio::test]
async fn a_mail_by_smtp() {
    let host = host();
    let smtp = load(&host, "smtp").await;
    assert!(host.inspect(guest("smtp")).await.imports.is_empty(), "no clock, no randomness, nothing at all");
    assert!(smtp.check("{}").await.unwrap().unwrap().relay);
    let (context, grants) = (context("{}"), grants(&[]));
    let step = smtp.deliver(&context, &Arc::new(email()), &grants).await.unwrap();
    assert_eq!(
        smtp.deliver(&context, &Arc::new(email()), &grants).await.unwrap(),
        step,
        "the same mail, byte by byte"
    );
    let ask = asked(step);
    let Action::Mail(mail) = &ask.action else { panic!("{ask:?}") };
    assert_eq!((mail.sender.as_str(), mail.recipients.len()), ("ana@acme.example", 2));
    let wire = text(&mail.body);
    for part in [
        "Message-ID: <01hzy3k9q8w7e-1@acme.example>\r\n",
        "Date: Wed, 18 Nov 2026 11:06:40 +0000\r\n",
        "boundary=\"dispatcher-01hzy3k9q8w7e-1-mixed\"",
        "Content-Transfer-Encoding: base64\r\n\r\n{attachment 0}\r\n--dispatcher-01hzy3k9q8w7e-1-mixed--\r\n",
        "\r\n\r\nHola Beto",
    ] {
        assert!(wire.contains(part), "{part:?} is not in\n{wire}");
    }

    let reply = |code, text: &str| SmtpReply { code, enhanced: None, text: text.to_owned() };
    let answer = Reply::Mail(MailReply {
        stage: MailStage::Content,
        reply: reply(250, "2.0.0 Ok: queued as 4XkY2z1"),
        recipients: vec![
            RecipientReply { address: "b@c.example".to_owned(), reply: reply(450, "4.2.0 greylisted") },
            RecipientReply { address: "d@e.example".to_owned(), reply: reply(250, "ok") },
        ],
    });
    let step = smtp.on_reply(&context, &ask.state, &Arc::new(answer), &grants).await.unwrap();
    let Step::Done(Outcome::Accepted(taken)) = step else { panic!("{step:?}") };
    assert_eq!(taken.references, ["4XkY2z1"]);
    assert_eq!((taken.refused[0].recipient.as_str(), taken.refused[0].retry), ("Beto <b@c.example>", true));
}

#[tokio::test]
async fn a_request_by_template() {
    let host = host();
    let http_plugin = load(&host, "http").await;
    let settings = r#"{
        "url": "https://api.example.com/{location}/send", "body": { "json": { "to": "{to_digits}", "text": "{text}" } },
        "credential": { "bearer": { "secret": "api_key" } },
        "answer": {
            "success": { "pointer": "/code", "equals": 0 }, "reference": { "pattern": "\"id\": *\"([^\"]+)\"" },
            "code": { "pointer": "/code" }, "outcomes": { "7": "rejected-sender" }
        }
    }"#;
    let asks = http_plugin.check(settings).await.unwrap().unwrap();
    assert_eq!((asks.hosts, asks.secrets), (vec!["api.example.com".to_owned()], vec!["api_key".to_owned()]));
    let problems =
        http_plugin.check(r#"{"url":"https://a.example/{teh_text}","body":{"json":"{open"}}"#).await;
    let paths: Vec<String> = problems.unwrap().unwrap_err().into_iter().map(|problem| problem.path).collect();
    assert_eq!(paths, ["url", "body.json"]);
    let (context, grants) = (context(settings), grants(&[("api_key", "s3cret")]));
    let ask = asked(http_plugin.deliver(&context, &Arc::new(sms("«Hola» \"tú\"")), &grants).await.unwrap());
    let Action::Http(request) = &ask.action else { panic!("{ask:?}") };
    assert_eq!(text(&request.url), "https://api.example.com/GKAWb4yu7A4LSc0skQ6g/send");
    assert_eq!(text(&request.body), r#"{"text":"«Hola» \"tú\"","to":"525512345678"}"#);
    let judge = async |answer: Reply| {
        http_plugin.on_reply(&context, &ask.state, &Arc::new(answer), &grants).await.unwrap()
    };
    assert_eq!(accepted(judge(http(200, r#"{"code":0,"id": "m-1"}"#)).await), "m-1");
    let step = judge(http(200, r#"{"code":7}"#)).await;
    assert!(matches!(&step, Step::Done(Outcome::Rejected { kind: Rejection::Sender, .. })), "{step:?}");
}

#[tokio::test]
async fn a_thief_goes_away_empty_handed() {
    let host = host();
    let thief = load(&host, "fixtures/thief").await;
    let said = async |what: &str, grants: &Grants| {
        let settings = format!(r#"{{"what":"{what}","name":"password"}}"#);
        accepted(thief.deliver(&context(&settings), &Arc::new(sms("x")), grants).await.unwrap())
    };
    let (none, some) = (grants(&[]), grants(&[("password", "s3cret")]));
    let revealed = Grants { reveal: ["password".to_owned()].into(), ..some.clone() };
    assert_eq!(said("reveal", &none).await, "unknown");
    assert_eq!(said("reveal", &some).await, "not-granted");
    assert_eq!(said("reveal", &revealed).await, "revealed s3cret");
    assert_eq!(said("verify", &some).await, "false");
    assert_eq!(said("guess", &some).await, "16 guesses, then too-many");
    assert_eq!(said("hmac", &none).await, "unknown");
    assert_eq!(said("hmac", &some).await.len(), 64);
    assert_eq!(said("svix", &grants(&[("password", "whsec_-")])).await, "not-a-key");
    let svix = said("svix", &grants(&[("password", "whsec_czNjcmV0")])).await;
    assert_eq!(svix, said("hmac", &some).await, "the base64 after the prefix is the key");
    assert_eq!(
        (said("match", &some).await.as_str(), said("match", &none).await.as_str()),
        ("true", "unknown")
    );
}

#[tokio::test]
async fn a_token_and_then_a_message() {
    let host = host();
    let steps = load(&host, "fixtures/steps").await;
    let (context, grants) = (context(r#"{"url":"https://api.example.com"}"#), grants(&[]));
    let token = asked(steps.deliver(&context, &Arc::new(sms("Hola")), &grants).await.unwrap());
    assert_eq!(token.effect, dispatch_model::Effect::None);
    let step = steps
        .on_reply(&context, &token.state, &Arc::new(http(200, r#"{"access_token":"t-1"}"#)), &grants)
        .await;
    let send = asked(step.unwrap());
    assert_eq!(send.effect, dispatch_model::Effect::Delivers);
    let Action::Http(request) = &send.action else { panic!("{send:?}") };
    assert_eq!(text(&request.headers[0].value), "Bearer t-1");
    let step = steps
        .on_reply(&context, &send.state, &Arc::new(http(200, r#"{"id":"m-1"}"#)), &grants)
        .await
        .unwrap();
    assert_eq!(accepted(step), "m-1");
}

/// A notification's signature is of a certificate that has to be fetched first; a subscription is confirmed by a
/// request on top.
#[tokio::test]
async fn an_event_of_amazons_takes_several_steps() {
    const SETTINGS: &str = r#"{
        "region": "us-east-1", "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "topics": ["arn:aws:sns:us-east-1:123456789012:ses-events"]
    }"#;
    const CERTIFICATE: &str = include_str!("../../../plugins/ses/testdata/sns.cert.pem");
    const NOTIFICATION: &str = include_str!("../../../plugins/ses/testdata/sns.notification.json");
    const CONFIRMATION: &str = include_str!("../../../plugins/ses/testdata/sns.confirmation.json");
    let host = host();
    let ses = load(&host, "ses").await;
    let (context, grants) = (context(SETTINGS), grants(&[]));
    let receive = async |body: &str| {
        let callback = Callback::Http(HttpCallback {
            method: "POST".to_owned(),
            url: "https://d.example.com/callbacks/t0k3n".to_owned(),
            headers: Vec::new(),
            body: Body::from(body.to_owned()),
        });
        let mut asked = Vec::new();
        let mut step = ses.receive(&context, &callback, &grants).await.unwrap();
        while let ReceiveStep::Ask(ask) = step {
            let Action::Http(request) = &ask.action else { panic!("{ask:?}") };
            asked.push(text(&request.url));
            step = ses
                .on_receive_reply(&context, &ask.state, &Arc::new(http(200, CERTIFICATE)), &grants)
                .await
                .unwrap();
        }
        (asked, step)
    };
    let (asked, step) = receive(NOTIFICATION).await;
    assert_eq!(asked, ["https://sns.us-east-1.amazonaws.com/SimpleNotificationService-test.pem"]);
    let ReceiveStep::Received(received) = step else { panic!("{step:?}") };
    let [Event::Receipt(receipt)] = &received.events[..] else { panic!("{received:?}") };
    assert_eq!((receipt.reference.as_str(), receipt.state), ("ses-1", ReceiptState::Bounced));

    let (asked, step) = receive(CONFIRMATION).await;
    assert_eq!(asked[1], "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=tok");
    assert!(matches!(step, ReceiveStep::Received(_)), "{step:?}");

    let (_, step) = receive(&NOTIFICATION.replace("ses-1", "ses-2")).await;
    assert!(matches!(step, ReceiveStep::Refused(_)), "{step:?}");
    let (asked, step) = receive(&NOTIFICATION.replace("us-east-1.amazonaws.com/", "evil.example/")).await;
    assert!(asked.is_empty() && matches!(step, ReceiveStep::Refused(_)), "{step:?}");
}

#[tokio::test]
async fn no_bomb_gets_through() {
    let host = PluginHost::new(HostConfig { memory_max: 64 << 20, ..config() }).unwrap();
    let bomb = load(&host, "fixtures/bomb").await;
    for what in ["reference", "refused", "headers", "recipients"] {
        let fault = deliver(&bomb, what).await;
        assert!(
            matches!(fault, Err(Fault::Contract { .. } | Fault::Memory { .. } | Fault::Deadline { .. })),
            "{what}: {fault:?}"
        );
    }
    let deep = load(&host, "fixtures/deep").await;
    let fault = deliver(&deep, "deep").await;
    assert!(matches!(fault, Err(Fault::Trap { .. })), "{fault:?}");
}

#[tokio::test]
async fn what_is_no_plugin_is_told_so() {
    let host = host();
    let refused = async |name: &str| host.load(name, guest(name)).await.map(|_| ()).unwrap_err();
    assert_eq!(refused("fixtures/future").await, LoadError::OtherVersion { found: "2.0.0".to_owned() });
    let error = refused("fixtures/importer").await;
    let LoadError::ForbiddenImport { import, .. } = &error else { panic!("{error}") };
    assert!(import.starts_with("wasi:clocks/"), "{import}");
    let error = refused("fixtures/lacking").await;
    assert!(matches!(error, LoadError::MissingExport { .. }), "{error}");
}
