//! What must hold whatever comes.

use proptest::prelude::*;

use super::*;
use crate::RetrySchedule;

fn any_access() -> impl Strategy<Value = Access> {
    prop_oneof![
        3 => Just(Access::Open),
        1 => (0u64..200).prop_map(|seconds| Access::Paused(after(seconds))),
        1 => (0u64..200).prop_map(|seconds| Access::Broken(after(seconds))),
        1 => Just(Access::Suspended),
        1 => Just(Access::Gone),
    ]
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let wait = || proptest::option::of(0u64..100_000_000);
    let refused = (any::<bool>(), 0u8..4).prop_map(|(retry, name)| RefusedRecipient {
        recipient: format!("{name}@x"),
        reason: reason("550"),
        retry,
    });
    prop_oneof![
        proptest::collection::vec(refused, 0..3)
            .prop_map(|refused| Outcome::Accepted(Acceptance { refused, ..Acceptance::default() })),
        wait().prop_map(|retry_after_ms| Outcome::Deferred { reason: reason("d"), retry_after_ms }),
        wait().prop_map(|retry_after_ms| Outcome::Throttled { reason: reason("t"), retry_after_ms }),
        prop_oneof![
            Just(Rejection::Recipient),
            Just(Rejection::Content),
            Just(Rejection::Sender),
            Just(Rejection::Account)
        ]
        .prop_map(|kind| Outcome::Rejected { kind, reason: reason("r") }),
        Just(Outcome::Unknown { reason: reason("u") }),
    ]
}

fn any_end() -> impl Strategy<Value = End> {
    prop_oneof![
        6 => any_outcome().prop_map(End::Outcome),
        1 => Just(fault()),
        1 => any_outcome().prop_map(End::Found),
        1 => Just(End::Absent),
        1 => (0u64..10_000).prop_map(|seconds| End::NotYet(Duration::from_secs(seconds))),
        1 => Just(End::CannotTell(reason("c"))),
        1 => Just(End::Released),
    ]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let on_unknown = prop_oneof![Just(OnUnknown::Retry), Just(OnUnknown::Hold), Just(OnUnknown::Fail)];
    (0u32..5, on_unknown, any::<bool>(), 0u64..100).prop_map(|(attempts, on_unknown, failover, patience)| {
        Policy {
            retry: RetrySchedule { attempts, ..RetrySchedule::default() },
            on_unknown,
            failover_on_content: failover,
            patience: Duration::from_secs(patience),
            ..Policy::default()
        }
    })
}

proptest! {
    /// A life of a delivery: whatever ends come, under whatever access, these hold.
    #[test]
    fn whatever_comes(
        policy in any_policy(),
        ends in proptest::collection::vec((any_end(), any::<bool>(), 0u64..40_000), 1..60),
        access in proptest::collection::vec(any_access(), 3 * 60),
        looks_up: bool,
        idempotent: bool,
        length in 1usize..4,
    ) {
        let names = ["a", "b", "c"];
        let chain = &names[..length];
        let mut world = World { policy: policy.clone(), looks_up, idempotent, ..World::default() };
        let mut delivery = leased(chain);
        let mut now = NOW;
        let mut counted = 0u32;
        for (turn, (end, marked, seconds)) in ends.into_iter().enumerate() {
            for (index, name) in names.iter().enumerate() {
                world.access.insert((*name).to_owned(), access[(turn * 3 + index) % access.len()]);
            }
            now = now.plus(Duration::from_secs(seconds));
            let before = delivery.clone();
            // With its attempts spent an unresolved delivery is only asked about, never attempted.
            let asked_only = before.unresolved && before.attempts >= policy.retry.attempts.max(1);
            let (end, marked) = match end {
                End::Outcome(_) | End::Fault(_) if asked_only => (End::CannotTell(reason("spent")), false),
                End::Released if asked_only => (End::Released, false),
                other => (other, marked),
            };
            let settled = world.settle_at(before.clone(), end.clone(), marked, now);
            delivery = settled.delivery;

            // Legal transitions only, and nothing left over from the lease.
            prop_assert!(!matches!(delivery.state, DeliveryState::Leased | DeliveryState::Unplanned
                | DeliveryState::Delivered | DeliveryState::Undelivered | DeliveryState::Cancelled));
            prop_assert!(!delivery.marked);
            prop_assert_eq!(delivery.lane.is_some(), delivery.state == DeliveryState::Scheduled);
            prop_assert_eq!((delivery.epoch, delivery.generation), (before.epoch, before.generation));
            // A possible double is never forgotten.
            prop_assert!(delivery.possible_double || !before.possible_double);
            // The same backends, each once, whatever their order; what is spent stays spent.
            let mut sorted: Vec<_> = delivery.plan.chain.iter().map(|name| name.as_str()).collect();
            sorted.sort_unstable();
            prop_assert_eq!(&sorted, chain);
            prop_assert!(delivery.position >= before.position);
            // What is unknown never goes elsewhere.
            if delivery.unresolved && delivery.state == DeliveryState::Scheduled {
                prop_assert_eq!(delivery.backend(), before.backend());
            }
            let is_unknown = matches!(end, End::Outcome(Outcome::Unknown { .. }));
            if is_unknown {
                prop_assert!(matches!(
                    delivery.state,
                    DeliveryState::Scheduled | DeliveryState::Held | DeliveryState::DeadLettered
                ));
            }
            // Within its time, and in the lane of its backend.
            if delivery.state == DeliveryState::Scheduled {
                prop_assert!(delivery.due_at <= delivery.expires_at && now < delivery.expires_at);
                prop_assert_eq!(
                    delivery.lane.as_ref().map(|lane| &lane.backend), delivery.backend()
                );
            }
            // Counted attempts are bounded by the schedule times the chain.
            let costs = match &end {
                End::Outcome(outcome) => !matches!(outcome, Outcome::Throttled { .. }),
                End::Fault(_) => true,
                End::Released => marked,
                _ => false,
            };
            counted += u32::from(costs);
            let is_refund = matches!(&end, End::Found(Outcome::Throttled { .. })) && before.attempts > 0;
            counted -= u32::from(is_refund);
            let most = policy.retry.attempts.max(1) * u32::try_from(length).expect("at most 3");
            prop_assert!(delivery.state != DeliveryState::Scheduled || counted <= most, "{} of {}", counted, most);

            // A second settlement changes nothing: nothing leaves a state by itself.
            let again = world.settle_at(delivery.clone(), End::Released, false, now);
            prop_assert_eq!(&again.delivery, &delivery);
            prop_assert!(again.effects.is_empty());
            if delivery.state != DeliveryState::Scheduled {
                break;
            }
            delivery.state = DeliveryState::Leased;
        }
    }

    #[test]
    fn a_recipient_once_left_out_never_comes_back(
        first in proptest::collection::vec((0u8..6, any::<bool>()), 1..6),
        second in proptest::collection::vec((0u8..6, any::<bool>()), 0..6),
    ) {
        let refused = |list: &[(u8, bool)]| accepted(list.iter().map(|(name, retry)| RefusedRecipient {
            recipient: name.to_string(), reason: reason("450"), retry: *retry,
        }).collect());
        let world = World::default();
        let mut delivery = world.settle(leased(&["a"]), refused(&first), true).delivery;
        let Some(remaining) = delivery.remaining.clone() else { return Ok(()) };
        for name in &remaining {
            prop_assert!(first.iter().any(|(known, retry)| *retry && known.to_string() == *name));
        }
        delivery.state = DeliveryState::Leased;
        let again = world.settle(delivery, refused(&second), true).delivery;
        for name in again.remaining.iter().flatten() {
            prop_assert!(remaining.contains(name), "{} was not remaining", name);
        }
    }
}
