//! The world around dispatcher, made small enough for a test: a sender that signs like HighLevel,
//! providers that answer as a script says, a clock that is set by hand, and the real daemon in a
//! folder of its own.
//!
//! ```text
//! Load / Sender ──signed webhook──▶ Daemon (the real binary) ──▶ HttpCatcher, SmtpCatcher
//!                                     ▲ control socket, CLI
//!                                    the test
//! ```
//!
//! Everything listens on loopback, is bounded in time and count, and ends with the value that
//! started it. Nothing here sleeps for luck: [`until`] polls a condition and fails with words.

mod catcher;
mod checker;
mod cli;
mod client;
mod clock;
mod counterpart;
mod daemon;
mod fixture;
mod home;
mod load;
mod log;
mod port;
mod shell;
mod shim;
mod signer;
mod smtp;
mod spawn;
mod tls;
mod wait;

pub use catcher::{Act, Answer, Caught, HttpCatcher};
pub use checker::{Arrival, Doubles, Ledger, Pressure, Taken, Verdict};
pub use cli::{Cli, CliOutput};
pub use client::{Client, Response};
pub use clock::ManualClock;
pub use counterpart::{Counterpart, Counterparts, Moto};
pub use daemon::Daemon;
pub use fixture::{Fixture, email, fixture, fixtures, fixtures_dir, sms};
pub use home::{Home, repository};
pub use load::{Load, LoadReport, Target};
pub use log::Log;
pub use port::free_port;
pub use shell::Shell;
pub use shim::{SYNC_FAILS, SYNC_PRETENDED, SYNC_REAL, Shim, Word};
pub use signer::Signer;
pub use smtp::{Mail, SmtpCatcher, SmtpScript};
pub use spawn::{DISPATCHER_BINARY, Launch, dispatcher_binary};
pub use tls::Identity;
pub use wait::{until, until_some};
