//! `plugin test`: the plugin's own tests, then the component against the contract.

use std::fmt::Write as _;
use std::sync::Arc;

use dispatch_conformance::{Effort, Report, Subject};
use dispatch_engine::Backend as _;
use parking_lot::Mutex;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::component::Component;
use super::{host, say, target_dir};
use crate::cli::PluginTestArgs;
use crate::exit::Failure;
use crate::verbs::Place;

/// Lines kept of what the plugin logs: enough to look for a secret in.
const LINES_MAX: usize = 100_000;

pub(super) async fn test(place: &Place, args: &PluginTestArgs) -> Result<(), Failure> {
    let component = Component::of(&args.path)?;
    if let Some(project) = &component.project {
        if project.is_stale()? {
            project.build(target_dir().as_deref(), &mut say)?;
        }
        say("its own tests:");
        project.test(target_dir().as_deref(), &mut say)?;
    }
    let plugin = component.load(&host()?).await?;
    let heard = Heard::default();
    // Only the plugin's lines are heard. The compiler's are not even asked for: it writes one for each instruction.
    let lines = Targets::new().with_target("dispatch_plugins", LevelFilter::DEBUG);
    let _ = tracing_subscriber::registry().with(heard.clone().with_filter(lines)).try_init();
    let settings = component.settings(args.settings.as_deref(), &plugin.description().settings_schema)?;
    let subject = Subject {
        plugin: &*plugin,
        settings: &settings.json,
        schema: &|settings| plugin.schema_problems(settings),
        log: &|| heard.take(),
    };
    let effort = Effort { cases: args.cases, seed: args.seed };
    let report = dispatch_conformance::examine(&subject, effort).await;
    place.show(&report, |report| text(report, &settings.from))?;
    if report.passed() { Ok(()) } else { Err(Failure::Refused("it does not keep the contract".to_owned())) }
}

fn text(report: &Report, from: &str) -> String {
    let mut text = format!("the contract, with {from}:\n");
    for check in &report.checks {
        let word = if check.broken == 0 { "ok" } else { "BROKEN" };
        let _ = writeln!(text, "  {word:<7}{} ({} tries)", check.name, check.tried);
        for finding in &check.findings {
            let _ = writeln!(text, "         {}\n           {}", finding.input, finding.what);
        }
        if check.broken > check.findings.len() as u64 {
            let _ = writeln!(text, "         … and {} more", check.broken - check.findings.len() as u64);
        }
    }
    if let Some(why) = &report.given_up {
        let _ = writeln!(text, "  given up: {why}; what comes after was not looked at");
    }
    let _ = write!(
        text,
        "{} calls, the slowest {:.1} ms; seed {}",
        report.calls,
        report.slowest_us as f64 / 1000.0,
        report.seed
    );
    text
}

/// What the plugin logs.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Heard {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                let _ = write!(self.0, "{}={value:?} ", field.name());
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        let mut lines = self.0.lock();
        if lines.len() < LINES_MAX {
            lines.push(text.0);
        }
    }
}
