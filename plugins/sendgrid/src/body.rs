//! A mail as SendGrid wants it.

use dispatcher_plugin::{Context, Json, Letter, Mailbox};
use serde_json::{Map, Value, json};

use crate::{KEY, Settings};

/// SendGrid takes no mail without a subject; mail programs show one without as this.
const NO_SUBJECT: &str = "(no subject)";

/// The body of the request.
pub(crate) fn write(context: &Context<Settings>, letter: &Letter<'_>) -> Json {
    let mut recipients = Map::new();
    for (name, list) in [("to", &letter.to), ("cc", &letter.cc), ("bcc", &letter.bcc)] {
        if !list.is_empty() {
            recipients.insert(name.to_owned(), list.iter().map(mailbox).collect());
        }
    }
    recipients.insert("custom_args".to_owned(), json!({ KEY: context.idempotency_key }));
    let subject = if letter.subject.is_empty() { NO_SUBJECT } else { &letter.subject };
    let mut content = vec![json!({ "type": "text/plain", "value": words(letter) })];
    content.extend(letter.html.as_ref().map(|html| json!({ "type": "text/html", "value": html })));
    let headers: Map<String, Value> = letter
        .headers(&context.settings.mail())
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect();
    let files = letter.files.iter().map(|file| {
        Json::object()
            .field("filename", file.name)
            .field("type", file.media_type)
            .field("disposition", if file.inline { "inline" } else { "attachment" })
            .field_if("content_id", file.inline.then_some(file.name))
            .field("content", Json::Attachment(file.index))
    });
    let sandbox = context.settings.sandbox.then(|| json!({ "sandbox_mode": { "enable": true } }));
    Json::object()
        .field("personalizations", json!([recipients]))
        .field("from", mailbox(&letter.sender.from))
        .field_if("reply_to", letter.sender.reply_to.as_ref().map(mailbox))
        .field("subject", subject)
        .field("content", content)
        .field_if("headers", (!headers.is_empty()).then_some(headers))
        .field_if("mail_settings", sandbox)
        .list_if("attachments", files.collect())
}

/// SendGrid takes no empty text.
fn words(letter: &Letter<'_>) -> String {
    let words = letter.words();
    if words.is_empty() { " ".to_owned() } else { words }
}

fn mailbox(mailbox: &Mailbox) -> Value {
    match &mailbox.name {
        Some(name) => json!({ "email": mailbox.address, "name": name }),
        None => json!({ "email": mailbox.address }),
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::{context, email, file, link};
    use dispatcher_plugin::{Action, Credential, DeliverSteps as _, Message, Request, Step};

    use super::*;
    use crate::Sendgrid;

    fn request(settings: Value, message: &Message) -> Request {
        match Sendgrid::deliver(&context(settings), message) {
            Ok(Step::Send(Action::Http(request), _)) => request,
            other => panic!("it posts a mail: {other:?}"),
        }
    }

    fn body(request: &Request) -> Value {
        serde_json::from_str(&request.body_text()).expect("JSON")
    }

    fn plain() -> Message {
        email("\"Pérez, Ana\" <ana@acme.example>", "b@c.example", "Hola", "<p>Hola <b>tú</b></p>")
    }

    #[test]
    fn a_mail_becomes_json() {
        let mut message = plain();
        message.cc = vec!["\"López, Juan\" <juan@c.example>".into(), "B@c.example".into()];
        message.bcc = vec!["x@c.example".into()];
        message.in_reply_to = Some("<abc@mail.example>".into());
        let request = request(json!({ "reply_to": "r@acme.example", "headers": { "X-A": "1" } }), &message);
        assert_eq!(request.url_text(), "https://api.sendgrid.com/v3/mail/send");
        assert_eq!(request.credential, Credential::bearer("api_key"));
        assert_eq!(
            body(&request),
            json!({
                "personalizations": [{
                    "to": [{ "email": "b@c.example" }],
                    "cc": [{ "email": "juan@c.example", "name": "López, Juan" }],
                    "bcc": [{ "email": "x@c.example" }],
                    "custom_args": { "dispatcher_key": "01hzy3k9q8w7e-1" },
                }],
                "from": { "email": "ana@acme.example", "name": "Pérez, Ana" },
                "reply_to": { "email": "r@acme.example" },
                "subject": "Hola",
                "content": [
                    { "type": "text/plain", "value": "Hola tú" },
                    { "type": "text/html", "value": "<p>Hola <b>tú</b></p>" },
                ],
                "headers": {
                    "In-Reply-To": "<abc@mail.example>", "References": "<abc@mail.example>", "X-A": "1",
                },
            })
        );
    }

    #[test]
    fn attachments_are_spliced_in() {
        let mut message = plain();
        message.attachments = vec![
            link("https://f.example/x"),
            file("informe ñ.pdf", "application/pdf", 6),
            file("logo.png", "image/png", 6),
        ];
        message.html = Some("<img src=\"cid:logo.png\">".into());
        let body = body(&request(json!({ "sandbox": true }), &message));
        assert_eq!(
            body["attachments"],
            json!([{
                "filename": "informe ñ.pdf", "type": "application/pdf", "disposition": "attachment",
                "content": "{attachment 1}",
            }, {
                "filename": "logo.png", "type": "image/png", "disposition": "inline", "content_id": "logo.png",
                "content": "{attachment 2}",
            }])
        );
        assert!(
            body["content"][0]["value"].as_str().is_some_and(|text| text.ends_with("https://f.example/x"))
        );
        assert_eq!(body["mail_settings"]["sandbox_mode"]["enable"], true);
    }

    #[test]
    fn what_sendgrid_insists_on_is_there() {
        let mut message = plain();
        (message.subject, message.html) = (None, None);
        message.attachments = vec![file("a.gif", "image/gif", 6)];
        let body = body(&request(json!({}), &message));
        assert_eq!(
            (&body["subject"], &body["content"][0]["value"]),
            (&json!("(no subject)"), &json!("a.gif"))
        );
        let mut message = plain();
        (message.cc, message.to) = (message.to.clone(), Vec::new());
        let refusal = Sendgrid::deliver(&context(json!({})), &message).expect_err("nobody in To");
        assert_eq!(refusal.kind(), "rejected-recipient");
    }
}
