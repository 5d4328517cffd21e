//! What came back from an action, as a fact and not yet as a judgement.

use serde::{Deserialize, Serialize};

use crate::{Body, SmppReply};

/// The answer to an action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// A whole HTTP response, whatever its status.
    Http(HttpResponse),
    /// What the relay said.
    Mail(MailReply),
    /// What the message centre said.
    Smpp(SmppReply),
    /// No answer.
    Failed {
        /// What kind of failure.
        kind: FailureKind,
        /// For the log and the operator; never a secret.
        detail: String,
        /// Whether a byte of this request may have left. `false` is a fact; `true` is a doubt.
        may_have_left: bool,
    },
}

/// A whole HTTP response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Headers in order, names in lower case.
    pub headers: Vec<Pair>,
    /// The body, cut at the bound that the host sets.
    pub body: Body,
    /// Whether the body was cut.
    #[serde(default)]
    pub truncated: bool,
}

impl HttpResponse {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|pair| pair.name == name).map(|pair| pair.value.as_str())
    }
}

/// A name and a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The name could not be resolved.
    Dns,
    /// No connection.
    Connect,
    /// No TLS session.
    Tls,
    /// Too slow, in any phase.
    Timeout,
    /// The connection broke.
    Reset,
    /// What came back is not the protocol.
    Protocol,
    /// The host's own rules refuse the request: an ungranted or private host, a bad header, an unknown secret.
    Refused,
}

impl FailureKind {
    /// The word used in the contract and the logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
            Self::Refused => "refused",
        }
    }
}

/// What a relay said to one mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailReply {
    /// How far the dialogue came: the stage that `reply` answers.
    pub stage: MailStage,
    /// The relay's reply at that stage.
    pub reply: SmtpReply,
    /// What it said to each recipient it was asked about, in order.
    pub recipients: Vec<RecipientReply>,
}

/// A stage of the mail dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailStage {
    /// The greeting.
    Greeting,
    /// EHLO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Sender,
    /// RCPT TO: all were refused.
    Recipient,
    /// DATA.
    Data,
    /// The reply to the final dot: 2xx here is acceptance for the recipients not refused.
    Content,
}

/// An SMTP reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmtpReply {
    /// 200 to 599.
    pub code: u16,
    /// The enhanced status, for example `5.1.1`.
    pub enhanced: Option<String>,
    /// The text, lines joined by a line feed.
    pub text: String,
}

/// What a relay said to one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientReply {
    /// The envelope address.
    pub address: String,
    /// The relay's words.
    pub reply: SmtpReply,
}
