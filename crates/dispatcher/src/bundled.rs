//! The plugins inside this binary, so that a user installs one file.

/// A bundled plugin.
pub(crate) struct Bundled {
    /// The name that `plugin = "…"` uses.
    pub(crate) name: &'static str,
    /// The component.
    pub(crate) wasm: &'static [u8],
}

// Written by build.rs from what `cargo xtask plugins` made: `PLUGINS`, perhaps empty.
include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// The bundled plugin of this name.
pub(crate) fn find(name: &str) -> Option<&'static Bundled> {
    PLUGINS.iter().find(|plugin| plugin.name == name)
}
