//! `session` of a backend: an SMPP account that the host binds and keeps.

use std::time::Duration;

use super::backend::ResolvedSecret;
use crate::kind::Kind;
use crate::reading::Section;
use crate::secret::Vault;
use crate::shape::{Field, Shape, field, required};

/// An SMPP session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The message centre's host name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether TLS is spoken; without it only with `plaintext = true`.
    pub tls: bool,
    /// Who we are there.
    pub system_id: String,
    /// The password.
    pub password: Option<ResolvedSecret>,
    /// What kind of system we are; usually empty.
    pub system_type: String,
    /// Messages that may be under way at once, handed over and not answered.
    pub window: u32,
    /// After how long a silence the message centre is asked whether it is there.
    pub enquire_link: Duration,
}

/// The usual ports: SMPP, and SMPP over TLS.
const PORT: u16 = 2775;
const PORT_TLS: u16 = 3550;
/// What message centres usually allow.
const WINDOW: u32 = 10;
/// Below the minute after which message centres end a silent session.
const ENQUIRE_LINK: Duration = Duration::from_secs(30);

const HOST_DOC: &str = "The message centre's host name.";
const SYSTEM_ID_DOC: &str = "Who we are there; at most 15 characters.";

pub(crate) const SESSION: &[Field] = &[
    required("host", Shape::Text(Kind::HostPattern), HOST_DOC),
    required("system_id", Shape::Text(Kind::Filled), SYSTEM_ID_DOC),
    PORT_FIELD,
    TLS,
    PASSWORD,
    SYSTEM_TYPE,
    WINDOW_FIELD,
    ENQUIRE_LINK_FIELD,
];

/// The session of a location: what it leaves out is the backend's.
pub(crate) const SESSION_OVERLAY: &[Field] = &[
    field("host", Shape::Text(Kind::HostPattern), HOST_DOC),
    field("system_id", Shape::Text(Kind::Filled), SYSTEM_ID_DOC),
    PORT_FIELD,
    TLS,
    PASSWORD,
    SYSTEM_TYPE,
    WINDOW_FIELD,
    ENQUIRE_LINK_FIELD,
];

const PORT_FIELD: Field = field(
    "port",
    Shape::Integer { min: 1, max: 65_535 },
    "Its port; 3550 if left out, 2775 where tls is false.",
);
const TLS: Field =
    field("tls", Shape::Flag, "Whether TLS is spoken; true if left out, false needs plaintext.");
const PASSWORD: Field = field("password", Shape::Secret, "The password.");
const SYSTEM_TYPE: Field = field(
    "system_type",
    Shape::Text(Kind::Filled),
    "What kind of system we are, where the message centre wants that; at most 12 characters.",
);
const WINDOW_FIELD: Field = field(
    "window",
    Shape::Integer { min: 1, max: 1000 },
    "Messages that may be handed over and not yet answered; 10 if left out.",
);
const ENQUIRE_LINK_FIELD: Field = field(
    "enquire_link",
    Shape::Text(Kind::Span),
    "After how long a silence the message centre is asked whether it is there; 30 seconds if left out.",
);

impl Session {
    /// Reads a session; what it leaves out is `base`'s.
    pub(crate) fn read(
        section: &Section<'_>,
        base: Option<&Session>,
        path: &str,
        vault: &mut Vault<'_>,
    ) -> Self {
        let tls = section.flag("tls").unwrap_or_else(|| base.is_none_or(|base| base.tls));
        let usual = if tls { PORT_TLS } else { PORT };
        // With TLS or without is another port as well, unless one is written.
        let port = base.filter(|base| base.tls == tls).map_or(usual, |base| base.port);
        let text = |key: &str, of: fn(&Session) -> &String| {
            section.text(key).map_or_else(|| base.map(of).cloned().unwrap_or_default(), str::to_owned)
        };
        let window = section.integer("window").and_then(|window| u32::try_from(window).ok());
        let enquire_link = section.text("enquire_link").map(|_| section.span("enquire_link"));
        Self {
            host: text("host", |base| &base.host),
            port: section.integer("port").and_then(|port| u16::try_from(port).ok()).unwrap_or(port),
            tls,
            system_id: text("system_id", |base| &base.system_id),
            password: vault
                .secret(section, "password", &format!("{path}.password"))
                .or_else(|| base.and_then(|base| base.password.clone())),
            system_type: text("system_type", |base| &base.system_type),
            window: window.or_else(|| base.map(|base| base.window)).unwrap_or(WINDOW),
            enquire_link: enquire_link.or_else(|| base.map(|base| base.enquire_link)).unwrap_or(ENQUIRE_LINK),
        }
    }
}
