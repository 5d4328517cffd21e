//! Why there is no host, or no plugin.

use std::io;

use crate::contract::{CONTRACT_VERSION, EXPORT};

/// Why the host cannot start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// wasmtime refuses the configuration or the machine.
    #[error("the plugin host cannot start: {0}")]
    Engine(String),
    /// A thread cannot be started.
    #[error("the plugin host cannot start a thread")]
    Thread(#[source] io::Error),
}

/// Why a plugin file is refused. Each says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The file is larger than the host takes.
    #[error("the file has {size} bytes, more than the {limit} allowed: strip it of debug information")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The bound.
        limit: usize,
    },
    /// Not WebAssembly.
    #[error("not a WebAssembly component: the file starts with {start}")]
    NotWasm {
        /// The first bytes, as hex.
        start: String,
    },
    /// WebAssembly, but a core module.
    #[error(
        "a core WebAssembly module, not a component: link it with `wasm-component-ld` \
         (`cargo xtask plugins` and `dispatcher plugin build` do), or wrap it with `wasm-tools component new`"
    )]
    CoreModule,
    /// The file is broken, or uses what the host has turned off.
    #[error("not a valid component: {detail}")]
    Invalid {
        /// What the compiler said.
        detail: String,
    },
    /// It does not export the contract.
    #[error(
        "it does not export `{EXPORT}`{}: build it for the world `plugin` of plugins/wit",
        but_exports(found)
    )]
    MissingExport {
        /// What it exports instead.
        found: Vec<String>,
    },
    /// It exports the contract's interface without one of its functions.
    #[error(
        "its `{EXPORT}` lacks the function `{function}`: build it for the whole world `plugin` of plugins/wit"
    )]
    MissingFunction {
        /// Which.
        function: String,
    },
    /// A function has another shape than the contract's.
    #[error(
        "its function `{function}` is not the contract's: {detail}; build it from the plugins/wit of this version"
    )]
    Mismatch {
        /// Which.
        function: String,
        /// Where the types differ.
        detail: String,
    },
    /// Built for another version of the contract.
    #[error(
        "built for dispatcher:plugin@{found}, this host serves {CONTRACT_VERSION}: build it with the SDK of this version"
    )]
    OtherVersion {
        /// Which.
        found: String,
    },
    /// It wants more of the world than a plugin has.
    #[error("it imports `{import}`, which is outside the contract: {fix}")]
    ForbiddenImport {
        /// What it wants.
        import: String,
        /// How to build it without.
        fix: &'static str,
    },
    /// Its memory begins beyond the bound.
    #[error(
        "it begins with {initial} bytes of memory, more than the {limit} allowed: link it with a smaller initial memory, or allow it more"
    )]
    TooHungry {
        /// What it begins with.
        initial: u64,
        /// The bound.
        limit: usize,
    },
    /// `describe` was ended by the host.
    #[error("`describe` failed: {0}")]
    Fault(dispatch_model::Fault),
    /// `describe` returned what cannot be.
    #[error("`describe` says nonsense: {detail}")]
    Description {
        /// What is wrong and what to write instead.
        detail: String,
    },
}

fn but_exports(found: &[String]) -> String {
    if found.is_empty() {
        " (it exports nothing)".to_owned()
    } else {
        format!(" (it exports {})", found.join(", "))
    }
}
