//! What providers said on their own, as the store takes it.

use std::time::Duration;

use dispatch_model::{BackendName, Delivery, LocationId, MessageId, Receipt, Timestamp};

/// Receipts that nobody could be found for and that wait for a commit of ours. Beyond it the oldest go: they are
/// most likely another system's, with which the account is shared.
pub const PARKED_MAX: usize = 100_000;

/// How long they wait. An answer that gave the reference is settled in seconds; a store that was restored from a
/// backup, or an operator's *resolve*, may take days.
pub const PARKED_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// Receipts kept of one message: five states for each part of a long text, or for each of many recipients.
pub const RECEIPTS_MAX: usize = 512;

/// Something that a provider said.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// What became of a message.
    Receipt(NewReceipt),
}

/// A receipt as it came in.
#[derive(Debug, Clone, PartialEq)]
pub struct NewReceipt {
    /// By which backend.
    pub backend: BackendName,
    /// The location by whose own account it came, where it did: such an account speaks of no other location.
    pub location: Option<LocationId>,
    /// What it is about, where its own URL said so.
    pub about: Option<About>,
    /// What our key is of, where the provider handed it back. Whoever has an account there can send along any key: it is
    /// believed of a delivery that goes by this backend.
    pub key: Option<About>,
    /// What was said.
    pub receipt: Receipt,
    /// When we had it.
    pub received_at: Timestamp,
}

/// The delivery that a callback's URL, or an idempotency key, was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// The message.
    pub message: MessageId,
    /// The generation of its delivery.
    pub generation: u32,
}

impl About {
    /// What one of our idempotency keys is of; nothing where it is none.
    pub fn of_key(idempotency_key: &str) -> Option<Self> {
        let (message, generation) = Delivery::of_key(idempotency_key)?;
        Some(Self { message, generation })
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It is kept with this message.
    Fresh(MessageId),
    /// This message had it already.
    Duplicate(MessageId),
    /// Nobody knows the reference yet: it waits for a commit that does.
    Parked,
    /// This message has had more receipts than are kept.
    Surplus(MessageId),
}
