//! `[[sources]]`: the Delivery URLs.

use dispatch_model::{Secret, SourceName};

use crate::kind::Kind;
use crate::reading::Section;
use crate::secret::Vault;
use crate::shape::{Field, Shape, field, required};

/// A Delivery URL and who may post to it. Any one of its proofs is enough.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Its name.
    pub name: SourceName,
    /// The path of the URL, from its first slash.
    pub path: String,
    /// Accepts what is signed with a well-known set of keys.
    pub verify: Vec<KnownKeys>,
    /// Accepts what is signed with one of these keys: PEM, base64 DER, or 32 raw bytes in base64.
    pub keys: Vec<String>,
    /// Accepts who sends this as a bearer token.
    pub token: Option<Secret>,
    /// Accepts who posts to `path/SECRET`.
    pub path_secret: Option<Secret>,
    /// Accepts anybody. Only where there is no proof at all.
    pub insecure: bool,
    /// The region (ISO 3166, two letters) of numbers without a country code.
    pub default_region: Option<String>,
}

/// A well-known set of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownKeys {
    /// HighLevel's published keys.
    HighLevel,
}

pub(crate) const SOURCE: &[Field] = &[
    required("name", Shape::Text(Kind::Name), "The name of the source in logs and metrics."),
    required("path", Shape::Text(Kind::UrlPath), "The path of the Delivery URL."),
    field(
        "verify",
        Shape::List(&Shape::Text(Kind::Word(&["highlevel"]))),
        "Well-known keys that are trusted; \"highlevel\" are HighLevel's published ones.",
    ),
    field(
        "keys",
        Shape::List(&Shape::Text(Kind::Filled)),
        "More keys that are trusted: PEM, base64 DER or 32 raw bytes in base64.",
    ),
    field("token", Shape::Secret, "A bearer token that is accepted as proof."),
    field("path_secret", Shape::Secret, "A last segment of the path that is accepted as proof."),
    field("insecure", Shape::Flag, "Accepts anybody; only where there is no proof at all."),
    field(
        "default_region",
        Shape::Text(Kind::Region),
        "The region of numbers without a country code, such as \"MX\".",
    ),
];

impl Source {
    pub(crate) fn read(section: &Section<'_>, path: &str, vault: &mut Vault<'_>) -> Self {
        let verify = section.strings("verify");
        Self {
            name: section.string("name").into(),
            path: section.string("path"),
            verify: verify.iter().filter(|word| *word == "highlevel").map(|_| KnownKeys::HighLevel).collect(),
            keys: section.strings("keys"),
            token: vault.value(section, "token", &format!("{path}.token")),
            path_secret: vault.value(section, "path_secret", &format!("{path}.path_secret")),
            insecure: section.flag("insecure").unwrap_or_default(),
            default_region: section.text("default_region").map(str::to_owned),
        }
    }
}
