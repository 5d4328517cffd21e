//! The contract as Rust: the bindings of `plugins/wit`, and its names.
//!
//! Only types and imports are generated. The exported functions are called through [`Function`]: the
//! struct that `bindgen!` would make of them looks up and type-checks all eight at each instantiation, and
//! a call needs one (it also fails to compile for a function named `lookup`).

use std::marker::PhantomData;

use crate::lent::{Context, LookupQuery, Message, Reply};

/// What `bindgen!` makes of the contract.
#[allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::all,
    reason = "generated; lowering and lifting values is unsafe inside"
)]
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "../../plugins/wit",
        inline: "
            package dispatcher:host;
            world host {
                import dispatcher:plugin/types@1.0.0;
                import dispatcher:plugin/log@1.0.0;
                import dispatcher:plugin/secrets@1.0.0;
            }
        ",
        world: "dispatcher:host/host",
    });
}

pub(crate) use bindings::dispatcher::plugin::{log, secrets, types as wit};

/// The package of the contract.
pub(crate) const PACKAGE: &str = "dispatcher:plugin";

/// The version this host serves.
pub const CONTRACT_VERSION: &str = "1.0.0";

/// The interface that a plugin exports, with its version.
pub(crate) const EXPORT: &str = "dispatcher:plugin/delivery@1.0.0";

/// The interface that holds the types. Every plugin imports it, and it brings no function.
pub(crate) const TYPES: &str = "dispatcher:plugin/types@1.0.0";

/// The interfaces that a plugin may import, with their version.
pub(crate) const IMPORTS: [&str; 3] =
    ["dispatcher:plugin/log@1.0.0", "dispatcher:plugin/secrets@1.0.0", TYPES];

/// A function of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Describe,
    Check,
    Deliver,
    OnReply,
    Receive,
    OnReceiveReply,
    Lookup,
    OnLookupReply,
}

impl Function {
    /// All of them: a plugin exports each.
    pub(crate) const ALL: [Self; 8] = [
        Self::Describe,
        Self::Check,
        Self::Deliver,
        Self::OnReply,
        Self::Receive,
        Self::OnReceiveReply,
        Self::Lookup,
        Self::OnLookupReply,
    ];

    /// Its name in the contract.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Check => "check",
            Self::Deliver => "deliver",
            Self::OnReply => "on-reply",
            Self::Receive => "receive",
            Self::OnReceiveReply => "on-receive-reply",
            Self::Lookup => "lookup",
            Self::OnLookupReply => "on-lookup-reply",
        }
    }
}

/// A function of the contract with the types that this host calls it by. A plugin's functions are held against these
/// once, when it is loaded (call.rs), and called by the same.
pub(crate) struct Signature<P, R> {
    pub(crate) function: Function,
    /// What holds for what lives for ever holds for what is lent for a call.
    types: PhantomData<fn() -> (P, R)>,
}

impl<P, R> Clone for Signature<P, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, R> Copy for Signature<P, R> {}

const fn of<P, R>(function: Function) -> Signature<P, R> {
    Signature { function, types: PhantomData }
}

/// A function that is told what was replied.
pub(crate) type Replied<R> = Signature<(Context<'static>, &'static [u8], Reply<'static>), R>;

pub(crate) const DESCRIBE: Signature<(), wit::Description> = of(Function::Describe);
pub(crate) const CHECK: Signature<(&str,), Result<wit::Asks, Vec<wit::Problem>>> = of(Function::Check);
pub(crate) const DELIVER: Signature<(Context<'static>, Message<'static>), wit::Step> = of(Function::Deliver);
pub(crate) const ON_REPLY: Replied<wit::Step> = of(Function::OnReply);
pub(crate) const RECEIVE: Signature<(Context<'static>, wit::Callback), wit::ReceiveStep> =
    of(Function::Receive);
pub(crate) const ON_RECEIVE_REPLY: Replied<wit::ReceiveStep> = of(Function::OnReceiveReply);
pub(crate) const LOOKUP: Signature<(Context<'static>, LookupQuery<'static>), wit::LookupStep> =
    of(Function::Lookup);
pub(crate) const ON_LOOKUP_REPLY: Replied<wit::LookupStep> = of(Function::OnLookupReply);

#[cfg(test)]
mod tests {
    use ring::digest::{SHA256, digest};

    /// What of the contract a component can see: all but comments and the space between words.
    fn visible(wit: &str) -> String {
        let code = wit.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code));
        code.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn this_version_of_the_contract_never_changes() {
        let visible = visible(include_str!("../../../plugins/wit/plugin.wit"));
        assert!(visible.starts_with("package dispatcher:plugin@1.0.0; interface types {"), "{visible:.80}");
        let found: String =
            digest(&SHA256, visible.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            found, "4811c02a0cd821876208be23848486901722986cfbdc159a1a13b8c9b9aeea34",
            "1.0.0 is frozen: what is new belongs into a version of its own (docs/decisions/contract-versions.md)"
        );
    }
}
