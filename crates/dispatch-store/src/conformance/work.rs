//! Planning, claiming, marking, settling; what a crash leaves behind.

use std::sync::Arc;

use dispatch_model::{DeliveryState, Lane, Lease, Message, MessageId, Timestamp};
use parking_lot::Mutex;

use super::Subject;
use super::sample::{
    NOON, accepted, admit, at, claim, deferred, ended, lane, leased, one, plan_and_claim, planned, request,
    schedule, sms, state,
};
use crate::{Arrival, ClaimOne, EventKind, Planner, Stands, StoreError, Suspension, Waits};

pub(super) async fn the_whole_way(store: Subject) {
    let message = schedule(&store, sms("L1", "m1", 1), NOON).await;
    assert!(store.unplanned(MessageId::ZERO, 10).await.expect("an answer").is_empty());
    let claims = claim(&store, at(1), 5, None).await;
    assert_eq!(claims.claimed.len(), 1);
    assert_eq!(claims.after.as_ref().map(|l| l.as_str()), Some("L1"));
    let claimed = &claims.claimed[0];
    assert_eq!(claimed.message, message);
    assert_eq!((claimed.delivery.state, claimed.delivery.epoch), (DeliveryState::Leased, 1));
    store.mark(claimed.delivery.lease()).await.expect("a mark");
    assert!(store.message(message.id).await.expect("an answer").expect("it").delivery.marked);
    store.settle(&accepted(&claimed.delivery, "SM1")).await.expect("an end");
    let view = store.message(message.id).await.expect("an answer").expect("it");
    assert_eq!(view.delivery.state, DeliveryState::Accepted);
    assert_eq!(view.delivery.references, ["SM1"]);
    assert_eq!((view.attempts.len(), view.delivery.marked), (1, false));
    assert!(claim(&store, at(9), 5, None).await.claimed.is_empty());
}

/// Everything may be attempted as soon as it is written.
#[derive(Default)]
struct AtOnce(Arc<Mutex<Vec<Option<Lease>>>>);

impl Planner for AtOnce {
    fn waits(&self, message: &Arc<Message>, _: usize) -> Option<Waits> {
        let arrival = Box::new(Self(Arc::clone(&self.0)));
        Some(Waits { planned: planned(message, NOON), stands: Stands::Leased, arrival })
    }
}

impl Arrival for AtOnce {
    fn written(self: Box<Self>, lease: Option<Lease>) {
        self.0.lock().push(lease);
    }
}

pub(super) async fn one_is_leased_as_it_is_admitted(store: Subject) {
    let planner = AtOnce::default();
    let told = Arc::clone(&planner.0);
    store.plan_with(Arc::new(planner));
    store.suspend(Suspension::Location("L2".into()), true, NOON).await.expect("a suspension");
    for location in ["L1", "L2"] {
        store.admit(sms(location, "m", 1)).await.expect("it is admitted");
        store.admit(sms(location, "m", 1)).await.expect("it is a duplicate");
    }
    let told = told.lock().clone();
    let [Some(lease), None] = told.as_slice() else { panic!("{told:?}: one, and one that is suspended") };
    let delivery = store.message(lease.message).await.expect("an answer").expect("it").delivery;
    assert_eq!((delivery.state, delivery.marked, delivery.lease()), (DeliveryState::Leased, true, *lease));
    store.suspend(Suspension::Location("L2".into()), false, NOON).await.expect("a resumption");
    let claims = claim(&store, at(1), 5, None).await;
    assert_eq!(claims.claimed.len(), 1, "the other one");
    assert_eq!(store.recover(at(2)).await.expect("a recovery"), (1, 1));
    let delivery = store.message(lease.message).await.expect("an answer").expect("it").delivery;
    assert!(delivery.unresolved && delivery.possible_double);
}

pub(super) async fn one_is_claimed_by_its_id(store: Subject) {
    let marked = schedule(&store, sms("L1", "m1", 1), NOON).await.id;
    let unmarked = schedule(&store, sms("L1", "m2", 2), NOON).await.id;
    for (id, mark) in [(marked, true), (unmarked, false)] {
        let lease = store.claim_one(one(id, mark)).await.expect("a claim");
        assert_eq!(lease, Some(dispatch_model::Lease { message: id, epoch: 1 }));
        let delivery = store.message(id).await.expect("an answer").expect("it").delivery;
        assert_eq!((delivery.state, delivery.epoch), (DeliveryState::Leased, 1));
        assert_eq!((delivery.marked, delivery.changed_at), (mark, NOON));
        assert_eq!(store.claim_one(one(id, mark)).await.expect("an answer"), None, "it is leased");
    }
    assert!(claim(&store, at(1), 5, None).await.claimed.is_empty(), "they are leased");
    assert!(store.lanes().await.expect("an answer").is_empty());
    store.mark(dispatch_model::Lease { message: unmarked, epoch: 1 }).await.expect("a mark");
    let delivery = store.message(marked).await.expect("an answer").expect("it").delivery;
    store.settle(&deferred(&delivery, at(5))).await.expect("an end");
    assert_eq!(store.claim_one(one(marked, true)).await.expect("an answer"), None, "it is not due");
    let again = ClaimOne { now: at(5), ..one(marked, true) };
    let stale = store.claim_one(again.clone()).await.expect("an answer");
    assert_eq!(stale, None, "it was leased since");
    let of_another_life = ClaimOne { epoch: 1, generation: 1, ..again.clone() };
    assert_eq!(store.claim_one(of_another_life).await.expect("an answer"), None);
    let known = ClaimOne { epoch: 1, ..again };
    assert_eq!(store.claim_one(known).await.expect("a claim").expect("it is due").epoch, 2);
}

pub(super) async fn one_that_does_not_wait_there_is_not_claimed(store: Subject) {
    let unplanned = admit(&store, sms("L1", "m1", 1)).await.id;
    let elsewhere = schedule(&store, sms("L1", "m2", 2), NOON).await.id;
    let cancelled = schedule(&store, sms("L1", "m3", 3), NOON).await.id;
    let by_id = crate::Filter { ids: vec![cancelled], ..Default::default() };
    store.cancel(by_id, "wrong".into(), at(1)).await.expect("a cancel");
    let suspended = schedule(&store, sms("L2", "m4", 4), NOON).await.id;
    store.suspend(Suspension::Location("L2".into()), true, NOON).await.expect("a suspension");
    let own = Lane { backend: "twilio".into(), location: Some("L1".into()) };
    for wanted in [
        one(unplanned, true),
        ClaimOne { lane: own, ..one(elsewhere, true) },
        one(cancelled, true),
        one(suspended, true),
        one(MessageId::from_i64(77), true),
    ] {
        assert_eq!(store.claim_one(wanted.clone()).await.expect("an answer"), None, "{wanted:?}");
    }
    assert_eq!(state(&store, unplanned).await, DeliveryState::Unplanned);
    assert_eq!(state(&store, cancelled).await, DeliveryState::Cancelled);
    store.suspend(Suspension::Route("all".into()), true, NOON).await.expect("a suspension");
    assert_eq!(store.claim_one(one(elsewhere, true)).await.expect("an answer"), None);
    store.suspend(Suspension::Route("all".into()), false, NOON).await.expect("a resumption");
    assert!(store.claim_one(one(elsewhere, true)).await.expect("a claim").is_some());
}

pub(super) async fn a_plan_comes_once(store: Subject) {
    let message = schedule(&store, sms("L1", "m1", 1), NOON).await;
    let again = planned(&message, at(60));
    let mut unknown = again.clone();
    unknown.delivery.message = MessageId::from_i64(77);
    store.plan(vec![again, unknown]).await.expect("plans");
    let delivery = store.message(message.id).await.expect("an answer").expect("it").delivery;
    assert_eq!((delivery.state, delivery.due_at), (DeliveryState::Scheduled, NOON));
}

pub(super) async fn plans_and_settlements_are_checked(store: Subject) {
    let message = admit(&store, sms("L1", "m1", 1)).await;
    let mut homeless = planned(&message, NOON);
    homeless.delivery.lane = None;
    let mut leased_already = planned(&message, NOON);
    leased_already.delivery.state = DeliveryState::Leased;
    for wrong in [homeless, leased_already] {
        // The right one beside it is not written either.
        let right = planned(&message, NOON);
        let refused = store.plan(vec![right, wrong]).await;
        assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    }
    assert_eq!(state(&store, message.id).await, DeliveryState::Unplanned);
    let lease = plan_and_claim(&store, &message).await;
    let mut delivery = store.message(message.id).await.expect("an answer").expect("it").delivery;
    assert_eq!(delivery.lease(), lease);
    let mut still_leased = accepted(&delivery, "SM1");
    still_leased.delivery.state = DeliveryState::Leased;
    let mut another = accepted(&delivery, "SM1");
    another.delivery.message = MessageId::from_i64(77);
    delivery.lane = None;
    for wrong in [still_leased, another, deferred(&delivery, at(5))] {
        let refused = store.settle(&wrong).await;
        assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    }
    assert_eq!(state(&store, message.id).await, DeliveryState::Leased);
}

pub(super) async fn an_old_lease_is_stale(store: Subject) {
    let first = leased(&store, sms("L1", "m1", 1)).await;
    store.settle(&deferred(&first.delivery, at(5))).await.expect("a release");
    let stale = |result: Result<(), StoreError>| matches!(result, Err(StoreError::Stale(_)));
    assert!(stale(store.settle(&accepted(&first.delivery, "SM1")).await), "it is not leased");
    let second = claim(&store, at(6), 1, None).await.claimed.remove(0);
    assert_eq!(second.delivery.epoch, 2);
    assert!(stale(store.mark(first.delivery.lease()).await), "somebody else has it");
    assert!(stale(store.settle(&accepted(&first.delivery, "SM1")).await));
    let view = store.message(second.delivery.message).await.expect("an answer").expect("it");
    assert_eq!((view.attempts.len(), view.delivery.state), (1, DeliveryState::Leased));
    store.mark(second.delivery.lease()).await.expect("the present lease");
    store.settle(&accepted(&second.delivery, "SM2")).await.expect("the present lease");
    let unknown = dispatch_model::Lease { message: MessageId::from_i64(77), epoch: 1 };
    assert!(stale(store.mark(unknown).await));
}

pub(super) async fn nothing_is_claimed_before_its_time(store: Subject) {
    schedule(&store, sms("L1", "later", 1), at(60)).await;
    schedule(&store, sms("L1", "sooner", 2), at(30)).await;
    let claims = claim(&store, at(29), 5, None).await;
    assert!(claims.claimed.is_empty());
    assert_eq!((claims.next_due, claims.more), (Some(at(30)), false));
    let claims = claim(&store, at(30), 5, None).await;
    assert_eq!(claims.claimed.len(), 1);
    assert_eq!(claims.claimed[0].message.external_id, "sooner");
    assert_eq!(claims.next_due, Some(at(60)));
    let claims = claim(&store, at(61), 5, None).await;
    assert_eq!((claims.claimed.len(), claims.next_due), (1, None));
    let mut elsewhere = request(at(61), 5, None);
    elsewhere.lane = Lane::shared("nobody".into());
    let claims = store.claim(elsewhere).await.expect("a claim");
    assert!(claims.claimed.is_empty() && claims.next_due.is_none());
}

pub(super) async fn recovery_voids_leases(store: Subject) {
    let marked = leased(&store, sms("L1", "m1", 1)).await;
    store.mark(marked.delivery.lease()).await.expect("a mark");
    let unmarked = leased(&store, sms("L1", "m2", 2)).await;
    let called_off = leased(&store, sms("L1", "m3", 3)).await;
    let by_id = crate::Filter { ids: vec![called_off.delivery.message], ..Default::default() };
    assert_eq!(store.cancel(by_id, "wrong list".into(), at(2)).await.expect("a cancel"), 1);
    assert_eq!(store.recover(at(10)).await.expect("a recovery"), (2, 1));
    assert_eq!(store.recover(at(10)).await.expect("a recovery"), (0, 0));
    let view = store.message(marked.delivery.message).await.expect("an answer").expect("it");
    let delivery = view.delivery;
    assert_eq!(delivery.state, DeliveryState::Scheduled);
    assert!(delivery.unresolved && delivery.possible_double && !delivery.marked);
    assert_eq!((delivery.attempts, delivery.due_at), (1, at(10)));
    assert!(view.events.iter().any(|event| event.kind == EventKind::Recovered));
    let delivery = store.message(unmarked.delivery.message).await.expect("an answer").expect("it").delivery;
    assert_eq!(delivery.state, DeliveryState::Scheduled);
    assert!(!delivery.unresolved && !delivery.possible_double && delivery.attempts == 0);
    assert_eq!(state(&store, called_off.delivery.message).await, DeliveryState::Cancelled);
    let stale = store.settle(&accepted(&marked.delivery, "SM1")).await;
    assert!(matches!(stale, Err(StoreError::Stale(_))), "{stale:?}");
    assert_eq!(claim(&store, at(10), 5, None).await.claimed.len(), 2);
}

pub(super) async fn a_clock_that_was_ahead_holds_nothing_up(store: Subject) {
    let ahead = 6 * 3600;
    let claimed = leased(&store, sms("L1", "set by the wrong clock", 1)).await;
    let mut wrong = deferred(&claimed.delivery, at(ahead + 30));
    wrong.delivery.changed_at = at(ahead);
    wrong.delivery.expires_at = at(ahead + 600);
    store.settle(&wrong).await.expect("an end");
    let patient = leased(&store, sms("L1", "set by the right clock", 2)).await;
    store.settle(&deferred(&patient.delivery, at(300))).await.expect("an end");
    assert_eq!(store.recover(at(10)).await.expect("a recovery"), (0, 0));
    let delivery = store.message(claimed.delivery.message).await.expect("an answer").expect("it").delivery;
    assert_eq!((delivery.due_at, delivery.changed_at, delivery.expires_at), (at(40), at(10), at(610)));
    let delivery = store.message(patient.delivery.message).await.expect("an answer").expect("it").delivery;
    assert_eq!((delivery.due_at, delivery.changed_at), (at(300), at(3)), "what is right is left alone");
    assert_eq!(claim(&store, at(39), 5, None).await.next_due, Some(at(40)));
    assert_eq!(claim(&store, at(40), 5, None).await.claimed.len(), 1);
}

pub(super) async fn a_lane_is_moved(store: Subject) {
    for n in 0..4 {
        schedule(&store, sms("L1", &format!("m{n}"), n), if n < 2 { NOON } else { at(600) }).await;
    }
    store.suspend(Suspension::Location("L2".into()), true, NOON).await.expect("a suspension");
    schedule(&store, sms("L2", "parked", 9), NOON).await;
    let own = Lane { backend: "twilio".into(), location: Some("L1".into()) };
    let refused = store.relane(lane(), lane(), 10).await;
    assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    assert_eq!(store.relane(lane(), own.clone(), 3).await.expect("a move"), 3);
    assert_eq!(store.relane(lane(), own.clone(), 10).await.expect("a move"), 2);
    assert_eq!(store.relane(lane(), own.clone(), 10).await.expect("a move"), 0);
    let mut there = request(at(1), 10, None);
    there.lane = own.clone();
    assert_eq!(store.claim(there.clone()).await.expect("a claim").claimed.len(), 4, "all are due now");
    assert!(claim(&store, at(9999), 10, None).await.claimed.is_empty());
    store.suspend(Suspension::Location("L2".into()), false, at(2)).await.expect("a resumption");
    assert_eq!(store.claim(there).await.expect("a claim").claimed.len(), 1);
}

pub(super) async fn lanes_are_counted(store: Subject) {
    assert!(store.lanes().await.expect("an answer").is_empty());
    schedule(&store, sms("L1", "m1", 1), at(30)).await;
    schedule(&store, sms("L2", "m2", 2), at(20)).await;
    let lanes = store.lanes().await.expect("an answer");
    assert_eq!(lanes.len(), 1);
    assert_eq!((&lanes[0].lane, lanes[0].waiting, lanes[0].first_due), (&lane(), 2, at(20)));
    let claimed = claim(&store, at(20), 5, None).await.claimed.remove(0);
    let lanes = store.lanes().await.expect("an answer");
    assert_eq!((lanes[0].waiting, lanes[0].first_due), (1, at(30)));
    store.settle(&ended(&claimed.delivery, DeliveryState::DeadLettered)).await.expect("an end");
    store.suspend(Suspension::Route("all".into()), true, at(40)).await.expect("a suspension");
    assert!(claim(&store, at(40), 5, None).await.claimed.is_empty());
    let lanes = store.lanes().await.expect("an answer");
    assert_eq!((lanes[0].waiting, lanes[0].first_due), (1, Timestamp::from_millis(i64::MAX)));
}
