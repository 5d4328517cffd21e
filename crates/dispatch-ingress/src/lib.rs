//! The door: everything between a TCP byte and [`Store::admit`](dispatch_store::Store::admit).
//!
//! ```text
//! connection -> receive -> Received -> notary, verify -> Verified -> parse -> admit -> Situation -> answer
//! (limits)      (limits)               (own task, raw bytes)                  (durable)             (the table)
//! ```
//!
//! Beside it a second door, `/callbacks/`, takes what providers say on their own.
//!
//! - A stage is a type: only the verifier makes a `Verified`, and only that can be parsed.
//! - Every end of the way is a `Situation`, and one pure function knows its status code. None is 5xx:
//!   the sender may never try again after one, and counts it towards pausing the URL.
//! - From the moment the body is read the rest runs in a task of its own, so that a client that hangs
//!   up changes nothing.
//! - Everything has a bound: heads, bodies, bytes of all bodies together, connections, each wait.

mod admit;
mod answer;
mod callback;
mod config;
mod connection;
mod gate;
mod handler;
mod line;
mod listener;
mod memory;
mod notary;
mod parse;
mod progress;
mod receive;
mod secret;
mod server;
mod verify;

pub use admit::Handoff;
pub use callback::{CallbackEnd, CallbackRequest, Callbacks, Told};
pub use config::{ConfigProblem, IngressConfig, Limits, Proof, Source};
pub use gate::Gate;
pub use listener::{Listener, Origin};
pub use parse::{Parsed, read};
pub use server::Ingress;
