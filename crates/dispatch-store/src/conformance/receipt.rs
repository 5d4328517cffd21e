//! What providers say: before, during and after the attempt; under known, unknown and repeated references.

use dispatch_model::{DeliveryState, MessageId, Receipt, ReceiptState};

use super::Subject;
use super::sample::{
    NOON, accepted, at, attempt, claim, ended, leased, planned, schedule, settlement, sms, state,
};
use crate::{About, Heard, NewReceipt, News, PARKED_FOR, Redrive, Retention};

fn said(reference: &str, state: ReceiptState) -> NewReceipt {
    NewReceipt {
        backend: "twilio".into(),
        location: None,
        about: None,
        key: None,
        receipt: Receipt {
            reference: reference.to_owned(),
            key: None,
            recipient: None,
            state,
            reason: None,
            at: None,
        },
        received_at: at(10),
    }
}

fn about(message: MessageId, new: NewReceipt) -> NewReceipt {
    NewReceipt { about: Some(About { message, generation: 0 }), ..new }
}

async fn hear(store: &Subject, new: NewReceipt) -> Heard {
    let heard = store.hear(vec![News::Receipt(new)]).await.expect("it is heard");
    assert_eq!(heard.len(), 1);
    heard[0]
}

pub(super) async fn a_receipt_finds_its_message_by_reference(store: Subject) {
    let one = leased(&store, sms("L1", "m1", 1)).await;
    store.settle(&accepted(&one.delivery, "SM1")).await.expect("an end");
    let id = one.delivery.message;
    assert_eq!(hear(&store, said("SM1", ReceiptState::Pending)).await, Heard::Fresh(id));
    assert_eq!(state(&store, id).await, DeliveryState::Accepted);
    assert_eq!(hear(&store, said("SM1", ReceiptState::Delivered)).await, Heard::Fresh(id));
    assert_eq!(state(&store, id).await, DeliveryState::Delivered);
    assert_eq!(hear(&store, said("SM1", ReceiptState::Delivered)).await, Heard::Duplicate(id));
    assert_eq!(hear(&store, said("SM1", ReceiptState::Undelivered)).await, Heard::Fresh(id));
    let view = store.message(id).await.expect("an answer").expect("it");
    assert_eq!((view.delivery.state, view.receipts.len()), (DeliveryState::Delivered, 3));
    let other = NewReceipt { backend: "telnyx".into(), ..said("SM1", ReceiptState::Bounced) };
    assert_eq!(hear(&store, other).await, Heard::Parked, "another backend has ids of its own");
}

pub(super) async fn parts_are_found_and_counted_together(store: Subject) {
    let one = leased(&store, sms("L1", "m1", 1)).await;
    let mut end = accepted(&one.delivery, "P1");
    end.delivery.references.push("P2".into());
    let taken =
        dispatch_model::Acceptance { references: end.delivery.references.clone(), ..Default::default() };
    end.attempt = Some(attempt(1, dispatch_model::Outcome::Accepted(taken)));
    store.settle(&end).await.expect("an end");
    let id = one.delivery.message;
    assert_eq!(store.find("P2").await.expect("an answer"), [id]);
    assert_eq!(hear(&store, said("P2", ReceiptState::Delivered)).await, Heard::Fresh(id));
    assert_eq!(state(&store, id).await, DeliveryState::Accepted);
    assert_eq!(hear(&store, said("P1", ReceiptState::Undelivered)).await, Heard::Fresh(id));
    assert_eq!(state(&store, id).await, DeliveryState::Undelivered);
}

pub(super) async fn what_comes_before_our_commit_is_adopted_by_it(store: Subject) {
    let one = leased(&store, sms("L1", "m1", 1)).await;
    assert_eq!(hear(&store, said("SM1", ReceiptState::Delivered)).await, Heard::Parked);
    assert_eq!(hear(&store, said("SM1", ReceiptState::Delivered)).await, Heard::Parked);
    assert_eq!(store.stats().await.expect("counts").parked_receipts, 1);
    store.settle(&accepted(&one.delivery, "SM1")).await.expect("an end");
    let view = store.message(one.delivery.message).await.expect("an answer").expect("it");
    assert_eq!((view.delivery.state, view.receipts.len()), (DeliveryState::Delivered, 1));
    assert_eq!(store.stats().await.expect("counts").parked_receipts, 0);
}

pub(super) async fn its_own_url_names_a_message_whose_answer_was_lost(store: Subject) {
    let one = leased(&store, sms("L1", "m1", 1)).await;
    let id = one.delivery.message;
    // During the attempt nothing changes; the settlement hears it.
    assert_eq!(hear(&store, about(id, said("SM9", ReceiptState::Pending))).await, Heard::Fresh(id));
    assert_eq!(state(&store, id).await, DeliveryState::Leased);
    store.settle(&ended(&one.delivery, DeliveryState::Held)).await.expect("an end");
    let view = store.message(id).await.expect("an answer").expect("it");
    assert_eq!((view.delivery.state, view.delivery.unresolved), (DeliveryState::Accepted, false));
    assert_eq!(view.delivery.references, ["SM9"]);
    assert_eq!(store.find("SM9").await.expect("an answer"), [id]);
    // From now on the reference is enough.
    assert_eq!(hear(&store, said("SM9", ReceiptState::Delivered)).await, Heard::Fresh(id));
    assert_eq!(state(&store, id).await, DeliveryState::Delivered);
}

pub(super) async fn our_key_names_a_message_of_this_backend_and_location(store: Subject) {
    let one = leased(&store, sms("L1", "m1", 1)).await;
    let id = one.delivery.message;
    store.settle(&ended(&one.delivery, DeliveryState::Held)).await.expect("an end");
    let key = About::of_key(&one.delivery.idempotency_key()).expect("a key of ours");
    assert_eq!(About::of_key("dsp-of-somebody-else"), None);
    let keyed = || NewReceipt { key: Some(key), ..said("SM9", ReceiptState::Delivered) };
    let foreign = NewReceipt { backend: "other".into(), ..keyed() };
    assert_eq!(
        hear(&store, foreign).await,
        Heard::Parked,
        "another backend's account sends along what it likes"
    );
    let neighbour = NewReceipt { location: Some("L2".into()), ..keyed() };
    assert_eq!(hear(&store, neighbour).await, Heard::Parked, "and so does another location's");
    let later = About { generation: key.generation + 1, ..key };
    assert_eq!(hear(&store, NewReceipt { key: Some(later), ..keyed() }).await, Heard::Parked);
    assert_eq!(state(&store, id).await, DeliveryState::Held);
    let own = NewReceipt { location: Some("L1".into()), ..keyed() };
    assert_eq!(hear(&store, own).await, Heard::Fresh(id));
    let view = store.message(id).await.expect("an answer").expect("it");
    assert_eq!((view.delivery.state, view.delivery.unresolved), (DeliveryState::Delivered, false));
    assert_eq!(view.delivery.references, ["SM9"]);
}

pub(super) async fn a_held_or_waiting_one_is_settled_by_its_receipt(store: Subject) {
    let held = leased(&store, sms("L1", "m1", 1)).await;
    store.settle(&ended(&held.delivery, DeliveryState::Held)).await.expect("an end");
    let id = held.delivery.message;
    assert_eq!(hear(&store, about(id, said("A", ReceiptState::Undelivered))).await, Heard::Fresh(id));
    assert_eq!(state(&store, id).await, DeliveryState::Undelivered);

    let waits = leased(&store, sms("L1", "m2", 2)).await;
    let again = settlement(
        &waits.delivery,
        dispatch_model::Outcome::Unknown { reason: dispatch_model::Reason::new("timeout", "no answer") },
        |delivery| {
            delivery.state = DeliveryState::Scheduled;
            delivery.unresolved = true;
            delivery.due_at = at(60);
        },
    );
    store.settle(&again).await.expect("an end");
    let id = waits.delivery.message;
    assert_eq!(hear(&store, about(id, said("B", ReceiptState::Delivered))).await, Heard::Fresh(id));
    assert_eq!(state(&store, id).await, DeliveryState::Delivered);
    assert!(claim(&store, at(100), 5, None).await.claimed.is_empty(), "it is not tried again");
    assert!(store.lanes().await.expect("lanes").iter().all(|lane| lane.waiting == 0));
}

pub(super) async fn a_crash_during_the_attempt_loses_no_receipt(store: Subject) {
    let one = schedule(&store, sms("L1", "m1", 1), NOON).await;
    let lease = claim(&store, at(1), 1, None).await.claimed[0].delivery.lease();
    store.mark(lease).await.expect("a mark");
    assert_eq!(hear(&store, about(one.id, said("SM1", ReceiptState::Delivered))).await, Heard::Fresh(one.id));
    assert_eq!(store.recover(at(20)).await.expect("recovery"), (0, 1));
    assert_eq!(state(&store, one.id).await, DeliveryState::Delivered);
}

pub(super) async fn an_arrival_before_a_redrive_is_a_possible_double(store: Subject) {
    let one = leased(&store, sms("L1", "m1", 1)).await;
    let id = one.delivery.message;
    store.settle(&ended(&one.delivery, DeliveryState::DeadLettered)).await.expect("an end");
    let filter = crate::Filter { ids: vec![id], ..Default::default() };
    store.redrive(Redrive { filter, to: None, note: String::new() }, at(20)).await.expect("a redrive");
    assert_eq!(hear(&store, about(id, said("SM1", ReceiptState::Delivered))).await, Heard::Fresh(id));
    let view = store.message(id).await.expect("an answer").expect("it");
    assert_eq!((view.delivery.state, view.delivery.possible_double), (DeliveryState::Unplanned, true));
    let message = std::sync::Arc::new(view.message);
    store.plan(vec![planned(&message, at(21))]).await.expect("a plan");
    assert!(store.message(id).await.expect("an answer").expect("it").delivery.possible_double);
}

pub(super) async fn what_nobody_comes_for_goes(store: Subject) {
    assert_eq!(hear(&store, said("stranger", ReceiptState::Delivered)).await, Heard::Parked);
    let early = store.purge(Retention::default(), at(11)).await.expect("a purge");
    assert_eq!(early.receipts, 0);
    let late = store.purge(Retention::default(), at(10).plus(PARKED_FOR)).await.expect("a purge");
    assert_eq!(late.receipts, 1);
    assert_eq!(store.stats().await.expect("counts").parked_receipts, 0);
}

pub(super) async fn a_secret_is_made_once(store: Subject) {
    assert_eq!(store.secret("key", vec![1, 2]).await.expect("a secret"), [1, 2]);
    assert_eq!(store.secret("key", vec![3]).await.expect("a secret"), [1, 2]);
    assert_eq!(store.secret("other", vec![3]).await.expect("a secret"), [3]);
}
