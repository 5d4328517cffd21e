//! The shapes of the control API. All are JSON; field names are the ones shown by `--json`.

use std::collections::BTreeMap;

use dispatch_engine::EngineStatus;
use dispatch_model::{BackendName, Channel, LocationId, Timestamp};
use dispatch_store::{Filter, Resolution, StoreStats, Suspension};
use serde::{Deserialize, Serialize};

/// How a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Asks.
    Get,
    /// Tells.
    Post,
}

/// A request, the same for the socket and in process.
#[derive(Debug, Clone)]
pub struct ApiRequest {
    /// Asking or telling.
    pub method: Method,
    /// `/v1/…` with its query.
    pub target: String,
    /// JSON, or empty.
    pub body: Vec<u8>,
}

impl ApiRequest {
    /// A question.
    pub fn get(target: impl Into<String>) -> Self {
        Self { method: Method::Get, target: target.into(), body: Vec::new() }
    }

    /// An order.
    pub fn post(target: impl Into<String>, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("the API's own shapes serialise");
        Self { method: Method::Post, target: target.into(), body }
    }
}

/// A good answer: JSON, or text for the metrics.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The media type.
    pub content_type: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("the API's own shapes serialise");
        Self { content_type: "application/json", status: 200, body }
    }

    pub(crate) fn text(status: u16, text: impl Into<String>) -> Self {
        Self { content_type: "text/plain; charset=utf-8", status, body: text.into().into_bytes() }
    }
}

/// How many an order changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// So many.
    pub changed: usize,
}

/// Calls off deliveries.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelRequest {
    /// Which; an empty filter needs `all`.
    pub filter: Filter,
    /// Why, for the timeline.
    #[serde(default)]
    pub reason: String,
    /// Says that everything is meant.
    #[serde(default)]
    pub all: bool,
}

/// Routes ended deliveries anew.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedriveRequest {
    /// Which; an empty filter needs `all`.
    pub filter: Filter,
    /// To this backend alone.
    #[serde(default)]
    pub to: Option<BackendName>,
    /// Why, for the timeline.
    #[serde(default)]
    pub note: String,
    /// Says that everything is meant.
    #[serde(default)]
    pub all: bool,
}

/// Says what became of a held delivery.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolveRequest {
    /// What became of it.
    pub resolution: Resolution,
}

/// Suspends or resumes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuspendRequest {
    /// What.
    pub what: Suspension,
    /// Or resumes.
    pub suspended: bool,
}

/// A person to suppress.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuppressedPerson {
    /// The channel; others are not concerned.
    pub channel: Channel,
    /// The number, with its country code, or the mail address.
    pub address: String,
    /// The location; none for every one.
    #[serde(default)]
    pub location: Option<LocationId>,
    /// Why, for the list.
    #[serde(default)]
    pub note: String,
}

/// Suppresses people; at most 1000 of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuppressRequest {
    /// Whom.
    pub people: Vec<SuppressedPerson>,
}

/// What the daemon knows of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DaemonFacts {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// Whether it accepts webhooks; if not, why.
    pub not_ready: Option<String>,
    /// Where it listens.
    pub listening: Vec<String>,
    /// The configuration files in force.
    pub config: Vec<String>,
    /// When the configuration in force was loaded.
    pub config_loaded_at: Timestamp,
    /// Why the last reload was refused, while the old configuration goes on.
    pub config_refused: Option<String>,
    /// How guests are run.
    pub plugin_host: String,
}

/// The answer to `status`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatusReport {
    /// The daemon; none when the command line opened the store itself.
    pub daemon: Option<DaemonFacts>,
    /// Lanes, breakers, pauses.
    pub engine: Option<EngineStatus>,
    /// Counts and sizes.
    pub store: StoreStats,
    /// What an operator has suspended, and since when.
    pub suspensions: Vec<(Suspension, Timestamp)>,
}

/// A backend, for a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BackendRow {
    /// Its name.
    pub name: BackendName,
    /// Its plugin.
    pub plugin: String,
    /// The plugin's version.
    pub version: String,
    /// The plugin's digest.
    pub digest: String,
    /// What it can carry.
    pub channels: Vec<String>,
    /// Attempts a second, written as in the configuration.
    pub rate: Option<String>,
    /// Attempts at once.
    pub concurrency: u32,
    /// Locations with settings or credentials of their own.
    pub overlays: usize,
    /// Where its provider can call back, if its plugin understands callbacks and `server.public_url` is set.
    pub callbacks: Vec<CallbackRow>,
}

/// A URL for a provider's console.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CallbackRow {
    /// The location whose overlay it is for; none for the backend itself.
    pub location: Option<LocationId>,
    /// The URL.
    pub url: String,
}

/// Names that people read, by location.
pub type LocationNames = BTreeMap<LocationId, String>;

/// What became of a reload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReloadReport {
    /// Whether the new configuration is in force.
    pub applied: bool,
    /// What was found wrong, as shown on a terminal without colour.
    pub problems: Vec<String>,
}

/// A quarantined body.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct QuarantineBody {
    /// Its number.
    pub id: i64,
    /// Its bytes, as text where they are text.
    pub body: dispatch_model::Body,
}
