//! What is done now and then: retention, and figures for the metrics.

use std::sync::Arc;
use std::time::Duration;

use dispatch_model::Clock;
use dispatch_store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

use super::supervisor::DaemonSupervisor;

/// Retention is counted in days; a pass every few minutes keeps each bite small.
const PURGE_EVERY: Duration = Duration::from_secs(300);
/// A scraper asks every 15 s or so.
const FIGURES_EVERY: Duration = Duration::from_secs(10);
/// Between two bites of a purge, so that webhooks are not kept waiting behind it.
const BETWEEN_BITES: Duration = Duration::from_millis(50);

/// Runs until told to stop.
pub(crate) async fn run(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    supervisor: Arc<DaemonSupervisor>,
    stop: CancellationToken,
) {
    let mut purge = tokio::time::interval(PURGE_EVERY);
    let mut figures = tokio::time::interval(FIGURES_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = purge.tick() => purge_all(&*store, &*clock, &supervisor, &stop).await,
            _ = figures.tick() => report(&*store, &supervisor).await,
        }
    }
}

async fn purge_all(
    store: &dyn Store,
    clock: &dyn Clock,
    supervisor: &DaemonSupervisor,
    stop: &CancellationToken,
) {
    let retention = supervisor.retention();
    loop {
        match store.purge(retention, clock.now()).await {
            Ok(purged) => {
                if purged.contents + purged.records + purged.keys + purged.quarantined > 0 {
                    tracing::info!(
                        contents = purged.contents,
                        records = purged.records,
                        keys = purged.keys,
                        quarantined = purged.quarantined,
                        "store.purged"
                    );
                }
                if !purged.more {
                    return;
                }
            }
            Err(StoreError::Unavailable { .. }) => {}
            Err(error) => {
                tracing::warn!(%error, "store.purge_failed");
                return;
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(BETWEEN_BITES) => {}
        }
    }
}

async fn report(store: &dyn Store, supervisor: &DaemonSupervisor) {
    supervisor.metrics_upkeep();
    let Ok(stats) = store.stats().await else { return };
    for (state, count) in &stats.by_state {
        metrics::gauge!("dispatcher_deliveries", "state" => state.clone()).set(*count as f64);
    }
    metrics::gauge!("dispatcher_store_bytes").set(stats.bytes as f64);
    metrics::gauge!("dispatcher_disk_free_bytes").set(stats.disk_free as f64);
    metrics::gauge!("dispatcher_quarantined").set(stats.quarantined as f64);
}
