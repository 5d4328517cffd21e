//! The settings of a backend, and what is wrong with them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dispatcher_plugin::{Check, Credential, SenderKind};
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};

/// Where Telnyx is.
const BASE_URL: &str = "https://api.telnyx.com/v2";

/// The secret that proves who we are.
pub(crate) const API_KEY: &str = "api_key";

/// How old a callback may be, in seconds: what Telnyx's own libraries allow.
const TOLERANCE: u32 = 300;

/// The settings of a backend.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    pub(crate) from: Option<String>,
    #[serde(default)]
    pub(crate) messaging_profile_id: Option<String>,
    #[serde(default)]
    pub(crate) encoding: Option<Encoding>,
    #[serde(default)]
    base_url: Option<String>,
    #[serde(default)]
    public_key: Option<String>,
    #[serde(default)]
    tolerance: Option<u32>,
}

/// How a text is written on the air.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    /// As the text needs it.
    Auto,
    /// In GSM-7; what it does not have is replaced or refused.
    Gsm7,
    /// In UCS-2.
    Ucs2,
}

impl Settings {
    /// Where messages are posted.
    pub(crate) fn messages_url(&self) -> String {
        format!("{}/messages", self.base_url.as_deref().unwrap_or(BASE_URL).trim_end_matches('/'))
    }

    /// How we prove who we are.
    pub(crate) fn credential(&self) -> Credential {
        Credential::bearer(API_KEY)
    }

    /// The key that callbacks are signed with; none where it is not set.
    pub(crate) fn public_key(&self) -> Option<VerifyingKey> {
        let bytes = BASE64_STANDARD.decode(self.public_key.as_deref()?).ok()?;
        VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok()
    }

    /// How old a callback may be, in milliseconds.
    pub(crate) fn tolerance_ms(&self) -> u64 {
        u64::from(self.tolerance.unwrap_or(TOLERANCE)) * 1000
    }

    pub(crate) fn check(&self, check: &mut Check) {
        let kind = self.from.as_deref().map(SenderKind::of);
        match kind {
            None if self.messaging_profile_id.is_none() => {
                check.problem("from", "missing: write the number to send from, or messaging_profile_id");
            }
            Some(None) => check.problem(
                "from",
                "not a sender: write a number with its country (+525512345678), a short code, or a name of at most 11 letters and digits",
            ),
            Some(Some(SenderKind::Number)) => {
                let plus = self.from.as_deref().is_some_and(|from| from.starts_with('+'));
                check.that(plus, "from", "a number starts with + and its country: +525512345678");
            }
            Some(Some(SenderKind::Name)) => check.that(
                self.messaging_profile_id.is_some(),
                "messaging_profile_id",
                "missing: a name as the sender needs the profile on which it is allowed",
            ),
            _ => {}
        }
        if let Some(profile) = &self.messaging_profile_id {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            let good = !profile.is_empty() && profile.bytes().all(plain);
            check.that(
                good,
                "messaging_profile_id",
                "not an id: write it as the portal shows it, under Messaging",
            );
        }
        if self.public_key.is_some() {
            check.that(
                self.public_key().is_some(),
                "public_key",
                "not a key: copy it from the portal, under API Keys > Public Key (44 characters of base64)",
            );
        }
        if let Some(seconds) = self.tolerance {
            check.that((1..=86_400).contains(&seconds), "tolerance", "write 1 to 86400 seconds");
        }
        check.url("base_url", self.base_url.as_deref().unwrap_or(BASE_URL));
        check.secret(API_KEY);
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::check;
    use serde_json::{Value, json};

    use crate::Telnyx;

    fn problems(settings: Value) -> Vec<String> {
        match check::<Telnyx>(&settings.to_string()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.into_iter().map(|problem| problem.path).collect(),
        }
    }

    #[test]
    fn good_settings() {
        let profile = "16fd2706-8baf-433b-82eb-8c7fada847da";
        let key = "JC9e7VuzpR2zBKCFD9RhUFT9Jld4qoDqDNMfYs8uUHc=";
        for good in [
            json!({ "from": "+525512345678" }),
            json!({ "from": "12345", "tolerance": 60, "encoding": "auto" }),
            json!({ "from": "ACME", "messaging_profile_id": profile }),
            json!({ "messaging_profile_id": profile, "public_key": key }),
        ] {
            assert_eq!(problems(good.clone()), [""; 0], "{good}");
        }
    }

    #[test]
    fn all_problems_at_once() {
        let found = problems(json!({
            "from": "A name too long", "messaging_profile_id": "a/b", "public_key": "AAAA", "tolerance": 0,
            "encoding": "utf8", "base_url": "api.telnyx.com", "form": 1,
        }));
        for path in
            ["from", "messaging_profile_id", "public_key", "tolerance", "encoding", "base_url", "form"]
        {
            assert!(found.iter().any(|found| found == path), "{path} is not in {found:?}");
        }
        assert_eq!(problems(json!({})), ["from"]);
        assert_eq!(problems(json!({ "from": "525512345678" })), ["from"]);
        assert_eq!(problems(json!({ "from": "ACME" })), ["messaging_profile_id"]);
    }

    #[test]
    fn asks_for_its_host_and_its_secret() {
        let asks = check::<Telnyx>(&json!({ "from": "12345" }).to_string()).expect("good");
        assert_eq!((asks.hosts, asks.secrets), (vec!["api.telnyx.com".into()], vec!["api_key".into()]));
    }
}
