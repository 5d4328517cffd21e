//! The real daemon, seen from outside: one file per scenario.
//!
//! Each test has a folder, ports, a key and a daemon of its own, so that all run at once. A daemon
//! that reports an error or leaves without the test saying so fails that test (`dispatch-testkit`).

mod authors;
mod backup;
mod batches;
mod callbacks;
mod cassettes;
mod crash;
mod drain;
mod examples;
mod exit_codes;
mod fixtures;
mod granting;
mod hostile_input;
mod hostile_plugins;
mod hostile_providers;
mod inbound;
mod lookup;
mod mail_apis;
mod mail_vendors;
mod metrics;
mod operators;
mod outcomes;
mod overlays;
mod permissions;
mod plugin_reload;
mod plugins;
mod reload;
mod sandbox_page;
mod secrets;
mod ses;
mod smpp;
mod smtp;
mod stage;
mod starved;
mod suppressions;
mod texts;
mod twilio;
mod vendors;
mod whole_way;
