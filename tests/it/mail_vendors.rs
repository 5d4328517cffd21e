//! The `sendgrid` and `postmark` plugins against their vendors' own OpenAPI descriptions, under a server (Prism) that
//! refuses what the description refuses. Of Mailgun and Resend no description could be had: their mails are looked at in
//! `mail_apis`.

use dispatch_testkit::{Client, Counterpart, Counterparts};
use serde_json::{Value, json};

use crate::stage::{LOCATION, Stage, outcomes, route};

/// Prism is slow when it is busy.
const PATIENTLY: std::time::Duration = std::time::Duration::from_secs(60);

/// A daemon that sends three mails through the plugin; each is taken.
async fn takes(
    stage: &Stage,
    vendor: &Counterpart,
    plugin: &str,
    secret: &str,
) -> anyhow::Result<Vec<Value>> {
    let config = format!(
        r#"
[backends.mails]
plugin = "{plugin}"
settings = {{ reply_to = "Acme, S.A. <answers@acme.example>", list_unsubscribe = ["https://acme.example/u"], base_url = "http://127.0.0.1:{}" }}
secrets = {{ {secret} = {{ file = "{}" }} }}
private_networks = ["127.0.0.0/8"]
plaintext = true
{}"#,
        vendor.port,
        stage.home.file("token").display(),
        route("mail", "email", "mails")
    );
    let daemon = stage.start(&config).await?;
    let mail = |id: &str| {
        json!({
            "contactId": "c", "locationId": LOCATION, "messageId": id, "emailMessageId": id, "type": "Email",
            "emailTo": ["ana@example.com"], "emailFrom": "Recepción, Acme <desk@acme.example>",
            "subject": "Cita: mañana ¿sí?", "html": "<p>Hola <b>Ana</b></p>", "attachments": []
        })
    };
    let mut several = mail("several");
    several["emailTo"] = json!(["ana@example.com", "Luis <luis@example.com>"]);
    several["cc"] = json!(["\"López, Juan\" <juan@example.com>"]);
    let mut bare = mail("bare");
    (bare["subject"], bare["emailFrom"]) = ("".into(), "desk@acme.example".into());
    let mut messages = Vec::new();
    for body in [mail("plain"), several, bare] {
        daemon.send(body.to_string().as_bytes()).await?;
        let id = body["messageId"].as_str().unwrap_or_default();
        let message = daemon.wait_state(id, "accepted", PATIENTLY).await;
        let message = message.map_err(|error| error.context(vendor.log.text()))?;
        assert_eq!(outcomes(&message), ["accepted"], "{message:#}");
        messages.push(message);
    }
    daemon.stop().await?;
    Ok(messages)
}

/// SendGrid's description, with the path of its server, which Prism leaves out.
async fn sendgrid(stage: &Stage) -> anyhow::Result<Counterpart> {
    let counterparts = Counterparts::find()?;
    let mut description = counterparts.description("sendgrid")?;
    let operation = description["paths"]["/mail/send"].take();
    description["paths"] = json!({ "/v3/mail/send": operation });
    counterparts.prism(&stage.home, &description).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prism and the vendors' descriptions: run `cargo xtask test`"]
async fn sendgrid_takes_what_we_ask() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let vendor = sendgrid(&stage).await?;
    takes(&stage, &vendor, "sendgrid", "api_key").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prism and the vendors' descriptions: run `cargo xtask test`"]
async fn postmark_takes_what_we_ask() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let counterparts = Counterparts::find()?;
    let vendor = counterparts.prism(&stage.home, &counterparts.description("postmark")?).await?;
    for message in takes(&stage, &vendor, "postmark", "server_token").await? {
        assert!(message["delivery"]["references"][0].is_string(), "{message:#}");
    }
    Ok(())
}

/// Not our requests: the counterparts' own judgement, so that the tests above prove something.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prism and the vendors' descriptions: run `cargo xtask test`"]
async fn what_a_mail_vendor_describes_as_wrong_is_refused() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let vendor = sendgrid(&stage).await?;
    let mut client = Client::tcp(std::net::SocketAddr::from(([127, 0, 0, 1], vendor.port))).await?;
    let headers = [("content-type", "application/json"), ("authorization", "Bearer x")];
    let body = br#"{"personalizations":[{"to":[{"email":"a@b.example"}]}],"subject":"x"}"#;
    let answer = client.request("POST", "/v3/mail/send", &headers, body).await?;
    assert!((400..500).contains(&answer.status), "Prism takes a mail without `from`: {}", answer.text());

    let counterparts = Counterparts::find()?;
    let vendor = counterparts.prism(&stage.home, &counterparts.description("postmark")?).await?;
    let mut client = Client::tcp(std::net::SocketAddr::from(([127, 0, 0, 1], vendor.port))).await?;
    let headers = [("content-type", "application/json")];
    let answer = client.request("POST", "/email", &headers, b"{}").await?;
    assert!((400..500).contains(&answer.status), "Prism takes a mail without a token: {}", answer.text());
    Ok(())
}
