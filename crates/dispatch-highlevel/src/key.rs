//! Keys that prove the sender's origin, in every form in which people paste them.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use ed25519_dalek::Verifier as _;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

/// DER of `SubjectPublicKeyInfo` around an Ed25519 key, up to the 32 bytes of the key (RFC 8410).
pub(crate) const ED25519_SPKI: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// DER of the object identifier `rsaEncryption` (1.2.840.113549.1.1.1) and its NULL parameter.
const RSA_ALGORITHM: [u8; 13] =
    [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// A public key that a signature can be checked with.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    /// As a point on the curve: reading it from its bytes is a tenth of a verification.
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
    /// `RSAPublicKey` as DER, the way ring takes it, and the length of its signatures in bytes.
    Rsa { der: Box<[u8]>, signature_len: usize },
}

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing there.
    #[error("the key is empty: write a PEM public key, or its bytes as base64")]
    Empty,
    /// A private key where a public one belongs.
    #[error("this is a private key: give the public one (openssl pkey -pubout), and keep this one secret")]
    Private,
    /// A PEM block of another kind.
    #[error("this is a PEM block \"{0}\": expected \"PUBLIC KEY\"")]
    OtherPem(String),
    /// A PEM block that does not end.
    #[error("the PEM block is cut off: its END line is missing")]
    CutOff,
    /// Neither base64 nor hex.
    #[error("neither base64 nor hex")]
    Encoding,
    /// DER of something else, or of a broken key.
    #[error("{len} bytes that are neither an Ed25519 key (32 bytes, or DER) nor an RSA public key in DER")]
    Unknown {
        /// How many bytes were decoded.
        len: usize,
    },
    /// 32 bytes, but no key: about half of all such strings are none.
    #[error("these 32 bytes are not an Ed25519 key: a character of it may have been lost or changed")]
    NoPoint,
    /// RSA, of a size that is not supported.
    #[error("an RSA key of {bits} bits: 2048 to 8192 are supported")]
    RsaSize {
        /// Bits of the modulus.
        bits: usize,
    },
}

impl VerifyingKey {
    /// The keys that HighLevel publishes: what a source trusts unless the operator says otherwise.
    pub fn published() -> Vec<Self> {
        [include_str!("../keys/x_ghl_signature_ed25519.pem"), include_str!("../keys/x_wh_signature_rsa.pem")]
            .into_iter()
            .map(|pem| pem.parse().expect("the embedded keys are read by a test"))
            .collect()
    }

    /// From the 32 bytes of an Ed25519 key.
    pub fn ed25519(bytes: [u8; 32]) -> Result<Self, KeyError> {
        match ed25519_dalek::VerifyingKey::from_bytes(&bytes) {
            Ok(key) => Ok(Self(Form::Ed25519(Box::new(key)))),
            Err(_) => Err(KeyError::NoPoint),
        }
    }

    /// `ed25519` or `rsa`.
    pub fn algorithm(&self) -> &'static str {
        match self.0 {
            Form::Ed25519(_) => "ed25519",
            Form::Rsa { .. } => "rsa",
        }
    }

    /// The key, if it is an Ed25519 one.
    pub(crate) fn as_ed25519(&self) -> Option<&ed25519_dalek::VerifyingKey> {
        match &self.0 {
            Form::Ed25519(key) => Some(key),
            Form::Rsa { .. } => None,
        }
    }

    /// Whether this is the signature of these bytes. A signature of another algorithm's length is
    /// simply not this key's.
    pub(crate) fn verifies(&self, body: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Form::Ed25519(key) => {
                let signature = ed25519_dalek::Signature::from_slice(signature);
                signature.is_ok_and(|signature| key.verify(body, &signature).is_ok())
            }
            Form::Rsa { der, signature_len } => {
                signature.len() == *signature_len
                    && UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der)
                        .verify(body, signature)
                        .is_ok()
            }
        }
    }

    fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        if let Ok(raw) = <[u8; 32]>::try_from(der) {
            return Self::ed25519(raw);
        }
        if let Some(raw) = der.strip_prefix(&ED25519_SPKI[..]) {
            let raw = <[u8; 32]>::try_from(raw).map_err(|_| KeyError::Unknown { len: der.len() })?;
            return Self::ed25519(raw);
        }
        let unknown = || KeyError::Unknown { len: der.len() };
        let rsa = rsa_from_spki(der).unwrap_or(der);
        let bits = rsa_bits(rsa).ok_or_else(unknown)?;
        if !(2048..=8192).contains(&bits) {
            return Err(KeyError::RsaSize { bits });
        }
        Ok(Self(Form::Rsa { der: rsa.into(), signature_len: bits.div_ceil(8) }))
    }
}

/// PEM (its line breaks may be written as `\n`, as environment variables hold them), DER as base64,
/// or the 32 bytes of an Ed25519 key as base64 or hex.
impl FromStr for VerifyingKey {
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
                if label.ends_with("PRIVATE KEY") {
                    return Err(KeyError::Private);
                }
                if !matches!(label, "PUBLIC KEY" | "RSA PUBLIC KEY") {
                    return Err(KeyError::OtherPem(label.chars().take(40).collect()));
                }
                rest.split_once("-----END ").ok_or(KeyError::CutOff)?.0
            }
        };
        let compact: String = base64.split_whitespace().collect();
        if compact.len() == 64 && compact.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Self::from_der(&unhex(&compact));
        }
        let der = [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD]
            .into_iter()
            .find_map(|engine| engine.decode(&compact).ok())
            .ok_or(KeyError::Encoding)?;
        Self::from_der(&der)
    }
}

/// A public key is no secret, and two of them have to be told apart in a diagnostic.
impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Ed25519(key) => write!(f, "ed25519 {}", STANDARD.encode(key.as_bytes())),
            Form::Rsa { der, signature_len } => {
                let digest = ring::digest::digest(&ring::digest::SHA256, der);
                write!(f, "rsa-{} sha256:{}", signature_len * 8, STANDARD_NO_PAD.encode(digest))
            }
        }
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let nibble = |byte: u8| (byte as char).to_digit(16).map_or(0, |digit| digit as u8);
    text.as_bytes().chunks(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect()
}

/// The `RSAPublicKey` inside a `SubjectPublicKeyInfo`: SEQUENCE { SEQUENCE { oid, NULL }, BIT STRING }.
fn rsa_from_spki(der: &[u8]) -> Option<&[u8]> {
    let (body, _) = element(der, 0x30)?;
    let (algorithm, rest) = element(body, 0x30)?;
    let (bits, _) = element(rest, 0x03)?;
    (algorithm == RSA_ALGORITHM).then_some(())?;
    bits.strip_prefix(&[0])
}

/// The size of the modulus of `RSAPublicKey`: SEQUENCE { INTEGER modulus, INTEGER exponent }.
fn rsa_bits(der: &[u8]) -> Option<usize> {
    let (body, after) = element(der, 0x30)?;
    let (modulus, rest) = element(body, 0x02)?;
    let (_exponent, end) = element(rest, 0x02)?;
    if !after.is_empty() || !end.is_empty() {
        return None;
    }
    let leading = modulus.iter().position(|byte| *byte != 0)?;
    let modulus = &modulus[leading..];
    Some(modulus.len() * 8 - modulus[0].leading_zeros() as usize)
}

/// The content of a DER element with this tag, and what follows it. Lengths of up to two bytes:
/// an RSA key of 8192 bits needs no more.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(*rest.first()?) << 8 | usize::from(*rest.get(1)?), rest.get(2..)?),
        _ => return None,
    };
    (found == tag).then_some(())?;
    rest.split_at_checked(len)
}
