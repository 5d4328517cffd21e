//! `cargo xtask test`: everything that shows that dispatcher works.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::command::{self, cargo, root, target, xtask};
use crate::counterparts;

/// The flags of `test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave out the tests that need others' servers (aiosmtpd, Prism) or the registries of three languages, and install
    /// nothing
    #[arg(long)]
    fast: bool,
    /// Only tests whose name contains this
    filter: Option<String>,
}

/// Builds what the tests need, then runs all of them, the next kind even if one failed.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let mut report = Report::default();
    // The binary embeds the plugins: they come first, or the daemon under test has none.
    report.must("plugins", || command::run(xtask()?.arg("plugins")))?;
    // Others' servers are fetched meanwhile: that waits for the network, and this for the processors.
    let counterparts = (!args.fast).then(|| std::thread::spawn(counterparts::install));
    // Tests of one package do not build another's binary, and the end-to-end tests start it. All
    // targets of the whole workspace: a part would be built with other features, and compiled twice.
    report.must("build", || command::run(cargo().args(["build", "--workspace", "--all-targets"])))?;
    if let Some(counterparts) = counterparts {
        let installed = || counterparts.join().map_err(|_| anyhow::anyhow!("installing them panicked"))?;
        report.must("counterparts, beside it", installed)?;
    }

    report.try_("guests, natively", || command::run(guests().args(["test", "--quiet"]).args(&args.filter)));
    let host = ["test", "--workspace", "--no-fail-fast"];
    report.try_("host and end to end", || command::run(cargo().args(host).args(&args.filter)));
    // Of one seed: what a change is held up for should be the change's. By itself `fuzz` goes elsewhere each time.
    report
        .try_("fuzzing, shortly", || command::run(xtask()?.args(["fuzz", "--seconds", "2", "--seed", "1"])));
    report.try_("torture, shortly", || command::run(xtask()?.args(["torture", "--short"])));
    if !args.fast {
        // Apart: builds that fill the processors for minutes would make the others' peers wait.
        let parts = match args.filter.as_deref() {
            None => vec![
                ("real counterparts", vec!["--skip", "authors::"]),
                ("plugins, three languages", vec!["authors::"]),
            ],
            Some(filter) => vec![("real counterparts", vec![filter])],
        };
        for (name, which) in parts {
            let real = ["test", "--workspace", "--test", "e2e", "--test", "counterpart", "--", "--ignored"];
            report.try_(name, || command::run(cargo().args(real).args(which)));
        }
    }
    report.close(args)
}

/// cargo in the guests' workspace, compiling for this machine.
fn guests() -> Command {
    let mut command = cargo();
    command.current_dir(root().join("plugins"));
    if let Ok(target) = target() {
        command.env("CARGO_TARGET_DIR", target.join("guests-native"));
    }
    command
}

/// What was run and how it went.
#[derive(Default)]
struct Report {
    parts: Vec<(&'static str, Duration, Option<anyhow::Error>)>,
}

impl Report {
    /// A part without which the rest makes no sense.
    fn must(&mut self, name: &'static str, part: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
        let started = Instant::now();
        part()?;
        self.parts.push((name, started.elapsed(), None));
        Ok(())
    }

    fn try_(&mut self, name: &'static str, part: impl FnOnce() -> anyhow::Result<()>) {
        let started = Instant::now();
        let error = part().err();
        self.parts.push((name, started.elapsed(), error));
    }

    fn close(self, args: &Args) -> anyhow::Result<()> {
        println!("\nxtask test");
        for (name, took, error) in &self.parts {
            let word = if error.is_none() { "ok" } else { "FAILED" };
            println!("  {word:<7}{name:<22}{:>7.1} s", took.as_secs_f64());
        }
        if args.fast {
            println!("  left out: tests against servers and libraries of others (--fast)");
        }
        let failed = self.parts.into_iter().find_map(|(name, _, error)| Some(error?.context(name)));
        failed.map_or(Ok(()), Err)
    }
}
