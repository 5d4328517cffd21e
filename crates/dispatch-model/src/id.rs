//! Names and ids. Each is a newtype, so that a location cannot be passed where a contact is meant.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Our id of an admitted message: 63 bits, time-ordered, so that the store appends instead of
/// inserting at random. Written as 13 characters of Crockford's base 32, lower case.
///
/// Layout, high to low: 43 bits of milliseconds since the Unix epoch (until the year 2248), 20 bits
/// of sequence. The store's writer makes them and never makes one twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(i64);

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TEXT_LEN: usize = 13;
const SEQUENCE_BITS: u32 = 20;

impl MessageId {
    /// The id before all others: where paging by id starts.
    pub const ZERO: Self = Self(0);

    /// The first id of a millisecond.
    pub fn first_at(at: crate::Timestamp) -> Self {
        Self(at.as_millis().max(0) << SEQUENCE_BITS)
    }

    /// The id that follows this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// When the id was made, to the millisecond.
    pub fn at(self) -> crate::Timestamp {
        crate::Timestamp::from_millis(self.0 >> SEQUENCE_BITS)
    }

    /// The integer the store keeps.
    pub fn as_i64(self) -> i64 {
        self.0
    }

    /// From the integer the store keeps.
    pub fn from_i64(raw: i64) -> Self {
        Self(raw & i64::MAX)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'0'; TEXT_LEN];
        let mut rest = self.0 as u64;
        for slot in text.iter_mut().rev() {
            *slot = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        f.write_str(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

/// The text is not a message id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a message id: expected 13 characters of 0-9 and a-z without i, l, o, u")]
pub struct ParseIdError;

impl FromStr for MessageId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        if text.len() != TEXT_LEN {
            return Err(ParseIdError);
        }
        let mut raw: u128 = 0;
        for byte in text.bytes() {
            let digit = ALPHABET.iter().position(|c| *c == byte.to_ascii_lowercase()).ok_or(ParseIdError)?;
            raw = raw << 5 | digit as u128;
        }
        i64::try_from(raw).map(Self).map_err(|_| ParseIdError)
    }
}

impl Serialize for MessageId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Cheap to clone: the text is shared.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<Arc<str>> for $name {
            fn from(text: Arc<str>) -> Self {
                Self(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

name!(
    /// HighLevel's tenant: the client account a message belongs to.
    LocationId
);
name!(
    /// HighLevel's contact within a location.
    ContactId
);
name!(
    /// A configured instance of a plugin: the key under `[backends]`.
    BackendName
);
name!(
    /// A rule: the `name` of a `[[routes]]` entry.
    RouteName
);
name!(
    /// A configured webhook endpoint: the `name` of a `[[sources]]` entry.
    SourceName
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_id_text_round_trips_and_keeps_the_order() {
        let early = MessageId::first_at(crate::Timestamp::from_millis(1_795_000_000_000));
        let late = early.next();
        assert_eq!(early.to_string().parse(), Ok(early));
        assert!(early.to_string() < late.to_string());
        assert_eq!(late.at(), crate::Timestamp::from_millis(1_795_000_000_000));
    }

    #[test]
    fn message_id_refuses_what_is_none() {
        for text in ["", "short", "uuuuuuuuuuuuu", "zzzzzzzzzzzzz", "0000000000000000"] {
            assert_eq!(text.parse::<MessageId>(), Err(ParseIdError), "{text:?}");
        }
    }
}
