//! What can go wrong between an idea and a component.

use std::io;
use std::path::{Path, PathBuf};

/// Why a folder was not made, built or tested.
#[derive(Debug, thiserror::Error)]
pub enum AuthorError {
    /// A tool is not there.
    #[error("{0}")]
    Missing(String),
    /// A tool ran, said why on the terminal, and failed.
    #[error("{0} failed: see above")]
    Failed(String),
    /// What was asked for cannot be.
    #[error("{0}")]
    Refused(String),
    /// The file system says no.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl AuthorError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
