//! Judges signatures of requests that are there at the same time together, since many at once cost less than half of
//! what they cost one by one.
//!
//! Nobody waits for company: what has come in by the time the runtime gets to it is one group. A single request is a
//! group of one.

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::handler::Panicked;
use crate::receive::Received;
use crate::verify::{Refused, Verified, verify};

/// Judged in one go at most: the thread does nothing else meanwhile.
const GROUP: usize = 64;

type Judged = Result<Verified, Refused>;

/// A request and whoever waits for its verdict.
struct Case {
    received: Received,
    reply: oneshot::Sender<Judged>,
}

/// Whoever judges.
#[derive(Default)]
pub(crate) struct Notary {
    waiting: Mutex<Vec<Case>>,
}

impl Notary {
    /// The verdict on a request. Who asks must ask to the end: the first of a group judges for all of it.
    pub(crate) async fn judge(&self, received: Received) -> Result<Judged, Panicked> {
        let received = match received.proven() {
            Ok(verified) => return Ok(Ok(verified)),
            Err(received) => received,
        };
        let (reply, verdict) = oneshot::channel();
        let first = {
            let mut waiting = self.waiting.lock();
            waiting.push(Case { received, reply });
            waiting.len() == 1
        };
        if first {
            // Those whose requests are there as well have their turn.
            tokio::task::yield_now().await;
            self.judge_all();
        }
        verdict.await.map_err(|_| Panicked)
    }

    fn judge_all(&self) {
        let mut waiting = std::mem::take(&mut *self.waiting.lock());
        while !waiting.is_empty() {
            let later = waiting.split_off(waiting.len().min(GROUP));
            let (requests, replies): (Vec<_>, Vec<_>) =
                waiting.into_iter().map(|case| (case.received, case.reply)).unzip();
            for (reply, judged) in replies.into_iter().zip(verify(requests)) {
                let _ = reply.send(judged);
            }
            waiting = later;
        }
    }
}
