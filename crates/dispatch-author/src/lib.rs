//! What a plugin's author needs before there is a component: a folder to begin with, and the compilers.
//!
//! ```text
//! template: name, language, channel -> files      offline; everything is embedded in this crate
//! project:  a folder -> its own tests, and dist/NAME.wasm
//! toolchain: one file for each language: what it needs, where it is found, what to install
//! ```
//!
//! Nothing here knows the daemon, and nothing here runs a plugin.

mod error;
mod project;
mod template;
mod toolchain;

pub use error::AuthorError;
pub use project::Project;
pub use template::{Channel, Language, Template};
pub use toolchain::rust::{TARGET, Way};
