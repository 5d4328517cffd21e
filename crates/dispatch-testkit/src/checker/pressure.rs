//! The sender that does not let go: each message is sent until it is answered 2xx, over connections
//! that break and daemons that come back, as HighLevel's retries do in a longer time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::Ledger;
use crate::{Client, Target};

/// Between two tries of one message.
const AGAIN: Duration = Duration::from_millis(50);
/// After 429.
const LATER: Duration = Duration::from_millis(200);
/// No answer for so long is noted as strange: a request waits for room 5 s at most.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// A steady load until it is ended.
pub struct Pressure {
    stop: Arc<AtomicBool>,
    workers: JoinSet<()>,
}

struct Worker {
    target: Target,
    ledger: Arc<Ledger>,
    stop: Arc<AtomicBool>,
    place: Arc<AtomicU64>,
    started: Instant,
    rate: u32,
}

impl Pressure {
    /// Over so many connections, at most so many new messages a second.
    pub fn start(target: &Target, ledger: &Arc<Ledger>, connections: usize, rate: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (place, started) = (Arc::new(AtomicU64::new(0)), Instant::now());
        let mut workers = JoinSet::new();
        for _ in 0..connections {
            let worker = Worker {
                target: target.clone(),
                ledger: ledger.clone(),
                stop: stop.clone(),
                place: place.clone(),
                started,
                rate,
            };
            workers.spawn(worker.work());
        }
        Self { stop, workers }
    }

    /// Takes up no new message, gives those under way one more try, and ends.
    pub async fn end(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(ended) = self.workers.join_next().await {
            ended.expect("a sender does not panic");
        }
    }
}

impl Worker {
    async fn work(self) {
        let mut client = None;
        loop {
            let place = self.place.fetch_add(1, Ordering::Relaxed);
            let due = self.started + Duration::from_secs_f64(place as f64 / f64::from(self.rate));
            tokio::time::sleep_until(due.into()).await;
            if self.is_stopping() {
                return;
            }
            let (n, body) = self.ledger.next();
            let request = self.target.request(&body);
            loop {
                match self.once(&mut client, n, &request).await {
                    None => break,
                    Some(_) if self.is_stopping() => return,
                    Some(wait) => tokio::time::sleep(wait).await,
                }
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// One try; how long to wait before the next, if one is needed.
    async fn once(&self, client: &mut Option<Client>, n: u64, request: &[u8]) -> Option<Duration> {
        let used = client.is_some();
        let connection = match client.take() {
            Some(connection) => Ok(connection),
            None => Client::tcp(self.target.addr).await,
        };
        let Ok(mut connection) = connection else {
            self.ledger.refused();
            return Some(AGAIN);
        };
        let exchange = async {
            connection.send(request).await?;
            connection.receive().await
        };
        match tokio::time::timeout(ANSWERS_WITHIN, exchange).await {
            Ok(Ok(answer)) => {
                if answer.header("connection") != Some("close") {
                    *client = Some(connection);
                }
                if self.ledger.answered(n, answer.status) { None } else { Some(LATER) }
            }
            Ok(Err(_)) => {
                if used {
                    self.ledger.stale()
                } else {
                    self.ledger.unanswered()
                }
                Some(AGAIN)
            }
            Err(_) => {
                self.ledger.strange(format!("message {n} got no answer within {ANSWERS_WITHIN:?}"));
                Some(AGAIN)
            }
        }
    }
}
