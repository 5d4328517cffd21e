//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::answer::{Answer, Situation, answer};
use crate::config::Limits;
use crate::handler::respond;
use crate::line::Line;
use crate::progress::{Progress, Watched};
use crate::server::Shared;

/// How long what a client still sends is read and thrown away after a last answer. Closing with
/// unread bytes resets the connection, and a reset can overtake the answer.
const LINGER: Duration = Duration::from_secs(2);

/// Serves requests until the client, an error, a time-out or `close` ends it. `close` lets the request
/// under way finish.
pub(crate) async fn serve<I>(shared: Arc<Shared>, socket: I, limits: Limits, close: CancellationToken)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let progress = Progress::new();
    let service = {
        let progress = progress.clone();
        service_fn(move |request: Request<Incoming>| {
            let (shared, progress) = (shared.clone(), progress.clone());
            progress.request_began();
            Box::pin(async move {
                let response = respond(shared, request).await;
                progress.request_ended();
                Ok::<_, Infallible>(response)
            })
        })
    };
    let io = TokioIo::new(Watched { socket, progress: progress.clone() });
    let mut connection = http1::Builder::new()
        .max_header_size(limits.header_max)
        .max_headers(limits.headers_max)
        .max_buf_size(limits.header_max.max(64 * 1024))
        // A client that closes its sending side may still wait for the answer.
        .half_close(true)
        .serve_connection(io, service);

    let mut timer = pin!(sleep_until(Instant::now() + limits.header_timeout));
    let mut closing = pin!(close.cancelled());
    let mut is_closing = false;
    let end = poll_fn(|cx| {
        if !is_closing && closing.as_mut().poll(cx).is_ready() {
            is_closing = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.poll_without_shutdown(cx) {
            return Poll::Ready(match result {
                Ok(()) => End::Done,
                Err(error) if error.is_parse_too_large() => End::HeadTooLarge,
                Err(error) if error.is_parse() => End::NotHttp,
                Err(error) => {
                    tracing::debug!(%error, "connection broke");
                    End::Broken
                }
            });
        }
        loop {
            // The timer is only ever moved when it has to be: to an earlier deadline, or when it fires.
            let deadline = progress.deadline(&limits);
            if let Some(earlier) = deadline.filter(|deadline| *deadline < timer.deadline()) {
                timer.as_mut().reset(earlier);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            match deadline {
                Some(deadline) if deadline <= now => return Poll::Ready(End::TimedOut),
                Some(deadline) => timer.as_mut().reset(deadline),
                None => timer.as_mut().reset(now + limits.header_timeout),
            }
        }
    })
    .await;

    let situation = match end {
        End::Done | End::Broken => None,
        // An idle connection just ends: an answer could be taken for that to the next request.
        End::TimedOut => progress.is_in_head().then_some(Situation::TooSlow),
        End::NotHttp => Some(Situation::Malformed),
        End::HeadTooLarge => Some(Situation::HeadTooLarge),
    };
    if let Some(situation) = situation {
        Line::begin().end(situation, true);
    }
    // hyper writes 400 and 431 by itself, but has no word for a slow head or the preface of HTTP/2.
    let last_word = situation.filter(|_| !progress.is_answered());
    let socket = connection.into_parts().io.into_inner().socket;
    if !matches!(end, End::Broken) {
        leave(socket, last_word.map(answer), progress.is_ended()).await;
    }
}

/// Says one thing and closes: for a connection that gets no further.
pub(crate) async fn turn_away<I: AsyncRead + AsyncWrite + Unpin>(socket: I, situation: Situation) {
    Line::begin().end(situation, true);
    leave(socket, Some(answer(situation)), false).await;
}

#[derive(Clone, Copy)]
enum End {
    Done,
    NotHttp,
    HeadTooLarge,
    Broken,
    TimedOut,
}

async fn leave<I: AsyncRead + AsyncWrite + Unpin>(mut socket: I, last: Option<Answer>, ended: bool) {
    let farewell = async {
        if let Some(answer) = last {
            socket.write_all(&answer.into_bytes()).await?;
        }
        socket.shutdown().await?;
        // Not in the connection's own state, where each one that is open would have it.
        let mut sink = vec![0; 4096];
        while !ended && socket.read(&mut sink).await? > 0 {}
        std::io::Result::Ok(())
    };
    // Whoever takes longer has had our answer, or does not want it.
    let _ = timeout(LINGER, farewell).await;
}
