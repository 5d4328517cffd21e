//! One connection to the provider: requests are read one after another and acted upon.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, BufWriter};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::act::{Act, Caught};
use super::{Answer, Shared};

/// No body of a test is larger; an attachment of 25 MB in base64 fits.
const BODY_MAX: usize = 64 << 20;
/// An endless body ends here, should nobody have had enough by then.
const ENDLESS_MAX: usize = 256 << 20;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// Makes closing a reset.
    fn reset_on_close(&self);
}

impl Stream for TcpStream {
    fn reset_on_close(&self) {
        // Best effort: a connection that is gone already cannot be reset.
        let _ = self.set_zero_linger();
    }
}

impl Stream for tokio_rustls::server::TlsStream<TcpStream> {
    fn reset_on_close(&self) {
        let _ = self.get_ref().0.set_zero_linger();
    }
}

/// Serves until it is dropped, and its connections with it.
pub(super) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        shared.connections.fetch_add(1, Ordering::SeqCst);
        if shared.resets_at_once() {
            stream.reset_on_close();
            continue;
        }
        let (shared, tls) = (shared.clone(), tls.clone());
        connections.spawn(async move {
            let _ = stream.set_nodelay(true);
            shared.open.fetch_add(1, Ordering::SeqCst);
            let _open = Open(&shared);
            // A client that misbehaves or leaves ends its connection and nothing else.
            let _ = match tls {
                None => serve(stream, &shared).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => serve(stream, &shared).await,
                    Err(error) => Err(error),
                },
            };
        });
    }
}

/// Counts a connection as open for as long as it is.
struct Open<'a>(&'a Shared);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn serve<S: Stream>(stream: S, shared: &Shared) -> io::Result<()> {
    let mut stream = BufWriter::new(BufReader::new(stream));
    while let Some(caught) = read_request(stream.get_mut()).await? {
        let (number, act) = shared.note(caught);
        match act {
            Act::Answer(answer) => answer_with(&mut stream, &answer, number).await?,
            Act::Slow(wait, answer) => {
                tokio::time::sleep(wait).await;
                answer_with(&mut stream, &answer, number).await?;
            }
            Act::WhenReleased(gate, answer) => {
                gate.acquire().await.map_err(io::Error::other)?.forget();
                answer_with(&mut stream, &answer, number).await?;
            }
            // Held until the other side leaves.
            Act::Hang => {
                while stream.get_mut().read_u8().await.is_ok() {}
                return Ok(());
            }
            Act::ResetAtOnce | Act::ResetAfterReading => {
                stream.get_ref().get_ref().reset_on_close();
                return Ok(());
            }
            Act::CloseAfterReading => return stream.shutdown().await,
            Act::Drip(apart, answer) => drip(&mut stream, &answer, number, apart).await?,
            Act::EndlessBody => return endless(&mut stream).await,
            Act::Garbage(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
        }
    }
    Ok(())
}

async fn answer_with<W: AsyncWrite + Unpin>(stream: &mut W, answer: &Answer, number: u64) -> io::Result<()> {
    let (head, body) = answer.to_bytes(number);
    stream.write_all(&head).await?;
    stream.write_all(&body).await?;
    stream.flush().await
}

async fn drip<W: AsyncWrite + Unpin>(
    stream: &mut W,
    answer: &Answer,
    number: u64,
    apart: Duration,
) -> io::Result<()> {
    let (head, body) = answer.to_bytes(number);
    stream.write_all(&head).await?;
    for byte in body {
        stream.flush().await?;
        tokio::time::sleep(apart).await;
        stream.write_all(&[byte]).await?;
    }
    stream.flush().await
}

async fn endless<W: AsyncWrite + Unpin>(stream: &mut W) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 As-Scripted\r\ncontent-type: application/json\r\n\r\n").await?;
    let piece = [b' '; 64 * 1024];
    for _ in 0..ENDLESS_MAX / piece.len() {
        stream.write_all(&piece).await?;
    }
    stream.shutdown().await
}

async fn read_request<R: AsyncRead + Unpin>(stream: &mut BufReader<R>) -> io::Result<Option<Caught>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut caught = Caught {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        answered: None,
        at: Instant::now(),
    };
    loop {
        let mut line = String::new();
        // A client that left in the middle of its head has asked nothing.
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        let Some((name, value)) = line.split_once(':') else { break };
        caught.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    if caught.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
            read_exactly(stream, &mut caught.body, size).await?;
            let mut end = String::new();
            stream.read_line(&mut end).await?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = caught.header("content-length") {
        let length = length.parse().map_err(io::Error::other)?;
        read_exactly(stream, &mut caught.body, length).await?;
    }
    Ok(Some(caught))
}

async fn read_exactly<R: AsyncRead + Unpin>(
    stream: &mut R,
    body: &mut Vec<u8>,
    length: usize,
) -> io::Result<()> {
    let start = body.len();
    if start + length > BODY_MAX {
        return Err(io::Error::other(format!("more than {BODY_MAX} bytes")));
    }
    body.resize(start + length, 0);
    stream.read_exact(&mut body[start..]).await.map(drop)
}
