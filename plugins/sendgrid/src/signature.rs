//! SendGrid's signatures: ECDSA over P-256 with SHA-256, of the timestamp and the raw body.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dispatcher_plugin::{Callback, Reason};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};

/// What stands before the point in every public key of P-256 (RFC 5480): only this curve is SendGrid's.
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The key as SendGrid shows it: base64 of its DER, with or without PEM's lines around it.
pub(crate) fn public_key(text: &str) -> Option<VerifyingKey> {
    let inside: String =
        text.lines().filter(|line| !line.starts_with("-----")).flat_map(str::chars).collect();
    let der = BASE64_STANDARD.decode(inside.trim()).ok()?;
    VerifyingKey::from_sec1_bytes(der.strip_prefix(&SPKI)?).ok()
}

/// Whether SendGrid signed this.
pub(crate) fn verify(key: Option<&str>, callback: &Callback) -> Result<(), Reason> {
    let key =
        key.ok_or(Reason::new("setup", "webhook_public_key is not set: no callback can be believed"))?;
    let key = public_key(key).ok_or(Reason::new("setup", "webhook_public_key is not a key"))?;
    let header = |name| callback.header(name).ok_or(Reason::new("unsigned", "there is no signature"));
    let given = header("x-twilio-email-event-webhook-signature")?;
    let timestamp = header("x-twilio-email-event-webhook-timestamp")?;
    let signature = BASE64_STANDARD.decode(given).ok().and_then(|der| Signature::from_der(&der).ok());
    let signature = signature.ok_or(Reason::new("signature", "the signature is not one"))?;
    let signed = [timestamp.as_bytes(), &callback.body].concat();
    key.verify(&signed, &signature)
        .map_err(|_| Reason::new("signature", "the signature is not of this key and this body"))
}

#[cfg(test)]
pub(crate) mod tests {
    use dispatcher_plugin::Pair;
    use p256::ecdsa::SigningKey;
    use p256::ecdsa::signature::Signer as _;

    use super::*;

    /// Of [`KEY`].
    pub(crate) const PUBLIC_KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHhhTL9R1TALzBB2cdc6zO4P/2BrHzk/ogsyxyYvFiW6kbDEcTi/0DdlqNlPm5FRF0y3+SG7O11x6kMahiIHAow==";

    /// A key of these tests alone.
    const KEY: [u8; 32] = [7; 32];

    /// Signed as SendGrid does.
    pub(crate) fn signed(body: &str) -> Callback {
        let timestamp = "1795305600";
        let key = SigningKey::from_slice(&KEY).expect("a key");
        let signature: Signature = key.sign(format!("{timestamp}{body}").as_bytes());
        let header = |name: &str, value: &str| Pair { name: name.into(), value: value.into() };
        Callback {
            method: "POST".into(),
            url: "https://d.example/callbacks/sendgrid/t0k3n".into(),
            headers: vec![
                header("x-twilio-email-event-webhook-timestamp", timestamp),
                header(
                    "x-twilio-email-event-webhook-signature",
                    &BASE64_STANDARD.encode(signature.to_der().as_bytes()),
                ),
            ],
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn keys_are_read_as_they_are_shown() {
        let point = SigningKey::from_slice(&KEY).expect("a key").verifying_key().to_encoded_point(false);
        let der = BASE64_STANDARD.encode([&SPKI, point.as_bytes()].concat());
        assert_eq!(der, PUBLIC_KEY);
        let pem =
            format!("-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n", &der[..64], &der[64..]);
        assert!(public_key(&pem).is_some());
        for wrong in ["", "MFkw", "not base64", &der[4..]] {
            assert!(public_key(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn forgeries_are_refused() {
        let good = signed(r#"[{"event":"delivered"}]"#);
        assert!(verify(Some(PUBLIC_KEY), &good).is_ok());
        let refused = |change: &dyn Fn(&mut Callback)| {
            let mut callback = good.clone();
            change(&mut callback);
            verify(Some(PUBLIC_KEY), &callback).unwrap_err().code
        };
        assert_eq!(refused(&|c| c.body[2] ^= 1), "signature");
        assert_eq!(refused(&|c| c.headers[0].value.push('0')), "signature");
        assert_eq!(refused(&|c| c.headers[1].value = "AAAA".into()), "signature");
        assert_eq!(refused(&|c| c.headers[1].value = "*".into()), "signature");
        assert_eq!(refused(&|c| c.headers.truncate(1)), "unsigned");
        assert_eq!(verify(None, &good).unwrap_err().code, "setup");
        let other = PUBLIC_KEY.replace(&PUBLIC_KEY[60..64], "AAAA");
        assert!(verify(Some(&other), &good).is_err());
    }
}
