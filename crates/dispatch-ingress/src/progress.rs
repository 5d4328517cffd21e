//! How far a connection is, seen from its bytes.
//!
//! hyper has one timer for heads, which also runs while a connection lies idle, and says nothing when
//! it fires. We want a short time for heads, a long one for idling, and an answer. So the bytes are
//! watched on their way to hyper, and [`connection`](crate::connection) keeps the time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::config::Limits;

/// What a connection is doing.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Waiting for its first head.
    Fresh(Instant),
    /// A head is coming in.
    Head(Instant),
    /// A request is being handled: its own bounds hold.
    Busy,
    /// Between requests, or the last answer is still being taken.
    Idle(Instant),
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Whether anything was written since the last head began.
    wrote: bool,
    /// Whether the client has closed its side.
    ended: bool,
}

/// Shared between the bytes, the service and the timer of one connection. All three run in one task:
/// the lock is never waited for.
#[derive(Clone)]
pub(crate) struct Progress(Arc<Mutex<State>>);

impl Progress {
    pub(crate) fn new() -> Self {
        let phase = Phase::Fresh(Instant::now());
        Self(Arc::new(Mutex::new(State { phase, wrote: false, ended: false })))
    }

    pub(crate) fn request_began(&self) {
        self.0.lock().phase = Phase::Busy;
    }

    pub(crate) fn request_ended(&self) {
        self.0.lock().phase = Phase::Idle(Instant::now());
    }

    /// When the connection has been what it is for too long. None: not by its own doing.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match self.0.lock().phase {
            Phase::Fresh(since) | Phase::Head(since) => Some(since + limits.header_timeout),
            Phase::Busy => None,
            Phase::Idle(since) => Some(since + limits.idle_timeout),
        }
    }

    /// Whether part of a head came, and not yet all of it.
    pub(crate) fn is_in_head(&self) -> bool {
        matches!(self.0.lock().phase, Phase::Head(_))
    }

    /// Whether anything was written since the last head began.
    pub(crate) fn is_answered(&self) -> bool {
        self.0.lock().wrote
    }

    /// Whether the client has closed its side.
    pub(crate) fn is_ended(&self) -> bool {
        self.0.lock().ended
    }

    fn read(&self, bytes: usize) {
        let mut state = self.0.lock();
        match state.phase {
            _ if bytes == 0 => state.ended = true,
            Phase::Fresh(_) | Phase::Idle(_) => {
                state.phase = Phase::Head(Instant::now());
                state.wrote = false;
            }
            Phase::Head(_) | Phase::Busy => {}
        }
    }
}

/// A socket whose bytes are watched.
pub(crate) struct Watched<I> {
    pub(crate) socket: I,
    pub(crate) progress: Progress,
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if let Poll::Ready(Ok(())) = polled {
            self.progress.read(buffer.filled().len() - before);
        }
        polled
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.progress.0.lock().wrote = true;
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.progress.0.lock().wrote = true;
        Pin::new(&mut self.socket).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
