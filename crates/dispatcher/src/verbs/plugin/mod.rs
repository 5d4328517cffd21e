//! `plugin …`: what an author works with. None of it needs a daemon or a configuration.

mod bench;
mod build;
mod component;
mod inspect;
mod new;
mod run;
mod stand_in;
mod steps;
mod test;
mod trial;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dispatch_author::AuthorError;
use dispatch_plugins::{HostConfig, PluginHost};

use super::Place;
use crate::cli::PluginVerb;
use crate::exit::Failure;
use crate::out;

/// Does what the command line says.
pub(super) async fn execute(place: &Place, verb: PluginVerb) -> Result<(), Failure> {
    match verb {
        PluginVerb::New(args) => new::new(place, &args),
        PluginVerb::Build(args) => build::build(place, &args),
        PluginVerb::Test(args) => test::test(place, &args).await,
        PluginVerb::Inspect(args) => inspect::inspect(place, &args).await,
        PluginVerb::Run(args) => run::run(place, &args).await,
        PluginVerb::Bench(args) => bench::bench(place, &args).await,
        PluginVerb::StandIn(args) => stand_in::stand_in(&args).await,
    }
}

impl From<AuthorError> for Failure {
    fn from(error: AuthorError) -> Self {
        Self::Refused(error.to_string())
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::Refused(format!("{}: {error}", path.display())))
}

/// Runs components as the daemon does. Compiled ones are kept with the user's caches: those of JavaScript and Python
/// take a while.
fn host() -> Result<Arc<PluginHost>, Failure> {
    let caches = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    let cache_dir = caches.map(|caches| caches.join("dispatcher").join("plugins"));
    host_with(cache_dir)
}

/// The same, with compiled components kept elsewhere.
fn host_with(cache_dir: Option<PathBuf>) -> Result<Arc<PluginHost>, Failure> {
    PluginHost::new(HostConfig { cache_dir, ..HostConfig::default() })
        .map_err(|error| Failure::Refused(error.to_string()))
}

/// Where cargo keeps its work, if the environment says so.
fn target_dir() -> Option<PathBuf> {
    std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from)
}

/// Says what is going on.
fn say(line: &str) {
    out::talk(line);
}
