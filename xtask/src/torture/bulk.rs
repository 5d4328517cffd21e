//! Load: a location in a flood beside one that sends a message a second; a backlog of a million.
//!
//! Figures of a debug build on a shared machine rank nothing; the bounds are those of the promise all
//! the same, and a scale makes the flood smaller.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use dispatch_testkit::{Load, Verdict, sms, until_some};
use serde_json::json;

use super::arena::{Arena, World};
use super::table::Row;
use crate::process::memory;

/// A bulk action of a large agency: so many a minute at one location.
const A_MINUTE: usize = 10_000;
/// And so many waiting before it.
const WAITING: usize = 100_000;
/// A long backlog over all locations.
const BACKLOG: usize = 1_000_000;
/// Requests made ahead at a time: bounds the memory of the sender.
const BATCH: usize = 20_000;
/// Messages of the quiet location, one a second.
const QUIET: u64 = 60;
/// The promise to the quiet location.
const QUIET_WITHIN: Duration = Duration::from_secs(1);
/// The promise to an operator who asks, with a million waiting.
const QUERY_WITHIN: Duration = Duration::from_millis(50);
/// Each question is asked so often; the slowest counts.
const ASKED: usize = 20;
/// A start with a million waiting: seconds.
const START_WITHIN: Duration = Duration::from_secs(10);
/// The daemon's memory at most, in MiB: it does not grow with what waits.
const MEMORY_MAX: f64 = 400.0;

/// The flood's location and the quiet one share a backend with a rate, so that they compete for it.
pub(super) async fn fairness(world: &World, scale: usize) -> anyhow::Result<Row> {
    let mut arena = prepared(world, "limits = { rate = \"300/s\", concurrency = 32 }").await?;
    arena.start().await?;
    suspend(&arena, true).await?;
    flood(&arena, 0, WAITING / scale, None, |_| "flood".into()).await?;
    suspend(&arena, false).await?;
    let target = arena.home.target();
    let more = QUIET as usize * A_MINUTE / 60 / scale;
    let seconds = QUIET as usize / scale.min(4);
    let load = Load { connections: 8, rate: Some((A_MINUTE / 60) as u32) };
    let requests = (0..more).map(|n| target.request(&sms("flood", (WAITING + n) as u64, 400))).collect();
    let flooding = tokio::spawn(async move { load.run(target.addr, requests).await });
    let (began, first) = (Instant::now(), 5_000_000_u64);
    let mut sent = HashMap::new();
    for n in 0..seconds as u64 {
        tokio::time::sleep_until((began + Duration::from_secs(n)).into()).await;
        sent.insert(format!("+1586{:07}", first + n), Instant::now());
        let answer = arena.home.target().send(&sms("quiet", first + n, 400)).await?;
        anyhow::ensure!(answer.status == 200, "the quiet location was answered {}", answer.status);
    }
    let mut took = Vec::new();
    let found = until_some("the quiet location's messages", Duration::from_secs(60), async || {
        for caught in arena.texts.take() {
            let to = caught.json().ok().and_then(|json| json["to"].as_str().map(str::to_owned));
            if let Some(at) = to.and_then(|to| sent.remove(&to)) {
                took.push(caught.at.saturating_duration_since(at));
            }
        }
        sent.is_empty().then_some(())
    });
    found.await?;
    flooding.await?;
    let left = state(&arena, "scheduled").await?;
    arena.kill().await?;
    took.sort();
    let p99 = took[(took.len() * 99).div_ceil(100) - 1];
    let row =
        Row { verdict: Verdict { acknowledged: took.len() as u64, ..Verdict::default() }, ..Row::default() };
    let note = format!(
        "{} waiting and {} a minute beside it; {left} left; p50 {:?}, p99 {p99:?}",
        WAITING / scale,
        A_MINUTE,
        took[took.len() / 2]
    );
    Ok(row
        .noted(note)
        .proves(left > 0, "the flood was over")
        .fails(p99 > QUIET_WITHIN, "p99 is over a second"))
}

/// Start, memory and questions with a long backlog.
pub(super) async fn backlog(world: &World, scale: usize) -> anyhow::Result<Row> {
    let mut arena = prepared(world, "limits = { concurrency = 32 }").await?;
    arena.start().await?;
    suspend(&arena, true).await?;
    let count = BACKLOG / scale;
    flood(&arena, 0, count, None, |n| format!("waiting-location-{:03}", n % 100)).await?;
    arena.kill().await?;
    let began = Instant::now();
    arena.start().await?;
    let started = began.elapsed();
    let (slowest, which) = slowest_query(&arena, count).await?;
    let memory = memory(arena.running()?.pid(), "VmHWM")?;
    let waiting = state(&arena, "scheduled").await? + state(&arena, "unplanned").await?;
    arena.kill().await?;
    let note = format!(
        "{waiting} waiting: start {started:.1?}, {memory:.0} MiB, slowest query {slowest:.1?} ({which})"
    );
    let row = Row { verdict: Verdict { waiting, ..Verdict::default() }, ..Row::default() }.noted(note);
    Ok(row
        .fails(waiting < count as u64, "some are gone")
        .fails(started > START_WITHIN, "the start takes too long")
        .fails(memory > MEMORY_MAX, "memory grows with what waits")
        .fails(slowest > QUERY_WITHIN, "a query is too slow"))
}

async fn prepared<'a>(world: &'a World, limits: &str) -> anyhow::Result<Arena<'a>> {
    let arena = Arena::new(world).await?;
    let config = arena.config(&arena.texts.url(), "http");
    let (before, after) = config.split_once("limits = ").unwrap_or((&config, ""));
    let rest = after.split_once('\n').map_or("", |(_, rest)| rest);
    arena.configure(&format!("{before}{limits}\n{rest}"))?;
    let text = std::fs::read_to_string(arena.home.file("config.toml"))?;
    arena.home.write("config.toml", text.replace("[store]", "[store]\nlocation_waiting_max = 1000000"))?;
    Ok(arena)
}

async fn flood(
    arena: &Arena<'_>,
    first: usize,
    count: usize,
    rate: Option<u32>,
    location: impl Fn(usize) -> String,
) -> anyhow::Result<()> {
    let target = arena.home.target();
    for batch in (first..first + count).step_by(BATCH) {
        let end = (batch + BATCH).min(first + count);
        let requests = (batch..end).map(|n| target.request(&sms(&location(n), n as u64, 400))).collect();
        let report = Load { connections: 32, rate }.run(target.addr, requests).await;
        anyhow::ensure!(report.acked.len() == end - batch, "answered {:?}", report.statuses);
    }
    Ok(())
}

async fn suspend(arena: &Arena<'_>, suspended: bool) -> anyhow::Result<()> {
    let body = json!({ "what": { "backend": "texts" }, "suspended": suspended });
    let answer = arena.running()?.post("/v1/suspend", &body).await?;
    anyhow::ensure!(answer.status == 200, "suspending answered {}: {}", answer.status, answer.text());
    Ok(())
}

async fn state(arena: &Arena<'_>, state: &str) -> anyhow::Result<u64> {
    let status = arena.running()?.ask("/v1/status").await?;
    Ok(status["store"]["by_state"][state].as_u64().unwrap_or(0))
}

async fn slowest_query(arena: &Arena<'_>, count: usize) -> anyhow::Result<(Duration, String)> {
    let daemon = arena.running()?;
    let middle = count / 2;
    let questions = [
        "/v1/status".to_owned(),
        "/v1/messages?limit=50".to_owned(),
        "/v1/messages?limit=50&state=scheduled".to_owned(),
        "/v1/messages?limit=50&state=dead-lettered".to_owned(),
        "/v1/messages?limit=50&location=waiting-location-042".to_owned(),
        format!("/v1/messages?limit=50&recipient=%2B1586{middle:07}"),
        format!("/v1/messages?limit=50&contact=C{middle:019}"),
        format!("/v1/messages/M{middle:019}"),
        "/metrics".to_owned(),
    ];
    let mut slowest = (Duration::ZERO, String::new());
    for question in questions {
        for _ in 0..ASKED {
            let began = Instant::now();
            let answer = daemon.get(&question).await?;
            anyhow::ensure!(answer.status == 200, "{question} answered {}: {}", answer.status, answer.text());
            if began.elapsed() > slowest.0 {
                slowest = (began.elapsed(), question.clone());
            }
        }
    }
    Ok(slowest)
}
