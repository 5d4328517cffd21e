//! What a guest returned, held against the contract and turned into the model's nouns.
//!
//! The bytes were bounded as they crossed (the store's hostcall fuel); here counts and sizes are. Where the
//! contract names a bound, what is beyond is a fault and not a cut, since half a request is not a request.
//! Words for people are clipped and cleaned instead: they change nothing.

mod asks;
mod event;
mod outcome;
mod request;
mod smpp;

use dispatch_model::{Ask, Body, Effect, Fault, LookupStep, ReceiveStep, Step};

pub(crate) use asks::{asks, problems};

use crate::contract::wit;
use crate::fault::contract;

/// Bytes of `state`: the contract says so.
const STATE_MAX: usize = 64 << 10;

/// More than the contract allows of something?
fn bounded(what: &str, count: usize, max: usize) -> Result<(), Fault> {
    if count > max { Err(contract(format!("{count} {what}, at most {max} are allowed"))) } else { Ok(()) }
}

pub(crate) fn step(step: wit::Step) -> Result<Step, Fault> {
    Ok(match step {
        wit::Step::Ask(asked) => Step::Ask(ask(asked)?),
        wit::Step::Done(outcome) => Step::Done(outcome::outcome(outcome)?),
    })
}

pub(crate) fn receive_step(step: wit::ReceiveStep) -> Result<ReceiveStep, Fault> {
    Ok(match step {
        wit::ReceiveStep::Ask(asked) => ReceiveStep::Ask(harmless(ask(asked)?, "receive")?),
        wit::ReceiveStep::Received(received) => ReceiveStep::Received(event::received(received)?),
        wit::ReceiveStep::Refused(reason) => ReceiveStep::Refused(outcome::reason(reason)),
    })
}

pub(crate) fn lookup_step(step: wit::LookupStep) -> Result<LookupStep, Fault> {
    Ok(match step {
        wit::LookupStep::Ask(asked) => LookupStep::Ask(harmless(ask(asked)?, "lookup")?),
        wit::LookupStep::Found(outcome) => LookupStep::Found(outcome::outcome(outcome)?),
        wit::LookupStep::Absent => LookupStep::Absent,
        wit::LookupStep::NotYet(wait_ms) => LookupStep::NotYet(wait_ms),
        wit::LookupStep::CannotTell(reason) => LookupStep::CannotTell(outcome::reason(reason)),
    })
}

fn ask(ask: wit::Ask) -> Result<Ask, Fault> {
    bounded("bytes of state", ask.state.len(), STATE_MAX)?;
    Ok(Ask {
        action: request::action(ask.action)?,
        effect: match ask.effect {
            wit::Effect::None => Effect::None,
            wit::Effect::Delivers => Effect::Delivers,
        },
        state: Body::from(ask.state),
    })
}

/// Callbacks and questions deliver nothing.
fn harmless(ask: Ask, call: &str) -> Result<Ask, Fault> {
    match ask.effect {
        Effect::None => Ok(ask),
        Effect::Delivers => Err(contract(format!("an action of `{call}` says that it delivers"))),
    }
}

#[cfg(test)]
mod tests;
