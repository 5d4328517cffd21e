//! What would be done with a message, told without doing it.

use std::sync::Arc;

use dispatch_model::{
    Access, Delivery, Fault, Message, NO_INBOUND_ROUTE, NO_ROUTE, Outcome, Reason, Step, Timestamp,
    WrittenText,
};
use dispatch_text::{Change, Writing};
use serde::{Deserialize, Serialize};

use crate::attachments::Fetching;
use crate::attempt::Means;
use crate::core::Core;
use crate::shape::shape;
use crate::{ChainLink, LaneState, Setup, Until};

/// What would be done with a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Which routes were tried, and the plan.
    pub routing: dispatch_routing::Explanation,
    /// The backends of the plan in order.
    pub chain: Vec<ChainLink>,
    /// Why it would be a dead letter at once; of an inbound message, kept and not handed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead: Option<Reason>,
    /// How an SMS would be written for the first backend that would be tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextPlan>,
    /// What was left out of the message for that backend, and what became of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// What the first backend that would be tried asks first; secrets are names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<FirstStep>,
}

/// How an SMS would be written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextPlan {
    /// Its alphabet and its parts.
    pub written: WrittenText,
    /// What would be replaced by what reads the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The characters that keep it out of GSM-7.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<char>,
}

impl From<Writing> for TextPlan {
    fn from(writing: Writing) -> Self {
        let foreign = dispatch_text::foreign(&writing.text);
        Self { written: writing.written, changes: writing.changes, foreign }
    }
}

/// The first thing a plugin asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirstStep {
    /// The step. Where the plugin wants attachments' content, nothing was fetched for it.
    Step(Box<Step>),
    /// The host ended the plugin's call.
    Fault(Fault),
    /// The plugin would not be asked: this is what the route's own rules make of the message.
    Unfit(Outcome),
}

/// What this setup would do with a message, every backend taken to be available: without an engine, for
/// the command line.
pub async fn explain(setup: &Setup, message: &Message, now: Timestamp) -> Explanation {
    told(setup, message, now, None, &|_| LaneState::Open).await
}

/// What the running engine would do with it now.
pub(crate) async fn explain_now(core: &Core, setup: &Setup, message: &Message) -> Explanation {
    let now = core.now();
    let state = |lane: &dispatch_model::Lane| {
        let gate = core.gate(lane);
        let status = gate.status(now, None);
        let until = |until| Until { until, reason: String::new() };
        match gate.access(now) {
            Access::Open => LaneState::Open,
            Access::Paused(end) => LaneState::Paused(status.paused.unwrap_or_else(|| until(end))),
            Access::Broken(end) => LaneState::Broken(match status.breaker {
                crate::BreakerStatus::Open(until) => until,
                _ => until(end),
            }),
            Access::Suspended => LaneState::Suspended,
            Access::Gone => LaneState::Gone,
        }
    };
    let delivery = Delivery::unplanned(message.id, message.location.clone(), message.channel(), now);
    let suppressed = core.suppressed.silences(message, &delivery);
    told(setup, message, now, suppressed, &state).await
}

async fn told(
    setup: &Setup,
    message: &Message,
    now: Timestamp,
    suppressed: Option<Reason>,
    state: &(dyn Fn(&dispatch_model::Lane) -> LaneState + Sync),
) -> Explanation {
    let routing = setup.router_for(message).explain(message);
    let lookup_after = setup.policy(routing.plan.route.as_ref()).lookup_after;
    let chain: Vec<ChainLink> = routing
        .plan
        .chain
        .iter()
        .map(|backend| {
            let lane = setup.lane(backend, &message.location);
            let known = setup.backends.get(backend);
            ChainLink {
                backend: backend.clone(),
                plugin: known.map(|it| {
                    let described = it.plugin.description();
                    format!("{} {}", described.name, described.version)
                }),
                overlay: setup.overlays.contains_key(&(backend.clone(), message.location.clone())),
                dry_run: known.is_some_and(|it| it.dry_run),
                availability: match known {
                    Some(it) if it.plugin.description().channels.contains(&message.channel()) => state(&lane),
                    _ => LaneState::Gone,
                },
                lookup_after_ms: known.map(|it| it.plugin.description()).and_then(|described| {
                    let waits = described.looks_up && !described.idempotent;
                    u64::try_from(lookup_after.as_millis()).ok().filter(|_| waits)
                }),
                lane,
            }
        })
        .collect();
    let dead = message.problem.clone().or(suppressed).or_else(|| {
        let code = if message.inbound_from().is_some() { NO_INBOUND_ROUTE } else { NO_ROUTE };
        routing.plan.chain.is_empty().then(|| {
            let words = routing.plan.reasons.last().cloned().unwrap_or_default();
            Reason::new(code, words)
        })
    });
    let mut explanation = Explanation { routing, chain, dead, text: None, left_out: Vec::new(), first: None };
    if explanation.dead.is_none() {
        explanation.first = first_step(setup, message, now, &mut explanation).await;
    }
    explanation
}

async fn first_step(
    setup: &Setup,
    message: &Message,
    now: Timestamp,
    explanation: &mut Explanation,
) -> Option<FirstStep> {
    let chain = &explanation.chain;
    let usable = |link: &&ChainLink| link.availability != LaneState::Gone;
    let tried = chain.iter().position(|link| link.availability == LaneState::Open);
    let tried = tried.or_else(|| chain.iter().position(|link| usable(&link)))?;
    let mut delivery = Delivery::unplanned(message.id, message.location.clone(), message.channel(), now);
    delivery.plan = explanation.routing.plan.clone();
    delivery.position = u32::try_from(tried).ok()?;
    let means = Means::of(setup, &delivery)?;
    let context = means.context(setup, &delivery, now);
    let reasons = delivery.plan.reasons.len();
    let shaped = shape(Fetching::Never, &means, &mut delivery, &Arc::new(message.clone())).await;
    explanation.left_out = delivery.plan.reasons.split_off(reasons);
    let shaped = match shaped {
        Ok(shaped) => shaped,
        Err(outcome) => return Some(FirstStep::Unfit(outcome)),
    };
    explanation.text = shaped.writing.map(TextPlan::from);
    Some(match means.backend.plugin.deliver(&context, &shaped.message, &means.grants).await {
        Ok(step) => FirstStep::Step(Box::new(step)),
        Err(fault) => FirstStep::Fault(fault),
    })
}
