//! Guests that misbehave in a running daemon: what the operator sees of it, and that the others deliver.

use std::fmt::Write as _;

use dispatch_testkit::{Answer, until_some};
use serde_json::Value;

use crate::plugins::dist;
use crate::stage::{LOCATION, SOON, Stage, TOKEN, outcomes, route, text};

/// A location for each guest, so that the route is told by it.
fn location(name: &str) -> String {
    format!("location-of-{name}")
}

/// A fixture as a backend, and a route to it.
fn backend(stage: &Stage, name: &str, settings: &str, more: &str) -> String {
    let mut config = String::new();
    let file = dist().join(format!("fixtures/{name}.wasm"));
    let _ = write!(
        config,
        r#"
[plugins.{name}]
file = "{}"
hosts = ["127.0.0.1"]

[backends.{name}]
plugin = "{name}"
settings = {{ url = "{}"{settings} }}
private_networks = ["127.0.0.0/8"]
plaintext = true
limits = {{ breaker_failures = 1000 }}
{more}
"#,
        file.display(),
        stage.sms.url(),
    );
    let route = route(name, "sms", name)
        .replace("channel =", &format!("location = \"{}\"\nchannel =", location(name)));
    config + &route
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_guests_stop_nobody_and_are_told_by_name() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.sms.always(Answer::twilio_created());
    let hostile = [
        ("spin", "", "computed for more than"),
        ("hungry", "", "wanted more than"),
        ("deep", "", "call stack"),
        ("trapper", "", "unreachable"),
        ("bomb", ", what = \"state\", size = 100000", "bytes of state"),
    ];
    // Long enough for memory to be filled on a busy machine.
    let mut config = String::from("\n[plugin_host]\ndeadline = \"1s\"\n");
    for (name, settings, _) in hostile {
        config += &backend(&stage, name, settings, "");
    }
    let daemon = stage.start(&(config + &stage.plain())).await?;
    for round in 0..3 {
        for (name, _, _) in hostile {
            let id = format!("{name}-{round}");
            daemon.send(&text(&location(name), &id, &format!("+1586460000{round}"))).await?;
            let honest = format!("beside-{id}");
            daemon.send(&text(LOCATION, &honest, &format!("+1586460100{round}"))).await?;
            daemon.wait_state(&honest, "accepted", SOON).await?;
        }
    }
    for (name, _, words) in hostile {
        let message = until_some(&format!("{name} to have ended"), SOON, async || {
            let message = daemon.message(&format!("{name}-0")).await.ok()?;
            (!outcomes(&message).is_empty()).then_some(message)
        })
        .await?;
        let fault = &message["attempts"][0]["fault"];
        assert!(!fault.is_null(), "{name}: {message:#}");
        let told = message["attempts"][0]["outcome"].to_string();
        assert!(told.contains(words), "{name}: {told} lacks {words:?}");
        assert_ne!(outcomes(&message)[0], "accepted", "{name}");
    }
    let metrics = daemon.get("/metrics").await?.text();
    assert!(metrics.contains("dispatcher_plugin_faults_total{") && metrics.contains("plugin=\"spin\""));
    daemon.log().wait_for("plugin.slow", SOON).await?;
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_log_lines_are_few_and_each_is_one_line() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let config = format!(
        "\n[plugin_host]\ndeadline = \"30s\"\n{}",
        backend(&stage, "chatty", ", lines = 1000000, length = 5000", "")
    );
    let daemon = stage.start(&config).await?;
    daemon.send(&text(&location("chatty"), "chat", "+15864603685")).await?;
    daemon.wait_state("chat", "accepted", dispatch_long()).await?;
    let metrics = daemon.get("/metrics").await?.text();
    let dropped = metrics.lines().find(|line| line.starts_with("dispatcher_plugin_log_lines_dropped_total"));
    assert!(dropped.is_some_and(|line| line.ends_with(" 999968")), "{dropped:?}");
    let log = daemon.stop().await?;
    let said: Vec<String> = log.lines().into_iter().filter(|line| line.contains("plugin.log")).collect();
    let own: Vec<&String> = said.iter().filter(|line| line.contains("forged=yes")).collect();
    assert_eq!(own.len(), 32, "{} lines", own.len());
    for line in own {
        assert!(line.len() < 4096, "a line of {} bytes", line.len());
        assert!(line.contains("chatty") && !line.contains('\u{1b}') && !line.contains('\u{202e}'), "{line}");
    }
    // What it would forge stands in no line of its own.
    assert!(!log.lines().iter().any(|line| line.starts_with("level=error forged")), "{}", log.text());
    Ok(())
}

/// A million calls of the log in a debug build, on a busy machine.
fn dispatch_long() -> std::time::Duration {
    SOON * 6
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backends_secret_stays_its_own() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    // `texts` has the secret auth_token; `asker` names it and has none.
    let settings = ", method = \"POST\", secret = \"auth_token\"";
    let config = backend(&stage, "asker", settings, "") + &stage.plain();
    let daemon = stage.start(&config).await?;
    // What a plugin asks in vain is told: its backend is taken out of service.
    daemon.expect_error("lane.changed");
    daemon.send(&text(&location("asker"), "theft", "+15864603685")).await?;
    let message = until_some("an attempt", SOON, async || {
        let message = daemon.message("theft").await.ok()?;
        (!outcomes(&message).is_empty()).then_some(message)
    })
    .await?;
    let reply: &Value = &message["attempts"][0]["exchanges"][0]["reply"];
    assert!(reply.to_string().contains("refused"), "{message:#}");
    assert_eq!(stage.sms.count(), 0, "nothing left");
    assert!(!message.to_string().contains(TOKEN));

    daemon.send(&text(LOCATION, "honest", "+15864603685")).await?;
    daemon.wait_state("honest", "accepted", SOON).await?;
    assert_eq!(stage.sms.requests()[0].basic().map(|(_, token)| token).as_deref(), Some(TOKEN));
    let log = daemon.stop().await?.text();
    assert!(!log.contains(TOKEN));
    Ok(())
}
