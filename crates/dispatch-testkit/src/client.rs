//! One keep-alive HTTP/1.1 connection, spoken byte by byte.
//!
//! Not a client library: a load generator must cost little beside what it measures, a hostile test
//! must be able to send what no library would, and the same few lines have to work over TCP and
//! over a unix socket.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

/// The largest answer that is read: the metrics and a long list of messages fit well.
const ANSWER_MAX: usize = 64 << 20;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection.
pub struct Client {
    stream: Box<dyn Stream>,
    /// Bytes read past the last answer.
    ahead: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }
}

impl Client {
    /// Over TCP.
    pub async fn tcp(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: Box::new(stream), ahead: Vec::new() })
    }

    /// Over a unix socket.
    pub async fn unix(path: &Path) -> io::Result<Self> {
        Ok(Self { stream: Box::new(UnixStream::connect(path).await?), ahead: Vec::new() })
    }

    /// Sends a request and reads its answer.
    pub async fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Response> {
        let mut head = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.send(&bytes).await?;
        self.receive().await
    }

    /// Writes bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Reads one answer.
    pub async fn receive(&mut self) -> anyhow::Result<Response> {
        let head_end = loop {
            if let Some(at) = find(&self.ahead, b"\r\n\r\n") {
                break at;
            }
            self.fill().await?;
        };
        let head = String::from_utf8_lossy(&self.ahead[..head_end]).into_owned();
        self.ahead.drain(..head_end + 4);
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("not a status line: {status_line:?}"))?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut response = Response { status, headers, body: Vec::new() };
        if response.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            response.body = self.chunked().await?;
        } else {
            let length = response.header("content-length").map_or(Ok(0), str::parse)?;
            response.body = self.take(length).await?;
        }
        Ok(response)
    }

    /// Whether the other side closed; waits until it did or `bound` passed.
    pub async fn closed_within(&mut self, bound: std::time::Duration) -> bool {
        let drained = async { while self.fill().await.is_ok() {} };
        tokio::time::timeout(bound, drained).await.is_ok()
    }

    async fn chunked(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line_end = loop {
                if let Some(at) = find(&self.ahead, b"\r\n") {
                    break at;
                }
                self.fill().await?;
            };
            let size = usize::from_str_radix(std::str::from_utf8(&self.ahead[..line_end])?.trim(), 16)?;
            self.ahead.drain(..line_end + 2);
            let mut chunk = self.take(size + 2).await?;
            chunk.truncate(size);
            body.append(&mut chunk);
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn take(&mut self, length: usize) -> anyhow::Result<Vec<u8>> {
        while self.ahead.len() < length {
            self.fill().await?;
        }
        Ok(self.ahead.drain(..length).collect())
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        if self.ahead.len() > ANSWER_MAX {
            bail!("the answer is longer than {ANSWER_MAX} bytes");
        }
        if self.stream.read_buf(&mut self.ahead).await? == 0 {
            bail!("the connection was closed before an answer was complete");
        }
        Ok(())
    }
}

/// Where `needle` begins.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
