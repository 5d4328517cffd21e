//! What HighLevel sends and how it signs it, and nothing else.
//!
//! Pure: bytes in, facts out. It is the one place to edit when the sender changes its contract.
//! Verifying comes before parsing and works on the raw bytes; parsing is tolerant, since fields
//! appear without notice and a promised message that was refused for a new field is a lost one.

mod address;
mod batch;
mod bounded;
mod key;
mod payload;
mod reader;
mod signature;
mod signing;
mod surrogate;

pub use key::{KeyError, VerifyingKey};
pub use payload::{Ignored, Parsed, Payload, is_ping, parse};
pub use signature::{Claim, SIGNATURE_HEADERS, SignatureError, is_signed, verify, verify_all};
pub use signing::SigningKey;
