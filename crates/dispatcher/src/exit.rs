//! Exit codes and the failures they stand for, so that a service manager and a script can tell them apart.

use std::process::ExitCode;

/// Why the program ends without success. The text is for a person; the code is for a program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What was asked for is not there or was refused.
    #[error("{0}")]
    Refused(String),
    /// The configuration is wrong; its problems have been printed.
    #[error("{0}")]
    Config(String),
    /// An address cannot be listened on.
    #[error("{0}")]
    Listen(String),
    /// Another process has the store.
    #[error("{0}")]
    Locked(String),
    /// No room on the disk.
    #[error("{0}")]
    DiskFull(String),
    /// The store cannot be used: read-only, corrupt, or of a newer dispatcher.
    #[error("{0}")]
    Store(String),
    /// The store failed while running: start again from disk.
    #[error("{0}")]
    StoreFailed(String),
    /// A second signal cut the drain short. What was promised is on disk.
    #[error("{0}")]
    Aborted(String),
}

impl Failure {
    /// 2 is left out: it is clap's, for a command line that cannot be right.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Refused(_) => 1,
            Self::Config(_) => 3,
            Self::Listen(_) => 4,
            Self::Locked(_) => 5,
            Self::DiskFull(_) => 6,
            Self::Store(_) => 7,
            Self::StoreFailed(_) => 8,
            Self::Aborted(_) => 9,
        }
    }
}

impl From<&Failure> for ExitCode {
    fn from(failure: &Failure) -> Self {
        Self::from(failure.code())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Refused(error.to_string())
    }
}
