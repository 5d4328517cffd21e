//! Retention.

use std::time::Duration;

use dispatch_model::{
    Acceptance, Body, DeliveryState, Effect, Exchange, FailureKind, MessageId, Outcome, Reply, Timestamp,
};

use super::Subject;
use super::sample::{NOON, accepted, admit, at, ended, leased, plan_and_claim, sms, state};
use crate::{Admitted, Filter, Purged, QuarantineRequest, Redrive, Retention, StoreError};

const DAY: u64 = 24 * 3600;

fn days(days: u64) -> Timestamp {
    NOON.plus(Duration::from_secs(days * DAY + 60))
}

async fn purge(store: &Subject, now: Timestamp) -> Purged {
    let mut total = Purged::default();
    loop {
        let bite = store.purge(Retention::default(), now).await.expect("a purge");
        total.contents += bite.contents;
        total.records += bite.records;
        total.keys += bite.keys;
        total.quarantined += bite.quarantined;
        if !bite.more {
            return total;
        }
    }
}

fn of_all() -> Redrive {
    Redrive { filter: Filter::default(), to: None, note: String::new() }
}

pub(super) async fn retention_takes_in_turn(store: Subject) {
    let claimed = leased(&store, sms("L1", "m1", 1)).await.delivery;
    let mut end = ended(&claimed, DeliveryState::DeadLettered);
    end.delivery.remaining = Some(vec!["+525500000001".into()]);
    end.delivery.references = vec!["SM1".into()];
    if let Some(attempt) = &mut end.attempt {
        attempt.outcome = Outcome::Accepted(Acceptance::default());
        attempt.exchanges.push(Exchange {
            at: NOON,
            took_ms: 3,
            action: dispatch_model::Action::Mail(dispatch_model::MailSubmission {
                sender: "a@example.com".into(),
                recipients: vec!["b@example.com".into()],
                body: vec![dispatch_model::Piece::Bytes(Body::from("hola"))],
            }),
            effect: Effect::Delivers,
            reply: Reply::Failed { kind: FailureKind::Reset, detail: String::new(), may_have_left: true },
        });
    }
    store.settle(&end).await.expect("an end");
    let id = claimed.message;
    assert_eq!(purge(&store, days(29)).await, Purged::default());
    let view = store.message(id).await.expect("an answer").expect("it");
    assert_eq!(view.attempts[0].exchanges.len(), 1);
    assert_eq!(purge(&store, days(30)).await, Purged { contents: 1, ..Purged::default() });
    let view = store.message(id).await.expect("an answer").expect("the record stays");
    assert!(view.content_purged && view.message.recipients().concat().is_empty());
    assert_eq!(view.delivery.remaining, None);
    assert_eq!(view.attempts.len(), 1);
    assert!(view.attempts[0].exchanges.is_empty());
    let by_number = Filter { recipient: Some("+525500000001".into()), ..Filter::default() };
    assert!(store.search(by_number, None, 9).await.expect("a page").items.is_empty());
    let row = store.search(Filter::default(), None, 9).await.expect("a page").items.remove(0);
    assert!(row.recipients.is_empty());
    assert_eq!(store.redrive(of_all(), days(31)).await.expect("an answer"), 0, "there is nothing to send");
    assert_eq!(purge(&store, days(90)).await, Purged { records: 1, keys: 1, ..Purged::default() });
    assert!(store.message(id).await.expect("an answer").is_none());
    assert!(store.find("m1").await.expect("an answer").is_empty());
    assert!(store.find("SM1").await.expect("an answer").is_empty());
    assert_eq!(store.stats().await.expect("counts").by_state["dead-lettered"], 0);
    let again = admit(&store, sms("L1", "m1", 1)).await;
    assert!(again.id > id, "an id is never given twice");
}

pub(super) async fn unfinished_work_is_never_purged(store: Subject) {
    let held = leased(&store, sms("L1", "m1", 1)).await.delivery;
    store.settle(&ended(&held, DeliveryState::Held)).await.expect("an end");
    let unplanned = admit(&store, sms("L1", "m2", 2)).await;
    assert_eq!(purge(&store, days(400)).await, Purged::default());
    assert_eq!(state(&store, held.message).await, DeliveryState::Held);
    // Once it has ended, its time counts from there.
    let lease = plan_and_claim(&store, &unplanned).await;
    let mut delivery = store.message(unplanned.id).await.expect("an answer").expect("it").delivery;
    assert_eq!(delivery.lease(), lease);
    delivery.epoch = lease.epoch;
    let mut end = accepted(&delivery, "SM1");
    end.delivery.changed_at = days(400);
    store.settle(&end).await.expect("an end");
    assert_eq!(purge(&store, days(401)).await, Purged::default());
    assert_eq!(purge(&store, days(431)).await.contents, 1);
    assert_eq!(purge(&store, days(491)).await, Purged { records: 1, keys: 1, ..Purged::default() });
}

pub(super) async fn keys_live_long(store: Subject) {
    let short = Retention {
        content: Duration::ZERO,
        record: Duration::ZERO,
        dedupe: Duration::from_secs(29 * DAY),
        quarantine: Duration::ZERO,
    };
    let refused = store.purge(short, days(0)).await;
    assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    let claimed = leased(&store, sms("L1", "m1", 1)).await.delivery;
    store.settle(&accepted(&claimed, "SM1")).await.expect("an end");
    let retention = Retention { dedupe: Duration::from_secs(30 * DAY), ..short };
    let purged = store.purge(retention, days(1)).await.expect("a purge");
    assert_eq!((purged.records, purged.keys), (1, 0));
    assert!(store.message(claimed.message).await.expect("an answer").is_none());
    let again = store.admit(sms("L1", "m1", 1)).await;
    assert!(matches!(again, Ok(Admitted::Duplicate(id)) if id == claimed.message), "{again:?}");
    let purged = store.purge(retention, days(31)).await.expect("a purge");
    assert_eq!((purged.records, purged.keys), (0, 1));
    assert!(matches!(store.admit(sms("L1", "m1", 1)).await, Ok(Admitted::Fresh(_))));
}

pub(super) async fn quarantine_has_its_own_time(store: Subject) {
    let request = QuarantineRequest {
        source: "highlevel".into(),
        received_at: at(0),
        reason: "not JSON".into(),
        body: vec![0xff; 3],
    };
    store.quarantine(request.clone()).await.expect("an answer");
    assert_eq!(purge(&store, days(29)).await, Purged::default());
    assert_eq!(store.stats().await.expect("counts").quarantined, 1);
    assert_eq!(purge(&store, days(30)).await, Purged { quarantined: 1, ..Purged::default() });
    assert_eq!(store.stats().await.expect("counts").quarantined, 0);
    assert!(store.quarantined(None, 9).await.expect("a page").items.is_empty());
    assert!(store.unplanned(MessageId::ZERO, 9).await.expect("an answer").is_empty());
}
