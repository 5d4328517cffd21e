//! A new configuration while work goes on.

use std::time::Duration;

use dispatch_engine::{BreakerStatus, Setup};
use dispatch_model::*;

use crate::provider::Answer;
use crate::world::{Draft, World, wait_until};

fn next(world: &World, change: impl FnOnce(&mut Draft)) -> Setup {
    let mut draft = world.draft.clone();
    draft.generation += 1;
    change(&mut draft);
    draft.setup()
}

#[tokio::test(start_paused = true)]
async fn attempts_under_way_finish_on_what_they_started_with() {
    let world = Draft::to(&["a"]).start().await;
    let hold = world.provider.hold();
    let id = world.send().await;
    assert!(wait_until(|| async { world.provider.under_way() == 1 }).await);
    world.engine.reload(next(&world, |draft| {
        draft.backends[0].0 = "z".into();
        draft.rules[0].deliver = dispatch_routing::Deliver::InOrder(vec!["z".into()]);
    }));
    assert_eq!(world.engine.status().await.generation, 2);
    hold.add_permits(1);
    let view = world.until(id, DeliveryState::Accepted).await;
    assert_eq!(view.attempts[0].backend, "a".into());
    hold.add_permits(1);
    world.ends(DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["a", "z"]);
}

#[tokio::test(start_paused = true)]
async fn waiting_deliveries_see_the_new_policy_and_settings() {
    let world = Draft::to(&["a"]).policy(|policy| policy.retry.attempts = 100).start().await;
    world.provider.always("a", Answer::Later(503, 60));
    let id = world.send().await;
    world.deferred(id).await;
    world.engine.reload(next(&world, |draft| {
        draft.policies.entry("all".into()).or_default().retry.attempts = 2;
    }));
    let view = world.until(id, DeliveryState::DeadLettered).await;
    assert_eq!(view.attempts.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_backend_that_is_gone_goes_elsewhere_or_ends() {
    let world = Draft::to(&["a", "b"]).start().await;
    world.provider.always("a", Answer::Later(503, 60));
    let id = world.send().await;
    world.deferred(id).await;
    world.engine.reload(next(&world, |draft| {
        draft.backends.retain(|(name, _)| name == "b");
        draft.rules[0].deliver = dispatch_routing::Deliver::InOrder(vec!["b".into()]);
    }));
    let view = world.until(id, DeliveryState::Accepted).await;
    assert!(view.delivery.plan.reasons.iter().any(|why| why.contains("\"a\"") && why.contains("skipped")));

    let world = Draft::to(&["a"]).start().await;
    world.provider.always("a", Answer::Later(503, 60));
    let id = world.send().await;
    world.deferred(id).await;
    world.engine.reload(next(&world, |draft| {
        draft.backends[0].0 = "z".into();
        draft.rules[0].deliver = dispatch_routing::Deliver::InOrder(vec!["z".into()]);
    }));
    let view = world.until(id, DeliveryState::DeadLettered).await;
    assert_eq!(view.delivery.reason.map(|why| why.code), Some("503".into()));
}

#[tokio::test(start_paused = true)]
async fn a_location_gets_and_loses_a_lane_of_its_own() {
    let world = Draft::to(&["a"]).start().await;
    world.provider.answers("a", [Answer::Later(503, 60)]);
    let id = world.send().await;
    world.deferred(id).await;
    world.engine.reload(next(&world, |draft| draft.overlays.push(("a".into(), "loc".into(), true))));
    world.until(id, DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["a", "a@loc"]);

    world.provider.answers("a@loc", [Answer::Later(503, 60)]);
    let id = world.send().await;
    world.deferred(id).await;
    world.engine.reload(next(&world, |draft| draft.generation += 1));
    world.until(id, DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["a", "a@loc", "a@loc", "a"]);
}

#[tokio::test(start_paused = true)]
async fn new_credentials_are_tried_at_once() {
    let world =
        Draft::to(&["a"]).limits(|limits| limits.breaker_open = Duration::from_secs(3600)).start().await;
    world.provider.answers("a", [Answer::Status(401)]);
    let first = world.send().await;
    let opened = || async { matches!(world.lane("a").await.breaker, BreakerStatus::Open(_)) };
    assert!(wait_until(opened).await);
    world.engine.reload(next(&world, |_| {}));
    assert!(opened().await, "nothing of it changed");
    world.engine.reload(next(&world, |draft| draft.secret = "s2".into()));
    let began = tokio::time::Instant::now();
    let second = world.send().await;
    world.until(second, DeliveryState::Accepted).await;
    world.until(first, DeliveryState::Accepted).await;
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert!(matches!(world.lane("a").await.breaker, BreakerStatus::Closed { .. }));
}

#[tokio::test(start_paused = true)]
async fn under_load_nothing_is_lost_or_sent_twice() {
    let world = Draft::to(&["a", "b"]).limits(|limits| limits.concurrency = 3).start().await;
    *world.provider.delay.lock() = Duration::from_millis(20);
    let mut ids = Vec::new();
    for round in 0..20 {
        for _ in 0..20 {
            ids.push(world.send().await);
        }
        world.engine.reload(next(&world, |draft| {
            draft.generation = 2 + round;
            if round % 2 == 0 {
                draft.overlays.push(("a".into(), "loc".into(), true));
            }
            if round % 3 == 0 {
                draft.backends.retain(|(name, _)| name == "a");
                draft.rules[0].deliver = dispatch_routing::Deliver::InOrder(vec!["a".into()]);
            }
        }));
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    for id in &ids {
        world.until(*id, DeliveryState::Accepted).await;
    }
    assert_eq!(world.provider.sent().len(), ids.len());
}
