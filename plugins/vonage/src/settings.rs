//! The settings of a backend, and what is wrong with them.

use dispatcher_plugin::secrets::Algorithm;
use dispatcher_plugin::{Check, SenderKind};
use serde::Deserialize;

/// The secret of the account.
pub(crate) const API_SECRET: &str = "api_secret";

/// The secret that callbacks are signed with.
pub(crate) const SIGNATURE_SECRET: &str = "signature_secret";

/// How old a callback may be, in seconds. Vonage repeats one for a day and does not say that it signs it anew.
const TOLERANCE: u32 = 86_400;

/// The settings of a backend.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    pub(crate) mode: Mode,
    pub(crate) api_key: String,
    from: String,
    #[serde(default)]
    base_url: Option<String>,
    #[serde(default)]
    pub(crate) validity_period: Option<u32>,
    #[serde(default)]
    pub(crate) signature: Option<Signature>,
    #[serde(default)]
    tolerance: Option<u32>,
}

/// Which of Vonage's interfaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Messages, version 1: SMS and MMS.
    #[default]
    Messages,
    /// The older one: SMS alone.
    Sms,
}

/// How the callbacks of the SMS interface are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Signature {
    None,
    Sha1,
    Sha256,
    Sha512,
}

impl Signature {
    /// The digest; none where callbacks are not signed.
    pub(crate) fn algorithm(self) -> Option<Algorithm> {
        match self {
            Self::None => None,
            Self::Sha1 => Some(Algorithm::HmacSha1),
            Self::Sha256 => Some(Algorithm::HmacSha256),
            Self::Sha512 => Some(Algorithm::HmacSha512),
        }
    }
}

impl Settings {
    /// Where messages are posted.
    pub(crate) fn url(&self) -> String {
        let path = match self.mode {
            Mode::Messages => "/v1/messages",
            Mode::Sms => "/sms/json",
        };
        format!("{}{path}", self.base_url().trim_end_matches('/'))
    }

    fn base_url(&self) -> &str {
        self.base_url.as_deref().unwrap_or(match self.mode {
            Mode::Messages => "https://api.nexmo.com",
            Mode::Sms => "https://rest.nexmo.com",
        })
    }

    /// The sender as Vonage wants it: a number without its `+`.
    pub(crate) fn from(&self) -> &str {
        self.from.strip_prefix('+').unwrap_or(&self.from)
    }

    /// How old a callback may be, in milliseconds.
    pub(crate) fn tolerance_ms(&self) -> u64 {
        u64::from(self.tolerance.unwrap_or(TOLERANCE)) * 1000
    }

    pub(crate) fn check(&self, check: &mut Check) {
        let plain = !self.api_key.is_empty() && self.api_key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        check.that(
            plain,
            "api_key",
            "not an API key: letters and digits, from the start page of the dashboard",
        );
        check.that(
            SenderKind::of(&self.from).is_some(),
            "from",
            "not a sender: write a number with its country (525512345678), a short code, or a name of at most 11 letters and digits",
        );
        if let Some(seconds) = self.validity_period {
            check.that((20..=604_800).contains(&seconds), "validity_period", "write 20 to 604800 seconds");
        }
        if let Some(seconds) = self.tolerance {
            check.that((1..=604_800).contains(&seconds), "tolerance", "write 1 to 604800 seconds");
        }
        if self.signature.is_some() && self.mode == Mode::Messages {
            check.problem(
                "signature",
                "is for mode = \"sms\": the callbacks of Messages are always signed, and always by SHA-256",
            );
        }
        check.url("base_url", self.base_url());
        check.secret(API_SECRET);
        if self.signature.is_some_and(|signature| signature != Signature::None) {
            check.secret(SIGNATURE_SECRET);
        }
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::check;
    use serde_json::{Value, json};

    use crate::Vonage;

    fn problems(settings: Value) -> Vec<String> {
        match check::<Vonage>(&settings.to_string()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.into_iter().map(|problem| problem.path).collect(),
        }
    }

    #[test]
    fn good_settings() {
        for good in [
            json!({ "api_key": "abcd1234", "from": "+525512345678" }),
            json!({ "api_key": "abcd1234", "from": "ACME", "mode": "sms", "signature": "sha256" }),
            json!({ "api_key": "abcd1234", "from": "12345", "mode": "messages", "validity_period": 60 }),
        ] {
            assert_eq!(problems(good.clone()), [""; 0], "{good}");
        }
    }

    #[test]
    fn all_problems_at_once() {
        let found = problems(json!({
            "mode": "messages", "api_key": "a:b", "from": "A name too long", "validity_period": 1, "tolerance": 0,
            "signature": "sha1", "base_url": "api.nexmo.com", "form": 1,
        }));
        for path in ["api_key", "from", "validity_period", "tolerance", "signature", "base_url", "form"] {
            assert!(found.iter().any(|found| found == path), "{path} is not in {found:?}");
        }
        let found =
            problems(json!({ "mode": "both", "api_key": "abcd1234", "from": "ACME", "signature": "md5" }));
        assert_eq!(found, ["mode", "signature"]);
    }

    #[test]
    fn asks_for_its_host_and_its_secrets() {
        let asks = |settings: Value| {
            let asks = check::<Vonage>(&settings.to_string()).expect("good");
            (asks.hosts.join(" "), asks.secrets.join(" "))
        };
        let base = json!({ "api_key": "abcd1234", "from": "ACME" });
        assert_eq!(asks(base), ("api.nexmo.com".into(), "api_secret".into()));
        let sms = json!({ "api_key": "abcd1234", "from": "ACME", "mode": "sms", "signature": "sha512" });
        assert_eq!(asks(sms), ("rest.nexmo.com".into(), "api_secret signature_secret".into()));
    }
}
