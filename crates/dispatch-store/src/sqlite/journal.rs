//! Whether the file system still keeps its own journal: asked after each commit, before anybody is told.
//!
//! A sync is only as good as the journal under it. ext4 gives its journal up when it finds an error in itself or the
//! disk refuses a block of it, and turns read-only some 10 to 40 ms later. In between `fdatasync` of a file that has
//! grown answers that all is well: the bytes are on the disk, the record of where they lie is not, and after the repair
//! they are gone. Messages acknowledged in that gap were lost.
//!
//! So once a commit is synced, something is asked for that needs the journal: new times for the lock's file.
//! A journal that is alive now was alive during the sync before, so the sync was true; and the log is not begun anew
//! before the next commit, so a checkpoint inside this one was, too. Asked twice, since the first of the two only makes
//! ext4 notice, and its answer is thrown away in there. Both together take 8 µs, a hundredth of the sync.
//!
//! XFS needs none of it, since its syncs look at the state of the log themselves; there it costs the same.

use std::fs::File;

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
use rustix::io::Errno;

/// How a file system says that it is broken. Anything else says nothing about the journal: that the file is somebody
/// else's, that there are no times here, that there is no room.
const BROKEN: [Errno; 4] = [Errno::IO, Errno::ROFS, Errno::SHUTDOWN, Errno::UCLEAN];

#[derive(Debug)]
pub(super) struct Journal {
    file: File,
}

impl Journal {
    /// With a file on the store's file system that nobody reads the times of.
    pub(super) fn of(file: File) -> Self {
        Self { file }
    }

    /// Fails, with words, when the syncs so far may not have been true.
    pub(super) fn prove(&self) -> Result<(), String> {
        self.touch().and_then(|()| self.touch()).map_err(given_up)
    }

    fn touch(&self) -> Result<(), Errno> {
        let now = || Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        match futimens(&self.file, &Timestamps { last_access: now(), last_modification: now() }) {
            Err(error) if BROKEN.contains(&error) => Err(error),
            _ => Ok(()),
        }
    }
}

pub(super) fn given_up(error: Errno) -> String {
    format!("the file system has given up its journal ({error}): what was synced last may not be on disk")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::conformance::sample::{admit, sms};
    use crate::sqlite::{SqliteStore, StoreConfig};
    use crate::{Admitted, Store as _, StoreError, StoreHealth};

    #[test]
    fn a_good_disk_is_believed_and_so_is_one_that_cannot_say() {
        let file = tempfile::tempfile().unwrap();
        let before = file.metadata().unwrap().modified().unwrap();
        file.set_modified(before - std::time::Duration::from_secs(60)).unwrap();
        Journal::of(file.try_clone().unwrap()).prove().unwrap();
        assert!(file.metadata().unwrap().modified().unwrap() >= before, "it asked for nothing");
        // Times here are not ours to set.
        Journal::of(File::open("/proc/version").unwrap()).prove().unwrap();
    }

    /// That a journal which was really given up is noticed: torture, *ext4 gives up its journal*.
    #[tokio::test]
    async fn what_was_synced_without_a_journal_is_not_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Arc::new(SqliteStore::open(StoreConfig::new(folder.path().join("s.db"))).unwrap());
        let store = open();
        let subject: Arc<dyn crate::Store> = store.clone();
        admit(&subject, sms("L1", "m1", 1)).await;
        store.shared().fault.give_up_the_journal();
        for n in 2..5 {
            let refused = store.admit(sms("L1", &format!("m{n}"), 1)).await;
            assert!(matches!(refused, Err(StoreError::Fatal { .. })), "{refused:?}");
        }
        assert!(matches!(store.health(), StoreHealth::Failed(detail) if detail.contains("journal")));
        drop((store, subject));
        // Here the disk had it all the same: the sender's next try finds it.
        assert!(matches!(open().admit(sms("L1", "m2", 1)).await, Ok(Admitted::Duplicate(_))));
    }
}
