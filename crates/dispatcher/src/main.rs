//! The `dispatcher` program: wiring, lifecycle and the command line.
//!
//! ```text
//! cli -> verbs -> daemon   `run`: build binds, run serves, drain ends
//!              -> client   everything else: over the daemon's socket, or over the store when none runs
//! ```

mod bundled;
mod cli;
mod client;
mod clock;
mod configuration;
mod daemon;
mod exit;
mod grant;
mod logging;
mod out;
mod setup;
mod verbs;
mod version;
mod when;

use std::process::ExitCode;

use clap::Parser as _;
// Messages are allocated on one thread and freed on another, which the system's allocator answers with a lock. This one does
// not, and a message takes a tenth less; without huge pages, with which an idle daemon took twice the memory. It takes the
// place of the C library's `malloc`, for Rust and for SQLite, and so no `#[global_allocator]` names it: that way it would be
// asked for an alignment with every block, and such blocks go a longer way.
use mimalloc as _;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match verbs::execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out::talk(&format!("dispatcher: {failure}"));
            ExitCode::from(&failure)
        }
    }
}
