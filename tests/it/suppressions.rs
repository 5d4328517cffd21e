//! Who wants no messages, by an operator's word: with a daemon and without one.

use serde_json::{Value, json};

use crate::stage::{LOCATION, SOON, Stage, text};

const ANA: &str = "+15864603685";

fn addresses(listed: &Value) -> Vec<&str> {
    let items = listed["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|row| row["address"].as_str().unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_suppresses_and_lifts() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = stage.start(&stage.plain()).await?;
    let cli = daemon.cli();
    let added = ["suppressions", "add", "+1 (586) 460-3685", "--location", LOCATION, "--note", "by phone"];
    assert_eq!(cli.json(&added).await?, json!({ "changed": 1 }));
    assert_eq!(cli.json(&added).await?, json!({ "changed": 0 }));
    let shown = cli.run(&["suppressions", "list", "--location", LOCATION]).await?;
    assert!(shown.stdout.contains(ANA) && shown.stdout.contains("by phone"), "{}", shown.stdout);
    daemon.send(&text(LOCATION, "m1", ANA)).await?;
    daemon.wait_state("m1", "dead-lettered", SOON).await?;
    let asked = stage.home.write("asked.json", text(LOCATION, "m9", ANA))?.display().to_string();
    let explained = cli.run(&["explain", &asked]).await?.stdout;
    assert!(explained.contains("a dead letter: suppressed"), "{explained}");
    assert_eq!(cli.json(&["suppressions", "remove", ANA]).await?, json!({ "changed": 1 }));
    let explained = cli.run(&["explain", &asked]).await?.stdout;
    assert!(explained.contains("It would be sent"), "{explained}");
    daemon.send(&text(LOCATION, "m2", ANA)).await?;
    daemon.wait_state("m2", "accepted", SOON).await?;
    assert_eq!(stage.asked_to_send(), 1);
    for wrong in [
        vec!["suppressions", "add", "+15864603685"],
        vec!["suppressions", "add", "5864603685", "--everywhere"],
        vec!["suppressions", "add", "nobody@", "--everywhere"],
    ] {
        let refused = cli.run(&wrong).await?;
        assert_ne!(refused.code, Some(0), "{wrong:?}: {}", refused.stdout);
    }
    assert_eq!(addresses(&cli.json(&["suppressions", "list"]).await?), Vec::<&str>::new());
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_imported_whole_or_not_at_all() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = stage.start(&stage.plain()).await?;
    let mut lines = "address,location\n".to_owned();
    for number in 0..2_500 {
        lines.push_str(&format!("+1586460{number:04},{LOCATION}\n"));
    }
    let good = stage.home.write("good.csv", &lines)?;
    let bad = stage.home.write("bad.csv", format!("{lines}+1586,{LOCATION}\nnobody,\n"))?;
    let (good, bad) = (good.display().to_string(), bad.display().to_string());
    let refused = daemon.cli().run(&["suppressions", "import", &bad]).await?;
    assert_ne!(refused.code, Some(0));
    assert!(
        refused.stderr.contains("bad.csv:2502: ") && refused.stderr.contains("bad.csv:2503: "),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("Nothing was imported"), "{}", refused.stderr);
    let cli = daemon.cli();
    assert_eq!(addresses(&cli.json(&["suppressions", "list"]).await?), Vec::<&str>::new());
    assert_eq!(cli.json(&["suppressions", "import", &good]).await?, json!({ "changed": 2_500 }));
    assert_eq!(cli.json(&["suppressions", "import", &good]).await?, json!({ "changed": 0 }));
    let page = cli.json(&["suppressions", "list", "-n", "1000"]).await?;
    assert_eq!((addresses(&page).len(), page["next"].is_i64()), (1_000, true));
    daemon.send(&text(LOCATION, "m1", "+15864600007")).await?;
    daemon.wait_state("m1", "dead-lettered", SOON).await?;
    // Without a daemon the same verbs work on the store.
    let cli = cli.clone();
    daemon.stop().await?;
    assert_eq!(cli.json(&["suppressions", "remove", "+15864600007"]).await?, json!({ "changed": 1 }));
    let daemon = stage.start(&stage.plain()).await?;
    daemon.send(&text(LOCATION, "m2", "+15864600007")).await?;
    daemon.wait_state("m2", "accepted", SOON).await?;
    assert_eq!(stage.asked_to_send(), 1);
    daemon.stop().await?;
    Ok(())
}
