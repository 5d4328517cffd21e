//! SMS and MMS by Vonage, through either of its interfaces: Messages, or the older SMS.
//!
//! One POST a message. Vonage has no idempotency key, and its reports are a paid product that finds a message by its id
//! alone: an unknown outcome cannot be looked up.

mod gsm7;
mod jwt;
mod messages;
mod receive;
mod settings;
mod sig;
mod sms;

use dispatcher_plugin::{
    Acceptance, Channel, Check, Context, Deliver, Description, Media, Message, Plugin, Refusal, Request,
    Response, export,
};

use settings::Mode;
pub use settings::Settings;

/// The plugin.
pub struct Vonage;

impl Plugin for Vonage {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "vonage",
            env!("CARGO_PKG_VERSION"),
            "SMS and MMS by Vonage: Messages, or the older SMS interface.",
            &[Channel::Sms],
            include_str!("settings.schema.json"),
        )
        .secret(settings::API_SECRET, "The account's API secret, from the start page of the dashboard.")
        .optional_secret(
            settings::SIGNATURE_SECRET,
            "The account's signature secret, under API settings. It proves callbacks.",
        )
        .text_max(1000)
        // One medium of one kind is what a message of Vonage's has.
        .media(Media::Url, 1, 600_000)
    }

    fn check(settings: &Settings, check: &mut Check) {
        settings.check(check);
    }
}

impl Deliver for Vonage {
    fn request(context: &Context<Settings>, message: &Message) -> Result<Request, Refusal> {
        if message.to.len() != 1 {
            return Err(Refusal::recipient("recipients", "an SMS goes to one number"));
        }
        if message.body().is_empty() && message.attachments.is_empty() {
            return Err(Refusal::content("empty", "there is neither text nor attachment"));
        }
        match context.settings.mode {
            Mode::Messages => messages::request(context, message),
            Mode::Sms => Ok(sms::request(context, message)),
        }
    }

    fn outcome(context: &Context<Settings>, response: &Response) -> Result<Acceptance, Refusal> {
        match context.settings.mode {
            Mode::Messages => messages::outcome(response),
            Mode::Sms => sms::outcome(response),
        }
    }
}

export!(Vonage: Deliver, Receive);

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing;

    use super::*;

    #[test]
    fn answers_and_outcomes() {
        testing::answers::<Vonage>(include_str!("../testdata/answers.json"));
    }

    #[test]
    fn nothing_to_say_is_not_sent() {
        for mode in ["messages", "sms"] {
            let context =
                testing::context(serde_json::json!({ "mode": mode, "api_key": "abcd1234", "from": "ACME" }));
            let kind = |message: &Message| Vonage::request(&context, message).unwrap_err().kind();
            assert_eq!(kind(&testing::sms("+15864603685", "")), "rejected-content");
            let mut many = testing::sms("+15864603685", "x");
            many.to.push("+15864603686".into());
            assert_eq!(kind(&many), "rejected-recipient");
        }
    }
}
