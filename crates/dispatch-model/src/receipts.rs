//! What receipts make of a delivery.
//!
//! Receipts come in any order, more than once, one for each part, before our own commit and for attempts whose
//! answer was lost. So this is a function of the *set* of receipts that a delivery has had, run again with each new
//! one: what order they came in changes nothing.
//!
//! For one part (a reference, and a recipient where the provider names one) the states form a chain, and the
//! highest that was heard stands:
//!
//! ```text
//! pending < undelivered < delivered < bounced < complained
//! ```
//!
//! - *delivered* after *undelivered* counts: "undelivered" is often a carrier's time-out, and "delivered" a proof.
//! - *bounced* after *delivered* counts: the mail server took it first, and then sent it back.
//! - a *complaint* is of somebody who got it.
//!
//! A message is `Delivered` once each of its references is and no recipient that was heard of is left out;
//! `Undelivered` from the first part that failed until then. It never goes back from there to `Accepted`.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::{Acceptance, BackendName, Delivery, DeliveryState, Reason, Receipt, ReceiptState, Timestamp};

/// A receipt as it is kept with its message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeardReceipt {
    /// Whose word it is.
    pub backend: BackendName,
    /// Which generation of the delivery it is about.
    pub generation: u32,
    /// What was said.
    #[serde(flatten)]
    pub receipt: Receipt,
    /// When we had it.
    pub received_at: Timestamp,
}

impl ReceiptState {
    /// All states, in the order of the chain.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Undelivered, Self::Delivered, Self::Bounced, Self::Complained];

    /// From the number the store keeps.
    pub fn from_u8(raw: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as u8 == raw)
    }

    /// The word used in the CLI, the logs and the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }

    /// Its place in the chain.
    fn rank(self) -> usize {
        Self::ALL.into_iter().position(|state| state == self).unwrap_or_default()
    }

    /// Whether it says that the recipient got it.
    pub fn arrived(self) -> bool {
        matches!(self, Self::Delivered | Self::Complained)
    }

    /// Whether it says that the recipient did not get it.
    pub fn failed(self) -> bool {
        matches!(self, Self::Undelivered | Self::Bounced)
    }
}

/// The delivery in the light of all receipts that it has had.
///
/// Nothing changes while an attempt is under way: its settlement asks again. A receipt under a reference that no
/// answer gave (the provider took it, and the answer was lost) settles an unknown outcome; one that says *delivered*
/// settles any delivery that has no acceptance of its own.
#[must_use]
pub fn hear(mut delivery: Delivery, heard: &[HeardReceipt], at: Timestamp) -> Delivery {
    let was = delivery.state;
    let (present, past): (Vec<_>, Vec<_>) =
        heard.iter().partition(|one| one.generation == delivery.generation);
    // It arrived, and was sent round again all the same.
    delivery.possible_double |= past.iter().any(|one| one.receipt.state.arrived());
    let present: Vec<&Receipt> = present.iter().map(|one| &one.receipt).collect();
    match delivery.state {
        DeliveryState::Unplanned | DeliveryState::Leased => return delivery,
        DeliveryState::Accepted | DeliveryState::Delivered | DeliveryState::Undelivered => {
            delivery.learnt |= delivery.references.is_empty() && !present.is_empty();
            let strange = strangers(&delivery, &present);
            if delivery.learnt {
                learn(&mut delivery, &strange);
            } else if delivery.attempts_total > 1 {
                // An attempt before the one that was answered has arrived as well.
                delivery.possible_double |= strange.iter().any(|receipt| receipt.state.arrived());
            }
        }
        DeliveryState::Scheduled
        | DeliveryState::Held
        | DeliveryState::DeadLettered
        | DeliveryState::Expired
        | DeliveryState::Cancelled
        | DeliveryState::Kept => {
            let strange = strangers(&delivery, &present);
            let taken = strange.iter().any(|receipt| delivery.unresolved || receipt.state.arrived());
            if !taken {
                return delivery;
            }
            delivery.learnt = true;
            learn(&mut delivery, &strange);
            delivery.state = DeliveryState::Accepted;
            delivery.unresolved = false;
            delivery.lane = None;
            delivery.remaining = None;
            delivery.reason = None;
        }
    }
    judge(&mut delivery, &present);
    if delivery.state != was {
        delivery.changed_at = at;
    }
    delivery
}

/// Receipts under a reference that no answer gave.
fn strangers<'a>(delivery: &Delivery, present: &[&'a Receipt]) -> Vec<&'a Receipt> {
    present.iter().filter(|receipt| !delivery.references.contains(&receipt.reference)).copied().collect()
}

fn learn(delivery: &mut Delivery, strange: &[&Receipt]) {
    for receipt in strange {
        let known = &mut delivery.references;
        if known.len() < Acceptance::REFERENCES_MAX && !known.contains(&receipt.reference) {
            known.push(receipt.reference.clone());
        }
    }
    delivery.references.sort_unstable();
}

/// The state by the receipts for its references.
fn judge(delivery: &mut Delivery, present: &[&Receipt]) {
    let finals = |reference: &str| -> Vec<&Receipt> {
        let of =
            |receipt: &&&Receipt| receipt.reference == reference && receipt.state != ReceiptState::Pending;
        present.iter().filter(of).copied().collect()
    };
    let mut parts: Vec<Vec<&Receipt>> = delivery.references.iter().map(|one| finals(one)).collect();
    // Of references that receipts named, only those count that came to an end: nobody knows how many there are, and
    // a new one must not take back what was said.
    parts.retain(|part| !delivery.learnt || !part.is_empty());
    let arrived = !parts.is_empty() && parts.iter().all(|part| has_arrived(part));
    let worst = |wanted: fn(ReceiptState) -> bool| {
        let all = parts.iter().flatten().copied().filter(|receipt| wanted(receipt.state));
        all.min_by_key(|receipt| (&receipt.reference, &receipt.recipient, Reverse(receipt.state.rank())))
            .map(why)
    };
    let failed = worst(ReceiptState::failed);
    let (state, reason) = match (arrived, failed) {
        (true, failed) => {
            let kept = delivery.reason.take().filter(|_| failed.is_none());
            (DeliveryState::Delivered, worst(|state| state == ReceiptState::Complained).or(kept))
        }
        (false, Some(reason)) => (DeliveryState::Undelivered, Some(reason)),
        (false, None) => return,
    };
    delivery.state = state;
    delivery.reason = reason;
}

/// Whether, of the final receipts for one reference, each recipient's last word is that it arrived.
fn has_arrived(finals: &[&Receipt]) -> bool {
    let last = |recipient: &Option<String>| {
        finals
            .iter()
            .filter(|receipt| receipt.recipient == *recipient)
            .map(|receipt| receipt.state)
            .max_by_key(|state| state.rank())
    };
    !finals.is_empty()
        && finals.iter().all(|receipt| last(&receipt.recipient).is_some_and(ReceiptState::arrived))
}

/// The provider's code and words, or the state's own word.
fn why(receipt: &Receipt) -> Reason {
    let own = || Reason::new(receipt.state.as_str(), "the provider's receipt says so");
    receipt.reason.clone().unwrap_or_else(own)
}
