//! What providers say later: signed as Twilio signs, with the account's token, by this test.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dispatch_testkit::{Act, Answer, Client, Daemon, Launch, Response, until};
use ring::hmac;
use serde_json::Value;

use crate::stage::{ACCOUNT, LOCATION, SOON, Stage, TOKEN, outcomes, text};

/// Where the proxy before the daemon is, for those who sign.
pub(crate) const PUBLIC: &str = "https://hooks.example.com";

/// One backend, and a route with these keys.
fn config(stage: &Stage, route: &str) -> String {
    format!(
        r#"
{}
[[routes]]
name = "texts"
channel = "sms"
deliver = "texts"
{route}
"#,
        stage.twilio("texts", &stage.sms.url(), "")
    )
}

async fn start(stage: &Stage, route: &str) -> anyhow::Result<Daemon> {
    stage.home.configure(&config(stage, route))?;
    Launch::new(&stage.home).env("DISPATCHER__SERVER__PUBLIC_URL", PUBLIC).start().await
}

/// The fields of a form, signed for a URL under the public one.
pub(crate) async fn call(
    stage: &Stage,
    url: &str,
    fields: &[(&str, &str)],
    token: &str,
) -> anyhow::Result<Response> {
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let signed: String = sorted.iter().flat_map(|(name, value)| [*name, *value]).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    let signature = BASE64_STANDARD.encode(hmac::sign(&key, format!("{url}{signed}").as_bytes()));
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers =
        [("content-type", "application/x-www-form-urlencoded"), ("x-twilio-signature", signature.as_str())];
    let path = url.strip_prefix(PUBLIC).ok_or_else(|| anyhow::anyhow!("{url} is not under {PUBLIC}"))?;
    Client::tcp(stage.home.ingress()).await?.request("POST", path, &headers, body.as_bytes()).await
}

/// The URL that the provider was told to call for the request with this number.
fn told(stage: &Stage, index: usize) -> String {
    stage.sms.requests()[index].field("StatusCallback").expect("a callback URL")
}

async fn says(stage: &Stage, url: &str, sid: &str, status: &str) -> anyhow::Result<()> {
    let fields = [("MessageSid", sid), ("MessageStatus", status), ("AccountSid", ACCOUNT)];
    let answer = call(stage, url, &fields, TOKEN).await?;
    anyhow::ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    Ok(())
}

async fn state(daemon: &Daemon, id: &str) -> anyhow::Result<Value> {
    Ok(daemon.message(id).await?["delivery"]["state"].clone())
}

fn sid(message: &Value) -> String {
    message["delivery"]["references"][0].as_str().expect("a reference").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_end_in_the_right_state_whatever_their_order() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = start(&stage, "").await?;
    daemon.send(&text(LOCATION, "m1", "+15864603685")).await?;
    let message = daemon.wait_state("m1", "accepted", SOON).await?;
    let (sid, url) = (sid(&message), told(&stage, 0));
    for (status, expected) in [
        ("sent", "accepted"),
        ("undelivered", "undelivered"),
        ("delivered", "delivered"),
        ("sent", "delivered"),
        ("delivered", "delivered"),
    ] {
        says(&stage, &url, &sid, status).await?;
        assert_eq!(state(&daemon, "m1").await?, expected, "after {status}");
    }
    let message = daemon.message("m1").await?;
    assert_eq!(message["receipts"].as_array().map(Vec::len), Some(3), "repeated ones are one: {message:#}");
    let shown = daemon.cli().run(&["message", "m1"]).await?;
    assert!(shown.stdout.contains("undelivered") && shown.stdout.contains("delivered"), "{}", shown.stdout);
    let metrics = daemon.get("/metrics").await?.text();
    assert!(
        metrics.contains("dispatcher_callbacks_total{backend=\"texts\",outcome=\"taken\"} 5"),
        "{metrics}"
    );
    assert!(metrics.contains("dispatcher_receipts_total"), "{metrics}");
    let log = daemon.stop().await?.text();
    assert!(log.contains("callback") && log.contains("receipt.heard"), "{log}");
    assert!(!log.contains("+15864603685"), "ids, never addresses: {log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_so_is_refused_and_changes_nothing() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = start(&stage, "").await?;
    daemon.send(&text(LOCATION, "m1", "+15864603685")).await?;
    let message = daemon.wait_state("m1", "accepted", SOON).await?;
    let (sid, url) = (sid(&message), told(&stage, 0));
    let fields = [("MessageSid", sid.as_str()), ("MessageStatus", "delivered")];
    assert_eq!(call(&stage, &url, &fields, "another token").await?.status, 403);
    let token = url.split("/callbacks/texts/").nth(1).expect("a token");
    let first = if token.starts_with('B') { "C" } else { "B" };
    let forged = format!("{PUBLIC}/callbacks/texts/{first}{}", &token[1..]);
    assert_eq!(call(&stage, &forged, &fields, TOKEN).await?.status, 403, "a URL that we did not make");
    assert_eq!(call(&stage, &format!("{PUBLIC}/callbacks/texts/x"), &fields, TOKEN).await?.status, 403);
    assert_eq!(state(&daemon, "m1").await?, "accepted");
    assert_eq!(call(&stage, &url, &fields, TOKEN).await?.status, 200);
    assert_eq!(state(&daemon, "m1").await?, "delivered");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standing_url_is_shown_and_finds_messages_by_their_reference() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = start(&stage, "").await?;
    let listed = daemon.cli().json(&["callbacks"]).await?;
    let url = listed[0]["url"].as_str().expect("a URL").to_owned();
    assert!(url.starts_with(&format!("{PUBLIC}/callbacks/texts/")), "{url}");
    // Before our commit: nobody knows the reference yet.
    says(&stage, &url, "SM-early", "delivered").await?;
    let status = daemon.ask("/v1/status").await?;
    assert_eq!(status["store"]["parked_receipts"], 1, "{status:#}");
    stage.sms.next(Answer::json(201, &serde_json::json!({ "sid": "SM-early", "status": "queued" })));
    daemon.send(&text(LOCATION, "early", "+15864603685")).await?;
    daemon.wait_state("early", "delivered", SOON).await?;
    // And after a restart the same URL still holds.
    daemon.stop().await?;
    let daemon = start(&stage, "").await?;
    assert_eq!(daemon.cli().json(&["callbacks"]).await?[0]["url"], url.as_str());
    says(&stage, &url, "SM-early", "undelivered").await?;
    assert_eq!(state(&daemon, "early").await?, "delivered");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_settles_what_nobody_knew() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = start(&stage, "on_unknown = \"hold\"\nretry = { attempts = 1, first = \"1h\" }").await?;
    // The provider takes it, and the connection breaks before the answer.
    stage.sms.next(Act::ResetAfterReading);
    daemon.send(&text(LOCATION, "lost", "+15864603685")).await?;
    until("the provider was asked", SOON, async || stage.asked_to_send() == 1).await?;
    let url = told(&stage, 0);
    says(&stage, &url, "SM-lost", "sent").await?;
    let message = daemon.wait_state("lost", "accepted", SOON).await?;
    assert_eq!(message["delivery"]["references"][0], "SM-lost");
    assert_eq!(message["delivery"]["unresolved"], false);
    says(&stage, &url, "SM-lost", "delivered").await?;
    let message = daemon.message("lost").await?;
    assert_eq!(message["delivery"]["state"], "delivered");
    assert_eq!(
        (outcomes(&message), stage.asked_to_send()),
        (vec!["unknown".to_owned()], 1),
        "it was not tried again"
    );
    assert_eq!(message["delivery"]["possible_double"], false);
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_kill_9() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = start(&stage, "").await?;
    daemon.send(&text(LOCATION, "m1", "+15864603685")).await?;
    let message = daemon.wait_state("m1", "accepted", SOON).await?;
    says(&stage, &told(&stage, 0), &sid(&message), "delivered").await?;
    daemon.kill().await?;
    let daemon = start(&stage, "").await?;
    daemon.wait_state("m1", "delivered", Duration::from_secs(20)).await?;
    daemon.stop().await?;
    Ok(())
}
