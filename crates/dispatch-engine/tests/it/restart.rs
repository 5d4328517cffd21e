//! All state survives a restart.

use std::time::Duration;

use dispatch_engine::BreakerStatus;
use dispatch_model::*;
use dispatch_store::Suspension;

use crate::plugin::{Deliver, Plugin};
use crate::provider::Answer;
use crate::world::{Draft, wait_until};

#[tokio::test(start_paused = true)]
async fn admitted_and_not_planned_is_planned_after_a_restart() {
    let world = Draft::to(&["a"]).start().await;
    // One that is stopping plans no more, and what is admitted is promised all the same.
    world.engine.drain(Duration::ZERO).await;
    let message = world.admit(world.submission("loc", "+1", "x")).await;
    assert_eq!(world.delivery(message.id).await.state, DeliveryState::Unplanned);
    let world = world.crash().await;
    world.until(message.id, DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn scheduled_is_tried_when_it_is_due() {
    let world = Draft::to(&["a"]).start().await;
    world.provider.answers("a", [Answer::Later(503, 3600)]);
    let id = world.send().await;
    world.deferred(id).await;
    let due = world.delivery(id).await.due_at;
    let world = world.crash().await;
    let view = world.until(id, DeliveryState::Accepted).await;
    assert!(world.now() >= due);
    assert_eq!(view.attempts.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn leased_and_unmarked_begins_again() {
    let plugin = Plugin::new();
    plugin.set(Deliver::TokenFirst);
    let world = Draft::to(&["a"]).plugin(plugin).start().await;
    // The process dies between the first step and the mark: the store takes no mark any more.
    world.store.refuse_mark.store(usize::MAX, std::sync::atomic::Ordering::SeqCst);
    world.store.refuse_settle.store(usize::MAX, std::sync::atomic::Ordering::SeqCst);
    let id = world.send().await;
    world.until(id, DeliveryState::Leased).await;
    assert!(wait_until(|| async { world.provider.asked("token") > 0 }).await);
    let world = world.crash().await;
    let view = world.until(id, DeliveryState::Accepted).await;
    assert!(!view.delivery.possible_double);
    assert_eq!(world.provider.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn leased_and_marked_is_unknown() {
    for (on_unknown, state) in
        [(OnUnknown::Retry, DeliveryState::Accepted), (OnUnknown::Hold, DeliveryState::Held)]
    {
        let world = Draft::to(&["a", "b"]).policy(|policy| policy.on_unknown = on_unknown).start().await;
        world.provider.answers("a", [Answer::Hang]);
        let id = world.send().await;
        assert!(wait_until(|| async { world.provider.under_way() == 1 }).await);
        assert!(world.delivery(id).await.marked);
        let world = world.crash().await;
        let view = world.until(id, state).await;
        assert!(view.delivery.possible_double);
        let expected = if state == DeliveryState::Accepted { vec!["a".to_owned()] } else { Vec::new() };
        assert_eq!(world.provider.sent_by(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_died_under_way_is_not_taken_for_absent_before_its_time() {
    let mut plugin = Plugin::new();
    plugin.description.looks_up = true;
    *plugin.lookup.lock() = LookupStep::Absent;
    let world = Draft::to(&["a"]).plugin(plugin).start().await;
    world.provider.answers("a", [Answer::Hang]);
    let id = world.send().await;
    assert!(wait_until(|| async { world.provider.under_way() == 1 }).await);
    let world = world.crash().await;
    let died = tokio::time::Instant::now();
    world.until(id, DeliveryState::Accepted).await;
    assert_eq!(world.provider.asked("lookup"), 2, "at once, since it may be there, and when it is certain");
    assert!(world.provider.sent()[0].at.duration_since(died) >= Policy::default().lookup_after);
}

#[tokio::test(start_paused = true)]
async fn ended_stays_ended() {
    let world = Draft::to(&["a"]).start().await;
    let accepted = world.ends(DeliveryState::Accepted).await.message.id;
    world.provider.always("a", Answer::Status(404));
    let dead = world.ends(DeliveryState::DeadLettered).await.message.id;
    let world = world.crash().await;
    assert!(!wait_until(|| async { !world.provider.sent().is_empty() }).await);
    assert_eq!(world.delivery(accepted).await.state, DeliveryState::Accepted);
    assert_eq!(world.delivery(dead).await.state, DeliveryState::DeadLettered);
}

#[tokio::test(start_paused = true)]
async fn breaker_pause_and_suspension_are_kept() {
    let world = Draft::to(&["a", "b", "c"]).start().await;
    world.provider.always("a", Answer::Status(401));
    world.provider.always("b", Answer::Later(429, 600));
    world.ends(DeliveryState::Accepted).await;
    world.engine.suspend(Suspension::Backend("c".into())).await.expect("it is stored");
    let kept = || async { world.store.inner.lane_records().await.expect("it answers").len() == 2 };
    assert!(wait_until(kept).await);
    let world = world.crash().await;
    assert!(matches!(world.lane("a").await.breaker, BreakerStatus::Open(_)));
    assert!(world.lane("b").await.paused.is_some_and(|until| until.until > world.now()));
    assert!(world.lane("c").await.suspended);
    assert_eq!(world.engine.status().await.suspensions.len(), 1);
    let id = world.send().await;
    world.until(id, DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["a"], "the breaker's end comes first");
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_is_gone_after_a_restart_is_emptied() {
    let world = Draft::to(&["a", "b"]).overlay("a", "own", true).start().await;
    world.provider.always("a@own", Answer::Later(503, 3600));
    world.provider.always("a", Answer::Later(503, 3600));
    let own = world.send_to("own", "+1").await;
    let shared = world.send_to("loc", "+2").await;
    world.deferred(own).await;
    world.deferred(shared).await;
    let mut draft = world.draft.clone();
    draft.backends.retain(|(name, _)| name == "b");
    draft.overlays.clear();
    draft.rules[0].deliver = dispatch_routing::Deliver::InOrder(vec!["b".into()]);
    let world = world.crash_into(draft).await;
    for id in [own, shared] {
        let view = world.until(id, DeliveryState::Accepted).await;
        assert!(view.delivery.plan.reasons.iter().any(|why| why.contains("skipped")));
    }
    assert_eq!(world.provider.sent_by(), ["b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_was_down_for_days_expires_what_is_too_late() {
    let world = Draft::to(&["a"]).start().await;
    let unplanned = world.admit(world.submission("loc", "+1", "x")).await.id;
    tokio::time::advance(Duration::from_secs(2 * 24 * 3600)).await;
    let world = world.crash().await;
    world.until(unplanned, DeliveryState::Expired).await;
    assert!(world.provider.sent().is_empty());
}
