//! From the configuration to what the engine works by: plugins loaded, settings checked, grants decided.
//!
//! Two keys open a capability (grant.rs): the plugin asks, the operator grants. Bundled plugins are granted
//! what they ask; one from elsewhere gets what its `[plugins.NAME]` says and not more.

mod row;

mod granted;
mod opt_out;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use dispatch_config::{Backend as BackendConfig, Config, Diagnostic, Loaded, Overlay as OverlayConfig};
use dispatch_engine::{Backend, BackendSetup, CallbackUrls, Dkim, Grants, Network, Overlay, Setup};
use dispatch_model::{Asks, BackendName, Description, Lane};
use dispatch_plugins::PluginHost;

use crate::bundled;
use crate::grant::Ungranted;
use dispatch_admin::BackendRow;
use granted::{Doors, limits};
use row::{callbacks, row};

/// The plugin that is a dry run: what it takes never counts as delivered.
const DRY_RUN: &str = "log";

/// What a configuration becomes.
pub(crate) struct Built {
    pub(crate) setup: Setup,
    /// The backends as `dispatcher backends` shows them.
    pub(crate) rows: Vec<BackendRow>,
}

/// Builds it, or says all that is wrong. Without the key of the installation there are no callback URLs: what is
/// only checked or explained has none to give away.
pub(crate) async fn build(
    loaded: &Loaded,
    host: &Arc<PluginHost>,
    generation: u64,
    callback_key: Option<&[u8]>,
) -> Result<Built, Vec<Diagnostic>> {
    let mut builder = Builder {
        loaded,
        host,
        problems: Vec::new(),
        plugins: HashMap::new(),
        ungranted: Ungranted::default(),
    };
    let mut backends = HashMap::new();
    let mut overlays = HashMap::new();
    let mut rows = Vec::new();
    for (name, backend) in &loaded.config.backends {
        let Some(setup) = builder.backend(name, backend).await else { continue };
        let before = overlays.len();
        builder.overlays(name, backend, &setup.plugin, &mut overlays).await;
        rows.push(row(&setup, backend, overlays.len() - before));
        backends.insert(name.clone(), Arc::new(setup));
    }
    let problems = builder.finish();
    if !problems.is_empty() {
        return Err(problems);
    }
    let routes = loaded.config.routes.iter().chain(&loaded.config.inbound);
    let policies = routes.map(|route| (route.rule.name.clone(), route.policy.clone())).collect();
    let setup = Setup {
        generation,
        router: loaded.router.clone(),
        inbound: loaded.inbound.clone(),
        opt_out: opt_out::words(&loaded.config.opt_out),
        policies,
        backends,
        overlays,
        callbacks: callback_key
            .zip(loaded.config.server.public_url.as_deref())
            .map(|(key, url)| CallbackUrls::new(url, key)),
    };
    for row in &mut rows {
        row.callbacks = callbacks(&setup, &row.name);
    }
    Ok(Built { setup, rows })
}

struct Builder<'a> {
    loaded: &'a Loaded,
    host: &'a Arc<PluginHost>,
    problems: Vec<Diagnostic>,
    /// Loaded once each; `None` after a failure that has been reported.
    plugins: HashMap<String, Option<Arc<dyn Backend>>>,
    ungranted: Ungranted,
}

impl Builder<'_> {
    /// All that is wrong.
    fn finish(mut self) -> Vec<Diagnostic> {
        let plugins = &self.loaded.config.plugins;
        let granted = |name: &str| plugins.get(name).map_or(&[][..], |plugin| &plugin.hosts);
        for excess in std::mem::take(&mut self.ungranted).tell(granted) {
            self.problem(&excess.path, excess.message, Some(excess.hint));
        }
        self.problems
    }

    fn config(&self) -> &Config {
        &self.loaded.config
    }

    fn problem(&mut self, path: &str, message: impl Into<String>, hint: Option<String>) {
        self.problems.push(self.loaded.document.diagnostic(path, message, hint));
    }

    async fn plugin(&mut self, backend: &BackendName, name: &str) -> Option<Arc<dyn Backend>> {
        if let Some(known) = self.plugins.get(name) {
            return known.clone();
        }
        let plugin = self.load(backend, name).await;
        self.plugins.insert(name.to_owned(), plugin.clone());
        plugin
    }

    async fn load(&mut self, backend: &BackendName, name: &str) -> Option<Arc<dyn Backend>> {
        let (path, bytes) = match self.config().plugins.get(name) {
            Some(plugin) => {
                let path = format!("plugins.{name}.file");
                let (file, pinned) = (plugin.file.clone(), plugin.sha256.clone());
                let bytes = match tokio::fs::read(&file).await {
                    Ok(bytes) => bytes,
                    Err(error) => {
                        self.problem(&path, format!("{}: {error}", file.display()), None);
                        return None;
                    }
                };
                let digest = hex(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref());
                if pinned.is_some_and(|pinned| pinned != digest) {
                    let message =
                        format!("{} is not the pinned file: its sha256 is {digest}", file.display());
                    let hint = "pin this digest only if you trust the new file".to_owned();
                    self.problem(&format!("plugins.{name}.sha256"), message, Some(hint));
                    return None;
                }
                (path, bytes)
            }
            None => match bundled::find(name) {
                Some(plugin) => (format!("backends.{backend}.plugin"), plugin.wasm.to_vec()),
                None => {
                    let hint = if bundled::PLUGINS.is_empty() {
                        "this dispatcher was built without bundled plugins: build it after `cargo xtask plugins`".to_owned()
                    } else {
                        format!("write [plugins.{name}] with its file")
                    };
                    self.problem(
                        &format!("backends.{backend}.plugin"),
                        format!("there is no plugin {name}"),
                        Some(hint),
                    );
                    return None;
                }
            },
        };
        match self.host.load(name, bytes).await {
            Ok(plugin) => Some(plugin),
            Err(error) => {
                self.problem(&path, format!("plugin {name} cannot be used: {error}"), None);
                None
            }
        }
    }

    async fn backend(&mut self, name: &BackendName, backend: &BackendConfig) -> Option<BackendSetup> {
        let plugin = self.plugin(name, &backend.plugin).await?;
        let description = plugin.description().clone();
        self.secrets(name, backend, &description);
        let path = format!("backends.{name}");
        let settings: Arc<str> = json(&backend.settings);
        let asks = self.check(&path, &plugin, &settings).await?;
        let secrets = &backend.secrets;
        // What an overlay brings is looked for there, and what the description requires has been said.
        let settled = |secret: &str| {
            self.overlaid(name, secret)
                || description.secrets.iter().any(|ask| ask.required && ask.name == secret)
        };
        let missing = asks.secrets.iter().filter(|secret| !settled(secret)).cloned().collect();
        self.asked_secrets(&path, missing, secrets);
        let owner = Lane::shared(name.clone());
        let doors = Doors {
            relay: backend.relay.as_ref(),
            dkim: backend.dkim.as_ref(),
            session: backend.session.as_ref(),
        };
        let grants = self.grants(&path, backend, &owner, &asks, secrets, doors)?;
        Some(BackendSetup {
            name: name.clone(),
            dry_run: description.name == DRY_RUN,
            plugin,
            settings,
            grants: Arc::new(grants),
            limits: limits(backend),
        })
    }

    /// Every overlay is checked as it will be used: merged.
    async fn overlays(
        &mut self,
        name: &BackendName,
        backend: &BackendConfig,
        plugin: &Arc<dyn Backend>,
        into: &mut HashMap<(BackendName, dispatch_model::LocationId), Arc<Overlay>>,
    ) {
        let config = &self.loaded.config;
        for (id, location) in &config.locations {
            let Some((_, overlay)) = location.backends.iter().find(|(of, _)| of == name) else { continue };
            let path = format!("locations.{id}.backends.{name}");
            let settings: Arc<str> = json(&backend.settings_with(overlay));
            let Some(asks) = self.check(&path, plugin, &settings).await else { continue };
            if let Some(overlay) = self.overlay(&path, (name, backend), id, overlay, settings, &asks) {
                into.insert((name.clone(), id.clone()), Arc::new(overlay));
            }
        }
    }

    fn overlay(
        &mut self,
        path: &str,
        (name, backend): (&BackendName, &BackendConfig),
        location: &dispatch_model::LocationId,
        overlay: &OverlayConfig,
        settings: Arc<str>,
        asks: &Asks,
    ) -> Option<Overlay> {
        let own_lane = overlay.has_credentials();
        let owner = Lane { backend: name.clone(), location: own_lane.then(|| location.clone()) };
        let secrets = backend.secrets_with(overlay);
        self.asked_secrets(path, asks.secrets.clone(), &secrets);
        let doors = Doors {
            relay: overlay.relay.as_deref().or(backend.relay.as_ref()),
            dkim: overlay.dkim.as_deref().or(backend.dkim.as_ref()),
            session: overlay.session.as_deref().or(backend.session.as_ref()),
        };
        let grants = self.grants(path, backend, &owner, asks, &secrets, doors)?;
        Some(Overlay { settings, grants: Arc::new(grants), own_lane })
    }

    async fn check(&mut self, path: &str, plugin: &Arc<dyn Backend>, settings: &str) -> Option<Asks> {
        match plugin.check(settings).await {
            Ok(Ok(asks)) => Some(asks),
            Ok(Err(found)) => {
                for problem in found {
                    let dot = if problem.path.is_empty() { "" } else { "." };
                    self.problem(&format!("{path}.settings{dot}{}", problem.path), problem.message, None);
                }
                None
            }
            Err(fault) => {
                self.problem(path, format!("the plugin failed while checking these settings: {fault}"), None);
                None
            }
        }
    }

    /// Whether some location brings this secret along.
    fn overlaid(&self, name: &BackendName, secret: &str) -> bool {
        let brings = |overlay: &OverlayConfig| overlay.secrets.iter().any(|(key, _)| **key == *secret);
        self.loaded
            .config
            .locations
            .values()
            .any(|location| location.backends.iter().any(|(of, overlay)| of == name && brings(overlay)))
    }

    /// What settings ask for has to be there, whatever the description says of it.
    fn asked_secrets(
        &mut self,
        path: &str,
        asked: Vec<String>,
        present: &BTreeMap<Arc<str>, dispatch_config::ResolvedSecret>,
    ) {
        for name in asked.into_iter().filter(|name| !present.contains_key(name.as_str())) {
            let message = format!("the secret {name} is missing: these settings use it");
            let hint = format!("secrets = {{ {name} = {{ env = \"…\" }} }}");
            self.problem(&format!("{path}.secrets"), message, Some(hint));
        }
    }

    fn secrets(&mut self, name: &BackendName, backend: &BackendConfig, description: &Description) {
        let path = format!("backends.{name}.secrets");
        let missing: Vec<_> = description
            .secrets
            .iter()
            .filter(|ask| {
                ask.required
                    && !backend.secrets.contains_key(ask.name.as_str())
                    && !self.overlaid(name, &ask.name)
            })
            .cloned()
            .collect();
        for ask in missing {
            let message = format!("the secret {} is missing: {}", ask.name, ask.summary);
            let hint = format!("secrets = {{ {} = {{ env = \"…\" }} }}", ask.name);
            self.problem(&path, message, Some(hint));
        }
        let known: Vec<&str> = description.secrets.iter().map(|ask| ask.name.as_str()).collect();
        // A plugin that names none takes any: `http` uses whatever its template names.
        if known.is_empty() {
            return;
        }
        for given in backend.secrets.keys() {
            if !known.contains(&&**given) {
                let message =
                    format!("plugin {} has no secret {given}: it has {}", backend.plugin, known.join(", "));
                self.problem(&format!("{path}.{given}"), message, None);
            }
        }
    }

    fn grants(
        &mut self,
        path: &str,
        backend: &BackendConfig,
        owner: &Lane,
        asks: &Asks,
        secrets: &BTreeMap<Arc<str>, dispatch_config::ResolvedSecret>,
        doors: Doors<'_>,
    ) -> Option<Grants> {
        let reveal = match self.config().plugins.get(&backend.plugin).cloned() {
            Some(plugin) if !self.ungranted.note(&backend.plugin, &asks.hosts, &plugin.hosts) => return None,
            Some(plugin) => plugin.reveal,
            None => Vec::new(),
        };
        if asks.relay && doors.relay.is_none() {
            let hint = "relay = { host = \"…\", port = 587, tls = \"starttls\", user = \"…\", password = { env = \"…\" } }";
            self.problem(
                path,
                format!("plugin {} needs a mail relay", backend.plugin),
                Some(hint.to_owned()),
            );
            return None;
        }
        if asks.session && doors.session.is_none() {
            let hint = "session = { host = \"…\", system_id = \"…\", password = { env = \"…\" } }";
            self.problem(
                path,
                format!("plugin {} needs an SMPP session", backend.plugin),
                Some(hint.to_owned()),
            );
            return None;
        }
        let dkim = match doors.dkim {
            Some(dkim) => Some(self.dkim(path, dkim)?),
            None => None,
        };
        Some(Grants {
            owner: owner.to_string().into(),
            hosts: asks.hosts.clone(),
            private_networks: backend
                .private_networks
                .iter()
                .map(|network| Network { address: network.address, prefix: network.prefix })
                .collect(),
            plaintext: backend.plaintext,
            secrets: Arc::new(
                secrets.iter().map(|(name, secret)| (name.to_string(), secret.value.clone())).collect(),
            ),
            reveal: reveal.into(),
            relay: doors.relay.filter(|_| asks.relay).map(granted::relay),
            dkim,
            session: doors.session.filter(|_| asks.session).map(granted::session),
        })
    }

    /// A key that cannot sign is found now, and not at the first mail.
    fn dkim(&mut self, path: &str, dkim: &dispatch_config::Dkim) -> Option<Dkim> {
        let key = dkim.key.as_ref()?.value.clone();
        if let Err(problem) = dispatch_egress::DkimKey::read(&key) {
            self.problem(&format!("{path}.dkim.key"), format!("the key is {problem}"), None);
            return None;
        }
        Some(Dkim { domain: dkim.domain.clone(), selector: dkim.selector.clone(), key })
    }
}

/// The files of plugins from elsewhere.
pub(crate) fn plugin_files(config: &Config) -> Vec<PathBuf> {
    config.plugins.values().map(|plugin| plugin.file.clone()).collect()
}

fn json(settings: &serde_json::Map<String, serde_json::Value>) -> Arc<str> {
    serde_json::to_string(settings).expect("a map of JSON is JSON").into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
