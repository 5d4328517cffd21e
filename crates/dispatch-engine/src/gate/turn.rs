//! Whose turn it is: what to claim for a lane, and what became of the claim.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dispatch_model::{Access, LocationId, Timestamp};
use dispatch_store::Claims;
use tokio::time::Instant;

use super::inner::Capacity;
use super::{Gate, Newcomer};

/// A claim that found due work and could lease none of it is not repeated before an attempt ends, or this
/// long.
const RECHECK: Duration = Duration::from_secs(1);
/// No timer is longer: what is suspended is due at the end of time, and timers count in less.
const TIMER_MAX: Duration = Duration::from_secs(24 * 3600);

/// What to do with a lane now.
pub(crate) enum Turn {
    /// Attempt these of the lobby; as a probe or not.
    Attempt(Vec<Newcomer>, bool),
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
    /// What to do now. The lobby goes before the store, since it holds all that is due or nothing. A claim given here
    /// must end with [`claimed`](Self::claimed) or [`unclaimed`](Self::unclaimed).
    pub(crate) fn turn(&self, now: Timestamp, batch: usize) -> Turn {
        let clock = Instant::now();
        let mut inner = self.inner.lock();
        if inner.claiming {
            return Turn::Idle;
        }
        if !inner.lobby.is_empty() && (inner.serves_the_store(now) || inner.access(now) != Access::Open) {
            inner.clear_lobby(now);
        }
        if !inner.lobby.is_empty() {
            return match inner.capacity(now, clock, batch) {
                Capacity::Free { count, probe } => Turn::Attempt(inner.let_in(count, probe), probe),
                Capacity::From(then) => Turn::Wait(then),
                Capacity::None => Turn::Idle,
            };
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
            Access::Open => match inner.capacity(now, clock, batch) {
                Capacity::Free { count, probe } => {
                    inner.enter(count, probe);
                    Turn::Claim(inner.begin_claim(count, false, probe))
                }
                Capacity::From(then) => Turn::Wait(then),
                Capacity::None => Turn::Idle,
            },
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
