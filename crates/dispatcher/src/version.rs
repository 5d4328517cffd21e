//! What `--version` says: this program, and the plugins inside it.

use crate::bundled;

/// The version alone.
pub(crate) fn short() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// The version and the bundled plugins, or that there are none.
pub(crate) fn long() -> &'static str {
    bundled::LONG_VERSION
}
