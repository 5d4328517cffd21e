//! Egress to the network.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dispatch_engine::{Call, Egress, FetchBounds, FetchError, Spooled};
use dispatch_model::{Action, Clock, Reply};
use tokio::task::JoinHandle;
use tokio::time::timeout_at;
use tracing::Instrument as _;

use crate::config::EgressConfig;
use crate::credential::Credentials;
use crate::dial::Dialer;
use crate::dkim::Signer;
use crate::failure::{Failure, Progress};
use crate::fetch::Fetcher;
use crate::http::{Http, HttpPool};
use crate::meter;
use crate::pool::{Bounds, Pool};
use crate::resolve::{Resolver, SystemResolver};
use crate::smpp::{Held, Listener, Short};
use crate::smtp::{Mail, MailPool};
use crate::spool::Spool;
use crate::tls::Tls;

/// How often idle connections are looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// Why egress cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The file of further certificate authorities is no use.
    #[error("the certificate file {path:?} cannot be used: {reason}")]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS itself.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[source] rustls::Error),
    /// The spool folder cannot be made or cleaned.
    #[error("the spool folder {path:?} cannot be used")]
    Spool {
        /// Which folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Takes actions on the real network.
pub struct NetworkEgress {
    http: Http,
    mail: Mail,
    short: Short,
    fetcher: Fetcher,
    credentials: Credentials,
    meters: meter::Meters,
    sweeper: JoinHandle<()>,
}

impl NetworkEgress {
    /// Sets up. Must be called within a tokio runtime: a task closes idle connections until this is dropped.
    pub fn new(config: EgressConfig, clock: Arc<dyn Clock>) -> Result<Self, EgressError> {
        Self::with_resolver(config, clock, Arc::new(SystemResolver::default()))
    }

    /// The same with another resolver, for tests.
    pub fn with_resolver(
        config: EgressConfig,
        clock: Arc<dyn Clock>,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, EgressError> {
        let dialer = Arc::new(Dialer {
            resolver,
            tls: Tls::new(config.extra_ca_file.as_deref())?,
            resolve_timeout: config.resolve_timeout,
            connect_timeout: config.connect_timeout,
        });
        let bounds =
            Bounds { per_key: config.idle_per_key_max, total: config.idle_max, timeout: config.idle_timeout };
        let pool: Arc<HttpPool> = Arc::new(Pool::new(bounds));
        let mail_pool: Arc<MailPool> = Arc::new(Pool::new(bounds));
        let spool = Spool::open(&config.spool_dir, config.spool_bytes_max)
            .map_err(|source| EgressError::Spool { path: config.spool_dir.clone(), source })?;
        let sweeper = tokio::spawn(sweep(Arc::clone(&pool), Arc::clone(&mail_pool)));
        Ok(Self {
            http: Http { dialer: Arc::clone(&dialer), pool },
            mail: Mail {
                dialer: Arc::clone(&dialer),
                pool: mail_pool,
                hello: config.hello,
                signer: Signer::default(),
                clock: Arc::clone(&clock),
            },
            short: Short::new(dialer),
            fetcher: Fetcher { spool, private: config.fetch_private },
            credentials: Credentials::new(clock),
            meters: meter::Meters::default(),
            sweeper,
        })
    }

    /// Holds these SMPP sessions from now on, and no others: they are bound as long as they are held, and what comes over
    /// them goes to `listener`. Sessions that are asked for and not held are bound while they are used.
    pub fn hold(&self, sessions: &[Held], listener: &Arc<dyn Listener>) {
        self.short.hold(sessions, listener);
    }

    /// Ends what is held, waiting at most so long: message centres hear goodbye.
    pub async fn close(&self, bound: Duration) {
        self.short.close(bound).await;
    }

    async fn take(
        &self,
        action: &Action,
        call: &Call<'_>,
        progress: &mut Progress,
    ) -> Result<Reply, Failure> {
        match action {
            Action::Http(request) => {
                self.http.perform(request, call, &self.credentials, progress).await.map(Reply::Http)
            }
            // Boxed, since it is twice as large as the others, which would keep a place for it.
            Action::Mail(mail) => Box::pin(self.mail.perform(mail, call, progress)).await.map(Reply::Mail),
            Action::Smpp(submission) => self.short.perform(submission, call, progress).await.map(Reply::Smpp),
        }
    }
}

impl Drop for NetworkEgress {
    fn drop(&mut self) {
        self.sweeper.abort();
    }
}

async fn sweep(http: Arc<HttpPool>, mail: Arc<MailPool>) {
    let mut every = tokio::time::interval(SWEEP_EVERY);
    loop {
        every.tick().await;
        http.sweep();
        mail.sweep();
    }
}

#[async_trait]
impl Egress for NetworkEgress {
    async fn perform(&self, action: &Action, call: &Call<'_>) -> Reply {
        let begun = Instant::now();
        let mut progress = Progress::new();
        let taking =
            self.take(action, call, &mut progress).instrument(meter::span(&call.grants.owner, action));
        let taken = timeout_at(call.deadline.into(), taking).await;
        let reply = match taken {
            Ok(Ok(reply)) => reply,
            Ok(Err(failure)) => progress.failed(failure),
            Err(_) => progress.timed_out(),
        };
        meter::action(&self.meters, &call.grants.owner, action, &reply, begun.elapsed());
        reply
    }

    async fn fetch(&self, url: &str, bounds: FetchBounds) -> Result<Spooled, FetchError> {
        let fetched = self.fetcher.fetch(&self.http, url, bounds).await;
        meter::fetch(&fetched);
        fetched
    }
}
