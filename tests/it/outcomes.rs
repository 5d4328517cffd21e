//! What the engine does with each kind of answer: back off, fail over, pause, break, give up.

use dispatch_testkit::{Act, Answer, HttpCatcher, until};

use crate::stage::{LOCATION, SOON, Stage, backends, outcomes, text};

/// Two SMS backends in a chain.
fn chain(stage: &Stage, second: &HttpCatcher, more: &str) -> String {
    format!(
        r#"{}{}
[[routes]]
name = "texts"
channel = "sms"
deliver = ["first", "second"]
retry = {{ attempts = 2, first = "20ms", factor = 1.0, max = "50ms" }}
lookup_after = "20ms"
{more}
"#,
        stage.twilio("first", &stage.sms.url(), ""),
        stage.twilio("second", &second.url(), "")
    )
}

async fn second() -> anyhow::Result<HttpCatcher> {
    let second = HttpCatcher::start().await?;
    second.always(Answer::twilio_created());
    Ok(second)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passing_failure_is_tried_again_and_then_failed_over() -> anyhow::Result<()> {
    let (stage, second) = (Stage::new().await?, second().await?);
    let daemon = stage.start(&chain(&stage, &second, "")).await?;
    stage.sms.next(Answer::text(503, "later"));
    daemon.send(&text(LOCATION, "once", "+15864603685")).await?;
    let message = daemon.wait_state("once", "accepted", SOON).await?;
    assert_eq!(
        (outcomes(&message), backends(&message)),
        (vec!["deferred".into(), "accepted".into()], vec!["first".into(), "first".into()])
    );

    stage.sms.always(Answer::text(503, "later"));
    daemon.send(&text(LOCATION, "for-long", "+15864603686")).await?;
    let message = daemon.wait_state("for-long", "accepted", SOON).await?;
    assert_eq!(backends(&message), ["first", "first", "second"]);

    second.always(Answer::text(503, "later"));
    daemon.send(&text(LOCATION, "everywhere", "+15864603687")).await?;
    let message = daemon.wait_state("everywhere", "dead-lettered", SOON).await?;
    assert_eq!(backends(&message), ["first", "first", "second", "second"]);
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_recipients_fault_is_final() -> anyhow::Result<()> {
    let (stage, second) = (Stage::new().await?, second().await?);
    let daemon = stage.start(&chain(&stage, &second, "")).await?;
    stage.sms.always(Answer::twilio_error(400, 21211, "Invalid 'To' Phone Number"));
    daemon.send(&text(LOCATION, "bad-number", "+15864603685")).await?;
    let message = daemon.wait_state("bad-number", "dead-lettered", SOON).await?;
    assert_eq!(outcomes(&message), ["rejected"]);
    assert_eq!(message["delivery"]["reason"]["code"], "21211");
    assert_eq!(second.count(), 0, "no failover: it is not the backend's fault");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_break_the_backend_and_fail_over_at_once() -> anyhow::Result<()> {
    let (stage, second) = (Stage::new().await?, second().await?);
    let daemon = stage.start(&chain(&stage, &second, "")).await?;
    daemon.expect_error("lane.changed");
    stage.sms.always(Answer::twilio_error(401, 20003, "Authenticate"));
    daemon.send(&text(LOCATION, "locked-out", "+15864603685")).await?;
    let message = daemon.wait_state("locked-out", "accepted", SOON).await?;
    assert_eq!(backends(&message), ["first", "second"]);
    let status = daemon.ask("/v1/status").await?;
    let lanes = status["engine"]["lanes"].as_array().cloned().unwrap_or_default();
    let first = lanes.iter().find(|lane| lane["name"] == "first").cloned().unwrap_or_default();
    assert_eq!(first["breaker"]["state"], "open", "{first:#}");
    // The next one does not even try.
    daemon.send(&text(LOCATION, "spared", "+15864603686")).await?;
    let message = daemon.wait_state("spared", "accepted", SOON).await?;
    assert_eq!(backends(&message), ["second"]);
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_backend_pauses_for_everybody() -> anyhow::Result<()> {
    let (stage, second) = (Stage::new().await?, second().await?);
    let daemon = stage.start(&chain(&stage, &second, "patience = \"1s\"")).await?;
    stage.sms.next(Answer::twilio_error(429, 20429, "Too Many Requests").header("retry-after", "600"));
    daemon.send(&text(LOCATION, "throttled", "+15864603685")).await?;
    let message = daemon.wait_state("throttled", "accepted", SOON).await?;
    assert_eq!(
        backends(&message).last().map(String::as_str),
        Some("second"),
        "the wait is past the patience"
    );
    daemon.send(&text("another-location-001", "neighbour", "+15864603686")).await?;
    let message = daemon.wait_state("neighbour", "accepted", SOON).await?;
    assert_eq!(backends(&message), ["second"]);
    let status = daemon.ask("/v1/status").await?.to_string();
    assert!(status.contains("\"paused\""), "the pause is shown with its end: {status}");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_came_is_never_failed_over() -> anyhow::Result<()> {
    let (stage, second) = (Stage::new().await?, second().await?);
    let daemon = stage.start(&chain(&stage, &second, "")).await?;
    stage.sms.next(Act::ResetAfterReading);
    daemon.send(&text(LOCATION, "maybe", "+15864603685")).await?;
    let message = daemon.wait_state("maybe", "accepted", SOON).await?;
    assert_eq!(outcomes(&message), ["unknown", "accepted"]);
    assert_eq!(backends(&message), ["first", "first"]);
    assert_eq!(message["delivery"]["possible_double"], true);
    assert_eq!(message["attempts"][0]["idempotency_key"], message["attempts"][1]["idempotency_key"]);

    stage.sms.always(Act::ResetAfterReading);
    daemon.send(&text(LOCATION, "never-known", "+15864603686")).await?;
    daemon.wait_state("never-known", "held", SOON).await?;
    assert_eq!(second.count(), 0);
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_gets_nothing_twice_and_is_left_for_the_next() -> anyhow::Result<()> {
    let (stage, second) = (Stage::new().await?, second().await?);
    let config = chain(&stage, &second, "")
        .replace(&stage.sms.url(), &format!("http://127.0.0.1:{}", dispatch_testkit::free_port()));
    let daemon = stage.start(&config).await?;
    daemon.send(&text(LOCATION, "nobody-there", "+15864603685")).await?;
    let message = daemon.wait_state("nobody-there", "accepted", SOON).await?;
    assert_eq!(
        outcomes(&message),
        ["deferred", "deferred", "accepted"],
        "nothing left, so nothing is unknown"
    );
    assert_eq!(message["delivery"]["possible_double"], false);
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_route_a_message_is_a_dead_letter_and_can_be_redriven() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let elsewhere = stage.plain().replace("channel = ", "location = \"elsewhere\"\nchannel = ");
    let daemon = stage.start(&elsewhere).await?;
    assert_eq!(daemon.send(&text(LOCATION, "nowhere-to-go", "+15864603685")).await?.status, 200);
    daemon.wait_state("nowhere-to-go", "dead-lettered", SOON).await?;
    stage.home.configure(&stage.plain())?;
    assert_eq!(daemon.cli().json(&["reload"]).await?["applied"], true);
    daemon.cli().json(&["redrive", "--location", LOCATION]).await?;
    daemon.wait_state("nowhere-to-go", "accepted", SOON).await?;
    until("one request", SOON, async || stage.sms.count() == 1).await?;
    daemon.stop().await?;
    Ok(())
}
