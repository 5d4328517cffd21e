//! Walks the messages that a filter takes in, newest first, a bounded number of rows at a time.
//!
//! Where the filter names ids, a recipient, a contact, a location, or rare states, an index leads to
//! them; all else is read row by row from the narrow table. Every row is checked against the whole
//! filter, whatever led to it. The same walk serves lists and the operator's bulk verbs.

use dispatch_model::{DeliveryState, MessageId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _};

use super::content::channel_number;
use super::delivery::is_possible_double;
use super::error::Failure;
use super::names::{Kind, Names};
use super::terms::{Indexed, Term, recipient_forms};
use crate::Filter;
use crate::form::search_form;

/// What a row costs whose message has to be looked at, against one of the narrow table.
const MESSAGE_COST: usize = 4;

/// Rows that the rare-states walk reads of each state at once.
const STANDING_READ: usize = 256;

/// A filter in numbers.
#[derive(Debug)]
pub(super) struct Scan {
    ids: Vec<i64>,
    /// Ids from here.
    lower: i64,
    /// Ids below this.
    upper: i64,
    states: Vec<u8>,
    location: Option<i64>,
    route: Option<i64>,
    backend: Option<i64>,
    channel: Option<i64>,
    possible_double: Option<bool>,
    contact: Option<String>,
    recipient: Option<String>,
    inbound: Option<bool>,
    term: Option<i64>,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) ids: Vec<MessageId>,
    /// Where to go on, if there may be more.
    pub(super) before: Option<i64>,
}

/// A walk under way.
struct Walk<'a> {
    db: &'a Connection,
    scan: &'a Scan,
    limit: usize,
    /// Steps left.
    budget: usize,
    found: Found,
}

impl Scan {
    /// Reads a filter; none when it names something that was never seen, and so takes nothing in.
    pub(super) fn of(filter: &Filter, db: &Connection, names: &mut Names) -> Result<Option<Self>, Failure> {
        let mut number = |kind, text: Option<&str>| match text {
            None => Ok(Some(None)),
            Some(text) => names.number(db, kind, text).map(|number| number.map(Some)),
        };
        let location = number(Kind::Location, filter.location.as_ref().map(|name| name.as_str()))?;
        let route = number(Kind::Route, filter.route.as_ref().map(|name| name.as_str()))?;
        let backend = number(Kind::Backend, filter.backend.as_ref().map(|name| name.as_str()))?;
        let (Some(location), Some(route), Some(backend)) = (location, route, backend) else {
            return Ok(None);
        };
        let recipient = filter.recipient.as_deref().map(search_form);
        let term = if let Some(form) = &recipient {
            Some(Term::Recipient.number(form))
        } else if let Some(contact) = &filter.contact {
            Some(Term::Contact.number(contact))
        } else {
            filter.location.as_ref().map(|location| Term::Location.number(location.as_str()))
        };
        let mut ids: Vec<i64> = filter.ids.iter().map(|id| id.as_i64()).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(Some(Self {
            ids,
            lower: filter.since.map_or(0, first_id),
            upper: filter.until.map_or(i64::MAX, first_id),
            states: filter.states.iter().map(|state| *state as u8).collect(),
            location,
            route,
            backend,
            channel: filter.channel.map(channel_number),
            possible_double: filter.possible_double,
            contact: filter.contact.clone(),
            recipient,
            inbound: filter.inbound,
            term,
        }))
    }

    /// Keeps only these states of the filter's.
    pub(super) fn only(&mut self, allowed: impl Fn(DeliveryState) -> bool) {
        let asked = std::mem::take(&mut self.states);
        let asked = |state: &DeliveryState| asked.is_empty() || asked.contains(&(*state as u8));
        self.states =
            DeliveryState::ALL.into_iter().filter(|s| allowed(*s) && asked(s)).map(|s| s as u8).collect();
        if self.states.is_empty() {
            self.upper = 0;
        }
    }

    /// Whether ids were named.
    pub(super) fn names_ids(&self) -> bool {
        !self.ids.is_empty()
    }

    /// Up to `limit` that match, below `before`, looking at about `budget` rows at most.
    pub(super) fn walk(
        &self,
        db: &Connection,
        before: Option<i64>,
        limit: usize,
        budget: usize,
    ) -> Result<Found, Failure> {
        let before = before.unwrap_or(i64::MAX).min(self.upper);
        let mut walk = Walk { db, scan: self, limit, budget, found: Found::default() };
        if self.names_ids() {
            walk.named(before)?;
        } else if let (Some(term), true) = (self.term, self.is_selective()) {
            let indexed = Indexed::read(db)?.0;
            if walk.range(before, self.lower.max(indexed.saturating_add(1)))? {
                walk.term(term, before.min(indexed.saturating_add(1)))?;
            }
        } else if self.inbound == Some(true) {
            walk.inbound(before)?;
        } else if self.is_standing() {
            walk.standing(before)?;
        } else if let Some(term) = self.term {
            let indexed = Indexed::read(db)?.0;
            if walk.range(before, self.lower.max(indexed.saturating_add(1)))? {
                walk.term(term, before.min(indexed.saturating_add(1)))?;
            }
        } else {
            walk.range(before, self.lower)?;
        }
        Ok(walk.found)
    }

    fn is_selective(&self) -> bool {
        self.recipient.is_some() || self.contact.is_some()
    }

    fn is_standing(&self) -> bool {
        !self.states.is_empty() && self.states.iter().all(|state| !matches!(state, 1 | 3 | 4))
    }

    fn needs_message(&self) -> bool {
        self.contact.is_some() || self.recipient.is_some() || self.inbound.is_some()
    }
}

/// The first id of a time; times before the ids and after them count as their ends.
fn first_id(at: Timestamp) -> i64 {
    const LAST: i64 = (1 << 43) - 1;
    if at.as_millis() > LAST { i64::MAX } else { MessageId::first_at(at).as_i64() }
}

impl Walk<'_> {
    /// Looks at one row; whether the walk goes on.
    fn look(&mut self, row: &rusqlite::Row<'_>) -> Result<bool, Failure> {
        let id: i64 = row.get(0)?;
        if id >= self.scan.lower && id < self.scan.upper && self.matches(id, row)? {
            self.found.ids.push(MessageId::from_i64(id));
        }
        self.budget = self.budget.saturating_sub(1);
        if self.found.ids.len() >= self.limit || self.budget == 0 {
            self.found.before = Some(id);
            return Ok(false);
        }
        Ok(true)
    }

    fn matches(&mut self, id: i64, row: &rusqlite::Row<'_>) -> Result<bool, Failure> {
        let scan = self.scan;
        let narrow = (scan.states.is_empty() || scan.states.contains(&row.get(1)?))
            && scan.location.map_or(Ok(true), |wanted| row.get(2).map(|is: i64| is == wanted))?
            && scan.route.map_or(Ok(true), |wanted| row.get(3).map(|is: Option<i64>| is == Some(wanted)))?
            && scan
                .backend
                .map_or(Ok(true), |wanted| row.get(4).map(|is: Option<i64>| is == Some(wanted)))?
            && scan.channel.map_or(Ok(true), |wanted| row.get(5).map(|is: i64| is == wanted))?
            && scan
                .possible_double
                .map_or(Ok(true), |wanted| row.get(6).map(|flags| is_possible_double(flags) == wanted))?;
        if !narrow || !scan.needs_message() {
            return Ok(narrow);
        }
        self.budget = self.budget.saturating_sub(MESSAGE_COST);
        let texts: Option<[Option<String>; 4]> = self
            .db
            .prepare_cached("SELECT contact, recipients, original, sender FROM message WHERE id = ?1")?
            .query_row([id], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))
            .optional()?;
        let Some([contact, recipients, original, sender]) = texts else { return Ok(false) };
        Ok(scan.contact.as_ref().is_none_or(|wanted| contact.as_ref() == Some(wanted))
            && scan.inbound.is_none_or(|wanted| sender.is_some() == wanted)
            && scan.recipient.as_ref().is_none_or(|wanted| {
                let others = [original.as_deref(), sender.as_deref()];
                recipient_forms(recipients.as_deref(), others).contains(wanted)
            }))
    }

    /// The ids that the filter names.
    fn named(&mut self, before: i64) -> Result<bool, Failure> {
        for id in self.scan.ids.iter().rev().copied().filter(|id| *id < before) {
            if !self.look_up(id)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// All ids from `before` down to `lower`.
    fn range(&mut self, before: i64, lower: i64) -> Result<bool, Failure> {
        let mut statement = self.db.prepare_cached(
            "SELECT id, state, location, route, backend, channel, flags FROM delivery \
             WHERE id < ?1 AND id >= ?2 ORDER BY id DESC",
        )?;
        let mut rows = statement.query((before, lower))?;
        while let Some(row) = rows.next()? {
            if !self.look(row)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Those that people sent, which have an index of their own: they may be few among many.
    fn inbound(&mut self, before: i64) -> Result<bool, Failure> {
        let mut statement = self.db.prepare_cached(
            "SELECT d.id, d.state, d.location, d.route, d.backend, d.channel, d.flags \
             FROM message m INDEXED BY inbound CROSS JOIN delivery d ON d.id = m.id \
             WHERE m.sender IS NOT NULL AND m.id < ?1 AND m.id >= ?2 ORDER BY m.id DESC",
        )?;
        let mut rows = statement.query((before, self.scan.lower))?;
        while let Some(row) = rows.next()? {
            if !self.look(row)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Those that a term leads to.
    fn term(&mut self, term: i64, before: i64) -> Result<bool, Failure> {
        let mut statement = self.db.prepare_cached(
            "SELECT d.id, d.state, d.location, d.route, d.backend, d.channel, d.flags \
             FROM term t CROSS JOIN delivery d ON d.id = t.message \
             WHERE t.hash = ?1 AND t.message < ?2 AND t.message >= ?3 ORDER BY t.message DESC",
        )?;
        let mut rows = statement.query((term, before, self.scan.lower))?;
        while let Some(row) = rows.next()? {
            // A row reached by a jump costs more than the next one of a table.
            self.budget = self.budget.saturating_sub(2).max(1);
            if !self.look(row)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Those in rare states: each state's ids are in order in the index, and are merged here.
    fn standing(&mut self, mut before: i64) -> Result<bool, Failure> {
        loop {
            let mut ids: Vec<i64> = Vec::new();
            let mut whole = true;
            // Below this some state has more than was read.
            let mut floor = 0;
            for state in &self.scan.states {
                let read: Vec<i64> = self
                    .db
                    .prepare_cached(
                        "SELECT id FROM delivery INDEXED BY standing WHERE state = ?1 \
                         AND state <> 1 AND state <> 3 AND state <> 4 AND id < ?2 AND id >= ?3 ORDER BY id DESC LIMIT ?4",
                    )?
                    .query_map((state, before, self.scan.lower, STANDING_READ as i64), |row| row.get(0))?
                    .collect::<Result<_, _>>()?;
                if read.len() == STANDING_READ {
                    whole = false;
                    floor = floor.max(read[STANDING_READ - 1]);
                }
                ids.extend(read);
            }
            ids.retain(|id| *id >= floor);
            ids.sort_unstable_by(|a, b| b.cmp(a));
            ids.dedup();
            for id in &ids {
                if !self.look_up(*id)? {
                    return Ok(false);
                }
            }
            match ids.last() {
                Some(last) if !whole => before = *last,
                _ => return Ok(true),
            }
        }
    }

    fn look_up(&mut self, id: i64) -> Result<bool, Failure> {
        let mut statement = self.db.prepare_cached(
            "SELECT id, state, location, route, backend, channel, flags FROM delivery WHERE id = ?1",
        )?;
        let mut rows = statement.query([id])?;
        match rows.next()? {
            Some(row) => self.look(row),
            None => Ok(true),
        }
    }
}
