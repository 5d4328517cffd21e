//! What the writer writes with: the one connection that may, and what it remembers between groups.
//!
//! Everything here belongs to the writer's thread. What is remembered is either never wrong (numbers
//! given once), or thrown away and read again when a transaction is rolled back.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::AHashSet;
use dispatch_model::{DeliveryState, MessageId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _};

use super::cache::MessageCache;
use super::config::StoreConfig;
use super::content::channel_number;
use super::delivery::{self, Queue, Stored, json, references_text};
use super::error::Failure;
use super::keys::{FreshKeys, Keys};
use super::names::{Kind, Names};
use super::receipt;
use super::tally::{Counted, Tally};
use super::terms::Indexed;
use crate::sequence::Sequence;
use crate::transition;
use crate::{EventKind, TimelineEvent};

/// A delivery's whole row. Location and channel never change.
const UPDATE: &str = "UPDATE delivery SET state = ?2, queue = ?3, lane = ?4, route = ?5, backend = ?6, flags = ?7, \
    due_at = ?8, recipient = ?9, epoch = ?10, position = ?11, attempts = ?12, attempts_total = ?13, generation = ?14, \
    expires_at = ?15, changed_at = ?16, planned_at = ?17, last_attempt = ?18, called_off = ?19, reference = ?20, \
    reason = ?21, remaining = ?22, plan = ?23 WHERE id = ?1 AND location = ?24 AND channel = ?25";

const INSERT: &str = "INSERT INTO delivery(id, state, queue, lane, route, backend, flags, due_at, recipient, epoch, \
    position, attempts, attempts_total, generation, expires_at, changed_at, planned_at, last_attempt, called_off, \
    reference, reason, remaining, plan, location, channel) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, \
    ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25)";

/// The numbers of suspended routes and locations.
#[derive(Debug, Default)]
pub(super) struct Suspended {
    pub(super) locations: AHashSet<i64>,
    pub(super) routes: AHashSet<i64>,
}

impl Suspended {
    pub(super) fn holds(&self, location: i64, route: Option<i64>) -> bool {
        self.locations.contains(&location) || route.is_some_and(|route| self.routes.contains(&route))
    }
}

#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) db: Connection,
    pub(super) names: Names,
    pub(super) keys: Keys,
    pub(super) tally: Tally,
    pub(super) sequence: Sequence,
    pub(super) suspended: Suspended,
    pub(super) messages: MessageCache,
    pub(super) location_waiting_max: u64,
    /// Why nothing new is taken in, for the present group.
    pub(super) no_room: Option<Arc<str>>,
    /// Lanes with more work whose time has come than one claim may move, and the time of that claim.
    pub(super) backlog: BTreeMap<i64, Timestamp>,
    /// How far the search terms are.
    pub(super) indexed: Indexed,
    /// Receipts that wait for a commit which knows them.
    pub(super) parked: usize,
    last_attempt: i64,
}

impl Ledger {
    pub(super) fn open(
        db: Connection,
        config: &StoreConfig,
        fresh: Arc<FreshKeys>,
    ) -> rusqlite::Result<Self> {
        let last = |sql: &str| db.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
        let last_id = last("SELECT max(id) FROM message")?.max(meta(&db, "last_id")?);
        let last_attempt = last("SELECT max(seq) FROM attempt")?.max(meta(&db, "indexed_attempt")?);
        let parked = receipt::parked(&db)?;
        let indexed = Indexed::open(&db, last_id.unwrap_or(0))?;
        let keys = Keys::open(&db, fresh)?;
        let mut ledger = Self {
            db,
            keys,
            names: Names::default(),
            tally: Tally::default(),
            sequence: Sequence::after(MessageId::from_i64(last_id.unwrap_or(0))),
            suspended: Suspended::default(),
            messages: MessageCache::default(),
            location_waiting_max: config.location_waiting_max,
            no_room: None,
            backlog: BTreeMap::new(),
            indexed,
            parked,
            last_attempt: last_attempt.unwrap_or(0),
        };
        ledger.read_suspensions()?;
        Ok(ledger)
    }

    fn read_suspensions(&mut self) -> rusqlite::Result<()> {
        let mut suspended = Suspended::default();
        let mut statement = self.db.prepare_cached(
            "SELECT n.kind, n.id FROM suspension s JOIN name n ON n.kind = s.kind AND n.text = s.name",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (kind, id): (i64, i64) = (row.get(0)?, row.get(1)?);
            if kind == Kind::Location as i64 {
                suspended.locations.insert(id);
            } else if kind == Kind::Route as i64 {
                suspended.routes.insert(id);
            }
        }
        self.suspended = suspended;
        Ok(())
    }

    pub(super) fn begin(&mut self) -> rusqlite::Result<()> {
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(drop)
    }

    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        self.tally.flush(&self.db)?;
        self.db.prepare_cached("COMMIT")?.execute([])?;
        self.tally.committed();
        self.keys.committed();
        Ok(())
    }

    /// Ends a lost transaction and forgets what it may have taught.
    pub(super) fn roll_back(&mut self) -> rusqlite::Result<()> {
        self.tally.rolled_back();
        self.keys.rolled_back();
        self.messages.rolled_back();
        self.names.forget();
        if !self.db.is_autocommit() {
            self.db.execute_batch("ROLLBACK")?;
        }
        self.read_suspensions()?;
        self.parked = receipt::parked(&self.db)?;
        self.indexed.rolled_back(&self.db)
    }

    pub(super) fn next_attempt(&mut self) -> i64 {
        self.last_attempt += 1;
        self.last_attempt
    }

    /// Takes a bite of what is missing until every attempt can be found by its references; whether none is.
    pub(super) fn index_attempts(&mut self) -> Result<bool, Failure> {
        self.indexed.reaches(&self.db, self.last_attempt)
    }

    /// A delivery as it stands in the present transaction. What changes goes back by [`save`](Self::save) or
    /// [`remember`](Self::remember); what does not is read again from the table when it is asked for next.
    pub(super) fn stored(&mut self, id: MessageId) -> Result<Option<Stored>, Failure> {
        match self.messages.take_row(id) {
            Some(known) => Ok(Some(known)),
            None => delivery::load(&self.db, &mut self.names, id),
        }
    }

    /// Whether its route or location is suspended.
    pub(super) fn is_suspended(&mut self, stored: &Stored) -> Result<bool, Failure> {
        let route = match &stored.delivery.plan.route {
            Some(route) => self.names.number(&self.db, Kind::Route, route.as_str())?,
            None => None,
        };
        Ok(self.suspended.holds(stored.counted.location, route))
    }

    /// Where a scheduled delivery waits.
    pub(super) fn place(
        &self,
        location: i64,
        route: Option<i64>,
        due_at: Timestamp,
        now: Timestamp,
    ) -> Queue {
        if self.suspended.holds(location, route) {
            Queue::Parked
        } else if due_at <= now {
            Queue::Ready
        } else {
            Queue::Later
        }
    }

    /// Writes a delivery as it is now, and counts the change.
    pub(super) fn save(&mut self, stored: Stored) -> Result<(), Failure> {
        let now = self.write(UPDATE, &stored, Queue::Ready)?;
        self.tally.moved(stored.counted, now);
        if stored.delivery.state.is_ended() {
            self.messages.drop(stored.delivery.message);
        } else {
            self.remember(Stored { counted: now, ..stored });
        }
        Ok(())
    }

    /// Keeps a delivery that stands so in its table, if its message is kept.
    pub(super) fn remember(&mut self, stored: Stored) {
        if let Some(row) = self.messages.row_mut(stored.delivery.message) {
            *row = Some(stored);
        }
    }

    /// Writes the delivery of a message that has none yet, and counts it. In line it has a place among those of its
    /// location, a page for each of them; else it stands at the end of *later*, and a claim that looks there moves it.
    pub(super) fn insert(&mut self, stored: &mut Stored, in_line: bool) -> Result<(), Failure> {
        let due = if in_line { Queue::Ready } else { Queue::Later };
        stored.counted = self.write(INSERT, stored, due)?;
        self.tally.born(stored.counted);
        Ok(())
    }

    /// As what it is to be counted. What is due goes to `due`.
    fn write(&mut self, sql: &str, stored: &Stored, due: Queue) -> Result<Counted, Failure> {
        let delivery = &stored.delivery;
        let mut number =
            |kind, text: Option<&str>| text.map(|text| self.names.intern(&self.db, kind, text)).transpose();
        let lane = number(Kind::Lane, delivery.lane.as_ref().map(ToString::to_string).as_deref())?;
        let route = number(Kind::Route, delivery.plan.route.as_ref().map(|route| route.as_str()))?;
        let backend =
            number(Kind::Backend, transition::current_backend(delivery).map(|backend| backend.as_str()))?;
        let queue = match delivery.state {
            DeliveryState::Scheduled => {
                match self.place(stored.counted.location, route, delivery.due_at, delivery.changed_at) {
                    Queue::Ready => due,
                    other => other,
                }
            }
            _ => Queue::None,
        };
        let plan = &delivery.plan;
        let empty = plan.chain.is_empty() && plan.reasons.is_empty();
        let plan = (!empty).then(|| json(&(&plan.chain, &plan.reasons))).transpose()?;
        self.db.prepare_cached(sql)?.execute(rusqlite::params![
            delivery.message.as_i64(),
            delivery.state as i64,
            queue as i64,
            lane,
            route,
            backend,
            stored.flags(),
            delivery.due_at.as_millis(),
            stored.recipient.0,
            delivery.epoch,
            delivery.position,
            delivery.attempts,
            delivery.attempts_total,
            delivery.generation,
            delivery.expires_at.as_millis(),
            delivery.changed_at.as_millis(),
            stored.planned_at.map(Timestamp::as_millis),
            stored.last_attempt,
            stored.called_off,
            references_text(&delivery.references),
            delivery.reason.as_ref().map(json).transpose()?,
            delivery.remaining.as_ref().map(json).transpose()?,
            plan,
            stored.counted.location,
            channel_number(delivery.channel),
        ])?;
        Ok(Counted { state: delivery.state, location: stored.counted.location, lane })
    }

    pub(super) fn event(&mut self, id: MessageId, event: &TimelineEvent) -> Result<(), Failure> {
        self.db
            .prepare_cached("INSERT INTO event(message, at, kind, detail) VALUES(?1, ?2, ?3, ?4)")?
            .execute((id.as_i64(), event.at.as_millis(), event_number(event.kind), &event.detail))?;
        Ok(())
    }

    /// The plan becomes a thing of the past: from here on the timeline alone knows it.
    pub(super) fn retire_plan(&mut self, stored: &mut Stored) -> Result<(), Failure> {
        match stored.planned_at.take() {
            Some(at) => {
                self.event(stored.delivery.message, &transition::planned_event(&stored.delivery.plan, at))
            }
            None => Ok(()),
        }
    }
}

/// A number that outlives restarts.
pub(super) fn meta(db: &Connection, key: &str) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?.query_row([key], |row| row.get(0)).optional()
}

pub(super) fn set_meta(db: &Connection, key: &str, value: i64) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO meta(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = ?2",
    )?
    .execute((key, value))
    .map(drop)
}

const EVENTS: [EventKind; 6] = [
    EventKind::Duplicate,
    EventKind::Planned,
    EventKind::Cancelled,
    EventKind::Redriven,
    EventKind::Resolved,
    EventKind::Recovered,
];

pub(super) fn event_number(kind: EventKind) -> i64 {
    match kind {
        EventKind::Duplicate => 0,
        EventKind::Planned => 1,
        EventKind::Cancelled => 2,
        EventKind::Redriven => 3,
        EventKind::Resolved => 4,
        EventKind::Recovered => 5,
    }
}

pub(super) fn event_kind(number: i64) -> Option<EventKind> {
    usize::try_from(number).ok().and_then(|number| EVENTS.get(number)).copied()
}
