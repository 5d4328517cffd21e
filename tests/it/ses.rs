//! The `ses` plugin and a stand-in for Amazon that others wrote (moto), which really checks signatures and rights.

use dispatch_testkit::{Counterparts, Daemon, Launch};
use serde_json::json;

use crate::stage::{LOCATION, Stage, outcomes, route};

/// moto is slow when it is busy.
const SOON: std::time::Duration = std::time::Duration::from_secs(60);

/// A daemon that sends its mail through it; `secret` is the access key's, or none to take the right one.
async fn begin(stage: &Stage, secret: Option<&str>) -> anyhow::Result<(Daemon, dispatch_testkit::Moto)> {
    let moto = Counterparts::find()?.moto("acme.example").await?;
    let secret = stage.home.write("aws-secret", secret.unwrap_or(&moto.secret))?;
    let config = format!(
        r#"
[backends.mails]
plugin = "ses"
settings = {{ region = "us-east-1", access_key_id = "{}", endpoint = "http://127.0.0.1:{}" }}
secrets = {{ secret_access_key = {{ file = "{}" }} }}
private_networks = ["127.0.0.0/8"]
plaintext = true
{}"#,
        moto.key_id,
        moto.server.port,
        secret.display(),
        route("mail", "email", "mails")
    );
    stage.home.configure(&config)?;
    Ok((Launch::new(&stage.home).start().await?, moto))
}

fn mail(id: &str, from: &str) -> Vec<u8> {
    json!({
        "contactId": "c", "locationId": LOCATION, "messageId": id, "emailMessageId": id, "type": "Email",
        "emailTo": ["ana@example.com"], "emailFrom": from, "subject": "Cita: mañana ¿sí?",
        "html": "<p>Hola <b>Ana</b></p>", "attachments": []
    })
    .to_string()
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto: run `cargo xtask test`"]
async fn a_signed_mail_is_taken_and_a_strangers_is_not() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let (daemon, moto) = begin(&stage, None).await?;
    daemon.send(&mail("ours", "Recepción, Acme <desk@acme.example>")).await?;
    let message =
        daemon.wait_state("ours", "accepted", SOON).await.map_err(|e| e.context(moto.server.log.text()))?;
    assert_eq!(outcomes(&message), ["accepted"], "{message:#}");

    // A sender that the account has not verified is the sender's fault, and not the account's.
    daemon.send(&mail("strange", "Somebody <somebody@stranger.example>")).await?;
    let message = daemon.wait_state("strange", "dead-lettered", SOON).await?;
    assert_eq!(message["attempts"][0]["outcome"]["kind"], "sender", "{message:#}");
    assert_eq!(message["attempts"][0]["outcome"]["reason"]["code"], "MessageRejected", "{message:#}");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto: run `cargo xtask test`"]
async fn a_wrong_secret_is_the_accounts_fault() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let (daemon, moto) = begin(&stage, Some("not-the-secret")).await?;
    daemon.expect_error("lane.changed");
    daemon.send(&mail("unsigned", "desk@acme.example")).await?;
    let rejected = dispatch_testkit::until_some("the refusal", SOON, async || {
        let message = daemon.message("unsigned").await.ok()?;
        outcomes(&message).first().is_some_and(|outcome| outcome == "rejected").then_some(message)
    });
    let message = rejected.await.map_err(|e| e.context(moto.server.log.text()))?;
    assert_eq!(message["attempts"][0]["outcome"]["kind"], "account", "{message:#}");
    daemon.stop().await?;
    Ok(())
}
