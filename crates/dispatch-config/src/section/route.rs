//! `[[routes]]` and `[[tests]]`: who delivers what, and what is expected of that.

use std::path::PathBuf;

use dispatch_model::{
    AttachmentPolicy, BackendName, Channel, OnUnknown, Policy, RetrySchedule, RouteName, TextPolicy, TooLong,
    Transliterate,
};
use dispatch_routing::{Conditions, Deliver, Rule, Weighted};

use crate::kind::Kind;
use crate::node::Node;
use crate::reading::Section;
use crate::shape::{Field, Shape, field, required};

/// A route.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Which messages, and who delivers them.
    pub rule: Rule,
    /// What is done with the outcomes.
    pub policy: Policy,
}

/// A test of the routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTest {
    /// A payload as the sender posts it; or a message from a person.
    pub message: PathBuf,
    /// Whether it is one from a person.
    pub inbound: bool,
    /// What is to become of it.
    pub expect: Expect,
}

/// What a test expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// No route.
    None,
    /// A route, a chain, or both.
    Plan {
        /// The route that matches.
        route: Option<RouteName>,
        /// The whole chain, in order.
        deliver: Option<Vec<BackendName>>,
    },
}

pub(crate) const ROUTE: &[Field] = &[
    required("name", Shape::Text(Kind::Filled), "The name of the route, in the words of those who read it."),
    field(
        "location",
        Shape::OneOrMany(&Shape::Text(Kind::Filled)),
        "The locations it is for; any if left out.",
    ),
    field("channel", Shape::Text(Kind::Word(&["sms", "email"])), "The channel it is for; any if left out."),
    field("when", Shape::Table(WHEN), "What else must be so; of a list, one value must."),
    required("deliver", Shape::Deliver, "The backends in the order they are tried, or with weights."),
    RETRY_FIELD,
    PATIENCE,
    ON_UNKNOWN,
    LOOKUP_AFTER,
    FAILOVER_ON_CONTENT,
    ATTACHMENTS,
    TEXT_FIELD,
];

/// What `[defaults.route]` may say: what is done with outcomes.
pub(crate) const POLICY: &[Field] =
    &[RETRY_FIELD, PATIENCE, ON_UNKNOWN, LOOKUP_AFTER, FAILOVER_ON_CONTENT, ATTACHMENTS, TEXT_FIELD];

pub(super) const RETRY_FIELD: Field = field("retry", Shape::Table(RETRY), "When a backend is tried again.");
pub(super) const PATIENCE: Field = field(
    "patience",
    Shape::Text(Kind::Span),
    "How long a delivery waits for a paused backend before it goes to the next.",
);
pub(super) const ON_UNKNOWN: Field = field(
    "on_unknown",
    Shape::Text(Kind::Word(&["retry", "hold", "fail"])),
    "What to do when it may have been delivered and the provider cannot be asked.",
);
pub(super) const LOOKUP_AFTER: Field = field(
    "lookup_after",
    Shape::Text(Kind::Span),
    "How long after an attempt that may have been delivered the provider is asked whether it was, where it can be.",
);
const FAILOVER_ON_CONTENT: Field =
    field("failover_on_content", Shape::Flag, "Whether refused content is tried at the next backend.");
pub(super) const ATTACHMENTS: Field = field(
    "attachments",
    Shape::Text(Kind::Word(&["link", "drop", "fail"])),
    "What to do with attachments that a backend cannot take or the host cannot fetch.",
);

const TEXT_FIELD: Field = field("text", Shape::Table(TEXT), "How text messages are written.");

const TEXT: &[Field] = &[
    field(
        "transliterate",
        Shape::Text(Kind::Word(&["never", "saving", "always"])),
        "Whether characters that GSM-7 lacks are replaced by what reads the same: never, where it makes fewer parts, or always.",
    ),
    field("parts_max", Shape::Integer { min: 1, max: 255 }, "Into how many parts a text may be cut."),
    field(
        "too_long",
        Shape::Text(Kind::Word(&["reject", "cut"])),
        "What to do with a text that has more, or more characters than the backend takes.",
    ),
];

const RETRY: &[Field] = &[
    field(
        "attempts",
        Shape::Integer { min: 1, max: 1000 },
        "Attempts at one backend before the next one is tried.",
    ),
    field("first", Shape::Text(Kind::Span), "The wait after the first attempt."),
    field("factor", Shape::Number { min: 1.0, max: 100.0 }, "What each wait is multiplied with."),
    field("max", Shape::Text(Kind::Span), "The longest wait, the provider's wish excepted."),
    field(
        "expires_after",
        Shape::Text(Kind::Span),
        "After how long a message is no longer worth delivering.",
    ),
];

const WHEN: &[Field] = &[
    field(
        "phone_prefix",
        Shape::OneOrMany(&Shape::Text(Kind::PhonePrefix)),
        "The recipient's number begins with it.",
    ),
    field(
        "to_domain",
        Shape::OneOrMany(&Shape::Text(Kind::Filled)),
        "An address the mail goes to has this domain.",
    ),
    field(
        "from",
        Shape::OneOrMany(&Shape::Text(Kind::Filled)),
        "The mail's sender: an address, or \"@domain\".",
    ),
    field("user", Shape::OneOrMany(&Shape::Text(Kind::Filled)), "The id of the user who pressed send."),
    field("has_attachments", Shape::Flag, "Whether there are attachments."),
    field(
        "raw",
        Shape::Map { keys: Kind::Any, of: &Shape::OneOrMany(&Shape::Text(Kind::Any)) },
        "Other fields of the payload, by name.",
    ),
];

pub(crate) const TEST: &[Field] = &[
    field("message", Shape::Text(Kind::Path), "A payload as the sender posts it."),
    field(
        "inbound",
        Shape::Text(Kind::Path),
        "Or a message from a person: JSON with backend, location, id, channel, from, to, text and media.",
    ),
    required("expect", Shape::Table(EXPECT), "What is to become of it."),
];

const EXPECT: &[Field] = &[
    field("route", Shape::Text(Kind::Filled), "The route that matches."),
    field("deliver", Shape::OneOrMany(&Shape::Text(Kind::Name)), "The whole chain of backends, in order."),
    field("none", Shape::Flag, "true: no route matches."),
];

impl Route {
    /// `section` has the defaults of all routes as its fallback.
    pub(crate) fn read(section: &Section<'_>) -> Self {
        let rule = Rule {
            name: section.string("name").into(),
            locations: section.strings("location").into_iter().map(Into::into).collect(),
            channel: section.text("channel").and_then(channel),
            when: conditions(&section.section("when")),
            deliver: section.get("deliver").map_or_else(|| Deliver::InOrder(Vec::new()), deliver),
        };
        Self { rule, policy: policy(section) }
    }
}

pub(crate) fn policy(section: &Section<'_>) -> Policy {
    let retry = section.section("retry");
    Policy {
        retry: RetrySchedule {
            attempts: retry.count("attempts"),
            first: retry.span("first"),
            factor: retry.number("factor"),
            max: retry.span("max"),
        },
        expires_after: retry.span("expires_after"),
        patience: section.span("patience"),
        on_unknown: match section.text("on_unknown") {
            Some("hold") => OnUnknown::Hold,
            Some("fail") => OnUnknown::Fail,
            _ => OnUnknown::Retry,
        },
        lookup_after: section.span("lookup_after"),
        failover_on_content: section.flag("failover_on_content").unwrap_or_default(),
        attachments: match section.text("attachments") {
            Some("fail") => AttachmentPolicy::Fail,
            Some("drop") => AttachmentPolicy::Drop,
            _ => AttachmentPolicy::Link,
        },
        text: text(&section.section("text")),
    }
}

fn text(section: &Section<'_>) -> TextPolicy {
    TextPolicy {
        transliterate: match section.text("transliterate") {
            Some("saving") => Transliterate::Saving,
            Some("always") => Transliterate::Always,
            _ => Transliterate::Never,
        },
        parts_max: section.count("parts_max"),
        too_long: match section.text("too_long") {
            Some("cut") => TooLong::Cut,
            _ => TooLong::Reject,
        },
    }
}

pub(super) fn channel(word: &str) -> Option<Channel> {
    [Channel::Sms, Channel::Email].into_iter().find(|channel| channel.as_str() == word)
}

fn conditions(section: &Section<'_>) -> Conditions {
    let raw = section.section("raw");
    Conditions {
        phone_prefix: section.strings("phone_prefix"),
        to_domain: section.strings("to_domain"),
        from: section.strings("from"),
        user: section.strings("user"),
        has_attachments: section.flag("has_attachments"),
        raw: raw.entries().into_iter().map(|(name, _)| (name.to_owned(), raw.strings(name))).collect(),
        received_by: Vec::new(),
    }
}

fn deliver(node: &Node) -> Deliver {
    let items = node.one_or_many();
    if items.iter().all(|item| item.table().is_none()) {
        return Deliver::InOrder(items.iter().filter_map(Node::text).map(Into::into).collect());
    }
    let share = |item: &Node| {
        let backend = item.entry("backend")?.node.text()?.into();
        let weight = match item.entry("weight")?.node.value {
            crate::node::Value::Integer(weight) => u32::try_from(weight).ok()?,
            _ => return None,
        };
        Some(Weighted { backend, weight })
    };
    Deliver::Weighted(items.iter().filter_map(share).collect())
}

impl RouteTest {
    pub(crate) fn read(section: &Section<'_>) -> Self {
        let expect = section.section("expect");
        let deliver =
            expect.get("deliver").map(|_| expect.strings("deliver").into_iter().map(Into::into).collect());
        let expect = if expect.flag("none") == Some(true) {
            Expect::None
        } else {
            Expect::Plan { route: expect.text("route").map(Into::into), deliver }
        };
        let inbound = section.path("inbound");
        Self {
            inbound: inbound.is_some(),
            message: inbound.or_else(|| section.path("message")).unwrap_or_default(),
            expect,
        }
    }
}
