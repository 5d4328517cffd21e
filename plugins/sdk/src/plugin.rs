//! What a plugin implements.
//!
//! [`Plugin`] and [`Deliver`] are all that most need: two functions and two declarations. A provider that wants several
//! requests (a token, an upload) takes [`DeliverSteps`] instead; [`Receive`] or [`ReceiveSmpp`], and [`Lookup`] come on
//! top.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Acceptance, Callback, Check, Context, Description, Event, LookupStep, Mail, Message, Query, Reason,
    ReceiveStep, Refusal, Reply, Request, Response, ShortMessage, SmppDelivery,
};

/// What every plugin is.
pub trait Plugin {
    /// The settings of a backend, read by serde. Deny unknown fields, so that a typing error is told.
    type Settings: DeserializeOwned;

    /// What the plugin is.
    fn describe() -> Description;

    /// What these settings ask for, and what is wrong with them: all of it, not the first thing.
    fn check(settings: &Self::Settings, check: &mut Check);
}

/// A provider that takes a message with one HTTP request.
pub trait Deliver: Plugin {
    /// The request that delivers this message.
    ///
    /// # Errors
    /// What the provider could never take, said before anything is asked.
    fn request(context: &Context<Self::Settings>, message: &Message) -> Result<Request, Refusal>;

    /// What the answer means. Where there is none the SDK has judged already.
    ///
    /// # Errors
    /// What the provider refused.
    fn outcome(context: &Context<Self::Settings>, response: &Response) -> Result<Acceptance, Refusal>;
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// An HTTP request.
    Http(Request),
    /// A mail for the relay.
    Mail(Mail),
    /// A short message for the session.
    Smpp(ShortMessage),
}

/// The next step of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<S> {
    /// Do what delivers nothing, such as fetching a token or uploading a file; come back with the reply and the state.
    Prepare(Action, S),
    /// Do what may deliver the message. "May have been sent" is on the host's disk before it leaves.
    Send(Action, S),
    /// The provider took it.
    Done(Acceptance),
}

/// A provider that needs several steps, a relay, or an SMPP session.
pub trait DeliverSteps: Plugin {
    /// What is carried from step to step; at most 64 KiB as JSON.
    type State: Serialize + DeserializeOwned;

    /// The first step for a message.
    ///
    /// # Errors
    /// What the provider could never take.
    fn deliver(context: &Context<Self::Settings>, message: &Message) -> Result<Step<Self::State>, Refusal>;

    /// The next step, given what came of the last one.
    ///
    /// # Errors
    /// What the provider refused.
    fn on_reply(
        context: &Context<Self::Settings>,
        state: Self::State,
        reply: Reply,
    ) -> Result<Step<Self::State>, Refusal>;
}

/// A provider that calls back over HTTP with receipts or inbound messages.
pub trait Receive: Plugin {
    /// What is carried from step to step; `()` where a callback is judged at once.
    type State: Serialize + DeserializeOwned;

    /// What a callback says. Verify it first.
    ///
    /// # Errors
    /// Why it is not to be believed.
    fn receive(
        context: &Context<Self::Settings>,
        callback: &Callback,
    ) -> Result<ReceiveStep<Self::State>, Reason>;

    /// Goes on, given what came of the last step's action.
    ///
    /// # Errors
    /// Why it is not to be believed.
    fn on_receive_reply(
        _context: &Context<Self::Settings>,
        _state: Self::State,
        _reply: Reply,
    ) -> Result<ReceiveStep<Self::State>, Reason> {
        Err(Reason::new("no-steps", "this plugin judges callbacks at once"))
    }
}

/// A message centre that says over its session what became of messages, and brings those that are for us.
pub trait ReceiveSmpp: Plugin {
    /// What a delivery says. Nothing is to be verified: it came over the backend's own session.
    ///
    /// # Errors
    /// Why it cannot be taken: the message centre is told so, and does not offer it again.
    fn receive(context: &Context<Self::Settings>, delivery: &SmppDelivery) -> Result<Vec<Event>, Reason>;
}

/// A provider that can be asked whether an attempt arrived.
pub trait Lookup: Plugin {
    /// What is carried from step to step.
    type State: Serialize + DeserializeOwned;

    /// What to ask.
    ///
    /// # Errors
    /// Why the provider cannot tell.
    fn lookup(context: &Context<Self::Settings>, query: &Query) -> Result<LookupStep<Self::State>, Reason>;

    /// What the answer means, or what to ask next.
    ///
    /// # Errors
    /// Why the provider cannot tell.
    fn on_lookup_reply(
        context: &Context<Self::Settings>,
        state: Self::State,
        reply: Reply,
    ) -> Result<LookupStep<Self::State>, Reason>;
}
