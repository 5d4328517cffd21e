//! Which backend of a route comes first.

use dispatch_model::{BackendName, Submission};
use serde::{Deserialize, Serialize};

use crate::rule::{Deliver, Weighted};

/// A weighted choice, as it can be told to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The backend chosen.
    pub backend: BackendName,
    /// Its weight.
    pub weight: u32,
    /// The sum of all weights.
    pub total: u64,
    /// The point in `0..total` that the hash of location and contact fell on.
    pub point: u64,
}

/// The chain of backends for a submission, and the choice where there was one.
pub(crate) fn chain(deliver: &Deliver, submission: &Submission) -> (Vec<BackendName>, Option<Choice>) {
    match deliver {
        Deliver::InOrder(names) => (names.clone(), None),
        Deliver::Weighted(list) => {
            let choice = choose(list, submission);
            let first = choice.as_ref().map(|choice| choice.backend.clone());
            let others = list.iter().map(|entry| &entry.backend).filter(|name| Some(*name) != first.as_ref());
            (first.iter().chain(others).cloned().collect(), choice)
        }
    }
}

fn choose(list: &[Weighted], submission: &Submission) -> Option<Choice> {
    let total: u64 = list.iter().map(|entry| u64::from(entry.weight)).sum();
    // Multiply and shift spreads the whole hash over the weights; a remainder would favour the first.
    let point = ((u128::from(hash(submission)) * u128::from(total)) >> 64) as u64;
    let mut below = 0;
    let chosen = list.iter().find(|entry| {
        below += u64::from(entry.weight);
        point < below
    })?;
    Some(Choice { backend: chosen.backend.clone(), weight: chosen.weight, total, point })
}

/// A hash of location and contact that is the same on every machine and in every version: a thread
/// of messages stays with its number. Without a contact the first recipient stands for it.
///
/// FNV-1a over both texts with a zero byte between, then the finaliser of MurmurHash3, without which
/// FNV's high bits hardly differ for ids that differ at their end.
fn hash(submission: &Submission) -> u64 {
    let recipients;
    let contact = match &submission.contact {
        Some(contact) => contact.as_str(),
        None => {
            recipients = submission.recipients();
            recipients.first().copied().unwrap_or_default()
        }
    };
    let bytes = submission.location.as_str().bytes().chain([0]).chain(contact.bytes());
    let mut hash = bytes
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}
