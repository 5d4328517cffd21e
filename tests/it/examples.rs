//! Each folder of `examples/` is started as it stands, with an overlay that says where the providers of
//! this machine are, and delivers its own sample.

mod presets;

use std::path::PathBuf;

use dispatch_testkit::{
    Answer, Cli, Daemon, Home, HttpCatcher, Identity, Launch, SmtpCatcher, SmtpScript, dispatcher_binary,
    repository,
};

use crate::stage::{SOON, backends};

/// The variables that the examples name their secrets by.
const SECRETS: [(&str, &str); 12] = [
    ("TWILIO_AUTH_TOKEN", "token-of-the-first"),
    ("SPARE_AUTH_TOKEN", "token-of-the-spare"),
    ("BIG_CLIENT_AUTH_TOKEN", "token-of-the-big-one"),
    ("RELAY_PASSWORD", "password-of-the-agency"),
    ("DENTAL_RELAY_PASSWORD", "password-of-the-dentist"),
    ("GATEWAY_TOKEN", "token-of-the-gateway"),
    ("LABSMOBILE_TOKEN", "token-of-labsmobile"),
    ("SMSMASIVOS_API_KEY", "key-of-sms-masivos"),
    ("CLICKSEND_API_KEY", "key-of-clicksend"),
    ("KANNEL_PASSWORD", "password&of=kannel"),
    ("SMSGATE_PASSWORD", "password-of-the-telephone"),
    ("SIGNALWIRE_TOKEN", "token-of-signalwire"),
];

/// An example and where it runs.
struct Example {
    folder: PathBuf,
    home: Home,
}

impl Example {
    fn new(name: &str) -> anyhow::Result<Self> {
        Ok(Self { folder: repository().join("examples").join(name), home: Home::new()? })
    }

    /// Starts it with `overlay` on top; the configuration alone must pass `check` before.
    async fn start(&self, overlay: &str) -> anyhow::Result<Daemon> {
        let config = self.folder.join("config.toml");
        let mut cli = Cli::new(dispatcher_binary()?, [config.clone()], self.home.path());
        for (name, value) in SECRETS {
            cli = cli.env(name, value);
        }
        let checked = cli.run(&["check"]).await?;
        anyhow::ensure!(checked.code == Some(0), "check: {}{}", checked.stdout, checked.stderr);
        let overlay = self.home.write("overlay.toml", format!("{}\n{overlay}", self.home.base()))?;
        let mut launch = Launch::new(&self.home).configs([config, overlay]);
        for (name, value) in SECRETS {
            launch = launch.env(name, value);
        }
        launch.start().await
    }

    fn sample(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        Ok(std::fs::read(self.folder.join(name))?)
    }
}

const SAMPLE: &str = "exampleMessage000001";

fn loopback(backend: &str, settings: &str) -> String {
    format!(
        "[backends.{backend}]\nprivate_networks = [\"127.0.0.0/8\"]\nplaintext = true\nsettings = {{ {settings} }}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn twilio_with_failover() -> anyhow::Result<()> {
    let example = Example::new("twilio-with-failover")?;
    let (first, spare) = (HttpCatcher::start().await?, HttpCatcher::start().await?);
    first.always(Answer::twilio_error(401, 20003, "Authenticate"));
    spare.always(Answer::twilio_created());
    let overlay = loopback("twilio", &format!("base_url = \"{}\"", first.url()))
        + &loopback("spare", &format!("base_url = \"{}\"", spare.url()));
    let daemon = example.start(&overlay).await?;
    daemon.expect_error("lane.changed");
    assert_eq!(daemon.send(&example.sample("sms.json")?).await?.status, 200);
    let message = daemon.wait_state(SAMPLE, "accepted", SOON).await?;
    assert_eq!(backends(&message), ["twilio", "spare"]);
    assert_eq!(spare.requests()[0].basic().map(|(_, token)| token).as_deref(), Some("token-of-the-spare"));
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_number_per_client() -> anyhow::Result<()> {
    let example = Example::new("one-number-per-client")?;
    let twilio = HttpCatcher::start().await?;
    twilio.always(Answer::twilio_created());
    let daemon = example.start(&loopback("twilio", &format!("base_url = \"{}\"", twilio.url()))).await?;
    let dentist = example.sample("sms.json")?;
    let big = String::from_utf8(dentist.clone())?
        .replace("exampleDentist000001", "exampleBigClient0001")
        .replace(SAMPLE, "exampleMessage000002");
    daemon.send(&dentist).await?;
    daemon.wait_state(SAMPLE, "accepted", SOON).await?;
    daemon.send(big.as_bytes()).await?;
    daemon.wait_state("exampleMessage000002", "accepted", SOON).await?;
    let asked = twilio.requests();
    assert_eq!(asked[0].field("From").as_deref(), Some("+525511112222"));
    assert_eq!(asked[1].field("From").as_deref(), Some("+525599999999"));
    assert_eq!(asked[1].basic().map(|(_, token)| token).as_deref(), Some("token-of-the-big-one"));
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn email_relay() -> anyhow::Result<()> {
    let example = Example::new("email-relay")?;
    let identity = Identity::generate()?;
    let (certificate, _) = identity.write(example.home.path())?;
    let relay = SmtpCatcher::start_tls(&identity).await?;
    let login = |user: &str, password: &str| SmtpScript {
        login: Some((user.into(), password.into())),
        ..SmtpScript::default()
    };
    relay.script(login("agency", "password-of-the-agency"));
    let overlay = format!(
        "[egress]\nca_file = \"{}\"\n\n[backends.relay]\nprivate_networks = [\"127.0.0.0/8\", \"::1/128\"]\nrelay = {{ host = \"localhost\", port = {} }}\n",
        certificate.display(),
        relay.port()
    );
    let daemon = example.start(&overlay).await?;
    let agency = example.sample("email.json")?;
    daemon.send(&agency).await?;
    daemon.wait_state(SAMPLE, "accepted", SOON).await?;

    relay.script(login("dental", "password-of-the-dentist"));
    let dental = String::from_utf8(agency)?
        .replace("exampleLocation00001", "exampleDentist000001")
        .replace(SAMPLE, "exampleMessage000002");
    daemon.send(dental.as_bytes()).await?;
    daemon.wait_state("exampleMessage000002", "accepted", SOON).await?;
    let users: Vec<_> = relay.mails().into_iter().map(|mail| (mail.tls, mail.user)).collect();
    assert_eq!(users, [(true, Some("agency".into())), (true, Some("dental".into()))]);
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn any_http_api() -> anyhow::Result<()> {
    let example = Example::new("any-http-api")?;
    let gateway = HttpCatcher::start().await?;
    gateway.always(Answer::json(200, &serde_json::json!({ "status": "queued", "data": { "id": "gw-%N%" } })));
    let daemon =
        example.start(&loopback("gateway", &format!("url = \"{}/v2/messages\"", gateway.url()))).await?;
    daemon.send(&example.sample("sms.json")?).await?;
    let message = daemon.wait_state(SAMPLE, "accepted", SOON).await?;
    assert_eq!(message["delivery"]["references"][0], "gw-00000001");
    let asked = gateway.requests().remove(0);
    assert_eq!(asked.header("authorization"), Some("Bearer token-of-the-gateway"));
    assert_eq!(asked.json()?["to"], "+15864603685");

    let refused =
        serde_json::json!({ "status": "failed", "error": { "code": "NO_SUCH_NUMBER", "message": "gone" } });
    gateway.next(Answer::json(200, &refused));
    let again = String::from_utf8(example.sample("sms.json")?)?.replace(SAMPLE, "exampleMessage000002");
    daemon.send(again.as_bytes()).await?;
    let message = daemon.wait_state("exampleMessage000002", "dead-lettered", SOON).await?;
    assert_eq!(message["delivery"]["reason"]["code"], "NO_SUCH_NUMBER");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn signalwire() -> anyhow::Result<()> {
    let example = Example::new("signalwire")?;
    let provider = HttpCatcher::start().await?;
    provider.always(Answer::twilio_created());
    let base = format!("base_url = \"{}/api/laml\"", provider.url());
    let daemon = example.start(&loopback("signalwire", &base)).await?;
    daemon.send(&example.sample("sms.json")?).await?;
    daemon.wait_state(SAMPLE, "accepted", SOON).await?;
    let asked = provider.requests().remove(0);
    let project = "00000000-0000-0000-0000-000000000001";
    assert_eq!(asked.target, format!("/api/laml/2010-04-01/Accounts/{project}/Messages.json"));
    assert_eq!(asked.basic(), Some((project.to_owned(), "token-of-signalwire".to_owned())));
    daemon.stop().await?;
    Ok(())
}

#[test]
fn every_folder_is_run() -> anyhow::Result<()> {
    let folders = |under: &str| -> anyhow::Result<Vec<String>> {
        let mut folders: Vec<String> = std::fs::read_dir(repository().join("examples").join(under))?
            .filter_map(Result::ok)
            .filter(|entry| entry.path().join("config.toml").is_file())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        folders.sort();
        Ok(folders)
    };
    assert_eq!(
        folders("")?,
        ["any-http-api", "email-relay", "one-number-per-client", "signalwire", "twilio-with-failover"]
    );
    assert_eq!(folders("http-presets")?, ["clicksend", "kannel", "labsmobile", "sms-masivos", "smsgate"]);
    Ok(())
}
