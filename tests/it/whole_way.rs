//! From the webhook to the provider's word, through each bundled plugin.

use dispatch_testkit::{Answer, HttpCatcher, fixture};
use serde_json::json;

use crate::stage::{ACCOUNT, LOCATION, SOON, Stage, TOKEN, outcomes, route, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_text_goes_through_twilio() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = stage.start(&stage.plain()).await?;
    let sms = fixture("A1_doc_sms")?;
    assert_eq!(daemon.send(&sms.body).await?.status, 200);

    let asked = stage.sms.wait_for(1, SOON).await?.remove(0);
    assert_eq!(
        (asked.method.as_str(), asked.target.as_str()),
        ("POST", &*format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json"))
    );
    assert_eq!(asked.basic(), Some((ACCOUNT.into(), TOKEN.into())));
    assert_eq!(asked.field("To").as_deref(), Some("+15864603685"));
    assert_eq!(asked.field("From").as_deref(), Some("+15005550006"));
    assert_eq!(asked.field("Body").as_deref(), Some("The text message to be sent to the contact"));
    assert!(asked.field("MediaUrl").is_some_and(|url| url.ends_with("googlelogo_color_272x92dp.png")));

    let id = sms.field("messageId").unwrap_or_default();
    let message = daemon.wait_state(&id, "accepted", SOON).await?;
    assert_eq!(message["delivery"]["references"][0], "SM00000000000000000000000000000001");
    assert_eq!(message["delivery"]["plan"]["route"], "all texts");
    assert_eq!(outcomes(&message), ["accepted"]);
    // The provider's id finds it as well.
    let found = daemon.message("SM00000000000000000000000000000001").await?;
    assert_eq!(found["message"]["id"], message["message"]["id"]);
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_goes_through_smtp() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = stage.start(&stage.plain()).await?;
    let email = fixture("A2_doc_email")?;
    assert_eq!(daemon.send(&email.body).await?.status, 200);

    let mail = stage.mail.wait_for(1, SOON).await?.remove(0);
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("email@gmail.com", &["abc@gmail.com".to_owned()][..])
    );
    assert_eq!(mail.header("subject").as_deref(), Some("Subject from Conversation Page"));
    assert!(
        mail.header("from")
            .is_some_and(|from| from.contains("From Name") && from.contains("email@gmail.com"))
    );
    assert!(mail.header("message-id").is_some() && mail.header("date").is_some());
    // The HTML as it came, a text part made from it, and the attachment, which cannot be fetched
    // here, as a link in both.
    assert!(mail.data.contains("multipart/alternative"), "{}", mail.data);
    assert!(mail.data.contains("text/plain") && mail.data.contains("text/html"), "{}", mail.data);
    assert!(mail.data.replace("=\r\n", "").contains("googlelogo_color_272x92dp.png"), "{}", mail.data);

    let id = email.field("messageId").unwrap_or_default();
    let message = daemon.wait_state(&id, "accepted", SOON).await?;
    assert!(
        message["delivery"]["references"][0].as_str().is_some_and(|reply| reply.contains("CATCH000001")),
        "{message:#}"
    );
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_the_log_and_nobody_else() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let dry = format!("[backends.dry]\nplugin = \"log\"\n{}", route("everything", "sms", "dry"));
    let daemon = stage.start(&dry).await?;
    daemon.send(&text(LOCATION, "dry-one", "+15864603685")).await?;
    let message = daemon.wait_state("dry-one", "accepted", SOON).await?;
    assert_eq!(message["delivery"]["references"][0], "dry-run");
    let log = daemon.stop().await?;
    assert!(!log.contains("15864603685") && !log.contains("Hola from"), "no address and no text in the log");
    assert_eq!(stage.sms.count(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn any_http_api_is_asked_by_template() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let api = HttpCatcher::start().await?;
    api.always(Answer::json(202, &json!({ "data": { "id": "api-%N%" } })));
    let daemon = stage
        .start(&format!("{}{}", crate::stage::http_api(&stage, &api.url()), route("texts", "sms", "api")))
        .await?;
    let body = json!({
        "contactId": "c", "locationId": LOCATION, "messageId": "by-template", "type": "SMS",
        "phone": "55 1234 5678", "message": "quote \" and \\ and \n line", "attachments": null
    });
    daemon.send(body.to_string().as_bytes()).await?;

    let asked = api.wait_for(1, SOON).await?.remove(0);
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", "/v1/send"));
    assert_eq!(asked.header("authorization"), Some(&*format!("Bearer {TOKEN}")));
    let sent = asked.json()?;
    assert_eq!(sent["to"], "+525512345678", "E.164 by the source's region");
    assert_eq!(sent["text"], "quote \" and \\ and \n line", "escaped by the place it stands in");
    let message = daemon.wait_state("by-template", "accepted", SOON).await?;
    assert_eq!(message["delivery"]["references"][0], "api-00000001");
    assert_eq!(
        message["message"]["content"]["to"]["original"], "55 1234 5678",
        "the original is kept: {message:#}"
    );
    daemon.stop().await?;
    Ok(())
}
