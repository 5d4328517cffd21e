//! Disks that fail or fill up, and defects.

use super::*;

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
    let settlement = accepted(&claimed, "SM1");
    let end = store.settle(&settlement);
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
    let held = Held::hold(&store).await;
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
    held.release().await;
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
        drop(store.settle(&accepted(&claimed, "SM1")).await);
    }
    let subject: Subject = store(&folder);
    assert_eq!(state(&subject, claimed.message).await, DeliveryState::Accepted);
}
