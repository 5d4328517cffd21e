//! The `smpp` plugin and a message centre written by others (npm `smpp`): parts, alphabets, statuses, a restart.

use dispatch_testkit::{Counterpart, Counterparts, Daemon, Launch, free_port, until, until_some};
use serde_json::{Value, json};

use crate::stage::{LOCATION, SOON, Stage, TOKEN, outcomes};

const SYSTEM_ID: &str = "acme";

/// A daemon that sends its texts through the message centre at this port.
async fn daemon(stage: &Stage, port: u16, password: &str) -> anyhow::Result<Daemon> {
    let password = stage.home.write("smsc-password", password)?;
    let config = format!(
        r#"
[backends.carrier]
plugin = "smpp"
plaintext = true
settings = {{ from = "+525500001111", validity = 86400 }}
session = {{ host = "127.0.0.1", port = {port}, tls = false, system_id = "{SYSTEM_ID}", password = {{ file = "{}" }} }}
limits = {{ breaker_failures = 1000 }}

[[routes]]
name = "texts"
channel = "sms"
deliver = "carrier"
on_unknown = "hold"
retry = {{ attempts = 1000, first = "100ms", factor = 1.0, max = "200ms" }}
"#,
        password.display()
    );
    stage.home.configure(&config)?;
    Launch::new(&stage.home).start().await
}

async fn begin(stage: &Stage) -> anyhow::Result<(Daemon, Counterpart)> {
    let port = free_port();
    let centre = Counterparts::find()?.smsc(port, (SYSTEM_ID, TOKEN)).await?;
    Ok((daemon(stage, port, TOKEN).await?, centre))
}

fn text(id: &str, phone: &str, text: &str) -> Vec<u8> {
    json!({
        "contactId": "c", "locationId": LOCATION, "messageId": id, "type": "SMS", "phone": phone, "message": text,
        "attachments": []
    })
    .to_string()
    .into_bytes()
}

/// What the message centre was handed for this number.
fn submitted(centre: &Counterpart, to: &str) -> Vec<Value> {
    centre.told("SUBMIT").into_iter().filter(|one| one["to"] == to).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs npm smpp: run `cargo xtask test`"]
async fn texts_arrive_as_they_were_written() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let (daemon, centre) = begin(&stage).await?;
    daemon.send(&text("short", "+525512340001", "Hola ñ, 10 € [sí no]".replace('í', "i").as_str())).await?;
    daemon.wait_state("short", "delivered", SOON).await?;
    let short = submitted(&centre, "525512340001");
    assert_eq!(short.len(), 1);
    assert_eq!(short[0]["text"], "Hola ñ, 10 € [si no]");
    assert_eq!(short[0]["from"], "525500001111");
    // The library tells a span of time as the moment at which it ends.
    assert!(short[0]["validity"].is_string(), "{}", short[0]);
    assert_eq!(short[0]["receipts"], 1);

    let long = "Ñandú y €uros. ".replace('ú', "u").repeat(25);
    daemon.send(&text("long", "+525512340002", &long)).await?;
    daemon.wait_state("long", "delivered", SOON).await?;
    let parts = submitted(&centre, "525512340002");
    assert_eq!(parts.len(), 3);
    let whole: String = parts.iter().filter_map(|part| part["text"].as_str()).collect();
    assert_eq!(whole, long);
    for (number, part) in (1..).zip(&parts) {
        let header = part["udh"][0].as_str().unwrap_or_default();
        assert!(header.starts_with("0003") && header.ends_with(&format!("03{number:02x}")), "{part}");
    }

    daemon.send(&text("unicode", "+525512340003", "Año, camión, 👋🏽")).await?;
    daemon.wait_state("unicode", "delivered", SOON).await?;
    let unicode = &submitted(&centre, "525512340003")[0];
    assert_eq!((&unicode["text"], &unicode["coding"]), (&json!("Año, camión, 👋🏽"), &json!(8)));
    assert_eq!(centre.log.lines().iter().filter(|line| *line == "BOUND").count(), 1, "one session for all");
    daemon.stop().await?;
    centre.log.wait_for("UNBIND", SOON).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs npm smpp: run `cargo xtask test`"]
async fn each_status_is_what_it_is() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let (daemon, centre) = begin(&stage).await?;
    daemon.send(&text("to-nobody", "+525512340011", "Hola")).await?;
    let message = daemon.wait_state("to-nobody", "dead-lettered", SOON).await?;
    assert_eq!(message["delivery"]["reason"]["code"], "0xb", "{message:#}");

    // The whole lane waits and nothing is counted against the message.
    daemon.send(&text("too-fast", "+525512340058", "Hola")).await?;
    let message = daemon.wait_state("too-fast", "delivered", SOON).await?;
    assert_eq!(outcomes(&message), ["throttled", "accepted"]);

    // The connection is lost without an answer: nobody knows, and it is said so and not sent again.
    daemon.send(&text("lost", "+525512340001", "drop")).await?;
    let message = daemon.wait_state("lost", "held", SOON).await?;
    assert_eq!(outcomes(&message), ["unknown"]);
    assert_eq!(submitted(&centre, "525512340001").len(), 1);
    daemon.send(&text("after", "+525512340002", "Hola")).await?;
    daemon.wait_state("after", "delivered", SOON).await?;
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs npm smpp: run `cargo xtask test`"]
async fn a_message_centre_that_restarts_is_bound_again() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let (daemon, centre) = begin(&stage).await?;
    centre.log.wait_for("BOUND", SOON).await?;
    let port = centre.port;
    drop(centre);
    // Until the daemon has seen it, a text would be written to a connection that is gone, and might have left.
    daemon.log().wait_for("smpp.ended", SOON).await?;
    daemon.send(&text("meanwhile", "+525512340001", "Hola")).await?;
    until("a try while it is away", SOON, async || {
        daemon.message("meanwhile").await.is_ok_and(|message| !outcomes(&message).is_empty())
    })
    .await?;
    let centre = Counterparts::find()?.smsc(port, (SYSTEM_ID, TOKEN)).await?;
    let message = daemon.wait_state("meanwhile", "delivered", SOON).await?;
    let tried = outcomes(&message);
    assert!(tried[..tried.len() - 1].iter().all(|outcome| outcome == "deferred"), "{tried:?}");
    assert_eq!(submitted(&centre, "525512340001").len(), 1, "it had not left before");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs npm smpp: run `cargo xtask test`"]
async fn a_wrong_password_is_the_accounts_fault() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let port = free_port();
    let centre = Counterparts::find()?.smsc(port, (SYSTEM_ID, TOKEN)).await?;
    let daemon = daemon(&stage, port, "not-the-password").await?;
    daemon.expect_error("lane.changed").expect_error("smpp.refused");
    daemon.send(&text("locked-out", "+525512340001", "Hola")).await?;
    let message = until_some("the refusal", SOON, async || {
        let message = daemon.message("locked-out").await.ok()?;
        outcomes(&message).first().is_some_and(|outcome| outcome == "rejected").then_some(message)
    })
    .await?;
    assert_eq!(message["attempts"][0]["outcome"]["kind"], "account", "{message:#}");
    assert!(submitted(&centre, "525512340001").is_empty());
    assert!(!daemon.log().contains("not-the-password"));
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs npm smpp: run `cargo xtask test`"]
async fn what_people_write_is_kept_and_heeded() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let (daemon, centre) = begin(&stage).await?;
    daemon.send(&text("question", "+525512340009", "echo: ¡Alto!")).await?;
    let listed = until_some("the answer to come in", SOON, async || {
        let listed = daemon.cli().json(&["messages", "--inbound"]).await.ok()?;
        listed["items"].as_array()?.iter().find(|item| item["state"] == "kept").cloned()
    })
    .await?;
    assert_eq!((&listed["sender"], &listed["location"]), (&json!("+525512340009"), &json!(LOCATION)));
    let answered = until_some("the message centre to be told", SOON, async || {
        centre.told("ANSWERED").into_iter().find(|one| one["inbound"] == "¡Alto!")
    })
    .await?;
    assert_eq!(answered["status"], 0);
    daemon.send(&text("after", "+525512340009", "Hola")).await?;
    let message = daemon.wait_state("after", "dead-lettered", SOON).await?;
    assert_eq!(message["delivery"]["reason"]["code"], "suppressed");
    assert_eq!(submitted(&centre, "525512340009").len(), 1);
    daemon.stop().await?;
    Ok(())
}
