//! Email by Resend.
//!
//! One JSON POST a mail with our idempotency key: within a day Resend takes the same key once, so an attempt whose answer
//! was lost is simply made again.

mod answer;
mod body;
mod inbound;
mod receive;
mod settings;
mod signature;

use dispatcher_plugin::{
    Channel, Check, Context, DeliverSteps, Description, Letter, Media, Message, Plugin, Recipients, Refusal,
    Reply, Step, export,
};

pub use settings::Settings;

/// What one mail may hold.
const RECIPIENTS_MAX: usize = 50;

/// The tag that is our key.
const KEY: &str = "dispatcher_key";

/// The plugin.
pub struct Resend;

impl Plugin for Resend {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "resend",
            env!("CARGO_PKG_VERSION"),
            "Email by Resend.",
            &[Channel::Email],
            include_str!("settings.schema.json"),
        )
        .secret(
            settings::API_KEY,
            "An API key; full access where mails to us are to be read, else sending access.",
        )
        .optional_secret(settings::WEBHOOK_SECRET, "The signing secret of the webhook: whsec_….")
        // 40 MB a mail after base64, which makes four bytes of three.
        .media(Media::Content, 100, 29_000_000)
        .idempotent()
    }

    fn check(settings: &Settings, check: &mut Check) {
        settings.check(check);
    }
}

impl DeliverSteps for Resend {
    type State = Recipients;

    fn deliver(context: &Context<Settings>, message: &Message) -> Result<Step<Recipients>, Refusal> {
        let settings = context.settings.mail();
        let letter = Letter::read(&settings, message, RECIPIENTS_MAX)?;
        letter.check_to()?;
        let request = context
            .settings
            .request("POST", "/emails")
            .header("idempotency-key", context.idempotency_key.as_str())
            .body("application/json", body::write(context, &letter).into_pieces());
        Ok(Step::Send(request.into(), letter.recipients))
    }

    fn on_reply(
        _: &Context<Settings>,
        recipients: Recipients,
        reply: Reply,
    ) -> Result<Step<Recipients>, Refusal> {
        let mut acceptance = answer::read(&reply.http()?)?;
        acceptance.refused = recipients.refused();
        Ok(Step::Done(acceptance))
    }
}

export!(Resend: DeliverSteps, Receive);

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing;

    use super::*;

    #[test]
    fn answers_become_what_they_are() {
        testing::answers_of_steps::<Resend>(include_str!("../testdata/answers.json"));
    }
}
