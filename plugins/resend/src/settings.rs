//! The settings of a backend, and what is wrong with them.

use std::collections::BTreeMap;

use dispatcher_plugin::{Check, Credential, MailSettings, Request};
use serde::Deserialize;

/// Where Resend is.
const BASE_URL: &str = "https://api.resend.com";

/// Resend answers 403 to those who do not say who they are.
const USER_AGENT: &str = concat!("dispatcher-resend/", env!("CARGO_PKG_VERSION"));

/// The secret that proves who we are.
pub(crate) const API_KEY: &str = "api_key";

/// The secret that signs callbacks.
pub(crate) const WEBHOOK_SECRET: &str = "webhook_secret";

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
    base_url: Option<String>,
    webhooks: bool,
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

    /// A request to the API.
    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        Request::new(method, format!("{}{path}", self.base_url()))
            .header("user-agent", USER_AGENT)
            .header("accept", "application/json")
            .credential(Credential::bearer(API_KEY))
    }

    fn base_url(&self) -> &str {
        self.base_url.as_deref().unwrap_or(BASE_URL).trim_end_matches('/')
    }

    pub(crate) fn check(&self, check: &mut Check) {
        self.mail().check(check);
        check.url("base_url", self.base_url());
        check.secret(API_KEY);
        if self.webhooks {
            check.secret(WEBHOOK_SECRET);
        }
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::check;
    use serde_json::json;

    use crate::Resend;

    #[test]
    fn settings_and_problems() {
        let good =
            json!({ "from": "hola@acme.example", "allowed_senders": ["acme.example"], "webhooks": true });
        let asks = check::<Resend>(&good.to_string()).expect("good");
        assert_eq!(asks.hosts, ["api.resend.com"]);
        assert_eq!(asks.secrets, ["api_key", "webhook_secret"]);
        assert_eq!(check::<Resend>("{}").expect("good").secrets, ["api_key"]);
        let bad = json!({ "from": "acme", "base_url": "api", "webhooks": "yes", "api_key": "re_x" });
        let problems = check::<Resend>(&bad.to_string()).expect_err("bad");
        let mut paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["api_key", "base_url", "from", "webhooks"]);
    }
}
