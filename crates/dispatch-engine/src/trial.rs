//! One delivery without a store, for trying a plugin. The step loop and the judgement of the evidence are those of
//! production.

use std::sync::Arc;
use std::time::Duration;

use dispatch_model::{Ask, Clock, Context, Effect, Exchange, Fault, Message, Outcome, Reason, Reply, Step};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::conversation::{Halt, Line, Next, Script, converse};
use crate::evidence::Evidence;
use crate::{Backend, Egress, Grants, Spooled};

/// What a delivery is tried with.
#[derive(Clone, Copy)]
pub struct Trial<'a> {
    /// Who decides.
    pub plugin: &'a dyn Backend,
    /// Who acts.
    pub egress: &'a dyn Egress,
    /// What time it is.
    pub clock: &'a dyn Clock,
    /// What is allowed.
    pub grants: &'a Grants,
    /// The message's fetched attachments, by index; empty where the plugin takes URLs.
    pub attachments: &'a [Arc<Spooled>],
    /// How long it may take.
    pub timeout: Duration,
    /// Bytes of a body that are kept of an exchange.
    pub record_body: usize,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Each action and its reply.
    pub exchanges: Vec<Exchange>,
    /// How it ended, the engine's overrulings included.
    pub end: Result<Outcome, Fault>,
}

impl Trial<'_> {
    /// Delivers a message.
    pub async fn deliver(&self, context: &Context, message: &Arc<Message>) -> Account {
        let abort = CancellationToken::new();
        let line = Line {
            egress: self.egress,
            clock: self.clock,
            abort: &abort,
            record_body: self.record_body,
            grants: self.grants,
            attachments: self.attachments,
            deadline: Instant::now() + self.timeout,
        };
        let mut exchanges = Vec::new();
        let mut tried = Tried { trial: self, context, evidence: Evidence::default() };
        let first = self.plugin.deliver(context, message, self.grants).await.map(next);
        let end = match converse(&line, &mut tried, first, &mut exchanges).await {
            Ok(outcome) => Ok(tried.evidence.judge(outcome)),
            Err(Halt::Fault(fault)) => Err(fault),
            // Nobody aborts a trial, and it has no lease to lose.
            Err(Halt::Lost | Halt::Unmarked | Halt::BrokenOff) => {
                Ok(Outcome::Unknown { reason: Reason::new("broken-off", "the trial was given up") })
            }
        };
        Account { exchanges, end }
    }
}

struct Tried<'a> {
    trial: &'a Trial<'a>,
    context: &'a Context,
    evidence: Evidence,
}

impl Script for Tried<'_> {
    type End = Outcome;

    async fn before(&mut self, _: &Ask) -> Result<(), Halt> {
        Ok(())
    }

    fn after(&mut self, effect: Effect, reply: &Reply) {
        self.evidence.note(effect, reply);
    }

    async fn next(&mut self, state: &[u8], reply: &Arc<Reply>) -> Result<Next<Outcome>, Fault> {
        self.trial.plugin.on_reply(self.context, state, reply, self.trial.grants).await.map(next)
    }
}

fn next(step: Step) -> Next<Outcome> {
    match step {
        Step::Ask(ask) => Next::Ask(ask),
        Step::Done(outcome) => Next::Done(outcome),
    }
}
