//! The engine: from an admitted message to a recorded outcome.
//!
//! ```text
//!            +-- nothing ahead --------------------------+
//! admitted --+                                           v
//!  (planner) +-- else --> Scheduled --(scheduler)--> attempt --(conversation)--> record
//!                             ^                          |                          |
//!                             +---------- again, elsewhere, released <--------------+
//! ```
//!
//! - The *planner* routes, and starts what can start at once.
//! - The *gate* of each lane (a backend, or a backend with a location's own credentials) has its slots, its
//!   rate, its pause and its breaker. The *scheduler* claims only with a slot and a token in hand.
//! - An *attempt* is a *conversation*: the plugin says what to ask, the egress asks, the *evidence* holds
//!   the plugin's word against the facts.
//! - What an outcome does is decided by [`dispatch_model::settle`]; *record* writes it down.
//!
//! What providers say on their own (a *callback* at the URL of an *address*, or a session's word) is told to the store,
//! which holds it against the deliveries. A message from a person is *inbound*: kept and planned like any other, by routes of
//! its own; and who wants no more messages is *suppressed* from then on.
//!
//! Nothing depends on memory: what is not planned or not settled is in the store, and read back.

mod address;
mod admission;
mod attachments;
mod attempt;
mod backend;
mod breaker;
mod bucket;
mod callback;
mod clip;
mod config;
mod conversation;
mod core;
mod egress;
mod engine;
mod evidence;
mod explain;
mod gate;
mod inbound;
mod meters;
mod planner;
mod question;
mod record;
mod replay;
mod scheduler;
mod setup;
mod shape;
mod status;
mod suppressed;
mod trial;

pub use address::{CALLBACK_KEY_LEN, CallbackUrls, Caller};
pub use backend::Backend;
pub use callback::{CallbackEnd, RECEIPTS_TOTAL, Tally};
pub use config::{EngineConfig, EngineDeps};
/// How a person's address is written where it is compared.
pub use dispatch_text::address_form;
pub use egress::{
    Call, Dkim, Egress, FetchBounds, FetchError, Grants, Network, ParseNetworkError, Relay, RelayTls,
    Session, SpoolContent, SpoolFile, Spooled,
};
pub use engine::{Drained, Engine};
pub use explain::{Explanation, FirstStep, TextPlan, explain};
pub use inbound::{INBOUND_TOTAL, WISHES_TOTAL, submission as inbound_submission};
pub use meters::{ATTEMPT_SECONDS, ATTEMPTS_TOTAL};
pub use question::LookupOutcome;
pub use replay::{Difference, NoReplay, Replay, replay};
pub use setup::{BackendSetup, Limits, Overlay, Rate, Setup};
pub use status::{BreakerStatus, ChainLink, EngineStatus, LaneState, LaneStatus, SuspensionStatus, Until};
pub use suppressed::{SUPPRESSED_TOTAL, in_form};
pub use trial::{Account, Trial};
