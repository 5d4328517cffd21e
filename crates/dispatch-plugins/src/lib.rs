//! The plugin host: runs guests in wasmtime, and lets the engine see them as [`dispatch_engine::Backend`]s.
//!
//! This is the only crate that knows of WebAssembly. A plugin's file goes through it once, a call each time:
//!
//! ```text
//! load:  bytes -> shape (imports, exports, version) -> compile or artefact cache -> link -> describe -> Plugin
//! call:  model -> lower -> [thread: fresh store, instance, function] -> lift (bounds) -> model
//! ```
//!
//! What holds whatever a guest does:
//!
//! - it computes for a bounded time, in bounded memory, and what it returns is bounded (config.rs, lift.rs);
//! - it reaches nothing but the log and work with its backend's secrets (imports.rs);
//! - nothing is carried from one call to the next, and a [`dispatch_model::Fault`] ends one call only;
//! - it never runs on a thread of the asynchronous runtime, and is never compiled there (crew.rs, host.rs).

mod cache;
mod call;
mod config;
mod contract;
mod crew;
mod description;
mod engine;
mod epoch;
mod error;
mod fault;
mod host;
mod imports;
mod inspect;
mod lent;
mod lift;
mod limiter;
mod lower;
mod plugin;
mod schema;
mod shape;
mod text;

pub use config::{Allocation, HostConfig};
pub use contract::CONTRACT_VERSION;
pub use engine::Memory;
pub use error::{HostError, LoadError};
pub use host::{HostDescription, PluginHost};
pub use inspect::Inspection;
pub use plugin::Plugin;
