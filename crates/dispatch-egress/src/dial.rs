//! New connections: resolve, check every address, connect to a checked one, speak TLS.
//!
//! The name is looked up once and the connection goes to an address that was checked, so a name that answers
//! differently a moment later gains nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use dispatch_engine::Network;
use dispatch_model::FailureKind;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::address;
use crate::failure::{Failure, Progress};
use crate::resolve::Resolver;
use crate::tap::{Tap, Tapped};
use crate::tls::{Speaks, Tls};

/// Opens connections.
pub(crate) struct Dialer {
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) tls: Tls,
    pub(crate) resolve_timeout: Duration,
    pub(crate) connect_timeout: Duration,
}

/// Which addresses may be connected to.
#[derive(Clone, Copy)]
pub(crate) enum Reach<'a> {
    /// Public ones, and these networks.
    Public(&'a [Network]),
    /// Any: the operator wrote the host down (a relay).
    Any,
}

impl Reach<'_> {
    /// Whether this address may be connected to, or what it is.
    pub(crate) fn allows(self, address: IpAddr) -> Result<(), &'static str> {
        match self {
            Self::Public(granted) => address::allowed(address, granted),
            Self::Any => Ok(()),
        }
    }
}

impl Dialer {
    /// A TCP connection to a host.
    pub(crate) async fn connect(
        &self,
        host: &str,
        ip: Option<IpAddr>,
        port: u16,
        reach: Reach<'_>,
        progress: &mut Progress,
    ) -> Result<Arc<Tap>, Failure> {
        progress.phase = "resolving the name";
        let addresses = match ip {
            Some(ip) => vec![ip],
            None => self.resolve(host).await?,
        };
        let addresses = checked(host, &addresses, reach)?;
        progress.phase = "connecting";
        let mut last = None;
        // Each gets a fair share, so that an address that swallows packets leaves time for the next.
        let share = self.connect_timeout / u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        for address in addresses {
            let peer = SocketAddr::new(address, port);
            match timeout(share, TcpStream::connect(peer)).await {
                Ok(Ok(stream)) => {
                    // Requests are written whole: waiting to fill a segment only delays the last one.
                    let _ = stream.set_nodelay(true);
                    return Ok(Tap::new(stream, peer));
                }
                Ok(Err(error)) => last = Some(error),
                Err(_) => last = Some(io::ErrorKind::TimedOut.into()),
            }
        }
        let why = last.map_or_else(|| "no address".to_owned(), |error| error.to_string());
        Err(Failure::new(FailureKind::Connect, format!("no connection to {host} port {port}: {why}")))
    }

    /// A connection, with TLS if wanted.
    pub(crate) async fn open(
        &self,
        target: &crate::guard::Target,
        reach: Reach<'_>,
        progress: &mut Progress,
    ) -> Result<(Arc<Tap>, Stream), Failure> {
        let tap = self.connect(&target.host, target.ip, target.port, reach, progress).await?;
        let plain = Tapped(Arc::clone(&tap));
        if !target.tls {
            return Ok((tap, Stream::Plain(plain)));
        }
        let stream = self.secure(&target.host, plain, Speaks::Http, progress).await?;
        Ok((tap, stream))
    }

    /// TLS over a connection.
    pub(crate) async fn secure(
        &self,
        host: &str,
        plain: Tapped,
        speaks: Speaks,
        progress: &mut Progress,
    ) -> Result<Stream, Failure> {
        progress.phase = "agreeing on TLS";
        Ok(Stream::Tls(Box::new(self.tls.connect(host, plain, speaks).await?)))
    }

    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, Failure> {
        let failed = |why: &dyn std::fmt::Display| {
            Failure::new(FailureKind::Dns, format!("the name {host} cannot be resolved: {why}"))
        };
        match timeout(self.resolve_timeout, self.resolver.resolve(host)).await {
            Ok(Ok(addresses)) if addresses.is_empty() => Err(failed(&"it has no address")),
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(error)) => Err(failed(&error)),
            Err(_) => Err(failed(&format_args!("no answer in {:?}", self.resolve_timeout))),
        }
    }
}

/// The addresses that may be connected to. Those that may not are left out, so that a name with a public and a
/// private address still works; only where none is left is the host refused.
fn checked(host: &str, addresses: &[IpAddr], reach: Reach<'_>) -> Result<Vec<IpAddr>, Failure> {
    let mut refused = None;
    let mut allowed = Vec::with_capacity(addresses.len());
    for address in addresses.iter().map(IpAddr::to_canonical) {
        match reach.allows(address) {
            Ok(()) => allowed.push(address),
            Err(word) => refused = refused.or(Some((address, word))),
        }
    }
    match refused {
        Some((address, word)) if allowed.is_empty() => Err(refusal(host, address, word)),
        _ => Ok(allowed),
    }
}

/// What to write to let a host with such an address be reached.
pub(crate) fn refusal(host: &str, address: IpAddr, word: &str) -> Failure {
    let prefix = if address.is_ipv4() { 32 } else { 128 };
    Failure::refused(format!(
        "{host} is at {address}, which is not public ({word}); to allow it, write private_networks = [\"{address}/{prefix}\"]"
    ))
}

/// A connection with or without TLS.
pub(crate) enum Stream {
    Plain(Tapped),
    Tls(Box<TlsStream<Tapped>>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
