//! What the file says, as plain values with their units in the type. One file a section.

pub(crate) mod backend;
pub(crate) mod host;
pub(crate) mod inbound;
pub(crate) mod location;
pub(crate) mod route;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod source;
pub(crate) mod store;

use std::collections::BTreeMap;
use std::path::PathBuf;

use dispatch_model::{BackendName, LocationId};
use indexmap::IndexMap;

use crate::kind::Kind;
use crate::shape::{Field, Shape, field};

pub use backend::{Backend, Dkim, Limits, Network, Rate, Relay, RelayTls, ResolvedSecret, SecretFrom};
pub use host::{Egress, Plugin, PluginHost};
pub use inbound::OptOut;
pub use location::{Location, Overlay};
pub use route::{Expect, Route, RouteTest};
pub use server::{Admin, Listen, Log, LogFormat, Server};
pub use session::Session;
pub use source::{KnownKeys, Source};
pub use store::{Retention, Store};

/// The whole configuration. Paths are as the daemon opens them.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// How webhooks come in.
    pub server: Server,
    /// How an operator reaches the daemon.
    pub admin: Admin,
    /// Where messages are kept.
    pub store: Store,
    /// How the daemon speaks.
    pub log: Log,
    /// What plugins run in.
    pub plugin_host: PluginHost,
    /// What leaves.
    pub egress: Egress,
    /// The Delivery URLs.
    pub sources: Vec<Source>,
    /// Plugins from elsewhere, by name.
    pub plugins: BTreeMap<String, Plugin>,
    /// Backends, in the order written.
    pub backends: IndexMap<BackendName, Backend>,
    /// What differs per client, from the file and from the CSV.
    pub locations: IndexMap<LocationId, Location, ahash::RandomState>,
    /// The routes, in the order they are tried.
    pub routes: Vec<Route>,
    /// The routes of what people write to us, in the order they are tried.
    pub inbound: Vec<Route>,
    /// The words by which people say that they want no messages.
    pub opt_out: OptOut,
    /// The tests of the routes.
    pub tests: Vec<RouteTest>,
}

impl Config {
    /// The data folder: where the store lies, and the socket, the cache and the spool unless said otherwise.
    pub fn data_dir(&self) -> PathBuf {
        self.store.folder()
    }
}

/// One location.
pub(crate) const LOCATIONS: &Shape = &Shape::Table(location::LOCATION);

/// The whole file.
pub(crate) static ROOT: Shape = Shape::Table(FILE);

const FILE: &[Field] = &[
    field(
        "include",
        Shape::OneOrMany(&Shape::Text(Kind::Path)),
        "More files, relative to this one; `*` may stand in the last part.",
    ),
    field("locations_file", Shape::Text(Kind::Path), "A CSV with what differs per location."),
    field("server", Shape::Table(server::SERVER), "How webhooks come in."),
    field("admin", Shape::Table(server::ADMIN), "How an operator reaches the daemon."),
    field("log", Shape::Table(server::LOG), "How the daemon speaks."),
    field("store", Shape::Table(store::STORE), "Where messages are kept, and for how long."),
    field("plugin_host", Shape::Table(host::PLUGIN_HOST), "What plugins run in."),
    field("egress", Shape::Table(host::EGRESS), "What leaves."),
    field("defaults", Shape::Table(DEFAULTS), "What routes and backends do unless they say otherwise."),
    field("sources", Shape::List(&Shape::Table(source::SOURCE)), "The Delivery URLs."),
    field(
        "plugins",
        Shape::Map { keys: Kind::Name, of: &Shape::Table(host::PLUGIN) },
        "Plugins from elsewhere, by name.",
    ),
    field(
        "backends",
        Shape::Map { keys: Kind::Name, of: &Shape::Table(backend::BACKEND) },
        "Backends: a plugin with settings and secrets, by name.",
    ),
    field(
        "locations",
        Shape::Map { keys: Kind::Filled, of: &Shape::Table(location::LOCATION) },
        "What differs per client, by HighLevel's location id.",
    ),
    field("routes", Shape::List(&Shape::Table(route::ROUTE)), "Tried in order; the first that matches wins."),
    field(
        "inbound",
        Shape::List(&Shape::Table(inbound::INBOUND)),
        "Who gets what people write to us: tried in order; the first that matches wins.",
    ),
    field(
        "opt_out",
        Shape::Table(inbound::OPT_OUT),
        "The words by which people say that they want no messages.",
    ),
    field(
        "tests",
        Shape::List(&Shape::Table(route::TEST)),
        "Tests of the routes, run by `dispatcher check`.",
    ),
];

const DEFAULTS: &[Field] = &[
    field("route", Shape::Table(route::POLICY), "What a route does with outcomes."),
    field("backend", Shape::Table(BACKEND_DEFAULTS), "How much of a backend there may be."),
];

const BACKEND_DEFAULTS: &[Field] =
    &[field("limits", Shape::Table(backend::LIMITS), "How much of it there may be.")];
