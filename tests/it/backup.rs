//! A copy of the store, made while it works, from which a daemon can go on.

use dispatch_testkit::{Launch, Load, sms};

use crate::stage::{LOCATION, SOON, Stage, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_whole_and_a_daemon_starts_from_it() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = stage.start(&stage.plain()).await?;
    daemon.send(&text(LOCATION, "before-the-copy", "+15864603685")).await?;
    daemon.wait_state("before-the-copy", "accepted", SOON).await?;
    daemon.cli().json(&["suspend", "--location", "another-location-001"]).await?;
    daemon.send(&text("another-location-001", "waits", "+15864603686")).await?;
    daemon.wait_state("waits", "scheduled", SOON).await?;

    let target = daemon.target().clone();
    let requests = (0..400).map(|n| target.request(&sms(LOCATION, n, 512))).collect();
    let running =
        tokio::spawn(async move { Load { connections: 4, rate: None }.run(target.addr, requests).await });
    let copy = stage.home.file("copy.db");
    daemon.cli().json(&["backup", &copy.to_string_lossy()]).await?;
    assert_eq!(running.await?.acked.len(), 400, "admitting goes on meanwhile");
    daemon.kill().await?;

    let check = rusqlite::Connection::open(&copy)?;
    let whole: String = check.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    assert_eq!(whole, "ok");
    drop(check);

    std::fs::remove_dir_all(stage.home.file("data"))?;
    std::fs::create_dir_all(stage.home.file("data"))?;
    std::fs::rename(&copy, stage.home.store())?;
    let daemon = Launch::new(&stage.home).start().await?;
    assert_eq!(daemon.message("before-the-copy").await?["delivery"]["state"], "accepted");
    daemon.cli().json(&["resume", "--location", "another-location-001"]).await?;
    daemon.wait_state("waits", "accepted", SOON).await?;
    daemon.stop().await?;
    Ok(())
}
