//! What a rule says, and whether a submission is what it means.

use std::collections::BTreeMap;

use dispatch_model::{BackendName, Channel, Content, LocationId, RouteName, Submission};
use serde::{Deserialize, Serialize};

use crate::Mismatch;

/// A route: which messages it is for and who delivers them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name; no two rules share one.
    pub name: RouteName,
    /// The locations it is for; empty means any.
    pub locations: Vec<LocationId>,
    /// The channel it is for; none means any.
    pub channel: Option<Channel>,
    /// What else must be so.
    pub when: Conditions,
    /// Who delivers.
    pub deliver: Deliver,
}

/// Conditions on the message. All that are given must hold; of a list, one value must.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// The recipient's number in E.164 begins with one of these (`+52`).
    pub phone_prefix: Vec<String>,
    /// One of the addresses in `to` has one of these domains, compared without regard to case.
    pub to_domain: Vec<String>,
    /// The mail's sender is one of these: `a@b`, or `@b` for all of a domain.
    pub from: Vec<String>,
    /// The sender's user (`userId`) is one of these.
    pub user: Vec<String>,
    /// Whether there are attachments.
    pub has_attachments: Option<bool>,
    /// Other fields of the sender's payload, by name.
    pub raw: BTreeMap<String, Vec<String>>,
    /// Of an inbound message: the backend that brought it is one of these.
    pub received_by: Vec<BackendName>,
}

/// Who delivers, and in what order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deliver {
    /// The first; each other one is the failover of those before it.
    InOrder(Vec<BackendName>),
    /// One by its share of the contacts; the others are its failover, in the order written.
    Weighted(Vec<Weighted>),
}

/// A backend and its share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weighted {
    /// The backend.
    pub backend: BackendName,
    /// Its share of the sum of all weights. Zero is never chosen and only a failover.
    pub weight: u32,
}

impl Deliver {
    /// All backends named, in the order written.
    pub fn backends(&self) -> impl Iterator<Item = &BackendName> {
        let (plain, weighted): (&[BackendName], &[Weighted]) = match self {
            Self::InOrder(names) => (names, &[]),
            Self::Weighted(list) => (&[], list),
        };
        plain.iter().chain(weighted.iter().map(|entry| &entry.backend))
    }

    pub(crate) fn backends_mut(&mut self) -> impl Iterator<Item = &mut BackendName> {
        let (plain, weighted): (&mut [BackendName], &mut [Weighted]) = match self {
            Self::InOrder(names) => (names, &mut []),
            Self::Weighted(list) => (&mut [], list),
        };
        plain.iter_mut().chain(weighted.iter_mut().map(|entry| &mut entry.backend))
    }
}

/// The field of the payload that says who pressed send.
const USER_FIELD: &str = "userId";

impl Rule {
    /// Why this rule is not for the submission; none if it is.
    pub(crate) fn mismatch(&self, submission: &Submission) -> Option<Mismatch> {
        if self.channel.is_some_and(|channel| channel != submission.channel()) {
            return Some(Mismatch::Channel { is: submission.channel() });
        }
        if !self.locations.is_empty() && !self.locations.contains(&submission.location) {
            return Some(Mismatch::Location { is: submission.location.clone() });
        }
        self.when.mismatch(submission)
    }

    /// By what it matched, in words, once it has.
    pub(crate) fn grounds(&self, submission: &Submission) -> String {
        let mut words = Vec::new();
        if !self.locations.is_empty() {
            words.push(format!("location {}", submission.location));
        }
        if let Some(channel) = self.channel {
            words.push(format!("channel {channel}"));
        }
        if !self.when.received_by.is_empty() {
            words.push(format!("backend {}", submission.source));
        }
        words.extend(self.when.named().map(|name| format!("when.{name}")));
        if words.is_empty() { "it takes every message".to_owned() } else { words.join(", ") }
    }
}

impl Conditions {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.received_by.is_empty() && self.named().next().is_none()
    }

    /// The conditions given, by the names they have under `when` in the file.
    fn named(&self) -> impl Iterator<Item = String> {
        [
            (!self.phone_prefix.is_empty()).then_some("phone_prefix"),
            (!self.to_domain.is_empty()).then_some("to_domain"),
            (!self.from.is_empty()).then_some("from"),
            (!self.user.is_empty()).then_some("user"),
            self.has_attachments.is_some().then_some("has_attachments"),
        ]
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .chain(self.raw.keys().map(|key| format!("raw.{key}")))
    }

    /// The first condition that does not hold.
    pub(crate) fn mismatch(&self, submission: &Submission) -> Option<Mismatch> {
        let brought = |backend: &BackendName| backend.as_str() == submission.source.as_str();
        if !self.received_by.is_empty() && !self.received_by.iter().any(brought) {
            return Some(Mismatch::Backend { is: submission.source.clone() });
        }
        let failed = |condition: &str| Some(Mismatch::Condition { name: condition.to_owned() });
        if !self.phone_prefix.is_empty() && !self.phone_matches(submission) {
            return failed("phone_prefix");
        }
        if !self.to_domain.is_empty() && !self.domain_matches(submission) {
            return failed("to_domain");
        }
        if !self.from.is_empty() && !self.sender_matches(submission) {
            return failed("from");
        }
        if !self.user.is_empty() && !field_is_one_of(submission, USER_FIELD, &self.user) {
            return failed("user");
        }
        if self.has_attachments.is_some_and(|wanted| wanted == submission.attachments.is_empty()) {
            return failed("has_attachments");
        }
        let (name, _) = self.raw.iter().find(|(name, values)| !field_is_one_of(submission, name, values))?;
        failed(&format!("raw.{name}"))
    }

    fn phone_matches(&self, submission: &Submission) -> bool {
        let Content::Sms(sms) = &submission.content else { return false };
        let Some(number) = &sms.to.e164 else { return false };
        self.phone_prefix.iter().any(|prefix| number.starts_with(prefix.as_str()))
    }

    fn domain_matches(&self, submission: &Submission) -> bool {
        let Content::Email(email) = &submission.content else { return false };
        email.to.iter().filter_map(|to| domain(address(to))).any(|domain| {
            self.to_domain.iter().any(|wanted| wanted.trim_start_matches('@').eq_ignore_ascii_case(domain))
        })
    }

    fn sender_matches(&self, submission: &Submission) -> bool {
        let Content::Email(email) = &submission.content else { return false };
        let Some(from) = email.from.as_deref().map(address) else { return false };
        self.from.iter().any(|wanted| match wanted.strip_prefix('@') {
            Some(wanted) => domain(from).is_some_and(|domain| domain.eq_ignore_ascii_case(wanted)),
            None => wanted.eq_ignore_ascii_case(from),
        })
    }
}

/// Whether a field of the payload is one of these values. Numbers and booleans are compared as they
/// are written in JSON; of an array, one element must be it.
fn field_is_one_of(submission: &Submission, name: &str, wanted: &[String]) -> bool {
    fn is(value: &serde_json::Value, wanted: &str) -> bool {
        match value {
            serde_json::Value::String(text) => text == wanted,
            serde_json::Value::Number(number) => number.to_string() == wanted,
            serde_json::Value::Bool(flag) => wanted == if *flag { "true" } else { "false" },
            serde_json::Value::Array(items) => items.iter().any(|item| is(item, wanted)),
            _ => false,
        }
    }
    submission.extra.get(name).is_some_and(|value| wanted.iter().any(|wanted| is(value, wanted)))
}

/// `a@b` of `a@b` or `Name <a@b>`.
fn address(text: &str) -> &str {
    match (text.rfind('<'), text.rfind('>')) {
        (Some(open), Some(close)) if open < close => text[open + 1..close].trim(),
        _ => text.trim(),
    }
}

fn domain(address: &str) -> Option<&str> {
    address.rsplit_once('@').map(|(_, domain)| domain)
}
