//! Checking settings: everything wrong with them at once, each with its path.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Asks, Plugin, Problem, repair};

/// What the host takes of one backend's settings.
const HOSTS_MAX: usize = 100;
const HOST_MAX: usize = 253;
const SECRETS_MAX: usize = 64;

/// Collects what settings ask for and what is wrong with them.
#[derive(Debug, Default)]
pub struct Check {
    asks: Asks,
    problems: Vec<Problem>,
    /// Where what is read is not what was written, since that could not be read and is told already.
    stand_ins: Vec<String>,
}

impl Check {
    /// Something is wrong at `path` (dots between; empty for the whole). Say what to write instead.
    pub fn problem(&mut self, path: impl Into<String>, message: impl Into<String>) {
        let path = path.into();
        if !self.stand_ins.iter().any(|known| repair::below(&path, known)) {
            self.problems.push(Problem { path, message: message.into() });
        }
    }

    /// A problem unless `right`.
    pub fn that(&mut self, right: bool, path: impl Into<String>, message: impl Into<String>) {
        if !right {
            self.problem(path, message);
        }
    }

    /// Requests go to this host: `api.example.com`. A problem of the whole where it is none, or one too many.
    pub fn host(&mut self, host: impl Into<String>) {
        let host = host.into();
        if !is_host(&host) {
            self.problem("", format!("not a host: {}", start_of(&host)));
        } else if !self.asks.hosts.contains(&host) {
            self.asks.hosts.push(host);
        }
    }

    /// Requests go to the host of this URL, which stands at `path`; a problem where it is no `http(s)` URL.
    pub fn url(&mut self, path: &str, url: &str) {
        match host_of(url) {
            Some(host) => self.host(host),
            None => self.problem(path, "not a URL; write it like https://api.example.com"),
        }
    }

    /// A mail relay is needed.
    pub fn relay(&mut self) {
        self.asks.relay = true;
    }

    /// An SMPP session is needed.
    pub fn session(&mut self) {
        self.asks.session = true;
    }

    /// These settings use this secret. A problem of the whole where it has no name of a secret, or is one too many.
    pub fn secret(&mut self, name: impl Into<String>) {
        let name = name.into();
        if !is_secret(&name) {
            let words = "is no name of a secret; write 1 to 64 of A-Z, a-z, 0-9, _ and -";
            self.problem("", format!("{} {words}", start_of(&name)));
        } else if !self.asks.secrets.contains(&name) {
            self.asks.secrets.push(name);
        }
    }

    /// What the host would take for a broken contract is the operator's to mend.
    fn finish(mut self) -> Result<Asks, Vec<Problem>> {
        let (hosts, secrets) = (self.asks.hosts.len(), self.asks.secrets.len());
        self.that(hosts <= HOSTS_MAX, "", format!("{hosts} hosts; at most {HOSTS_MAX} are allowed"));
        self.that(
            secrets <= SECRETS_MAX,
            "",
            format!("{secrets} secrets; at most {SECRETS_MAX} are allowed"),
        );
        if self.problems.is_empty() { Ok(self.asks) } else { Err(self.problems) }
    }
}

/// Runs a plugin's check over settings as JSON, as the host does.
///
/// # Errors
/// All problems: those of shape, found by serde, and those of sense, found by the plugin.
pub fn check<P: Plugin>(settings: &str) -> Result<Asks, Vec<Problem>> {
    let whole = |message: String| vec![Problem { path: String::new(), message }];
    let value: Value = serde_json::from_str(settings).map_err(|error| whole(format!("not JSON: {error}")))?;
    if !value.is_object() {
        return Err(whole("settings are a table of names and values".into()));
    }
    let repaired = repair::read::<P::Settings>(value);
    let mut check = Check { problems: repaired.problems, stand_ins: repaired.stand_ins, ..Check::default() };
    if let Some(settings) = repaired.settings {
        P::check(&settings, &mut check);
    }
    check.finish()
}

/// Reads settings that have passed `check`.
///
/// # Errors
/// The first problem, with its path.
pub fn settings<S: DeserializeOwned>(json: &str) -> Result<S, String> {
    let value: Value = serde_json::from_str(json).map_err(|error| format!("not JSON: {error}"))?;
    // By way of a value, as `check` reads them: what has passed there is read here, and by the same code.
    repair::attempt(&value).map_err(|mistake| mistake.to_string())
}

/// The host name of an `http(s)` URL, without port and in lower case; none where it is no such URL.
pub fn host_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    // `https://api.example.com@evil.example` goes to the latter: no user part, no doubt.
    if authority.contains('@') {
        return None;
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => &authority[..=rest.find(']')? + 1],
        None => authority.split(':').next()?,
    };
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    (is_host(host) && host.bytes().all(good)).then(|| host.to_ascii_lowercase())
}

/// As the host has it: a DNS name has at most 253 bytes.
fn is_host(host: &str) -> bool {
    (1..=HOST_MAX).contains(&host.len()) && host.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_secret(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(good)
}

/// Enough of a text to know it by.
fn start_of(text: &str) -> String {
    format!("{:?}", text.chars().take(64).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let table = [
            ("https://api.Example.com/v1?x=1", Some("api.example.com")),
            ("http://127.0.0.1:8080", Some("127.0.0.1")),
            ("https://[::1]:443/x", Some("[::1]")),
            ("https://a@b.example/", None),
            ("https://a\\b/", None),
            ("ftp://a.example", None),
            ("https:///x", None),
            ("api.example.com", None),
        ];
        for (url, host) in table {
            assert_eq!(host_of(url).as_deref(), host, "{url}");
        }
        let long = |bytes: usize| format!("https://{}", "a".repeat(bytes));
        assert!(host_of(&long(HOST_MAX)).is_some() && host_of(&long(HOST_MAX + 1)).is_none());
    }

    #[test]
    fn what_the_host_would_not_take_is_a_problem() {
        let refused = |words: &str, ask: fn(&mut Check)| {
            let mut check = Check::default();
            ask(&mut check);
            let problems = check.finish().expect_err(words);
            assert!(problems[0].message.starts_with(words), "{problems:?}");
        };
        refused("not a host: \"a b\"", |check| check.host("a b"));
        refused("not a host: \"\"", |check| check.host(""));
        refused("\"a.b\" is no name of a secret", |check| check.secret("a.b"));
        refused("101 hosts", |check| (0..101).for_each(|number| check.host(format!("h{number}"))));
        refused("65 secrets", |check| (0..65).for_each(|number| check.secret(format!("s{number}"))));
        let mut check = Check::default();
        (0..100).for_each(|number| check.host(format!("h{number}")));
        (0..64).for_each(|number| check.secret(format!("s{number}")));
        assert!(check.finish().is_ok());
    }
}
