//! Why there is no answer, and how it is known whether bytes may have left.

use std::sync::Arc;

use dispatch_model::{FailureKind, Reply};

use crate::smpp::Ticket;
use crate::tap::Tap;

/// A failure on the way to an answer. It does not say whether bytes may have left: [`Progress`] knows.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) detail: String,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// The host's own rules say no.
    pub(crate) fn refused(detail: impl Into<String>) -> Self {
        Self::new(FailureKind::Refused, detail)
    }
}

/// How far an action has come. It lives outside the future that does the work, so that it can still be
/// asked when the deadline has ended that future.
pub(crate) struct Progress {
    /// What is being done, for the words of a time-out.
    pub(crate) phase: &'static str,
    /// An earlier request of this action was answered (with a redirect), so bytes have left.
    earlier_left: bool,
    /// How it is known whether the part that counts has begun to leave.
    mark: Option<Mark>,
}

enum Mark {
    /// By the connection in use, and what it had written when that part began.
    Written(Arc<Tap>, u64),
    /// By the ticket that goes with a message through a connection which many share.
    Ticket(Arc<Ticket>),
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { phase: "starting", earlier_left: false, mark: None }
    }

    /// From here on every byte written to this connection counts as having left.
    pub(crate) fn mark(&mut self, tap: &Arc<Tap>) {
        self.mark = Some(Mark::Written(Arc::clone(tap), tap.written()));
    }

    /// From here on this ticket tells.
    pub(crate) fn ticket(&mut self, ticket: &Arc<Ticket>) {
        self.mark = Some(Mark::Ticket(Arc::clone(ticket)));
    }

    /// What was marked is answered; something new begins which has not left yet.
    pub(crate) fn unmark(&mut self) {
        self.mark = None;
    }

    /// A request was answered and another one follows for the same action.
    pub(crate) fn keep(&mut self) {
        self.earlier_left |= self.left();
        self.mark = None;
    }

    /// Whether a byte of the request now under way was written. A message that still waits for the writer is withdrawn by
    /// this, so that the answer stays true.
    pub(crate) fn left_now(&self) -> bool {
        match &self.mark {
            Some(Mark::Written(tap, before)) => tap.written() > *before,
            Some(Mark::Ticket(ticket)) => !ticket.withdraw(),
            None => false,
        }
    }

    /// Whether any byte that counts was written.
    pub(crate) fn left(&self) -> bool {
        self.earlier_left || self.left_now()
    }

    /// The reply for a failure.
    pub(crate) fn failed(&self, failure: Failure) -> Reply {
        Reply::Failed { kind: failure.kind, detail: failure.detail, may_have_left: self.left() }
    }

    /// The reply when the deadline has come.
    pub(crate) fn timed_out(&self) -> Reply {
        self.failed(Failure::new(FailureKind::Timeout, format!("the deadline came while {}", self.phase)))
    }
}
