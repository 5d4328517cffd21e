//! Real servers for the end-to-end tests, installed once under the target folder.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::command::{output, root, run, target};

/// Brings what is missing; cheap when nothing is.
pub(crate) fn install() -> anyhow::Result<()> {
    let wanted = root().join("crates/dispatch-testkit/counterparts");
    let folder = target()?.join("counterparts");
    std::fs::create_dir_all(&folder)?;

    let requirements = wanted.join("requirements.txt");
    if is_stale(&requirements, &folder.join("requirements.txt"))? {
        println!("counterparts: aiosmtpd, dkimpy and smpplib, from PyPI");
        let python = folder.join("python");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&python))
            .context("a Python with venv is needed (Debian: apt-get install python3-venv)")?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run(Command::new(python.join("bin/python")).args(pip).arg(&requirements))?;
        std::fs::copy(&requirements, folder.join("requirements.txt"))?;
    }

    let package = wanted.join("package.json");
    if is_stale(&package, &folder.join("installed.json"))? {
        println!("counterparts: Prism, Twilio's OpenAPI description and its calculator of parts, from npm");
        let version = output(Command::new("node").arg("--version"));
        version.context("Node 20 or newer is needed (Debian: apt-get install nodejs npm)")?;
        std::fs::copy(&package, folder.join("package.json"))?;
        let npm = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
        run(Command::new("npm").args(npm).current_dir(&folder))?;
        // Written last: an install that was cut short is begun again.
        std::fs::copy(&package, folder.join("installed.json"))?;
    }
    Ok(())
}

/// Whether what is wanted is not what was installed.
fn is_stale(wanted: &Path, installed: &Path) -> anyhow::Result<bool> {
    let text = std::fs::read(wanted).with_context(|| format!("reading {}", wanted.display()))?;
    Ok(std::fs::read(installed).ok() != Some(text))
}
