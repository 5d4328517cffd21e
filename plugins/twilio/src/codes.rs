//! Twilio's error codes: what each means for the message, the sender or the account.

use dispatcher_plugin::{Reason, Refusal, Response};
use serde::Deserialize;

/// What Twilio answers a request that it refuses.
#[derive(Debug, Deserialize)]
pub(crate) struct Problem {
    pub(crate) code: Option<u32>,
    pub(crate) message: Option<String>,
}

/// What a refused request means: by Twilio's code, and by the status where the code says nothing.
pub(crate) fn refusal(response: &Response) -> Refusal {
    let by_status = response.refusal();
    let Some(Problem { code: Some(code), message }) = response.json_if() else { return by_status };
    let words = message.unwrap_or_default();
    match by_code(code, &words) {
        Some(refusal) => refusal.after(response.retry_after_ms()),
        // An error of Twilio's own making, in Twilio's own words: the request was answered, not lost.
        None if response.status >= 500 => Refusal::deferred(code, words).after(response.retry_after_ms()),
        None => by_status.because(code, words),
    }
}

/// What a code means; none where it is not known.
///
/// Judged so where it could be doubted: 21408 (no permission for the country), 21608 (trial account) and 21612 (this
/// pair of numbers) are about the sender, since another backend may well reach this recipient; 30003 (handset off) is
/// worth a late retry; 30023 and 30027 (daily cap of a number) do not end within any pause of a backend.
pub(crate) fn by_code(code: u32, words: &str) -> Option<Refusal> {
    let reason = Reason::new(code, words);
    Some(match code {
        // Not a number, no mobile, opted out, blocked, unknown to its carrier.
        21211 | 21214 | 21217 | 21401 | 21421 | 21604 | 21610 | 21614 | 21635 | 30004 | 30005 | 30006
        | 63003 | 63024 => Refusal::Recipient(reason),
        // Empty, too long, filtered, media of a wrong kind or size, nothing that this window allows.
        21602
        | 21605
        | 21617
        | 21619
        | 21620
        | 21622
        | 21623
        | 21654..=21656
        | 30007
        | 30011
        | 30019
        | 63016
        | 63019
        | 63021
        | 63034 => Refusal::Content(reason),
        // Not ours, not able to, not registered with the carriers.
        14108
        | 21212
        | 21408
        | 21603
        | 21606
        | 21607
        | 21608
        | 21612
        | 21615
        | 21616
        | 21618
        | 21660
        | 21661
        | 21703
        | 21704
        | 30023..=30029
        | 30032
        | 30034
        | 30035
        | 63007 => Refusal::Sender(reason),
        // Wrong credentials, suspended, no credit, no rights, a callback URL or a service that cannot be.
        10001 | 10002 | 20003..=20008 | 20403 | 20404 | 21609 | 21701 | 21705 | 30002 => {
            Refusal::Account(reason)
        }
        // Never processed, or a full queue.
        14107 | 20429 | 21611 | 30001 | 30022 | 63018 => Refusal::Throttled { reason, retry_after_ms: None },
        // Unreachable for now, or an error of Twilio's or a carrier's.
        20500 | 20503 | 30003 | 30008 | 30010 | 30410 => Refusal::Deferred { reason, retry_after_ms: None },
        _ => return None,
    })
}
