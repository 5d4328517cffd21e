//! `plugin stand-in`: a provider on loopback, so that a plugin is tried through a daemon without an account.
//!
//! It answers from a cassette by method, path and body; the host of the cassette's URLs does not count, since the
//! requests come here. Each answer is given again and again.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use dispatch_egress::{CassetteEgress, Matcher, Take};
use dispatch_engine::{Call, Egress as _, Grants};
use dispatch_model::{Action, Body, Credential, HttpRequest, Piece, Reply};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::read;
use crate::cli::PluginStandInArgs;
use crate::exit::Failure;
use crate::out;

/// Connections at once: a daemon keeps a pool.
const CONNECTIONS_MAX: usize = 64;
/// Of a request's body: attachments come along.
const BODY_MAX: usize = 64 << 20;
/// Of a request's body, this much is shown.
const BODY_SHOWN: usize = 2000;
/// What stands for scheme and host, here and in the cassette.
const HERE: &str = "http://stand-in";

pub(super) async fn stand_in(args: &PluginStandInArgs) -> Result<(), Failure> {
    if !args.listen.ip().is_loopback() {
        return Err(Failure::Refused("it is for this machine alone: listen on 127.0.0.1".to_owned()));
    }
    let path = args.cassette.clone().unwrap_or_else(|| args.folder.join("cassette.json"));
    let cassette = Arc::new(cassette(&path)?);
    let taken = |error: std::io::Error| Failure::Listen(format!("{}: {error}", args.listen));
    let listener = TcpListener::bind(args.listen).await.map_err(taken)?;
    let address = listener.local_addr().map_err(taken)?;
    out::line(&format!("a provider listens on http://{address} and answers from {}", path.display()))?;
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        let cassette = Arc::clone(&cassette);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&cassette), request));
            // A client that breaks off is no news.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// The cassette, its URLs moved here and its answers without end.
fn cassette(path: &Path) -> Result<CassetteEgress, Failure> {
    let wrong =
        |error: serde_json::Error| Failure::Refused(format!("{}: no cassette: {error}", path.display()));
    let mut takes: Vec<Take> = serde_json::from_str(&read(path)?).map_err(wrong)?;
    for take in &mut takes {
        take.repeat = true;
        if let Matcher::Http(matcher) = &mut take.matcher
            && let Some(url) = &mut matcher.url
            && let Some((_, rest)) = url.split_once("://")
        {
            *url =
                rest.find('/').map_or_else(|| HERE.to_owned() + "/", |path| HERE.to_owned() + &rest[path..]);
        }
    }
    Ok(CassetteEgress::new(takes))
}

type Response = http::Response<Full<Bytes>>;

async fn answer(
    cassette: Arc<CassetteEgress>,
    request: http::Request<Incoming>,
) -> Result<Response, BrokenOff> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_MAX).collect().await.map_err(|_| BrokenOff)?.to_bytes();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut shown = format!("\n{} {target}\n", head.method);
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let value = if *name == http::header::AUTHORIZATION { covered(&value) } else { value.into_owned() };
        shown.push_str(&format!("{name}: {value}\n"));
    }
    let text: String = String::from_utf8_lossy(&body).chars().take(BODY_SHOWN).collect();
    shown.push_str(&format!("\n{text}"));
    let action = Action::Http(HttpRequest {
        method: head.method.to_string(),
        url: vec![Piece::Bytes(Body::from(format!("{HERE}{target}").into_bytes()))],
        headers: Vec::new(),
        credential: Credential::None,
        body: vec![Piece::Bytes(Body(body))],
        redirects: 0,
    });
    let call = Call { grants: &Grants::default(), attachments: &[], deadline: std::time::Instant::now() };
    let reply = cassette.perform(&action, &call).await;
    let (response, word) = match reply {
        Reply::Http(said) => {
            let mut response = http::Response::builder().status(said.status);
            for header in &said.headers {
                response = response.header(&header.name, &header.value);
            }
            let response = response.body(Full::new(said.body.0)).map_err(|_| BrokenOff)?;
            (Ok(response), said.status.to_string())
        }
        Reply::Failed { detail, kind: dispatch_model::FailureKind::Refused, .. } => {
            let mut response = http::Response::new(Full::new(Bytes::from(detail.clone())));
            *response.status_mut() = http::StatusCode::NOT_FOUND;
            (Ok(response), format!("404: {detail}"))
        }
        // What the cassette says of a failure is done to the connection.
        Reply::Failed { .. } | Reply::Mail(_) | Reply::Smpp(_) => (Err(BrokenOff), "broken off".to_owned()),
    };
    let _ = out::line(&format!("{shown}\n=> {word}"));
    response
}

/// That there is a credential, and not which.
fn covered(value: &str) -> String {
    let (scheme, rest) = value.split_once(' ').unwrap_or(("", value));
    format!("{scheme} «{} bytes»", rest.len()).trim_start().to_owned()
}

/// The connection is to end without an answer.
#[derive(Debug, thiserror::Error)]
#[error("broken off")]
struct BrokenOff;
