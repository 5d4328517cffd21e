//! Email by Amazon SES (version 2 of its API).
//!
//! One JSON POST a mail, signed by the host. SES writes the MIME: texts, headers and attachments go as fields. It knows
//! no idempotency key and finds no mail by a tag, so that an attempt whose answer was lost stays unknown.

mod answer;
mod body;
mod event;
mod receive;
mod settings;
mod sns;

use dispatcher_plugin::{
    Channel, Check, Context, DeliverSteps, Description, Letter, Media, Message, Plugin, Recipients, Refusal,
    Reply, Step, export,
};

pub use settings::Settings;

/// What one mail may hold.
const RECIPIENTS_MAX: usize = 50;

/// The tag that is our key: it comes back with each event of a configuration set.
const KEY: &str = "dispatcher_key";

/// The plugin.
pub struct Ses;

impl Plugin for Ses {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "ses",
            env!("CARGO_PKG_VERSION"),
            "Email by Amazon SES.",
            &[Channel::Email],
            include_str!("settings.schema.json"),
        )
        .secret(settings::SECRET_KEY, "The secret access key of access_key_id, with the right ses:SendEmail.")
        .optional_secret(settings::SESSION_TOKEN, "The session token, for temporary credentials.")
        // 40 MB a mail after base64, which makes four bytes of three.
        .media(Media::Content, 100, 29_000_000)
    }

    fn check(settings: &Settings, check: &mut Check) {
        settings.check(check);
    }
}

impl DeliverSteps for Ses {
    type State = Recipients;

    fn deliver(context: &Context<Settings>, message: &Message) -> Result<Step<Recipients>, Refusal> {
        let settings = context.settings.mail();
        let letter = Letter::read(&settings, message, RECIPIENTS_MAX)?;
        let request =
            context.settings.request().body("application/json", body::write(context, &letter).into_pieces());
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

export!(Ses: DeliverSteps, Receive);

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing;

    use super::*;

    #[test]
    fn answers_become_what_they_are() {
        testing::answers_of_steps::<Ses>(include_str!("../testdata/answers.json"));
    }
}
