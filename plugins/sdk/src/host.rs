//! All that a plugin can call: the log, and work with secrets it does not see.
//!
//! Natively, where there is no host, [`testing`](crate::testing) stands in for it.

/// Lines for the host's log, with the plugin's and the attempt's id added. At most 32 a call of at most 2 KiB each.
/// Put no address, text or name of a person into them.
pub mod log {
    /// How much a line matters.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Level {
        /// For the plugin's author.
        Debug,
        /// For the operator.
        Info,
        /// Something is wrong.
        Warn,
    }

    /// Writes a line.
    pub fn write(level: Level, message: &str) {
        super::imp::write(level, message);
    }

    /// Writes a line for the plugin's author.
    pub fn debug(message: &str) {
        write(Level::Debug, message);
    }

    /// Writes a line for the operator.
    pub fn info(message: &str) {
        write(Level::Info, message);
    }

    /// Writes that something is wrong.
    pub fn warn(message: &str) {
        write(Level::Warn, message);
    }
}

/// Work with secrets that the plugin does not see. Names are those of the description and of what `check` asked for.
pub mod secrets {
    /// A keyed digest.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Algorithm {
        /// HMAC with SHA-1.
        HmacSha1,
        /// HMAC with SHA-256.
        HmacSha256,
        /// HMAC with SHA-512.
        HmacSha512,
    }

    /// The key of a digest: a secret, and how its text becomes the key's bytes.
    ///
    /// A name alone is a key of the text's own bytes, as most providers have it.
    ///
    /// ```
    /// # use dispatcher_plugin::secrets::Key;
    /// assert_eq!(Key::from("auth_token"), Key::text("auth_token"));
    /// // Svix and Standard Webhooks hand out base64 after a prefix.
    /// let key = Key::base64("webhook_secret", "whsec_");
    /// # let _ = key;
    /// ```
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Key {
        /// The secret's name.
        pub secret: String,
        /// How its text becomes the key's bytes.
        pub encoding: KeyEncoding,
    }

    /// How a secret's text becomes the bytes of a key.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum KeyEncoding {
        /// They are the text's own bytes.
        Text,
        /// The text is base64 of them, of either alphabet, padded or not, perhaps after a prefix.
        Base64 {
            /// What may stand before it and is no part of the key; empty where there is none.
            prefix: String,
        },
        /// The text is hexadecimal digits, two a byte.
        Hex,
    }

    impl Key {
        /// The text's own bytes.
        pub fn text(secret: impl Into<String>) -> Self {
            Self { secret: secret.into(), encoding: KeyEncoding::Text }
        }

        /// What the text is base64 of, less a prefix that may stand before it.
        pub fn base64(secret: impl Into<String>, prefix: impl Into<String>) -> Self {
            Self { secret: secret.into(), encoding: KeyEncoding::Base64 { prefix: prefix.into() } }
        }

        /// What the text is hexadecimal digits of.
        pub fn hex(secret: impl Into<String>) -> Self {
            Self { secret: secret.into(), encoding: KeyEncoding::Hex }
        }
    }

    impl From<&str> for Key {
        fn from(secret: &str) -> Self {
            Self::text(secret)
        }
    }

    /// Why the host does not do it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum SecretError {
        /// The backend has no secret of that name.
        Unknown,
        /// The operator has not granted that this secret be revealed.
        NotGranted,
        /// More than 16 verifications in one call.
        TooMany,
        /// The secret's text is not what the key's encoding says.
        NotAKey,
    }

    impl std::fmt::Display for SecretError {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(match self {
                Self::Unknown => "the backend has no secret of that name",
                Self::NotGranted => "the operator has not granted that this secret be revealed",
                Self::TooMany => "more than 16 verifications in one call",
                Self::NotAKey => "the secret is not written as such a key is",
            })
        }
    }

    impl std::error::Error for SecretError {}

    /// The keyed digest of `data`, for providers that want requests signed.
    ///
    /// # Errors
    /// No secret of that name, or it is no such key.
    pub fn hmac(key: impl Into<Key>, algorithm: Algorithm, data: &[u8]) -> Result<Vec<u8>, SecretError> {
        super::imp::hmac(&key.into(), algorithm, data)
    }

    /// Whether `signature` is the keyed digest of `data`, in constant time.
    ///
    /// # Errors
    /// No secret of that name, it is no such key, or too many guesses.
    pub fn verify(
        key: impl Into<Key>,
        algorithm: Algorithm,
        data: &[u8],
        signature: &[u8],
    ) -> Result<bool, SecretError> {
        super::imp::verify(&key.into(), algorithm, data, signature)
    }

    /// Whether `given` is the secret itself, in constant time: for callbacks that prove themselves by a password or a
    /// token.
    ///
    /// # Errors
    /// No secret of that name, or too many guesses.
    pub fn matches(name: &str, given: &[u8]) -> Result<bool, SecretError> {
        super::imp::matches(name, given)
    }

    /// The secret itself; only where the operator wrote its name under `reveal`.
    ///
    /// # Errors
    /// No secret of that name, or it was not granted.
    pub fn reveal(name: &str) -> Result<String, SecretError> {
        super::imp::reveal(name)
    }
}

#[cfg(not(target_arch = "wasm32"))]
use crate::testing::imp;

#[cfg(target_arch = "wasm32")]
mod imp {
    use super::log::Level;
    use super::secrets::{Algorithm, Key, KeyEncoding, SecretError};
    use crate::edge::bindings::dispatcher::plugin::{log, secrets};

    pub(super) fn write(level: Level, message: &str) {
        let level = match level {
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warn => log::Level::Warn,
        };
        log::write(level, message);
    }

    fn algorithm(algorithm: Algorithm) -> secrets::Algorithm {
        match algorithm {
            Algorithm::HmacSha1 => secrets::Algorithm::HmacSha1,
            Algorithm::HmacSha256 => secrets::Algorithm::HmacSha256,
            Algorithm::HmacSha512 => secrets::Algorithm::HmacSha512,
        }
    }

    fn error(error: secrets::Error) -> SecretError {
        match error {
            secrets::Error::Unknown => SecretError::Unknown,
            secrets::Error::NotGranted => SecretError::NotGranted,
            secrets::Error::TooMany => SecretError::TooMany,
            secrets::Error::NotAKey => SecretError::NotAKey,
        }
    }

    fn key(key: &Key) -> secrets::Key {
        let encoding = match &key.encoding {
            KeyEncoding::Text => secrets::KeyEncoding::Text,
            KeyEncoding::Base64 { prefix } => secrets::KeyEncoding::Base64(prefix.clone()),
            KeyEncoding::Hex => secrets::KeyEncoding::Hex,
        };
        secrets::Key { secret: key.secret.clone(), encoding }
    }

    pub(super) fn hmac(by: &Key, with: Algorithm, data: &[u8]) -> Result<Vec<u8>, SecretError> {
        secrets::hmac(&key(by), algorithm(with), data).map_err(error)
    }

    pub(super) fn verify(
        by: &Key,
        with: Algorithm,
        data: &[u8],
        signature: &[u8],
    ) -> Result<bool, SecretError> {
        secrets::verify(&key(by), algorithm(with), data, signature).map_err(error)
    }

    pub(super) fn matches(name: &str, given: &[u8]) -> Result<bool, SecretError> {
        secrets::matches(name, given).map_err(error)
    }

    pub(super) fn reveal(name: &str) -> Result<String, SecretError> {
        secrets::reveal(name).map_err(error)
    }
}
