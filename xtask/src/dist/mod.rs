//! `cargo xtask dist`: the daemon as it is shipped, optimised as one piece by what it did under load.
//!
//! The compiler is shown which ways of the code were taken how often (`xtask/dispatcher.profdata`): it lays out, inlines and
//! keeps small accordingly. What has changed since is optimised as any other code. The file speaks of this compiler on this kind
//! of machine; for another target its names fit nothing. `--learn` takes it down anew. What comes out is laid out anew in the
//! end ([`layout`]).

mod layout;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use dispatch_testkit::DISPATCHER_BINARY;

use crate::command::{self, cargo, output, root, target, xtask};

/// The flags of `dist`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Build one that watches itself, put it under load and keep what it did, for the builds from then on
    #[arg(long)]
    learn: bool,
}

/// Builds `target/dist/dispatcher`, or learns.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    command::run(xtask()?.arg("plugins"))?;
    if args.learn {
        return learn();
    }
    let binary = build()?;
    println!("{}", binary.display());
    Ok(())
}

/// Builds it, with the plugins that are there.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    // Under a name of its own: cargo sees that it is another one by the flag alone.
    let learnt = std::fs::read(profile()).context("reading what the daemon did under load")?;
    let digest = ring::digest::digest(&ring::digest::SHA256, &learnt);
    let digest: String = digest.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let named = target()?.join(format!("learnt-{digest}.profdata"));
    std::fs::write(&named, learnt).with_context(|| format!("writing {}", named.display()))?;
    // Functions that have changed since are no news.
    let mut flags =
        vec![format!("-Cprofile-use={}", named.display()), "-Cllvm-args=-no-pgo-warn-mismatch".to_owned()];
    let bolt = layout::tool();
    if bolt.is_some() {
        flags.push(layout::FLAG.to_owned());
    }
    let built = compile(&flags)?;
    let folder = target()?.join("dist");
    std::fs::create_dir_all(&folder).context("making the folder dist")?;
    // Beside it first: the old one may be running.
    let (binary, beside) = (folder.join("dispatcher"), folder.join("dispatcher.new"));
    if is_newer(&binary, &built) {
        return Ok(binary);
    }
    match bolt {
        Some(bolt) => {
            eprintln!("dist: counting under load, and laying the code out, by {}", bolt.display());
            layout::lay_out(&bolt, &built, &beside)?;
        }
        None => {
            eprintln!("dist: no llvm-bolt here (Debian's bolt-22), so a message takes a tenth more CPU");
            std::fs::copy(&built, &beside).with_context(|| format!("copying {}", built.display()))?;
        }
    }
    std::fs::rename(&beside, &binary).with_context(|| format!("writing {}", binary.display()))?;
    Ok(binary)
}

/// Whether one file was written after the other.
fn is_newer(one: &Path, other: &Path) -> bool {
    let written = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
    written(one).is_some_and(|one| written(other).is_some_and(|other| one > other))
}

/// What the daemon did under load.
fn profile() -> PathBuf {
    root().join("xtask/dispatcher.profdata")
}

/// Compiles for a named target, so that the flags do not reach build scripts.
fn compile(flags: &[String]) -> anyhow::Result<PathBuf> {
    let host = rustc("host")?;
    let mut build = cargo();
    build.args(["build", "--profile", "dist", "--bin", "dispatcher", "--target", &host]);
    build.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    command::run(&mut build)?;
    Ok(target()?.join(host).join("dist/dispatcher"))
}

fn learn() -> anyhow::Result<()> {
    let tool = profdata()?;
    let seen = target()?.join("seen");
    if seen.exists() {
        std::fs::remove_dir_all(&seen).context("forgetting what was seen before")?;
    }
    let watched = compile(&[format!("-Cprofile-generate={}", seen.display())])?;
    command::run(cargo().args(["build", "--release", "--bin", "xtask"]))?;
    for part in ["accept", "whole-way"] {
        let mut bench = Command::new(target()?.join("release/xtask"));
        command::run(bench.args(["bench", "--built", "--only", part]).env(DISPATCHER_BINARY, &watched))?;
    }
    // All else that it does: mail, TLS, callbacks, what an operator asks.
    command::run(cargo().args(["build", "--workspace", "--all-targets"]))?;
    command::run(cargo().args(["test", "--test", "e2e"]).env(DISPATCHER_BINARY, &watched))?;
    let mut merge = Command::new(tool);
    merge.args(["merge", "--sparse", "--output"]).arg(profile()).arg(&seen);
    command::run(&mut merge)
}

/// LLVM's tool that reads what such a binary wrote: of the LLVM that the compiler is made of.
fn profdata() -> anyhow::Result<PathBuf> {
    let version = rustc("LLVM version")?;
    let major = version.split('.').next().unwrap_or_default();
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]).current_dir(root()))?;
    let ours = Path::new(sysroot.trim()).join("lib/rustlib").join(rustc("host")?).join("bin/llvm-profdata");
    let debians = PathBuf::from(format!("/usr/lib/llvm-{major}/bin/llvm-profdata"));
    match [ours, debians].into_iter().find(|path| path.exists()) {
        Some(tool) => Ok(tool),
        None => bail!(
            "no llvm-profdata of LLVM {major}: `rustup component add llvm-tools`, or Debian's llvm-{major}"
        ),
    }
}

/// What the compiler says of itself under this name.
fn rustc(name: &str) -> anyhow::Result<String> {
    let told = output(Command::new("rustc").arg("-vV").current_dir(root()))?;
    let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.map(str::to_owned).with_context(|| format!("rustc -vV names no {name}"))
}
