//! Suspends and resumes.
//!
//! Suspending writes one row: what a claim finds of a suspended route or location it parks, that is
//! takes out of the queue, once. Resuming puts all of it back, in bites, and returns when it is done.

use dispatch_model::Timestamp;
use rusqlite::OptionalExtension as _;

use super::error::Failure;
use super::ledger::Ledger;
use super::names::Kind;
use super::verb::{Progress, Verb};
use crate::Suspension;

/// Parked rows looked at in one bite.
const LOOKED_AT: usize = 1_000;

pub(super) struct Suspend {
    what: Suspension,
    suspended: bool,
    now: Timestamp,
    done: Stage,
    next: Stage,
}

/// How far a resume is.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Begin,
    /// Parked rows after this lane and id are still to be looked at.
    Unpark {
        lane: i64,
        id: i64,
    },
}

impl Suspend {
    pub(super) fn new(what: Suspension, suspended: bool, now: Timestamp) -> Self {
        Self { what, suspended, now, done: Stage::Begin, next: Stage::Begin }
    }

    fn begin(&mut self, ledger: &mut Ledger) -> Result<Progress<bool>, Failure> {
        let (kind, name) = split(&self.what);
        let changed = if self.suspended {
            ledger
                .db
                .prepare_cached("INSERT OR IGNORE INTO suspension(kind, name, since) VALUES(?1, ?2, ?3)")?
                .execute((kind as i64, name, self.now.as_millis()))?
        } else {
            ledger
                .db
                .prepare_cached("DELETE FROM suspension WHERE kind = ?1 AND name = ?2")?
                .execute((kind as i64, name))?
        };
        let number = ledger.names.intern(&ledger.db, kind, name)?;
        let held = match kind {
            Kind::Location => Some(&mut ledger.suspended.locations),
            Kind::Route => Some(&mut ledger.suspended.routes),
            _ => None,
        };
        match held {
            Some(held) if self.suspended => drop(held.insert(number)),
            Some(held) => {
                held.remove(&number);
                if changed > 0 {
                    self.next = Stage::Unpark { lane: -1, id: 0 };
                    return Ok(Progress::More);
                }
            }
            None => {}
        }
        Ok(Progress::Done(changed > 0))
    }

    fn unpark(&mut self, ledger: &mut Ledger, mut lane: i64, mut id: i64) -> Result<Progress<bool>, Failure> {
        let mut left = LOOKED_AT;
        while left > 0 {
            let rows: Vec<(i64, i64, Option<i64>, i64)> = ledger
                .db
                .prepare_cached(
                    "SELECT id, location, route, due_at FROM delivery INDEXED BY parked \
                     WHERE queue = 3 AND lane = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
                )?
                .query_map((lane, id, left as i64), |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })?
                .collect::<Result<_, _>>()?;
            for (row, location, route, due_at) in &rows {
                id = *row;
                if !ledger.suspended.holds(*location, *route) {
                    let queue = ledger.place(*location, *route, Timestamp::from_millis(*due_at), self.now);
                    ledger
                        .db
                        .prepare_cached("UPDATE delivery SET queue = ?2 WHERE id = ?1")?
                        .execute((row, queue as i64))?;
                }
            }
            left -= rows.len();
            if left == 0 {
                break;
            }
            let next: Option<i64> = ledger
                .db
                .prepare_cached(
                    "SELECT lane FROM delivery INDEXED BY parked \
                     WHERE queue = 3 AND lane > ?1 ORDER BY lane LIMIT 1",
                )?
                .query_row([lane], |row| row.get(0))
                .optional()?;
            match next {
                Some(next) => (lane, id) = (next, 0),
                None => return Ok(Progress::Done(true)),
            }
        }
        self.next = Stage::Unpark { lane, id };
        Ok(Progress::More)
    }
}

impl Verb for Suspend {
    type Output = bool;

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<bool>, Failure> {
        match self.done {
            Stage::Begin => self.begin(ledger),
            Stage::Unpark { lane, id } => self.unpark(ledger, lane, id),
        }
    }

    fn committed(&mut self) {
        self.done = self.next;
    }
}

/// A suspension as it is kept.
pub(super) fn split(what: &Suspension) -> (Kind, &str) {
    match what {
        Suspension::Backend(name) => (Kind::Backend, name.as_str()),
        Suspension::Route(name) => (Kind::Route, name.as_str()),
        Suspension::Location(name) => (Kind::Location, name.as_str()),
    }
}

/// And back.
pub(super) fn join(kind: i64, name: &str) -> Option<Suspension> {
    [
        (Kind::Backend, Suspension::Backend(name.into())),
        (Kind::Route, Suspension::Route(name.into())),
        (Kind::Location, Suspension::Location(name.into())),
    ]
    .into_iter()
    .find_map(|(known, what)| (known as i64 == kind).then_some(what))
}
