//! What a plugin says about itself.

use crate::Channel;

/// What the plugin is. Static.
///
/// Whether it receives callbacks and answers lookups is not said here: `export!` knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// `a-z0-9-`, at most 40 bytes.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One sentence.
    pub summary: String,
    /// What it can carry.
    pub channels: Vec<Channel>,
    /// A JSON Schema (draft 2020-12) of the settings.
    pub settings_schema: String,
    /// The secrets it names.
    pub secrets: Vec<SecretAsk>,
    /// Characters of text, where there is a limit.
    pub text_max: Option<u32>,
    /// How the provider takes attachments.
    pub media: Media,
    /// Attachments a message.
    pub media_max: u32,
    /// Bytes of all attachments together, before any encoding.
    pub media_bytes_max: u64,
    /// Whether the provider delivers once when a request with the same idempotency key is repeated.
    pub idempotent: bool,
}

impl Description {
    /// A plugin without secrets, attachments and limits.
    pub fn new(
        name: impl Into<String>,
        version: impl Into<String>,
        summary: impl Into<String>,
        channels: &[Channel],
        settings_schema: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            summary: summary.into(),
            channels: channels.to_vec(),
            settings_schema: settings_schema.into(),
            secrets: Vec::new(),
            text_max: None,
            media: Media::None,
            media_max: 0,
            media_bytes_max: 0,
            idempotent: false,
        }
    }

    /// A secret that every backend needs.
    #[must_use]
    pub fn secret(self, name: &str, summary: &str) -> Self {
        self.with_secret(name, summary, true)
    }

    /// A secret that some backends need: [`Check::secret`](crate::Check::secret) says which.
    #[must_use]
    pub fn optional_secret(self, name: &str, summary: &str) -> Self {
        self.with_secret(name, summary, false)
    }

    /// How many attachments the provider takes, and how many bytes of them.
    #[must_use]
    pub fn media(mut self, media: Media, count: u32, bytes: u64) -> Self {
        (self.media, self.media_max, self.media_bytes_max) = (media, count, bytes);
        self
    }

    /// How many characters of text the provider takes.
    #[must_use]
    pub fn text_max(mut self, characters: u32) -> Self {
        self.text_max = Some(characters);
        self
    }

    /// The provider honours the idempotency key.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    fn with_secret(mut self, name: &str, summary: &str, required: bool) -> Self {
        self.secrets.push(SecretAsk { name: name.into(), summary: summary.into(), required });
        self
    }
}

/// A secret that the plugin names. The operator sets it; the plugin never sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretAsk {
    /// The key under the backend's `secrets`.
    pub name: String,
    /// What it is and where to find it.
    pub summary: String,
    /// Whether no backend can work without it.
    pub required: bool,
}

/// How the provider takes attachments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// Not at all.
    None,
    /// It fetches URLs itself.
    Url,
    /// It wants the bytes: the host fetches them first.
    Content,
}

/// What settings ask for: the operator's grants are held against it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// Hosts that requests go to: `api.example.com`, or `*.example.com` for exactly one label.
    pub hosts: Vec<String>,
    /// Whether a mail relay is needed.
    pub relay: bool,
    /// Whether an SMPP session is needed.
    pub session: bool,
    /// Names of secrets that these settings use.
    pub secrets: Vec<String>,
}

/// Something wrong with settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The path of the field, dots between; empty for the whole.
    pub path: String,
    /// What is wrong and what to write instead.
    pub message: String,
}
