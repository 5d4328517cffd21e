//! What a plugin can ask the host to do.
//!
//! The guest never holds a secret nor an attachment's bytes: it writes *pieces*, and the host puts
//! the bytes in as it sends.

use serde::{Deserialize, Serialize};

use crate::{Body, SmppSubmission};

/// One thing to do. One action a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// An HTTP request.
    Http(HttpRequest),
    /// A mail handed to the backend's relay.
    Mail(MailSubmission),
    /// A short message handed to the backend's session.
    Smpp(SmppSubmission),
}

/// An HTTP request in pieces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// `GET`, `POST` …
    pub method: String,
    /// The whole URL. Secrets may stand in its path and query, never in its host.
    pub url: Vec<Piece>,
    /// Headers in order.
    pub headers: Vec<Header>,
    /// How the host proves who we are.
    pub credential: Credential,
    /// The body; no pieces is no body.
    pub body: Vec<Piece>,
    /// How many redirects to follow: 0 to 5. Each target is checked like a first request.
    pub redirects: u8,
}

/// A header whose value may contain secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The name.
    pub name: String,
    /// The value; CR, LF and NUL are refused wherever they come from.
    pub value: Vec<Piece>,
}

/// A mail to hand to a relay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MailSubmission {
    /// The envelope sender: `a@b`, or empty for the null sender.
    pub sender: String,
    /// The envelope recipients: `a@b` each.
    pub recipients: Vec<String>,
    /// The message, headers and all, with CR LF line ends.
    pub body: Vec<Piece>,
}

/// A run of a URL, header or body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Piece {
    /// The guest's own bytes.
    Bytes(Body),
    /// The content of an attachment, spliced in by the host. Only in bodies.
    Attachment {
        /// Index into the message's attachments.
        index: u32,
        /// How its bytes are written.
        encoding: AttachmentEncoding,
    },
    /// A secret, written in by the host towards granted hosts only.
    Secret {
        /// The name under the backend's `secrets`.
        name: String,
        /// How it is escaped for the place it stands in.
        escape: Escape,
    },
}

impl Piece {
    /// A piece of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Bytes(Body::from(text.into()))
    }
}

/// How an attachment's bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttachmentEncoding {
    /// As they are.
    Raw,
    /// Base64 without line breaks.
    Base64,
    /// Base64 in lines of 76 characters ended by CR LF, as MIME wants it.
    Base64Mime,
}

/// How a secret is escaped for its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Escape {
    /// As it is.
    Raw,
    /// Percent-encoded: everything but unreserved characters.
    Percent,
    /// As the inside of a JSON string.
    Json,
    /// Base64 of its bytes.
    Base64,
}

/// How the host proves who we are. It names secrets and never holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Credential {
    /// Not at all.
    #[default]
    None,
    /// `Authorization: Basic`.
    Basic {
        /// The user name in clear.
        user: String,
        /// The name of the password's secret.
        secret: String,
    },
    /// `Authorization: Bearer`.
    Bearer {
        /// The name of the token's secret.
        secret: String,
    },
    /// AWS Signature Version 4.
    SigV4(SigV4),
    /// OAuth 2 client credentials: the host fetches, caches and renews the token.
    OAuth2ClientCredentials(ClientCredentials),
}

/// AWS Signature Version 4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigV4 {
    /// For example `us-east-1`.
    pub region: String,
    /// For example `ses`.
    pub service: String,
    /// The access key id, in clear.
    pub key_id: String,
    /// The name of the secret key's secret.
    pub secret: String,
    /// The name of the session token's secret, for temporary credentials.
    pub session_token: Option<String>,
}

/// OAuth 2 client credentials.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClientCredentials {
    /// Where tokens are had; a granted host.
    pub token_url: String,
    /// The client id, in clear.
    pub client_id: String,
    /// The name of the client secret's secret.
    pub secret: String,
    /// The scope to ask for.
    pub scope: Option<String>,
}
