//! Email by Mailgun.
//!
//! One multipart POST a mail. Mailgun knows no idempotency key: an attempt whose answer was lost is looked for among the
//! domain's events, by a variable of ours that each of them carries.

mod answer;
mod body;
mod inbound;
mod lookup;
mod receive;
mod settings;

use dispatcher_plugin::{
    Channel, Check, Context, DeliverSteps, Description, Letter, Media, Message, Plugin, Recipients, Refusal,
    Reply, Step, export,
};

pub use settings::Settings;

/// What one request may hold.
const RECIPIENTS_MAX: usize = 1000;

/// The variable that is our key.
const KEY: &str = "dispatcher_key";

/// The plugin.
pub struct Mailgun;

impl Plugin for Mailgun {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "mailgun",
            env!("CARGO_PKG_VERSION"),
            "Email by Mailgun.",
            &[Channel::Email],
            include_str!("settings.schema.json"),
        )
        .secret(
            settings::API_KEY,
            "An API key: the domain's sending key, or the account's for lookups as well.",
        )
        .optional_secret(settings::SIGNING_KEY, "The HTTP webhook signing key, from API Security.")
        // 25 MB a mail as it is sent on, where base64 makes four bytes of three.
        .media(Media::Content, 100, 18_000_000)
    }

    fn check(settings: &Settings, check: &mut Check) {
        settings.check(check);
    }
}

impl DeliverSteps for Mailgun {
    type State = Recipients;

    fn deliver(context: &Context<Settings>, message: &Message) -> Result<Step<Recipients>, Refusal> {
        let settings = context.settings.mail();
        let letter = Letter::read(&settings, message, RECIPIENTS_MAX)?;
        letter.check_to()?;
        let body = body::write(context, message, &letter);
        let request = context.settings.request("POST", "/messages").multipart(body);
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

export!(Mailgun: DeliverSteps, Receive, Lookup);

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing;

    use super::*;

    #[test]
    fn answers_become_what_they_are() {
        testing::answers_of_steps::<Mailgun>(include_str!("../testdata/answers.json"));
    }
}
