//! From a hyper request to [`Received`]: the right place, the right method, and a whole body within
//! its bounds of size, time and memory.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use dispatch_highlevel::SignatureError;
use dispatch_model::Timestamp;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use tokio::time::{Instant, timeout_at};

use crate::answer::{Busy, Situation};
use crate::config::{Endpoint, Limits};
use crate::gate::Gate;
use crate::memory::{Memory, Reservation};
use crate::server::Live;
use crate::verify::Claim;

/// What is read of a body that nothing can prove: enough to see that it is the empty probe.
const UNPROVEN_BODY_MAX: usize = 1024;

/// How much room a body that announces its length gets at once. The rest comes as it arrives: what is
/// announced is not yet true.
const FIRST_BUFFER_MAX: usize = 256 * 1024;

/// A whole request, of unknown origin.
pub(crate) struct Received {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) claim: Claim,
    pub(crate) body: Bytes,
    pub(crate) received_at: Timestamp,
    /// Room in the bound over all bodies, for as long as the body is somewhere.
    _room: Reservation,
}

/// The source a request is for. Unknown paths and wrong methods have none.
pub(crate) fn route(live: &Live, request: &Request<Incoming>) -> Result<(Arc<Endpoint>, Claim), Situation> {
    let path = match request.uri().path() {
        path if path.contains('%') => {
            percent_decode_str(path).decode_utf8().map_err(|_| Situation::UnknownPath)?
        }
        path => Cow::Borrowed(path),
    };
    let (endpoint, segment) = live.config.find(&path).ok_or(Situation::UnknownPath)?;
    if request.method() != Method::POST {
        return Err(Situation::WrongMethod);
    }
    Ok((endpoint.clone(), Claim::read(endpoint, segment, request.headers())))
}

/// Reads the body of a webhook.
pub(crate) async fn receive(
    live: &Live,
    gate: Gate,
    endpoint: Arc<Endpoint>,
    claim: Claim,
    request: Request<Incoming>,
    received_at: Timestamp,
) -> Result<Received, Situation> {
    match gate {
        Gate::Starting => return Err(Situation::Busy(Busy::Starting)),
        Gate::Draining => return Err(Situation::Busy(Busy::Draining)),
        Gate::Serving | Gate::HandingOver => {}
    }
    let limits = &live.config.limits;
    let bound = if claim.is_hopeless() { UNPROVEN_BODY_MAX } else { limits.body_max };
    let (head, body) = request.into_parts();
    match read(body, &head.headers, bound, limits, &live.memory).await {
        Ok((body, room)) => Ok(Received { endpoint, claim, body, received_at, _room: room }),
        Err(Situation::TooLarge) if claim.is_hopeless() => Err(Situation::Unproven(SignatureError::Missing)),
        Err(situation) => Err(situation),
    }
}

/// Reads a body within its bounds.
pub(crate) async fn read(
    mut body: Incoming,
    headers: &HeaderMap,
    bound: usize,
    limits: &Limits,
    memory: &Memory,
) -> Result<(Bytes, Reservation), Situation> {
    let announced = announced(headers);
    if announced.is_some_and(|length| length > bound as u64) {
        return Err(Situation::TooLarge);
    }
    let until = Instant::now() + limits.body_timeout;
    let mut room = Reservation::default();
    // Most bodies come in one frame, which is kept as it is; only a second one makes a buffer.
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = timeout_at(until, body.frame()).await.map_err(|_| Situation::TooSlow)? {
        let Ok(data) = frame.map_err(|_| Situation::Malformed)?.into_data() else { continue };
        let length = first.len() + rest.len() + data.len();
        if length > bound {
            return Err(Situation::TooLarge);
        }
        let patience = Instant::now() + limits.admit_wait;
        memory.grow(&mut room, length, patience).await.map_err(|_| Situation::Busy(Busy::Memory))?;
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            let whole = announced.map_or(0, |length| length as usize).min(FIRST_BUFFER_MAX);
            rest.reserve(whole.max(length));
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&data);
    }
    Ok((if rest.is_empty() { first } else { rest.freeze() }, room))
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
