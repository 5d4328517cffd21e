//! What must not be seen is seen nowhere: not in the log, not in an answer, not in the store.

use dispatch_testkit::{Answer, Launch};

use crate::stage::{LOCATION, SOON, Stage, TOKEN, text};

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_no_text_and_no_address_is_logged() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let loud = format!("\n[log]\nlevel = \"debug\"\n{}", stage.plain());
    let daemon = stage.start(&loud).await?;
    daemon.expect_error("lane.changed");
    // The ways that write most: a success, a refusal in the provider's words, a wrong login.
    stage.sms.next(Answer::twilio_created());
    stage.sms.next(Answer::twilio_error(400, 21211, "The 'To' number +15864603686 is not valid"));
    stage.sms.next(Answer::twilio_error(401, 20003, "Authenticate"));
    for (n, state) in ["accepted", "dead-lettered"].into_iter().enumerate() {
        let id = format!("said-{n}");
        daemon.send(&text(LOCATION, &id, &format!("+1586460368{}", 5 + n))).await?;
        daemon.wait_state(&id, state, SOON).await?;
    }
    daemon.send(&dispatch_testkit::email(LOCATION, 9)).await?;
    stage.mail.wait_for(1, SOON).await?;
    daemon.send(&text(LOCATION, "said-last", "+15864603687")).await?;
    stage.sms.wait_for(3, SOON).await?;

    let mut seen = String::new();
    for target in ["/v1/status", "/v1/backends", "/metrics", "/v1/messages/said-0", "/v1/messages/said-1"] {
        seen += &daemon.get(target).await?.text();
    }
    seen += &daemon.cli().run(&["check"]).await?.stdout;
    assert!(!seen.contains(TOKEN), "the token is shown by the control API");

    let log = daemon.stop().await?.text();
    for hidden in [TOKEN, "15864603685", "15864603686", "Hola from", "person9@example.com", "Mail number 9"] {
        assert!(!log.contains(hidden), "{hidden:?} is in the log:\n{log}");
    }
    let store = std::fs::read(stage.home.store())?;
    let found = store.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes());
    assert!(!found, "the token is in the store");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_is_named_and_not_guessed() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let config = stage.plain().replace(&stage.home.file("token").display().to_string(), "/nonexistent/token");
    stage.home.configure(&config)?;
    let (code, log) = Launch::new(&stage.home).start_unready()?.exit(SOON).await?;
    assert_eq!(code, Some(3), "{}", log.text());
    assert!(log.contains("/nonexistent/token"), "{}", log.text());
    Ok(())
}
