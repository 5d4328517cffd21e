//! The script that is replaced, beside the whole way: a Node program that answers at once and forwards. It verifies and
//! stores nothing, so its figure is what the rest may cost at most to be no dearer than what people run today.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use dispatch_testkit::{Answer, Client, Home, HttpCatcher, Load, Target, free_port, sms, until};

use super::rig::{BODY, CONNECTIONS};
use super::table::Row;
use crate::process::{cpu, each};

const SCRIPT: &str = include_str!("naive.mjs");

/// A minute is many times what it takes.
const BOUND: Duration = Duration::from_secs(60);

/// Both ways of writing it; nothing where there is no Node.
pub(super) async fn run(scale: usize) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (how, name) in [
        ("fetch", "a Node script: fetch, nothing stored"),
        ("agent", "a Node script: http.Agent, nothing stored"),
    ] {
        rows.extend(one(scale, how, name).await?);
    }
    Ok(rows)
}

async fn one(scale: usize, how: &str, name: &str) -> anyhow::Result<Option<Row>> {
    let (home, provider, port) = (Home::new()?, HttpCatcher::start().await?, free_port());
    provider.always(Answer::twilio_created());
    home.write("naive.mjs", SCRIPT)?;
    let mut node = tokio::process::Command::new("node");
    node.arg(home.file("naive.mjs")).arg(port.to_string()).arg(provider.url()).arg(how);
    let Ok(node) = node.stdin(Stdio::null()).kill_on_drop(true).spawn() else { return Ok(None) };
    let pid = node.id().unwrap_or_default();
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    until("the script", BOUND, async || Client::tcp(addr).await.is_ok()).await?;

    let target = Target { addr, ..home.target() };
    let load = Load { connections: CONNECTIONS, rate: None };
    let send = async |first: usize, count: usize| {
        let requests =
            (first..first + count).map(|n| target.request(&sms("bench", n as u64, BODY))).collect();
        load.run(addr, requests).await
    };
    let delivered =
        async |count: u64| until("all to be sent", BOUND, async || provider.count() >= count).await;
    // Its compiler wants some thousands before it is at its best.
    let warm = 5_000;
    send(0, warm).await;
    delivered(warm as u64).await?;
    let (before, started) = (cpu(pid)?, Instant::now());
    let report = send(warm, 30_000 / scale).await;
    delivered((warm + report.acked.len()) as u64).await?;
    Ok(Some(
        Row::new(name)
            .rate(report.acked.len() as f64 / started.elapsed().as_secs_f64())
            .latency(report.millis(50.0), report.millis(99.0))
            .cpu(each(before, cpu(pid)?, report.acked.len()))
            .note("what is replaced"),
    ))
}
