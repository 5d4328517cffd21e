//! What nobody asked for: search terms, purges, backups.

use super::*;

#[tokio::test]
async fn search_terms_are_written_when_nothing_waits() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let subject: Subject = store.clone();
    let claimed = leased(&subject, sms("L1", "m1", 7)).await.delivery;
    subject.settle(&accepted(&claimed, "SM1")).await.unwrap();
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
        subject.settle(&ended(&claimed, DeliveryState::DeadLettered)).await.unwrap();
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
