//! A mail as Postmark wants it.

use dispatcher_plugin::{Context, Json, Letter, Mailbox};
use serde_json::{Value, json};

use crate::{KEY, Settings};

/// The body of the request.
pub(crate) fn write(context: &Context<Settings>, letter: &Letter<'_>) -> Json {
    let settings = &context.settings;
    let headers: Vec<Value> = letter
        .headers(&settings.mail())
        .into_iter()
        .map(|(name, value)| json!({ "Name": name, "Value": value }))
        .collect();
    let files = letter.files.iter().map(|file| {
        Json::object()
            .field("Name", file.name)
            .field("ContentType", file.media_type)
            .field_if("ContentID", file.inline.then(|| format!("cid:{}", file.name)))
            .field("Content", Json::Attachment(file.index))
    });
    Json::object()
        .field("From", letter.sender.from.quoted())
        .field("To", list(&letter.to))
        .field_if("Cc", (!letter.cc.is_empty()).then(|| list(&letter.cc)))
        .field_if("Bcc", (!letter.bcc.is_empty()).then(|| list(&letter.bcc)))
        .field_if("ReplyTo", letter.sender.reply_to.as_ref().map(Mailbox::quoted))
        .field("Subject", letter.subject.as_str())
        .field("TextBody", words(letter))
        .field_if("HtmlBody", letter.html.as_deref())
        .field_if("Headers", (!headers.is_empty()).then_some(headers))
        .field("Metadata", json!({ KEY: context.idempotency_key }))
        .field_if("Tag", settings.tag.as_deref())
        .field_if("MessageStream", settings.message_stream.as_deref())
        .list_if("Attachments", files.collect())
}

/// Postmark takes no mail without words in it.
fn words(letter: &Letter<'_>) -> String {
    let words = letter.words();
    if words.is_empty() { " ".to_owned() } else { words }
}

fn list(mailboxes: &[Mailbox]) -> String {
    mailboxes.iter().map(Mailbox::quoted).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::{context, email, file};
    use dispatcher_plugin::{Action, DeliverSteps as _, Message, Request, Step};

    use super::*;
    use crate::Postmark;

    fn request(settings: Value, message: &Message) -> Request {
        match Postmark::deliver(&context(settings), message) {
            Ok(Step::Send(Action::Http(request), _)) => request,
            other => panic!("it posts a mail: {other:?}"),
        }
    }

    #[test]
    fn a_mail_becomes_json() {
        let mut message =
            email("\"Pérez, Ana\" <ana@acme.example>", "Beto <b@c.example>", "Hola", "<p>Hola <b>tú</b></p>");
        message.to.push("\"Ñ, La\" <n@c.example>".into());
        message.cc = vec!["juan@c.example".into()];
        message.bcc = vec!["x@c.example".into()];
        message.in_reply_to = Some("<abc@mail.example>".into());
        message.attachments = vec![file("a.pdf", "application/pdf", 6)];
        let settings = json!({ "reply_to": "r@acme.example", "message_stream": "outbound", "tag": "crm" });
        let request = request(settings, &message);
        assert_eq!(request.url_text(), "https://api.postmarkapp.com/email");
        let headers: Vec<String> =
            request.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_text())).collect();
        assert_eq!(headers[1], "x-postmark-server-token: {secret server_token}");
        let body: Value = serde_json::from_str(&request.body_text()).expect("JSON");
        assert_eq!(
            body,
            json!({
                "From": "\"Pérez, Ana\" <ana@acme.example>",
                "To": "Beto <b@c.example>, \"Ñ, La\" <n@c.example>",
                "Cc": "juan@c.example",
                "Bcc": "x@c.example",
                "ReplyTo": "r@acme.example",
                "Subject": "Hola",
                "TextBody": "Hola tú",
                "HtmlBody": "<p>Hola <b>tú</b></p>",
                "Headers": [
                    { "Name": "In-Reply-To", "Value": "<abc@mail.example>" },
                    { "Name": "References", "Value": "<abc@mail.example>" },
                ],
                "Metadata": { "dispatcher_key": "01hzy3k9q8w7e-1" },
                "Tag": "crm",
                "MessageStream": "outbound",
                "Attachments": [{ "Name": "a.pdf", "ContentType": "application/pdf", "Content": "{attachment 0}" }],
            })
        );
    }
}
