//! `[locations.ID]`: what differs per client.

use std::collections::BTreeMap;
use std::sync::Arc;

use dispatch_model::BackendName;
use serde_json::{Map, Value};

use super::backend::{Backend, DKIM_OVERLAY, Dkim, RELAY_OVERLAY, Relay, ResolvedSecret, SECRETS, SETTINGS};
use super::session::{SESSION_OVERLAY, Session};
use crate::kind::Kind;
use crate::reading::Section;
use crate::secret::Vault;
use crate::settings;
use crate::shape::{Field, Shape, field};

/// A client. There may be 100 000 of them, so it keeps lists and not maps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Location {
    /// A name that people read.
    pub name: Option<Box<str>>,
    /// What differs, by backend.
    pub backends: Box<[(BackendName, Overlay)]>,
}

/// What differs at one backend. Laid over the backend's own with [`Backend::settings_with`] and
/// [`Backend::secrets_with`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overlay {
    /// Settings, by key; tables merge, all else is replaced.
    pub settings: Box<[(Arc<str>, Value)]>,
    /// Secrets, by name; each is replaced as a whole.
    pub secrets: Box<[(Arc<str>, ResolvedSecret)]>,
    /// The relay, the backend's own already merged in.
    pub relay: Option<Box<Relay>>,
    /// As whom its mails are signed, the backend's own already merged in.
    pub dkim: Option<Box<Dkim>>,
    /// The session, the backend's own already merged in.
    pub session: Option<Box<Session>>,
}

impl Overlay {
    /// Whether it has credentials of its own, and so a lane, rate and breaker of its own.
    pub fn has_credentials(&self) -> bool {
        !self.secrets.is_empty() || self.relay.is_some() || self.session.is_some()
    }
}

impl Backend {
    /// The settings with a location's laid over.
    pub fn settings_with(&self, overlay: &Overlay) -> Map<String, Value> {
        let mut merged = self.settings.clone();
        for (key, value) in &overlay.settings {
            lay_over(merged.entry(&**key).or_insert(Value::Null), value);
        }
        merged
    }

    /// The secrets with a location's laid over.
    pub fn secrets_with(&self, overlay: &Overlay) -> BTreeMap<Arc<str>, ResolvedSecret> {
        let mut merged = self.secrets.clone();
        merged.extend(overlay.secrets.iter().cloned());
        merged
    }
}

fn lay_over(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                lay_over(base.entry(key.as_str()).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

pub(crate) const LOCATION: &[Field] = &[
    field("name", Shape::Text(Kind::Filled), "A name that people read in logs and lists."),
    field(
        "backends",
        Shape::Map { keys: Kind::Any, of: &Shape::Table(OVERLAY) },
        "What differs for this location, by backend.",
    ),
];

pub(crate) const OVERLAY: &[Field] = &[
    field("settings", SETTINGS, "Settings laid over the backend's."),
    field("secrets", SECRETS, "Secrets that replace the backend's, by name."),
    field("relay", Shape::Table(RELAY_OVERLAY), "A relay laid over the backend's."),
    field("dkim", Shape::Table(DKIM_OVERLAY), "A signature laid over the backend's."),
    field("session", Shape::Table(SESSION_OVERLAY), "An SMPP session laid over the backend's."),
];

impl Location {
    /// `backend_of` gives a backend by its name.
    pub(crate) fn read<'b>(
        section: &Section<'_>,
        path: &str,
        backend_of: &dyn Fn(&str) -> Option<&'b Backend>,
        vault: &mut Vault<'_>,
    ) -> Self {
        let backends = section.section("backends").entries().into_iter().map(|(backend, overlay)| {
            let path = format!("{path}.backends.{backend}");
            let secrets = overlay.section("secrets");
            let secrets = secrets.entries().into_iter().filter_map(|(name, _)| {
                Some((vault.name(name), vault.secret(&secrets, name, &format!("{path}.secrets.{name}"))?))
            });
            let secrets: Box<[_]> = secrets.collect();
            let settings = overlay.section("settings").entries().into_iter();
            let settings =
                settings.filter_map(|(key, value)| Some((vault.name(key), settings::value(value.node()?))));
            let settings: Box<[_]> = settings.collect();
            let relay = overlay.section("relay");
            let base = backend_of(backend);
            let relay = relay.node().map(|_| {
                let base = base.and_then(|base| base.relay.as_ref());
                Box::new(Relay::read(&relay, base, &format!("{path}.relay"), vault))
            });
            let dkim = base.and_then(|base| base.dkim.as_ref());
            let dkim =
                Dkim::read(&overlay.section("dkim"), dkim, &format!("{path}.dkim"), vault).map(Box::new);
            let session = overlay.section("session");
            let session = session.node().map(|_| {
                let base = base.and_then(|base| base.session.as_ref());
                Box::new(Session::read(&session, base, &format!("{path}.session"), vault))
            });
            (BackendName::from(vault.name(backend)), Overlay { settings, secrets, relay, dkim, session })
        });
        Self { backends: backends.collect(), name: section.text("name").map(Into::into) }
    }
}
