//! What providers said on their own, as the store takes it.

use std::time::Duration;

use dispatch_model::{BackendName, MessageId, Receipt, Timestamp};

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
    /// What it is about, where its own URL said so.
    pub about: Option<About>,
    /// What was said.
    pub receipt: Receipt,
    /// When we had it.
    pub received_at: Timestamp,
}

/// The delivery that a callback's URL was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// The message.
    pub message: MessageId,
    /// The generation of its delivery.
    pub generation: u32,
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
