//! An SMTP provider that does as it is told, and keeps the mails it took.
//!
//! The suite also speaks to a real server written by others; this one is for what no server offers:
//! a reply for each recipient, silence after the last dot, a connection that is cut.

mod session;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::Identity;
use crate::wait::until_some;

/// A mail the provider took.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The recipients that were taken.
    pub to: Vec<String>,
    /// Headers and body, dots unstuffed.
    pub data: String,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Who had logged in.
    pub user: Option<String>,
    /// Whether the provider said that it took it.
    pub answered: bool,
}

impl Mail {
    /// The value of a header, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.data.split("\r\n\r\n").next()?.replace("\r\n ", " ").replace("\r\n\t", " ");
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
    }
}

/// How the provider behaves. Replies are whole lines: `451 4.7.1 later`.
#[derive(Clone, Debug, Default)]
pub struct SmtpScript {
    /// Instead of the greeting.
    pub greeting: Option<String>,
    /// User and password; without them no AUTH is offered.
    pub login: Option<(String, String)>,
    /// To `MAIL FROM`.
    pub sender: Option<String>,
    /// To `RCPT TO` of these.
    pub recipients: HashMap<String, String>,
    /// After the last dot.
    pub content: Option<String>,
    /// Says nothing after the last dot, until the other side leaves.
    pub silent_after_content: bool,
    /// Cuts the connection after the last dot; the mail is gone.
    pub cut_after_content: bool,
    /// Takes the mail, and cuts the connection before it says so.
    pub cut_after_taking: bool,
}

pub(super) struct Shared {
    script: Mutex<SmtpScript>,
    mails: Mutex<Vec<Mail>>,
    connections: AtomicU64,
    tls: Option<TlsAcceptor>,
}

/// The provider.
pub struct SmtpCatcher {
    addr: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl SmtpCatcher {
    /// Starts without TLS and without AUTH; takes everything.
    pub async fn start() -> anyhow::Result<Self> {
        Self::serve(None).await
    }

    /// Starts with STARTTLS.
    pub async fn start_tls(identity: &Identity) -> anyhow::Result<Self> {
        Self::serve(Some(identity.acceptor()?)).await
    }

    async fn serve(tls: Option<TlsAcceptor>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script: Mutex::default(),
            mails: Mutex::default(),
            connections: AtomicU64::new(0),
            tls,
        });
        let serving = shared.clone();
        let server = tokio::spawn(async move {
            let mut sessions = JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                while sessions.try_join_next().is_some() {}
                serving.connections.fetch_add(1, Ordering::SeqCst);
                let shared = serving.clone();
                // A client that leaves in the middle ends its session and nothing else.
                sessions.spawn(async move { session::serve(stream, &shared).await });
            }
        });
        Ok(Self { addr, shared, server })
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// Behaves like this from the next command on.
    pub fn script(&self, script: SmtpScript) -> &Self {
        *self.shared.script.lock() = script;
        self
    }

    /// The mails so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.mails.lock().clone()
    }

    /// Takes the mails that were kept since the last time.
    pub fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut *self.shared.mails.lock())
    }

    /// How many connections were opened since the start.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Waits until so many mails came, and gives them all.
    pub async fn wait_for(&self, count: usize, bound: Duration) -> anyhow::Result<Vec<Mail>> {
        let what = format!("{count} mails at the provider");
        until_some(&what, bound, async || {
            let mails = self.shared.mails.lock();
            (mails.len() >= count).then(|| mails.clone())
        })
        .await
    }
}

impl Drop for SmtpCatcher {
    fn drop(&mut self) {
        self.server.abort();
    }
}
