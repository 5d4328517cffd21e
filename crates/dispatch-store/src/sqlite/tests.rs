//! Tests of what only the SQLite store has.

use std::sync::Arc;

use super::{SqliteStore, StoreConfig};
use crate::conformance;

fn small(folder: &tempfile::TempDir) -> StoreConfig {
    StoreConfig {
        ballast: 0,
        location_waiting_max: conformance::QUOTA,
        ..StoreConfig::new(folder.path().join("s.db"))
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    let root = tempfile::tempdir().unwrap();
    let count = std::sync::atomic::AtomicUsize::new(0);
    conformance::run_all(|| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = root.path().join(format!("{number}/s.db"));
        let folder = StoreConfig { path, ..small(&root) };
        Arc::new(SqliteStore::open(folder).unwrap())
    })
    .await;
}
