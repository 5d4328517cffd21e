//! A session that is kept: bound when it is first wanted, bound again when it ends, unbound when nobody wants it.
//!
//! ```text
//! Opening -> Up (a bound session) -> Opening ...
//!    |-----> Down (why, until the next try) -> Opening
//! any -> Gone
//! ```
//!
//! While it is down, whoever wants to submit hears at once why: to wait for it would hold messages that another backend
//! could take, and the lane's breaker needs to know. Waits between tries double up to a minute; there is one session an
//! account, so nothing is gained by spreading them.

use std::sync::Arc;
use std::time::Duration;

use dispatch_engine::Session;
use dispatch_model::{Lane, SmppReply, SmppSubmission};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bound::{Bound, Handed, Shut, UNBIND_MAX};
use super::inbox::{Inbox, Listener};
use crate::dial::Dialer;
use crate::failure::{Failure, Progress};
use crate::meter;

/// The first wait before a session is bound again, and the longest.
const AGAIN_FIRST: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(60);
/// A session that lived this long had no part in what ended it: the next try comes at once.
const STEADY: Duration = Duration::from_secs(10);
/// How long a session that nobody holds is kept unused.
const UNUSED_MAX: Duration = Duration::from_secs(30);

/// Where a link is.
#[derive(Clone)]
enum State {
    Opening,
    Up(Arc<Bound>),
    Down(Shut),
    Gone,
}

/// A kept session.
pub(crate) struct Link {
    state: watch::Sender<State>,
    stop: CancellationToken,
    held: bool,
}

/// What a link is kept with.
pub(crate) struct Keeping {
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) session: Session,
    pub(crate) lane: Lane,
    /// Whoever holds it hears what comes over it; without one it is for submitting alone, and ends when it is unused.
    pub(crate) listener: Option<Arc<dyn Listener>>,
    /// One of the same lane that is ending: message centres let an account in once.
    pub(crate) after: Option<Arc<Link>>,
    pub(crate) tasks: TaskTracker,
}

impl Link {
    /// Begins to keep a session.
    pub(crate) fn start(keeping: Keeping) -> Arc<Self> {
        let tasks = keeping.tasks.clone();
        let link = Arc::new(Self {
            state: watch::Sender::new(State::Opening),
            stop: CancellationToken::new(),
            held: keeping.listener.is_some(),
        });
        tasks.spawn(Arc::clone(&link).keep(keeping));
        link
    }

    /// Whether somebody holds it: the configuration, by saying so.
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    /// Whether it has ended for good. One that nobody holds is tried once, so that its `Down` is the end as well.
    pub(crate) fn is_gone(&self) -> bool {
        self.ended(&self.state.borrow())
    }

    fn ended(&self, state: &State) -> bool {
        match state {
            State::Gone => true,
            State::Down(_) => !self.held,
            State::Opening | State::Up(_) => false,
        }
    }

    /// It is not wanted any more: it unbinds.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Hands a message over, to the session that there is or the next one. None where it has ended for good and the
    /// message certainly has not left.
    pub(crate) async fn submit(
        &self,
        submission: &SmppSubmission,
        progress: &mut Progress,
    ) -> Option<Result<SmppReply, Failure>> {
        let mut states = self.state.subscribe();
        loop {
            let state = states.borrow_and_update().clone();
            match state {
                State::Opening => progress.phase = "waiting for the session to be bound",
                State::Up(bound) => match bound.submit(submission, progress).await {
                    Ok(Handed::Answered(reply)) => return Some(Ok(reply)),
                    Ok(Handed::Stayed) => progress.unmark(),
                    Err(failure) => return Some(Err(failure)),
                },
                State::Down(Shut::Refused(reply)) => return Some(Ok(reply)),
                State::Down(Shut::Failed { kind, detail }) => return Some(Err(Failure { kind, detail })),
                State::Gone => return None,
            }
            states.changed().await.ok()?;
        }
    }

    async fn keep(self: Arc<Self>, keeping: Keeping) {
        if let Some(before) = &keeping.after {
            let mut states = before.state.subscribe();
            let _ = timeout(2 * UNBIND_MAX, states.wait_for(|state| before.ended(state))).await;
        }
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.rebind(&keeping) => {}
        }
        // Why it is down stays to be read by those who wait.
        if self.is_gone() {
            return;
        }
        let up = match &*self.state.borrow() {
            State::Up(bound) => Some(Arc::clone(bound)),
            _ => None,
        };
        if let Some(bound) = up {
            bound.unbind().await;
            meter::smpp_bound(&keeping.lane, false);
        }
        self.state.send_replace(State::Gone);
    }

    /// Binds again and again. Returns where nobody holds it and it is not wanted.
    async fn rebind(&self, keeping: &Keeping) {
        let lane = &keeping.lane;
        let mut wait = AGAIN_FIRST;
        loop {
            let inbox = Inbox::new(lane.clone(), keeping.listener.clone(), keeping.tasks.clone());
            let opened = Bound::open(&keeping.dialer, &keeping.session, inbox.clone(), &keeping.tasks).await;
            let why = match opened {
                Ok(bound) => {
                    tracing::info!(lane = %lane, "smpp.bound");
                    meter::smpp_bound(lane, true);
                    let since = Instant::now();
                    self.state.send_replace(State::Up(Arc::clone(&bound)));
                    if !self.while_used(&bound).await {
                        return;
                    }
                    meter::smpp_bound(lane, false);
                    let over = bound.over();
                    tracing::warn!(lane = %lane, because = over, "smpp.ended");
                    if self.held && since.elapsed() >= STEADY {
                        wait = AGAIN_FIRST;
                        self.state.send_replace(State::Opening);
                        continue;
                    }
                    Shut::Failed { kind: dispatch_model::FailureKind::Reset, detail: over }
                }
                Err(why) => {
                    match &why {
                        Shut::Refused(reply) => {
                            tracing::error!(lane = %lane, status = format!("{:#x}", reply.status), "smpp.refused");
                        }
                        Shut::Failed { kind, detail } => {
                            tracing::warn!(lane = %lane, failure = kind.as_str(), because = detail, "smpp.down");
                        }
                    }
                    why
                }
            };
            self.state.send_replace(State::Down(why));
            if !self.held {
                return;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(AGAIN_MAX);
            self.state.send_replace(State::Opening);
        }
    }

    /// Until the session ends: true. Or until one that nobody holds has been unused for a while: false.
    async fn while_used(&self, bound: &Bound) -> bool {
        if self.held {
            bound.ended().await;
            return true;
        }
        let mut idle_before = false;
        loop {
            if timeout(UNUSED_MAX, bound.ended()).await.is_ok() {
                return true;
            }
            let idle = bound.is_idle();
            if idle && idle_before {
                return false;
            }
            idle_before = idle;
        }
    }
}
