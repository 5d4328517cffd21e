//! What an operator can do from the command line, all of it durable.

use dispatch_testkit::{Act, Answer, Launch};
use serde_json::Value;

use crate::stage::{LOCATION, SOON, Stage, backends, route, text};

fn ids(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item["external_id"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_work_waits_even_through_a_restart() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = stage.start(&stage.plain()).await?;
    for what in [["--backend", "texts"], ["--route", "all texts"], ["--location", LOCATION]] {
        daemon.cli().json(&[&["suspend"], &what[..]].concat()).await?;
        let id = format!("waits-{}", what[0].trim_start_matches('-'));
        daemon.send(&text(LOCATION, &id, "+15864603685")).await?;
        daemon.wait_state(&id, "scheduled", SOON).await?;
        let suspensions = daemon.cli().json(&["status"]).await?["suspensions"].clone();
        assert_eq!(suspensions.as_array().map(Vec::len), Some(1), "{suspensions:#}");
        daemon.cli().json(&[&["resume"], &what[..]].concat()).await?;
        daemon.wait_state(&id, "accepted", SOON).await?;
    }
    daemon.cli().json(&["suspend", "--backend", "texts"]).await?;
    daemon.send(&text(LOCATION, "over-night", "+15864603685")).await?;
    daemon.wait_state("over-night", "scheduled", SOON).await?;
    daemon.stop().await?;

    let daemon = Launch::new(&stage.home).start().await?;
    // A message to the mail backend goes while the other waits: the daemon works, and still knows.
    daemon.send(&dispatch_testkit::email(LOCATION, 1)).await?;
    stage.mail.wait_for(1, SOON).await?;
    assert_eq!(daemon.message("over-night").await?["delivery"]["state"], "scheduled");
    daemon.cli().json(&["resume", "--backend", "texts"]).await?;
    daemon.wait_state("over-night", "accepted", SOON).await?;
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_bulk_action_can_be_called_off() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = stage.start(&stage.plain()).await?;
    daemon.cli().json(&["suspend", "--location", LOCATION]).await?;
    for n in 0..50 {
        daemon.send(&text(LOCATION, &format!("wrong-{n}"), &format!("+1586460{n:04}"))).await?;
    }
    daemon.send(&text("another-location-001", "right", "+15864603685")).await?;
    daemon.wait_state("right", "accepted", SOON).await?;

    let refused = daemon.cli().run(&["cancel"]).await?;
    assert_ne!(refused.code, Some(0), "a filter that names nothing is not taken for everything");
    let changed =
        daemon.cli().json(&["cancel", "--location", LOCATION, "--reason", "wrong bulk action"]).await?;
    assert_eq!(changed["changed"], 50);
    daemon.cli().json(&["resume", "--location", LOCATION]).await?;
    let message = daemon.wait_state("wrong-7", "cancelled", SOON).await?;
    assert!(message["events"].to_string().contains("wrong bulk action"), "{message:#}");
    let cancelled = daemon.cli().json(&["messages", "--state", "cancelled", "--limit", "100"]).await?;
    assert_eq!(ids(&cancelled).len(), 50);
    assert_eq!(stage.sms.count(), 1, "none of them left");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_redriven_also_to_another_backend() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let spare = dispatch_testkit::HttpCatcher::start().await?;
    spare.always(Answer::twilio_created());
    let config = stage.plain() + &stage.twilio("spare", &spare.url(), "");
    let daemon = stage.start(&config).await?;
    stage.sms.next(Answer::twilio_error(400, 21610, "Attempt to send to unsubscribed recipient"));
    daemon.send(&text(LOCATION, "refused", "+15864603685")).await?;
    let message = daemon.wait_state("refused", "dead-lettered", SOON).await?;
    assert_eq!(message["delivery"]["reason"]["code"], "21610", "{message:#}");
    assert_eq!(ids(&daemon.cli().json(&["dead-letters"]).await?), ["refused"]);

    let ours = message["message"]["id"].as_str().unwrap_or_default().to_owned();
    let key = message["attempts"][0]["idempotency_key"].clone();
    let changed =
        daemon.cli().json(&["redrive", &ours, "--to", "spare", "--reason", "they said yes"]).await?;
    assert_eq!(changed["changed"], 1);
    let message = daemon.wait_state("refused", "accepted", SOON).await?;
    assert_eq!(backends(&message), ["texts", "spare"]);
    assert_ne!(message["attempts"][1]["idempotency_key"], key, "a redrive is a new message to the provider");
    assert!(message["events"].to_string().contains("they said yes"));
    assert!(ids(&daemon.cli().json(&["dead-letters"]).await?).is_empty());
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_message_waits_for_a_word_and_takes_it() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let config = stage.plain().replace("deliver = \"texts\"", "deliver = \"texts\"\non_unknown = \"hold\"");
    let daemon = stage.start(&config).await?;
    for (id, word, state) in [
        ("held-1", "accepted", "accepted"),
        ("held-2", "failed", "dead-lettered"),
        ("held-3", "retry", "accepted"),
    ] {
        stage.sms.next(Act::CloseAfterReading);
        daemon.send(&text(LOCATION, id, "+15864603685")).await?;
        daemon.wait_state(id, "held", SOON).await?;
        daemon.cli().json(&["resolve", id, word]).await?;
        daemon.wait_state(id, state, SOON).await.map_err(|error| error.context(word))?;
    }
    assert_eq!(stage.asked_to_send(), 4, "only the one to be tried again was");
    let again = daemon.cli().run(&["resolve", "held-1", "retry"]).await?;
    assert_ne!(again.code, Some(0), "what is not held cannot be resolved");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_found_by_what_people_know() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = stage.start(&stage.plain()).await?;
    daemon.send(&text(LOCATION, "one", "+15864603685")).await?;
    daemon.send(&text("another-location-001", "two", "55 1234 5678")).await?;
    daemon.send(&dispatch_testkit::email(LOCATION, 3)).await?;
    for id in ["one", "two", "E0000000000000000003"] {
        daemon.wait_state(id, "accepted", SOON).await?;
    }
    for (args, expected) in [
        (&["--location", LOCATION][..], &["E0000000000000000003", "one"][..]),
        (&["--phone", "+525512345678"], &["two"]),
        (&["--email", "person3@example.com"], &["E0000000000000000003"]),
        (&["--contact", "contact-of-one"], &["one"]),
        (&["--backend", "texts"], &["two", "one"]),
        (&["--route", "all mail"], &["E0000000000000000003"]),
        (&["--state", "dead-lettered"], &[]),
        (&["--channel", "sms", "--since", "1h"], &["two", "one"]),
    ] {
        let found = daemon.cli().json(&[&["messages"], args].concat()).await?;
        assert_eq!(ids(&found), expected, "{args:?}");
    }
    // A person reads a table, and with no daemon the command line opens the store itself.
    let table = daemon.cli().run(&["messages"]).await?.stdout;
    assert!(table.contains("+15864603685") && table.contains("accepted"), "{table}");
    let cli = daemon.cli().clone();
    daemon.stop().await?;
    let found = cli.json(&["messages", "--phone", "+525512345678"]).await?;
    assert_eq!(ids(&found), ["two"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_and_check_say_what_would_happen() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.home.configure(
        &(stage.plain()
            + &route("never reached", "sms", "texts").replace("channel", "location = \"x\"\nchannel")),
    )?;
    let cli = dispatch_testkit::Cli::new(
        dispatch_testkit::dispatcher_binary()?,
        [stage.home.file("config.toml")],
        stage.home.path(),
    );
    let checked = cli.run(&["check"]).await?;
    assert_ne!(checked.code, Some(0), "an unreachable route is a mistake");
    assert!(checked.stderr.contains("never reached"), "{}", checked.stderr);

    stage.home.configure(&stage.plain())?;
    let checked = cli.run(&["check"]).await?;
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let body = stage.home.write("body.json", text(LOCATION, "what-if", "+15864603685"))?;
    let explained = cli.json(&["explain", &body.to_string_lossy()]).await?;
    assert!(explained.to_string().contains("all texts"), "{explained:#}");
    assert_eq!(stage.sms.count(), 0, "explaining sends nothing");
    Ok(())
}
