//! What must not be seen is seen nowhere: not in the log, not in an answer, not in the store.

use dispatch_testkit::{Answer, Launch};

use crate::stage::{ACCOUNT, LOCATION, SOON, Stage, TOKEN, text};

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
    let sample = stage.home.write("sample.json", text(LOCATION, "sample", "+15864603685"))?;
    let sample = sample.to_string_lossy().into_owned();
    for verb in [
        &["check"][..],
        &["status"],
        &["messages"],
        &["message", "said-0"],
        &["message", "said-1"],
        &["backends"],
        &["explain", &sample],
    ] {
        for args in [verb, &[verb, &["--json"]].concat()] {
            let output = daemon.cli().run(args).await?;
            assert_ne!(output.code, Some(2), "{args:?} is no command: {}", output.stderr);
            seen += &(output.stdout + &output.stderr);
        }
    }
    // As it goes over the wire too: user and token, encoded.
    let basic = base64(&format!("{ACCOUNT}:{TOKEN}"));
    assert_eq!(
        stage.sms.requests()[0].header("authorization"),
        Some(&*format!("Basic {basic}")),
        "this is what to look for"
    );
    assert!(!seen.contains(TOKEN) && !seen.contains(&basic), "the token is shown: {seen}");

    let log = daemon.stop().await?.text();
    for hidden in
        [TOKEN, &*basic, "15864603685", "15864603686", "Hola from", "person9@example.com", "Mail number 9"]
    {
        assert!(!log.contains(hidden), "{hidden:?} is in the log:\n{log}");
    }
    let store = std::fs::read(stage.home.store())?;
    for secret in [TOKEN, &*basic] {
        let found = store.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "the token is in the store");
    }
    Ok(())
}

/// Whatever panics or is logged with a secret in it.
#[test]
fn a_secret_prints_as_stars() {
    let secret = dispatch_model::Secret::new(TOKEN);
    for printed in [format!("{secret:?} {secret}"), format!("{:#?}", Some((1, secret)))] {
        assert!(!printed.contains(TOKEN) && printed.contains("***"), "{printed}");
    }
}

/// Base64, for one short text: no crate for that in this package.
fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for piece in text.as_bytes().chunks(3) {
        let byte = |at: usize| u32::from(piece.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at)) as usize & 63];
            out.push(if at <= piece.len() { char::from(letter) } else { '=' });
        }
    }
    out
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
