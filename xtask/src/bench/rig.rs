//! A daemon with the four bundled plugins, their providers on loopback, and a sender.

use std::time::Duration;

use anyhow::Context as _;
use dispatch_testkit::{
    Answer, Daemon, Home, HttpCatcher, Launch, Load, LoadReport, SmtpCatcher, sms, until,
};

/// Everything measured here ends well within it; a run that hangs does not hang for ever.
const BOUND: Duration = Duration::from_secs(600);

/// As many clients as the goal names.
pub(super) const CONNECTIONS: usize = 64;

/// Bytes of a webhook.
pub(super) const BODY: usize = 1024;

/// The daemon and what is around it.
pub(super) struct Rig {
    pub(super) home: Home,
    pub(super) daemon: Daemon,
    pub(super) sms: HttpCatcher,
    _mail: SmtpCatcher,
}

impl Rig {
    /// Starts it.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let (home, sms, mail) = (Home::new()?, HttpCatcher::start().await?, SmtpCatcher::start().await?);
        sms.always(Answer::twilio_created());
        home.write("token", "a-token-of-no-worth")?;
        home.configure(&config(&home, &sms.url(), mail.port()))?;
        let daemon = Launch::new(&home).start().await?;
        Ok(Self { home, daemon, sms, _mail: mail })
    }

    /// Sends `count` text messages, the first with number `first`, over a hundred locations.
    pub(super) async fn send(&self, first: usize, count: usize, rate: Option<u32>) -> LoadReport {
        let target = self.daemon.target();
        let body = |n: usize| sms(&location(n), n as u64, BODY);
        let requests = (first..first + count).map(|n| target.request(&body(n))).collect();
        Load { connections: CONNECTIONS, rate }.run(target.addr, requests).await
    }

    /// Waits until nothing is under way: all of it is recorded.
    pub(super) async fn settled(&self, accepted: u64) -> anyhow::Result<()> {
        until("the provider's answers to be recorded", BOUND, async || {
            self.state("accepted").await.is_some_and(|count| count >= accepted)
        })
        .await
    }

    /// How many deliveries are in this state.
    pub(super) async fn state(&self, state: &str) -> Option<u64> {
        let status = self.daemon.ask("/v1/status").await.ok()?;
        Some(status["store"]["by_state"][state].as_u64().unwrap_or(0))
    }

    /// Suspends or resumes a backend.
    pub(super) async fn suspend(&self, backend: &str, suspended: bool) -> anyhow::Result<()> {
        let body = serde_json::json!({ "what": { "backend": backend }, "suspended": suspended });
        let answer = self.daemon.post("/v1/suspend", &body).await?;
        anyhow::ensure!(answer.status == 200, "suspending answered {}: {}", answer.status, answer.text());
        Ok(())
    }

    /// Ends it as an operator would: one that was built to watch itself tells what it saw.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.daemon.stop().await.map(drop)
    }

    /// Kills it: a measurement that is done owes nobody a drain.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        self.daemon.kill().await.context("ending the daemon")
    }
}

/// One of a hundred locations: a single one would meet the bound of what may wait for one tenant.
pub(super) fn location(n: usize) -> String {
    format!("bench-location-{:05}", n % 100)
}

/// A location of this number is routed to the backend that takes; those of the backlog are not.
fn config(home: &Home, sms: &str, mail: u16) -> String {
    let twilio = |name: &str| {
        format!(
            r#"
[backends.{name}]
plugin = "twilio"
settings = {{ account_sid = "AC00000000000000000000000000000000", from = "+15005550006", base_url = "{sms}" }}
secrets = {{ auth_token = {{ file = "{}" }} }}
limits = {{ concurrency = 64 }}
private_networks = ["127.0.0.0/8"]
plaintext = true
"#,
            home.file("token").display()
        )
    };
    let waiting: Vec<String> = (0..100).map(|n| format!("\"waiting-location-{n:03}\"")).collect();
    format!(
        r#"
[log]
level = "warn"
{}{}
[backends.mail]
plugin = "smtp"
relay = {{ host = "127.0.0.1", port = {mail}, tls = "none" }}
private_networks = ["127.0.0.0/8"]
plaintext = true

[backends.api]
plugin = "http"
settings = {{ url = "{sms}/any", body = {{ json = {{ to = "{{to}}", text = "{{text}}" }} }} }}
private_networks = ["127.0.0.0/8"]
plaintext = true

[backends.dry]
plugin = "log"

[[routes]]
name = "backlog"
location = [{}]
deliver = "later"

[[routes]]
name = "texts"
channel = "sms"
deliver = "texts"

[[routes]]
name = "mail"
channel = "email"
deliver = "mail"
"#,
        twilio("texts"),
        twilio("later"),
        waiting.join(", ")
    )
}
