//! What senders and providers say to the bundled plugins, as built components in the sandbox: a plugin answers with a
//! decision and never with a trap, and what comes out keeps the host's bounds.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use dispatch_engine::{Backend as _, Grants};
use dispatch_ingress::{Parsed, read};
use dispatch_model::{
    Ask, Context, Fault, HttpResponse, Message, MessageId, Pair, Reply, Secret, SourceName, Step, Timestamp,
};
use dispatch_plugins::{HostConfig, Plugin, PluginHost};

use crate::{Bench, Seen, Verdict};

/// When it is, in milliseconds.
pub(crate) const NOW: i64 = 1_795_000_000_000;

/// A plugin and settings that it accepts.
pub(crate) struct Guest {
    pub(crate) name: &'static str,
    pub(crate) plugin: Arc<Plugin>,
    settings: Arc<str>,
}

/// The sandbox with the bundled plugins that speak to providers, and the puppet.
pub struct Guests {
    pub(crate) runtime: tokio::runtime::Runtime,
    guests: Vec<Guest>,
    /// Says what it is told, whatever that is.
    pub(crate) puppet: Guest,
    pub(crate) grants: Grants,
}

/// Which, and with what. Those that verify callbacks do so with [`SECRETS`] or with the key of callback.rs.
const GUESTS: &[(&str, &str)] = &[
    ("twilio", r#"{"account_sid":"AC00000000000000000000000000000000","from":"+15005550006"}"#),
    ("telnyx", r#"{"from":"+15005550006","public_key":"PUBLIC"}"#),
    ("vonage", r#"{"mode":"sms","signature":"none","api_key":"abcd1234","from":"ACME"}"#),
    ("infobip", r#"{"base_url":"https://abc12.api.infobip.com","from":"ACME"}"#),
    ("smpp", r#"{"from":"+525500001111"}"#),
    (
        "http",
        r#"{"url":"https://api.example/send/{id}","body":{"json":{"to":"{to}","text":"{text}","html":"{html}","all":{"{attachments}":{"u":"{item}"}}}},"answer":{"reference":{"pointer":"/data/0/id"}}}"#,
    ),
    ("smtp", "{}"),
    ("sendgrid", "{}"),
    ("postmark", r#"{"webhook_header":"X-Token"}"#),
    ("resend", r#"{"webhooks":true}"#),
    ("mailgun", r#"{"domain":"mg.example.com","webhooks":true}"#),
    (
        "ses",
        r#"{"region":"us-east-1","access_key_id":"AKIA0000000000000000","topics":["arn:aws:sns:us-east-1:123456789012:t"]}"#,
    ),
];

/// Its text, for every name that a plugin may ask for.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SECRETS: &[&str] = &[
    "auth_token",
    "api_key",
    "api_secret",
    "signature_secret",
    "server_token",
    "webhook_token",
    "webhook_secret",
    "webhook_signing_key",
    "secret_access_key",
    "password",
];

impl Guests {
    /// Loads what `cargo xtask plugins` built.
    ///
    /// # Errors
    /// One is not there, cannot be loaded, or refuses its settings.
    pub fn load(cache: &Path) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        // The bound of computing time is the daemon's; a debug build on a busy machine needs room.
        let config = HostConfig {
            cache_dir: Some(cache.join("artefacts")),
            deadline: Duration::from_secs(2),
            ..HostConfig::default()
        };
        let host = PluginHost::new(config)?;
        let load = |name: &'static str, file: &str, settings: &str| {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(cache);
            let file = root.join(format!("plugins/dist/{file}.wasm"));
            let bytes = std::fs::read(&file)
                .with_context(|| format!("reading {}: run `cargo xtask plugins`", file.display()))?;
            let plugin = runtime.block_on(host.load(name, bytes))?;
            let checked = runtime.block_on(plugin.check(settings))?;
            anyhow::ensure!(checked.is_ok(), "{name} refuses the settings {settings}: {checked:?}");
            Ok(Guest { name, plugin, settings: settings.into() })
        };
        let public = crate::callback::public_key();
        let guests: anyhow::Result<Vec<Guest>> = GUESTS
            .iter()
            .map(|(name, settings)| load(name, name, &settings.replace("PUBLIC", &public)))
            .collect();
        let (guests, puppet) = (guests?, load("puppet", "fixtures/puppet", "{}")?);
        let secrets = SECRETS.iter().map(|name| ((*name).to_owned(), Secret::new(SECRET))).collect();
        let grants = Grants { owner: "fuzz".into(), secrets: Arc::new(secrets), ..Grants::default() };
        Ok(Self { runtime, guests, puppet, grants })
    }

    /// The one of this name, or another one that the name chooses.
    pub(crate) fn named(&self, name: &str) -> &Guest {
        let chosen = name.bytes().map(usize::from).sum::<usize>() % self.guests.len();
        self.guests.iter().find(|guest| guest.name == name).unwrap_or(&self.guests[chosen])
    }

    fn carrying(&self, message: &Message) -> impl Iterator<Item = &Guest> {
        let channel = message.channel();
        self.guests.iter().filter(move |guest| guest.plugin.description().channels.contains(&channel))
    }
}

impl Guest {
    pub(crate) fn context(&self) -> Context {
        let now = Timestamp::from_millis(NOW);
        Context {
            settings: Arc::clone(&self.settings),
            now,
            deadline: now.plus(Duration::from_secs(15)),
            number: 1,
            idempotency_key: "dsp-1h7x2k9qzr4mb-0".to_owned(),
            callback_url: Some("https://d.example.com/callbacks/t0k3n".to_owned()),
        }
    }

    /// A fault is a trap, a bound that was passed or a broken contract: none of it may come of others' words.
    pub(crate) fn no_fault<T>(&self, done: Result<T, Fault>) -> Result<T, String> {
        done.map_err(|fault| format!("{}: {fault}", self.name))
    }

    /// The same of what a provider says, but for an id that is empty or could not be shown as it is: plugins hand ids
    /// on as they come, and the host's bound is there for them. None is such a one.
    pub(crate) fn told<T>(&self, done: Result<T, Fault>) -> Result<Option<T>, String> {
        match done {
            Err(Fault::Contract { .. }) => Ok(None),
            done => self.no_fault(done).map(Some),
        }
    }
}

pub(crate) const SETTINGS: &[&str] = &[
    "\"url\":",
    "\"body\":",
    "\"json\":",
    "\"form\":",
    "\"text\":",
    "\"answer\":",
    "\"pointer\":\"/a/0\"",
    "\"account_sid\":",
    "\"from\":",
    "\"base_url\":",
    "\"domain\":",
    "\"region\":",
    "\"webhooks\":true",
    "\"mode\":\"sms\"",
    "{to}",
    "{extra.x}",
    "{secret.a}",
    "\"credential\":{\"bearer\":",
];

/// Settings: accepted, or refused with the path of what is wrong. The first byte chooses the plugin.
pub(crate) fn settings(bench: &Bench, input: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(input);
    // The host hands over JSON and nothing else.
    let Ok(json) = serde_json::from_str::<serde_json::Value>(&text) else { return Ok(Seen::of("no JSON")) };
    let (json, guests) = (json.to_string(), &bench.guests);
    let mut seen = String::new();
    for guest in &guests.guests {
        match guest.no_fault(guests.runtime.block_on(guest.plugin.check(&json)))? {
            Err(problems) if problems.is_empty() => return Err("refused without a word".into()),
            Err(problems) => {
                seen.extend(
                    problems.iter().map(|problem| format!("{}: {}\n", problem.path, problem.message)),
                );
            }
            Ok(_) => seen.push_str("accepted\n"),
        }
    }
    Ok(Seen::of(&seen))
}

fn message_of(input: &[u8]) -> Option<Message> {
    let at = Timestamp::from_millis(NOW);
    match read(input, &SourceName::from("highlevel"), "MX".parse().ok(), at) {
        Parsed::Submission(submission) => Some(Message { id: MessageId::first_at(at), submission }),
        Parsed::Ignored(_) | Parsed::Quarantined { .. } => None,
    }
}

/// Messages to work with, one a channel.
const SAMPLES: [&str; 2] = [
    r#"{"locationId":"L","messageId":"M","contactId":"C","type":"SMS","phone":"+525512345678","message":"hola","attachments":[]}"#,
    r#"{"locationId":"L","messageId":"E","emailMessageId":"E","contactId":"C","type":"Email","emailTo":["a@b.mx"],"emailFrom":"Desk <desk@example.com>","subject":"s","html":"<p>hola</p>","attachments":[]}"#,
];

/// Any message that the webhook's parser lets through.
pub(crate) fn message(bench: &Bench, input: &[u8]) -> Verdict {
    let Some(message) = message_of(input) else { return Ok(Seen::of("no message")) };
    let message = Arc::new(message);
    let (guests, mut seen) = (&bench.guests, String::new());
    for guest in guests.carrying(&message) {
        let step = guests.runtime.block_on(guest.plugin.deliver(&guest.context(), &message, &guests.grants));
        seen.push_str(&told(&guest.no_fault(step)?));
    }
    Ok(Seen::of(&seen))
}

/// What a step is, in a few words.
pub(crate) fn told(step: &Step) -> String {
    match step {
        Step::Ask(Ask { action, effect, .. }) => {
            let words = format!("{action:?}");
            format!("{effect:?} {}\n", words.split(['(', ' ']).next().unwrap_or_default())
        }
        Step::Done(outcome) => {
            let code = outcome.reason().map(|reason| reason.code.as_str()).unwrap_or_default();
            format!("{} {code}\n", outcome.kind())
        }
    }
}

pub(crate) const REPLY: &[&str] = &[
    "{\"sid\":\"SM",
    "\"code\":21211",
    "\"status\":\"queued\"",
    "\"num_segments\":\"",
    "{\"data\":[{\"id\":",
    "\"error_code\":",
    "<html>",
    "retry-after: ",
    "\"messages\":[",
    "\"more_info\":",
    "\"message-count\":",
    "\"requestError\":{",
    "\"errors\":[{\"code\":",
    "\"ErrorCode\":",
    "\"MessageId\":",
];

/// A provider's answer: the first byte chooses the message and its status, the rest is its body.
pub(crate) fn reply(bench: &Bench, input: &[u8]) -> Verdict {
    let (choice, body) = input.split_first().unwrap_or((&0, &[]));
    let status = [200, 201, 202, 204, 302, 400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503]
        [usize::from(*choice) % 17];
    let header = |name: &str, value: &str| Pair { name: name.into(), value: value.into() };
    let wait = String::from_utf8_lossy(&body[..body.len().min(12)]).replace(char::is_control, "");
    let reply = Arc::new(Reply::Http(HttpResponse {
        status,
        headers: vec![header("content-type", "application/json"), header("retry-after", &wait)],
        body: body.to_vec().into(),
        truncated: choice & 1 == 1,
    }));
    let message =
        message_of(SAMPLES[usize::from(choice >> 7)].as_bytes()).ok_or("the sample is no message")?;
    let message = Arc::new(message);
    let (guests, mut seen) = (&bench.guests, String::new());
    for guest in guests.carrying(&message) {
        let context = guest.context();
        let asked = guests.runtime.block_on(guest.plugin.deliver(&context, &message, &guests.grants));
        let state = match guest.no_fault(asked)? {
            Step::Ask(ask) => ask.state,
            Step::Done(outcome) => return Err(format!("{}: the sample is {}", guest.name, outcome.kind())),
        };
        let step = guests.runtime.block_on(guest.plugin.on_reply(&context, &state, &reply, &guests.grants));
        seen.push_str(&guest.told(step)?.map_or_else(String::new, |step| told(&step)));
    }
    Ok(Seen::of(&seen))
}
