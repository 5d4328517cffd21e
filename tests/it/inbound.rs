//! What people write back: signed as Twilio signs, kept before the 2xx, handed on by a route, and heeded where it says stop.

use std::time::Duration;

use dispatch_testkit::{Answer, Daemon, HttpCatcher, Launch, until};
use serde_json::{Value, json};

use crate::callbacks::{PUBLIC, call};
use crate::stage::{ACCOUNT, LOCATION, SOON, Stage, TOKEN, route, text};

/// Who writes.
const ANA: &str = "+15864603685";

/// Texts go out by `texts`; what comes back goes to `crm`, if `routed`.
fn config(stage: &Stage, crm: &HttpCatcher, routed: bool) -> String {
    let inbound = r#"
[[inbound]]
name = "replies to the CRM"
backend = "texts"
to = "crm"
retry = { attempts = 50, first = "20ms", factor = 1.0, max = "50ms" }
"#;
    format!(
        r#"{}
[backends.crm]
plugin = "http"
settings = {{ url = "{}/replies", body = {{ json = {{ from = "{{from}}", to = "{{to}}", text = "{{text}}", location = "{{location}}", backend = "{{extra.backend}}", id = "{{extra.id}}", media = "{{attachments}}", wish = "{{extra.opt_out}}" }} }} }}
private_networks = ["127.0.0.0/8"]
plaintext = true
{}{}"#,
        stage.twilio("texts", &stage.sms.url(), ""),
        crm.url(),
        route("all texts", "sms", "texts"),
        if routed { inbound } else { "" },
    )
}

async fn start(stage: &Stage, crm: &HttpCatcher, routed: bool) -> anyhow::Result<Daemon> {
    stage.home.configure(&config(stage, crm, routed))?;
    Launch::new(&stage.home).env("DISPATCHER__SERVER__PUBLIC_URL", PUBLIC).start().await
}

/// The URL that stands in the provider's console.
async fn console(daemon: &Daemon) -> anyhow::Result<String> {
    let listed = daemon.cli().json(&["callbacks"]).await?;
    let texts = listed.as_array().into_iter().flatten().find(|row| row["backend"] == "texts");
    Ok(texts.and_then(|row| row["url"].as_str()).unwrap_or_default().to_owned())
}

/// A person writes; the provider is told that it was taken.
async fn writes(stage: &Stage, url: &str, sid: &str, body: &str) -> anyhow::Result<()> {
    let fields = [
        ("MessageSid", sid),
        ("AccountSid", ACCOUNT),
        ("From", ANA),
        ("To", "+15005550006"),
        ("Body", body),
        ("NumMedia", "1"),
        ("MediaUrl0", "https://media.example.com/a.jpg"),
    ];
    let answer = call(stage, url, &fields, TOKEN).await?;
    anyhow::ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    Ok(())
}

async fn suppressed(daemon: &Daemon) -> anyhow::Result<Vec<Value>> {
    let listed = daemon.cli().json(&["suppressions", "list"]).await?;
    Ok(listed["items"].as_array().cloned().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_stops_before_anything_is_asked_and_another_lifts_it() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let crm = HttpCatcher::start().await?;
    let daemon = start(&stage, &crm, true).await?;
    let url = console(&daemon).await?;
    daemon.send(&text(LOCATION, "m1", ANA)).await?;
    daemon.wait_state("m1", "accepted", SOON).await?;
    writes(&stage, &url, "SM-alto", "¡Alto!").await?;
    let known = suppressed(&daemon).await?;
    assert_eq!(known.len(), 1, "{known:#?}");
    assert_eq!(known[0]["location"], LOCATION, "the location that wrote to her last");
    assert_eq!((&known[0]["channel"], &known[0]["backend"]), (&json!("sms"), &json!("texts")));
    daemon.send(&text(LOCATION, "m2", ANA)).await?;
    let message = daemon.wait_state("m2", "dead-lettered", SOON).await?;
    assert_eq!(message["delivery"]["reason"]["code"], "suppressed");
    assert_eq!(message["attempts"], json!([]));
    daemon.send(&text("another-location", "m3", ANA)).await?;
    daemon.wait_state("m3", "accepted", SOON).await?;
    assert_eq!(stage.asked_to_send(), 2, "nothing was asked for m2");
    let shown = daemon.cli().run(&["message", "m2"]).await?;
    assert!(shown.stdout.contains("wants no text messages"), "{}", shown.stdout);
    // The word itself is handed on as well.
    assert_eq!(crm.wait_for(1, SOON).await?[0].json()?["wish"], "stop");

    writes(&stage, &url, "SM-alta", "ALTA").await?;
    assert_eq!(suppressed(&daemon).await?, Vec::<Value>::new());
    writes(&stage, &url, "SM-alto", "¡Alto!").await?;
    assert_eq!(suppressed(&daemon).await?, Vec::<Value>::new(), "a repeated callback brings an old word");
    daemon.send(&text(LOCATION, "m4", ANA)).await?;
    daemon.wait_state("m4", "accepted", SOON).await?;
    let metrics = daemon.get("/metrics").await?.text();
    for line in [
        "dispatcher_suppressed_total{channel=\"sms\"} 1",
        "dispatcher_opt_outs_total{backend=\"texts\",kind=\"stop\"} 1",
        "dispatcher_opt_outs_total{backend=\"texts\",kind=\"start\"} 1",
        "dispatcher_inbound_total{backend=\"texts\",result=\"duplicate\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let log = daemon.stop().await?.text();
    assert!(log.contains("inbound.kept") && log.contains("delivery.suppressed"), "{log}");
    assert!(!log.contains(ANA) && !log.contains("Alto"), "ids, never addresses and texts: {log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_holds_back_what_waits() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let crm = HttpCatcher::start().await?;
    let slow = "retry = { attempts = 3, first = \"20ms\", factor = 1.0, max = \"50ms\" }";
    let patient = "retry = { attempts = 3, first = \"4s\", factor = 1.0, max = \"4s\" }";
    stage.home.configure(&config(&stage, &crm, false).replace(slow, patient))?;
    let daemon = Launch::new(&stage.home).env("DISPATCHER__SERVER__PUBLIC_URL", PUBLIC).start().await?;
    let url = console(&daemon).await?;
    stage.sms.next(Answer::twilio_error(503, 20503, "Service unavailable"));
    daemon.send(&text(LOCATION, "m1", ANA)).await?;
    until("the first attempt to be over", SOON, async || {
        let message = daemon.message("m1").await.unwrap_or_default();
        message["delivery"]["state"] == "scheduled" && message["delivery"]["attempts"] == 1
    })
    .await?;
    writes(&stage, &url, "SM-stop", "stop").await?;
    let message = daemon.wait_state("m1", "dead-lettered", SOON).await?;
    assert_eq!(message["delivery"]["reason"]["code"], "suppressed");
    assert_eq!(stage.asked_to_send(), 1);
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_write_is_handed_on_and_tried_again() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let crm = HttpCatcher::start().await?;
    let daemon = start(&stage, &crm, true).await?;
    let url = console(&daemon).await?;
    crm.next(Answer::json(500, &json!({ "error": "busy" })));
    writes(&stage, &url, "SM-hola", "Hola, ¿a qué hora?").await?;
    writes(&stage, &url, "SM-hola", "Hola, ¿a qué hora?").await?;
    let message = daemon.wait_state("SM-hola", "accepted", SOON).await?;
    assert_eq!(message["attempts"].as_array().map(Vec::len), Some(2), "{message:#}");
    let asked = crm.requests();
    assert_eq!(asked.len(), 2, "the same message twice is one");
    let body = asked[1].json()?;
    assert_eq!(
        body,
        json!({
            "from": ANA, "to": "+15005550006", "text": "Hola, ¿a qué hora?", "backend": "texts", "id": "SM-hola",
            "media": ["https://media.example.com/a.jpg"], "location": "",
        })
    );
    let listed = daemon.cli().json(&["messages", "--inbound"]).await?;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed:#}");
    assert_eq!(listed["items"][0]["sender"], ANA);
    let shown = daemon.cli().run(&["message", "SM-hola"]).await?;
    assert!(
        shown.stdout.contains("from +15864603685") && shown.stdout.contains("¿a qué hora?"),
        "{}",
        shown.stdout
    );
    let quarantined = daemon.ask("/v1/quarantine").await?;
    assert_eq!(quarantined["items"], json!([]), "they are no longer there");
    assert_eq!(stage.asked_to_send(), 0);
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_route_it_is_kept_and_can_be_handed_on_later() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let crm = HttpCatcher::start().await?;
    let daemon = start(&stage, &crm, false).await?;
    let url = console(&daemon).await?;
    writes(&stage, &url, "SM-hola", "Hola").await?;
    let message = daemon.wait_state("SM-hola", "kept", SOON).await?;
    assert_eq!(message["delivery"]["reason"]["code"], "no-inbound-route");
    let shown = daemon.cli().run(&["message", "SM-hola"]).await?;
    assert!(shown.stdout.contains("kept") && shown.stdout.contains("no inbound route"), "{}", shown.stdout);
    stage.home.configure(&config(&stage, &crm, true))?;
    daemon.cli().json(&["reload"]).await?;
    let id = message["message"]["id"].as_str().unwrap_or_default();
    daemon.cli().json(&["redrive", id]).await?;
    daemon.wait_state("SM-hola", "accepted", SOON).await?;
    assert_eq!(crm.requests()[0].json()?["text"], "Hola");
    let log = daemon.stop().await?.text();
    assert!(log.contains("inbound.not_handed_on"), "{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_kill_9() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let crm = HttpCatcher::start().await?;
    crm.always(Answer::json(503, &json!({})));
    let daemon = start(&stage, &crm, true).await?;
    let url = console(&daemon).await?;
    writes(&stage, &url, "SM-stop", "STOP").await?;
    writes(&stage, &url, "SM-hola", "Hola").await?;
    daemon.kill().await?;
    crm.always(Answer::json(200, &json!({})));
    let daemon = start(&stage, &crm, true).await?;
    let known = suppressed(&daemon).await?;
    assert_eq!(known.len(), 1);
    assert_eq!(known[0]["location"], Value::Null, "nobody had written to her: it holds everywhere");
    for id in ["SM-stop", "SM-hola"] {
        daemon.wait_state(id, "accepted", Duration::from_secs(30)).await?;
    }
    daemon.send(&text(LOCATION, "m1", ANA)).await?;
    let message = daemon.wait_state("m1", "dead-lettered", SOON).await?;
    assert_eq!(message["delivery"]["reason"]["code"], "suppressed");
    assert_eq!(stage.asked_to_send(), 0);
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_of_inbound_messages_are_tested_and_explained() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let crm = HttpCatcher::start().await?;
    let sample =
        json!({ "backend": "texts", "channel": "sms", "from": ANA, "to": "+15005550006", "text": "Hola" });
    let file = stage.home.write("inbound.json", sample.to_string())?;
    let test = |expect: &str| format!("\n[[tests]]\ninbound = \"{}\"\nexpect = {expect}\n", file.display());
    let right = test("{ route = \"replies to the CRM\", deliver = \"crm\" }");
    let daemon = stage.start(&format!("{}{right}", config(&stage, &crm, true))).await?;
    daemon.cli().json(&["check"]).await?;
    let path = file.display().to_string();
    let shown = daemon.cli().run(&["explain", "--inbound", &path]).await?;
    assert!(shown.stdout.contains("+ replies to the CRM: matches by backend texts"), "{}", shown.stdout);
    assert!(shown.stdout.contains("/replies"), "{}", shown.stdout);
    daemon.stop().await?;
    Ok(())
}
