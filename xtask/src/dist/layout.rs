//! The code laid out in the order in which it runs, by LLVM's BOLT: of 25 000 functions a fifth is ever entered, spread over
//! thirty megabytes, and the processor waits for them (docs/performance.md).
//!
//! BOLT needs to know which branches this very binary takes, so a copy that counts them is put under load for some seconds.
//! Where there is no BOLT the binary stays as the compiler made it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use dispatch_testkit::DISPATCHER_BINARY;

use crate::command::{self, xtask};

/// What BOLT needs to move functions: where in the binary addresses stand.
pub(super) const FLAG: &str = "-Clink-arg=-Wl,--emit-relocs";

/// Written by hand in assembler, with data between the code and jumps that are computed: left where it is.
const BY_HAND: &str = "-skip-funcs=ring_core_.*";

/// BOLT, where it is installed: by its name, or the newest of Debian's. What it reads are binaries of Linux.
pub(super) fn tool() -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named =
        std::env::split_paths(&path).map(|folder| folder.join("llvm-bolt")).find(|tool| tool.is_file());
    let versions = (15..100).rev().map(|version| format!("/usr/lib/llvm-{version}/bin/llvm-bolt"));
    named.or_else(|| versions.map(PathBuf::from).find(|tool| tool.is_file()))
}

/// Makes `laid_out` of `binary`.
pub(super) fn lay_out(tool: &Path, binary: &Path, laid_out: &Path) -> anyhow::Result<()> {
    let (counting, counts) = (laid_out.with_extension("counting"), laid_out.with_extension("counts"));
    let mut instrument = Command::new(tool);
    instrument.arg(binary).args(["-instrument", BY_HAND, "-o"]).arg(&counting);
    instrument.arg(format!("--instrumentation-file={}", counts.display()));
    quietly(&mut instrument)?;
    if counts.exists() {
        std::fs::remove_file(&counts).context("forgetting what was counted before")?;
    }
    let mut load = xtask()?;
    load.args(["bench", "--built", "--quick", "--only", "whole-way"]).env(DISPATCHER_BINARY, &counting);
    quietly(&mut load)?;
    ensure!(counts.exists(), "the load ran, and {} counted nothing", counting.display());
    let mut order = Command::new(tool);
    order.arg(binary).arg("-o").arg(laid_out).arg("-data").arg(&counts).args([
        BY_HAND,
        "-reorder-blocks=ext-tsp",
        "-reorder-functions=cdsort",
        "-split-functions",
        "-split-all-cold",
        "-split-eh",
        "-icf=safe",
    ]);
    quietly(&mut order)?;
    [counting, counts].iter().try_for_each(std::fs::remove_file).context("removing what was counted")
}

/// Runs it, and shows what it said only if it failed: BOLT tells a page of what it found.
fn quietly(command: &mut Command) -> anyhow::Result<()> {
    let shown = command::shown(command);
    let output = command.output().with_context(|| format!("starting {shown}"))?;
    let said = || [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat();
    ensure!(output.status.success(), "{shown} failed with {}:\n{}", output.status, said());
    Ok(())
}
