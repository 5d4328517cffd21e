//! Work with secrets for a guest that does not see them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use dispatch_engine::Grants;
use dispatch_model::Secret;
use ring::hmac;

use crate::call::CallState;
use crate::contract::secrets;

/// Padded or not: providers hand out keys in both ways.
const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);

/// Calls of `verify` and `matches` in one call of the guest: enough for a provider that signs with two keys in several
/// ways, too few to guess.
const VERIFY_MAX: u32 = 16;

/// A backend's secrets, for one call.
#[derive(Default)]
pub(crate) struct Vault {
    secrets: Arc<BTreeMap<String, Secret>>,
    reveal: Arc<[String]>,
    verified: u32,
}

impl Vault {
    /// What the grants hold. Cheap: the values are shared.
    pub(crate) fn new(grants: &Grants) -> Self {
        Self { secrets: Arc::clone(&grants.secrets), reveal: Arc::clone(&grants.reveal), verified: 0 }
    }

    fn secret(&self, name: &str) -> Result<&Secret, secrets::Error> {
        self.secrets.get(name).ok_or(secrets::Error::Unknown)
    }

    fn key(&self, key: &secrets::Key, algorithm: secrets::Algorithm) -> Result<hmac::Key, secrets::Error> {
        let bytes = key_bytes(self.secret(&key.secret)?.expose(), &key.encoding);
        let algorithm = match algorithm {
            secrets::Algorithm::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            secrets::Algorithm::HmacSha256 => hmac::HMAC_SHA256,
            secrets::Algorithm::HmacSha512 => hmac::HMAC_SHA512,
        };
        Ok(hmac::Key::new(algorithm, &bytes.ok_or(secrets::Error::NotAKey)?))
    }

    /// Counts a guess.
    fn guess(&mut self) -> Result<(), secrets::Error> {
        if self.verified == VERIFY_MAX {
            return Err(secrets::Error::TooMany);
        }
        self.verified += 1;
        Ok(())
    }
}

/// The bytes of a key that is written so; none where the text is not.
fn key_bytes<'a>(text: &'a str, encoding: &secrets::KeyEncoding) -> Option<Cow<'a, [u8]>> {
    match encoding {
        secrets::KeyEncoding::Text => Some(Cow::Borrowed(text.as_bytes())),
        secrets::KeyEncoding::Base64(prefix) => {
            let text = text.strip_prefix(prefix.as_str()).unwrap_or(text);
            STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok().map(Cow::Owned)
        }
        secrets::KeyEncoding::Hex if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) => None,
        secrets::KeyEncoding::Hex => {
            let byte = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
            (0..text.len()).step_by(2).map(byte).collect::<Option<_>>().map(Cow::Owned)
        }
    }
}

impl secrets::Host for CallState {
    fn hmac(
        &mut self,
        key: secrets::Key,
        algorithm: secrets::Algorithm,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, secrets::Error> {
        let key = self.vault.key(&key, algorithm)?;
        Ok(hmac::sign(&key, &data).as_ref().to_vec())
    }

    fn verify(
        &mut self,
        key: secrets::Key,
        algorithm: secrets::Algorithm,
        data: Vec<u8>,
        signature: Vec<u8>,
    ) -> Result<bool, secrets::Error> {
        self.vault.guess()?;
        let key = self.vault.key(&key, algorithm)?;
        Ok(hmac::verify(&key, &data, &signature).is_ok())
    }

    fn matches(&mut self, name: String, given: Vec<u8>) -> Result<bool, secrets::Error> {
        self.vault.guess()?;
        let secret = self.vault.secret(&name)?;
        // By way of digests, so that the time it takes says neither how much of it was right nor how long the secret is.
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"dispatcher secret matches");
        let right = hmac::sign(&key, secret.expose().as_bytes());
        Ok(hmac::verify(&key, &given, right.as_ref()).is_ok())
    }

    fn reveal(&mut self, name: String) -> Result<String, secrets::Error> {
        let secret = self.vault.secret(&name)?;
        if self.vault.reveal.contains(&name) {
            Ok(secret.expose().to_owned())
        } else {
            Err(secrets::Error::NotGranted)
        }
    }
}

#[cfg(test)]
mod tests {
    use secrets::{Algorithm, Error, Host as _, Key, KeyEncoding};

    use super::*;
    use crate::call::CallBounds;
    use crate::config::HostConfig;
    use crate::imports::Journal;

    fn state() -> CallState {
        let grants = Grants {
            secrets: Arc::new(
                [("token", "s3cret"), ("open", "sesame")]
                    .map(|(name, value)| (name.to_owned(), Secret::new(value)))
                    .into(),
            ),
            reveal: ["open".to_owned(), "absent".to_owned()].into(),
            ..Grants::default()
        };
        let bounds = CallBounds::from(&HostConfig::default());
        CallState::new(bounds, Journal::silent(), Vault::new(&grants))
    }

    fn key(secret: &str, encoding: KeyEncoding) -> Key {
        Key { secret: secret.to_owned(), encoding }
    }

    fn text(secret: &str) -> Key {
        key(secret, KeyEncoding::Text)
    }

    #[test]
    fn signs_as_the_rfc_says() {
        // RFC 2202 and 4231, test case 2: key "Jefe".
        let mut state = state();
        Arc::make_mut(&mut state.vault.secrets).insert("jefe".to_owned(), Secret::new("Jefe"));
        let data = b"what do ya want for nothing?".to_vec();
        let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        for (algorithm, expected) in [
            (Algorithm::HmacSha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (Algorithm::HmacSha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        ] {
            let signature = state.hmac(text("jefe"), algorithm, data.clone()).unwrap();
            assert_eq!(hex(signature.clone()), expected);
            assert!(state.verify(text("jefe"), algorithm, data.clone(), signature).unwrap());
        }
        let long = state.hmac(text("jefe"), Algorithm::HmacSha512, data).unwrap();
        assert!(hex(long).starts_with("164b7a7bfcf819e2e395fbe73b56e0a3"));
    }

    #[test]
    fn a_signature_is_not_guessed() {
        let mut state = state();
        let verify =
            |state: &mut CallState| state.verify(text("token"), Algorithm::HmacSha256, vec![1], vec![0; 32]);
        for _ in 1..VERIFY_MAX {
            assert!(!verify(&mut state).unwrap());
        }
        assert!(!state.matches("token".to_owned(), b"s3cre".to_vec()).unwrap());
        assert!(matches!(state.matches("token".to_owned(), b"s3cret".to_vec()), Err(Error::TooMany)));
        assert!(matches!(verify(&mut state), Err(Error::TooMany)));
    }

    #[test]
    fn keys_may_be_encoded() {
        let mut state = state();
        let written = [
            ("padded", "whsec_SmVmZQ==", KeyEncoding::Base64("whsec_".to_owned())),
            ("unpadded", "SmVmZQ", KeyEncoding::Base64("whsec_".to_owned())),
            ("other alphabet", "-_8", KeyEncoding::Base64(String::new())),
            ("hex", "4a656665", KeyEncoding::Hex),
        ];
        for (name, value, encoding) in written {
            Arc::make_mut(&mut state.vault.secrets).insert(name.to_owned(), Secret::new(value));
            let bytes: &[u8] = if name == "other alphabet" { &[0xfb, 0xff] } else { b"Jefe" };
            let expected = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes), b"data");
            let signature = state.hmac(key(name, encoding), Algorithm::HmacSha256, b"data".to_vec());
            assert_eq!(signature.unwrap(), expected.as_ref(), "{name}");
        }
        let wrong = [
            ("whsec_*", KeyEncoding::Base64("whsec_".to_owned())),
            ("4a6", KeyEncoding::Hex),
            ("+4", KeyEncoding::Hex),
            ("ñ0", KeyEncoding::Hex),
        ];
        for (value, encoding) in wrong {
            Arc::make_mut(&mut state.vault.secrets).insert("wrong".to_owned(), Secret::new(value));
            let said = state.hmac(key("wrong", encoding), Algorithm::HmacSha1, Vec::new());
            assert!(matches!(said, Err(Error::NotAKey)), "{value}: {said:?}");
        }
    }

    #[test]
    fn a_password_is_compared() {
        let mut state = state();
        for (given, right) in [("s3cret", true), ("s3cre", false), ("s3cret ", false), ("", false)] {
            assert_eq!(state.matches("token".to_owned(), given.as_bytes().to_vec()).unwrap(), right);
        }
        assert!(matches!(state.matches("absent".to_owned(), Vec::new()), Err(Error::Unknown)));
    }

    #[test]
    fn only_granted_secrets_are_revealed() {
        let mut state = state();
        assert_eq!(state.reveal("open".to_owned()).unwrap(), "sesame");
        assert!(matches!(state.reveal("token".to_owned()), Err(Error::NotGranted)));
        assert!(matches!(state.reveal("absent".to_owned()), Err(Error::Unknown)));
        assert!(matches!(state.hmac(text("absent"), Algorithm::HmacSha1, Vec::new()), Err(Error::Unknown)));
    }
}
