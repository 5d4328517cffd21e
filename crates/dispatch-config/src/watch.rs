//! Which files make the configuration.

use std::path::PathBuf;

use crate::Loaded;

/// The files whose change is worth a reload: the files themselves and what they include, the folders
/// of include patterns (a new file is a change), the CSV, the files of secrets, and plugins.
/// Sorted, each once.
pub fn watched_files(loaded: &Loaded) -> Vec<PathBuf> {
    let files = loaded.document.origins.files().map(|file| file.path.clone());
    let plugins = loaded.config.plugins.values().map(|plugin| plugin.file.clone());
    let mut watched: Vec<PathBuf> = files.chain(plugins).chain(loaded.watched.iter().cloned()).collect();
    watched.sort();
    watched.dedup();
    watched
}
