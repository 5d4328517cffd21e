//! Kinds of strings: what each expects, and what was perhaps meant when it got something else.

use std::net::{IpAddr, SocketAddr};

use crate::{Listen, Network, region, suggestion, units};

/// A kind of string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any.
    Any,
    /// Any but the empty one.
    Filled,
    /// A name that stands in logs, metrics and store keys: letters, digits, `-` and `_`.
    Name,
    /// A path of the file system.
    Path,
    /// Bytes.
    Size,
    /// Time.
    Span,
    /// How often.
    Rate,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Where to listen.
    Listen,
    /// A loopback address with its port.
    Loopback,
    /// A network in CIDR form.
    Network,
    /// A region.
    Region,
    /// A SHA-256 in hex.
    Digest,
    /// The path of a URL.
    UrlPath,
    /// The beginning of a URL: scheme and host.
    BaseUrl,
    /// A host name, or `*.` and a host name.
    HostPattern,
    /// A name of the DNS.
    Domain,
    /// `+` and digits.
    PhonePrefix,
}

/// Why a string is not of its kind, and what to write instead.
pub(crate) struct Misfit {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Kind {
    /// What it expects, with its article: "expected …".
    pub(crate) fn expects(self) -> &'static str {
        match self {
            Self::Any => "a string",
            Self::Filled => "a string that is not empty",
            Self::Name => "a name of letters, digits, `-` and `_`",
            Self::Path => "a path",
            Self::Size => "a size with its unit, such as \"10 MiB\"",
            Self::Span => "a span of time with its unit, such as \"15s\"",
            Self::Rate => "a rate, such as \"10/s\"",
            Self::Word(_) => "a word",
            Self::Listen => "an address with its port, \"unix:/path\" or \"systemd\"",
            Self::Loopback => "a loopback address with its port, such as \"127.0.0.1:9090\"",
            Self::Network => "a network, such as \"192.168.1.0/24\"",
            Self::Region => "a region of two letters, such as \"MX\"",
            Self::Digest => "a SHA-256 of 64 hexadecimal digits",
            Self::UrlPath => "the path of a URL, such as \"/webhooks/highlevel\"",
            Self::BaseUrl => "the beginning of a URL, such as \"https://hooks.example.com\"",
            Self::HostPattern => "a host name, such as \"api.example.com\" or \"*.example.com\"",
            Self::Domain => "a name of the DNS, such as \"example.com\"",
            Self::PhonePrefix => "the beginning of a phone number, such as \"+52\"",
        }
    }

    /// Whether the text is of this kind.
    pub(crate) fn check(self, text: &str) -> Result<(), Misfit> {
        let hint = match self {
            Self::Any => return Ok(()),
            Self::Filled | Self::Path => (text.is_empty()).then_some(None),
            Self::Name => (!is_name(text)).then(|| name_meant(text)),
            Self::Size => units::size(text).is_none().then(|| {
                units::size_meant(text).map_or_else(units_of_size, |meant| Some(format!("write \"{meant}\"")))
            }),
            Self::Span => units::span(text).is_none().then(|| {
                units::span_meant(text).map_or_else(units_of_span, |meant| Some(format!("write \"{meant}\"")))
            }),
            Self::Rate => units::rate(text).is_none().then(|| {
                units::rate_meant(text).map_or_else(units_of_rate, |meant| Some(format!("write \"{meant}\"")))
            }),
            Self::Word(words) => (!words.contains(&text)).then(|| Some(words_hint(text, words))),
            Self::Listen => Listen::read(text).is_none().then(|| address_meant(text)),
            Self::Loopback => {
                let loopback = text.parse().is_ok_and(|address: SocketAddr| address.ip().is_loopback());
                (!loopback).then(|| Some(LOOPBACK_HINT.to_owned()))
            }
            Self::Network => Network::read(text).is_none().then(|| network_meant(text)),
            Self::Region => (!region::is_region(text)).then(|| region_meant(text)),
            Self::Digest => {
                let hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                (!hex).then(|| Some("`sha256sum FILE` prints it".to_owned()))
            }
            Self::UrlPath => (!is_url_path(text)).then(|| path_meant(text)),
            Self::BaseUrl => (!is_base_url(text)).then(|| base_url_meant(text)),
            Self::HostPattern => (!is_host_pattern(text)).then(|| host_meant(text)),
            Self::Domain => {
                let plain = is_host_pattern(text) && !text.starts_with("*.") && text.len() <= 253;
                (!plain).then(|| {
                    let ascii = "write one beyond ASCII as it stands in the DNS: xn--…";
                    if text.is_ascii() {
                        host_meant(text.trim_start_matches("*."))
                    } else {
                        Some(ascii.to_owned())
                    }
                })
            }
            Self::PhonePrefix => {
                let digits = text.strip_prefix('+').unwrap_or_default();
                let wrong = digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit());
                wrong.then(|| Some(prefix_hint(text)))
            }
        };
        match hint {
            None => Ok(()),
            Some(hint) => Err(Misfit { message: self.misfit(text), hint }),
        }
    }

    fn misfit(self, text: &str) -> String {
        let shown = text.escape_debug();
        match self {
            Self::Word(_) => format!("\"{shown}\" is not a word that may stand here"),
            _ if text.is_empty() => format!("expected {}, found an empty string", self.expects()),
            _ => format!("expected {}, found \"{shown}\"", self.expects()),
        }
    }

    /// A regular expression for editors, where one says more than "a string".
    pub(crate) fn pattern(self) -> Option<&'static str> {
        Some(match self {
            Self::Filled | Self::Path => "^.+$",
            Self::Name => "^[A-Za-z0-9_-]+$",
            Self::Size => "^[0-9]+ ?(B|kB|KiB|MB|MiB|GB|GiB)$",
            Self::Span => "^[0-9]+ ?(ms|s|m|h|d)$",
            Self::Rate => "^[1-9][0-9]* ?/ ?([0-9]+ ?)?(ms|s|m|h|d)$",
            Self::Region => "^[A-Z]{2}$",
            Self::Digest => "^[0-9A-Fa-f]{64}$",
            Self::Network => "^[0-9A-Fa-f.:]+/[0-9]+$",
            Self::UrlPath => "^/",
            Self::BaseUrl => "^https?://",
            Self::PhonePrefix => "^\\+[0-9]+$",
            Self::Any | Self::Word(_) | Self::Listen | Self::Loopback | Self::HostPattern | Self::Domain => {
                return None;
            }
        })
    }
}

const LOOPBACK_HINT: &str = "the control port is for this machine only: write \"127.0.0.1:PORT\" or \"[::1]:PORT\", and put a tunnel before it";

fn units_of_size() -> Option<String> {
    Some("units are B, kB, KiB, MB, MiB, GB and GiB, after a whole number".to_owned())
}

fn units_of_span() -> Option<String> {
    Some("units are ms, s, m, h and d, after a whole number".to_owned())
}

fn units_of_rate() -> Option<String> {
    Some("write how many in which span: \"10/s\", \"600/m\", \"1000/h\" or \"3/5s\"".to_owned())
}

fn words_hint(text: &str, words: &[&str]) -> String {
    match suggestion::nearest(text, words.iter().copied()) {
        Some(word) => format!("did you mean \"{word}\"?"),
        None => format!("write {}", suggestion::one_of(words)),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn name_meant(text: &str) -> Option<String> {
    let meant: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(64).collect();
    is_name(&meant).then(|| format!("write \"{meant}\""))
}

fn address_meant(text: &str) -> Option<String> {
    if text.starts_with('/') {
        return Some(format!("write \"unix:{text}\""));
    }
    let port = text.strip_prefix("localhost").unwrap_or(text);
    let port = port.strip_prefix(':').unwrap_or(port);
    if port.parse::<u16>().is_ok() {
        return Some(format!("write \"127.0.0.1:{port}\""));
    }
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => Some(format!("add the port: \"{address}:8080\"")),
        Ok(IpAddr::V6(address)) => Some(format!("add the port: \"[{address}]:8080\"")),
        Err(_) => Some("write \"127.0.0.1:8080\"".to_owned()),
    }
}

fn network_meant(text: &str) -> Option<String> {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => Some(format!("for this address alone write \"{address}/32\"")),
        Ok(IpAddr::V6(address)) => Some(format!("for this address alone write \"{address}/128\"")),
        Err(_) => Some("write ADDRESS/BITS: \"192.168.1.0/24\" or \"fd00::/8\"".to_owned()),
    }
}

fn region_meant(text: &str) -> Option<String> {
    let upper = text.trim().to_uppercase();
    if region::is_region(&upper) {
        return Some(format!("write \"{upper}\""));
    }
    Some("regions are those of ISO 3166: \"MX\", \"US\", \"ES\", \"AR\" …".to_owned())
}

fn is_url_path(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    text.starts_with('/') && !text.contains("//") && text.bytes().all(allowed)
}

fn path_meant(text: &str) -> Option<String> {
    let meant = format!("/{}", text.trim_start_matches('/'));
    if is_url_path(&meant) {
        return Some(format!("write \"{meant}\""));
    }
    Some("letters, digits, `-`, `_`, `.`, `~` and `/` may stand in it".to_owned())
}

fn is_base_url(text: &str) -> bool {
    text.strip_prefix("https://").or(text.strip_prefix("http://")).is_some_and(|rest| {
        !rest.is_empty() && !rest.ends_with('/') && !rest.contains(['?', '#', '@', ' ', '\\'])
    })
}

fn base_url_meant(text: &str) -> Option<String> {
    let bare = text.trim_end_matches('/');
    let meant = if bare.contains("://") { bare.to_owned() } else { format!("https://{bare}") };
    is_base_url(&meant).then(|| format!("write \"{meant}\""))
}

fn is_host_pattern(text: &str) -> bool {
    let host = text.strip_prefix("*.").unwrap_or(text);
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    host.split('.').all(label) || host.parse::<IpAddr>().is_ok()
}

fn host_meant(text: &str) -> Option<String> {
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
    let bare = bare.split(['/', ':', '?']).next().unwrap_or_default();
    (is_host_pattern(bare)).then(|| format!("write \"{bare}\": no scheme, port or path"))
}

fn prefix_hint(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    match digits.trim_start_matches('0') {
        "" => "write \"+52\" for Mexico, \"+1\" for North America".to_owned(),
        digits => format!("write \"+{digits}\""),
    }
}
