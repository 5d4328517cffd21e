//! The doors of the control API: a unix socket, and a loopback port where one is configured.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dispatch_model::Secret;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::guard::{Refusal, admit};
use crate::{Answer, ApiError, ApiRequest, Control, Method};

/// A request's body at most: the longest is a filter with ids.
const BODY_MAX: usize = 1024 * 1024;
/// Connections at once: an operator, a scraper, a page; not the world.
const CONNECTIONS: usize = 64;
/// A head that takes longer than this is not an operator's.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// A bound door.
pub enum AdminListener {
    /// A socket file, guarded by its permissions.
    Unix(UnixListener),
    /// A loopback port, guarded by a token.
    Tcp(TcpListener, Secret),
}

/// How a request came in, which decides what it must show.
#[derive(Clone)]
pub enum Door {
    /// By the socket file.
    Socket,
    /// By the port.
    Port(Secret),
}

/// Serves until told to stop, then lets the requests under way end.
pub async fn serve(listener: AdminListener, control: Arc<Control>, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let tasks = TaskTracker::new();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener) => accepted,
        };
        let (stream, door) = match accepted {
            Ok(pair) => pair,
            Err(error) => {
                tracing::warn!(%error, "admin.accept_failed");
                // Out of descriptors: an immediate retry would spin.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (control, stop) = (Arc::clone(&control), stop.clone());
        tasks.spawn(async move {
            let _slot = slot;
            connection(stream, door, control, stop).await;
        });
    }
    tasks.close();
    tasks.wait().await;
}

/// Either kind of stream, so that one connection routine serves both.
trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Stream for T {}

async fn accept(listener: &AdminListener) -> std::io::Result<(Box<dyn Stream>, Door)> {
    match listener {
        AdminListener::Unix(unix) => Ok((Box::new(unix.accept().await?.0), Door::Socket)),
        AdminListener::Tcp(tcp, token) => Ok((Box::new(tcp.accept().await?.0), Door::Port(token.clone()))),
    }
}

async fn connection(stream: Box<dyn Stream>, door: Door, control: Arc<Control>, stop: CancellationToken) {
    let service = service_fn(move |request| {
        let (control, door) = (Arc::clone(&control), door.clone());
        async move { Ok::<_, Infallible>(answer(request, &door, &control).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "admin.connection_ended");
    }
}

async fn answer(request: Request<Incoming>, door: &Door, control: &Control) -> Response<Full<Bytes>> {
    match take(request, door, control).await {
        Ok(answer) => response(answer.status, answer.content_type, answer.body),
        Err(error) => {
            let body = serde_json::to_vec(&error).expect("an error of the API serialises");
            response(error.status, "application/json", body)
        }
    }
}

async fn take(request: Request<Incoming>, door: &Door, control: &Control) -> Result<Answer, ApiError> {
    let path = request.uri().path();
    if let Door::Port(token) = door {
        let open = matches!(path, "/healthz" | "/readyz");
        admit(request.headers(), token.expose(), open).map_err(|refusal| match refusal {
            Refusal::Foreign => ApiError { status: 403, error: "not for other hosts or pages".into() },
            Refusal::Token => ApiError { status: 401, error: "the admin token is missing or wrong".into() },
        })?;
    }
    let method = match *request.method() {
        http::Method::GET => Method::Get,
        http::Method::POST => Method::Post,
        _ => return Err(ApiError { status: 405, error: "GET or POST".into() }),
    };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let body = Limited::new(request.into_body(), BODY_MAX)
        .collect()
        .await
        .map_err(|_| ApiError { status: 413, error: format!("the body is larger than {BODY_MAX} bytes") })?;
    control.handle(ApiRequest { method, target, body: body.to_bytes().to_vec() }).await
}

fn response(status: u16, content_type: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    headers.insert(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}
