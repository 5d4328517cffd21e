//! What the running daemon knows of itself, and its reload: all of a configuration or none of it.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use dispatch_admin::{BackendRow, DaemonFacts, ReloadReport, Supervisor};
use dispatch_config::{Diagnostic, Inputs, Loaded};
use dispatch_engine::Engine;
use dispatch_ingress::{Gate, Ingress};
use dispatch_model::{Clock, Timestamp};
use dispatch_plugins::PluginHost;
use dispatch_store::Retention;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use parking_lot::Mutex;

use super::sessions::Sessions;
use super::{notify, parts};
use crate::exit::Failure;
use crate::{configuration, setup};

/// Seconds; from a store's commit to a provider that hangs.
const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Starts the metrics.
pub(crate) fn metrics() -> Result<PrometheusHandle, Failure> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| Failure::Refused(format!("metrics: {error}")))
}

/// What it was built from.
pub(crate) struct Parts {
    pub(crate) inputs: Inputs,
    pub(crate) loaded: Loaded,
    pub(crate) rows: Vec<BackendRow>,
    pub(crate) listening: Vec<String>,
    pub(crate) callback_key: Vec<u8>,
}

/// The daemon's own knowledge.
pub(crate) struct DaemonSupervisor {
    inputs: Inputs,
    listening: Vec<String>,
    callback_key: Vec<u8>,
    host: Arc<PluginHost>,
    engine: Arc<Engine>,
    sessions: Arc<Sessions>,
    ingress: Ingress,
    clock: Arc<dyn Clock>,
    metrics: PrometheusHandle,
    started_at: Timestamp,
    state: Mutex<State>,
    /// One reload at a time.
    reloading: tokio::sync::Mutex<()>,
}

struct State {
    loaded: Loaded,
    loaded_at: Timestamp,
    refused: Option<String>,
    rows: Vec<BackendRow>,
    generation: u64,
}

impl DaemonSupervisor {
    pub(crate) fn new(
        parts: Parts,
        host: Arc<PluginHost>,
        engine: Arc<Engine>,
        sessions: Arc<Sessions>,
        ingress: Ingress,
        clock: Arc<dyn Clock>,
        metrics: PrometheusHandle,
    ) -> Arc<Self> {
        let now = clock.now();
        let state =
            State { loaded: parts.loaded, loaded_at: now, refused: None, rows: parts.rows, generation: 1 };
        Arc::new(Self {
            inputs: parts.inputs,
            listening: parts.listening,
            callback_key: parts.callback_key,
            host,
            engine,
            sessions,
            ingress,
            clock,
            metrics,
            started_at: now,
            state: Mutex::new(state),
            reloading: tokio::sync::Mutex::new(()),
        })
    }

    pub(crate) fn listening(&self) -> &[String] {
        &self.listening
    }

    fn not_ready(&self) -> Option<String> {
        match self.ingress.gate() {
            Gate::Serving => None,
            Gate::Starting => Some("starting".to_owned()),
            Gate::Draining | Gate::HandingOver => Some("draining".to_owned()),
        }
    }

    pub(crate) fn watched(&self) -> Vec<PathBuf> {
        let state = self.state.lock();
        let mut files = dispatch_config::watched_files(&state.loaded);
        files.extend(setup::plugin_files(&state.loaded.config));
        files
    }

    pub(crate) fn retention(&self) -> Retention {
        configuration::retention(&self.state.lock().loaded.config)
    }

    pub(crate) fn metrics_upkeep(&self) {
        self.metrics.run_upkeep();
    }

    /// Reads everything anew and swaps it in, or leaves the old as it is and says why.
    pub(crate) async fn reload_now(&self) -> ReloadReport {
        let _one = self.reloading.lock().await;
        match self.read_anew().await {
            Ok(warnings) => {
                tracing::info!(warnings = warnings.len(), "config.reloaded");
                notify::status("ready");
                metrics::counter!("dispatcher_reloads_total", "result" => "applied").increment(1);
                ReloadReport { applied: true, problems: warnings }
            }
            Err(problems) => {
                let problems: Vec<String> = problems.iter().map(|problem| problem.render(false)).collect();
                for problem in &problems {
                    tracing::error!(problem, "config.refused");
                }
                metrics::counter!("dispatcher_reloads_total", "result" => "refused").increment(1);
                notify::status("ready, with the old configuration: the new one was refused");
                self.state.lock().refused = Some(problems.join("\n"));
                ReloadReport { applied: false, problems }
            }
        }
    }

    async fn read_anew(&self) -> Result<Vec<String>, Vec<Diagnostic>> {
        let inputs = self.inputs.clone();
        let loaded = tokio::task::spawn_blocking(move || dispatch_config::load(&inputs))
            .await
            .map_err(|_| Vec::new())
            .and_then(|loaded| loaded)?;
        let generation = self.state.lock().generation + 1;
        let built = setup::build(&loaded, &self.host, generation, Some(&self.callback_key)).await?;
        let ingress = parts::ingress_config(&loaded)?;
        let mut warnings: Vec<String> = loaded.warnings.iter().map(|warning| warning.render(false)).collect();
        warnings.extend(self.needs_restart(&loaded));
        self.engine.reload(built.setup);
        self.sessions.hold();
        self.ingress.reload(ingress);
        let mut state = self.state.lock();
        *state = State { loaded, loaded_at: self.clock.now(), refused: None, rows: built.rows, generation };
        Ok(warnings)
    }

    /// What a running process cannot change is said, so that nobody waits for it.
    fn needs_restart(&self, new: &Loaded) -> Vec<String> {
        let state = self.state.lock();
        let (old, new) = (&state.loaded.config, &new.config);
        let mut changed = Vec::new();
        let mut note = |what: &str, same: bool| {
            if !same {
                changed.push(format!("{what} changed: it takes effect at the next start"));
            }
        };
        note("[server] listen", old.server.listen == new.server.listen);
        note("[store]", old.store.path == new.store.path && old.store.size_max == new.store.size_max);
        note("[admin]", old.admin == new.admin);
        note("[plugin_host]", old.plugin_host == new.plugin_host);
        note("[egress]", old.egress == new.egress);
        note("[log]", old.log == new.log);
        changed
    }
}

#[async_trait]
impl Supervisor for DaemonSupervisor {
    fn facts(&self) -> DaemonFacts {
        let state = self.state.lock();
        DaemonFacts {
            version: crate::version::short().to_owned(),
            pid: std::process::id(),
            started_at: self.started_at,
            not_ready: self.not_ready(),
            listening: self.listening.clone(),
            config: self.inputs.files.iter().map(|file| file.display().to_string()).collect(),
            config_loaded_at: state.loaded_at,
            config_refused: state.refused.clone(),
            plugin_host: self.host.describe().to_string(),
        }
    }

    fn backends(&self) -> Vec<BackendRow> {
        self.state.lock().rows.clone()
    }

    async fn reload(&self) -> ReloadReport {
        self.reload_now().await
    }

    fn metrics(&self) -> String {
        self.metrics.render()
    }
}
