//! The end: what is under way finishes within the bound, the rest is given back.

use std::sync::Arc;
use std::time::Duration;

use dispatch_model::*;
use dispatch_store::Stands;

use crate::plugin::{Deliver, Plugin};
use crate::provider::Answer;
use crate::world::{Draft, wait_until};

#[tokio::test(start_paused = true)]
async fn attempts_under_way_finish_and_nothing_new_begins() {
    let world = Draft::to(&["a"]).limits(|limits| limits.concurrency = 1).start().await;
    *world.provider.delay.lock() = Duration::from_secs(3);
    let first = world.send().await;
    let second = world.send().await;
    assert!(wait_until(|| async { world.provider.under_way() == 1 }).await);
    let drained = world.engine.drain(Duration::from_secs(10)).await;
    assert!(drained.finished && drained.broken_off == 0);
    assert_eq!(world.delivery(first).await.state, DeliveryState::Accepted);
    assert_eq!(world.delivery(second).await.state, DeliveryState::Scheduled);
    let late = world.send().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.delivery(late).await.state, DeliveryState::Unplanned);
    assert!(world.engine.status().await.draining);
    let world = world.crash().await;
    for id in [second, late] {
        world.until(id, DeliveryState::Accepted).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_its_slot_and_is_being_written_is_waited_for() {
    let world = Draft::to(&["a"]).start().await;
    world.ends(DeliveryState::Accepted).await;
    let submission = world.submission("loc", "+1", "x");
    let message = Arc::new(Message { id: MessageId::first_at(world.now()), submission });
    let planner = world.store.planner.get().expect("the engine's");
    let waits = planner.waits(&message, 1).expect("it is to be tried");
    assert_eq!(waits.stands, Stands::Leased);
    let engine = Arc::clone(&world.engine);
    let drained = tokio::spawn(async move { engine.drain(Duration::from_secs(60)).await });
    tokio::time::sleep(Duration::from_secs(30)).await; // within the bound
    assert!(!drained.is_finished());
    assert!(planner.waits(&message, 1).is_none(), "nothing new");
    drop(waits);
    assert!(drained.await.expect("it drains").finished);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bound_what_may_have_left_is_unknown() {
    let world = Draft::to(&["a"]).policy(|policy| policy.on_unknown = OnUnknown::Hold).start().await;
    world.provider.answers("a", [Answer::Hang]);
    let id = world.send().await;
    assert!(wait_until(|| async { world.provider.under_way() == 1 }).await);
    let drained = world.engine.drain(Duration::from_secs(5)).await;
    assert!(!drained.finished);
    assert_eq!(drained.broken_off, 1);
    let view = world.view(id).await;
    assert_eq!(view.delivery.state, DeliveryState::Held);
    assert_eq!(view.attempts[0].outcome.kind(), "unknown");
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bound_what_had_not_left_is_given_back() {
    let plugin = Plugin::new();
    plugin.set(Deliver::TokenFirst);
    let world = Draft::to(&["a"]).plugin(plugin).start().await;
    world.provider.answers_all("token", Answer::Hang);
    let id = world.send().await;
    assert!(wait_until(|| async { world.provider.asked("token") == 1 }).await);
    let drained = world.engine.drain(Duration::from_secs(5)).await;
    assert_eq!((drained.finished, drained.broken_off), (false, 1));
    let view = world.view(id).await;
    assert_eq!(view.delivery.state, DeliveryState::Scheduled);
    assert!(view.attempts.is_empty() && !view.delivery.unresolved);
}
