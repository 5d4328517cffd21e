//! `cargo xtask fuzz`: hostile bytes, for as long as wanted.
//!
//! The targets are a crate of their own (`crates/dispatch-fuzz`), since they need the plugin host and
//! this program should not. What breaks one is kept in its corpus, which the tests replay.

use std::process::Command;

use crate::command::{self, cargo, root, target};

/// The flags of `fuzz`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// So long at each target
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Only targets whose name contains this
    #[arg(long)]
    target: Option<String>,
    /// Begins the run's chance: the same seed makes the same inputs
    #[arg(long)]
    seed: Option<u64>,
}

/// Builds the targets and runs them; the plugins must be built.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    command::run(cargo().args(["build", "--workspace", "--all-targets"]))?;
    let mut fuzz = Command::new(target()?.join("debug/dispatch-fuzz"));
    fuzz.current_dir(root()).args(["--seconds", &args.seconds.to_string()]);
    if let Some(target) = &args.target {
        fuzz.args(["--target", target]);
    }
    if let Some(seed) = args.seed {
        fuzz.args(["--seed", &seed.to_string()]);
    }
    command::run(&mut fuzz)
}
