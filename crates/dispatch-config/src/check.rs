//! What the values mean together: names that must exist, grants that must fit, routes that can be reached.
//!
//! What only a plugin knows (whether its settings are right) is checked by whoever can ask it, and
//! shown by the same [`Document`](crate::Document).

mod routes;

use std::time::Duration;

use ahash::AHashMap;
use dispatch_model::BackendName;

use crate::document::find;
use crate::node::{Node, Origin};
use crate::origins::Origins;
use crate::problems::Problems;
use crate::suggestion::{listed, nearest, one_of};
use crate::{Config, Relay, RelayTls, Session, Source};

/// The shortest time for which a dedupe key is kept: a sender may retry for days, and an operator may
/// have it resend weeks later.
const DEDUPE_MIN: Duration = Duration::from_secs(30 * 86_400);

/// A configuration being checked.
pub(crate) struct Check<'a> {
    pub(crate) config: &'a Config,
    pub(crate) root: &'a Node,
    pub(crate) origins: &'a Origins,
    pub(crate) bundled: &'a [String],
    pub(crate) problems: &'a mut Problems,
}

impl Check<'_> {
    /// Everything but the routes' order, which the router checks.
    pub(crate) fn all(&mut self) {
        self.daemon();
        self.sources();
        self.plugins();
        self.backends();
        self.locations();
        self.routes();
        self.inbound();
        self.tests();
    }

    fn daemon(&mut self) {
        let (server, admin, store) = (&self.config.server, &self.config.admin, &self.config.store);
        // A value that is wrong was read as nothing, and compares with nothing.
        let spoilt = |problems: &Problems, paths: &[&str]| paths.iter().any(|path| problems.spoils(path));
        if server.body_max > server.memory_max
            && !spoilt(self.problems, &["server", "server.body_max", "server.memory_max"])
        {
            self.error(
                "server.memory_max",
                "less than `body_max`: the longest body would never find room",
                "write at least what `body_max` is",
            );
        }
        if admin.listen.is_some() && admin.token.is_none() && !self.problems.spoils("admin.token") {
            self.error(
                "admin.listen",
                "a port for the control API needs a token",
                "add token = { env = \"DISPATCHER_ADMIN_TOKEN\" }, or use the socket alone",
            );
        }
        let retention = &store.retention;
        if spoilt(self.problems, &["store", "store.retention"]) {
            return;
        }
        if retention.dedupe < DEDUPE_MIN {
            self.error(
                "store.retention.dedupe",
                "dedupe keys must be kept for at least 30 days",
                "write \"30d\" or more: a forgotten key lets a late retry be delivered again",
            );
        }
        if retention.content > retention.record {
            self.error(
                "store.retention.content",
                "contents would be kept longer than the record they belong to",
                "write at most what `record` is",
            );
        }
    }

    fn sources(&mut self) {
        if self.config.sources.is_empty() {
            self.nowhere(
                "sources",
                "there is no source, so nothing can come in",
                "add [[sources]] with name, path and verify = [\"highlevel\"]",
            );
        }
        let (mut names, mut paths) = (AHashMap::new(), AHashMap::new());
        for (index, source) in self.config.sources.iter().enumerate() {
            let at = format!("sources[{index}]");
            if !source.name.as_str().is_empty() && names.insert(&source.name, index).is_some() {
                self.error(
                    &format!("{at}.name"),
                    format!("there is another source named \"{}\"", source.name),
                    "names tell sources apart in logs and metrics",
                );
            }
            let path = source.path.trim_end_matches('/');
            if !source.path.is_empty() && paths.insert(path, index).is_some() {
                self.error(
                    &format!("{at}.path"),
                    format!("another source has the path {}", source.path),
                    "give each source a path of its own",
                );
            }
            self.proofs(source, &at);
        }
    }

    fn proofs(&mut self, source: &Source, at: &str) {
        if self.problems.spoils(at) {
            return;
        }
        let proofs = !source.verify.is_empty()
            || !source.keys.is_empty()
            || source.token.is_some()
            || source.path_secret.is_some();
        if !proofs && !source.insecure {
            let message =
                format!("the source \"{}\" accepts no proof, so nothing could come in", source.name);
            self.error(at, message, "add verify = [\"highlevel\"], keys, token or path_secret; or insecure = true to accept anybody");
        }
        if proofs && source.insecure {
            let message = "insecure = true accepts anybody, so the proofs of this source mean nothing";
            self.error(&format!("{at}.insecure"), message, "take it away, or take the proofs away");
        }
    }

    fn plugins(&mut self) {
        for name in self.config.plugins.keys() {
            if self.bundled.contains(name) {
                self.error(
                    &format!("plugins.{name}"),
                    format!("`{name}` is the name of a bundled plugin"),
                    "give yours another name",
                );
            }
        }
    }

    fn backends(&mut self) {
        let known: Vec<&str> =
            self.bundled.iter().chain(self.config.plugins.keys()).map(String::as_str).collect();
        for (name, backend) in &self.config.backends {
            let at = format!("backends.{name}");
            if !backend.plugin.is_empty() && !known.contains(&backend.plugin.as_str()) {
                let hint = match nearest(&backend.plugin, known.iter().copied()) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None if self.bundled.is_empty() => {
                        "this dispatcher was built without its bundled plugins: run `cargo xtask plugins` and build it again".to_owned()
                    }
                    None => format!("write {}, or describe it under [plugins.{}]", one_of(&known), backend.plugin),
                };
                self.error(
                    &format!("{at}.plugin"),
                    format!("there is no plugin \"{}\"", backend.plugin),
                    hint,
                );
            }
            if let Some(relay) = &backend.relay {
                self.relay(relay, backend.plaintext, &format!("{at}.relay"));
            }
            if let Some(session) = &backend.session {
                self.session(session, backend.plaintext, &format!("{at}.session"));
            }
        }
    }

    fn session(&mut self, session: &Session, plaintext: bool, at: &str) {
        if !session.tls && !plaintext {
            self.error(
                &format!("{at}.tls"),
                "a session without TLS needs a word of its own",
                "take tls = false away; or write plaintext = true beside the session, if its network is yours",
            );
        }
        for (key, text, max) in
            [("system_id", &session.system_id, 15), ("system_type", &session.system_type, 12)]
        {
            if text.len() > max || !text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
                self.error(
                    &format!("{at}.{key}"),
                    "SMPP has no room for this",
                    format!("write at most {max} characters of ASCII"),
                );
            }
        }
    }

    fn relay(&mut self, relay: &Relay, plaintext: bool, at: &str) {
        if relay.tls == RelayTls::None && !plaintext {
            self.error(
                &format!("{at}.tls"),
                "a relay without TLS needs a word of its own",
                "write tls = \"starttls\"; or plaintext = true beside the relay, if its network is yours",
            );
        }
        match (&relay.user, &relay.password) {
            (Some(_), None) if !self.problems.spoils(at) => {
                self.error(
                    &format!("{at}.user"),
                    "the user of this relay has no password",
                    "add password = { env = \"NAME\" }",
                );
            }
            (None, Some(_)) => self.error(
                &format!("{at}.password"),
                "the password of this relay has no user",
                "add user = \"NAME\"",
            ),
            _ => {}
        }
    }

    fn locations(&mut self) {
        let config = self.config;
        for (id, location) in &config.locations {
            for (name, overlay) in &location.backends {
                let at = format!("locations.{id}.backends.{name}");
                let Some(backend) = config.backends.get(name) else {
                    self.unknown_backend(&at, name);
                    continue;
                };
                if let Some(dkim) = &overlay.dkim {
                    let incomplete = dkim.domain.is_empty() || dkim.selector.is_empty() || dkim.key.is_none();
                    if incomplete && !self.problems.spoils(&at) {
                        self.error(
                            &format!("{at}.dkim"),
                            format!("backend \"{name}\" has no signature to lay this one over"),
                            "add domain, selector and key",
                        );
                    }
                }
                if let Some(relay) = &overlay.relay {
                    if relay.host.is_empty() && !self.problems.spoils(&at) {
                        self.error(
                            &format!("{at}.relay"),
                            format!("backend \"{name}\" has no relay to lay this one over"),
                            "add host = \"NAME\"",
                        );
                    }
                    self.relay(relay, backend.plaintext, &format!("{at}.relay"));
                }
                if let Some(session) = &overlay.session {
                    let whole = !session.host.is_empty() && !session.system_id.is_empty();
                    if !whole && !self.problems.spoils(&at) {
                        self.error(
                            &format!("{at}.session"),
                            format!("backend \"{name}\" has no session to lay this one over"),
                            "add host = \"NAME\" and system_id = \"NAME\"",
                        );
                    }
                    self.session(session, backend.plaintext, &format!("{at}.session"));
                }
            }
        }
    }

    fn unknown_backend(&mut self, at: &str, name: &BackendName) {
        let known = self.config.backends.keys().map(BackendName::as_str);
        let hint = match nearest(name.as_str(), known.clone()) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => {
                let known: Vec<String> = known.map(|name| format!("\"{name}\"")).collect();
                format!("backends are {}; a new one begins with [backends.{name}]", listed(&known, "and"))
            }
        };
        self.error(at, format!("there is no backend \"{name}\""), hint);
    }

    fn error(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.report(path, message.into(), Some(hint.into()));
    }

    fn report(&mut self, path: &str, message: String, hint: Option<String>) {
        match self.origin(path) {
            Some(origin) => self.problems.error(self.origins, path, origin, message, hint),
            None => self.nowhere(path, &message, hint.as_deref().unwrap_or_default()),
        }
    }

    fn nowhere(&mut self, path: &str, message: &str, hint: &str) {
        self.problems.add(crate::Diagnostic {
            severity: crate::Severity::Error,
            path: path.to_owned(),
            message: message.to_owned(),
            place: None,
            hint: (!hint.is_empty()).then(|| hint.to_owned()),
        });
    }

    fn origin(&self, path: &str) -> Option<Origin> {
        find(self.root, path)
    }
}

/// Whether a list is written at this path.
fn find_list(root: &Node, path: &str) -> bool {
    crate::document::at(root, path).is_some_and(|node| node.list().is_some())
}

fn has(root: &Node, path: &str) -> bool {
    crate::document::at(root, path).is_some()
}
