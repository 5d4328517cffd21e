//! Messages as senders make them, and as nobody should.

use std::sync::Arc;

use dispatch_model::{
    Attachment, AttachmentFile, Body, Callback, Channel, Content, Context, Description, Direction,
    EmailContent, HttpCallback, MediaSupport, Message, MessageId, Pair, PhoneNumber, SmppAddress,
    SmppDelivery, SmppTlv, SmsContent, Submission, Timestamp,
};
use rand::Rng as _;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use serde_json::{Map, json};

/// When examinations happen: 2026-11-22 00:00:00 UTC.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_305_600_000);

/// Texts that break what is written carelessly.
const NASTY: [&str; 16] = [
    "",
    " ",
    "Hola, ¿cómo estás? 👋🏽",
    "\u{0}\u{1}\u{7f}",
    "line\r\nBcc: victim@example.com\r\n\r\nbody",
    "\"quoted\", {json}: [1]",
    "<script>alert('x')</script>&amp;&#0;",
    "%00%0d%0a%s%n{}{{x}}${y}",
    "a\u{301}\u{200b}\u{202e}txet",
    "\u{feff}\u{fffd}\u{10ffff}",
    "../../etc/passwd",
    "' OR 1=1; --",
    "+521 55 1234 5678",
    "nombre <a@b.example>, otro@c.example",
    "=?utf-8?q?x?=",
    "\\u0000\\\\\\\"",
];

/// An honest message: what is tried first, and what `run` takes where none is given.
pub fn sample(channel: Channel) -> Message {
    let content = match channel {
        Channel::Sms => Content::Sms(SmsContent {
            to: number("+525512345678"),
            text: "Your appointment is tomorrow at 10.".to_owned(),
        }),
        Channel::Email => Content::Email(EmailContent {
            from: Some("Agency <hello@agency.example>".to_owned()),
            to: vec!["Ana Pérez <ana@example.com>".to_owned()],
            cc: Vec::new(),
            bcc: Vec::new(),
            subject: "Your appointment".to_owned(),
            html: "<p>Your appointment is <b>tomorrow at 10</b>.</p>".to_owned(),
            text: None,
            in_reply_to: None,
        }),
    };
    Message {
        id: MessageId::first_at(NOW),
        submission: Submission {
            direction: Direction::Outbound,
            source: "examination".into(),
            location: "exampleLocation00001".into(),
            external_id: "exampleMessage000001".to_owned(),
            contact: Some("exampleContact000001".into()),
            received_at: NOW,
            content,
            attachments: Vec::new(),
            extra: Map::new(),
            problem: None,
        },
    }
}

fn number(e164: &str) -> PhoneNumber {
    PhoneNumber { original: e164.to_owned(), e164: Some(e164.to_owned()) }
}

/// The messages of an examination: for each channel an honest one, one with everything, the largest that senders make,
/// and made-up ones.
pub(crate) fn all(description: &Description, cases: u32, rng: &mut SmallRng) -> Vec<Arc<Message>> {
    let mut messages = Vec::new();
    for channel in &description.channels {
        messages.push(sample(*channel));
        messages.push(rich(*channel, description.limits.media));
        messages.push(huge(*channel));
        messages.extend((0..cases).map(|_| made_up(*channel, description.limits.media, rng)));
    }
    messages.into_iter().map(Arc::new).collect()
}

fn rich(channel: Channel, media: MediaSupport) -> Message {
    let mut message = sample(channel);
    match &mut message.submission.content {
        Content::Sms(sms) => sms.text = "¡Hola! 👋🏽 €uros [x] ".repeat(40),
        Content::Email(mail) => {
            mail.to = vec!["\"Pérez, Ana\" <ana@example.com>".to_owned(), "b@example.com".to_owned()];
            mail.cc = vec!["Ñandú <c@example.com>".to_owned()];
            mail.bcc = vec!["d@example.com".to_owned()];
            mail.text = Some("Hola".to_owned());
            mail.in_reply_to = Some("<1@mail.example>".to_owned());
            mail.html =
                format!("<html><style>p{{}}</style><body>{}</body></html>", "<p>Añb</p>".repeat(2000));
        }
    }
    if media != MediaSupport::None {
        message.submission.attachments = vec![attachment("factura.pdf", media), attachment("ñ 1.png", media)];
    }
    message.submission.extra.insert("conversationProviderId".to_owned(), json!("p1"));
    message
}

/// A text that nobody means, and a mail as editors for newsletters make them.
fn huge(channel: Channel) -> Message {
    let mut message = sample(channel);
    match &mut message.submission.content {
        Content::Sms(sms) => sms.text = "¿Ñ? 👋🏽 ".repeat(5_000),
        Content::Email(mail) => {
            let row = "<tr><td style=\"color:#333\"><a href=\"https://example.com/?a=1&amp;b=2\">Añb &euro;</a></td></tr>\n";
            mail.html = format!("<html><body><table>{}</table></body></html>", row.repeat(10_000));
        }
    }
    message
}

fn attachment(name: &str, media: MediaSupport) -> Attachment {
    let file =
        AttachmentFile { name: name.to_owned(), media_type: "application/pdf".to_owned(), size: 12_345 };
    Attachment {
        url: format!("https://files.example.com/{name}"),
        file: (media == MediaSupport::Content).then_some(file),
    }
}

fn text(rng: &mut SmallRng) -> String {
    match rng.random_range(0..10) {
        0 => "x".repeat(rng.random_range(0..20_000)),
        1 => (0..rng.random_range(0..200)).map(|_| rng.random::<char>()).collect(),
        2 => {
            let some = |rng: &mut SmallRng| *NASTY.choose(rng).unwrap_or(&"");
            format!("{}{}{}", some(rng), some(rng), some(rng))
        }
        _ => (*NASTY.choose(rng).unwrap_or(&"")).to_owned(),
    }
}

fn texts(rng: &mut SmallRng) -> Vec<String> {
    (0..rng.random_range(0..4)).map(|_| text(rng)).collect()
}

fn made_up(channel: Channel, media: MediaSupport, rng: &mut SmallRng) -> Message {
    let mut message = sample(channel);
    let submission = &mut message.submission;
    submission.content = match channel {
        Channel::Sms => {
            let honest = rng.random_bool(0.7);
            let to = if honest {
                number("+525512345678")
            } else {
                PhoneNumber { original: text(rng), e164: None }
            };
            Content::Sms(SmsContent { to, text: text(rng) })
        }
        Channel::Email => Content::Email(EmailContent {
            from: rng.random_bool(0.8).then(|| text(rng)),
            to: if rng.random_bool(0.5) { vec!["ana@example.com".to_owned()] } else { texts(rng) },
            cc: texts(rng),
            bcc: texts(rng),
            subject: text(rng),
            html: text(rng),
            text: rng.random_bool(0.5).then(|| text(rng)),
            in_reply_to: rng.random_bool(0.3).then(|| text(rng)),
        }),
    };
    submission.contact = rng.random_bool(0.5).then(|| text(rng).as_str().into());
    for _ in 0..rng.random_range(0..3) {
        let mut one = attachment("x.pdf", media);
        one.url = text(rng);
        submission.attachments.push(one);
    }
    for _ in 0..rng.random_range(0..3) {
        submission.extra.insert(text(rng), json!([text(rng), rng.random::<f64>(), null]));
    }
    message
}

/// What a call is told besides its subject.
pub(crate) fn context(settings: &str, number: u32) -> Context {
    Context {
        settings: settings.into(),
        now: NOW,
        deadline: NOW.plus(std::time::Duration::from_secs(30)),
        number,
        idempotency_key: "0q3f5v7k9x2mb-1".to_owned(),
        callback_url: Some("https://hooks.example.com/callbacks/x/0q3f5v7k9x2mb-1".to_owned()),
    }
}

/// The same, now and then as a call that comes late, or again, or without a place for callbacks.
pub(crate) fn contexts(settings: &str, index: usize) -> Context {
    let usual = context(settings, 1);
    match index % 5 {
        1 => Context { number: 7, callback_url: None, ..usual },
        2 => Context { deadline: Timestamp::from_millis(0), ..usual },
        3 => Context { idempotency_key: "z".repeat(36), number: u32::MAX, ..usual },
        _ => usual,
    }
}

/// A callback that nobody signed, or a delivery that no message centre would make.
pub(crate) fn callback(rng: &mut SmallRng) -> Callback {
    if rng.random_bool(0.4) { Callback::Smpp(delivery(rng)) } else { Callback::Http(http_callback(rng)) }
}

fn delivery(rng: &mut SmallRng) -> SmppDelivery {
    let bytes = |rng: &mut SmallRng, max: usize| -> Vec<u8> {
        (0..rng.random_range(0..=max)).map(|_| rng.random::<u8>()).collect()
    };
    let address = |rng: &mut SmallRng| SmppAddress {
        ton: rng.random(),
        npi: rng.random(),
        address: if rng.random_bool(0.5) { "525512345678".to_owned() } else { text(rng) },
    };
    let short_message = match rng.random_range(0..5) {
        0 => bytes(rng, 254),
        1 => b"id:0123456789 sub:001 dlvrd:001 submit date:2611220000 done date:2611220001 stat:DELIVRD err:000 text:".to_vec(),
        2 => format!("id:{} stat:{} err:{}", text(rng), text(rng), text(rng)).into_bytes(),
        3 => [vec![5, 0, 3, rng.random(), rng.random(), rng.random()], bytes(rng, 140)].concat(),
        _ => text(rng).into_bytes(),
    };
    SmppDelivery {
        source: address(rng),
        destination: address(rng),
        esm_class: *[0, 4, 8, 0x40, 0x44, 0xff].choose(rng).unwrap_or(&0),
        protocol_id: rng.random(),
        data_coding: *[0, 1, 3, 8, 0xf5, 0xff].choose(rng).unwrap_or(&0),
        short_message: Body::from(short_message),
        tlvs: (0..rng.random_range(0..4))
            .map(|_| SmppTlv {
                tag: *[0x001e, 0x0427, 0x0423, 0x020c, 0x020e, 0x020f, 0x1400].choose(rng).unwrap_or(&0),
                value: Body::from(bytes(rng, 20)),
            })
            .collect(),
    }
}

fn http_callback(rng: &mut SmallRng) -> HttpCallback {
    let headers = ["content-type", "x-twilio-signature", "authorization", "svix-id", "svix-signature", "x-y"];
    let body = match rng.random_range(0..5) {
        0 => (0..rng.random_range(0..2000)).map(|_| rng.random::<u8>()).collect(),
        1 => format!("MessageSid={}&MessageStatus=delivered", text(rng)).into_bytes(),
        2 => json!({ "event": text(rng), "data": { "id": text(rng), "status": "delivered" } })
            .to_string()
            .into_bytes(),
        3 => [vec![b'['; 20_000]].concat(),
        _ => text(rng).into_bytes(),
    };
    HttpCallback {
        method: (*["POST", "GET", "", "post\r\n"].choose(rng).unwrap_or(&"POST")).to_owned(),
        url: format!("https://hooks.example.com/callbacks/x?{}", text(rng)),
        headers: headers
            .iter()
            .flat_map(|name| {
                rng.random_bool(0.5).then(|| Pair { name: (*name).to_owned(), value: text(rng) })
            })
            .collect(),
        body: Body::from(body),
    }
}
