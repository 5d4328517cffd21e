//! `cargo xtask bench`: speed and memory of the daemon as it is shipped, measured from outside.
//!
//! The daemon, the load and the providers share this machine's cores, so a figure alone says little:
//! each stands beside a yardstick measured in the same run (the disk's own limit, the same HTTP
//! server doing nothing), and the ratio is what can be compared between machines. Nothing here is
//! asserted by a test; `docs/performance.md` keeps a run and what it was measured on.

mod accept;
mod backlog;
mod examples;
mod material;
mod naive;
mod plugins;
mod rig;
mod start;
mod table;
mod waiting;
mod way;
mod yardstick;

use std::process::Command;

use dispatch_testkit::DISPATCHER_BINARY;

use crate::command::{self, cargo, target, xtask};
use crate::dist;
use table::Row;

/// The flags of `bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON, one object
    #[arg(long)]
    json: bool,
    /// Only this measurement: yardsticks, accept, script, whole-way, waiting, backlog, start, plugins, costs, attachments, routing
    #[arg(long)]
    only: Option<String>,
    /// A tenth of the messages: to see that it works
    #[arg(long)]
    quick: bool,
    /// Already built for release: measure
    #[arg(long, hide = true)]
    built: bool,
    /// Be the yardstick's server on this port
    #[arg(long, hide = true)]
    serve_bare: Option<u16>,
}

/// Builds and measures; the second half is the release build of this very program, since a debug build of the load would be
/// measured instead of the daemon. The daemon is the one that is shipped, or the one that [`DISPATCHER_BINARY`] names.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if let Some(port) = args.serve_bare {
        return yardstick::serve_bare(port);
    }
    if args.built {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        return runtime.block_on(measure(args));
    }
    command::run(xtask()?.arg("plugins"))?;
    command::run(cargo().args(["build", "--release", "--workspace", "--bins", "--examples"]))?;
    let mut release = Command::new(target()?.join("release/xtask"));
    release.args(std::env::args_os().skip(1)).arg("--built");
    if std::env::var_os(DISPATCHER_BINARY).is_none() {
        release.env(DISPATCHER_BINARY, dist::build()?);
    }
    command::run(&mut release)
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    let scale = if args.quick { 10 } else { 1 };
    let mut report = Report { args, rows: Vec::new(), failed: Vec::new(), named: false };
    report.part("yardsticks", async || yardstick::all(scale).await).await;
    report.part("accept", async || accept::run(scale).await).await;
    report.part("script", async || naive::run(scale).await).await;
    report.part("whole-way", async || way::run(scale).await).await;
    report.part("waiting", async || waiting::run().await).await;
    report.part("backlog", async || backlog::run(scale).await).await;
    report.part("start", async || start::run().await).await;
    report.part("plugins", async || plugins::languages(scale)).await;
    report.part("costs", async || plugins::costs(scale)).await;
    report.part("attachments", async || examples::attachments(scale)).await;
    report.part("routing", async || examples::routing()).await;
    anyhow::ensure!(report.named, "no measurement has this name");
    if args.json {
        table::print_json(&report.rows)?;
    }
    anyhow::ensure!(report.failed.is_empty(), "not measured: {}", report.failed.join("; "));
    Ok(())
}

/// What was measured so far.
struct Report<'a> {
    args: &'a Args,
    rows: Vec<Row>,
    failed: Vec<String>,
    /// Some part was asked for.
    named: bool,
}

impl Report<'_> {
    /// Measures a part if it is asked for and prints its rows. The others are measured even if it fails: a run takes
    /// minutes.
    async fn part(&mut self, name: &str, measure: impl AsyncFnOnce() -> anyhow::Result<Vec<Row>>) {
        if self.args.only.as_deref().is_some_and(|only| only != name) {
            return;
        }
        self.named = true;
        match measure().await {
            Ok(rows) => {
                if !self.args.json {
                    table::print(name, &rows);
                }
                self.rows.extend(rows);
            }
            Err(error) => self.failed.push(format!("{name}: {error:#}")),
        }
    }
}
