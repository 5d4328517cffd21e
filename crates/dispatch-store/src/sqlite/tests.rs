//! Tests of what only the SQLite store has: files, locks, groups, bites and faults.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dispatch_model::{DeliveryState, Lease, Message, MessageId, Timestamp};
use rusqlite::ffi;
use tempfile::TempDir;

use super::error::Failure;
use super::ledger::Ledger;
use super::verb::{Progress, Verb};
use super::{OpenError, SqliteStore, StoreConfig};
use crate::conformance::sample::{
    NOON, accepted, admit, at, claim, ended, leased, planned, schedule, sms, state,
};
use crate::conformance::{self, Subject};
use crate::{
    Admitted, Filter, QuarantineRequest, Redrive, Retention, Store, StoreError, StoreHealth, Suspension,
};

mod faults;
mod groups;
mod opening;
mod planner;
mod upkeep;

fn config(folder: &TempDir) -> StoreConfig {
    StoreConfig { ballast: 0, commit_gap: Duration::ZERO, ..StoreConfig::new(folder.path().join("s.db")) }
}

fn store(folder: &TempDir) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(config(folder)).unwrap())
}

/// Waits until something holds; a test that waits in vain is ended by its runner.
async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

/// Admits so many messages of a location, all at once: they share commits, and the test its time.
async fn crowd(store: &Arc<SqliteStore>, location: &str, count: u32) -> Vec<Arc<Message>> {
    let mut tasks = Vec::new();
    for n in 0..count {
        let (store, submission) = (Arc::clone(store), sms(location, &format!("m{n}"), n));
        tasks.push(tokio::spawn(async move { store.admit(submission).await }));
    }
    let mut messages = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Ok(Admitted::Fresh(message)) => messages.push(message),
            other => panic!("{other:?}"),
        }
    }
    messages
}

/// Plans them all in one go.
async fn plan_all(store: &SqliteStore, messages: &[Arc<Message>], due_at: Timestamp) {
    let plans = messages.iter().map(|message| planned(message, due_at)).collect();
    store.plan(plans).await.unwrap();
}

/// Holds the writer from the first word that it gets to the second: over a channel without room, the first one is taken
/// when the writer is held.
struct Hold(Option<std::sync::mpsc::Receiver<()>>);

impl Verb for Hold {
    type Output = ();

    fn run(&mut self, _: &mut Ledger) -> Result<Progress<()>, Failure> {
        // Once: its group may be run again.
        if let Some(released) = self.0.take() {
            let _ = (released.recv(), released.recv());
        }
        Ok(Progress::Done(()))
    }
}

/// The writer, held: what is handed in until it is released is its next group.
struct Held {
    release: std::sync::mpsc::SyncSender<()>,
    verb: tokio::task::JoinHandle<Result<(), StoreError>>,
}

impl Held {
    async fn hold(store: &Arc<SqliteStore>) -> Self {
        let (release, hold) = std::sync::mpsc::sync_channel(0);
        let store = Arc::clone(store);
        let verb = tokio::spawn(async move { store.write(Hold(Some(hold))).await });
        tokio::task::yield_now().await;
        release.send(()).unwrap();
        Self { release, verb }
    }

    async fn release(self) {
        self.release.send(()).unwrap();
        self.verb.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    let root = tempfile::tempdir().unwrap();
    let count = AtomicUsize::new(0);
    conformance::run_all(|| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let path = root.path().join(format!("{number}/s.db"));
        let location_waiting_max = conformance::QUOTA;
        Arc::new(SqliteStore::open(StoreConfig { path, location_waiting_max, ..config(&root) }).unwrap())
    })
    .await;
}
