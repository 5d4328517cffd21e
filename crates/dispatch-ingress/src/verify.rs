//! Whether a request comes from where it says: `Received` -> [`Verified`].

use dispatch_highlevel::{SIGNATURE_HEADERS, SignatureError, is_signed, verify_all};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use crate::config::Endpoint;
use crate::receive::Received;

/// What a head offers as proof. Tokens and path secrets are judged at once; signatures need the body.
pub(crate) struct Claim {
    proof: Option<&'static str>,
    signatures: Vec<HeaderValue>,
}

/// A request whose origin is proven. Only [`verify`] makes one, and it never lets the body change.
pub(crate) struct Verified {
    received: Received,
    proof: &'static str,
}

impl Claim {
    pub(crate) fn read(endpoint: &Endpoint, segment: Option<&str>, headers: &HeaderMap) -> Self {
        let token = headers.get(AUTHORIZATION).and_then(bearer);
        let has_token = || token.is_some_and(|token| endpoint.tokens.iter().any(|secret| secret.is(token)));
        let has_path_secret = || {
            segment.is_some_and(|segment| {
                endpoint.path_secrets.iter().any(|secret| secret.is(segment.as_bytes()))
            })
        };
        let proof = if endpoint.insecure {
            Some("none")
        } else if has_token() {
            Some("bearer")
        } else if has_path_secret() {
            Some("path")
        } else {
            None
        };
        // Without keys no signature proves anything, and its body need not be read.
        let signatures = SIGNATURE_HEADERS
            .iter()
            .filter(|_| !endpoint.keys.is_empty())
            .flat_map(|name| headers.get_all(*name))
            .filter(|value| is_signed(value.as_bytes()))
            .cloned()
            .collect();
        Self { proof, signatures }
    }

    /// Whether no body can make this a proof.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.proof.is_none() && self.signatures.is_empty()
    }
}

/// A request that proves nothing, and why.
pub(crate) type Refused = (Received, SignatureError);

/// Judges the raw bytes of several requests, each as if it were alone.
pub(crate) fn verify(requests: Vec<Received>) -> Vec<Result<Verified, Refused>> {
    let claims: Vec<_> = requests.iter().map(Received::signatures).collect();
    let verdicts = verify_all(&claims);
    let judged = requests.into_iter().zip(verdicts);
    judged
        .map(|(received, verdict)| match verdict {
            Ok(()) => Ok(Verified { received, proof: "signature" }),
            Err(error) => Err((received, error)),
        })
        .collect()
}

impl Received {
    /// Proven already by what its head had, if it is: no body needs to be judged then.
    pub(crate) fn proven(self) -> Result<Verified, Self> {
        match self.claim.proof {
            Some(proof) => Ok(Verified { received: self, proof }),
            None => Err(self),
        }
    }

    fn signatures(&self) -> dispatch_highlevel::Claim<'_> {
        dispatch_highlevel::Claim {
            keys: &self.endpoint.keys,
            body: &self.body,
            values: self.claim.signatures.iter().map(HeaderValue::as_bytes).collect(),
        }
    }
}

impl Verified {
    /// How it was proven: the word for the log.
    pub(crate) fn proof(&self) -> &'static str {
        self.proof
    }
}

impl std::ops::Deref for Verified {
    type Target = Received;

    fn deref(&self) -> &Received {
        &self.received
    }
}

fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}
