//! Texts: written as the route wants them before a plugin sees them.

use dispatch_engine::FirstStep;
use dispatch_model::*;

use crate::plugin::Plugin;
use crate::world::{Draft, World};

async fn with(text: TextPolicy, text_max: Option<u32>) -> World {
    let mut plugin = Plugin::new();
    plugin.description.limits.text_max = text_max;
    plugin.description.limits.media = MediaSupport::None;
    Draft::to(&["a"]).plugin(plugin).policy(|it| it.text = text).start().await
}

fn sent(world: &World) -> Vec<String> {
    let text = |body: &str| {
        let message: Message = serde_json::from_str(body).expect("the script sends the message");
        let Content::Sms(sms) = message.submission.content else { panic!("it was sms") };
        sms.text
    };
    world.provider.sent().iter().map(|sent| text(&sent.body)).collect()
}

#[tokio::test(start_paused = true)]
async fn an_accent_does_not_double_the_bill_and_the_timeline_says_so() {
    let policy = TextPolicy { transliterate: Transliterate::Saving, ..TextPolicy::default() };
    let world = with(policy, None).await;
    let text = format!("{}á", "ñ".repeat(100));
    let id = world.submit(world.submission("loc", "+1", &text)).await;
    let view = world.until(id, DeliveryState::Accepted).await;
    assert_eq!(sent(&world), [format!("{}a", "ñ".repeat(100))]);
    let written = WrittenText { encoding: TextEncoding::Gsm7, parts: 1, units: 101, changed: 1, cut: 0 };
    assert_eq!(view.attempts[0].text, Some(written));
    // The message itself stays as it came.
    assert!(matches!(&view.message.content, Content::Sms(sms) if sms.text == text));
}

#[tokio::test(start_paused = true)]
async fn a_text_of_too_many_parts_is_not_sent() {
    let policy = TextPolicy { parts_max: 2, ..TextPolicy::default() };
    let world = with(policy, None).await;
    let id = world.submit(world.submission("loc", "+1", &"á".repeat(135))).await;
    let view = world.until(id, DeliveryState::DeadLettered).await;
    let reason = view.delivery.reason.expect("a reason");
    assert_eq!(reason.to_string(), "parts: the text has 3 parts in UCS-2 and the route allows 2");
    assert!(world.provider.sent().is_empty());
    // So is one that the backend does not take whole.
    let world = with(TextPolicy::default(), Some(10)).await;
    let id = world.submit(world.submission("loc", "+1", "eleven char")).await;
    let view = world.until(id, DeliveryState::DeadLettered).await;
    assert_eq!(view.delivery.reason.map(|reason| reason.code), Some("text-length".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_text_is_cut_where_the_route_says_so_and_links_stay() {
    let policy = TextPolicy { parts_max: 1, too_long: TooLong::Cut, ..TextPolicy::default() };
    let world = with(policy, None).await;
    let mut submission = world.submission("loc", "+1", &"x".repeat(200));
    submission.attachments = vec![Attachment { url: "https://a.example/f.pdf".to_owned(), file: None }];
    let id = world.submit(submission).await;
    let view = world.until(id, DeliveryState::Accepted).await;
    let texts = sent(&world);
    assert!(texts[0].len() == 160 && texts[0].ends_with("x...\nhttps://a.example/f.pdf"), "{texts:?}");
    assert_eq!(view.attempts[0].text.map(|text| (text.parts, text.cut)), Some((1, 67)));
}

#[tokio::test(start_paused = true)]
async fn it_is_explained_as_it_would_be_done() {
    let policy = TextPolicy { transliterate: Transliterate::Always, parts_max: 1, too_long: TooLong::Reject };
    let world = with(policy, None).await;
    let explain = async |text: &str| {
        let submission = world.submission("loc", "+1", text);
        world.engine.explain(&Message { id: MessageId::from_i64(1), submission }).await
    };
    let explained = explain("¿Está?").await;
    let text = explained.text.expect("an SMS has parts");
    assert_eq!(text.written.to_string(), "1 part, GSM-7, 1 character replaced");
    assert_eq!(
        text.changes.iter().map(|change| (&*change.from, &*change.to)).collect::<Vec<_>>(),
        [("á", "a")]
    );
    let Some(FirstStep::Step(step)) = explained.first else { panic!("a step") };
    assert!(format!("{step:?}").contains("Esta?"), "{step:?}");

    let explained = explain("á\u{1f600}").await;
    let text = explained.text.expect("an SMS has parts");
    assert_eq!((text.written.encoding, text.foreign), (TextEncoding::Ucs2, vec!['á', '\u{1f600}']));

    let explained = explain(&"x".repeat(161)).await;
    assert!(matches!(&explained.first, Some(FirstStep::Unfit(outcome)) if outcome.kind() == "rejected"));
}
