//! Rules and a message make a plan, and the reasons for it. Pure.
//!
//! The first rule that matches wins, in the order of the file. Production, `explain`, config tests and
//! replays all run [`Router`], so what one of them shows is what the others do.
//!
//! ```text
//! rules --Router::new--> index --route(&submission)---> Plan         what the engine follows
//!                              --explain(&submission)-> Explanation  what people read
//! ```

mod choice;
mod explanation;
mod index;
mod problem;
mod router;
mod rule;
mod shadow;

pub use choice::Choice;
pub use explanation::{Explanation, Mismatch, Tried, Verdict};
pub use problem::{RouteProblem, RouteProblemKind};
pub use router::Router;
pub use rule::{Conditions, Deliver, Rule, Weighted};
