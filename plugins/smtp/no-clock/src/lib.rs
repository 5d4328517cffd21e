//! The time as the standard library has it.
//!
//! mail-builder asks this crate for the time where a message lacks a date, an id or a boundary. The crate it means
//! imports JavaScript for that, which no plugin may; here the standard library's clock stands in, which imports nothing
//! on this target and traps when it is asked. The smtp plugin sets all three, so it never is.

pub use std::time::*;
