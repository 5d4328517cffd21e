//! The canonical line: one per webhook, with what an operator asks first. Ids, never addresses or
//! texts. The same facts become the metrics.

use std::sync::Arc;
use std::time::Duration;

use dispatch_highlevel::SignatureError;
use dispatch_model::{LocationId, MessageId, Reason};
use metrics::{counter, histogram};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::answer::{Busy, Situation, answer};
use crate::callback::Told;
use crate::config::Endpoint;

/// What is known of a webhook so far.
pub(crate) struct Line {
    started: Instant,
    pub(crate) source: Option<Arc<Endpoint>>,
    pub(crate) proof: Option<&'static str>,
    pub(crate) location: Option<LocationId>,
    pub(crate) external_id: Option<String>,
    pub(crate) bytes: usize,
    /// The code of what makes it a dead letter, or why it was quarantined.
    pub(crate) problem: Option<String>,
}

impl Line {
    pub(crate) fn begin() -> Self {
        Self {
            started: Instant::now(),
            source: None,
            proof: None,
            location: None,
            external_id: None,
            bytes: 0,
            problem: None,
        }
    }

    pub(crate) fn problem(&mut self, reason: Option<&Reason>) {
        self.problem = reason.map(|reason| reason.code.clone());
    }

    /// Writes it. `answered` is false when the client had gone, or had been told to come again,
    /// before this was known.
    pub(crate) fn end(self, situation: Situation, answered: bool) {
        let answer = answer(situation);
        let (outcome, status) = (answer.outcome, answer.status.as_u16());
        let source = self.source.as_ref().map_or("-", |endpoint| endpoint.name.as_str());
        let counted =
            || counter!("dispatcher_webhooks_total", "source" => source.to_owned(), "outcome" => outcome);
        match (&self.source, situation) {
            (Some(endpoint), Situation::Accepted(_)) => endpoint.accepted.get_or_init(counted).increment(1),
            _ => counted().increment(1),
        }
        let message = match situation {
            Situation::Accepted(id) | Situation::Duplicate(id) => Some(id),
            _ => None,
        };
        macro_rules! write {
            ($level:ident) => {
                $level!(
                    source,
                    outcome,
                    status,
                    message_id = message.as_ref().map(MessageId::to_string),
                    location = self.location.as_ref().map(LocationId::as_str),
                    external_id = self.external_id.as_deref(),
                    proof = self.proof,
                    problem = self.problem.as_deref(),
                    bytes = self.bytes,
                    took_ms = (self.started.elapsed().as_secs_f64() * 10_000.0).round() / 10.0,
                    answered,
                    "webhook"
                )
            };
        }
        match situation {
            // Strangers at the door: counted, and shown to who looks for them.
            Situation::UnknownPath | Situation::WrongMethod => write!(debug),
            Situation::Malformed | Situation::HeadTooLarge => write!(debug),
            Situation::Unproven(SignatureError::Missing) => write!(info),
            Situation::Unproven(_) | Situation::Quarantined => write!(warn),
            Situation::Busy(Busy::Starting | Busy::Draining) => write!(info),
            Situation::Busy(_) => write!(warn),
            _ => write!(info),
        }
    }
}

/// The canonical line of a callback: one each, like a webhook's.
pub(crate) struct CallbackLine {
    started: Instant,
    /// Only one that we made a URL for: strangers give no names to metrics.
    pub(crate) backend: Option<String>,
    pub(crate) bytes: usize,
    pub(crate) told: Told,
    /// The code of a refusal, or the kind of a fault.
    pub(crate) problem: Option<String>,
}

impl CallbackLine {
    pub(crate) fn begin() -> Self {
        Self { started: Instant::now(), backend: None, bytes: 0, told: Told::default(), problem: None }
    }

    /// Writes it; `answered` as for a webhook.
    pub(crate) fn end(self, situation: Situation, answered: bool) {
        let answer = answer(situation);
        let (outcome, status) = (answer.outcome, answer.status.as_u16());
        let backend = self.backend.as_deref().unwrap_or("-");
        counter!("dispatcher_callbacks_total", "backend" => backend.to_owned(), "outcome" => outcome)
            .increment(1);
        macro_rules! write {
            ($level:ident) => {
                $level!(
                    backend,
                    outcome,
                    status,
                    fresh = self.told.fresh,
                    duplicates = self.told.duplicates,
                    parked = self.told.parked,
                    surplus = self.told.surplus,
                    inbound = self.told.inbound,
                    problem = self.problem.as_deref(),
                    bytes = self.bytes,
                    took_ms = (self.started.elapsed().as_secs_f64() * 10_000.0).round() / 10.0,
                    answered,
                    "callback"
                )
            };
        }
        match situation {
            Situation::UnknownPath | Situation::StrangeCallback => write!(debug),
            Situation::CallbackTaken | Situation::Busy(Busy::Starting | Busy::Draining) => write!(info),
            _ => write!(warn),
        }
    }
}

/// How long the store took to promise.
pub(crate) fn admitted_after(took: Duration) {
    histogram!("dispatcher_admit_seconds").record(took.as_secs_f64());
}
