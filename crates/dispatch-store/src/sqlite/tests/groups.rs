//! What shares a commit, and what takes bites.

use super::*;

#[tokio::test]
async fn what_waits_shares_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let before = store.groups();
    let held = Held::hold(&store).await;
    let mut waiting = Vec::new();
    for n in 0..100 {
        let store = Arc::clone(&store);
        waiting.push(tokio::spawn(async move { store.admit(sms("L1", &format!("m{n}"), n)).await }));
    }
    // All have handed theirs in once each was polled.
    tokio::task::yield_now().await;
    held.release().await;
    for one in waiting {
        one.await.unwrap().unwrap();
    }
    let after = store.groups();
    assert_eq!(after.1 - before.1, 101);
    assert!(after.0 - before.0 <= 3, "100 admits took {} commits", after.0 - before.0);
}

#[tokio::test]
async fn commits_are_a_gap_apart() {
    let folder = tempfile::tempdir().unwrap();
    let commit_gap = Duration::from_millis(30);
    let store = SqliteStore::open(StoreConfig { commit_gap, ..config(&folder) }).unwrap();
    let started = std::time::Instant::now();
    for n in 0..5 {
        store.admit(sms("L1", &format!("m{n}"), n)).await.unwrap();
    }
    assert!(started.elapsed() >= commit_gap * 4, "{:?}", started.elapsed());
}

#[tokio::test]
async fn the_queue_has_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(StoreConfig { queue: 2, ..config(&folder) }).unwrap());
    let held = Held::hold(&store).await;
    let mut waiting = Vec::new();
    for n in 0..8 {
        let store = Arc::clone(&store);
        waiting
            .push(tokio::spawn(async move { store.admit(sms("L1", &format!("m{n}"), n)).await.map(drop) }));
    }
    tokio::task::yield_now().await;
    held.release().await;
    let mut refused = 0;
    for one in waiting {
        match one.await.unwrap() {
            Ok(()) => {}
            Err(StoreError::Unavailable { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(refused, 6, "of 8, with two places");
    assert_eq!(store.health(), StoreHealth::Ready);
}

#[tokio::test]
async fn bulk_verbs_take_bites_and_let_others_in_between() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let subject: Subject = store.clone();
    plan_all(&store, &crowd(&store, "L1", 2_500).await, NOON).await;
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
    plan_all(&store, &crowd(&store, "L1", 2_300).await, NOON).await;
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
    plan_all(&store, &crowd(&store, "L1", 3_000).await, at(60)).await;
    plan_all(&store, &crowd(&store, "L2", 1).await, at(61)).await;
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
