//! What the demo plays on: two catchers, an overlay over the shipped configuration, the daemon.

use std::path::PathBuf;

use dispatch_testkit::{Answer, Daemon, Home, HttpCatcher, Launch, SmtpCatcher};

use crate::command::root;

/// Everything that runs during the demo.
pub(super) struct Stage {
    /// The folder that all of it is in; it goes with the stage.
    _home: Home,
    pub(super) daemon: Daemon,
    /// Answers like Twilio.
    pub(super) sms: HttpCatcher,
    /// Takes mail.
    pub(super) email: SmtpCatcher,
    /// The files that the daemon runs on.
    pub(super) configs: Vec<PathBuf>,
    /// The private key that this run's messages are signed with.
    pub(super) key: PathBuf,
}

impl Stage {
    /// Starts it all and waits until the daemon is ready.
    pub(super) async fn open() -> anyhow::Result<Self> {
        let home = Home::new()?;
        let sms = HttpCatcher::start().await?;
        sms.always(Answer::twilio_created());
        let email = SmtpCatcher::start().await?;
        home.write("twilio-token", "a-token-of-no-worth")?;
        let overlay = home.write("demo.toml", overlay(&home, &sms.url(), email.port()))?;
        let key = home.write("sender.pem", home.signer.private_pem())?;
        let configs = vec![root().join("config/config.toml"), overlay];
        let daemon = Launch::new(&home).configs(configs.clone()).start().await?;
        Ok(Self { _home: home, daemon, sms, email, configs, key })
    }

    /// Drains the daemon.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        self.daemon.stop().await.map(drop)
    }
}

/// The overlay: this run's key instead of HighLevel's, and the catchers as backends.
fn overlay(home: &Home, sms: &str, email: u16) -> String {
    let token = home.file("twilio-token");
    format!(
        r#"# Laid over config/config.toml by `cargo xtask demo`. Lists replace lists as a whole.
tests = []

{}
[backends.demo-sms]
plugin = "twilio"
settings = {{ account_sid = "AC00000000000000000000000000000000", from = "+15005550006", base_url = "{sms}" }}
secrets = {{ auth_token = {{ file = "{}" }} }}
private_networks = ["127.0.0.0/8"]   # the catchers are on this machine
plaintext = true                     # and speak no TLS

[backends.demo-email]
plugin = "smtp"
relay = {{ host = "127.0.0.1", port = {email}, tls = "none" }}
private_networks = ["127.0.0.0/8"]
plaintext = true

[[routes]]
name = "demo, text messages"
channel = "sms"
deliver = "demo-sms"

[[routes]]
name = "demo, email"
channel = "email"
deliver = "demo-email"
"#,
        home.base(),
        token.display()
    )
}
