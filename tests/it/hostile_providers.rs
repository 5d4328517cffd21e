//! Providers that hang, cut, babble and lie. None of it is taken for success, none of it stops the rest.

use std::time::Duration;

use dispatch_testkit::{Act, Answer};
use serde_json::json;

use crate::stage::{LOCATION, SOON, Stage, outcomes, text};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_a_provider_does_is_mistaken_for_success() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let short = stage.plain().replace(
        "plugin = \"twilio\"",
        "plugin = \"twilio\"\nlimits = { timeout = \"700ms\", breaker_failures = 1000, breaker_open = \"200ms\" }",
    );
    let config = short.replace("deliver = \"texts\"", "deliver = \"texts\"\non_unknown = \"hold\"");
    let daemon = stage.start(&config).await?;
    // A redirect is a wrong URL: the operator is told.
    daemon.expect_error("lane.changed");
    let created = Answer::twilio_created();
    let cases = [
        ("hangs", Act::Hang),
        ("reset", Act::ResetAfterReading),
        ("closes", Act::CloseAfterReading),
        ("drips", Act::Drip(Duration::from_millis(100), created)),
        ("endless", Act::EndlessBody),
        ("garbage", Act::Garbage(b"\x00\x01\x02 no http at all\r\n\r\n".to_vec())),
        ("half-json", Answer::text(201, "{\"sid\":\"SM").header("content-type", "application/json").into()),
        (
            "error-in-200",
            Answer::json(200, &json!({ "code": 21211, "message": "Invalid number", "status": 400 })).into(),
        ),
        (
            "html-in-200",
            Answer::text(200, "<html>maintenance</html>").header("content-type", "text/html").into(),
        ),
        ("naked-502", Answer::text(502, "bad gateway").into()),
    ];
    for (n, (what, act)) in cases.into_iter().enumerate() {
        stage.sms.next(act);
        let phone = format!("+1586460{n:04}");
        daemon.send(&text(LOCATION, what, &phone)).await?;
        let ended = dispatch_testkit::until_some("an end", SOON, async || {
            let message = daemon.message(what).await.ok()?;
            let state = message["delivery"]["state"].as_str()?.to_owned();
            (!matches!(&*state, "unplanned" | "scheduled" | "leased")).then_some((state, message))
        });
        let (state, message) = ended.await.map_err(|error| error.context(what))?;
        assert!(
            outcomes(&message).first().is_none_or(|outcome| outcome != "accepted"),
            "{what} was taken for success: {message:#}"
        );
        // What may have been delivered waits for a person; what surely was not is tried again or ended.
        assert!(matches!(&*state, "held" | "accepted" | "dead-lettered"), "{what}: {state}");
    }
    // And the daemon is none the worse.
    daemon.send(&text(LOCATION, "after-all", "+15864603685")).await?;
    daemon.wait_state("after-all", "accepted", SOON).await?;
    // A redirect is not followed: the address in the settings is wrong, and the backend is taken out of service.
    daemon.expect_error("lane.changed");
    stage.sms.next(Answer::text(302, "").header("location", "http://127.0.0.1:1/elsewhere"));
    daemon.send(&text(LOCATION, "redirected", "+15864603699")).await?;
    let message = dispatch_testkit::until_some("an attempt", SOON, async || {
        let message = daemon.message("redirected").await.ok()?;
        (!outcomes(&message).is_empty()).then_some(message)
    })
    .await?;
    assert_eq!(outcomes(&message), ["rejected"], "{message:#}");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_provider_holds_up_no_other() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.sms.always(Act::Hang);
    let daemon = stage
        .start(&stage.plain().replace(
            "plugin = \"twilio\"",
            "plugin = \"twilio\"\nlimits = { concurrency = 200, timeout = \"1m\" }",
        ))
        .await?;
    for n in 0..200 {
        daemon.send(&text(LOCATION, &format!("hangs-{n}"), &format!("+1586460{n:04}"))).await?;
    }
    stage.sms.wait_for(200, SOON).await?;
    daemon.send(&dispatch_testkit::email(LOCATION, 1)).await?;
    stage.mail.wait_for(1, SOON).await?;
    daemon.kill().await
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_kept_and_used_again() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = stage
        .start(
            &stage
                .plain()
                .replace("plugin = \"twilio\"", "plugin = \"twilio\"\nlimits = { concurrency = 4 }"),
        )
        .await?;
    let target = daemon.target().clone();
    let requests = (0..300).map(|n| target.request(&dispatch_testkit::sms(LOCATION, n, 512))).collect();
    dispatch_testkit::Load { connections: 8, rate: None }.run(target.addr, requests).await;
    stage.sms.wait_for(300, SOON).await?;
    assert!(
        stage.sms.connections() <= 8,
        "{} connections for 300 requests, 4 at once",
        stage.sms.connections()
    );
    for n in 0..20 {
        daemon.send(&dispatch_testkit::email(LOCATION, n)).await?;
    }
    stage.mail.wait_for(20, SOON).await?;
    assert!(stage.mail.connections() <= 10, "{} connections for 20 mails", stage.mail.connections());
    daemon.stop().await?;
    Ok(())
}
