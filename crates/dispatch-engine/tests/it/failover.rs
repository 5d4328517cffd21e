//! Chains and weights.

use std::collections::HashMap;
use std::time::Duration;

use dispatch_model::*;

use crate::provider::Answer;
use crate::world::Draft;

#[tokio::test(start_paused = true)]
async fn a_long_pause_goes_elsewhere_and_a_short_one_is_waited_for() {
    let world = Draft::to(&["a", "b"]).start().await;
    world.provider.answers("a", [Answer::Later(429, 600)]);
    let view = world.ends(DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["a", "b"]);
    assert_eq!(view.attempts.len(), 2);

    let world = Draft::to(&["a", "b"]).start().await;
    world.provider.answers("a", [Answer::Later(429, 30)]);
    world.ends(DeliveryState::Accepted).await;
    let sent = world.provider.sent();
    assert_eq!(world.provider.sent_by(), ["a", "a"]);
    assert!(sent[1].at - sent[0].at >= Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn throttling_costs_no_attempt() {
    let world = Draft::to(&["a"]).policy(|policy| policy.retry.attempts = 1).start().await;
    world.provider.answers("a", (0..5).map(|_| Answer::Later(429, 30)));
    let view = world.ends(DeliveryState::Accepted).await;
    assert_eq!(view.attempts.len(), 6);
    assert_eq!(view.delivery.attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_does_not_work_goes_elsewhere_at_once_and_for_all() {
    let world = Draft::to(&["a", "b"]).start().await;
    world.provider.always("a", Answer::Status(401));
    for _ in 0..3 {
        world.ends(DeliveryState::Accepted).await;
    }
    assert_eq!(world.provider.sent_by(), ["a", "b", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn with_nowhere_else_to_go_it_waits_for_the_account_to_be_put_right() {
    let world = Draft::to(&["a"]).start().await;
    world.provider.answers("a", [Answer::Status(401), Answer::Status(401)]);
    let first = world.send().await;
    let second = world.send().await;
    world.until(first, DeliveryState::Accepted).await;
    let view = world.until(second, DeliveryState::Accepted).await;
    assert!(view.delivery.attempts_total <= 2);
    assert!(world.provider.sent().len() <= 4);
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_an_open_breaker_moves_on() {
    let world = Draft::to(&["a", "b"])
        .limits(|limits| {
            limits.concurrency = 1;
            limits.breaker_failures = 2;
            limits.breaker_open = Duration::from_secs(3600);
        })
        .start()
        .await;
    *world.provider.delay.lock() = Duration::from_millis(100);
    world.provider.always("a", Answer::Status(503));
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(world.send().await);
    }
    for id in &ids {
        world.until(*id, DeliveryState::Accepted).await;
    }
    let at_a = world.provider.sent_by().iter().filter(|backend| *backend == "a").count();
    assert_eq!(at_a, 2, "two failures opened it, and the others did not wait an hour");
}

#[tokio::test(start_paused = true)]
async fn all_unavailable_waits_free_of_attempts() {
    let world = Draft::to(&["a", "b"]).policy(|policy| policy.retry.attempts = 2).start().await;
    world.provider.answers("a", (0..4).map(|_| Answer::Later(429, 700)));
    world.provider.answers("b", (0..4).map(|_| Answer::Later(429, 700)));
    let view = world.ends(DeliveryState::Accepted).await;
    assert_eq!(view.delivery.attempts, 1);
    assert_eq!(view.attempts.len(), 9);
}

#[tokio::test(start_paused = true)]
async fn weights_share_contacts_and_a_contact_stays_where_it_is() {
    let world = Draft::weighted(&[("a", 9), ("b", 1)]).start().await;
    let mut ids = Vec::new();
    for round in 0..2 {
        for contact in 0..300 {
            let _ = round;
            ids.push(world.send_to("loc", &format!("+{contact}")).await);
        }
    }
    for id in ids {
        world.until(id, DeliveryState::Accepted).await;
    }
    let mut by_contact: HashMap<String, Vec<String>> = HashMap::new();
    for asked in world.provider.sent() {
        let message: Message = serde_json::from_str(&asked.body).expect("the script sends the message");
        by_contact.entry(message.recipients()[0].to_owned()).or_default().push(asked.backend);
    }
    let at_b = by_contact.values().filter(|backends| backends[0] == "b").count();
    assert!((10..60).contains(&at_b), "{at_b} of 300 contacts at a tenth of the weight");
    assert!(by_contact.values().all(|backends| backends[0] == backends[1]));
}

#[tokio::test(start_paused = true)]
async fn the_others_of_a_weighted_list_are_its_failover() {
    let world = Draft::weighted(&[("a", 1), ("b", 0)]).start().await;
    world.provider.always("a", Answer::Status(403));
    world.ends(DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["a", "b"]);
}
