//! `cargo xtask torture`: whatever happens to the process, the disk, the clock, the network, the
//! providers or the configuration, nothing that was answered 2xx is lost.
//!
//! Each scenario has a daemon, a folder and a witness of its own (`dispatch-testkit`'s checker), which
//! keeps what was acknowledged and what arrived apart from anything that dispatcher writes. The faults
//! come from outside, so the program under torture is the one that people run:
//!
//! ```text
//! crashes    kill -9 at a random moment; at the n-th sync, before or after it (a preloaded library)
//! cuts       the file system is shut down without its log (needs root), and comes back
//! faults     disk, clock, memory, names, certificates, descriptors, providers, reloads, successors
//! load       one location in a flood beside one that sends a message a second; a long backlog; a soak
//! ```

mod arena;
mod bulk;
mod chance;
mod crashes;
mod cuts;
mod disk;
mod life;
mod machine;
mod memory;
mod network;
mod provider;
mod soak;
mod steps;
mod table;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use arena::World;
use chance::Chance;
use disk::FileSystem;
use table::Row;

/// The flags of `torture`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Goes on with crashes and power cuts for so long after everything was done once
    #[arg(long)]
    minutes: Option<u64>,
    /// Begins the run's chance: the same seed draws the same moments
    #[arg(long)]
    seed: Option<u64>,
    /// About a minute: the short run of `cargo xtask test`
    #[arg(long)]
    short: bool,
    /// Only scenarios whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Random kills, instead of a usual number
    #[arg(long)]
    kills: Option<u64>,
    /// Power cuts of each file system, instead of a usual number
    #[arg(long)]
    cuts: Option<u64>,
    /// The load scenarios instead, at this scale: 1 is all of it, 100 a hundredth
    #[arg(long, value_name = "SCALE", num_args = 0..=1, default_missing_value = "1")]
    load: Option<usize>,
    /// A soak instead: a steady load for so many minutes
    #[arg(long, value_name = "MINUTES", conflicts_with = "load")]
    soak: Option<u64>,
    /// Writes the table there too, as it is printed
    #[arg(long)]
    report: Option<PathBuf>,
}

/// Runs it; the daemon beside this program must be built.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(torture(args))
}

async fn torture(args: &Args) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut chance = args.seed.map_or_else(Chance::any, Chance::of);
    let world = World::new(chance.seed())?;
    println!("torture: seed {}, {}", world.seed, world.machine());
    let mut run = Run { only: args.only.clone(), rows: Vec::new() };
    if let Some(scale) = args.load {
        run.note("bulk beside a quiet location", bulk::fairness(&world, scale.max(1)).await);
        run.note("a long backlog", bulk::backlog(&world, scale.max(1)).await);
        return run.close(&world, began, args.report.as_deref());
    }
    if let Some(minutes) = args.soak {
        run.note("soak", soak::soak(&world, minutes).await);
        return run.close(&world, began, args.report.as_deref());
    }
    let usual = |short: u64, long: u64| if args.short { short } else { long };
    let kills = args.kills.unwrap_or_else(|| usual(9, 60));
    let cuts = args.cuts.unwrap_or_else(|| usual(1, 5));
    if run.wants("between two steps") {
        run.note("between two steps", steps::all(&world, usual(1, 4)).await);
    }
    if run.wants("kill -9") {
        run.note("kill -9", crashes::kills(&world, kills, &mut chance).await);
    }
    power(&mut run, &world, cuts, &mut chance, args.short).await;
    faults(&mut run, &world, &mut chance, args.short).await;
    let until = args.minutes.map(|minutes| began + Duration::from_secs(minutes * 60));
    while until.is_some_and(|until| Instant::now() < until) {
        if run.wants("kill -9") {
            run.note("kill -9", crashes::kills(&world, 50, &mut chance).await);
        }
        power(&mut run, &world, 5, &mut chance, true).await;
    }
    run.close(&world, began, args.report.as_deref())
}

/// Power cuts, where this machine lets us mount a disk.
async fn power(run: &mut Run, world: &World, count: u64, chance: &mut Chance, without_control: bool) {
    for kind in [FileSystem::Ext4, FileSystem::Xfs] {
        let name = format!("power cut, {kind}");
        if !run.wants(&name) {
            continue;
        }
        match disk::possible(kind) {
            Ok(()) => run.note(&name, cuts::cuts(world, kind, count, chance).await),
            Err(why) => run.left_out(&name, &why),
        }
    }
    let name = "power cut, syncs pretended";
    if !without_control && run.wants(name) && disk::possible(FileSystem::Ext4).is_ok() {
        run.note(name, cuts::control(world, chance).await);
    }
}

async fn faults(run: &mut Run, world: &World, chance: &mut Chance, short: bool) {
    let hold = Duration::from_millis(if short { 700 } else { 3_000 });
    macro_rules! scenario {
        ($name:expr, $done:expr) => {
            if run.wants($name) {
                run.note($name, $done.await);
            }
        };
    }
    for name in ["disk full and back", "store turns read-only"] {
        match disk::possible(FileSystem::Ext4) {
            _ if !run.wants(name) => {}
            Err(why) => run.left_out(name, &why),
            Ok(()) if name.starts_with("disk full") => scenario!(name, machine::full(world, hold)),
            Ok(()) => scenario!(name, machine::read_only(world, hold)),
        }
    }
    let name = "ext4 gives up its journal";
    if run.wants(name) {
        match disk::can_break() {
            Err(why) => run.left_out(name, &why),
            Ok(()) => run.note(name, machine::journal(world, if short { 2 } else { 20 }, chance).await),
        }
    }
    scenario!("fsync fails with EIO", machine::sync_fails(world, hold));
    scenario!("clock jumps by hours", machine::clock(world, hold));
    scenario!("descriptors run out", machine::descriptors(world, hold));
    scenario!("memory runs out", memory::scarce(world, if short { 3 } else { 24 }, hold, chance));
    for fault in provider::ALL {
        scenario!(fault.name(), provider::provider(world, *fault, hold));
    }
    scenario!("mail: cut after DATA", provider::mail(world, hold));
    scenario!("names do not resolve", network::names(world, hold));
    scenario!("wrong certificate", network::certificate(world, hold));
    scenario!("configuration saved again and again", life::reloads(world, hold));
    scenario!("plugin replaced under load", life::plugin(world, hold));
    scenario!("successors take over the socket", life::successors(world, if short { 2 } else { 6 }));
}

/// What was run so far.
struct Run {
    only: Option<String>,
    rows: Vec<Row>,
}

impl Run {
    fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| name.contains(only))
    }

    fn note(&mut self, name: &str, done: anyhow::Result<Row>) {
        let row = done.unwrap_or_else(|error| Row::failed(format!("{error:#}"))).named(name);
        row.print();
        self.rows.push(row);
    }

    fn left_out(&mut self, name: &str, why: &str) {
        let row = Row::left_out(why).named(name);
        row.print();
        self.rows.push(row);
    }

    fn close(self, world: &World, began: Instant, report: Option<&std::path::Path>) -> anyhow::Result<()> {
        anyhow::ensure!(!self.rows.is_empty(), "no scenario has this name");
        let text = table::text(&self.rows, world, began.elapsed());
        println!("\n{text}");
        if let Some(path) = report {
            std::fs::write(path, &text).with_context(|| format!("writing {}", path.display()))?;
        }
        let failed: Vec<&str> = self.rows.iter().filter(|row| row.is_bad()).map(|row| &*row.name).collect();
        anyhow::ensure!(failed.is_empty(), "torture (seed {}): {}", world.seed, failed.join(", "));
        Ok(())
    }
}
