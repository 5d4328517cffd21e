//! Outcomes.

use dispatch_model::{Acceptance, Fault, Outcome, Reason, RefusedRecipient, Rejection};

use super::bounded;
use crate::contract::wit;
use crate::fault::contract;
use crate::text;

/// Bytes of a reason's code and words: the contract says so.
const CODE_MAX: usize = 64;
const WORDS_MAX: usize = 1024;
/// Bytes of a reference: the contract says so. Cut it would match no receipt.
const REFERENCE_MAX: usize = 256;
/// Bytes of the provider's own word.
const STATE_WORD_MAX: usize = 64;
/// Recipients refused: a mail has at most 100, and each may be named once.
const REFUSED_MAX: usize = 100;
/// Bytes of a recipient as it stood in the message: a display name and an address.
const RECIPIENT_MAX: usize = 1024;

pub(super) fn outcome(outcome: wit::Outcome) -> Result<Outcome, Fault> {
    let rejected = |kind, of| Outcome::Rejected { kind, reason: reason(of) };
    Ok(match outcome {
        wit::Outcome::Accepted(taken) => Outcome::Accepted(acceptance(taken)?),
        wit::Outcome::Deferred(wait) => {
            Outcome::Deferred { reason: reason(wait.reason), retry_after_ms: wait.retry_after_ms }
        }
        wit::Outcome::Throttled(wait) => {
            Outcome::Throttled { reason: reason(wait.reason), retry_after_ms: wait.retry_after_ms }
        }
        wit::Outcome::RejectedRecipient(of) => rejected(Rejection::Recipient, of),
        wit::Outcome::RejectedContent(of) => rejected(Rejection::Content, of),
        wit::Outcome::RejectedSender(of) => rejected(Rejection::Sender, of),
        wit::Outcome::RejectedAccount(of) => rejected(Rejection::Account, of),
        wit::Outcome::Unknown(of) => Outcome::Unknown { reason: reason(of) },
    })
}

fn acceptance(taken: wit::Acceptance) -> Result<Acceptance, Fault> {
    bounded("references", taken.references.len(), Acceptance::REFERENCES_MAX)?;
    bounded("refused recipients", taken.refused.len(), REFUSED_MAX)?;
    Ok(Acceptance {
        references: taken.references.into_iter().map(reference).collect::<Result<_, Fault>>()?,
        state: taken.state.map(|word| text::clip(&word, STATE_WORD_MAX)),
        parts: taken.parts,
        refused: taken
            .refused
            .into_iter()
            .map(|one| {
                bounded("bytes of a refused recipient", one.recipient.len(), RECIPIENT_MAX)?;
                Ok(RefusedRecipient {
                    recipient: one.recipient,
                    reason: reason(one.reason),
                    retry: one.retry,
                })
            })
            .collect::<Result<_, Fault>>()?,
    })
}

/// A provider's id: bounded, and fit to be shown as it is.
pub(super) fn reference(reference: String) -> Result<String, Fault> {
    bounded("bytes of a reference", reference.len(), REFERENCE_MAX)?;
    if reference.is_empty() || reference.chars().any(text::unprintable) {
        return Err(contract("a reference that is empty or has control characters"));
    }
    Ok(reference)
}

pub(super) fn reason(reason: wit::Reason) -> Reason {
    Reason { code: text::clip(&reason.code, CODE_MAX), message: text::clip(&reason.message, WORDS_MAX) }
}
