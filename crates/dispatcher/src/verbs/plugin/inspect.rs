//! `plugin inspect`: what a component is, what it asks for, what would be refused, and what to write into the
//! configuration.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use dispatch_engine::Backend as _;
use dispatch_model::{Asks, Description, MediaSupport, SecretAsk};
use dispatch_plugins::Inspection;
use serde::Serialize;

use super::component::{Component, Settings};
use super::host;
use crate::cli::PluginInspectArgs;
use crate::exit::Failure;
use crate::verbs::Place;

#[derive(Serialize)]
struct Inspected {
    /// The file.
    file: String,
    #[serde(flatten)]
    inspection: Inspection,
    /// What the settings ask for.
    asks: Option<Asks>,
    /// Where these settings are from.
    settings: Option<String>,
    /// What lets it work, for the configuration.
    #[serde(skip)]
    configuration: String,
    /// Milliseconds until it was ready: compiled, or taken from the cache.
    ready_ms: u128,
}

pub(super) async fn inspect(place: &Place, args: &PluginInspectArgs) -> Result<(), Failure> {
    let component = Component::of(&args.path)?;
    let bytes = component.bytes()?;
    let host = host()?;
    let began = Instant::now();
    let inspection = host.inspect(bytes.clone()).await;
    let mut inspected = Inspected {
        file: component.file.display().to_string(),
        inspection,
        asks: None,
        settings: None,
        configuration: String::new(),
        ready_ms: began.elapsed().as_millis(),
    };
    if let Some(description) = inspected.inspection.description.clone() {
        let settings = component.settings(args.settings.as_deref(), &description.settings_schema);
        match settings {
            // A plugin that gives no example is none the worse: only what it asks for stays open.
            Err(_) if args.settings.is_none() => {}
            Err(failure) => return Err(failure),
            Ok(settings) => {
                let plugin = component.load(&host).await?;
                match plugin.check(&settings.json).await {
                    Ok(Ok(asks)) => {
                        inspected.configuration =
                            configuration(&component.file, &description, &asks, &settings);
                        inspected.asks = Some(asks);
                    }
                    Ok(Err(problems)) => {
                        inspected.inspection.refused.extend(problems.into_iter().map(|problem| {
                            format!("its settings ({}): {}: {}", settings.from, problem.path, problem.message)
                        }));
                    }
                    Err(fault) => {
                        inspected.inspection.refused.push(format!("checking the settings failed: {fault}"));
                    }
                }
                inspected.settings = Some(settings.from);
            }
        }
    }
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
    row("file", &inspected.file);
    row("sha256", &inspection.sha256);
    let (size, memory) = (inspection.size.div_ceil(1000), inspection.memory_initial / 1000);
    row("size", &format!("{size} kB, {memory} kB of memory to begin with"));
    row("ready in", &format!("{} ms", inspected.ready_ms));
    row("imports", &joined(inspection.imports.iter().cloned()));
    row("exports", &joined(inspection.exports.iter().cloned()));
    if let Some(said) = &inspection.description {
        row("secrets", &joined(said.secrets.iter().map(secret)));
        row("media", &media(said));
        if let Some(most) = said.limits.text_max {
            row("text", &format!("at most {most} characters"));
        }
        let features =
            [(said.receives, "receive"), (said.looks_up, "lookup"), (said.idempotent, "idempotency")];
        row("features", &joined(features.iter().filter(|(has, _)| *has).map(|(_, name)| (*name).to_owned())));
    }
    if let (Some(asks), Some(from)) = (&inspected.asks, &inspected.settings) {
        let relay = asks.relay.then(|| "a mail relay".to_owned());
        let session = asks.session.then(|| "an SMPP session".to_owned());
        let secrets = asks.secrets.iter().map(|name| format!("the secret {name}"));
        let all = joined(asks.hosts.iter().cloned().chain(relay).chain(session).chain(secrets));
        row("asks for", &format!("{all} (with {from})"));
    }
    for why in &inspection.refused {
        row("REFUSED", why);
    }
    if !inspected.configuration.is_empty() {
        let _ = write!(
            text,
            "\nIt may do nothing until the configuration says so:\n\n{}",
            inspected.configuration
        );
    }
    text.trim_end().to_owned()
}

/// What an operator writes to let it work.
fn configuration(file: &Path, said: &Description, asks: &Asks, settings: &Settings) -> String {
    let name = &said.name;
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let hosts: Vec<String> = asks.hosts.iter().map(|host| quoted(host)).collect();
    let mut text = format!("  [plugins.{name}]\n  file = {}\n", quoted(&file.display().to_string()));
    if !hosts.is_empty() {
        let _ = writeln!(text, "  hosts = [{}]", hosts.join(", "));
    }
    let _ = writeln!(text, "\n  [backends.{name}]\n  plugin = {}", quoted(name));
    if let Ok(serde_json::Value::Object(table)) = serde_json::from_str(&settings.json)
        && !table.is_empty()
    {
        let _ = writeln!(text, "  settings = {}", toml(&table.into()));
    }
    let mut secrets: Vec<&str> =
        said.secrets.iter().filter(|ask| ask.required).map(|ask| ask.name.as_str()).collect();
    for asked in &asks.secrets {
        if !secrets.contains(&asked.as_str()) {
            secrets.push(asked);
        }
    }
    if !secrets.is_empty() {
        let each = secrets
            .iter()
            .map(|name| format!("{name} = {{ env = {} }}", quoted(&name.to_uppercase().replace('-', "_"))));
        let _ = writeln!(text, "  secrets = {{ {} }}", each.collect::<Vec<_>>().join(", "));
    }
    if asks.relay {
        text.push_str("  relay = { host = \"smtp.example.com\", user = \"me\", password = { env = \"SMTP_PASSWORD\" } }\n");
    }
    if asks.session {
        text.push_str("  session = { host = \"smpp.example.com\", system_id = \"me\", password = { env = \"SMPP_PASSWORD\" } }\n");
    }
    text
}

/// JSON as TOML writes it in one line.
fn toml(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(table) => {
            let members = table.iter().map(|(key, value)| {
                let bare =
                    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
                let key = if bare { key.clone() } else { serde_json::Value::from(key.as_str()).to_string() };
                format!("{key} = {}", toml(value))
            });
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        serde_json::Value::Array(items) => {
            format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn secret(ask: &SecretAsk) -> String {
    format!("{} ({}{})", ask.name, ask.summary, if ask.required { "" } else { "; optional" })
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
