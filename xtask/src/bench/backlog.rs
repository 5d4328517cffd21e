//! The whole way with nothing waiting, and with a million messages waiting at another backend.

use std::time::Instant;

use dispatch_testkit::{Load, sms};

use super::rig::{BODY, CONNECTIONS, Rig};
use super::table::Row;
use crate::process::{cpu, each};

/// Signed requests are made ahead; so many at a time bound the memory of the sender.
const BATCH: usize = 20_000;

pub(super) async fn run(scale: usize) -> anyhow::Result<Vec<Row>> {
    let rig = Rig::start().await?;
    rig.suspend("later", true).await?;
    rig.send(0, 1_000, None).await;
    rig.settled(1_000).await?;
    let count = 20_000 / scale;
    let (done, empty) = measure(&rig, "whole way, 0 waiting", 1_000, count, 1_000).await?;

    let waiting = 1_000_000 / scale;
    for first in (0..waiting).step_by(BATCH) {
        let target = rig.daemon.target();
        let many = first..(first + BATCH).min(waiting);
        let body =
            |n: usize| sms(&format!("waiting-location-{:03}", n % 100), 1_000_000 + n as u64, BODY / 2);
        let requests = many.map(|n| target.request(&body(n))).collect();
        Load { connections: CONNECTIONS, rate: None }.run(target.addr, requests).await;
    }
    let name = format!("whole way, {waiting} waiting");
    let (_, full) = measure(&rig, &name, 10_000_000, count, done).await?;
    let ratio = full.cpu_us.unwrap_or(0.0) / empty.cpu_us.unwrap_or(1.0);
    let full = full.note(format!("{ratio:.2} times the CPU")).goal("flat");
    rig.end().await?;
    Ok(vec![empty, full])
}

/// Gives how many were accepted in all, and the row.
async fn measure(
    rig: &Rig,
    name: &str,
    first: usize,
    count: usize,
    accepted: u64,
) -> anyhow::Result<(u64, Row)> {
    let pid = rig.daemon.pid();
    let (before, started) = (cpu(pid)?, Instant::now());
    let report = rig.send(first, count, None).await;
    let accepted = accepted + report.acked.len() as u64;
    rig.settled(accepted).await?;
    let row = Row::new(name)
        .rate(report.acked.len() as f64 / started.elapsed().as_secs_f64())
        .latency(report.millis(50.0), report.millis(99.0))
        .cpu(each(before, cpu(pid)?, report.acked.len()));
    Ok((accepted, row))
}
