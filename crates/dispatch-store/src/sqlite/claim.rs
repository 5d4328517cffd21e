//! Leases due work: round robin over the locations of a lane.
//!
//! The index *ready* is in the order of lane, location, time. The claim steps from location to
//! location in it, beginning after the one served last, and takes one of each in turn until it has
//! enough; so a location with 50 000 waiting costs another one a single step.

use std::collections::VecDeque;

use ahash::AHashSet;
use dispatch_model::{DeliveryState, Lease, LocationId, MessageId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _};

use super::content;
use super::delivery::{Queue, Stored};
use super::error::Failure;
use super::ledger::Ledger;
use super::names::Kind;
use super::tally::Counted;
use super::verb::{Progress, Verb};
use crate::transition;
use crate::{ClaimOne, ClaimRequest, Claimed, Claims};

/// Rows whose time has come that a claim moves to *ready* in one bite: it chooses among all that is due.
const PROMOTED: usize = 1_024;

/// Bites at most before it chooses; the rest follows between groups.
const BITES: usize = 64;

/// Rows of a location that are read at once.
const READ: usize = 16;

/// Rows of a location that one claim looks at: behind so many of busy recipients the order is best effort.
const DEPTH: usize = 256;

/// Rows that one claim looks at in all.
const STEPS: usize = 4_096;

pub(super) struct Claim {
    request: ClaimRequest,
    bites: usize,
}

impl Claim {
    pub(super) fn new(request: ClaimRequest) -> Self {
        Self { request, bites: 0 }
    }
}

/// A row of the queue.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    id: i64,
    due_at: i64,
    recipient: i64,
    route: Option<i64>,
}

/// A location's part of the lane.
struct Line {
    location: i64,
    read: VecDeque<Waiting>,
    last: (i64, i64),
    looked_at: usize,
    ended: bool,
}

/// A claim under way.
struct Search<'a> {
    request: &'a ClaimRequest,
    lane: i64,
    taken: AHashSet<i64>,
    chosen: Vec<(i64, i64)>,
    steps: usize,
}

impl Verb for Claim {
    type Output = Claims;

    fn weight(&self) -> usize {
        512 * self.request.want
    }

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<Claims>, Failure> {
        let request = &self.request;
        let mut claims = Claims { after: request.after.clone(), ..Claims::default() };
        let Some(lane) = ledger.names.number(&ledger.db, Kind::Lane, &request.lane.to_string())? else {
            return Ok(Progress::Done(claims));
        };
        if promote(ledger, lane, request.now, PROMOTED)? {
            if self.bites < BITES {
                return Ok(Progress::More);
            }
            ledger.backlog.insert(lane, request.now);
            claims.more = true;
        }
        let after = match &request.after {
            Some(location) => ledger.names.number(&ledger.db, Kind::Location, location.as_str())?,
            None => None,
        };
        let mut search = Search { request, lane, taken: AHashSet::new(), chosen: Vec::new(), steps: 0 };
        claims.more |= search.run(ledger, after)?;
        let chosen = search.chosen;
        claims.claimed.reserve(chosen.len());
        for (id, _) in &chosen {
            claims.claimed.push(take(ledger, *id, request.now)?);
        }
        if let Some((_, location)) = chosen.last() {
            claims.after = Some(LocationId::from(&*ledger.names.text(&ledger.db, *location)?));
        }
        claims.next_due = next_later(&ledger.db, lane)?;
        Ok(Progress::Done(claims))
    }

    fn committed(&mut self) {
        self.bites += 1;
    }
}

impl Search<'_> {
    /// Chooses rows; whether there may be more of them.
    fn run(&mut self, ledger: &mut Ledger, after: Option<i64>) -> Result<bool, Failure> {
        let mut lines: VecDeque<Line> = VecDeque::new();
        let mut at = after.unwrap_or(-1);
        let mut wrapped = after.is_none();
        // The first round finds the locations.
        loop {
            if self.chosen.len() >= self.request.want || self.steps >= STEPS {
                return Ok(true);
            }
            let next = next_location(&ledger.db, self.lane, at)?;
            self.steps += 1;
            match next {
                Some(location) if wrapped && after.is_some_and(|after| location > after) => break,
                Some(location) => {
                    at = location;
                    let line = Line {
                        location,
                        read: VecDeque::new(),
                        last: (i64::MIN, 0),
                        looked_at: 0,
                        ended: false,
                    };
                    lines.extend(self.serve(ledger, line)?);
                }
                None if wrapped => break,
                None => {
                    wrapped = true;
                    at = -1;
                }
            }
        }
        // The others go over those that had something.
        while let Some(line) = lines.pop_front() {
            if self.chosen.len() >= self.request.want || self.steps >= STEPS {
                return Ok(true);
            }
            lines.extend(self.serve(ledger, line)?);
        }
        Ok(false)
    }

    /// Takes one of this location; gives the line back if there may be another.
    fn serve(&mut self, ledger: &mut Ledger, mut line: Line) -> Result<Option<Line>, Failure> {
        loop {
            while let Some(row) = line.read.pop_front() {
                if ledger.suspended.holds(line.location, row.route) {
                    requeue(&ledger.db, row.id, Queue::Parked)?;
                } else if !self.request.busy.contains(&row.recipient) && self.taken.insert(row.recipient) {
                    self.chosen.push((row.id, line.location));
                    return Ok(Some(line));
                }
            }
            if line.ended || line.looked_at >= DEPTH {
                return Ok(None);
            }
            let wanted = READ.min(self.request.want - self.chosen.len()).max(1);
            line.read = read(&ledger.db, self.lane, line.location, line.last, wanted)?;
            line.ended = line.read.len() < wanted;
            line.looked_at += line.read.len();
            self.steps += line.read.len();
            if let Some(last) = line.read.back() {
                line.last = (last.due_at, last.id);
            }
        }
    }
}

fn next_location(db: &Connection, lane: i64, after: i64) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached(
        "SELECT location FROM delivery INDEXED BY ready \
         WHERE queue = 1 AND lane = ?1 AND location > ?2 ORDER BY location LIMIT 1",
    )?
    .query_row((lane, after), |row| row.get(0))
    .optional()
}

fn read(
    db: &Connection,
    lane: i64,
    location: i64,
    (due_at, id): (i64, i64),
    limit: usize,
) -> rusqlite::Result<VecDeque<Waiting>> {
    db.prepare_cached(
        "SELECT id, due_at, recipient, route FROM delivery INDEXED BY ready \
         WHERE queue = 1 AND lane = ?1 AND location = ?2 AND (due_at, id) > (?3, ?4) \
         ORDER BY due_at, id LIMIT ?5",
    )?
    .query_map((lane, location, due_at, id, limit as i64), |row| {
        Ok(Waiting { id: row.get(0)?, due_at: row.get(1)?, recipient: row.get(2)?, route: row.get(3)? })
    })?
    .collect()
}

fn requeue(db: &Connection, id: i64, queue: Queue) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE delivery SET queue = ?2 WHERE id = ?1")?.execute((id, queue as i64)).map(drop)
}

/// When the first of the *later* ones of a lane is due.
pub(super) fn next_later(db: &Connection, lane: i64) -> rusqlite::Result<Option<Timestamp>> {
    db.prepare_cached(
        "SELECT due_at FROM delivery INDEXED BY later WHERE queue = 2 AND lane = ?1 ORDER BY due_at LIMIT 1",
    )?
    .query_row([lane], |row| row.get(0).map(Timestamp::from_millis))
    .optional()
}

/// Moves what is due by now from *later* to *ready* (or *parked*); whether there is more of it.
pub(super) fn promote(
    ledger: &mut Ledger,
    lane: i64,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<bool> {
    let due: Vec<(i64, i64, Option<i64>)> = ledger
        .db
        .prepare_cached(
            "SELECT id, location, route FROM delivery INDEXED BY later \
             WHERE queue = 2 AND lane = ?1 AND due_at <= ?2 ORDER BY due_at LIMIT ?3",
        )?
        .query_map((lane, now.as_millis(), limit as i64), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (id, location, route) in &due {
        requeue(&ledger.db, *id, ledger.place(*location, *route, now, now))?;
    }
    Ok(due.len() == limit)
}

/// Leases a row of the queue.
fn take(ledger: &mut Ledger, id: i64, now: Timestamp) -> Result<Claimed, Failure> {
    let id = MessageId::from_i64(id);
    let Some(mut stored) = ledger.stored(id)? else {
        return Err(super::error::unreadable("a queue", "a row that is not there"));
    };
    let message = match ledger.messages.get(id) {
        Some(message) => message,
        None => content::load(&ledger.db, &mut ledger.names, id.as_i64())?,
    };
    lease(ledger, &mut stored, false, now)?;
    let claimed = Claimed { delivery: stored.delivery.clone(), message, recipient: stored.recipient };
    ledger.remember(stored);
    Ok(claimed)
}

/// Leases one of which somebody knows that it waits.
pub(super) struct One(pub(super) ClaimOne);

impl Verb for One {
    type Output = Option<Lease>;

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<Self::Output>, Failure> {
        let Some(mut stored) = ledger.stored(self.0.message)? else { return Ok(Progress::Done(None)) };
        if !transition::is_claimable(&stored.delivery, &self.0) || ledger.is_suspended(&stored)? {
            return Ok(Progress::Done(None));
        }
        lease(ledger, &mut stored, self.0.marked, self.0.now)?;
        let lease = stored.delivery.lease();
        ledger.remember(stored);
        Ok(Progress::Done(Some(lease)))
    }
}

/// Leases a delivery: all that changes of its row.
fn lease(ledger: &mut Ledger, stored: &mut Stored, marked: bool, now: Timestamp) -> Result<(), Failure> {
    transition::lease(&mut stored.delivery, marked, now);
    let id = stored.delivery.message;
    ledger
        .db
        .prepare_cached(
            "UPDATE delivery SET state = 2, queue = 0, epoch = ?2, flags = ?3, changed_at = ?4 WHERE id = ?1",
        )?
        .execute((id.as_i64(), stored.delivery.epoch, stored.flags(), now.as_millis()))?;
    let was = stored.counted;
    stored.counted = Counted { state: DeliveryState::Leased, ..was };
    ledger.tally.moved(was, stored.counted);
    Ok(())
}
