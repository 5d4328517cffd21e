//! What was answered survives a process that is killed, and a disk that refuses.
//!
//! The test starts itself again as a child, which tells on its standard output what the store has
//! answered; whatever arrives here was promised.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dispatch_model::DeliveryState;
use dispatch_store::conformance::sample;
use dispatch_store::{Admitted, SqliteStore, Store, StoreConfig, StoreHealth};

const FOLDER: &str = "DISPATCH_STORE_CRASH_FOLDER";
const ROUND: &str = "DISPATCH_STORE_CRASH_ROUND";
const LIMIT: &str = "DISPATCH_STORE_CRASH_LIMIT";

fn config(folder: &Path) -> StoreConfig {
    StoreConfig { ballast: 0, ..StoreConfig::new(folder.join("s.db")) }
}

fn spawn(folder: &Path, round: usize, limit: Option<u64>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
    command.env(FOLDER, folder).env(ROUND, round.to_string());
    if let Some(limit) = limit {
        command.env(LIMIT, limit.to_string());
    }
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn say(line: String) {
    // Whole lines only: a torn one would look like another key.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(format!("\n{line}\n").as_bytes()).and_then(|()| out.flush());
}

/// Not a test of its own: does nothing unless it is told where to work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let round = std::env::var_os(ROUND).unwrap().into_string().unwrap();
    if let Some(limit) = std::env::var_os(LIMIT) {
        // The signal must not end the process: the write is to fail.
        let _signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(25)).unwrap();
        let bytes = limit.into_string().unwrap().parse().unwrap();
        let limit = rustix::process::Rlimit { current: Some(bytes), maximum: Some(bytes) };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
    }
    let store = Arc::new(SqliteStore::open(config(&PathBuf::from(folder))).unwrap());
    store.recover(sample::NOON).await.unwrap();
    let mut producers = Vec::new();
    for producer in 0..16 {
        let (store, round) = (Arc::clone(&store), round.clone());
        producers.push(tokio::spawn(async move {
            for n in 0.. {
                let key = format!("{round}-{producer}-{n}");
                if one(&store, &key, n).await.is_none() {
                    return;
                }
            }
        }));
    }
    for producer in producers {
        producer.await.unwrap();
    }
    say(format!("health {:?}", store.health()));
    std::process::exit(0);
}

/// Some messages are left at each step; none when the store refuses.
async fn one(store: &SqliteStore, key: &str, n: u32) -> Option<()> {
    let mut submission = sample::sms(&format!("L{}", n % 7), key, n);
    submission.extra.insert("filler".into(), "x".repeat(1000).into());
    let Ok(Admitted::Fresh(message)) = store.admit(submission).await else { return None };
    say(format!("admitted {key}"));
    if n.is_multiple_of(4) {
        return Some(());
    }
    let planned = sample::planned(&message, sample::NOON);
    let mut delivery = planned.delivery.clone();
    store.plan(vec![planned]).await.ok()?;
    if n.is_multiple_of(3) {
        return Some(());
    }
    let lease = store.claim_one(sample::one(message.id, n % 3 == 1)).await.ok()?;
    if let (Some(lease), true) = (lease, !n.is_multiple_of(5)) {
        delivery.epoch = lease.epoch;
        store.settle(&sample::accepted(&delivery, key)).await.ok()?;
        say(format!("settled {key}"));
    }
    Some(())
}

/// What the child has told until it ended.
fn told(child: Child, wait: Option<Duration>) -> (BTreeSet<String>, BTreeSet<String>, Option<String>) {
    let mut child = child;
    let out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let (mut admitted, mut settled, mut health) = (BTreeSet::new(), BTreeSet::new(), None);
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            match line.split_once(' ') {
                Some(("admitted", key)) => drop(admitted.insert(key.to_owned())),
                Some(("settled", key)) => drop(settled.insert(key.to_owned())),
                Some(("health", text)) => health = Some(text.to_owned()),
                _ => {}
            }
        }
        (admitted, settled, health)
    });
    if let Some(wait) = wait {
        // A random moment is the point here, not a condition.
        let until = Instant::now() + wait;
        while Instant::now() < until && child.try_wait().unwrap().is_none() {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        child.kill().unwrap();
    }
    child.wait().unwrap();
    reader.join().unwrap()
}

/// Everything that was promised is there, in the state that was told, and the counts are right.
async fn check(folder: &Path, admitted: &BTreeSet<String>, settled: &BTreeSet<String>) {
    let store = SqliteStore::open(config(folder)).unwrap();
    store.recover(sample::NOON).await.unwrap();
    for key in admitted {
        let found = store.find(key).await.unwrap();
        assert!(!found.is_empty(), "{key} was promised and is gone");
        let n: u32 = key.rsplit('-').next().unwrap().parse().unwrap();
        let again = store.admit(sample::sms(&format!("L{}", n % 7), key, n)).await.unwrap();
        assert!(matches!(again, Admitted::Duplicate(_)), "{key} was forgotten");
        let state = store.message(found[0]).await.unwrap().unwrap().delivery.state;
        assert!(state != DeliveryState::Leased, "{key} is stuck");
        assert!(
            !settled.contains(key) || state == DeliveryState::Accepted,
            "{key} was settled, and is {state}"
        );
    }
    let stats = store.stats().await.unwrap();
    drop(store);
    let db = rusqlite::Connection::open(folder.join("s.db")).unwrap();
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let whole: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
    assert_eq!(number("SELECT count(*) FROM message"), number("SELECT count(*) FROM delivery"));
    for state in DeliveryState::ALL {
        let counted = number(&format!("SELECT count(*) FROM delivery WHERE state = {}", state as u8));
        assert_eq!(stats.by_state[state.as_str()], counted as u64, "{state}");
    }
    assert_eq!(
        number("SELECT coalesce(sum(n), 0) FROM tally WHERE key >= 1 << 32 AND key < 2 << 32"),
        number("SELECT count(*) FROM delivery WHERE state IN (0, 1, 2)")
    );
    assert_eq!(
        number("SELECT coalesce(sum(n), 0) FROM tally WHERE key >= 2 << 32"),
        number("SELECT count(*) FROM delivery WHERE state = 1")
    );
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let (mut admitted, mut settled) = (BTreeSet::new(), BTreeSet::new());
    for (round, millis) in [250, 400, 330, 510, 290].into_iter().enumerate() {
        let child = spawn(folder.path(), round, None);
        let (a, s, _) = told(child, Some(Duration::from_millis(millis + rand::random_range(0..200))));
        admitted.extend(a);
        settled.extend(s);
        check(folder.path(), &admitted, &settled).await;
    }
    assert!(admitted.len() > 100, "only {} were admitted: nothing was tried", admitted.len());
}

#[tokio::test]
async fn a_limit_on_files_refuses_what_is_new_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(config(folder.path())).unwrap());
    let (admitted, settled, health) = told(spawn(folder.path(), 0, Some(3 << 20)), None);
    assert!(!admitted.is_empty());
    // Want of room is not a broken disk: the store refused, and goes on.
    let health = health.expect("the child ended by itself");
    assert!(!health.starts_with("Failed"), "{health}");
    check(folder.path(), &admitted, &settled).await;
    let store = SqliteStore::open(config(folder.path())).unwrap();
    assert_eq!(store.health(), StoreHealth::Ready);
}
