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
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
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

    /// Reads what is there; nothing where the kernel has nothing. A read that came back short has emptied the socket, and
    /// tokio is told so: it need not ask once more to hear it.
    fn read(&self, buf: &mut ReadBuf<'_>) -> io::Result<Option<usize>> {
        let (room, mut read) = (buf.remaining(), None);
        let asked = self.stream.try_io(Interest::READABLE, || {
            let got = self.stream.try_read_buf(buf)?;
            read = Some(got);
            if got > 0 && got < room { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match asked {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(read),
        }
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
            if let Some(read) = self.0.read(buf)? {
                self.0.bytes_in.increment(read as u64);
                return Poll::Ready(Ok(()));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever a peer's writes and our buffers are: nothing is missed, and the end is seen.
        #[test]
        fn a_read_that_came_back_short_misses_nothing(
            writes in prop::collection::vec(1_usize..40, 1..40),
            buffer in 1_usize..40,
        ) {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            let (read, sent) = runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let stream = TcpStream::connect(listener.local_addr()?).await?;
                let (mut peer, address) = listener.accept().await?;
                let mut tapped = Tapped(Tap::new(stream, address));
                let sent = writes.iter().sum::<usize>();
                // The end comes only once all was read: until then nothing else wakes whoever waits for the rest.
                let (whole, until_whole) = tokio::sync::oneshot::channel();
                let writing = tokio::spawn(async move {
                    for write in writes {
                        peer.write_all(&vec![7; write]).await?;
                        tokio::task::yield_now().await;
                    }
                    let _ = until_whole.await;
                    peer.shutdown().await
                });
                let (mut read, mut buffer, mut whole) = (0, vec![0; buffer], Some(whole));
                let all = async {
                    loop {
                        match tapped.read(&mut buffer).await? {
                            0 => return io::Result::Ok(()),
                            more => read += more,
                        }
                        if read == sent && let Some(whole) = whole.take() {
                            let _ = whole.send(());
                        }
                    }
                };
                tokio::time::timeout(std::time::Duration::from_secs(20), all).await??;
                writing.await??;
                io::Result::Ok((read, sent))
            })?;
            prop_assert_eq!(read, sent);
        }
    }
}
