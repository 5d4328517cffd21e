//! The settings of a backend, and what is wrong with them.

use std::collections::BTreeMap;

use dispatcher_plugin::{Check, MailSettings, Mailbox, Refusal};
use serde::Deserialize;

/// The settings of a backend.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    from: Option<String>,
    allowed_senders: Option<Vec<String>>,
    reply_to: Option<String>,
    envelope_from: Option<String>,
    list_unsubscribe: Vec<String>,
    one_click_unsubscribe: bool,
    headers: BTreeMap<String, String>,
}

impl Settings {
    /// What all plugins for mail share.
    pub(crate) fn mail(&self) -> MailSettings<'_> {
        MailSettings {
            from: self.from.as_deref(),
            allowed_senders: self.allowed_senders.as_deref(),
            reply_to: self.reply_to.as_deref(),
            list_unsubscribe: &self.list_unsubscribe,
            one_click_unsubscribe: self.one_click_unsubscribe,
            headers: &self.headers,
        }
    }

    /// The envelope's sender of a mail from this one.
    ///
    /// # Errors
    /// The setting is no address.
    pub(crate) fn envelope(&self, from: &Mailbox) -> Result<String, Refusal> {
        match self.envelope_from.as_deref().map(Mailbox::parse) {
            None => Ok(from.address.clone()),
            Some(Ok(mailbox)) => Ok(mailbox.address),
            Some(Err(problem)) => {
                Err(Refusal::sender("sender", format!("the setting envelope_from is no address: {problem}")))
            }
        }
    }

    pub(crate) fn check(&self, check: &mut Check) {
        check.relay();
        self.mail().check(check);
        if let Some(Err(problem)) = self.envelope_from.as_deref().map(Mailbox::parse) {
            check.problem("envelope_from", format!("not an address: {problem}; write a@b.example"));
        }
    }
}

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
    fn envelopes() {
        let envelope = |value: Value| {
            let settings: Settings = serde_json::from_value(value).expect("settings");
            let from = Mailbox::parse("Ana <a@b.example>").expect("an address");
            settings.envelope(&from).map_err(|refusal| refusal.kind())
        };
        assert_eq!(envelope(json!({})), Ok("a@b.example".into()));
        assert_eq!(envelope(json!({ "envelope_from": "b@s.example" })), Ok("b@s.example".into()));
        assert_eq!(envelope(json!({ "envelope_from": "b@s\r\nx" })), Err("rejected-sender"));
    }
}
