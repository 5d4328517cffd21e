//! A shell as a person uses it: one block of commands after the other, some of them left running.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, Command};

use crate::{Log, until_some};

/// A running shell. What it started ends with the value.
pub struct Shell {
    child: Child,
    input: ChildStdin,
    log: Log,
    blocks: usize,
}

impl Shell {
    /// A bash in this folder, with these variables over those of this process. It ends at the first command that fails.
    pub fn start(folder: &Path, env: &[(String, String)]) -> anyhow::Result<Self> {
        let mut command = Command::new("/bin/bash");
        command.args(["-euo", "pipefail"]).current_dir(folder).envs(env.iter().cloned()).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("starting bash")?;
        let log = Log::default();
        log.follow(child.stdout.take().context("standard output is piped")?);
        log.follow(child.stderr.take().context("standard error is piped")?);
        let input = child.stdin.take().context("standard input is piped")?;
        Ok(Self { child, input, log, blocks: 0 })
    }

    /// What its commands said.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Types some lines, and waits until the last of them is done.
    pub async fn run(&mut self, lines: &str, bound: Duration) -> anyhow::Result<()> {
        self.blocks += 1;
        let mark = format!("--- done {} ---", self.blocks);
        self.input.write_all(format!("{lines}\necho '{mark}'\n").as_bytes()).await?;
        let (child, log) = (&mut self.child, &self.log);
        let done = until_some(&format!("these commands:\n{lines}"), bound, async || {
            if log.contains(&mark) {
                return Some(true);
            }
            matches!(child.try_wait(), Ok(Some(_))).then_some(false)
        })
        .await
        .with_context(|| log.text())?;
        if !done {
            bail!("a command failed:\n{lines}\n\nso far:\n{}", self.log.text());
        }
        Ok(())
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // What was left running is of the shell's own group, and nothing else is.
        if let Some(pid) = self.child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}
