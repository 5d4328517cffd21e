//! What can be wrong with rules.

use dispatch_model::{BackendName, RouteName};

/// Something wrong with one rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("route \"{name}\" {kind}")]
pub struct RouteProblem {
    /// Which rule, counted from 0.
    pub index: usize,
    /// Its name.
    pub name: RouteName,
    /// What is wrong with it.
    pub kind: RouteProblemKind,
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteProblemKind {
    /// Another rule has this name.
    #[error("has the name of an earlier route")]
    DuplicateName {
        /// The earlier rule.
        first: usize,
    },
    /// Nobody delivers.
    #[error("delivers to no backend")]
    NoBackend,
    /// A backend stands twice in the list.
    #[error("names the backend \"{backend}\" twice")]
    DuplicateBackend {
        /// Which.
        backend: BackendName,
    },
    /// No backend has a share.
    #[error("gives every backend the weight 0")]
    NoWeight,
    /// No message can come to it.
    #[error("can never match: {} before it takes all its messages", names(.by))]
    Unreachable {
        /// The earlier rules that take its messages, by index and name.
        by: Vec<(usize, RouteName)>,
    },
}

fn names(by: &[(usize, RouteName)]) -> String {
    by.iter().map(|(_, name)| format!("\"{name}\"")).collect::<Vec<_>>().join(" and ")
}
