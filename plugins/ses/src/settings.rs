//! The settings of a backend, and what is wrong with them.

use std::collections::BTreeMap;

use dispatcher_plugin::{Check, Credential, MailSettings, Request};
use serde::Deserialize;

use crate::sns::Topic;

/// The secret that proves who we are.
pub(crate) const SECRET_KEY: &str = "secret_access_key";

/// The secret that goes with temporary credentials.
pub(crate) const SESSION_TOKEN: &str = "session_token";

/// The settings of a backend.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    region: String,
    access_key_id: String,
    #[serde(default)]
    session_token: bool,
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
    pub(crate) configuration_set: Option<String>,
    #[serde(default)]
    endpoint: Option<String>,
    /// The topics that are listened to.
    #[serde(default)]
    topics: Vec<String>,
    #[serde(default)]
    sns_endpoint: Option<String>,
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

    /// The request that sends a mail, less its body.
    pub(crate) fn request(&self) -> Request {
        Request::post(format!("{}/v2/email/outbound-emails", self.endpoint())).credential(Credential::SigV4 {
            region: self.region.clone(),
            service: "ses".into(),
            key_id: self.access_key_id.clone(),
            secret: SECRET_KEY.into(),
            session_token: self.session_token.then(|| SESSION_TOKEN.into()),
        })
    }

    fn endpoint(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://email.{}.amazonaws.com", self.region),
        }
    }

    /// Where a topic's certificates and confirmations are; none for a topic that is not listened to.
    pub(crate) fn sns_url(&self, topic: &str) -> Option<String> {
        let known = self.topics.iter().find(|known| *known == topic)?;
        match &self.sns_endpoint {
            Some(endpoint) => Some(endpoint.trim_end_matches('/').to_owned()),
            None => Topic::parse(known).map(|topic| topic.url()),
        }
    }

    pub(crate) fn check(&self, check: &mut Check) {
        self.mail().check(check);
        let word = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        check.that(word(&self.region), "region", "not a region: write one like us-east-1");
        check.that(
            (16..=128).contains(&self.access_key_id.len()) && word(&self.access_key_id),
            "access_key_id",
            "not an access key's id: AKIA… or ASIA…, from IAM > Users > Security credentials",
        );
        if let Some(set) = &self.configuration_set {
            check.that(
                word(set) && set.len() <= 64,
                "configuration_set",
                "letters, digits, - and _, at most 64",
            );
        }
        if word(&self.region) {
            check.url("endpoint", &self.endpoint());
        }
        for (at, topic) in self.topics.iter().enumerate() {
            match Topic::parse(topic) {
                Some(topic) => match &self.sns_endpoint {
                    Some(endpoint) => check.url("sns_endpoint", endpoint),
                    None => check.host(topic.host()),
                },
                None => check.problem(
                    format!("topics.{at}"),
                    "not a topic: write its ARN, arn:aws:sns:us-east-1:123456789012:ses-events",
                ),
            }
        }
        check.secret(SECRET_KEY);
        if self.session_token {
            check.secret(SESSION_TOKEN);
        }
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::check;
    use serde_json::{Value, json};

    use crate::Ses;

    fn good() -> Value {
        json!({ "region": "eu-west-1", "access_key_id": "AKIAIOSFODNN7EXAMPLE" })
    }

    #[test]
    fn asks_for_its_hosts_and_its_secrets() {
        let asks = check::<Ses>(&good().to_string()).expect("good");
        assert_eq!(asks.hosts, ["email.eu-west-1.amazonaws.com"]);
        assert_eq!(asks.secrets, ["secret_access_key"]);
        let mut settings = good();
        settings["session_token"] = true.into();
        settings["topics"] =
            json!(["arn:aws:sns:us-east-1:123456789012:a", "arn:aws-cn:sns:cn-north-1:123456789012:b"]);
        let asks = check::<Ses>(&settings.to_string()).expect("good");
        assert_eq!(asks.hosts[1..], ["sns.us-east-1.amazonaws.com", "sns.cn-north-1.amazonaws.com.cn"]);
        assert_eq!(asks.secrets, ["secret_access_key", "session_token"]);
        settings["sns_endpoint"] = "http://127.0.0.1:5000".into();
        let asks = check::<Ses>(&settings.to_string()).expect("good");
        assert_eq!(asks.hosts[1..], ["127.0.0.1"]);
    }

    #[test]
    fn all_problems_at_once() {
        let paths = |settings: Value| {
            let problems = check::<Ses>(&settings.to_string()).expect_err("bad");
            let mut paths: Vec<String> = problems.into_iter().map(|problem| problem.path).collect();
            paths.sort();
            paths
        };
        assert_eq!(paths(json!({})), ["access_key_id", "region"]);
        let bad = json!({
            "region": "evil.example/", "access_key_id": "AKIA", "from": "acme", "configuration_set": "a b",
            "topics": ["ses-events", "arn:aws:sns:evil.example/:123456789012:x"], "key": "x",
        });
        assert_eq!(
            paths(bad),
            ["access_key_id", "configuration_set", "from", "key", "region", "topics.0", "topics.1"]
        );
        let mut settings = good();
        settings["endpoint"] = "email".into();
        assert_eq!(paths(settings), ["endpoint"]);
    }
}
