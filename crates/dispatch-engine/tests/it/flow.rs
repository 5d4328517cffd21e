//! The way of a message that nothing stands in the way of, and what stands in the way of others.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dispatch_engine::EngineConfig;
use dispatch_model::*;
use dispatch_store::{MemoryStore, StoreHealth};
use tokio::time::Instant;

use crate::plugin::{Deliver, Plugin, reason};
use crate::provider::{Answer, Provider};
use crate::world::{Draft, World, wait_until};

#[tokio::test(start_paused = true)]
async fn a_fresh_message_costs_two_writes_besides_its_admission() {
    let world = Draft::to(&["a"]).start().await;
    world.ends(DeliveryState::Accepted).await;
    let count = |counter: &std::sync::atomic::AtomicUsize| counter.load(Ordering::SeqCst);
    assert_eq!(count(&world.store.plans), 0, "it is planned as it is admitted");
    assert_eq!(count(&world.store.claims), 1);
    assert_eq!(count(&world.store.marks), 0, "claim and mark are one");
    assert_eq!(count(&world.store.settles), 1);
}

#[tokio::test(start_paused = true)]
async fn the_next_one_finds_a_slot_as_it_comes_and_costs_one() {
    let world = Draft::to(&["a"]).start().await;
    world.ends(DeliveryState::Accepted).await;
    world.provider.answers("a", [Answer::Hang]);
    let id = world.send().await;
    let delivery = world.delivery(id).await;
    assert!(delivery.state == DeliveryState::Leased && delivery.marked, "its admission leases it");
    assert!(wait_until(|| async { world.provider.under_way() == 1 }).await);
    let view = world.until(id, DeliveryState::Scheduled).await;
    assert!(view.attempts[0].marked);
    let count = |counter: &std::sync::atomic::AtomicUsize| counter.load(Ordering::SeqCst);
    assert_eq!((count(&world.store.claims), count(&world.store.settles)), (1, 2), "one claim for the first");
    assert_eq!((count(&world.store.plans), count(&world.store.marks)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn one_that_entered_and_cannot_be_tried_after_all_is_given_back() {
    let world = Draft::to(&["a", "b"]).start().await;
    world.ends(DeliveryState::Accepted).await;
    let message = world.admit(world.submission("loc", "+1", "x")).await;
    assert_eq!(world.delivery(message.id).await.state, DeliveryState::Leased);
    // Before its attempt begins the backend is gone.
    let gone = Draft::to(&["b"]);
    world.engine.reload(gone.setup());
    let view = world.until(message.id, DeliveryState::Accepted).await;
    assert_eq!(view.attempts.len(), 1);
    assert!(!view.delivery.possible_double, "nothing had left");
    assert_eq!(world.provider.sent_by(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn none_is_marked_before_its_time_where_a_doubt_costs_or_the_first_step_delivers_nothing() {
    let doubt_costs = Draft::to(&["a"]).policy(|policy| policy.on_unknown = OnUnknown::Hold);
    let plugin = Plugin::new();
    plugin.set(Deliver::TokenFirst);
    for draft in [doubt_costs, Draft::to(&["a"]).plugin(plugin)] {
        let world = draft.start().await;
        for _ in 0..3 {
            let message = world.admit(world.submission("loc", "+1", "x")).await;
            assert_eq!(world.delivery(message.id).await.state, DeliveryState::Scheduled);
            world.until(message.id, DeliveryState::Accepted).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_slot_costs_no_more() {
    let world = Draft::to(&["a"]).limits(|limits| limits.concurrency = 1).start().await;
    let hold = world.provider.hold();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(world.send().await);
    }
    assert!(wait_until(|| async { world.provider.under_way() == 1 }).await);
    hold.add_permits(5);
    for id in ids {
        world.until(id, DeliveryState::Accepted).await;
    }
    let count = |counter: &std::sync::atomic::AtomicUsize| counter.load(Ordering::SeqCst);
    assert_eq!(count(&world.store.claims), 5, "one by one, by their ids");
    assert_eq!((count(&world.store.plans), count(&world.store.marks)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_first_step_that_delivers_nothing_is_marked_when_one_does() {
    let plugin = Plugin::new();
    plugin.set(Deliver::TokenFirst);
    let world = Draft::to(&["a"]).plugin(plugin).start().await;
    let view = world.ends(DeliveryState::Accepted).await;
    assert_eq!(world.store.marks.load(Ordering::SeqCst), 1);
    assert_eq!(view.attempts[0].exchanges.len(), 2);
    assert!(view.attempts[0].marked);
}

#[tokio::test(start_paused = true)]
async fn no_mark_no_request() {
    let plugin = Plugin::new();
    plugin.set(Deliver::TokenFirst);
    let world = Draft::to(&["a"]).plugin(plugin).start().await;
    world.store.refuse_mark.store(1, Ordering::SeqCst);
    let view = world.ends(DeliveryState::Accepted).await;
    assert_eq!(world.provider.asked("token"), 2, "it began again");
    assert_eq!(world.provider.asked("send"), 1);
    assert_eq!(view.attempts.len(), 1, "what was given back is no attempt");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_deliver_is_a_dead_letter_with_its_reason() {
    let world = Draft::to(&["a"]).start().await;
    let mut submission = world.submission("loc", "+1", "");
    submission.problem = Some(reason("unsupported-type"));
    let id = world.submit(submission).await;
    let view = world.until(id, DeliveryState::DeadLettered).await;
    assert_eq!(view.delivery.reason, Some(reason("unsupported-type")));

    let mut draft = Draft::to(&["a"]);
    draft.rules[0].channel = Some(Channel::Email);
    let world = draft.start().await;
    let view = world.ends(DeliveryState::DeadLettered).await;
    assert_eq!(view.delivery.reason.map(|why| why.code), Some(NO_ROUTE.into()));
    assert!(world.provider.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_does_not_carry_the_channel_is_passed_over() {
    let mut email_only = Plugin::new();
    email_only.description.channels = vec![Channel::Email];
    let world = Draft::to(&["a", "b"]).plugin_of("a", email_only).start().await;
    world.ends(DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_loses_nothing() {
    let config = EngineConfig { queue: 1, plan_batch: 3, ..EngineConfig::default() };
    let draft = Draft::to(&["a"]).limits(|limits| limits.concurrency = 2);
    let store = Arc::new(MemoryStore::new());
    let world = World::start_with(draft, store, Arc::new(Provider::default()), config, Instant::now()).await;
    *world.provider.delay.lock() = Duration::from_millis(10);
    let mut messages = Vec::new();
    for _ in 0..100 {
        let number = messages.len();
        messages.push(world.admit(world.submission("loc", &format!("+{number}"), "x")).await);
    }
    for message in &messages {
        world.engine.admitted(Arc::clone(message));
    }
    for message in &messages {
        world.until(message.id, DeliveryState::Accepted).await;
    }
    assert_eq!(world.provider.sent().len(), 100, "each once");
    assert_eq!(world.provider.most_at_once(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_for_a_while_loses_nothing() {
    let world = Draft::to(&["a"]).start().await;
    world.store.refuse_plan.store(3, Ordering::SeqCst);
    world.store.refuse_settle.store(5, Ordering::SeqCst);
    world.store.refuse_claim.store(2, Ordering::SeqCst);
    world.provider.answers("a", [Answer::Status(503)]);
    let view = world.ends(DeliveryState::Accepted).await;
    assert_eq!(view.attempts.len(), 2);
    assert_eq!(world.provider.sent().len(), 2, "a refused settlement repeats the write, not the request");
}

#[tokio::test(start_paused = true)]
async fn the_next_one_need_not_wait_until_an_answer_is_written_down() {
    let world = Draft::to(&["a"]).limits(|limits| limits.concurrency = 1).start().await;
    world.store.refuse_settle.store(usize::MAX, Ordering::SeqCst);
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(world.send().await);
    }
    assert!(wait_until(|| async { world.provider.sent().len() == 2 }).await);
    tokio::time::sleep(Duration::from_secs(3600)).await; // nothing more may happen in it
    assert_eq!(
        world.provider.sent().len(),
        2,
        "as many more as there are slots, while nothing can be recorded"
    );
    world.store.refuse_settle.store(0, Ordering::SeqCst);
    for id in ids {
        world.until(id, DeliveryState::Accepted).await;
    }
    assert_eq!((world.provider.sent().len(), world.provider.most_at_once()), (5, 1));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_failed_stops_the_engine_and_says_so() {
    let memory = Arc::new(MemoryStore::new());
    let world = World::start(Draft::to(&["a"]), Arc::clone(&memory) as _).await;
    let message = world.admit(world.submission("loc", "+1", "x")).await;
    memory.set_health(StoreHealth::Failed("torn page".into()));
    world.engine.admitted(message);
    let mut fatal = world.engine.fatal();
    let told = fatal.wait_for(Option::is_some).await.expect("the engine lives").clone();
    assert_eq!(told.as_deref(), Some("torn page"));
    assert_eq!(world.engine.status().await.fatal.as_deref(), Some("torn page"));
    assert!(world.engine.drain(Duration::from_secs(1)).await.finished);
}

#[tokio::test(start_paused = true)]
async fn too_late_is_expired_and_not_sent() {
    let world =
        Draft::to(&["a"]).policy(|policy| policy.expires_after = Duration::from_secs(60)).start().await;
    world.provider.always("a", Answer::Later(503, 600));
    let began = Instant::now();
    let view = world.ends(DeliveryState::Expired).await;
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(60) && waited < Duration::from_secs(63), "{waited:?}");
    assert_eq!(view.attempts.len(), 1);
    assert!(view.delivery.reason.is_some_and(|why| why.message.contains("503")));
}

#[tokio::test(start_paused = true)]
async fn two_to_one_recipient_leave_in_order() {
    let world = Draft::to(&["a"]).start().await;
    *world.provider.delay.lock() = Duration::from_secs(1);
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(world.submit(world.submission("loc", "+1", &format!("text {number}"))).await);
    }
    for id in &ids {
        world.until(*id, DeliveryState::Accepted).await;
    }
    let order: Vec<String> = world.provider.sent().into_iter().map(|asked| asked.message).collect();
    let expected: Vec<String> = ids.iter().map(ToString::to_string).collect();
    assert_eq!(order, expected);
    assert_eq!(world.provider.most_at_once(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_idle_engine_asks_the_store_for_nothing() {
    let world = Draft::to(&["a"]).start().await;
    world.ends(DeliveryState::Accepted).await;
    let before = world.store.claims.load(Ordering::SeqCst);
    assert!(!wait_until(|| async { world.store.claims.load(Ordering::SeqCst) > before }).await);
}
