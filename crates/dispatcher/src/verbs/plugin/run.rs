//! `plugin run`: one delivery, every step printed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dispatch_egress::{CassetteEgress, EgressConfig, NetworkEgress};
use dispatch_engine::{Backend as _, Egress, EngineConfig, FetchBounds, Grants, Network, Spooled, Trial};
use dispatch_model::{
    Asks, Channel, Clock as _, Context, Description, MediaSupport, Message, MessageId, Secret,
};

use super::component::{self, Component};
use super::{host, read, steps};
use crate::cli::{LogFormat, PluginRunArgs};
use crate::clock::SystemClock;
use crate::exit::Failure;
use crate::verbs::{Place, send};
use crate::{daemon, logging};

/// How long a live delivery may take.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn run(place: &Place, args: &PluginRunArgs) -> Result<(), Failure> {
    let component = Component::of(&args.path)?;
    // The plugin's lines are shown as the daemon would write them.
    let _ = logging::start(LogFormat::Auto, "warn,dispatch_plugins=debug");
    let plugin = component.load(&host()?).await?;
    let said = plugin.description();
    let clock = SystemClock::start();
    let settings = component.settings(args.settings.as_deref(), &said.settings_schema)?;
    let asks = component::asks(&plugin, &settings).await?;
    let grants = grants(said, asks, args)?;
    let mut message = message(&component, args, said, &clock)?;
    let cassette = component.file(args.cassette.as_deref(), "cassette.json");
    let (egress, from) = egress(args, cassette)?;
    let files = fetch(&*egress, said, &mut message).await?;
    let now = clock.now();
    let context = Context {
        settings: settings.json.into(),
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
        attachments: &files,
        timeout: TIMEOUT,
        record_body: EngineConfig::default().record_body,
    };
    let account = steps::covered(&trial.deliver(&context, &message).await, &grants.secrets)?;
    place.show(&account, |account| steps::text(account, &from))?;
    match &account.end {
        Ok(_) => Ok(()),
        Err(fault) => Err(Failure::Refused(format!("the host ended the plugin's call: {fault}"))),
    }
}

/// What the plugin asks for is what it gets: the author is the operator here.
fn grants(said: &Description, asks: Asks, args: &PluginRunArgs) -> Result<Grants, Failure> {
    if args.live && (asks.relay || asks.session) {
        let what = if asks.relay { "a mail relay" } else { "an SMPP session" };
        return Err(Failure::Refused(format!(
            "a plugin that needs {what} is tried live through a daemon: without --live a cassette answers"
        )));
    }
    let mut secrets = BTreeMap::new();
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
    let named = said.secrets.iter().filter(|ask| ask.required).map(|ask| &ask.name);
    for name in named.chain(&asks.secrets) {
        if secrets.contains_key(name) {
            continue;
        }
        if args.live {
            let words = format!(
                "the secret {name} is missing: --secret {name}=VARIABLE takes it from the environment"
            );
            return Err(Failure::Refused(words));
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
    said: &Description,
    clock: &SystemClock,
) -> Result<Message, Failure> {
    let channels = &said.channels;
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
    Ok(message)
}

/// The attachments, fetched where the plugin wants their content.
async fn fetch(
    egress: &dyn Egress,
    said: &Description,
    message: &mut Message,
) -> Result<Vec<Arc<Spooled>>, Failure> {
    let mut files = Vec::new();
    if said.limits.media != MediaSupport::Content {
        return Ok(files);
    }
    let bounds = FetchBounds { max_bytes: said.limits.media_bytes_max, timeout: TIMEOUT };
    for attachment in &mut message.submission.attachments {
        let fetched = egress.fetch(&attachment.url, bounds).await.map_err(|error| {
            Failure::Refused(format!("the attachment {} was not fetched: {error}", attachment.url))
        })?;
        attachment.file = Some(fetched.file.clone());
        files.push(Arc::new(fetched));
    }
    Ok(files)
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
        .map_err(|error| Failure::Refused(format!("{}: no cassette: {error}", path.display())))?;
    Ok((Arc::new(cassette.guarded()), path.display().to_string()))
}
