//! Rust: the two ways to a compiler for WebAssembly, and the linker that makes components.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{output, run};
use crate::AuthorError;

/// What guests are compiled for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// What a user without either way is to do.
const WHAT_TO_INSTALL: &str = "no compiler for wasm32-unknown-unknown: run `rustup target add wasm32-unknown-unknown`, \
     or as root on Debian `apt-get install rustc-web cargo-web rust-web-src`";

/// How guests are compiled here.
#[derive(Debug)]
pub enum Way {
    /// The active toolchain has the target.
    Toolchain {
        /// What links.
        linker: Linker,
    },
    /// Debian's compiler builds the standard library from source.
    Debian {
        /// Its version.
        version: String,
        /// What links.
        linker: Linker,
    },
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
    /// The first way that works in a folder; the active toolchain depends on it. `debian` leaves out the first way.
    ///
    /// # Errors
    /// Neither works; what to install.
    pub fn find(folder: &Path, debian: bool) -> Result<Self, AuthorError> {
        let linker = Linker::find(folder)?;
        let sysroot = output(rustc(folder).args(["--print", "sysroot"])).ok();
        let has_target =
            |root: &String| Path::new(root).join("lib/rustlib").join(TARGET).join("lib").is_dir();
        if !debian && sysroot.as_ref().is_some_and(has_target) {
            return Ok(Self::Toolchain { linker });
        }
        match debian_version()? {
            Some(version) => Ok(Self::Debian { version, linker }),
            None => Err(AuthorError::Missing(WHAT_TO_INSTALL.to_owned())),
        }
    }

    /// Cargo, set up to compile guests this way.
    pub fn cargo(&self) -> Command {
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
    pub fn arguments(&self) -> &'static [&'static str] {
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
#[derive(Debug)]
pub struct Linker {
    component_ld: PathBuf,
    wasm_ld: Option<PathBuf>,
}

impl Linker {
    fn find(folder: &Path) -> Result<Self, AuthorError> {
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
        let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
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
        Err(AuthorError::Missing(
            "no wasm-component-ld: use a rustup toolchain, or `cargo install wasm-component-ld`".to_owned(),
        ))
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
fn debian_version() -> Result<Option<String>, AuthorError> {
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
    let version = version.split(' ').nth(1).unwrap_or_default().to_owned();
    let sysroot = output(rustc().args(["--print", "sysroot"]))?;
    let source = Path::new(&sysroot).join("lib/rustlib/src/rust");
    if !source.join("library/Cargo.lock").exists() {
        return Ok(None);
    }
    let real = source.canonicalize().map_err(AuthorError::io(&source))?;
    if !real.to_string_lossy().contains(&version) {
        return Err(AuthorError::Missing(format!(
            "/usr/bin/rustc is {version} and its library source is {}: install one version of rustc-web and rust-web-src",
            real.display()
        )));
    }
    Ok(Some(version))
}

/// The name in a `Cargo.toml`.
pub(crate) fn package_name(manifest: &str) -> Option<String> {
    let package = manifest.split("[package]").nth(1)?;
    let package = package.split("\n[").next()?;
    let line = package.lines().find_map(|line| line.trim_start().strip_prefix("name"))?;
    let value = line.trim_start().strip_prefix('=')?.trim();
    Some(value.strip_prefix('"')?.split('"').next()?.to_owned())
}

/// Builds the component of a folder.
pub(crate) fn build(
    folder: &Path,
    name: &str,
    out: &Path,
    target_dir: Option<&Path>,
    say: &mut dyn FnMut(&str),
) -> Result<(), AuthorError> {
    let way = Way::find(folder, false)?;
    say(&way.to_string());
    let target_dir = target_dir.map_or_else(|| folder.join("target"), Path::to_owned);
    let mut command = way.cargo();
    command.current_dir(folder).args(["build", "--release", "--lib", "--target", TARGET]);
    command.args(way.arguments()).arg("--target-dir").arg(&target_dir);
    run(&mut command, WHAT_TO_INSTALL)?;
    let made = target_dir.join(TARGET).join("release").join(format!("{}.wasm", name.replace('-', "_")));
    fs::copy(&made, out).map_err(AuthorError::io(&made))?;
    Ok(())
}

/// The folder's own tests, natively.
pub(crate) fn test(folder: &Path, target_dir: Option<&Path>) -> Result<(), AuthorError> {
    let target_dir = target_dir.map_or_else(|| folder.join("target"), Path::to_owned);
    let mut command = Command::new("cargo");
    command.current_dir(folder).args(["test", "--quiet", "--target-dir"]).arg(target_dir);
    run(&mut command, "install Rust: https://rustup.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_packages() {
        let manifest =
            "# name = \"no\"\n[package]\nname = \"acme-sms\"\nversion = \"1\"\n\n[lib]\nname = \"other\"\n";
        assert_eq!(package_name(manifest).as_deref(), Some("acme-sms"));
        assert_eq!(package_name("[workspace]\n"), None);
    }
}
