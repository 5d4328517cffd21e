//! An operator's verbs. Those over a filter work in bites, each durable, so that a bulk cancel of a
//! hundred thousand does not hold up what comes in at the door.

use dispatch_model::{DeliveryState, Lane, MessageId, Timestamp};

use super::delivery::json;
use super::error::Failure;
use super::ledger::Ledger;
use super::receipt;
use super::scan::Scan;
use super::verb::{Progress, Verb};
use crate::transition;
use crate::{Filter, LaneRecord, Redrive, Resolution};

/// Deliveries changed in one bite.
const CHANGED: usize = 500;

/// Rows looked at in one bite.
const LOOKED_AT: usize = 10_000;

/// What is done to each delivery that matches.
pub(super) enum Change {
    /// Call it off.
    Cancel(String),
    /// Send it round again.
    Redrive(Box<Redrive>),
}

/// A change to all that match, newest first.
pub(super) struct Bulk {
    filter: Filter,
    change: Change,
    now: Timestamp,
    done: Place,
    next: Place,
}

/// How far it is.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    before: Option<i64>,
    count: usize,
}

impl Bulk {
    pub(super) fn new(filter: Filter, change: Change, now: Timestamp) -> Self {
        Self { filter, change, now, done: Place::default(), next: Place::default() }
    }

    fn apply(&self, ledger: &mut Ledger, id: MessageId) -> Result<bool, Failure> {
        let Some(mut stored) = ledger.stored(id)? else { return Ok(false) };
        let event = match &self.change {
            Change::Cancel(reason) if transition::is_cancellable(stored.delivery.state) => {
                transition::cancel(&mut stored.delivery, reason, self.now)
            }
            Change::Cancel(reason) => {
                if stored.delivery.state != DeliveryState::Leased || stored.called_off.is_some() {
                    return Ok(false);
                }
                stored.called_off = Some(reason.clone());
                transition::cancel_asked(reason, self.now)
            }
            Change::Redrive(request) => {
                if stored.purged || !transition::is_redrivable(stored.delivery.state) {
                    return Ok(false);
                }
                ledger.retire_plan(&mut stored)?;
                let event = transition::redrive(&mut stored.delivery, request, self.now);
                receipt::hear(ledger, &mut stored, self.now)?;
                event
            }
        };
        ledger.save(stored)?;
        ledger.event(id, &event)?;
        Ok(true)
    }
}

impl Verb for Bulk {
    type Output = usize;

    fn weight(&self) -> usize {
        512 * CHANGED
    }

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<usize>, Failure> {
        self.next = self.done;
        let Some(mut scan) = Scan::of(&self.filter, &ledger.db, &mut ledger.names)? else {
            return Ok(Progress::Done(0));
        };
        let leased_too = scan.names_ids();
        scan.only(|state| match &self.change {
            Change::Cancel(_) => {
                transition::is_cancellable(state) || (leased_too && state == DeliveryState::Leased)
            }
            Change::Redrive(_) => transition::is_redrivable(state),
        });
        let found = scan.walk(&ledger.db, self.done.before, CHANGED, LOOKED_AT)?;
        for id in found.ids {
            self.next.count += usize::from(self.apply(ledger, id)?);
        }
        self.next.before = found.before;
        Ok(if found.before.is_some() { Progress::More } else { Progress::Done(self.next.count) })
    }

    fn committed(&mut self) {
        self.done = self.next;
    }
}

/// What became of a held one.
pub(super) struct Resolve {
    pub(super) message: MessageId,
    pub(super) resolution: Resolution,
    pub(super) now: Timestamp,
}

impl Verb for Resolve {
    type Output = bool;

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<bool>, Failure> {
        let held = ledger.stored(self.message)?.filter(|s| s.delivery.state == DeliveryState::Held);
        let Some(mut stored) = held else { return Ok(Progress::Done(false)) };
        if self.resolution == Resolution::Retry {
            ledger.retire_plan(&mut stored)?;
        }
        let event = transition::resolve(&mut stored.delivery, &self.resolution, self.now);
        ledger.save(stored)?;
        ledger.event(self.message, &event)?;
        Ok(Progress::Done(true))
    }
}

/// A lane's pause and breaker.
pub(super) struct SaveLane {
    pub(super) lane: Lane,
    pub(super) record: LaneRecord,
}

impl Verb for SaveLane {
    type Output = ();

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<()>, Failure> {
        ledger
            .db
            .prepare_cached(
                "INSERT INTO lane_record(lane, record) VALUES(?1, ?2) \
                 ON CONFLICT(lane) DO UPDATE SET record = ?2",
            )?
            .execute((self.lane.to_string(), json(&self.record)?))?;
        Ok(Progress::Done(()))
    }
}

/// A secret that is made once.
pub(super) struct KeepSecret {
    pub(super) name: String,
    pub(super) fresh: Vec<u8>,
}

impl Verb for KeepSecret {
    type Output = Vec<u8>;

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<Vec<u8>>, Failure> {
        let db = &ledger.db;
        db.prepare_cached("INSERT OR IGNORE INTO secret(name, value) VALUES(?1, ?2)")?
            .execute((&self.name, &self.fresh))?;
        let kept = db
            .prepare_cached("SELECT value FROM secret WHERE name = ?1")?
            .query_row([&self.name], |row| row.get(0))?;
        Ok(Progress::Done(kept))
    }
}
