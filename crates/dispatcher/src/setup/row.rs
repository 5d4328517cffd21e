//! The backends in force as `dispatcher backends` shows them.

use dispatch_admin::{BackendRow, CallbackRow};
use dispatch_config::Backend as BackendConfig;
use dispatch_engine::{BackendSetup, Setup};
use dispatch_model::{BackendName, LocationId};

/// A backend in force.
pub(super) fn row(setup: &BackendSetup, backend: &BackendConfig, overlays: usize) -> BackendRow {
    let description = setup.plugin.description();
    BackendRow {
        name: setup.name.clone(),
        plugin: backend.plugin.clone(),
        version: description.version.clone(),
        digest: setup.plugin.digest().to_owned(),
        channels: description.channels.iter().map(ToString::to_string).collect(),
        rate: setup
            .limits
            .rate
            .map(|rate| format!("{}/{}", rate.count, humantime::format_duration(rate.per))),
        concurrency: setup.limits.concurrency,
        overlays,
        callbacks: Vec::new(),
    }
}

/// The URLs for the consoles of a backend's provider: its own, and one for each location's overlay.
pub(super) fn callbacks(setup: &Setup, name: &BackendName) -> Vec<CallbackRow> {
    let receives = setup.backends.get(name).is_some_and(|backend| backend.plugin.description().receives);
    let Some(urls) = setup.callbacks.as_ref().filter(|_| receives) else { return Vec::new() };
    let mut locations: Vec<&LocationId> =
        setup.overlays.keys().filter(|(backend, _)| backend == name).map(|(_, location)| location).collect();
    locations.sort();
    std::iter::once(None)
        .chain(locations.into_iter().map(Some))
        .map(|location| CallbackRow { location: location.cloned(), url: urls.standing(name, location) })
        .collect()
}
