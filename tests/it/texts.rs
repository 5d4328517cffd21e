//! Texts in parts: what `explain` says before, what the provider gets, what the timeline says after.

use dispatch_testkit::Launch;
use serde_json::json;

use crate::stage::{LOCATION, SOON, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn one_accent_does_not_double_the_bill() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let config = stage.plain() + "\n[defaults.route]\ntext = { transliterate = \"saving\", parts_max = 2 }\n";
    stage.home.configure(&config)?;
    let daemon = Launch::new(&stage.home).start().await?;
    let sms = |id: &str, text: &str| {
        let (contact, phone) = ("c", "+15864603685");
        json!({ "contactId": contact, "locationId": LOCATION, "messageId": id, "type": "SMS", "phone": phone, "message": text })
            .to_string()
            .into_bytes()
    };
    let text = format!("Mañana será “un buen día” {}", "x".repeat(100));
    let cli = daemon.cli().clone();
    let explain = async |text: &str| {
        let body = stage.home.write("body.json", sms("what-if", text))?;
        anyhow::Ok(cli.run(&["explain", &body.to_string_lossy()]).await?.stdout)
    };
    let explained = explain(&text).await?;
    for line in ["The text: 1 part, GSM-7, 4 characters replaced", r#""á" becomes "a""#] {
        assert!(explained.contains(line), "{line} is not in\n{explained}");
    }
    let explained = explain(&"\u{1f600}".repeat(100)).await?;
    assert!(explained.contains("the text has 4 parts in UCS-2 and the route allows 2"), "{explained}");

    daemon.send(&sms("saved", &text)).await?;
    daemon.wait_state("saved", "accepted", SOON).await?;
    let sent = stage.sms.requests().pop().and_then(|asked| asked.field("Body")).unwrap_or_default();
    assert_eq!(sent, text.replace(['“', '”'], "\"").replace("será", "sera").replace("día", "dia"));
    let shown = cli.run(&["message", "saved"]).await?.stdout;
    assert!(shown.contains("(1 part, GSM-7, 4 characters replaced)"), "{shown}");
    daemon.stop().await?;
    Ok(())
}
