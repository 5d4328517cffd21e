//! A mail for the relay that the operator configured, and what the relay said.

use crate::{Action, Pieces};

/// A mail to hand to the relay.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// The envelope sender, `a@b`.
    pub sender: String,
    /// The envelope recipients, `a@b` each; at most 100.
    pub recipients: Vec<String>,
    /// The whole message, headers first, lines ended by CR LF.
    pub body: Pieces,
}

impl From<Mail> for Action {
    fn from(mail: Mail) -> Self {
        Self::Mail(mail)
    }
}

/// A stage of the SMTP dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// The reply to the final dot.
    Content,
}

/// An SMTP reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpReply {
    /// 200 to 599.
    pub code: u16,
    /// For example `5.1.1`.
    pub enhanced: Option<String>,
    /// Its text.
    pub text: String,
}

/// What the relay said to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientReply {
    /// The envelope address.
    pub address: String,
    /// The relay's words.
    pub reply: SmtpReply,
}

/// What the relay said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailReply {
    /// The stage that `reply` answers: `Content` with a 2xx is acceptance for the recipients not refused.
    pub stage: MailStage,
    /// The reply at that stage.
    pub reply: SmtpReply,
    /// Per recipient, in order; empty where it did not come to that.
    pub recipients: Vec<RecipientReply>,
}
