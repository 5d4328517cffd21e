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

    /// Why the host does not do it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum SecretError {
        /// The backend has no secret of that name.
        Unknown,
        /// The operator has not granted that this secret be revealed.
        NotGranted,
        /// More than 16 verifications in one call.
        TooMany,
    }

    impl std::fmt::Display for SecretError {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(match self {
                Self::Unknown => "the backend has no secret of that name",
                Self::NotGranted => "the operator has not granted that this secret be revealed",
                Self::TooMany => "more than 16 verifications in one call",
            })
        }
    }

    impl std::error::Error for SecretError {}

    /// The keyed digest of `data`, for providers that want requests signed.
    ///
    /// # Errors
    /// No secret of that name.
    pub fn hmac(name: &str, algorithm: Algorithm, data: &[u8]) -> Result<Vec<u8>, SecretError> {
        super::imp::hmac(name, algorithm, data)
    }

    /// Whether `signature` is the keyed digest of `data`, in constant time.
    ///
    /// # Errors
    /// No secret of that name, or too many guesses.
    pub fn verify(
        name: &str,
        algorithm: Algorithm,
        data: &[u8],
        signature: &[u8],
    ) -> Result<bool, SecretError> {
        super::imp::verify(name, algorithm, data, signature)
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
    use super::secrets::{Algorithm, SecretError};
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
        }
    }

    pub(super) fn hmac(name: &str, by: Algorithm, data: &[u8]) -> Result<Vec<u8>, SecretError> {
        secrets::hmac(name, algorithm(by), data).map_err(error)
    }

    pub(super) fn verify(
        name: &str,
        by: Algorithm,
        data: &[u8],
        signature: &[u8],
    ) -> Result<bool, SecretError> {
        secrets::verify(name, algorithm(by), data, signature).map_err(error)
    }

    pub(super) fn reveal(name: &str) -> Result<String, SecretError> {
        secrets::reveal(name).map_err(error)
    }
}
