//! The table of outcomes, row by row, and what must hold whatever comes.

use std::collections::HashMap;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::*;
use crate::{Channel, Lane, RefusedRecipient, RetrySchedule};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn reason(code: &str) -> Reason {
    Reason::new(code, "words")
}

fn leased(chain: &[&str]) -> Delivery {
    let mut delivery = Delivery::unplanned(
        crate::MessageId::from_i64(7),
        "loc".into(),
        Channel::Sms,
        Timestamp::from_millis(0),
    );
    delivery.plan.chain = chain.iter().map(|name| BackendName::from(*name)).collect();
    delivery.plan.route = Some("r".into());
    delivery.state = DeliveryState::Leased;
    delivery.lane = Some(Lane::shared(delivery.plan.chain[0].clone()));
    delivery.expires_at = NOW.plus(Duration::from_secs(24 * 3600));
    delivery.epoch = 1;
    delivery
}

/// The world around a delivery. Backends that are not named are open.
#[derive(Clone, Default)]
struct World {
    policy: Policy,
    access: HashMap<String, Access>,
    looks_up: bool,
    idempotent: bool,
}

impl World {
    fn with(mut self, backend: &str, access: Access) -> Self {
        self.access.insert(backend.to_owned(), access);
        self
    }

    fn on_unknown(mut self, on_unknown: OnUnknown) -> Self {
        self.policy.on_unknown = on_unknown;
        self
    }

    fn attempts(mut self, attempts: u32) -> Self {
        self.policy.retry.attempts = attempts;
        self
    }

    fn looking_up(mut self) -> Self {
        self.looks_up = true;
        self
    }

    fn settle(&self, delivery: Delivery, end: End, marked: bool) -> Settled {
        self.settle_at(delivery, end, marked, NOW)
    }

    fn settle_at(&self, delivery: Delivery, end: End, marked: bool, at: Timestamp) -> Settled {
        let place = |name: &BackendName| Place {
            lane: Lane::shared(name.clone()),
            access: self.access.get(name.as_str()).copied().unwrap_or(Access::Open),
        };
        let facts = Facts {
            policy: &self.policy,
            place: &place,
            pause_default: Duration::from_secs(5),
            pause_max: Duration::from_secs(900),
            looks_up: self.looks_up,
            idempotent: self.idempotent,
        };
        let finish = Finish { end, marked, trouble: true, at };
        settle(delivery, &finish, &facts, &mut SmallRng::seed_from_u64(1))
    }

    fn plan(&self, chain: &[&str], problem: Option<Reason>) -> Delivery {
        let place = |name: &BackendName| Place {
            lane: Lane::shared(name.clone()),
            access: self.access.get(name.as_str()).copied().unwrap_or(Access::Open),
        };
        let facts = Facts {
            policy: &self.policy,
            place: &place,
            pause_default: Duration::ZERO,
            pause_max: Duration::ZERO,
            looks_up: false,
            idempotent: false,
        };
        let mut delivery = leased(&["x"]);
        delivery.state = DeliveryState::Unplanned;
        delivery.changed_at = NOW;
        let routed = Plan {
            route: Some("r".into()),
            chain: chain.iter().map(|name| BackendName::from(*name)).collect(),
            reasons: vec!["why".into()],
        };
        plan(delivery, routed, problem, &facts, NOW, &mut SmallRng::seed_from_u64(1))
    }
}

fn deferred(retry_after_ms: Option<u64>) -> End {
    End::Outcome(Outcome::Deferred { reason: reason("503"), retry_after_ms })
}

fn throttled(seconds: u64) -> End {
    End::Outcome(Outcome::Throttled { reason: reason("429"), retry_after_ms: Some(seconds * 1000) })
}

fn rejected(kind: Rejection) -> End {
    End::Outcome(Outcome::Rejected { kind, reason: reason("no") })
}

fn unknown() -> End {
    End::Outcome(Outcome::Unknown { reason: reason("timeout") })
}

fn accepted(refused: Vec<RefusedRecipient>) -> End {
    End::Outcome(Outcome::Accepted(Acceptance {
        reference: Some("ref".into()),
        refused,
        ..Acceptance::default()
    }))
}

fn fault() -> End {
    End::Fault(Fault::Trap { detail: "unreachable".into() })
}

/// State, backend and counted attempts: what a row of the table says.
fn row(settled: &Settled) -> (DeliveryState, Option<&str>, u32) {
    let delivery = &settled.delivery;
    let lane = delivery.lane.as_ref().map(|lane| lane.backend.as_str());
    (delivery.state, lane, delivery.attempts)
}

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

#[test]
fn the_table_of_outcomes() {
    use DeliveryState::{Accepted, DeadLettered, Held, Scheduled};
    let world = World::default;
    let two = || leased(&["a", "b"]);
    let one = || leased(&["a"]);
    let spent = |mut delivery: Delivery| {
        delivery.attempts = 5;
        delivery
    };
    let content_fails_over =
        World { policy: Policy { failover_on_content: true, ..Policy::default() }, ..World::default() };
    type Row = (&'static str, World, Delivery, End, bool, (DeliveryState, Option<&'static str>, u32));
    let rows: Vec<Row> = vec![
        ("accepted", world(), two(), accepted(vec![]), true, (Accepted, None, 1)),
        ("deferred waits here", world(), two(), deferred(None), true, (Scheduled, Some("a"), 1)),
        ("deferred, spent", world(), spent(two()), deferred(None), true, (Scheduled, Some("b"), 0)),
        ("deferred, all spent", world(), spent(one()), deferred(None), true, (DeadLettered, None, 0)),
        ("throttled within patience", world(), two(), throttled(60), true, (Scheduled, Some("a"), 0)),
        ("throttled beyond patience", world(), two(), throttled(61), true, (Scheduled, Some("b"), 0)),
        ("throttled, nowhere else", world(), one(), throttled(600), true, (Scheduled, Some("a"), 0)),
        ("recipient", world(), two(), rejected(Rejection::Recipient), true, (DeadLettered, None, 1)),
        ("content", world(), two(), rejected(Rejection::Content), true, (DeadLettered, None, 1)),
        (
            "content, by route",
            content_fails_over,
            two(),
            rejected(Rejection::Content),
            true,
            (Scheduled, Some("b"), 0),
        ),
        ("sender", world(), two(), rejected(Rejection::Sender), true, (Scheduled, Some("b"), 0)),
        ("sender, all spent", world(), one(), rejected(Rejection::Sender), true, (DeadLettered, None, 0)),
        ("account", world(), two(), rejected(Rejection::Account), true, (Scheduled, Some("b"), 0)),
        (
            "account, nowhere else",
            world(),
            one(),
            rejected(Rejection::Account),
            true,
            (Scheduled, Some("a"), 1),
        ),
        (
            "account, all spent",
            world(),
            spent(one()),
            rejected(Rejection::Account),
            true,
            (DeadLettered, None, 0),
        ),
        ("unknown, retry", world(), two(), unknown(), true, (Scheduled, Some("a"), 1)),
        ("unknown, retry spent", world(), spent(two()), unknown(), true, (Held, None, 6)),
        ("unknown, hold", world().on_unknown(OnUnknown::Hold), two(), unknown(), true, (Held, None, 1)),
        (
            "unknown, fail",
            world().on_unknown(OnUnknown::Fail),
            two(),
            unknown(),
            true,
            (DeadLettered, None, 1),
        ),
        (
            "unknown, asked first",
            world().on_unknown(OnUnknown::Fail).looking_up(),
            two(),
            unknown(),
            true,
            (Scheduled, Some("a"), 1),
        ),
        ("fault before", world(), two(), fault(), false, (Scheduled, Some("b"), 0)),
        ("fault before, nowhere else", world(), one(), fault(), false, (DeadLettered, None, 0)),
        ("fault after", world(), two(), fault(), true, (Held, None, 1)),
        ("released", world(), two(), End::Released, false, (Scheduled, Some("a"), 0)),
        ("released after it may have left", world(), two(), End::Released, true, (Scheduled, Some("a"), 1)),
    ];
    for (name, world, delivery, end, marked, expected) in rows {
        let settled = world.settle(delivery, end, marked);
        assert_eq!(row(&settled), expected, "{name}: {:?}", settled.delivery.reason);
        assert!(!settled.delivery.marked, "{name}");
        assert_eq!(settled.delivery.changed_at, NOW, "{name}");
    }
}

#[test]
fn what_an_outcome_means_for_the_lane() {
    let success = || vec![LaneEffect::Success];
    let failure = |code: &str| vec![LaneEffect::Failure { reason: reason(code) }];
    for (name, end, expected) in [
        ("accepted", accepted(vec![]), success()),
        ("deferred", deferred(None), failure("503")),
        ("unknown", unknown(), failure("timeout")),
        ("recipient", rejected(Rejection::Recipient), success()),
        ("sender: this sender's fault only", rejected(Rejection::Sender), success()),
        ("account", rejected(Rejection::Account), vec![LaneEffect::OpenBreaker { reason: reason("no") }]),
        ("throttled", throttled(7), vec![LaneEffect::Pause { until: after(7), reason: reason("429") }]),
        (
            "throttled, capped",
            throttled(9000),
            vec![LaneEffect::Pause { until: after(900), reason: reason("429") }],
        ),
        ("fault: one message's", fault(), vec![]),
        ("released", End::Released, vec![]),
    ] {
        assert_eq!(World::default().settle(leased(&["a"]), end, false).effects, expected, "{name}");
    }
}

#[test]
fn waits_are_those_of_the_schedule_or_what_the_provider_asked_for() {
    let world = World::default();
    let due = |settled: &Settled| settled.delivery.due_at.since(NOW);
    let first = due(&world.settle(leased(&["a"]), deferred(None), false));
    assert!(first >= Duration::from_millis(2500) && first <= Duration::from_secs(5), "{first:?}");
    let mut third = leased(&["a"]);
    third.attempts = 2;
    let third = due(&world.settle(third, deferred(None), false));
    assert!(third >= Duration::from_millis(22_500) && third <= Duration::from_secs(45), "{third:?}");
    let asked = due(&world.settle(leased(&["a"]), deferred(Some(77_000)), false));
    assert_eq!(asked, Duration::from_secs(77));
    let paused = due(&world.settle(leased(&["a"]), throttled(30), false));
    assert_eq!(paused, Duration::from_secs(30));
}

#[test]
fn an_unavailable_backend_is_passed_over_and_kept_for_later() {
    let broken = Access::Broken(after(100));
    let world = World::default().with("a", broken);
    let planned = world.plan(&["a", "b"], None);
    assert_eq!(planned.lane, Some(Lane::shared("b".into())));
    assert_eq!(
        planned.plan.chain,
        vec![BackendName::from("b"), "a".into()],
        "a was not tried: it is still there"
    );
    assert_eq!((planned.position, planned.due_at), (0, NOW));

    // All unavailable: where it is over first, free of attempts.
    let world = world.with("b", Access::Paused(after(90)));
    let planned = world.plan(&["a", "b"], None);
    assert_eq!((planned.lane, planned.due_at), (Some(Lane::shared("b".into())), after(90)));

    // A pause within the route's patience is waited for.
    let world = World::default().with("a", Access::Paused(after(60)));
    let planned = world.plan(&["a", "b"], None);
    assert_eq!((planned.lane, planned.due_at), (Some(Lane::shared("a".into())), after(60)));

    // Suspended: nobody knows for how long, so anything with an end is better.
    let world = World::default().with("a", Access::Suspended).with("b", broken);
    assert_eq!(world.plan(&["a", "b"], None).lane, Some(Lane::shared("b".into())));
    let world = World::default().with("a", Access::Suspended);
    assert_eq!(world.plan(&["a"], None).lane, Some(Lane::shared("a".into())));
}

#[test]
fn one_that_was_tried_is_spent_when_it_is_left() {
    let world = World::default().with("a", Access::Broken(after(100)));
    let mut tried = leased(&["a", "b"]);
    tried.attempts = 2;
    let settled = world.settle(tried, End::Released, false);
    assert_eq!(row(&settled), (DeliveryState::Scheduled, Some("b"), 0));
    assert_eq!(settled.delivery.position, 1);
}

#[test]
fn backends_that_are_gone_are_skipped_with_a_reason() {
    let world = World::default().with("a", Access::Gone);
    let settled = world.settle(leased(&["a", "b"]), End::Released, false);
    assert_eq!(row(&settled), (DeliveryState::Scheduled, Some("b"), 0));
    assert!(
        settled.delivery.plan.reasons.iter().any(|why| why.contains("\"a\"")),
        "{:?}",
        settled.delivery.plan
    );
    let settled = world.settle(leased(&["a"]), End::Released, false);
    assert_eq!(settled.delivery.state, DeliveryState::DeadLettered);
    assert_eq!(settled.delivery.reason.map(|it| it.code), Some(BACKEND_GONE.to_owned()));
}

#[test]
fn an_unresolved_delivery_stays_on_its_backend() {
    let unresolved = || {
        let mut delivery = leased(&["a", "b"]);
        delivery.unresolved = true;
        delivery.attempts = 1;
        delivery
    };
    let world = World::default();
    let rows = [
        ("deferred", world.settle(unresolved(), deferred(None), false), DeliveryState::Scheduled),
        ("throttled", world.settle(unresolved(), throttled(600), false), DeliveryState::Scheduled),
        ("account", world.settle(unresolved(), rejected(Rejection::Account), true), DeliveryState::Scheduled),
        ("sender", world.settle(unresolved(), rejected(Rejection::Sender), true), DeliveryState::Held),
        ("recipient", world.settle(unresolved(), rejected(Rejection::Recipient), true), DeliveryState::Held),
        ("fault", world.settle(unresolved(), fault(), false), DeliveryState::Held),
        (
            "broken",
            world.clone().with("a", Access::Broken(after(9))).settle(unresolved(), End::Released, false),
            DeliveryState::Scheduled,
        ),
        (
            "suspended",
            world.clone().with("a", Access::Suspended).settle(unresolved(), End::Released, false),
            DeliveryState::Scheduled,
        ),
        (
            "gone",
            world.clone().with("a", Access::Gone).settle(unresolved(), End::Released, false),
            DeliveryState::Held,
        ),
        ("spent", world.clone().attempts(2).settle(unresolved(), deferred(None), false), DeliveryState::Held),
    ];
    for (name, settled, state) in rows {
        assert_eq!(settled.delivery.state, state, "{name}");
        assert_eq!(settled.delivery.position, 0, "{name}");
        assert!(settled.delivery.unresolved, "{name}");
        if state == DeliveryState::Scheduled {
            assert_eq!(settled.delivery.lane, Some(Lane::shared("a".into())), "{name}");
        }
    }
    let late = world.settle_at(unresolved(), End::Released, false, after(30 * 3600));
    assert_eq!(late.delivery.state, DeliveryState::Held, "what may have been delivered does not expire");
    let taken = world.settle(unresolved(), accepted(vec![]), true);
    assert!(!taken.delivery.unresolved && taken.delivery.possible_double);
    let idempotent = World { idempotent: true, ..World::default() };
    let refused = idempotent.settle(unresolved(), rejected(Rejection::Recipient), true);
    assert_eq!(refused.delivery.state, DeliveryState::DeadLettered, "the answer is the first one's as well");
}

#[test]
fn a_lookup_settles_what_became_of_it() {
    let unresolved = || {
        let mut delivery = leased(&["a", "b"]);
        delivery.unresolved = true;
        delivery.attempts = 1;
        delivery
    };
    let world = World::default().looking_up();
    let found = world.settle(unresolved(), End::Found(Outcome::Accepted(Acceptance::default())), false);
    assert_eq!(found.delivery.state, DeliveryState::Accepted);
    assert!(!found.delivery.unresolved && !found.delivery.possible_double);

    let absent = world.settle(unresolved(), End::Absent, false);
    assert_eq!(row(&absent), (DeliveryState::Scheduled, Some("a"), 1));
    assert!(!absent.delivery.unresolved);
    let absent = world.clone().attempts(1).settle(unresolved(), End::Absent, false);
    assert_eq!(
        row(&absent),
        (DeliveryState::Scheduled, Some("b"), 0),
        "known not to have arrived, it may go elsewhere"
    );

    let end = || End::CannotTell(reason("nobody"));
    for (on_unknown, attempts, state) in [
        (OnUnknown::Retry, 6, DeliveryState::Scheduled),
        (OnUnknown::Retry, 1, DeliveryState::Held),
        (OnUnknown::Hold, 6, DeliveryState::Held),
        (OnUnknown::Fail, 6, DeliveryState::DeadLettered),
    ] {
        let world = world.clone().on_unknown(on_unknown).attempts(attempts);
        assert_eq!(
            world.settle(unresolved(), end(), false).delivery.state,
            state,
            "{on_unknown:?} {attempts}"
        );
        let found = End::Found(Outcome::Unknown { reason: reason("still") });
        assert_eq!(
            world.settle(unresolved(), found, false).delivery.state,
            state,
            "found unknown, {on_unknown:?}"
        );
    }
}

#[test]
fn only_recipients_that_may_be_tried_again_are() {
    let refused =
        |name: &str, retry| RefusedRecipient { recipient: name.into(), reason: reason("550"), retry };
    let world = World::default().attempts(2);
    let settled =
        world.settle(leased(&["a"]), accepted(vec![refused("x@y", true), refused("z@y", false)]), true);
    assert_eq!(row(&settled), (DeliveryState::Scheduled, Some("a"), 1));
    assert_eq!(settled.delivery.remaining, Some(vec!["x@y".to_owned()]));
    assert_eq!(settled.delivery.reference.as_deref(), Some("ref"));

    let again = |end| {
        let mut delivery = settled.delivery.clone();
        delivery.state = DeliveryState::Leased;
        world.settle(delivery, end, true).delivery
    };
    assert_eq!(again(accepted(vec![])).state, DeliveryState::Accepted);
    let refused_for_good = again(rejected(Rejection::Recipient));
    assert_eq!(refused_for_good.state, DeliveryState::Accepted, "the rest stands");
    assert!(refused_for_good.reason.is_some());
    let given_up = again(deferred(None));
    assert_eq!(given_up.state, DeliveryState::DeadLettered);
    assert_eq!(given_up.remaining, Some(vec!["x@y".to_owned()]), "a redrive goes to those alone");

    let settled = World::default().settle(leased(&["a"]), accepted(vec![refused("z@y", false)]), true);
    assert_eq!(settled.delivery.state, DeliveryState::Accepted);
    assert!(settled.delivery.reason.is_some_and(|why| !why.message.contains("z@y")));
}

#[test]
fn too_late_is_expired_and_no_wait_outlasts_it() {
    let world = World::default();
    let mut soon = leased(&["a"]);
    soon.expires_at = after(1);
    let settled = world.settle(soon.clone(), deferred(Some(60_000)), false);
    assert_eq!((settled.delivery.state, settled.delivery.due_at), (DeliveryState::Scheduled, after(1)));
    let settled = world.settle_at(soon, End::Released, false, after(1));
    assert_eq!(settled.delivery.state, DeliveryState::Expired);
    assert_eq!(settled.delivery.reason.map(|why| why.code), Some(EXPIRED.to_owned()));
}

#[test]
fn a_plan_is_a_place_to_wait_in_or_an_end() {
    let world = World::default();
    assert_eq!(world.plan(&["a"], None).state, DeliveryState::Scheduled);
    let none = world.plan(&[], None);
    assert_eq!(
        (none.state, none.reason.map(|why| why.code)),
        (DeliveryState::DeadLettered, Some(NO_ROUTE.into()))
    );
    let problem = world.plan(&["a"], Some(reason("unsupported-type")));
    assert_eq!(problem.state, DeliveryState::DeadLettered);
    assert_eq!(problem.reason, Some(reason("unsupported-type")));
    let gone = world.with("a", Access::Gone).plan(&["a"], None);
    assert_eq!(gone.state, DeliveryState::DeadLettered);
}

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
