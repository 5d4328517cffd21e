//! The sender's key: made anew for each run, so that no key lies about in the repository.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

/// DER prefix of an Ed25519 public key (RFC 8410): SubjectPublicKeyInfo around 32 bytes.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// DER prefix of a private key: PKCS#8 version 1 around a seed of 32 bytes, as OpenSSL writes it.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Signs raw bytes as HighLevel does.
pub struct Signer {
    pair: Ed25519KeyPair,
    seed: [u8; 32],
}

impl Signer {
    /// Makes a key.
    pub fn generate() -> Self {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).expect("the system has randomness");
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed has 32 bytes");
        Self { pair, seed }
    }

    /// The value of `X-GHL-Signature` for this body.
    pub fn sign(&self, body: &[u8]) -> String {
        STANDARD.encode(self.pair.sign(body))
    }

    /// The 32 bytes of the public key, as base64.
    pub fn public_raw(&self) -> String {
        STANDARD.encode(self.pair.public_key())
    }

    /// The public key as DER in base64, as it can be written on one line of a configuration file.
    pub fn public_der(&self) -> String {
        let mut der = SPKI_PREFIX.to_vec();
        der.extend_from_slice(self.pair.public_key().as_ref());
        STANDARD.encode(der)
    }

    /// The public key as PEM.
    pub fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &self.public_der())
    }

    /// The private key as PKCS#8 PEM, for `dispatcher send --key`.
    pub fn private_pem(&self) -> String {
        pem("PRIVATE KEY", &STANDARD.encode([&PKCS8_PREFIX[..], &self.seed].concat()))
    }
}

fn pem(label: &str, base64: &str) -> String {
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
        .collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_signature_is_good_for_its_bytes_alone() {
        let signer = Signer::generate();
        let raw = STANDARD.decode(signer.public_raw()).unwrap();
        let key = UnparsedPublicKey::new(&ED25519, raw);
        let signature = STANDARD.decode(signer.sign(b"hola")).unwrap();
        assert!(key.verify(b"hola", &signature).is_ok());
        assert!(key.verify(b"Hola", &signature).is_err());
    }
}
