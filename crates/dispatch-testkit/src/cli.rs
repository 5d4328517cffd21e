//! The command line, as a person would use it.

use std::path::PathBuf;

use anyhow::Context as _;
use tokio::process::Command;

/// How to call it.
#[derive(Clone)]
pub struct Cli {
    pub(crate) binary: PathBuf,
    pub(crate) configs: Vec<PathBuf>,
    pub(crate) folder: PathBuf,
    env: Vec<(String, String)>,
}

/// What a call gave.
#[derive(Debug, Clone)]
pub struct CliOutput {
    /// The exit code; none after a signal.
    pub code: Option<i32>,
    /// The data.
    pub stdout: String,
    /// The talk.
    pub stderr: String,
}

impl Cli {
    /// A command line for these configuration files.
    pub fn new(
        binary: impl Into<PathBuf>,
        configs: impl IntoIterator<Item = PathBuf>,
        folder: impl Into<PathBuf>,
    ) -> Self {
        Self {
            binary: binary.into(),
            configs: configs.into_iter().collect(),
            folder: folder.into(),
            env: Vec::new(),
        }
    }

    /// Sets a variable; the process has no others but `PATH` and `HOME`.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Runs a verb; the configuration files are added after it.
    pub async fn run(&self, args: &[&str]) -> anyhow::Result<CliOutput> {
        let mut command = Command::new(&self.binary);
        command.args(args);
        for config in &self.configs {
            command.arg("--config").arg(config);
        }
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &self.folder).env("NO_COLOR", "1");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let output = command.current_dir(&self.folder).kill_on_drop(true).output().await;
        let output = output.with_context(|| format!("running {} {args:?}", self.binary.display()))?;
        Ok(CliOutput {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs a verb with `--json`, which must succeed, and reads its data.
    pub async fn json(&self, args: &[&str]) -> anyhow::Result<serde_json::Value> {
        let output = self.run(&[args, &["--json"]].concat()).await?;
        anyhow::ensure!(output.code == Some(0), "{args:?} left with {:?}: {}", output.code, output.stderr);
        serde_json::from_str(&output.stdout)
            .with_context(|| format!("{args:?} gave no JSON: {}", output.stdout))
    }
}
