//! What SES's answers mean: by the type of the error, and by its words where one type is for many things.

use dispatcher_plugin::{Acceptance, Refusal, Response};
use serde::Deserialize;

/// For a quota of 24 hours nobody waits seconds; when the next mail may go SES does not say.
const QUOTA_WAIT_MS: u64 = 3_600_000;

/// What SES answers to a mail that it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Taken {
    message_id: String,
}

/// What SES answers to a request that it refuses.
#[derive(Debug, Default, Deserialize)]
struct Problem {
    #[serde(rename = "__type", default)]
    kind: String,
    #[serde(alias = "Message", default)]
    message: String,
}

/// The outcome.
pub(crate) fn read(response: &Response) -> Result<Acceptance, Refusal> {
    if !(200..300).contains(&response.status) {
        return Err(refusal(response));
    }
    let taken: Taken = response.json()?;
    if taken.message_id.is_empty() {
        return Err(Refusal::unknown("unreadable", "the answer has an empty MessageId"));
    }
    Ok(Acceptance::reference(taken.message_id))
}

fn refusal(response: &Response) -> Refusal {
    let problem: Problem = response.json_if().unwrap_or_default();
    // The type stands in a header, in the body, or in both, with a name space before or an address after it.
    let kind = response.header("x-amzn-errortype").unwrap_or(&problem.kind);
    let kind = kind.split(':').next().unwrap_or_default().rsplit('#').next().unwrap_or_default();
    if kind.is_empty() {
        return response.refusal();
    }
    let kind = kind.strip_suffix("Exception").unwrap_or(kind);
    let words = problem.message;
    let lower = words.to_ascii_lowercase();
    let says = |what: &str| lower.contains(what);
    match kind {
        "TooManyRequests" | "Throttling" | "LimitExceeded" if says("daily") => {
            Refusal::throttled(kind, words).after(Some(QUOTA_WAIT_MS))
        }
        "TooManyRequests" | "Throttling" => Refusal::throttled(kind, words).after(response.retry_after_ms()),
        "MailFromDomainNotVerified" => Refusal::sender(kind, words),
        // An identity that is not verified: the sender's, or in the sandbox anybody's.
        "MessageRejected" if says("not verified") => Refusal::sender(kind, words),
        "MessageRejected" => Refusal::content(kind, words),
        "BadRequest" if says("domain") || says("address") => Refusal::recipient(kind, words),
        "BadRequest" | "ValidationError" | "Validation" => Refusal::content(kind, words),
        // A configuration set that is not there, or something else that all mails name.
        "NotFound" | "AccountSuspended" | "SendingPaused" | "LimitExceeded" => Refusal::account(kind, words),
        "SignatureDoesNotMatch"
        | "InvalidSignature"
        | "InvalidClientTokenId"
        | "UnrecognizedClient"
        | "ExpiredToken"
        | "AccessDenied"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "OptInRequired"
        | "RequestExpired" => Refusal::account(kind, words),
        // In Amazon's own words, so that the request was answered and not lost.
        _ if response.status >= 500 => Refusal::deferred(kind, words).after(response.retry_after_ms()),
        _ => response.refusal().because(kind, words),
    }
}
