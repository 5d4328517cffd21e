//! A new configuration is applied while the daemon runs: all of it, or none of it.

use dispatch_testkit::{Answer, HttpCatcher, until};

use crate::stage::{LOCATION, SOON, Stage, backends, route, text};

/// Two providers; the route goes to the one named.
fn config(stage: &Stage, other: &HttpCatcher, to: &str) -> String {
    [
        stage.twilio("texts", &stage.sms.url(), ""),
        stage.twilio("other", &other.url(), ""),
        route("texts", "sms", to),
    ]
    .concat()
}

async fn other_provider() -> anyhow::Result<HttpCatcher> {
    let other = HttpCatcher::start().await?;
    other.always(Answer::twilio_created());
    Ok(other)
}

#[tokio::test(flavor = "multi_thread")]
async fn saving_the_file_applies_it() -> anyhow::Result<()> {
    let (stage, other) = (Stage::new().await?, other_provider().await?);
    let daemon = stage.start(&config(&stage, &other, "texts")).await?;
    daemon.send(&text(LOCATION, "before", "+15864603685")).await?;
    stage.sms.wait_for(1, SOON).await?;

    let generation = daemon.ask("/v1/status").await?["engine"]["generation"].clone();
    stage.home.configure(&config(&stage, &other, "other"))?;
    until("the new file to be in force", SOON, async || {
        daemon.ask("/v1/status").await.is_ok_and(|status| status["engine"]["generation"] != generation)
    })
    .await?;
    daemon.send(&text(LOCATION, "after", "+15864603686")).await?;
    let message = daemon.wait_state("after", "accepted", SOON).await?;
    assert_eq!(backends(&message), ["other"]);
    assert_eq!((stage.sms.count(), other.count()), (1, 1));
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_file_changes_nothing_and_is_shown() -> anyhow::Result<()> {
    let (stage, other) = (Stage::new().await?, other_provider().await?);
    let daemon = stage.start(&config(&stage, &other, "texts")).await?;
    daemon.expect_error("config.refused");
    stage.home.configure(&config(&stage, &other, "a-backend-that-is-not"))?;
    daemon.hang_up()?;
    until("the refusal to be shown", SOON, async || {
        daemon.ask("/v1/status").await.is_ok_and(|status| status["daemon"]["config_refused"].is_string())
    })
    .await?;
    let refused = daemon.ask("/v1/status").await?["daemon"]["config_refused"].to_string();
    assert!(refused.contains("a-backend-that-is-not"), "{refused}");
    daemon.send(&text(LOCATION, "still", "+15864603685")).await?;
    daemon.wait_state("still", "accepted", SOON).await?;

    // Put right, it is applied and the complaint is gone.
    stage.home.configure(&config(&stage, &other, "other"))?;
    daemon.hang_up()?;
    until("the refusal to be gone", SOON, async || {
        daemon.ask("/v1/status").await.is_ok_and(|status| status["daemon"]["config_refused"].is_null())
    })
    .await?;
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_secret_and_new_settings_reach_deliveries_that_wait() -> anyhow::Result<()> {
    let (stage, other) = (Stage::new().await?, other_provider().await?);
    let daemon = stage.start(&config(&stage, &other, "texts")).await?;
    daemon.cli().json(&["suspend", "--backend", "texts"]).await?;
    daemon.send(&text(LOCATION, "waits", "+15864603685")).await?;
    daemon.wait_state("waits", "scheduled", SOON).await?;

    stage.home.write("token", "the-new-token")?;
    stage.home.configure(&config(&stage, &other, "texts").replace("+15005550006", "+15005550007"))?;
    let report = daemon.cli().json(&["reload"]).await?;
    assert_eq!(report["applied"], true, "{report:#}");
    daemon.cli().json(&["resume", "--backend", "texts"]).await?;
    let asked = stage.sms.wait_for(1, SOON).await?.remove(0);
    assert_eq!(asked.field("From").as_deref(), Some("+15005550007"));
    assert_eq!(asked.basic().map(|(_, token)| token).as_deref(), Some("the-new-token"));
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_dropped_by_reloads() -> anyhow::Result<()> {
    let (stage, other) = (Stage::new().await?, other_provider().await?);
    let daemon = stage.start(&config(&stage, &other, "texts")).await?;
    let target = daemon.target().clone();
    let requests = (0..600).map(|n| target.request(&dispatch_testkit::sms(LOCATION, n, 512))).collect();
    let load = dispatch_testkit::Load { connections: 8, rate: Some(600) };
    let running = tokio::spawn(async move { load.run(target.addr, requests).await });
    for to in ["other", "texts", "other"] {
        stage.home.configure(&config(&stage, &other, to))?;
        let report = daemon.cli().json(&["reload"]).await?;
        assert_eq!(report["applied"], true, "{report:#}");
    }
    let report = running.await?;
    assert_eq!((report.acked.len(), report.unanswered), (600, 0), "{:?}", report.statuses);
    until("all to arrive", SOON, async || stage.sms.count() + other.count() >= 600).await?;
    daemon.stop().await?;
    Ok(())
}
