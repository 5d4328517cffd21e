//! Work with secrets for a guest that does not see them.

use std::collections::BTreeMap;

use dispatch_engine::Grants;
use dispatch_model::Secret;
use ring::hmac;

use crate::call::CallState;
use crate::contract::secrets;

/// Calls of `verify` in one call of the guest: enough for a provider that signs with two keys in several
/// ways, too few to guess.
const VERIFY_MAX: u32 = 16;

/// A backend's secrets, for one call.
#[derive(Default)]
pub(crate) struct Vault {
    secrets: BTreeMap<String, Secret>,
    reveal: Vec<String>,
    verified: u32,
}

impl Vault {
    /// What the grants hold. Cheap: the values are shared.
    pub(crate) fn new(grants: &Grants) -> Self {
        Self { secrets: grants.secrets.clone(), reveal: grants.reveal.clone(), verified: 0 }
    }

    fn key(&self, name: &str, algorithm: secrets::Algorithm) -> Result<hmac::Key, secrets::Error> {
        let secret = self.secrets.get(name).ok_or(secrets::Error::Unknown)?;
        let algorithm = match algorithm {
            secrets::Algorithm::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            secrets::Algorithm::HmacSha256 => hmac::HMAC_SHA256,
            secrets::Algorithm::HmacSha512 => hmac::HMAC_SHA512,
        };
        Ok(hmac::Key::new(algorithm, secret.expose().as_bytes()))
    }
}

impl secrets::Host for CallState {
    fn hmac(
        &mut self,
        name: String,
        algorithm: secrets::Algorithm,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, secrets::Error> {
        let key = self.vault.key(&name, algorithm)?;
        Ok(hmac::sign(&key, &data).as_ref().to_vec())
    }

    fn verify(
        &mut self,
        name: String,
        algorithm: secrets::Algorithm,
        data: Vec<u8>,
        signature: Vec<u8>,
    ) -> Result<bool, secrets::Error> {
        if self.vault.verified == VERIFY_MAX {
            return Err(secrets::Error::TooMany);
        }
        self.vault.verified += 1;
        let key = self.vault.key(&name, algorithm)?;
        Ok(hmac::verify(&key, &data, &signature).is_ok())
    }

    fn reveal(&mut self, name: String) -> Result<String, secrets::Error> {
        let secret = self.vault.secrets.get(&name).ok_or(secrets::Error::Unknown)?;
        if self.vault.reveal.contains(&name) {
            Ok(secret.expose().to_owned())
        } else {
            Err(secrets::Error::NotGranted)
        }
    }
}

#[cfg(test)]
mod tests {
    use secrets::{Algorithm, Error, Host as _};

    use super::*;
    use crate::call::CallBounds;
    use crate::config::HostConfig;
    use crate::imports::Journal;

    fn state() -> CallState {
        let grants = Grants {
            secrets: [("token", "s3cret"), ("open", "sesame")]
                .map(|(name, value)| (name.to_owned(), Secret::new(value)))
                .into(),
            reveal: vec!["open".to_owned(), "absent".to_owned()],
            ..Grants::default()
        };
        let bounds = CallBounds::from(&HostConfig::default());
        CallState::new(bounds, Journal::silent(), Vault::new(&grants))
    }

    #[test]
    fn signs_as_the_rfc_says() {
        // RFC 2202 and 4231, test case 2: key "Jefe".
        let mut state = state();
        state.vault.secrets.insert("jefe".to_owned(), Secret::new("Jefe"));
        let data = b"what do ya want for nothing?".to_vec();
        let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        for (algorithm, expected) in [
            (Algorithm::HmacSha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (Algorithm::HmacSha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        ] {
            let signature = state.hmac("jefe".to_owned(), algorithm, data.clone()).unwrap();
            assert_eq!(hex(signature.clone()), expected);
            assert!(state.verify("jefe".to_owned(), algorithm, data.clone(), signature).unwrap());
        }
        let long = state.hmac("jefe".to_owned(), Algorithm::HmacSha512, data).unwrap();
        assert!(hex(long).starts_with("164b7a7bfcf819e2e395fbe73b56e0a3"));
    }

    #[test]
    fn a_signature_is_not_guessed() {
        let mut state = state();
        let verify = |state: &mut CallState| {
            state.verify("token".to_owned(), Algorithm::HmacSha256, vec![1], vec![0; 32])
        };
        for _ in 0..VERIFY_MAX {
            assert!(!verify(&mut state).unwrap());
        }
        assert!(matches!(verify(&mut state), Err(Error::TooMany)));
    }

    #[test]
    fn only_granted_secrets_are_revealed() {
        let mut state = state();
        assert_eq!(state.reveal("open".to_owned()).unwrap(), "sesame");
        assert!(matches!(state.reveal("token".to_owned()), Err(Error::NotGranted)));
        assert!(matches!(state.reveal("absent".to_owned()), Err(Error::Unknown)));
        assert!(matches!(
            state.hmac("absent".to_owned(), Algorithm::HmacSha1, Vec::new()),
            Err(Error::Unknown)
        ));
    }
}
