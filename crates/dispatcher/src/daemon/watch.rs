//! Saving a file that the configuration is made of applies it.
//!
//! Folders are watched, not files: editors and `mv` replace a file, and a watch on the old one
//! would see nothing more. A burst of events is one reload.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// A save is several events; what comes within this time of the last one belongs to it.
const QUIET: Duration = Duration::from_millis(150);
/// One waiting event is as good as many.
const EVENTS: usize = 1;

/// Watches files for changes.
pub(crate) struct Watch {
    watcher: Option<RecommendedWatcher>,
    events: mpsc::Receiver<()>,
    folders: HashSet<PathBuf>,
    files: std::sync::Arc<parking_lot::Mutex<HashSet<PathBuf>>>,
}

impl Watch {
    /// Begins with these files. Where the system cannot watch, SIGHUP still works: said once in the log.
    pub(crate) fn start(files: &[PathBuf]) -> Self {
        let (sender, events) = mpsc::channel(EVENTS);
        let wanted = std::sync::Arc::new(parking_lot::Mutex::new(HashSet::new()));
        let seen = std::sync::Arc::clone(&wanted);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            let ours = |path: &PathBuf| seen.lock().contains(path);
            if !event.kind.is_access() && event.paths.iter().any(ours) {
                // Full means that a change is waiting to be seen already.
                let _ = sender.try_send(());
            }
        });
        let watcher = match watcher {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "config.watch_failed: saving the file will not apply it, SIGHUP will");
                None
            }
        };
        let mut watch = Self { watcher, events, folders: HashSet::new(), files: wanted };
        watch.follow(files);
        watch
    }

    /// Goes on with these files: a new configuration may name others.
    pub(crate) fn follow(&mut self, files: &[PathBuf]) {
        let files: HashSet<PathBuf> =
            files.iter().filter_map(|file| std::path::absolute(file).ok()).collect();
        let folders: HashSet<PathBuf> =
            files.iter().filter_map(|file| file.parent().map(Path::to_owned)).collect();
        *self.files.lock() = files;
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.folders.difference(&folders) {
            let _ = watcher.unwatch(gone);
        }
        for new in folders.difference(&self.folders) {
            if let Err(error) = watcher.watch(new, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %new.display(), %error, "config.watch_failed");
            }
        }
        self.folders = folders;
    }

    /// Returns once files have changed and a moment has passed without another change.
    pub(crate) async fn changed(&mut self) {
        if self.events.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        while let Ok(Some(())) = tokio::time::timeout(QUIET, self.events.recv()).await {}
    }
}
