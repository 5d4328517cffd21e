//! The `telnyx` and `vonage` plugins against their vendors' own OpenAPI descriptions, under a server (Prism) that refuses
//! what the description refuses; and the `infobip` plugin against a catcher, since there is no description of its API
//! that could be had.

use std::sync::Arc;

use dispatch_testkit::{Act, Answer, Caught, Counterpart, Counterparts, HttpCatcher};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::stage::{LOCATION, SOON, Stage, TOKEN, outcomes, route, text};

/// Prism is slow when it is busy.
const PATIENTLY: std::time::Duration = std::time::Duration::from_secs(60);

/// A backend with one secret, on this machine.
fn backend(stage: &Stage, plugin: &str, secret: &str, settings: &str) -> String {
    format!(
        r#"
[backends.texts]
plugin = "{plugin}"
settings = {{ {settings} }}
secrets = {{ {secret} = {{ file = "{}" }} }}
private_networks = ["127.0.0.0/8"]
plaintext = true
"#,
        stage.home.file("token").display()
    )
}

/// A text, one with letters that are no GSM-7, and one with an attachment are taken by what the vendor describes.
async fn takes(stage: &Stage, vendor: &Counterpart, config: &str, references: &[&str]) -> anyhow::Result<()> {
    let daemon = stage.start(&(config.to_owned() + &route("texts", "sms", "texts"))).await?;
    daemon.send(&text(LOCATION, "plain", "+5215512345678")).await?;
    let accents = String::from_utf8(text(LOCATION, "accents", "+15864603685"))?.replace("Hola", "¿Cómo?");
    daemon.send(accents.as_bytes()).await?;
    let picture = String::from_utf8(text(LOCATION, "picture", "+15864603685"))?
        .replace("\"attachments\":[]", "\"attachments\":[\"https://files.example.com/a.png\"]");
    daemon.send(picture.as_bytes()).await?;
    for id in ["plain", "accents", "picture"] {
        let message = daemon.wait_state(id, "accepted", PATIENTLY).await;
        let message = message.map_err(|error| error.context(vendor.log.text()))?;
        assert_eq!(outcomes(&message), ["accepted"], "{message:#}");
        let reference = message["delivery"]["references"][0].as_str().unwrap_or_default();
        assert!(references.contains(&reference), "{reference}: {message:#}");
    }
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prism and the vendors' descriptions: run `cargo xtask test`"]
async fn telnyx_takes_what_we_ask() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let counterparts = Counterparts::find()?;
    let telnyx = counterparts.prism(&stage.home, &counterparts.description("telnyx")?).await?;
    let settings = format!("from = \"+15005550006\", base_url = \"http://127.0.0.1:{}\"", telnyx.port);
    let config = backend(&stage, "telnyx", "api_key", &settings);
    takes(&stage, &telnyx, &config, &["40385f64-5717-4562-b3fc-2c963f66afa6"]).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prism and the vendors' descriptions: run `cargo xtask test`"]
async fn vonage_messages_takes_what_we_ask() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let counterparts = Counterparts::find()?;
    let mut description = counterparts.description("vonage-messages")?;
    // The path stands with the server, and Prism leaves servers out.
    let operation = description["paths"]["/"].take();
    description["paths"] = json!({ "/v1/messages": operation });
    // No kind of message has a field `message`, which all are said to need.
    description["components"]["schemas"]["baseMessageType"]["required"] =
        json!(["to", "from", "message_type", "channel"]);
    let vonage = counterparts.prism(&stage.home, &description).await?;
    let settings = format!(
        "api_key = \"abcd1234\", from = \"15005550006\", base_url = \"http://127.0.0.1:{}\"",
        vonage.port
    );
    let config = backend(&stage, "vonage", "api_secret", &settings);
    takes(&stage, &vonage, &config, &["aaaaaaaa-bbbb-cccc-dddd-0123456789ab"]).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prism and the vendors' descriptions: run `cargo xtask test`"]
async fn vonage_sms_takes_what_we_ask() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let counterparts = Counterparts::find()?;
    let mut description = counterparts.description("vonage-sms")?;
    let operation = description["paths"]["/{format}"].take();
    description["paths"] = json!({ "/sms/{format}": operation });
    let vonage = counterparts.prism(&stage.home, &description).await?;
    let settings = format!(
        "mode = \"sms\", api_key = \"abcd1234\", from = \"15005550006\", base_url = \"http://127.0.0.1:{}\"",
        vonage.port
    );
    let config = backend(&stage, "vonage", "api_secret", &settings);
    takes(&stage, &vonage, &config, &["0A0000000123ABCD1"]).await
}

/// Not our request: the counterparts' own judgement, so that the tests above prove something.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prism and the vendors' descriptions: run `cargo xtask test`"]
async fn what_a_vendor_describes_as_wrong_is_refused() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let counterparts = Counterparts::find()?;
    let telnyx = counterparts.prism(&stage.home, &counterparts.description("telnyx")?).await?;
    let client = dispatch_testkit::Client::tcp(std::net::SocketAddr::from(([127, 0, 0, 1], telnyx.port)));
    let mut client = client.await?;
    let headers = [("content-type", "application/json"), ("authorization", "Bearer x")];
    let answer = client.request("POST", "/messages", &headers, b"{\"text\":\"no recipient\"}").await?;
    assert_eq!(answer.status, 422, "{}", answer.text());
    Ok(())
}

/// An answer of Infobip's about one message.
fn infobip(group: u32, id: u32) -> Answer {
    let status =
        json!({ "groupId": group, "groupName": "G", "id": id, "name": "NAME", "description": "words" });
    Answer::json(200, &json!({ "bulkId": "b", "messages": [{ "messageId": "i-%N%", "status": status }] }))
}

#[tokio::test(flavor = "multi_thread")]
async fn infobip_takes_each_message_once() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let provider = HttpCatcher::start().await?;
    let settings = format!("from = \"ACME\", base_url = \"{}\"", provider.url());
    let config = backend(&stage, "infobip", "api_key", &settings) + &route("texts", "sms", "texts");

    // Taken, and the answer got lost. The logs are asked and lag behind; the repetition is refused as one, and by then
    // they know the first.
    let asked_twice = Arc::new(Semaphore::new(0));
    provider.next(Act::ResetAfterReading);
    provider.next(Answer::json(200, &json!({ "results": [] })));
    provider.next(Act::WhenReleased(asked_twice.clone(), infobip(5, 23)));
    let daemon = stage.start(&config).await?;
    daemon.send(&text(LOCATION, "lost", "+5215512345678")).await?;
    let asked = provider.wait_for(3, SOON).await?;
    let id = |asked: &Caught| -> anyhow::Result<String> {
        let message = asked.json()?["messages"][0]["destinations"][0]["messageId"].clone();
        Ok(message.as_str().unwrap_or_default().to_owned())
    };
    let key = id(&asked[0])?;
    assert_eq!(asked[1].method, "GET", "a question before a repetition");
    assert_eq!(id(&asked[2])?, key, "the same id again");
    assert_eq!(asked[0].header("authorization"), Some(format!("App {TOKEN}").as_str()));
    let known = json!({ "messageId": key, "status": { "groupId": 1, "id": 26, "name": "PENDING_ACCEPTED" } });
    provider.next(Answer::json(200, &json!({ "results": [known] })));
    asked_twice.add_permits(1);

    let message = daemon.wait_state("lost", "accepted", SOON).await?;
    assert_eq!(outcomes(&message), ["unknown", "accepted"]);
    assert_eq!(message["delivery"]["references"][0], key.as_str());
    let asked = provider.requests();
    assert_eq!((asked.len(), asked[3].method.as_str()), (4, "GET"));
    assert_eq!(asked[3].target, format!("/sms/3/logs?messageId={key}"));

    // A refusal in a 200 is one.
    provider.next(infobip(5, 52));
    daemon.send(&text(LOCATION, "nobody", "+5215512345678")).await?;
    let message = daemon.wait_state("nobody", "dead-lettered", SOON).await?;
    assert_eq!(message["delivery"]["reason"]["code"], "52");
    daemon.stop().await?;
    Ok(())
}
