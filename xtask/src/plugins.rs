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

const TARGET: &str = "wasm32-unknown-unknown";

/// What a user without either way is to do.
const WHAT_TO_INSTALL: &str = "no compiler for wasm32-unknown-unknown: run `rustup target add wasm32-unknown-unknown`, \
     or as root on Debian `apt-get install rustc-web cargo-web rust-web-src`";

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
    let way = Way::find(&folder, args.debian)?;
    say(&format!("plugins: {way}"))?;
    let guests = way.build(&folder)?;
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

/// How guests are compiled here.
enum Way {
    /// The active toolchain has the target.
    Toolchain { linker: Linker },
    /// Debian's compiler builds the standard library from source.
    Debian { version: String, linker: Linker },
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Toolchain { .. } => write!(f, "the active toolchain has {TARGET}"),
            Self::Debian { version, .. } => {
                write!(f, "Debian's rustc {version} builds the standard library for {TARGET}")
            }
        }
    }
}

impl Way {
    fn find(folder: &Path, debian: bool) -> anyhow::Result<Self> {
        let linker = Linker::find(folder)?;
        let sysroot = output(rustc(folder).args(["--print", "sysroot"])).ok();
        let has_target =
            |root: &String| Path::new(root).join("lib/rustlib").join(TARGET).join("lib").is_dir();
        if !debian && sysroot.as_ref().is_some_and(has_target) {
            return Ok(Self::Toolchain { linker });
        }
        if debian_version()?.is_none() {
            install_debian()?;
        }
        match debian_version()? {
            Some(version) => Ok(Self::Debian { version, linker }),
            None => bail!(WHAT_TO_INSTALL),
        }
    }

    /// Builds all guests; gives back their names in `dist` and where their components lie.
    fn build(&self, folder: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
        let mut command = match self {
            Self::Toolchain { .. } => Command::new("cargo"),
            Self::Debian { .. } => Command::new("/usr/bin/cargo"),
        };
        // Whoever runs xtask has cargo's variables set for the host's workspace; rustup's choice is for that, too.
        command.env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        let linker = match self {
            Self::Toolchain { linker } => linker,
            Self::Debian { linker, .. } => {
                // Unset, or Debian's cargo would hand its compiler to rustup's proxy.
                command.env_remove("RUSTUP_TOOLCHAIN").env_remove("RUSTC_WRAPPER").env_remove("CARGO");
                command
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("RUSTDOC", "/usr/bin/rustdoc")
                    // `-Z` is closed in a stable compiler; this opens it for the standard library's build.
                    .env("RUSTC_BOOTSTRAP", "1");
                linker
            }
        };
        linker.set(&mut command);
        command.current_dir(folder).args(["build", "--release", "--workspace", "--lib", "--examples"]);
        command.args(["--target", TARGET, "--message-format", "json-render-diagnostics"]);
        command.arg("--target-dir").arg(folder.join("target"));
        if matches!(self, Self::Debian { .. }) {
            command.args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features="]);
        }
        let done = command.stderr(std::process::Stdio::inherit()).output().context("starting cargo")?;
        ensure!(done.status.success(), "building the guests failed: see above");
        guests(&String::from_utf8_lossy(&done.stdout))
    }
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

/// The active toolchain's compiler, as the plugins' folder sees it: which one that is depends on where one asks.
fn rustc(folder: &Path) -> Command {
    let mut command = Command::new("rustc");
    command.current_dir(folder);
    command
}

/// The linker that makes components: it wraps `wasm-ld` and comes with every rustup toolchain.
struct Linker {
    component_ld: PathBuf,
    wasm_ld: Option<PathBuf>,
}

impl Linker {
    fn find(folder: &Path) -> anyhow::Result<Self> {
        let mut roots = Vec::new();
        if let Ok(sysroot) = output(rustc(folder).args(["--print", "sysroot"])) {
            roots.push(PathBuf::from(sysroot));
        }
        let rustup = std::env::var_os("RUSTUP_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::home_dir().map(|home| home.join(".rustup")));
        if let Some(toolchains) = rustup.and_then(|home| std::fs::read_dir(home.join("toolchains")).ok()) {
            roots.extend(toolchains.flatten().map(|entry| entry.path()));
        }
        let host = output(rustc(folder).arg("-vV"))?;
        let host =
            host.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names its host")?;
        let exe = std::env::consts::EXE_SUFFIX;
        for root in roots {
            let bin = root.join("lib/rustlib").join(host).join("bin");
            let component_ld = bin.join(format!("wasm-component-ld{exe}"));
            if component_ld.is_file() {
                let wasm_ld = bin.join("gcc-ld").join(format!("wasm-ld{exe}"));
                return Ok(Self { component_ld, wasm_ld: wasm_ld.is_file().then_some(wasm_ld) });
            }
        }
        if output(Command::new("wasm-component-ld").arg("--version")).is_ok() {
            return Ok(Self { component_ld: "wasm-component-ld".into(), wasm_ld: None });
        }
        bail!("no wasm-component-ld: use a rustup toolchain, or `cargo install wasm-component-ld`")
    }

    fn set(&self, command: &mut Command) {
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", &self.component_ld);
        if let Some(wasm_ld) = &self.wasm_ld {
            let flags = format!("-Clink-arg=--wasm-ld-path={}", wasm_ld.display());
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags);
        }
    }
}

/// The version of Debian's compiler, where all three packages are there; compiler and library source have to be of one
/// version, or the standard library does not compile.
fn debian_version() -> anyhow::Result<Option<String>> {
    let there = Path::new("/usr/bin/rustc").exists() && Path::new("/usr/bin/cargo").exists();
    if !there {
        return Ok(None);
    }
    let rustc = || {
        let mut command = Command::new("/usr/bin/rustc");
        command.env_remove("RUSTUP_TOOLCHAIN");
        command
    };
    let version = output(rustc().arg("-V"))?;
    let version = version.split(' ').nth(1).context("rustc tells its version")?.to_owned();
    let sysroot = output(rustc().args(["--print", "sysroot"]))?;
    let source = Path::new(&sysroot).join("lib/rustlib/src/rust");
    if !source.join("library/Cargo.lock").exists() {
        return Ok(None);
    }
    let real = source.canonicalize().context("finding the library source")?;
    ensure!(
        real.to_string_lossy().contains(&version),
        "/usr/bin/rustc is {version} and its library source is {}: install one version of rustc-web and rust-web-src",
        real.display()
    );
    Ok(Some(version))
}

/// Installs Debian's compiler where that is possible.
fn install_debian() -> anyhow::Result<()> {
    let root = output(Command::new("id").arg("-u")).is_ok_and(|id| id == "0");
    if !root || output(Command::new("apt-get").arg("--version")).is_err() {
        bail!(WHAT_TO_INSTALL);
    }
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

fn output(command: &mut Command) -> anyhow::Result<String> {
    let done =
        command.output().with_context(|| format!("starting {}", command.get_program().to_string_lossy()))?;
    ensure!(done.status.success(), "{} failed", command.get_program().to_string_lossy());
    Ok(String::from_utf8(done.stdout)?.trim().to_owned())
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{line}").context("writing to the terminal")
}
