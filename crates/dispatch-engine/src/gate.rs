//! The gate of a lane: slots, rate, pause, breaker, and what is known of the work that waits behind it.
//!
//! All of it is under one short lock that is never held across an await. What comes to a free slot takes it as it is being
//! written ([`Gate::arriving`]). Of what waits [`Gate::turn`] says what enters, with slots and tokens already in hand: messages of the [lobby](lobby), which were written a moment ago, or a claim from the
//! store. A lane whose backend cannot be had is *swept* instead: its deliveries are claimed without slots and tokens,
//! only to be moved on to the next backend of their chains.

mod inner;
mod lobby;
mod turn;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dispatch_model::{Access, Lane, LaneEffect, Timestamp};
use dispatch_store::{LaneRecord, RecipientKey};
use parking_lot::Mutex;
use tokio::time::Instant;

use self::inner::Inner;
use self::lobby::Lobby;
pub(crate) use self::lobby::{Newcomer, Room};
pub(crate) use self::turn::{ClaimTurn, Turn};
use crate::breaker::Breaker;
use crate::bucket::Bucket;
use crate::meters::Meters;
use crate::{BreakerStatus, LaneStatus, Limits, Until};

/// The first pause where the provider throttles and names none; doubles while it goes on.
const PAUSE_FIRST: Duration = Duration::from_secs(5);

/// The way of a message that is being admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It has a slot before it is written.
    Enters,
    /// It is attempted at once if there is a slot: into the lobby, as it looks now.
    Lobby,
    /// It waits in the store alone.
    Store,
}

/// A lane's gate.
pub(crate) struct Gate {
    /// Which lane.
    pub(crate) lane: Lane,
    /// Its counters.
    pub(crate) meters: Arc<Meters>,
    inner: Mutex<Inner>,
}

impl Gate {
    pub(crate) fn new(lane: Lane, meters: Arc<Meters>) -> Self {
        let limits = Limits::default();
        let inner = Inner {
            bucket: Bucket::new(limits.rate, Instant::now()),
            limits,
            configured: false,
            suspended: false,
            siblings: None,
            in_flight: 0,
            recording: 0,
            busy: HashSet::new(),
            paused: None,
            throttles: 0,
            breaker: Breaker::default(),
            next_due: None,
            lobby: Lobby::default(),
            arriving: 0,
            delivers_first: false,
            not_before: None,
            claiming: false,
            told: 0,
            after: None,
            outage: 0,
            swept: None,
            held_back: false,
            timer: None,
            listed: false,
            saving: false,
            unsaved: false,
        };
        Self { lane, meters, inner: Mutex::new(inner) }
    }

    /// Takes over what the configuration says of it; `None`: the configuration no longer has it.
    pub(crate) fn configure(&self, limits: Option<Limits>, siblings: Option<Duration>) {
        let mut inner = self.inner.lock();
        inner.configured = limits.is_some();
        if let Some(limits) = limits {
            inner.bucket.set_rate(limits.rate, Instant::now());
            inner.limits = limits;
        }
        inner.siblings = siblings;
        inner.outage += 1;
    }

    /// Takes over what was kept of it. Neither lasts longer than it could have been set for now: the clock may
    /// have been ahead when it was kept.
    pub(crate) fn restore(&self, record: LaneRecord, now: Timestamp) {
        let mut inner = self.inner.lock();
        let latest_pause = now.plus(inner.limits.pause_max);
        let latest_open = now.plus(Breaker::longest(inner.limits.breaker_open));
        let paused_until = record.paused_until.map(|until| until.min(latest_pause));
        let open_until = record.open_until.map(|until| until.min(latest_open));
        inner.paused = paused_until.map(|until| (until, record.pause_reason.unwrap_or_default()));
        inner.breaker = Breaker::restored(open_until, record.open_reason, record.opened);
        inner.outage += 1;
    }

    pub(crate) fn suspend(&self, suspended: bool) {
        let mut inner = self.inner.lock();
        inner.suspended = suspended;
        inner.outage += 1;
        inner.not_before = None;
    }

    /// Settings, secrets or plugin changed: what was wrong may be right now.
    pub(crate) fn probe_now(&self, now: Timestamp) {
        let mut inner = self.inner.lock();
        // Another plugin may begin otherwise.
        inner.delivers_first = false;
        let changed = inner.breaker.probe_now(now);
        inner.unsaved |= changed;
    }

    /// How it can be had now.
    pub(crate) fn access(&self, now: Timestamp) -> Access {
        self.inner.lock().access(now)
    }

    /// The pause for a provider that throttles and names none, and the longest pause.
    pub(crate) fn pauses(&self) -> (Duration, Duration) {
        let inner = self.inner.lock();
        let doubled = PAUSE_FIRST.saturating_mul(2u32.saturating_pow(inner.throttles.min(16)));
        (doubled.min(inner.limits.pause_max), inner.limits.pause_max)
    }

    /// An attempt's outcome is known, and what it means for the lane [applied](Self::apply). Its slot is free; its recipient
    /// is busy until it [leaves](Self::leave). Whether the scheduler should look at the lane.
    pub(crate) fn vacate(&self, probe: bool) -> bool {
        let mut inner = self.inner.lock();
        inner.in_flight = inner.in_flight.saturating_sub(1);
        inner.recording += 1;
        inner.not_before = None;
        if probe {
            inner.breaker.end_probe();
        }
        inner.has_work()
    }

    /// An attempt that [vacated](Self::vacate) its slot is recorded, or will not be. Whether the scheduler should look at
    /// the lane. Of the slot it was told as that was vacated: this is about what waited for the recipient, and about slots
    /// that too many unrecorded attempts held back.
    pub(crate) fn leave(&self, recipient: RecipientKey, now: Timestamp) -> bool {
        let mut inner = self.inner.lock();
        let freed = inner.unrecorded() > 0;
        inner.recording = inner.recording.saturating_sub(1);
        inner.busy.remove(&recipient.0);
        inner.not_before = None;
        if std::mem::take(&mut inner.held_back) {
            inner.tell(now);
        }
        inner.has_work() && (freed || inner.next_due.is_some())
    }

    /// Work is being written that may go this way at best. It takes a slot if it may, there is one and nobody waits before
    /// it; else it is counted until it has [arrived](Self::arrived).
    pub(crate) fn arriving(&self, recipient: RecipientKey, best: Way, now: Timestamp) -> Way {
        let mut inner = self.inner.lock();
        let welcome = best != Way::Store && inner.welcomes(recipient, now);
        if welcome && best == Way::Enters && inner.admits(now) {
            inner.enter(1, false);
            inner.busy.insert(recipient.0);
            return Way::Enters;
        }
        inner.arriving += 1;
        if welcome { Way::Lobby } else { Way::Store }
    }

    /// One that had entered is not attempted after all: its token serves another. Its slot is given back as any other.
    pub(crate) fn unused(&self) {
        self.inner.lock().bucket.give_back(1);
    }

    /// It is written, or will not be.
    pub(crate) fn arrived(&self) {
        let mut inner = self.inner.lock();
        inner.arriving = inner.arriving.saturating_sub(1);
    }

    /// A message that found no slot is written, and due: into the lobby, or it waits in the store alone.
    pub(crate) fn greet(&self, newcomer: Newcomer, now: Timestamp) {
        let mut inner = self.inner.lock();
        if inner.welcomes(newcomer.recipient, now) {
            inner.busy.insert(newcomer.recipient.0);
            inner.lobby.push(newcomer);
        } else {
            inner.tell(newcomer.delivery.due_at);
        }
    }

    /// What the first action of the last message was: whether it delivers. The next one's is most likely the same.
    pub(crate) fn began(&self, delivers: bool) {
        self.inner.lock().delivers_first = delivers;
    }

    /// Work waits here, due then.
    pub(crate) fn tell(&self, due: Timestamp) {
        self.inner.lock().tell(due);
    }

    /// Applies what an attempt means for everybody. The word to log, where the lane changed.
    pub(crate) fn apply(&self, effect: &LaneEffect, probe: bool, now: Timestamp) -> Option<&'static str> {
        let mut inner = self.inner.lock();
        let Limits { breaker_failures, breaker_open, .. } = inner.limits;
        let word = match effect {
            LaneEffect::Success => {
                inner.throttles = 0;
                inner.breaker.success(probe).then_some("breaker closed")
            }
            LaneEffect::Failure { reason } => inner
                .breaker
                .failure(now, &reason.to_string(), breaker_failures, breaker_open, probe)
                .then_some("breaker opened"),
            LaneEffect::OpenBreaker { reason } => inner
                .breaker
                .open_now(now, &reason.to_string(), breaker_open, probe)
                .then_some("breaker opened"),
            LaneEffect::Pause { until, reason } => {
                inner.throttles = inner.throttles.saturating_add(1);
                let later = inner.paused.as_ref().is_none_or(|(known, _)| known < until);
                if later {
                    inner.paused = Some((*until, reason.to_string()));
                }
                later.then_some("paused")
            }
        };
        if word.is_some() {
            inner.outage += 1;
            inner.unsaved = true;
        }
        word
    }

    /// Begins to keep its record: what to write, or nothing where it is kept already or being written.
    pub(crate) fn begin_save(&self) -> Option<LaneRecord> {
        let mut inner = self.inner.lock();
        if inner.saving || !inner.unsaved {
            return None;
        }
        inner.saving = true;
        inner.unsaved = false;
        let open = inner.breaker.open();
        Some(LaneRecord {
            paused_until: inner.paused.as_ref().map(|(until, _)| *until),
            pause_reason: inner.paused.as_ref().map(|(_, reason)| reason.clone()),
            open_until: open.map(|(until, _)| until),
            open_reason: open.map(|(_, reason)| reason.to_owned()),
            opened: inner.breaker.opened(),
        })
    }

    /// A write of its record ended.
    pub(crate) fn end_save(&self) {
        self.inner.lock().saving = false;
    }

    /// Puts it on the scheduler's list: true when it was not.
    pub(crate) fn enlist(&self) -> bool {
        !std::mem::replace(&mut self.inner.lock().listed, true)
    }

    /// Takes it from the scheduler's list.
    pub(crate) fn delist(&self) {
        self.inner.lock().listed = false;
    }

    /// Whether the scheduler needs another timer for it.
    pub(crate) fn set_timer(&self, at: Instant, now: Instant) -> bool {
        let mut inner = self.inner.lock();
        let sooner = inner.timer.is_none_or(|timer| timer <= now || at < timer);
        if sooner {
            inner.timer = Some(at);
        }
        sooner
    }

    /// Whether there is anything to tell of it, or to keep it for.
    pub(crate) fn is_idle(&self, now: Timestamp) -> bool {
        let inner = self.inner.lock();
        inner.in_flight == 0
            && inner.recording == 0
            && inner.next_due.is_none()
            && inner.lobby.is_empty()
            && inner.arriving == 0
            && !inner.claiming
            && inner.breaker == Breaker::default()
            && inner.paused.as_ref().is_none_or(|(until, _)| *until <= now)
    }

    /// What an operator sees of it.
    pub(crate) fn status(&self, now: Timestamp, waiting: Option<u64>) -> LaneStatus {
        let inner = self.inner.lock();
        let breaker = match inner.breaker.open() {
            None => BreakerStatus::Closed { failures: inner.breaker.failures() },
            Some((until, reason)) if now < until => {
                BreakerStatus::Open(Until { until, reason: reason.to_owned() })
            }
            Some((_, reason)) => BreakerStatus::Probing { reason: reason.to_owned() },
        };
        LaneStatus {
            name: self.lane.to_string(),
            lane: self.lane.clone(),
            configured: inner.configured,
            in_flight: inner.in_flight + inner.recording,
            concurrency: inner.limits.concurrency,
            waiting,
            next_due: inner.next_due,
            paused: inner
                .paused
                .as_ref()
                .filter(|(until, _)| *until > now)
                .map(|(until, reason)| Until { until: *until, reason: reason.clone() }),
            suspended: inner.suspended,
            breaker,
        }
    }
}

#[cfg(test)]
mod tests;
