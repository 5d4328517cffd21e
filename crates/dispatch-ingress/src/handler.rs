//! The way of one webhook, from stage to stage.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use dispatch_highlevel::{SignatureError, is_ping};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::admit::{admit, note};
use crate::answer::{Busy, Situation, answer};
use crate::callback;
use crate::line::Line;
use crate::parse::parse;
use crate::receive::{Received, receive, route};
use crate::server::Shared;

/// How much longer than `admit_wait` an answer may take: for the store call that is under way when
/// the wait is over.
const STORE_CALL_SLACK: Duration = Duration::from_secs(1);

/// Answers a request, whatever happens.
pub(crate) async fn respond(shared: Arc<Shared>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if callback::is_one(&request) {
        // Boxed: a webhook would keep a place for it.
        return Box::pin(callback::respond(shared, request)).await;
    }
    let situation = match caught(pin!(handle(&shared, request))).await {
        Ok(situation) => situation,
        Err(Panicked) => {
            let situation = Situation::Busy(Busy::Panic);
            Line::begin().end(situation, true);
            situation
        }
    };
    answer(situation).into_response()
}

async fn handle(shared: &Arc<Shared>, request: Request<Incoming>) -> Situation {
    let live = shared.live.load_full();
    let mut line = Line::begin();
    let (endpoint, claim) = match route(&live, &request) {
        Ok(routed) => routed,
        Err(situation) => return ended(line, situation),
    };
    line.source = Some(Arc::clone(&endpoint));
    let received_at = shared.clock.now();
    let received = match receive(&live, shared.gate(), endpoint, claim, request, received_at).await {
        Ok(received) => received,
        Err(situation) => return ended(line, situation),
    };
    line.bytes = received.body.len();

    // From here on the client may hang up: hyper drops this future then, and not the task.
    let until = Instant::now() + live.config.limits.admit_wait;
    let (tell, told) = oneshot::channel();
    let task = shared.clone();
    // Boxed, since a task is moved some times before it runs, and this one is large.
    shared.admissions.spawn(Box::pin(async move {
        let settled = caught(pin!(take_in(&task, received, until, &mut line))).await;
        let situation = settled.unwrap_or(Situation::Busy(Busy::Panic));
        line.end(situation, !tell.is_closed());
        // Nobody may be there any more to hear it.
        let _ = tell.send(situation);
    }));
    match timeout_at(until + STORE_CALL_SLACK, told).await {
        Ok(Ok(situation)) => situation,
        Ok(Err(_)) => Situation::Busy(Busy::Panic),
        Err(_) => Situation::Busy(Busy::StoreSlow),
    }
}

/// What becomes of a request that is here as a whole.
async fn take_in(shared: &Shared, received: Received, until: Instant, line: &mut Line) -> Situation {
    let verified = match shared.notary.judge(received).await {
        Ok(Ok(verified)) => verified,
        Ok(Err((received, SignatureError::Missing))) if is_ping(&received.body) => {
            return Situation::UnsignedPing;
        }
        Ok(Err((_, error))) => return Situation::Unproven(error),
        Err(Panicked) => return Situation::Busy(Busy::Panic),
    };
    line.proof = Some(verified.proof());
    let parsed = parse(&verified);
    note(&parsed, line);
    admit(&verified, parsed, shared.store.as_ref(), shared.handoff.as_ref(), until, line).await
}

fn ended(line: Line, situation: Situation) -> Situation {
    line.end(situation, true);
    situation
}

#[derive(Debug)]
pub(crate) struct Panicked;

/// A panic is a mistake of ours, and costs this one request a 429 and not the connection. What it
/// unwound through is dropped with the future and looked at by nobody.
pub(crate) async fn caught<T>(mut future: Pin<&mut impl Future<Output = T>>) -> Result<T, Panicked> {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_caught_wherever_it_is() {
        assert!(matches!(caught(pin!(async { 5 })).await, Ok(5)));
        assert!(caught(pin!(async { panic!("at once") })).await.map(|(): ()| ()).is_err());
        let later = pin!(async {
            tokio::task::yield_now().await;
            panic!("later")
        });
        assert!(caught(later).await.map(|(): ()| ()).is_err());
    }
}
