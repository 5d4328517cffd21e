//! The `smtp` plugin and a server written by others (aiosmtpd): STARTTLS, AUTH, refusals by recipient.

use dispatch_testkit::{Counterpart, Counterparts, Daemon, Identity, Launch, until_some};
use serde_json::{Value, json};

use crate::stage::{LOCATION, SOON, Stage, TOKEN, outcomes, route};

const LOGIN: (&str, &str) = ("mailer", TOKEN);

/// A daemon that sends its mail through the server.
async fn begin(stage: &Stage, password: &str, replies: &Value) -> anyhow::Result<(Daemon, Counterpart)> {
    let identity = Identity::generate()?;
    let server = Counterparts::find()?.smtp(&stage.home, &identity, LOGIN, replies).await?;
    let password = stage.home.write("mail-password", password)?;
    let config = format!(
        r#"
[egress]
ca_file = "{}"

[backends.mails]
plugin = "smtp"
relay = {{ host = "localhost", port = {}, tls = "starttls", user = "mailer", password = {{ file = "{}" }} }}
private_networks = ["127.0.0.0/8", "::1/128"]
{}"#,
        stage.home.file("cert.pem").display(),
        server.port,
        password.display(),
        route("mail", "email", "mails")
    );
    stage.home.configure(&config)?;
    Ok((Launch::new(&stage.home).start().await?, server))
}

fn mail(id: &str, to: &[&str]) -> Vec<u8> {
    json!({
        "contactId": "c", "locationId": LOCATION, "messageId": id, "emailMessageId": id, "type": "Email",
        "emailTo": to, "emailFrom": "Recepción, Acme <desk@example.org>", "subject": "Cita: mañana a las 10 ¿sí?",
        "html": "<p>Hola <b>Ana</b>,<br>nos vemos mañana.</p>", "attachments": []
    })
    .to_string()
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs aiosmtpd: run `cargo xtask test`"]
async fn mail_goes_over_starttls_with_a_login() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let (daemon, server) = begin(&stage, TOKEN, &json!({})).await?;
    daemon.send(&mail("welcome", &["ana@example.com", "luis@example.com"])).await?;
    let message = daemon.wait_state("welcome", "accepted", SOON).await?;
    assert!(message["delivery"]["references"].to_string().contains("AIO0001"), "{message:#}");
    let mail = until_some("the mail", SOON, async || server.mails().pop()).await?;
    assert_eq!((mail.tls, mail.user.as_deref()), (true, Some("mailer")));
    assert_eq!(mail.to, ["ana@example.com", "luis@example.com"]);
    assert!(!mail.header("subject").unwrap_or_default().contains("mañana"), "headers are ASCII on the wire");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs aiosmtpd: run `cargo xtask test`"]
async fn each_refusal_is_what_it_is() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let replies = json!({
        "gone@example.com": "550 5.1.1 no such user",
        "busy@example.com": "451 4.7.1 greylisted, come again",
    });
    let (daemon, server) = begin(&stage, TOKEN, &replies).await?;
    daemon.send(&mail("to-nobody", &["gone@example.com"])).await?;
    let message = daemon.wait_state("to-nobody", "dead-lettered", SOON).await?;
    assert_eq!(outcomes(&message), ["rejected"]);
    assert!(message["delivery"]["reason"]["message"].to_string().contains("no such user"), "{message:#}");

    daemon.send(&mail("to-busy", &["busy@example.com"])).await?;
    let message = daemon.wait_state("to-busy", "dead-lettered", SOON).await?;
    assert_eq!(outcomes(&message), ["deferred", "deferred", "deferred"], "tried again, three times in all");

    // One of two is refused: the other has its mail, once.
    daemon.send(&mail("to-both", &["ana@example.com", "gone@example.com"])).await?;
    let message = daemon.wait_state("to-both", "accepted", SOON).await?;
    assert!(message.to_string().contains("gone@example.com"), "{message:#}");
    assert_eq!(server.mails().len(), 1);
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs aiosmtpd: run `cargo xtask test`"]
async fn a_wrong_password_is_the_accounts_fault() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let (daemon, server) = begin(&stage, "not-the-password", &json!({})).await?;
    daemon.expect_error("lane.changed");
    daemon.send(&mail("locked-out", &["ana@example.com"])).await?;
    let rejected = until_some("the refusal", SOON, async || {
        let message = daemon.message("locked-out").await.ok()?;
        outcomes(&message).first().is_some_and(|outcome| outcome == "rejected").then_some(message)
    });
    let message = rejected.await?;
    assert_eq!(message["attempts"][0]["outcome"]["kind"], "account", "{message:#}");
    assert!(server.mails().is_empty());
    daemon.stop().await?;
    Ok(())
}
