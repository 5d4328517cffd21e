//! A mail as SES wants it.

use dispatcher_plugin::{Context, Json, Letter, Mailbox};
use serde_json::{Value, json};

use crate::{KEY, Settings};

/// The body of the request. Addresses are in ASCII, since SES takes names beyond it in encoded words alone.
pub(crate) fn write(context: &Context<Settings>, letter: &Letter<'_>) -> Json {
    let settings = &context.settings;
    let list = |mailboxes: &[Mailbox]| mailboxes.iter().map(Mailbox::encoded).collect::<Vec<_>>();
    let mut destination = Json::object();
    for (name, mailboxes) in
        [("ToAddresses", &letter.to), ("CcAddresses", &letter.cc), ("BccAddresses", &letter.bcc)]
    {
        destination = destination.field_if(name, (!mailboxes.is_empty()).then(|| list(mailboxes)));
    }
    let headers: Vec<Value> = letter
        .headers(&settings.mail())
        .into_iter()
        .map(|(name, value)| json!({ "Name": name, "Value": value }))
        .collect();
    let files = letter.files.iter().map(|file| {
        Json::object()
            .field("FileName", file.name)
            .field("ContentType", file.media_type)
            .field("ContentDisposition", if file.inline { "INLINE" } else { "ATTACHMENT" })
            .field_if("ContentId", file.inline.then_some(file.name))
            .field("ContentTransferEncoding", "BASE64")
            .field("RawContent", Json::Attachment(file.index))
    });
    let simple = Json::object()
        .field("Subject", text(&letter.subject))
        .field(
            "Body",
            Json::object()
                .field("Text", text(&letter.words()))
                .field_if("Html", letter.html.as_deref().map(text)),
        )
        .field_if("Headers", (!headers.is_empty()).then_some(headers))
        .list_if("Attachments", files.collect());
    Json::object()
        .field("FromEmailAddress", letter.sender.from.encoded())
        .field("Destination", destination)
        .field_if("ReplyToAddresses", letter.sender.reply_to.as_ref().map(|to| vec![to.encoded()]))
        .field("Content", Json::object().field("Simple", simple))
        .field("EmailTags", json!([{ "Name": KEY, "Value": context.idempotency_key }]))
        .field_if("ConfigurationSetName", settings.configuration_set.as_deref())
}

fn text(text: &str) -> Value {
    json!({ "Data": text, "Charset": "UTF-8" })
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::{context, email, file};
    use dispatcher_plugin::{Action, Credential, DeliverSteps as _, Step};

    use super::*;
    use crate::Ses;

    #[test]
    fn a_mail_becomes_json() {
        let mut message = email(
            "\"Pérez, Ana\" <ana@acme.example>",
            "\"B, eto\" <b@c.example>",
            "Hola ñ",
            "<p>Hola <b>tú</b></p>",
        );
        message.cc = vec!["juan@c.example".into()];
        message.in_reply_to = Some("<abc@mail.example>".into());
        message.attachments = vec![file("informe ñ.pdf", "application/pdf", 6)];
        let settings = json!({
            "region": "eu-west-1", "access_key_id": "AKIAIOSFODNN7EXAMPLE", "configuration_set": "main",
            "session_token": true, "reply_to": "r@acme.example",
        });
        let Ok(Step::Send(Action::Http(request), _)) = Ses::deliver(&context(settings), &message) else {
            panic!("it posts a mail")
        };
        assert_eq!(request.url_text(), "https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails");
        assert_eq!(
            request.credential,
            Credential::SigV4 {
                region: "eu-west-1".into(),
                service: "ses".into(),
                key_id: "AKIAIOSFODNN7EXAMPLE".into(),
                secret: "secret_access_key".into(),
                session_token: Some("session_token".into()),
            }
        );
        let body: Value = serde_json::from_str(&request.body_text()).expect("JSON");
        assert_eq!(
            body,
            json!({
                "FromEmailAddress": "=?utf-8?B?UMOpcmV6LCBBbmE=?= <ana@acme.example>",
                "Destination": { "ToAddresses": ["\"B, eto\" <b@c.example>"], "CcAddresses": ["juan@c.example"] },
                "ReplyToAddresses": ["r@acme.example"],
                "Content": { "Simple": {
                    "Subject": { "Data": "Hola ñ", "Charset": "UTF-8" },
                    "Body": {
                        "Text": { "Data": "Hola tú", "Charset": "UTF-8" },
                        "Html": { "Data": "<p>Hola <b>tú</b></p>", "Charset": "UTF-8" },
                    },
                    "Headers": [
                        { "Name": "In-Reply-To", "Value": "<abc@mail.example>" },
                        { "Name": "References", "Value": "<abc@mail.example>" },
                    ],
                    "Attachments": [{
                        "FileName": "informe ñ.pdf", "ContentType": "application/pdf", "ContentDisposition": "ATTACHMENT",
                        "ContentTransferEncoding": "BASE64", "RawContent": "{attachment 0}",
                    }],
                } },
                "EmailTags": [{ "Name": "dispatcher_key", "Value": "01hzy3k9q8w7e-1" }],
                "ConfigurationSetName": "main",
            })
        );
    }
}
