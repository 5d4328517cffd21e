//! The key that a domain signs with.

use dispatch_model::Secret;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

/// A private key for DKIM.
pub struct DkimKey(Pair);

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// Why a text is no key to sign with. It quotes nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DkimKeyProblem {
    /// Not a private key in PEM.
    #[error(
        "not a private key in PEM: it begins with -----BEGIN PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----"
    )]
    NotPem,
    /// Another kind of key, a broken one, or one that is too short to be trusted.
    #[error("neither an RSA key of 2048 to 4096 bits nor an Ed25519 key; `openssl genrsa 2048` makes one")]
    NotSigning,
}

impl DkimKey {
    /// Reads a key.
    ///
    /// # Errors
    /// It is none that can be signed with.
    pub fn read(secret: &Secret) -> Result<Self, DkimKeyProblem> {
        let der = PrivateKeyDer::from_pem_slice(secret.expose().as_bytes());
        let rsa = |read: Result<RsaKeyPair, ring::error::KeyRejected>| {
            read.map(|pair| Self(Pair::Rsa(Box::new(pair)))).map_err(|_| DkimKeyProblem::NotSigning)
        };
        match der.map_err(|_| DkimKeyProblem::NotPem)? {
            PrivateKeyDer::Pkcs1(der) => rsa(RsaKeyPair::from_der(der.secret_pkcs1_der())),
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                // OpenSSL's Ed25519 keys come without the public half; there is nothing to check it against then.
                match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
                    Ok(pair) => Ok(Self(Pair::Ed25519(Box::new(pair)))),
                    Err(_) => rsa(RsaKeyPair::from_pkcs8(der)),
                }
            }
            _ => Err(DkimKeyProblem::NotSigning),
        }
    }

    /// The name under `a=`.
    pub(super) fn algorithm(&self) -> &'static str {
        match self.0 {
            Pair::Rsa(_) => "rsa-sha256",
            Pair::Ed25519(_) => "ed25519-sha256",
        }
    }

    pub(super) fn sign(&self, data: &[u8]) -> Result<Vec<u8>, DkimKeyProblem> {
        match &self.0 {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let signed = pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, &mut signature);
                signed.map_err(|_| DkimKeyProblem::NotSigning)?;
                Ok(signature)
            }
            // RFC 8463: the digest is signed, and not the data.
            Pair::Ed25519(pair) => {
                let digest = ring::digest::digest(&ring::digest::SHA256, data);
                Ok(pair.sign(digest.as_ref()).as_ref().to_vec())
            }
        }
    }

    #[cfg(test)]
    pub(super) fn ed25519_of_seed(seed: &[u8]) -> Self {
        Self(Pair::Ed25519(Box::new(Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed of 32 bytes"))))
    }
}

/// The key itself is never shown.
impl std::fmt::Debug for DkimKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DkimKey({})", self.algorithm())
    }
}
