//! Attempts whose answer was lost: found at the provider, known not to be there, or said aloud as a possible double.

use dispatch_testkit::{Act, Answer};
use serde_json::{Value, json};

use crate::plugins::dist;
use crate::stage::{LOCATION, SOON, Stage, http_api, outcomes, route, text};

/// How long these routes wait before they ask.
const LOOKUP_AFTER_MS: u64 = 600;

/// A route whose provider's list is given this long.
fn asking(deliver: &str) -> String {
    route("texts", "sms", deliver)
        .replace("lookup_after = \"20ms\"", &format!("lookup_after = \"{LOOKUP_AFTER_MS}ms\""))
}

/// A plugin that looks messages up by our key, at `/lookup`: 200 is found, 404 absent, 202 not yet.
fn by_key(stage: &Stage) -> String {
    let (file, url) = (dist().join("fixtures/echo.wasm"), stage.sms.url());
    format!(
        r#"
[plugins.echo]
file = "{}"
hosts = ["127.0.0.1"]

[backends.asked]
plugin = "echo"
settings = {{ url = "{url}" }}
private_networks = ["127.0.0.0/8"]
plaintext = true
"#,
        file.display()
    ) + &asking("asked")
}

/// Milliseconds from the end of an attempt to the beginning of the next.
fn waited(message: &Value, attempt: usize) -> u64 {
    let at = |index: usize, field: &str| message["attempts"][index][field].as_u64().unwrap_or_default();
    at(attempt + 1, "started_at") - at(attempt, "ended_at")
}

/// The methods of what the provider was asked, in order.
fn asked(stage: &Stage) -> Vec<String> {
    stage.sms.requests().into_iter().map(|asked| asked.method).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_and_not_answered_is_found_and_not_sent_again() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let config = stage.twilio("texts", &stage.sms.url(), "") + &asking("texts");
    let daemon = stage.start(&config).await?;
    // Twilio takes it, and the connection breaks before the answer. Its list has it; the date only has to be late enough.
    stage.sms.next(Act::ResetAfterReading);
    stage.sms.next(Answer::json(
        200,
        &json!({ "next_page_uri": null, "messages": [{
            "sid": "SM-lost", "body": "Hola from lost", "date_created": "Fri, 01 Jan 2100 00:00:00 +0000",
            "direction": "outbound-api", "num_media": "0", "status": "sent", "num_segments": "1",
        }] }),
    ));
    daemon.send(&text(LOCATION, "lost", "+15864603685")).await?;
    let message = daemon.wait_state("lost", "accepted", SOON).await?;
    assert_eq!(outcomes(&message), ["unknown", "accepted"]);
    assert_eq!(message["delivery"]["references"], json!(["SM-lost"]));
    assert_eq!(message["delivery"]["possible_double"], false);
    assert!(waited(&message, 0) >= LOOKUP_AFTER_MS, "lists lag: {message:#}");
    assert_eq!(asked(&stage), ["POST", "GET"], "sent once");
    let shown = daemon.cli().run(&["message", "lost"]).await?.stdout;
    assert!(!shown.contains("double"), "{shown}");
    let body = stage.home.write("body.json", text(LOCATION, "what-if", "+15864603685"))?;
    let explained = daemon.cli().run(&["explain", &body.to_string_lossy()]).await?.stdout;
    assert!(explained.contains("after an attempt whose answer is lost"), "{explained}");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_does_not_have_is_sent_again_and_is_no_double() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = stage.start(&by_key(&stage)).await?;
    stage.sms.next(Act::ResetAfterReading);
    stage.sms.next(Answer::text(202, "").header("retry-after", "1"));
    stage.sms.next(Answer::text(404, ""));
    stage.sms.next(Answer::json(200, &json!({ "id": "second" })));
    daemon.send(&text(LOCATION, "absent", "+15864603685")).await?;
    let message = daemon.wait_state("absent", "accepted", SOON).await?;
    assert_eq!(outcomes(&message), ["unknown", "unknown", "deferred", "accepted"]);
    assert_eq!(asked(&stage), ["POST", "GET", "GET", "POST"]);
    assert!(waited(&message, 0) >= LOOKUP_AFTER_MS, "as the route says: {message:#}");
    assert!(waited(&message, 1) >= 1000, "as the plugin says: {message:#}");
    assert_eq!(message["delivery"]["possible_double"], false, "it is known not to have arrived");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_double_cannot_be_excluded_it_is_said() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let config = by_key(&stage)
        + &http_api(&stage, &stage.sms.url())
        + &route("unasked", "sms", "api").replace("channel =", "location = \"unasked\"\nchannel =");
    // The first route that matches wins.
    let config = config.replace("name = \"texts\"", &format!("name = \"texts\"\nlocation = \"{LOCATION}\""));
    let daemon = stage.start(&config).await?;
    // A provider that cannot tell, and one that cannot be asked.
    stage.sms.next(Act::ResetAfterReading);
    stage.sms.next(Answer::text(403, "no lists with this key"));
    stage.sms.always(Answer::json(200, &json!({ "id": "again", "data": { "id": "again" } })));
    daemon.send(&text(LOCATION, "untold", "+15864603685")).await?;
    let untold = daemon.wait_state("untold", "accepted", SOON).await?;
    stage.sms.next(Act::ResetAfterReading);
    daemon.send(&text("unasked", "unasked", "+15864603686")).await?;
    let unasked = daemon.wait_state("unasked", "accepted", SOON).await?;
    for (id, message) in [("untold", untold), ("unasked", unasked)] {
        assert_eq!(outcomes(&message), ["unknown", "accepted"], "{id}");
        assert_eq!(message["delivery"]["possible_double"], true, "{id}");
        assert_eq!(message["attempts"][1]["possible_double"], true, "{id}");
        let shown = daemon.cli().run(&["message", id]).await?.stdout;
        assert!(shown.contains("the recipient may have got it more than once"), "{shown}");
        assert!(shown.contains("(possible double)"), "{shown}");
    }
    daemon.stop().await?;
    Ok(())
}
