//! `[plugin_host]`, `[egress]` and `[plugins.NAME]`: what plugins run in and what leaves.

use std::path::PathBuf;
use std::time::Duration;

use crate::kind::Kind;
use crate::reading::Section;
use crate::shape::{Field, Shape, field, required};

/// What plugins run in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginHost {
    /// Threads for guest calls; none means one a core.
    pub threads: Option<u32>,
    /// Bytes of memory one call may have.
    pub memory_max: u64,
    /// Computing time one call may have.
    pub deadline: Duration,
    /// Where compiled plugins are cached; none means `cache` in the data folder.
    pub cache: Option<PathBuf>,
}

/// What leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    /// More certificate authorities to trust, PEM.
    pub ca_file: Option<PathBuf>,
    /// Where fetched attachments are kept while they are needed; none means `spool` in the data folder.
    pub spool: Option<PathBuf>,
    /// Bytes of all fetched attachments at once.
    pub spool_max: u64,
    /// How long fetching one attachment may take.
    pub fetch_timeout: Duration,
}

/// A plugin from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// Its component.
    pub file: PathBuf,
    /// The SHA-256 it must have, as lower-case hex.
    pub sha256: Option<String>,
    /// Hosts it may ask for.
    pub hosts: Vec<String>,
    /// Secrets it may read.
    pub reveal: Vec<String>,
}

pub(crate) const PLUGIN_HOST: &[Field] = &[
    field(
        "threads",
        Shape::Integer { min: 1, max: 1024 },
        "Threads for plugin calls; one a core if left out.",
    ),
    field("memory_max", Shape::Text(Kind::Size), "Memory that one call may have."),
    field("deadline", Shape::Text(Kind::Span), "Computing time that one call may have."),
    field(
        "cache",
        Shape::Text(Kind::Path),
        "Where compiled plugins are kept; `cache` in the data folder if left out.",
    ),
];

pub(crate) const EGRESS: &[Field] = &[
    field("ca_file", Shape::Text(Kind::Path), "More certificate authorities to trust, as PEM."),
    field(
        "spool",
        Shape::Text(Kind::Path),
        "Where fetched attachments are kept while they are needed; `spool` in the data folder if left out.",
    ),
    field("spool_max", Shape::Text(Kind::Size), "Bytes of all fetched attachments at once."),
    field("fetch_timeout", Shape::Text(Kind::Span), "How long fetching one attachment may take."),
];

pub(crate) const PLUGIN: &[Field] = &[
    required("file", Shape::Text(Kind::Path), "The component's file."),
    field("sha256", Shape::Text(Kind::Digest), "The digest it must have: nothing else loads."),
    field("hosts", Shape::List(&Shape::Text(Kind::HostPattern)), "Hosts it may ask for."),
    field("reveal", Shape::List(&Shape::Text(Kind::Filled)), "Secrets it may read, by name."),
];

impl PluginHost {
    pub(crate) fn read(section: &Section<'_>) -> Self {
        Self {
            threads: section.get("threads").map(|_| section.count("threads")),
            memory_max: section.size("memory_max"),
            deadline: section.span("deadline"),
            cache: section.path("cache"),
        }
    }
}

impl Egress {
    pub(crate) fn read(section: &Section<'_>) -> Self {
        Self {
            ca_file: section.path("ca_file"),
            spool: section.path("spool"),
            spool_max: section.size("spool_max"),
            fetch_timeout: section.span("fetch_timeout"),
        }
    }
}

impl Plugin {
    pub(crate) fn read(section: &Section<'_>) -> Self {
        Self {
            file: section.path("file").unwrap_or_default(),
            sha256: section.text("sha256").map(str::to_ascii_lowercase),
            hosts: section.strings("hosts"),
            reveal: section.strings("reveal"),
        }
    }
}
