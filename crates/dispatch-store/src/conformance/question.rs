//! Questions.

use dispatch_model::{Channel, DeliveryState, MessageId};

use super::Subject;
use super::sample::{NOON, accepted, admit, at, claim, deferred, email, ended, leased, schedule, sms};
use crate::{EventKind, Filter};

async fn found(store: &Subject, filter: Filter) -> Vec<MessageId> {
    let mut ids = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.search(filter.clone(), cursor, 2).await.expect("a page");
        ids.extend(page.items.iter().map(|item| item.id));
        cursor = page.next;
        if cursor.is_none() {
            return ids;
        }
    }
}

pub(super) async fn a_timeline_is_whole(store: Subject) {
    let claimed = leased(&store, sms("L1", "m1", 1)).await.delivery;
    store.settle(&deferred(&claimed, at(30))).await.expect("an end");
    let claimed = claim(&store, at(31), 1, None).await.claimed.remove(0).delivery;
    store.admit(sms("L1", "m1", 1)).await.expect("a duplicate");
    store.settle(&ended(&claimed, DeliveryState::DeadLettered)).await.expect("an end");
    let view = store.message(claimed.message).await.expect("an answer").expect("it");
    let numbers: Vec<u32> = view.attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(view.attempts[1].outcome.kind(), "rejected");
    let planned = view.events.iter().find(|event| event.kind == EventKind::Planned).expect("the plan");
    assert_eq!((planned.at, planned.detail.as_str()), (NOON, "all: every sms"));
    assert!(view.events.iter().any(|event| event.kind == EventKind::Duplicate));
    assert!(store.message(MessageId::from_i64(77)).await.expect("an answer").is_none());
}

pub(super) async fn any_id_finds_it(store: Subject) {
    let claimed = leased(&store, sms("L1", "m1", 1)).await.delivery;
    store.settle(&accepted(&claimed, "SM77")).await.expect("an end");
    let twin = admit(&store, sms("L2", "m1", 2)).await.id;
    let id = claimed.message;
    let find = async |text: &str| store.find(text).await.expect("an answer");
    assert_eq!(find(&id.to_string()).await, [id]);
    assert_eq!(find("m1").await, [twin, id], "newest first");
    assert_eq!(find("SM77").await, [id]);
    for nothing in ["", "SM7", "m", "0000000000000"] {
        assert!(find(nothing).await.is_empty(), "{nothing:?}");
    }
}

pub(super) async fn filters_narrow(store: Subject) {
    let accepted_one = {
        let claimed = leased(&store, sms("L1", "m1", 1)).await.delivery;
        store.settle(&accepted(&claimed, "SM1")).await.expect("an end");
        claimed.message
    };
    let dead = {
        let claimed = leased(&store, sms("L2", "m2", 2)).await.delivery;
        store.settle(&ended(&claimed, DeliveryState::DeadLettered)).await.expect("an end");
        claimed.message
    };
    let mut mail = email("L2", "m3", "Ana <Ana@Example.com>");
    mail.received_at = at(3600);
    let mail = admit(&store, mail).await.id;
    let check = async |filter: Filter, expected: &[MessageId]| {
        assert_eq!(found(&store, filter.clone()).await, expected, "{filter:?}");
    };
    let any = Filter::default;
    check(any(), &[mail, dead, accepted_one]).await;
    check(Filter { location: Some("L2".into()), ..any() }, &[mail, dead]).await;
    check(Filter { location: Some("nobody".into()), ..any() }, &[]).await;
    check(Filter { contact: Some("contact-2".into()), ..any() }, &[dead]).await;
    for number in ["+525500000002", "55 00000002", "+52 55 0000-0002"] {
        check(Filter { recipient: Some(number.into()), ..any() }, &[dead]).await;
    }
    check(Filter { recipient: Some("ana@example.COM".into()), ..any() }, &[mail]).await;
    check(Filter { states: vec![DeliveryState::DeadLettered], ..any() }, &[dead]).await;
    let two = vec![DeliveryState::Accepted, DeliveryState::Unplanned];
    check(Filter { states: two, ..any() }, &[mail, accepted_one]).await;
    check(Filter { route: Some("all".into()), ..any() }, &[dead, accepted_one]).await;
    check(Filter { backend: Some("twilio".into()), ..any() }, &[dead, accepted_one]).await;
    check(Filter { backend: Some("telnyx".into()), ..any() }, &[]).await;
    check(Filter { channel: Some(Channel::Email), ..any() }, &[mail]).await;
    check(Filter { since: Some(at(3600)), ..any() }, &[mail]).await;
    check(Filter { until: Some(at(3600)), ..any() }, &[dead, accepted_one]).await;
    check(Filter { possible_double: Some(true), ..any() }, &[]).await;
    check(Filter { ids: vec![accepted_one, mail, MessageId::from_i64(7)], ..any() }, &[mail, accepted_one])
        .await;
    let both = Filter { location: Some("L2".into()), channel: Some(Channel::Sms), ..any() };
    check(both, &[dead]).await;
    let row =
        store.search(Filter { ids: vec![dead], ..any() }, None, 9).await.expect("a page").items.remove(0);
    assert_eq!((row.external_id.as_str(), row.location.as_str(), row.attempts), ("m2", "L2", 1));
    assert_eq!(row.recipients, ["+525500000002"]);
    assert_eq!(row.reason.expect("a reason").code, "21610");
    assert_eq!(row.backend.expect("a backend").as_str(), "twilio");
}

pub(super) async fn pages_follow_on(store: Subject) {
    let mut ids = Vec::new();
    for n in 0..7 {
        ids.push(schedule(&store, sms("L1", &format!("m{n}"), n), at(60)).await.id);
    }
    ids.reverse();
    assert_eq!(found(&store, Filter::default()).await, ids);
    let last = store.search(Filter::default(), None, 7).await.expect("a page");
    assert_eq!((last.items.len(), last.next), (7, None), "an exact page is the last");
}

pub(super) async fn states_are_counted(store: Subject) {
    let claimed = leased(&store, sms("L1", "m1", 1)).await.delivery;
    store.settle(&accepted(&claimed, "SM1")).await.expect("an end");
    schedule(&store, sms("L1", "m2", 2), NOON).await;
    admit(&store, sms("L1", "m3", 3)).await;
    let stats = store.stats().await.expect("counts");
    let count = |state: &str| stats.by_state.get(state).copied();
    assert_eq!(count("accepted"), Some(1));
    assert_eq!(count("scheduled"), Some(1));
    assert_eq!(count("unplanned"), Some(1));
    assert_eq!(count("leased"), Some(0));
}
