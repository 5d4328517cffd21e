//! What message centres say on their own, on its way to whoever makes it durable.
//!
//! The answer to a `deliver_sm` is a promise, as the 2xx to a webhook is: it is given once what was said is on disk. Until
//! then the message centre has it, and what we cannot take now it brings again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dispatch_model::{Lane, SmppDelivery};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::bound::Bound;
use super::pdu::{Frame, status};
use crate::meter;

/// Deliveries of one session that are under way at once; message centres seldom send more than ten unanswered.
const UNDER_WAY_MAX: usize = 64;
/// How long one may take. Message centres wait for some ten seconds to a minute before they bring it again.
const TAKE_MAX: Duration = Duration::from_secs(20);

/// Takes what message centres say on their own.
#[async_trait]
pub trait Listener: Send + Sync + 'static {
    /// Something came over the session of this lane. What `Kept` is said of must be on disk.
    async fn hear(&self, lane: &Lane, delivery: SmppDelivery) -> Heard;
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It is on disk.
    Kept,
    /// It cannot be used, now or later.
    Refused,
    /// Not now: it should come again.
    Later,
}

/// Where the deliveries of one session go.
#[derive(Clone)]
pub(crate) struct Inbox {
    lane: Lane,
    /// None for a session that nobody holds: what it says is to come again, over one that somebody does.
    listener: Option<Arc<dyn Listener>>,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Inbox {
    pub(crate) fn new(lane: Lane, listener: Option<Arc<dyn Listener>>, tasks: TaskTracker) -> Self {
        Self { lane, listener, room: Arc::new(Semaphore::new(UNDER_WAY_MAX)), tasks }
    }

    /// Takes one without waiting, and answers it when it is known what became of it.
    pub(crate) fn take(&self, bound: &Arc<Bound>, frame: Frame, delivery: SmppDelivery) {
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            meter::smpp_delivery(&self.lane, "later");
            return bound.answer(&frame.answer(status::QUEUE_FULL));
        };
        let (inbox, bound) = (self.clone(), Arc::clone(bound));
        self.tasks.spawn(async move {
            let (said, word) = match inbox.hear(delivery).await {
                Heard::Kept => (status::OK, "kept"),
                Heard::Refused => (status::PERMANENT, "refused"),
                Heard::Later => (status::TEMPORARY, "later"),
            };
            meter::smpp_delivery(&inbox.lane, word);
            bound.say(&frame.answer(said)).await;
            drop(place);
        });
    }

    async fn hear(&self, delivery: SmppDelivery) -> Heard {
        let Some(listener) = &self.listener else { return Heard::Later };
        timeout(TAKE_MAX, listener.hear(&self.lane, delivery)).await.unwrap_or(Heard::Later)
    }

    /// Until nothing is under way.
    pub(crate) async fn empty(&self) {
        let all = u32::try_from(UNDER_WAY_MAX).unwrap_or(u32::MAX);
        let _ = self.room.acquire_many(all).await;
    }
}
