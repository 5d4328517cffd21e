use dispatch_model::{Action, Event, Outcome, Piece, Rejection};
use proptest::prelude::*;

use super::*;

fn request() -> wit::HttpRequest {
    wit::HttpRequest {
        method: "POST".to_owned(),
        url: vec![bytes("https://api.example.com/v1")],
        headers: vec![wit::Header { name: "accept".to_owned(), value: vec![bytes("*/*")] }],
        credential: wit::Credential::Bearer("token".to_owned()),
        body: vec![bytes("{}")],
        redirects: 0,
    }
}

fn bytes(text: &str) -> wit::Piece {
    wit::Piece::Bytes(text.as_bytes().to_vec())
}

fn asking(request: wit::HttpRequest) -> wit::Ask {
    wit::Ask { action: wit::Action::Http(request), effect: wit::Effect::Delivers, state: vec![1] }
}

fn reason(code: &str, message: &str) -> wit::Reason {
    wit::Reason { code: code.to_owned(), message: message.to_owned() }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Fault>, words: &str) {
    match result {
        Err(Fault::Contract { detail }) => assert!(detail.contains(words), "{detail:?} lacks {words:?}"),
        other => panic!("{other:?} instead of a fault with {words:?}"),
    }
}

#[test]
fn a_request_comes_through_whole() {
    let Step::Ask(ask) = step(wit::Step::Ask(asking(request()))).unwrap() else { panic!("no ask") };
    assert_eq!(ask.effect, Effect::Delivers);
    assert_eq!(&*ask.state, [1]);
    let Action::Http(http) = ask.action else { panic!("no request") };
    assert_eq!(http.url, [Piece::text("https://api.example.com/v1")]);
    assert_eq!(http.headers[0].value, [Piece::text("*/*")]);
    assert_eq!(http.body, [Piece::text("{}")]);
}

#[test]
fn bounds_of_a_request() {
    type Spoil = fn(&mut wit::Ask, &mut wit::HttpRequest);
    let cases: [(Spoil, &str); 5] = [
        (|ask, _| ask.state = vec![0; STATE_MAX + 1], "65537 bytes of state, at most 65536"),
        (|_, http| http.body = vec![bytes(""); 4095], "4097 pieces, at most 4096"),
        (|_, http| http.headers = vec![http.headers[0].clone(); 101], "101 headers"),
        (|_, http| http.method = "CONNECT".to_owned(), "a method other than"),
        (|_, http| http.redirects = 6, "6 redirects"),
    ];
    for (spoil, words) in cases {
        let (mut ask, mut http) = (asking(request()), request());
        spoil(&mut ask, &mut http);
        ask.action = wit::Action::Http(http);
        refused(step(wit::Step::Ask(ask)), words);
    }
    let mut ask = asking(request());
    ask.state = vec![0; STATE_MAX];
    assert!(step(wit::Step::Ask(ask)).is_ok(), "the bound itself is allowed");
}

#[test]
fn bounds_of_a_mail() {
    let mail = |recipients, pieces| {
        step(wit::Step::Ask(wit::Ask {
            action: wit::Action::Mail(wit::MailSubmission {
                sender: "a@example.com".to_owned(),
                recipients: vec!["b@example.com".to_owned(); recipients],
                body: vec![bytes("x"); pieces],
            }),
            effect: wit::Effect::Delivers,
            state: Vec::new(),
        }))
    };
    assert!(mail(100, 4096).is_ok());
    refused(mail(101, 1), "101 recipients");
    refused(mail(1, 4097), "4097 pieces");
}

#[test]
fn bounds_of_a_short_message() {
    let number = |address: &str| wit::SmppAddress { ton: 1, npi: 1, address: address.to_owned() };
    let good = || wit::SmppSubmission {
        service_type: String::new(),
        source: number("12345678901234567890"),
        destination: number("525512345678"),
        esm_class: 0x40,
        protocol_id: 0,
        priority: 0,
        validity: "000001000000000R".to_owned(),
        registered_delivery: 1,
        data_coding: 8,
        short_message: vec![0; 254],
        tlvs: vec![wit::SmppTlv { tag: 0x0424, value: vec![0; 65_535] }; 32],
    };
    let said = |change: &dyn Fn(&mut wit::SmppSubmission)| {
        let mut submission = good();
        change(&mut submission);
        step(wit::Step::Ask(wit::Ask {
            action: wit::Action::Smpp(submission),
            effect: wit::Effect::Delivers,
            state: Vec::new(),
        }))
    };
    assert!(said(&|_| {}).is_ok());
    refused(said(&|it| it.source = number("123456789012345678901")), "21 bytes of an address");
    refused(said(&|it| it.destination = number("52\x005512")), "not printable ASCII");
    refused(said(&|it| it.source = number("Añb")), "not printable ASCII");
    refused(said(&|it| it.service_type = "CMTXXX".to_owned()), "6 bytes of a service type");
    refused(said(&|it| it.validity.truncate(10)), "a validity");
    refused(said(&|it| it.short_message.push(0)), "255 bytes of a short message");
    refused(said(&|it| it.tlvs.push(wit::SmppTlv { tag: 1, value: Vec::new() })), "33 tagged values");
    refused(said(&|it| it.tlvs[0].value.push(0)), "65536 bytes of a tagged value");
}

#[test]
fn callbacks_and_questions_deliver_nothing() {
    refused(receive_step(wit::ReceiveStep::Ask(asking(request()))), "`receive` says that it delivers");
    refused(lookup_step(wit::LookupStep::Ask(asking(request()))), "`lookup` says that it delivers");
    let harmless = wit::Ask { effect: wit::Effect::None, ..asking(request()) };
    assert!(receive_step(wit::ReceiveStep::Ask(harmless.clone())).is_ok());
    assert!(lookup_step(wit::LookupStep::Ask(harmless)).is_ok());
}

#[test]
fn each_outcome_has_its_kind() {
    let why = || reason("1", "why");
    let wait = || wit::Wait { reason: why(), retry_after_ms: Some(5) };
    let none = wit::Acceptance { references: Vec::new(), state: None, parts: None, refused: Vec::new() };
    for (said, kind) in [
        (wit::Outcome::Accepted(none), "accepted"),
        (wit::Outcome::Deferred(wait()), "deferred"),
        (wit::Outcome::Throttled(wait()), "throttled"),
        (wit::Outcome::Unknown(why()), "unknown"),
    ] {
        let Step::Done(outcome) = step(wit::Step::Done(said)).unwrap() else { panic!("not done") };
        assert_eq!(outcome.kind(), kind);
    }
    for (said, expected) in [
        (wit::Outcome::RejectedRecipient(why()), Rejection::Recipient),
        (wit::Outcome::RejectedContent(why()), Rejection::Content),
        (wit::Outcome::RejectedSender(why()), Rejection::Sender),
        (wit::Outcome::RejectedAccount(why()), Rejection::Account),
    ] {
        let done = step(wit::Step::Done(said)).unwrap();
        assert!(matches!(done, Step::Done(Outcome::Rejected { kind, .. }) if kind == expected));
    }
}

fn accepted(reference: &str, refused: usize) -> Result<Step, Fault> {
    step(wit::Step::Done(wit::Outcome::Accepted(wit::Acceptance {
        references: vec![reference.to_owned()],
        state: None,
        parts: None,
        refused: vec![
            wit::RefusedRecipient {
                recipient: "x@example.com".to_owned(),
                reason: reason("5.1.1", "no such user"),
                retry: false
            };
            refused
        ],
    })))
}

#[test]
fn a_reference_is_never_cut() {
    assert!(accepted(&"r".repeat(256), 100).is_ok());
    refused(accepted(&"r".repeat(257), 0), "257 bytes of a reference");
    refused(accepted("", 0), "empty");
    refused(accepted("SM1\u{1b}[2J", 0), "control characters");
    refused(accepted("SM1", 101), "101 refused recipients");
    let parts = |count: usize| {
        let references = (0..count).map(|part| format!("part-{part}")).collect();
        step(wit::Step::Done(wit::Outcome::Accepted(wit::Acceptance {
            references,
            state: None,
            parts: None,
            refused: Vec::new(),
        })))
    };
    assert!(
        matches!(parts(64), Ok(Step::Done(Outcome::Accepted(taken))) if taken.references[63] == "part-63")
    );
    refused(parts(65), "65 references");
}

#[test]
fn events_and_answers_are_bounded() {
    let receipt = wit::Receipt {
        reference: "SM1".to_owned(),
        key: Some("dsp-1-0".to_owned()),
        recipient: Some("ana@example.com".to_owned()),
        state: wit::ReceiptState::Delivered,
        reason: None,
        at_ms: Some(u64::MAX),
    };
    let said = |status, content_type: Option<&str>, body, events| {
        receive_step(wit::ReceiveStep::Received(wit::Received {
            answer: Some(wit::HttpAnswer {
                status,
                content_type: content_type.map(str::to_owned),
                body: vec![b'x'; body],
            }),
            events: vec![wit::Event::Receipt(receipt.clone()); events],
        }))
    };
    let ReceiveStep::Received(received) = said(204, Some("text/xml"), 1, 10_000).unwrap() else {
        panic!("not received")
    };
    assert!(matches!(&received.events[0], Event::Receipt(one) if one.at.is_none()), "a time beyond time");
    refused(said(200, None, 0, 10_001), "10001 events");
    refused(said(302, None, 0, 0), "the answer 302");
    refused(said(200, Some("text/xml\r\nset-cookie: a=b"), 0, 0), "content type");
    refused(said(200, None, 65537, 0), "bytes of an answer");
    for (recipient, words) in
        [("x".repeat(1025), "bytes of an address"), ("a\u{1b}".into(), "control characters")]
    {
        let events =
            vec![wit::Event::Receipt(wit::Receipt { recipient: Some(recipient), ..receipt.clone() })];
        let answer = Some(wit::HttpAnswer { status: 200, content_type: None, body: Vec::new() });
        refused(receive_step(wit::ReceiveStep::Received(wit::Received { answer, events })), words);
    }
}

#[test]
fn what_check_says_is_bounded() {
    let said = |hosts: &[&str], secrets: &[&str]| {
        asks(wit::Asks {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            relay: false,
            session: false,
            secrets: secrets.iter().map(|name| (*name).to_owned()).collect(),
        })
    };
    assert!(said(&["*.example.com"], &["auth_token"]).is_ok());
    refused(said(&["a b"], &[]), "spaces");
    refused(said(&[&"h".repeat(254)], &[]), "254 bytes of a host");
    refused(said(&vec!["h"; 101], &[]), "101 hosts");
    refused(said(&[], &["a.b"]), "the secret name \"a.b\"");
    refused(problems(Vec::new()), "names no problem");
    let many = vec![wit::Problem { path: "a".to_owned(), message: "b\n".repeat(4000) }; 500];
    let shown = problems(many).unwrap();
    assert!(shown.len() == 100 && shown.iter().all(|one| one.message.len() <= 1024));
}

proptest! {
    #[test]
    fn words_for_people_are_clipped_and_clean(code in ".{0,200}", words in ".{0,2000}") {
        let said = wit::Outcome::Unknown(reason(&code, &words));
        let Step::Done(outcome) = step(wit::Step::Done(said)).unwrap() else { panic!("not done") };
        let reason = outcome.reason().unwrap();
        prop_assert!(reason.code.len() <= 64 && reason.message.len() <= 1024);
        prop_assert!(!reason.to_string().chars().any(crate::text::unprintable));
    }
}
