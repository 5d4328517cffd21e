//! The settings of a backend, and what is wrong with them.

use dispatcher_plugin::{Check, SenderKind};
use serde::Deserialize;

/// The secret that proves who we are.
pub(crate) const API_KEY: &str = "api_key";

/// The settings of a backend.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    base_url: String,
    pub(crate) from: String,
    #[serde(default)]
    pub(crate) validity_period: Option<u32>,
}

impl Settings {
    /// A URL of the account's own host.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url.trim_end_matches('/'))
    }

    pub(crate) fn check(&self, check: &mut Check) {
        check.url("base_url", &self.base_url);
        check.that(
            SenderKind::of(&self.from).is_some(),
            "from",
            "not a sender: write a number with its country (525512345678), a short code, or a name of at most 11 letters and digits",
        );
        if let Some(seconds) = self.validity_period {
            check.that(
                (30..=172_800).contains(&seconds),
                "validity_period",
                "write 30 to 172800 seconds (48 hours)",
            );
        }
        check.secret(API_KEY);
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::check;
    use serde_json::{Value, json};

    use crate::Infobip;

    const URL: &str = "https://abc12.api.infobip.com";

    fn problems(settings: Value) -> Vec<String> {
        match check::<Infobip>(&settings.to_string()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.into_iter().map(|problem| problem.path).collect(),
        }
    }

    #[test]
    fn good_settings() {
        assert_eq!(problems(json!({ "base_url": URL, "from": "ACME" })), [""; 0]);
        assert_eq!(
            problems(json!({ "base_url": URL, "from": "525512345678", "validity_period": 60 })),
            [""; 0]
        );
    }

    #[test]
    fn all_problems_at_once() {
        let found = problems(
            json!({ "base_url": "abc12.api.infobip.com", "from": "", "validity_period": 1, "form": 1 }),
        );
        for path in ["base_url", "from", "validity_period", "form"] {
            assert!(found.iter().any(|found| found == path), "{path} is not in {found:?}");
        }
        let found = problems(json!({}));
        assert!(
            found.iter().any(|path| path == "base_url") && found.iter().any(|path| path == "from"),
            "{found:?}"
        );
    }

    #[test]
    fn asks_for_its_host_and_its_secret() {
        let asks = check::<Infobip>(&json!({ "base_url": URL, "from": "ACME" }).to_string()).expect("good");
        assert_eq!(
            (asks.hosts, asks.secrets),
            (vec!["abc12.api.infobip.com".into()], vec!["api_key".into()])
        );
    }
}
