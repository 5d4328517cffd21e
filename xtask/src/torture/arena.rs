//! One scenario's place: a daemon in a folder of its own, its providers, its witness, the shim.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use dispatch_testkit::{
    Daemon, Doubles, Home, HttpCatcher, Launch, Ledger, Pressure, Shim, SmtpCatcher, Verdict, Word, until,
};

use super::table::Row;

/// Anything that takes moments on an idle machine.
pub(super) const SOON: Duration = Duration::from_secs(30);
/// Until all that waits is delivered: retries come within half a second, and a machine may be busy.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);
/// A start that fails is tried again after so long, as a service manager does.
const START_AGAIN: Duration = Duration::from_millis(200);
/// Attempts that can be under way: 32 at each of two backends.
pub(super) const IN_FLIGHT: u64 = 64;

/// What all scenarios of a run share.
pub(super) struct World {
    pub(super) seed: u64,
    folder: tempfile::TempDir,
}

impl World {
    pub(super) fn new(seed: u64) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("torture-").tempdir().context("making a folder")?;
        Ok(Self { seed, folder })
    }

    /// Compiled plugins, once for the whole run.
    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// The machine, for the report.
    pub(super) fn machine(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        format!("{cores} cores, Linux {}, {build} build", kernel.trim())
    }
}

/// The place.
pub(super) struct Arena<'a> {
    world: &'a World,
    pub(super) home: Home,
    pub(super) texts: HttpCatcher,
    pub(super) mails: SmtpCatcher,
    pub(super) ledger: Arc<Ledger>,
    pub(super) shim: Shim,
    pub(super) daemon: Option<Daemon>,
    /// Descriptors that the daemon may have, where they are few.
    pub(super) open_files_max: Option<u32>,
    /// What else its environment has.
    pub(super) variables: Vec<(&'static str, &'static str)>,
    pub(super) slowest_start: Duration,
}

/// A scenario that failed leaves its daemon as it is; what is wrong is in the scenario's error.
impl Drop for Arena<'_> {
    fn drop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.abandon();
        }
    }
}

impl<'a> Arena<'a> {
    pub(super) async fn new(world: &'a World) -> anyhow::Result<Self> {
        let home = Home::new()?;
        let shim = Shim::build(home.path())?;
        let arena = Self {
            world,
            texts: HttpCatcher::start().await?,
            mails: SmtpCatcher::start().await?,
            ledger: Arc::default(),
            shim,
            home,
            daemon: None,
            open_files_max: None,
            variables: Vec::new(),
            slowest_start: Duration::ZERO,
        };
        arena.configure(&arena.config(&arena.texts.url(), "http"))?;
        Ok(arena)
    }

    /// Both backends and their routes, with a schedule of retries that a scenario can wait for.
    pub(super) fn config(&self, url: &str, plugin: &str) -> String {
        let retry = "retry = { attempts = 500, first = \"50ms\", factor = 1.5, max = \"500ms\", expires_after = \"24h\" }\nlookup_after = \"100ms\"";
        let limits =
            r#"limits = { concurrency = 32, timeout = "2s", breaker_open = "300ms", pause_max = "500ms" }"#;
        let (cache, port) = (self.world.cache(), self.mails.port());
        format!(
            r#"
[log]
level = "warn"

[plugin_host]
cache = "{}"

[backends.texts]
plugin = "{plugin}"
settings = {{ url = "{url}/send", body = {{ json = {{ to = "{{to}}", text = "{{text}}", key = "{{idempotency_key}}" }} }} }}
{limits}
private_networks = ["127.0.0.0/8", "::1/128"]
plaintext = true

[backends.mails]
plugin = "smtp"
relay = {{ host = "127.0.0.1", port = {port}, tls = "none" }}
{limits}
private_networks = ["127.0.0.0/8"]
plaintext = true

[[routes]]
name = "texts"
channel = "sms"
deliver = "texts"
{retry}

[[routes]]
name = "mails"
channel = "email"
deliver = "mails"
{retry}
"#,
            cache.display()
        )
    }

    /// Writes the configuration: a short drain, a small reserve of disk, then `rest`.
    pub(super) fn configure(&self, rest: &str) -> anyhow::Result<()> {
        let store = "drain = \"5s\"\n\n[store]\nfree_min = \"4 MiB\"\nballast = \"1 MiB\"";
        self.home.write("config.toml", self.home.base().replace("[store]", store) + rest).map(drop)
    }

    pub(super) fn launch(&self) -> Launch<'_> {
        let mut launch = Launch::new(&self.home);
        for (name, value) in self.shim.env() {
            launch = launch.env(name, value);
        }
        for (name, value) in &self.variables {
            launch = launch.env(name, *value);
        }
        match self.open_files_max {
            Some(count) => launch.open_files_max(count),
            None => launch,
        }
    }

    /// One start; whatever the daemon reports is judged at its end, not by the harness.
    pub(super) async fn try_start(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut daemon = self.launch().start_unready()?;
        daemon.expect_error("");
        daemon.wait_ready().await?;
        self.slowest_start = self.slowest_start.max(began.elapsed());
        self.daemon = Some(daemon);
        Ok(())
    }

    /// Starts it as a service manager does: again, until it stays.
    pub(super) async fn start(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            match self.try_start().await {
                Ok(()) => return Ok(()),
                Err(error) if began.elapsed() > SOON => return Err(error),
                Err(_) => tokio::time::sleep(START_AGAIN).await,
            }
        }
    }

    pub(super) fn running(&self) -> anyhow::Result<&Daemon> {
        self.daemon.as_ref().context("no daemon runs")
    }

    /// `kill -9`.
    pub(super) async fn kill(&mut self) -> anyhow::Result<()> {
        let daemon = self.daemon.take().context("no daemon runs")?;
        let log = daemon.log().clone();
        daemon.kill().await?;
        self.judge(&log.errors())
    }

    /// Waits until it is gone by itself, or by a kill of the shim; gives its exit code.
    pub(super) async fn gone(&mut self) -> anyhow::Result<Option<i32>> {
        let daemon = self.daemon.take().context("no daemon runs")?;
        let (code, log) = daemon.exit(SOON).await?;
        self.judge(&log.errors())?;
        Ok(code)
    }

    /// Whether it ends by itself within this time.
    pub(super) async fn ends_within(&mut self, bound: Duration) -> anyhow::Result<bool> {
        let daemon = self.daemon.as_mut().context("no daemon runs")?;
        let left = tokio::time::timeout(bound, daemon.left()).await;
        Ok(left.is_ok())
    }

    /// Whatever breaks, nothing of ours panics.
    fn judge(&self, errors: &[String]) -> anyhow::Result<()> {
        self.ledger.collect(&self.texts, &self.mails);
        match errors.iter().find(|line| line.contains("panicked at")) {
            Some(line) => bail!("it panicked: {line}"),
            None => Ok(()),
        }
    }

    /// A load that goes on until it is ended.
    pub(super) fn press(&self, rate: u32) -> Pressure {
        Pressure::start(&self.home.target(), &self.ledger, 8, rate)
    }

    /// Waits until so many more were acknowledged.
    pub(super) async fn acked(&self, more: usize) -> anyhow::Result<()> {
        let wanted = self.ledger.acked() + more;
        until("acknowledgements", SOON, async || self.ledger.acked() >= wanted).await
    }

    /// Waits until nothing waits any more.
    pub(super) async fn settled(&self) -> anyhow::Result<()> {
        let daemon = self.running()?;
        let waiting = until("every delivery to end", SETTLED_WITHIN, async || {
            let Ok(status) = daemon.ask("/v1/status").await else { return false };
            ["unplanned", "scheduled", "leased"]
                .iter()
                .all(|state| status["store"]["by_state"][*state].as_u64().unwrap_or(0) == 0)
        });
        let Err(error) = waiting.await else { return Ok(()) };
        let status = daemon.ask("/v1/status").await?;
        Err(error.context(format!("{:#}", status["engine"]["lanes"])))
    }

    /// Ends the load, waits for the rest, and judges. `since` is when what was broken came back.
    pub(super) async fn close(
        mut self,
        pressure: Pressure,
        since: Option<Instant>,
        doubles: Doubles,
    ) -> anyhow::Result<Row> {
        pressure.end().await;
        self.settled().await?;
        let recovered = since.map(|since| since.elapsed());
        self.ledger.collect(&self.texts, &self.mails);
        let verdict = Verdict::of(&self.ledger, self.running()?).await?;
        self.shim.set(Word::KillAfter, 0)?;
        self.kill().await?;
        let problem = verdict.problems(doubles, false);
        Ok(Row { verdict, recovered, problem, ..Row::default() })
    }
}
