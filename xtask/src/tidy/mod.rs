//! `cargo xtask tidy`: the rules of the house that no compiler knows.
//!
//! Each rule is data or a few lines, says what it found and where, and all are checked before the
//! command fails, so that one run shows everything. What is generated and committed (the schema of
//! the configuration) is not looked at here: a test of the crate that generates it fails when it is
//! stale.

mod claims;
mod edges;
mod text;

use crate::command::root;

/// The flags of `tidy`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Checks everything.
pub(crate) fn run(_: &Args) -> anyhow::Result<()> {
    let mut findings = edges::check()?;
    findings.extend(claims::check(&root())?);
    let files = text::files(&root())?;
    for file in &files {
        findings.extend(text::check(file));
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    anyhow::ensure!(findings.is_empty(), "tidy: {} to put right", findings.len());
    println!("tidy: {} files, all crate edges and the tests of all claims are in order", files.len());
    Ok(())
}
