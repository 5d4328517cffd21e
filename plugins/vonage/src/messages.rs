//! The Messages interface: JSON, and errors by status with a code in the URL that explains them.

use dispatcher_plugin::{
    Acceptance, Context, Credential, Message, PhoneFormat, Reason, Refusal, Request, Response,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::settings::{API_SECRET, Settings};

/// The request for a message.
pub(crate) fn request(context: &Context<Settings>, message: &Message) -> Result<Request, Refusal> {
    let settings = &context.settings;
    let mut send = match message.attachments.as_slice() {
        [] => json!({ "channel": "sms", "message_type": "text", "text": message.body() }),
        [attachment] => {
            let kind = kind(&attachment.url);
            let mut send = json!({ "channel": "mms", "message_type": kind, kind: { "url": attachment.url } });
            if !message.body().is_empty() {
                send[kind]["caption"] = message.body().into();
            }
            send
        }
        _ => return Err(Refusal::content("attachments", "a message of Vonage's has one attachment")),
    };
    send["to"] = PhoneFormat::Digits.render(message.recipient()).into();
    send["from"] = settings.from().into();
    // Ours, for whoever looks at Vonage's logs.
    send["client_ref"] = context.idempotency_key.as_str().into();
    if let Some(url) = &context.callback_url {
        send["webhook_url"] = url.as_str().into();
    }
    if let Some(seconds) = settings.validity_period {
        send["ttl"] = seconds.into();
    }
    let credential = Credential::basic(&settings.api_key, API_SECRET);
    Ok(Request::post(settings.url()).credential(credential).json(&send))
}

/// What kind of attachment, by the end of its URL's path: Vonage wants it said, and what lies there is not known here.
fn kind(url: &str) -> &'static str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref().unwrap_or_default() {
        "jpg" | "jpeg" | "png" | "gif" | "webp" | "bmp" => "image",
        "mp4" | "3gp" | "3gpp" | "mov" | "mpg" | "mpeg" => "video",
        "mp3" | "amr" | "wav" | "ogg" | "m4a" | "aac" => "audio",
        "vcf" => "vcard",
        _ => "file",
    }
}

#[derive(Debug, Deserialize)]
struct Taken {
    message_uuid: String,
}

/// What an answer means.
pub(crate) fn outcome(response: &Response) -> Result<Acceptance, Refusal> {
    if !(200..300).contains(&response.status) {
        return Err(refusal(response));
    }
    let Taken { message_uuid } = response.json()?;
    Ok(Acceptance::reference(message_uuid))
}

/// Something that went wrong, with a request or later: RFC 7807.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    r#type: String,
    title: Value,
    detail: String,
    invalid_parameters: Vec<Parameter>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameter {
    name: String,
    reason: String,
}

impl Problem {
    /// Vonage's code and words. The code is what the URL that explains it ends with; callbacks have it as the title.
    pub(crate) fn reason(&self) -> Reason {
        let title = match &self.title {
            Value::String(title) => title.clone(),
            Value::Number(code) => code.to_string(),
            _ => String::new(),
        };
        let code = self.r#type.rsplit_once('#').map(|(_, code)| code).filter(|code| !code.is_empty());
        let parameters: Vec<String> =
            self.invalid_parameters.iter().map(|one| format!("{} {}", one.name, one.reason)).collect();
        let words: Vec<&str> = [title.as_str(), self.detail.as_str()]
            .into_iter()
            .chain(parameters.iter().map(String::as_str))
            .filter(|words| !words.is_empty())
            .collect();
        Reason::new(code.unwrap_or(title.as_str()), words.join(": "))
    }
}

/// What a refused request means: by Vonage's code, and by the status where the code says nothing.
fn refusal(response: &Response) -> Refusal {
    let by_status = response.refusal();
    let Some(problem) = response.json_if::<Problem>().filter(|problem| !problem.r#type.is_empty()) else {
        return by_status;
    };
    let reason = problem.reason();
    let wait = response.retry_after_ms();
    let about = |field: &str| problem.invalid_parameters.iter().any(|one| one.name == field);
    match response.status {
        // The codes under these are of another list, or the throttle's.
        401..=403 | 429 => by_status.because(reason.code, reason.message),
        // In Vonage's own words: the request was answered, not lost.
        500.. => Refusal::deferred(reason.code, reason.message).after(wait),
        _ => match by_code(reason.clone()) {
            Some(refusal) => refusal.after(wait),
            None if about("to") => Refusal::Recipient(reason),
            None if about("from") => Refusal::Sender(reason),
            None => by_status.because(reason.code, reason.message),
        },
    }
}

/// What a code means; none where it is not known, or where it only says that a field is wrong and not which.
///
/// Judged so where it could be doubted: 1160 (a trial account's numbers) and 1250 (no route) are about the sender, since
/// another backend may well reach this recipient.
fn by_code(reason: Reason) -> Option<Refusal> {
    Some(match reason.code.parse::<u32>().ok()? {
        // No number, barred, unknown, opted out, not able to.
        110 | 1040 | 1050 | 1170 | 1190 | 1200 | 1240 | 1260 | 1270 | 1280 | 1290 | 1300 | 1310 => {
            Refusal::Recipient(reason)
        }
        // Too long, filtered.
        1090 | 1210 => Refusal::Content(reason),
        // Not allowed there, not for this number, no route.
        1120 | 1160 | 1250 | 1420 => Refusal::Sender(reason),
        // Barred, no credit, not enabled, a setting that cannot be.
        1060 | 1070 | 1080 | 1110 | 1130 | 1140 => Refusal::Account(reason),
        1000 | 1241 => Refusal::Throttled { reason, retry_after_ms: None },
        // An error of Vonage's or a carrier's that passes.
        1030 | 1100 | 1180 | 1220 | 1230 => Refusal::Deferred { reason, retry_after_ms: None },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::{context, link, sms};
    use dispatcher_plugin::{Deliver as _, Piece};

    use super::*;
    use crate::Vonage;

    fn body(request: &Request) -> Value {
        serde_json::from_str(&request.body_text()).expect("JSON")
    }

    #[test]
    fn an_sms_becomes_json() {
        let mut context =
            context(json!({ "api_key": "abcd1234", "from": "+15550001111", "validity_period": 3600 }));
        context.callback_url = Some("https://d.example/callbacks/t0k3n".into());
        let request = Vonage::request(&context, &sms("+525512345678", "Hola «\"tú\"»")).expect("a request");
        assert_eq!(request.url_text(), "https://api.nexmo.com/v1/messages");
        assert_eq!(request.credential, Credential::basic("abcd1234", "api_secret"));
        assert_eq!(
            body(&request),
            json!({
                "channel": "sms", "message_type": "text", "text": "Hola «\"tú\"»", "to": "525512345678",
                "from": "15550001111", "client_ref": "01hzy3k9q8w7e-1", "ttl": 3600,
                "webhook_url": "https://d.example/callbacks/t0k3n",
            })
        );
        assert!(!request.body.into_vec().iter().any(|piece| matches!(piece, Piece::Secret { .. })));
    }

    #[test]
    fn an_mms_has_one_medium_of_a_kind() {
        let context = context(
            json!({ "api_key": "abcd1234", "from": "15550001111", "base_url": "https://v.example/" }),
        );
        let send = |url: &str, text: &str| {
            let mut message = sms("+15864603685", text);
            message.attachments = vec![link(url)];
            let request = Vonage::request(&context, &message).expect("a request");
            assert_eq!(request.url_text(), "https://v.example/v1/messages");
            body(&request)
        };
        let sent = send("https://f.example/a.PNG?x=1.mp4", "Look");
        assert_eq!(
            (&sent["channel"], &sent["message_type"], &sent["text"]),
            (&json!("mms"), &json!("image"), &Value::Null)
        );
        assert_eq!(sent["image"], json!({ "url": "https://f.example/a.PNG?x=1.mp4", "caption": "Look" }));
        for (url, kind) in [
            ("https://f.example/a.mp4", "video"),
            ("https://f.example/a.mp3#t", "audio"),
            ("https://f.example/a.vcf", "vcard"),
            ("https://f.example/a.pdf", "file"),
            ("https://f.example/a", "file"),
            ("https://f.example", "file"),
        ] {
            let sent = send(url, "");
            assert_eq!((&sent["message_type"], &sent[kind]), (&json!(kind), &json!({ "url": url })));
        }
        let mut two = sms("+15864603685", "x");
        two.attachments = vec![link("https://f.example/a.png"), link("https://f.example/b.png")];
        assert_eq!(Vonage::request(&context, &two).unwrap_err().kind(), "rejected-content");
    }
}
