//! The twelve fixtures, as HighLevel would send them, and what becomes of each.

use std::collections::BTreeMap;

use dispatch_testkit::{fixture, fixtures};

use crate::stage::{SOON, Stage};

/// What becomes of a fixture.
enum Fate {
    /// Delivered, to this recipient.
    Delivered(&'static str),
    /// Accepted, and kept where an operator finds it, in this state.
    Kept(&'static str),
    /// Answered, and nothing kept.
    Ignored,
}

fn fates() -> BTreeMap<&'static str, Fate> {
    use Fate::{Delivered, Ignored, Kept};
    BTreeMap::from([
        ("A1_doc_sms", Delivered("+15864603685")),
        ("A2_doc_email", Delivered("abc@gmail.com")),
        ("B1_live_sms_full", Delivered("+")),
        ("B2_live_sms_workflow_no_user", Delivered("+")),
        ("B3_live_type_custom", Delivered("+")),
        ("B4_attachment_only", Delivered("+")),
        ("C1_reply_to_alt", Delivered("")),
        ("D1_platform_event_not_provider", Ignored),
        ("D2_validation_ping", Ignored),
        ("D3_email_to_string", Delivered("")),
        ("D4_unknown_location", Kept("dead-lettered")),
        ("D5_bad_phone", Delivered("+52")),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fixture_meets_its_fate() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    // Routes for the locations of the fixtures but D4's.
    let mut locations: Vec<String> = Vec::new();
    for fixture in fixtures()? {
        let location = fixture.field("locationId");
        locations
            .extend(location.filter(|id| fixture.name != "D4_unknown_location" && !locations.contains(id)));
    }
    let config = stage.plain().replace("channel = ", &format!("location = {locations:?}\nchannel = "));
    let daemon = stage.start(&config).await?;

    for (name, fate) in fates() {
        let fixture = fixture(name)?;
        let answer = daemon.send(&fixture.body).await?;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let id = fixture.field("messageId").unwrap_or_default();
        match fate {
            Fate::Delivered(to) => {
                let message = daemon.wait_state(&id, "accepted", SOON).await.map_err(|e| e.context(name))?;
                let shown = message["message"].to_string();
                assert!(shown.contains(to), "{name}: {to:?} is not in {shown}");
            }
            Fate::Kept(state) => {
                let message = daemon.wait_state(&id, state, SOON).await.map_err(|e| e.context(name))?;
                assert!(message["delivery"]["reason"]["message"].is_string(), "{name}: no reason given");
            }
            Fate::Ignored => {}
        }
    }
    let kept = daemon.ask("/v1/messages?limit=100").await?;
    let kept = kept["items"].as_array().map_or(0, Vec::len);
    assert_eq!(kept, 10, "all but the ping and the platform event");
    assert_eq!(daemon.ask("/v1/quarantine").await?["items"].as_array().map(Vec::len), Some(0));
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_event_does_not_swallow_the_message_with_its_ids() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = stage.start(&stage.plain()).await?;
    for name in ["D1_platform_event_not_provider", "B1_live_sms_full"] {
        assert_eq!(daemon.send(&fixture(name)?.body).await?.status, 200);
    }
    stage.sms.wait_for(1, SOON).await?;
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_sent_again_is_delivered_once() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = stage.start(&stage.plain()).await?;
    let sms = fixture("A1_doc_sms")?;
    for _ in 0..5 {
        assert_eq!(daemon.send(&sms.body).await?.status, 200);
    }
    let id = sms.field("messageId").unwrap_or_default();
    let message = daemon.wait_state(&id, "accepted", SOON).await?;
    // Another message behind them: when it is through, a second copy would have been as well.
    let last = fixture("B3_live_type_custom")?;
    daemon.send(&last.body).await?;
    daemon.wait_state(&last.field("messageId").unwrap_or_default(), "accepted", SOON).await?;
    assert_eq!(stage.sms.count(), 2);
    assert_eq!(message["attempts"].as_array().map(Vec::len), Some(1));
    daemon.stop().await?;
    Ok(())
}
