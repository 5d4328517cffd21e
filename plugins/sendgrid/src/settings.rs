//! The settings of a backend, and what is wrong with them.

use std::collections::BTreeMap;

use dispatcher_plugin::{Check, MailSettings};
use serde::Deserialize;

use crate::signature;

/// The secret that proves who we are.
pub(crate) const API_KEY: &str = "api_key";

/// The settings of a backend.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    from: Option<String>,
    allowed_senders: Option<Vec<String>>,
    reply_to: Option<String>,
    list_unsubscribe: Vec<String>,
    one_click_unsubscribe: bool,
    headers: BTreeMap<String, String>,
    region: Region,
    base_url: Option<String>,
    pub(crate) sandbox: bool,
    pub(crate) webhook_public_key: Option<String>,
}

/// Where the account's data are kept.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Region {
    #[default]
    Global,
    Eu,
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

    /// Where the API is.
    fn base_url(&self) -> &str {
        let default = match self.region {
            Region::Global => "https://api.sendgrid.com",
            Region::Eu => "https://api.eu.sendgrid.com",
        };
        self.base_url.as_deref().unwrap_or(default).trim_end_matches('/')
    }

    /// Where mails are posted.
    pub(crate) fn send_url(&self) -> String {
        format!("{}/v3/mail/send", self.base_url())
    }

    pub(crate) fn check(&self, check: &mut Check) {
        self.mail().check(check);
        check.url("base_url", self.base_url());
        check.secret(API_KEY);
        if let Some(key) = &self.webhook_public_key {
            check.that(
                signature::public_key(key).is_some(),
                "webhook_public_key",
                "not a verification key: write the one that SendGrid shows under Mail Settings > Event Webhook, in base64",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::check;
    use serde_json::{Value, json};

    use crate::Sendgrid;
    use crate::signature::tests::PUBLIC_KEY;

    fn problems(settings: Value) -> Vec<String> {
        match check::<Sendgrid>(&settings.to_string()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.into_iter().map(|problem| problem.path).collect(),
        }
    }

    #[test]
    fn settings_and_problems() {
        assert_eq!(problems(json!({})), [""; 0]);
        let good = json!({
            "from": "Acme, S.A. <hola@acme.example>", "region": "eu", "sandbox": true,
            "webhook_public_key": PUBLIC_KEY, "list_unsubscribe": ["https://acme.example/u"],
        });
        assert_eq!(problems(good), [""; 0]);
        let bad = json!({
            "from": "acme", "region": "mars", "base_url": "api", "webhook_public_key": "AAAA",
            "headers": { "Subject": "x" }, "api_key": "SG.x",
        });
        let found = problems(bad);
        for path in ["from", "region", "base_url", "webhook_public_key", "headers.Subject", "api_key"] {
            assert!(found.iter().any(|found| found == path), "{path} is not in {found:?}");
        }
        assert_eq!(found.len(), 6);
    }

    #[test]
    fn asks_for_its_host_and_its_secret() {
        let asks = check::<Sendgrid>(r#"{"region":"eu"}"#).expect("good");
        assert_eq!((asks.hosts, asks.secrets), (vec!["api.eu.sendgrid.com".into()], vec!["api_key".into()]));
    }
}
