//! Fuzzes for a while: `cargo xtask fuzz` runs this.

#![expect(clippy::print_stdout, reason = "it talks to a person")]

use std::time::Duration;

use clap::Parser;
use dispatch_fuzz::{Bench, TARGETS, corpus, fuzz, keep};

/// Hostile bytes at every place where bytes of others come in.
#[derive(Debug, Parser)]
struct Args {
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

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let bench = Bench::new()?;
    // What breaks is told below, with its input.
    std::panic::set_hook(Box::new(|_| {}));
    println!("fuzz: seed {seed}");
    let mut broken = Vec::new();
    let wanted = |name: &str| args.target.as_deref().is_none_or(|part| name.contains(part));
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    anyhow::ensure!(names.iter().any(|name| wanted(name)), "no such target; there are {}", names.join(", "));
    for target in TARGETS.iter().filter(|target| wanted(target.name)) {
        let report = fuzz(target, &bench, &corpus(target.name)?, seed, Duration::from_secs(args.seconds));
        match report.finding {
            None => println!(
                "  ok     {:<17}{:>9} inputs, {:>4} different results",
                target.name, report.inputs, report.seen
            ),
            Some(finding) => {
                let file = keep(target.name, &finding.input)?;
                println!("  BROKEN {:<17}{}\n         kept as {}", target.name, finding.what, file.display());
                broken.push(target.name);
            }
        }
    }
    anyhow::ensure!(broken.is_empty(), "broken: {}", broken.join(", "));
    Ok(())
}
