//! A mail to us, as a route of Mailgun's forwards it: a form with the signature among its fields.

use dispatcher_plugin::{Channel, Inbound, Mailbox, Reason};

use crate::answer;
use crate::receive::Signature;

/// What proves it. Where a field comes twice the last one is Mailgun's, since mails cannot add fields after it.
pub(crate) fn signature(form: &[(String, String)]) -> Result<Signature, Reason> {
    let last =
        |name: &str| form.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    match (last("timestamp"), last("token"), last("signature")) {
        (Some(timestamp), Some(token), Some(signature)) => Ok(Signature { timestamp, token, signature }),
        _ => Err(Reason::new("unsigned", "there is no signature")),
    }
}

/// Reads it. The text is what the writer added, where Mailgun could tell it from what was quoted.
pub(crate) fn read(form: &[(String, String)]) -> Result<Inbound, Reason> {
    let field = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let from = field("from").or(field("sender")).ok_or(Reason::new("incomplete", "there is no sender"))?;
    let text = field("stripped-text").filter(|text| !text.is_empty()).or(field("body-plain"));
    Ok(Inbound {
        id: answer::bare(field("Message-Id").or(field("message-id")).unwrap_or_default()).to_owned(),
        channel: Channel::Email,
        from: Mailbox::parse(from).map_or_else(|_| from.to_owned(), |mailbox| mailbox.address),
        to: field("recipient").unwrap_or_default().to_owned(),
        text: text.unwrap_or_default().to_owned(),
        media: Vec::new(),
    })
}
