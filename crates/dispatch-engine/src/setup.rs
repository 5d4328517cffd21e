//! What the engine works by: routes, backends and overlays as one value, swapped whole at a reload.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dispatch_model::{BackendName, Delivery, Direction, Lane, LocationId, Policy, RouteName, Submission};
use dispatch_routing::Router;
use dispatch_text::OptOutWords;

use crate::{Backend, CallbackUrls, Grants};

/// The whole configuration of the engine. An attempt under way keeps the one it started with.
pub struct Setup {
    /// Raised with each reload.
    pub generation: u64,
    /// The rules.
    pub router: Router,
    /// The rules for messages from people; no name is a rule's of both.
    pub inbound: Router,
    /// The words by which people say that they want no messages.
    pub opt_out: OptOutWords,
    /// Policies by route.
    pub policies: HashMap<RouteName, Policy>,
    /// Backends by name.
    pub backends: HashMap<BackendName, Arc<BackendSetup>>,
    /// What differs for a location at a backend.
    pub overlays: HashMap<(BackendName, LocationId), Arc<Overlay>>,
    /// Where providers send callbacks, where they can.
    pub callbacks: Option<CallbackUrls>,
}

/// A backend: a plugin with settings, grants and limits.
pub struct BackendSetup {
    /// Its name.
    pub name: BackendName,
    /// Who decides.
    pub plugin: Arc<dyn Backend>,
    /// Settings as JSON.
    pub settings: Arc<str>,
    /// What it may do.
    pub grants: Arc<Grants>,
    /// How much of it there may be.
    pub limits: Limits,
    /// A dry run: it never counts as delivered.
    pub dry_run: bool,
}

/// Settings and grants of a backend for one location.
pub struct Overlay {
    /// Settings as JSON, merged.
    pub settings: Arc<str>,
    /// Grants, merged.
    pub grants: Arc<Grants>,
    /// Whether it has credentials of its own, and so a lane, rate and breaker of its own.
    pub own_lane: bool,
}

/// Limits of a backend; each lane has them for itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Attempts a second that may start; none means as fast as concurrency allows.
    pub rate: Option<Rate>,
    /// Attempts under way at once.
    pub concurrency: u32,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// The longest pause that a provider's throttling can bring.
    pub pause_max: Duration,
    /// Consecutive failures (connect, 5xx, unknown) that open the breaker.
    pub breaker_failures: u32,
    /// How long it stays open at first; doubles up to 16 times that.
    pub breaker_open: Duration,
    /// What is fetched of attachments, where the plugin needs their content.
    pub attachment_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rate: None,
            concurrency: 32,
            timeout: Duration::from_secs(30),
            pause_max: Duration::from_secs(15 * 60),
            breaker_failures: 10,
            breaker_open: Duration::from_secs(15),
            attachment_bytes_max: 25 * 1024 * 1024,
        }
    }
}

/// So many in a span.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In how long.
    pub per: Duration,
}

impl Setup {
    /// The rules for a message of this direction.
    pub fn router_for(&self, submission: &Submission) -> &Router {
        match submission.direction {
            Direction::Outbound => &self.router,
            Direction::Inbound { .. } => &self.inbound,
        }
    }

    /// The lane of a backend for a location.
    pub fn lane(&self, backend: &BackendName, location: &LocationId) -> Lane {
        let own =
            self.overlays.get(&(backend.clone(), location.clone())).is_some_and(|overlay| overlay.own_lane);
        Lane { backend: backend.clone(), location: own.then(|| location.clone()) }
    }

    /// Whether a lane is one that deliveries are put in.
    pub fn has_lane(&self, lane: &Lane) -> bool {
        self.backends.contains_key(&lane.backend)
            && lane.location.as_ref().is_none_or(|location| self.lane(&lane.backend, location) == *lane)
    }

    /// Where a provider should send what it has to say of an attempt; none where callbacks are not configured.
    pub fn callback_url(&self, backend: &BackendName, delivery: &Delivery) -> Option<String> {
        let urls = self.callbacks.as_ref()?;
        let overlaid = self.overlays.contains_key(&(backend.clone(), delivery.location.clone()));
        Some(urls.attempt(backend, overlaid.then_some(&delivery.location), delivery))
    }

    /// The settings and grants of a backend for a location.
    pub fn settings(&self, backend: &BackendSetup, location: Option<&LocationId>) -> (Arc<str>, Arc<Grants>) {
        let overlay =
            location.and_then(|location| self.overlays.get(&(backend.name.clone(), location.clone())));
        match overlay {
            Some(overlay) => (Arc::clone(&overlay.settings), Arc::clone(&overlay.grants)),
            None => (Arc::clone(&backend.settings), Arc::clone(&backend.grants)),
        }
    }

    /// The policy of a route; the default where the route is gone.
    pub fn policy(&self, route: Option<&RouteName>) -> Policy {
        route.and_then(|name| self.policies.get(name)).cloned().unwrap_or_default()
    }
}
