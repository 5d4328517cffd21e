//! Every client has its own number, sub-account or relay: a location's overlay on a backend.

use dispatch_testkit::{Answer, Launch};

use crate::stage::{LOCATION, SOON, Stage, TOKEN, text};

const OTHER: &str = "another-location-001";

#[tokio::test(flavor = "multi_thread")]
async fn a_location_sends_from_its_own_number_with_its_own_account() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.home.write("acme-token", "acme-own-token-55")?;
    let overlay = format!(
        r#"
[locations.{LOCATION}]
name = "Acme Dental"
backends.texts = {{ settings = {{ account_sid = "AC11111111111111111111111111111111", from = "+525500001111" }}, secrets = {{ auth_token = {{ file = "{}" }} }} }}
"#,
        stage.home.file("acme-token").display()
    );
    let daemon = stage.start(&(stage.plain() + &overlay)).await?;
    daemon.send(&text(LOCATION, "of-acme", "+15864603685")).await?;
    daemon.send(&text(OTHER, "of-another", "+15864603686")).await?;
    stage.sms.wait_for(2, SOON).await?;
    for asked in stage.sms.requests() {
        let (user, token) = asked.basic().unwrap_or_default();
        let from = asked.field("From").unwrap_or_default();
        match asked.field("To").as_deref() {
            Some("+15864603685") => {
                assert_eq!(
                    (user.as_str(), token.as_str()),
                    ("AC11111111111111111111111111111111", "acme-own-token-55")
                );
                assert_eq!(from, "+525500001111");
                assert!(asked.target.contains("AC11111111111111111111111111111111"));
            }
            _ => assert_eq!((token.as_str(), from.as_str()), (TOKEN, "+15005550006")),
        }
    }
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_locked_account_is_not_everybodys() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.home.write("acme-token", "acme-own-token-55")?;
    let overlay = format!(
        "\n[locations.{LOCATION}]\nbackends.texts = {{ secrets = {{ auth_token = {{ file = \"{}\" }} }} }}\n",
        stage.home.file("acme-token").display()
    );
    let daemon = stage.start(&(stage.plain() + &overlay)).await?;
    daemon.expect_error("lane.changed");
    stage.sms.next(Answer::twilio_error(401, 20003, "Authenticate"));
    daemon.send(&text(LOCATION, "locked", "+15864603685")).await?;
    stage.sms.wait_for(1, SOON).await?;
    daemon.send(&text(OTHER, "free", "+15864603686")).await?;
    daemon.wait_state("free", "accepted", SOON).await?;
    let lanes = daemon.ask("/v1/status").await?["engine"]["lanes"].clone();
    let state = |name: String| {
        let lanes = lanes.as_array().cloned().unwrap_or_default();
        lanes.iter().find(|lane| lane["name"] == name).map(|lane| lane["breaker"]["state"].clone())
    };
    assert_eq!(state(format!("texts@{LOCATION}")), Some("open".into()), "{lanes:#}");
    assert_eq!(state("texts".into()), Some("closed".into()), "{lanes:#}");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_clients_come_from_a_table() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let mut table = String::from("location,name,texts.settings.from\n");
    for n in 0..5_000 {
        table.push_str(&format!("client-{n:013},Client {n},+52550{n:07}\n"));
    }
    stage.home.write("locations.csv", table)?;
    let config = format!("locations_file = \"locations.csv\"\n\n{}{}", stage.home.base(), stage.plain());
    stage.home.write("config.toml", config)?;
    let daemon = Launch::new(&stage.home).start().await?;
    daemon.send(&text("client-0000000004321", "of-4321", "+15864603685")).await?;
    let asked = stage.sms.wait_for(1, SOON).await?.remove(0);
    assert_eq!(asked.field("From").as_deref(), Some("+525500004321"));
    daemon.stop().await?;
    Ok(())
}
