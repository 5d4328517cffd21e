//! A refusal of the control API, as a status and words.

use dispatch_store::StoreError;
use serde::{Deserialize, Serialize};

/// What the caller is told: the same on the wire and in process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{error}")]
pub struct ApiError {
    /// The HTTP status.
    #[serde(skip)]
    pub status: u16,
    /// Words for a person: what is wrong and what to do instead.
    pub error: String,
}

impl ApiError {
    /// The request cannot be right.
    pub fn invalid(error: impl Into<String>) -> Self {
        Self { status: 400, error: error.into() }
    }

    /// There is no such thing.
    pub fn not_found(error: impl Into<String>) -> Self {
        Self { status: 404, error: error.into() }
    }

    /// It exists and is not in a state for this.
    pub fn conflict(error: impl Into<String>) -> Self {
        Self { status: 409, error: error.into() }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::Invalid { .. } => 400,
            StoreError::Stale(_) => 409,
            StoreError::Full { .. } | StoreError::LocationFull { .. } => 507,
            StoreError::Unavailable { .. } => 503,
            StoreError::Fatal { .. } => 500,
        };
        Self { status, error: error.to_string() }
    }
}
