//! What a plugin says about itself.

use serde::{Deserialize, Serialize};

use crate::Channel;

/// The static description of a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Its name: `a-z0-9-`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One sentence.
    pub summary: String,
    /// What it can carry.
    pub channels: Vec<Channel>,
    /// JSON Schema of its settings.
    pub settings_schema: String,
    /// The secrets it names.
    pub secrets: Vec<SecretAsk>,
    /// Limits of the provider.
    pub limits: ProviderLimits,
    /// Whether `receive` does anything.
    pub receives: bool,
    /// Whether `lookup` does anything.
    pub looks_up: bool,
    /// Whether the provider honours the idempotency key: a repeated request delivers once.
    pub idempotent: bool,
}

/// A secret that a plugin names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretAsk {
    /// The key under the backend's `secrets`.
    pub name: String,
    /// What it is and where to find it.
    pub summary: String,
    /// Whether the backend cannot work without it.
    pub required: bool,
}

/// Limits of a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderLimits {
    /// Characters of text, where there is a limit.
    pub text_max: Option<u32>,
    /// How it takes attachments.
    pub media: MediaSupport,
    /// How many attachments.
    pub media_max: u32,
    /// Bytes of all attachments together, before any encoding.
    pub media_bytes_max: u64,
}

/// How a provider takes attachments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MediaSupport {
    /// Not at all.
    None,
    /// It fetches a URL itself.
    Url,
    /// It wants the bytes: the host fetches them first.
    Content,
}

/// What given settings ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asks {
    /// Host names it will send requests to: `api.twilio.com`, or `*.example.com` for one label.
    pub hosts: Vec<String>,
    /// Whether it needs a relay.
    pub relay: bool,
    /// Whether it needs an SMPP session.
    #[serde(default)]
    pub session: bool,
    /// Names of secrets that these settings use: each must be there, also those the description does not list.
    #[serde(default)]
    pub secrets: Vec<String>,
}

/// Something wrong with settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingProblem {
    /// The path of the field, dots between: `from`, `reply.reference.pointer`; empty for the whole.
    pub path: String,
    /// What is wrong and what to write instead.
    pub message: String,
}
