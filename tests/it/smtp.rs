//! The `smtp` plugin and a server written by others (aiosmtpd): STARTTLS, AUTH, refusals by recipient.

use dispatch_testkit::{Counterpart, Counterparts, Daemon, Identity, Launch, until_some};
use serde_json::{Value, json};

use crate::stage::{LOCATION, SOON, Stage, TOKEN, outcomes, route};

const LOGIN: (&str, &str) = ("mailer", TOKEN);

/// A daemon that sends its mail through the server; `more` stands with its backend.
async fn begin_with(
    stage: &Stage,
    password: &str,
    replies: &Value,
    more: &str,
) -> anyhow::Result<(Daemon, Counterpart)> {
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
{more}
{}"#,
        stage.home.file("cert.pem").display(),
        server.port,
        password.display(),
        route("mail", "email", "mails")
    );
    stage.home.configure(&config)?;
    Ok((Launch::new(&stage.home).start().await?, server))
}

async fn begin(stage: &Stage, password: &str, replies: &Value) -> anyhow::Result<(Daemon, Counterpart)> {
    begin_with(stage, password, replies, "").await
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

/// A verifier written by others believes the signature, and does not once a byte is another.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs aiosmtpd and dkimpy: run `cargo xtask test`"]
async fn mail_is_signed_for_its_domain() -> anyhow::Result<()> {
    const RSA: &str = include_str!("../../crates/dispatch-egress/tests/keys/rsa.pem");
    const ED25519: &str = include_str!("../../crates/dispatch-egress/tests/keys/ed25519.pem");
    let published = |kind, key: &str| format!("v=DKIM1; k={kind}; p={}", key.trim());
    let rsa = published("rsa", include_str!("../../crates/dispatch-egress/tests/keys/rsa.pub"));
    let ed25519 = published("ed25519", include_str!("../../crates/dispatch-egress/tests/keys/ed25519.pub"));
    for (key, record) in [(RSA, rsa), (ED25519, ed25519)] {
        let stage = Stage::new().await?;
        let key = stage.home.write("dkim.pem", key)?;
        let dkim = format!(
            r#"dkim = {{ domain = "example.org", selector = "s1", key = {{ file = "{}" }} }}"#,
            key.display()
        );
        let (daemon, server) = begin_with(&stage, TOKEN, &json!({}), &dkim).await?;
        daemon.send(&mail("signed", &["ana@example.com"])).await?;
        daemon.wait_state("signed", "accepted", SOON).await?;
        let data = until_some("the mail", SOON, async || server.mails().pop()).await?.data;
        let records = [("s1._domainkey.example.org", record)];
        let verifier = Counterparts::find()?;
        assert!(verifier.dkim_verifies(&data, &records).await?, "{data}");
        let (at, _) = data.match_indices("\r\n\r\n").next().expect("a body");
        for changed in [data.replacen("To: ", "To: x", 1), [&data[..at + 4], "x", &data[at + 4..]].concat()] {
            assert!(!verifier.dkim_verifies(&changed, &records).await?, "{changed}");
        }
        // The key is nowhere but in its file.
        let body = key_lines(&std::fs::read_to_string(&key)?);
        let shown = daemon.log().text() + &daemon.message("signed").await?.to_string();
        assert!(body.iter().all(|line| !shown.contains(line)), "the key is shown");
        daemon.stop().await?;
    }
    Ok(())
}

fn key_lines(pem: &str) -> Vec<String> {
    pem.lines().filter(|line| !line.starts_with('-') && line.len() > 20).map(str::to_owned).collect()
}
