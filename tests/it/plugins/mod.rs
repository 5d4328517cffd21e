//! The plugin host with built guests: what `cargo xtask plugins` made, no daemon around it.

mod answers;
mod asking;
mod beside;
mod calls;
mod faults;
mod guests;
mod isolation;
mod loading;
mod signed;
mod signed_mail;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dispatch_engine::{Backend, Grants};
use dispatch_model::{
    Ask, Content, Context, Direction, Fault, LocationId, Message, MessageId, Outcome, PhoneNumber, Secret,
    SmsContent, SourceName, Step, Submission, Timestamp,
};
use dispatch_plugins::{HostConfig, Plugin, PluginHost};

/// A guest: a bundled one by its name, or one of `fixtures/`.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let file = dist().join(format!("{name}.wasm"));
    std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask plugins`", file.display()))
}

/// The fixture `edition` in another edition: the same file, but for the four digits that it says it is.
pub(crate) fn edition(number: u32) -> Vec<u8> {
    const WORDS: &[u8] = b"edition of this fixture: ";
    let mut wasm = guest("fixtures/edition");
    let places: Vec<usize> =
        (0..wasm.len() - WORDS.len()).filter(|at| wasm[*at..].starts_with(WORDS)).collect();
    let [at] = places[..] else { panic!("its words stand at {places:?} and not once") };
    let digits = at + WORDS.len();
    wasm[digits..digits + 4].copy_from_slice(format!("{number:04}").as_bytes());
    wasm
}

/// Where the built guests are.
pub(crate) fn dist() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("plugins/dist"))
        .find(|folder| folder.is_dir())
        .expect("no plugins/dist; run `cargo xtask plugins`")
}

/// Bounds small enough for tests to reach. What one test compiled the others take: without that, compiling
/// in a debug build would be all that these tests do.
fn config() -> HostConfig {
    HostConfig {
        deadline: Duration::from_millis(100),
        memory_max: 16 << 20,
        cache_dir: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("artefacts")),
        ..HostConfig::default()
    }
}

fn host() -> Arc<PluginHost> {
    PluginHost::new(config()).expect("a host")
}

async fn load(host: &Arc<PluginHost>, name: &str) -> Arc<Plugin> {
    host.load(name, guest(name)).await.unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn context(settings: &str) -> Context {
    let now = Timestamp::from_millis(1_795_000_000_000);
    Context {
        settings: settings.into(),
        now,
        deadline: now.plus(Duration::from_secs(15)),
        number: 1,
        // As in the SDK's tests: some plugins give it back as the reference.
        idempotency_key: "01hzy3k9q8w7e-1".to_owned(),
        callback_url: Some("https://d.example.com/callbacks/t0k3n".to_owned()),
    }
}

fn sms(text: &str) -> Message {
    Message {
        id: MessageId::first_at(Timestamp::from_millis(1_795_000_000_000)),
        submission: Submission {
            direction: Direction::Outbound,
            source: SourceName::from("highlevel"),
            location: LocationId::from("GKAWb4yu7A4LSc0skQ6g"),
            external_id: "KRIUtKAiRZRQUyyLDS4X".to_owned(),
            contact: None,
            received_at: Timestamp::from_millis(1_795_000_000_000),
            content: Content::Sms(SmsContent {
                to: PhoneNumber { original: "5512345678".to_owned(), e164: Some("+525512345678".to_owned()) },
                text: text.to_owned(),
            }),
            attachments: Vec::new(),
            extra: serde_json::Map::new(),
            problem: None,
        },
    }
}

/// Grants with secrets of these names and values.
fn grants(secrets: &[(&str, &str)]) -> Grants {
    Grants {
        owner: "backend".into(),
        secrets: Arc::new(
            secrets.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect(),
        ),
        ..Grants::default()
    }
}

/// `deliver` of a message with this text, without settings: most fixtures do one thing, or what the text says.
async fn deliver(plugin: &Plugin, text: &str) -> Result<Step, Fault> {
    plugin.deliver(&context("{}"), &Arc::new(sms(text)), &grants(&[])).await
}

/// `deliver` with these settings.
async fn deliver_by(plugin: &Plugin, settings: &str) -> Result<Step, Fault> {
    plugin.deliver(&context(settings), &Arc::new(sms("hello")), &grants(&[])).await
}

#[track_caller]
fn asked(step: Step) -> Ask {
    match step {
        Step::Ask(ask) => ask,
        Step::Done(outcome) => panic!("it asks nothing: {outcome:?}"),
    }
}

/// The reference of a delivery that is done at once.
#[track_caller]
fn reference(step: Result<Step, Fault>) -> String {
    match step {
        Ok(Step::Done(Outcome::Accepted(taken))) => taken.references.concat(),
        other => panic!("not accepted at once: {other:?}"),
    }
}
