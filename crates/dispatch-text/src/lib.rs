//! What can be known of a text and of a phone number without asking anybody.
//!
//! Pure. Today: phone numbers as the world dials them (E.164).

mod phone;
mod region;

pub use phone::{E164, PhoneProblem, to_e164};
pub use region::{Region, UnknownRegion};
