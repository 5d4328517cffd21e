//! Short messages by SMPP 3.4: one session a lane, bound by the host and kept, over which messages go out and receipts and
//! inbound messages come in.
//!
//! Our own dialogue over our own connections, for the reason that HTTP and SMTP are ours: who asks whether a message may
//! have left must get an honest answer. See `docs/decisions/own-egress.md`.
//!
//! Invariants: a message that was not begun to be written has not left, and one that was and has no answer may have; at
//! most `window` are under way; a delivery is answered once it is on disk; a session that the configuration holds is bound
//! again for as long as it does.

mod bound;
mod handshake;
mod inbox;
mod link;
mod pdu;
mod ticket;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dispatch_engine::{Call, Grants, Session};
use dispatch_model::{BackendName, FailureKind, Lane, SmppReply, SmppSubmission};
use parking_lot::Mutex;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

pub use inbox::{Heard, Listener};
use link::{Keeping, Link};
pub(crate) use ticket::Ticket;

use crate::dial::Dialer;
use crate::failure::{Failure, Progress};

/// What a session is shared by: the same lane's same session, password and all.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    owner: Arc<str>,
    session: Session,
}

/// A session that the configuration holds: it is bound as long as it does, messages or not.
#[derive(Debug, Clone)]
pub struct Held {
    /// Whose it is.
    pub lane: Lane,
    /// Under which grants; those without a session hold none.
    pub grants: Arc<Grants>,
}

/// Hands short messages to message centres.
pub(crate) struct Short {
    dialer: Arc<Dialer>,
    links: Mutex<HashMap<Key, Arc<Link>>>,
    tasks: TaskTracker,
}

impl Short {
    pub(crate) fn new(dialer: Arc<Dialer>) -> Self {
        Self { dialer, links: Mutex::default(), tasks: TaskTracker::new() }
    }

    /// Takes a short message action.
    pub(crate) async fn perform(
        &self,
        submission: &SmppSubmission,
        call: &Call<'_>,
        progress: &mut Progress,
    ) -> Result<SmppReply, Failure> {
        let session = granted(call.grants)?;
        let key = Key { owner: call.grants.owner.clone(), session: session.clone() };
        loop {
            let link = self.link(&key)?;
            if let Some(answer) = link.submit(submission, progress).await {
                return answer;
            }
        }
    }

    /// Holds these sessions from now on, and no others: what they say goes to `listener`.
    pub(crate) fn hold(&self, held: &[Held], listener: &Arc<dyn Listener>) {
        let wanted: HashMap<Key, &Lane> = held
            .iter()
            .filter_map(|one| {
                let session = granted(&one.grants).ok()?.clone();
                Some((Key { owner: one.grants.owner.clone(), session }, &one.lane))
            })
            .collect();
        let mut links = self.links.lock();
        let mut ending: HashMap<Arc<str>, Arc<Link>> = HashMap::new();
        links.retain(|key, link| {
            let stays = wanted.contains_key(key) && link.is_held() && !link.is_gone();
            if !stays {
                link.stop();
                ending.insert(key.owner.clone(), Arc::clone(link));
            }
            stays
        });
        for (key, lane) in wanted {
            let after = ending.remove(&key.owner);
            links.entry(key).or_insert_with_key(|key| {
                Link::start(Keeping {
                    dialer: Arc::clone(&self.dialer),
                    session: key.session.clone(),
                    lane: lane.clone(),
                    listener: Some(Arc::clone(listener)),
                    after,
                    tasks: self.tasks.clone(),
                })
            });
        }
    }

    /// Unbinds all sessions, and waits at most so long for it.
    pub(crate) async fn close(&self, bound: Duration) {
        self.stop();
        self.tasks.close();
        if timeout(bound, self.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.tasks.len(), "smpp.left_open");
        }
    }

    fn stop(&self) {
        for (_, link) in self.links.lock().drain() {
            link.stop();
        }
    }

    /// The link of a key; begun where there is none.
    ///
    /// Not beside another one that the configuration holds for the same lane: an attempt from before a reload would bind
    /// the account a second time, and message centres that let it in once would refuse either.
    fn link(&self, key: &Key) -> Result<Arc<Link>, Failure> {
        let mut links = self.links.lock();
        links.retain(|_, link| !link.is_gone());
        let rival = |(other, link): (&Key, &Arc<Link>)| {
            other.owner == key.owner && other.session != key.session && link.is_held()
        };
        if links.iter().any(rival) {
            let words = "the session was configured anew while this waited";
            return Err(Failure::new(FailureKind::Connect, words));
        }
        let link = links.entry(key.clone()).or_insert_with_key(|key| {
            Link::start(Keeping {
                dialer: Arc::clone(&self.dialer),
                session: key.session.clone(),
                lane: Lane::shared(BackendName::from(&*key.owner)),
                listener: None,
                after: None,
                tasks: self.tasks.clone(),
            })
        });
        Ok(Arc::clone(link))
    }
}

impl Drop for Short {
    fn drop(&mut self) {
        self.stop();
    }
}

fn granted(grants: &Grants) -> Result<&Session, Failure> {
    let session = grants.session.as_ref().ok_or_else(|| {
        Failure::refused(
            "the backend has no session; write session = { host = \"…\", system_id = \"…\", password = { env = \"…\" } }",
        )
    })?;
    if !session.tls && !grants.plaintext {
        return Err(Failure::refused(
            "the session would be without TLS; leave tls = false out, or grant it with plaintext = true",
        ));
    }
    Ok(session)
}
