//! What the door is told, checked before anything listens.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dispatch_highlevel::VerifyingKey;
use dispatch_model::{Secret, SourceName};
use dispatch_text::Region;
use metrics::Counter;

use crate::callback::PREFIX;
use crate::secret::SharedSecret;

/// Shorter secrets can be guessed over the network.
const SECRET_CHARS_MIN: usize = 16;

/// hyper reads heads into a buffer that cannot be smaller than this.
const HEAD_MIN: usize = 8 * 1024;

/// Past this hyper answers a long target with 414, which is none of our answers.
const HEAD_MAX: usize = 60 * 1024;

/// A webhook endpoint: a Delivery URL.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name.
    pub name: SourceName,
    /// Its path: `/webhooks/highlevel`.
    pub path: String,
    /// The proofs of origin that are accepted; one is enough.
    pub proofs: Vec<Proof>,
    /// Accepts everything, from everybody. Only with no proofs at all.
    pub insecure: bool,
    /// The country of numbers that do not name theirs.
    pub default_region: Option<Region>,
}

/// A proof of origin.
#[derive(Debug, Clone)]
pub enum Proof {
    /// A signature by one of the keys that HighLevel publishes.
    Highlevel,
    /// A signature by one of these keys.
    Keys(Vec<VerifyingKey>),
    /// `Authorization: Bearer` with this token.
    Bearer(Secret),
    /// This secret as one more segment of the path.
    PathSecret(Secret),
}

/// Bounds. All of them can be changed by a reload.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Bytes of a body. A long HTML mail must not be lost to it.
    pub body_max: usize,
    /// Bytes of a head.
    pub header_max: usize,
    /// Headers of a request.
    pub headers_max: usize,
    /// From the first byte of a head to its last, and from a connection's start to its first head.
    pub header_timeout: Duration,
    /// From a head to the last byte of its body.
    pub body_timeout: Duration,
    /// How long a connection may lie idle. Longer than a reverse proxy keeps its own side open, or the
    /// proxy now and then sends a webhook into a connection that is just being closed.
    pub idle_timeout: Duration,
    /// Connections at once.
    pub connections_max: usize,
    /// Bytes of all bodies in flight.
    pub memory_max: usize,
    /// How long a webhook waits for room before it is told to come again. The sender is assumed to
    /// give up after 10 seconds.
    pub admit_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_max: 10 * 1024 * 1024,
            header_max: 32 * 1024,
            headers_max: 100,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(120),
            connections_max: 1024,
            memory_max: 64 * 1024 * 1024,
            admit_wait: Duration::from_secs(5),
        }
    }
}

/// Something wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ConfigProblem {
    /// Where: `sources[1].path`, `server.body_max`.
    pub path: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

/// A configuration that was checked.
#[derive(Clone)]
pub struct IngressConfig {
    pub(crate) limits: Limits,
    by_path: HashMap<String, Arc<Endpoint>>,
}

/// A source, ready to be asked.
pub(crate) struct Endpoint {
    pub(crate) name: SourceName,
    pub(crate) insecure: bool,
    pub(crate) keys: Vec<VerifyingKey>,
    pub(crate) tokens: Vec<SharedSecret>,
    pub(crate) path_secrets: Vec<SharedSecret>,
    pub(crate) default_region: Option<Region>,
    /// Counts what it had accepted: the counter is looked up by its labels once, and not with each webhook.
    pub(crate) accepted: OnceLock<Counter>,
}

impl IngressConfig {
    /// Checks everything and reports all problems at once.
    pub fn new(sources: Vec<Source>, limits: Limits) -> Result<Self, Vec<ConfigProblem>> {
        let mut problems = Vec::new();
        limits.check(&mut problems);
        let mut names = Vec::new();
        let mut by_path = HashMap::new();
        for (index, source) in sources.into_iter().enumerate() {
            let at = |key: &str| format!("sources[{index}].{key}");
            source.check(&at, &mut problems);
            if names.contains(&source.name) {
                problems
                    .push(problem(at("name"), format!("there is another source named {:?}", source.name)));
            }
            names.push(source.name.clone());
            let path = source.path.trim_end_matches('/').to_owned();
            if by_path.insert(path, Arc::new(Endpoint::from(source))).is_some() {
                problems.push(problem(at("path"), "another source has this path"));
            }
        }
        if problems.is_empty() { Ok(Self { limits, by_path }) } else { Err(problems) }
    }

    /// The source of a path, and the secret segment after it if there is one. A slash at the end is
    /// forgiven: people paste URLs.
    pub(crate) fn find<'a>(&self, path: &'a str) -> Option<(&Arc<Endpoint>, Option<&'a str>)> {
        let path = path.strip_suffix('/').unwrap_or(path);
        if let Some(endpoint) = self.by_path.get(path) {
            return Some((endpoint, None));
        }
        let (parent, segment) = path.rsplit_once('/')?;
        let endpoint = self.by_path.get(parent).filter(|endpoint| !endpoint.path_secrets.is_empty())?;
        Some((endpoint, Some(segment)))
    }
}

impl Source {
    fn check(&self, at: &dyn Fn(&str) -> String, problems: &mut Vec<ConfigProblem>) {
        if self.name.as_str().is_empty() {
            problems.push(problem(at("name"), "a source needs a name"));
        }
        if self.path.trim_end_matches('/').is_empty() || !self.path.starts_with('/') {
            problems.push(problem(at("path"), "write a path, for example /webhooks/highlevel"));
        } else if !self.path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~".contains(&b)) {
            problems.push(problem(at("path"), "letters, digits and - . _ ~ / can stand in a path"));
        }
        match (self.proofs.is_empty(), self.insecure) {
            (true, false) => problems.push(problem(
                at("verify"),
                "no proof of origin is accepted, so nothing could come in: write verify = [\"highlevel\"], \
                 or insecure = true to take webhooks from everybody",
            )),
            (false, true) => problems.push(problem(
                at("insecure"),
                "insecure = true takes webhooks from everybody, so verify proves nothing: keep one of them",
            )),
            _ => {}
        }
        if format!("{}/", self.path).starts_with(PREFIX) {
            problems
                .push(problem(at("path"), "/callbacks/ is where providers call back: write another path"));
        }
        for proof in &self.proofs {
            match proof {
                Proof::Highlevel => {}
                Proof::Keys(keys) if keys.is_empty() => {
                    problems.push(problem(at("keys"), "the list of keys is empty"));
                }
                Proof::Keys(_) => {}
                Proof::Bearer(secret) => check_secret(secret, at("token"), problems),
                Proof::PathSecret(secret) => {
                    check_secret(secret, at("path_secret"), problems);
                    if !secret.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)) {
                        problems.push(problem(
                            at("path_secret"),
                            "it becomes part of a URL: letters, digits and - . _ ~ can stand in it",
                        ));
                    }
                }
            }
        }
    }
}

impl Limits {
    fn check(&self, problems: &mut Vec<ConfigProblem>) {
        let mut require = |is_right: bool, key: &str, message: String| {
            if !is_right {
                problems.push(problem(format!("server.{key}"), message));
            }
        };
        require(self.body_max >= 1024, "body_max", "at least 1 KiB".to_owned());
        require(
            (HEAD_MIN..=HEAD_MAX).contains(&self.header_max),
            "header_max",
            format!("between {} and {} KiB", HEAD_MIN / 1024, HEAD_MAX / 1024),
        );
        require((1..=1000).contains(&self.headers_max), "headers_max", "between 1 and 1000".to_owned());
        require(
            self.memory_max >= self.body_max,
            "memory_max",
            format!("at least body_max ({} bytes), or the longest body never finds room", self.body_max),
        );
        require(self.connections_max >= 1, "connections_max", "at least 1".to_owned());
        for (key, span) in [
            ("header_timeout", self.header_timeout),
            ("body_timeout", self.body_timeout),
            ("idle_timeout", self.idle_timeout),
        ] {
            let is_right = (Duration::from_millis(100)..=Duration::from_secs(3600)).contains(&span);
            require(is_right, key, "between 100 ms and 1 hour".to_owned());
        }
        require(
            self.admit_wait <= Duration::from_secs(8),
            "admit_wait",
            "at most 8 seconds: the sender waits about 10".to_owned(),
        );
    }
}

fn check_secret(secret: &Secret, path: String, problems: &mut Vec<ConfigProblem>) {
    if secret.expose().chars().count() < SECRET_CHARS_MIN {
        let message = format!(
            "too short to be a secret: at least {SECRET_CHARS_MIN} characters (openssl rand -hex 24)"
        );
        problems.push(problem(path, message));
    }
}

fn problem(path: impl Into<String>, message: impl Into<String>) -> ConfigProblem {
    ConfigProblem { path: path.into(), message: message.into() }
}

impl From<Source> for Endpoint {
    fn from(source: Source) -> Self {
        let mut endpoint = Self {
            name: source.name,
            insecure: source.insecure,
            keys: Vec::new(),
            tokens: Vec::new(),
            path_secrets: Vec::new(),
            default_region: source.default_region,
            accepted: OnceLock::new(),
        };
        for proof in source.proofs {
            match proof {
                Proof::Highlevel => endpoint.keys.extend(VerifyingKey::published()),
                Proof::Keys(keys) => endpoint.keys.extend(keys),
                Proof::Bearer(secret) => endpoint.tokens.push(SharedSecret::new(&secret)),
                Proof::PathSecret(secret) => endpoint.path_secrets.push(SharedSecret::new(&secret)),
            }
        }
        endpoint
    }
}
