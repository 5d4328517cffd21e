//! Email by SendGrid.
//!
//! One JSON POST a mail. SendGrid answers with no body, so that a mail is known by our own key: it goes along as a custom
//! argument, and every event brings it back.

mod answer;
mod body;
mod receive;
mod settings;
mod signature;

use dispatcher_plugin::{
    Channel, Check, Context, Credential, DeliverSteps, Description, Letter, Media, Message, Plugin,
    Recipients, Refusal, Reply, Request, Step, export,
};

pub use settings::Settings;

/// What one request may hold.
const RECIPIENTS_MAX: usize = 1000;

/// The custom argument that is our key.
const KEY: &str = "dispatcher_key";

/// The plugin.
pub struct Sendgrid;

impl Plugin for Sendgrid {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "sendgrid",
            env!("CARGO_PKG_VERSION"),
            "Email by SendGrid.",
            &[Channel::Email],
            include_str!("settings.schema.json"),
        )
        .secret(settings::API_KEY, "An API key with the permission Mail Send, from Settings > API Keys.")
        // 30 MB a mail, where base64 makes four bytes of three.
        .media(Media::Content, 100, 21_000_000)
    }

    fn check(settings: &Settings, check: &mut Check) {
        settings.check(check);
    }
}

impl DeliverSteps for Sendgrid {
    type State = Recipients;

    fn deliver(context: &Context<Settings>, message: &Message) -> Result<Step<Recipients>, Refusal> {
        let settings = context.settings.mail();
        let letter = Letter::read(&settings, message, RECIPIENTS_MAX)?;
        letter.check_to()?;
        let request = Request::post(context.settings.send_url())
            .credential(Credential::bearer(settings::API_KEY))
            .body("application/json", body::write(context, &letter).into_pieces());
        Ok(Step::Send(request.into(), letter.recipients))
    }

    fn on_reply(
        context: &Context<Settings>,
        recipients: Recipients,
        reply: Reply,
    ) -> Result<Step<Recipients>, Refusal> {
        let mut acceptance = answer::read(&context.idempotency_key, &reply.http()?)?;
        acceptance.refused = recipients.refused();
        Ok(Step::Done(acceptance))
    }
}

export!(Sendgrid: DeliverSteps, Receive);

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing;

    use super::*;

    #[test]
    fn answers_become_what_they_are() {
        testing::answers_of_steps::<Sendgrid>(include_str!("../testdata/answers.json"));
    }
}
