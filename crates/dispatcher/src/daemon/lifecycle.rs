//! Signals, and how the daemon ends.

use std::sync::Arc;
use std::time::Duration;

use dispatch_engine::Engine;
use dispatch_store::{Store, StoreHealth};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::task::TaskTracker;

use super::supervisor::DaemonSupervisor;
use super::watch::Watch;
use crate::exit::Failure;

/// After the drain, tasks that were told to stop get this long: they only have answers left to write.
const JOIN: Duration = Duration::from_secs(5);

/// Why serving ended.
pub(crate) enum Ended {
    /// A signal asked for it.
    Asked(&'static str),
    /// The store cannot be trusted any more.
    Failed(String),
}

impl Ended {
    pub(crate) fn words(&self) -> &str {
        match self {
            Self::Asked(signal) => signal,
            Self::Failed(why) => why,
        }
    }
}

/// The signals that concern the daemon. Listened to before anything is built: a SIGHUP that nobody
/// listens to ends a process, and one may come as soon as the daemon says that it is ready.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// From here on no signal is left to the system's default.
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Returns the name of the one that asks the daemon to end.
    pub(crate) async fn end(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// A store that fails while the engine has nothing to write is seen within this.
const LOOK_AT_STORE: Duration = Duration::from_millis(250);

/// Waits for the end, and reloads meanwhile.
pub(crate) async fn serve(
    store: &dyn Store,
    engine: &Engine,
    supervisor: &Arc<DaemonSupervisor>,
    signals: &mut Signals,
    watch: &mut Watch,
) -> Ended {
    let mut fatal = engine.fatal();
    loop {
        let changed = tokio::select! {
            _ = signals.terminate.recv() => return Ended::Asked("SIGTERM"),
            _ = signals.interrupt.recv() => return Ended::Asked("SIGINT"),
            why = failure(store, &mut fatal) => return Ended::Failed(why),
            _ = signals.hangup.recv() => "SIGHUP",
            () = watch.changed() => "a file was saved",
        };
        tracing::info!(because = changed, "config.reloading");
        supervisor.reload_now().await;
        watch.follow(&supervisor.watched());
    }
}

/// Waits until the engine or a webhook has met a store that cannot be trusted any more.
async fn failure(store: &dyn Store, fatal: &mut tokio::sync::watch::Receiver<Option<String>>) -> String {
    let mut look = tokio::time::interval(LOOK_AT_STORE);
    loop {
        tokio::select! {
            met = fatal.wait_for(Option::is_some) => return match met {
                Ok(why) => why.clone().unwrap_or_default(),
                Err(_) => "the engine stopped".to_owned(),
            },
            _ = look.tick() => if let StoreHealth::Failed(why) = store.health() {
                return why;
            },
        }
    }
}

/// Lets running attempts end within their bound. A second signal cuts it short: what was promised is on disk.
pub(crate) async fn drain(engine: &Engine, bound: Duration, signals: &mut Signals) -> Result<(), Failure> {
    tokio::select! {
        drained = engine.drain(bound) => {
            tracing::info!(finished = drained.finished, broken_off = drained.broken_off, "daemon.drained");
            Ok(())
        }
        _ = signals.end() => {
            Err(Failure::Aborted("a second signal cut the drain short; what was accepted is on disk".to_owned()))
        }
    }
}

/// Waits for the tasks that were told to stop.
pub(crate) async fn join(tasks: &TaskTracker) -> Result<(), Failure> {
    if tokio::time::timeout(JOIN, tasks.wait()).await.is_err() {
        tracing::warn!(tasks = tasks.len(), "daemon.tasks_left: they end with the process");
    }
    Ok(())
}
