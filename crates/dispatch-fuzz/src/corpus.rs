//! Inputs that are kept: what each target begins with, and what once broke it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The folder of a target's inputs.
fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

/// A target's inputs, in the order of their names.
///
/// # Errors
/// There are none, or they cannot be read.
pub fn corpus(target: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let folder = folder(target);
    let entries = std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let inputs: Result<Vec<_>, _> = files.iter().map(std::fs::read).collect();
    let inputs = inputs.with_context(|| format!("reading {}", folder.display()))?;
    anyhow::ensure!(!inputs.is_empty(), "{} is empty", folder.display());
    Ok(inputs)
}

/// Keeps an input that broke a target, so that it is tried for ever after; gives the file.
///
/// # Errors
/// It cannot be written.
pub fn keep(target: &str, input: &[u8]) -> anyhow::Result<PathBuf> {
    // A name that the same input has again: FNV-1a, as nothing depends on more.
    let digest = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let path = folder(target).join(format!("found-{digest:016x}"));
    std::fs::write(&path, input).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}
