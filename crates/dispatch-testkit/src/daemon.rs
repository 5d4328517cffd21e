//! The real daemon under test.
//!
//! A daemon that leaves, or reports an error, without the test having said so fails that test when
//! the value goes: nobody has to remember to look.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use parking_lot::Mutex;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tokio::process::Child;

use crate::wait::until_some;
use crate::{Cli, Client, Home, Log, Response, Target};

/// Until a daemon is ready or has left. Generous: a debug build compiles plugins on two busy cores.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running daemon.
pub struct Daemon {
    child: Child,
    pid: u32,
    log: Log,
    socket: PathBuf,
    target: Target,
    cli: Cli,
    expected: Mutex<Vec<String>>,
    ended: bool,
}

impl Daemon {
    pub(crate) fn new(home: &Home, binary: PathBuf, configs: Vec<PathBuf>, child: Child, log: Log) -> Self {
        Self {
            pid: child.id().unwrap_or_default(),
            child,
            log,
            socket: home.socket(),
            target: home.target(),
            cli: Cli::new(binary, configs, home.path()),
            expected: Mutex::default(),
            ended: false,
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What it said.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Where and as whom to send to it.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Its command line.
    pub fn cli(&self) -> &Cli {
        &self.cli
    }

    /// An error whose line contains this is meant to be logged.
    pub fn expect_error(&self, part: &str) -> &Self {
        self.expected.lock().push(part.into());
        self
    }

    /// Waits for readiness; fails at once, with the log, if the process leaves.
    pub async fn wait_ready(&mut self) -> anyhow::Result<()> {
        let socket = self.socket.clone();
        let (child, log, ended) = (&mut self.child, &self.log, &mut self.ended);
        let ready = until_some("the daemon to be ready", READY_WITHIN, async || {
            if let Ok(Some(status)) = child.try_wait() {
                *ended = true;
                return Some(Err(anyhow::anyhow!("the daemon left with {status}:\n{}", log.text())));
            }
            let mut client = Client::unix(&socket).await.ok()?;
            let answer = client.request("GET", "/readyz", &[], b"").await.ok()?;
            (answer.status == 200).then_some(Ok(()))
        });
        ready.await.with_context(|| format!("log so far:\n{}", log.text()))?
    }

    /// Asks the control socket.
    pub async fn get(&self, target: &str) -> anyhow::Result<Response> {
        self.admin("GET", target, b"").await
    }

    /// Tells the control socket.
    pub async fn post(&self, target: &str, body: &serde_json::Value) -> anyhow::Result<Response> {
        self.admin("POST", target, body.to_string().as_bytes()).await
    }

    async fn admin(&self, method: &str, target: &str, body: &[u8]) -> anyhow::Result<Response> {
        let mut client = Client::unix(&self.socket).await.context("connecting to the control socket")?;
        client.request(method, target, &[("content-type", "application/json")], body).await
    }

    /// `GET` that must answer 200 with JSON.
    pub async fn ask(&self, target: &str) -> anyhow::Result<serde_json::Value> {
        let answer = self.get(target).await?;
        anyhow::ensure!(answer.status == 200, "GET {target} answered {}: {}", answer.status, answer.text());
        answer.json()
    }

    /// Sends a body, signed.
    pub async fn send(&self, body: &[u8]) -> anyhow::Result<Response> {
        self.target.send(body).await
    }

    /// A message by any of its ids, as the control API shows it.
    pub async fn message(&self, id: &str) -> anyhow::Result<serde_json::Value> {
        self.ask(&format!("/v1/messages/{id}")).await
    }

    /// Waits until a message is in this state, and gives it.
    pub async fn wait_state(
        &self,
        id: &str,
        state: &str,
        bound: Duration,
    ) -> anyhow::Result<serde_json::Value> {
        let found = until_some(&format!("{id} to be {state}"), bound, async || {
            let message = self.message(id).await.ok()?;
            (message["delivery"]["state"] == state).then_some(message)
        })
        .await;
        let Err(error) = found else { return found };
        let (message, status) = (self.message(id).await?, self.ask("/v1/status").await?);
        let (delivery, lanes) = (&message["delivery"], &status["engine"]["lanes"]);
        let last = message["attempts"].as_array().and_then(|attempts| attempts.last());
        let outcome = last.map_or(&serde_json::Value::Null, |attempt| &attempt["outcome"]);
        Err(error.context(format!("it is {delivery}\nlast outcome: {outcome}\nlanes: {lanes}")))
    }

    /// Ends the process as a power cut would.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.ended = true;
        self.child.kill().await.context("killing the daemon")
    }

    /// Ends it, whatever it did or reported.
    pub fn abandon(mut self) {
        self.ended = true;
    }

    /// Asks it to drain and leave.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Asks it to read its configuration again.
    pub fn hang_up(&self) -> anyhow::Result<()> {
        self.signal(Signal::HUP)
    }

    /// Lets it have so many bytes of writable memory from now on; none lifts the limit. What it holds already, it keeps.
    pub fn data_max(&self, bytes: Option<u64>) -> anyhow::Result<()> {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(self.process()?), Resource::Data, limit).context("limiting the daemon's memory")?;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill_process(self.process()?, signal)?)
    }

    fn process(&self) -> anyhow::Result<Pid> {
        Pid::from_raw(i32::try_from(self.pid)?).context("a process has an id")
    }

    /// Waits until it is gone by itself; see [`Daemon::exit`] for how.
    pub async fn left(&mut self) -> anyhow::Result<()> {
        self.child.wait().await.context("waiting for the daemon")?;
        self.ended = true;
        Ok(())
    }

    /// Waits until it left by itself, and gives its exit code and what it said.
    pub async fn exit(mut self, bound: Duration) -> anyhow::Result<(Option<i32>, Log)> {
        let status = match tokio::time::timeout(bound, self.child.wait()).await {
            Ok(status) => status?,
            Err(_) => bail!("the daemon did not leave within {bound:?}:\n{}", self.log.text()),
        };
        self.ended = true;
        Ok((status.code(), self.log.clone()))
    }

    /// Drains it: it must leave with 0 within half a minute, without unexpected errors.
    pub async fn stop(mut self) -> anyhow::Result<Log> {
        self.check()?;
        self.terminate()?;
        let waited = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        self.ended = true;
        let status = waited.with_context(|| format!("it does not drain:\n{}", self.log.text()))??;
        anyhow::ensure!(status.success(), "the daemon left with {status}:\n{}", self.log.text());
        self.check()?;
        Ok(self.log.clone())
    }

    /// Fails if it left or reported an error that the test does not expect.
    pub fn check(&mut self) -> anyhow::Result<()> {
        if !self.ended
            && let Some(status) = self.child.try_wait()?
        {
            self.ended = true;
            bail!("the daemon left with {status}:\n{}", self.log.text());
        }
        let expected = self.expected.lock();
        let unexpected =
            self.log.errors().into_iter().find(|line| !expected.iter().any(|part| line.contains(part)));
        unexpected.map_or(Ok(()), |line| bail!("the daemon reported an error:\n{line}"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let checked = if self.ended { Ok(()) } else { self.check() };
        // Ends with the value; a failure to kill means that it is gone.
        let _ = self.child.start_kill();
        if std::thread::panicking() {
            return;
        }
        if let Err(error) = checked {
            panic!("{error:#}");
        }
    }
}
