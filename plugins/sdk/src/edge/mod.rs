//! Where the SDK's types meet the contract's. Only the built component has this.

mod heap;
mod inward;
mod outward;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Action, Deliver, DeliverSteps, Lookup, LookupStep, Plugin, Query, Reason, Receive, ReceiveSmpp,
    ReceiveStep, Refusal, Step,
};

/// The generated bindings.
#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "plugin",
        pub_export_macro: true,
        default_bindings_module: "dispatcher_plugin::edge::bindings",
    });
}

pub use bindings::dispatcher::plugin::types as wire;
pub use bindings::exports::dispatcher::plugin::delivery::Guest;

/// `describe`; `more` are the names of the traits beside delivering.
pub fn describe<P: Plugin>(more: &[&str]) -> wire::Description {
    let mut features = wire::Features::empty();
    features.set(wire::Features::RECEIVE, more.contains(&"Receive") || more.contains(&"ReceiveSmpp"));
    features.set(wire::Features::LOOKUP, more.contains(&"Lookup"));
    outward::description(P::describe(), features)
}

/// `check`.
pub fn check<P: Plugin>(settings: &str) -> Result<wire::Asks, Vec<wire::Problem>> {
    crate::check::<P>(settings).map(Into::into).map_err(|all| all.into_iter().map(Into::into).collect())
}

/// The context with the plugin's own settings. That they cannot be read is not to be thought of: they have passed `check`.
fn context<P: Plugin>(context: wire::Context) -> Result<crate::Context<P::Settings>, Reason> {
    let settings = crate::settings(&context.settings).map_err(|error| Reason::new("settings", error))?;
    Ok(crate::Context {
        settings,
        now_ms: context.now_ms,
        deadline_ms: context.deadline_ms,
        number: context.number,
        idempotency_key: context.idempotency_key,
        callback_url: context.callback_url,
    })
}

fn write<S: Serialize>(state: &S) -> Vec<u8> {
    serde_json::to_vec(state).expect("the plugin's state can be written as JSON")
}

fn read<S: DeserializeOwned>(state: &[u8]) -> Result<S, Reason> {
    serde_json::from_slice(state).map_err(|error| Reason::new("state", error.to_string()))
}

fn ask(action: Action, effect: wire::Effect, state: Vec<u8>) -> wire::Ask {
    wire::Ask { action: action.into(), effect, state }
}

fn step<S: Serialize>(step: Result<Step<S>, Refusal>) -> wire::Step {
    match step {
        Ok(Step::Prepare(action, state)) => wire::Step::Ask(ask(action, wire::Effect::None, write(&state))),
        Ok(Step::Send(action, state)) => wire::Step::Ask(ask(action, wire::Effect::Delivers, write(&state))),
        Ok(Step::Done(acceptance)) => wire::Step::Done(Ok(acceptance).into()),
        Err(refusal) => wire::Step::Done(Err(refusal).into()),
    }
}

/// `deliver` of a plugin that asks once.
pub fn once_deliver<P: Deliver>(given: wire::Context, message: wire::Message) -> wire::Step {
    step(context::<P>(given).map_err(Refusal::Account).and_then(|context| {
        P::request(&context, &message.into()).map(|request| Step::Send(request.into(), ()))
    }))
}

/// `on-reply` of a plugin that asks once.
pub fn once_on_reply<P: Deliver>(given: wire::Context, _state: &[u8], reply: wire::Reply) -> wire::Step {
    let now = given.now_ms;
    step::<()>(context::<P>(given).map_err(Refusal::Unknown).and_then(|context| {
        let response = inward::reply(reply, now).http()?;
        P::outcome(&context, &response).map(Step::Done)
    }))
}

/// `deliver`.
pub fn deliver<P: DeliverSteps>(given: wire::Context, message: wire::Message) -> wire::Step {
    step(
        context::<P>(given)
            .map_err(Refusal::Account)
            .and_then(|context| P::deliver(&context, &message.into())),
    )
}

/// `on-reply`.
pub fn on_reply<P: DeliverSteps>(given: wire::Context, state: &[u8], reply: wire::Reply) -> wire::Step {
    let now = given.now_ms;
    step(
        context::<P>(given)
            .and_then(|context| Ok((context, read(state)?)))
            .map_err(Refusal::Unknown)
            .and_then(|(context, state)| P::on_reply(&context, state, inward::reply(reply, now))),
    )
}

fn receive_step<S: Serialize>(step: Result<ReceiveStep<S>, Reason>) -> wire::ReceiveStep {
    match step {
        Ok(ReceiveStep::Ask(action, state)) => {
            wire::ReceiveStep::Ask(ask(action, wire::Effect::None, write(&state)))
        }
        Ok(ReceiveStep::Received(received)) => wire::ReceiveStep::Received(received.into()),
        Err(reason) => wire::ReceiveStep::Refused(reason.into()),
    }
}

/// `receive` of a plugin whose provider calls back over HTTP.
pub fn receive<P: Receive>(given: wire::Context, callback: wire::Callback) -> wire::ReceiveStep {
    let wire::Callback::Http(callback) = callback else { return no_receive::<P>(given, callback) };
    receive_step(context::<P>(given).and_then(|context| P::receive(&context, &callback.into())))
}

/// `receive` of a plugin with a session.
pub fn receive_smpp<P: ReceiveSmpp>(given: wire::Context, callback: wire::Callback) -> wire::ReceiveStep {
    let wire::Callback::Smpp(delivery) = callback else { return no_receive::<P>(given, callback) };
    match context::<P>(given).and_then(|context| P::receive(&context, &delivery.into())) {
        Ok(events) => wire::ReceiveStep::Received(wire::Received {
            answer: None,
            events: events.into_iter().map(outward::event).collect(),
        }),
        Err(reason) => wire::ReceiveStep::Refused(reason.into()),
    }
}

/// `on-receive-reply`.
pub fn on_receive_reply<P: Receive>(
    given: wire::Context,
    state: &[u8],
    reply: wire::Reply,
) -> wire::ReceiveStep {
    let now = given.now_ms;
    receive_step(
        context::<P>(given)
            .and_then(|context| P::on_receive_reply(&context, read(state)?, inward::reply(reply, now))),
    )
}

/// `receive` of a plugin that has none, or none of this kind.
pub fn no_receive<P: Plugin>(_: wire::Context, _: wire::Callback) -> wire::ReceiveStep {
    wire::ReceiveStep::Refused(Reason::new("unsupported", "this plugin takes no such callbacks").into())
}

/// `on-receive-reply` of a plugin that has none.
pub fn no_receive_reply<P: Plugin>(_: wire::Context, _: &[u8], _: wire::Reply) -> wire::ReceiveStep {
    wire::ReceiveStep::Refused(Reason::new("unsupported", "this plugin takes no callbacks").into())
}

fn lookup_step<S: Serialize>(step: Result<LookupStep<S>, Reason>) -> wire::LookupStep {
    match step {
        Ok(LookupStep::Ask(action, state)) => {
            wire::LookupStep::Ask(ask(action, wire::Effect::None, write(&state)))
        }
        Ok(LookupStep::Found(outcome)) => wire::LookupStep::Found(outcome.into()),
        Ok(LookupStep::Absent) => wire::LookupStep::Absent,
        Ok(LookupStep::NotYet(wait_ms)) => wire::LookupStep::NotYet(wait_ms),
        Err(reason) => wire::LookupStep::CannotTell(reason.into()),
    }
}

/// `lookup`.
pub fn lookup<P: Lookup>(given: wire::Context, query: wire::LookupQuery) -> wire::LookupStep {
    let query = Query { message: query.message.into(), attempted_at_ms: query.attempted_at_ms };
    lookup_step(context::<P>(given).and_then(|context| P::lookup(&context, &query)))
}

/// `on-lookup-reply`.
pub fn on_lookup_reply<P: Lookup>(
    given: wire::Context,
    state: &[u8],
    reply: wire::Reply,
) -> wire::LookupStep {
    let now = given.now_ms;
    lookup_step(
        context::<P>(given)
            .and_then(|context| P::on_lookup_reply(&context, read(state)?, inward::reply(reply, now))),
    )
}

/// `lookup` of a plugin that has none.
pub fn no_lookup<P: Plugin>(_: wire::Context, _: wire::LookupQuery) -> wire::LookupStep {
    wire::LookupStep::CannotTell(Reason::new("unsupported", "this provider cannot be asked").into())
}

/// `on-lookup-reply` of a plugin that has none.
pub fn no_lookup_reply<P: Plugin>(_: wire::Context, _: &[u8], _: wire::Reply) -> wire::LookupStep {
    wire::LookupStep::CannotTell(Reason::new("unsupported", "this provider cannot be asked").into())
}
