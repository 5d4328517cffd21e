//! What the end of a lease makes of a delivery. The table of outcomes is this file.
//!
//! Pure: `(delivery, how it ended, facts, randomness) -> (delivery, effects)`. What concerns the lane
//! (pauses, its breaker) is returned as effects, so that the same function runs in the engine, in a
//! replay and in a property test.
//!
//! ```text
//! Accepted              -> Accepted, or Scheduled for the recipients that may be tried again
//! Deferred              -> Scheduled here, then elsewhere (attempts spent), then DeadLettered
//! Throttled             -> Scheduled here or elsewhere, free; the lane pauses
//! Rejected              -> DeadLettered; sender and account go elsewhere first
//! Unknown               -> Scheduled here to ask the provider; else here, Held or DeadLettered, by the route; never elsewhere
//! fault                 -> elsewhere, then DeadLettered; Held once something may have left
//! suppressed            -> DeadLettered, or Accepted where others were taken before
//! released              -> Scheduled, here or elsewhere; Expired when it is too late
//! ```
//!
//! A delivery with an unresolved Unknown never leaves its backend, whatever happens to it later: where
//! another one would go elsewhere or become a dead letter, it is `Held`.

mod code;
mod place;
#[cfg(test)]
mod tests;

use std::time::Duration;

use rand::RngCore;

pub use code::{BACKEND_GONE, EXPIRED, NO_INBOUND_ROUTE, NO_ROUTE, PLUGIN_FAULT, SUPPRESSED};
pub use place::{Access, Place};

use crate::{
    Acceptance, BackendName, Delivery, DeliveryState, Fault, OnUnknown, Outcome, Plan, Policy, Reason,
    Rejection, Timestamp,
};

/// How a lease ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// With what.
    pub end: End,
    /// Whether an action that delivers was taken under this lease.
    pub marked: bool,
    /// Whether the provider itself seemed broken (no connection, no answer, a 5xx): that counts for the
    /// breaker. A clean "try later" about one message does not.
    pub trouble: bool,
    /// When.
    pub at: Timestamp,
}

/// With what a lease ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// An attempt came to its outcome, the engine's overrulings included.
    Outcome(Outcome),
    /// The host ended the plugin's call.
    Fault(Fault),
    /// The provider was asked about the unresolved attempt and has it.
    Found(Outcome),
    /// The provider was asked and does not have it: nothing was delivered.
    Absent,
    /// The provider was asked, and its list may not show it yet: to be asked again, no sooner than this.
    NotYet(Duration),
    /// The provider was asked and cannot say, or another try is not to be made.
    CannotTell(Reason),
    /// Not attempted, since its recipients want no messages.
    Suppressed(Reason),
    /// Given back without an attempt: too late, an unavailable backend, a draining engine.
    Released,
}

/// What is known at the end of a lease.
pub struct Facts<'a> {
    /// The route's policy.
    pub policy: &'a Policy,
    /// How each backend can be had. A function, since most ends need none of it.
    pub place: &'a dyn Fn(&BackendName) -> Place,
    /// The pause where the provider throttles and names none.
    pub pause_default: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// Whether the provider can be asked what became of an attempt.
    pub looks_up: bool,
    /// Whether a repeated request is recognised, so that its answer is also the first one's.
    pub idempotent: bool,
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// The delivery from now on.
    pub delivery: Delivery,
    /// What it means for the lane it was tried in.
    pub effects: Vec<LaneEffect>,
}

/// What an end means for everybody in the lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaneEffect {
    /// Nothing more before `until`.
    Pause {
        /// The end of the pause.
        until: Timestamp,
        /// The provider's words.
        reason: Reason,
    },
    /// The provider works.
    Success,
    /// The provider seems broken; so many in a row open the breaker.
    Failure {
        /// What happened.
        reason: Reason,
    },
    /// The account does not work: open the breaker now.
    OpenBreaker {
        /// The provider's words.
        reason: Reason,
    },
}

/// The end of a lease. A delivery that is not leased is returned as it is: nothing leaves a final state by
/// itself.
pub fn settle(delivery: Delivery, finish: &Finish, facts: &Facts<'_>, rng: &mut dyn RngCore) -> Settled {
    if delivery.state != DeliveryState::Leased {
        return Settled { delivery, effects: Vec::new() };
    }
    let mut turn = Turn { delivery, at: finish.at, facts, rng, effects: Vec::new() };
    turn.delivery.marked = false;
    turn.delivery.changed_at = finish.at;
    if finish.marked && turn.delivery.unresolved {
        turn.delivery.possible_double = true;
    }
    turn.end(finish);
    Settled { delivery: turn.delivery, effects: turn.effects }
}

/// The beginning: what routing decided, made into the first place to wait in. A plan without a route is
/// a dead letter at once. One that is not to be tried at all comes with its `end`: the state, and why.
pub fn plan(
    delivery: Delivery,
    plan: Plan,
    end: Option<(DeliveryState, Reason)>,
    facts: &Facts<'_>,
    at: Timestamp,
    rng: &mut dyn RngCore,
) -> Delivery {
    if delivery.state != DeliveryState::Unplanned {
        return delivery;
    }
    let mut turn = Turn { delivery, at, facts, rng, effects: Vec::new() };
    turn.delivery.plan = plan;
    turn.delivery.position = 0;
    turn.delivery.attempts = 0;
    // Its time runs from when it was admitted or redriven, however long it then waited to be planned.
    turn.delivery.expires_at = turn.delivery.changed_at.plus(facts.policy.expires_after);
    turn.delivery.changed_at = at;
    // Redriven although nobody knows whether it arrived: that is the operator's word, and a possible double.
    turn.delivery.possible_double |= std::mem::take(&mut turn.delivery.unresolved);
    if let Some((state, reason)) = end {
        turn.finish(state, Some(reason));
    } else if turn.delivery.plan.chain.is_empty() {
        let words = turn.delivery.plan.reasons.last().cloned().unwrap_or_else(|| "no route matches".into());
        turn.finish(DeliveryState::DeadLettered, Some(Reason::new(NO_ROUTE, words)));
    } else {
        turn.seek(at, None);
    }
    turn.delivery
}

/// One transition under way.
struct Turn<'a> {
    delivery: Delivery,
    at: Timestamp,
    facts: &'a Facts<'a>,
    rng: &'a mut dyn RngCore,
    effects: Vec<LaneEffect>,
}

impl Turn<'_> {
    fn end(&mut self, finish: &Finish) {
        match &finish.end {
            End::Outcome(outcome) => {
                self.delivery.attempts_total += 1;
                if !matches!(outcome, Outcome::Throttled { .. }) {
                    self.delivery.attempts += 1;
                }
                self.lane(outcome, finish.trouble);
                self.outcome(outcome);
            }
            End::Found(outcome) => {
                self.delivery.attempts_total += 1;
                // Throttling costs no attempt, also when it is learnt later that it was that.
                if matches!(outcome, Outcome::Throttled { .. }) {
                    self.delivery.attempts = self.delivery.attempts.saturating_sub(1);
                }
                match outcome {
                    // Asking again at once would not make it known.
                    Outcome::Unknown { reason } => self.unknown(reason, false),
                    known => self.resolved().outcome(known),
                }
            }
            End::Absent => {
                self.delivery.attempts_total += 1;
                self.delivery.unresolved = false;
                let reason = Reason::new("absent", "the provider does not have it: nothing was delivered");
                self.again(reason, Duration::ZERO);
            }
            End::NotYet(wait) => {
                self.delivery.attempts_total += 1;
                self.stay(self.at.plus(self.facts.policy.lookup_after.max(*wait)), None);
            }
            End::CannotTell(reason) => {
                self.delivery.attempts_total += 1;
                self.unknown(reason, false);
            }
            End::Fault(fault) => {
                self.delivery.attempts_total += 1;
                self.delivery.attempts += 1;
                let reason = Reason::new(PLUGIN_FAULT, fault.to_string());
                // A pure function would do it again: another try at this backend is no use.
                self.delivery.unresolved |= finish.marked;
                self.elsewhere(reason);
            }
            // Like a provider's refusal of the recipient: what went to others before stands, and what may have arrived
            // is an operator's to say.
            End::Suppressed(reason) => self.rejected(Rejection::Recipient, reason),
            End::Released if finish.marked => {
                self.delivery.attempts += 1;
                self.unknown(&Reason::new("broken-off", "given up after it may have left"), true);
            }
            End::Released => self.seek(self.at, None),
        }
    }

    /// What an outcome says about the lane.
    fn lane(&mut self, outcome: &Outcome, trouble: bool) {
        let effect = match outcome {
            Outcome::Accepted(_) => LaneEffect::Success,
            Outcome::Rejected { kind: Rejection::Account, reason } => {
                LaneEffect::OpenBreaker { reason: reason.clone() }
            }
            Outcome::Deferred { reason, .. } | Outcome::Unknown { reason } if trouble => {
                LaneEffect::Failure { reason: reason.clone() }
            }
            Outcome::Rejected { .. } | Outcome::Deferred { .. } => LaneEffect::Success,
            Outcome::Unknown { .. } => return,
            Outcome::Throttled { reason, .. } => {
                LaneEffect::Pause { until: self.pause_end(outcome), reason: reason.clone() }
            }
        };
        self.effects.push(effect);
    }

    fn outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Accepted(acceptance) => self.accepted(acceptance),
            Outcome::Deferred { reason, retry_after_ms } => {
                self.again(reason.clone(), retry_after_ms.map_or(Duration::ZERO, Duration::from_millis));
            }
            Outcome::Throttled { reason, .. } => self.throttled(self.pause_end(outcome), reason.clone()),
            Outcome::Rejected { kind, reason } => self.rejected(*kind, reason),
            Outcome::Unknown { reason } => self.unknown(reason, true),
        }
    }

    fn accepted(&mut self, acceptance: &Acceptance) {
        self.delivery.unresolved = false;
        self.refer(&acceptance.references);
        // Only those it went to this time count: a plugin cannot name one that was taken before.
        let went = |name: &String| self.delivery.remaining.as_ref().is_none_or(|left| left.contains(name));
        let again: Vec<_> =
            acceptance.refused.iter().filter(|one| one.retry && went(&one.recipient)).collect();
        if let Some(first) = again.first() {
            let reason = first.reason.clone();
            self.delivery.remaining = Some(again.iter().map(|one| one.recipient.clone()).collect());
            return self.again(reason, Duration::ZERO);
        }
        let refused = acceptance.refused.first().map(|first| {
            let count = acceptance.refused.len();
            Reason::new(
                first.reason.code.clone(),
                format!("{count} of the recipients refused: {}", first.reason.message),
            )
        });
        self.finish(DeliveryState::Accepted, refused);
    }

    /// Takes the provider's ids over. Where others were taken before, what went to them keeps its own.
    fn refer(&mut self, references: &[String]) {
        let known = &mut self.delivery.references;
        if self.delivery.remaining.is_none() && !references.is_empty() {
            known.clear();
        }
        for reference in references {
            if known.len() < Acceptance::REFERENCES_MAX && !known.contains(reference) {
                known.push(reference.clone());
            }
        }
    }

    /// Transient, and nothing was delivered. Waits at least as long as the provider asked.
    fn again(&mut self, reason: Reason, asked: Duration) {
        let schedule = &self.facts.policy.retry;
        if self.delivery.attempts >= schedule.attempts.max(1) {
            return self.elsewhere(reason);
        }
        let wait = schedule.wait_after(self.delivery.attempts, self.rng).max(asked);
        self.seek(self.at.plus(wait), Some(reason));
    }

    fn throttled(&mut self, until: Timestamp, reason: Reason) {
        self.delivery.reason = Some(reason.clone());
        if self.delivery.unresolved || until.since(self.at) <= self.facts.policy.patience {
            return self.stay(until, Some(reason));
        }
        self.seek_past(Access::Paused(until), until, Some(reason));
    }

    fn pause_end(&self, outcome: &Outcome) -> Timestamp {
        let asked = match outcome {
            Outcome::Throttled { retry_after_ms: Some(millis), .. } => Duration::from_millis(*millis),
            _ => self.facts.pause_default,
        };
        self.at.plus(asked.min(self.facts.pause_max))
    }

    fn rejected(&mut self, kind: Rejection, reason: &Reason) {
        if self.delivery.unresolved && !self.facts.idempotent && kind != Rejection::Account {
            // This try was refused; the one before may still have arrived.
            return self.finish(DeliveryState::Held, Some(reason.clone()));
        }
        match kind {
            Rejection::Content if self.facts.policy.failover_on_content => {
                self.resolved().elsewhere(reason.clone());
            }
            Rejection::Recipient | Rejection::Content => {
                // Where others were taken before, the rest stands: this is the end of those refused.
                let state = match self.delivery.remaining {
                    Some(_) => DeliveryState::Accepted,
                    None => DeliveryState::DeadLettered,
                };
                self.resolved().finish(state, Some(reason.clone()));
            }
            Rejection::Sender => self.resolved().elsewhere(reason.clone()),
            Rejection::Account => self.account(reason),
        }
    }

    /// The backend's own fault: elsewhere at once. Where there is nowhere to go now the delivery waits for
    /// the account to be put right, up to its attempts.
    fn account(&mut self, reason: &Reason) {
        let schedule = &self.facts.policy.retry;
        if self.delivery.attempts >= schedule.attempts.max(1) {
            return self.elsewhere(reason.clone());
        }
        let back = self.at.plus(schedule.wait_after(self.delivery.attempts, self.rng));
        self.seek_past(Access::Broken(back), back, Some(reason.clone()));
    }

    /// It may have been delivered. With `ask`, the provider is asked first where it can be.
    fn unknown(&mut self, reason: &Reason, ask: bool) {
        self.delivery.unresolved = true;
        let schedule = &self.facts.policy.retry;
        let due = self.at.plus(schedule.wait_after(self.delivery.attempts, self.rng));
        if ask && self.facts.looks_up {
            // Where a repetition is recognised there is nothing to wait for.
            let listed = self.at.plus(self.facts.policy.lookup_after);
            return self.stay(if self.facts.idempotent { due } else { listed }, Some(reason.clone()));
        }
        match self.facts.policy.on_unknown {
            OnUnknown::Retry if self.delivery.attempts < schedule.attempts.max(1) => {
                self.delivery.possible_double = true;
                self.stay(due, Some(reason.clone()));
            }
            OnUnknown::Retry | OnUnknown::Hold => self.finish(DeliveryState::Held, Some(reason.clone())),
            OnUnknown::Fail => self.finish(DeliveryState::DeadLettered, Some(reason.clone())),
        }
    }

    /// The answer settles the earlier attempt as well.
    fn resolved(&mut self) -> &mut Self {
        self.delivery.unresolved = false;
        self
    }

    /// This is where it ends.
    fn finish(&mut self, state: DeliveryState, reason: Option<Reason>) {
        self.delivery.state = state;
        self.delivery.lane = None;
        self.delivery.reason = reason;
        if state == DeliveryState::Accepted {
            self.delivery.remaining = None;
        }
    }
}
