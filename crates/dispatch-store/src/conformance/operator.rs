//! An operator's verbs.

use dispatch_model::{DeliveryState, MessageId};

use super::Subject;
use super::sample::{
    NOON, accepted, admit, at, claim, deferred, ended, lane, leased, one, plan_and_claim, planned, schedule,
    sms, state,
};
use crate::{EventKind, Filter, LaneRecord, Redrive, Resolution, Suspension};

fn ids(ids: &[MessageId]) -> Filter {
    Filter { ids: ids.to_vec(), ..Filter::default() }
}

fn of_location(location: &str) -> Filter {
    Filter { location: Some(location.into()), ..Filter::default() }
}

pub(super) async fn cancel_takes_what_matches(store: Subject) {
    let unplanned = admit(&store, sms("L1", "m1", 1)).await.id;
    let scheduled = schedule(&store, sms("L1", "m2", 2), at(60)).await.id;
    let other = schedule(&store, sms("L2", "m3", 3), at(60)).await.id;
    let under_way = {
        let message = admit(&store, sms("L1", "m4", 4)).await;
        plan_and_claim(&store, &message).await.message
    };
    let count = store.cancel(of_location("L1"), "wrong list".into(), at(5)).await.expect("a cancel");
    assert_eq!(count, 2, "a leased one is left alone unless it is named");
    for id in [unplanned, scheduled] {
        let view = store.message(id).await.expect("an answer").expect("it");
        assert_eq!(view.delivery.state, DeliveryState::Cancelled);
        assert_eq!(view.delivery.reason.expect("a reason").message, "wrong list");
        assert_eq!(view.events.last().expect("an event").kind, EventKind::Cancelled);
    }
    assert_eq!(state(&store, other).await, DeliveryState::Scheduled);
    assert_eq!(state(&store, under_way).await, DeliveryState::Leased);
    assert_eq!(claim(&store, at(60), 9, None).await.claimed.len(), 1);
    assert!(store.unplanned(MessageId::ZERO, 9).await.expect("an answer").is_empty());
    let nobody = of_location("nobody");
    assert_eq!(store.cancel(nobody, String::new(), at(6)).await.expect("a cancel"), 0);
}

pub(super) async fn cancel_waits_for_an_attempt(store: Subject) {
    let retried = leased(&store, sms("L1", "m1", 1)).await.delivery;
    let taken = leased(&store, sms("L1", "m2", 2)).await.delivery;
    let both = ids(&[retried.message, taken.message]);
    assert_eq!(store.cancel(both.clone(), "stop".into(), at(2)).await.expect("a cancel"), 2);
    assert_eq!(store.cancel(both, "stop".into(), at(2)).await.expect("a cancel"), 0, "asked already");
    assert_eq!(state(&store, retried.message).await, DeliveryState::Leased);
    store.settle(&deferred(&retried, at(60))).await.expect("an end");
    store.settle(&accepted(&taken, "SM1")).await.expect("an end");
    let view = store.message(retried.message).await.expect("an answer").expect("it");
    assert_eq!((view.delivery.state, view.attempts.len()), (DeliveryState::Cancelled, 1));
    assert_eq!(state(&store, taken.message).await, DeliveryState::Accepted);
    assert!(claim(&store, at(99), 9, None).await.claimed.is_empty());
}

pub(super) async fn redrive_begins_anew(store: Subject) {
    let mut dead = Vec::new();
    for (n, end) in
        [DeliveryState::DeadLettered, DeliveryState::Expired, DeliveryState::Accepted].into_iter().enumerate()
    {
        let claimed = leased(&store, sms("L1", &format!("m{n}"), n as u32)).await.delivery;
        store.settle(&ended(&claimed, end)).await.expect("an end");
        dead.push(claimed.message);
    }
    let request = |to| Redrive { filter: of_location("L1"), to, note: "config fixed".into() };
    assert_eq!(store.redrive(request(Some("telnyx".into())), at(9)).await.expect("a redrive"), 2);
    assert_eq!(store.redrive(request(None), at(9)).await.expect("a redrive"), 0);
    let unplanned = store.unplanned(MessageId::ZERO, 9).await.expect("an answer");
    let again: Vec<MessageId> = unplanned.iter().map(|unplanned| unplanned.message.id).collect();
    assert_eq!(again, dead[..2]);
    let delivery = &unplanned[0].delivery;
    assert_eq!((delivery.generation, delivery.attempts, delivery.attempts_total), (1, 0, 1));
    assert_eq!(delivery.plan.chain, ["telnyx".into()]);
    assert_eq!(delivery.reason, None);
    // A plan made from a copy does not take back what the store counts.
    assert_eq!(plan_and_claim(&store, &unplanned[0].message).await.epoch, 2);
    let view = store.message(dead[0]).await.expect("an answer").expect("it");
    assert_eq!((view.delivery.generation, view.delivery.attempts_total), (1, 1));
    let kinds: Vec<EventKind> = view.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Planned, EventKind::Planned, EventKind::Redriven]);
}

pub(super) async fn held_ones_are_resolved(store: Subject) {
    let mut held = Vec::new();
    for n in 0..3 {
        let claimed = leased(&store, sms("L1", &format!("m{n}"), n)).await.delivery;
        store.settle(&ended(&claimed, DeliveryState::Held)).await.expect("an end");
        held.push(claimed.message);
    }
    for (id, resolution) in held.iter().zip([Resolution::Accepted, Resolution::Failed, Resolution::Retry]) {
        assert!(store.resolve(*id, resolution.clone(), at(9)).await.expect("an answer"));
        assert!(!store.resolve(*id, resolution, at(9)).await.expect("an answer"), "only once");
    }
    assert_eq!(state(&store, held[0]).await, DeliveryState::Accepted);
    assert_eq!(state(&store, held[1]).await, DeliveryState::DeadLettered);
    let retried = store.unplanned(MessageId::ZERO, 9).await.expect("an answer").remove(0).delivery;
    assert_eq!(retried.message, held[2]);
    assert_eq!(retried.plan.chain, ["twilio".into()], "it stays where it may have been delivered");
    assert!(retried.possible_double && !retried.unresolved);
    assert_eq!(retried.generation, 0, "the idempotency key stays");
    assert!(!store.resolve(MessageId::from_i64(77), Resolution::Failed, at(9)).await.expect("an answer"));
}

pub(super) async fn suspended_work_stays(store: Subject) {
    let location = Suspension::Location("L1".into());
    let scheduled = schedule(&store, sms("L1", "m1", 1), NOON).await.id;
    assert!(store.suspend(location.clone(), true, at(1)).await.expect("an answer"));
    assert!(!store.suspend(location.clone(), true, at(2)).await.expect("an answer"));
    assert_eq!(store.suspensions().await.expect("an answer"), [(location.clone(), at(1))]);
    let fresh = admit(&store, sms("L1", "m2", 2)).await;
    store.plan(vec![planned(&fresh, NOON)]).await.expect("a plan");
    assert_eq!(store.claim_one(one(fresh.id, true)).await.expect("an answer"), None);
    assert_eq!(state(&store, fresh.id).await, DeliveryState::Scheduled, "planned, and not claimed");
    let later = schedule(&store, sms("L1", "m3", 3), at(30)).await.id;
    let other = schedule(&store, sms("L2", "m4", 4), NOON).await.id;
    let claims = claim(&store, at(60), 9, None).await;
    assert_eq!(claims.claimed.len(), 1);
    assert_eq!(claims.claimed[0].delivery.message, other);
    assert!(store.suspend(location.clone(), false, at(61)).await.expect("an answer"));
    assert!(!store.suspend(location, false, at(61)).await.expect("an answer"));
    let claims = claim(&store, at(61), 9, None).await;
    let ids: Vec<MessageId> = claims.claimed.iter().map(|claimed| claimed.delivery.message).collect();
    assert_eq!(ids, [scheduled, fresh.id, later]);
    // A backend is for the engine to skip: its lane is claimed as asked.
    schedule(&store, sms("L1", "m5", 5), NOON).await;
    let backend = Suspension::Backend("twilio".into());
    assert!(store.suspend(backend, true, at(62)).await.expect("an answer"));
    assert_eq!(claim(&store, at(62), 9, None).await.claimed.len(), 1);
}

pub(super) async fn a_resumed_route_is_complete(store: Subject) {
    let route = Suspension::Route("all".into());
    store.suspend(route.clone(), true, NOON).await.expect("an answer");
    store.suspend(Suspension::Location("L3".into()), true, NOON).await.expect("an answer");
    for n in 0..120 {
        let location = format!("L{}", n % 4);
        schedule(&store, sms(&location, &format!("m{n}"), n), if n % 2 == 0 { NOON } else { at(9) }).await;
    }
    assert!(claim(&store, at(10), 200, None).await.claimed.is_empty());
    store.suspend(route, false, at(11)).await.expect("an answer");
    assert_eq!(claim(&store, at(11), 200, None).await.claimed.len(), 90, "all but the suspended location");
    store.suspend(Suspension::Location("L3".into()), false, at(12)).await.expect("an answer");
    assert_eq!(claim(&store, at(12), 200, None).await.claimed.len(), 30);
}

pub(super) async fn lanes_remember(store: Subject) {
    assert!(store.lane_records().await.expect("an answer").is_empty());
    let record = LaneRecord { open_until: Some(at(60)), opened: 3, ..LaneRecord::default() };
    store.save_lane(lane(), LaneRecord::default()).await.expect("a record");
    store.save_lane(lane(), record.clone()).await.expect("a record");
    assert_eq!(store.lane_records().await.expect("an answer"), [(lane(), record)]);
}
