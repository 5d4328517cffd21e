//! A start that cannot be, says why and leaves with a code that a service manager can tell apart.

use anyhow::Context as _;
use std::net::TcpListener;
use std::time::Duration;

use dispatch_testkit::{Daemon, Launch, Log};

use crate::stage::{LOCATION, SOON, Stage, route, text};

const LEAVES_WITHIN: Duration = Duration::from_secs(30);

async fn leaves_with(daemon: Daemon, expected: i32) -> anyhow::Result<Log> {
    let (code, log) = daemon.exit(LEAVES_WITHIN).await?;
    anyhow::ensure!(code == Some(expected), "left with {code:?} and not {expected}:\n{}", log.text());
    Ok(log)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_3_and_shown_with_its_place() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.home.configure(&route("texts", "sms", "a-backend-that-is-not"))?;
    let log = leaves_with(Launch::new(&stage.home).start_unready()?, 3).await?;
    assert!(log.contains("a-backend-that-is-not") && log.contains("config.toml:"), "{}", log.text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_4() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let _taken = TcpListener::bind(stage.home.ingress())?;
    stage.home.configure(&stage.plain())?;
    let log = leaves_with(Launch::new(&stage.home).start_unready()?, 4).await?;
    assert!(log.contains(&stage.home.ingress().to_string()), "{}", log.text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_use_is_5() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let first = stage.start(&stage.plain()).await?;
    let other_port =
        stage.home.base().replace(&stage.home.ingress().to_string(), "127.0.0.1:0") + &stage.plain();
    let other = stage.home.write("other.toml", other_port)?;
    leaves_with(Launch::new(&stage.home).configs([other]).start_unready()?, 5).await?;
    // The one in possession noticed nothing.
    first.send(&text(LOCATION, "unmoved", "+15864603685")).await?;
    first.wait_state("unmoved", "accepted", SOON).await?;
    first.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_none_is_7_and_left_as_it_is() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.home.configure(&stage.plain())?;
    let rubbish = "this is no database, but somebody may want it back ".repeat(400);
    stage.home.write("data/dispatcher.db", &rubbish)?;
    leaves_with(Launch::new(&stage.home).start_unready()?, 7).await?;
    assert_eq!(std::fs::read_to_string(stage.home.store())?, rubbish);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_answered_429_and_nothing_is_lost() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    // Files may grow to 1 MiB: the ballast is small so that it fits.
    let small =
        stage.home.base().replace("[[sources]]", "ballast = \"64 KiB\"\nfree_min = \"0 KiB\"\n\n[[sources]]");
    stage.home.write("config.toml", small + &stage.plain())?;
    let daemon = Launch::new(&stage.home).file_size_max(1 << 20).start().await?;
    for part in ["full", "store", "disk"] {
        daemon.expect_error(part);
    }
    let target = daemon.target().clone();
    let mut acked = Vec::new();
    let mut refused = None;
    for n in 0..2_000 {
        let sent = target.send(&dispatch_testkit::sms(LOCATION, n, 1600)).await;
        let answer = sent.with_context(|| daemon.log().text())?;
        match answer.status {
            200 => acked.push(n),
            status => {
                refused = Some((status, answer));
                break;
            }
        }
    }
    let (status, answer) = refused.ok_or_else(|| anyhow::anyhow!("the disk never filled"))?;
    assert_eq!(status, 429, "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    assert!(!acked.is_empty());
    // It stays at work: whoever comes later is told to come again, too.
    for n in 2_000..2_002 {
        let sent = target.send(&dispatch_testkit::sms(LOCATION, n, 1600)).await;
        let answer = sent.with_context(|| daemon.log().text())?;
        assert_eq!(answer.status, 429, "{}", answer.text());
    }
    daemon.kill().await?;

    // With room again, everything that was answered 200 is there and goes out.
    let daemon = Launch::new(&stage.home).start().await?;
    for n in acked {
        daemon.wait_state(&format!("M{n:019}"), "accepted", SOON).await?;
    }
    daemon.stop().await?;
    Ok(())
}
