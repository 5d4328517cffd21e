//! A recorded attempt, played again: would today's plugin ask and conclude the same?

use std::sync::Arc;

use dispatch_model::{
    Action, AttemptRecord, Context, Delivery, Fault, MediaSupport, Message, Outcome, Reason, RouteName, Step,
};
use serde::{Deserialize, Serialize};

use crate::attachments::Fetching;
use crate::attempt::Means;
use crate::clip::clip_action;
use crate::conversation::STEPS_MAX;
use crate::evidence::Evidence;
use crate::shape::shape;
use crate::{Backend, Grants, Setup};

/// A recorded attempt, played again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// The attempt's number.
    pub number: u32,
    /// Whether the plugin's file is the one that decided then.
    pub same_plugin: bool,
    /// Where today's plugin goes another way, in the order of the steps; none is the same way.
    pub differences: Vec<Difference>,
    /// How it would end today.
    pub end: Result<Outcome, Fault>,
}

/// Where a replay goes another way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// Another action at this step, from 1. The recorded reply is given to it all the same.
    Action {
        /// The step.
        step: usize,
        /// What was asked then.
        then: Box<Action>,
        /// What is asked now.
        now: Box<Action>,
    },
    /// It asks for more than was asked then: there is no answer to give.
    More {
        /// The step.
        step: usize,
        /// What is asked now.
        now: Box<Action>,
    },
    /// It is done after fewer steps.
    Fewer {
        /// Steps then.
        then: usize,
        /// Steps now.
        now: usize,
    },
    /// Another end.
    End {
        /// How it ended then.
        then: Outcome,
    },
}

/// Why an attempt cannot be played again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum NoReplay {
    /// Its backend is configured no more.
    #[error("the backend {0} is not in the configuration any more")]
    Backend(String),
    /// The plugin works with the content of attachments, and a record has none.
    #[error("it had attachments whose content the plugin wants, and a record has none")]
    Attachments,
    /// The route does not let it go to its backend any more.
    #[error("by its route of today it would not be tried at all: {0}")]
    Unfit(Reason),
}

/// Plays one of a message's attempts again, with the route and the settings of today and the replies of then. `record_body` is the
/// bound by which the record was clipped.
///
/// # Errors
/// It cannot be played.
pub async fn replay(
    setup: &Setup,
    message: &Message,
    route: Option<&RouteName>,
    attempts: &[AttemptRecord],
    index: usize,
    record_body: usize,
) -> Result<Replay, NoReplay> {
    let then = &attempts[index];
    let known =
        setup.backends.get(&then.backend).ok_or_else(|| NoReplay::Backend(then.backend.to_string()))?;
    let description = known.plugin.description();
    if !message.attachments.is_empty() && description.limits.media == MediaSupport::Content {
        return Err(NoReplay::Attachments);
    }
    let mut delivery =
        Delivery::unplanned(message.id, message.location.clone(), message.channel(), then.started_at);
    delivery.plan.route = route.cloned();
    delivery.plan.chain = vec![then.backend.clone()];
    let means = Means::of(setup, &delivery).ok_or_else(|| NoReplay::Backend(then.backend.to_string()))?;
    let shaped = shape(Fetching::Never, &means, &mut delivery, &Arc::new(message.clone())).await;
    let shaped = shaped.map_err(|outcome| {
        let unsaid = || Reason::new(outcome.kind(), "without a reason");
        NoReplay::Unfit(outcome.reason().cloned().unwrap_or_else(unsaid))
    })?;
    let key = &then.idempotency_key;
    // Throttled attempts are not counted.
    let counted = |attempt: &&AttemptRecord| {
        attempt.backend == then.backend
            && attempt.idempotency_key == *key
            && !matches!(attempt.outcome, Outcome::Throttled { .. })
    };
    let number = 1 + attempts[..index].iter().filter(counted).count();
    let context = Context {
        settings: Arc::clone(&means.settings),
        now: then.started_at,
        deadline: then.started_at.plus(known.limits.timeout),
        number: u32::try_from(number).unwrap_or(u32::MAX),
        callback_url: then.callback_url.clone(),
        idempotency_key: key.clone(),
    };
    Ok(play(&*known.plugin, &means.grants, &context, &shaped.message, then, record_body).await)
}

/// Today's plugin is given the replies of then, one after the other, whatever it asks.
async fn play(
    plugin: &dyn Backend,
    grants: &Grants,
    context: &Context,
    message: &Arc<Message>,
    then: &AttemptRecord,
    record_body: usize,
) -> Replay {
    let mut differences = Vec::new();
    let mut evidence = Evidence::default();
    let mut step = plugin.deliver(context, message, grants).await;
    let mut taken = 0;
    let end = loop {
        let ask = match step {
            Err(fault) => break Err(fault),
            Ok(Step::Done(outcome)) => break Ok(evidence.judge(outcome)),
            Ok(Step::Ask(ask)) => ask,
        };
        let mut action = ask.action;
        clip_action(&mut action, record_body);
        let Some(exchange) = then.exchanges.get(taken) else {
            differences.push(Difference::More { step: taken + 1, now: Box::new(action) });
            let reason = Reason::new("no-record", "it asks for more than was recorded");
            break Ok(Outcome::Unknown { reason });
        };
        taken += 1;
        if action != exchange.action {
            let (then, now) = (Box::new(exchange.action.clone()), Box::new(action));
            differences.push(Difference::Action { step: taken, then, now });
        }
        if taken > STEPS_MAX as usize {
            break Err(Fault::Steps { limit: STEPS_MAX });
        }
        evidence.note(ask.effect, &exchange.reply);
        step = plugin.on_reply(context, &ask.state, &Arc::new(exchange.reply.clone()), grants).await;
    };
    let more = differences.iter().any(|difference| matches!(difference, Difference::More { .. }));
    if taken < then.exchanges.len() && end.is_ok() {
        differences.push(Difference::Fewer { then: then.exchanges.len(), now: taken });
    }
    let same_end = match (&end, &then.fault) {
        (Ok(now), None) => *now == then.outcome,
        (Err(now), Some(then)) => now.kind() == then.kind(),
        _ => false,
    };
    if !same_end && !more {
        differences.push(Difference::End { then: then.outcome.clone() });
    }
    let same_plugin = plugin.digest() == then.plugin_digest;
    Replay { number: then.number, same_plugin, differences, end }
}
