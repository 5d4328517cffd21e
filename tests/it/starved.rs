//! A machine without memory to give.

use crate::plugins::dist;
use crate::stage::{LOCATION, SOON, Stage, outcomes, route, text};
use dispatch_testkit::until;

/// What the guest takes, within its bound and beyond what the daemon may have.
const MIB: u64 = 48;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_waits_for_memory_and_is_not_given_up() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let config = format!(
        "\n[plugins.hungry]\nfile = \"{}\"\n\n[backends.hungry]\nplugin = \"hungry\"\nsettings = {{ mib = {MIB} }}\n{}",
        dist().join("fixtures/hungry.wasm").display(),
        route("hungry", "sms", "hungry").replace("attempts = 3", "attempts = 50")
    );
    let daemon = stage.start(&config).await?;
    let held = held(daemon.pid())?;
    daemon.data_max(Some(held + (MIB << 20) / 2))?;
    daemon.send(&text(LOCATION, "waits", "+15864603685")).await?;
    until("an attempt to be deferred", SOON, async || {
        let Ok(message) = daemon.message("waits").await else { return false };
        let attempts = outcomes(&message);
        assert!(attempts.iter().all(|outcome| *outcome == "deferred"), "{message:#}");
        !attempts.is_empty() && message["attempts"][0]["outcome"].to_string().contains("starved")
    })
    .await?;
    daemon.data_max(None)?;
    daemon.wait_state("waits", "accepted", SOON).await?;
    daemon.stop().await?;
    Ok(())
}

/// Bytes of writable memory, as the limit counts them.
fn held(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}

/// `malloc` is taken over by linking alone: were it lost, nothing would say so but the bench.
#[test]
fn the_allocator_is_the_one_that_was_measured() -> anyhow::Result<()> {
    let mut asked = std::process::Command::new(dispatch_testkit::dispatcher_binary()?);
    let output = asked.arg("--version").env("MIMALLOC_VERBOSE", "1").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("mimalloc: process init"), "{said}");
    Ok(())
}
