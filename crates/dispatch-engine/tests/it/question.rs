//! Callbacks, lookups and explanations.

use dispatch_engine::{CallbackEnd, Caller, FirstStep, LaneState, LookupOutcome, Tally};
use dispatch_model::*;

use crate::plugin::{Plugin, reason};
use crate::provider::Answer;
use crate::world::Draft;

fn callback(body: &str) -> Callback {
    Callback::Http(HttpCallback {
        method: "POST".into(),
        url: "https://public/callbacks/a".into(),
        headers: Vec::new(),
        body: Body::from(body.to_owned()),
    })
}

#[tokio::test(start_paused = true)]
async fn a_callback_is_believed_refused_or_a_fault() {
    let world = Draft::to(&["a"]).overlay("a", "loc", true).start().await;
    let caller = Caller::standing("a".into(), Some("loc".into()));
    let receive = async |body: &str| world.engine.callback(&caller, &callback(body)).await;
    let CallbackEnd::Taken { tally, .. } = receive("ref-1").await else { panic!("it is genuine") };
    assert_eq!(tally, Tally { parked: 1, ..Tally::default() }, "nobody knows the reference");
    assert!(matches!(receive("forged").await, CallbackEnd::Refused(why) if why.code == "signature"));
    assert!(matches!(receive("trap").await, CallbackEnd::Fault(Fault::Trap { .. })));
    assert!(matches!(receive("deliver").await, CallbackEnd::Fault(Fault::Contract { .. })));
    let unknown = world.engine.callback(&Caller::standing("z".into(), None), &callback("x")).await;
    assert_eq!(unknown, CallbackEnd::NotReceiving);
}

#[tokio::test(start_paused = true)]
async fn an_operator_may_ask_what_became_of_a_held_one() {
    let mut plugin = Plugin::new();
    plugin.description.looks_up = true;
    let world =
        Draft::to(&["a"]).plugin(plugin).policy(|policy| policy.on_unknown = OnUnknown::Hold).start().await;
    world.provider.answers("a", [Answer::Failed(true)]);
    let view = world.ends(DeliveryState::Held).await;
    let id = view.message.id;
    let told = world.engine.explain(&view.message).await;
    assert_eq!(told.chain[0].lookup_after_ms, Some(75_000));
    *world.draft.plugin.lookup.lock() = LookupStep::Absent;
    let over = view.attempts[0].ended_at;
    assert!(world.now().since(over) >= Policy::default().lookup_after, "its list had time to show it");
    assert_eq!(world.engine.lookup(id).await.expect("it answers"), LookupOutcome::Absent);
    assert_eq!(world.delivery(id).await.state, DeliveryState::Held, "asking changes nothing");
    let missing = world.engine.lookup(MessageId::from_i64(1)).await.expect("it answers");
    assert_eq!(missing, LookupOutcome::NoMessage);
}

#[tokio::test(start_paused = true)]
async fn an_explanation_shows_the_chain_and_the_first_step_with_secrets_as_names() {
    let world = Draft::to(&["a", "b"]).overlay("b", "loc", true).start().await;
    world.provider.always("a", Answer::Status(401));
    world.ends(DeliveryState::Accepted).await;
    let message = world.admit(world.submission("loc", "+1", "hello")).await;
    let told = world.engine.explain(&message).await;
    assert_eq!(told.routing.plan.route, Some("all".into()));
    let states: Vec<_> = told.chain.iter().map(|link| (link.lane.to_string(), &link.availability)).collect();
    assert!(matches!(states[0].1, LaneState::Broken(_)));
    assert_eq!(states[1], ("b@loc".to_owned(), &LaneState::Open));
    assert_eq!(told.chain[0].lookup_after_ms, None, "this provider cannot be asked");
    assert!(told.chain[1].overlay && told.chain[1].plugin.as_deref() == Some("script 1"));
    let Some(FirstStep::Step(step)) = &told.first else { panic!("it has a first step") };
    let text = serde_json::to_string(step).expect("plain data");
    assert!(text.contains("b@loc") && text.contains("token") && !text.contains("s1"), "{text}");

    let mut problem = (*message).clone();
    problem.submission.problem = Some(reason("no-number"));
    let told = dispatch_engine::explain(&world.draft.setup(), &problem, world.now()).await;
    assert_eq!(told.dead, Some(reason("no-number")));
    assert!(told.first.is_none());
}
