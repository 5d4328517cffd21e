//! Who wants no messages.

use dispatch_model::{BackendName, Channel, LocationId, Submission, Timestamp};
use serde::{Deserialize, Serialize};

/// Suppressions of one call at most: one transaction that others do not have to wait for long.
pub const SUPPRESSIONS_MAX: usize = 1_000;

/// A person who wants no messages of a location by a channel.
///
/// Addresses are compared as they stand: whoever adds one brings it into the form in which messages are compared
/// (numbers in E.164, mail addresses bare and in lower case).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    /// The channel; others are not concerned.
    pub channel: Channel,
    /// The number or mail address.
    pub address: String,
    /// The location; none for every one.
    pub location: Option<LocationId>,
    /// Since when.
    pub since: Timestamp,
    /// The backend that brought the word; none for an operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<BackendName>,
    /// The word that was written, or an operator's note.
    #[serde(default)]
    pub note: String,
}

/// A message from a person, as it came in.
#[derive(Debug, Clone, PartialEq)]
pub struct NewInbound {
    /// The message; its direction is inbound.
    pub submission: Submission,
    /// What it says of its sender's wish, where it is an opt-out word or one that takes it back.
    pub consent: Option<Consent>,
}

/// What an inbound message says of its sender's wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// No more messages.
    Stop(Suppression),
    /// Messages are welcome again.
    Start(Lift),
}

/// Which suppressions a person takes back: those of the location and those of every location; and where it was not said
/// which location is meant, all that words to the same backend had made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lift {
    /// The channel.
    pub channel: Channel,
    /// The number or mail address.
    pub address: String,
    /// The location, where it is known.
    pub location: Option<LocationId>,
    /// The backend that brought the word, where it was not said which location is meant.
    pub backend: Option<BackendName>,
}

impl Lift {
    /// Whether it takes this one back.
    pub(crate) fn takes(&self, known: &Suppression) -> bool {
        let meant = known.location.is_none()
            || known.location == self.location
            || (self.backend.is_some() && known.backend == self.backend);
        meant && known.channel == self.channel && known.address == self.address
    }
}

/// Which suppressions. Empty means all; fields narrow it together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SuppressionFilter {
    /// Of this channel.
    pub channel: Option<Channel>,
    /// Of this number or mail address, in the form in which it is kept.
    pub address: Option<String>,
    /// Of this location.
    pub location: Option<LocationId>,
    /// Those for every location.
    pub everywhere: bool,
}

impl SuppressionFilter {
    /// Whether it takes this one in.
    pub(crate) fn takes(&self, known: &Suppression) -> bool {
        self.channel.is_none_or(|channel| channel == known.channel)
            && self.address.as_ref().is_none_or(|address| *address == known.address)
            && self.location.as_ref().is_none_or(|location| Some(location) == known.location.as_ref())
            && (!self.everywhere || known.location.is_none())
    }
}
