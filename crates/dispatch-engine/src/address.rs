//! The URLs that providers call back, and what they name.
//!
//! ```text
//! {public_url}/callbacks/{backend}/{token}
//! token = base64url( kind, [message, generation], location, first half of HMAC-SHA256(key, backend, all before) )
//! ```
//!
//! The token is the only proof where a provider signs nothing, so nobody can make one without the key of this
//! installation; and it is recognised by computing, so nothing has to be remembered for each attempt. Where a
//! provider signs, the plugin verifies that as well. A backend's *standing* URL names no attempt: it is what is
//! written into the provider's console, for inbound messages and for receipts of the whole account.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dispatch_model::{BackendName, Delivery, LocationId, MessageId};
use dispatch_store::About;
use ring::hmac;

/// Bytes of the key.
pub const CALLBACK_KEY_LEN: usize = 32;

/// Bytes of the proof in a token: nobody guesses 128 bits over a network.
const PROOF: usize = 16;
/// Characters of a token at most: a location's name has no business being longer than some hundred.
const TOKEN_MAX: usize = 400;
/// Kinds of tokens. A released kind keeps its meaning: providers hold URLs for days, consoles for years.
const STANDING: u8 = 1;
const ATTEMPT: u8 = 2;

/// Where a callback, or another word of a provider's, belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The backend.
    pub backend: BackendName,
    /// The location, where the URL was made for its overlay.
    pub location: Option<LocationId>,
    /// The delivery, where the URL was made for it.
    pub about: Option<About>,
}

impl Caller {
    /// What a provider says by a backend, or by a location's overlay of it, about nothing in particular.
    pub fn standing(backend: BackendName, location: Option<LocationId>) -> Self {
        Self { backend, location, about: None }
    }
}

/// Where providers send what they have to say, and the key that makes such URLs.
#[derive(Clone)]
pub struct CallbackUrls {
    public_url: String,
    key: hmac::Key,
}

/// The key is not shown.
impl fmt::Debug for CallbackUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackUrls").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}

impl CallbackUrls {
    /// Under this URL (`https://host`, without a slash at the end), with the key of this installation.
    pub fn new(public_url: &str, key: &[u8]) -> Self {
        let public_url = public_url.trim_end_matches('/').to_owned();
        Self { public_url, key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// The URL of a path and query that were asked for, as the provider knows it.
    pub fn absolute(&self, path_and_query: &str) -> String {
        format!("{}{path_and_query}", self.public_url)
    }

    /// The standing URL of a backend, or of a location's overlay of it.
    pub fn standing(&self, backend: &BackendName, location: Option<&LocationId>) -> String {
        self.url(backend, vec![STANDING], location)
    }

    /// The URL for one delivery.
    pub(crate) fn attempt(
        &self,
        backend: &BackendName,
        location: Option<&LocationId>,
        delivery: &Delivery,
    ) -> String {
        let mut payload = vec![ATTEMPT];
        payload.extend(delivery.message.as_i64().to_be_bytes());
        payload.extend(delivery.generation.to_be_bytes());
        self.url(backend, payload, location)
    }

    fn url(&self, backend: &BackendName, mut payload: Vec<u8>, location: Option<&LocationId>) -> String {
        payload.extend(location.map_or("", LocationId::as_str).as_bytes());
        let proof = hmac::sign(&self.key, &signed(backend.as_str(), &payload));
        payload.extend(&proof.as_ref()[..PROOF]);
        format!("{}/callbacks/{backend}/{}", self.public_url, URL_SAFE_NO_PAD.encode(payload))
    }

    /// What a URL names; nothing where it is none of ours.
    pub fn read(&self, backend: &str, token: &str) -> Option<Caller> {
        if token.len() > TOKEN_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (payload, proof) = bytes.split_at_checked(bytes.len().checked_sub(PROOF)?)?;
        let expected = hmac::sign(&self.key, &signed(backend, payload));
        if !same(&expected.as_ref()[..PROOF], proof) {
            return None;
        }
        let (about, location) = match payload.split_first()? {
            (&STANDING, location) => (None, location),
            (&ATTEMPT, rest) => {
                let (message, rest) = rest.split_first_chunk()?;
                let (generation, location) = rest.split_first_chunk()?;
                let message = MessageId::from_i64(i64::from_be_bytes(*message));
                (Some(About { message, generation: u32::from_be_bytes(*generation) }), location)
            }
            _ => return None,
        };
        let location = std::str::from_utf8(location).ok()?;
        let location = (!location.is_empty()).then(|| location.into());
        Some(Caller { backend: backend.into(), location, about })
    }
}

/// What the proof covers. The backend's name has no NUL.
fn signed(backend: &str, payload: &[u8]) -> Vec<u8> {
    [b"callback\0", backend.as_bytes(), b"\0", payload].concat()
}

/// In a time that says nothing about how much of it was right.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use dispatch_model::{Channel, Timestamp};

    use super::*;

    fn urls() -> CallbackUrls {
        CallbackUrls::new("https://d.example/", &[7; CALLBACK_KEY_LEN])
    }

    fn token(url: &str) -> (&str, &str) {
        let path = url.strip_prefix("https://d.example/callbacks/").expect("under the public URL");
        path.split_once('/').expect("backend and token")
    }

    #[test]
    fn a_url_says_what_it_was_made_for() {
        let at = Timestamp::from_millis(1_795_000_000_000);
        let mut delivery = Delivery::unplanned(MessageId::first_at(at), "LoC1".into(), Channel::Sms, at);
        delivery.generation = 3;
        let location: LocationId = "LoC1".into();
        for place in [None, Some(&location)] {
            let url = urls().attempt(&"twilio".into(), place, &delivery);
            let (backend, token_of) = token(&url);
            let caller = urls().read(backend, token_of).expect("it is ours");
            assert_eq!(caller.about, Some(About { message: delivery.message, generation: 3 }));
            assert_eq!((caller.backend.as_str(), caller.location.as_ref()), ("twilio", place));
            assert!(token_of.len() < 64, "{token_of} is short enough for any provider");
            let url = urls().standing(&"twilio".into(), place);
            let (backend, token_of) = token(&url);
            assert_eq!(
                urls().read(backend, token_of),
                Some(Caller::standing("twilio".into(), place.cloned()))
            );
        }
    }

    #[test]
    fn nobody_makes_one_up() {
        let url = urls().standing(&"twilio".into(), Some(&"LoC1".into()));
        let (backend, right) = token(&url);
        assert!(urls().read("telnyx", right).is_none(), "made for another backend");
        let other = CallbackUrls::new("https://d.example", &[8; CALLBACK_KEY_LEN]);
        assert!(other.read(backend, right).is_none(), "made by another installation");
        for index in 0..right.len() {
            let mut wrong = right.as_bytes().to_vec();
            wrong[index] = if wrong[index] == b'A' { b'B' } else { b'A' };
            let wrong = String::from_utf8(wrong).expect("ASCII");
            // The last character has bits that carry nothing; those have to be zero.
            assert!(urls().read(backend, &wrong).is_none(), "{wrong} for {right}");
        }
        for wrong in ["", "AQ", "=", "ü", &right[1..], &format!("{right}AA"), &"A".repeat(1000)] {
            assert!(urls().read(backend, wrong).is_none(), "{wrong:?}");
        }
    }
}
