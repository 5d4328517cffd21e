//! What is under a gate's lock.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dispatch_model::{Access, LocationId, Timestamp};
use dispatch_store::RecipientKey;
use tokio::time::Instant;

use super::lobby::{Lobby, Newcomer};
use super::turn::ClaimTurn;
use crate::Limits;
use crate::breaker::{Breaker, Passage};
use crate::bucket::Bucket;

pub(super) struct Inner {
    pub(super) limits: Limits,
    pub(super) configured: bool,
    pub(super) suspended: bool,
    /// The least patience of the routes by which its work may go elsewhere; none where it cannot.
    pub(super) siblings: Option<Duration>,
    /// Attempts under way: each has a slot.
    pub(super) in_flight: u32,
    /// Attempts whose outcome is known and being written down: each has a recipient, and its slot is free again.
    pub(super) recording: u32,
    /// Recipients of attempts under way, of those being recorded and of those in the lobby.
    pub(super) busy: HashSet<i64>,
    pub(super) bucket: Bucket,
    pub(super) paused: Option<(Timestamp, String)>,
    pub(super) throttles: u32,
    pub(super) breaker: Breaker,
    /// When the first of the work that waits in the store alone is due, as far as is known.
    pub(super) next_due: Option<Timestamp>,
    pub(super) lobby: Lobby,
    /// Fresh messages on their way into the store behind this gate, less those that have a slot.
    pub(super) arriving: usize,
    /// Whether the first action of the last message delivered. Where it does not (a token is fetched, a file is uploaded),
    /// nothing enters before it is written: its lease would say that it may have been sent, long before it is.
    pub(super) delivers_first: bool,
    /// No claim before then.
    pub(super) not_before: Option<Instant>,
    pub(super) claiming: bool,
    /// Raised whenever `next_due` is told from outside: a claim that ran meanwhile may not have seen it.
    pub(super) told: u64,
    pub(super) after: Option<LocationId>,
    /// Raised when the lane becomes unavailable; a sweep that moved nothing is not repeated for it.
    pub(super) outage: u64,
    pub(super) swept: Option<u64>,
    /// Work may be held back since its recipient has an attempt under way: look when one ends.
    pub(super) held_back: bool,
    /// The timer that the scheduler holds for it.
    pub(super) timer: Option<Instant>,
    /// Whether it is in the scheduler's list already.
    pub(super) listed: bool,
    pub(super) saving: bool,
    pub(super) unsaved: bool,
}

/// How many may enter.
pub(super) enum Capacity {
    /// So many; as a probe or not.
    Free { count: usize, probe: bool },
    /// One more from then on.
    From(Instant),
    /// None until somebody leaves.
    None,
}

impl Inner {
    pub(super) fn access(&self, now: Timestamp) -> Access {
        if !self.configured {
            return Access::Gone;
        }
        if self.suspended {
            return Access::Suspended;
        }
        match self.breaker.passage(now) {
            Passage::Shut(until) => return Access::Broken(until),
            Passage::Probing => return Access::Broken(now),
            Passage::Free | Passage::Probe => {}
        }
        match &self.paused {
            Some((until, _)) if now < *until => Access::Paused(*until),
            _ => Access::Open,
        }
    }

    pub(super) fn free_slots(&self, now: Timestamp) -> usize {
        let all = match self.breaker.passage(now) {
            Passage::Free => self.limits.concurrency.max(1),
            Passage::Probe => 1 + self.in_flight,
            Passage::Probing | Passage::Shut(_) => 0,
        };
        all.saturating_sub(self.in_flight).saturating_sub(self.unrecorded()) as usize
    }

    /// Slots that are held back: a store that refuses what is to be recorded must not be asked for ever more.
    pub(super) fn unrecorded(&self) -> u32 {
        self.recording.saturating_sub(self.limits.concurrency.max(1))
    }

    /// Whether work of the store is to be looked at, or is being.
    pub(super) fn serves_the_store(&self, now: Timestamp) -> bool {
        self.claiming || self.next_due.is_some_and(|due| due <= now)
    }

    /// Whether a message to this recipient may wait in the lobby.
    pub(super) fn welcomes(&self, recipient: RecipientKey, now: Timestamp) -> bool {
        !self.serves_the_store(now) && self.access(now) == Access::Open && !self.busy.contains(&recipient.0)
    }

    /// Whether one more may enter while it is being written: there is a slot, and nobody waits for one.
    pub(super) fn admits(&mut self, now: Timestamp) -> bool {
        self.delivers_first
            && self.arriving == 0
            && self.lobby.is_empty()
            && matches!(self.capacity(now, Instant::now(), 1), Capacity::Free { probe: false, .. })
    }

    /// How many may enter now.
    pub(super) fn capacity(&mut self, now: Timestamp, clock: Instant, batch: usize) -> Capacity {
        let slots = self.free_slots(now).min(batch);
        if slots == 0 {
            return Capacity::None;
        }
        match self.bucket.available(clock) {
            0 => Capacity::From(self.bucket.ready_at(clock)),
            tokens => Capacity::Free {
                count: slots.min(tokens),
                probe: self.breaker.passage(now) == Passage::Probe,
            },
        }
    }

    /// Lets in as many of the lobby, with slots and tokens.
    pub(super) fn let_in(&mut self, count: usize, probe: bool) -> Vec<Newcomer> {
        let entered: Vec<Newcomer> = std::iter::from_fn(|| self.lobby.pop()).take(count).collect();
        self.enter(entered.len(), probe);
        entered
    }

    /// Whether anything waits that could be looked at.
    pub(super) fn has_work(&self) -> bool {
        !self.claiming && (self.next_due.is_some() || !self.lobby.is_empty())
    }

    /// Takes slots and tokens.
    pub(super) fn enter(&mut self, count: usize, probe: bool) {
        self.bucket.take(count);
        self.in_flight += count as u32;
        if probe {
            self.breaker.begin_probe();
        }
    }

    /// Sends all of the lobby away: they wait in the store, and are claimed there.
    pub(super) fn clear_lobby(&mut self, now: Timestamp) {
        while let Some(newcomer) = self.lobby.pop() {
            self.busy.remove(&newcomer.recipient.0);
        }
        self.tell(now);
    }

    /// Whether its work is to be moved on rather than to wait.
    pub(super) fn sweeps(&self, access: Access, now: Timestamp) -> bool {
        if access == Access::Gone {
            return true;
        }
        let Some(patience) = self.siblings.filter(|_| self.swept != Some(self.outage)) else { return false };
        match access {
            Access::Broken(until) => until > now,
            Access::Paused(until) => until.since(now) > patience,
            Access::Suspended => true,
            Access::Open | Access::Gone => false,
        }
    }

    pub(super) fn begin_claim(&mut self, want: usize, sweep: bool, probe: bool) -> ClaimTurn {
        self.claiming = true;
        ClaimTurn {
            want,
            sweep,
            probe,
            busy: Arc::new(self.busy.clone()),
            after: self.after.clone(),
            told: self.told,
        }
    }

    pub(super) fn tell(&mut self, due: Timestamp) {
        self.told += 1;
        self.next_due = Some(self.next_due.map_or(due, |known| known.min(due)));
        self.not_before = None;
    }
}
