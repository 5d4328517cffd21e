//! The whole way: webhook, signature, fsync, sandboxed calls, outgoing request, answer recorded.

use std::time::Instant;

use super::rig::Rig;
use super::table::Row;
use crate::process::{cpu, each, memory};

pub(super) async fn run(scale: usize) -> anyhow::Result<Vec<Row>> {
    let rig = Rig::start().await?;
    let pid = rig.daemon.pid();
    rig.send(0, 1_000, None).await;
    rig.settled(1_000).await?;

    let count = 30_000 / scale;
    let (before, connections, started) = (cpu(pid)?, rig.sms.connections(), Instant::now());
    let report = rig.send(1_000, count, None).await;
    rig.settled(1_000 + report.acked.len() as u64).await?;
    let elapsed = started.elapsed();
    let used = each(before, cpu(pid)?, report.acked.len());
    let opened = rig.sms.connections() - connections;
    let peak = memory(pid, "VmHWM")?;

    // At a pace that leaves the cores idle in between, groups are small: the dearest case.
    let (before, calm) = (cpu(pid)?, 3_000 / scale.min(3));
    let paced = rig.send(100_000, calm, Some(500)).await;
    rig.settled(1_000 + (report.acked.len() + paced.acked.len()) as u64).await?;
    let paced_cpu = each(before, cpu(pid)?, paced.acked.len());
    let rows = vec![
        Row::new("whole way: as fast as it goes")
            .rate(report.acked.len() as f64 / elapsed.as_secs_f64())
            .latency(report.millis(50.0), report.millis(99.0))
            .cpu(used)
            .note(format!("{opened} connections opened for {} calls", report.acked.len()))
            .goal("CPU <= 300"),
        Row::new("whole way: 500 a second")
            .latency(paced.millis(50.0), paced.millis(99.0))
            .cpu(paced_cpu)
            .goal("CPU <= 300"),
        Row::new("memory under load").note(format!("{peak:.0} MiB at most")),
    ];
    rig.stop().await?;
    Ok(rows)
}
