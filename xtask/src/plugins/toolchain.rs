//! The two ways to a compiler for the guests, and the linker that makes components.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use super::{output, say};

pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// What a user without either way is to do.
const WHAT_TO_INSTALL: &str = "no compiler for wasm32-unknown-unknown: run `rustup target add wasm32-unknown-unknown`, \
     or as root on Debian `apt-get install rustc-web cargo-web rust-web-src`";

/// How guests are compiled here.
pub(super) enum Way {
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
    /// The first way that works here; Debian's compiler is installed where that is possible and needed.
    pub(super) fn find(folder: &Path, debian: bool) -> anyhow::Result<Self> {
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

    /// Cargo, set up to compile guests this way.
    pub(super) fn cargo(&self) -> Command {
        let mut command = match self {
            Self::Toolchain { .. } => Command::new("cargo"),
            Self::Debian { .. } => Command::new("/usr/bin/cargo"),
        };
        // Whoever runs xtask has cargo's variables set for the host's workspace; rustup's choice is for that, too.
        command.env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        match self {
            Self::Toolchain { linker } => linker.set(&mut command),
            Self::Debian { linker, .. } => {
                linker.set(&mut command);
                // Unset, or Debian's cargo would hand its compiler to rustup's proxy.
                command.env_remove("RUSTUP_TOOLCHAIN").env_remove("RUSTC_WRAPPER").env_remove("CARGO");
                command
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("RUSTDOC", "/usr/bin/rustdoc")
                    // `-Z` is closed in a stable compiler; this opens it for the standard library's build.
                    .env("RUSTC_BOOTSTRAP", "1");
            }
        }
        command
    }

    /// What cargo is told beside what to build.
    pub(super) fn arguments(&self) -> &'static [&'static str] {
        match self {
            Self::Toolchain { .. } => &[],
            Self::Debian { .. } => &["-Zbuild-std=std,panic_abort", "-Zbuild-std-features="],
        }
    }
}

/// The active toolchain's compiler, as the plugins' folder sees it: which one that is depends on where one asks.
fn rustc(folder: &Path) -> Command {
    let mut command = Command::new("rustc");
    command.current_dir(folder);
    command
}

/// The linker that makes components: it wraps `wasm-ld` and comes with every rustup toolchain.
pub(super) struct Linker {
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
