//! Tests of what only the SQLite store has: files, locks, groups, bites and faults.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dispatch_model::{DeliveryState, Message, MessageId, Timestamp};
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
    Admitted, Filter, FirstClaim, QuarantineRequest, Redrive, Retention, Store, StoreError, StoreHealth,
    Suspension,
};

fn config(folder: &TempDir) -> StoreConfig {
    StoreConfig { ballast: 0, ..StoreConfig::new(folder.path().join("s.db")) }
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
async fn plan_all(store: &SqliteStore, messages: &[Arc<Message>], due_at: Timestamp, claim: FirstClaim) {
    let plans = messages.iter().map(|message| planned(message, due_at, claim)).collect();
    assert!(store.plan(plans).await.unwrap().iter().all(Option::is_none));
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

// ---- opening ------------------------------------------------------------------------------------

#[tokio::test]
async fn one_owner_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = store(&folder);
    match SqliteStore::open(config(&folder)) {
        Err(OpenError::Locked { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    let bound = Duration::from_millis(30);
    let in_vain = SqliteStore::open_waiting(config(&folder), bound).await;
    assert!(matches!(in_vain, Err(OpenError::Locked { .. })));
    let message = admit(&(first.clone() as Subject), sms("L1", "m1", 1)).await;
    let waiting = tokio::spawn(SqliteStore::open_waiting(config(&folder), Duration::from_secs(60)));
    tokio::task::yield_now().await;
    drop(first);
    let second: Subject = Arc::new(waiting.await.unwrap().unwrap());
    assert_eq!(state(&second, message.id).await, DeliveryState::Unplanned);
}

#[test]
fn files_are_for_their_owner_alone() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("data/s.db");
    let config = StoreConfig { path: path.clone(), ballast: 1 << 20, ..config(&root) };
    let store = SqliteStore::open(config.clone()).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for file in [path.clone(), config.beside("-wal"), config.beside(".lock"), config.beside(".ballast")] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    drop(store);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    SqliteStore::open(config).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn what_is_no_store_is_refused_by_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    let open = || SqliteStore::open(config(&folder));

    std::fs::write(&path, "this is a text and no database at all ".repeat(500)).unwrap();
    assert!(matches!(open(), Err(OpenError::NotADatabase { .. })), "{:?}", open());

    std::fs::remove_file(&path).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE t(a)").unwrap();
    assert!(matches!(open(), Err(OpenError::NotADatabase { .. })), "{:?}", open());

    std::fs::remove_file(&path).unwrap();
    drop(open().unwrap());
    rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    match open() {
        Err(error @ OpenError::NewerSchema { found: 99, .. }) => {
            assert!(error.to_string().contains("newer dispatcher"), "{error}");
        }
        other => panic!("{other:?}"),
    }

    let unwritable = StoreConfig::new("/sys/dispatcher-test/s.db");
    assert!(matches!(SqliteStore::open(unwritable), Err(OpenError::ReadOnly { .. })));
}

#[tokio::test]
async fn a_damaged_file_is_seen_at_the_start() {
    for damage in [cut, overwrite] {
        let folder = tempfile::tempdir().unwrap();
        let subject: Subject = store(&folder);
        for n in 0..50 {
            admit(&subject, sms("L1", &format!("m{n}"), n)).await;
        }
        drop(subject);
        damage(&config(&folder).path);
        let opened = SqliteStore::open(config(&folder));
        assert!(matches!(opened, Err(OpenError::Corrupt { .. })), "{opened:?}");
    }
}

fn cut(path: &Path) {
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}

/// All but the header, which has the size and the settings.
fn overwrite(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[8192..].fill(0x5a);
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn ids_go_on_after_a_restart_and_a_purge_of_everything() {
    let folder = tempfile::tempdir().unwrap();
    let subject: Subject = store(&folder);
    let claimed = leased(&subject, sms("L1", "m1", 1)).await.delivery;
    subject.settle(accepted(&claimed, "SM1")).await.unwrap();
    let years = NOON.plus(Duration::from_secs(4 * 365 * 24 * 3600));
    while subject.purge(Retention::default(), years).await.unwrap().more {}
    assert!(subject.message(claimed.message).await.unwrap().is_none());
    drop(subject);
    let subject: Subject = store(&folder);
    let mut submission = sms("L1", "m2", 1);
    submission.received_at = at(-9999);
    assert!(admit(&subject, submission).await.id > claimed.message);
}

#[tokio::test]
async fn what_was_promised_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let subject: Subject = store(&folder);
    let scheduled = schedule(&subject, sms("L1", "m1", 1), at(30)).await.id;
    let claimed = leased(&subject, sms("L1", "m2", 2)).await.delivery;
    let suspension = Suspension::Route("all".into());
    subject.suspend(suspension.clone(), true, at(3)).await.unwrap();
    drop(subject);
    let subject: Subject = store(&folder);
    assert_eq!(subject.suspensions().await.unwrap(), [(suspension.clone(), at(3))]);
    assert_eq!(state(&subject, claimed.message).await, DeliveryState::Leased);
    assert_eq!(subject.recover(at(4)).await.unwrap(), (1, 0));
    assert!(claim(&subject, at(60), 9, None).await.claimed.is_empty(), "the suspension holds");
    subject.suspend(suspension, false, at(60)).await.unwrap();
    let claims = claim(&subject, at(60), 9, None).await;
    assert_eq!(claims.claimed.len(), 2);
    assert!(claims.claimed.iter().any(|claimed| claimed.delivery.message == scheduled));
    let again = subject.admit(sms("L1", "m1", 1)).await.unwrap();
    assert!(matches!(again, Admitted::Duplicate(id) if id == scheduled));
}

// ---- groups -------------------------------------------------------------------------------------

/// Holds the writer until it is let go.
struct Hold(Option<std::sync::mpsc::Receiver<()>>);

impl Verb for Hold {
    type Output = ();

    fn run(&mut self, _: &mut Ledger) -> Result<Progress<()>, Failure> {
        // Once: its group may be run again.
        if let Some(released) = self.0.take() {
            let _ = released.recv();
        }
        Ok(Progress::Done(()))
    }
}

#[tokio::test]
async fn what_waits_shares_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let (release, hold) = std::sync::mpsc::channel();
    let before = store.groups();
    let held = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.write(Hold(Some(hold))).await }
    });
    tokio::task::yield_now().await;
    let mut waiting = Vec::new();
    for n in 0..100 {
        let store = Arc::clone(&store);
        waiting.push(tokio::spawn(async move { store.admit(sms("L1", &format!("m{n}"), n)).await }));
    }
    // All have handed theirs in once each was polled.
    tokio::task::yield_now().await;
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    for one in waiting {
        one.await.unwrap().unwrap();
    }
    let after = store.groups();
    assert_eq!(after.1 - before.1, 101);
    assert!(after.0 - before.0 <= 3, "100 admits took {} commits", after.0 - before.0);
}

#[tokio::test]
async fn the_queue_has_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(StoreConfig { queue: 2, ..config(&folder) }).unwrap());
    let (release, hold) = std::sync::mpsc::channel();
    let mut waiting = vec![tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.write(Hold(Some(hold))).await.map(drop) }
    })];
    tokio::task::yield_now().await;
    for n in 0..8 {
        let store = Arc::clone(&store);
        waiting
            .push(tokio::spawn(async move { store.admit(sms("L1", &format!("m{n}"), n)).await.map(drop) }));
    }
    tokio::task::yield_now().await;
    release.send(()).unwrap();
    let mut refused = 0;
    for one in waiting {
        match one.await.unwrap() {
            Ok(()) => {}
            Err(StoreError::Unavailable { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!((5..=8).contains(&refused), "{refused} of 8 were refused");
    assert_eq!(store.health(), StoreHealth::Ready);
}

#[tokio::test]
async fn bulk_verbs_take_bites_and_let_others_in_between() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let subject: Subject = store.clone();
    plan_all(&store, &crowd(&store, "L1", 2_500).await, NOON, FirstClaim::No).await;
    let before = store.groups().0;
    let of_all = Filter { location: Some("L1".into()), ..Filter::default() };
    let (cancelled, admitted) = tokio::join!(
        subject.cancel(of_all.clone(), "wrong list".into(), at(1)),
        subject.admit(sms("L2", "meanwhile", 1)),
    );
    assert_eq!(cancelled.unwrap(), 2_500);
    assert!(matches!(admitted.unwrap(), Admitted::Fresh(_)));
    assert!(store.groups().0 - before >= 5, "in one go");
    let redrive = Redrive { filter: of_all, to: None, note: String::new() };
    assert_eq!(subject.redrive(redrive, at(2)).await.unwrap(), 2_500);
    let mut waiting = subject.unplanned(MessageId::ZERO, 5_000).await.unwrap();
    assert_eq!(waiting.len(), 1_000, "an answer is bounded");
    waiting = subject.unplanned(waiting[999].message.id, 5_000).await.unwrap();
    assert_eq!(waiting.len(), 1_000);
}

#[tokio::test]
async fn a_resumption_is_complete_when_it_returns() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let subject: Subject = store.clone();
    subject.suspend(Suspension::Location("L1".into()), true, NOON).await.unwrap();
    plan_all(&store, &crowd(&store, "L1", 2_300).await, NOON, FirstClaim::Lease).await;
    assert!(subject.suspend(Suspension::Location("L1".into()), false, at(1)).await.unwrap());
    let mut claimed = 0;
    loop {
        let claims = claim(&subject, at(2), 500, None).await;
        claimed += claims.claimed.len();
        if claims.claimed.is_empty() {
            break;
        }
    }
    assert_eq!(claimed, 2_300);
}

#[tokio::test]
async fn work_that_is_due_all_at_once_is_all_claimed() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let subject: Subject = store.clone();
    plan_all(&store, &crowd(&store, "L1", 3_000).await, at(60), FirstClaim::No).await;
    plan_all(&store, &crowd(&store, "L2", 1).await, at(61), FirstClaim::No).await;
    assert!(claim(&subject, at(59), 9, None).await.claimed.is_empty());
    let (mut claimed, mut calls) = (0, 0);
    loop {
        let claims = claim(&subject, at(99), 600, None).await;
        claimed += claims.claimed.len();
        calls += 1;
        if claims.claimed.is_empty() && !claims.more {
            break;
        }
        assert!(calls < 1_000, "it says that there is more and gives none");
    }
    assert_eq!(claimed, 3_001);
}

// ---- faults -------------------------------------------------------------------------------------

#[tokio::test]
async fn a_refused_write_on_a_disk_with_room_ends_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    store.shared().fault.plan(ffi::SQLITE_IOERR_WRITE);
    let refused = store.admit(sms("L1", "m1", 1)).await;
    assert!(matches!(refused, Err(StoreError::Fatal { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_disk_that_fails_ends_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let subject: Subject = store.clone();
    let message = admit(&subject, sms("L1", "m1", 1)).await;
    store.shared().fault.plan(ffi::SQLITE_IOERR_FSYNC);
    for n in 0..3 {
        let refused = store.admit(sms("L1", &format!("new {n}"), 1)).await;
        assert!(matches!(refused, Err(StoreError::Fatal { .. })), "{refused:?}");
    }
    assert!(matches!(store.health(), StoreHealth::Failed(_)));
    assert!(matches!(store.stats().await, Err(StoreError::Fatal { .. })));
    drop((store, subject));
    let subject: Subject = self::store(&folder);
    assert_eq!(state(&subject, message.id).await, DeliveryState::Unplanned);
    assert!(matches!(subject.admit(sms("L1", "new 0", 1)).await, Ok(Admitted::Fresh(_))));
}

/// A verb with a defect.
struct Defect;

impl Verb for Defect {
    type Output = ();

    fn run(&mut self, _: &mut Ledger) -> Result<Progress<()>, Failure> {
        panic!("as it was meant to");
    }
}

#[tokio::test]
async fn a_defect_does_not_go_unseen() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    assert!(matches!(store.write(Defect).await, Err(StoreError::Fatal { .. })));
    assert!(matches!(store.health(), StoreHealth::Failed(_)));
    assert!(matches!(store.admit(sms("L1", "m1", 1)).await, Err(StoreError::Fatal { .. })));
}

#[tokio::test]
async fn a_full_disk_takes_nothing_new_and_ends_what_is_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig { ballast: 1 << 20, ..config(&folder) };
    let ballast: PathBuf = config.beside(".ballast");
    let store = Arc::new(SqliteStore::open(config).unwrap());
    let subject: Subject = store.clone();
    assert!(ballast.exists());
    let claimed = leased(&subject, sms("L1", "m1", 1)).await.delivery;
    let end = store.settle(accepted(&claimed, "SM1"));
    store.shared().fault.plan(ffi::SQLITE_FULL);
    end.await.unwrap();
    assert!(!ballast.exists(), "the ballast made room");
    store.shared().fault.plan(ffi::SQLITE_FULL);
    let refused = store.admit(sms("L1", "m2", 2)).await;
    assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    // The same connection goes on as soon as there is room.
    assert!(matches!(store.admit(sms("L1", "m2", 2)).await, Ok(Admitted::Fresh(_))));
    assert_eq!(state(&subject, claimed.message).await, DeliveryState::Accepted);
}

#[tokio::test]
async fn sqlite_itself_says_full_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    /// Bounds the file, or frees it.
    struct Bound(bool);
    impl Verb for Bound {
        type Output = ();
        fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<()>, Failure> {
            let pages: i64 = ledger.db.pragma_query_value(None, "page_count", |row| row.get(0))?;
            let bound = if self.0 { pages } else { 1 << 30 };
            ledger.db.pragma_update_and_check(None, "max_page_count", bound, |_| Ok(()))?;
            Ok(Progress::Done(()))
        }
    }
    store.write(Bound(true)).await.unwrap();
    let body = |n: u8| QuarantineRequest {
        source: "highlevel".into(),
        received_at: NOON,
        reason: "not JSON".into(),
        body: vec![n; 100_000],
    };
    let refused = store.quarantine(body(1)).await;
    assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    assert!(store.quarantined(None, 9).await.unwrap().items.is_empty());
    store.write(Bound(false)).await.unwrap();
    store.quarantine(body(1)).await.unwrap();
    assert_eq!(store.stats().await.unwrap().quarantined, 1);
}

#[tokio::test]
async fn a_verb_that_fails_does_not_spoil_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let (release, hold) = std::sync::mpsc::channel();
    let held = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.write(Hold(Some(hold))).await }
    });
    tokio::task::yield_now().await;
    /// Fails in the middle of its work, as by a defect of the schema.
    struct Broken;
    impl Verb for Broken {
        type Output = ();
        fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<()>, Failure> {
            ledger.db.execute_batch("INSERT INTO meta(key, value) VALUES('half', 1)")?;
            ledger.db.execute_batch("INSERT INTO meta(key, value) VALUES('half', 2)")?;
            Ok(Progress::Done(()))
        }
    }
    let mut waiting = Vec::new();
    for n in 0..5 {
        let store = Arc::clone(&store);
        waiting.push(tokio::spawn(async move { store.admit(sms("L1", &format!("m{n}"), n)).await }));
    }
    let broken = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.write(Broken).await }
    });
    tokio::task::yield_now().await;
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    for one in waiting {
        assert!(matches!(one.await.unwrap(), Ok(Admitted::Fresh(_))));
    }
    assert!(matches!(broken.await.unwrap(), Err(StoreError::Invalid { .. })));
    assert_eq!(store.health(), StoreHealth::Ready);
    assert_eq!(store.stats().await.unwrap().by_state["unplanned"], 5);
    assert_eq!(store.unplanned(MessageId::ZERO, 9).await.unwrap().len(), 5);
}

#[tokio::test]
async fn the_gate_keeps_room_for_what_was_promised() {
    let folder = tempfile::tempdir().unwrap();
    let subject: Subject = store(&folder);
    let claimed = leased(&subject, sms("L1", "m1", 1)).await.delivery;
    drop(subject);
    for config in [
        StoreConfig { free_min: u64::MAX, ..config(&folder) },
        StoreConfig { size_max: Some(1), ..config(&folder) },
    ] {
        let store = SqliteStore::open(config).unwrap();
        assert!(matches!(store.health(), StoreHealth::Full(_)));
        let refused = store.admit(sms("L1", "m2", 2)).await;
        assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
        let request = QuarantineRequest {
            source: "highlevel".into(),
            received_at: NOON,
            reason: "not JSON".into(),
            body: vec![1],
        };
        assert!(matches!(store.quarantine(request).await, Err(StoreError::Full { .. })));
        let again = store.admit(sms("L1", "m1", 1)).await;
        assert!(matches!(again, Ok(Admitted::Duplicate(_))), "{again:?}");
        // What is under way ends all the same.
        drop(store.settle(accepted(&claimed, "SM1")).await);
    }
    let subject: Subject = store(&folder);
    assert_eq!(state(&subject, claimed.message).await, DeliveryState::Accepted);
}

// ---- upkeep -------------------------------------------------------------------------------------

#[tokio::test]
async fn search_terms_are_written_when_nothing_waits() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let subject: Subject = store.clone();
    let claimed = leased(&subject, sms("L1", "m1", 7)).await.delivery;
    subject.settle(accepted(&claimed, "SM1")).await.unwrap();
    let check = async |subject: &Subject| {
        for filter in [
            Filter { recipient: Some("+525500000007".into()), ..Filter::default() },
            Filter { contact: Some("contact-7".into()), ..Filter::default() },
            Filter { location: Some("L1".into()), ..Filter::default() },
        ] {
            let page = subject.search(filter, None, 9).await.unwrap();
            assert_eq!(page.items.len(), 1);
        }
        assert_eq!(subject.find("SM1").await.unwrap(), [claimed.message]);
    };
    check(&subject).await;
    until(|| store.search_lag() == 0).await;
    check(&subject).await;
    drop((store, subject));
    let store = self::store(&folder);
    assert_eq!(store.search_lag(), 0, "it remembers how far it came");
    let subject: Subject = store;
    check(&subject).await;
    admit(&subject, sms("L2", "m2", 8)).await;
    check(&subject).await;
}

#[tokio::test]
async fn a_purge_gives_the_disk_its_room_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let subject: Subject = store.clone();
    for n in 0..40 {
        let mut submission = sms("L1", &format!("m{n}"), n);
        submission.extra.insert("filler".into(), "x".repeat(100_000).into());
        let claimed = leased(&subject, submission).await.delivery;
        subject.settle(ended(&claimed, DeliveryState::DeadLettered)).await.unwrap();
    }
    let size = || std::fs::metadata(folder.path().join("s.db")).unwrap().len();
    let checkpoint = |folder: &TempDir| {
        let db = rusqlite::Connection::open(folder.path().join("s.db")).unwrap();
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    };
    checkpoint(&folder);
    let before = size();
    let later = NOON.plus(Duration::from_secs(40 * 24 * 3600));
    while subject.purge(Retention::default(), later).await.unwrap().contents > 0 {}
    subject.purge(Retention::default(), later).await.unwrap();
    checkpoint(&folder);
    assert!(size() < before / 4, "{} of {before} bytes are left", size());
}

#[tokio::test]
async fn a_backup_is_whole_and_is_made_while_work_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let subject: Subject = store.clone();
    crowd(&store, "L1", 300).await;
    let to = folder.path().join("copy.db");
    let (size, admitted) = tokio::join!(subject.backup(&to), subject.admit(sms("L1", "meanwhile", 1)));
    assert!(matches!(admitted.unwrap(), Admitted::Fresh(_)));
    let data = std::fs::metadata(&to).unwrap();
    assert_eq!((size.unwrap(), data.permissions().mode() & 0o777), (data.len(), 0o600));
    assert!(!folder.path().join("copy.db.partial").exists());
    let refused = subject.backup(&to).await;
    assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    let nowhere = subject.backup(&folder.path().join("no/such/folder.db")).await;
    assert!(matches!(nowhere, Err(StoreError::Invalid { .. })), "{nowhere:?}");
    let copy = SqliteStore::open(StoreConfig { path: to, ..config(&folder) }).unwrap();
    assert!(copy.stats().await.unwrap().by_state["unplanned"] >= 300);
    assert!(matches!(copy.admit(sms("L1", "m299", 1)).await, Ok(Admitted::Duplicate(_))));
}
