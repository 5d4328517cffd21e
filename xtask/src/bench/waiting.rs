//! A thousand deliveries that wait for a provider which hangs: what do they hold?

use std::time::Duration;

use dispatch_testkit::Act;

use super::rig::Rig;
use super::table::Row;
use crate::process::memory;

/// So many attempts are under way at once at the backend of the rig.
const AT_ONCE: usize = 64;

pub(super) async fn run() -> anyhow::Result<Vec<Row>> {
    let rig = Rig::start().await?;
    let config = std::fs::read_to_string(rig.home.file("config.toml"))?;
    rig.home.write("config.toml", config.replace("concurrency = 64", "concurrency = 1000"))?;
    rig.daemon.cli().json(&["reload"]).await?;
    rig.send(0, AT_ONCE, None).await;
    rig.settled(AT_ONCE as u64).await?;
    let before = memory(rig.daemon.pid(), "VmRSS")?;
    rig.sms.forget();
    rig.sms.always(Act::Hang);
    rig.send(1_000, 1_000, None).await;
    rig.sms.wait_for(1_000, Duration::from_secs(60)).await?;
    let grown = memory(rig.daemon.pid(), "VmRSS")? - before;
    let metrics = rig.daemon.get("/metrics").await?.text();
    let instances = metrics.lines().find(|line| line.contains("instances") && !line.starts_with('#'));
    let row = Row::new("1000 waiting for a provider that hangs")
        .note(format!("{grown:.1} MiB more; {}", instances.unwrap_or("instances: not counted")));
    rig.end().await?;
    Ok(vec![row])
}
