//! Two keys open a capability: the plugin asks, the operator grants. With the real daemon, and the words that the
//! operator gets to see.

use dispatch_testkit::{Answer, Daemon, Launch, until};
use serde_json::{Value, json};

use crate::plugins::{edition, guest};
use crate::stage::{LOCATION, SOON, Stage, route, text};

/// A plugin from elsewhere at the provider, with what `[plugins.mine]` says besides the file.
fn config(stage: &Stage, granted: &str) -> String {
    let (file, url) = (stage.home.file("mine.wasm"), stage.sms.url());
    format!(
        r#"
[plugins.mine]
file = "{}"
{granted}

[backends.mine]
plugin = "mine"
settings = {{ url = "{url}", later = ["later.example", "more.example"] }}
private_networks = ["127.0.0.0/8"]
plaintext = true
{}"#,
        file.display(),
        route("all texts", "sms", "mine")
    )
}

async fn stage() -> anyhow::Result<Stage> {
    let stage = Stage::new().await?;
    stage.sms.always(Answer::json(200, &json!({})));
    stage.home.write("mine.wasm", edition(1))?;
    Ok(stage)
}

/// Sends a text; gives the reference it was accepted with.
async fn delivered(daemon: &Daemon, id: &str) -> anyhow::Result<String> {
    daemon.send(&text(LOCATION, id, "+15864603685")).await?;
    let message = daemon.wait_state(id, "accepted", SOON).await?;
    let attempts = message["attempts"].as_array().cloned().unwrap_or_default();
    let last = attempts.last().unwrap_or(&Value::Null);
    Ok(last["outcome"]["references"][0].as_str().unwrap_or_default().to_owned())
}

/// Waits until a configuration was refused, and gives the words.
async fn refused(daemon: &Daemon) -> anyhow::Result<String> {
    daemon.expect_error("config.refused");
    until("the refusal to be shown", SOON, async || {
        daemon.ask("/v1/status").await.is_ok_and(|status| status["daemon"]["config_refused"].is_string())
    })
    .await?;
    let status = daemon.ask("/v1/status").await?;
    Ok(status["daemon"]["config_refused"].as_str().unwrap_or_default().to_owned())
}

/// What a daemon that does not start says.
async fn refusal_at_start(stage: &Stage, config: &str) -> anyhow::Result<String> {
    stage.home.configure(config)?;
    let (code, log) = Launch::new(&stage.home).start_unready()?.exit(SOON).await?;
    assert_eq!(code, Some(3), "{}", log.text());
    Ok(log.text())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_from_elsewhere_gets_nothing_until_it_is_granted() -> anyhow::Result<()> {
    let stage = stage().await?;
    let words = refusal_at_start(&stage, &config(&stage, "")).await?;
    for part in [
        "plugin mine asks for hosts that are not granted: 127.0.0.1 (nothing is granted to it so far)",
        "if you trust it with them: hosts = [\"127.0.0.1\"]",
    ] {
        assert!(words.contains(part), "{part:?} is not in\n{words}");
    }
    // A grant for something else is none.
    let words = refusal_at_start(&stage, &config(&stage, "hosts = [\"api.example.com\"]")).await?;
    assert!(words.contains("127.0.0.1 (granted so far: api.example.com)"), "{words}");
    // What the hint says is enough, and what is granted besides is not opened by that alone.
    let daemon = stage.start(&config(&stage, "hosts = [\"127.0.0.1\", \"api.example.com\"]")).await?;
    assert_eq!(delivered(&daemon, "granted").await?, "read by 0001");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_cannot_take_a_bundled_plugins_name() -> anyhow::Result<()> {
    let stage = stage().await?;
    let config = config(&stage, "")
        .replace("plugins.mine", "plugins.twilio")
        .replace("\"mine\"\nsettings", "\"twilio\"\nsettings");
    let words = refusal_at_start(&stage, &config).await?;
    assert!(words.contains("`twilio` is the name of a bundled plugin"), "{words}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_asks_for_more_is_refused_and_the_old_one_goes_on() -> anyhow::Result<()> {
    let stage = stage().await?;
    let granted = config(&stage, "hosts = [\"127.0.0.1\"]");
    let daemon = stage.start(&granted).await?;
    assert_eq!(delivered(&daemon, "before").await?, "read by 0001");

    stage.home.write("mine.wasm", edition(2))?;
    let words = refused(&daemon).await?;
    for part in [
        "asks for hosts that are not granted: later.example, more.example (granted so far: 127.0.0.1)",
        "hosts = [\"127.0.0.1\", \"later.example\", \"more.example\"]",
    ] {
        assert!(words.contains(part), "{part:?} is not in\n{words}");
    }
    assert_eq!(delivered(&daemon, "meanwhile").await?, "read by 0001");

    let more = "hosts = [\"127.0.0.1\", \"later.example\", \"more.example\"]";
    stage.home.configure(&config(&stage, more))?;
    until("the update to be in force", SOON, async || {
        daemon.ask("/v1/status").await.is_ok_and(|status| status["daemon"]["config_refused"].is_null())
    })
    .await?;
    assert_eq!(delivered(&daemon, "after").await?, "read by 0002");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_plugin_is_that_file_or_none() -> anyhow::Result<()> {
    let stage = stage().await?;
    let wrong = format!("hosts = [\"127.0.0.1\"]\nsha256 = \"{}\"", "0".repeat(64));
    let words = refusal_at_start(&stage, &config(&stage, &wrong)).await?;
    assert!(words.contains("is not the pinned file: its sha256 is "), "{words}");
    let (_, digest) = words.split_once("its sha256 is ").unwrap_or_default();
    let digest: String = digest.chars().take_while(char::is_ascii_hexdigit).collect();

    let pinned = format!("hosts = [\"127.0.0.1\"]\nsha256 = \"{}\"", digest.to_uppercase());
    let daemon = stage.start(&config(&stage, &pinned)).await?;
    assert_eq!(delivered(&daemon, "pinned").await?, "read by 0001");
    // Whatever it asks, and though it would load: it is not the file.
    let other = guest("fixtures/echo");
    stage.home.write("mine.wasm", other)?;
    let words = refused(&daemon).await?;
    assert!(words.contains("is not the pinned file"), "{words}");
    assert_eq!(delivered(&daemon, "still").await?, "read by 0001");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_the_settings_use_has_to_be_there() -> anyhow::Result<()> {
    let stage = stage().await?;
    stage.home.write("mine.wasm", guest("fixtures/echo"))?;
    let config = config(&stage, "hosts = [\"127.0.0.1\"]")
        .replace("settings = { ", "settings = { secrets = [\"api_key\"], bearer = \"api_key\", ");
    let words = refusal_at_start(&stage, &config).await?;
    assert!(words.contains("the secret api_key is missing: these settings use it"), "{words}");
    let token = stage.home.file("token").display().to_string();
    let given = config.replace(
        "plaintext = true",
        &format!("plaintext = true\nsecrets = {{ api_key = {{ file = \"{token}\" }} }}"),
    );
    let daemon = stage.start(&given).await?;
    delivered(&daemon, "proven").await?;
    let asked = stage.sms.wait_for(1, SOON).await?.remove(0);
    assert_eq!(asked.header("authorization"), Some(&*format!("Bearer {}", crate::stage::TOKEN)));
    daemon.stop().await?;
    Ok(())
}
