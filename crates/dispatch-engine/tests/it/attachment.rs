//! Attachments: fetched, linked, dropped or fatal.

use dispatch_engine::FetchError;
use dispatch_model::*;

use crate::plugin::Plugin;
use crate::provider::Answer;
use crate::world::{Draft, World};

const GOOD: &str = "https://files.example/good";
const BAD: &str = "https://files.example/bad";

async fn send(world: &World, urls: &[&str]) -> MessageId {
    world.provider.file(GOOD, Ok(100));
    let mut submission = world.submission("loc", "+1", "text");
    submission.attachments =
        urls.iter().map(|url| Attachment { url: (*url).to_owned(), file: None }).collect();
    world.submit(submission).await
}

fn taking(media: MediaSupport) -> Plugin {
    let mut plugin = Plugin::new();
    plugin.description.limits.media = media;
    plugin
}

async fn with(media: MediaSupport, policy: AttachmentPolicy) -> World {
    Draft::to(&["a"]).plugin(taking(media)).policy(|it| it.attachments = policy).start().await
}

/// What the provider got: the text, and the attachments with whether they were fetched.
fn got(world: &World) -> (String, Vec<(String, bool)>) {
    let sent = world.provider.sent();
    let last = sent.last().expect("something was sent");
    let message: Message = serde_json::from_str(&last.body).expect("the script sends the message");
    let Content::Sms(sms) = &message.content else { panic!("it was sms") };
    let files: Vec<_> = message.attachments.iter().map(|it| (it.url.clone(), it.file.is_some())).collect();
    assert_eq!(last.attachments, files.iter().filter(|(_, fetched)| *fetched).count());
    (sms.text.clone(), files)
}

#[tokio::test(start_paused = true)]
async fn content_is_fetched_and_what_cannot_be_becomes_a_link() {
    let world = with(MediaSupport::Content, AttachmentPolicy::Link).await;
    let id = send(&world, &[BAD, GOOD]).await;
    let view = world.until(id, DeliveryState::Accepted).await;
    assert_eq!(got(&world), (format!("text\n{BAD}"), vec![(GOOD.to_owned(), true)]));
    assert!(view.delivery.plan.reasons.iter().any(|why| why.starts_with("attachment 1 became a link")));
}

#[tokio::test(start_paused = true)]
async fn content_is_fetched_once_for_several_attempts() {
    let world = with(MediaSupport::Content, AttachmentPolicy::Link).await;
    world.provider.answers("a", [Answer::Status(503), Answer::Status(503)]);
    let id = send(&world, &[GOOD]).await;
    world.until(id, DeliveryState::Accepted).await;
    assert_eq!(world.provider.sent().len(), 3);
    assert_eq!(world.provider.fetched.lock().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_takes_urls_gets_them_unfetched() {
    let world = with(MediaSupport::Url, AttachmentPolicy::Link).await;
    let id = send(&world, &[GOOD, BAD]).await;
    world.until(id, DeliveryState::Accepted).await;
    assert_eq!(got(&world), ("text".into(), vec![(GOOD.into(), false), (BAD.into(), false)]));
    assert!(world.provider.fetched.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_takes_none_gets_links_or_nothing() {
    for (policy, text) in
        [(AttachmentPolicy::Link, format!("text\n{GOOD}")), (AttachmentPolicy::Drop, "text".to_owned())]
    {
        let world = with(MediaSupport::None, policy).await;
        let id = send(&world, &[GOOD]).await;
        let view = world.until(id, DeliveryState::Accepted).await;
        assert_eq!(got(&world), (text, Vec::new()));
        assert!(view.delivery.plan.reasons.iter().any(|why| why.contains("attachment 1")));
    }
}

#[tokio::test(start_paused = true)]
async fn the_route_may_want_it_to_fail() {
    let world = with(MediaSupport::None, AttachmentPolicy::Fail).await;
    let id = send(&world, &[GOOD]).await;
    let view = world.until(id, DeliveryState::DeadLettered).await;
    assert_eq!(view.delivery.reason.map(|why| why.code), Some("attachment".into()));
    assert!(world.provider.sent().is_empty());

    // What may be there later is tried again.
    let world = with(MediaSupport::Content, AttachmentPolicy::Fail).await;
    world.provider.file(BAD, Err(FetchError::Transient("dns".into())));
    let id = send(&world, &[BAD]).await;
    world.deferred(id).await;
    world.provider.file(BAD, Ok(1));
    world.until(id, DeliveryState::Accepted).await;
}

#[tokio::test(start_paused = true)]
async fn count_and_bytes_are_bounded() {
    let world = with(MediaSupport::Content, AttachmentPolicy::Drop).await;
    let url = |n| format!("https://files.example/{n}");
    for (n, size) in [(1, 600), (2, 600), (3, 300), (4, 1), (5, 1)] {
        world.provider.file(&url(n), Ok(size));
    }
    let urls: Vec<String> = (1..=5).map(url).collect();
    let id = send(&world, &urls.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let view = world.until(id, DeliveryState::Accepted).await;
    let files: Vec<String> = got(&world).1.into_iter().map(|(url, _)| url).collect();
    assert_eq!(files, [url(1), url(3), url(4)], "1000 bytes and three files at most");
    let reasons = &view.delivery.plan.reasons;
    assert!(
        reasons.iter().any(|why| why == "attachment 2 left out: larger than 400 bytes are left for it"),
        "{reasons:?}"
    );
    assert!(
        reasons.iter().any(|why| why == "attachment 5 left out: the backend takes at most 3"),
        "{reasons:?}"
    );
}
