//! What people write to us, and whom we write to no more.

use dispatch_engine::Caller;
use dispatch_model::*;
use dispatch_routing::{Conditions, Deliver, Rule};
use dispatch_store::{Filter, Store as _, Suppression, SuppressionFilter};

use crate::provider::Answer;
use crate::world::{Draft, World, rule};

const ANA: &str = "+525512345678";

/// What `a` brings is handed on by `crm`.
fn draft() -> Draft {
    let mut draft = Draft::to(&["a", "crm"]);
    draft.rules = vec![rule("all", Deliver::InOrder(vec!["a".into()]))];
    let when = Conditions { received_by: vec!["a".into()], ..Conditions::default() };
    draft.inbound = vec![Rule { when, ..rule("replies", Deliver::InOrder(vec!["crm".into()])) }];
    draft.policies.insert("replies".into(), Policy::default());
    draft
}

fn written(id: &str, from: &str, text: &str) -> Event {
    Event::Inbound(InboundMessage {
        id: id.into(),
        channel: Channel::Sms,
        from: from.into(),
        to: "+15005550006".into(),
        text: text.into(),
        media: Vec::new(),
    })
}

/// A person writes, by a URL that names no location.
async fn writes(world: &World, backend: &str, id: &str, text: &str) -> MessageId {
    let caller = Caller::standing(backend.into(), None);
    world.engine.hear(&caller, vec![written(id, ANA, text)]).await.expect("it is kept");
    world.store.find(id).await.expect("it answers")[0]
}

async fn suppressed(world: &World) -> Vec<Suppression> {
    world.store.suppressed(SuppressionFilter::default(), None, 99).await.expect("a page").items
}

fn mail(world: &World, to: &[&str]) -> Submission {
    let mut submission = world.submission("loc", "", "");
    submission.content = Content::Email(EmailContent {
        from: None,
        to: to.iter().map(|&to| to.to_owned()).collect(),
        cc: Vec::new(),
        bcc: Vec::new(),
        subject: "s".into(),
        html: "h".into(),
        text: None,
        in_reply_to: None,
    });
    submission
}

#[tokio::test(start_paused = true)]
async fn what_a_person_writes_is_handed_on_like_any_message() {
    let world = draft().start().await;
    world.provider.answers("crm", [Answer::Status(503)]);
    let id = writes(&world, "a", "SM1", "Hola").await;
    let view = world.until(id, DeliveryState::Accepted).await;
    assert_eq!(view.delivery.plan.route, Some("replies".into()));
    assert_eq!(view.attempts.len(), 2, "it was tried again");
    assert_eq!(view.message.inbound_from(), Some(ANA));
    assert_eq!(view.message.location.as_str(), "", "nobody had written to her");
    assert_eq!(writes(&world, "a", "SM1", "Hola").await, id, "the same one twice is one");
    assert_eq!(world.provider.sent_by(), ["crm", "crm"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_route_it_is_kept_until_there_is_one() {
    let mut draft = draft();
    let routes = std::mem::take(&mut draft.inbound);
    let world = draft.clone().start().await;
    let id = writes(&world, "a", "SM1", "Hola").await;
    let view = world.until(id, DeliveryState::Kept).await;
    assert_eq!(view.delivery.reason.map(|reason| reason.code), Some(NO_INBOUND_ROUTE.into()));
    draft.inbound = routes;
    draft.generation += 1;
    world.engine.reload(draft.setup());
    let kept = Filter { ids: vec![id], ..Filter::default() };
    let redrive = dispatch_store::Redrive { filter: kept, to: None, note: String::new() };
    assert_eq!(world.store.redrive(redrive, world.now()).await.expect("it answers"), 1);
    world.engine.wake();
    world.until(id, DeliveryState::Accepted).await;
}

#[tokio::test(start_paused = true)]
async fn a_word_stops_the_location_that_wrote_last_and_a_word_lifts_it() {
    let world = draft().start().await;
    for location in ["other", "loc"] {
        let id = world.send_to(location, ANA).await;
        world.until(id, DeliveryState::Accepted).await;
    }
    writes(&world, "a", "SM1", " ¡Alto! ").await;
    let known = suppressed(&world).await;
    assert_eq!(known.len(), 1);
    assert_eq!((known[0].address.as_str(), known[0].location.as_ref()), (ANA, Some(&"loc".into())));
    let before = world.provider.sent().len();
    let stopped = world.send_to("loc", ANA).await;
    let view = world.until(stopped, DeliveryState::DeadLettered).await;
    assert_eq!(view.delivery.reason.map(|reason| reason.code), Some(SUPPRESSED.into()));
    assert!(view.attempts.is_empty(), "no plugin was asked");
    let elsewhere = world.send_to("other", ANA).await;
    world.until(elsewhere, DeliveryState::Accepted).await;
    assert!(world.provider.sent().len() <= before + 2, "the other location's, and the word itself");
    writes(&world, "a", "SM2", "start").await;
    assert_eq!(suppressed(&world).await, []);
    let again = world.send_to("loc", ANA).await;
    world.until(again, DeliveryState::Accepted).await;
}

#[tokio::test(start_paused = true)]
async fn a_word_from_somebody_nobody_wrote_to_holds_everywhere_and_over_a_restart() {
    let world = draft().start().await;
    writes(&world, "a", "SM1", "STOP").await;
    assert_eq!(suppressed(&world).await[0].location, None);
    let world = world.crash().await;
    for location in ["loc", "other"] {
        let id = world.send_to(location, ANA).await;
        world.until(id, DeliveryState::DeadLettered).await;
    }
    writes(&world, "a", "SM2", "UNSTOP").await;
    let id = world.send_to("loc", ANA).await;
    world.until(id, DeliveryState::Accepted).await;
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_waits_is_held_back() {
    let world = draft().start().await;
    world.provider.answers("a", [Answer::Status(503)]);
    let id = world.send_to("loc", ANA).await;
    world.deferred(id).await;
    writes(&world, "a", "SM1", "baja").await;
    let view = world.until(id, DeliveryState::DeadLettered).await;
    assert_eq!(view.delivery.reason.map(|reason| reason.code), Some(SUPPRESSED.into()));
    assert_eq!(view.attempts.len(), 1);
    assert_eq!(world.provider.sent_by().iter().filter(|by| *by == "a").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_arrived_is_held_and_not_tried_again() {
    let world = draft().start().await;
    world.provider.answers("a", [Answer::Failed(true)]);
    let id = world.send_to("loc", ANA).await;
    world.deferred(id).await;
    writes(&world, "a", "SM1", "baja").await;
    let view = world.until(id, DeliveryState::Held).await;
    assert_eq!(view.delivery.reason.map(|reason| reason.code), Some(SUPPRESSED.into()));
    assert_eq!(world.provider.sent_by().iter().filter(|by| *by == "a").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_word_that_could_not_be_kept_is_not_heeded_later() {
    let world = draft().start().await;
    world.store.refuse_hear.store(1, std::sync::atomic::Ordering::SeqCst);
    let caller = Caller::standing("a".into(), None);
    assert!(world.engine.hear(&caller, vec![written("SM1", ANA, "STOP")]).await.is_err());
    let id = world.send_to("loc", ANA).await;
    world.until(id, DeliveryState::Accepted).await;
    writes(&world, "a", "SM1", "STOP").await;
    let id = world.send_to("loc", ANA).await;
    world.until(id, DeliveryState::DeadLettered).await;
}

#[tokio::test(start_paused = true)]
async fn of_a_mail_to_several_only_those_who_want_it_get_it() {
    let world = draft().start().await;
    let unwanted = Suppression {
        channel: Channel::Email,
        address: "ana@example.com".into(),
        location: Some("loc".into()),
        since: world.now(),
        backend: None,
        note: String::new(),
    };
    assert_eq!(world.engine.suppress(vec![unwanted.clone()]).await.expect("it is kept"), 1);
    assert_eq!(world.engine.suppress(vec![unwanted]).await.expect("it is kept"), 0);
    let both = world.submit(mail(&world, &["Ana <ANA@example.com>", "bob@example.com"])).await;
    let view = world.until(both, DeliveryState::Accepted).await;
    assert!(view.delivery.plan.reasons.iter().any(|reason| reason.contains("suppressed")));
    let body = world.provider.sent()[0].body.clone();
    assert!(body.contains("bob@") && !body.to_lowercase().contains("ana@"), "{body}");
    let her = world.submit(mail(&world, &["ana@example.com"])).await;
    world.until(her, DeliveryState::DeadLettered).await;
    let text = world.send_to("loc", ANA).await;
    world.until(text, DeliveryState::Accepted).await;
    let filter = SuppressionFilter { location: Some("loc".into()), ..SuppressionFilter::default() };
    assert_eq!(world.engine.unsuppress(filter).await.expect("it is kept"), 1);
    let her = world.submit(mail(&world, &["ana@example.com"])).await;
    world.until(her, DeliveryState::Accepted).await;
}

#[tokio::test(start_paused = true)]
async fn an_explanation_says_that_nobody_wants_it() {
    let world = draft().start().await;
    writes(&world, "a", "SM1", "STOP").await;
    let message = world.admit(world.submission("loc", ANA, "hello")).await;
    let told = world.engine.explain(&message).await;
    assert_eq!(told.dead.map(|reason| reason.code), Some(SUPPRESSED.into()));
    assert!(told.first.is_none(), "no plugin was asked");
}
