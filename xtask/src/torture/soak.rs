//! A soak: the same load for an hour and more. Memory, descriptors, latency and what stays in the store for each
//! message may not creep.
//!
//! The first quarter is for warming up: the second is held against the last. Contents and records are kept for minutes
//! only, so that the store comes to its size within the run; the keys against doubles are kept for thirty days at
//! least, so it grows by these.

use std::time::Duration;

use anyhow::ensure;
use dispatch_testkit::{Load, Taken, Verdict};

use super::arena::{Arena, World};
use super::table::Row;
use crate::process::memory;

/// New messages a second: a busy agency all day long.
const RATE: u32 = 200;
/// From one look to the next.
const WINDOW: Duration = Duration::from_secs(10);
/// The store is judged where a run saw several purges, which come every five minutes.
const PURGED_AFTER: u64 = 30;
/// What may stay of a message: its key against doubles and the entries that find it.
const STAYS_MAX: f64 = 400.0;
/// Memory may differ by so much from one quarter to another, in MiB: the allocator's own doing.
const MEMORY_SLACK: f64 = 16.0;
/// Connections that are just being opened or closed.
const DESCRIPTORS_SLACK: f64 = 8.0;
/// Milliseconds of latency: the machine's own doing.
const LATENCY_SLACK: f64 = 10.0;

/// What was seen at the end of one window.
struct Look {
    memory: f64,
    descriptors: f64,
    store: f64,
    p99: f64,
}

impl Look {
    fn at(arena: &Arena<'_>, p99: f64) -> anyhow::Result<Self> {
        let pid = arena.running()?.pid();
        let files = ["data/dispatcher.db", "data/dispatcher.db-wal"];
        let store = files.iter().filter_map(|file| std::fs::metadata(arena.home.file(file)).ok());
        Ok(Self {
            memory: memory(pid, "VmRSS")?,
            descriptors: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as f64,
            store: store.map(|data| data.len()).sum::<u64>() as f64,
            p99,
        })
    }
}

pub(super) async fn soak(world: &World, minutes: u64) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    let config = arena.config(&arena.texts.url(), "http");
    arena.configure(&(config + "\n[store.retention]\ncontent = \"1m\"\nrecord = \"2m\"\n"))?;
    arena.start().await?;
    let target = arena.home.target();
    let (mut looks, mut acked) = (Vec::new(), Vec::new());
    let windows = (minutes * 60 / WINDOW.as_secs()).max(8);
    for _ in 0..windows {
        let messages: Vec<(u64, Vec<u8>)> =
            (0..u64::from(RATE) * WINDOW.as_secs()).map(|_| arena.ledger.next()).collect();
        let requests = messages.iter().map(|(_, body)| target.request(body)).collect();
        let report = Load { connections: 8, rate: Some(RATE) }.run(target.addr, requests).await;
        ensure!(report.acked.len() == messages.len(), "answered {:?}", report.statuses);
        acked.extend(report.acked.iter().map(|place| messages[*place].0));
        arena.ledger.collect(&arena.texts, &arena.mails);
        looks.push(Look::at(&arena, report.millis(99.0))?);
    }
    arena.settled().await?;
    arena.ledger.collect(&arena.texts, &arena.mails);
    arena.kill().await?;
    Ok(judged(&arena, &acked, &looks, minutes))
}

fn judged(arena: &Arena<'_>, acked: &[u64], looks: &[Look], minutes: u64) -> Row {
    // Most records are purged by now, so the providers alone can say what was delivered.
    let arrived = |n: &u64| arena.ledger.arrivals(*n).iter().any(|arrival| arrival.taken == Taken::Yes);
    let lost: Vec<u64> = acked.iter().filter(|n| !arrived(n)).copied().collect();
    let acknowledged = acked.len() as u64;
    let delivered = acknowledged - lost.len() as u64;
    let row =
        Row { verdict: Verdict { acknowledged, delivered, lost, ..Verdict::default() }, ..Row::default() };
    let has_lost = !row.verdict.lost.is_empty();
    let (early, late) = (quarter(looks, 1), quarter(looks, 3));
    let pair = |of: fn(&Look) -> f64| (middle(early, of), middle(late, of));
    let (memory, descriptors) = (pair(|look| look.memory), pair(|look| look.descriptors));
    let latency = pair(|look| look.p99);
    // Peaks, since a purge frees pages of the file and never the file itself.
    let peak = |looks: &[Look]| looks.iter().map(|look| look.store).fold(0.0, f64::max);
    let store = (peak(early), peak(late));
    let between = acknowledged as f64 / 2.0;
    let stays = (store.1 - store.0) / between;
    let judges_the_store = minutes >= PURGED_AFTER;
    let unjudged = if judges_the_store { "" } else { ", not judged: too short for purges" };
    row.noted(format!(
        "{minutes} min at {RATE}/s: memory {:.0} to {:.0} MiB, {:.0} to {:.0} descriptors, p99 {:.1} to {:.1} ms, \
         store {:.1} to {:.1} MiB ({stays:.0} bytes a message stay{unjudged})",
        memory.0,
        memory.1,
        descriptors.0,
        descriptors.1,
        latency.0,
        latency.1,
        store.0 / 1_048_576.0,
        store.1 / 1_048_576.0,
    ))
    .fails(has_lost, "some never came to a provider")
    .fails(memory.1 > memory.0 + MEMORY_SLACK, "memory grows")
    .fails(descriptors.1 > descriptors.0 + DESCRIPTORS_SLACK, "descriptors leak")
    .fails(latency.1 > latency.0 * 1.5 + LATENCY_SLACK, "it becomes slower")
    .fails(judges_the_store && stays > STAYS_MAX, "the store grows by more than its keys")
}

/// One of four.
fn quarter(looks: &[Look], number: usize) -> &[Look] {
    &looks[looks.len() * number / 4..looks.len() * (number + 1) / 4]
}

fn middle(looks: &[Look], of: fn(&Look) -> f64) -> f64 {
    let mut values: Vec<f64> = looks.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
