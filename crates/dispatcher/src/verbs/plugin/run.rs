//! `plugin run`: one delivery, every step printed.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dispatch_egress::{CassetteEgress, EgressConfig, NetworkEgress};
use dispatch_engine::{Account, Backend as _, Egress, EngineConfig, Grants, Network, Trial};
use dispatch_model::{
    Channel, Clock as _, Context, Effect, Exchange, MediaSupport, Message, MessageId, Reply, Secret,
};
use dispatch_plugins::Plugin;

use super::{Component, host, read};
use crate::cli::{LogFormat, PluginRunArgs};
use crate::clock::SystemClock;
use crate::exit::Failure;
use crate::verbs::{Place, action, outcome, send};
use crate::{daemon, logging, out};

/// How long a live delivery may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Of an answer's body, this much is shown.
const ANSWER_SHOWN: usize = 1000;

pub(super) async fn run(place: &Place, args: &PluginRunArgs) -> Result<(), Failure> {
    let component = Component::of(&args.path)?;
    // The plugin's lines are shown as the daemon would write them.
    let _ = logging::start(LogFormat::Auto, "warn,dispatch_plugins=debug");
    let plugin = host()?
        .load("tried", component.bytes()?)
        .await
        .map_err(|error| Failure::Refused(format!("{}: {error}", component.file.display())))?;
    let clock = SystemClock::start();
    let settings = component.settings(args.settings.as_deref())?.unwrap_or_else(|| "{}".to_owned());
    let grants = grants(&plugin, &settings, args).await?;
    let message = message(&component, args, &plugin, &clock)?;
    let cassette = component.file(args.cassette.as_deref(), "cassette.json");
    let (egress, from) = egress(args, cassette)?;
    let now = clock.now();
    let context = Context {
        settings: settings.into(),
        now,
        deadline: now.plus(TIMEOUT),
        number: 1,
        idempotency_key: format!("{}-1", message.id),
        callback_url: None,
    };
    let trial = Trial {
        plugin: &*plugin,
        egress: &*egress,
        clock: &clock,
        grants: &grants,
        timeout: TIMEOUT,
        record_body: EngineConfig::default().record_body,
    };
    let account = trial.deliver(&context, &message).await;
    place.show(&account, |account| text(account, &from))?;
    match &account.end {
        Ok(_) => Ok(()),
        Err(fault) => Err(Failure::Refused(format!("the host ended the plugin's call: {fault}"))),
    }
}

/// What the plugin asks for is what it gets: the author is the operator here.
async fn grants(plugin: &Plugin, settings: &str, args: &PluginRunArgs) -> Result<Grants, Failure> {
    let asks = match plugin.check(settings).await {
        Ok(Ok(asks)) => asks,
        Ok(Err(problems)) => {
            for problem in &problems {
                out::talk(&format!("settings: {}: {}", problem.path, problem.message));
            }
            return Err(Failure::Refused("the plugin refuses these settings".to_owned()));
        }
        Err(fault) => return Err(Failure::Refused(format!("checking the settings failed: {fault}"))),
    };
    if asks.relay && args.live {
        return Err(Failure::Refused(
            "a plugin that needs a mail relay is tried live through a daemon".to_owned(),
        ));
    }
    let mut secrets = std::collections::BTreeMap::new();
    for given in &args.secret {
        let (name, variable) = given
            .split_once('=')
            .ok_or_else(|| Failure::Refused(format!("--secret {given}: write NAME=VARIABLE")))?;
        let value =
            std::env::var_os(variable).and_then(|value| value.into_string().ok()).ok_or_else(|| {
                Failure::Refused(format!("--secret {given}: the environment has no {variable}"))
            })?;
        secrets.insert(name.to_owned(), Secret::new(value));
    }
    let named = plugin.description().secrets.iter().filter(|ask| ask.required).map(|ask| &ask.name);
    for name in named.chain(&asks.secrets) {
        if secrets.contains_key(name) {
            continue;
        }
        if args.live {
            return Err(Failure::Refused(format!("the secret {name} is missing: --secret {name}=VARIABLE")));
        }
        secrets.insert(name.clone(), Secret::new(format!("no-secret-{name}")));
    }
    let private_networks = args
        .private_network
        .iter()
        .map(|text| text.parse::<Network>().map_err(|error| Failure::Refused(format!("{text}: {error}"))))
        .collect::<Result<_, _>>()?;
    Ok(Grants {
        owner: "trial".to_owned(),
        hosts: asks.hosts,
        private_networks,
        plaintext: args.plaintext,
        secrets,
        ..Grants::default()
    })
}

fn message(
    component: &Component,
    args: &PluginRunArgs,
    plugin: &Plugin,
    clock: &SystemClock,
) -> Result<Message, Failure> {
    let channels = &plugin.description().channels;
    let message = match component.file(args.message.as_deref(), "message.json") {
        None => dispatch_conformance::sample(channels.first().copied().unwrap_or(Channel::Sms)),
        Some(path) => {
            let body = send::read_body(&path)?;
            let at = clock.now();
            let submission = daemon::read_body(&body, &"trial".into(), None, at)
                .map_err(|why| Failure::Refused(format!("{}: {why}", path.display())))?;
            Message { id: MessageId::first_at(at), submission }
        }
    };
    if !channels.contains(&message.channel()) {
        let words = format!("it carries no {}: give another message with --message", message.channel());
        return Err(Failure::Refused(words));
    }
    if !message.attachments.is_empty() && plugin.description().limits.media == MediaSupport::Content {
        let words = "attachments whose content the plugin wants are fetched by a daemon: try it without them";
        return Err(Failure::Refused(words.to_owned()));
    }
    Ok(message)
}

fn egress(args: &PluginRunArgs, cassette: Option<PathBuf>) -> Result<(Arc<dyn Egress>, String), Failure> {
    if args.live {
        let spool = std::env::temp_dir().join(format!("dispatcher-trial-{}", std::process::id()));
        let network = NetworkEgress::new(EgressConfig::new(spool), Arc::new(SystemClock::start()))
            .map_err(|error| Failure::Refused(error.to_string()))?;
        return Ok((Arc::new(network), "the provider".to_owned()));
    }
    let Some(path) = cassette else {
        return Err(Failure::Refused(
            "who should answer? --cassette FILE answers from a file, --live really sends".to_owned(),
        ));
    };
    let cassette = CassetteEgress::from_json(&read(&path)?)
        .map_err(|error| Failure::Refused(format!("{}: {error}", path.display())))?;
    Ok((Arc::new(cassette), path.display().to_string()))
}

fn text(account: &Account, from: &str) -> String {
    let mut text = String::new();
    for (number, exchange) in account.exchanges.iter().enumerate() {
        step(&mut text, number + 1, exchange, from);
    }
    match &account.end {
        Ok(end) => {
            let _ = write!(text, "{}: {}", end.kind(), outcome::words(end));
        }
        Err(fault) => {
            let _ = write!(text, "fault: {fault}");
        }
    }
    text
}

fn step(text: &mut String, number: usize, exchange: &Exchange, from: &str) {
    let effect = match exchange.effect {
        Effect::None => "delivers nothing",
        Effect::Delivers => "delivers",
    };
    let _ = writeln!(text, "step {number}, {effect}:\n{}", action::shown(&exchange.action, "  "));
    let _ = write!(text, "answered by {from} in {} ms: ", exchange.took_ms);
    match &exchange.reply {
        Reply::Http(response) => {
            let _ = writeln!(text, "{}", response.status);
            for header in &response.headers {
                let _ = writeln!(text, "  {}: {}", header.name, header.value);
            }
            let body: String = response.body.to_text().chars().take(ANSWER_SHOWN).collect();
            if !body.is_empty() {
                let _ = writeln!(
                    text,
                    "\n{}",
                    body.lines().map(|line| format!("  {line}\n")).collect::<String>().trim_end()
                );
            }
        }
        Reply::Mail(mail) => {
            let _ = writeln!(text, "{} {} ({:?})", mail.reply.code, mail.reply.text, mail.stage);
        }
        Reply::Failed { kind, detail, may_have_left } => {
            let left = if *may_have_left { "bytes may have left" } else { "no byte left" };
            let _ = writeln!(text, "no answer: {}: {detail} ({left})", kind.as_str());
        }
    }
    text.push('\n');
}
