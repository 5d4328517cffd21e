//! The guest's whole world: lines for the log, and work with secrets it does not see.

mod journal;
mod vault;

pub(crate) use journal::{Journal, Subject, Voice};
pub(crate) use vault::Vault;
