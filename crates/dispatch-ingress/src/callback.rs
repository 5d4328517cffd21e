//! The second door: what providers send on their own, at `/callbacks/{backend}/{token}`.
//!
//! The token in the path is looked at before a byte of the body is read: a stranger costs one keyed digest. Then
//! the way is that of a webhook: a whole body within its bounds, a task of its own that a client which hangs up does
//! not end, and a 2xx once all that was said is on disk.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dispatch_model::{HttpAnswer, Pair};
use dispatch_store::StoreError;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::admit::busy;
use crate::answer::{Answer, Busy, Situation, answer};
use crate::gate::Gate;
use crate::handler::caught;
use crate::line::CallbackLine;
use crate::receive::read;
use crate::server::Shared;

/// Paths of providers begin so; no source may have one.
pub(crate) const PREFIX: &str = "/callbacks/";

/// Bytes of a callback: the largest batches of receipts are under 1 MiB, and nobody sends media along.
const BODY_MAX: usize = 2 << 20;

/// Callbacks that plugins read at once: more would only queue up for the guests and the store.
pub(crate) const AT_ONCE: usize = 64;

/// How long a callback may take once it is read; providers give up after 10 to 15 seconds, and come again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who knows the providers' callbacks. The binary joins it to the engine.
#[async_trait]
pub trait Callbacks: Send + Sync + 'static {
    /// Whether this path below `/callbacks/` is one that we made. Anybody can ask, so it has to be cheap.
    fn knows(&self, backend: &str, token: &str) -> bool;

    /// Takes a callback. What it says is on disk when this returns [`CallbackEnd::Taken`].
    async fn take(&self, backend: &str, token: &str, request: CallbackRequest) -> CallbackEnd;
}

/// A callback, untouched.
#[derive(Debug, Clone, PartialEq)]
pub struct CallbackRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// The path and query that were asked for, escapes and all: some signatures cover them.
    pub path_and_query: String,
    /// Headers in order, names in lower case.
    pub headers: Vec<Pair>,
    /// The raw body.
    pub body: Bytes,
}

/// How a callback ended.
#[derive(Debug, Clone, PartialEq)]
pub enum CallbackEnd {
    /// Believed, and on disk.
    Taken {
        /// What the provider wants to hear.
        answer: HttpAnswer,
        /// What became of what it said.
        told: Told,
    },
    /// Not believed; the code of the reason.
    Refused(String),
    /// No such backend is configured now, or it receives nothing.
    NotReceiving,
    /// The plugin failed over it; the kind of the fault.
    Fault(&'static str),
    /// It cannot be kept just now.
    Store(StoreError),
    /// We are stopping.
    Stopping,
}

/// How many events a callback brought, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// New ones.
    pub fresh: usize,
    /// Had before.
    pub duplicates: usize,
    /// Waiting for a message that knows them.
    pub parked: usize,
    /// More than are kept.
    pub surplus: usize,
    /// Inbound messages.
    pub inbound: usize,
}

/// Whether this request is for the second door.
pub(crate) fn is_one<B>(request: &Request<B>) -> bool {
    request.uri().path().starts_with(PREFIX)
}

/// Answers a callback, whatever happens.
pub(crate) async fn respond(shared: Arc<Shared>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    match caught(pin!(handle(&shared, request))).await {
        Ok(answer) => answer.into_response(),
        Err(_) => {
            let situation = Situation::Busy(Busy::Panic);
            CallbackLine::begin().end(situation, true);
            answer(situation).into_response()
        }
    }
}

async fn handle(shared: &Arc<Shared>, request: Request<Incoming>) -> Answer {
    let live = shared.live.load_full();
    let mut line = CallbackLine::begin();
    let path = request.uri().path().to_owned();
    let Some((backend, token)) = path.strip_prefix(PREFIX).and_then(|rest| rest.split_once('/')) else {
        return ended(line, Situation::UnknownPath);
    };
    if !shared.callbacks.knows(backend, token) {
        return ended(line, Situation::StrangeCallback);
    }
    line.backend = Some(backend.to_owned());
    if !matches!(*request.method(), Method::GET | Method::POST) {
        return ended(line, Situation::WrongCallbackMethod);
    }
    match shared.gate() {
        Gate::Starting => return ended(line, Situation::Busy(Busy::Starting)),
        Gate::Draining => return ended(line, Situation::Busy(Busy::Draining)),
        Gate::Serving | Gate::HandingOver => {}
    }
    let limits = &live.config.limits;
    let (head, body) = request.into_parts();
    let bound = BODY_MAX.min(limits.body_max);
    let (body, room) = match read(body, &head.headers, bound, limits, &live.memory).await {
        Ok(read) => read,
        Err(situation) => return ended(line, situation),
    };
    line.bytes = body.len();
    let Ok(Ok(place)) =
        timeout_at(Instant::now() + limits.admit_wait, shared.reading.clone().acquire_owned()).await
    else {
        return ended(line, Situation::Busy(Busy::Callbacks));
    };
    let request = CallbackRequest {
        method: head.method.as_str().to_owned(),
        path_and_query: head.uri.path_and_query().map_or_else(|| path.clone(), ToString::to_string),
        headers: pairs(&head.headers),
        body,
    };

    // From here on the client may hang up: hyper drops this future then, and not the task.
    let until = Instant::now() + PATIENCE;
    let (tell, told) = oneshot::channel();
    let task = Arc::clone(shared);
    let (backend, token) = (backend.to_owned(), token.to_owned());
    shared.admissions.spawn(async move {
        let (_place, _room) = (place, room);
        let end = caught(pin!(task.callbacks.take(&backend, &token, request))).await;
        let (situation, said) = end.map_or((Situation::Busy(Busy::Panic), None), |end| line.note(end));
        line.end(situation, !tell.is_closed());
        // Nobody may be there any more to hear it.
        let _ = tell.send(said.map_or_else(|| answer(situation), Answer::of_plugin));
    });
    match timeout_at(until, told).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => answer(Situation::Busy(Busy::Panic)),
        Err(_) => answer(Situation::Busy(Busy::CallbackSlow)),
    }
}

fn ended(line: CallbackLine, situation: Situation) -> Answer {
    line.end(situation, true);
    answer(situation)
}

/// Headers as a plugin sees them. Bytes beyond ASCII are read as Latin-1, so that none is lost.
fn pairs(headers: &HeaderMap) -> Vec<Pair> {
    let text = |value: &[u8]| value.iter().map(|byte| char::from(*byte)).collect();
    let pair = |(name, value): (&http::HeaderName, &http::HeaderValue)| Pair {
        name: name.as_str().to_owned(),
        value: text(value.as_bytes()),
    };
    headers.iter().map(pair).collect()
}

impl CallbackLine {
    /// What is known at the end, and what the provider wants to hear.
    fn note(&mut self, end: CallbackEnd) -> (Situation, Option<HttpAnswer>) {
        let situation = match end {
            CallbackEnd::Taken { answer, told } => {
                self.told = told;
                return (Situation::CallbackTaken, Some(answer));
            }
            CallbackEnd::Refused(code) => {
                self.problem = Some(code);
                Situation::CallbackRefused
            }
            CallbackEnd::NotReceiving => Situation::NotReceiving,
            CallbackEnd::Fault(kind) => {
                self.problem = Some(kind.to_owned());
                Situation::Busy(Busy::PluginFault)
            }
            CallbackEnd::Store(error) => Situation::Busy(busy(&error)),
            CallbackEnd::Stopping => Situation::Busy(Busy::Draining),
        };
        (situation, None)
    }
}
