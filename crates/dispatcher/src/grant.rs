//! The second of the two keys: what the operator grants, held against what a plugin asks. Pure.
//!
//! A plugin's `check` says which hosts given settings need. A bundled plugin is granted what it asks; one from
//! elsewhere what its `[plugins.NAME]` covers. What is open in the end is what was asked *and* granted: a grant that
//! is wider than the settings need stays shut beyond them.

use std::collections::{BTreeMap, BTreeSet};

/// What plugins from elsewhere ask for beyond their grants, by plugin: told at once, however many backends ask.
#[derive(Debug, Default)]
pub(crate) struct Ungranted(BTreeMap<String, BTreeSet<String>>);

/// What to tell the operator about one plugin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    /// Where to write more, as the path of a key.
    pub(crate) path: String,
    /// What is asked beyond what is granted.
    pub(crate) message: String,
    /// What to write to grant it.
    pub(crate) hint: String,
}

impl Ungranted {
    /// Notes what of `asked` the grants do not cover; true if they cover all of it.
    pub(crate) fn note(&mut self, plugin: &str, asked: &[String], granted: &[String]) -> bool {
        let more: Vec<&String> =
            asked.iter().filter(|host| !granted.iter().any(|grant| covers(grant, host))).collect();
        let covered = more.is_empty();
        if !covered {
            self.0.entry(plugin.to_owned()).or_default().extend(more.into_iter().cloned());
        }
        covered
    }

    /// One word to the operator for each plugin, given what each was granted.
    pub(crate) fn tell<'a>(self, granted: impl Fn(&str) -> &'a [String]) -> Vec<Excess> {
        self.0
            .into_iter()
            .map(|(plugin, more)| {
                let granted = granted(&plugin);
                let so_far = match granted {
                    [] => "nothing is granted to it so far".to_owned(),
                    some => format!("granted so far: {}", some.join(", ")),
                };
                let asked = more.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                // A grant is written without a port, and covers them all.
                let names: BTreeSet<String> = more.iter().map(|host| parts(host).0).collect();
                let all: Vec<String> =
                    granted.iter().chain(&names).map(|host| format!("\"{}\"", host.escape_debug())).collect();
                Excess {
                    path: format!("plugins.{plugin}.hosts"),
                    message: format!(
                        "plugin {plugin} asks for hosts that are not granted: {asked} ({so_far})"
                    ),
                    hint: format!("if you trust it with them: hosts = [{}]", all.join(", ")),
                }
            })
            .collect()
    }
}

/// Whether a grant covers a host that is asked for. Egress reads both in the same way: a name is itself, `*.` is
/// exactly one label, and without a port all ports are meant.
fn covers(grant: &str, asked: &str) -> bool {
    let (grant, granted_port) = parts(grant);
    let (asked, asked_port) = parts(asked);
    if granted_port.is_some() && granted_port != asked_port {
        return false;
    }
    if grant == asked {
        return true;
    }
    let one_label_more = |parent: &str| {
        asked.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && label != "*" && rest == parent)
    };
    // The last label of an IPv4 address is a number, and no name ends so: a wildcard is for names.
    let address = asked.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    !address && grant.strip_prefix("*.").is_some_and(one_label_more)
}

/// Name and port, the name in one spelling.
fn parts(host: &str) -> (String, Option<u16>) {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (host, None),
        },
        _ => (host, None),
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    (name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(hosts: &[&str]) -> Vec<String> {
        hosts.iter().map(|host| (*host).to_owned()).collect()
    }

    #[test]
    fn a_grant_covers_what_egress_would_let_through() {
        for (grant, asked, expected) in [
            ("api.example.com", "api.example.com", true),
            ("API.example.com.", "api.example.com", true),
            ("api.example.com", "API.EXAMPLE.COM", true),
            ("api.example.com", "api.example.com:8443", true),
            ("api.example.com:8443", "api.example.com:8443", true),
            ("api.example.com:8443", "api.example.com", false),
            ("api.example.com:8443", "api.example.com:443", false),
            ("*.example.com", "api.example.com", true),
            ("*.example.com", "*.example.com", true),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "example.com", false),
            ("api.example.com", "*.example.com", false),
            ("*.example.com", "*.api.example.com", false),
            ("*.com", "*.example.com", false),
            ("*.0.0.1", "127.0.0.1", false),
            ("example.com", "api.example.com", false),
            ("[::1]", "::1", true),
            ("::1", "[::1]:80", true),
            ("[::1]:80", "::1", false),
        ] {
            assert_eq!(covers(grant, asked), expected, "{grant} for {asked}");
        }
    }

    #[test]
    fn the_difference_is_told_once_for_each_plugin() {
        let granted = list(&["a.example"]);
        let mut ungranted = Ungranted::default();
        assert!(ungranted.note("acme", &list(&["a.example"]), &granted));
        assert!(!ungranted.note("acme", &list(&["a.example", "c.example"]), &granted));
        assert!(!ungranted.note("acme", &list(&["b.example:8443", "c.example"]), &granted));
        assert!(!ungranted.note("other", &list(&["d.example"]), &[]));
        let told = ungranted.tell(|plugin| if plugin == "acme" { &granted } else { &[] });
        let message = "plugin acme asks for hosts that are not granted: b.example:8443, c.example (granted so far: a.example)";
        let hint = "if you trust it with them: hosts = [\"a.example\", \"b.example\", \"c.example\"]";
        assert_eq!(
            told[0],
            Excess { path: "plugins.acme.hosts".into(), message: message.into(), hint: hint.into() }
        );
        assert!(told[1].message.ends_with("d.example (nothing is granted to it so far)"), "{told:?}");
        assert_eq!(told.len(), 2);
    }
}
