//! A message in, short messages out; an answer in, an outcome out.

use dispatcher_plugin::testing::{self, context, sms};
use dispatcher_plugin::{
    Action, Event, Failure, FailureKind, ReceiptState, ReceiveSmpp as _, ShortMessage, SmppAddress,
    SmppDelivery, SmppTlv,
};
use serde_json::{Value, json};

use super::*;

fn settings(more: Value) -> Context<Settings> {
    let mut all = json!({ "from": "+525500001111" });
    for (key, value) in more.as_object().into_iter().flatten() {
        all[key] = value.clone();
    }
    context(all)
}

fn answer(stage: SmppStage, status: u32, id: &str) -> Reply {
    let message_id = (!id.is_empty()).then(|| id.to_owned());
    Reply::Smpp(SmppReply { stage, status, message_id, tlvs: Vec::new() })
}

/// Hands over a text with these answers, by way of the state's JSON as the host does; gives back what was sent and what
/// came of it.
fn run(
    context: &Context<Settings>,
    text: &str,
    answers: Vec<Reply>,
) -> (Vec<ShortMessage>, Result<Acceptance, Refusal>) {
    let mut sent = Vec::new();
    let mut step = Smpp::deliver(context, &sms("+525512345678", text));
    let mut answers = answers.into_iter();
    loop {
        match step {
            Ok(Step::Send(Action::Smpp(message), state)) => {
                sent.push(message);
                let Some(answer) = answers.next() else { panic!("no answer to part {}", sent.len()) };
                let state = serde_json::to_string(&state).expect("the state is JSON");
                assert!(state.len() < 64 << 10);
                step =
                    Smpp::on_reply(context, serde_json::from_str(&state).expect("JSON is the state"), answer);
            }
            Ok(Step::Done(acceptance)) => return (sent, Ok(acceptance)),
            Err(refusal) => return (sent, Err(refusal)),
            Ok(step) => panic!("{step:?}"),
        }
    }
}

fn ids(count: usize) -> Vec<Reply> {
    (1..=count).map(|number| answer(SmppStage::Submit, 0, &format!("id-{number}"))).collect()
}

#[test]
fn a_text_becomes_one_short_message() {
    let (sent, outcome) = run(&settings(json!({})), "Hola ñ €", ids(1));
    let [message] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!(message.source, SmppAddress::new(1, 1, "525500001111"));
    assert_eq!(message.destination, SmppAddress::new(1, 1, "525512345678"));
    assert_eq!((message.esm_class, message.data_coding, message.registered_delivery), (0, 0, 1));
    assert_eq!(message.short_message, b"Hola \x7d \x1b\x65");
    assert!(message.tlvs.is_empty() && message.validity.is_empty());
    let accepted = outcome.expect("accepted");
    assert_eq!((accepted.references.as_slice(), accepted.parts), (["id-1".to_owned()].as_slice(), Some(1)));
}

#[test]
fn every_setting_has_its_field() {
    let context = settings(json!({
        "from": "Acme", "receipts": false, "validity": 86400, "service_type": "CMT", "default_data_coding": 241,
        "tlvs": { "0x1400": "110012" },
    }));
    let (sent, _) = run(&context, "Hola", ids(1));
    let message = &sent[0];
    assert_eq!(message.source, SmppAddress::new(5, 0, "Acme"));
    assert_eq!((message.registered_delivery, message.data_coding), (0, 241));
    assert_eq!((message.validity.as_str(), message.service_type.as_str()), ("000001000000000R", "CMT"));
    assert_eq!(message.tlvs, [SmppTlv { tag: 0x1400, value: b"110012".to_vec() }]);
}

#[test]
fn alphabets() {
    for (more, text, coding, octets) in [
        (json!({}), "á", 8, &[0, 0xe1][..]),
        (json!({}), "\u{1f600}", 8, &[0xd8, 0x3d, 0xde, 0x00]),
        (json!({ "encoding": "latin1" }), "á", 3, &[0xe1]),
        (json!({ "encoding": "latin1" }), "€", 8, &[0x20, 0xac]),
        (json!({ "encoding": "ucs2" }), "a", 8, &[0, b'a']),
        (json!({ "septets": "packed" }), "hello", 0, &[0xe8, 0x32, 0x9b, 0xfd, 0x06]),
    ] {
        let (sent, _) = run(&settings(more.clone()), text, ids(1));
        assert_eq!(
            (sent[0].data_coding, sent[0].short_message.as_slice()),
            (coding, octets),
            "{more} {text}"
        );
    }
}

#[test]
fn a_long_text_has_parts_with_headers_and_an_id_each() {
    let text = "x".repeat(307);
    let (sent, outcome) = run(&settings(json!({})), &text, ids(3));
    let headers: Vec<&[u8]> = sent.iter().map(|message| &message.short_message[..6]).collect();
    let reference = headers[0][3];
    for (number, header) in (1..).zip(&headers) {
        assert_eq!(*header, [5, 0, 3, reference, 3, number]);
    }
    let body: Vec<u8> = sent.iter().flat_map(|message| message.short_message[6..].to_vec()).collect();
    assert_eq!(body, text.as_bytes());
    assert!(sent.iter().all(|message| message.esm_class == 0x40 && message.tlvs.is_empty()));
    let accepted = outcome.expect("accepted");
    assert_eq!((accepted.references.join(" ").as_str(), accepted.parts), ("id-1 id-2 id-3", Some(3)));
    // Tried again, the parts belong together with those of the first try.
    assert_eq!(run(&settings(json!({})), &text, ids(3)).0, sent);
    let mut redriven = settings(json!({}));
    redriven.idempotency_key = "01hzy3k9q8w7e-2".into();
    assert_ne!(run(&redriven, &text, ids(3)).0[0].short_message[3], reference);
}

#[test]
fn packed_parts_begin_behind_the_header() {
    let (sent, _) = run(&settings(json!({ "septets": "packed" })), &"a".repeat(161), ids(2));
    assert_eq!(sent[0].short_message.len(), 140, "153 septets and the header fill it");
    // An `a` is 1100001, one bit behind the border of a byte.
    assert_eq!(sent[1].short_message[6] & 0b1111_1110, 0b1100_0010);
}

#[test]
fn parts_by_parameters_and_as_a_whole() {
    let text = "á".repeat(140);
    let (sent, _) = run(&settings(json!({ "parts": "sar" })), &text, ids(3));
    for (number, message) in (1..).zip(&sent) {
        let tlv = |tag| message.tlvs.iter().find(|tlv| tlv.tag == tag).map(|tlv| tlv.value.as_slice());
        assert_eq!((tlv(0x020e), tlv(0x020f)), (Some(&[3][..]), Some(&[number][..])));
        assert_eq!(
            tlv(0x020c),
            sent[0].tlvs.iter().find(|tlv| tlv.tag == 0x020c).map(|tlv| tlv.value.as_slice())
        );
        assert_eq!(message.esm_class, 0);
    }
    let (sent, outcome) = run(&settings(json!({ "parts": "payload" })), &text, ids(1));
    let [message] = sent.as_slice() else { panic!("{sent:?}") };
    assert!(message.short_message.is_empty());
    assert_eq!((message.tlvs[0].tag, message.tlvs[0].value.len()), (0x0424, 280));
    assert_eq!(outcome.expect("accepted").references, ["id-1"]);
}

#[test]
fn what_cannot_go_is_refused_before_anything_leaves() {
    let refused = |context: &Context<Settings>, to: &str, text: &str| {
        Smpp::deliver(context, &sms(to, text)).map(|_| ()).unwrap_err().kind()
    };
    let usual = settings(json!({}));
    assert_eq!(refused(&usual, "+525512345678", ""), "rejected-content");
    assert_eq!(refused(&usual, "+525512345678", &"x".repeat(153 * 10 + 1)), "rejected-content");
    assert_eq!(refused(&usual, "not a number", "x"), "rejected-recipient");
    let most = settings(json!({ "parts_max": 32 }));
    assert_eq!(run(&most, &"á".repeat(67 * 32), ids(32)).0.len(), 32);
}

#[test]
fn answers_become_what_they_are() {
    testing::answers_of_steps::<Smpp>(include_str!("../testdata/answers.json"));
}

#[test]
fn no_answer_is_judged_by_whether_it_left() {
    for (may_have_left, kind) in [(false, "deferred"), (true, "unknown")] {
        let failed =
            Reply::Failed(Failure { kind: FailureKind::Reset, detail: "broke".into(), may_have_left });
        assert_eq!(run(&settings(json!({})), "Hola", vec![failed]).1.unwrap_err().kind(), kind);
    }
    let accepted =
        run(&settings(json!({})), "Hola", vec![answer(SmppStage::Submit, 0, "")]).1.expect("accepted");
    assert!(accepted.references.is_empty());
}

/// Some of it may be read already: whatever is said of a later part, the message is not known to be undelivered.
#[test]
fn a_message_of_which_a_part_was_taken_is_unknown() {
    let left = |may_have_left| {
        Reply::Failed(Failure { kind: FailureKind::Connect, detail: "gone".into(), may_have_left })
    };
    for (later, code) in [
        (answer(SmppStage::Submit, 0x58, ""), "0x58"),
        (answer(SmppStage::Submit, 0x0b, ""), "0xb"),
        (answer(SmppStage::Bind, 0x0e, ""), "0xe"),
        (left(false), "connect"),
        (left(true), "connect"),
    ] {
        let answers = vec![answer(SmppStage::Submit, 0, "id-1"), later];
        let refusal = run(&settings(json!({})), &"x".repeat(307), answers).1.unwrap_err();
        assert_eq!((refusal.kind(), refusal.reason().code.as_str()), ("unknown", code));
        assert!(refusal.reason().message.starts_with("1 of 3 parts were taken"), "{refusal}");
    }
}

fn receive(context: &Context<Settings>, delivery: &SmppDelivery) -> Vec<Event> {
    Smpp::receive(context, delivery).expect("it can be taken")
}

fn delivery(esm_class: u8, text: &[u8]) -> SmppDelivery {
    SmppDelivery {
        source: SmppAddress::new(1, 1, "525512345678"),
        destination: SmppAddress::new(1, 1, "525500001111"),
        esm_class,
        short_message: text.to_vec(),
        ..SmppDelivery::default()
    }
}

#[test]
fn receipts() {
    use ReceiptState::{Delivered, Pending, Undelivered};
    let usual = settings(json!({}));
    let whole = "id:0A1b sub:001 dlvrd:001 submit date:2611220000 done date:2611220001 stat:DELIVRD err:000 text:Hola";
    /// The text, the parameters, and what they say: id, state, code.
    type Row<'a> = (&'a str, &'a [(u16, &'a [u8])], &'a str, ReceiptState, Option<&'a str>);
    let table: &[Row<'_>] = &[
        (whole, &[], "0A1b", Delivered, None),
        ("ID:7 STAT:UNDELIV ERR:034 TEXT:id:8 stat:DELIVRD", &[], "7", Undelivered, Some("034")),
        ("id:7 sub:001 dlvrd:000 stat:EXPIRED err:000", &[], "7", Undelivered, Some("EXPIRED")),
        ("id:7 stat:REJECTD err:0x0B text:", &[], "7", Undelivered, Some("0x0B")),
        ("id:7 stat:ENROUTE", &[], "7", Pending, Some("ENROUTE")),
        ("id:7 stat:ACCEPTD err:000", &[], "7", Pending, Some("ACCEPTD")),
        ("id:7 stat:UNKNOWN", &[], "7", Pending, Some("UNKNOWN")),
        ("id:7 stat:Delivered", &[], "7", Delivered, None),
        ("id:7 text:nothing more", &[(0x0427, &[5])], "7", Undelivered, Some("UNDELIV")),
        ("", &[(0x001e, b"9\0"), (0x0427, &[2])], "9", Delivered, None),
        ("", &[(0x001e, b"9"), (0x0427, &[8]), (0x0423, &[3, 0, 34])], "9", Undelivered, Some("34")),
        ("id:7 stat:DELIVRD", &[(0x001e, b"9\0")], "9", Delivered, None),
    ];
    for (text, tlvs, reference, state, code) in table {
        let mut delivery = delivery(0x04, text.as_bytes());
        delivery.tlvs =
            tlvs.iter().map(|(tag, value)| SmppTlv { tag: *tag, value: value.to_vec() }).collect();
        let events = receive(&usual, &delivery);
        let [Event::Receipt(receipt)] = events.as_slice() else { panic!("{text}: {events:?}") };
        assert_eq!((receipt.reference.as_str(), receipt.state), (*reference, *state), "{text}");
        assert_eq!(receipt.reason.as_ref().map(|reason| reason.code.as_str()), *code, "{text}");
    }
    for text in [
        "",
        "id: stat:DELIVRD",
        "stat:DELIVRD",
        "id:7",
        "id:7 stat:PURPLE",
        "\u{0}\u{1}",
        "text:id:7 stat:DELIVRD",
    ] {
        assert_eq!(
            Smpp::receive(&usual, &delivery(0x04, text.as_bytes())).unwrap_err().code,
            "receipt",
            "{text}"
        );
    }
}

#[test]
fn ids_of_receipts_are_those_of_answers() {
    for (ids, answered, receipt) in
        [("decimal", "0A1b", "2587"), ("hex", "2587", "0A1B"), ("same", "x-1", "x-1")]
    {
        let context = settings(json!({ "receipt_ids": ids }));
        let accepted =
            run(&context, "Hola", vec![answer(SmppStage::Submit, 0, answered)]).1.expect("accepted");
        let events = receive(&context, &delivery(0x04, format!("id:{receipt} stat:DELIVRD").as_bytes()));
        let [Event::Receipt(receipt)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!([receipt.reference.clone()].as_slice(), accepted.references, "{ids}");
    }
}

#[test]
fn a_person_cannot_write_a_receipt() {
    let forged = delivery(0, b"id:7 sub:001 dlvrd:001 stat:DELIVRD err:000 text:");
    assert!(matches!(receive(&settings(json!({})), &forged).as_slice(), [Event::Inbound(_)]));
    let mut real = forged;
    real.tlvs = vec![SmppTlv { tag: 0x001e, value: b"7\0".to_vec() }];
    assert!(matches!(receive(&settings(json!({})), &real).as_slice(), [Event::Receipt(_)]));
}

#[test]
fn messages_to_us() {
    let text_of = |context: &Context<Settings>, delivery: &SmppDelivery| {
        let events = receive(context, delivery);
        let [Event::Inbound(inbound)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((inbound.from.as_str(), inbound.to.as_str()), ("+525512345678", "+525500001111"));
        assert!(inbound.id.starts_with("mo-") && inbound.id.len() <= 64);
        inbound.text.clone()
    };
    let usual = settings(json!({}));
    for (more, coding, esm_class, octets, text) in [
        (json!({}), 0, 0, &b"STOP \x7d\x1b\x65"[..], "STOP ñ€"),
        (json!({ "default_alphabet": "latin1" }), 0, 0, b"\xf1", "ñ"),
        (json!({ "septets": "packed" }), 0, 0, &[0xe8, 0x32, 0x9b, 0xfd, 0x06], "hello"),
        (json!({}), 3, 0, b"\xf1", "ñ"),
        (json!({}), 8, 0, &[0, 0xf1, 0xd8, 0x3d, 0xde, 0], "ñ\u{1f600}"),
        (json!({}), 0x18, 0, &[0, 0xf1], "ñ"),
        (json!({}), 0xf1, 0, b"a", "a"),
        (json!({}), 0, 0x40, &[5, 0, 3, 9, 2, 1, b'o', b'k'], "ok"),
        (json!({}), 0, 0x40, &[200, b'o', b'k'], ""),
        (json!({}), 0, 0x40, &[], ""),
    ] {
        let mut delivery = delivery(esm_class, octets);
        delivery.data_coding = coding;
        assert_eq!(text_of(&settings(more), &delivery), text, "{octets:?}");
    }
    let mut short = delivery(0, b"x");
    short.source = SmppAddress::new(3, 0, "12345");
    short.destination = SmppAddress::new(1, 1, "");
    let events = receive(&usual, &short);
    let [Event::Inbound(inbound)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((inbound.from.as_str(), inbound.to.as_str()), ("12345", ""));
    short.source = SmppAddress::new(5, 0, "Acmé\r\n\u{202e}\u{feff} & Co");
    let events = receive(&usual, &short);
    assert!(
        matches!(events.as_slice(), [Event::Inbound(inbound)] if inbound.from == "Acmé & Co"),
        "{events:?}"
    );
    assert_eq!(receive(&usual, &delivery(0x08, b"read")), [], "an acknowledgement of the recipient's own");
}
