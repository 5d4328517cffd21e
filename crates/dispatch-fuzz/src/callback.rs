//! Callbacks: anybody can send one. The plugins are total over them, and one that proves its callbacks believes none
//! without the proof. So that the code behind a proof is reached as well, an input may ask to be signed.
//!
//! ```text
//! telnyx signed                       the plugin, and whether its provider signs this
//! content-type: application/json      headers, or a query that begins with `?`
//!
//! {"data": …}                         the body
//! ```

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dispatch_engine::Backend as _;
use dispatch_model::{Callback, HttpCallback, Pair, ReceiveStep, SmppAddress, SmppDelivery, SmppTlv};
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::guests::{Guest, NOW, SECRET};
use crate::{Bench, Seen, Verdict};

pub(crate) const WORDS: &[&str] = &[
    "twilio signed\n",
    "telnyx signed\n",
    "postmark signed\n",
    "resend signed\n",
    "mailgun signed\n",
    "infobip\n",
    "vonage\n",
    "smpp\n",
    "ses\n",
    "sendgrid\n",
    "content-type: application/x-www-form-urlencoded\n",
    "content-type: application/json\n",
    "x-twilio-signature: ",
    "MessageSid=SM1&",
    "MessageStatus=delivered&",
    "ErrorCode=30003&",
    "From=%2B1&",
    "&&",
    "%zz",
    "id:1 sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:",
    "\"event_type\":\"message.finalized\"",
    "\"RecordType\":\"Bounce\"",
    "\"type\":\"email.bounced\"",
    "\"event\":\"failed\"",
];

/// Those that believe nothing without a proof.
const PROVEN: &[&str] = &["twilio", "telnyx", "sendgrid", "postmark", "resend", "mailgun", "ses"];

const URL: &str = "https://d.example.com/callbacks/t0k3n";

fn ed25519() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("any 32 bytes are a seed")
}

/// With which what Telnyx is to have signed is verified.
pub(crate) fn public_key() -> String {
    BASE64_STANDARD.encode(ed25519().public_key())
}

/// Total, and nothing is believed without its proof.
pub(crate) fn callback(bench: &Bench, input: &[u8]) -> Verdict {
    let (head, body) = split(input, b"\n\n");
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split_whitespace();
    let guests = &bench.guests;
    let guest = guests.named(words.next().unwrap_or_default());
    let signed = words.next() == Some("signed");
    let callback = if guest.name == "smpp" {
        Callback::Smpp(delivery(body))
    } else {
        let mut callback = HttpCallback {
            method: "POST".into(),
            url: URL.into(),
            headers: Vec::new(),
            body: body.to_vec().into(),
        };
        for line in lines {
            match (line.strip_prefix('?'), line.split_once(": ")) {
                (Some(query), _) => callback.url = format!("{URL}?{query}"),
                (None, Some((name, value))) => put(&mut callback, &name.to_ascii_lowercase(), value),
                (None, None) => callback.method = "GET".into(),
            }
        }
        if signed {
            sign(guest, &mut callback);
        }
        Callback::Http(callback)
    };
    let step = guests.runtime.block_on(guest.plugin.receive(&guest.context(), &callback, &guests.grants));
    let Some(step) = guest.told(step)? else { return Ok(Seen::of("an id that nobody could show")) };
    if matches!(step, ReceiveStep::Received(_)) && !signed && PROVEN.contains(&guest.name) {
        return Err(format!("{} believes what nobody has signed", guest.name));
    }
    Ok(Seen::of(&format!("{} {signed} {}", guest.name, told(&step))))
}

/// What a step is, in a few words.
pub(crate) fn told(step: &ReceiveStep) -> String {
    match step {
        ReceiveStep::Received(received) => {
            let events = received.events.iter().take(3).map(|event| format!("{event:?}")).collect::<String>();
            format!("{} {events}", received.answer.status)
        }
        ReceiveStep::Refused(reason) => reason.to_string(),
        ReceiveStep::Ask(_) => "asks".to_owned(),
    }
}

/// Before and after; without the mark all of it is before.
fn split<'a>(input: &'a [u8], mark: &[u8]) -> (&'a [u8], &'a [u8]) {
    match input.windows(mark.len()).position(|window| window == mark) {
        Some(at) => (&input[..at], &input[at + mark.len()..]),
        None => (input, &[]),
    }
}

/// A header as the door lets it through: no control characters.
fn put(callback: &mut HttpCallback, name: &str, value: &str) {
    callback.headers.retain(|header| header.name != name);
    let value = value.replace(char::is_control, "");
    callback.headers.push(Pair { name: name.into(), value });
}

/// What came over a session: the first bytes are its classes, the rest the text and a tagged value.
fn delivery(body: &[u8]) -> SmppDelivery {
    let byte = |at: usize| body.get(at).copied().unwrap_or_default();
    let address = || SmppAddress { ton: 1, npi: 1, address: "525512345678".into() };
    let (text, value) = split(body.get(3..).unwrap_or_default(), b"\0");
    SmppDelivery {
        source: address(),
        destination: address(),
        esm_class: byte(0),
        protocol_id: 0,
        data_coding: byte(1),
        short_message: text.to_vec().into(),
        tlvs: vec![SmppTlv { tag: 0x0400 | u16::from(byte(2)), value: value.to_vec().into() }],
    }
}

/// As the provider itself would.
fn sign(guest: &Guest, callback: &mut HttpCallback) {
    let seconds = (NOW / 1000).to_string();
    let body = callback.body.to_vec();
    match guest.name {
        "twilio" => {
            put(callback, "content-type", "application/x-www-form-urlencoded");
            let mut fields: Vec<_> = url::form_urlencoded::parse(&body).into_owned().collect();
            fields.sort();
            let fields: String = fields.into_iter().flat_map(|(name, value)| [name, value]).collect();
            let data = format!("{}{fields}", callback.url);
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET.as_bytes());
            put(callback, "x-twilio-signature", &BASE64_STANDARD.encode(hmac::sign(&key, data.as_bytes())));
        }
        "telnyx" => {
            let signature = ed25519().sign(&[seconds.as_bytes(), b"|", &body].concat());
            put(callback, "telnyx-timestamp", &seconds);
            put(callback, "telnyx-signature-ed25519", &BASE64_STANDARD.encode(signature));
        }
        "resend" => {
            let key = BASE64_STANDARD.decode(SECRET.trim_start_matches("whsec_")).expect("it is base64");
            let signed = [b"msg_1.", seconds.as_bytes(), b".", &body].concat();
            let digest = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed);
            put(callback, "svix-id", "msg_1");
            put(callback, "svix-timestamp", &seconds);
            put(callback, "svix-signature", &format!("v1,{}", BASE64_STANDARD.encode(digest)));
        }
        "postmark" => put(callback, "x-token", SECRET),
        "mailgun" => {
            let Ok(Value::Object(mut said)) = serde_json::from_slice(&body) else { return };
            let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
            let digest = hmac::sign(&key, format!("{seconds}token").as_bytes());
            let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            said.insert(
                "signature".into(),
                json!({ "timestamp": seconds, "token": "token", "signature": hex }),
            );
            callback.body = Value::Object(said).to_string().into_bytes().into();
        }
        _ => {}
    }
}
