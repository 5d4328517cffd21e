//! A mail as Mailgun wants it: a multipart form.

use dispatcher_plugin::{Context, Letter, Message, Multipart};

use crate::{KEY, Settings};

/// The body of the request. Names beyond ASCII are in encoded words, since Mailgun copies them into headers as they come.
pub(crate) fn write(context: &Context<Settings>, message: &Message, letter: &Letter<'_>) -> Multipart {
    let settings = &context.settings;
    let mut body = Multipart::new(&context.idempotency_key).field("from", letter.sender.from.encoded());
    for (name, list) in [("to", &letter.to), ("cc", &letter.cc), ("bcc", &letter.bcc)] {
        for mailbox in list {
            body = body.field(name, mailbox.encoded());
        }
    }
    body = body.field("subject", &letter.subject).field("text", words(letter));
    if let Some(html) = &letter.html {
        body = body.field("html", html);
    }
    if let Some(reply_to) = &letter.sender.reply_to {
        body = body.field("h:Reply-To", reply_to.encoded());
    }
    for (name, value) in letter.headers(&settings.mail()) {
        body = body.field(&format!("h:{name}"), value);
    }
    body = body.field(&format!("v:{KEY}"), &context.idempotency_key);
    for tag in &settings.tags {
        body = body.field("o:tag", tag);
    }
    if settings.test_mode {
        body = body.field("o:testmode", "yes");
    }
    for file in &letter.files {
        if let Some(attachment) = message.attachments.get(file.index as usize) {
            // Mailgun takes an inline file's name as its Content-ID.
            let field = if file.inline { "inline" } else { "attachment" };
            body = body.attachment(field, file.index, attachment);
        }
    }
    body
}

/// Mailgun takes no mail without words in it.
fn words(letter: &Letter<'_>) -> String {
    let words = letter.words();
    if words.is_empty() { " ".to_owned() } else { words }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::{context, email, file};
    use dispatcher_plugin::{Action, Credential, DeliverSteps as _, Step};
    use serde_json::json;

    use crate::Mailgun;

    #[test]
    fn a_mail_becomes_a_form() {
        let mut message = email(
            "\"Pérez, Ana\" <ana@acme.example>",
            "\"B, eto\" <b@c.example>",
            "Hola",
            "<p>Hola <b>tú</b></p>",
        );
        message.cc = vec!["juan@c.example".into()];
        message.bcc = vec!["x@c.example".into()];
        message.in_reply_to = Some("<abc@mail.example>".into());
        message.attachments = vec![file("informe ñ.pdf", "application/pdf", 6)];
        let settings = json!({
            "domain": "mg.acme.example", "reply_to": "Ñ <r@acme.example>", "tags": ["crm"], "test_mode": true,
        });
        let Ok(Step::Send(Action::Http(request), _)) = Mailgun::deliver(&context(settings), &message) else {
            panic!("it posts a mail")
        };
        assert_eq!(request.url_text(), "https://api.mailgun.net/v3/mg.acme.example/messages");
        assert_eq!(request.credential, Credential::basic("api", "api_key"));
        let (name, kind) = &request.headers[0];
        assert_eq!(
            (name.as_str(), kind.to_text().as_str()),
            ("content-type", "multipart/form-data; boundary=dispatcher-01hzy3k9q8w7e1")
        );
        let body = request.body_text();
        let fields: Vec<(String, String)> = body
            .split("--dispatcher-01hzy3k9q8w7e1\r\n")
            .skip(1)
            .filter_map(|part| {
                let (head, value) = part.split_once("\r\n\r\n")?;
                let name = head.split('"').nth(1)?;
                let value = value.split("\r\n--dispatcher").next()?.trim_end_matches("\r\n");
                Some((name.to_owned(), value.to_owned()))
            })
            .collect();
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            fields,
            [
                ("from", "=?utf-8?B?UMOpcmV6LCBBbmE=?= <ana@acme.example>"),
                ("to", "\"B, eto\" <b@c.example>"),
                ("cc", "juan@c.example"),
                ("bcc", "x@c.example"),
                ("subject", "Hola"),
                ("text", "Hola tú"),
                ("html", "<p>Hola <b>tú</b></p>"),
                ("h:Reply-To", "=?utf-8?B?w5E=?= <r@acme.example>"),
                ("h:In-Reply-To", "<abc@mail.example>"),
                ("h:References", "<abc@mail.example>"),
                ("v:dispatcher_key", "01hzy3k9q8w7e-1"),
                ("o:tag", "crm"),
                ("o:testmode", "yes"),
                ("attachment", "{attachment 0}"),
            ]
        );
        assert!(body.contains("filename=\"informe ñ.pdf\"\r\nContent-Type: application/pdf\r\n"), "{body}");
    }
}
