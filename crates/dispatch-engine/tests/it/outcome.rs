//! Each row of the table of outcomes, from the provider's answer to the record.

use std::time::Duration;

use dispatch_model::*;

use crate::plugin::{Deliver, Plugin};
use crate::provider::Answer;
use crate::world::{Draft, outcomes};

#[tokio::test(start_paused = true)]
async fn accepted_is_recorded_with_the_providers_reference() {
    let world = Draft::to(&["a"]).start().await;
    let view = world.ends(DeliveryState::Accepted).await;
    assert_eq!(outcomes(&view), [("a".into(), "accepted")]);
    assert_eq!(view.delivery.references, [format!("ref-{}", view.message.id)]);
    let attempt = &view.attempts[0];
    assert!(attempt.marked && !attempt.possible_double);
    assert_eq!((attempt.number, attempt.plugin_digest.as_str()), (1, "d1"));
    assert_eq!(attempt.idempotency_key, view.delivery.idempotency_key());
    assert_eq!(attempt.exchanges.len(), 1);
    let Action::Http(request) = &attempt.exchanges[0].action else { panic!("it was http") };
    assert!(request.url.contains(&Piece::Secret { name: "token".into(), escape: Escape::Percent }));
}

#[tokio::test(start_paused = true)]
async fn deferred_is_tried_again_here_and_then_elsewhere() {
    let world = Draft::to(&["a", "b"]).policy(|policy| policy.retry.attempts = 3).start().await;
    world.provider.always("a", Answer::Status(503));
    let view = world.ends(DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["a", "a", "a", "b"]);
    let gaps: Vec<_> = world.provider.sent().windows(2).map(|two| two[1].at - two[0].at).collect();
    assert!(gaps[0] >= Duration::from_millis(2500) && gaps[0] <= Duration::from_millis(5100), "{gaps:?}");
    assert!(gaps[1] >= Duration::from_millis(7500) && gaps[1] <= Duration::from_millis(15_100), "{gaps:?}");
    assert!(gaps[2] < Duration::from_millis(100), "elsewhere at once: {gaps:?}");
    assert_eq!(view.attempts.len(), 4);
    assert_eq!(view.delivery.attempts_total, 4);
}

#[tokio::test(start_paused = true)]
async fn a_spent_chain_is_a_dead_letter_with_the_last_reason() {
    let world = Draft::to(&["a", "b"]).policy(|policy| policy.retry.attempts = 2).start().await;
    world.provider.always("a", Answer::Status(503));
    world.provider.always("b", Answer::Failed(false));
    let view = world.ends(DeliveryState::DeadLettered).await;
    assert_eq!(world.provider.sent_by(), ["a", "a", "b", "b"]);
    assert_eq!(view.delivery.reason.map(|why| why.code), Some("no-answer".into()));
    assert!(!view.delivery.possible_double, "not one byte left");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_for() {
    let world = Draft::to(&["a"]).start().await;
    world.provider.answers("a", [Answer::Later(503, 120)]);
    world.ends(DeliveryState::Accepted).await;
    let sent = world.provider.sent();
    assert!(sent[1].at - sent[0].at >= Duration::from_secs(120));
}

#[tokio::test(start_paused = true)]
async fn rejections_of_recipient_and_content_are_final() {
    for status in [404, 413] {
        let world = Draft::to(&["a", "b"]).start().await;
        world.provider.always("a", Answer::Status(status));
        let view = world.ends(DeliveryState::DeadLettered).await;
        assert_eq!(world.provider.sent_by(), ["a"]);
        assert_eq!(view.delivery.reason.map(|why| why.code), Some(status.to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn refused_content_goes_elsewhere_where_the_route_says_so() {
    let world = Draft::to(&["a", "b"]).policy(|policy| policy.failover_on_content = true).start().await;
    world.provider.always("a", Answer::Status(413));
    world.ends(DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_sender_goes_elsewhere_and_opens_no_breaker() {
    let world = Draft::to(&["a", "b"]).limits(|limits| limits.breaker_failures = 1).start().await;
    world.provider.answers("a", [Answer::Status(403)]);
    world.ends(DeliveryState::Accepted).await;
    world.ends(DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["a", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_unknown_whatever_the_plugin_says() {
    let world = Draft::to(&["a", "b"]).policy(|policy| policy.on_unknown = OnUnknown::Hold).start().await;
    world.provider.always("a", Answer::Failed(true));
    let view = world.ends(DeliveryState::Held).await;
    assert_eq!(outcomes(&view), [("a".into(), "unknown")]);
    assert_eq!(world.provider.sent_by(), ["a"], "it never goes elsewhere by itself");
}

#[tokio::test(start_paused = true)]
async fn a_fault_before_anything_left_goes_elsewhere_without_a_retry() {
    let faulty = Plugin::new();
    faulty.set(Deliver::Trap);
    let world = Draft::to(&["a", "b"]).plugin_of("a", faulty).start().await;
    let view = world.ends(DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent_by(), ["b"]);
    assert!(view.attempts[0].fault.is_some() && !view.attempts[0].marked);

    let faulty = Plugin::new();
    faulty.set(Deliver::Trap);
    let world = Draft::to(&["a"]).plugin_of("a", faulty).start().await;
    let view = world.ends(DeliveryState::DeadLettered).await;
    assert_eq!(view.delivery.reason.map(|why| why.code), Some(PLUGIN_FAULT.into()));
    assert_eq!(view.attempts.len(), 1);
    assert!(matches!(world.lane("a").await.breaker, dispatch_engine::BreakerStatus::Closed { failures: 0 }));
}

#[tokio::test(start_paused = true)]
async fn a_fault_after_something_left_is_held() {
    let plugin = Plugin::new();
    plugin.set(Deliver::TrapAtReply);
    let world = Draft::to(&["a", "b"]).plugin(plugin).start().await;
    let view = world.ends(DeliveryState::Held).await;
    assert_eq!(outcomes(&view), [("a".into(), "unknown")]);
    assert!(view.attempts[0].fault.is_some() && view.attempts[0].marked);
    assert_eq!(world.provider.sent_by(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn want_of_memory_passes_and_is_waited_for() {
    let plugin = Plugin::new();
    plugin.set(Deliver::Starved(2));
    let world = Draft::to(&["a"]).plugin(plugin).start().await;
    let view = world.ends(DeliveryState::Accepted).await;
    let deferred = || ("a".to_owned(), "deferred");
    assert_eq!(outcomes(&view), [deferred(), deferred(), ("a".into(), "accepted")]);

    // What was sent had its answer, and nobody could read it: that must not be sent again.
    let plugin = Plugin::new();
    plugin.set(Deliver::StarvedAtReply);
    let world = Draft::to(&["a", "b"])
        .plugin(plugin)
        .policy(|policy| policy.on_unknown = OnUnknown::Hold)
        .start()
        .await;
    let view = world.ends(DeliveryState::Held).await;
    assert_eq!(outcomes(&view), [("a".into(), "unknown")]);
    assert_eq!(world.provider.sent_by(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_asks_without_end_is_stopped() {
    let plugin = Plugin::new();
    plugin.set(Deliver::Endless);
    let world = Draft::to(&["a"]).plugin(plugin).start().await;
    let view = world.ends(DeliveryState::DeadLettered).await;
    assert_eq!(view.attempts[0].fault, Some(Fault::Steps { limit: 32 }));
    assert_eq!(view.attempts[0].exchanges.len(), 32);
    assert_eq!(world.provider.asked("again"), 32);
}

#[tokio::test(start_paused = true)]
async fn a_plugin_may_know_the_end_without_asking() {
    let plugin = Plugin::new();
    let kind = Rejection::Content;
    plugin.set(Deliver::Done(Outcome::Rejected { kind, reason: crate::plugin::reason("too-long") }));
    let world = Draft::to(&["a"]).plugin(plugin).start().await;
    let view = world.ends(DeliveryState::DeadLettered).await;
    assert!(!view.attempts[0].marked);
    assert_eq!(view.delivery.reason.map(|why| why.code), Some("too-long".into()));
}

#[tokio::test(start_paused = true)]
async fn only_the_recipients_that_may_be_tried_again_are_sent_to_again() {
    let world = Draft::to(&["a"]).start().await;
    let refused = |name: &str, retry| RefusedRecipient {
        recipient: name.into(),
        reason: crate::plugin::reason("450"),
        retry,
    };
    let first = Acceptance {
        references: vec!["r1".into()],
        refused: vec![refused("b@x", true), refused("c@x", false)],
        ..Acceptance::default()
    };
    world.provider.answers("a", [Answer::Accept(first)]);
    let mut submission = world.submission("loc", "x", "");
    submission.content = Content::Email(EmailContent {
        from: None,
        to: vec!["a@x".into(), "b@x".into()],
        cc: vec!["c@x".into()],
        bcc: Vec::new(),
        subject: "s".into(),
        html: "h".into(),
        text: None,
        in_reply_to: None,
    });
    let id = world.submit(submission).await;
    world.until(id, DeliveryState::Accepted).await;
    let sent = world.provider.sent();
    assert_eq!(sent.len(), 2);
    let again: Message = serde_json::from_str(&sent[1].body).expect("the script sends the message");
    assert_eq!(again.recipients(), ["b@x"]);
}
