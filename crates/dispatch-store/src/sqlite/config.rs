//! How the store on disk is set up.

use std::path::PathBuf;
use std::time::Duration;

/// The settings of a [`crate::SqliteStore`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The database file. Its lock, log and ballast lie beside it.
    pub path: PathBuf,
    /// Below so many free bytes on the disk nothing new is admitted: what was promised needs room to end.
    pub free_min: u64,
    /// The size of the ballast file, which is given up when the disk is full all the same; 0 for none.
    pub ballast: u64,
    /// Above so many bytes of file and log nothing new is admitted; none for no bound but the disk.
    pub size_max: Option<u64>,
    /// Messages that one location may have waiting.
    pub location_waiting_max: u64,
    /// Threads that answer questions, each with a connection of its own.
    pub readers: usize,
    /// Requests that wait for the writer at most; beyond it the store is unavailable.
    pub queue: usize,
    /// The least time from the beginning of one commit to the next.
    ///
    /// A commit costs about as much for one request as for ten. A request that comes after a quiet moment waits for
    /// nothing, and at full speed a commit takes longer anyway; in between more of them share one.
    pub commit_gap: Duration,
}

impl StoreConfig {
    /// The defaults for a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            path: path.into(),
            // A quarter of a gibibyte: the log at its usual size, a checkpoint and some ten thousand settlements.
            free_min: 256 * MIB,
            ballast: 16 * MIB,
            size_max: None,
            location_waiting_max: crate::LOCATION_WAITING_MAX,
            readers: 2,
            // At 10 000 a second less than half a second of waiting.
            queue: 4096,
            commit_gap: Duration::from_millis(2),
        }
    }

    /// A file beside the database: its name and a suffix.
    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }
}
