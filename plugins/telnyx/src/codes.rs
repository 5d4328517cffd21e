//! Telnyx's error codes: what each means for the message, the sender or the account.

use dispatcher_plugin::{Reason, Refusal, Response};
use serde::Deserialize;

/// What Telnyx answers a request that it refuses.
#[derive(Debug, Deserialize)]
struct Problems {
    errors: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Deserialize)]
pub(crate) struct Problem {
    code: Code,
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    source: Option<Source>,
}

/// Documented as a text; some answers have a number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Code {
    Text(String),
    Number(u32),
}

/// What in the request is meant.
#[derive(Debug, Deserialize)]
struct Source {
    #[serde(default)]
    pointer: Option<String>,
    #[serde(default)]
    parameter: Option<String>,
}

/// What a refused request means: by the first code that is known, and by the status where none is.
pub(crate) fn refusal(response: &Response) -> Refusal {
    let by_status = response.refusal();
    let problems = response.json_if::<Problems>().map(|problems| problems.errors).unwrap_or_default();
    let wait = response.retry_after_ms();
    if let Some(refusal) = problems.iter().find_map(Problem::refusal) {
        return refusal.after(wait);
    }
    match problems.first() {
        // An error of Telnyx's own making, in Telnyx's own words: the request was answered, not lost.
        Some(problem) if response.status >= 500 => {
            let Reason { code, message } = problem.reason();
            Refusal::deferred(code, message).after(wait)
        }
        Some(problem) => {
            let Reason { code, message } = problem.reason();
            by_status.because(code, message)
        }
        None => by_status,
    }
}

impl Problem {
    /// The code and Telnyx's words.
    pub(crate) fn reason(&self) -> Reason {
        let code = match &self.code {
            Code::Text(code) => code.clone(),
            Code::Number(code) => code.to_string(),
        };
        match self.detail.as_deref().filter(|detail| !detail.is_empty() && *detail != self.title) {
            Some(detail) => Reason::new(code, format!("{}: {detail}", self.title)),
            None => Reason::new(code, self.title.as_str()),
        }
    }

    /// Whether it is about this field of the request.
    fn about(&self, field: &str) -> bool {
        let source = self.source.as_ref();
        let named =
            |text: Option<&String>| text.is_some_and(|text| text.trim_start_matches('/').starts_with(field));
        source.is_some_and(|source| named(source.pointer.as_ref()) || named(source.parameter.as_ref()))
    }

    /// What it means; none where the code is not known.
    ///
    /// Judged so where it could be doubted: 40309 (the country is not enabled on the profile) is about the sender, since
    /// another backend may well reach this recipient; 40016 (T-Mobile's daily limit) does not end within any pause of a
    /// backend, while 40018 (AT&T's) is by the minute; 40002 is a spam filter that calms down, 40003 one that does not.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        let reason = self.reason();
        let number = reason.code.parse::<u32>().ok()?;
        Some(match number {
            // A number that is none; ours or theirs, as the answer points out.
            10001 | 10002 | 10016 if self.about("from") => Refusal::Sender(reason),
            10001 | 10002 | 10016 => Refusal::Recipient(reason),
            // A URL that is none: our callback's, or an attachment's.
            10003 if self.about("webhook") => Refusal::Account(reason),
            // Landline, unknown to its carrier, opted out, not able to take this.
            40001 | 40008 | 40012 | 40300 | 40301 | 40310 | 40319 => Refusal::Recipient(reason),
            // Badly formed, too long, without content, filtered, media that cannot be.
            10003 | 10004 | 10014 | 10015 | 40009 | 40015 | 40017 | 40302 | 40304 | 40316 | 40317 | 40322
            | 40328 => Refusal::Content(reason),
            // Not ours, not able to, not registered, not healthy, not for this country.
            40003 | 40010 | 40013 | 40016 | 40100 | 40150 | 40151 | 40305 | 40306 | 40308 | 40309 | 40315
            | 40320 | 40321 | 40329 => Refusal::Sender(reason),
            // Wrong key, no rights, no credit, not verified, a profile that is not there or switched off.
            10005 | 10006 | 10009 | 10010 | 20002 | 20006 | 20012..=20017 | 20100 | 40311..=40314 => {
                Refusal::Account(reason)
            }
            // Too fast for Telnyx or for a carrier, or a full queue.
            10011 | 40011 | 40018 | 40318 => Refusal::Throttled { reason, retry_after_ms: None },
            // An error of Telnyx's or a carrier's that passes.
            10007 | 10008 | 40002 | 40004 | 40005 | 40006 | 40014 => {
                Refusal::Deferred { reason, retry_after_ms: None }
            }
            _ => return None,
        })
    }
}
