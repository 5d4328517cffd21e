//! The writer: one thread, one connection, one commit for all that waits.
//!
//! ```text
//! callers -> bounded queue -> [ first, and whatever else waits ] -> BEGIN … COMMIT -> answers
//! ```
//! While one group is being synced the next one gathers, and groups begin no less than a gap apart
//! ([`StoreConfig::commit_gap`](super::StoreConfig)). Long work takes a bite a group. When a verb brings the
//! transaction down, it is rolled back and done again without the culprit; when the disk fails, the store ends, since
//! a failed sync must not be tried again on the same descriptor. After the commit and before the answers the file
//! system is asked whether its own journal still lives (journal.rs).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;

use super::Shared;
use super::claim::promote;
use super::error::{Failure, Trouble};
use super::journal::Journal;
use super::ledger::Ledger;
use super::verb::{Ending, Task};

/// Verbs in one group at most, and the bytes they write: a commit must not take long.
const GROUP: usize = 512;
const GROUP_BYTES: usize = 4 << 20;

/// With nothing to do for so long, dedupe keys and search terms are brought up to date: not sooner, since they
/// are the cheaper the more are written together.
const IDLE: Duration = Duration::from_secs(1);

/// Rows moved to *ready* between groups, where a claim left more than it may move itself.
const PROMOTED: usize = 1_024;

pub(super) struct Writer {
    ledger: Ledger,
    shared: Arc<Shared>,
    journal: Journal,
    queue: Receiver<Box<dyn Task>>,
    /// Long work that has had its bite of this group and wants another.
    unfinished: Vec<Box<dyn Task>>,
    /// The last thing done was upkeep, and there is more of it.
    idle: bool,
    gap: Duration,
    /// When the last group began.
    began: Instant,
}

/// What the writer does next.
enum Next {
    Group(Vec<Box<dyn Task>>),
    Upkeep,
}

impl Writer {
    pub(super) fn new(
        ledger: Ledger,
        shared: Arc<Shared>,
        journal: Journal,
        queue: Receiver<Box<dyn Task>>,
        gap: Duration,
    ) -> Self {
        shared.set_search_lag(ledger.indexed.lag());
        Self {
            ledger,
            shared,
            journal,
            queue,
            unfinished: Vec::new(),
            idle: false,
            gap,
            began: Instant::now(),
        }
    }

    /// Works until every caller is gone.
    pub(super) fn serve(mut self) {
        while let Some(next) = self.next() {
            match next {
                Next::Group(group) => self.work(group),
                Next::Upkeep => self.work(Vec::new()),
            }
        }
        let stopping = Ending::Failed(Trouble::Busy("the store is closing".into()));
        for task in self.unfinished.drain(..) {
            task.end(&stopping);
        }
    }

    /// None when every caller is gone.
    fn next(&mut self) -> Option<Next> {
        let mut group = std::mem::take(&mut self.unfinished);
        let mut weight = 0;
        if group.is_empty() {
            let Some(first) = self.first()? else { return Some(Next::Upkeep) };
            weight += first.weight();
            group.push(first);
            self.keep_gap();
        }
        while group.len() < GROUP && weight < GROUP_BYTES {
            match self.queue.try_recv() {
                Ok(task) => {
                    weight += task.weight();
                    group.push(task);
                }
                Err(_) => break,
            }
        }
        self.idle = false;
        Some(Next::Group(group))
    }

    /// Waits until the next group may begin; what comes meanwhile is in it, and wakes nobody.
    #[expect(
        clippy::disallowed_methods,
        reason = "a thread of its own, and time itself is what it waits for"
    )]
    fn keep_gap(&mut self) {
        std::thread::sleep(self.gap.saturating_sub(self.began.elapsed()));
        self.began = Instant::now();
    }

    /// The next verb, waiting for it as long as there is nothing else to do; the inner none says that
    /// there is.
    fn first(&mut self) -> Option<Option<Box<dyn Task>>> {
        if self.shared.is_failed() {
            return self.queue.recv().ok().map(Some);
        }
        let behind = self.ledger.indexed.is_behind() || self.ledger.keys.is_behind();
        if !self.ledger.backlog.is_empty() || (behind && self.idle) {
            match self.queue.try_recv() {
                Ok(task) => Some(Some(task)),
                Err(TryRecvError::Empty) => Some(None),
                Err(TryRecvError::Disconnected) => None,
            }
        } else if behind {
            match self.queue.recv_timeout(IDLE) {
                Ok(task) => Some(Some(task)),
                Err(RecvTimeoutError::Timeout) => {
                    self.idle = true;
                    Some(None)
                }
                Err(RecvTimeoutError::Disconnected) => None,
            }
        } else {
            self.queue.recv().ok().map(Some)
        }
    }

    /// One group, whatever comes of it: everybody is answered.
    fn work(&mut self, mut group: Vec<Box<dyn Task>>) {
        if let Some(detail) = self.shared.failed() {
            return self.answer(group, &Ending::Failed(Trouble::Fatal(detail)));
        }
        self.ledger.no_room = self.shared.space.lock().verdict();
        let trouble = match self.attempt(&mut group) {
            Ok(()) => {
                self.idle &= self.ledger.no_room.is_none();
                return self.answer(group, &Ending::Committed);
            }
            Err(trouble) => trouble,
        };
        // What could not be done now is not tried again before a while.
        self.idle = false;
        match trouble {
            Trouble::Full(detail) => {
                self.shared.space.lock().release_ballast();
                // What ends work may fit now; nothing new is taken in.
                self.ledger.no_room = Some(detail.into());
                match self.attempt(&mut group) {
                    Ok(()) => self.answer(group, &Ending::Committed),
                    Err(Trouble::Fatal(detail)) => self.fail(group, detail),
                    Err(trouble) => self.answer(group, &Ending::Failed(trouble)),
                }
            }
            Trouble::Single(detail) if group.len() > 1 => {
                tracing::error!(detail, "store.group: a verb failed; its group is done one by one");
                for task in group {
                    self.work(vec![task]);
                }
            }
            Trouble::Fatal(detail) => self.fail(group, detail),
            trouble => self.answer(group, &Ending::Failed(trouble)),
        }
    }

    /// Runs a group in one transaction; afterwards all of it holds or nothing.
    fn attempt(&mut self, group: &mut [Box<dyn Task>]) -> Result<(), Trouble> {
        // What a panic leaves behind is not used again: the store has failed then.
        let done = catch_unwind(AssertUnwindSafe(|| self.transaction(group)));
        let error = match done {
            // Committed, and nobody is told yet.
            Ok(Ok(())) => return self.prove().map_err(Trouble::Fatal),
            Ok(Err(error)) => error,
            Err(_) => return Err(Trouble::Fatal("the writer met a defect of its own and stopped".into())),
        };
        let trouble = match Trouble::of(&error) {
            Trouble::Fatal(detail)
                if Trouble::is_refused_write(&error) && self.shared.space.lock().is_exhausted() =>
            {
                Trouble::Full(detail)
            }
            Trouble::Fatal(detail) => return Err(Trouble::Fatal(detail)),
            trouble => trouble,
        };
        match self.ledger.roll_back() {
            Ok(()) => Err(trouble),
            Err(error) => Err(Trouble::Fatal(format!("{error}, after {trouble:?}"))),
        }
    }

    /// Whether what was just committed is on disk, as the sync said.
    fn prove(&self) -> Result<(), String> {
        #[cfg(test)]
        self.shared.fault.strike_journal()?;
        self.journal.prove()
    }

    fn transaction(&mut self, group: &mut [Box<dyn Task>]) -> rusqlite::Result<()> {
        self.ledger.begin()?;
        #[cfg(test)]
        self.shared.fault.strike()?;
        for task in group.iter_mut() {
            task.run(&mut self.ledger)?;
        }
        self.upkeep(group.is_empty())?;
        self.ledger.commit()?;
        self.shared.count_group(group.len());
        self.shared.set_search_lag(self.ledger.indexed.lag());
        Ok(())
    }

    /// What nobody asked for and has to be done: due work to the queues, dedupe keys, search terms.
    fn upkeep(&mut self, idle: bool) -> rusqlite::Result<()> {
        if let Some((lane, now)) = self.ledger.backlog.pop_first()
            && promote(&mut self.ledger, lane, now, PROMOTED)?
        {
            self.ledger.backlog.insert(lane, now);
        }
        // The room that is left is for what was promised.
        if self.ledger.no_room.is_some() {
            return Ok(());
        }
        let keys = &mut self.ledger.keys;
        if keys.is_far_behind() || (idle && keys.is_behind()) {
            keys.bite(&self.ledger.db)?;
        }
        if self.ledger.indexed.is_far_behind() || (idle && self.ledger.indexed.is_behind()) {
            match self.ledger.indexed.bite(&self.ledger.db) {
                Ok(()) => {}
                Err(Failure::Broken(error)) => return Err(error),
                Err(Failure::Refused(error)) => tracing::error!(%error, "store.terms: not written"),
            }
        }
        Ok(())
    }

    fn answer(&mut self, group: Vec<Box<dyn Task>>, ending: &Ending) {
        for task in group {
            self.unfinished.extend(task.end(ending));
        }
        if self.shared.is_closing() {
            let stopping = Ending::Failed(Trouble::Busy("the store is closing".into()));
            for task in self.unfinished.drain(..) {
                task.end(&stopping);
            }
        }
    }

    /// The end: nothing is written any more, not even as the connection closes.
    fn fail(&mut self, group: Vec<Box<dyn Task>>, detail: String) {
        tracing::error!(detail, "store.failed: stop and start again from disk");
        let _ = self.ledger.db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        self.shared.fail(detail.clone());
        self.answer(group, &Ending::Failed(Trouble::Fatal(detail)));
    }
}
