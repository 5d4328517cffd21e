//! The table of outcomes, row by row.

use super::*;

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
    let suppressed = || End::Suppressed(reason("suppressed"));
    let partly = |mut delivery: Delivery| {
        delivery.remaining = Some(vec!["b@example.com".into()]);
        delivery
    };
    let unresolved = |mut delivery: Delivery| {
        delivery.unresolved = true;
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
        ("suppressed", world(), two(), suppressed(), false, (DeadLettered, None, 0)),
        ("suppressed, others were taken", world(), partly(two()), suppressed(), false, (Accepted, None, 0)),
        ("suppressed, perhaps arrived", world(), unresolved(two()), suppressed(), false, (Held, None, 0)),
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
    let asked = due(&world.looking_up().settle(leased(&["a"]), unknown(), true));
    assert_eq!(asked, Duration::from_secs(75), "a provider's list lags");
    let safe = World { idempotent: true, ..World::default().looking_up() };
    let asked = due(&safe.settle(leased(&["a"]), unknown(), true));
    assert!(asked <= Duration::from_secs(5), "a repetition that is recognised need not wait: {asked:?}");
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

    // Asked no sooner than the route says, nor than the plugin does; and nothing is sent meanwhile.
    for (told, wait) in [(0, 75), (600, 600)] {
        let later = world.settle(unresolved(), End::NotYet(Duration::from_secs(told)), false);
        assert_eq!(row(&later), (DeliveryState::Scheduled, Some("a"), 1));
        assert!(later.delivery.unresolved && !later.delivery.possible_double);
        assert_eq!(later.delivery.due_at, after(wait));
    }
    let mut late = unresolved();
    late.expires_at = after(3);
    let asked = world.settle_at(late, End::NotYet(Duration::ZERO), false, after(3));
    assert_eq!(
        asked.delivery.state,
        DeliveryState::Held,
        "it is asked about as long as it is worth delivering"
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
    assert_eq!(settled.delivery.references, ["ref"]);

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
    for state in [DeliveryState::DeadLettered, DeliveryState::Kept] {
        let ended = world.plan(&["a"], Some((state, reason("unsupported-type"))));
        assert_eq!((ended.state, ended.lane, ended.reason), (state, None, Some(reason("unsupported-type"))));
    }
    let gone = world.with("a", Access::Gone).plan(&["a"], None);
    assert_eq!(gone.state, DeliveryState::DeadLettered);
}
