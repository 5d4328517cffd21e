//! The engine: from an admitted message to a recorded outcome.

mod backend;
mod egress;
mod setup;

pub use backend::Backend;
pub use egress::{
    Call, Egress, FetchBounds, FetchError, Grants, Network, ParseNetworkError, Relay, RelayTls, SpoolContent,
    SpoolFile, Spooled,
};
pub use setup::{BackendSetup, Limits, Overlay, Rate, Setup};
