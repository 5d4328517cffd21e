//! Running other programs, cargo above all, with words for when they fail.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace").to_owned()
}

/// The target folder that this program was built in, wherever the user keeps it.
pub(crate) fn target() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("finding the running program")?;
    // The profile's folder (debug, release) is the one in which cargo keeps its fingerprints.
    let profile = this.ancestors().find(|folder| folder.join(".fingerprint").is_dir());
    let target = profile.and_then(Path::parent).context("xtask was not run from a cargo target folder")?;
    Ok(target.to_owned())
}

/// cargo, in the root of the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root());
    // What cargo told *this* build is nothing that a build started by it should take for its own.
    for name in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"] {
        command.env_remove(name);
    }
    command
}

/// Another verb of this program, in a process of its own.
pub(crate) fn xtask() -> anyhow::Result<Command> {
    let running = std::env::current_exe().context("finding the running program")?;
    // A build that this program started may have put a newer one in its place.
    let path = running.to_string_lossy();
    Ok(Command::new(path.strip_suffix(" (deleted)").unwrap_or(&path)))
}

/// Runs it with the terminal as it is; fails if it does.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("starting {}", shown(command)))?;
    ensure!(status.success(), "{} failed with {status}", shown(command));
    Ok(())
}

/// Runs it and gives what it printed.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("starting {}", shown(command)))?;
    ensure!(output.status.success(), "{} failed with {}", shown(command), output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
