//! Where a request may go. Pure decisions; what they are held against is the operator's grants.
//!
//! The order is: the URL's text ([`parse`]), what it names ([`Target::of`]), whether that is granted
//! ([`grant`]), and after resolution whether each address is ([`crate::address`]). A redirect's target goes
//! through the same four.
//!
//! A host grant is an exact name, `*.example.com` for exactly one label, or an IP address; `host:8080` grants
//! that port alone, a host without a port grants all of its ports, since ports of one host are in one hand.

use std::net::IpAddr;

use dispatch_engine::Grants;
use url::{Host, Url};

use crate::failure::Failure;

/// What a connection goes to. Equal targets may share a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub(crate) tls: bool,
    /// In lower case, IDN as punycode, without a dot at the end; IPv6 without brackets.
    pub(crate) host: String,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) port: u16,
}

/// Reads a URL. `secrets_from` is where the first secret stands in the text: it must be behind the host.
///
/// Control characters and blanks are refused before parsing, since URL parsers drop some of them silently and
/// so could read another host than a person does.
pub(crate) fn parse(text: &[u8], secrets_from: Option<usize>) -> Result<Url, Failure> {
    let text = std::str::from_utf8(text).map_err(|_| Failure::refused("the URL is not UTF-8"))?;
    if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(Failure::refused("the URL has a blank or control character in it: percent-encode it"));
    }
    if let Some(secrets_from) = secrets_from {
        let host = text.find("://").map_or(text.len(), |colon| colon + 3);
        let path = text.get(host..).and_then(|rest| rest.find(['/', '?', '#', '\\'])).map(|end| host + end);
        if path.is_none_or(|path| secrets_from <= path) {
            return Err(Failure::refused(
                "a secret stands in the URL's scheme or host: secrets may stand in its path and query only",
            ));
        }
    }
    Url::parse(text).map_err(|error| Failure::refused(format!("the URL cannot be read: {error}")))
}

impl Target {
    /// What a URL names. Its user and password are refused: a credential is named, not written.
    pub(crate) fn of(url: &Url) -> Result<Self, Failure> {
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(Failure::refused(format!("{other}: is not spoken; write https://"))),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Failure::refused("the URL has a user or password in it: use a credential instead"));
        }
        let (host, ip) = match url.host() {
            Some(Host::Domain(domain)) => (domain.strip_suffix('.').unwrap_or(domain).to_owned(), None),
            Some(Host::Ipv4(ip)) => (ip.to_string(), Some(IpAddr::V4(ip))),
            Some(Host::Ipv6(ip)) => (ip.to_string(), Some(IpAddr::V6(ip))),
            None => return Err(Failure::refused("the URL names no host")),
        };
        if host.is_empty() {
            return Err(Failure::refused("the URL names no host"));
        }
        let port = url.port_or_known_default().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { tls, host, ip, port })
    }

    /// As the `Host` header wants it.
    pub(crate) fn authority(&self) -> String {
        let default = if self.tls { 443 } else { 80 };
        match (self.ip, self.port == default) {
            (Some(IpAddr::V6(ip)), true) => format!("[{ip}]"),
            (Some(IpAddr::V6(ip)), false) => format!("[{ip}]:{}", self.port),
            (_, true) => self.host.clone(),
            (_, false) => format!("{}:{}", self.host, self.port),
        }
    }
}

/// Whether the operator lets this backend speak to this target.
pub(crate) fn grant(target: &Target, grants: &Grants) -> Result<(), Failure> {
    let host = &target.host;
    if !grants.hosts.iter().any(|granted| matches(granted, target)) {
        return Err(Failure::refused(format!(
            "the host {host} is not granted; to allow it, write hosts = [\"{host}\"]"
        )));
    }
    if !target.tls && !grants.plaintext {
        return Err(Failure::refused(format!(
            "http://{host} would be without TLS; write https://, or grant it with plaintext = true"
        )));
    }
    Ok(())
}

/// Whether one host grant covers a target.
fn matches(granted: &str, target: &Target) -> bool {
    // What nearly every request meets: the name as it is.
    if granted == target.host {
        return true;
    }
    let (name, port) = split_port(granted);
    if port.is_some_and(|port| port != target.port) {
        return false;
    }
    match name.strip_prefix("*.") {
        Some(parent) if target.ip.is_none() => {
            let Some(parent) = normal(parent) else { return false };
            target.host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent)
        }
        Some(_) => false,
        None => normal(name).is_some_and(|name| name == target.host),
    }
}

/// Splits `host:8080`. An IPv6 address has its port behind brackets only.
fn split_port(granted: &str) -> (&str, Option<u16>) {
    match granted.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (granted, None),
        },
        _ => (granted, None),
    }
}

/// A granted name in the form that [`Target::host`] has; none if it is no host.
fn normal(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if let Ok(ip) = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Some(ip.to_string());
    }
    Host::parse(name).ok().map(|host| host.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dispatch_model::FailureKind;

    fn check(hosts: &[&str], url: &str) -> Result<Target, Failure> {
        let grants = Grants {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            plaintext: true,
            ..Grants::default()
        };
        let target = Target::of(&parse(url.as_bytes(), None)?)?;
        grant(&target, &grants).map(|()| target)
    }

    #[test]
    fn granted_hosts_only() {
        for (hosts, url, expected) in [
            (&["api.example.com"][..], "https://api.example.com/x", true),
            (&["api.example.com"], "https://API.Example.COM./x", true),
            (&["API.example.com."], "https://api.example.com/x", true),
            (&["api.example.com"], "https://api.example.com:8443/x", true),
            (&["api.example.com:443"], "https://api.example.com/", true),
            (&["api.example.com:443"], "https://api.example.com:8443/", false),
            (&["api.example.com"], "https://example.com/", false),
            (&["api.example.com"], "https://api.example.com.evil.example/", false),
            (&["api.example.com"], "https://xapi.example.com/", false),
            (&["example.com"], "https://api.example.com/", false),
            (&["*.example.com"], "https://api.example.com/", true),
            (&["*.example.com"], "https://a.b.example.com/", false),
            (&["*.example.com"], "https://example.com/", false),
            (&["*.example.com:8080"], "http://a.example.com:8080/", true),
            (&["*.example.com:8080"], "http://a.example.com/", false),
            (&["*"], "https://example.com/", false),
            (&["*.1"], "http://127.0.0.1/", false),
            (&["bücher.example"], "https://xn--bcher-kva.example/", true),
            (&["xn--bcher-kva.example"], "https://BÜCHER.example/", true),
            (&["127.0.0.1"], "http://2130706433/", true),
            (&["127.0.0.1"], "http://0x7f.1/", true),
            (&["127.0.0.1"], "http://0177.0.0.1/", true),
            (&["::1"], "http://[::1]/", true),
            (&["[::1]:80"], "http://[0:0::1]/", true),
            (&["[::1]:80"], "http://[::1]:81/", false),
            (&[], "https://api.example.com/", false),
        ] {
            assert_eq!(check(hosts, url).is_ok(), expected, "{hosts:?} {url}");
        }
    }

    #[test]
    fn all_spellings_of_an_address_are_one() {
        for url in
            ["http://2130706433", "http://0x7f000001", "http://0177.1", "http://127.1", "http://127.0.0.1."]
        {
            let target = check(&["127.0.0.1"], url).unwrap();
            assert_eq!(target.ip, Some("127.0.0.1".parse().unwrap()), "{url}");
        }
    }

    #[test]
    fn says_what_to_write() {
        for (hosts, plaintext, url, words) in [
            (&["a.example"][..], false, "https://b.example/?k=1", "hosts = [\"b.example\"]"),
            (&["a.example"], false, "http://a.example/", "plaintext = true"),
            (&["a.example"], true, "ftp://a.example/", "write https://"),
            (&["a.example"], true, "https://user:pw@a.example/", "credential"),
            (&["a.example"], true, "https://user@a.example/", "credential"),
            (&["a.example"], true, "https://a.example/a b", "percent-encode"),
            (&["a.example"], true, "https://a.exa\tmple/", "percent-encode"),
            (&["a.example"], true, "https://a.example/\r\nHost: b", "percent-encode"),
            (&["a.example"], true, "/relative", "cannot be read"),
            (&["a.example"], true, "data:text/plain,x", "write https://"),
        ] {
            let grants = Grants {
                hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
                plaintext,
                ..Grants::default()
            };
            let failure = parse(url.as_bytes(), None)
                .and_then(|url| Target::of(&url))
                .and_then(|target| grant(&target, &grants))
                .unwrap_err();
            assert_eq!(failure.kind, FailureKind::Refused);
            assert!(failure.detail.contains(words), "{url}: {}", failure.detail);
            assert!(!failure.detail.contains("pw@") && !failure.detail.contains("k=1"), "{}", failure.detail);
        }
    }

    #[test]
    fn secrets_stand_behind_the_host() {
        for (before, expected) in [
            ("https://api.example.com/", true),
            ("https://api.example.com/v1?key=", true),
            ("https://api.example.com?key=", true),
            ("https://api.example.com", false),
            ("https://", false),
            ("https:", false),
            ("", false),
            ("https://user:", false),
        ] {
            let text = format!("{before}SECRET/x");
            let parsed = parse(text.as_bytes(), Some(before.len()));
            assert_eq!(parsed.is_ok(), expected, "{text}");
        }
    }
}
