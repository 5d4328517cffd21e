//! Round robin over locations within each backend's due work, with the store on disk and real time.

use std::sync::Arc;
use std::time::Duration;

use dispatch_engine::EngineConfig;
use dispatch_store::{Admitted, SqliteStore, Store, StoreConfig, Suspension};
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::provider::Provider;
use crate::world::{Draft, World};

const WAITING: usize = 50_000;

/// A world over a store on disk, whose backend `a` takes one at a time from a provider that is held.
async fn one_at_a_time(folder: &TempDir) -> (World, Arc<Provider>, Arc<Semaphore>) {
    let config = StoreConfig { free_min: 0, ballast: 0, ..StoreConfig::new(folder.path().join("d.db")) };
    let store = Arc::new(SqliteStore::open(config).expect("it opens"));
    let draft = Draft::to(&["a"]).limits(|limits| limits.concurrency = 1);
    let provider = Arc::new(Provider::default());
    let hold = provider.hold();
    let world =
        World::start_with(draft, store, Arc::clone(&provider), EngineConfig::default(), Instant::now()).await;
    (world, provider, hold)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_to_wait_is_planned_as_it_is_admitted_and_keeps_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let (world, provider, hold) = one_at_a_time(&folder).await;
    let mut expected = vec![world.send_to("L", "+0").await.to_string()];
    until(async || provider.under_way() == 1).await;
    let mut wait = async |to: &str| match world.store.admit(world.submission("L", to, "x")).await {
        Ok(Admitted::Waiting(message)) => expected.push(message.id.to_string()),
        other => panic!("{to}: {other:?}"),
    };
    for to in ["+1", "+2", "+3"] {
        wait(to).await;
    }
    // Of a route that is suspended it is there as well, and goes when it is resumed.
    world.engine.suspend(Suspension::Route("all".into())).await.expect("it is suspended");
    wait("+4").await;
    hold.add_permits(5);
    until(async || provider.sent().len() == 1).await;
    world.engine.resume(Suspension::Route("all".into())).await.expect("it is resumed");
    until(async || provider.sent().len() == 5).await;
    let sent: Vec<String> = provider.sent().iter().map(|asked| asked.message.clone()).collect();
    assert_eq!(sent, expected);
}

/// Admits 50 000 messages of one location.
async fn crowd(world: &Arc<World>) {
    let mut admitting = JoinSet::new();
    for part in 0..50 {
        let world = Arc::clone(world);
        admitting.spawn(async move {
            for number in 0..WAITING / 50 {
                world.send_to("crowd", &format!("+{part}-{number}")).await;
            }
        });
    }
    while admitting.join_next().await.is_some() {}
}

async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !condition().await {
        assert!(Instant::now() < end, "it did not come about in two minutes");
        tokio::time::sleep(Duration::from_millis(5)).await; // between two looks at the condition
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_50_000_waiting_at_one_location_another_starts_among_the_next_two() {
    let folder = tempfile::tempdir().expect("a folder");
    let (world, provider, hold) = one_at_a_time(&folder).await;
    let world = Arc::new(world);
    crowd(&world).await;
    let waiting = async || world.lane("a").await.waiting.unwrap_or(0);
    until(async || waiting().await >= WAITING as u64 - 2 && provider.under_way() == 1).await;

    let other = world.send_to("quiet", "+1").await;
    until(async || waiting().await >= WAITING as u64 - 1).await;
    for _ in 0..2 {
        let before = provider.sent().len();
        hold.add_permits(1);
        until(async || provider.sent().len() > before).await;
    }
    let sent = provider.sent();
    let place = sent.iter().position(|asked| asked.message == other.to_string());
    assert!(place.is_some(), "it is not among the next two of {}", sent.len());
    drop(world.store.stats().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_50_000_that_came_while_it_was_suspended_another_is_among_the_first_two() {
    let folder = tempfile::tempdir().expect("a folder");
    let (world, provider, hold) = one_at_a_time(&folder).await;
    let world = Arc::new(world);
    world.engine.suspend(Suspension::Backend("a".into())).await.expect("it is suspended");
    crowd(&world).await;
    let other = world.send_to("quiet", "+1").await;
    assert!(provider.sent().is_empty());
    world.engine.resume(Suspension::Backend("a".into())).await.expect("it is resumed");
    hold.add_permits(2);
    // The third is on its way already.
    until(async || provider.sent().len() >= 2).await;
    let sent = provider.sent();
    assert!(
        sent.iter().take(2).any(|asked| asked.message == other.to_string()),
        "it is not among the first two"
    );
    drop(world.store.stats().await);
}
