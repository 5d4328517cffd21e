//! SMS and MMS by Twilio, and by those who speak its API.
//!
//! One form POST a message. Twilio has no idempotency key: an attempt whose answer is lost is looked for in the
//! account's message list before it is sent again.

mod codes;
mod lookup;
mod receive;
mod settings;

use dispatcher_plugin::{
    Acceptance, Channel, Check, Context, Deliver, Description, Form, Media, Message, Plugin, Refusal,
    Request, Response, export,
};
use serde::Deserialize;

pub use settings::Settings;

/// The plugin.
pub struct Twilio;

impl Plugin for Twilio {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "twilio",
            env!("CARGO_PKG_VERSION"),
            "SMS and MMS by Twilio, and by those who speak its API.",
            &[Channel::Sms],
            include_str!("settings.schema.json"),
        )
        .optional_secret(
            settings::AUTH_TOKEN,
            "The account's auth token, from the start page of the console. Also proves callbacks.",
        )
        .optional_secret(settings::API_KEY_SECRET, "The secret of the API key that api_key_sid names.")
        .text_max(1600)
        .media(Media::Url, 10, 5_000_000)
    }

    fn check(settings: &Settings, check: &mut Check) {
        settings.check(check);
    }
}

/// A message as Twilio shows it.
#[derive(Debug, Deserialize)]
struct Sent {
    sid: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    num_segments: Option<String>,
    #[serde(default)]
    error_code: Option<u32>,
    #[serde(default)]
    error_message: Option<String>,
}

impl Sent {
    /// What became of it.
    fn outcome(self) -> Result<Acceptance, Refusal> {
        let state = self.status.unwrap_or_default();
        if let ("failed" | "undelivered", Some(code)) = (state.as_str(), self.error_code)
            && let Some(refusal) = codes::by_code(code, self.error_message.as_deref().unwrap_or(&state))
        {
            return Err(refusal);
        }
        let parts = self.num_segments.and_then(|parts| parts.parse().ok()).filter(|parts| *parts > 0);
        Ok(Acceptance { parts, ..Acceptance::reference(self.sid).state(state) })
    }
}

impl Deliver for Twilio {
    fn request(context: &Context<Settings>, message: &Message) -> Result<Request, Refusal> {
        let settings = &context.settings;
        if message.to.len() != 1 {
            return Err(Refusal::recipient("recipients", "an SMS goes to one number"));
        }
        if message.body().is_empty() && message.attachments.is_empty() {
            return Err(Refusal::content("empty", "there is neither text nor attachment"));
        }
        let mut form = Form::new()
            .field("To", message.recipient())
            .field_if("From", settings.from.as_ref())
            .field_if("MessagingServiceSid", settings.messaging_service_sid.as_ref())
            .field_if("Body", (!message.body().is_empty()).then(|| message.body()));
        for attachment in &message.attachments {
            form = form.field("MediaUrl", &attachment.url);
        }
        let form = form
            // Our id, since Twilio keeps no metadata of ours. The signature of the callback covers it.
            .field_if("StatusCallback", context.callback_with("message", &message.id))
            .field_if("ValidityPeriod", settings.validity_period.map(|seconds| seconds.to_string()))
            .field_if("SmartEncoded", settings.smart_encoded.map(|on| on.to_string()));
        Ok(Request::post(settings.messages_url()).credential(settings.credential()).form(form))
    }

    fn outcome(_: &Context<Settings>, response: &Response) -> Result<Acceptance, Refusal> {
        if !(200..300).contains(&response.status) {
            return Err(codes::refusal(response));
        }
        response.json::<Sent>()?.outcome()
    }
}

export!(Twilio: Deliver, Receive, Lookup);

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::{self, context, link, sms};
    use dispatcher_plugin::{Credential, Piece};
    use serde_json::json;

    use super::*;

    pub(crate) const AC: &str = "AC0123456789abcdef0123456789abcdef";

    pub(crate) fn settings() -> Context<Settings> {
        context(json!({ "account_sid": AC, "from": "+525500001111" }))
    }

    #[test]
    fn an_sms_becomes_a_form() {
        let mut context = settings();
        context.callback_url = Some("https://d.example/callbacks/t0k3n".into());
        let request =
            Twilio::request(&context, &sms("+525512345678", "Hola & adiós + 1")).expect("a request");
        assert_eq!(request.method, "POST");
        assert_eq!(
            request.url_text(),
            format!("https://api.twilio.com/2010-04-01/Accounts/{AC}/Messages.json")
        );
        assert_eq!(request.credential, Credential::basic(AC, "auth_token"));
        assert_eq!(
            request.body_text(),
            "To=%2B525512345678&From=%2B525500001111&Body=Hola%20%26%20adi%C3%B3s%20%2B%201\
             &StatusCallback=https%3A%2F%2Fd.example%2Fcallbacks%2Ft0k3n%3Fmessage%3D01hzy3k9q8w7e"
        );
        assert!(!request.body.into_vec().iter().any(|piece| matches!(piece, Piece::Secret { .. })));
    }

    #[test]
    fn an_mms_repeats_the_key() {
        let mut message = sms("+525512345678", "");
        message.attachments = vec![link("https://f.example/a.png"), link("https://f.example/b.png?x=1&y=2")];
        let request = Twilio::request(&settings(), &message).expect("a request");
        let body = request.body_text();
        assert!(body.ends_with(
            "&MediaUrl=https%3A%2F%2Ff.example%2Fa.png&MediaUrl=https%3A%2F%2Ff.example%2Fb.png%3Fx%3D1%26y%3D2"
        ));
        assert!(!body.contains("Body="), "{body}");
    }

    #[test]
    fn every_setting_has_its_field() {
        let context: Context<Settings> = context(json!({
            "account_sid": "p-1", "messaging_service_sid": "MG1", "api_key_sid": "SK1", "validity_period": 300,
            "smart_encoded": true, "base_url": "https://acme.signalwire.com/api/laml/",
        }));
        let request = Twilio::request(&context, &sms("+15864603685", "x")).expect("a request");
        assert_eq!(
            request.url_text(),
            "https://acme.signalwire.com/api/laml/2010-04-01/Accounts/p-1/Messages.json"
        );
        assert_eq!(request.credential, Credential::basic("SK1", "api_key_secret"));
        assert_eq!(
            request.body_text(),
            "To=%2B15864603685&MessagingServiceSid=MG1&Body=x&ValidityPeriod=300&SmartEncoded=true"
        );
    }

    #[test]
    fn nothing_to_say_is_not_sent() {
        let refusal = Twilio::request(&settings(), &sms("+15864603685", "")).unwrap_err();
        assert_eq!(refusal.kind(), "rejected-content");
    }

    #[test]
    fn answers_and_outcomes() {
        testing::answers::<Twilio>(include_str!("../testdata/answers.json"));
    }
}
