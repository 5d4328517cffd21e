//! Reaches the control API: over the daemon's socket, or in process over the store when none runs.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use dispatch_admin::{ApiError, ApiRequest, Control, Method};
use dispatch_store::{SqliteStore, StoreConfig};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::clock::SystemClock;
use crate::exit::Failure;

/// The way to the control API.
pub(crate) enum Client {
    /// A daemon listens on this socket.
    Socket(UnixStream, std::path::PathBuf),
    /// No daemon: this process has opened the store.
    Here(Control),
}

impl Client {
    /// Connects to the daemon, or opens the store itself when there is none.
    pub(crate) async fn connect(socket: &Path, store: Option<StoreConfig>) -> Result<Self, Failure> {
        match UnixStream::connect(socket).await {
            Ok(stream) => Ok(Self::Socket(stream, socket.to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(Failure::Refused(
                format!("{}: permission denied; run this as the user that runs dispatcher", socket.display()),
            )),
            Err(_) => match store {
                Some(config) if config.path.exists() => {
                    let store = SqliteStore::open(config).map_err(crate::daemon::store_failure)?;
                    Ok(Self::Here(Control::of_store(Arc::new(store), Arc::new(SystemClock::start()))))
                }
                Some(config) => Err(Failure::Refused(format!(
                    "no dispatcher runs on {} and there is no store at {} yet: `dispatcher run` makes one",
                    socket.display(),
                    config.path.display()
                ))),
                None => Err(Failure::Refused(format!("no dispatcher runs on {}", socket.display()))),
            },
        }
    }

    /// One request; the answer as JSON.
    pub(crate) async fn call<T: DeserializeOwned>(self, request: ApiRequest) -> Result<T, Failure> {
        let body = match self {
            Self::Here(control) => {
                control.handle(request).await.map_err(|error| Failure::Refused(error.to_string()))?.body
            }
            Self::Socket(stream, path) => over_socket(stream, &path, request).await?,
        };
        serde_json::from_slice(&body).map_err(|error| {
            Failure::Refused(format!(
                "the running dispatcher answered in another form ({error}): is it of another version?"
            ))
        })
    }
}

async fn over_socket(stream: UnixStream, path: &Path, request: ApiRequest) -> Result<Vec<u8>, Failure> {
    let failed = |error: hyper::Error| {
        Failure::Refused(format!("the dispatcher on {} did not answer: {error}", path.display()))
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let driver = tokio::spawn(connection);
    let method = match request.method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
    };
    let request = http::Request::builder()
        .method(method)
        .uri(&request.target)
        .header(http::header::HOST, "localhost")
        .body(Full::new(Bytes::from(request.body)))
        .map_err(|error| Failure::Refused(format!("{}: {error}", request.target)))?;
    let response = sender.send_request(request).await.map_err(failed)?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(failed)?.to_bytes().to_vec();
    driver.abort();
    if status.is_success() {
        return Ok(body);
    }
    let words = serde_json::from_slice::<ApiError>(&body)
        .map_or_else(|_| format!("the dispatcher answered {status}"), |error| error.error);
    Err(Failure::Refused(words))
}
