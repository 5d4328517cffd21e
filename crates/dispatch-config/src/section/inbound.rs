//! `[[inbound]]` and `[opt_out]`: who gets what people write to us, and which words say that they want no messages.

use dispatch_routing::{Conditions, Deliver, Rule};

use super::route::{ATTACHMENTS, LOOKUP_AFTER, ON_UNKNOWN, PATIENCE, RETRY_FIELD, Route, channel, policy};
use crate::kind::Kind;
use crate::reading::Section;
use crate::shape::{Field, Shape, field, required};

/// The words by which people say that they want no messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptOut {
    /// Whether such words are heeded at all.
    pub enabled: bool,
    /// Words besides the usual ones.
    pub stop_words: Vec<String>,
    /// Words that take it back, besides the usual ones.
    pub start_words: Vec<String>,
    /// Usual words that mean something else here.
    pub except: Vec<String>,
}

pub(crate) const INBOUND: &[Field] = &[
    required("name", Shape::Text(Kind::Filled), "The name of the route, in the words of those who read it."),
    field(
        "backend",
        Shape::OneOrMany(&Shape::Text(Kind::Name)),
        "The backends whose messages it is for; any if left out.",
    ),
    field(
        "location",
        Shape::OneOrMany(&Shape::Text(Kind::Filled)),
        "The locations it is for; any if left out.",
    ),
    field("channel", Shape::Text(Kind::Word(&["sms", "email"])), "The channel it is for; any if left out."),
    required(
        "to",
        Shape::OneOrMany(&Shape::Text(Kind::Name)),
        "The backends that hand it on, in the order they are tried.",
    ),
    RETRY_FIELD,
    PATIENCE,
    ON_UNKNOWN,
    LOOKUP_AFTER,
    ATTACHMENTS,
];

pub(crate) const OPT_OUT: &[Field] = &[
    field("enabled", Shape::Flag, "Whether words such as STOP and ALTO suppress who writes them."),
    field("stop_words", WORDS, "Words that suppress, besides the usual ones."),
    field("start_words", WORDS, "Words that lift it, besides the usual ones."),
    field("except", WORDS, "Usual words that mean something else here."),
];

const WORDS: Shape = Shape::List(&Shape::Text(Kind::Filled));

/// An inbound route is a route with another way of saying which messages it is for. `section` has the defaults of all
/// routes as its fallback.
pub(crate) fn read(section: &Section<'_>) -> Route {
    let names = |key| section.strings(key).into_iter().map(Into::into).collect();
    let rule = Rule {
        name: section.string("name").into(),
        locations: section.strings("location").into_iter().map(Into::into).collect(),
        channel: section.text("channel").and_then(channel),
        when: Conditions { received_by: names("backend"), ..Conditions::default() },
        deliver: Deliver::InOrder(names("to")),
    };
    Route { rule, policy: policy(section) }
}

impl OptOut {
    pub(crate) fn read(section: &Section<'_>) -> Self {
        Self {
            enabled: section.flag("enabled").unwrap_or_default(),
            stop_words: section.strings("stop_words"),
            start_words: section.strings("start_words"),
            except: section.strings("except"),
        }
    }
}
