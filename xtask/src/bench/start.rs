//! How long from start to ready, and what an idle daemon holds.

use std::time::{Duration, Instant};

use dispatch_testkit::{Client, Launch};

use super::rig::Rig;
use super::table::Row;
use crate::process::memory;

/// How often readiness is asked: the error of the measurement.
const LOOK_EVERY: Duration = Duration::from_millis(1);
const TIMES: usize = 10;

pub(super) async fn run() -> anyhow::Result<Vec<Row>> {
    let first = Instant::now();
    let rig = Rig::start().await?;
    let cold = first.elapsed();
    let home = rig.home;
    rig.daemon.stop().await?;
    let (mut millis, mut idle) = (Vec::new(), 0.0);
    for _ in 0..TIMES {
        let started = Instant::now();
        let daemon = Launch::new(&home).start_unready()?;
        while !ready(&home.socket()).await {
            anyhow::ensure!(started.elapsed() < Duration::from_secs(60), "it does not become ready");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        millis.push(started.elapsed().as_secs_f64() * 1_000.0);
        idle = memory(daemon.pid(), "VmRSS")?;
        daemon.stop().await?;
    }
    millis.sort_by(f64::total_cmp);
    Ok(vec![
        Row::new("start to ready, plugins cached")
            .latency(millis[TIMES / 2], millis[TIMES - 1])
            .note(format!(
                "{TIMES} starts; {:.0} ms the first time, plugins compiled",
                cold.as_secs_f64() * 1_000.0
            ))
            .goal("< 500 ms"),
        Row::new("memory idle, four plugins").note(format!("{idle:.0} MiB")).goal("< 80 MiB"),
    ])
}

async fn ready(socket: &std::path::Path) -> bool {
    let Ok(mut client) = Client::unix(socket).await else { return false };
    client.request("GET", "/readyz", &[], b"").await.is_ok_and(|answer| answer.status == 200)
}
