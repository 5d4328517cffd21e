//! What Resend's answers mean: by the error's name, and by the status where there is none.

use dispatcher_plugin::{Acceptance, Refusal, Response};
use serde::Deserialize;

/// For a quota that ends with the day nobody waits seconds; when the day ends for Resend it does not say.
const QUOTA_WAIT_MS: u64 = 3_600_000;

/// What Resend answers to a mail that it takes.
#[derive(Debug, Deserialize)]
struct Taken {
    id: String,
}

/// What Resend answers to a request that it refuses.
#[derive(Debug, Deserialize)]
struct Problem {
    name: String,
    #[serde(default)]
    message: String,
}

/// The outcome.
pub(crate) fn read(response: &Response) -> Result<Acceptance, Refusal> {
    if !(200..300).contains(&response.status) {
        return Err(refusal(response));
    }
    let taken: Taken = response.json()?;
    if taken.id.is_empty() {
        return Err(Refusal::unknown("unreadable", "the answer has an empty id"));
    }
    Ok(Acceptance::reference(taken.id))
}

/// Judged so where it could be doubted: both conflicts of idempotency keys say that an earlier attempt with this key is
/// under way or was taken, so they are no refusal but an unknown, which stays at this backend. `security_error` is about
/// what is in one mail.
fn refusal(response: &Response) -> Refusal {
    let Some(Problem { name, message }) = response.json_if() else { return response.refusal() };
    let (code, words) = (name.as_str(), message.as_str());
    match code {
        "missing_api_key"
        | "restricted_api_key"
        | "invalid_api_key"
        | "invalid_access"
        | "monthly_quota_exceeded" => Refusal::account(code, words),
        "invalid_idempotent_request" | "concurrent_idempotent_requests" => Refusal::unknown(code, words),
        "invalid_from_address" => Refusal::sender(code, words),
        "validation_error" | "invalid_parameter" | "missing_required_field" => {
            invalid(response.status, code, words)
        }
        "security_error" => Refusal::content(code, words),
        "daily_quota_exceeded" => Refusal::throttled(code, words).after(Some(QUOTA_WAIT_MS)),
        "rate_limit_exceeded" => Refusal::throttled(code, words).after(response.retry_after_ms()),
        // In Resend's own words, so that the request was answered and not lost.
        _ if response.status >= 500 => Refusal::deferred(code, words).after(response.retry_after_ms()),
        _ => response.refusal().because(code, words),
    }
}

/// One name for many mistakes: the words say whose it is.
fn invalid(status: u16, code: &str, words: &str) -> Refusal {
    let lower = words.to_ascii_lowercase();
    let says = |what: &str| lower.contains(what);
    if status == 401 || says("api key") {
        Refusal::account(code, words)
    } else if says("`from`") || says("domain") || says("testing emails") {
        // A domain that is not verified, and an account that may write to itself alone.
        Refusal::sender(code, words)
    } else if says("`to`") || says("`cc`") || says("`bcc`") {
        Refusal::recipient(code, words)
    } else {
        Refusal::content(code, words)
    }
}
