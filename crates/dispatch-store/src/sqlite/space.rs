//! Room on the disk: whether there is enough to promise more, and a reserve for when there is none.
//!
//! Even a DELETE fails in SQLite on a full disk. So nothing new is taken in while some room is left
//! for what was promised to end; and where the disk fills up all the same, a ballast file is given
//! up, and the writer tries once more.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

use super::config::StoreConfig;

/// How old an answer may be.
const FRESH: Duration = Duration::from_millis(200);

/// Bytes of a trial write: as many as one larger message.
const PROBE: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Space {
    folder: PathBuf,
    files: [PathBuf; 2],
    ballast: Option<(PathBuf, u64)>,
    free_min: u64,
    size_max: Option<u64>,
    checked: Option<Instant>,
    verdict: Option<Arc<str>>,
}

impl Space {
    pub(super) fn new(config: &StoreConfig) -> Self {
        let folder = config.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Self {
            folder: folder.map_or_else(|| PathBuf::from("."), PathBuf::from),
            files: [config.path.clone(), config.beside("-wal")],
            ballast: (config.ballast > 0).then(|| (config.beside(".ballast"), config.ballast)),
            free_min: config.free_min,
            size_max: config.size_max,
            checked: None,
            verdict: None,
        }
    }

    /// Why nothing new should be taken in, if so; looked at anew only when the last look is old.
    pub(super) fn verdict(&mut self) -> Option<Arc<str>> {
        let now = Instant::now();
        if self.checked.is_none_or(|checked| now.duration_since(checked) >= FRESH) {
            self.checked = Some(now);
            self.verdict = self.look().map(Into::into);
        }
        self.verdict.clone()
    }

    fn look(&mut self) -> Option<String> {
        let free = self.free();
        if free < self.free_min {
            return Some(format!(
                "{free} bytes free on the disk, fewer than the {} to be kept",
                self.free_min
            ));
        }
        self.restore_ballast(free);
        let size = self.size();
        match self.size_max {
            Some(max) if size > max => {
                Some(format!("file and log have {size} bytes, more than the {max} allowed"))
            }
            _ => None,
        }
    }

    /// Bytes free on the disk; where it cannot be told, there is no reason to refuse.
    pub(super) fn free(&self) -> u64 {
        statvfs(&self.folder).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Bytes of the file and its log.
    pub(super) fn size(&self) -> u64 {
        self.files.iter().filter_map(|file| fs::metadata(file).ok()).map(|data| data.len()).sum()
    }

    /// Whether the system lets no file here grow beyond ours: for want of room, of quota or of a limit on files.
    /// SQLite tells the first from a broken disk and not the others, so a file of our own is tried.
    pub(super) fn is_exhausted(&self) -> bool {
        let longest =
            self.files.iter().filter_map(|file| fs::metadata(file).ok()).map(|data| data.len()).max();
        let tried = tempfile::tempfile_in(&self.folder)
            .and_then(|file| file.write_all_at(&[0; PROBE], longest.unwrap_or(0)));
        tried.is_err_and(|error| {
            matches!(
                error.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
            )
        })
    }

    /// Gives the ballast up; whether that made room.
    pub(super) fn release_ballast(&mut self) -> bool {
        self.checked = None;
        self.ballast.as_ref().is_some_and(|(path, _)| fs::remove_file(path).is_ok())
    }

    /// Takes the ballast on board again when there is plenty of room.
    fn restore_ballast(&self, free: u64) {
        let Some((path, size)) = &self.ballast else { return };
        if free < self.free_min.saturating_add(size.saturating_mul(2)) || path.exists() {
            return;
        }
        let filled = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|file| fallocate(&file, FallocateFlags::empty(), 0, *size).map_err(Into::into));
        if let Err(error) = filled {
            // The gate keeps room without it; a file system without fallocate simply has no ballast.
            tracing::debug!(%error, "store.ballast: none");
        }
    }
}
