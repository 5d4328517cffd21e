//! The key in a certificate, where the certificate is one of Amazon's and in its time.
//!
//! A reader of what is needed and no more: the fields of a certificate stand in a fixed order, and each says how long it
//! is. It reads any bytes without a panic.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dispatcher_plugin::{Reason, status};
use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, RsaPublicKey};

/// Bits of a key at least.
const BITS_MIN: usize = 2048;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// `rsaEncryption`.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// `commonName`, with its tag and length.
const COMMON_NAME: &[u8] = &[OBJECT, 0x03, 0x55, 0x04, 0x03];

/// The key of a certificate in PEM.
///
/// # Errors
/// It is no certificate of an RSA key, it is not in its time, or not in Amazon's name.
pub(crate) fn public_key(pem: &[u8], now_ms: u64) -> Result<RsaPublicKey, Reason> {
    let wrong = |words: &str| Reason::new("certificate", words);
    let der = der(pem).ok_or_else(|| wrong("it is no certificate"))?;
    let fields = Fields::read(&der).ok_or_else(|| wrong("there is no RSA key in it"))?;
    if !fields.in_time(now_ms).ok_or_else(|| wrong("its time cannot be read"))? {
        return Err(wrong("it is not in its time"));
    }
    if !fields.amazons() {
        return Err(wrong("it is not in the name of Amazon's notifications"));
    }
    let key =
        RsaPublicKey::new(BigUint::from_bytes_be(fields.modulus), BigUint::from_bytes_be(fields.exponent));
    let key = key.map_err(|_| wrong("its key is none"))?;
    if key.n().bits() < BITS_MIN {
        return Err(wrong("its key is too short"));
    }
    Ok(key)
}

fn der(pem: &[u8]) -> Option<Vec<u8>> {
    let pem = std::str::from_utf8(pem).ok()?;
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    BASE64_STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}

/// What is read of a certificate.
struct Fields<'a> {
    not_before: (u8, &'a [u8]),
    not_after: (u8, &'a [u8]),
    subject: &'a [u8],
    modulus: &'a [u8],
    exponent: &'a [u8],
}

impl<'a> Fields<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        let (certificate, _) = element(SEQUENCE, der)?;
        let (mut rest, _) = element(SEQUENCE, certificate)?;
        if rest.first() == Some(&VERSION) {
            (_, rest) = element(VERSION, rest)?;
        }
        // Serial number, algorithm, issuer.
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            (_, rest) = element(tag, rest)?;
        }
        let (validity, rest) = element(SEQUENCE, rest)?;
        let (not_before, after) = any(validity)?;
        let (not_after, _) = any(after)?;
        let (subject, rest) = element(SEQUENCE, rest)?;
        let (key, _) = element(SEQUENCE, rest)?;
        let (algorithm, key) = element(SEQUENCE, key)?;
        let (name, _) = element(OBJECT, algorithm)?;
        if name != RSA {
            return None;
        }
        let (bits, _) = element(BIT_STRING, key)?;
        // The first byte counts unused bits.
        let (numbers, _) = element(SEQUENCE, bits.get(1..)?)?;
        let (modulus, rest) = element(INTEGER, numbers)?;
        let (exponent, _) = element(INTEGER, rest)?;
        Some(Self { not_before, not_after, subject, modulus, exponent })
    }

    fn in_time(&self, now_ms: u64) -> Option<bool> {
        Some((time_ms(self.not_before)?..=time_ms(self.not_after)?).contains(&now_ms))
    }

    /// Whether its name is that of Amazon's notifications: `sns.amazonaws.com` or one of a region.
    fn amazons(&self) -> bool {
        let at = self.subject.windows(COMMON_NAME.len()).position(|window| window == COMMON_NAME);
        let name = at.and_then(|at| any(&self.subject[at + COMMON_NAME.len()..]));
        let name = name.and_then(|((_, name), _)| std::str::from_utf8(name).ok()).unwrap_or_default();
        let ends = [".amazonaws.com", ".amazonaws.com.cn"].iter().any(|end| name.ends_with(end));
        name.starts_with("sns") && ends
    }
}

/// `YYMMDDHHMMSSZ`, or `YYYYMMDDHHMMSSZ`.
fn time_ms((tag, bytes): (u8, &[u8])) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii())?;
    let text = match tag {
        // By RFC 5280 the years are 1950 to 2049.
        UTC_TIME if text.as_bytes().first()? < &b'5' => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let part = |range| text.get(range);
    let (date, hour) =
        ((part(0..4)?, part(4..6)?, part(6..8)?), (part(8..10)?, part(10..12)?, part(12..14)?));
    if text.get(14..) != Some("Z") {
        return None;
    }
    status::instant_ms(&format!("{}-{}-{}T{}:{}:{}Z", date.0, date.1, date.2, hour.0, hour.1, hour.2))
}

/// The content of an element with this tag, and what comes after it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let ((found, content), rest) = any(der)?;
    (found == tag).then_some((content, rest))
}

/// A tag and the content it stands before.
type Element<'a> = (u8, &'a [u8]);

/// An element's tag and content, and what comes after it.
fn any(der: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length - 0x80))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some(((*tag, content), rest))
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::NOW_MS;

    use super::*;
    use crate::sns::tests::CERTIFICATE;

    fn code(pem: &[u8], now_ms: u64) -> String {
        public_key(pem, now_ms).map_or_else(|reason| reason.message, |key| key.n().bits().to_string())
    }

    #[test]
    fn certificates() {
        assert_eq!(code(CERTIFICATE, NOW_MS), "2048");
        // From 2020 to 2040.
        assert_eq!(code(CERTIFICATE, 1_577_836_800_000 - 1000), "it is not in its time");
        assert_eq!(code(CERTIFICATE, 2_208_988_800_000 + 1000), "it is not in its time");
        let other = include_bytes!("../../testdata/other.cert.pem");
        assert_eq!(code(other, NOW_MS), "it is not in the name of Amazon's notifications");
        assert_eq!(code(b"no certificate", NOW_MS), "it is no certificate");
        let empty = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----";
        assert_eq!(code(empty, NOW_MS), "there is no RSA key in it");
    }

    #[test]
    fn no_bytes_break_it() {
        let der = der(CERTIFICATE).expect("a certificate");
        for at in 0..der.len() {
            let mut bytes = der.clone();
            bytes[at] ^= 0xff;
            for end in [bytes.len(), at] {
                // Reading is what is tested; a key is heavy, and the library's own.
                if let Some(fields) = Fields::read(&bytes[..end]) {
                    let _ = (fields.in_time(NOW_MS), fields.amazons());
                }
            }
        }
    }

    #[test]
    fn times() {
        assert_eq!(time_ms((UTC_TIME, b"261122000000Z")), Some(NOW_MS));
        assert_eq!(time_ms((GENERALIZED_TIME, b"20261122000000Z")), Some(NOW_MS));
        assert_eq!(time_ms((UTC_TIME, b"991231235959Z")), Some(946_684_799_000));
        for wrong in [&b""[..], b"261122", b"261122000000", b"261122000000+0100", "ñ61122000000Z".as_bytes()]
        {
            assert_eq!(time_ms((UTC_TIME, wrong)), None);
        }
    }
}
