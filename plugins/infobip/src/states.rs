//! Infobip's states and errors: what each means for the message, the sender or the account.

use dispatcher_plugin::{Reason, Refusal, Response};
use serde::Deserialize;

/// Where a message stands. The group says how it ended, the id why.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Status {
    pub(crate) group_id: Option<u32>,
    pub(crate) id: Option<u32>,
    name: String,
    description: String,
}

/// What went wrong on the way, in logs and reports.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fault {
    id: Option<u32>,
    name: String,
    description: String,
    permanent: bool,
}

/// What a state means for an attempt.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Infobip has it.
    Taken,
    /// Infobip has had a message of this id, and took this one for it.
    Duplicate,
    /// It will not arrive.
    Refused(Refusal),
}

impl Status {
    /// Infobip's word for it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The id and Infobip's words; the fault's, where there is one.
    pub(crate) fn reason(&self, fault: Option<&Fault>) -> Reason {
        let words = |name: &str, description: &str| match (name.is_empty(), description.is_empty()) {
            (false, false) => format!("{name}: {description}"),
            (false, true) => name.to_owned(),
            _ => description.to_owned(),
        };
        match fault.and_then(|fault| fault.id.filter(|id| *id != 0).map(|id| (id, fault))) {
            Some((id, fault)) => Reason::new(id, words(&fault.name, &fault.description)),
            None => Reason::new(self.id.unwrap_or(0), words(&self.name, &self.description)),
        }
    }

    /// What it means for an attempt.
    ///
    /// Judged so where it could be doubted: 6, 18 and 19 (a network, a number or a route that this account does not
    /// have) are about the sender, since another backend may well reach this recipient; 20 (six equal messages an hour
    /// to one number) passes, and is no reason to pause for everybody. Undelivered and expired ones are tried again
    /// unless Infobip says that it is for good.
    pub(crate) fn verdict(&self, fault: Option<&Fault>) -> Verdict {
        let reason = self.reason(fault);
        let deferred = |reason| Refusal::Deferred { reason, retry_after_ms: None };
        Verdict::Refused(match (self.group_id, self.id) {
            // Accepted, pending, delivered.
            (Some(0 | 1 | 3), _) => return Verdict::Taken,
            (_, Some(23)) => return Verdict::Duplicate,
            (Some(2 | 4), _) if fault.is_some_and(|fault| fault.permanent) => Refusal::Recipient(reason),
            (Some(2 | 4), _) => deferred(reason),
            // No number, do not disturb, blocklisted.
            (Some(5), Some(8 | 10 | 14 | 51 | 52)) => Refusal::Recipient(reason),
            // Not registered, blocklisted, not for this network.
            (Some(5), Some(6 | 11 | 13 | 18 | 19)) => Refusal::Sender(reason),
            // No credit, or no longer.
            (Some(5), Some(12 | 17 | 75)) => Refusal::Account(reason),
            // An hour's worth for one number, an error of Infobip's, not at present.
            (Some(5), Some(20 | 21 | 100)) => deferred(reason),
            // Too long, badly formed, taken for fraud, and whatever else there may be.
            (Some(5), _) => Refusal::Content(reason),
            _ => Refusal::unknown("unreadable", "the answer does not say what became of the message"),
        })
    }
}

/// A refused request; the older form and the newer one.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Problem {
    request_error: Option<RequestError>,
    error_code: Option<String>,
    description: String,
    violations: Vec<Violation>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestError {
    service_exception: Exception,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Exception {
    message_id: String,
    #[serde(default)]
    text: String,
}

#[derive(Debug, Deserialize)]
struct Violation {
    #[serde(default)]
    property: String,
    #[serde(default)]
    violation: String,
}

/// What a refused request means: by the status, with Infobip's code and words where there are some.
pub(crate) fn refusal(response: &Response) -> Refusal {
    let by_status = response.refusal();
    let Some(problem) = response.json_if::<Problem>() else { return by_status };
    let (code, words, violations) = match problem {
        Problem { request_error: Some(error), .. } => {
            (error.service_exception.message_id, error.service_exception.text, Vec::new())
        }
        Problem { error_code: Some(code), description, violations, .. } => (code, description, violations),
        _ => return by_status,
    };
    let violated: Vec<String> =
        violations.iter().map(|one| format!("{}: {}", one.property, one.violation)).collect();
    let words = if violated.is_empty() { words } else { format!("{words} ({})", violated.join("; ")) };
    let about = |end: &str| violations.iter().any(|one| one.property.ends_with(end));
    match response.status {
        // In Infobip's own words: the request was answered, not lost.
        500 | 502 | 504 => Refusal::deferred(code, words).after(response.retry_after_ms()),
        400 if about(".to") => Refusal::recipient(code, words),
        400 if about("sender") => Refusal::sender(code, words),
        _ => by_status.because(code, words),
    }
}
