//! An HTTP provider that does as it is told: answers, hangs, resets, drips, babbles.
//!
//! It reads HTTP/1.1 by itself, since a server library would refuse to misbehave. Each request
//! takes the next act of the script, and the standing act once the script is used up.

mod act;
mod connection;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

pub use act::{Act, Answer, Caught};

use crate::Identity;
use crate::wait::{until, until_some};

/// How many requests are kept for the test to look at; older ones are only counted.
const KEPT: usize = 50_000;

/// The provider.
pub struct HttpCatcher {
    addr: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

pub(super) struct Shared {
    script: Mutex<VecDeque<Act>>,
    standing: Mutex<Act>,
    caught: Mutex<VecDeque<Caught>>,
    requests: AtomicU64,
    connections: AtomicU64,
    open: AtomicU64,
}

impl HttpCatcher {
    /// Starts on a port of its own, answering 200 with an empty JSON object.
    pub async fn start() -> anyhow::Result<Self> {
        Self::serve(TcpListener::bind("127.0.0.1:0").await?, None)
    }

    /// Starts where the configuration already says that it is.
    pub async fn start_at(port: u16) -> anyhow::Result<Self> {
        Self::serve(TcpListener::bind(("127.0.0.1", port)).await?, None)
    }

    /// Starts with TLS.
    pub async fn start_tls(identity: &Identity) -> anyhow::Result<Self> {
        Self::serve(TcpListener::bind("127.0.0.1:0").await?, Some(identity.acceptor()?))
    }

    /// Starts with TLS where the configuration already says that it is.
    pub async fn start_tls_at(port: u16, identity: &Identity) -> anyhow::Result<Self> {
        Self::serve(TcpListener::bind(("127.0.0.1", port)).await?, Some(identity.acceptor()?))
    }

    fn serve(listener: TcpListener, tls: Option<TlsAcceptor>) -> anyhow::Result<Self> {
        let addr = listener.local_addr()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared {
            script: Mutex::default(),
            standing: Mutex::new(Act::Answer(Answer::json(200, &serde_json::json!({})))),
            caught: Mutex::default(),
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            open: AtomicU64::new(0),
        });
        let server = tokio::spawn(connection::accept(listener, tls, shared.clone()));
        Ok(Self { addr, scheme, shared, server })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT`, or `https://localhost:PORT`.
    pub fn url(&self) -> String {
        let host = if self.scheme == "https" { "localhost" } else { "127.0.0.1" };
        format!("{}://{host}:{}", self.scheme, self.addr.port())
    }

    /// Adds an act to the script: the next request not yet provided for takes it.
    pub fn next(&self, act: impl Into<Act>) -> &Self {
        self.shared.script.lock().push_back(act.into());
        self
    }

    /// What every request gets once the script is used up.
    pub fn always(&self, act: impl Into<Act>) -> &Self {
        *self.shared.standing.lock() = act.into();
        self
    }

    /// The requests so far, oldest first.
    pub fn requests(&self) -> Vec<Caught> {
        self.shared.caught.lock().iter().cloned().collect()
    }

    /// How many requests came.
    pub fn count(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// How many connections were opened since the start.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many connections are open now.
    pub fn open(&self) -> u64 {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Waits until so many requests came, and gives them all.
    pub async fn wait_for(&self, count: usize, bound: Duration) -> anyhow::Result<Vec<Caught>> {
        let what = format!("{count} requests at the provider (it has {})", self.count());
        until_some(&what, bound, async || (self.count() >= count as u64).then(|| self.requests())).await
    }

    /// Takes the requests that were kept since the last time; the count goes on.
    pub fn take(&self) -> Vec<Caught> {
        self.shared.caught.lock().drain(..).collect()
    }

    /// Stops serving, and waits until nobody is served any more: what came until now is all.
    pub async fn stop(&self, bound: Duration) -> anyhow::Result<()> {
        self.server.abort();
        until("the provider's connections to end", bound, async || self.open() == 0).await
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.shared.caught.lock().clear();
        self.shared.requests.store(0, Ordering::SeqCst);
    }
}

impl Drop for HttpCatcher {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    /// Whether the next connection is to be reset before a byte of it is read; takes that act.
    fn resets_at_once(&self) -> bool {
        let mut script = self.script.lock();
        match script.front() {
            Some(Act::ResetAtOnce) => script.pop_front().is_some(),
            Some(_) => false,
            None => matches!(*self.standing.lock(), Act::ResetAtOnce),
        }
    }

    /// Notes a request; gives its number, from 1, and what to do with it.
    fn note(&self, mut caught: Caught) -> (u64, Act) {
        let act = self.script.lock().pop_front().unwrap_or_else(|| self.standing.lock().clone());
        (caught.answered, caught.at) = (act.status(), Instant::now());
        let mut kept = self.caught.lock();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(caught);
        drop(kept);
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        (number, act)
    }
}
