//! What most scenarios play on: providers on loopback and a configuration that delivers to them.

use std::time::Duration;

use dispatch_testkit::{Answer, Daemon, Home, HttpCatcher, Launch, SmtpCatcher};
use serde_json::Value;

/// For anything that takes milliseconds on an idle machine: tests run side by side on two cores.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The location of fixture A1.
pub(crate) const LOCATION: &str = "GKAWb4yu7A4LSc0skQ6g";

/// Twilio's name for the account that the tests use.
pub(crate) const ACCOUNT: &str = "AC00000000000000000000000000000000";

/// The token of that account: long and strange, so that it can be searched for.
pub(crate) const TOKEN: &str = "token-7Hq2vXw9-do-not-show";

/// The providers and the folder.
pub(crate) struct Stage {
    pub(crate) home: Home,
    pub(crate) sms: HttpCatcher,
    pub(crate) mail: SmtpCatcher,
}

impl Stage {
    /// Two providers that take everything.
    pub(crate) async fn new() -> anyhow::Result<Self> {
        let sms = HttpCatcher::start().await?;
        sms.always(Answer::twilio_created());
        let stage = Self { home: Home::new()?, sms, mail: SmtpCatcher::start().await? };
        stage.home.write("token", TOKEN)?;
        Ok(stage)
    }

    /// How many texts the provider was asked to send; questions about earlier ones are not among them.
    pub(crate) fn asked_to_send(&self) -> usize {
        self.sms.requests().iter().filter(|asked| asked.method == "POST").count()
    }

    /// A backend of this name at an SMS provider, with more keys if needed.
    pub(crate) fn twilio(&self, name: &str, url: &str, more: &str) -> String {
        let token = self.home.file("token");
        format!(
            r#"
[backends.{name}]
plugin = "twilio"
settings = {{ account_sid = "{ACCOUNT}", from = "+15005550006", base_url = "{url}" }}
secrets = {{ auth_token = {{ file = "{}" }} }}
private_networks = ["127.0.0.0/8"]
plaintext = true
{more}
"#,
            token.display()
        )
    }

    /// The mail backend.
    pub(crate) fn smtp(&self, name: &str) -> String {
        format!(
            r#"
[backends.{name}]
plugin = "smtp"
relay = {{ host = "127.0.0.1", port = {}, tls = "none" }}
private_networks = ["127.0.0.0/8"]
plaintext = true
"#,
            self.mail.port()
        )
    }

    /// Two backends, and a route for each channel.
    pub(crate) fn plain(&self) -> String {
        format!(
            "{}{}{}{}",
            self.twilio("texts", &self.sms.url(), ""),
            self.smtp("mails"),
            route("all texts", "sms", "texts"),
            route("all mail", "email", "mails")
        )
    }

    /// Writes the configuration and starts the daemon.
    pub(crate) async fn start(&self, config: &str) -> anyhow::Result<Daemon> {
        self.home.configure(config)?;
        Launch::new(&self.home).start().await
    }
}

/// A route with a retry schedule that a test can wait for, and whose providers' lists do not lag.
pub(crate) fn route(name: &str, channel: &str, deliver: &str) -> String {
    format!(
        r#"
[[routes]]
name = "{name}"
channel = "{channel}"
deliver = "{deliver}"
retry = {{ attempts = 3, first = "20ms", factor = 1.0, max = "50ms" }}
lookup_after = "20ms"
"#
    )
}

/// A text message's fields that differ between tests.
pub(crate) fn text(location: &str, id: &str, phone: &str) -> Vec<u8> {
    serde_json::json!({
        "contactId": format!("contact-of-{id}"), "locationId": location, "messageId": id, "type": "SMS",
        "phone": phone, "message": format!("Hola from {id}"), "attachments": [], "userId": "someone"
    })
    .to_string()
    .into_bytes()
}

/// The kinds of outcome of a message's attempts, in order.
pub(crate) fn outcomes(message: &Value) -> Vec<String> {
    let attempts = message["attempts"].as_array().cloned().unwrap_or_default();
    let kind = |attempt: &Value| attempt["outcome"]["outcome"].as_str().unwrap_or("?").to_owned();
    attempts.iter().map(kind).collect()
}

/// The backends of a message's attempts, in order.
pub(crate) fn backends(message: &Value) -> Vec<String> {
    let attempts = message["attempts"].as_array().cloned().unwrap_or_default();
    attempts.iter().map(|attempt| attempt["backend"].as_str().unwrap_or("?").to_owned()).collect()
}

/// A backend at any HTTP API, by template.
pub(crate) fn http_api(stage: &Stage, url: &str) -> String {
    let token = stage.home.file("token");
    format!(
        r#"
[backends.api]
plugin = "http"
settings = {{ url = "{url}/v1/send", credential = {{ bearer = {{ secret = "token" }} }}, body = {{ json = {{ to = "{{to}}", text = "{{text}}" }} }}, answer = {{ reference = {{ pointer = "/data/id" }} }} }}
secrets = {{ token = {{ file = "{}" }} }}
private_networks = ["127.0.0.0/8"]
plaintext = true
"#,
        token.display()
    )
}
