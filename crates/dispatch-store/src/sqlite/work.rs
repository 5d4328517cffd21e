//! Planning, marking, settling, and moving work between lanes.

use dispatch_model::{BackendName, Delivery, DeliveryState, Lane, Lease, MessageId, Timestamp};
use rusqlite::OptionalExtension as _;

use super::delivery::{Queue, references_text};
use super::error::Failure;
use super::hear;
use super::ledger::Ledger;
use super::names::Kind;
use super::receipt;
use super::tally::Counted;
use super::verb::{Progress, Verb};
use crate::transition;
use crate::{Planned, Settlement, StoreError};

pub(super) struct Plan(pub(super) Vec<Planned>);

impl Verb for Plan {
    type Output = ();

    fn weight(&self) -> usize {
        512 * self.0.len()
    }

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<()>, Failure> {
        self.0.iter().try_for_each(|planned| plan_one(ledger, planned))?;
        Ok(Progress::Done(()))
    }
}

fn plan_one(ledger: &mut Ledger, planned: &Planned) -> Result<(), Failure> {
    match ledger.stored(planned.delivery.message)? {
        Some(mut stored) if stored.delivery.state == DeliveryState::Unplanned => {
            stored.plan(planned);
            ledger.save(stored)
        }
        _ => Ok(()),
    }
}

pub(super) struct Mark(pub(super) Lease);

impl Verb for Mark {
    type Output = ();

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<()>, Failure> {
        let changed = ledger
            .db
            .prepare_cached(
                "UPDATE delivery SET flags = flags | 1 WHERE id = ?1 AND state = 2 AND epoch = ?2",
            )?
            .execute((self.0.message.as_i64(), self.0.epoch))?;
        if changed == 0 {
            return Err(StoreError::Stale(self.0).into());
        }
        if let Some(Some(row)) = ledger.messages.row_mut(self.0.message) {
            row.delivery.marked = true;
        }
        Ok(Progress::Done(()))
    }
}

/// An end of a lease; the attempt is written as JSON before the writer has it.
pub(super) struct Settle {
    lease: Lease,
    delivery: Delivery,
    /// Whose the references are.
    backend: Option<BackendName>,
    references: Vec<String>,
    record: Option<(String, Option<String>)>,
}

impl Settle {
    pub(super) fn new(settlement: &Settlement) -> Result<Self, StoreError> {
        transition::check_settlement(settlement)?;
        let record = match &settlement.attempt {
            Some(attempt) => {
                let invalid = |error: serde_json::Error| StoreError::Invalid {
                    detail: format!("an attempt that cannot be written: {error}"),
                };
                // Apart from the record, since retention takes it earlier.
                let exchanges = (!attempt.exchanges.is_empty())
                    .then(|| serde_json::to_string(&attempt.exchanges))
                    .transpose()
                    .map_err(invalid)?;
                let record = serde_json::to_string(&attempt.without_exchanges()).map_err(invalid)?;
                Some((record, exchanges))
            }
            None => None,
        };
        let (backend, references) = transition::answered(settlement);
        Ok(Self {
            lease: settlement.lease,
            delivery: settlement.delivery.clone(),
            backend: backend.cloned(),
            references: references.to_vec(),
            record,
        })
    }
}

impl Verb for Settle {
    type Output = ();

    fn weight(&self) -> usize {
        let attempt = self
            .record
            .as_ref()
            .map_or(0, |(record, exchanges)| record.len() + exchanges.as_ref().map_or(0, String::len));
        512 + attempt
    }

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<()>, Failure> {
        let lease = self.lease;
        let mut stored = match ledger.stored(lease.message)? {
            Some(stored)
                if stored.delivery.state == DeliveryState::Leased && stored.delivery.epoch == lease.epoch =>
            {
                stored
            }
            _ => return Err(StoreError::Stale(lease).into()),
        };
        let called_off = stored.called_off.take();
        let (delivery, event) = transition::settled(&stored.delivery, &self.delivery, called_off.as_deref());
        let references = references_text(&self.references);
        stored.delivery = delivery;
        match &self.record {
            Some((record, exchanges)) => {
                let seq = ledger.next_attempt();
                ledger
                    .db
                    .prepare_cached(
                        "INSERT INTO attempt(seq, message, previous, reference, record, exchanges) \
                         VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                    )?
                    .execute((
                        seq,
                        lease.message.as_i64(),
                        stored.last_attempt,
                        references,
                        record,
                        exchanges,
                    ))?;
                stored.last_attempt = Some(seq);
            }
            // There is no attempt to find it by.
            None => {
                for reference in &self.references {
                    super::terms::insert_reference(&ledger.db, reference, lease.message)?;
                }
            }
        }
        hear::settled(ledger, &mut stored, self.backend.as_ref(), &self.references)?;
        ledger.save(stored)?;
        if let Some(event) = event {
            ledger.event(lease.message, &event)?;
        }
        Ok(Progress::Done(()))
    }
}

/// Moves the work of a lane that the configuration no longer has.
pub(super) struct Relane {
    pub(super) from: Lane,
    pub(super) to: Lane,
    pub(super) limit: usize,
}

/// Rows moved in one call at most, whatever was asked for.
const RELANED: usize = 5_000;

impl Verb for Relane {
    type Output = usize;

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<usize>, Failure> {
        let Some(from) = ledger.names.number(&ledger.db, Kind::Lane, &self.from.to_string())? else {
            return Ok(Progress::Done(0));
        };
        let to = ledger.names.intern(&ledger.db, Kind::Lane, &self.to.to_string())?;
        let limit = self.limit.min(RELANED);
        let mut rows: Vec<(i64, i64, Option<i64>)> = Vec::new();
        for sql in [
            "SELECT id, location, route FROM delivery INDEXED BY ready WHERE queue = 1 AND lane = ?1 LIMIT ?2",
            "SELECT id, location, route FROM delivery INDEXED BY later WHERE queue = 2 AND lane = ?1 LIMIT ?2",
            "SELECT id, location, route FROM delivery INDEXED BY parked WHERE queue = 3 AND lane = ?1 LIMIT ?2",
        ] {
            let mut statement = ledger.db.prepare_cached(sql)?;
            let found = statement.query_map((from, (limit - rows.len()) as i64), |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
            for row in found {
                rows.push(row?);
            }
        }
        for (id, location, route) in &rows {
            let queue = ledger.place(*location, *route, Timestamp::default(), Timestamp::default());
            ledger.db
                .prepare_cached(
                    "UPDATE delivery SET lane = ?2, queue = ?3, due_at = min(due_at, changed_at) WHERE id = ?1",
                )?
                .execute((id, to, queue as i64))?;
            if let Some(row) = ledger.messages.row_mut(MessageId::from_i64(*id)) {
                *row = None;
            }
            let was = Counted { state: DeliveryState::Scheduled, location: *location, lane: Some(from) };
            ledger.tally.moved(was, Counted { lane: Some(to), ..was });
        }
        Ok(Progress::Done(rows.len()))
    }
}

/// Voids the leases of a process that is gone.
pub(super) struct Recover {
    now: Timestamp,
    done: (usize, usize),
    next: (usize, usize),
}

impl Recover {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { now, done: (0, 0), next: (0, 0) }
    }
}

impl Recover {
    /// Waits that were set by a clock ahead of ours. Most often there is none, and the question costs a walk
    /// over what is not due yet.
    fn rewind(&self, ledger: &mut Ledger) -> Result<Progress<(usize, usize)>, Failure> {
        let mut ids: Vec<i64> = Vec::new();
        for (queue, index) in [(Queue::Ready, "ready"), (Queue::Later, "later"), (Queue::Parked, "parked")] {
            let sql = format!(
                "SELECT id FROM delivery INDEXED BY {index} \
                 WHERE queue = {} AND due_at > ?1 AND changed_at > ?1 LIMIT ?2",
                queue as i64
            );
            let mut statement = ledger.db.prepare_cached(&sql)?;
            let rows = statement
                .query_map((self.now.as_millis(), (RECOVERED - ids.len()) as i64), |row| row.get(0))?;
            ids.extend(rows.collect::<Result<Vec<i64>, _>>()?);
        }
        for id in &ids {
            let Some(mut stored) = ledger.stored(MessageId::from_i64(*id))? else { continue };
            transition::rewind(&mut stored.delivery, self.now);
            ledger.save(stored)?;
        }
        Ok(if ids.len() == RECOVERED { Progress::More } else { Progress::Done(self.next) })
    }
}

/// Leases voided, and waits begun anew, in one bite.
const RECOVERED: usize = 1_000;

impl Verb for Recover {
    type Output = (usize, usize);

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<(usize, usize)>, Failure> {
        self.next = self.done;
        for bite in 0.. {
            if bite == RECOVERED {
                return Ok(Progress::More);
            }
            let leased: Option<i64> = ledger
                .db
                .prepare_cached(
                    "SELECT id FROM delivery INDEXED BY standing \
                     WHERE state = 2 AND state <> 1 AND state <> 3 AND state <> 4 LIMIT 1",
                )?
                .query_row([], |row| row.get(0))
                .optional()?;
            let Some(id) = leased else { break };
            let Some(mut stored) = ledger.stored(MessageId::from_i64(id))? else { break };
            if stored.delivery.marked {
                self.next.1 += 1
            } else {
                self.next.0 += 1
            };
            let called_off = stored.called_off.take();
            let event = transition::recover(&mut stored.delivery, called_off.as_deref(), self.now);
            receipt::hear(ledger, &mut stored, self.now)?;
            ledger.save(stored)?;
            ledger.event(MessageId::from_i64(id), &event)?;
        }
        self.rewind(ledger)
    }

    fn committed(&mut self) {
        self.done = self.next;
    }
}
