//! The promise: one store call that dedupes and persists.
//!
//! It runs in a task of its own. Whoever waits for it may go away; what was read is stored all the
//! same, handed on, counted and logged.

use std::sync::Arc;

use dispatch_highlevel::Ignored;
use dispatch_model::{LocationId, Message};
use dispatch_store::{Admitted, QuarantineRequest, Quarantined, Store, StoreError};
use tokio::time::{Duration, Instant, sleep_until};

use crate::answer::{Busy, Situation};
use crate::line::{Line, admitted_after};
use crate::parse::{Parsed, parse};
use crate::verify::Verified;

/// The first wait for room; it doubles.
const PAUSE_FIRST: Duration = Duration::from_millis(25);

/// Long enough not to press a full store, short enough to use the room as it comes.
const PAUSE_MAX: Duration = Duration::from_millis(800);

/// Who goes on with a message once it is promised. The binary joins it to the engine.
pub trait Handoff: Send + Sync + 'static {
    /// A message was admitted: it is on disk, and unplanned. Must not block; a handoff that is lost
    /// costs time and nothing else, since unplanned messages are found again.
    fn admitted(&self, message: Arc<Message>);
}

/// Admits what `parsed` is, waiting for room until `until`.
pub(crate) async fn admit(
    verified: &Verified,
    parsed: Parsed,
    store: &dyn Store,
    handoff: &dyn Handoff,
    until: Instant,
    line: &mut Line,
) -> Situation {
    let started = Instant::now();
    let mut next = parsed;
    let mut pause = PAUSE_FIRST;
    loop {
        let result = match next {
            Parsed::Ignored(ignored) => return Situation::from(ignored),
            Parsed::Submission(submission) => match store.admit(submission).await {
                // It can never become a message, whatever is tried: its bytes are kept instead.
                Err(StoreError::Invalid { detail }) => {
                    line.problem = Some("invalid".to_owned());
                    next = Parsed::Quarantined { reason: format!("the store refuses it: {detail}") };
                    continue;
                }
                result => result.map(Stored::Message),
            },
            Parsed::Quarantined { reason } => {
                store.quarantine(quarantine(verified, reason)).await.map(Stored::Body)
            }
        };
        let busy = match result {
            Ok(stored) => {
                admitted_after(started.elapsed());
                return promised(stored, handoff);
            }
            Err(error) => busy(&error),
        };
        let wake = Instant::now() + pause;
        if busy == Busy::StoreFailed || wake > until {
            return Situation::Busy(busy);
        }
        sleep_until(wake).await;
        pause = (pause * 2).min(PAUSE_MAX);
        // Reading the body again is cheaper than a copy of each submission for the few that need it.
        next = parse(verified);
    }
}

impl From<Ignored> for Situation {
    fn from(ignored: Ignored) -> Self {
        match ignored {
            Ignored::Ping => Self::Ping,
            Ignored::PlatformEvent => Self::PlatformEvent,
        }
    }
}

enum Stored {
    Message(Admitted),
    Body(Quarantined),
}

fn promised(stored: Stored, handoff: &dyn Handoff) -> Situation {
    match stored {
        Stored::Message(Admitted::Fresh(message)) => {
            let id = message.id;
            handoff.admitted(message);
            Situation::Accepted(id)
        }
        Stored::Message(Admitted::Waiting(message)) => Situation::Accepted(message.id),
        Stored::Message(Admitted::Duplicate(id)) => Situation::Duplicate(id),
        Stored::Body(Quarantined::Fresh(_) | Quarantined::Duplicate(_)) => Situation::Quarantined,
    }
}

fn quarantine(verified: &Verified, reason: String) -> QuarantineRequest {
    QuarantineRequest {
        source: verified.endpoint.name.clone(),
        received_at: verified.received_at,
        reason,
        body: verified.body.to_vec(),
    }
}

pub(crate) fn busy(error: &StoreError) -> Busy {
    match error {
        StoreError::Full { .. } => Busy::StoreFull,
        StoreError::LocationFull { .. } => Busy::LocationFull,
        StoreError::Unavailable { .. } => Busy::StoreUnavailable,
        StoreError::Stale(_) | StoreError::Invalid { .. } | StoreError::Fatal { .. } => Busy::StoreFailed,
    }
}

/// Notes the ids of a submission while it is still at hand.
pub(crate) fn note(parsed: &Parsed, line: &mut Line) {
    match parsed {
        Parsed::Submission(submission) => {
            line.location = Some(LocationId::clone(&submission.location));
            line.external_id = Some(submission.external_id.clone());
            line.problem(submission.problem.as_ref());
        }
        Parsed::Quarantined { reason } => line.problem = Some(reason.clone()),
        Parsed::Ignored(_) => {}
    }
}
