//! Whose turn it is: what to claim for a lane, and what became of the claim.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dispatch_model::{Access, LocationId, Timestamp};
use dispatch_store::Claims;
use tokio::time::Instant;

use super::Gate;
use crate::breaker::Passage;

/// A claim that found due work and could lease none of it is not repeated before an attempt ends, or this
/// long.
const RECHECK: Duration = Duration::from_secs(1);
/// No timer is longer: what is suspended is due at the end of time, and timers count in less.
const TIMER_MAX: Duration = Duration::from_secs(24 * 3600);

/// What to do with a lane now.
pub(crate) enum Turn {
    /// Claim so.
    Claim(ClaimTurn),
    /// Look again then.
    Wait(Instant),
    /// Nothing until somebody says so.
    Idle,
}

/// A claim with its slots and tokens in hand.
pub(crate) struct ClaimTurn {
    pub(crate) want: usize,
    /// To move work on, not to attempt it.
    pub(crate) sweep: bool,
    pub(crate) probe: bool,
    pub(crate) busy: Arc<HashSet<i64>>,
    pub(crate) after: Option<LocationId>,
    pub(super) told: u64,
}

impl Gate {
    /// What to do now. A claim given here must end with [`claimed`](Self::claimed) or
    /// [`unclaimed`](Self::unclaimed).
    pub(crate) fn turn(&self, now: Timestamp, batch: usize) -> Turn {
        let clock = Instant::now();
        let mut inner = self.inner.lock();
        if inner.claiming {
            return Turn::Idle;
        }
        let Some(due) = inner.next_due else { return Turn::Idle };
        if due > now {
            return Turn::Wait(clock + due.since(now).min(TIMER_MAX));
        }
        if let Some(then) = inner.not_before.filter(|then| *then > clock) {
            return Turn::Wait(then);
        }
        let access = inner.access(now);
        if inner.sweeps(access, now) {
            return Turn::Claim(inner.begin_claim(batch, true, false));
        }
        match access {
            Access::Paused(until) | Access::Broken(until) if until > now => {
                Turn::Wait(clock + until.since(now).min(TIMER_MAX))
            }
            // A probe is under way: its end wakes the lane.
            Access::Paused(_) | Access::Broken(_) | Access::Suspended | Access::Gone => Turn::Idle,
            Access::Open => {
                let slots = inner.free_slots(now).min(batch);
                if slots == 0 {
                    return Turn::Idle;
                }
                let tokens = inner.bucket.available(clock);
                if tokens == 0 {
                    return Turn::Wait(inner.bucket.ready_at(clock));
                }
                let want = slots.min(tokens);
                let probe = inner.breaker.passage(now) == Passage::Probe;
                inner.bucket.take(want);
                inner.in_flight += want as u32;
                if probe {
                    inner.breaker.begin_probe();
                }
                Turn::Claim(inner.begin_claim(want, false, probe))
            }
        }
    }

    /// A claim came back. Slots and tokens that it did not use are free again.
    pub(crate) fn claimed(&self, turn: &ClaimTurn, claims: &Claims, now: Timestamp) {
        let mut inner = self.inner.lock();
        inner.claiming = false;
        inner.after.clone_from(&claims.after);
        if !turn.sweep {
            let unused = turn.want.saturating_sub(claims.claimed.len());
            inner.in_flight = inner.in_flight.saturating_sub(unused as u32);
            inner.bucket.give_back(unused);
            inner.busy.extend(claims.claimed.iter().map(|one| one.recipient.0));
            if turn.probe && claims.claimed.is_empty() {
                inner.breaker.end_probe();
            }
        }
        // The store tells nothing of work whose recipient is busy, this claim's own included: it is looked
        // for when an attempt ends, and at once where one ended while the claim was under way.
        inner.held_back = !inner.busy.is_empty();
        let freed = turn.busy.iter().any(|recipient| !inner.busy.contains(recipient));
        let fruitless = claims.claimed.is_empty() && !freed;
        let due = if claims.more || freed { Some(now) } else { claims.next_due };
        if inner.told == turn.told {
            inner.next_due = due;
        } else if let Some(due) = due {
            inner.next_due = Some(inner.next_due.map_or(due, |known| known.min(due)));
        }
        if fruitless && due.is_some_and(|due| due <= now) {
            inner.not_before = Some(Instant::now() + RECHECK);
        }
        if fruitless && turn.sweep {
            inner.swept = Some(inner.outage);
        }
    }

    /// A claim failed: everything is given back, and the next is not before `wait`.
    pub(crate) fn unclaimed(&self, turn: &ClaimTurn, wait: Duration) {
        let mut inner = self.inner.lock();
        inner.claiming = false;
        if !turn.sweep {
            inner.in_flight = inner.in_flight.saturating_sub(turn.want as u32);
            inner.bucket.give_back(turn.want);
        }
        if turn.probe {
            inner.breaker.end_probe();
        }
        inner.not_before = Some(Instant::now() + wait);
    }

    /// A sweep could move nothing: it is not repeated while the lane stays as it is.
    pub(crate) fn swept_in_vain(&self) {
        let mut inner = self.inner.lock();
        inner.swept = Some(inner.outage);
    }
}

#[cfg(test)]
mod tests {
    use dispatch_model::Lane;
    use dispatch_store::RecipientKey;

    use super::*;
    use crate::Limits;
    use crate::meters::Meters;

    const NOW: Timestamp = Timestamp::from_millis(1000);

    fn gate() -> Gate {
        let gate = Gate::new(Lane::shared("a".into()), Arc::new(Meters::new(&"a".into())));
        gate.configure(Some(Limits { concurrency: 4, ..Limits::default() }), None);
        gate
    }

    fn claim(gate: &Gate) -> Option<ClaimTurn> {
        match gate.turn(NOW, 32) {
            Turn::Claim(turn) => Some(turn),
            Turn::Wait(_) | Turn::Idle => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slots_are_in_hand_and_given_back() {
        let gate = gate();
        assert!(claim(&gate).is_none(), "no work, no claim");
        assert_eq!(gate.try_enter(RecipientKey(1), NOW), Some(false));
        assert_eq!(gate.try_enter(RecipientKey(1), NOW), None, "one in flight for each recipient");
        gate.tell(NOW);
        assert_eq!(gate.try_enter(RecipientKey(2), NOW), None, "nobody overtakes what waits");
        let turn = claim(&gate).expect("there is work");
        assert_eq!(turn.want, 3);
        assert!(claim(&gate).is_none(), "one claim at a time");
        gate.claimed(&turn, &Claims::default(), NOW);
        assert_eq!(gate.try_enter(RecipientKey(2), NOW), Some(false));
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_ends_during_a_claim_frees_what_the_claim_passed_over() {
        let gate = gate();
        assert!(gate.try_enter(RecipientKey(1), NOW).is_some());
        gate.tell(NOW);
        let turn = claim(&gate).expect("there is work");
        assert!(turn.busy.contains(&1));
        gate.leave(RecipientKey(1), false, NOW);
        gate.claimed(&turn, &Claims::default(), NOW);
        assert!(claim(&gate).is_some(), "the store passed over it, and nobody else will say so");
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_claim_passed_over_is_looked_for_when_an_attempt_ends() {
        let gate = gate();
        assert!(gate.try_enter(RecipientKey(1), NOW).is_some());
        gate.tell(NOW);
        let turn = claim(&gate).expect("there is work");
        gate.claimed(&turn, &Claims::default(), NOW);
        assert!(claim(&gate).is_none());
        assert!(gate.leave(RecipientKey(1), false, NOW));
        assert!(claim(&gate).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn work_told_of_during_a_claim_is_not_forgotten() {
        let gate = gate();
        gate.tell(NOW);
        let turn = claim(&gate).expect("there is work");
        gate.tell(NOW);
        gate.claimed(&turn, &Claims::default(), NOW);
        assert!(claim(&gate).is_some(), "the claim may have been too early to see it");
    }
}
