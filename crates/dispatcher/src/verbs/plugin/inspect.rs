//! `plugin inspect`: what a component is, what it asks for, and what would be refused.

use std::fmt::Write as _;
use std::time::Instant;

use dispatch_engine::Backend as _;
use dispatch_model::{Asks, Description, MediaSupport};
use dispatch_plugins::Inspection;
use serde::Serialize;

use super::{Component, host};
use crate::cli::PluginInspectArgs;
use crate::exit::Failure;
use crate::verbs::Place;

#[derive(Serialize)]
struct Inspected {
    #[serde(flatten)]
    inspection: Inspection,
    /// What the given settings ask for.
    asks: Option<Asks>,
    /// Milliseconds until it was ready: compiled, or taken from the cache.
    ready_ms: u128,
}

pub(super) async fn inspect(place: &Place, args: &PluginInspectArgs) -> Result<(), Failure> {
    let component = Component::of(&args.path)?;
    let bytes = component.bytes()?;
    let host = host()?;
    let began = Instant::now();
    let mut inspection = host.inspect(bytes.clone()).await;
    let ready_ms = began.elapsed().as_millis();
    let mut asks = None;
    if let Some(settings) = component.settings(args.settings.as_deref())?
        && let Ok(plugin) = host.load("inspected", bytes).await
    {
        match plugin.check(&settings).await {
            Ok(Ok(asked)) => asks = Some(asked),
            Ok(Err(problems)) => inspection.refused.extend(
                problems
                    .into_iter()
                    .map(|problem| format!("settings: {}: {}", problem.path, problem.message)),
            ),
            Err(fault) => inspection.refused.push(format!("checking the settings failed: {fault}")),
        }
    }
    let inspected = Inspected { inspection, asks, ready_ms };
    place.show(&inspected, text)?;
    match inspected.inspection.refused.len() {
        0 => Ok(()),
        _ => Err(Failure::Refused("dispatcher would refuse it".to_owned())),
    }
}

fn text(inspected: &Inspected) -> String {
    let inspection = &inspected.inspection;
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<11}{value}");
    };
    if let Some(said) = &inspection.description {
        row("plugin", &format!("{} {}: {}", said.name, said.version, said.summary));
        row("channels", &joined(said.channels.iter().map(ToString::to_string)));
    }
    let built = inspection.contract.as_deref().unwrap_or("none");
    row("contract", &format!("{built} (this dispatcher serves {})", inspection.served));
    row("sha256", &inspection.sha256);
    row(
        "size",
        &format!(
            "{} kB, {} kB of memory to begin with",
            inspection.size.div_ceil(1000),
            inspection.memory_initial / 1000
        ),
    );
    row("ready in", &format!("{} ms", inspected.ready_ms));
    row("imports", &joined(inspection.imports.iter().cloned()));
    row("exports", &joined(inspection.exports.iter().cloned()));
    if let Some(said) = &inspection.description {
        row(
            "secrets",
            &joined(said.secrets.iter().map(|ask| {
                format!("{} ({}{})", ask.name, ask.summary, if ask.required { "" } else { "; optional" })
            })),
        );
        row("media", &media(said));
        let features =
            [(said.receives, "receive"), (said.looks_up, "lookup"), (said.idempotent, "idempotency")];
        row("features", &joined(features.iter().filter(|(has, _)| *has).map(|(_, name)| (*name).to_owned())));
    }
    if let Some(asks) = &inspected.asks {
        row(
            "asks for",
            &joined(asks.hosts.iter().cloned().chain(asks.relay.then(|| "a mail relay".to_owned()))),
        );
    }
    for why in &inspection.refused {
        row("REFUSED", why);
    }
    text.trim_end().to_owned()
}

fn media(said: &Description) -> String {
    let limits = &said.limits;
    match limits.media {
        MediaSupport::None => "none".to_owned(),
        MediaSupport::Url => format!("by URL, at most {}", limits.media_max),
        MediaSupport::Content => {
            format!("by content, at most {} and {} bytes", limits.media_max, limits.media_bytes_max)
        }
    }
}

fn joined(words: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = words.collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}
