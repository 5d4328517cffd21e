//! The step loop: the plugin says what to ask, the host asks, the plugin says what the answer means.
//!
//! One loop for `deliver`, `receive` and `lookup`, bounded in steps and in time. What differs between
//! them (whether an action may deliver, what has to be on disk before it leaves) is a [`Script`].

use std::sync::Arc;
use std::time::Duration;

use dispatch_model::{Action, Ask, Clock, Effect, Exchange, FailureKind, Fault, Reply};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clip::{clip_action, clip_reply};
use crate::{Call, Egress, Grants, Spooled};

/// Actions of one conversation. The contract names the number.
pub(crate) const STEPS_MAX: u32 = 32;
/// Egress ends by itself at the deadline. Should it not, it is given up this much later.
const GRACE: Duration = Duration::from_secs(2);

/// What a plugin wants next.
#[expect(clippy::large_enum_variant, reason = "one at a time and at once taken apart: a box would cost more")]
pub(crate) enum Next<T> {
    /// An action.
    Ask(Ask),
    /// Nothing more.
    Done(T),
}

/// Why a conversation did not come to its end.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The host ended the plugin's call.
    Fault(Fault),
    /// The lease is somebody else's now.
    Lost,
    /// The store would not take the mark: nothing was asked.
    Unmarked,
    /// The engine is stopping; the action under way was given up.
    BrokenOff,
}

/// One side of a conversation: the plugin, and what the engine does around its actions.
pub(crate) trait Script {
    /// With what it ends.
    type End;

    /// Before an action is taken.
    async fn before(&mut self, ask: &Ask) -> Result<(), Halt>;

    /// After it came back, or was given up.
    fn after(&mut self, effect: Effect, reply: &Reply);

    /// What the plugin makes of the reply.
    async fn next(&mut self, state: &[u8], reply: &Arc<Reply>) -> Result<Next<Self::End>, Fault>;
}

/// Under what actions are taken.
pub(crate) struct Line<'a> {
    pub(crate) egress: &'a dyn Egress,
    pub(crate) clock: &'a dyn Clock,
    /// Gives up the action under way.
    pub(crate) abort: &'a CancellationToken,
    /// Bytes of a body that are kept of an exchange.
    pub(crate) record_body: usize,
    pub(crate) grants: &'a Grants,
    pub(crate) attachments: &'a [Arc<Spooled>],
    pub(crate) deadline: Instant,
}

/// Goes on from the first step until the plugin is done. Each action and its reply is kept in `exchanges`.
pub(crate) async fn converse<S: Script>(
    line: &Line<'_>,
    script: &mut S,
    first: Result<Next<S::End>, Fault>,
    exchanges: &mut Vec<Exchange>,
) -> Result<S::End, Halt> {
    let mut next = first.map_err(Halt::Fault)?;
    for _ in 0..STEPS_MAX {
        let ask = match next {
            Next::Done(end) => return Ok(end),
            Next::Ask(ask) => ask,
        };
        script.before(&ask).await?;
        let (at, began) = (line.clock.now(), Instant::now());
        let reply = take(line, &ask.action).await;
        let given_up = reply.is_none();
        let reply = Arc::new(reply.unwrap_or_else(|| Reply::Failed {
            kind: FailureKind::Timeout,
            detail: "given up: the engine is stopping".to_owned(),
            may_have_left: true,
        }));
        script.after(ask.effect, &reply);
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let answer = if given_up { None } else { Some(script.next(&ask.state, &reply).await) };
        let Ask { mut action, effect, .. } = ask;
        let mut reply = Arc::unwrap_or_clone(reply);
        clip_action(&mut action, line.record_body);
        clip_reply(&mut reply, line.record_body);
        exchanges.push(Exchange { at, took_ms, action, effect, reply });
        next = answer.ok_or(Halt::BrokenOff)?.map_err(Halt::Fault)?;
    }
    match next {
        Next::Done(end) => Ok(end),
        Next::Ask(_) => Err(Halt::Fault(Fault::Steps { limit: STEPS_MAX })),
    }
}

/// Takes one action; nothing when the engine gave it up.
async fn take(line: &Line<'_>, action: &Action) -> Option<Reply> {
    let call =
        Call { grants: line.grants, attachments: line.attachments, deadline: line.deadline.into_std() };
    tokio::select! {
        biased;
        () = line.abort.cancelled() => None,
        reply = tokio::time::timeout_at(line.deadline + GRACE, line.egress.perform(action, &call)) => {
            Some(reply.unwrap_or_else(|_| Reply::Failed {
                kind: FailureKind::Timeout,
                detail: "no reply by the deadline".to_owned(),
                may_have_left: true,
            }))
        }
    }
}
