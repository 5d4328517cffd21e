//! Suspend, resume, cancel, redrive, resolve.

use std::time::Duration;

use dispatch_model::*;
use dispatch_store::{Filter, Redrive, Resolution, Store, Suspension};

use crate::provider::Answer;
use crate::world::{Draft, World, wait_until};

fn only(id: MessageId) -> Filter {
    Filter { ids: vec![id], ..Filter::default() }
}

async fn redrive(world: &World, id: MessageId, to: Option<&str>) {
    let redrive = Redrive { filter: only(id), to: to.map(Into::into), note: "test".into() };
    assert_eq!(world.store.redrive(redrive, world.now()).await.expect("it answers"), 1);
    world.engine.wake();
}

#[tokio::test(start_paused = true)]
async fn a_suspended_route_or_location_waits_and_goes_on_when_resumed() {
    for what in [Suspension::Location("loc".into()), Suspension::Route("all".into())] {
        let world = Draft::to(&["a", "b"]).start().await;
        assert!(world.engine.suspend(what.clone()).await.expect("it is stored"));
        assert!(!world.engine.suspend(what.clone()).await.expect("it is stored"), "it was");
        let id = world.send().await;
        world.until(id, DeliveryState::Scheduled).await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert!(world.provider.sent().is_empty());
        if what == Suspension::Location("loc".into()) {
            let other = world.send_to("other", "+9").await;
            world.until(other, DeliveryState::Accepted).await;
        }
        assert!(world.engine.resume(what).await.expect("it is stored"));
        world.until(id, DeliveryState::Accepted).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_slot_is_called_off_or_suspended_like_all_else() {
    let world = Draft::to(&["a"]).limits(|limits| limits.concurrency = 1).start().await;
    let hold = world.provider.hold();
    let first = world.send_to("loc", "+1").await;
    assert!(wait_until(|| async { world.provider.under_way() == 1 }).await);
    let cancelled = world.send_to("loc", "+2").await;
    let suspended = world.send_to("other", "+3").await;
    let last = world.send_to("loc", "+4").await;
    assert_eq!(world.store.cancel(only(cancelled), "stop".into(), world.now()).await.expect("it answers"), 1);
    let other = Suspension::Location("other".into());
    assert!(world.engine.suspend(other.clone()).await.expect("it is stored"));
    hold.add_permits(9);
    world.until(first, DeliveryState::Accepted).await;
    world.until(last, DeliveryState::Accepted).await;
    assert_eq!(world.delivery(cancelled).await.state, DeliveryState::Cancelled);
    assert_eq!(world.delivery(suspended).await.state, DeliveryState::Scheduled);
    assert_eq!(world.provider.sent().len(), 2);
    assert!(world.engine.resume(other).await.expect("it is stored"));
    world.until(suspended, DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_suspended_backend_is_passed_over() {
    let world = Draft::to(&["a", "b"]).start().await;
    world.engine.suspend(Suspension::Backend("a".into())).await.expect("it is stored");
    world.ends(DeliveryState::Accepted).await;
    world.engine.resume(Suspension::Backend("a".into())).await.expect("it is stored");
    world.ends(DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_at_a_backend_moves_on_when_it_is_suspended() {
    let world = Draft::to(&["a", "b"]).start().await;
    world.provider.answers("a", (0..3).map(|_| Answer::Later(503, 20)));
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(world.send().await);
    }
    for id in &ids {
        world.deferred(*id).await;
    }
    world.engine.suspend(Suspension::Backend("a".into())).await.expect("it is stored");
    for id in &ids {
        world.until(*id, DeliveryState::Accepted).await;
    }
    assert_eq!(world.provider.sent_by(), ["a", "a", "a", "b", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn with_nowhere_else_to_go_it_waits_for_the_backend() {
    let world = Draft::to(&["a"]).start().await;
    world.engine.suspend(Suspension::Backend("a".into())).await.expect("it is stored");
    let id = world.send().await;
    world.until(id, DeliveryState::Scheduled).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    world.engine.resume(Suspension::Backend("a".into())).await.expect("it is stored");
    let view = world.until(id, DeliveryState::Accepted).await;
    assert_eq!(view.attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_redriven_to_another_backend_with_another_key() {
    let mut draft = Draft::to(&["a", "b"]);
    draft.rules[0].deliver = dispatch_routing::Deliver::InOrder(vec!["a".into()]);
    let world = draft.start().await;
    world.provider.always("a", Answer::Status(404));
    let id = world.ends(DeliveryState::DeadLettered).await.message.id;
    redrive(&world, id, Some("b")).await;
    let view = world.until(id, DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["a", "b"]);
    let keys: Vec<_> = world.provider.sent().into_iter().map(|asked| asked.key).collect();
    assert_ne!(keys[0], keys[1]);
    assert_eq!(view.delivery.generation, 1);
    assert_eq!(view.attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_redrive_routes_anew_and_resets_attempts_and_expiry() {
    let world = Draft::to(&["a"])
        .policy(|policy| {
            policy.retry.attempts = 2;
            policy.expires_after = Duration::from_secs(3600);
        })
        .start()
        .await;
    world.provider.answers("a", (0..3).map(|_| Answer::Status(503)));
    let id = world.ends(DeliveryState::DeadLettered).await.message.id;
    tokio::time::sleep(Duration::from_secs(7200)).await;
    redrive(&world, id, None).await;
    let view = world.until(id, DeliveryState::Accepted).await;
    assert_eq!(view.attempts.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_held_one_is_resolved_in_three_ways() {
    for (resolution, state, sent) in [
        (Resolution::Accepted, DeliveryState::Accepted, 1),
        (Resolution::Failed, DeliveryState::DeadLettered, 1),
        (Resolution::Retry, DeliveryState::Accepted, 2),
    ] {
        let world = Draft::to(&["a", "b"]).policy(|policy| policy.on_unknown = OnUnknown::Hold).start().await;
        world.provider.answers("a", [Answer::Failed(true)]);
        let id = world.ends(DeliveryState::Held).await.message.id;
        assert!(world.store.resolve(id, resolution.clone(), world.now()).await.expect("it answers"));
        world.engine.wake();
        let view = world.until(id, state).await;
        assert_eq!(world.provider.sent_by(), vec!["a"; sent], "{resolution:?}");
        assert_eq!(view.delivery.possible_double, sent == 2);
        if sent == 2 {
            let keys: Vec<_> = world.provider.sent().into_iter().map(|asked| asked.key).collect();
            assert_eq!(keys[0], keys[1], "the provider can recognise it");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_called_off_during_its_attempt_ends_with_it() {
    let world = Draft::to(&["a"]).start().await;
    let hold = world.provider.hold();
    world.provider.answers("a", [Answer::Status(503)]);
    let id = world.send().await;
    assert!(wait_until(|| async { world.provider.under_way() == 1 }).await);
    world.store.cancel(only(id), "wrong campaign".into(), world.now()).await.expect("it answers");
    hold.add_permits(1);
    world.until(id, DeliveryState::Cancelled).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.provider.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn waiting_ones_are_called_off_at_once() {
    let world = Draft::to(&["a"]).start().await;
    world.provider.answers("a", [Answer::Later(503, 60)]);
    let id = world.send().await;
    world.deferred(id).await;
    let filter = Filter { location: Some("loc".into()), ..Filter::default() };
    assert_eq!(world.store.cancel(filter, "stop".into(), world.now()).await.expect("it answers"), 1);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.delivery(id).await.state, DeliveryState::Cancelled);
    assert_eq!(world.provider.sent().len(), 1);
}
