//! The gate of a lane: slots, rate, pause, breaker, and what is known of the work that waits behind it.
//!
//! All of it is under one short lock that is never held across an await. Work enters in two ways: one
//! fresh message at a time ([`Gate::try_enter`], when nothing is ahead of it), or as a claim from the
//! store ([`Gate::turn`] says what to claim, with slots and tokens already in hand). A lane whose
//! backend cannot be had is *swept* instead: its deliveries are claimed without slots and tokens, only to
//! be moved on to the next backend of their chains.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dispatch_model::{Access, Lane, LaneEffect, LocationId, Timestamp};
use dispatch_store::{Claims, LaneRecord, RecipientKey};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::breaker::{Breaker, Passage};
use crate::bucket::Bucket;
use crate::meters::Meters;
use crate::{BreakerStatus, LaneStatus, Limits, Until};

/// A claim that found due work and could lease none of it (recipients with an attempt under way) is not
/// repeated before an attempt ends, or this long.
const RECHECK: Duration = Duration::from_secs(1);
/// The first pause where the provider throttles and names none; doubles while it goes on.
const PAUSE_FIRST: Duration = Duration::from_secs(5);

/// A lane's gate.
pub(crate) struct Gate {
    /// Which lane.
    pub(crate) lane: Lane,
    /// Its counters.
    pub(crate) meters: Arc<Meters>,
    inner: Mutex<Inner>,
}

struct Inner {
    limits: Limits,
    configured: bool,
    suspended: bool,
    /// The least patience of the routes by which its work may go elsewhere; none where it cannot.
    siblings: Option<Duration>,
    in_flight: u32,
    busy: HashSet<i64>,
    bucket: Bucket,
    paused: Option<(Timestamp, String)>,
    throttles: u32,
    breaker: Breaker,
    /// When the first of the waiting work is due, as far as is known.
    next_due: Option<Timestamp>,
    /// Fresh messages on their way into the store behind this gate.
    arriving: usize,
    /// No claim before then.
    not_before: Option<Instant>,
    claiming: bool,
    /// Raised whenever `next_due` is told from outside: a claim that ran meanwhile may not have seen it.
    told: u64,
    after: Option<LocationId>,
    /// Raised when the lane becomes unavailable; a sweep that moved nothing is not repeated for it.
    outage: u64,
    swept: Option<u64>,
    /// Work may be held back since its recipient has an attempt under way: look when one ends.
    held_back: bool,
    /// The timer that the scheduler holds for it.
    timer: Option<Instant>,
    /// Whether it is in the scheduler's list already.
    listed: bool,
    saving: bool,
    unsaved: bool,
}

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
    told: u64,
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
            busy: HashSet::new(),
            paused: None,
            throttles: 0,
            breaker: Breaker::default(),
            next_due: None,
            arriving: 0,
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

    /// Takes over what was kept of it.
    pub(crate) fn restore(&self, record: LaneRecord) {
        let mut inner = self.inner.lock();
        inner.paused = record.paused_until.map(|until| (until, record.pause_reason.unwrap_or_default()));
        inner.breaker = Breaker::restored(record.open_until, record.open_reason, record.opened);
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

    /// A slot and a token for a fresh message with nothing ahead of it; whether it enters as a probe.
    pub(crate) fn try_enter(&self, recipient: RecipientKey, now: Timestamp) -> Option<bool> {
        let mut inner = self.inner.lock();
        let idle = !inner.claiming && inner.arriving == 0 && inner.next_due.is_none_or(|due| due > now);
        if !idle || inner.access(now) != Access::Open || inner.busy.contains(&recipient.0) {
            return None;
        }
        if inner.free_slots(now) == 0 || inner.bucket.available(Instant::now()) == 0 {
            return None;
        }
        let probe = inner.breaker.passage(now) == Passage::Probe;
        if probe {
            inner.breaker.begin_probe();
        }
        inner.bucket.take(1);
        inner.in_flight += 1;
        inner.busy.insert(recipient.0);
        Some(probe)
    }

    /// An attempt ended. Whether the scheduler should look at the lane.
    pub(crate) fn leave(&self, recipient: RecipientKey, probe: bool, now: Timestamp) -> bool {
        let mut inner = self.inner.lock();
        inner.in_flight = inner.in_flight.saturating_sub(1);
        inner.busy.remove(&recipient.0);
        inner.not_before = None;
        if probe {
            inner.breaker.end_probe();
        }
        if std::mem::take(&mut inner.held_back) {
            inner.tell(now);
        }
        inner.next_due.is_some() && !inner.claiming
    }

    /// Fresh messages are being written behind the gate: nobody overtakes them.
    pub(crate) fn arriving(&self) {
        self.inner.lock().arriving += 1;
    }

    /// They are written (and due then), or could not be.
    pub(crate) fn arrived(&self, due: Option<Timestamp>) {
        let mut inner = self.inner.lock();
        inner.arriving = inner.arriving.saturating_sub(1);
        if let Some(due) = due {
            inner.tell(due);
        }
    }

    /// Work waits here, due then.
    pub(crate) fn tell(&self, due: Timestamp) {
        self.inner.lock().tell(due);
    }

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
            return Turn::Wait(clock + due.since(now));
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
                Turn::Wait(clock + until.since(now))
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
        // The store tells nothing of work whose recipient is busy, this claim's own included.
        inner.held_back = !inner.busy.is_empty();
        let fruitless = claims.claimed.is_empty();
        let due = if claims.more { Some(now) } else { claims.next_due };
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
            && inner.next_due.is_none()
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
            in_flight: inner.in_flight,
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

impl Inner {
    fn access(&self, now: Timestamp) -> Access {
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

    fn free_slots(&self, now: Timestamp) -> usize {
        let all = match self.breaker.passage(now) {
            Passage::Free => self.limits.concurrency.max(1),
            Passage::Probe => 1 + self.in_flight,
            Passage::Probing | Passage::Shut(_) => 0,
        };
        all.saturating_sub(self.in_flight) as usize
    }

    /// Whether its work is to be moved on rather than to wait.
    fn sweeps(&self, access: Access, now: Timestamp) -> bool {
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

    fn begin_claim(&mut self, want: usize, sweep: bool, probe: bool) -> ClaimTurn {
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

    fn tell(&mut self, due: Timestamp) {
        self.told += 1;
        self.next_due = Some(self.next_due.map_or(due, |known| known.min(due)));
        self.not_before = None;
    }
}
