//! Questions that deliver nothing: what a provider's callback says, and what became of an attempt whose
//! outcome is unknown. They share the step loop with deliveries; an action that delivers is a fault here.

use std::sync::Arc;

use dispatch_model::{
    Ask, AttemptRecord, BackendName, Callback, Context, Delivery, Effect, Exchange, FailureKind, Fault,
    LocationId, LookupQuery, LookupStep, Message, Outcome, Policy, Reason, ReceiveStep, Received, Reply,
    Timestamp,
};
use dispatch_store::EventKind;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::Setup;
use crate::attempt::Means;
use crate::conversation::{Halt, Line, Next, Script, converse};
use crate::core::Core;

/// What became of a provider's callback.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ReceiveOutcome {
    /// It is genuine: answer so, and this is what it says.
    Received(Received),
    /// It is not to be believed.
    Refused(Reason),
    /// The configuration has no such backend, or its plugin receives nothing.
    NotReceiving,
    /// The host ended the plugin's call.
    Fault(Fault),
    /// The engine is stopping: the provider repeats a callback that was not taken.
    Stopping,
}

/// What the provider says of an attempt whose outcome is unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "lookup")]
pub enum LookupOutcome {
    /// It has it, and this is what became of it.
    Found {
        /// What became of it.
        outcome: Outcome,
    },
    /// It does not have it.
    Absent,
    /// It may not show it yet, or did not answer.
    NotYet {
        /// After how many milliseconds it is to be asked again.
        wait_ms: u64,
        /// Why it did not answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// It cannot say.
    CannotTell {
        /// Why.
        reason: Reason,
    },
    /// The backend is gone, or its plugin looks nothing up.
    NotSupported,
    /// There is no such message, or its content is no longer kept.
    NoMessage,
    /// The host ended the plugin's call.
    Fault {
        /// Why.
        fault: Fault,
    },
}

/// A provider that does not answer the question is asked again for so many times the lag of its list; then it cannot tell.
const PATIENCE: u32 = 10;

/// Asks the provider what became of a delivery's last attempt. Changes nothing.
pub(crate) async fn ask_provider(
    core: &Core,
    setup: &Setup,
    means: &Means,
    message: &Message,
    delivery: &Delivery,
    exchanges: &mut Vec<Exchange>,
) -> Result<LookupOutcome, Halt> {
    let plugin = &means.backend.plugin;
    if !plugin.description().looks_up {
        return Ok(LookupOutcome::NotSupported);
    }
    let context = means.context(setup, delivery, core.now());
    let unsettled = unsettled(core, message, delivery).await;
    let query = LookupQuery { message: message.clone(), attempted_at: unsettled.began };
    let first = plugin.lookup(&context, &query, &means.grants).await.map(lookup_step);
    let mut script = Lookup { means, context: &context, unanswered: false };
    let line = line(core, means);
    let settled_at = unsettled.over.plus(means.policy.lookup_after);
    match converse(&line, &mut script, first, exchanges).await {
        Err(Halt::Fault(fault)) => Ok(LookupOutcome::Fault { fault }),
        // Lists lag: that it is not there says nothing before its time, whatever the plugin thinks of it.
        Ok(LookupOutcome::Absent) if context.now < settled_at => {
            let wait_ms = u64::try_from(settled_at.since(context.now).as_millis()).unwrap_or(u64::MAX);
            Ok(LookupOutcome::NotYet { wait_ms, reason: None })
        }
        // An outage is not the end of a question: to send again meanwhile would be a double for want of an answer.
        Ok(LookupOutcome::CannotTell { reason })
            if script.unanswered && context.now < settled_at.plus(means.policy.lookup_after * PATIENCE) =>
        {
            Ok(LookupOutcome::NotYet { wait_ms: 0, reason: Some(reason) })
        }
        other => other,
    }
}

/// Gives a callback to its backend's plugin.
pub(crate) async fn receive(
    core: &Core,
    setup: &Setup,
    backend: &BackendName,
    location: Option<&LocationId>,
    callback: &Callback,
) -> ReceiveOutcome {
    let Some(backend) = setup.backends.get(backend) else { return ReceiveOutcome::NotReceiving };
    if !backend.plugin.description().receives {
        return ReceiveOutcome::NotReceiving;
    }
    let (settings, grants) = setup.settings(backend, location);
    let now = core.now();
    let context = Context {
        settings: Arc::clone(&settings),
        now,
        deadline: now.plus(core.config.question_timeout),
        number: 1,
        idempotency_key: String::new(),
        callback_url: None,
    };
    let means = Means { backend: Arc::clone(backend), settings, grants, policy: Policy::default() };
    let first = backend.plugin.receive(&context, callback, &means.grants).await.map(receive_step);
    let mut script = Receive { means: &means, context: &context };
    let line = line(core, &means);
    match converse(&line, &mut script, first, &mut Vec::new()).await {
        Ok(outcome) => outcome,
        Err(Halt::Fault(fault)) => ReceiveOutcome::Fault(fault),
        Err(Halt::BrokenOff | Halt::Lost | Halt::Unmarked) => ReceiveOutcome::Stopping,
    }
}

fn line<'a>(core: &'a Core, means: &'a Means) -> Line<'a> {
    let deadline = Instant::now() + core.config.question_timeout;
    Line {
        egress: &*core.egress,
        clock: &*core.clock,
        abort: &core.abort,
        record_body: core.config.record_body,
        grants: &means.grants,
        attachments: &[],
        deadline,
    }
}

/// The attempt of which nobody knows whether it arrived.
struct Unsettled {
    /// When it began, at the earliest.
    began: Timestamp,
    /// When it was over, at the latest.
    over: Timestamp,
}

/// What is on record of it. Of one during which the process died there is no record: it may have begun as soon as the
/// message came, and was over when that was found out.
async fn unsettled(core: &Core, message: &Message, delivery: &Delivery) -> Unsettled {
    let view = core.store.message(delivery.message).await.ok().flatten();
    // A question that found no answer is on record as well: that is no attempt.
    let unknown =
        |attempt: &&AttemptRecord| attempt.marked && matches!(attempt.outcome, Outcome::Unknown { .. });
    let attempt = view.as_ref().and_then(|view| view.attempts.iter().rev().find(unknown));
    let died = view.as_ref().and_then(|view| {
        view.events.iter().rev().find(|event| event.kind == EventKind::Recovered).map(|event| event.at)
    });
    let began = attempt.map_or(message.received_at, |attempt| attempt.started_at);
    let over = attempt.map_or(message.received_at, |attempt| attempt.ended_at);
    Unsettled { began, over: died.map_or(over, |died| died.max(over)) }
}

/// A question delivers nothing: an action that would is the plugin's fault.
fn question_only(ask: &Ask) -> Result<(), Halt> {
    match ask.effect {
        Effect::None => Ok(()),
        Effect::Delivers => {
            let detail = "an action that delivers, in answer to a question".to_owned();
            Err(Halt::Fault(Fault::Contract { detail }))
        }
    }
}

struct Lookup<'a> {
    means: &'a Means,
    context: &'a Context,
    /// Whether the last answer was none, for a reason that passes.
    unanswered: bool,
}

impl Script for Lookup<'_> {
    type End = LookupOutcome;

    async fn before(&mut self, ask: &Ask) -> Result<(), Halt> {
        question_only(ask)
    }

    fn after(&mut self, _: Effect, reply: &Reply) {
        self.unanswered = match reply {
            Reply::Failed { kind, .. } => *kind != FailureKind::Refused,
            Reply::Http(response) => matches!(response.status, 408 | 425 | 429 | 500..=599),
            Reply::Mail(_) | Reply::Smpp(_) => false,
        };
    }

    async fn next(&mut self, state: &[u8], reply: &Arc<Reply>) -> Result<Next<LookupOutcome>, Fault> {
        let plugin = &self.means.backend.plugin;
        plugin.on_lookup_reply(self.context, state, reply, &self.means.grants).await.map(lookup_step)
    }
}

struct Receive<'a> {
    means: &'a Means,
    context: &'a Context,
}

impl Script for Receive<'_> {
    type End = ReceiveOutcome;

    async fn before(&mut self, ask: &Ask) -> Result<(), Halt> {
        question_only(ask)
    }

    fn after(&mut self, _: Effect, _: &Reply) {}

    async fn next(&mut self, state: &[u8], reply: &Arc<Reply>) -> Result<Next<ReceiveOutcome>, Fault> {
        let plugin = &self.means.backend.plugin;
        plugin.on_receive_reply(self.context, state, reply, &self.means.grants).await.map(receive_step)
    }
}

fn lookup_step(step: LookupStep) -> Next<LookupOutcome> {
    match step {
        LookupStep::Ask(ask) => Next::Ask(ask),
        LookupStep::Found(outcome) => Next::Done(LookupOutcome::Found { outcome }),
        LookupStep::Absent => Next::Done(LookupOutcome::Absent),
        LookupStep::NotYet(wait_ms) => Next::Done(LookupOutcome::NotYet { wait_ms, reason: None }),
        LookupStep::CannotTell(reason) => Next::Done(LookupOutcome::CannotTell { reason }),
    }
}

fn receive_step(step: ReceiveStep) -> Next<ReceiveOutcome> {
    match step {
        ReceiveStep::Ask(ask) => Next::Ask(ask),
        ReceiveStep::Received(received) => Next::Done(ReceiveOutcome::Received(received)),
        ReceiveStep::Refused(reason) => Next::Done(ReceiveOutcome::Refused(reason)),
    }
}
