//! Secrets: read where the file says they are, and never repeated.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ahash::{AHashMap, AHashSet};
use dispatch_model::Secret;

use crate::node::{Node, Origin};
use crate::origins::Origins;
use crate::problems::Problems;
use crate::reading::Section;
use crate::{ResolvedSecret, SecretFrom};

/// Bytes of a file that holds a secret. A private key fits; a database named by mistake does not.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Reads each secret once, however many locations share it.
pub(crate) struct Vault<'a> {
    environment: &'a BTreeMap<String, String>,
    origins: &'a Origins,
    pub(crate) problems: &'a mut Problems,
    known: AHashMap<SecretFrom, Result<ResolvedSecret, Missing>>,
    names: AHashSet<Arc<str>>,
}

/// Why a secret cannot be had.
#[derive(Clone)]
struct Missing {
    message: String,
    hint: Option<String>,
}

impl<'a> Vault<'a> {
    pub(crate) fn new(
        environment: &'a BTreeMap<String, String>,
        origins: &'a Origins,
        problems: &'a mut Problems,
    ) -> Self {
        Self { environment, origins, problems, known: AHashMap::new(), names: AHashSet::new() }
    }

    /// The secret of a key; what is wrong with it is reported.
    pub(crate) fn secret(&mut self, section: &Section<'_>, key: &str, path: &str) -> Option<ResolvedSecret> {
        let node = section.get(key)?;
        let from = |key: &str| {
            node.entry(key)
                .map(|entry| &entry.node)
                .filter(|node| node.text().is_some_and(|text| !text.is_empty()))
        };
        match (from("env"), from("file")) {
            (Some(env), None) => self.environment_secret(env.text()?, path, env.origin),
            (None, Some(file)) => self.file_secret(&self.path_of(file)?, path, file.origin),
            // The validation has said so.
            _ => None,
        }
    }

    /// The value of a secret alone.
    pub(crate) fn value(&mut self, section: &Section<'_>, key: &str, path: &str) -> Option<Secret> {
        self.secret(section, key, path).map(|resolved| resolved.value)
    }

    /// A secret from a variable of the environment.
    pub(crate) fn environment_secret(
        &mut self,
        variable: &str,
        path: &str,
        origin: Origin,
    ) -> Option<ResolvedSecret> {
        let from = SecretFrom::Env(self.name(variable));
        let read = self.environment.get(variable);
        self.resolve(from, path, origin, || match read {
            Some(value) if !value.is_empty() => Ok(value.clone()),
            Some(_) => Err(Missing {
                message: format!("the environment variable {variable} is empty"),
                hint: Some("give it a value, or leave the secret out".to_owned()),
            }),
            None => Err(Missing {
                message: format!("the environment has no variable {variable}"),
                hint: Some(format!(
                    "set {variable} where the daemon is started, or write {{ file = \"PATH\" }}"
                )),
            }),
        })
    }

    /// A secret from a file.
    pub(crate) fn file_secret(&mut self, file: &Path, path: &str, origin: Origin) -> Option<ResolvedSecret> {
        self.resolve(SecretFrom::File(file.into()), path, origin, || read_file(file))
    }

    fn resolve(
        &mut self,
        from: SecretFrom,
        path: &str,
        origin: Origin,
        read: impl FnOnce() -> Result<String, Missing>,
    ) -> Option<ResolvedSecret> {
        let known = self
            .known
            .entry(from.clone())
            .or_insert_with(|| read().map(|value| ResolvedSecret { value: Secret::new(value), from }));
        match known {
            Ok(secret) => Some(secret.clone()),
            Err(missing) => {
                self.problems.error(
                    self.origins,
                    path,
                    origin,
                    missing.message.clone(),
                    missing.hint.clone(),
                );
                None
            }
        }
    }

    fn path_of(&self, node: &Node) -> Option<PathBuf> {
        Some(self.origins.resolve(node.origin, node.text()?))
    }

    /// One shared text for a name that many locations use.
    pub(crate) fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.names.insert(name.clone());
        name
    }

    /// The files that secrets were read from.
    pub(crate) fn into_files(self) -> Vec<PathBuf> {
        let files = self.known.into_keys().filter_map(|from| match from {
            SecretFrom::File(path) => Some(path.to_path_buf()),
            SecretFrom::Env(_) => None,
        });
        files.collect()
    }
}

fn read_file(file: &Path) -> Result<String, Missing> {
    let missing = |why: String, hint: Option<&str>| Missing {
        message: format!("cannot read the secret's file {}: {why}", file.display()),
        hint: hint.map(str::to_owned),
    };
    let metadata = std::fs::metadata(file).map_err(|error| {
        missing(error.to_string(), Some("paths are relative to the file they are written in"))
    })?;
    if metadata.len() > FILE_BYTES_MAX {
        return Err(missing(format!("it is larger than {FILE_BYTES_MAX} bytes"), None));
    }
    let bytes = std::fs::read(file).map_err(|error| missing(error.to_string(), None))?;
    let text = String::from_utf8(bytes).map_err(|_| missing("it is not UTF-8".to_owned(), None))?;
    let value = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if value.is_empty() {
        return Err(missing("it is empty".to_owned(), None));
    }
    Ok(value.to_owned())
}
