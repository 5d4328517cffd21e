//! A shared secret that can be compared and nothing else.

use dispatch_model::Secret;
use ring::hmac;

/// A secret as its HMAC under a fixed key. Comparing goes through the HMAC of what was offered, so
/// that the time it takes says nothing about how much of it was right, nor how long the secret is.
#[derive(Clone)]
pub(crate) struct SharedSecret {
    key: hmac::Key,
    tag: hmac::Tag,
}

impl SharedSecret {
    pub(crate) fn new(secret: &Secret) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"dispatcher shared secret");
        let tag = hmac::sign(&key, secret.expose().as_bytes());
        Self { key, tag }
    }

    pub(crate) fn is(&self, offered: &[u8]) -> bool {
        hmac::verify(&self.key, offered, self.tag.as_ref()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_itself_is_it() {
        let secret = SharedSecret::new(&Secret::new("correct horse"));
        assert!(secret.is(b"correct horse"));
        for wrong in [&b""[..], b"correct hors", b"correct horse ", b"Correct horse"] {
            assert!(!secret.is(wrong));
        }
    }
}
