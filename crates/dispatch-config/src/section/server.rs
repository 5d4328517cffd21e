//! `[server]`, `[admin]` and `[log]`: how the daemon listens, is operated and speaks.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dispatch_model::Secret;

use crate::kind::Kind;
use crate::reading::Section;
use crate::secret::Vault;
use crate::shape::{Field, Shape, field};

/// How webhooks come in.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Where the daemon listens; at least one.
    pub listen: Vec<Listen>,
    /// Bytes of one request's body at most.
    pub body_max: u64,
    /// Bytes of one request's head at most.
    pub header_max: u64,
    /// Headers of one request at most.
    pub headers_max: u32,
    /// Bytes of all bodies that are held in memory at once.
    pub memory_max: u64,
    /// How long a client may take for the head.
    pub header_timeout: Duration,
    /// How long a client may take for the body.
    pub body_timeout: Duration,
    /// How long a connection may lie idle between two requests.
    pub idle_timeout: Duration,
    /// Connections at once.
    pub connections_max: u32,
    /// How long a request waits for room before it is answered 429.
    pub admit_wait: Duration,
    /// How long running attempts may take to finish after SIGTERM.
    pub drain: Duration,
    /// How long a successor with an inherited socket waits for the store's lock.
    pub takeover: Duration,
    /// Where providers send callbacks: `https://host`, without a slash at the end.
    pub public_url: Option<String>,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
    /// The sockets that systemd hands over.
    Systemd,
}

/// How an operator reaches the daemon.
#[derive(Debug, Clone, PartialEq)]
pub struct Admin {
    /// The control socket.
    pub socket: PathBuf,
    /// A loopback port as well.
    pub listen: Option<SocketAddr>,
    /// The token that the port asks for; there is always one where there is a port.
    pub token: Option<Secret>,
}

/// How the daemon speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// In what form.
    pub format: LogFormat,
    /// How much: `info`, or directives such as `info,dispatch_egress=debug`.
    pub level: String,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The most of whatever is counted: the daemon's counters have 32 bits.
pub(crate) const COUNT_MAX: i64 = u32::MAX as i64;

pub(crate) const SERVER: &[Field] = &[
    field(
        "listen",
        Shape::OneOrMany(&Shape::Text(Kind::Listen)),
        "Where webhooks come in: an address with its port, \"unix:/path\" or \"systemd\"; one or several.",
    ),
    field("body_max", Shape::Text(Kind::Size), "The largest body of a request."),
    field("header_max", Shape::Text(Kind::Size), "The largest head of a request: all its headers together."),
    field("headers_max", Shape::Integer { min: 1, max: 1000 }, "Headers of a request."),
    field("memory_max", Shape::Text(Kind::Size), "Bytes of all bodies that are held in memory at once."),
    field("header_timeout", Shape::Text(Kind::Span), "How long a client may take for the head."),
    field("body_timeout", Shape::Text(Kind::Span), "How long a client may take for the body."),
    field(
        "idle_timeout",
        Shape::Text(Kind::Span),
        "How long a connection may lie idle; longer than the proxy before it keeps its side open.",
    ),
    field("connections_max", Shape::Integer { min: 1, max: COUNT_MAX }, "Connections at once."),
    field(
        "admit_wait",
        Shape::Text(Kind::Span),
        "How long a request waits for room before it is answered 429.",
    ),
    field("drain", Shape::Text(Kind::Span), "How long running attempts may take to finish after SIGTERM."),
    field(
        "takeover",
        Shape::Text(Kind::Span),
        "How long a successor with an inherited socket waits for the store's lock.",
    ),
    field(
        "public_url",
        Shape::Text(Kind::BaseUrl),
        "Where providers send callbacks: scheme and host of the proxy before the daemon.",
    ),
];

pub(crate) const ADMIN: &[Field] = &[
    field(
        "socket",
        Shape::Text(Kind::Path),
        "The control socket; `admin.sock` in the data folder if left out.",
    ),
    field("listen", Shape::Text(Kind::Loopback), "A loopback port for the control API as well."),
    field("token", Shape::Secret, "The token that the port asks for."),
];

pub(crate) const LOG: &[Field] = &[
    field(
        "format",
        Shape::Text(Kind::Word(&["auto", "text", "json"])),
        "Text, JSON, or text on a terminal and JSON otherwise.",
    ),
    field(
        "level",
        Shape::Text(Kind::Filled),
        "error, warn, info, debug or trace; or directives such as \"info,dispatch_egress=debug\".",
    ),
];

impl Server {
    pub(crate) fn read(section: &Section<'_>) -> Self {
        let listen = section.get("listen").map(|node| node.one_or_many()).unwrap_or_default();
        let listen = listen.iter().filter_map(|item| {
            Some(match Listen::read(item.text()?)? {
                Listen::Unix(path) => Listen::Unix(section.origins.resolve(item.origin, path.to_str()?)),
                other => other,
            })
        });
        Self {
            listen: listen.collect(),
            body_max: section.size("body_max"),
            header_max: section.size("header_max"),
            headers_max: section.count("headers_max"),
            memory_max: section.size("memory_max"),
            header_timeout: section.span("header_timeout"),
            body_timeout: section.span("body_timeout"),
            idle_timeout: section.span("idle_timeout"),
            connections_max: section.count("connections_max"),
            admit_wait: section.span("admit_wait"),
            drain: section.span("drain"),
            takeover: section.span("takeover"),
            public_url: section.text("public_url").map(str::to_owned),
        }
    }
}

impl Listen {
    /// Reads `127.0.0.1:8080`, `unix:/path` or `systemd`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        match text.strip_prefix("unix:") {
            Some(path) => (!path.is_empty()).then(|| Self::Unix(path.into())),
            None if text == "systemd" => Some(Self::Systemd),
            None => text.parse().ok().map(Self::Tcp),
        }
    }
}

impl Admin {
    pub(crate) fn read(section: &Section<'_>, data_dir: &Path, vault: &mut Vault<'_>) -> Self {
        Self {
            socket: section.path("socket").unwrap_or_else(|| data_dir.join("admin.sock")),
            listen: section.text("listen").and_then(|text| text.parse().ok()),
            token: vault.value(section, "token", "admin.token"),
        }
    }
}

impl Log {
    pub(crate) fn read(section: &Section<'_>) -> Self {
        let format = match section.text("format") {
            Some("text") => LogFormat::Text,
            Some("json") => LogFormat::Json,
            _ => LogFormat::Auto,
        };
        Self { format, level: section.string("level") }
    }
}
