//! The settings of a backend, and what is wrong with them.

use dispatcher_plugin::{Check, Credential};
use serde::Deserialize;

/// Where Twilio is.
const BASE_URL: &str = "https://api.twilio.com";

/// The secret of the account: it proves who we are where there is no API key, and signs callbacks always.
pub(crate) const AUTH_TOKEN: &str = "auth_token";

/// The secret of an API key.
pub(crate) const API_KEY_SECRET: &str = "api_key_secret";

/// The settings of a backend.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(crate) account_sid: String,
    #[serde(default)]
    pub(crate) from: Option<String>,
    #[serde(default)]
    pub(crate) messaging_service_sid: Option<String>,
    #[serde(default)]
    api_key_sid: Option<String>,
    #[serde(default)]
    base_url: Option<String>,
    #[serde(default)]
    pub(crate) validity_period: Option<u32>,
    #[serde(default)]
    pub(crate) smart_encoded: Option<bool>,
}

impl Settings {
    /// The messages of the account.
    pub(crate) fn messages_url(&self) -> String {
        let base = self.base_url.as_deref().unwrap_or(BASE_URL).trim_end_matches('/');
        format!("{base}/2010-04-01/Accounts/{}/Messages.json", self.account_sid)
    }

    /// How we prove who we are.
    pub(crate) fn credential(&self) -> Credential {
        match &self.api_key_sid {
            Some(key) => Credential::basic(key, API_KEY_SECRET),
            None => Credential::basic(&self.account_sid, AUTH_TOKEN),
        }
    }

    pub(crate) fn check(&self, check: &mut Check) {
        // Those who speak Twilio's API have ids of their own: what has to hold there is that it fits into a path.
        let twilio = self.base_url.is_none();
        let id = |id: &str, prefix: &str| {
            let plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            plain && (!twilio || (id.starts_with(prefix) && id.len() == 34))
        };
        check.that(
            id(&self.account_sid, "AC"),
            "account_sid",
            "not an account's id: AC and 32 hexadecimal digits, from the start page of Twilio's console",
        );
        if let Some(key) = &self.api_key_sid {
            check.that(id(key, "SK"), "api_key_sid", "not an API key's id: SK and 32 hexadecimal digits");
        }
        match (&self.from, &self.messaging_service_sid) {
            (None, None) => check.problem("from", "missing: write the number to send from, or messaging_service_sid"),
            (Some(_), Some(_)) => {
                check.problem("messaging_service_sid", "there is a from as well; write one of them");
            }
            (Some(from), None) => check.that(
                sender(from),
                "from",
                "not a sender: write a number with its country (+525512345678), a short code, or a name of at most 11 letters and digits",
            ),
            (None, Some(service)) => check.that(
                id(service, "MG"),
                "messaging_service_sid",
                "not a messaging service's id: MG and 32 hexadecimal digits",
            ),
        }
        if let Some(seconds) = self.validity_period {
            check.that((1..=36_000).contains(&seconds), "validity_period", "write 1 to 36000 seconds");
        }
        check.url("base_url", self.base_url.as_deref().unwrap_or(BASE_URL));
        check.secret(if self.api_key_sid.is_some() { API_KEY_SECRET } else { AUTH_TOKEN });
    }
}

/// A number, a short code, a name, or a channel's address such as `whatsapp:+52...`.
fn sender(from: &str) -> bool {
    let number = from.rsplit_once(':').map_or(from, |(_, number)| number);
    match number.strip_prefix('+') {
        Some(digits) => (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => {
            (3..=11).contains(&number.len())
                && number.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -_&+".contains(&byte))
        }
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::check;
    use serde_json::{Value, json};

    use super::super::Twilio;

    const AC: &str = "AC0123456789abcdef0123456789abcdef";
    const MG: &str = "MG0123456789abcdef0123456789abcdef";

    fn problems(settings: Value) -> Vec<String> {
        match check::<Twilio>(&settings.to_string()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.into_iter().map(|problem| problem.path).collect(),
        }
    }

    #[test]
    fn good_settings() {
        assert_eq!(problems(json!({ "account_sid": AC, "from": "+525512345678" })), [""; 0]);
        assert_eq!(problems(json!({ "account_sid": AC, "messaging_service_sid": MG })), [""; 0]);
        assert_eq!(problems(json!({ "account_sid": AC, "from": "12345", "validity_period": 60 })), [""; 0]);
        assert_eq!(problems(json!({ "account_sid": AC, "from": "ACME" })), [""; 0]);
    }

    #[test]
    fn all_problems_at_once() {
        let found = problems(json!({
            "account_sid": "x/../y", "from": "55 1234", "validity_period": 90_000, "smart_encoded": "yes", "form": 1,
        }));
        for path in ["account_sid", "validity_period", "smart_encoded", "form"] {
            assert!(found.iter().any(|found| found == path), "{path} is not in {found:?}");
        }
        assert_eq!(problems(json!({ "account_sid": AC })), ["from"]);
        assert_eq!(
            problems(json!({ "account_sid": AC, "from": "+1", "base_url": "api.twilio.com" })),
            ["from", "base_url"]
        );
        let both = json!({ "account_sid": AC, "from": "12345", "messaging_service_sid": MG });
        assert_eq!(problems(both), ["messaging_service_sid"]);
    }

    #[test]
    fn asks_for_its_host_and_its_secret() {
        let asks = check::<Twilio>(&json!({ "account_sid": AC, "from": "12345" }).to_string()).expect("good");
        assert_eq!((asks.hosts, asks.secrets), (vec!["api.twilio.com".into()], vec!["auth_token".into()]));
        let settings = json!({
            "account_sid": "project-1", "from": "12345", "base_url": "https://acme.signalwire.com/api/laml",
            "api_key_sid": "key",
        });
        let asks = check::<Twilio>(&settings.to_string()).expect("good");
        assert_eq!(
            (asks.hosts, asks.secrets),
            (vec!["acme.signalwire.com".into()], vec!["api_key_secret".into()])
        );
    }
}
