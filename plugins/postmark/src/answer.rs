//! What Postmark's answers mean: by `ErrorCode`, which is not the HTTP status.

use dispatcher_plugin::{Acceptance, Reason, Recipients, Refusal, RefusedRecipient, Response};
use serde::Deserialize;

/// What Postmark answers, be it yes or no.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    error_code: u32,
    #[serde(default)]
    message: String,
    #[serde(rename = "MessageID")]
    message_id: Option<String>,
}

/// The outcome.
pub(crate) fn read(response: &Response, recipients: &Recipients) -> Result<Acceptance, Refusal> {
    let success = (200..300).contains(&response.status);
    let answer: Answer = match response.json() {
        Ok(answer) => answer,
        Err(unreadable) if success => return Err(unreadable),
        Err(_) => return Err(response.refusal()),
    };
    if answer.error_code != 0 {
        return Err(refusal(&answer, response));
    }
    if !success {
        return Err(response.refusal());
    }
    let Some(id) = answer.message_id else {
        return Err(Refusal::unknown("unreadable", "the answer has no MessageID"));
    };
    let mut refused = recipients.refused();
    refused.extend(inactive(&answer.message, recipients));
    Ok(Acceptance { refused, ..Acceptance::reference(id).state(answer.message) })
}

/// Those among several that Postmark does not send to: `… will not deliver to these inactive addresses: a@b, c@d`.
fn inactive(words: &str, recipients: &Recipients) -> Vec<RefusedRecipient> {
    let Some((_, list)) = words.split_once("inactive addresses:") else { return Vec::new() };
    let addresses = list.split(',').map(|address| address.trim().trim_end_matches('.'));
    addresses
        .filter(|address| address.contains('@'))
        .map(|address| RefusedRecipient {
            recipient: recipients.as_given(address).to_owned(),
            reason: Reason::new(406, "inactive: it bounced or complained before"),
            retry: false,
        })
        .collect()
}

/// Judged so where it could be doubted: 400 and 401 (a sender signature that is not there or not confirmed) are about the
/// sender, since another may be confirmed; 412 (account pending) allows mails within the own domain only, which is about
/// the account.
fn refusal(answer: &Answer, response: &Response) -> Refusal {
    let (code, words) = (answer.error_code, answer.message.as_str());
    match code {
        10 | 405 | 412 | 413 => Refusal::account(code, words),
        300 => invalid(code, words),
        400 | 401 => Refusal::sender(code, words),
        402 | 403 | 411 => Refusal::content(code, words),
        406 => Refusal::recipient(code, words),
        100 => Refusal::deferred(code, words).after(response.retry_after_ms()),
        429 => Refusal::throttled(code, words).after(response.retry_after_ms()),
        // In Postmark's own words, so that the request was answered and not lost.
        _ if response.status >= 500 => Refusal::deferred(code, words).after(response.retry_after_ms()),
        // A stream of this name the server does not have: the next mail would fare the same.
        _ if words.to_ascii_lowercase().contains("stream") => Refusal::account(code, words),
        // A code of Postmark's beside a success's status: it says that it did not.
        _ if response.status < 300 => Refusal::content(code, words),
        _ => response.refusal().because(code, words),
    }
}

/// Something is wrong with the mail, and only the words say what.
fn invalid(code: u32, words: &str) -> Refusal {
    let about = |field: &str| words.contains(&format!("'{field}'"));
    if about("From") {
        Refusal::sender(code, words)
    } else if about("To") || about("Cc") || about("Bcc") {
        Refusal::recipient(code, words)
    } else {
        Refusal::content(code, words)
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::response;

    use super::*;

    #[test]
    fn some_of_several_are_inactive() {
        let mut recipients = Recipients::default();
        recipients.add(&["Ana <ana@c.example>".into(), "b@c.example".into(), "nobody".into()]);
        let words =
            "Message OK, but will not deliver to these inactive addresses: ANA@c.example, x@y.example.";
        let body = format!(r#"{{"ErrorCode":0,"Message":"{words}","MessageID":"m-1"}}"#);
        let taken = read(&response(200, &[], body), &recipients).expect("taken");
        let refused: Vec<(&str, &str, bool)> = taken
            .refused
            .iter()
            .map(|each| (each.recipient.as_str(), each.reason.code.as_str(), each.retry))
            .collect();
        assert_eq!(
            refused,
            [
                ("nobody", "address", false),
                ("Ana <ana@c.example>", "406", false),
                ("x@y.example", "406", false)
            ]
        );
    }
}
