//! The questions and their answers.

use std::collections::BTreeMap;

use dispatch_model::{AttemptRecord, DeliveryState, Exchange, Lane, MessageId, Timestamp};
use rusqlite::OptionalExtension as _;

use super::claim::next_later;
use super::content::{self, channel_of};
use super::delivery::{self, RawDelivery, is_among, is_possible_double, references_of, select_delivery};
use super::error::{Failure, unreadable};
use super::keys::keys_of;
use super::ledger::event_kind;
use super::reader::Reader;
use super::receipt;
use super::scan::Scan;
use super::suspend::join;
use super::tally::{LANES, LOCATIONS, QUARANTINED};
use super::terms::{Indexed, Term};
use crate::{
    Cursor, Filter, LaneCount, LaneRecord, MessageSummary, MessageView, Page, QuarantineEntry, StoreStats,
    Suspension, TimelineEvent, Unplanned, transition,
};

/// Ids that `find` gives at most.
const FOUND: usize = 20;

/// Rows of a page at most: an answer is built in memory.
const PAGE: usize = 1_000;

/// Rows that a page looks at: some milliseconds.
const LOOKED_AT: usize = 25_000;

/// Attempts without search terms that `find` looks at: those of the last moments.
const RECENT: usize = 20_000;

/// Attempts and events of a message shown at most.
const SHOWN: usize = 1_000;

impl Reader {
    pub(super) fn unplanned(&mut self, after: MessageId, limit: usize) -> Result<Vec<Unplanned>, Failure> {
        let sql = select_delivery!(
            "FROM delivery d INDEXED BY standing WHERE d.state = 0 AND d.state <> 1 AND d.state <> 3 AND d.state <> 4 \
             AND d.id > ?1 ORDER BY d.id LIMIT ?2"
        );
        let raw: Vec<RawDelivery> = self
            .db
            .prepare_cached(sql)?
            .query_map((after.as_i64(), limit.min(PAGE) as i64), RawDelivery::of)?
            .collect::<Result<_, _>>()?;
        raw.into_iter()
            .map(|raw| {
                let delivery = raw.resolve(&self.db, &mut self.names)?.delivery;
                let message = content::load(&self.db, &mut self.names, delivery.message.as_i64())?;
                Ok(Unplanned { message, delivery })
            })
            .collect()
    }

    pub(super) fn message(&mut self, id: MessageId) -> Result<Option<MessageView>, Failure> {
        let Some(stored) = delivery::load(&self.db, &mut self.names, id)? else { return Ok(None) };
        let message = content::load(&self.db, &mut self.names, id.as_i64())?;
        let attempts = self.attempts(stored.last_attempt)?;
        let receipts = if stored.heard { receipt::load(&self.db, &mut self.names, id)? } else { Vec::new() };
        let mut events = self.events(id)?;
        transition::insert_plan(&mut events, &stored.delivery.plan, stored.planned_at);
        Ok(Some(MessageView {
            message: (*message).clone(),
            content_purged: stored.purged,
            delivery: stored.delivery,
            attempts,
            receipts,
            events,
        }))
    }

    fn attempts(&mut self, last: Option<i64>) -> Result<Vec<AttemptRecord>, Failure> {
        let mut attempts = Vec::new();
        let mut next = last;
        while let Some(seq) = next.filter(|_| attempts.len() < SHOWN) {
            let (previous, record, exchanges): (Option<i64>, String, Option<String>) = self
                .db
                .prepare_cached("SELECT previous, record, exchanges FROM attempt WHERE seq = ?1")?
                .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            let broken = |error: serde_json::Error| unreadable("an attempt", error);
            let mut attempt: AttemptRecord = serde_json::from_str(&record).map_err(broken)?;
            if let Some(exchanges) = exchanges {
                attempt.exchanges = serde_json::from_str::<Vec<Exchange>>(&exchanges).map_err(broken)?;
            }
            attempts.push(attempt);
            next = previous;
        }
        attempts.reverse();
        Ok(attempts)
    }

    fn events(&mut self, id: MessageId) -> Result<Vec<TimelineEvent>, Failure> {
        let rows: Vec<(i64, i64, String)> = self
            .db
            .prepare_cached("SELECT at, kind, detail FROM event WHERE message = ?1 ORDER BY seq LIMIT ?2")?
            .query_map((id.as_i64(), SHOWN as i64), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        rows.into_iter()
            .map(|(at, kind, detail)| {
                let kind = event_kind(kind).ok_or_else(|| unreadable("an event", "its kind"))?;
                Ok(TimelineEvent { at: Timestamp::from_millis(at), kind, detail })
            })
            .collect()
    }

    pub(super) fn find(&mut self, any_id: &str) -> Result<Vec<MessageId>, Failure> {
        let fresh = self.shared.fresh.messages(any_id);
        let mut found: Vec<MessageId> = Vec::new();
        if let Ok(id) = any_id.parse::<MessageId>() {
            let known = self
                .db
                .prepare_cached("SELECT 1 FROM delivery WHERE id = ?1")?
                .query_row([id.as_i64()], |_| Ok(()))
                .optional()?;
            found.extend(known.map(|()| id));
        }
        for group in [self.by_external_id(any_id, &fresh)?, self.by_reference(any_id)?] {
            let mut group: Vec<MessageId> = group.into_iter().filter(|id| !found.contains(id)).collect();
            group.sort_unstable_by(|a, b| b.cmp(a));
            group.dedup();
            found.extend(group);
        }
        found.truncate(FOUND);
        Ok(found)
    }

    fn by_external_id(&self, external_id: &str, fresh: &[i64]) -> Result<Vec<MessageId>, Failure> {
        let (first, last) = keys_of(external_id);
        let mut ids: Vec<MessageId> = self
            .db
            .prepare_cached(
                "SELECT m.id FROM dedupe d CROSS JOIN message m ON m.id = d.message \
                 WHERE d.key BETWEEN ?1 AND ?2 AND m.external_id = ?3 LIMIT 1000",
            )?
            .query_map((first, last, external_id), |row| row.get(0).map(MessageId::from_i64))?
            .collect::<Result<_, _>>()?;
        let mut known = self.db.prepare_cached("SELECT 1 FROM message WHERE id = ?1 AND external_id = ?2")?;
        for id in fresh {
            if known.exists((id, external_id))? {
                ids.push(MessageId::from_i64(*id));
            }
        }
        Ok(ids)
    }

    fn by_reference(&self, reference: &str) -> Result<Vec<MessageId>, Failure> {
        let indexed = Indexed::read(&self.db)?.1;
        let recent: Vec<i64> = self
            .db
            .prepare_cached(
                "SELECT message FROM (SELECT message, reference FROM attempt WHERE seq > ?1 \
                 ORDER BY seq DESC LIMIT ?3) WHERE instr(char(10) || reference || char(10), char(10) || ?2 || char(10)) > 0 LIMIT 100",
            )?
            .query_map((indexed, reference, RECENT as i64), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let listed: Vec<i64> = self
            .db
            .prepare_cached("SELECT message FROM term WHERE hash = ?1 ORDER BY message DESC LIMIT 100")?
            .query_map([Term::Reference.number(reference)], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut found: Vec<MessageId> = recent.into_iter().map(MessageId::from_i64).collect();
        for id in listed {
            if self.has_reference(id, reference)? {
                found.push(MessageId::from_i64(id));
            }
        }
        Ok(found)
    }

    fn has_reference(&self, id: i64, reference: &str) -> Result<bool, Failure> {
        let row: Option<(Option<String>, Option<i64>)> = self
            .db
            .prepare_cached("SELECT reference, last_attempt FROM delivery WHERE id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((present, mut next)) = row else { return Ok(false) };
        if is_among(present.as_deref(), reference) {
            return Ok(true);
        }
        while let Some(seq) = next {
            let (previous, known): (Option<i64>, Option<String>) = self
                .db
                .prepare_cached("SELECT previous, reference FROM attempt WHERE seq = ?1")?
                .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if is_among(known.as_deref(), reference) {
                return Ok(true);
            }
            next = previous;
        }
        Ok(false)
    }

    pub(super) fn search(
        &mut self,
        filter: &Filter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<MessageSummary>, Failure> {
        let limit = limit.clamp(1, PAGE);
        let Some(scan) = Scan::of(filter, &self.db, &mut self.names)? else {
            return Ok(Page { items: Vec::new(), next: None });
        };
        // One more than wanted tells whether there is a next page.
        let found = scan.walk(&self.db, cursor.map(|cursor| cursor.0), limit + 1, LOOKED_AT)?;
        let full = found.ids.len() > limit;
        let next = if full { Some(found.ids[limit - 1].as_i64()) } else { found.before };
        let items = found.ids.into_iter().take(limit).map(|id| self.summary(id)).collect::<Result<_, _>>()?;
        Ok(Page { items, next: next.map(Cursor) })
    }

    fn summary(&mut self, id: MessageId) -> Result<MessageSummary, Failure> {
        let sql = "SELECT d.state, d.location, d.channel, d.flags, d.route, d.backend, d.attempts_total, \
                   d.due_at, d.reference, d.reason, m.external_id, m.recipients, m.sender \
                   FROM delivery d CROSS JOIN message m ON m.id = d.id WHERE d.id = ?1";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query([id.as_i64()])?;
        let Some(row) = rows.next()? else { return Err(unreadable("a message", "it is not there")) };
        let state =
            DeliveryState::from_u8(row.get(0)?).ok_or_else(|| unreadable("a delivery", "its state"))?;
        let mut text =
            |number: Option<i64>| number.map(|number| self.names.text(&self.db, number)).transpose();
        let location = text(row.get(1)?)?;
        let (route, backend) = (text(row.get(4)?)?, text(row.get(5)?)?);
        let broken = |error: serde_json::Error| unreadable("a message", error);
        let reason: Option<String> = row.get(9)?;
        let references: Option<String> = row.get(8)?;
        let recipients: Option<String> = row.get(11)?;
        Ok(MessageSummary {
            id,
            external_id: row.get(10)?,
            admitted_at: id.at(),
            location: location.as_deref().unwrap_or_default().into(),
            channel: channel_of(row.get(2)?),
            recipients: match recipients {
                Some(json) => serde_json::from_str(&json).map_err(broken)?,
                None => Vec::new(),
            },
            sender: row.get(12)?,
            state,
            route: route.map(|route| (&*route).into()),
            backend: backend.map(|backend| (&*backend).into()),
            attempts: row.get(6)?,
            due_at: Timestamp::from_millis(row.get(7)?),
            references: references.as_deref().map(references_of).unwrap_or_default(),
            reason: reason.map(|json| serde_json::from_str(&json)).transpose().map_err(broken)?,
            possible_double: is_possible_double(row.get(3)?),
        })
    }

    pub(super) fn quarantined(
        &mut self,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<QuarantineEntry>, Failure> {
        let limit = limit.clamp(1, PAGE);
        let mut statement = self.db.prepare_cached(
            "SELECT q.id, n.text, q.received_at, q.reason, q.size, q.seen FROM quarantine q \
             JOIN name n ON n.id = q.source WHERE q.id < ?1 ORDER BY q.id DESC LIMIT ?2",
        )?;
        let before = cursor.map_or(i64::MAX, |cursor| cursor.0);
        let mut items: Vec<QuarantineEntry> = statement
            .query_map((before, limit as i64 + 1), |row| {
                Ok(QuarantineEntry {
                    id: row.get(0)?,
                    source: row.get::<_, String>(1)?.into(),
                    received_at: Timestamp::from_millis(row.get(2)?),
                    reason: row.get(3)?,
                    size: row.get::<_, i64>(4)?.unsigned_abs(),
                    seen: row.get::<_, i64>(5)?.unsigned_abs(),
                })
            })?
            .collect::<Result<_, _>>()?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(|entry| Cursor(entry.id)) } else { None };
        Ok(Page { items, next })
    }

    pub(super) fn quarantined_body(&mut self, id: i64) -> Result<Option<Vec<u8>>, Failure> {
        let mut statement = self.db.prepare_cached("SELECT body FROM quarantine WHERE id = ?1")?;
        Ok(statement.query_row([id], |row| row.get(0)).optional()?)
    }

    pub(super) fn stats(&mut self) -> Result<StoreStats, Failure> {
        let mut by_state: BTreeMap<String, u64> =
            DeliveryState::ALL.into_iter().map(|state| (state.as_str().to_owned(), 0)).collect();
        let mut quarantined = 0;
        let counts: Vec<(i64, i64)> = self
            .db
            .prepare_cached("SELECT key, n FROM tally WHERE key < ?1")?
            .query_map([LOCATIONS], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (key, n) in counts {
            let n = u64::try_from(n).unwrap_or(0);
            if key == QUARANTINED {
                quarantined = n;
            } else if let Some(state) = u8::try_from(key).ok().and_then(DeliveryState::from_u8) {
                by_state.insert(state.as_str().to_owned(), n);
            }
        }
        let parked_receipts = receipt::parked(&self.db)? as u64;
        let space = self.shared.space.lock();
        let (bytes, disk_free) = (space.size(), space.free());
        Ok(StoreStats { by_state, quarantined, parked_receipts, bytes, disk_free })
    }

    pub(super) fn lanes(&mut self) -> Result<Vec<LaneCount>, Failure> {
        let counts: Vec<(i64, i64)> = self
            .db
            .prepare_cached("SELECT key - ?1, n FROM tally WHERE key >= ?1 AND n > 0")?
            .query_map([LANES], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let mut lanes = Vec::with_capacity(counts.len());
        for (lane, n) in counts {
            let ready: Option<i64> = self
                .db
                .prepare_cached(
                    "SELECT due_at FROM delivery INDEXED BY ready WHERE queue = 1 AND lane = ?1 LIMIT 1",
                )?
                .query_row([lane], |row| row.get(0))
                .optional()?;
            let later = next_later(&self.db, lane)?;
            let first_due = ready.map(Timestamp::from_millis).or(later);
            lanes.push(LaneCount {
                lane: Lane::from(&*self.names.text(&self.db, lane)?),
                waiting: u64::try_from(n).unwrap_or(0),
                first_due: first_due.unwrap_or(Timestamp::from_millis(i64::MAX)),
            });
        }
        lanes.sort_by(|a, b| a.lane.cmp(&b.lane));
        Ok(lanes)
    }

    pub(super) fn suspensions(&mut self) -> Result<Vec<(Suspension, Timestamp)>, Failure> {
        let rows: Vec<(i64, String, i64)> = self
            .db
            .prepare_cached("SELECT kind, name, since FROM suspension")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        let mut suspensions: Vec<(Suspension, Timestamp)> = rows
            .into_iter()
            .filter_map(|(kind, name, since)| Some((join(kind, &name)?, Timestamp::from_millis(since))))
            .collect();
        suspensions.sort();
        Ok(suspensions)
    }

    pub(super) fn lane_records(&mut self) -> Result<Vec<(Lane, LaneRecord)>, Failure> {
        let rows: Vec<(String, String)> = self
            .db
            .prepare_cached("SELECT lane, record FROM lane_record")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let mut records = rows
            .into_iter()
            .map(|(lane, json)| {
                let record =
                    serde_json::from_str(&json).map_err(|error| unreadable("a lane's record", error))?;
                Ok((Lane::from(lane.as_str()), record))
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        records.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(records)
    }
}
