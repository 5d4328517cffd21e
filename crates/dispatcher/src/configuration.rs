//! From files, environment and flags to a configuration; problems are printed where they are found.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use dispatch_config::{Config, Diagnostic, Inputs, Listen, Loaded};
use dispatch_store::{Retention, StoreConfig};

use crate::exit::Failure;
use crate::{bundled, out};

/// Where the configuration is looked for when nobody says where it is.
const DEFAULT_FILE: &str = "config/config.toml";

/// What the configuration is made from.
pub(crate) fn inputs(files: &[PathBuf], flags: BTreeMap<String, String>) -> Inputs {
    let files = if files.is_empty() { vec![DEFAULT_FILE.into()] } else { files.to_vec() };
    Inputs {
        files,
        environment: environment(),
        flags,
        bundled_plugins: bundled::PLUGINS.iter().map(|plugin| plugin.name.to_owned()).collect(),
    }
}

/// Loads it; on failure its problems have been printed.
pub(crate) fn load(inputs: &Inputs) -> Result<Loaded, Failure> {
    dispatch_config::load(inputs).map_err(|problems| {
        print(&problems);
        Failure::Config(summary(&problems))
    })
}

/// Prints problems for a person.
pub(crate) fn print(problems: &[Diagnostic]) {
    let colour = std::io::stderr().is_terminal();
    for problem in problems {
        out::talk(&format!("{}\n", problem.render(colour)));
    }
}

/// How many there are.
pub(crate) fn summary(problems: &[Diagnostic]) -> String {
    match problems.len() {
        1 => "the configuration has 1 problem".to_owned(),
        many => format!("the configuration has {many} problems"),
    }
}

/// The control socket, and the store where no daemon runs.
pub(crate) fn doors(
    files: &[PathBuf],
    socket: Option<&Path>,
) -> Result<(PathBuf, Option<StoreConfig>), Failure> {
    if let Some(socket) = socket {
        return Ok((socket.to_owned(), None));
    }
    let config = match load(&inputs(files, BTreeMap::new())) {
        Ok(loaded) => loaded.config,
        Err(failure) => {
            out::talk(
                "A running dispatcher can still be reached: --socket PATH (by default admin.sock beside the store).",
            );
            return Err(failure);
        }
    };
    Ok((config.admin.socket.clone(), Some(store(&config))))
}

/// The store's part.
pub(crate) fn store(config: &Config) -> StoreConfig {
    let mut store = StoreConfig::new(&config.store.path);
    store.free_min = config.store.free_min;
    store.size_max = Some(config.store.size_max);
    store.ballast = config.store.ballast;
    store.location_waiting_max = config.store.location_waiting_max;
    store
}

/// How long the store keeps things.
pub(crate) fn retention(config: &Config) -> Retention {
    let kept = &config.store.retention;
    Retention { content: kept.content, record: kept.record, dedupe: kept.dedupe, quarantine: kept.quarantine }
}

/// The URL of the first source, for `send`.
pub(crate) fn first_url(files: &[PathBuf]) -> Result<String, Failure> {
    let config = load(&inputs(files, BTreeMap::new()))?.config;
    let address = config.server.listen.iter().find_map(|listen| match listen {
        Listen::Tcp(address) => Some(*address),
        Listen::Unix(_) | Listen::Systemd => None,
    });
    let source = config.sources.first();
    match (address, source) {
        (Some(address), Some(source)) => Ok(format!("http://{address}{}", source.path)),
        _ => {
            Err(Failure::Refused("the configuration has no TCP listener or no source: give --url".to_owned()))
        }
    }
}

fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
