//! `plugin …`: what an author works with. None of it needs a daemon or a configuration.

mod build;
mod inspect;
mod new;
mod run;
mod test;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dispatch_author::{AuthorError, Project};
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
    }
}

impl From<AuthorError> for Failure {
    fn from(error: AuthorError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// A component, and the folder it was made in where one was named.
struct Component {
    file: PathBuf,
    project: Option<Project>,
}

impl Component {
    /// Of a path that is either.
    fn of(path: &Path) -> Result<Self, Failure> {
        if !path.is_dir() {
            return Ok(Self { file: path.to_owned(), project: None });
        }
        let project = Project::open(path)?;
        Ok(Self { file: project.component(), project: Some(project) })
    }

    fn bytes(&self) -> Result<Vec<u8>, Failure> {
        std::fs::read(&self.file).map_err(|error| {
            let hint = if self.project.is_some() { ": build it with `dispatcher plugin build`" } else { "" };
            Failure::Refused(format!("{}: {error}{hint}", self.file.display()))
        })
    }

    /// A file that was named, or the one that lies in the folder.
    fn file(&self, named: Option<&Path>, usual: &str) -> Option<PathBuf> {
        named.map(Path::to_owned).or_else(|| {
            let path = self.project.as_ref()?.folder().join(usual);
            path.is_file().then_some(path)
        })
    }

    /// The settings, as JSON.
    fn settings(&self, named: Option<&Path>) -> Result<Option<String>, Failure> {
        let Some(path) = self.file(named, "settings.json") else { return Ok(None) };
        let text = read(&path)?;
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text).map_err(|error| {
            Failure::Refused(format!("{}: settings are a JSON object: {error}", path.display()))
        })?;
        Ok(Some(text))
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::Refused(format!("{}: {error}", path.display())))
}

/// Runs components as the daemon does. Compiled ones are kept with the user's caches: those of JavaScript and Python
/// take a minute.
fn host() -> Result<Arc<PluginHost>, Failure> {
    let caches = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    let cache_dir = caches.map(|caches| caches.join("dispatcher").join("plugins"));
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
