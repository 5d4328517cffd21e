//! Webhooks answered after fsync, while nothing is delivered: the door alone.

use super::rig::Rig;
use super::table::Row;
use crate::process::{cpu, each};

pub(super) async fn run(scale: usize) -> anyhow::Result<Vec<Row>> {
    let rig = Rig::start().await?;
    rig.suspend("texts", true).await?;
    let pid = rig.daemon.pid();
    // The first thousand warms connections, caches and the WAL.
    rig.send(0, 1_000, None).await;
    let before = cpu(pid)?;
    let report = rig.send(1_000, 60_000 / scale, None).await;
    let row = Row::new("accept: signed, 1 KiB, 64 connections")
        .rate(report.per_second())
        .latency(report.millis(50.0), report.millis(99.0))
        .cpu(each(before, cpu(pid)?, report.acked.len()))
        .note(format!("answers {:?}", report.statuses))
        .goal("5000/s, p99 < 50 ms");
    rig.stop().await?;
    Ok(vec![row])
}
