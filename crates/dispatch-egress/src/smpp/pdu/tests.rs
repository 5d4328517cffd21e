use std::time::Duration;

use dispatch_model::Secret;
use proptest::prelude::*;
use rusmpp_core::CommandStatus;
use rusmpp_core::command::owned::Command;
use rusmpp_core::decode::owned::DecodeWithLength as _;
use rusmpp_core::encode::owned::Encode as _;
use rusmpp_core::pdus::owned::{DeliverSm, Pdu, SubmitSmResp};
use rusmpp_core::tlvs::owned::MessageDeliveryRequestTlvValue;
use rusmpp_core::types::owned::{AnyOctetString, COctetString, OctetString};
use rusmpp_core::values::{Npi, Ton};

use super::*;

/// What a library written by others makes of our PDU, written out again by it.
fn through_a_library(frame: &Frame) -> Vec<u8> {
    let bytes = frame.bytes();
    let mut rest = BytesMut::from(&bytes[4..]);
    let length = rest.len();
    let (command, read) = Command::decode(&mut rest, length).expect("the library reads it");
    assert_eq!(read, length, "all of it");
    let mut again = BytesMut::new();
    again.put_u32(bytes.len() as u32);
    command.encode(&mut again);
    again.to_vec()
}

/// A PDU of the library's, as we read it.
fn of_a_library(sequence: u32, pdu: impl Into<Pdu>) -> Frame {
    let mut bytes = BytesMut::new();
    Command::new(CommandStatus::EsmeRok, sequence, pdu).encode(&mut bytes);
    let mut whole = BytesMut::new();
    whole.put_u32(bytes.len() as u32 + 4);
    whole.put_slice(&bytes);
    let frame = Frame::take(&mut whole).expect("a PDU").expect("a whole one");
    assert!(whole.is_empty());
    frame
}

fn session() -> Session {
    Session {
        host: "smsc.example".to_owned(),
        port: 2775,
        tls: false,
        system_id: "acme".to_owned(),
        password: Some(Secret::new("s3cret")),
        system_type: "SMPP".to_owned(),
        window: 10,
        enquire_link: Duration::from_secs(30),
    }
}

fn number(address: &str) -> SmppAddress {
    SmppAddress { ton: 1, npi: 1, address: address.to_owned() }
}

#[test]
fn a_bind_is_the_standards() {
    let frame = Frame::request(command::BIND_TRANSCEIVER, 1, bind(&session()));
    let expected =
        [&[0, 0, 0, 37, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1][..], b"acme\0s3cret\0SMPP\0", &[0x34, 0, 0, 0]]
            .concat();
    assert_eq!(frame.bytes(), expected);
    assert_eq!(through_a_library(&frame), expected);
}

#[test]
fn a_nul_within_a_text_does_not_shift_what_follows() {
    let bound = bind(&Session { system_id: "ac\0me".to_owned(), ..session() });
    assert!(bound.starts_with(b"ac\0s3cret\0"));
}

proptest! {
    #[test]
    fn what_is_submitted_is_read_by_others_as_it_was_meant(
        source in "[A-Za-z0-9 ]{0,20}",
        destination in "[0-9]{1,20}",
        octets in proptest::collection::vec(any::<u8>(), 0..=254),
        payload in proptest::collection::vec(any::<u8>(), 0..3000),
        esm_class in prop::sample::select(vec![0_u8, 0x40]),
        data_coding in prop::sample::select(vec![0_u8, 3, 8]),
        validity in prop::sample::select(vec!["", "000001000000000R"]),
        sequence in 1_u32..0x8000_0000,
    ) {
        let submission = SmppSubmission {
            service_type: String::new(),
            source: SmppAddress { ton: 5, npi: 0, address: source },
            destination: number(&destination),
            esm_class,
            data_coding,
            registered_delivery: 1,
            validity: validity.to_owned(),
            short_message: Body::from(octets),
            tlvs: vec![
                SmppTlv { tag: MESSAGE_PAYLOAD, value: Body::from(payload) },
                SmppTlv { tag: 0x020c, value: Body::from(vec![0, 7]) },
            ],
            ..SmppSubmission::default()
        };
        let frame = Frame::request(command::SUBMIT_SM, sequence, submit(&submission));
        prop_assert_eq!(through_a_library(&frame), frame.bytes().to_vec());
    }

    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200), command in 0_u32..0x0200) {
        let frame = Frame { command, status: 0, sequence: 1, body: Bytes::from(bytes.clone()) };
        let _ = (frame.delivery(), frame.acceptance());
        let _ = Frame::take(&mut BytesMut::from(&bytes[..]));
    }
}

#[test]
fn an_answer_to_a_submission() {
    let answer = |id: &str| {
        of_a_library(
            7,
            SubmitSmResp::builder()
                .message_id(COctetString::from_vec([id.as_bytes(), b"\0"].concat()).unwrap())
                .build(),
        )
    };
    let frame = answer("0badc0de");
    assert_eq!((frame.command, frame.sequence), (command::SUBMIT_SM_RESP, 7));
    assert_eq!(frame.acceptance().0.as_deref(), Some("0badc0de"));
    assert_eq!(answer("").acceptance().0, None);
    for (body, expected) in [
        (&b""[..], None),
        (b"\0", None),
        (b"17", Some("17")),
        (b"1\x1b7\0", Some("1\u{fffd}7")),
        (b"\xff\0", Some("\u{fffd}")),
    ] {
        let frame = Frame {
            command: command::SUBMIT_SM_RESP,
            status: 0,
            sequence: 1,
            body: Bytes::from_static(body),
        };
        assert_eq!(frame.acceptance().0.as_deref(), expected, "{body:?}");
    }
}

#[test]
fn a_delivery_and_its_text_wherever_it_stands() {
    let base = || {
        DeliverSm::builder()
            .source_addr_ton(Ton::International)
            .source_addr_npi(Npi::Isdn)
            .source_addr(COctetString::from_static_slice(b"525512345678\0").unwrap())
            .destination_addr(COctetString::from_static_slice(b"12345\0").unwrap())
    };
    let short = base().short_message(OctetString::from_static_slice(b"id:1 stat:DELIVRD").unwrap()).build();
    let frame = of_a_library(3, short);
    let delivery = frame.delivery().unwrap();
    assert_eq!(delivery.source, number("525512345678"));
    assert_eq!(delivery.destination.address, "12345");
    assert_eq!(&delivery.short_message[..], b"id:1 stat:DELIVRD");
    let answer = frame.answer(status::OK);
    assert_eq!((answer.command, answer.sequence, &answer.body[..]), (0x8000_0005, 3, &[0][..]));
    assert_eq!(through_a_library(&answer), answer.bytes().to_vec());

    let long = base()
        .push_tlv(MessageDeliveryRequestTlvValue::MessagePayload(
            rusmpp_core::values::owned::MessagePayload::new(AnyOctetString::from_static_slice(
                b"a long text",
            )),
        ))
        .build();
    let delivery = of_a_library(4, long).delivery().unwrap();
    assert_eq!(&delivery.short_message[..], b"a long text");
    assert!(delivery.tlvs.is_empty());
}

/// A `deliver_sm` as message centres really send them.
fn delivery(source: &[u8], short_message: &[u8], rest: &[u8]) -> Option<SmppDelivery> {
    let body = [
        &b"\0\x01\x01"[..],
        source,
        &b"\x01\x01123\0\x04\0\0\0\0\0\0\0\0"[..],
        &[short_message.len() as u8],
        short_message,
        rest,
    ]
    .concat();
    Frame { command: command::DELIVER_SM, status: 0, sequence: 1, body: body.into() }.delivery()
}

#[test]
fn sloppy_deliveries_are_read() {
    let long = delivery(b"1234567890123456789012345\0", b"x", b"").unwrap();
    assert_eq!(long.source.address.len(), 25, "longer than the standard has it");
    let unterminated = delivery(b"1\0", b"x", b"\x00\x1e\x00\x03abc").unwrap();
    assert_eq!(unterminated.tlvs, [SmppTlv { tag: 0x1e, value: Body::from("abc") }]);
    let cut = delivery(b"1\0", b"x", b"\x04\x27\x00\x01\x02\x00\x1e\x00\x09abc").unwrap();
    assert_eq!(cut.tlvs.len(), 1, "what can be told apart");
    assert_eq!(delivery(b"1\0", b"x", b"\0").unwrap().tlvs, []);
}

#[test]
fn a_text_that_is_longer_than_its_pdu_is_no_text() {
    let mut body = b"\0\x01\x011\0\x01\x01123\0\x04\0\0\0\0\0\0\0\0".to_vec();
    body.extend([9, b'x']);
    let frame = Frame { command: command::DELIVER_SM, status: 0, sequence: 1, body: body.into() };
    assert_eq!(frame.delivery(), None);
}

#[test]
fn frames_are_taken_whole_and_within_bounds() {
    let one = Frame::request(command::ENQUIRE_LINK, 5, Bytes::new()).bytes();
    let mut inbox = BytesMut::new();
    for byte in &one[..15] {
        inbox.put_u8(*byte);
        assert_eq!(Frame::take(&mut inbox), Ok(None));
    }
    inbox.put_slice(&one[15..]);
    inbox.put_slice(&one);
    for _ in 0..2 {
        assert_eq!(Frame::take(&mut inbox).unwrap().unwrap().sequence, 5);
    }
    for length in [0_u32, 15, 70 * 1024 + 1, u32::MAX, 0x4854_5450] {
        let mut inbox = BytesMut::from(&length.to_be_bytes()[..]);
        assert_eq!(Frame::take(&mut inbox), Err(NotSmpp(length)));
    }
}
