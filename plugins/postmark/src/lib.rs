//! Email by Postmark.
//!
//! One JSON POST a mail. The answer's `ErrorCode` says what it means, whatever the HTTP status. Postmark knows no
//! idempotency key, but finds mails by a metadata field of ours: an attempt whose answer was lost is looked for.

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

/// What one mail may hold, `To`, `Cc` and `Bcc` together.
const RECIPIENTS_MAX: usize = 50;

/// The metadata field that is our key; Postmark allows 20 characters for its name.
const KEY: &str = "dispatcher_key";

/// The plugin.
pub struct Postmark;

impl Plugin for Postmark {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "postmark",
            env!("CARGO_PKG_VERSION"),
            "Email by Postmark.",
            &[Channel::Email],
            include_str!("settings.schema.json"),
        )
        .secret(settings::SERVER_TOKEN, "The server's API token, from its page API Tokens.")
        .optional_secret(
            settings::WEBHOOK_PASSWORD,
            "The password of the webhook's basic authentication; webhook_user is its name.",
        )
        .optional_secret(settings::WEBHOOK_TOKEN, "The value of the header that webhook_header names.")
        // 10 MB a mail, where base64 makes four bytes of three.
        .media(Media::Content, 100, 7_000_000)
    }

    fn check(settings: &Settings, check: &mut Check) {
        settings.check(check);
    }
}

impl DeliverSteps for Postmark {
    type State = Recipients;

    fn deliver(context: &Context<Settings>, message: &Message) -> Result<Step<Recipients>, Refusal> {
        let settings = context.settings.mail();
        let letter = Letter::read(&settings, message, RECIPIENTS_MAX)?;
        letter.check_to()?;
        let request = context
            .settings
            .request("POST", "/email")
            .body("application/json", body::write(context, &letter).into_pieces());
        Ok(Step::Send(request.into(), letter.recipients))
    }

    fn on_reply(
        _: &Context<Settings>,
        recipients: Recipients,
        reply: Reply,
    ) -> Result<Step<Recipients>, Refusal> {
        answer::read(&reply.http()?, &recipients).map(Step::Done)
    }
}

export!(Postmark: DeliverSteps, Receive, Lookup);

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing;

    use super::*;

    #[test]
    fn answers_become_what_they_are() {
        testing::answers_of_steps::<Postmark>(include_str!("../testdata/answers.json"));
    }
}
