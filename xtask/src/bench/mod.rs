//! `cargo xtask bench`: speed and memory of a release build, measured from outside.
//!
//! The daemon, the load and the providers share this machine's cores, so a figure alone says little:
//! each stands beside a yardstick measured in the same run (the disk's own limit, the same HTTP
//! server doing nothing), and the ratio is what can be compared between machines. Nothing here is
//! asserted by a test; `docs/performance.md` keeps a run and what it was measured on.

mod accept;
mod backlog;
mod examples;
mod rig;
mod start;
mod table;
mod waiting;
mod way;
mod yardstick;

use std::process::Command;

use anyhow::Context as _;

use crate::command::{self, cargo, target, xtask};
use table::Row;

/// The flags of `bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON, one object
    #[arg(long)]
    json: bool,
    /// Only this measurement: yardsticks, accept, whole-way, waiting, backlog, start, plugins, costs, attachments, routing
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

/// Builds for release and measures; the second half is the release build of this very program, since
/// a debug build of the load would be measured instead of the daemon.
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
    command::run(&mut release)
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    let scale = if args.quick { 10 } else { 1 };
    let mut rows: Vec<Row> = Vec::new();
    let wanted = |name: &str| args.only.as_deref().is_none_or(|only| only == name);
    if wanted("yardsticks") {
        rows.extend(yardstick::all(scale).await.context("yardsticks")?);
    }
    if wanted("accept") {
        rows.extend(accept::run(scale).await.context("accept")?);
    }
    if wanted("whole-way") {
        rows.extend(way::run(scale).await.context("whole-way")?);
    }
    if wanted("waiting") {
        rows.extend(waiting::run().await.context("waiting")?);
    }
    if wanted("backlog") {
        rows.extend(backlog::run(scale).await.context("backlog")?);
    }
    if wanted("start") {
        rows.extend(start::run().await.context("start")?);
    }
    if wanted("plugins") {
        rows.extend(examples::plugins().context("plugins")?);
    }
    if wanted("costs") {
        rows.extend(examples::costs(scale).context("costs")?);
    }
    if wanted("attachments") {
        rows.extend(examples::attachments(scale).context("attachments")?);
    }
    if wanted("routing") {
        rows.extend(examples::routing().context("routing")?);
    }
    anyhow::ensure!(!rows.is_empty(), "no measurement has this name");
    if args.json { table::print_json(&rows) } else { table::print(&rows) }
}
