//! `plugin bench`: what a delivery costs with this plugin, in this very program.
//!
//! ```text
//! once, as `plugin run`:  deliver ─▶ asks ─▶ the cassette answers ─▶ on-reply ─▶ … ─▶ outcome
//! then N times:           deliver ─▶ on-reply, with the answers of the first time ─▶ …
//! ```
//!
//! So only the plugin and its sandbox are measured, and what is wrong with the plugin, its settings or the cassette is
//! said before anything is.

mod conversation;
mod samples;
mod series;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use dispatch_egress::CassetteEgress;
use dispatch_engine::Backend as _;
use dispatch_plugins::Plugin;
use serde::Serialize;

use super::component::Component;
use super::trial::{Answers, Prepared};
use super::{host, host_with, say, trial};
use crate::cli::{LiveArgs, PluginBenchArgs};
use crate::exit::Failure;
use crate::out;
use crate::verbs::{Place, outcome};
use conversation::Conversation;
use samples::Samples;
use series::{CallTime, Series};

/// Deliveries at once: one after the other, some for each core, and more than a small machine can ever run.
const AT_ONCE: [u32; 3] = [1, 8, 64];

/// A plugin that receives is told where the provider should call; so it is here.
const CALLBACK_URL: &str = "https://dispatcher.example/callbacks/bench/AAAAAAAAAAAAAAAAAAAAAAAA";

/// What was measured.
#[derive(Serialize)]
struct Measured {
    plugin: String,
    version: String,
    /// Bytes of the component.
    size: usize,
    /// How it is run here.
    host: String,
    /// Where the settings are from.
    settings: String,
    /// Who answered, if anything was asked.
    answers: Option<String>,
    /// What the delivery came to: its kind, and in words.
    outcome: &'static str,
    outcome_words: String,
    /// Milliseconds.
    compile_ms: f64,
    /// Milliseconds, of what was compiled before.
    cached_ms: f64,
    calls: Vec<CallTime>,
    deliveries: Vec<Series>,
}

pub(super) async fn bench(place: &Place, args: &PluginBenchArgs) -> Result<(), Failure> {
    let samples = Samples::default();
    metrics::set_global_recorder(samples.clone()).map_err(|error| Failure::Refused(error.to_string()))?;
    let component = Component::of(&args.trial.path)?;
    // With what was compiled before, so that an author sees at once what is wrong.
    let plugin = component.load(&host()?).await?;
    let mut prepared = Prepared::new(&component, plugin, &args.trial, &LiveArgs::default(), answers).await?;
    let receives = prepared.plugin.description().receives;
    prepared.context.callback_url = receives.then(|| CALLBACK_URL.to_owned());
    let (conversation, end) = Conversation::first(&prepared).await?;
    // It takes up to half a minute, for which a program can wait.
    let tell = |line: &str| {
        if !place.json {
            say(line)
        }
    };
    tell("compiling");
    let loaded = Loaded::time(&component).await?;
    let said = loaded.plugin.description();
    let conversation = Arc::new(conversation.with(Arc::clone(&loaded.plugin)));
    let (mut calls, mut deliveries) = (Vec::new(), Vec::new());
    for at_once in AT_ONCE {
        tell(&format!("delivering, {at_once} at once"));
        series::warm_up(&conversation, at_once, args.calls).await?;
        let _ = (samples.take("deliver"), samples.take("on-reply"));
        deliveries.push(series::measure(&conversation, at_once, args.calls).await?);
        if at_once == 1 {
            let (deliver, on_reply) = (samples.take("deliver"), samples.take("on-reply"));
            calls = series::calls(deliver, &on_reply, conversation.steps());
        }
    }
    let measured = Measured {
        plugin: said.name.clone(),
        version: said.version.clone(),
        size: component.bytes()?.len(),
        host: loaded.host,
        settings: prepared.settings_from,
        answers: (conversation.steps() > 0).then_some(prepared.answers_from),
        outcome: end.kind(),
        outcome_words: outcome::words(&end),
        compile_ms: loaded.compile_ms,
        cached_ms: loaded.cached_ms,
        calls,
        deliveries,
    };
    place.show(&measured, text)
}

/// A plugin that asks nothing needs no cassette.
fn answers(cassette: Option<PathBuf>) -> Result<Answers, Failure> {
    match cassette {
        Some(path) => trial::cassette(&path),
        None => Ok((Arc::new(CassetteEgress::default()), "no cassette: --cassette FILE".to_owned())),
    }
}

/// The plugin as a daemon has it that starts for the second time.
struct Loaded {
    plugin: Arc<Plugin>,
    host: String,
    compile_ms: f64,
    cached_ms: f64,
}

impl Loaded {
    async fn time(component: &Component) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        // Below it: the host keeps nothing in a folder that others can read, and makes its own as it wants it.
        let cache = folder.path().join("plugins");
        let (_, _, compile_ms) = load(component, &cache).await?;
        let (plugin, host, cached_ms) = load(component, &cache).await?;
        Ok(Self { plugin, host, compile_ms, cached_ms })
    }
}

async fn load(component: &Component, cache: &Path) -> Result<(Arc<Plugin>, String, f64), Failure> {
    let host = host_with(Some(cache.to_owned()))?;
    let began = Instant::now();
    let plugin = component.load(&host).await?;
    Ok((plugin, host.describe().to_string(), began.elapsed().as_secs_f64() * 1e3))
}

fn text(measured: &Measured) -> String {
    let Measured { plugin, version, size, host, settings, .. } = measured;
    let answers = measured.answers.as_ref().map(|from| format!(" (answered by {from})")).unwrap_or_default();
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<11}{value}");
    };
    row("plugin", format!("{plugin} {version}, {} kB (with {settings})", size.div_ceil(1000)));
    row("ends", format!("{}: {}{answers}", measured.outcome, measured.outcome_words));
    row("host", host.clone());
    row("compiled", format!("in {:.0} ms", measured.compile_ms));
    row("cached", format!("loaded in {:.1} ms", measured.cached_ms));
    let micros = |us: f64| format!("{us:.1}");
    let mut times: Vec<[String; 3]> = measured
        .calls
        .iter()
        .map(|call| [call.call.clone(), micros(call.median_us), micros(call.p99_us)])
        .collect();
    if times.len() > 1 {
        let sum = |of: fn(&CallTime) -> f64| micros(measured.calls.iter().map(of).sum());
        times.push(["together".to_owned(), sum(|call| call.median_us), sum(|call| call.p99_us)]);
    }
    let series = measured.deliveries.iter().map(|series| {
        let at_once = match series.at_once {
            1 => "one after the other".to_owned(),
            more => format!("{more} at once"),
        };
        [at_once, micros(series.cpu_us), format!("{:.0}", series.per_second), series.count.to_string()]
    });
    let calls = out::table(["call", "median µs", "p99 µs"], times);
    let deliveries = out::table(["deliveries", "CPU µs each", "a second", "made"], series);
    format!("{text}\n{calls}\n\n{deliveries}")
}
