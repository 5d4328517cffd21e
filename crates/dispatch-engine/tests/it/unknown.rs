//! What may have been delivered.

use std::time::Duration;

use dispatch_model::*;

use crate::plugin::{Plugin, reason};
use crate::provider::Answer;
use crate::world::{Draft, World, outcomes, wait_until};

async fn looking_up(answer: LookupStep, on_unknown: OnUnknown) -> World {
    let mut plugin = Plugin::new();
    plugin.description.looks_up = true;
    *plugin.lookup.lock() = answer;
    let world =
        Draft::to(&["a", "b"]).plugin(plugin).policy(|policy| policy.on_unknown = on_unknown).start().await;
    world.provider.answers("a", [Answer::Failed(true)]);
    world
}

#[tokio::test(start_paused = true)]
async fn it_is_retried_here_with_the_same_key_as_a_possible_double() {
    let world = Draft::to(&["a", "b"]).start().await;
    world.provider.answers("a", [Answer::Failed(true), Answer::Status(502)]);
    let view = world.ends(DeliveryState::Accepted).await;
    assert_eq!(outcomes(&view), [("a".into(), "unknown"), ("a".into(), "unknown"), ("a".into(), "accepted")]);
    let keys: Vec<_> = world.provider.sent().into_iter().map(|asked| asked.key).collect();
    assert!(keys.iter().all(|key| *key == keys[0]) && keys[0].len() <= 36, "{keys:?}");
    assert!(view.delivery.possible_double && !view.delivery.unresolved);
    assert!(view.attempts[2].possible_double);
}

#[tokio::test(start_paused = true)]
async fn spent_attempts_are_held_and_never_go_elsewhere() {
    let world = Draft::to(&["a", "b"]).policy(|policy| policy.retry.attempts = 3).start().await;
    world.provider.answers("a", [Answer::Failed(true), Answer::Failed(false), Answer::Status(503)]);
    let view = world.ends(DeliveryState::Held).await;
    assert_eq!(world.provider.sent_by(), ["a", "a", "a"]);
    assert!(view.delivery.unresolved);
}

#[tokio::test(start_paused = true)]
async fn it_waits_out_a_breaker_and_a_pause_on_its_backend() {
    let world = Draft::to(&["a", "b"])
        .limits(|limits| {
            limits.breaker_failures = 1;
            limits.breaker_open = Duration::from_secs(120);
        })
        .start()
        .await;
    world.provider.answers("a", [Answer::Failed(true), Answer::Later(429, 600)]);
    world.ends(DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["a", "a", "a"]);
    let sent = world.provider.sent();
    assert!(sent[1].at - sent[0].at >= Duration::from_secs(120));
    assert!(sent[2].at - sent[1].at >= Duration::from_secs(600));
}

#[tokio::test(start_paused = true)]
async fn the_route_may_give_it_up_or_hold_it() {
    for (on_unknown, state) in
        [(OnUnknown::Fail, DeliveryState::DeadLettered), (OnUnknown::Hold, DeliveryState::Held)]
    {
        let world = Draft::to(&["a", "b"]).policy(|policy| policy.on_unknown = on_unknown).start().await;
        world.provider.answers("a", [Answer::Failed(true)]);
        let view = world.ends(state).await;
        assert_eq!(view.attempts.len(), 1);
        assert!(!view.delivery.possible_double, "it was sent at most once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_finds_it_ends_it() {
    let found = LookupStep::Found(Outcome::Accepted(Acceptance {
        references: vec!["found".into()],
        ..Acceptance::default()
    }));
    let world = looking_up(found, OnUnknown::Retry).await;
    let view = world.ends(DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["a"]);
    assert_eq!(world.provider.asked("lookup"), 1);
    assert_eq!(view.delivery.references, ["found"]);
    assert!(!view.delivery.possible_double && !view.delivery.unresolved);
    assert_eq!(view.attempts[1].exchanges.len(), 1, "the question is on record");
    let waited = view.attempts[1].started_at.since(view.attempts[0].ended_at);
    assert_eq!(waited, Policy::default().lookup_after, "lists lag: it is not asked at once");
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_finds_nothing_makes_it_free_to_be_sent() {
    let world = looking_up(LookupStep::Absent, OnUnknown::Hold).await;
    let view = world.ends(DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["a", "a"]);
    assert!(!view.delivery.possible_double);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_lags_is_asked_again_and_nothing_is_sent_meanwhile() {
    let world = looking_up(LookupStep::NotYet(1_800_000), OnUnknown::Retry).await;
    let id = world.send().await;
    assert!(wait_until(|| async { world.view(id).await.attempts.len() == 3 }).await);
    assert_eq!(world.provider.sent_by(), ["a"]);
    let view = world.view(id).await;
    assert!(view.delivery.unresolved && !view.delivery.possible_double);
    assert_eq!(view.attempts[2].started_at.since(view.attempts[1].ended_at), Duration::from_secs(1800));
    *world.draft.plugin.lookup.lock() = LookupStep::Absent;
    let view = world.until(id, DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["a", "a"]);
    assert!(!view.delivery.possible_double);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_lags_for_ever_is_held_when_it_is_too_late() {
    let mut plugin = Plugin::new();
    plugin.description.looks_up = true;
    *plugin.lookup.lock() = LookupStep::NotYet(0);
    let brief = |policy: &mut Policy| policy.expires_after = Duration::from_secs(600);
    let world = Draft::to(&["a", "b"]).plugin(plugin).policy(brief).start().await;
    world.provider.answers("a", [Answer::Failed(true)]);
    let view = world.ends(DeliveryState::Held).await;
    assert_eq!(world.provider.sent_by(), ["a"]);
    assert_eq!(view.attempts.len(), 1 + 7, "once in 75 seconds, whatever the plugin says");
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_cannot_tell_leaves_it_to_the_route() {
    let cannot = || LookupStep::CannotTell(reason("too-old"));
    let world = looking_up(cannot(), OnUnknown::Retry).await;
    let view = world.ends(DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["a", "a"]);
    assert!(view.delivery.possible_double);
    assert_eq!(view.attempts[1].exchanges.len(), 2, "the question and the request");

    let world = looking_up(cannot(), OnUnknown::Hold).await;
    let view = world.ends(DeliveryState::Held).await;
    assert_eq!(view.delivery.reason.map(|why| why.code), Some("too-old".into()));
    let world = looking_up(cannot(), OnUnknown::Fail).await;
    world.ends(DeliveryState::DeadLettered).await;
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_nobody_answers_is_asked_again_and_nothing_is_sent_meanwhile() {
    let cannot = LookupStep::CannotTell(reason("no-answer"));
    for answer in [Answer::Status(503), Answer::Status(429), Answer::Failed(false)] {
        let world = looking_up(cannot.clone(), OnUnknown::Retry).await;
        world.provider.answers_all("lookup", answer);
        let id = world.send().await;
        assert!(wait_until(|| async { world.view(id).await.attempts.len() == 4 }).await);
        assert_eq!(world.provider.sent_by(), ["a"]);
        *world.draft.plugin.lookup.lock() = LookupStep::Absent;
        let view = world.until(id, DeliveryState::Accepted).await;
        assert_eq!(world.provider.sent_by(), ["a", "a"]);
        assert!(!view.delivery.possible_double);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_is_never_answered_leaves_it_to_the_route() {
    let world = looking_up(LookupStep::CannotTell(reason("no-answer")), OnUnknown::Hold).await;
    world.provider.answers_all("lookup", Answer::Status(503));
    let view = world.ends(DeliveryState::Held).await;
    assert_eq!(world.provider.sent_by(), ["a"]);
    let waited = view.attempts.last().unwrap().started_at.since(view.attempts[0].ended_at);
    assert_eq!(waited, Policy::default().lookup_after * 11);
    assert_eq!(view.delivery.reason.map(|why| why.code), Some("no-answer".into()));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_costs_its_time_limit() {
    let world = Draft::to(&["a"])
        .limits(|limits| limits.timeout = Duration::from_secs(15))
        .policy(|policy| policy.on_unknown = OnUnknown::Hold)
        .start()
        .await;
    world.provider.answers("a", [Answer::Hang]);
    let began = tokio::time::Instant::now();
    world.ends(DeliveryState::Held).await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(world.provider.under_way(), 0, "the request was dropped");
}
