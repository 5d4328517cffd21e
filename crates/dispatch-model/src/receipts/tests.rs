//! Any order and repetition of the same receipts ends in the same state, and nothing final becomes pending.

use proptest::prelude::*;

use super::*;
use crate::{Channel, MessageId};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn delivery(state: DeliveryState, references: &[&str]) -> Delivery {
    let mut delivery =
        Delivery::unplanned(MessageId::from_i64(7), "loc".into(), Channel::Sms, Timestamp::from_millis(0));
    delivery.state = state;
    delivery.references = references.iter().map(|one| (*one).to_owned()).collect();
    delivery.attempts_total = 1;
    delivery.generation = 1;
    delivery
}

fn said(reference: &str, state: ReceiptState) -> HeardReceipt {
    let code = format!("{}-{reference}", state.as_str());
    HeardReceipt {
        backend: "twilio".into(),
        generation: 1,
        receipt: Receipt {
            key: None,
            reference: reference.to_owned(),
            recipient: None,
            state,
            reason: Some(Reason::new(code, "words")),
            at: None,
        },
        received_at: NOW,
    }
}

#[track_caller]
fn check(start: Delivery, heard: &[(&str, ReceiptState)], state: DeliveryState, code: Option<&str>) {
    let heard: Vec<_> = heard.iter().map(|(reference, state)| said(reference, *state)).collect();
    let end = hear(start, &heard, NOW);
    assert_eq!(end.state, state);
    assert_eq!(end.reason.as_ref().map(|reason| reason.code.as_str()), code);
}

use DeliveryState::{
    Accepted, Cancelled, DeadLettered, Delivered, Expired, Held, Leased, Scheduled, Undelivered,
};
use ReceiptState::{Bounced, Complained, Delivered as Arrived, Pending, Undelivered as Failed};

#[test]
fn one_part() {
    let start = || delivery(Accepted, &["a"]);
    check(start(), &[], Accepted, None);
    check(start(), &[("a", Pending)], Accepted, None);
    check(start(), &[("a", Arrived)], Delivered, None);
    check(start(), &[("a", Failed)], Undelivered, Some("undelivered-a"));
    check(start(), &[("a", Failed), ("a", Arrived)], Delivered, None);
    check(start(), &[("a", Bounced), ("a", Arrived)], Undelivered, Some("bounced-a"));
    check(start(), &[("a", Bounced), ("a", Failed)], Undelivered, Some("bounced-a"));
    check(start(), &[("a", Arrived), ("a", Complained)], Delivered, Some("complained-a"));
    check(start(), &[("else", Arrived)], Accepted, None);
}

#[test]
fn parts_are_one_message() {
    let start = || delivery(Accepted, &["a", "b"]);
    check(start(), &[("a", Arrived)], Accepted, None);
    check(start(), &[("a", Arrived), ("b", Pending)], Accepted, None);
    check(start(), &[("a", Arrived), ("b", Failed)], Undelivered, Some("undelivered-b"));
    // Once a part failed it is not taken back to pending: it stays so until all have arrived.
    check(start(), &[("a", Failed), ("a", Arrived)], Undelivered, Some("undelivered-a"));
    check(start(), &[("a", Failed), ("a", Arrived), ("b", Arrived)], Delivered, None);
}

#[test]
fn recipients_of_one_reference_are_told_apart() {
    let to = |recipient: &str, state| {
        let mut heard = said("a", state);
        heard.receipt.recipient = Some(recipient.to_owned());
        heard
    };
    let start = delivery(Accepted, &["a"]);
    let end = hear(start.clone(), &[to("x", Arrived), to("y", Failed)], NOW);
    assert_eq!(end.state, Undelivered, "the other one's arrival does not speak for this one");
    let end = hear(start, &[to("x", Arrived), to("y", Failed), to("y", Arrived)], NOW);
    assert_eq!(end.state, Delivered);
}

#[test]
fn a_receipt_settles_what_was_unknown() {
    for state in [Held, Scheduled, DeadLettered, Cancelled, Expired] {
        let mut start = delivery(state, &[]);
        start.unresolved = true;
        start.lane = Some("twilio".into());
        let end = hear(start.clone(), &[said("a", Pending)], NOW);
        assert_eq!((end.state, end.unresolved, end.lane), (Accepted, false, None), "{state}");
        assert_eq!(end.references, ["a"]);
        check(start.clone(), &[("a", Failed)], Undelivered, Some("undelivered-a"));
        check(start.clone(), &[("a", Arrived)], Delivered, None);
        check(start, &[("a", Arrived), ("b", Failed)], Undelivered, Some("undelivered-b"));
    }
}

#[test]
fn an_end_of_ours_is_overruled_by_arrival_alone() {
    for state in [Scheduled, DeadLettered, Cancelled, Expired] {
        check(delivery(state, &[]), &[("a", Pending), ("a", Failed)], state, None);
        check(delivery(state, &[]), &[("a", Failed), ("a", Arrived)], Delivered, None);
    }
}

#[test]
fn an_attempt_under_way_is_left_alone() {
    let start = delivery(Leased, &[]);
    assert_eq!(hear(start.clone(), &[said("a", Arrived)], NOW), start);
}

#[test]
fn arrivals_beside_the_acceptance_are_possible_doubles() {
    let mut start = delivery(Accepted, &["b"]);
    assert!(!hear(start.clone(), &[said("a", Arrived)], NOW).possible_double, "there was one attempt alone");
    start.attempts_total = 2;
    let end = hear(start.clone(), &[said("a", Arrived)], NOW);
    assert_eq!((end.state, end.possible_double), (Accepted, true));
    let mut redriven = said("a", Arrived);
    redriven.generation = 0;
    assert!(hear(start, &[redriven], NOW).possible_double, "it had arrived before it was sent round again");
}

fn any_heard() -> impl Strategy<Value = HeardReceipt> {
    let state = prop_oneof![Just(Pending), Just(Arrived), Just(Failed), Just(Bounced), Just(Complained)];
    let recipient = proptest::option::of(prop_oneof![Just("x"), Just("y")]);
    (0usize..3, state, recipient, 0u32..2).prop_map(|(reference, state, recipient, generation)| {
        let mut heard = said(["a", "b", "c"][reference], state);
        heard.receipt.recipient = recipient.map(str::to_owned);
        heard.generation = generation.max(u32::from(reference < 2));
        heard
    })
}

fn any_start() -> impl Strategy<Value = Delivery> {
    let state = prop_oneof![
        Just(Accepted),
        Just(Scheduled),
        Just(Held),
        Just(DeadLettered),
        Just(Expired),
        Just(Cancelled)
    ];
    let references = prop_oneof![Just(vec![]), Just(vec!["a"]), Just(vec!["a", "b"])];
    (state, references, any::<bool>(), 1u32..3).prop_map(|(state, references, unresolved, attempts)| {
        let mut start = delivery(state, &references);
        start.unresolved = unresolved && state != Accepted;
        start.attempts_total = attempts;
        start
    })
}

/// The receipts one after the other, as a store does it: each adds to what was heard, none twice.
fn one_by_one(
    start: &Delivery,
    heard: &[HeardReceipt],
    mut seen: impl FnMut(&Delivery, &Delivery),
) -> Delivery {
    let mut known: Vec<HeardReceipt> = Vec::new();
    let mut now = start.clone();
    for receipt in heard {
        if !known.contains(receipt) {
            known.push(receipt.clone());
        }
        let next = hear(now.clone(), &known, NOW);
        seen(&now, &next);
        now = next;
    }
    now
}

proptest! {
    #[test]
    fn order_and_repetition_change_nothing(
        start in any_start(),
        (heard, shuffled) in proptest::collection::vec(any_heard(), 0..12)
            .prop_flat_map(|heard| (Just(heard.clone()), Just([heard.clone(), heard].concat()).prop_shuffle())),
    ) {
        let end = one_by_one(&start, &heard, |_, _| {});
        prop_assert_eq!(&end, &one_by_one(&start, &shuffled, |_, _| {}));
        // All at once, as when they waited for our own commit.
        prop_assert_eq!(&end, &hear(start, &heard, NOW));
    }

    #[test]
    fn what_is_final_stays_final(start in any_start(), heard in proptest::collection::vec(any_heard(), 0..12)) {
        let is_final = |delivery: &Delivery| matches!(delivery.state, Delivered | Undelivered);
        let mut taken_back = false;
        one_by_one(&start, &heard, |was, now| {
            taken_back |= is_final(was) && !is_final(now);
            taken_back |= was.possible_double && !now.possible_double;
        });
        prop_assert!(!taken_back);
    }
}
