//! One step of an attempt: what the plugin wants next.

use serde::{Deserialize, Serialize};

use crate::{Action, Body, Outcome};

/// What a plugin says after `deliver` or `on-reply`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Do this, then come back with the reply.
    Ask(Ask),
    /// This is what became of it.
    Done(Outcome),
}

/// An action to take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// What to do.
    pub action: Action,
    /// Whether it may deliver the message.
    pub effect: Effect,
    /// Handed back with the reply. It need not survive a crash: an unmarked attempt begins again.
    pub state: Body,
}

/// What an action may bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// A token, an upload, a query: doing it twice delivers nothing.
    None,
    /// The request that sends the message. Before it leaves, "may have been sent" is on disk.
    Delivers,
}
