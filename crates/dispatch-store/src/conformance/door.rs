//! The door: admit and quarantine.

use dispatch_model::{Attachment, MessageId, Reason, Timestamp};

use super::sample::{NOON, accepted, admit, at, email, leased, sms};
use super::{QUOTA, Subject};
use crate::{Admitted, EventKind, QuarantineRequest, Quarantined, StoreError};

pub(super) async fn a_submission_is_promised_once(store: Subject) {
    let message = admit(&store, sms("L1", "m1", 1)).await;
    for _ in 0..2 {
        match store.admit(sms("L1", "m1", 1)).await {
            Ok(Admitted::Duplicate(id)) => assert_eq!(id, message.id),
            other => panic!("a duplicate was taken for {other:?}"),
        }
    }
    let unplanned = store.unplanned(MessageId::ZERO, 10).await.expect("an answer");
    assert_eq!(unplanned.len(), 1);
    assert_eq!(unplanned[0].message, message);
    let view = store.message(message.id).await.expect("an answer").expect("the message");
    let duplicates = view.events.iter().filter(|event| event.kind == EventKind::Duplicate).count();
    assert_eq!(duplicates, 2, "the timeline shows that it came again");
}

pub(super) async fn keys_are_of_location_and_external_id(store: Subject) {
    let ids = [
        admit(&store, sms("L1", "m1", 1)).await.id,
        admit(&store, sms("L2", "m1", 1)).await.id,
        admit(&store, sms("L1", "m2", 1)).await.id,
        // Neither part may run into the other.
        admit(&store, sms("L1m", "1", 1)).await.id,
    ];
    let mut distinct = ids.to_vec();
    distinct.dedup();
    assert_eq!(distinct.len(), 4);
}

pub(super) async fn ids_never_go_back(store: Subject) {
    let mut last = MessageId::ZERO;
    for (n, seconds) in [10, 10, 5, -3600, 11, 11].into_iter().enumerate() {
        let mut submission = sms("L1", &format!("m{n}"), 1);
        submission.received_at = at(seconds);
        let id = admit(&store, submission).await.id;
        assert!(id > last, "{id} after {last}");
        last = id;
    }
    assert_eq!(last.at(), at(11));
    for millis in [-1, i64::MAX] {
        let mut submission = sms("L1", "never", 1);
        submission.received_at = Timestamp::from_millis(millis);
        let refused = store.admit(submission).await;
        assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    }
}

pub(super) async fn a_location_has_a_quota(store: Subject) {
    for n in 0..QUOTA {
        admit(&store, sms("L1", &format!("m{n}"), n as u32)).await;
    }
    match store.admit(sms("L1", "too many", 1)).await {
        Err(StoreError::LocationFull { location, waiting }) => {
            assert_eq!((location.as_str(), waiting), ("L1", QUOTA));
        }
        other => panic!("over the quota: {other:?}"),
    }
    // A duplicate asks for no room, and another tenant has its own.
    assert!(matches!(store.admit(sms("L1", "m0", 1)).await, Ok(Admitted::Duplicate(_))));
    let claimed = leased(&store, sms("L2", "m0", 1)).await;
    // An end makes room.
    let first = store.unplanned(MessageId::ZERO, 1).await.expect("an answer");
    let lease = super::sample::plan_and_claim(&store, &first[0].message).await;
    let mut delivery = first[0].delivery.clone();
    delivery.epoch = lease.epoch;
    store.settle(&accepted(&delivery, "SM1")).await.expect("an end");
    admit(&store, sms("L1", "now there is room", 1)).await;
    store.settle(&accepted(&claimed.delivery, "SM2")).await.expect("an end");
}

pub(super) async fn everything_of_a_submission_comes_back(store: Subject) {
    let mut text = sms("L1", "m1", 1);
    text.attachments.push(Attachment { url: "https://cdn.example/a.png".into(), file: None });
    text.extra.insert("customUserId".into(), serde_json::json!({"a": [1, null, "ü"]}));
    text.problem = Some(Reason::new("no-recipient", "the number cannot be read"));
    let mut mail = email("L1", "m2", "Ana <ana@example.com>");
    mail.contact = None;
    for submission in [text, mail] {
        let message = admit(&store, submission.clone()).await;
        let view = store.message(message.id).await.expect("an answer").expect("the message");
        assert_eq!(view.message.submission, submission);
        assert!(!view.content_purged);
        assert_eq!(view.delivery.generation, 0);
    }
}

pub(super) async fn a_flood_of_duplicates_is_shown_in_part(store: Subject) {
    let id = admit(&store, sms("L1", "m1", 1)).await.id;
    for _ in 0..40 {
        store.admit(sms("L1", "m1", 1)).await.expect("a duplicate");
    }
    let view = store.message(id).await.expect("an answer").expect("the message");
    assert_eq!(view.events.len(), 16);
}

pub(super) async fn bodies_are_kept_once(store: Subject) {
    let request = |body: &str| QuarantineRequest {
        source: "highlevel".into(),
        received_at: NOON,
        reason: "not JSON".into(),
        body: body.as_bytes().to_vec(),
    };
    let first = store.quarantine(request("{")).await.expect("an answer");
    let Quarantined::Fresh(id) = first else { panic!("{first:?}") };
    assert_eq!(store.quarantine(request("{")).await.expect("an answer"), Quarantined::Duplicate(id));
    let second = store.quarantine(request("[")).await.expect("an answer");
    assert!(matches!(second, Quarantined::Fresh(other) if other > id));
    let page = store.quarantined(None, 1).await.expect("a page");
    assert_eq!((page.items.len(), page.items[0].seen), (1, 1));
    let page = store.quarantined(page.next, 10).await.expect("a page");
    let entry = &page.items[0];
    assert_eq!((entry.id, entry.seen, entry.size, entry.reason.as_str()), (id, 2, 1, "not JSON"));
    assert_eq!(page.next, None);
    assert_eq!(store.quarantined_body(id).await.expect("an answer"), Some(b"{".to_vec()));
    assert_eq!(store.quarantined_body(id + 77).await.expect("an answer"), None);
}
