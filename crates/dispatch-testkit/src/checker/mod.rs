//! An independent witness: it plays HighLevel and the providers, keeps its own ledger of what was
//! acknowledged and what arrived, and at the end compares that with what dispatcher says.
//!
//! ```text
//! Pressure ──webhooks, again until 2xx──▶ the daemon ──▶ HttpCatcher, SmtpCatcher
//!     │ what was answered                                     │ what arrived, and what it was told
//!     └──────────────▶ Ledger ◀──────────────────────────────┘
//!                        │            the control API: where each message stands
//!                        └─▶ Verdict ◀──┘
//! ```
//!
//! It shares no code with dispatcher: a fault in the store's own reading cannot hide a loss.

mod ledger;
mod pressure;
mod verdict;

pub use ledger::{Arrival, Ledger, Taken};
pub use pressure::Pressure;
pub use verdict::{Doubles, Verdict};
