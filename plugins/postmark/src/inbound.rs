//! A mail to us, as Postmark's inbound server posts it.

use dispatcher_plugin::{Channel, Inbound};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mail {
    #[serde(rename = "MessageID")]
    message_id: String,
    from_full: From,
    #[serde(default)]
    to: String,
    /// The address of ours that it came to, where it was not in `To`.
    #[serde(default)]
    original_recipient: Option<String>,
    #[serde(default)]
    text_body: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct From {
    email: String,
}

/// Reads it. Its attachments are part of the post and nowhere to fetch from, so they are not carried on.
pub(crate) fn read(body: &[u8]) -> Result<Inbound, serde_json::Error> {
    let mail: Mail = serde_json::from_slice(body)?;
    Ok(Inbound {
        id: mail.message_id,
        channel: Channel::Email,
        from: mail.from_full.email,
        to: mail.original_recipient.filter(|to| !to.is_empty()).unwrap_or(mail.to),
        text: mail.text_body,
        media: Vec::new(),
    })
}
