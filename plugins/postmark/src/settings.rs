//! The settings of a backend, and what is wrong with them.

use std::collections::BTreeMap;

use dispatcher_plugin::{Check, Escape, MailSettings, Pieces, Request};
use serde::Deserialize;

/// Where Postmark is.
const BASE_URL: &str = "https://api.postmarkapp.com";

/// The secret that proves who we are.
pub(crate) const SERVER_TOKEN: &str = "server_token";

/// The secret that proves callbacks by basic authentication.
pub(crate) const WEBHOOK_PASSWORD: &str = "webhook_password";

/// The secret that proves callbacks by a header.
pub(crate) const WEBHOOK_TOKEN: &str = "webhook_token";

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
    pub(crate) message_stream: Option<String>,
    pub(crate) tag: Option<String>,
    base_url: Option<String>,
    pub(crate) webhook_user: Option<String>,
    pub(crate) webhook_header: Option<String>,
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

    /// A request to the API, with the server's token in it.
    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        let mut token = Pieces::new();
        token.secret(SERVER_TOKEN, Escape::Raw);
        Request::new(method, format!("{}{path}", self.base_url()))
            .header("accept", "application/json")
            .header("x-postmark-server-token", token)
    }

    fn base_url(&self) -> &str {
        self.base_url.as_deref().unwrap_or(BASE_URL).trim_end_matches('/')
    }

    pub(crate) fn check(&self, check: &mut Check) {
        self.mail().check(check);
        check.url("base_url", self.base_url());
        check.secret(SERVER_TOKEN);
        if let Some(user) = &self.webhook_user {
            check.that(
                !user.is_empty() && !user.contains(':'),
                "webhook_user",
                "a user name without a colon, as it stands in the webhook's URL",
            );
            check.secret(WEBHOOK_PASSWORD);
        }
        if let Some(header) = &self.webhook_header {
            let token =
                !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            check.that(token, "webhook_header", "not a header's name: letters, digits and -");
            check.secret(WEBHOOK_TOKEN);
        }
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::check;
    use serde_json::{Value, json};

    use crate::Postmark;

    fn problems(settings: Value) -> Vec<String> {
        match check::<Postmark>(&settings.to_string()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.into_iter().map(|problem| problem.path).collect(),
        }
    }

    #[test]
    fn settings_and_problems() {
        assert_eq!(problems(json!({})), [""; 0]);
        let good = json!({ "from": "hola@acme.example", "message_stream": "outbound", "tag": "crm", "webhook_user": "pm" });
        assert_eq!(problems(good), [""; 0]);
        let bad = json!({
            "from": "acme", "base_url": "api", "webhook_user": "a:b", "webhook_header": "X Token", "server_token": "x",
        });
        let found = problems(bad);
        for path in ["from", "base_url", "webhook_user", "webhook_header", "server_token"] {
            assert!(found.iter().any(|found| found == path), "{path} is not in {found:?}");
        }
        assert_eq!(found.len(), 5);
    }

    #[test]
    fn asks_for_its_host_and_its_secrets() {
        let secrets = |settings: Value| check::<Postmark>(&settings.to_string()).expect("good").secrets;
        assert_eq!(secrets(json!({})), ["server_token"]);
        assert_eq!(secrets(json!({ "webhook_user": "pm" })), ["server_token", "webhook_password"]);
        assert_eq!(secrets(json!({ "webhook_header": "X-T" })), ["server_token", "webhook_token"]);
        assert_eq!(check::<Postmark>("{}").expect("good").hosts, ["api.postmarkapp.com"]);
    }
}
