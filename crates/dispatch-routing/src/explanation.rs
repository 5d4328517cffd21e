//! A plan told to people: what was tried, and why it was or was not the one.

use std::fmt;

use dispatch_model::{Channel, LocationId, Plan, RouteName, SourceName};
use serde::{Deserialize, Serialize};

use crate::Choice;

/// How a plan came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The rules tried, in order, up to the one that matched.
    pub tried: Vec<Tried>,
    /// How many more rules before it are for other locations or another channel and are not listed.
    pub skipped: usize,
    /// The choice by weight, where the route has weights.
    pub choice: Option<Choice>,
    /// The plan: exactly what [`Router::route`](crate::Router::route) gives.
    pub plan: Plan,
}

/// A rule that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// Which rule, counted from 0.
    pub index: usize,
    /// Its name.
    pub route: RouteName,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Whether a rule is for the message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// It is.
    Matched {
        /// By what.
        by: String,
    },
    /// It is not.
    Other {
        /// Why.
        because: Mismatch,
    },
}

/// Why a rule is not for a message. It holds no address and no text of the message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "differs", rename_all = "kebab-case")]
pub enum Mismatch {
    /// It is for another channel.
    Channel {
        /// The message's channel.
        is: Channel,
    },
    /// It is for other locations.
    Location {
        /// The message's location.
        is: LocationId,
    },
    /// It is for messages that other backends bring.
    Backend {
        /// The backend that brought it.
        is: SourceName,
    },
    /// A condition under `when` does not hold.
    Condition {
        /// Its name in the file, without `when.`.
        name: String,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel { is } => write!(f, "it is for another channel than {is}"),
            Self::Location { is } => write!(f, "it is for other locations than {is}"),
            Self::Backend { is } => write!(f, "it is for what other backends than {is} bring"),
            Self::Condition { name } => write!(f, "when.{name} does not hold"),
        }
    }
}
