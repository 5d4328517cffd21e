//! What an answer means: by rules of the settings.

use std::collections::BTreeMap;

use dispatcher_plugin::{Acceptance, Check, Reason, Refusal, Response, status};
use regex_lite::Regex;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value as Tree;

/// How an answer is read.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Answer {
    success: Success,
    reference: Option<Find>,
    state: Option<Find>,
    code: Option<Find>,
    message: Option<Find>,
    retry_after: Option<Find>,
    outcomes: BTreeMap<String, String>,
    otherwise: Option<String>,
}

/// What a success looks like.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Success {
    status: Vec<Statuses>,
    pointer: Option<String>,
    header: Option<String>,
    equals: Option<Scalar>,
    matches: Option<String>,
}

/// Where something stands in an answer: a header, a place in its JSON, or its text; and what of it is meant.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Find {
    pointer: Option<String>,
    header: Option<String>,
    pattern: Option<String>,
}

/// A status, or a range of them: `200`, `"200-299"`.
#[derive(Debug)]
struct Statuses {
    first: u16,
    last: u16,
}

/// A text, number or truth, compared as text.
#[derive(Debug)]
struct Scalar(String);

impl Answer {
    /// The acceptance or the refusal that an answer is.
    pub(crate) fn judge(&self, response: &Response) -> Result<Acceptance, Refusal> {
        let tree: Option<Tree> = response.json_if();
        let found = Found { response, tree: tree.as_ref() };
        match self.success.of(&found) {
            Verdict::Yes => {
                let reference = self.reference.as_ref().and_then(|find| find.of(&found)).unwrap_or_default();
                let acceptance = Acceptance::reference(reference);
                Ok(match self.state.as_ref().and_then(|find| find.of(&found)) {
                    Some(state) => acceptance.state(state),
                    None => acceptance,
                })
            }
            Verdict::Unreadable => Err(Refusal::unknown(
                "unreadable",
                format!("the answer ({}) has not what a success is told by", response.status),
            )),
            Verdict::No => Err(self.refusal(&found)),
        }
    }

    fn refusal(&self, found: &Found<'_>) -> Refusal {
        let status = found.response.status;
        let code = self.code.as_ref().and_then(|find| find.of(found));
        let words = self
            .message
            .as_ref()
            .and_then(|find| find.of(found))
            .unwrap_or_else(|| format!("the provider answered {status}: {}", found.response.excerpt()));
        let wait = self
            .retry_after
            .as_ref()
            .and_then(|find| find.of(found))
            .and_then(|value| status::retry_after_ms(&value, found.response.at_ms))
            .or_else(|| found.response.retry_after_ms());
        let number = status.to_string();
        let kind =
            code.as_ref().and_then(|code| self.outcomes.get(code)).or_else(|| self.outcomes.get(&number));
        let kind = match status {
            // A success's status with an error inside.
            200..=299 => Some(kind.or(self.otherwise.as_ref()).map_or("rejected-content", String::as_str)),
            // In the provider's own words: it was answered and not lost.
            500 | 502 | 504 if code.is_some() => Some(kind.map_or("deferred", String::as_str)),
            _ => kind.map(String::as_str),
        };
        let reason = Reason::new(code.unwrap_or(number), words);
        let by_status = || status::refusal(status, None, "").because(&reason.code, &reason.message);
        kind.and_then(|kind| Refusal::of_kind(kind, reason.clone())).unwrap_or_else(by_status).after(wait)
    }

    pub(crate) fn check(&self, check: &mut Check) {
        let success = &self.success;
        if let Some(pointer) = &success.pointer {
            pointer_check("answer.success.pointer", pointer, check);
        }
        if let Some(pattern) = &success.matches {
            pattern_check("answer.success.matches", pattern, check);
        }
        let told = success.equals.is_some() || success.matches.is_some();
        let placed = success.pointer.is_some() || success.header.is_some();
        check.that(
            told || !placed,
            "answer.success",
            "says where to look and not what for: add equals or matches",
        );
        check.that(
            placed || success.equals.is_none(),
            "answer.success.equals",
            "equal to what? add the pointer of a place in the JSON, or a header",
        );
        let finds = [
            ("reference", &self.reference),
            ("state", &self.state),
            ("code", &self.code),
            ("message", &self.message),
            ("retry_after", &self.retry_after),
        ];
        for (name, find) in finds {
            let Some(find) = find else { continue };
            let path = format!("answer.{name}");
            if let Some(pointer) = &find.pointer {
                pointer_check(&format!("{path}.pointer"), pointer, check);
            }
            if let Some(pattern) = &find.pattern {
                pattern_check(&format!("{path}.pattern"), pattern, check);
            }
            let some = find.pointer.is_some() || find.header.is_some() || find.pattern.is_some();
            check.that(
                some,
                path.as_str(),
                "write a pointer, a header, a pattern, or a pattern within one of them",
            );
            check.that(
                find.pointer.is_none() || find.header.is_none(),
                path,
                "there are a pointer and a header; write one of them",
            );
        }
        let words = self.outcomes.iter().map(|(code, word)| (format!("answer.outcomes.{code}"), word));
        let otherwise = self.otherwise.iter().map(|word| ("answer.otherwise".to_owned(), word));
        for (path, word) in words.chain(otherwise) {
            check.that(
                Refusal::of_kind(word, Reason::new("", "")).is_some(),
                path,
                "not an outcome: write deferred, throttled, rejected-recipient, rejected-content, rejected-sender, \
                 rejected-account or unknown",
            );
        }
    }
}

/// An answer under reading.
struct Found<'a> {
    response: &'a Response,
    tree: Option<&'a Tree>,
}

impl Found<'_> {
    fn at(&self, pointer: Option<&str>, header: Option<&str>) -> Option<String> {
        if let Some(header) = header {
            return self.response.header(&header.to_ascii_lowercase()).map(str::to_owned);
        }
        match pointer {
            Some(pointer) => match self.tree?.pointer(pointer)? {
                Tree::Null => None,
                Tree::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            },
            None => Some(self.response.text().into_owned()),
        }
    }
}

impl Find {
    fn of(&self, found: &Found<'_>) -> Option<String> {
        let text = found.at(self.pointer.as_deref(), self.header.as_deref())?;
        let text = match &self.pattern {
            Some(pattern) => {
                let captures = Regex::new(pattern).ok()?;
                let captures = captures.captures(&text)?;
                // What is in parentheses, where there are some.
                captures.get(1).or_else(|| captures.get(0))?.as_str().to_owned()
            }
            None => text,
        };
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

enum Verdict {
    Yes,
    No,
    /// A success by its status, and what should tell it is not there.
    Unreadable,
}

impl Success {
    fn of(&self, found: &Found<'_>) -> Verdict {
        let status = found.response.status;
        let listed = self.status.iter().any(|range| (range.first..=range.last).contains(&status));
        if !(listed || self.status.is_empty() && (200..300).contains(&status)) {
            return Verdict::No;
        }
        if self.equals.is_none() && self.matches.is_none() {
            return Verdict::Yes;
        }
        let Some(text) = found.at(self.pointer.as_deref(), self.header.as_deref()) else {
            return Verdict::Unreadable;
        };
        let equal = self.equals.as_ref().is_none_or(|Scalar(wanted)| *wanted == text.trim());
        let matching = self
            .matches
            .as_ref()
            .is_none_or(|pattern| Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(&text)));
        if equal && matching { Verdict::Yes } else { Verdict::No }
    }
}

fn pointer_check(path: &str, pointer: &str, check: &mut Check) {
    let good = pointer.is_empty() || pointer.starts_with('/');
    check.that(good, path, "a JSON pointer starts with a slash: /messages/0/id");
}

fn pattern_check(path: &str, pattern: &str, check: &mut Check) {
    if let Err(error) = Regex::new(pattern) {
        check.problem(path, format!("not a regular expression: {error}"));
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Statuses;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a status or a range of them, such as 200 or \"200-299\"")
            }

            fn visit_u64<E: de::Error>(self, status: u64) -> Result<Statuses, E> {
                match u16::try_from(status) {
                    Ok(status @ 100..=599) => Ok(Statuses { first: status, last: status }),
                    _ => Err(E::invalid_value(de::Unexpected::Unsigned(status), &self)),
                }
            }

            fn visit_i64<E: de::Error>(self, status: i64) -> Result<Statuses, E> {
                u64::try_from(status)
                    .map_err(|_| E::invalid_value(de::Unexpected::Signed(status), &self))
                    .and_then(|status| self.visit_u64(status))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Statuses, E> {
                let (first, last) = text.split_once('-').unwrap_or((text, text));
                match (first.trim().parse(), last.trim().parse()) {
                    (Ok(first @ 100..=599), Ok(last @ 100..=599)) if first <= last => {
                        Ok(Statuses { first, last })
                    }
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Tree::deserialize(deserializer)? {
            Tree::String(text) => Ok(Self(text)),
            plain @ (Tree::Number(_) | Tree::Bool(_)) => Ok(Self(plain.to_string())),
            _ => Err(de::Error::custom("expected a text, a number, true or false")),
        }
    }
}
