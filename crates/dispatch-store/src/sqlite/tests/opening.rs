//! Files, locks, and what is found at a start.

use super::*;

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
    subject.settle(&accepted(&claimed, "SM1")).await.unwrap();
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
