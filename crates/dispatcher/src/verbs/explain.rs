//! `explain`: how a webhook would be routed and what would be sent, by the very code that does it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use dispatch_admin::ApiRequest;
use dispatch_config::{Loaded, Source};
use dispatch_engine::{
    ChainLink, Engine, EngineConfig, EngineDeps, Explanation, FirstStep, LaneState, TextPlan,
};
use dispatch_model::{Action, Clock as _, Message, MessageId, Step};
use dispatch_routing::Verdict;
use dispatch_store::{MemoryStore, Page, Store as _, Suppression};
use dispatch_text::address_form;

use super::{Place, action, send};
use crate::cli::ExplainArgs;
use crate::clock::SystemClock;
use crate::exit::Failure;
use crate::{configuration, daemon, setup, when};

pub(super) async fn explain(place: &Place, args: &ExplainArgs) -> Result<(), Failure> {
    let loaded = configuration::load(&configuration::inputs(&place.config, BTreeMap::new()))?;
    let clock = SystemClock::start();
    let body = send::read_body(&args.file)?;
    let submission = match args.inbound {
        true => daemon::read_inbound(&body, clock.now()),
        false => daemon::read_webhook(&body, source(&loaded, args)?, clock.now()),
    }
    .map_err(|why| Failure::Refused(format!("{}: {why}", args.file.display())))?;
    let message = Message { id: MessageId::first_at(clock.now()), submission };

    let host = daemon::plugin_host(&loaded.config)?;
    let built = setup::build(&loaded, &host, 0, None).await.map_err(|problems| {
        configuration::print(&problems);
        Failure::Config(configuration::summary(&problems))
    })?;
    let suppressed = suppressed(place, &message).await;
    let store = MemoryStore::new();
    store
        .suppress(suppressed.clone().unwrap_or_default())
        .await
        .map_err(|error| Failure::Refused(error.to_string()))?;
    // The engine as production runs it, over a store with nothing else in it and with nothing to send by.
    let engine = Engine::start(EngineDeps {
        store: Arc::new(store),
        egress: Arc::new(dispatch_egress::CassetteEgress::new([])),
        clock: Arc::new(clock),
        setup: built.setup,
        seed: 0,
        config: EngineConfig::default(),
    })
    .await
    .map_err(|error| Failure::Refused(error.to_string()))?;
    let explanation = engine.explain(&message).await;
    place.show(&explanation, |explanation| {
        let mut text = text(&message, explanation);
        if suppressed.is_none() {
            text.push_str(
                "\n\nWhether somebody wants no messages is not known: there is no store yet to ask.",
            );
        }
        text
    })
}

/// Who of its recipients wants no messages, by the daemon's word or the store's; none where there is neither.
async fn suppressed(place: &Place, message: &Message) -> Option<Vec<Suppression>> {
    let channel = message.channel();
    let mut all = Vec::new();
    for recipient in message.recipients() {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("channel", channel.as_str())
            .append_pair("address", &address_form(channel, recipient))
            .finish();
        let request = ApiRequest::get(format!("/v1/suppressions?{query}"));
        let page: Page<Suppression> = place.client().await.ok()?.call(request).await.ok()?;
        all.extend(page.items);
    }
    Some(all)
}

fn source<'a>(loaded: &'a Loaded, args: &ExplainArgs) -> Result<&'a Source, Failure> {
    let sources = &loaded.config.sources;
    match &args.source {
        None => sources.first(),
        Some(name) => sources.iter().find(|source| source.name.as_str() == name),
    }
    .ok_or_else(|| Failure::Refused("the configuration has no such source".to_owned()))
}

fn text(message: &Message, explanation: &Explanation) -> String {
    let mut text = String::new();
    let (channel, to, location) = (message.channel(), message.recipients().join(", "), &message.location);
    let _ = match message.inbound_from() {
        None => writeln!(text, "{channel} to {to} at location {location}"),
        Some(from) => {
            let location = if location.as_str().is_empty() { "unknown" } else { location.as_str() };
            writeln!(
                text,
                "{channel} from {from} to {to}, brought by {}, location {location}",
                message.source
            )
        }
    };
    let routing = &explanation.routing;
    let _ = writeln!(text, "\nRoutes tried, in order:");
    if routing.skipped > 0 {
        let _ = writeln!(text, "  ({} for other locations or channels are left out)", routing.skipped);
    }
    for tried in &routing.tried {
        match &tried.verdict {
            Verdict::Matched { by } => {
                let _ = writeln!(text, "  + {}: matches by {by}", tried.route);
            }
            Verdict::Other { because } => {
                let _ = writeln!(text, "  - {}: {because}", tried.route);
            }
        }
    }
    if let Some(dead) = &explanation.dead {
        let end =
            if message.inbound_from().is_some() { "kept and handed on to nobody" } else { "a dead letter" };
        let _ = write!(text, "\nIt would be {end}: {dead}");
        return text;
    }
    let _ = writeln!(text, "\nBackends, in the order they are tried:");
    for (number, link) in explanation.chain.iter().enumerate() {
        let _ = writeln!(text, "  {}. {}", number + 1, chain_link(link));
    }
    for note in &explanation.left_out {
        let _ = writeln!(text, "\n{note}");
    }
    if let Some(plan) = &explanation.text {
        text_plan(&mut text, plan);
    }
    match &explanation.first {
        None => text.push_str("\nNone of them would be tried now."),
        Some(FirstStep::Fault(fault)) => {
            let _ = write!(text, "\nThe plugin fails: {fault}");
        }
        Some(FirstStep::Unfit(outcome)) => {
            let _ = write!(text, "\nIt would not be given to the plugin: {}", outcome.kind());
            if let Some(reason) = outcome.reason() {
                let _ = write!(text, " ({reason})");
            }
        }
        Some(FirstStep::Step(step)) => first_step(&mut text, step),
    }
    text.trim_end().to_owned()
}

fn chain_link(link: &ChainLink) -> String {
    let mut words = link.backend.to_string();
    if let Some(plugin) = &link.plugin {
        let _ = write!(words, " ({plugin})");
    }
    if link.overlay {
        words.push_str(", with settings of this location");
    }
    if link.dry_run {
        words.push_str(", a dry run");
    }
    if let Some(wait) = link.lookup_after_ms {
        let wait = when::span(Duration::from_millis(wait));
        let _ = write!(words, ", asked {wait} after an attempt whose answer is lost");
    }
    match &link.availability {
        LaneState::Open => {}
        LaneState::Paused(until) => {
            let _ = write!(words, ", paused until {}: {}", until.until, until.reason);
        }
        LaneState::Broken(until) => {
            let _ = write!(words, ", out of service until {}: {}", until.until, until.reason);
        }
        LaneState::Suspended => words.push_str(", suspended"),
        LaneState::Gone => words.push_str(", not configured"),
    }
    words
}

/// The parts, and what would have to be done, or was, to make them fewer.
fn text_plan(text: &mut String, plan: &TextPlan) {
    let _ = writeln!(text, "\nThe text: {}, {} units", plan.written, plan.written.units);
    for change in &plan.changes {
        let to = if change.to.is_empty() { "nothing".to_owned() } else { format!("{:?}", change.to) };
        let _ = writeln!(text, "  {:?} becomes {to}, {} times", change.from, change.count);
    }
    if !plan.foreign.is_empty() {
        let list: Vec<String> = plan.foreign.iter().map(|character| format!("{character:?}")).collect();
        let _ = writeln!(text, "  not in GSM-7: {}", list.join(" "));
    }
}

fn first_step(text: &mut String, step: &Step) {
    match step {
        Step::Done(outcome) => {
            let _ = write!(text, "\nNothing would be sent: the plugin says {} at once", outcome.kind());
            if let Some(reason) = outcome.reason() {
                let _ = write!(text, " ({reason})");
            }
        }
        Step::Ask(ask) => {
            let words = match &ask.action {
                Action::Http(_) => "It would be sent",
                Action::Mail(_) => "It would be handed to the relay",
                Action::Smpp(_) => "It would be handed to the message centre",
            };
            let _ = write!(text, "\n{words}:\n{}", action::shown(&ask.action, "  "));
        }
    }
}
