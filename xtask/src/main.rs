//! The workspace's own commands: `cargo xtask VERB`, one file each.
//!
//! A person needs two of them, `demo` and `test`; the others are what these two are made of, and
//! what keeps the house in order.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "these commands talk to a person")]

mod bench;
mod command;
mod counterparts;
mod demo;
mod dist;
mod fuzz;
mod plugins;
mod process;
mod test;
mod tidy;
mod torture;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The commands of this workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Xtask {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start dispatcher with local catchers, send it two messages and show what became of them
    Demo(demo::Args),
    /// Run everything: unit, property, conformance, guest and end-to-end tests
    Test(test::Args),
    /// Build the bundled plugins
    Plugins(plugins::Args),
    /// Build the daemon as it is shipped
    Dist(dist::Args),
    /// Check what the compiler does not: who may depend on whom, names, sizes, leftovers
    Tidy(tidy::Args),
    /// Kill it, cut its power, break what is around it, and count what is lost
    Torture(torture::Args),
    /// Feed hostile bytes to every place where bytes of others come in
    Fuzz(fuzz::Args),
    /// Measure speed and memory of the daemon as it is shipped (or of the one that DISPATCHER_BINARY names)
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let done = match Xtask::parse().verb {
        Verb::Demo(args) => demo::run(&args),
        Verb::Test(args) => test::run(&args),
        Verb::Plugins(args) => plugins::run(&args),
        Verb::Dist(args) => dist::run(&args),
        Verb::Tidy(args) => tidy::run(&args),
        Verb::Torture(args) => torture::run(&args),
        Verb::Fuzz(args) => fuzz::run(&args),
        Verb::Bench(args) => bench::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
