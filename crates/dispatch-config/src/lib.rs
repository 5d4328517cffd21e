//! The configuration file: layers, a document that knows where each value was written, and plain values.
//!
//! This is the only crate that knows the file's format. Everybody else has plain structs, which the
//! binary fills from [`Config`]. All problems are reported at once, each with its line; who finds one
//! later hands it over by path, and [`Document`] shows it the same way.
//!
//! ```text
//! files --parse--> trees --merge--> one tree --shape--> Config --check--> Loaded
//!                    each value knows its file and bytes, and keeps knowing
//! ```

mod check;
mod cover;
mod coverage;
mod diagnostic;
mod document;
mod environment;
mod glob;
mod kind;
mod layers;
mod load;
mod locations_file;
mod node;
mod origins;
mod parse;
mod problems;
mod reading;
#[cfg(test)]
mod reference;
mod region;
mod route_tests;
mod schema;
mod secret;
mod section;
mod settings;
mod shape;
mod suggestion;
mod units;
mod validate;
mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;

use dispatch_routing::Router;

pub use diagnostic::{Diagnostic, Place, Severity};
pub use document::Document;
pub use load::load;
pub use route_tests::{Routers, TestResult, run_tests};
pub use schema::json_schema;
pub use section::{
    Admin, Backend, Config, Dkim, Egress, Expect, KnownKeys, Limits, Listen, Location, Log, LogFormat,
    Network, OptOut, Overlay, Plugin, PluginHost, Rate, Relay, RelayTls, ResolvedSecret, Retention, Route,
    RouteTest, SecretFrom, Server, Session, Source, Store,
};
pub use settings::settings_from_toml;
pub use watch::watched_files;

/// What a configuration is made from.
#[derive(Clone, Default)]
pub struct Inputs {
    /// The files, later ones laid over earlier ones.
    pub files: Vec<PathBuf>,
    /// The environment: `DISPATCHER__…` values, and secrets by name.
    pub environment: BTreeMap<String, String>,
    /// Values from the command line, by path (`server.listen`).
    pub flags: BTreeMap<String, String>,
    /// The names of the plugins in this binary.
    pub bundled_plugins: Vec<String>,
}

/// The environment holds secrets: its names are shown, its values never.
impl std::fmt::Debug for Inputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inputs")
            .field("files", &self.files)
            .field("environment", &self.environment.len())
            .field("flags", &self.flags)
            .field("bundled_plugins", &self.bundled_plugins)
            .finish()
    }
}

/// A configuration without errors.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// Its routes, indexed.
    pub router: Router,
    /// Its inbound routes, indexed.
    pub inbound: Router,
    /// Where each value was written.
    pub document: Document,
    /// What may not be as meant.
    pub warnings: Vec<Diagnostic>,
    /// Files that are no layer of their own and still part of it: folders of includes, the CSV, secrets.
    pub(crate) watched: Vec<PathBuf>,
}
