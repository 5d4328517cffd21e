//! The settings of a backend, and what is wrong with them.

use std::collections::BTreeMap;

use dispatcher_plugin::{Check, Credential, MailSettings, Mailbox, Request};
use serde::Deserialize;

/// The secret that proves who we are.
pub(crate) const API_KEY: &str = "api_key";

/// The secret that signs callbacks.
pub(crate) const SIGNING_KEY: &str = "webhook_signing_key";

/// The settings of a backend.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The domain that sends, as Mailgun has it.
    domain: String,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    allowed_senders: Option<Vec<String>>,
    #[serde(default)]
    reply_to: Option<String>,
    #[serde(default)]
    list_unsubscribe: Vec<String>,
    #[serde(default)]
    one_click_unsubscribe: bool,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    region: Region,
    #[serde(default)]
    base_url: Option<String>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    pub(crate) test_mode: bool,
    #[serde(default)]
    webhooks: bool,
}

/// Where the domain's data are kept.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Region {
    #[default]
    Us,
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

    /// A request to the API about the domain.
    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        Request::new(method, format!("{}/v3/{}{path}", self.base_url(), self.domain))
            .credential(Credential::basic("api", API_KEY))
    }

    fn base_url(&self) -> &str {
        let default = match self.region {
            Region::Us => "https://api.mailgun.net",
            Region::Eu => "https://api.eu.mailgun.net",
        };
        self.base_url.as_deref().unwrap_or(default).trim_end_matches('/')
    }

    pub(crate) fn check(&self, check: &mut Check) {
        self.mail().check(check);
        // It stands in the URL's path, where Mailgun answers 200 to what it does not know.
        let host = Mailbox::parse(&format!("x@{}", self.domain));
        check.that(
            host.is_ok_and(|mailbox| mailbox.domain() == self.domain.to_ascii_lowercase()),
            "domain",
            "not a domain: write the one that Mailgun sends from, such as mg.example.com",
        );
        for (at, tag) in self.tags.iter().enumerate() {
            let good = (1..=128).contains(&tag.len()) && tag.bytes().all(|byte| (0x20..0x7f).contains(&byte));
            check.that(good, format!("tags.{at}"), "a tag has 1 to 128 ASCII characters");
        }
        check.url("base_url", self.base_url());
        check.secret(API_KEY);
        if self.webhooks {
            check.secret(SIGNING_KEY);
        }
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::check;
    use serde_json::json;

    use crate::Mailgun;

    #[test]
    fn settings_and_problems() {
        let good = json!({ "domain": "mg.acme.example", "region": "eu", "tags": ["crm"], "webhooks": true });
        let asks = check::<Mailgun>(&good.to_string()).expect("good");
        assert_eq!(asks.hosts, ["api.eu.mailgun.net"]);
        assert_eq!(asks.secrets, ["api_key", "webhook_signing_key"]);
        let paths = |settings: serde_json::Value| {
            let problems = check::<Mailgun>(&settings.to_string()).expect_err("bad");
            let mut paths: Vec<String> = problems.into_iter().map(|problem| problem.path).collect();
            paths.sort();
            paths
        };
        assert_eq!(paths(json!({})), ["domain"]);
        let bad = json!({
            "domain": "mg.acme.example/../x", "from": "acme", "region": "mars", "tags": ["ñ"], "base_url": "api", "key": "x",
        });
        assert_eq!(paths(bad), ["base_url", "domain", "from", "key", "region", "tags.0"]);
        assert_eq!(paths(json!({ "domain": "a@b" })), ["domain"]);
    }
}
