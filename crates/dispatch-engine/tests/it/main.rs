//! The engine with a store in memory, a scripted plugin and a scripted network, in paused time: hours of
//! retries pass in a moment, and each test says what it waits for.

#![allow(unreachable_pub, reason = "one test binary: its modules are its own")]

mod attachment;
mod drain;
mod failover;
mod fairness;
mod flow;
mod inbound;
mod lane;
mod operator;
mod outcome;
mod plugin;
mod provider;
mod question;
mod reload;
mod restart;
mod store;
mod text;
mod unknown;
mod world;
