//! Targets that are pure functions over bytes.

use std::str::FromStr as _;

use dispatch_highlevel::{Claim, SigningKey, VerifyingKey, verify, verify_all};
use dispatch_ingress::{Parsed, read};
use dispatch_model::{SourceName, Timestamp};
use dispatch_text::{E164, Region, to_e164};

use crate::{Bench, Seen, Verdict};

pub(crate) const WEBHOOK: &[&str] = &[
    "\"locationId\":",
    "\"messageId\":",
    "\"contactId\":",
    "\"type\":\"SMS\"",
    "\"type\":\"Email\"",
    "\"type\":\"Custom\"",
    "\"phone\":",
    "\"message\":",
    "\"attachments\":[",
    "\"emailTo\":[",
    "\"html\":",
    "\"subject\":",
    "\"messageType\":",
    "\"replyToAltId\":",
    "+525512345678",
    "null,",
    "https://a.example/x.png",
];

/// The parser behind the signature: total, and the same twice.
pub(crate) fn webhook(_: &Bench, input: &[u8]) -> Verdict {
    let parsed = || read(input, &SourceName::from("highlevel"), Region::from_str("MX").ok(), at());
    let (first, second) = (parsed(), parsed());
    let (same, seen) = match (&first, &second) {
        (Parsed::Submission(a), Parsed::Submission(b)) => {
            if a.external_id.is_empty() || a.location.as_str().is_empty() {
                return Err("a submission without an id or a location".into());
            }
            // The words of its own are in quotes, and fall out.
            (format!("{a:?}") == format!("{b:?}"), format!("{a:?}"))
        }
        (Parsed::Ignored(a), Parsed::Ignored(b)) => (a == b, format!("{a:?}")),
        (Parsed::Quarantined { reason: a }, Parsed::Quarantined { reason: b }) => {
            (!a.is_empty() && a == b, a.to_string())
        }
        _ => (false, String::new()),
    };
    if same { Ok(Seen::of(&seen)) } else { Err("read twice, it is two things".into()) }
}

fn at() -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000)
}

pub(crate) const SIGNATURE: &[&str] = &["N/A", "==", "ed25519=", "v1=", "AAAA", "\n"];

/// The first line is a header, the rest a body. Nothing but its own signature passes, alone or beside good ones.
pub(crate) fn signature(_: &Bench, input: &[u8]) -> Verdict {
    let split = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (header, body) = (&input[..split], input.get(split + 1..).unwrap_or_default());
    let Err(refusal) = verify(&VerifyingKey::published(), body, [header]) else {
        return Err("a forged signature passes".into());
    };
    let key = SigningKey::from_seed([7; 32]);
    let (keys, own) = ([key.verifying_key()], key.sign(body));
    if verify(&keys, body, [header, own.as_bytes()]).is_err() && header == own.as_bytes() {
        return Err("its own signature does not pass".into());
    }
    if verify(&keys, body, [own.as_bytes()]).is_err() {
        return Err("a good signature does not pass".into());
    }
    let good = Claim { keys: &keys, body, values: vec![own.as_bytes()] };
    let given = Claim { values: vec![header], ..good.clone() };
    let alone = verify(&keys, body, [header]);
    if verify_all(&[good.clone(), given, good]) != [Ok(()), alone, Ok(())] {
        return Err("together it is judged otherwise than alone".into());
    }
    let other = [body, b"x"].concat();
    match verify(&keys, &other, [own.as_bytes()]) {
        Err(_) => Ok(Seen::of(&refusal.to_string())),
        Ok(()) => Err("a signature passes for another body".into()),
    }
}

pub(crate) const KEY: &[&str] = &[
    "-----BEGIN PUBLIC KEY-----",
    "-----END PUBLIC KEY-----",
    "MCowBQYDK2VwAyEA",
    "\\n",
    "MIICIjANBgkqhkiG9w0BAQEFAAOCAg8A",
];

/// Keys as people paste them.
pub(crate) fn key(_: &Bench, input: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(input);
    match text.parse::<VerifyingKey>() {
        Ok(key) => match verify(&[key], b"body", [&[b'A'; 86][..]]) {
            Ok(()) => Err("a key that takes anything".into()),
            Err(refusal) => Ok(Seen::of(&format!("a key; {refusal}"))),
        },
        Err(error) if error.to_string().is_empty() => Err("a refusal without a word".into()),
        Err(error) => Ok(Seen::of(&error.to_string())),
    }
}

pub(crate) const NUMBER: &[&str] = &["+52", "521", "044", "+1", "(", ")", "ext.", "00", "tel:", "٠١٢", "，"];

/// Phone numbers as contacts hold them: what is E.164 stays what it is.
pub(crate) fn number(_: &Bench, input: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(input);
    let mut seen = String::new();
    for region in [None, Region::from_str("MX").ok(), Region::from_str("US").ok()] {
        let e164 = match to_e164(&text, region) {
            Ok(e164) => e164.into_string(),
            Err(problem) if problem.to_string().is_empty() => return Err("refused without a word".into()),
            Err(problem) => {
                seen.push_str(&problem.to_string());
                continue;
            }
        };
        // The country and the length, and not which number it is.
        seen.push_str(&format!(
            "\n{} of {} digits",
            &e164[..e164.len().min(3)].replace(char::is_numeric, "n"),
            word(e164.len())
        ));
        if !e164.starts_with('+') || !e164[1..].bytes().all(|byte| byte.is_ascii_digit()) || e164.len() > 16 {
            return Err(format!("{e164} is no E.164"));
        }
        if to_e164(&e164, None).map(E164::into_string).as_ref() != Ok(&e164) {
            return Err(format!("{e164} does not stay what it is"));
        }
    }
    Ok(Seen::of(&seen))
}

/// A length that is not taken for one of the input's own numbers.
fn word(length: usize) -> String {
    "n".repeat(length)
}
