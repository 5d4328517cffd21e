//! What SendGrid's answers mean.

use dispatcher_plugin::{Acceptance, Refusal, Response};
use serde::Deserialize;

/// What SendGrid answers a request that it refuses.
#[derive(Debug, Deserialize)]
struct Problems {
    errors: Vec<Problem>,
}

#[derive(Debug, Deserialize)]
struct Problem {
    #[serde(default)]
    message: String,
    /// The field that is wrong: `personalizations.0.to.0.email`.
    #[serde(default)]
    field: Option<String>,
}

/// The outcome. Nothing in an acceptance is SendGrid's word but its own id in a header, which has no meaning to events:
/// the reference is our key.
pub(crate) fn read(key: &str, response: &Response) -> Result<Acceptance, Refusal> {
    if !(200..300).contains(&response.status) {
        return Err(refusal(response));
    }
    let id = response.header("x-message-id").filter(|id| !id.is_empty());
    match id {
        Some(id) => Ok(Acceptance::reference(key).state(id)),
        // Some proxies keep unknown headers to themselves; none of them answers 202 with nothing.
        None if response.status == 202 && response.body.is_empty() => Ok(Acceptance::reference(key)),
        None => Err(Refusal::unknown(
            "unreadable",
            format!("the answer ({}) is not SendGrid's: {}", response.status, response.excerpt()),
        )),
    }
}

fn refusal(response: &Response) -> Refusal {
    let by_status = response.refusal().after(wait_ms(response));
    let Some(Problems { errors }) = response.json_if() else { return by_status };
    let words: Vec<&str> = errors.iter().map(|problem| problem.message.as_str()).collect();
    let words = words.join("; ");
    let field = errors.first().and_then(|problem| problem.field.as_deref()).unwrap_or_default();
    let status = response.status;
    match (status, field) {
        (400, field) if of_recipient(field) => Refusal::recipient(status, words),
        // The sender is not one of the account's: another sender may well be.
        (400 | 403, field) if field == "from" || field.starts_with("from.") => Refusal::sender(status, words),
        // In SendGrid's own words, so that the request was answered and not lost.
        (500.., _) => Refusal::deferred(status, words).after(response.retry_after_ms()),
        _ => by_status.because(status, words),
    }
}

/// `personalizations.0.to.0.email` and its like.
fn of_recipient(field: &str) -> bool {
    let mut parts = field.split('.');
    parts.next() == Some("personalizations") && matches!(parts.nth(1), Some("to" | "cc" | "bcc"))
}

/// SendGrid tells the second at which its window ends.
fn wait_ms(response: &Response) -> Option<u64> {
    let reset = response.header("x-ratelimit-reset").and_then(|reset| reset.trim().parse::<u64>().ok());
    match reset {
        Some(reset) => Some(reset.saturating_mul(1000).saturating_sub(response.at_ms)),
        None => response.retry_after_ms(),
    }
}
