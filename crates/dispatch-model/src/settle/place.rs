//! Where a delivery waits next: its chain, and how each backend of it can be had.
//!
//! `position` counts the backends that are spent. One that is passed over untried because it cannot be
//! had now is put behind the one chosen, so it is still there when that one is spent; one that was
//! tried and is left is spent. So the counted attempts of a delivery never exceed its schedule times
//! its chain, however its backends come and go.

use super::{BACKEND_GONE, EXPIRED, Turn};
use crate::{BackendName, DeliveryState, Lane, Reason, Timestamp};

/// How a backend can be had now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The lane that the delivery would wait in.
    pub lane: Lane,
    /// Whether work starts from it.
    pub access: Access,
}

/// Whether work starts from a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It does.
    Open,
    /// Throttled until then.
    Paused(Timestamp),
    /// Its breaker is open until then.
    Broken(Timestamp),
    /// An operator suspended its backend.
    Suspended,
    /// The configuration has no such backend, or it does not carry this channel.
    Gone,
}

impl Turn<'_> {
    /// Spends the backend, and goes to the next one if there is any.
    pub(super) fn elsewhere(&mut self, reason: Reason) {
        if self.delivery.unresolved {
            return self.finish(DeliveryState::Held, Some(reason));
        }
        self.spend();
        self.seek(self.at, Some(reason));
    }

    /// Waits at the present backend where it can be had (not before `due`), else at the first that can.
    pub(super) fn seek(&mut self, due: Timestamp, reason: Option<Reason>) {
        match self.delivery.backend().cloned() {
            None => self.spent(reason),
            Some(name) => {
                let access = (self.facts.place)(&name).access;
                self.seek_past(access, due, reason);
            }
        }
    }

    /// The same, with the present backend's access given.
    pub(super) fn seek_past(&mut self, present: Access, due: Timestamp, reason: Option<Reason>) {
        if self.delivery.unresolved {
            return match present {
                Access::Gone => self.finish(DeliveryState::Held, Some(reason.unwrap_or_else(gone))),
                Access::Paused(until) | Access::Broken(until) => self.stay(due.max(until), reason),
                Access::Open | Access::Suspended => self.stay(due, reason),
            };
        }
        let from = self.delivery.position as usize;
        let mut later: Option<(usize, Option<Timestamp>)> = None;
        for index in from..self.delivery.plan.chain.len() {
            let here = index == from;
            let name = self.delivery.plan.chain[index].clone();
            let access = if here { present } else { (self.facts.place)(&name).access };
            let (chosen, end) = match access {
                Access::Open => (true, None),
                Access::Paused(until) => (until.since(self.at) <= self.facts.policy.patience, Some(until)),
                Access::Broken(until) => (false, Some(until)),
                Access::Suspended => (false, None),
                Access::Gone => {
                    self.note_gone(&name);
                    continue;
                }
            };
            let not_before = end.unwrap_or(self.at);
            if chosen {
                let due = if here { due.max(not_before) } else { not_before };
                return self.wait_at(index, due, reason);
            }
            // All unavailable: where it was tried already it stays, unless nobody knows for how long.
            let sooner = match later {
                None => true,
                Some((first, Some(_))) if first == from && self.delivery.attempts > 0 => false,
                Some((_, best)) => end.is_some_and(|end| best.is_none_or(|best| end < best)),
            };
            if sooner {
                later = Some((index, end));
            }
        }
        match later {
            Some((index, end)) => {
                let not_before = end.unwrap_or(self.at);
                let due = if index == from { due.max(not_before) } else { not_before };
                self.wait_at(index, due, reason);
            }
            None => self.spent(reason),
        }
    }

    /// Waits at the present backend.
    pub(super) fn stay(&mut self, due: Timestamp, reason: Option<Reason>) {
        self.wait_at(self.delivery.position as usize, due, reason);
    }

    /// Waits at the backend with this index in the chain.
    fn wait_at(&mut self, index: usize, due: Timestamp, reason: Option<Reason>) {
        if self.at >= self.delivery.expires_at {
            return self.expire(reason);
        }
        if index != self.delivery.position as usize {
            if self.delivery.attempts > 0 {
                self.spend();
            }
            let chosen = self.delivery.plan.chain.remove(index);
            self.delivery.plan.chain.insert(self.delivery.position as usize, chosen);
        }
        let Some(name) = self.delivery.backend() else { return self.spent(reason) };
        self.delivery.lane = Some((self.facts.place)(name).lane);
        self.delivery.state = DeliveryState::Scheduled;
        self.delivery.due_at = due.min(self.delivery.expires_at);
        if reason.is_some() {
            self.delivery.reason = reason;
        }
    }

    fn spend(&mut self) {
        self.delivery.position += 1;
        self.delivery.attempts = 0;
    }

    /// The chain is spent.
    fn spent(&mut self, reason: Option<Reason>) {
        let reason = reason.or_else(|| self.delivery.reason.clone()).unwrap_or_else(gone);
        self.finish(DeliveryState::DeadLettered, Some(reason));
    }

    /// Too late. What may have been delivered is not called expired: an operator has to say.
    fn expire(&mut self, reason: Option<Reason>) {
        let last = reason.or_else(|| self.delivery.reason.clone());
        if self.delivery.unresolved {
            return self.finish(DeliveryState::Held, Some(last.unwrap_or_else(|| too_late(None))));
        }
        self.finish(DeliveryState::Expired, Some(too_late(last)));
    }

    fn note_gone(&mut self, name: &BackendName) {
        let note = format!("backend \"{name}\": skipped, it is no longer in the configuration");
        if !self.delivery.plan.reasons.contains(&note) {
            self.delivery.plan.reasons.push(note);
        }
    }
}

fn gone() -> Reason {
    Reason::new(BACKEND_GONE, "no backend of the plan is in the configuration any more")
}

fn too_late(last: Option<Reason>) -> Reason {
    let words = match last {
        Some(last) if last.code == EXPIRED => last.message,
        Some(last) => format!("not delivered in time; last: {last}"),
        None => "not delivered in time".to_owned(),
    };
    Reason::new(EXPIRED, words)
}
