//! Email by any SMTP relay.
//!
//! The plugin writes the message and says what the relay's replies mean; the host keeps the connections, TLS and
//! authentication.

mod mime;
mod reply;
mod settings;

use dispatcher_plugin::{
    Acceptance, Channel, Check, Context, DeliverSteps, Description, Letter, Mail, MailStage, Media, Message,
    Plugin, Recipients, Refusal, RefusedRecipient, Reply, Step, export,
};
use serde::{Deserialize, Serialize};

pub use settings::Settings;

/// What an envelope may hold.
const RECIPIENTS_MAX: usize = 100;

/// The plugin.
pub struct Smtp;

impl Plugin for Smtp {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "smtp",
            env!("CARGO_PKG_VERSION"),
            "Email by any SMTP relay.",
            &[Channel::Email],
            include_str!("settings.schema.json"),
        )
        // Relays take 10 to 40 MB on the wire, where base64 adds a third.
        .media(Media::Content, 50, 25_000_000)
    }

    fn check(settings: &Settings, check: &mut Check) {
        settings.check(check);
    }
}

/// What is carried to the relay's reply.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    recipients: Recipients,
    message_id: String,
}

impl DeliverSteps for Smtp {
    type State = Sent;

    fn deliver(context: &Context<Settings>, message: &Message) -> Result<Step<Sent>, Refusal> {
        let settings = context.settings.mail();
        let letter = Letter::read(&settings, message, RECIPIENTS_MAX)?;
        let sender = context.settings.envelope(&letter.sender.from)?;
        let draft = mime::Draft { context, settings: &settings, letter: &letter };
        let body = draft.write();
        let message_id = draft.message_id();
        let recipients = letter.recipients.addresses().map(str::to_owned).collect();
        let sent = Sent { recipients: letter.recipients, message_id };
        Ok(Step::Send(Mail { sender, recipients, body }.into(), sent))
    }

    fn on_reply(_: &Context<Settings>, sent: Sent, reply: Reply) -> Result<Step<Sent>, Refusal> {
        let reply = reply.mail()?;
        let taken = reply.stage == MailStage::Content && (200..300).contains(&reply.reply.code);
        if !taken {
            // All were refused: the gentlest word wins, since one of them may be had later.
            let judged =
                reply.recipients.iter().map(|each| reply::refusal(MailStage::Recipient, &each.reply));
            let waits =
                |refusal: &Refusal| matches!(refusal, Refusal::Deferred { .. } | Refusal::Throttled { .. });
            if reply.stage == MailStage::Recipient
                && let Some(refusal) = judged.max_by_key(waits)
            {
                return Err(refusal);
            }
            return Err(reply::refusal(reply.stage, &reply.reply));
        }
        let mut refused = sent.recipients.refused();
        for each in reply.recipients.iter().filter(|each| each.reply.code >= 300) {
            refused.push(RefusedRecipient {
                recipient: sent.recipients.as_given(&each.address).to_owned(),
                reason: reply::refusal(MailStage::Recipient, &each.reply).reason().clone(),
                retry: each.reply.code < 500,
            });
        }
        let reference = reply::reference(&reply.reply.text).unwrap_or(sent.message_id);
        Ok(Step::Done(Acceptance {
            refused,
            ..Acceptance::reference(reference).state(reply.reply.code.to_string())
        }))
    }
}

export!(Smtp: DeliverSteps);

#[cfg(test)]
mod tests;
