//! The URLs that an operator gives to providers in their consoles.

use dispatch_admin::CallbackRow;
use dispatch_engine::Setup;
use dispatch_model::{BackendName, LocationId};

/// The URLs for the consoles of a backend's provider: its own, and one for each location's overlay.
pub(crate) fn urls(setup: &Setup, name: &BackendName) -> Vec<CallbackRow> {
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
