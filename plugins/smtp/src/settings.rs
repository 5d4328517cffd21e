//! The settings of a backend, what is wrong with them, and what they make of a mail's sender.

use std::collections::BTreeMap;

use dispatcher_plugin::{Check, Mailbox, Refusal};
use serde::Deserialize;

/// The settings of a backend.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    from: Option<String>,
    allowed_senders: Option<Vec<String>>,
    reply_to: Option<String>,
    envelope_from: Option<String>,
    pub(crate) list_unsubscribe: Vec<String>,
    pub(crate) one_click_unsubscribe: bool,
    pub(crate) headers: BTreeMap<String, String>,
}

/// Who a mail is from.
#[derive(Debug, PartialEq)]
pub(crate) struct Sender {
    pub(crate) from: Mailbox,
    pub(crate) reply_to: Option<Mailbox>,
    /// The envelope's sender.
    pub(crate) envelope: String,
}

impl Settings {
    /// Who a mail with this sender is from.
    ///
    /// # Errors
    /// There is no sender, it is no address, or it may not send here and there is none instead.
    pub(crate) fn sender(&self, given: Option<&str>) -> Result<Sender, Refusal> {
        let wrong =
            |what: &str, problem: &str| Refusal::sender("sender", format!("{what} is no address: {problem}"));
        let set = |what: &str, text: &Option<String>| {
            text.as_deref().map(Mailbox::parse).transpose().map_err(|problem| wrong(what, problem))
        };
        let default = set("the setting from", &self.from)?;
        let mut reply_to = set("the setting reply_to", &self.reply_to)?;
        let given = given.filter(|text| !text.trim().is_empty());
        let given =
            given.map(Mailbox::parse).transpose().map_err(|problem| wrong("the mail's sender", problem))?;
        let from = match (given, default) {
            (Some(given), _) if self.allows(&given) => given,
            (Some(given), Some(default)) => {
                reply_to = reply_to.or(Some(given));
                default
            }
            (None, Some(default)) => default,
            (Some(_), None) => {
                return Err(Refusal::sender(
                    "sender",
                    "the mail's sender is not among allowed_senders, and there is no from",
                ));
            }
            (None, None) => {
                return Err(Refusal::sender(
                    "sender",
                    "the mail has no sender, and there is no setting from",
                ));
            }
        };
        let envelope = match set("the setting envelope_from", &self.envelope_from)? {
            Some(mailbox) => mailbox.address,
            None => from.address.clone(),
        };
        Ok(Sender { from, reply_to, envelope })
    }

    fn allows(&self, sender: &Mailbox) -> bool {
        let Some(allowed) = &self.allowed_senders else { return true };
        allowed.iter().any(|allowed| {
            allowed.eq_ignore_ascii_case(&sender.address) || allowed.eq_ignore_ascii_case(&sender.domain())
        })
    }

    pub(crate) fn check(&self, check: &mut Check) {
        check.relay();
        for (path, text) in
            [("from", &self.from), ("reply_to", &self.reply_to), ("envelope_from", &self.envelope_from)]
        {
            if let Some(Err(problem)) = text.as_deref().map(Mailbox::parse) {
                check.problem(
                    path,
                    format!("not an address: {problem}; write a@b.example or Name <a@b.example>"),
                );
            }
        }
        if let Some(allowed) = &self.allowed_senders {
            for (at, allowed) in allowed.iter().enumerate() {
                let probe = if allowed.contains('@') { allowed.clone() } else { format!("x@{allowed}") };
                let good = Mailbox::parse(&probe).is_ok_and(|mailbox| mailbox.address == probe);
                check.that(
                    good,
                    format!("allowed_senders.{at}"),
                    "write an address or a domain: a@b.example or b.example",
                );
            }
        }
        for (at, way) in self.list_unsubscribe.iter().enumerate() {
            let known = way.starts_with("https://") || way.starts_with("mailto:");
            let clean = way.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>,".contains(&byte));
            check.that(
                known && clean,
                format!("list_unsubscribe.{at}"),
                "write an https: or mailto: address",
            );
        }
        let https = self.list_unsubscribe.iter().any(|way| way.starts_with("https://"));
        check.that(
            https || !self.one_click_unsubscribe,
            "one_click_unsubscribe",
            "one click needs an https: address in list_unsubscribe",
        );
        for (name, value) in &self.headers {
            let path = format!("headers.{name}");
            let token =
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            check.that(token, path.as_str(), "not a header's name: letters, digits and -");
            let ours = OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name));
            check.that(!ours, path.as_str(), "this header is the plugin's own");
            check.that(
                !value.chars().any(char::is_control),
                path,
                "a header's value has no control characters and no line ends",
            );
        }
    }
}

/// Headers that the plugin writes itself.
const OURS: &[&str] = &[
    "from",
    "to",
    "cc",
    "bcc",
    "sender",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "return-path",
    "received",
    "dkim-signature",
];

#[cfg(test)]
mod tests {
    use dispatcher_plugin::check;
    use serde_json::{Value, json};

    use super::*;
    use crate::Smtp;

    fn problems(settings: Value) -> Vec<String> {
        match check::<Smtp>(&settings.to_string()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.into_iter().map(|problem| problem.path).collect(),
        }
    }

    #[test]
    fn settings_and_problems() {
        assert_eq!(problems(json!({})), [""; 0]);
        let good = json!({
            "from": "Acme, S.A. <hola@acme.example>", "allowed_senders": ["acme.example", "x@y.example"],
            "list_unsubscribe": ["https://acme.example/u?x=1", "mailto:u@acme.example"], "one_click_unsubscribe": true,
            "headers": { "X-SES-CONFIGURATION-SET": "main" }, "envelope_from": "b@acme.example",
        });
        assert_eq!(problems(good), [""; 0]);
        let bad = json!({
            "from": "acme", "reply_to": "a@b\r\nBcc: x@y", "allowed_senders": ["ok.example", "a b"],
            "list_unsubscribe": ["http://x"], "one_click_unsubscribe": true,
            "headers": { "Bcc": "x@y", "X-A": "1\r\n2", "X B": "" }, "form": "x",
        });
        let found = problems(bad);
        for path in [
            "from",
            "reply_to",
            "allowed_senders.1",
            "list_unsubscribe.0",
            "one_click_unsubscribe",
            "headers.Bcc",
            "headers.X-A",
            "headers.X B",
            "form",
        ] {
            assert!(found.iter().any(|found| found == path), "{path} is not in {found:?}");
        }
        assert_eq!(found.len(), 9);
        assert!(check::<Smtp>("{}").expect("good").relay);
    }

    #[test]
    fn senders() {
        let settings = |value: Value| -> Settings { serde_json::from_value(value).expect("settings") };
        let from = |value: Value, given: Option<&str>| match settings(value).sender(given) {
            Ok(sender) => format!(
                "{} / {} / {}",
                sender.from.address,
                sender.reply_to.map(|mailbox| mailbox.address).unwrap_or_default(),
                sender.envelope
            ),
            Err(refusal) => refusal.kind().into(),
        };
        let limited = || json!({ "from": "us@acme.example", "allowed_senders": ["acme.example"] });
        assert_eq!(from(json!({}), Some("A <a@b.example>")), "a@b.example /  / a@b.example");
        assert_eq!(from(json!({}), None), "rejected-sender");
        assert_eq!(from(json!({}), Some(" ")), "rejected-sender");
        assert_eq!(from(json!({}), Some("a@b\r\nX: y")), "rejected-sender");
        assert_eq!(from(limited(), Some("ana@ACME.example")), "ana@ACME.example /  / ana@ACME.example");
        assert_eq!(
            from(limited(), Some("ana@gmail.com")),
            "us@acme.example / ana@gmail.com / us@acme.example"
        );
        assert_eq!(
            from(json!({ "allowed_senders": ["acme.example"] }), Some("x@gmail.com")),
            "rejected-sender"
        );
        assert_eq!(
            from(json!({ "reply_to": "r@s.example", "envelope_from": "b@s.example" }), Some("a@b.example")),
            "a@b.example / r@s.example / b@s.example"
        );
    }
}
