//! What the store's threads and its handle share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::keys::FreshKeys;
use super::space::Space;
use crate::{Planner, StoreHealth};

pub(super) struct Shared {
    pub(super) space: Mutex<Space>,
    pub(super) fresh: Arc<FreshKeys>,
    failed: Mutex<Option<String>>,
    has_failed: AtomicBool,
    closing: AtomicBool,
    groups: AtomicU64,
    verbs: AtomicU64,
    search_lag: AtomicU64,
    planner: RwLock<Option<Arc<dyn Planner>>>,
    /// Where the purges' walks over the stragglers go on.
    stragglers: Mutex<[i64; 2]>,
    #[cfg(test)]
    pub(super) fault: Fault,
}

impl Shared {
    pub(super) fn new(space: Space) -> Self {
        Self {
            space: Mutex::new(space),
            fresh: Arc::default(),
            failed: Mutex::new(None),
            has_failed: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            groups: AtomicU64::new(0),
            verbs: AtomicU64::new(0),
            search_lag: AtomicU64::new(0),
            planner: RwLock::new(None),
            stragglers: Mutex::new([-1; 2]),
            #[cfg(test)]
            fault: Fault::default(),
        }
    }

    /// The file cannot be trusted any more. The first reason stands.
    pub(super) fn fail(&self, detail: String) {
        self.failed.lock().get_or_insert(detail);
        self.has_failed.store(true, Ordering::Release);
    }

    pub(super) fn is_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    pub(super) fn failed(&self) -> Option<String> {
        if self.is_failed() { self.failed.lock().clone() } else { None }
    }

    pub(super) fn health(&self) -> StoreHealth {
        if let Some(detail) = self.failed() {
            return StoreHealth::Failed(detail);
        }
        match self.space.lock().verdict() {
            Some(detail) => StoreHealth::Full(detail.to_string()),
            None => StoreHealth::Ready,
        }
    }

    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(super) fn count_group(&self, verbs: usize) {
        if verbs > 0 {
            self.groups.fetch_add(1, Ordering::Relaxed);
            self.verbs.fetch_add(verbs as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn groups(&self) -> (u64, u64) {
        (self.groups.load(Ordering::Relaxed), self.verbs.load(Ordering::Relaxed))
    }

    pub(super) fn set_search_lag(&self, lag: u64) {
        self.search_lag.store(lag, Ordering::Relaxed);
    }

    pub(super) fn search_lag(&self) -> u64 {
        self.search_lag.load(Ordering::Relaxed)
    }

    pub(super) fn planner(&self) -> Option<Arc<dyn Planner>> {
        self.planner.read().clone()
    }

    pub(super) fn set_planner(&self, planner: Arc<dyn Planner>) {
        *self.planner.write() = Some(planner);
    }

    pub(super) fn stragglers(&self) -> [i64; 2] {
        *self.stragglers.lock()
    }

    pub(super) fn set_stragglers(&self, places: [i64; 2]) {
        *self.stragglers.lock() = places;
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("failed", &self.failed).finish_non_exhaustive()
    }
}

/// Makes the next transactions fail, in tests: what SQLite would say is put in its mouth.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Fault {
    codes: Mutex<std::collections::VecDeque<std::ffi::c_int>>,
    journal: AtomicBool,
}

#[cfg(test)]
impl Fault {
    pub(super) fn plan(&self, code: std::ffi::c_int) {
        self.codes.lock().push_back(code);
    }

    /// From now on the file system says that it has none.
    pub(super) fn give_up_the_journal(&self) {
        self.journal.store(true, Ordering::SeqCst);
    }

    pub(super) fn strike_journal(&self) -> Result<(), String> {
        let given_up = self.journal.load(Ordering::SeqCst);
        if given_up { Err(super::journal::given_up(rustix::io::Errno::ROFS)) } else { Ok(()) }
    }

    pub(super) fn strike(&self) -> rusqlite::Result<()> {
        match self.codes.lock().pop_front() {
            Some(code) => Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)),
            None => Ok(()),
        }
    }
}
