//! A dry run: one line in the log for what would have gone out, and nothing leaves.
//!
//! The line says how much there is and not what it says: texts and addresses of people do not belong into logs.

use dispatcher_plugin::{
    Acceptance, Channel, Check, Context, DeliverSteps, Description, Media, Message, Plugin, Refusal, Reply,
    Step, export, log,
};
use serde::Deserialize;

/// The reference that every dry run gets; the host never counts it as delivered.
pub const REFERENCE: &str = "dry-run";

/// The plugin.
pub struct Log;

/// It has no settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {}

impl Plugin for Log {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "log",
            env!("CARGO_PKG_VERSION"),
            "A dry run: writes to the log what would have gone out, redacted; nothing leaves.",
            &[Channel::Sms, Channel::Email],
            include_str!("settings.schema.json"),
        )
        // By URL: they are counted and never fetched.
        .media(Media::Url, u32::MAX, u64::MAX)
    }

    fn check(_settings: &Settings, _check: &mut Check) {}
}

impl DeliverSteps for Log {
    type State = ();

    fn deliver(_context: &Context<Settings>, message: &Message) -> Result<Step<()>, Refusal> {
        log::info(&line(message));
        Ok(Step::Done(Acceptance::reference(REFERENCE)))
    }

    fn on_reply(_: &Context<Settings>, (): (), _: Reply) -> Result<Step<()>, Refusal> {
        // Nothing was asked, so nothing can have answered.
        Err(Refusal::unknown("reply", "a dry run asks nothing"))
    }
}

export!(Log: DeliverSteps);

/// What would have gone out.
fn line(message: &Message) -> String {
    let channel = match message.channel {
        Channel::Sms => "sms",
        Channel::Email => "email",
    };
    let mut line = format!("dry run: {channel} to {}", masked(message.recipient()));
    let others = message.to.len().saturating_sub(1) + message.cc.len() + message.bcc.len();
    if others > 0 {
        line.push_str(&format!(" and {others} more"));
    }
    for (name, value) in [("subject", &message.subject), ("text", &message.text), ("html", &message.html)] {
        if let Some(value) = value {
            line.push_str(&format!(", {name} of {} characters", value.chars().count()));
        }
    }
    if !message.attachments.is_empty() {
        line.push_str(&format!(", {} attachments", message.attachments.len()));
    }
    line
}

/// Enough to tell recipients apart, not enough to reach one: `+52…78`, `…@gmail.com`.
fn masked(recipient: &str) -> String {
    if let Some((_, domain)) = recipient.rsplit_once('@') {
        return format!("…@{}", domain.trim_end_matches('>'));
    }
    let digits: Vec<char> = recipient.chars().collect();
    match digits.len() {
        0 => "nobody".into(),
        // Short codes and what is too short to be cut.
        1..=7 => "…".into(),
        length => {
            let (start, end) = (&digits[..3], &digits[length - 2..]);
            format!("{}…{}", start.iter().collect::<String>(), end.iter().collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::{context, email, link, sms, take_log};
    use serde_json::json;

    use super::*;

    fn deliver(message: &Message) -> String {
        match Log::deliver(&context(json!({})), message) {
            Ok(Step::Done(acceptance)) => assert_eq!(acceptance, Acceptance::reference("dry-run")),
            other => panic!("a dry run asks nothing: {other:?}"),
        }
        let mut lines = take_log();
        assert_eq!(lines.len(), 1);
        lines.remove(0)
    }

    #[test]
    fn an_sms_is_told_and_not_shown() {
        let mut message = sms("+525512345678", "Tu código: 123");
        message.attachments.push(link("https://example.com/secret.png"));
        assert_eq!(deliver(&message), "info: dry run: sms to +52…78, text of 14 characters, 1 attachments");
    }

    #[test]
    fn a_mail_is_told_and_not_shown() {
        let mut message = email("a@b.example", "Ana Pérez <ana@gmail.com>", "Hola", "<p>x</p>");
        message.cc.push("otra@example.com".into());
        let line = deliver(&message);
        assert_eq!(
            line,
            "info: dry run: email to …@gmail.com and 1 more, subject of 4 characters, html of 8 characters"
        );
    }

    #[test]
    fn short_numbers_are_hidden_whole() {
        assert_eq!(masked("12345"), "…");
        assert_eq!(masked(""), "nobody");
    }

    #[test]
    fn unknown_settings_are_told() {
        let problems = dispatcher_plugin::check::<Log>(r#"{"level": "info"}"#).unwrap_err();
        assert_eq!(problems[0].path, "level");
        assert!(dispatcher_plugin::check::<Log>("{}").is_ok());
    }
}
