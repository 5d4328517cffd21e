//! Signing as the sender does, for `dispatcher send`, the demo and tests.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::KeyError;
use crate::key::{ED25519_SPKI, VerifyingKey};

/// DER of a PKCS#8 private key around an Ed25519 seed, up to the 32 bytes of the seed (RFC 8410).
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A private key of one's own. It is an Ed25519 key: RSA is the sender's past.
pub struct SigningKey {
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// From 32 random bytes, which the caller brings: this crate has no randomness of its own.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are an Ed25519 seed");
        Self { seed, pair }
    }

    /// The value of `X-GHL-Signature` for a body.
    pub fn sign(&self, body: &[u8]) -> String {
        STANDARD.encode(self.pair.sign(body))
    }

    /// The key that verifies what this one signs.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey::ed25519(self.public_bytes()).expect("the public half of a key is a key")
    }

    /// The public key as PEM: what goes into the configuration.
    pub fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &[&ED25519_SPKI[..], &self.public_bytes()].concat())
    }

    /// The private key as PEM (PKCS#8), as openssl writes it. A secret.
    pub fn to_pem(&self) -> String {
        pem("PRIVATE KEY", &[&ED25519_PKCS8[..], &self.seed].concat())
    }

    fn public_bytes(&self) -> [u8; 32] {
        self.pair.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes")
    }
}

/// PKCS#8 as PEM, as `openssl genpkey -algorithm ed25519` writes it, or with the public key in it.
impl FromStr for SigningKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.replace("\\r", "").replace("\\n", "\n");
        let text = text.trim();
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        let base64 = match text.strip_prefix("-----BEGIN ") {
            None => text,
            Some(rest) => {
                let (label, rest) = rest.split_once("-----").ok_or(KeyError::CutOff)?;
                if label != "PRIVATE KEY" {
                    return Err(KeyError::OtherPem(label.chars().take(40).collect()));
                }
                rest.split_once("-----END ").ok_or(KeyError::CutOff)?.0
            }
        };
        let compact: String = base64.split_whitespace().collect();
        let der = STANDARD.decode(compact).map_err(|_| KeyError::Encoding)?;
        let unknown = KeyError::Unknown { len: der.len() };
        // RFC 8410: the seed is an OCTET STRING of 32 bytes inside an OCTET STRING, right after the
        // algorithm. Version 1 and version 2 (with the public key after it) differ before and after.
        let at = der.windows(9).position(|run| run == &ED25519_PKCS8[7..]).ok_or(unknown.clone())?;
        let seed =
            der.get(at + 9..at + 41).and_then(|seed| <[u8; 32]>::try_from(seed).ok()).ok_or(unknown)?;
        Ok(Self::from_seed(seed))
    }
}

/// The private half is never shown.
impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({:?})", self.verifying_key())
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let base64 = STANDARD.encode(der);
    for line in base64.as_bytes().chunks(64) {
        text.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}
