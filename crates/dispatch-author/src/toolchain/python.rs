//! Python: componentize-py from PyPI puts the source and an interpreter into one component.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::run;
use crate::AuthorError;

const MISSING: &str = "install Python 3.10 or newer, with venv";
const CONTRACT: [&str; 4] = ["-d", "wit", "-w", "plugin"];

/// A program of the folder's own environment.
fn tool(folder: &Path, name: &str) -> PathBuf {
    folder.join(".venv").join("bin").join(name)
}

/// Whether what was made is older than what it was made of, or is not there.
fn older(made: &Path, source: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    time(made) < time(source) || !made.exists()
}

/// Makes the environment once, and the contract's classes for tests and editors.
fn prepare(folder: &Path, say: &mut dyn FnMut(&str)) -> Result<(), AuthorError> {
    let componentize = tool(folder, "componentize-py");
    if !componentize.exists() {
        say("fetching componentize-py from PyPI, once (70 MB)");
        run(Command::new("python3").current_dir(folder).args(["-m", "venv", ".venv"]), MISSING)?;
        let install = ["install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"];
        run(Command::new(tool(folder, "pip")).current_dir(folder).args(install), MISSING)?;
    }
    let bindings = folder.join("bindings");
    if older(&bindings, &folder.join("wit").join("plugin.wit")) {
        // Made from nothing: what an earlier contract had would stay.
        let _ = fs::remove_dir_all(&bindings);
        run(
            Command::new(componentize).current_dir(folder).args(CONTRACT).args(["bindings", "bindings"]),
            MISSING,
        )?;
    }
    Ok(())
}

/// The component. WASI is stubbed: what would ask the world for something fails, and randomness is the same each time.
pub(crate) fn build(folder: &Path, out: &Path, say: &mut dyn FnMut(&str)) -> Result<(), AuthorError> {
    prepare(folder, say)?;
    let arguments = ["--quiet", "componentize", "--stub-wasi", "plugin", "-p", ".", "-o"];
    run(
        Command::new(tool(folder, "componentize-py"))
            .current_dir(folder)
            .args(CONTRACT)
            .args(arguments)
            .arg(out),
        MISSING,
    )
}

/// The folder's unit tests, with the contract's classes at hand.
pub(crate) fn test(folder: &Path, say: &mut dyn FnMut(&str)) -> Result<(), AuthorError> {
    prepare(folder, say)?;
    let mut command = Command::new(tool(folder, "python"));
    command.current_dir(folder).env("PYTHONPATH", "bindings").env("PYTHONDONTWRITEBYTECODE", "1");
    run(command.args(["-m", "unittest"]), MISSING)
}
