//! `status` and `backends`.

use std::fmt::Write as _;

use dispatch_admin::{ApiRequest, BackendRow, DaemonFacts, StatusReport};
use dispatch_engine::{BreakerStatus, EngineStatus, LaneStatus};
use dispatch_model::Timestamp;
use dispatch_store::Suspension;

use super::Place;
use crate::exit::Failure;
use crate::{out, when};

/// Lanes that a terminal shows: those with trouble come first, and `--json` has them all.
const LANES_SHOWN: usize = 40;

pub(super) async fn status(place: &Place) -> Result<(), Failure> {
    let report: StatusReport = place.client().await?.call(ApiRequest::get("/v1/status")).await?;
    let now = place.now();
    place.show(&report, |report| text(report, now))
}

pub(super) async fn backends(place: &Place) -> Result<(), Failure> {
    let rows: Vec<BackendRow> = place.client().await?.call(ApiRequest::get("/v1/backends")).await?;
    place.show(&rows, |rows| {
        let head = ["BACKEND", "PLUGIN", "CHANNELS", "RATE", "AT ONCE", "OVERLAYS", "DIGEST"];
        let rows = rows.iter().map(|row| {
            [
                row.name.to_string(),
                format!("{} {}", row.plugin, row.version),
                row.channels.join(", "),
                row.rate.clone().unwrap_or_else(|| "-".to_owned()),
                row.concurrency.to_string(),
                row.overlays.to_string(),
                row.digest.chars().take(12).collect(),
            ]
        });
        out::table(head, rows)
    })
}

fn text(report: &StatusReport, now: Timestamp) -> String {
    let mut text = String::new();
    match &report.daemon {
        Some(facts) => daemon(&mut text, facts, now),
        None => text.push_str("dispatcher is not running; this is what the store holds\n"),
    }
    let counts: Vec<String> = report
        .store
        .by_state
        .iter()
        .filter(|(_, n)| **n > 0)
        .map(|(state, n)| format!("{n} {state}"))
        .collect();
    let counts = if counts.is_empty() { "none yet".to_owned() } else { counts.join(", ") };
    let _ = writeln!(text, "messages     {counts}");
    if report.store.quarantined > 0 {
        let _ = writeln!(text, "quarantined  {}: see `dispatcher quarantine`", report.store.quarantined);
    }
    if report.store.parked_receipts > 0 {
        let _ = writeln!(
            text,
            "receipts     {} for messages that are not known here",
            report.store.parked_receipts
        );
    }
    let (used, free) = (mib(report.store.bytes), mib(report.store.disk_free));
    let _ = writeln!(text, "store        {used} MiB, {free} MiB free on the disk");
    for (what, since) in &report.suspensions {
        let _ = writeln!(text, "suspended    {} since {} UTC", suspension(what), when::short(*since));
    }
    if let Some(engine) = &report.engine {
        lanes(&mut text, engine, now);
    }
    text.trim_end().to_owned()
}

fn daemon(text: &mut String, facts: &DaemonFacts, now: Timestamp) {
    let state =
        facts.not_ready.as_ref().map_or_else(|| "ready".to_owned(), |why| format!("NOT READY: {why}"));
    let up = when::span(now.since(facts.started_at));
    let _ = writeln!(text, "dispatcher   {} (process {}), up {up}, {state}", facts.version, facts.pid);
    let _ = writeln!(text, "listening    {}", facts.listening.join(", "));
    let loaded = when::short(facts.config_loaded_at);
    let _ = writeln!(text, "config       {}, loaded {loaded} UTC", facts.config.join(", "));
    if let Some(problem) = &facts.config_refused {
        let _ =
            writeln!(text, "             the file as it is now was REFUSED, the old one goes on:\n{problem}");
    }
    let _ = writeln!(text, "plugins      {}", facts.plugin_host);
}

fn lanes(text: &mut String, engine: &EngineStatus, now: Timestamp) {
    if let Some(fatal) = &engine.fatal {
        let _ = writeln!(text, "ENGINE STOPPED: {fatal}");
    }
    let mut lanes: Vec<&LaneStatus> = engine.lanes.iter().collect();
    lanes.sort_by_key(|lane| (!in_trouble(lane), std::cmp::Reverse(lane.in_flight), lane.name.clone()));
    let rows = lanes.iter().take(LANES_SHOWN).map(|lane| {
        [
            lane.name.clone(),
            format!("{}/{}", lane.in_flight, lane.concurrency),
            lane.waiting.map_or_else(|| "-".to_owned(), |waiting| waiting.to_string()),
            lane.next_due.map_or_else(|| "-".to_owned(), |due| when::until(due, now)),
            lane_state(lane, now),
        ]
    });
    let table = out::table(["LANE", "UNDER WAY", "WAITING", "NEXT", "STATE"], rows);
    let _ = writeln!(text, "\n{table}");
    if lanes.len() > LANES_SHOWN {
        let _ = writeln!(text, "… and {} more lanes: --json has them all", lanes.len() - LANES_SHOWN);
    }
}

fn in_trouble(lane: &LaneStatus) -> bool {
    lane.paused.is_some() || lane.suspended || !matches!(lane.breaker, BreakerStatus::Closed { .. })
}

fn lane_state(lane: &LaneStatus, now: Timestamp) -> String {
    if !lane.configured {
        return "no longer configured".to_owned();
    }
    if lane.suspended {
        return "suspended".to_owned();
    }
    if let Some(paused) = &lane.paused {
        return format!("paused, ends {}: {}", when::until(paused.until, now), paused.reason);
    }
    match &lane.breaker {
        BreakerStatus::Open(open) => {
            format!("breaker open, probes {}: {}", when::until(open.until, now), open.reason)
        }
        BreakerStatus::Probing { reason } => format!("breaker probing after: {reason}"),
        BreakerStatus::Closed { failures: 0 } => "ok".to_owned(),
        BreakerStatus::Closed { failures } => format!("ok, {failures} failures in a row"),
    }
}

fn suspension(what: &Suspension) -> String {
    match what {
        Suspension::Backend(name) => format!("backend {name}"),
        Suspension::Route(name) => format!("route {name}"),
        Suspension::Location(id) => format!("location {id}"),
    }
}

fn mib(bytes: u64) -> u64 {
    bytes / (1024 * 1024)
}
