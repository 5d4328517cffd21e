//! Why a store cannot be opened, and what SQLite's errors mean to a caller.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{ErrorCode, ffi};

use crate::StoreError;

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{path} is locked{}: another dispatcher uses this store; stop it, or give this one a path of its own", holder(.pid))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The process that says it has it.
        pid: Option<u32>,
    },
    /// It cannot be written.
    #[error("{path} cannot be written: the file, its folder or its disk is read-only for this user")]
    ReadOnly {
        /// Which file.
        path: PathBuf,
    },
    /// Its content is damaged.
    #[error(
        "{path} is damaged ({detail}): keep the file, put a backup in its place, and redeliver what came since"
    )]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// It is something else.
    #[error("{path} is not a store of dispatcher ({detail}): give another path, or move the file away")]
    NotADatabase {
        /// Which file.
        path: PathBuf,
        /// What it is.
        detail: String,
    },
    /// The disk is full.
    #[error("no room on the disk of {path}: free some space")]
    DiskFull {
        /// Which file.
        path: PathBuf,
    },
    /// A newer dispatcher wrote it.
    #[error(
        "{path} has schema {found}, and this dispatcher knows schemas up to {known}: it was written by a newer dispatcher; install that one, or use another path"
    )]
    NewerSchema {
        /// Which file.
        path: PathBuf,
        /// What stands in the file.
        found: i64,
        /// What this program knows.
        known: i64,
    },
    /// The SQLite library loses data.
    #[error(
        "SQLite {found} has a bug that can lose data; dispatcher needs 3.51.3 or newer: build it with the bundled one"
    )]
    OldSqlite {
        /// Its version.
        found: String,
    },
    /// A setting that durability rests on did not take.
    #[error(
        "{path}: the setting {setting} is {found} and has to be {wanted}; without it what was promised could be lost"
    )]
    Setting {
        /// Which file.
        path: PathBuf,
        /// Which setting.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// Anything else that the system says.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Anything else that SQLite says.
    #[error("{path}: {source}")]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

fn holder(pid: &Option<u32>) -> String {
    pid.map(|pid| format!(" by process {pid}")).unwrap_or_default()
}

impl OpenError {
    pub(super) fn of_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly { path },
            io::ErrorKind::StorageFull => Self::DiskFull { path },
            _ => Self::Io { path, source },
        }
    }

    pub(super) fn of_sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt { path, detail: source.to_string() },
            Some(ErrorCode::NotADatabase) => {
                Self::NotADatabase { path, detail: "it is no SQLite file at all".into() }
            }
            Some(ErrorCode::DiskFull) => Self::DiskFull { path },
            _ => Self::Sqlite { path, source },
        }
    }
}

/// What an error in the middle of work means for whoever has to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No room: the same connection works again once there is some.
    Full(String),
    /// Somebody else holds the file for a moment.
    Busy(String),
    /// This one statement, and no other.
    Single(String),
    /// The file cannot be trusted. An `fsync` that failed must not be tried again on the same
    /// descriptor: the kernel may have dropped the pages and would say yes.
    Fatal(String),
}

impl Trouble {
    pub(super) fn of(error: &rusqlite::Error) -> Self {
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(detail),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(detail),
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Fatal(detail),
            _ => Self::Single(detail),
        }
    }

    /// Whether a write was refused by the system, which may be for want of room; an `fsync` that failed is another
    /// matter.
    pub(super) fn is_refused_write(error: &rusqlite::Error) -> bool {
        let code = error.sqlite_error().map(|error| error.extended_code);
        matches!(code, Some(ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE))
    }

    pub(super) fn into_error(self) -> StoreError {
        match self {
            Self::Full(detail) => StoreError::Full { detail },
            Self::Busy(detail) => StoreError::Unavailable { detail },
            Self::Single(detail) => StoreError::Invalid { detail },
            Self::Fatal(detail) => StoreError::Fatal { detail },
        }
    }
}

/// Why a verb did not do its work.
#[derive(Debug)]
pub(super) enum Failure {
    /// It refuses, and has written nothing: the others of its group go on.
    Refused(StoreError),
    /// SQLite failed under it: the group's transaction is lost.
    Broken(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

/// A row that does not say what this program writes.
pub(super) fn unreadable(what: &str, error: impl std::fmt::Display) -> Failure {
    Failure::Refused(StoreError::Fatal { detail: format!("{what} on disk cannot be read: {error}") })
}
