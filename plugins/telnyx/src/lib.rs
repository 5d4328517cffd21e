//! SMS and MMS by Telnyx.
//!
//! One JSON POST a message. Telnyx has no idempotency key for messages, and finds a message by its id alone, which is in
//! the answer that was lost: an unknown outcome cannot be looked up.

mod codes;
mod receive;
mod settings;

use dispatcher_plugin::{
    Acceptance, Channel, Check, Context, Deliver, Description, Media, Message, Plugin, Refusal, Request,
    Response, export,
};
use serde::{Deserialize, Serialize};

pub use settings::Settings;

/// The plugin.
pub struct Telnyx;

impl Plugin for Telnyx {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "telnyx",
            env!("CARGO_PKG_VERSION"),
            "SMS and MMS by Telnyx.",
            &[Channel::Sms],
            include_str!("settings.schema.json"),
        )
        .secret(settings::API_KEY, "The API key, under API Keys in the Mission Control Portal.")
        // Ten parts are the most that Telnyx makes of a text.
        .text_max(1530)
        .media(Media::Url, 10, 1_000_000)
    }

    fn check(settings: &Settings, check: &mut Check) {
        settings.check(check);
    }
}

/// A message as Telnyx wants it.
#[derive(Debug, Serialize)]
struct Send<'a> {
    to: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messaging_profile_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    media_urls: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<settings::Encoding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_url: Option<&'a str>,
}

/// An answer, or what comes with a callback.
#[derive(Debug, Deserialize)]
struct Envelope<T> {
    data: T,
}

/// A message as Telnyx shows it.
#[derive(Debug, Deserialize)]
struct Sent {
    id: String,
    #[serde(default)]
    parts: Option<u32>,
    #[serde(default)]
    to: Vec<Party>,
    #[serde(default)]
    errors: Vec<codes::Problem>,
}

/// A number and what became of the message to it.
#[derive(Debug, Deserialize)]
struct Party {
    #[serde(default)]
    phone_number: String,
    #[serde(default)]
    status: Option<String>,
}

impl Deliver for Telnyx {
    fn request(context: &Context<Settings>, message: &Message) -> Result<Request, Refusal> {
        let settings = &context.settings;
        if message.to.len() != 1 {
            return Err(Refusal::recipient("recipients", "an SMS goes to one number"));
        }
        if message.body().is_empty() && message.attachments.is_empty() {
            return Err(Refusal::content("empty", "there is neither text nor attachment"));
        }
        let send = Send {
            to: message.recipient(),
            from: settings.from.as_deref(),
            messaging_profile_id: settings.messaging_profile_id.as_deref(),
            text: Some(message.body()).filter(|text| !text.is_empty()),
            media_urls: message.attachments.iter().map(|attachment| attachment.url.as_str()).collect(),
            encoding: settings.encoding,
            webhook_url: context.callback_url.as_deref(),
        };
        Ok(Request::post(settings.messages_url()).credential(settings.credential()).json(&send))
    }

    fn outcome(_: &Context<Settings>, response: &Response) -> Result<Acceptance, Refusal> {
        if !(200..300).contains(&response.status) {
            return Err(codes::refusal(response));
        }
        let Envelope { data: sent } = response.json::<Envelope<Sent>>()?;
        let state = sent.to.first().and_then(|party| party.status.clone()).unwrap_or_default();
        // Taken and given up in the same breath.
        if let ("sending_failed" | "delivery_failed", Some(problem)) = (state.as_str(), sent.errors.first())
            && let Some(refusal) = problem.refusal()
        {
            return Err(refusal);
        }
        Ok(Acceptance {
            parts: sent.parts.filter(|parts| *parts > 0),
            ..Acceptance::reference(sent.id).state(state)
        })
    }
}

export!(Telnyx: Deliver, Receive);

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::{self, context, link, sms};
    use dispatcher_plugin::{Credential, Piece};
    use serde_json::{Value, json};

    use super::*;

    pub(crate) fn settings() -> Context<Settings> {
        context(json!({ "from": "+15550001111" }))
    }

    fn body(request: &Request) -> Value {
        serde_json::from_str(&request.body_text()).expect("JSON")
    }

    #[test]
    fn an_sms_becomes_json() {
        let mut context = settings();
        context.callback_url = Some("https://d.example/callbacks/t0k3n".into());
        let request = Telnyx::request(&context, &sms("+525512345678", "Hola «\"tú\"»")).expect("a request");
        assert_eq!(
            (request.method.as_str(), request.url_text().as_str()),
            ("POST", "https://api.telnyx.com/v2/messages")
        );
        assert_eq!(request.credential, Credential::bearer("api_key"));
        assert_eq!(
            body(&request),
            json!({
                "to": "+525512345678", "from": "+15550001111", "text": "Hola «\"tú\"»",
                "webhook_url": "https://d.example/callbacks/t0k3n",
            })
        );
        assert!(!request.body.into_vec().iter().any(|piece| matches!(piece, Piece::Secret { .. })));
    }

    #[test]
    fn an_mms_lists_its_media() {
        let mut message = sms("+15864603685", "");
        message.attachments = vec![link("https://f.example/a.png"), link("https://f.example/b.png?x=1&y=2")];
        let request = Telnyx::request(&settings(), &message).expect("a request");
        assert_eq!(
            body(&request),
            json!({
                "to": "+15864603685", "from": "+15550001111",
                "media_urls": ["https://f.example/a.png", "https://f.example/b.png?x=1&y=2"],
            })
        );
    }

    #[test]
    fn every_setting_has_its_field() {
        let profile = "16fd2706-8baf-433b-82eb-8c7fada847da";
        let context: Context<Settings> = context(json!({
            "from": "ACME", "messaging_profile_id": profile, "encoding": "ucs2", "base_url": "https://t.example/v2/",
        }));
        let request = Telnyx::request(&context, &sms("+15864603685", "x")).expect("a request");
        assert_eq!(request.url_text(), "https://t.example/v2/messages");
        assert_eq!(
            body(&request),
            json!({
                "to": "+15864603685", "from": "ACME", "text": "x", "messaging_profile_id": profile, "encoding": "ucs2",
            })
        );
    }

    #[test]
    fn nothing_to_say_is_not_sent() {
        let refusal = Telnyx::request(&settings(), &sms("+15864603685", "")).unwrap_err();
        assert_eq!(refusal.kind(), "rejected-content");
        let mut many = sms("+15864603685", "x");
        many.to.push("+15864603686".into());
        assert_eq!(Telnyx::request(&settings(), &many).unwrap_err().kind(), "rejected-recipient");
    }

    #[test]
    fn answers_and_outcomes() {
        testing::answers::<Telnyx>(include_str!("../testdata/answers.json"));
    }
}
