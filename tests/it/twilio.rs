//! The `twilio` plugin against Twilio's own OpenAPI description, under a server (Prism) that refuses
//! what the description refuses.

use dispatch_testkit::{Counterparts, fixture};

use crate::stage::{LOCATION, Stage, outcomes, route};

/// Prism is slow when it is busy.
const SOON: std::time::Duration = std::time::Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prism and Twilio's description: run `cargo xtask test`"]
async fn what_we_ask_is_what_twilio_describes() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let twilio = Counterparts::find()?.twilio(&stage.home).await?;
    let url = format!("http://127.0.0.1:{}", twilio.port);
    let daemon = stage.start(&(stage.twilio("texts", &url, "") + &route("texts", "sms", "texts"))).await?;
    // One with an attachment, one with several and no text, one plain with letters that are no GSM-7.
    for name in ["A1_doc_sms", "B4_attachment_only"] {
        let fixture = fixture(name)?;
        daemon.send(&fixture.body).await?;
        let id = fixture.field("messageId").unwrap_or_default();
        let message =
            daemon.wait_state(&id, "accepted", SOON).await.map_err(|e| e.context(twilio.log.text()))?;
        assert_eq!(outcomes(&message), ["accepted"]);
        assert!(message["delivery"]["references"][0].is_string(), "{message:#}");
    }
    daemon.send(&crate::stage::text(LOCATION, "plain", "+5215512345678")).await?;
    daemon.wait_state("plain", "accepted", SOON).await?;
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prism and Twilio's description: run `cargo xtask test`"]
async fn what_twilio_describes_as_wrong_is_not_taken_for_success() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let twilio = Counterparts::find()?.twilio(&stage.home).await?;
    // Not our request: the counterpart's own judgement, so that the test above proves something.
    let client = dispatch_testkit::Client::tcp(std::net::SocketAddr::from(([127, 0, 0, 1], twilio.port)));
    let path = format!("/2010-04-01/Accounts/{}/Messages.json", crate::stage::ACCOUNT);
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", "Basic QTpC")];
    let answer = client.await?.request("POST", &path, &headers, b"Body=no+recipient").await?;
    assert!((400..500).contains(&answer.status), "Prism takes a request without `To`: {}", answer.text());
    Ok(())
}
