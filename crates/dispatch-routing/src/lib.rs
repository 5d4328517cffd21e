//! Rules and a message make a plan, and the reasons for it. Pure.

/// The rules, indexed.
pub struct Router;
