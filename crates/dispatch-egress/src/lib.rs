//! All that leaves.
//!
//! [`NetworkEgress`] takes actions on the real network; [`CassetteEgress`] answers from a record. Both implement
//! [`dispatch_engine::Egress`], and nothing else in the project opens a connection to a provider.
//!
//! ```text
//! action -> pieces resolved (piece, splice) -> guard: granted? -> credential written in, or a mail signed (dkim)
//!        -> pooled connection, or resolve -> every address checked -> connect -> TLS
//!        -> bytes counted below TLS (tap) -> reply, or why not and whether a byte may have left (failure)
//! ```
//!
//! Invariants: no byte goes to a host that is not granted or to an address that is not public, unless the operator
//! wrote it; no secret is in a log, an error or `Debug`; nothing is sent twice once a byte of it was written;
//! every size, wait and store of connections has a bound.

mod address;
mod cassette;
mod config;
mod credential;
mod dial;
mod dkim;
mod failure;
mod fetch;
mod guard;
mod http;
mod media;
mod meter;
mod network;
mod piece;
mod pool;
mod resolve;
mod sigv4;
mod smpp;
mod smtp;
mod splice;
mod spool;
mod tap;
mod tls;
mod token;

pub use cassette::{CassetteEgress, FetchMatcher, HttpMatcher, MailMatcher, Matcher, SmppMatcher, Take};
pub use config::EgressConfig;
pub use dkim::{DkimKey, DkimKeyProblem};
pub use network::{EgressError, NetworkEgress};
pub use resolve::{Resolver, SystemResolver};
pub use smpp::{Heard, Held, Listener};
