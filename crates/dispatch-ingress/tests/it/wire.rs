//! HTTP by hand: what is sent is exactly what is written.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Long enough for a busy machine; only a failing test waits it out.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }

    pub(crate) fn word(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body["status"].as_str().unwrap().to_owned()
    }
}

/// A connection.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    rest: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, rest: Vec::new() }
    }

    /// Errors are nobody's business: the server may have closed already, and its answer is what counts.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("the server reads");
    }

    /// The next answer; none when the connection ends without one.
    pub(crate) async fn reply(&mut self) -> Option<Reply> {
        timeout(PATIENCE, self.read_reply(false)).await.expect("the server answers or closes")
    }

    /// The answer to HEAD, which announces a body and has none.
    pub(crate) async fn reply_to_head(&mut self) -> Option<Reply> {
        timeout(PATIENCE, self.read_reply(true)).await.expect("the server answers or closes")
    }

    async fn read_reply(&mut self, no_body: bool) -> Option<Reply> {
        let end = loop {
            if let Some(end) = self.rest.windows(4).position(|run| run == b"\r\n\r\n") {
                break end + 4;
            }
            if !self.more().await {
                return None;
            }
        };
        let head = String::from_utf8(self.rest.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut reply = Reply { status, head, body: String::new() };
        let length: usize = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        if !no_body {
            while self.rest.len() < length {
                assert!(self.more().await, "the body is cut off");
            }
            reply.body = String::from_utf8(self.rest.drain(..length).collect()).unwrap();
        }
        Some(reply)
    }

    async fn more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer).await {
            Ok(0) | Err(_) => false,
            Ok(read) => {
                self.rest.extend_from_slice(&buffer[..read]);
                true
            }
        }
    }

    /// Waits until the server closes.
    pub(crate) async fn closed(&mut self) {
        timeout(PATIENCE, async { while self.more().await {} }).await.expect("the server closes");
    }
}

/// A POST with these headers; the length is added.
pub(crate) fn post(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut request = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    [request.as_bytes(), body].concat()
}
