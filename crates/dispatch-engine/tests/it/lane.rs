//! What holds for everybody in a lane: concurrency, rate, pause, breaker.

use std::time::Duration;

use dispatch_engine::{BreakerStatus, Rate};
use dispatch_model::*;

use crate::provider::Answer;
use crate::world::{Draft, World, wait_until};

async fn send_many(world: &World, count: usize) -> Vec<MessageId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(world.send().await);
    }
    ids
}

async fn all_accepted(world: &World, ids: &[MessageId]) {
    for id in ids {
        world.until(*id, DeliveryState::Accepted).await;
    }
}

#[tokio::test(start_paused = true)]
async fn concurrency_is_held_and_used() {
    let world = Draft::to(&["a"]).limits(|limits| limits.concurrency = 3).start().await;
    *world.provider.delay.lock() = Duration::from_millis(500);
    let ids = send_many(&world, 30).await;
    all_accepted(&world, &ids).await;
    assert_eq!(world.provider.most_at_once(), 3);
    let sent = world.provider.sent();
    let took = sent[29].at - sent[0].at;
    assert!(took < Duration::from_secs(6), "three at a time take five seconds, not {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_held_and_used() {
    let rate = Rate { count: 10, per: Duration::from_secs(1) };
    let world = Draft::to(&["a"]).limits(|limits| limits.rate = Some(rate)).start().await;
    let ids = send_many(&world, 50).await;
    all_accepted(&world, &ids).await;
    let sent = world.provider.sent();
    for window in sent.windows(12) {
        let span = window[11].at - window[0].at;
        assert!(span >= Duration::from_secs(1), "twelve in {span:?}");
    }
    let took = sent[49].at - sent[0].at;
    assert!(took < Duration::from_millis(5500), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn throttling_pauses_everybody_capped_and_shown_with_its_end() {
    let world = Draft::to(&["a"]).limits(|limits| limits.pause_max = Duration::from_secs(300)).start().await;
    world.provider.answers("a", [Answer::Later(429, 100_000)]);
    let first = world.send().await;
    world.deferred(first).await;
    let paused = world.lane("a").await.paused.expect("it is paused");
    let left = paused.until.since(world.now());
    assert!(left > Duration::from_secs(290) && left <= Duration::from_secs(300), "{left:?}");
    assert!(paused.reason.contains("429"));
    let second = world.send().await;
    all_accepted(&world, &[first, second]).await;
    let sent = world.provider.sent();
    assert!(sent[1].at - sent[0].at >= Duration::from_secs(300));
    assert_eq!(sent.len(), 3);
    assert_eq!(world.lane("a").await.paused, None);
}

#[tokio::test(start_paused = true)]
async fn the_breaker_opens_probes_with_one_and_closes() {
    let world = Draft::to(&["a"])
        .limits(|limits| {
            limits.breaker_failures = 3;
            limits.breaker_open = Duration::from_secs(15);
            limits.concurrency = 4;
        })
        .policy(|policy| {
            policy.retry.first = Duration::from_millis(10);
            policy.retry.max = Duration::from_millis(10);
            policy.retry.attempts = 100;
        })
        .start()
        .await;
    *world.provider.delay.lock() = Duration::from_millis(100);
    world.provider.answers("a", (0..3).map(|_| Answer::Failed(false)));
    let first = world.send().await;
    let opened = || async { matches!(world.lane("a").await.breaker, BreakerStatus::Open(_)) };
    assert!(wait_until(opened).await);
    let BreakerStatus::Open(until) = world.lane("a").await.breaker else { panic!("just seen") };
    assert!(until.until.since(world.now()) <= Duration::from_secs(15));
    let mut ids = send_many(&world, 8).await;
    ids.push(first);
    // The first probe fails too: the wait doubles.
    world.provider.answers("a", [Answer::Status(503)]);
    all_accepted(&world, &ids).await;
    let sent = world.provider.sent();
    assert!(sent[3].at - sent[2].at >= Duration::from_secs(15), "the first probe");
    assert!(sent[4].at - sent[3].at >= Duration::from_secs(30), "the second probe, alone");
    assert!(
        sent[5].at - sent[4].at >= Duration::from_millis(100),
        "the others only when it has come through"
    );
    assert_eq!(world.lane("a").await.breaker, BreakerStatus::Closed { failures: 0 });
}

#[tokio::test(start_paused = true)]
async fn a_location_with_credentials_of_its_own_has_a_lane_of_its_own() {
    let world = Draft::to(&["a"]).overlay("a", "own", true).overlay("a", "same", false).start().await;
    world.provider.always("a@own", Answer::Status(401));
    let own = world.send_to("own", "+1").await;
    world.deferred(own).await;
    let same = world.send_to("same", "+2").await;
    let other = world.send_to("other", "+3").await;
    all_accepted(&world, &[same, other]).await;
    assert!(matches!(world.lane("a@own").await.breaker, BreakerStatus::Open(_)));
    assert!(matches!(world.lane("a").await.breaker, BreakerStatus::Closed { .. }));
    assert_eq!(world.provider.sent_by()[1..], ["a@same", "a"]);
}

#[tokio::test(start_paused = true)]
async fn thousands_of_lanes_are_served() {
    let mut draft = Draft::to(&["a"]).limits(|limits| {
        limits.concurrency = 1;
        limits.rate = Some(Rate { count: 1, per: Duration::from_secs(1) });
    });
    for location in 0..2000 {
        draft = draft.overlay("a", &format!("loc{location}"), true);
    }
    let world = draft.start().await;
    let mut ids = Vec::new();
    for location in 0..2000 {
        ids.push(world.send_to(&format!("loc{location}"), "+1").await);
    }
    all_accepted(&world, &ids).await;
    let sent = world.provider.sent();
    let took = sent[1999].at - sent[0].at;
    assert!(took < Duration::from_secs(5), "no lane waits for another: {took:?}");
    assert_eq!(world.engine.status().await.lanes.len(), 1, "idle lanes of locations are not listed");
}
