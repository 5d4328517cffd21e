//! What can be known of a text and of a phone number without asking anybody.
//!
//! Pure. Phone numbers as the world dials them (E.164); text messages as the networks carry them: their alphabet, the
//! parts they are cut into, and what a route wants of both; and the words by which people say that they want none.

mod address;
mod alphabet;
mod opt_out;
mod parts;
mod phone;
mod region;
mod transliteration;
mod writing;

pub use address::address_form;
pub use opt_out::{OptOutWords, Wish};
pub use parts::{PARTS_MAX, Parts};
pub use phone::{E164, PhoneProblem, to_e164};
pub use region::{Region, UnknownRegion};
pub use transliteration::{Change, Transliteration, foreign, transliterate};
pub use writing::{Writing, write};
