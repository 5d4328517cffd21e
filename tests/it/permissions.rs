//! What lies on the disk belongs to its owner alone, whatever the umask is.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use dispatch_testkit::Launch;

use crate::stage::{LOCATION, SOON, Stage, text};

/// Everything below a folder, itself included.
fn below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = vec![folder.to_owned()];
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() { found.extend(below(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn store_socket_cache_and_spool_are_their_owners() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.home.configure(&stage.plain())?;
    let daemon = Launch::new(&stage.home).umask("000").start().await?;
    daemon.send(&text(LOCATION, "a-message", "+15864603685")).await?;
    daemon.wait_state("a-message", "accepted", SOON).await?;
    let copy = stage.home.file("data/copy.db");
    daemon.cli().json(&["backup", &copy.to_string_lossy()]).await?;

    let all = below(&stage.home.file("data"))?;
    for wanted in
        ["dispatcher.db", "dispatcher.db-wal", "dispatcher.db.lock", "admin.sock", "copy.db", "cache"]
    {
        assert!(all.iter().any(|path| path.ends_with(wanted)), "{wanted} is not among {all:?}");
    }
    for path in all {
        let mode = std::fs::symlink_metadata(&path)?.permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} is open to others: {mode:o}", path.display());
    }
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_core_is_written_and_no_program_is_started() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = stage.start(&stage.plain()).await?;
    daemon.send(&text(LOCATION, "a-message", "+15864603685")).await?;
    daemon.wait_state("a-message", "accepted", SOON).await?;
    let proc = PathBuf::from(format!("/proc/{}", daemon.pid()));
    let limits = std::fs::read_to_string(proc.join("limits"))?;
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default();
    let numbers: Vec<&str> = core.split_whitespace().filter(|word| word.parse::<u64>().is_ok()).collect();
    // 1 and not 0: only that keeps a core from a handler that reads it through a pipe as well.
    assert_eq!(numbers, ["1", "1"], "{core}");
    for task in std::fs::read_dir(proc.join("task"))? {
        let children = std::fs::read_to_string(task?.path().join("children"))?;
        assert_eq!(children.trim(), "", "it has started a program");
    }
    daemon.stop().await?;
    Ok(())
}
