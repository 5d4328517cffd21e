//! What the authors of plugins work with: the command line, the templates, the examples and the page that teaches them.
//!
//! Tests that need a language's registry build under `target/authors`, so that a second run finds everything there.

mod conformance;
mod examples;
mod page;
mod replay;
mod sdk;
mod templates;
mod verbs;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use dispatch_testkit::{Cli, CliOutput, dispatcher_binary, repository};

/// A component of JavaScript or Python takes most of a minute to build, and another to compile in a debug build.
const BUILDS: Duration = Duration::from_secs(600);

/// The plugins and fixtures as components.
fn dist() -> PathBuf {
    repository().join("plugins/dist")
}

/// The command line without a configuration, in this folder; compiled components are shared by all tests.
fn cli(folder: &Path) -> anyhow::Result<Cli> {
    let cli = Cli::new(dispatcher_binary()?, [], folder);
    Ok(cli.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR")))
}

/// Runs it, and gives both streams as one where the exit code is this.
async fn said(cli: &Cli, code: i32, args: &[&str]) -> anyhow::Result<String> {
    let CliOutput { code: left, stdout, stderr } = cli.run(args).await?;
    let both = format!("{stdout}{stderr}");
    anyhow::ensure!(left == Some(code), "{args:?} left with {left:?}:\n{both}");
    Ok(both)
}

/// Where tests build plugins, and what they keep between runs.
struct Workshop {
    folder: PathBuf,
}

impl Workshop {
    fn open() -> anyhow::Result<Self> {
        let this = std::env::current_exe().context("finding the running program")?;
        let profile = this.ancestors().find(|folder| folder.join(".fingerprint").is_dir());
        let target = profile.and_then(Path::parent).context("not run from a cargo target folder")?;
        let folder = target.join("authors");
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// A folder of this name with nothing in it.
    fn fresh(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.folder.join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Where the command line keeps compiled components, and the daemons under test as well.
    fn compiled(&self) -> PathBuf {
        self.folder.join("cache/dispatcher/plugins")
    }

    /// What the tools are told: where they keep what they fetched, and where `dispatcher` is.
    #[expect(clippy::disallowed_methods, reason = "the tools of this machine are found by its PATH")]
    fn env(&self) -> anyhow::Result<Vec<(String, String)>> {
        let binary = dispatcher_binary()?;
        let beside = binary.parent().context("the binary lies in a folder")?;
        let path = std::env::var("PATH").context("there is a PATH")?;
        let at = |name: &str| self.folder.join(name).display().to_string();
        // Where the bundled plugins were compiled: the standard library for WebAssembly is there, which takes a minute.
        let guests = repository().join("plugins/target").display().to_string();
        let env = [
            ("PATH", format!("{}:{path}", beside.display())),
            ("XDG_CACHE_HOME", at("cache")),
            ("DISPATCHER__PLUGIN_HOST__CACHE", self.compiled().display().to_string()),
            ("CARGO_TARGET_DIR", guests),
            ("npm_config_cache", at("npm")),
            ("npm_config_prefer_offline", "true".to_owned()),
            ("npm_config_update_notifier", "false".to_owned()),
            ("PIP_CACHE_DIR", at("pip")),
            ("NO_COLOR", "1".to_owned()),
        ];
        Ok(env.map(|(name, value)| (name.to_owned(), value)).into())
    }
}
