//! A TCP stream that counts what it writes.
//!
//! The one honest source for "may bytes have left?" is the socket: what the kernel took may be on the wire,
//! what it did not take is not. So the count is taken here, below TLS and below HTTP, and compared with the
//! count before the request. The stream is shared, so that an idle connection can be looked at from outside
//! while hyper or TLS owns the reading and writing.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::meter;

/// The socket and its count.
pub(crate) struct Tap {
    stream: TcpStream,
    peer: SocketAddr,
    written: AtomicU64,
    bytes_in: metrics::Counter,
    bytes_out: metrics::Counter,
}

impl Tap {
    pub(crate) fn new(stream: TcpStream, peer: SocketAddr) -> Arc<Self> {
        let (bytes_in, bytes_out) = meter::connection_opened();
        Arc::new(Self { stream, peer, written: AtomicU64::new(0), bytes_in, bytes_out })
    }

    /// Bytes that the kernel took.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Whom we are connected to.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The address we speak from.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        self.stream.local_addr().ok()
    }

    /// Whether an idle connection can still be used. Asks the kernel and not tokio's cached readiness, which
    /// may lag. Anything readable on an idle connection is its end: a FIN, a TLS `close_notify`, or an HTTP 408
    /// or SMTP 421 said unasked. (TLS 1.3 tickets come before the first answer, so they have been read.)
    pub(crate) fn quiet(&self) -> bool {
        let mut byte = [0_u8; 1];
        matches!(
            rustix::net::recv(&self.stream, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT),
            Err(rustix::io::Errno::AGAIN)
        )
    }

    fn count(&self, bytes: usize) -> usize {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
        self.bytes_out.increment(bytes as u64);
        bytes
    }
}

/// The reading and writing half of a [`Tap`].
pub(crate) struct Tapped(pub(crate) Arc<Tap>);

impl AsyncRead for Tapped {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.stream.poll_read_ready(cx))?;
            match self.0.stream.try_read_buf(buf) {
                Ok(read) => {
                    self.0.bytes_in.increment(read as u64);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.stream.poll_write_ready(cx))?;
            match self.0.stream.try_write_vectored(bufs) {
                Ok(written) => return Poll::Ready(Ok(self.0.count(written))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A peer that closed first makes this fail with ENOTCONN; the end is the same.
        let _ = rustix::net::shutdown(&self.0.stream, rustix::net::Shutdown::Write);
        Poll::Ready(Ok(()))
    }
}
