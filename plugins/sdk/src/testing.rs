//! For a plugin's own tests, which run natively: messages and contexts to start from, and a stand-in for the host.

mod answers;

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::{Attachment, AttachmentFile, Channel, Context, Message, Pair, Response};

pub use answers::{answers, answers_of_steps};

/// When tests happen: 2026-11-22 00:00:00 UTC, in milliseconds since the Unix epoch.
pub const NOW_MS: u64 = 1_795_305_600_000;

/// A context with these settings, given as JSON.
///
/// # Panics
/// Where the settings cannot be read.
pub fn context<S: serde::de::DeserializeOwned>(settings: serde_json::Value) -> Context<S> {
    Context {
        settings: crate::settings(&settings.to_string()).expect("the test's settings can be read"),
        now_ms: NOW_MS,
        deadline_ms: NOW_MS + 30_000,
        number: 1,
        idempotency_key: "01hzy3k9q8w7e-1".into(),
        callback_url: None,
    }
}

/// An SMS to this number with this text.
pub fn sms(to: &str, text: &str) -> Message {
    Message {
        id: "01hzy3k9q8w7e".into(),
        channel: Channel::Sms,
        location: "GKAWb4yu7A4LSc0skQ6g".into(),
        contact: Some("GKBhT6BfwY9mjzXAU3sq".into()),
        to: vec![to.into()],
        cc: Vec::new(),
        bcc: Vec::new(),
        sender: None,
        text: Some(text.into()),
        subject: None,
        html: None,
        in_reply_to: None,
        attachments: Vec::new(),
        extra: Vec::new(),
    }
}

/// A mail to this address.
pub fn email(sender: &str, to: &str, subject: &str, html: &str) -> Message {
    Message {
        channel: Channel::Email,
        sender: Some(sender.into()),
        text: None,
        subject: Some(subject.into()),
        html: Some(html.into()),
        ..sms(to, "")
    }
}

/// An attachment that the provider fetches.
pub fn link(url: &str) -> Attachment {
    Attachment { url: url.into(), file: None }
}

/// An attachment that the host has fetched.
pub fn file(name: &str, media_type: &str, size: u64) -> Attachment {
    Attachment {
        url: format!("https://files.example.com/{name}"),
        file: Some(AttachmentFile { name: name.into(), media_type: media_type.into(), size }),
    }
}

/// An HTTP answer.
pub fn response(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Response {
    Response {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| Pair { name: (*name).into(), value: (*value).into() })
            .collect(),
        body: body.as_ref().to_vec(),
        truncated: false,
        at_ms: NOW_MS,
    }
}

#[derive(Default)]
struct Standing {
    secrets: BTreeMap<String, String>,
    revealed: Vec<String>,
    verified: u32,
    lines: Vec<String>,
}

thread_local! {
    // The real host has one instance a call; a test has one thread.
    static HOST: RefCell<Standing> = RefCell::default();
}

/// Sets the secrets that the host has in this test.
pub fn set_secrets(secrets: &[(&str, &str)]) {
    HOST.with_borrow_mut(|host| {
        host.secrets = secrets.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        host.revealed.clear();
        host.verified = 0;
    });
}

/// Allows the plugin to read these secrets in this test.
pub fn set_revealed(names: &[&str]) {
    HOST.with_borrow_mut(|host| host.revealed = names.iter().map(|name| (*name).into()).collect());
}

/// The lines logged since the last call in this test, as `level: message`.
pub fn take_log() -> Vec<String> {
    HOST.with_borrow_mut(|host| std::mem::take(&mut host.lines))
}

pub(crate) mod imp {
    use base64::Engine as _;
    use base64::alphabet;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    use hmac::{Hmac, Mac};

    use super::HOST;
    use crate::log::Level;
    use crate::secrets::{Algorithm, Key, KeyEncoding, SecretError};

    pub(crate) fn write(level: Level, message: &str) {
        let line = format!("{level:?}: {message}").to_lowercase();
        HOST.with_borrow_mut(|host| host.lines.push(line));
    }

    fn bytes(key: &Key) -> Result<Vec<u8>, SecretError> {
        const EITHER_WAY: GeneralPurposeConfig =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let secret = HOST.with_borrow(|host| host.secrets.get(&key.secret).cloned());
        let secret = secret.ok_or(SecretError::Unknown)?;
        match &key.encoding {
            KeyEncoding::Text => Ok(secret.into_bytes()),
            KeyEncoding::Base64 { prefix } => {
                let text = secret.strip_prefix(prefix.as_str()).unwrap_or(&secret);
                [alphabet::STANDARD, alphabet::URL_SAFE]
                    .iter()
                    .find_map(|alphabet| GeneralPurpose::new(alphabet, EITHER_WAY).decode(text).ok())
                    .ok_or(SecretError::NotAKey)
            }
            KeyEncoding::Hex if !secret.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Err(SecretError::NotAKey)
            }
            KeyEncoding::Hex => (0..secret.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(secret.get(at..at + 2)?, 16).ok())
                .collect::<Option<_>>()
                .ok_or(SecretError::NotAKey),
        }
    }

    pub(crate) fn hmac(key: &Key, algorithm: Algorithm, data: &[u8]) -> Result<Vec<u8>, SecretError> {
        macro_rules! digest {
            ($hash:ty, $key:expr) => {{
                let mut mac = Hmac::<$hash>::new_from_slice($key).expect("HMAC takes keys of any length");
                mac.update(data);
                mac.finalize().into_bytes().to_vec()
            }};
        }
        let key = bytes(key)?;
        Ok(match algorithm {
            Algorithm::HmacSha1 => digest!(sha1::Sha1, &key),
            Algorithm::HmacSha256 => digest!(sha2::Sha256, &key),
            Algorithm::HmacSha512 => digest!(sha2::Sha512, &key),
        })
    }

    pub(crate) fn verify(
        key: &Key,
        algorithm: Algorithm,
        data: &[u8],
        signature: &[u8],
    ) -> Result<bool, SecretError> {
        let right = hmac(key, algorithm, data)?;
        guess(right == signature)
    }

    pub(crate) fn matches(name: &str, given: &[u8]) -> Result<bool, SecretError> {
        let secret = bytes(&Key::text(name))?;
        guess(secret == given)
    }

    /// What a guess is answered, while it is not one too many.
    fn guess(right: bool) -> Result<bool, SecretError> {
        HOST.with_borrow_mut(|host| {
            host.verified += 1;
            if host.verified > 16 { Err(SecretError::TooMany) } else { Ok(right) }
        })
    }

    pub(crate) fn reveal(name: &str) -> Result<String, SecretError> {
        HOST.with_borrow(|host| {
            let secret = host.secrets.get(name).ok_or(SecretError::Unknown)?;
            if host.revealed.iter().any(|granted| granted == name) {
                Ok(secret.clone())
            } else {
                Err(SecretError::NotGranted)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::set_secrets;
    use crate::secrets::{Algorithm, Key, SecretError, hmac, matches, verify};

    #[test]
    fn the_stand_in_reads_keys_as_the_host_does() {
        set_secrets(&[
            ("text", "Jefe"),
            ("svix", "whsec_SmVmZQ"),
            ("hex", "4a656665"),
            ("url", "-_8="),
            ("words", "no key"),
        ]);
        let digest = |key: Key| hmac(key, Algorithm::HmacSha256, b"data");
        let right = digest("text".into()).expect("a digest");
        assert_eq!(digest(Key::base64("svix", "whsec_")).as_ref(), Ok(&right));
        assert_eq!(digest(Key::hex("hex")).as_ref(), Ok(&right));
        assert!(digest(Key::base64("url", "")).is_ok());
        assert_eq!(digest(Key::base64("words", "")), Err(SecretError::NotAKey));
        assert_eq!(digest(Key::hex("words")), Err(SecretError::NotAKey));
        assert_eq!(verify("text", Algorithm::HmacSha256, b"data", &right), Ok(true));
        assert_eq!((matches("text", b"Jefe"), matches("text", b"Jef")), (Ok(true), Ok(false)));
        assert_eq!(matches("none", b""), Err(SecretError::Unknown));
    }
}
