//! Answers that are no HTTP: a relay's replies, a message centre's statuses.

use serde::Deserialize;

use crate::{MailReply, MailStage, RecipientReply, Reply, SmppReply, SmppStage, SmtpReply};

/// What a relay says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RelayAnswer {
    pub(super) stage: String,
    code: u16,
    enhanced: Option<String>,
    text: String,
    #[serde(default)]
    recipients: Vec<RecipientAnswer>,
}

/// What a relay says of a recipient.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecipientAnswer {
    address: String,
    code: u16,
    enhanced: Option<String>,
    text: String,
}

/// What a message centre says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CentreAnswer {
    pub(super) stage: String,
    status: u32,
    message_id: Option<String>,
}

impl RelayAnswer {
    /// # Panics
    /// Where there is no such stage, with what the row is about.
    pub(super) fn reply(&self, about: &str) -> Reply {
        let reply = |code, enhanced: &Option<String>, text: &str| SmtpReply {
            code,
            enhanced: enhanced.clone(),
            text: text.to_owned(),
        };
        let recipients = self.recipients.iter().map(|one| RecipientReply {
            address: one.address.clone(),
            reply: reply(one.code, &one.enhanced, &one.text),
        });
        Reply::Mail(MailReply {
            stage: stage(&self.stage).unwrap_or_else(|| panic!("{about}: no such stage")),
            reply: reply(self.code, &self.enhanced, &self.text),
            recipients: recipients.collect(),
        })
    }
}

impl CentreAnswer {
    /// # Panics
    /// Where there is no such stage, with what the row is about.
    pub(super) fn reply(&self, about: &str) -> Reply {
        let stage = match self.stage.as_str() {
            "bind" => SmppStage::Bind,
            "submit" => SmppStage::Submit,
            _ => panic!("{about}: no such stage"),
        };
        let message_id = self.message_id.clone();
        Reply::Smpp(SmppReply { stage, status: self.status, message_id, tlvs: Vec::new() })
    }
}

fn stage(word: &str) -> Option<MailStage> {
    Some(match word {
        "greeting" => MailStage::Greeting,
        "hello" => MailStage::Hello,
        "start-tls" => MailStage::StartTls,
        "auth" => MailStage::Auth,
        "sender" => MailStage::Sender,
        "recipient" => MailStage::Recipient,
        "data" => MailStage::Data,
        "content" => MailStage::Content,
        _ => return None,
    })
}
