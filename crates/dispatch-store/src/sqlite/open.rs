//! Opens the store, holds its threads, and closes it.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::backup;
use super::config::StoreConfig;
use super::connection::{open_reader, open_writer};
use super::error::{Failure, OpenError};
use super::journal::Journal;
use super::ledger::Ledger;
use super::lock::Lock;
use super::reader::{Question, Reader};
use super::shared::Shared;
use super::space::Space;
use super::verb::{Call, Task, Verb};
use super::writer::Writer;
use crate::StoreError;

/// Questions that wait at most: people and pages ask them, not messages.
const QUESTIONS: usize = 256;

/// How often a lock that is held is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// The ways to the writer and to the readers.
type Doors = (SyncSender<Box<dyn Task>>, SyncSender<Question>);

/// The store on disk. Dropping it ends its threads: the writer finishes what it was given, and the
/// lock is free afterwards.
#[derive(Debug)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    path: PathBuf,
    /// None once it is closing.
    doors: Option<Doors>,
    readers: Vec<JoinHandle<()>>,
    writer: Option<JoinHandle<()>>,
    /// One backup at a time: each holds the log from being reset.
    backing_up: Arc<tokio::sync::Mutex<()>>,
    _lock: Lock,
}

impl SqliteStore {
    /// Opens the store, and makes it if there is none. Blocks while it reads a few pages.
    pub fn open(config: StoreConfig) -> Result<Self, OpenError> {
        make_folder(&config.path)?;
        let lock = Lock::take(&config.beside(".lock"))?;
        make_private(&config)?;
        let shared = Arc::new(Shared::new(Space::new(&config)));
        // A first look, so that the ballast is on board and the gate stands before the first message.
        shared.space.lock().verdict();
        let db = open_writer(&config.path)?;
        let ledger = Ledger::open(db, &config, Arc::clone(&shared.fresh))
            .map_err(|error| OpenError::of_sqlite(&config.path, error))?;
        let (verbs, queue) = sync_channel(config.queue.max(1));
        let (questions, asked) = sync_channel(QUESTIONS);
        let asked = Arc::new(Mutex::new(asked));
        let mut readers = Vec::new();
        let spawned = |thread: std::io::Result<JoinHandle<()>>| {
            thread.map_err(|error| OpenError::of_io(&config.path, error))
        };
        for number in 0..config.readers.max(1) {
            let reader = Reader::new(open_reader(&config.path)?, Arc::clone(&shared));
            let asked = Arc::clone(&asked);
            let builder = Builder::new().name(format!("store-read-{number}"));
            readers.push(spawned(builder.spawn(move || reader.serve(&asked)))?);
        }
        let journal = Journal::of(lock.file().map_err(|error| OpenError::of_io(&config.path, error))?);
        let writer = Writer::new(ledger, Arc::clone(&shared), journal, queue, config.commit_gap);
        let writer = spawned(Builder::new().name("store-write".into()).spawn(move || writer.serve()))?;
        Ok(Self {
            shared,
            path: config.path,
            doors: Some((verbs, questions)),
            readers,
            writer: Some(writer),
            backing_up: Arc::default(),
            _lock: lock,
        })
    }

    /// Opens the store as soon as its owner lets go of it, waiting for that at most so long: for a
    /// successor that has inherited the owner's socket.
    pub async fn open_waiting(config: StoreConfig, bound: Duration) -> Result<Self, OpenError> {
        let until = Instant::now() + bound;
        loop {
            let again = config.clone();
            let opened = tokio::task::spawn_blocking(move || Self::open(again)).await;
            match opened {
                Ok(Err(OpenError::Locked { .. })) if Instant::now() < until => {
                    tokio::time::sleep(TRY_AGAIN).await;
                }
                Ok(opened) => return opened,
                Err(gone) => {
                    return Err(OpenError::of_io(&config.path, std::io::Error::other(gone)));
                }
            }
        }
    }

    /// Groups committed so far, and the verbs in them: how well commits are shared.
    pub fn groups(&self) -> (u64, u64) {
        self.shared.groups()
    }

    /// Roughly how many messages have no search terms yet.
    pub fn search_lag(&self) -> u64 {
        self.shared.search_lag()
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Gives a verb to the writer and waits for its answer.
    pub(super) async fn write<V: Verb>(&self, verb: V) -> Result<V::Output, StoreError> {
        if let Some(detail) = self.shared.failed() {
            return Err(StoreError::Fatal { detail });
        }
        let (call, answer) = Call::new(verb);
        match self.doors.as_ref().map(|(verbs, _)| verbs.try_send(call)) {
            Some(Ok(())) => {}
            Some(Err(TrySendError::Full(_))) => return Err(busy("too many requests wait for the writer")),
            Some(Err(TrySendError::Disconnected(_))) | None => return Err(self.gone()),
        }
        answer.await.unwrap_or_else(|_| Err(self.gone()))
    }

    /// Asks a reader.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Reader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        if let Some(detail) = self.shared.failed() {
            return Err(StoreError::Fatal { detail });
        }
        let (reply, answer) = tokio::sync::oneshot::channel();
        let question: Question = Box::new(move |reader| {
            // Whoever asked may have gone.
            let _ = reply.send(reader.ask(question));
        });
        match self.doors.as_ref().map(|(_, questions)| questions.try_send(question)) {
            Some(Ok(())) => {}
            Some(Err(TrySendError::Full(_))) => return Err(busy("too many questions wait")),
            Some(Err(TrySendError::Disconnected(_))) | None => return Err(self.gone()),
        }
        answer.await.unwrap_or_else(|_| Err(busy("the question met a defect")))
    }

    pub(super) async fn copy_to(&self, to: PathBuf) -> Result<u64, StoreError> {
        let Ok(alone) = Arc::clone(&self.backing_up).try_lock_owned() else {
            return Err(busy("another backup is under way"));
        };
        let store = self.path.clone();
        let written = tokio::task::spawn_blocking(move || {
            let written = backup::write(&store, &to);
            drop(alone);
            written
        });
        written.await.unwrap_or_else(|gone| Err(busy(&gone.to_string())))
    }

    fn gone(&self) -> StoreError {
        let detail = self.shared.failed().unwrap_or_else(|| "the writer has ended".into());
        StoreError::Fatal { detail }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.shared.close();
        let Some((verbs, questions)) = self.doors.take() else { return };
        // The writer closes last: only the last connection of all empties the log into the file, and
        // a reader may not. A thread that panicked has said so.
        drop(questions);
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        drop(verbs);
        // What a verb held may have been the last to hold the store: the writer does not wait for itself.
        if let Some(writer) = self.writer.take()
            && writer.thread().id() != std::thread::current().id()
        {
            let _ = writer.join();
        }
    }
}

fn busy(detail: &str) -> StoreError {
    StoreError::Unavailable { detail: detail.to_owned() }
}

/// The folder of the store, for its owner alone where it has to be made.
fn make_folder(path: &Path) -> Result<(), OpenError> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.exists() => DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| OpenError::of_io(folder, error)),
        _ => Ok(()),
    }
}

/// Makes the file before SQLite does, and takes it from everybody else: the log takes over its mode.
fn make_private(config: &StoreConfig) -> Result<(), OpenError> {
    let path = &config.path;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| OpenError::of_io(path, error))?;
    for file in [path.clone(), config.beside("-wal"), config.beside("-shm")] {
        let Ok(data) = fs::metadata(&file) else { continue };
        if data.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(&file, Permissions::from_mode(0o600))
                .map_err(|error| OpenError::of_io(&file, error))?;
        }
    }
    Ok(())
}
