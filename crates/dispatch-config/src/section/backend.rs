//! `[backends.NAME]`: a plugin with settings, secrets and limits.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dispatch_model::Secret;
use serde_json::{Map, Value};

use super::server::COUNT_MAX;
use super::session::{SESSION, Session};
use crate::kind::Kind;
use crate::reading::Section;
use crate::secret::Vault;
use crate::settings;
use crate::shape::{Field, Shape, field, required};

/// A backend.
#[derive(Debug, Clone, PartialEq)]
pub struct Backend {
    /// A bundled plugin or one of `[plugins]`.
    pub plugin: String,
    /// The plugin's settings.
    pub settings: Map<String, Value>,
    /// The plugin's secrets, by name.
    pub secrets: BTreeMap<Arc<str>, ResolvedSecret>,
    /// How much of it there may be.
    pub limits: Limits,
    /// Private networks it may reach.
    pub private_networks: Vec<Network>,
    /// Whether it may speak without TLS.
    pub plaintext: bool,
    /// The relay for its mail.
    pub relay: Option<Relay>,
    /// As whom its mails are signed.
    pub dkim: Option<Dkim>,
    /// The session for its short messages.
    pub session: Option<Session>,
}

/// A secret and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedSecret {
    /// The value.
    pub value: Secret,
    /// Where it came from.
    pub from: SecretFrom,
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretFrom {
    /// A variable of the environment.
    Env(Arc<str>),
    /// A file.
    File(Arc<Path>),
}

/// Limits of a backend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Attempts that may start in a span; none means as fast as concurrency allows.
    pub rate: Option<Rate>,
    /// Attempts under way at once.
    pub concurrency: u32,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// The longest pause that a provider's throttling can bring.
    pub pause_max: Duration,
    /// Consecutive failures that open the breaker.
    pub breaker_failures: u32,
    /// How long the breaker stays open at first.
    pub breaker_open: Duration,
    /// Bytes of a message's attachments that are fetched, where the plugin needs their content.
    pub attachments_max: u64,
}

/// So many in a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In how long.
    pub per: Duration,
}

/// An IP network in CIDR form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Its address.
    pub address: IpAddr,
    /// The length of its prefix in bits.
    pub prefix: u8,
}

/// A mail relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// Its host name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: RelayTls,
    /// The user to authenticate as.
    pub user: Option<String>,
    /// The password; there is one exactly where there is a user.
    pub password: Option<ResolvedSecret>,
    /// The name we say EHLO with; the machine's own where none is given.
    pub hello: Option<String>,
}

/// As whom mails are signed (DKIM).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dkim {
    /// The domain that vouches.
    pub domain: String,
    /// Under which name its public key stands in the DNS: `SELECTOR._domainkey.DOMAIN`.
    pub selector: String,
    /// The private key.
    pub key: Option<ResolvedSecret>,
}

/// How a relay connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayTls {
    /// In clear, then STARTTLS, and no further without it (`starttls`).
    StartTls,
    /// TLS from the first byte (`tls`).
    Implicit,
    /// Not at all (`none`); only with `plaintext = true`.
    None,
}

pub(crate) const BACKEND: &[Field] = &[
    required(
        "plugin",
        Shape::Text(Kind::Filled),
        "A bundled plugin (twilio, smpp, smtp, http, log …) or one of [plugins].",
    ),
    field("settings", SETTINGS, "Settings of the plugin."),
    field("secrets", SECRETS, "Secrets of the plugin, by name."),
    field("limits", Shape::Table(LIMITS), "How much of it there may be."),
    field("private_networks", Shape::List(&Shape::Text(Kind::Network)), "Private networks it may reach."),
    field("plaintext", Shape::Flag, "Whether it may speak without TLS."),
    field("relay", Shape::Table(RELAY), "The relay for its mail."),
    field("dkim", Shape::Table(DKIM), "As whom its mails are signed."),
    field("session", Shape::Table(SESSION), "The SMPP session for its short messages."),
];

pub(crate) const SETTINGS: Shape = Shape::Map { keys: Kind::Any, of: &Shape::Settings };
pub(crate) const SECRETS: Shape = Shape::Map { keys: Kind::Filled, of: &Shape::Secret };

pub(crate) const LIMITS: &[Field] = &[
    field(
        "rate",
        Shape::Text(Kind::Rate),
        "Attempts that may start in a span; as fast as concurrency allows if left out.",
    ),
    field("concurrency", Shape::Integer { min: 1, max: 100_000 }, "Attempts under way at once."),
    field("timeout", Shape::Text(Kind::Span), "How long one attempt may take."),
    field("pause_max", Shape::Text(Kind::Span), "The longest pause that a provider's throttling can bring."),
    field(
        "breaker_failures",
        Shape::Integer { min: 1, max: COUNT_MAX },
        "Consecutive failures that open the breaker.",
    ),
    field("breaker_open", Shape::Text(Kind::Span), "How long the breaker stays open at first."),
    field(
        "attachments_max",
        Shape::Text(Kind::Size),
        "Bytes of a message's attachments that are fetched, where the plugin needs their content.",
    ),
];

const RELAY_HOST: &str = "The relay's host name.";

pub(crate) const RELAY: &[Field] = &[
    required("host", Shape::Text(Kind::HostPattern), RELAY_HOST),
    RELAY_PORT,
    RELAY_TLS,
    RELAY_USER,
    RELAY_PASSWORD,
    RELAY_HELLO,
];

/// The relay of a location: what it leaves out is the backend's.
pub(crate) const RELAY_OVERLAY: &[Field] = &[
    field("host", Shape::Text(Kind::HostPattern), RELAY_HOST),
    RELAY_PORT,
    RELAY_TLS,
    RELAY_USER,
    RELAY_PASSWORD,
    RELAY_HELLO,
];

const RELAY_PORT: Field =
    field("port", Shape::Integer { min: 1, max: 65_535 }, "Its port; 587, 465 or 25 by `tls` if left out.");
const RELAY_TLS: Field = field(
    "tls",
    Shape::Text(Kind::Word(&["starttls", "tls", "none"])),
    "STARTTLS (if left out), TLS from the first byte, or none.",
);
const RELAY_USER: Field = field("user", Shape::Text(Kind::Filled), "The user to authenticate as.");
const RELAY_PASSWORD: Field = field("password", Shape::Secret, "The user's password.");
const RELAY_HELLO: Field =
    field("hello", Shape::Text(Kind::Filled), "The name to say EHLO with; the machine's own if left out.");

const DKIM: &[Field] = &[
    required("domain", Shape::Text(Kind::Domain), DKIM_DOMAIN),
    required("selector", Shape::Text(Kind::Domain), DKIM_SELECTOR),
    required("key", Shape::Secret, DKIM_KEY),
];

/// The signature of a location: what it leaves out is the backend's, often all but the domain.
pub(crate) const DKIM_OVERLAY: &[Field] = &[
    field("domain", Shape::Text(Kind::Domain), DKIM_DOMAIN),
    field("selector", Shape::Text(Kind::Domain), DKIM_SELECTOR),
    field("key", Shape::Secret, DKIM_KEY),
];

const DKIM_DOMAIN: &str = "The domain that vouches for the mail.";
const DKIM_SELECTOR: &str = "Under which name the public key stands in the DNS: SELECTOR._domainkey.DOMAIN.";
const DKIM_KEY: &str = "The private key as PEM: RSA of 2048 bits or more, or Ed25519.";

impl Backend {
    /// `section` has the defaults of all backends as its fallback.
    pub(crate) fn read(section: &Section<'_>, path: &str, vault: &mut Vault<'_>) -> Self {
        let secrets = section.section("secrets");
        let secrets = secrets.entries().into_iter().filter_map(|(name, _)| {
            Some((name.into(), vault.secret(&secrets, name, &format!("{path}.secrets.{name}"))?))
        });
        let secrets = secrets.collect();
        let relay = section.section("relay");
        let relay = relay.node().map(|_| Relay::read(&relay, None, &format!("{path}.relay"), vault));
        let session = section.section("session");
        let session =
            session.node().map(|_| Session::read(&session, None, &format!("{path}.session"), vault));
        Self {
            plugin: section.string("plugin"),
            settings: section.get("settings").map(settings::map).unwrap_or_default(),
            secrets,
            limits: Limits::read(&section.section("limits")),
            private_networks: section
                .strings("private_networks")
                .iter()
                .filter_map(|text| Network::read(text))
                .collect(),
            plaintext: section.flag("plaintext").unwrap_or_default(),
            relay,
            dkim: Dkim::read(&section.section("dkim"), None, &format!("{path}.dkim"), vault),
            session,
        }
    }
}

impl Dkim {
    /// Reads whose signature it is; what is left out is `base`'s. None where nothing is written.
    pub(crate) fn read(
        section: &Section<'_>,
        base: Option<&Self>,
        path: &str,
        vault: &mut Vault<'_>,
    ) -> Option<Self> {
        section.node()?;
        let text = |key: &str, base: Option<&String>| {
            section.text(key).map(str::to_owned).or_else(|| base.cloned()).unwrap_or_default()
        };
        Some(Self {
            domain: text("domain", base.map(|base| &base.domain)),
            selector: text("selector", base.map(|base| &base.selector)),
            key: vault
                .secret(section, "key", &format!("{path}.key"))
                .or_else(|| base.and_then(|base| base.key.clone())),
        })
    }
}

impl Limits {
    fn read(section: &Section<'_>) -> Self {
        Self {
            rate: section.rate("rate"),
            concurrency: section.count("concurrency"),
            timeout: section.span("timeout"),
            pause_max: section.span("pause_max"),
            breaker_failures: section.count("breaker_failures"),
            breaker_open: section.span("breaker_open"),
            attachments_max: section.size("attachments_max"),
        }
    }
}

impl Network {
    /// Reads `192.168.1.0/24`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let prefix: u8 = prefix.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        (prefix <= longest).then_some(Self { address, prefix })
    }
}

impl Relay {
    /// Reads a relay; what it leaves out is `base`'s.
    pub(crate) fn read(
        section: &Section<'_>,
        base: Option<&Relay>,
        path: &str,
        vault: &mut Vault<'_>,
    ) -> Self {
        let tls = match section.text("tls") {
            Some("tls") => RelayTls::Implicit,
            Some("none") => RelayTls::None,
            Some(_) => RelayTls::StartTls,
            None => base.map_or(RelayTls::StartTls, |base| base.tls),
        };
        let usual = match tls {
            RelayTls::StartTls => 587,
            RelayTls::Implicit => 465,
            RelayTls::None => 25,
        };
        // Another protection than the base's means another port as well, unless one is written.
        let port = base.filter(|base| base.tls == tls).map_or(usual, |base| base.port);
        let text = |key: &str| section.text(key).map(str::to_owned);
        Self {
            host: text("host").or_else(|| base.map(|base| base.host.clone())).unwrap_or_default(),
            port: section.integer("port").and_then(|port| u16::try_from(port).ok()).unwrap_or(port),
            tls,
            user: text("user").or_else(|| base.and_then(|base| base.user.clone())),
            password: vault
                .secret(section, "password", &format!("{path}.password"))
                .or_else(|| base.and_then(|base| base.password.clone())),
            hello: text("hello").or_else(|| base.and_then(|base| base.hello.clone())),
        }
    }
}
