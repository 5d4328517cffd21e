//! A component, and what lies beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dispatch_author::Project;
use dispatch_engine::Backend as _;
use dispatch_model::Asks;
use dispatch_plugins::{Plugin, PluginHost};

use super::read;
use crate::exit::Failure;
use crate::out;

/// A component, and the folder it was made in where one was named.
pub(super) struct Component {
    pub(super) file: PathBuf,
    pub(super) project: Option<Project>,
}

/// Settings for a plugin, and where they are from.
pub(super) struct Settings {
    /// As JSON.
    pub(super) json: String,
    /// In words.
    pub(super) from: String,
}

impl Component {
    /// Of a path that is either.
    pub(super) fn of(path: &Path) -> Result<Self, Failure> {
        if !path.is_dir() {
            return Ok(Self { file: path.to_owned(), project: None });
        }
        let project = Project::open(path)?;
        Ok(Self { file: project.component(), project: Some(project) })
    }

    pub(super) fn bytes(&self) -> Result<Vec<u8>, Failure> {
        std::fs::read(&self.file).map_err(|error| {
            let hint = if self.project.is_some() { ": build it with `dispatcher plugin build`" } else { "" };
            Failure::Refused(format!("{}: {error}{hint}", self.file.display()))
        })
    }

    /// The plugin, as the daemon would load it.
    pub(super) async fn load(&self, host: &Arc<PluginHost>) -> Result<Arc<Plugin>, Failure> {
        host.load("component", self.bytes()?)
            .await
            .map_err(|error| Failure::Refused(format!("{}: {error}", self.file.display())))
    }

    /// A file that was named, or the one that lies in the folder.
    pub(super) fn file(&self, named: Option<&Path>, usual: &str) -> Option<PathBuf> {
        named.map(Path::to_owned).or_else(|| {
            let path = self.project.as_ref()?.folder().join(usual);
            path.is_file().then_some(path)
        })
    }

    /// The settings that were named, those that lie in the folder, or the example of the plugin's schema.
    pub(super) fn settings(&self, named: Option<&Path>, schema: &str) -> Result<Settings, Failure> {
        let file = self.file(named, "settings.json").or_else(|| self.file(None, "settings.toml"));
        let Some(path) = file else {
            let json = dispatch_conformance::example(schema).ok_or_else(|| {
                let words =
                    "it needs settings, and its schema has no `examples`: give some with --settings FILE";
                Failure::Refused(words.to_owned())
            })?;
            return Ok(Settings { json, from: "the example of its schema".to_owned() });
        };
        let text = read(&path)?;
        let wrong = |why: String| Failure::Refused(format!("{}: {why}", path.display()));
        let is_toml = path.extension().is_some_and(|kind| kind == "toml");
        let json = if is_toml {
            let table = dispatch_config::settings_from_toml(&text).map_err(wrong)?;
            serde_json::Value::Object(table).to_string()
        } else {
            serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text)
                .map_err(|error| wrong(format!("settings are a JSON object, or a .toml file: {error}")))?;
            text
        };
        let from =
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.display().to_string());
        Ok(Settings { json, from })
    }
}

/// What these settings ask for; what is wrong with them is said.
pub(super) async fn asks(plugin: &Plugin, settings: &Settings) -> Result<Asks, Failure> {
    match plugin.check(&settings.json).await {
        Ok(Ok(asks)) => Ok(asks),
        Ok(Err(problems)) => {
            for problem in &problems {
                let at = if problem.path.is_empty() { "settings" } else { &problem.path };
                out::talk(&format!("{at}: {}", problem.message));
            }
            Err(Failure::Refused(format!("the plugin refuses these settings ({})", settings.from)))
        }
        Err(fault) => Err(Failure::Refused(format!("checking the settings failed: {fault}"))),
    }
}
