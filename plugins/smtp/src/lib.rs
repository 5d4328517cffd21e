//! Email by any SMTP relay.
//!
//! The plugin writes the message and says what the relay's replies mean; the host keeps the connections, TLS and
//! authentication.

mod mime;
mod reply;
mod settings;

use dispatcher_plugin::{
    Acceptance, Channel, Check, Context, DeliverSteps, Description, Mail, MailStage, Mailbox, Media, Message,
    Plugin, Reason, Refusal, RefusedRecipient, Reply, Step, export,
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
    /// Each envelope address as it stood in the message.
    recipients: Vec<(String, String)>,
    /// Those that are no addresses: as they stood, and why.
    unusable: Vec<(String, String)>,
    message_id: String,
}

impl DeliverSteps for Smtp {
    type State = Sent;

    fn deliver(context: &Context<Settings>, message: &Message) -> Result<Step<Sent>, Refusal> {
        let sender = context.settings.sender(message.sender.as_deref())?;
        let mut sent = Sent { recipients: Vec::new(), unusable: Vec::new(), message_id: String::new() };
        let to = sent.envelope(&message.to);
        let cc = sent.envelope(&message.cc);
        // In the envelope alone.
        sent.envelope(&message.bcc);
        if sent.recipients.is_empty() {
            let (_, problem) = sent.unusable.first().cloned().unwrap_or_default();
            return Err(Refusal::recipient("address", format!("there is no usable recipient: {problem}")));
        }
        if sent.recipients.len() > RECIPIENTS_MAX {
            return Err(Refusal::content(
                "recipients",
                format!("there are more than {RECIPIENTS_MAX} recipients"),
            ));
        }
        let said = [&message.subject, &message.text, &message.html];
        if message.attachments.is_empty()
            && !said.iter().any(|part| part.as_deref().is_some_and(|part| !part.trim().is_empty()))
        {
            return Err(Refusal::content("empty", "there is neither subject, text nor attachment"));
        }
        let draft = mime::Draft { context, message, sender: &sender, to: &to, cc: &cc };
        let body = draft.write()?;
        sent.message_id = draft.message_id();
        let recipients = sent.recipients.iter().map(|(address, _)| address.clone()).collect();
        Ok(Step::Send(Mail { sender: sender.envelope, recipients, body }.into(), sent))
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
        let mut refused: Vec<RefusedRecipient> = sent
            .unusable
            .into_iter()
            .map(|(recipient, problem)| RefusedRecipient {
                recipient,
                reason: Reason::new("address", problem),
                retry: false,
            })
            .collect();
        for each in reply.recipients.iter().filter(|each| each.reply.code >= 300) {
            let recipient = sent.recipients.iter().find(|(address, _)| *address == each.address);
            refused.push(RefusedRecipient {
                recipient: recipient.map_or(&each.address, |(_, as_given)| as_given).clone(),
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

impl Sent {
    /// Puts these into the envelope, each once, and gives back those that can stand in a header.
    fn envelope(&mut self, list: &[String]) -> Vec<Mailbox> {
        let mut mailboxes = Vec::new();
        for given in list {
            match Mailbox::parse(given) {
                Ok(mailbox) => {
                    if !self.recipients.iter().any(|(known, _)| known.eq_ignore_ascii_case(&mailbox.address))
                    {
                        self.recipients.push((mailbox.address.clone(), given.clone()));
                    }
                    mailboxes.push(mailbox);
                }
                Err(problem) => self.unusable.push((given.clone(), problem.to_owned())),
            }
        }
        mailboxes
    }
}

#[cfg(test)]
mod tests;
