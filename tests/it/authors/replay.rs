//! `dispatcher message ID --replay`: would today's plugin and settings do the same with a recorded message?

use dispatch_testkit::{Answer, Launch};

use super::said;
use crate::stage::{LOCATION, SOON, Stage, route, text};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_way_or_where_it_goes_another() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let config = stage.plain();
    let daemon = stage.start(&config).await?;
    stage.sms.next(Answer::text(503, "later"));
    daemon.send(&text(LOCATION, "replayed", "+15864603685")).await?;
    daemon.wait_state("replayed", "accepted", SOON).await?;
    let asked = stage.sms.count();

    // With the daemon, by the sender's id. Nothing is sent.
    let cli = daemon.cli().clone();
    let replay = ["message", "replayed", "--replay"];
    let same = said(&cli, 0, &replay).await?;
    assert!(same.contains("attempt 1 at texts: the same"), "{same}");
    assert!(same.contains("attempt 2 at texts: the same"), "{same}");
    daemon.stop().await?;

    // Without a daemon, after the settings have changed: another request, and the same end.
    stage.home.configure(&config.replace("from = \"+15005550006\"", "from = \"+15005550009\""))?;
    let other = said(&cli, 0, &replay).await?;
    assert!(other.contains("step 1 asks for something else"), "{other}");
    let (then, now) = other.split_once("    now:").unwrap_or_default();
    assert!(then.contains("From=%2B15005550006") && now.contains("From=%2B15005550009"), "{other}");
    assert!(!other.contains("ends otherwise") && !other.contains("another plugin file"), "{other}");
    let json = cli.json(&replay).await?;
    assert_eq!(json[0]["replay"]["same_plugin"], true, "{json:#}");
    assert!(json[0]["replay"]["differences"][0]["action"].is_object(), "{json:#}");

    // Another plugin, which reads another answer: it is told where that ends.
    let token = stage.home.file("token");
    let http = format!(
        r#"
[backends.texts]
plugin = "http"
settings = {{ url = "{}/v1/send", body = {{ json = {{ to = "{{to}}" }} }}, answer = {{ reference = {{ pointer = "/sid" }} }} }}
secrets = {{ token = {{ file = "{}" }} }}
private_networks = ["127.0.0.0/8"]
plaintext = true
"#,
        stage.sms.url(),
        token.display()
    );
    stage.home.configure(&(http + &stage.smtp("mails") + &route("all texts", "sms", "texts")))?;
    let daemon = Launch::new(&stage.home).start().await?;
    let changed = said(daemon.cli(), 0, &replay).await?;
    assert!(changed.contains("attempt 1 at texts, by another plugin file than then"), "{changed}");
    assert!(changed.contains("/v1/send"), "{changed}");
    assert_eq!(stage.sms.count(), asked, "a replay asks nobody");

    // And a backend that is gone leaves nothing to play with.
    daemon.stop().await?;
    stage.home.configure(&(stage.smtp("mails") + &route("all mail", "email", "mails")))?;
    let gone = said(&cli, 0, &replay).await?;
    assert!(gone.contains("not played: the backend texts is not in the configuration any more"), "{gone}");
    Ok(())
}
