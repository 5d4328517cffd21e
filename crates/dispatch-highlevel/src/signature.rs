//! The proof of origin: a signature over the raw bytes of the body.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::{VerifyingKey, batch};

/// The headers that carry a signature, in lower case. The name says nothing about the algorithm:
/// an Ed25519 signature has been seen under the older one, so the decoded length decides.
pub const SIGNATURE_HEADERS: [&str; 2] = ["x-ghl-signature", "x-wh-signature"];

/// More candidates than the sender ever has a reason to send; each costs a verification per key.
const CANDIDATES_MAX: usize = 4;

/// The base64 of the longest signature we know, RSA with 8192 bits, and room for its padding.
const ENCODED_MAX: usize = 1372;

/// Standard base64; padding is not what makes a signature genuine.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a body is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No signature: the header is missing, empty or says `N/A`.
    #[error("not signed")]
    Missing,
    /// Not base64, or of a length that no algorithm has.
    #[error("the signature is malformed")]
    Malformed,
    /// A signature, but of other bytes or by another key.
    #[error("the signature is wrong")]
    Wrong,
}

impl SignatureError {
    /// The word used in metrics and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Wrong => "wrong",
        }
    }
}

/// A body and what is said to prove it.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// Keys of which one has to have signed.
    pub keys: &'a [VerifyingKey],
    /// The raw bytes.
    pub body: &'a [u8],
    /// The values of [`SIGNATURE_HEADERS`].
    pub values: Vec<&'a [u8]>,
}

/// [`verify`] for several bodies, in the same order. Ed25519 signatures of one key are checked together, which takes
/// less than half of the time; where that says no, each is checked by itself.
pub fn verify_all(claims: &[Claim<'_>]) -> Vec<Result<(), SignatureError>> {
    let mut proven = vec![false; claims.len()];
    let mut left: Vec<Likely<'_>> =
        claims.iter().enumerate().filter_map(|(at, claim)| Likely::of(at, claim)).collect();
    while let Some(key) = left.first().map(|likely| likely.key) {
        let (group, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|likely| likely.key == key);
        left = others;
        if group.len() > 1 && batch::all_hold(key, group.iter().map(|it| (claims[it.at].body, &it.signature)))
        {
            for likely in group {
                proven[likely.at] = true;
            }
        }
    }
    let alone = |claim: &Claim<'_>| verify(claim.keys, claim.body, claim.values.iter().copied());
    claims.iter().zip(proven).map(|(claim, proven)| if proven { Ok(()) } else { alone(claim) }).collect()
}

/// The signature that will most likely turn out to prove a claim: the first of its kind, by the first key of its kind.
struct Likely<'a> {
    at: usize,
    key: &'a ed25519_dalek::VerifyingKey,
    signature: [u8; 64],
}

impl<'a> Likely<'a> {
    fn of(at: usize, claim: &Claim<'a>) -> Option<Self> {
        let key = claim.keys.iter().find_map(VerifyingKey::as_ed25519)?;
        let values = claim.values.iter().filter(|value| is_signed(value)).take(CANDIDATES_MAX);
        let signature = values.filter_map(|value| decode(value)?.try_into().ok()).next()?;
        Some(Self { at, key, signature })
    }
}

/// Whether one of the keys made one of the signatures, given as the values of
/// [`SIGNATURE_HEADERS`], over exactly these bytes.
pub fn verify<'a>(
    keys: &[VerifyingKey],
    body: &[u8],
    values: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(), SignatureError> {
    let mut verdict = SignatureError::Missing;
    for value in values.into_iter().filter(|value| is_signed(value)).take(CANDIDATES_MAX) {
        match decode(value) {
            None if verdict == SignatureError::Missing => verdict = SignatureError::Malformed,
            None => {}
            Some(signature) if keys.iter().any(|key| key.verifies(body, &signature)) => return Ok(()),
            Some(_) => verdict = SignatureError::Wrong,
        }
    }
    Err(verdict)
}

/// Whether a header's value claims to be a signature at all.
pub fn is_signed(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    !value.is_empty() && !value.eq_ignore_ascii_case(b"N/A")
}

fn decode(value: &[u8]) -> Option<Vec<u8>> {
    let value = value.trim_ascii();
    if value.len() > ENCODED_MAX {
        return None;
    }
    let bytes = BASE64.decode(value).ok()?;
    matches!(bytes.len(), 64 | 256..=1024).then_some(bytes)
}
