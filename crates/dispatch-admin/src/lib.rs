//! The control API: what an operator can ask of a running dispatcher, and tell it.
//!
//! One handler ([`Control::handle`]) serves two doors: the daemon's unix socket (and loopback port),
//! and the command line when no daemon runs and it opens the store itself. So a verb exists once.
//!
//! ```text
//! CLI --(unix socket, HTTP)--> serve --> Control --> engine, store
//!  \--(no daemon: in process)------------^
//! ```

mod api;
mod control;
mod error;
mod filter;
mod guard;
mod serve;
mod suppressions;

pub use api::{
    Answer, ApiRequest, BackendRow, CallbackRow, CancelRequest, Changed, DaemonFacts, LocationNames, Method,
    QuarantineBody, RedriveRequest, ReloadReport, ResolveRequest, StatusReport, SuppressRequest,
    SuppressedPerson, SuspendRequest,
};
pub use control::{Control, Supervisor};
pub use error::ApiError;
pub use filter::{FilterError, filter_from_query, filter_to_query};
pub use serve::{AdminListener, Door, serve};
