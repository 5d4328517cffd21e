//! The sender: HighLevel as it signs and posts, one message or a bounded burst of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::{Client, Response, Signer};

/// Where and as whom to send.
#[derive(Clone)]
pub struct Target {
    /// Where the daemon listens.
    pub addr: SocketAddr,
    /// The source's path.
    pub path: String,
    /// Who signs.
    pub signer: Arc<Signer>,
}

impl Target {
    /// The Delivery URL.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.addr, self.path)
    }

    /// Sends one body over a connection of its own.
    pub async fn send(&self, body: &[u8]) -> anyhow::Result<Response> {
        let mut client = Client::tcp(self.addr).await?;
        client.send(&self.request(body)).await?;
        client.receive().await
    }

    /// A whole signed request.
    pub fn request(&self, body: &[u8]) -> Vec<u8> {
        let mut bytes = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nx-ghl-signature: {}\r\n\
             content-length: {}\r\n\r\n",
            self.path,
            self.addr,
            self.signer.sign(body),
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }
}

/// A burst.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Keep-alive connections, one request under way on each.
    pub connections: usize,
    /// At most so many a second over all connections; none means as fast as they are answered.
    pub rate: Option<u32>,
}

/// What became of a burst.
pub struct LoadReport {
    /// The requests answered 2xx, by their place in the burst.
    pub acked: Vec<usize>,
    /// How many answers of each status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests that got no answer.
    pub unanswered: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Microseconds from request to answer.
    pub latency: Histogram<u64>,
}

impl LoadReport {
    /// Messages acked a second.
    pub fn per_second(&self) -> f64 {
        self.acked.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// A percentile of the latency in milliseconds.
    pub fn millis(&self, percentile: f64) -> f64 {
        self.latency.value_at_percentile(percentile) as f64 / 1_000.0
    }
}

impl Load {
    /// Sends these requests (see [`Target::request`]; signed ahead, so that the burst measures the
    /// daemon), each once. A connection that breaks ends its share: what is under way then is
    /// unanswered, and the rest goes over the other connections.
    pub async fn run(&self, addr: SocketAddr, requests: Vec<Vec<u8>>) -> LoadReport {
        let requests = Arc::new(requests);
        let place = Arc::new(AtomicUsize::new(0));
        let started = Instant::now();
        let mut senders = JoinSet::new();
        for _ in 0..self.connections.min(requests.len()) {
            let (requests, place, rate) = (requests.clone(), place.clone(), self.rate);
            senders.spawn(async move {
                let mut share = Share::default();
                let Ok(mut client) = Client::tcp(addr).await else { return share };
                loop {
                    let at = place.fetch_add(1, Ordering::Relaxed);
                    let Some(request) = requests.get(at) else { return share };
                    if let Some(rate) = rate {
                        let due = started + Duration::from_secs_f64(at as f64 / f64::from(rate));
                        tokio::time::sleep_until(due.into()).await;
                    }
                    if share.exchange(&mut client, at, request).await.is_err() {
                        share.unanswered += 1;
                        return share;
                    }
                }
            });
        }
        let mut total = Share::default();
        while let Some(share) = senders.join_next().await {
            total.add(share.expect("a sender does not panic"));
        }
        LoadReport {
            acked: total.acked,
            statuses: total.statuses,
            unanswered: total.unanswered,
            elapsed: started.elapsed(),
            latency: total.latency,
        }
    }
}

/// Longer latencies count as this: a minute.
const LONGEST_US: u64 = 60_000_000;

/// What one connection saw.
struct Share {
    acked: Vec<usize>,
    statuses: BTreeMap<u16, u64>,
    unanswered: u64,
    latency: Histogram<u64>,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            acked: Vec::new(),
            statuses: BTreeMap::new(),
            unanswered: 0,
            latency: Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are in order"),
        }
    }
}

impl Share {
    async fn exchange(&mut self, client: &mut Client, at: usize, request: &[u8]) -> anyhow::Result<()> {
        let sent = Instant::now();
        client.send(request).await?;
        let status = client.receive().await?.status;
        self.latency.saturating_record(u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX));
        *self.statuses.entry(status).or_default() += 1;
        if (200..300).contains(&status) {
            self.acked.push(at);
        }
        Ok(())
    }

    fn add(&mut self, other: Self) {
        self.acked.extend(other.acked);
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.unanswered += other.unanswered;
        self.latency.add(&other.latency).expect("both have the same range");
    }
}
