//! How the daemon is started: the real binary, a clean environment, and where a test needs them an
//! inherited socket or a limit on file sizes.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};

use crate::{Daemon, Home, Log};

/// The variable that names another daemon to start.
pub const DISPATCHER_BINARY: &str = "DISPATCHER_BINARY";

/// The daemon's binary: the one that [`DISPATCHER_BINARY`] names, or the one beside the running test or xtask.
pub fn dispatcher_binary() -> anyhow::Result<PathBuf> {
    if let Some(named) = std::env::var_os(DISPATCHER_BINARY) {
        return Ok(PathBuf::from(named));
    }
    let this = std::env::current_exe().context("finding the running program")?;
    let found =
        this.ancestors().skip(1).take(2).map(|folder| folder.join("dispatcher")).find(|path| path.is_file());
    match found {
        Some(path) => Ok(path),
        None => bail!(
            "there is no dispatcher binary near {}: build it first (`cargo build -p dispatcher`; `cargo xtask test` does)",
            this.display()
        ),
    }
}

/// A start that is being prepared.
pub struct Launch<'a> {
    home: &'a Home,
    binary: Option<PathBuf>,
    configs: Vec<PathBuf>,
    env: Vec<(String, String)>,
    socket: Option<TcpListener>,
    file_size_max: Option<u64>,
    open_files_max: Option<u32>,
    umask: Option<&'static str>,
}

impl<'a> Launch<'a> {
    /// With `config.toml` of this folder.
    pub fn new(home: &'a Home) -> Self {
        Self {
            home,
            binary: None,
            configs: vec![home.file("config.toml")],
            env: Vec::new(),
            socket: None,
            file_size_max: None,
            open_files_max: None,
            umask: None,
        }
    }

    /// Another binary than the one beside this program.
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// These configuration files instead, later ones over earlier ones.
    pub fn configs(mut self, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        self.configs = paths.into_iter().collect();
        self
    }

    /// Sets a variable; the process has no others but `PATH` and `HOME`.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Passes a listening socket as systemd does.
    pub fn inherit(mut self, socket: TcpListener) -> Self {
        self.socket = Some(socket);
        self
    }

    /// No file may grow beyond this: a write past it fails as on a full disk.
    pub fn file_size_max(mut self, bytes: u64) -> Self {
        self.file_size_max = Some(bytes);
        self
    }

    /// So many descriptors and no more.
    pub fn open_files_max(mut self, count: u32) -> Self {
        self.open_files_max = Some(count);
        self
    }

    /// Another umask than the test's own: octal digits.
    pub fn umask(mut self, mask: &'static str) -> Self {
        self.umask = Some(mask);
        self
    }

    /// Starts, and waits until the daemon says that it is ready.
    pub async fn start(self) -> anyhow::Result<Daemon> {
        let mut daemon = self.start_unready()?;
        daemon.wait_ready().await?;
        Ok(daemon)
    }

    /// Starts and does not wait.
    pub fn start_unready(self) -> anyhow::Result<Daemon> {
        let binary = self.binary.clone().map_or_else(dispatcher_binary, Ok)?;
        let (home, configs) = (self.home, self.configs.clone());
        let (child, log) = self.spawn(&binary)?;
        Ok(Daemon::new(home, binary, configs, child, log))
    }

    fn spawn(self, binary: &Path) -> anyhow::Result<(Child, Log)> {
        // A shell does what would need unsafe code between fork and exec: descriptor 3 and its
        // variables, and limits. It is replaced by the daemon, which keeps its process id.
        let mut script = String::new();
        if let Some(bytes) = self.file_size_max {
            script.push_str(&format!("trap '' XFSZ; ulimit -f {}; ", bytes.div_ceil(1024)));
        }
        if let Some(mask) = self.umask {
            script.push_str(&format!("umask {mask}; "));
        }
        if let Some(count) = self.open_files_max {
            script.push_str(&format!("ulimit -n {count}; "));
        }
        if self.socket.is_some() {
            script
                .push_str("exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$; export LISTEN_FDS LISTEN_PID; ");
        }
        script.push_str("exec \"$@\"");
        let mut command = Command::new("/bin/bash");
        command.arg("-c").arg(script).arg("dispatcher").arg(binary).arg("run");
        for config in &self.configs {
            command.arg("--config").arg(config);
        }
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.home.path());
        command.envs(self.env).current_dir(self.home.path());
        // A group of its own: Ctrl-C at the terminal reaches whoever started it, who then says what
        // the daemon is to do.
        command.process_group(0);
        command.stdin(self.socket.map_or_else(Stdio::null, |socket| OwnedFd::from(socket).into()));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("starting {}", binary.display()))?;
        let log = Log::default();
        log.follow(child.stdout.take().context("standard output is piped")?);
        log.follow(child.stderr.take().context("standard error is piped")?);
        Ok((child, log))
    }
}
