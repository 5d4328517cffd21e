//! `[store]`: where messages are kept, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use super::server::COUNT_MAX;
use crate::kind::Kind;
use crate::reading::Section;
use crate::shape::{Field, Shape, field};

/// The store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The database file. Its folder is the data folder.
    pub path: PathBuf,
    /// Free bytes on the disk below which nothing more is admitted.
    pub free_min: u64,
    /// Bytes of the database beyond which nothing more is admitted.
    pub size_max: u64,
    /// Bytes of the file that is given up to get out of a full disk.
    pub ballast: u64,
    /// Waiting messages of one location beyond which that location is answered 429.
    pub location_waiting_max: u64,
    /// How long things are kept.
    pub retention: Retention,
}

/// How long things are kept once they are finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Texts, HTML and addresses.
    pub content: Duration,
    /// What happened to a message.
    pub record: Duration,
    /// Dedupe keys.
    pub dedupe: Duration,
    /// Quarantined bodies.
    pub quarantine: Duration,
}

pub(crate) const STORE: &[Field] = &[
    field("path", Shape::Text(Kind::Path), "The database file; its folder is the data folder."),
    field(
        "free_min",
        Shape::Text(Kind::Size),
        "Free bytes on the disk below which nothing more is admitted.",
    ),
    field(
        "size_max",
        Shape::Text(Kind::Size),
        "Bytes of the database beyond which nothing more is admitted.",
    ),
    field("ballast", Shape::Text(Kind::Size), "A file that is given up to get out of a full disk."),
    field(
        "location_waiting_max",
        Shape::Integer { min: 1, max: COUNT_MAX },
        "Waiting messages of one location beyond which it is answered 429.",
    ),
    field("retention", Shape::Table(RETENTION), "How long things are kept once they are finished."),
];

const RETENTION: &[Field] = &[
    field("content", Shape::Text(Kind::Span), "Texts, HTML and addresses."),
    field("record", Shape::Text(Kind::Span), "What happened to a message."),
    field("dedupe", Shape::Text(Kind::Span), "Dedupe keys; at least 30 days."),
    field("quarantine", Shape::Text(Kind::Span), "Bodies that could not be parsed."),
];

impl Store {
    /// The folder that the database lies in.
    pub(crate) fn folder(&self) -> PathBuf {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    pub(crate) fn read(section: &Section<'_>) -> Self {
        let retention = section.section("retention");
        Self {
            path: section.path("path").unwrap_or_default(),
            free_min: section.size("free_min"),
            size_max: section.size("size_max"),
            ballast: section.size("ballast"),
            location_waiting_max: u64::from(section.count("location_waiting_max")),
            retention: Retention {
                content: retention.span("content"),
                record: retention.span("record"),
                dedupe: retention.span("dedupe"),
                quarantine: retention.span("quarantine"),
            },
        }
    }
}
