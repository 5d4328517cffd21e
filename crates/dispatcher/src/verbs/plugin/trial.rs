//! What a plugin is tried with: settings, a message, grants and who answers. `plugin run` delivers it once, `plugin bench`
//! again and again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dispatch_egress::CassetteEgress;
use dispatch_engine::{Account, Backend as _, Egress, FetchBounds, Grants, Network, Spooled, Trial};
use dispatch_model::{
    Asks, Channel, Clock as _, Context, Description, Fault, MediaSupport, Message, MessageId, Secret,
};
use dispatch_plugins::Plugin;

use super::component::{self, Component};
use super::read;
use crate::cli::{LiveArgs, TrialArgs};
use crate::clock::SystemClock;
use crate::daemon;
use crate::exit::Failure;
use crate::verbs::send;

/// How long a live delivery may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Who answers, and that in words.
pub(super) type Answers = (Arc<dyn Egress>, String);

/// All that a delivery needs.
pub(super) struct Prepared {
    pub(super) plugin: Arc<Plugin>,
    pub(super) context: Context,
    pub(super) message: Arc<Message>,
    pub(super) grants: Grants,
    /// Where the settings are from.
    pub(super) settings_from: String,
    /// Who answers.
    pub(super) answers_from: String,
    egress: Arc<dyn Egress>,
    files: Vec<Arc<Spooled>>,
    clock: SystemClock,
}

impl Prepared {
    /// Gathers it. `answers` is given the cassette that was named, or that lies in the folder.
    pub(super) async fn new(
        component: &Component,
        plugin: Arc<Plugin>,
        args: &TrialArgs,
        live: &LiveArgs,
        answers: impl FnOnce(Option<PathBuf>) -> Result<Answers, Failure>,
    ) -> Result<Self, Failure> {
        let said = plugin.description();
        let clock = SystemClock::start();
        let settings = component.settings(args.settings.as_deref(), &said.settings_schema)?;
        let asks = component::asks(&plugin, &settings).await?;
        let grants = grants(said, asks, live)?;
        let mut message = message(component, args.message.as_deref(), said, &clock)?;
        let (egress, answers_from) = answers(component.file(args.cassette.as_deref(), "cassette.json"))?;
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
        let settings_from = settings.from;
        let message = Arc::new(message);
        Ok(Self { plugin, context, message, grants, settings_from, answers_from, egress, files, clock })
    }

    /// Delivers the message; so many bytes are kept of each body.
    pub(super) async fn deliver(&self, record_body: usize) -> Account {
        let trial = Trial {
            plugin: &*self.plugin,
            egress: &*self.egress,
            clock: &self.clock,
            grants: &self.grants,
            attachments: &self.files,
            timeout: TIMEOUT,
            record_body,
        };
        trial.deliver(&self.context, &self.message).await
    }
}

/// A delivery that the host ended.
pub(super) fn ended(fault: &Fault) -> Failure {
    Failure::Refused(format!("the host ended the plugin's call: {fault}"))
}

/// Answers from a file, and refuses what the network would.
pub(super) fn cassette(path: &Path) -> Result<Answers, Failure> {
    let cassette = CassetteEgress::from_json(&read(path)?)
        .map_err(|error| Failure::Refused(format!("{}: no cassette: {error}", path.display())))?;
    Ok((Arc::new(cassette.guarded()), path.display().to_string()))
}

/// What the plugin asks for is what it gets: the author is the operator here.
fn grants(said: &Description, asks: Asks, live: &LiveArgs) -> Result<Grants, Failure> {
    if live.live && (asks.relay || asks.session) {
        let what = if asks.relay { "a mail relay" } else { "an SMPP session" };
        return Err(Failure::Refused(format!(
            "a plugin that needs {what} is tried live through a daemon: without --live a cassette answers"
        )));
    }
    let mut secrets = BTreeMap::new();
    for given in &live.secret {
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
        if live.live {
            let words = format!(
                "the secret {name} is missing: --secret {name}=VARIABLE takes it from the environment"
            );
            return Err(Failure::Refused(words));
        }
        secrets.insert(name.clone(), Secret::new(format!("no-secret-{name}")));
    }
    let private_networks = live
        .private_network
        .iter()
        .map(|text| text.parse::<Network>().map_err(|error| Failure::Refused(format!("{text}: {error}"))))
        .collect::<Result<_, _>>()?;
    Ok(Grants {
        owner: "trial".into(),
        hosts: asks.hosts,
        private_networks,
        plaintext: live.plaintext,
        secrets: Arc::new(secrets),
        ..Grants::default()
    })
}

fn message(
    component: &Component,
    named: Option<&Path>,
    said: &Description,
    clock: &SystemClock,
) -> Result<Message, Failure> {
    let channels = &said.channels;
    let message = match component.file(named, "message.json") {
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
