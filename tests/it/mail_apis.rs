//! The plugins for mail APIs, each through the real daemon to a provider that takes what it gets: what goes over the wire,
//! and what the answer becomes.

use dispatch_testkit::{Answer, Caught};
use serde_json::json;

use crate::stage::{SOON, Stage, outcomes};

/// A backend of a plugin, and a route that takes it for one location.
fn backend(stage: &Stage, plugin: &str, settings: &str, secret: &str) -> String {
    let (url, token) = (stage.sms.url(), stage.home.file("token"));
    format!(
        r#"
[backends.{plugin}]
plugin = "{plugin}"
settings = {{ {settings} = "{url}/{plugin}" }}
secrets = {{ {secret} = {{ file = "{}" }} }}
private_networks = ["127.0.0.0/8"]
plaintext = true

[[routes]]
name = "{plugin}"
channel = "email"
location = "loc-of-{plugin}"
deliver = "{plugin}"
"#,
        token.display()
    )
}

fn mail(plugin: &str) -> Vec<u8> {
    json!({
        "contactId": "c", "locationId": format!("loc-of-{plugin}"), "messageId": format!("mail-by-{plugin}"),
        "emailMessageId": format!("mail-by-{plugin}"), "type": "Email", "emailTo": ["ana@example.com"],
        "emailFrom": "Recepción, Acme <desk@acme.example>", "subject": "Cita: mañana",
        "html": "<p>Hola <b>Ana</b></p>", "attachments": []
    })
    .to_string()
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mail_api_gets_the_mail_and_its_answer_counts() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let token = crate::stage::TOKEN;
    let config: String = [
        ("sendgrid", "base_url", "api_key"),
        ("postmark", "base_url", "server_token"),
        ("resend", "base_url", "api_key"),
        ("mailgun", r#"domain = "mg.acme.example", base_url"#, "api_key"),
        (
            "ses",
            r#"region = "us-east-1", access_key_id = "AKIAIOSFODNN7EXAMPLE", endpoint"#,
            "secret_access_key",
        ),
    ]
    .iter()
    .map(|(plugin, settings, secret)| backend(&stage, plugin, settings, secret))
    .collect();
    let daemon = stage.start(&config).await?;
    let deliver = async |plugin: &str, answer: Answer| -> anyhow::Result<(Caught, String)> {
        stage.sms.forget();
        stage.sms.always(answer);
        daemon.send(&mail(plugin)).await?;
        let message = daemon.wait_state(&format!("mail-by-{plugin}"), "accepted", SOON).await?;
        assert_eq!(outcomes(&message), ["accepted"], "{message:#}");
        let caught = stage.sms.requests().pop().expect("a request");
        Ok((caught, message["delivery"].to_string()))
    };

    let answer = Answer::text(202, "").header("x-message-id", "sg-1");
    let (caught, delivery) = deliver("sendgrid", answer).await?;
    assert_eq!((caught.method.as_str(), caught.target.as_str()), ("POST", "/sendgrid/v3/mail/send"));
    assert_eq!(caught.header("authorization"), Some(format!("Bearer {token}").as_str()));
    let body = caught.json()?;
    let key = body["personalizations"][0]["custom_args"]["dispatcher_key"].as_str().unwrap_or_default();
    assert_eq!(body["from"]["name"], "Recepción, Acme");
    assert!(!key.is_empty() && delivery.contains(key), "our key is the reference: {delivery}");

    let answer = Answer::json(200, &json!({ "ErrorCode": 0, "Message": "OK", "MessageID": "pm-1" }));
    let (caught, delivery) = deliver("postmark", answer).await?;
    assert_eq!(caught.target, "/postmark/email");
    assert_eq!(caught.header("x-postmark-server-token"), Some(token));
    assert_eq!(caught.json()?["From"], "\"Recepción, Acme\" <desk@acme.example>");
    assert!(delivery.contains("pm-1"), "{delivery}");

    let (caught, delivery) = deliver("resend", Answer::json(200, &json!({ "id": "re-1" }))).await?;
    assert_eq!(caught.target, "/resend/emails");
    assert!(caught.header("idempotency-key").is_some_and(|key| !key.is_empty()));
    assert!(caught.header("user-agent").is_some_and(|agent| agent.starts_with("dispatcher-resend/")));
    assert_eq!(caught.json()?["from"], "Recepción Acme <desk@acme.example>");
    assert!(delivery.contains("re-1"), "{delivery}");

    let answer =
        Answer::json(200, &json!({ "id": "<mg-1@mg.acme.example>", "message": "Queued. Thank you." }));
    let (caught, delivery) = deliver("mailgun", answer).await?;
    assert_eq!(caught.target, "/mailgun/v3/mg.acme.example/messages");
    assert_eq!(caught.basic(), Some(("api".to_owned(), token.to_owned())));
    assert!(
        caught.header("content-type").is_some_and(|kind| kind.starts_with("multipart/form-data; boundary="))
    );
    assert!(caught.text().contains("name=\"html\"\r\n\r\n<p>Hola <b>Ana</b></p>\r\n"), "{}", caught.text());
    assert!(delivery.contains("mg-1@mg.acme.example"), "{delivery}");

    let (caught, delivery) = deliver("ses", Answer::json(200, &json!({ "MessageId": "ses-1" }))).await?;
    assert_eq!(caught.target, "/ses/v2/email/outbound-emails");
    let signed = caught.header("authorization").unwrap_or_default();
    assert!(signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/"), "{signed}");
    assert_eq!(caught.json()?["Content"]["Simple"]["Subject"]["Data"], "Cita: mañana");
    assert!(delivery.contains("ses-1"), "{delivery}");
    daemon.stop().await?;
    Ok(())
}
