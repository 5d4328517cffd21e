//! `cargo xtask plugins`: the guests, as components.
//!
//! All guests share one workspace and one target directory, so that the standard library and the SDK are compiled once.
//! There are two ways to a compiler for `wasm32-unknown-unknown`, and the first that works is taken and told: the
//! active toolchain, where rustup brought the target along; or Debian's compiler and library source, from which cargo
//! builds the standard library itself. Nothing here asks rustup to fetch anything.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use dispatch_author::{AuthorError, TARGET, Way};

/// The first bytes of a component; a core module has `01 00 00 00` in the second half.
const COMPONENT: [u8; 8] = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];

/// Build the bundled plugins and the fixtures into `plugins/dist`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Build nothing: say whether `plugins/dist` is newer than its sources, and fail where it is not.
    #[arg(long)]
    pub check: bool,
    /// Take Debian's compiler even where the active toolchain has the target.
    #[arg(long)]
    pub debian: bool,
}

/// Builds, or checks what was built.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("xtask lies in the repository")?
        .join("plugins");
    if args.check {
        return check(&folder);
    }
    let way = match Way::find(&folder, args.debian) {
        Err(AuthorError::Missing(_)) if can_install()? => {
            install_debian()?;
            Way::find(&folder, args.debian)?
        }
        way => way?,
    };
    say(&format!("plugins: {way}"))?;
    let guests = build(&way, &folder)?;
    ensure!(!guests.is_empty(), "the plugins workspace has no guest: a cdylib, or an example that is one");
    let dist = folder.join("dist");
    for (name, wasm) in &guests {
        let bytes = std::fs::read(wasm).with_context(|| format!("reading {}", wasm.display()))?;
        ensure!(
            bytes.starts_with(&COMPONENT),
            "{} is no component: the linker was not wasm-component-ld",
            wasm.display()
        );
        let out = dist.join(name);
        write_if_changed(&out, &bytes)?;
        say(&format!("{:<28} {:>7} bytes  sha256 {}", name, bytes.len(), sha256(&bytes)))?;
    }
    remove_others(&dist, &guests)?;
    std::fs::write(dist.join(STAMP), "").context("writing the stamp")?;
    Ok(())
}

/// Builds all guests; gives back their names in `dist` and where their components lie.
fn build(way: &Way, folder: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut command = way.cargo();
    command.current_dir(folder).args(["build", "--release", "--workspace", "--lib", "--examples"]);
    command.args(["--target", TARGET, "--message-format", "json-render-diagnostics"]);
    command.args(way.arguments()).arg("--target-dir").arg(folder.join("target"));
    let done = command.stderr(std::process::Stdio::inherit()).output().context("starting cargo")?;
    ensure!(done.status.success(), "building the guests failed: see above");
    guests(&String::from_utf8_lossy(&done.stdout))
}

/// The components in cargo's messages: bundled plugins are libraries, fixtures are examples.
fn guests(messages: &str) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut guests = BTreeMap::new();
    for line in messages.lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        let cdylib = |kinds: &Value| kinds.as_array().is_some_and(|kinds| kinds.contains(&"cdylib".into()));
        let target = &message["target"];
        if message["reason"] != "compiler-artifact" || !cdylib(&target["crate_types"]) {
            continue;
        }
        let name = target["name"].as_str().context("cargo names its targets")?.replace('_', "-");
        let example = target["kind"].as_array().is_some_and(|kinds| kinds.contains(&"example".into()));
        let files = message["filenames"].as_array().map(Vec::as_slice).unwrap_or_default();
        if let Some(file) = files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm")) {
            let name = match (example, name.strip_prefix("dispatcher-plugin-")) {
                (true, _) => format!("fixtures/{name}.wasm"),
                (false, Some(short)) => format!("{short}.wasm"),
                (false, None) => format!("{name}.wasm"),
            };
            guests.insert(name, PathBuf::from(file));
        }
    }
    Ok(guests)
}

/// Written after a whole build: what is older than it is what it was made of.
const STAMP: &str = ".built";

fn check(folder: &Path) -> anyhow::Result<()> {
    let stamp = folder.join("dist").join(STAMP);
    let Ok(built) = std::fs::metadata(&stamp).and_then(|data| data.modified()) else {
        bail!("plugins/dist is empty: run `cargo xtask plugins`");
    };
    if let Some(newer) = newer_than(folder, built)? {
        bail!("plugins/dist is older than {}: run `cargo xtask plugins`", newer.display());
    }
    say("plugins: dist is up to date")
}

/// A source that changed after `built`.
fn newer_than(folder: &Path, built: SystemTime) -> anyhow::Result<Option<PathBuf>> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if name == "dist" || name == "target" || path.extension().is_some_and(|kind| kind == "md") {
            continue;
        }
        if path.is_dir() {
            if let Some(newer) = newer_than(&path, built)? {
                return Ok(Some(newer));
            }
        } else if std::fs::metadata(&path)?.modified()? > built {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Leaves an equal file alone, so that whoever embeds it need not be built again.
fn write_if_changed(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let folder = path.parent().context("a component lies in a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    // Renamed into place: a build that embeds it at this moment sees the old one or the new one.
    let new = path.with_extension("wasm.new");
    std::fs::write(&new, bytes).with_context(|| format!("writing {}", new.display()))?;
    std::fs::rename(&new, path).with_context(|| format!("writing {}", path.display()))
}

/// Removes components whose guests are gone.
fn remove_others(dist: &Path, guests: &BTreeMap<String, PathBuf>) -> anyhow::Result<()> {
    for (folder, prefix) in [(dist.to_owned(), ""), (dist.join("fixtures"), "fixtures/")] {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if name.ends_with(".wasm") && !guests.contains_key(&name) {
                std::fs::remove_file(entry.path()).with_context(|| format!("removing {name}"))?;
            }
        }
    }
    Ok(())
}

/// Whether Debian's packages can be installed here.
fn can_install() -> anyhow::Result<bool> {
    let root = Command::new("id").arg("-u").output().context("starting id")?;
    let apt = Command::new("apt-get").arg("--version").output();
    Ok(root.stdout.trim_ascii() == b"0" && apt.is_ok_and(|done| done.status.success()))
}

/// Installs Debian's compiler.
fn install_debian() -> anyhow::Result<()> {
    say("plugins: installing rustc-web, cargo-web and rust-web-src (145 MB)")?;
    let apt = |arguments: &[&str]| -> anyhow::Result<()> {
        let status = Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            // Another package manager may be at work: wait for it.
            .args(["-o", "DPkg::Lock::Timeout=600", "-qq"])
            .args(arguments)
            .stdout(std::process::Stdio::null())
            .status()
            .context("starting apt-get")?;
        ensure!(status.success(), "apt-get {} failed: see above", arguments.join(" "));
        Ok(())
    };
    apt(&["update"])?;
    apt(&["install", "-y", "--no-install-recommends", "rustc-web", "cargo-web", "rust-web-src"])
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{line}").context("writing to the terminal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_told_from_cargos_messages() {
        let messages = r#"
            {"reason":"compiler-artifact","target":{"name":"dispatcher_plugin","kind":["lib"],"crate_types":["lib"]},"filenames":["/t/libdispatcher_plugin.rlib"]}
            {"reason":"compiler-artifact","target":{"name":"dispatcher_plugin_twilio","kind":["cdylib"],"crate_types":["cdylib"]},"filenames":["/t/dispatcher_plugin_twilio.wasm"]}
            {"reason":"compiler-artifact","target":{"name":"spin","kind":["example"],"crate_types":["cdylib"]},"filenames":["/t/examples/spin.wasm"]}
            {"reason":"build-finished","success":true}
            not json
        "#;
        let guests = guests(messages).expect("messages");
        let found: Vec<(&str, &Path)> =
            guests.iter().map(|(name, path)| (name.as_str(), path.as_path())).collect();
        assert_eq!(
            found,
            [
                ("fixtures/spin.wasm", Path::new("/t/examples/spin.wasm")),
                ("twilio.wasm", Path::new("/t/dispatcher_plugin_twilio.wasm")),
            ]
        );
    }

    #[test]
    fn dist_is_up_to_date_only_after_its_sources() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("sdk/src")).expect("folders");
        std::fs::create_dir_all(folder.path().join("dist")).expect("folders");
        let source = folder.path().join("sdk/src/lib.rs");
        std::fs::write(&source, "").expect("a source");
        assert!(check(folder.path()).is_err(), "nothing was built");
        std::fs::write(folder.path().join("dist").join(STAMP), "").expect("a stamp");
        let later = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(4_000_000_000);
        check(folder.path()).expect("up to date");
        let file = std::fs::File::options().write(true).open(&source).expect("the source");
        file.set_modified(later).expect("a time");
        let problem = check(folder.path()).expect_err("the source is newer").to_string();
        assert!(problem.contains("lib.rs"), "{problem}");
    }
}
