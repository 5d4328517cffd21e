//! The SMS interface: a form, and a 200 for everything, with an entry for each part of the message.

use dispatcher_plugin::{
    Acceptance, Context, Form, Message, PhoneFormat, Reason, Refusal, Request, Response, log,
};
use serde::Deserialize;

use crate::gsm7;
use crate::settings::{API_SECRET, Settings};

/// The longest URL for receipts that Vonage takes.
const CALLBACK_MAX: usize = 100;

/// The request for a message. This interface has no media: what there is goes as a link.
pub(crate) fn request(context: &Context<Settings>, message: &Message) -> Request {
    let settings = &context.settings;
    let mut text = message.body().to_owned();
    for attachment in &message.attachments {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&attachment.url);
    }
    let callback = context.callback_url.as_deref().filter(|url| {
        let fits = url.len() <= CALLBACK_MAX;
        if !fits {
            log::warn("the callback URL is longer than the 100 characters that Vonage takes: set it in the dashboard");
        }
        fits
    });
    let form = Form::new()
        .field("api_key", &settings.api_key)
        .secret("api_secret", API_SECRET)
        .field("to", PhoneFormat::Digits.render(message.recipient()))
        .field("from", settings.from())
        .field_if("type", (!gsm7::writes(&text)).then_some("unicode"))
        .field("text", &text)
        // Ours, for whoever looks at Vonage's logs.
        .field("client-ref", &context.idempotency_key)
        .field_if("callback", callback)
        .field_if("ttl", settings.validity_period.map(|seconds| (u64::from(seconds) * 1000).to_string()));
    Request::post(settings.url()).form(form)
}

#[derive(Debug, Deserialize)]
struct Taken {
    messages: Vec<Part>,
}

/// What became of one part.
#[derive(Debug, Deserialize)]
struct Part {
    status: String,
    #[serde(default, rename = "message-id")]
    id: String,
    #[serde(default, rename = "error-text")]
    error: String,
}

/// What an answer means.
pub(crate) fn outcome(response: &Response) -> Result<Acceptance, Refusal> {
    let Taken { messages: parts } = response.success()?.json()?;
    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    let taken = parts.iter().filter(|part| part.status == "0").count();
    match parts.iter().position(|part| part.status != "0") {
        None if parts.is_empty() => Err(Refusal::unknown("unreadable", "the answer has no message in it")),
        // Each part has an id of its own, and a receipt of its own.
        None => {
            let ids = parts.into_iter().map(|part| part.id);
            Ok(Acceptance { parts: Some(count), ..Acceptance::references(ids) })
        }
        Some(at) if taken == 0 => Err(refusal(Reason::new(&parts[at].status, &parts[at].error))),
        // A part of the message is on its way, so neither is all of it taken nor nothing.
        Some(at) => Err(Refusal::unknown(
            &parts[at].status,
            format!("part {} of {count} was refused and others were taken: {}", at + 1, parts[at].error),
        )),
    }
}

/// What a status means.
///
/// Judged so where it could be doubted: 29 (a trial account's numbers) is about the sender, since another backend may
/// well reach this recipient.
fn refusal(reason: Reason) -> Refusal {
    match reason.code.as_str() {
        "1" => Refusal::Throttled { reason, retry_after_ms: None },
        // An error of theirs, or too many connections.
        "5" | "10" => Refusal::Deferred { reason, retry_after_ms: None },
        // No route to such a prefix, barred, no number, opted out, deactivated.
        "6" | "7" | "33" | "34" | "101" | "103" => Refusal::Recipient(reason),
        "15" | "29" | "102" => Refusal::Sender(reason),
        // Credentials, barred, no credit, not enabled, signed wrongly, a callback URL that cannot be.
        "4" | "8" | "9" | "11" | "14" | "23" | "32" => Refusal::Account(reason),
        // Missing or invalid fields, too long, and whatever else there may be.
        _ => Refusal::Content(reason),
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::{context, link, sms, take_log};
    use dispatcher_plugin::{Credential, Deliver as _};
    use serde_json::json;

    use super::*;
    use crate::Vonage;

    fn settings() -> Context<Settings> {
        context(
            json!({ "mode": "sms", "api_key": "abcd1234", "from": "+15550001111", "validity_period": 60 }),
        )
    }

    #[test]
    fn an_sms_becomes_a_form() {
        let mut context = settings();
        context.callback_url = Some("https://d.example/callbacks/t0k3n".into());
        let request =
            Vonage::request(&context, &sms("+525512345678", "¿Qué & cómo? 1+1")).expect("a request");
        assert_eq!(request.url_text(), "https://rest.nexmo.com/sms/json");
        assert_eq!(request.credential, Credential::None);
        assert_eq!(
            request.body_text(),
            "api_key=abcd1234&api_secret={secret api_secret}&to=525512345678&from=15550001111&type=unicode\
             &text=%C2%BFQu%C3%A9%20%26%20c%C3%B3mo%3F%201%2B1&client-ref=01hzy3k9q8w7e-1\
             &callback=https%3A%2F%2Fd.example%2Fcallbacks%2Ft0k3n&ttl=60000"
        );
    }

    #[test]
    fn what_gsm7_writes_is_not_unicode() {
        let request = Vonage::request(&settings(), &sms("+525512345678", "¡Año nuevo!")).expect("a request");
        assert!(!request.body_text().contains("type="), "{}", request.body_text());
    }

    #[test]
    fn attachments_go_as_links() {
        let mut message = sms("+525512345678", "");
        message.attachments = vec![link("https://f.example/a.png")];
        let request = Vonage::request(&settings(), &message).expect("a request");
        assert!(
            request.body_text().contains("&text=https%3A%2F%2Ff.example%2Fa.png&"),
            "{}",
            request.body_text()
        );
        message.text = Some("Mira".into());
        let request = Vonage::request(&settings(), &message).expect("a request");
        assert!(request.body_text().contains("&text=Mira%0Ahttps%3A%2F%2Ff.example%2Fa.png&"));
    }

    #[test]
    fn a_callback_url_too_long_is_left_out_and_told() {
        let mut context = settings();
        context.callback_url = Some(format!("https://d.example/{}", "x".repeat(90)));
        let request = Vonage::request(&context, &sms("+525512345678", "x")).expect("a request");
        assert!(!request.body_text().contains("callback="), "{}", request.body_text());
        assert!(take_log()[0].contains("set it in the dashboard"));
    }
}
