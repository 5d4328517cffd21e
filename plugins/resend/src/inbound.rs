//! A mail to us, as Resend's API shows it.

use dispatcher_plugin::{Channel, Inbound, Mailbox, html_to_text};
use serde::Deserialize;

/// A mail that Resend received.
#[derive(Debug, Deserialize)]
pub(crate) struct Mail {
    id: String,
    from: String,
    #[serde(default)]
    to: Vec<String>,
    text: Option<String>,
    html: Option<String>,
}

/// Reads it. Where its attachments are is asked for one by one, so they are not carried on.
pub(crate) fn read(mail: Mail) -> Inbound {
    let text = mail.text.filter(|text| !text.trim().is_empty());
    Inbound {
        id: mail.id,
        channel: Channel::Email,
        from: Mailbox::parse(&mail.from).map_or(mail.from, |mailbox| mailbox.address),
        to: mail.to.into_iter().next().unwrap_or_default(),
        text: text.or_else(|| mail.html.as_deref().map(html_to_text)).unwrap_or_default(),
        media: Vec::new(),
    }
}
