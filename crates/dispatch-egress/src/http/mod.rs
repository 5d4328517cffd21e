//! HTTP/1.1 requests over pooled connections.
//!
//! HTTP/2 is left out on purpose: with many requests on one connection the count of bytes written is nobody's in
//! particular, and the honest answer to "may bytes have left?" would be yes as soon as a stream was opened.

mod answer;
mod connection;
mod outgoing;

use std::sync::Arc;

use dispatch_engine::{Call, Grants};
use dispatch_model::{HttpRequest, HttpResponse};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Uri};
use url::Url;

pub(crate) use answer::Answer;
pub(crate) use connection::Connection;
use outgoing::Outgoing;
pub(crate) use outgoing::USER_AGENT;

use crate::credential::Credentials;
use crate::dial::{self, Dialer, Reach};
use crate::failure::{Failure, Progress};
use crate::guard::{self, Target};
use crate::pool::Pool;
use crate::splice::{Splice, SplicedBody};

/// Bytes of a response's body that a plugin gets; the rest is cut off.
pub(crate) const RESPONSE_MAX: usize = 1024 * 1024;

/// What a pooled connection may be used for again.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct HttpKey {
    owner: Arc<str>,
    target: Target,
}

/// Idle HTTP connections.
pub(crate) type HttpPool = Pool<HttpKey, Connection>;

/// Speaks HTTP.
pub(crate) struct Http {
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) pool: Arc<HttpPool>,
}

/// A request's head and body as they go out.
pub(crate) struct Parts<'a> {
    pub(crate) method: &'a Method,
    pub(crate) url: &'a Url,
    pub(crate) target: &'a Target,
    pub(crate) headers: HeaderMap,
    pub(crate) body: &'a Splice,
}

impl Http {
    /// Takes an HTTP action: checks, signs, sends, follows redirects.
    pub(crate) async fn perform(
        &self,
        request: &HttpRequest,
        call: &Call<'_>,
        credentials: &Credentials,
        progress: &mut Progress,
    ) -> Result<HttpResponse, Failure> {
        let mut outgoing = Outgoing::prepare(request, call)?;
        loop {
            let target = Target::of(&outgoing.url)?;
            guard::grant(&target, call.grants)?;
            let answer = self.signed(&mut outgoing, &target, call.grants, credentials, progress).await?;
            let follows = outgoing.redirect(answer.status(), answer.location())?;
            let response = answer.read(&self.pool, RESPONSE_MAX, progress).await?;
            if !follows {
                return Ok(response);
            }
            // What was redirected has left, whatever becomes of the rest.
            progress.keep();
        }
    }

    /// One request to one target, signed. A token that the provider no longer takes is fetched anew, once.
    async fn signed(
        &self,
        outgoing: &mut Outgoing,
        target: &Target,
        grants: &Grants,
        credentials: &Credentials,
        progress: &mut Progress,
    ) -> Result<Answer, Failure> {
        let reach = Reach::Public(&grants.private_networks);
        let mut retried = false;
        loop {
            let headers = outgoing.headers();
            let mut parts =
                Parts { method: &outgoing.method, url: &outgoing.url, target, headers, body: &outgoing.body };
            let token = credentials.apply(&outgoing.credential, &mut parts, grants, self, progress).await?;
            let answer = self.send(&grants.owner, parts, reach, progress).await?;
            match token {
                Some(token) if answer.status() == 401 && token.drop_refused() && !retried => {}
                _ => return Ok(answer),
            }
            retried = true;
            progress.keep();
        }
    }

    /// Sends a request over a pooled or a new connection. A pooled one that turns out dead before a byte was
    /// written is replaced; after a byte nothing is ever sent twice.
    pub(crate) async fn send(
        &self,
        owner: &Arc<str>,
        parts: Parts<'_>,
        reach: Reach<'_>,
        progress: &mut Progress,
    ) -> Result<Answer, Failure> {
        let key = HttpKey { owner: Arc::clone(owner), target: parts.target.clone() };
        let (target, body) = (parts.target, parts.body);
        let head = head(parts)?;
        while let Some(mut connection) = self.pool.take(&key) {
            let peer = connection.tap().peer().ip();
            // A grant may have been taken back since it was opened.
            reach.allows(peer).map_err(|word| dial::refusal(&target.host, peer, word))?;
            progress.phase = "waiting for the answer";
            progress.mark(connection.tap());
            match connection.send(request(&head, body)).await {
                Ok(response) => return Ok(Answer::new(response, connection, key)),
                Err(_) if !progress.left_now() => progress.unmark(),
                Err(failure) => return Err(failure),
            }
        }
        // Boxed: a request over a pooled connection would keep a place for it.
        let (tap, stream) = Box::pin(self.dialer.open(target, reach, progress)).await?;
        let mut connection = Connection::new(tap, stream).await?;
        progress.phase = "waiting for the answer";
        progress.mark(connection.tap());
        let response = connection.send(request(&head, body)).await?;
        Ok(Answer::new(response, connection, key))
    }
}

/// The head as hyper writes it: the path and query alone, `Host` from what we connect to.
fn head(parts: Parts<'_>) -> Result<http::request::Parts, Failure> {
    let path = &parts.url[url::Position::BeforePath..url::Position::AfterQuery];
    let uri = Uri::try_from(path).map_err(|_| {
        Failure::refused("the URL's path or query has a character in it that must be percent-encoded")
    })?;
    let host = HeaderValue::try_from(parts.target.authority())
        .map_err(|_| Failure::refused("the URL's host cannot be written in a header"))?;
    let (mut head, ()) = Request::new(()).into_parts();
    head.headers = parts.headers;
    head.headers.insert(header::HOST, host);
    // hyper leaves this out where there is no body, and some servers then wait for one.
    let takes_body = matches!(*parts.method, Method::POST | Method::PUT | Method::PATCH);
    if takes_body || parts.body.length() > 0 {
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(parts.body.length()));
    }
    head.method = parts.method.clone();
    head.uri = uri;
    Ok(head)
}

fn request(head: &http::request::Parts, body: &Splice) -> Request<SplicedBody> {
    Request::from_parts(head.clone(), body.body())
}
