//! What a process said, line by line.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

use crate::wait::until;

/// Lines that are kept; a load of tens of thousands of messages logs more than a test reads.
const KEPT: usize = 20_000;

/// The output of a process, both streams.
#[derive(Clone, Default)]
pub struct Log {
    lines: Arc<Mutex<VecDeque<String>>>,
    errors: Arc<Mutex<Vec<String>>>,
}

impl Log {
    /// Reads until the stream ends.
    pub(crate) fn follow(
        &self,
        stream: impl AsyncRead + Unpin + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        let log = self.clone();
        tokio::spawn(async move {
            let mut reader = BufReader::new(stream);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
                log.push(String::from_utf8_lossy(&line).trim_end().to_owned());
                line.clear();
            }
        })
    }

    fn push(&self, line: String) {
        if line.contains("\"level\":\"ERROR\"") || line.contains("panicked at") {
            self.errors.lock().push(line.clone());
        }
        let mut lines = self.lines.lock();
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().iter().cloned().collect()
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// The lines that report an error or a panic.
    pub fn errors(&self) -> Vec<String> {
        self.errors.lock().clone()
    }

    /// Whether a line contains this.
    pub fn contains(&self, part: &str) -> bool {
        self.lines.lock().iter().any(|line| line.contains(part))
    }

    /// Waits for a line that contains this.
    pub async fn wait_for(&self, part: &str, bound: Duration) -> anyhow::Result<()> {
        until(&format!("a log line with {part:?}"), bound, async || self.contains(part)).await
    }
}
