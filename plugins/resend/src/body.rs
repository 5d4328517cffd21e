//! A mail as Resend wants it.
//!
//! Resend reads addresses in a way of its own: a name in quotes is refused, and in `from` one in encoded words as well.
//! So names elsewhere are written in encoded words where they would need quotes, and the sender's loses the characters
//! that would.

use dispatcher_plugin::{Context, Json, Letter, Mailbox};
use serde_json::{Map, Value, json};

use crate::{KEY, Settings};

/// The body of the request.
pub(crate) fn write(context: &Context<Settings>, letter: &Letter<'_>) -> Json {
    let list = |mailboxes: &[Mailbox]| mailboxes.iter().map(Mailbox::unquoted).collect::<Vec<_>>();
    let headers: Map<String, Value> = letter
        .headers(&context.settings.mail())
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect();
    let files = letter.files.iter().map(|file| {
        Json::object()
            .field("filename", file.name)
            .field("content_type", file.media_type)
            .field_if("content_id", file.inline.then_some(file.name))
            .field("content", Json::Attachment(file.index))
    });
    Json::object()
        .field("from", sender(&letter.sender.from))
        .field("to", list(&letter.to))
        .field_if("cc", (!letter.cc.is_empty()).then(|| list(&letter.cc)))
        .field_if("bcc", (!letter.bcc.is_empty()).then(|| list(&letter.bcc)))
        .field_if("reply_to", letter.sender.reply_to.as_ref().map(Mailbox::unquoted))
        .field("subject", letter.subject.as_str())
        .field("text", letter.words())
        .field_if("html", letter.html.as_deref())
        .field_if("headers", (!headers.is_empty()).then_some(headers))
        .field("tags", json!([{ "name": KEY, "value": context.idempotency_key }]))
        .list_if("attachments", files.collect())
}

/// The sender with a name that needs no quotes, in UTF-8.
fn sender(mailbox: &Mailbox) -> String {
    let Some(name) = &mailbox.name else { return mailbox.address.clone() };
    let known = |c: char| if "\",<>()[]:;@\\".contains(c) { ' ' } else { c };
    let plain: String = name.chars().map(known).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    if words.is_empty() {
        mailbox.address.clone()
    } else {
        format!("{} <{}>", words.join(" "), mailbox.address)
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::{context, email, file};
    use dispatcher_plugin::{Action, Credential, DeliverSteps as _, Step};

    use super::*;
    use crate::Resend;

    #[test]
    fn a_mail_becomes_json() {
        let mut message =
            email("\"Pérez, Ana\" <ana@acme.example>", "Beto <b@c.example>", "Hola", "<p>Hola <b>tú</b></p>");
        message.cc = vec!["\"López, Juan\" <juan@c.example>".into()];
        message.in_reply_to = Some("<abc@mail.example>".into());
        message.attachments = vec![file("a.pdf", "application/pdf", 6)];
        let context = context(json!({ "reply_to": "Acme, S.A. <r@acme.example>" }));
        let Ok(Step::Send(Action::Http(request), _)) = Resend::deliver(&context, &message) else {
            panic!("it posts a mail")
        };
        assert_eq!(request.url_text(), "https://api.resend.com/emails");
        assert_eq!(request.credential, Credential::bearer("api_key"));
        let header = |name: &str| {
            let found = request.headers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.to_text()).unwrap_or_default()
        };
        assert_eq!(header("idempotency-key"), "01hzy3k9q8w7e-1");
        assert!(header("user-agent").starts_with("dispatcher-resend/"));
        let body: Value = serde_json::from_str(&request.body_text()).expect("JSON");
        assert_eq!(
            body,
            json!({
                "from": "Pérez Ana <ana@acme.example>",
                "to": ["Beto <b@c.example>"],
                "cc": ["=?utf-8?B?TMOzcGV6LCBKdWFu?= <juan@c.example>"],
                "reply_to": "=?utf-8?B?QWNtZSwgUy5BLg==?= <r@acme.example>",
                "subject": "Hola",
                "text": "Hola tú",
                "html": "<p>Hola <b>tú</b></p>",
                "headers": { "In-Reply-To": "<abc@mail.example>", "References": "<abc@mail.example>" },
                "tags": [{ "name": "dispatcher_key", "value": "01hzy3k9q8w7e-1" }],
                "attachments": [{ "filename": "a.pdf", "content_type": "application/pdf", "content": "{attachment 0}" }],
            })
        );
    }

    #[test]
    fn a_name_of_marks_alone_is_none() {
        let mailbox = Mailbox { name: Some("<>,".into()), address: "a@b.example".into() };
        assert_eq!(sender(&mailbox), "a@b.example");
    }
}
