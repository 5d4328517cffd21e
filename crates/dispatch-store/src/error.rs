//! What can go wrong, by what the caller can do about it.

/// A store's refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No room on the disk or at the size bound: answer 429 and try later.
    #[error("the store is full: {detail}")]
    Full {
        /// Which bound.
        detail: String,
    },
    /// This location has as many waiting messages as it may have: 429 for that location alone.
    #[error("location {location} has {waiting} messages waiting, its quota")]
    LocationFull {
        /// The tenant.
        location: dispatch_model::LocationId,
        /// How many wait.
        waiting: u64,
    },
    /// Busy, starting or stopping: try later.
    #[error("the store is unavailable: {detail}")]
    Unavailable {
        /// Why.
        detail: String,
    },
    /// The lease is not the present one: somebody else owns the delivery, or nobody does.
    #[error("the lease on {0:?} is stale")]
    Stale(dispatch_model::Lease),
    /// The request cannot be right whatever the store's state.
    #[error("invalid request to the store: {detail}")]
    Invalid {
        /// What is wrong.
        detail: String,
    },
    /// The file cannot be trusted any more: stop, and start again from disk.
    #[error("the store failed: {detail}")]
    Fatal {
        /// What happened.
        detail: String,
    },
}
