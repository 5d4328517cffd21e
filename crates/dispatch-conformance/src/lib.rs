//! Whether a plugin keeps the contract: what `dispatcher plugin test` runs against any component.
//!
//! ```text
//! settings    what it says of itself, and which settings it refuses
//! walk        deliver and on-reply with every kind of answer, to the end of every path
//! questions   hostile callbacks, and lookups, with every kind of answer
//! canary      secrets that must not come out anywhere
//! ```
//!
//! A plugin is a pure function, so each call is made twice and must give the same; and its paths can be walked without a
//! provider. Inputs are made from a seed: the same seed finds the same. [`promise`] lists what is held against it.

mod canary;
mod examination;
mod honest;
mod message;
mod promise;
mod questions;
mod reply;
mod report;
mod settings;
mod walk;

pub use examination::{Effort, Subject, examine};
pub use message::sample;
pub use report::{Check, Finding, Report};
pub use settings::example;
