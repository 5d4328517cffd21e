//! What Mailgun's answers mean: by the status, and by the words where they say more.

use dispatcher_plugin::{Acceptance, Refusal, Response, status};
use serde::Deserialize;

/// What Mailgun answers, be it yes or no.
#[derive(Debug, Deserialize)]
struct Answer {
    id: Option<String>,
    #[serde(default)]
    message: String,
}

/// The outcome.
pub(crate) fn read(response: &Response) -> Result<Acceptance, Refusal> {
    if !(200..300).contains(&response.status) {
        return Err(refusal(response));
    }
    // Mailgun's own way to say that nothing is at this URL.
    if response.text().contains("Mailgun Magnificent API") {
        return Err(Refusal::account("url", "this URL takes no mails: check domain, region and base_url"));
    }
    let answer: Answer = response.json()?;
    match answer.id.as_deref().map(bare).filter(|id| !id.is_empty()) {
        Some(id) => Ok(Acceptance::reference(id).state(answer.message)),
        None => Err(Refusal::unknown("unreadable", format!("the answer has no id: {}", response.excerpt()))),
    }
}

/// A Message-ID without its brackets, as the events have it.
pub(crate) fn bare(id: &str) -> &str {
    id.trim().trim_start_matches('<').trim_end_matches('>')
}

fn refusal(response: &Response) -> Refusal {
    // To a wrong key Mailgun answers a bare word, and no JSON.
    let Some(Answer { message, .. }) = response.json_if() else {
        return response.refusal().after(wait_ms(response, &response.text()));
    };
    let (status, words) = (response.status, message.as_str());
    let lower = words.to_ascii_lowercase();
    let about = |field: &str| lower.contains(&format!("'{field}' parameter"));
    match status {
        400 if about("from") => Refusal::sender(status, words),
        400 if about("to") || about("cc") || about("bcc") => Refusal::recipient(status, words),
        // Of a sandbox, which writes to a few alone.
        400 | 403 if lower.contains("authorized recipients") => Refusal::sender(status, words),
        // The domain is not there, or in another region.
        404 => Refusal::account(status, words),
        // In Mailgun's own words, so that the request was answered and not lost.
        500.. => Refusal::deferred(status, words).after(response.retry_after_ms()),
        _ => response.refusal().because(status, words).after(wait_ms(response, words)),
    }
}

/// How long to wait: by the header, or as the words say it (`try again after 120 seconds`, `after Sun, 22 Nov 2026 …`).
fn wait_ms(response: &Response, words: &str) -> Option<u64> {
    if let Some(wait) = response.retry_after_ms() {
        return Some(wait);
    }
    let rest = words.rsplit_once("after ")?.1.trim();
    let digits = &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())];
    if let Ok(seconds) = digits.parse::<u64>() {
        return Some(seconds.saturating_mul(1000));
    }
    // `Sun, 22 Nov 2026 00:01:00 GMT`, or `UTC`, and perhaps a full stop.
    let date = format!("{} GMT", rest.get(..25)?);
    Some(status::date_ms(&date)?.saturating_sub(response.at_ms))
}
