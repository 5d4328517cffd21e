//! The daemon: build binds, run serves, drain ends.
//!
//! ```text
//! build   config -> plugins, setup -> listeners -> store (its lock) -> engine -> ingress, control API
//! run     serve until a signal, a failure of the store, or the end of the world; reload meanwhile
//! drain   no more webhooks -> running attempts end within their bound -> control API -> out
//! ```

mod handoff;
mod lifecycle;
mod listeners;
mod notify;
mod parts;
mod sessions;
mod supervisor;
mod upkeep;
mod watch;

use std::sync::Arc;

use dispatch_admin::{AdminListener, Control};
use dispatch_config::{Inputs, Loaded};
use dispatch_egress::NetworkEgress;
use dispatch_engine::{CALLBACK_KEY_LEN, Egress, Engine, EngineConfig, EngineDeps};
use dispatch_ingress::{Callbacks, Gate, Ingress, Origin};
use dispatch_model::Clock;
use dispatch_store::{SqliteStore, Store};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use lifecycle::Signals;
pub(crate) use parts::{ingress_config, plugin_host, read_body, read_inbound, read_webhook, store_failure};

use crate::clock::SystemClock;
use crate::configuration;
use crate::exit::Failure;
use listeners::Bound;
use sessions::Sessions;
use supervisor::DaemonSupervisor;

/// A daemon that is built and has not begun to serve.
pub(crate) struct Daemon {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    engine: Arc<Engine>,
    ingress: Ingress,
    supervisor: Arc<DaemonSupervisor>,
    sessions: Arc<Sessions>,
    webhooks: Vec<Bound>,
    doors: Vec<AdminListener>,
    drain: std::time::Duration,
}

impl Daemon {
    /// Everything that can be wrong at a start is found here, before the first webhook is accepted.
    pub(crate) async fn build(inputs: Inputs, loaded: Loaded) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let config = &loaded.config;
        let metrics = supervisor::metrics()?;
        let host = plugin_host(config)?;
        let ingress_config = parts::ingress_config(&loaded).map_err(|problems| {
            configuration::print(&problems);
            Failure::Config(configuration::summary(&problems))
        })?;

        let webhooks = listeners::bind(&config.server.listen)?;
        let inherited = !webhooks.is_empty() && webhooks.iter().all(|bound| bound.inherited);
        let store = open_store(config, inherited).await?;
        let callback_key = callback_key(&*store).await?;
        let built =
            crate::setup::build(&loaded, &host, 1, Some(&callback_key)).await.map_err(|problems| {
                configuration::print(&problems);
                Failure::Config(configuration::summary(&problems))
            })?;
        let doors = parts::admin_doors(config)?;

        let egress = NetworkEgress::new(parts::egress_config(config), Arc::clone(&clock))
            .map_err(|error| Failure::Config(format!("egress: {error}")))?;
        let egress = Arc::new(egress);
        let engine = Engine::start(EngineDeps {
            store: Arc::clone(&store),
            egress: Arc::clone(&egress) as Arc<dyn Egress>,
            clock: Arc::clone(&clock),
            setup: built.setup,
            seed: rand::random(),
            config: EngineConfig::default(),
        })
        .await
        .map_err(|error| Failure::Store(error.to_string()))?;
        let sessions = Arc::new(Sessions::new(egress, Arc::clone(&engine)));
        let handoff = Arc::new(handoff::ToEngine(Arc::clone(&engine)));
        let callbacks: Arc<dyn Callbacks> = Arc::<handoff::ToEngine>::clone(&handoff);
        let ingress =
            Ingress::new(ingress_config, Arc::clone(&store), handoff, callbacks, Arc::clone(&clock));

        let drain = config.server.drain;
        let names = webhooks.iter().map(|bound| bound.name.clone()).collect();
        let supervisor = DaemonSupervisor::new(
            supervisor::Parts { inputs, loaded, rows: built.rows, listening: names, callback_key },
            host,
            Arc::clone(&engine),
            Arc::clone(&sessions),
            ingress.clone(),
            Arc::clone(&clock),
            metrics,
        );
        Ok(Self { store, clock, engine, ingress, supervisor, sessions, webhooks, doors, drain })
    }

    /// Serves until told to stop, then drains.
    pub(crate) async fn run(self, mut signals: Signals) -> Result<(), Failure> {
        // Before readiness: a file saved from then on is a change that must be seen.
        let mut watch = watch::Watch::start(&self.supervisor.watched());
        let tasks = TaskTracker::new();
        let stop_webhooks = CancellationToken::new();
        let stop_rest = CancellationToken::new();

        let control = Arc::new(Control::of_daemon(
            Arc::clone(&self.store),
            Arc::clone(&self.clock),
            Arc::clone(&self.engine),
            Arc::clone(&self.supervisor) as Arc<dyn dispatch_admin::Supervisor>,
        ));
        for door in self.doors {
            tasks.spawn(dispatch_admin::serve(door, Arc::clone(&control), stop_rest.clone()));
        }
        let inherited = !self.webhooks.is_empty() && self.webhooks.iter().all(|bound| bound.inherited);
        for bound in self.webhooks {
            let (ingress, stop) = (self.ingress.clone(), stop_webhooks.clone());
            let origin = if bound.inherited { Origin::Inherited } else { Origin::Own };
            tasks.spawn(async move { ingress.serve(bound.listener, origin, stop).await });
        }
        tasks.spawn(upkeep::run(
            Arc::clone(&self.store),
            Arc::clone(&self.clock),
            Arc::clone(&self.supervisor),
            stop_rest.clone(),
        ));

        self.sessions.hold();
        self.ingress.set_gate(Gate::Serving);
        notify::ready();
        notify::status("ready");
        tracing::info!(
            version = crate::version::short(),
            listening = self.supervisor.listening().join(", "),
            "daemon.ready"
        );
        let ended =
            lifecycle::serve(&*self.store, &self.engine, &self.supervisor, &mut signals, &mut watch).await;

        notify::stopping();
        notify::status("draining");
        tracing::info!(reason = ended.words(), bound = ?self.drain, "daemon.draining");
        // An inherited socket is left to the successor: its backlog waits. On a socket of our own nobody
        // would answer, so newcomers are told to come again.
        self.ingress.set_gate(if inherited { Gate::HandingOver } else { Gate::Draining });
        let drained = lifecycle::drain(&self.engine, self.drain, &mut signals).await;
        // A second signal does not wait for goodbyes either.
        if drained.is_ok() {
            self.sessions.close().await;
        }
        stop_webhooks.cancel();
        stop_rest.cancel();
        tasks.close();
        lifecycle::join(&tasks).await?;
        if let lifecycle::Ended::Failed(why) = ended {
            return Err(Failure::StoreFailed(why));
        }
        drained?;
        tracing::info!("daemon.stopped");
        Ok(())
    }
}

/// Only with an inherited socket does a successor wait for the lock: its clients wait in the backlog.
async fn open_store(config: &dispatch_config::Config, inherited: bool) -> Result<Arc<dyn Store>, Failure> {
    let store = configuration::store(config);
    let opened = if inherited {
        SqliteStore::open_waiting(store, config.server.takeover).await
    } else {
        // Recovery after a crash reads the log: not on a thread that serves others.
        tokio::task::spawn_blocking(move || SqliteStore::open(store))
            .await
            .map_err(|error| Failure::Store(format!("opening the store: {error}")))?
    };
    Ok(Arc::new(opened.map_err(store_failure)?))
}

/// The key of this installation's callback URLs: made at the first start, and kept with the store, so that a backup
/// has it too.
async fn callback_key(store: &dyn Store) -> Result<Vec<u8>, Failure> {
    let fresh: [u8; CALLBACK_KEY_LEN] = rand::random();
    store.secret("callbacks", fresh.to_vec()).await.map_err(|error| Failure::Store(error.to_string()))
}
