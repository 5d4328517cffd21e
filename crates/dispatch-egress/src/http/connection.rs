//! One HTTP/1.1 connection.
//!
//! hyper's driver is polled by whoever has a request on the connection, not by a task of its own: a task would
//! cost two wake-ups and often a change of thread for each request. An idle connection is therefore not polled;
//! whether it still lives is asked of the kernel when it is taken from the pool.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use dispatch_model::FailureKind;
use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use crate::dial::Stream;
use crate::failure::Failure;
use crate::pool::Idle;
use crate::splice::SplicedBody;
use crate::tap::Tap;

/// Bytes of a response's head at most, and of what hyper buffers in either direction.
const BUFFER_MAX: usize = 64 * 1024;

/// hyper's half. Boxed, since connections are moved in and out of the pool for each request.
type Driver = Box<http1::Connection<TokioIo<Stream>, SplicedBody>>;

/// A connection, idle or with one request under way.
pub(crate) struct Connection {
    sender: http1::SendRequest<SplicedBody>,
    driver: Option<Driver>,
    tap: Arc<Tap>,
}

impl Connection {
    pub(crate) async fn new(tap: Arc<Tap>, stream: Stream) -> Result<Self, Failure> {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(BUFFER_MAX);
        let (sender, driver) =
            builder.handshake(TokioIo::new(stream)).await.map_err(|error| failure(&error))?;
        Ok(Self { sender, driver: Some(Box::new(driver)), tap })
    }

    pub(crate) fn tap(&self) -> &Arc<Tap> {
        &self.tap
    }

    /// Sends a request and waits for the head of its response.
    pub(crate) async fn send(
        &mut self,
        request: Request<SplicedBody>,
    ) -> Result<Response<Incoming>, Failure> {
        let mut response = pin!(self.sender.send_request(request));
        let driver = &mut self.driver;
        let response = poll_fn(|cx| {
            drive(driver, cx);
            response.as_mut().poll(cx)
        });
        response.await.map_err(|error| failure(&error))
    }

    /// The next run of a response's body; none at its end.
    pub(crate) async fn chunk(&mut self, body: &mut Incoming) -> Result<Option<Bytes>, Failure> {
        loop {
            let frame = poll_fn(|cx| {
                drive(&mut self.driver, cx);
                Pin::new(&mut *body).poll_frame(cx)
            });
            match frame.await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
                Some(Err(error)) => return Err(failure(&error)),
            }
        }
    }

    /// Whether another request can follow, asked when a response has been read to its end. Does not wait: a
    /// connection that has still something to do (a body that the server did not want) is not worth keeping.
    pub(crate) async fn reusable(&mut self) -> bool {
        poll_fn(|cx| {
            // The driver may need a second look to see that the sender wants more.
            for _ in 0..2 {
                drive(&mut self.driver, cx);
                if let Poll::Ready(ready) = self.sender.poll_ready(cx) {
                    return Poll::Ready(ready.is_ok() && self.driver.is_some());
                }
            }
            Poll::Ready(false)
        })
        .await
    }
}

impl Idle for Connection {
    fn usable(&self) -> bool {
        self.driver.is_some() && !self.sender.is_closed() && self.tap.quiet()
    }
}

/// Lets hyper read and write. Its end, good or bad, is told to the request through its own channel.
fn drive(driver: &mut Option<Driver>, cx: &mut std::task::Context<'_>) {
    if let Some(running) = driver
        && Pin::new(running).poll(cx).is_ready()
    {
        *driver = None;
    }
}

/// What hyper's error means.
pub(crate) fn failure(error: &hyper::Error) -> Failure {
    use std::error::Error as _;
    let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    let kind = if error.is_parse() || error.is_parse_too_large() {
        FailureKind::Protocol
    } else if cause.is_some_and(|cause| cause.kind() == io::ErrorKind::InvalidData) {
        // How rustls says that what came is not TLS.
        FailureKind::Protocol
    } else {
        FailureKind::Reset
    };
    let detail = match (kind, cause) {
        (_, Some(cause)) => format!("the connection broke: {cause}"),
        (FailureKind::Protocol, None) => format!("the answer is not HTTP/1.1: {error}"),
        (_, None) => format!("the connection ended: {error}"),
    };
    Failure::new(kind, detail)
}
