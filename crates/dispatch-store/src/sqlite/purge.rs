//! Takes what retention allows, a bite a call.
//!
//! Ids are time-ordered, so what is old is at the front: for contents and for records a *floor*
//! remembers up to where everything was dealt with. What is old and not yet ended stays behind the
//! floor as a *straggler*, and is looked at again on later calls. A key whose message goes is noted
//! with its id, so that it can be found when its own time comes.

use dispatch_model::{AttemptRecord, DeliveryState, MessageId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _};

use super::error::{Failure, unreadable};
use super::keys::{Key, dedupe_key, scope};
use super::ledger::{Ledger, meta, set_meta};
use super::tally::Counted;
use super::terms::{Term, recipient_forms, remove};
use super::verb::{Progress, Verb};
use crate::receipts::PARKED_FOR;
use crate::{Purged, Retention, transition};

/// Messages looked at in one bite, for contents and for records each.
const LOOKED_AT: usize = 500;

/// Free pages given back to the disk in one bite: 4 MiB.
const PAGES: usize = 512;

/// What is purged of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Content = 1,
    Record = 2,
}

impl Part {
    fn floor(self) -> &'static str {
        match self {
            Self::Content => "purged_content",
            Self::Record => "purged_record",
        }
    }
}

pub(super) struct Purge {
    pub(super) retention: Retention,
    pub(super) now: Timestamp,
    /// Where the walk over the stragglers goes on; the caller keeps it from call to call.
    pub(super) stragglers: [i64; 2],
}

/// What a purge took, and where the next one goes on.
pub(super) type Bite = (Purged, [i64; 2]);

impl Verb for Purge {
    type Output = Bite;

    fn weight(&self) -> usize {
        1 << 20
    }

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<Bite>, Failure> {
        let mut purged = Purged::default();
        let mut places = self.stragglers;
        let spans = [(Part::Content, self.retention.content), (Part::Record, self.retention.record)];
        for ((part, span), place) in spans.into_iter().zip(&mut places) {
            let until = Timestamp::from_millis(
                self.now.as_millis().saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
            );
            purged.more |= self.advance(ledger, part, until, &mut purged)?;
            purged.more |= self.look_again(ledger, part, until, place, &mut purged)?;
        }
        purged.more |= self.keys(ledger, &mut purged)?;
        purged.more |= self.quarantined(ledger, &mut purged)?;
        purged.more |= self.parked(ledger, &mut purged)?;
        vacuum(&ledger.db)?;
        Ok(Progress::Done((purged, places)))
    }
}

impl Purge {
    /// Moves the floor; whether it has further to go.
    fn advance(
        &self,
        ledger: &mut Ledger,
        part: Part,
        until: Timestamp,
        purged: &mut Purged,
    ) -> Result<bool, Failure> {
        let floor = meta(&ledger.db, part.floor())?.unwrap_or(-1);
        // An end is never before its message: younger ids have nothing to give.
        let ceiling = MessageId::first_at(until).as_i64() | ((1 << 20) - 1);
        if until.as_millis() < 0 {
            return Ok(false);
        }
        let ids: Vec<i64> = ledger
            .db
            .prepare_cached("SELECT id FROM delivery WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3")?
            .query_map((floor, ceiling, LOOKED_AT as i64), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for id in &ids {
            if !self.take(ledger, part, *id, until, purged)? {
                ledger
                    .db
                    .prepare_cached("INSERT OR IGNORE INTO straggler(kind, message) VALUES(?1, ?2)")?
                    .execute((part as i64, id))?;
            }
        }
        if let Some(last) = ids.last() {
            set_meta(&ledger.db, part.floor(), *last)?;
        }
        Ok(ids.len() == LOOKED_AT)
    }

    /// Looks at those that were not ended when the floor passed them; whether it has not seen all yet.
    fn look_again(
        &self,
        ledger: &mut Ledger,
        part: Part,
        until: Timestamp,
        place: &mut i64,
        purged: &mut Purged,
    ) -> Result<bool, Failure> {
        let ids: Vec<i64> = ledger
            .db
            .prepare_cached(
                "SELECT message FROM straggler WHERE kind = ?1 AND message > ?2 ORDER BY message LIMIT ?3",
            )?
            .query_map((part as i64, *place, LOOKED_AT as i64), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for id in &ids {
            if self.take(ledger, part, *id, until, purged)? {
                ledger
                    .db
                    .prepare_cached("DELETE FROM straggler WHERE kind = ?1 AND message = ?2")?
                    .execute((part as i64, id))?;
            }
        }
        let more = ids.len() == LOOKED_AT;
        // From the front again next time.
        *place = if more { ids[LOOKED_AT - 1] } else { -1 };
        Ok(more)
    }

    /// Takes the part of one message, if its time has come; whether there is nothing left to take.
    fn take(
        &self,
        ledger: &mut Ledger,
        part: Part,
        id: i64,
        until: Timestamp,
        purged: &mut Purged,
    ) -> Result<bool, Failure> {
        let row = ledger
            .db
            .prepare_cached(
                "SELECT state, changed_at, flags, location, lane, last_attempt FROM delivery WHERE id = ?1",
            )?
            .query_row([id], |r| {
                let state: u8 = r.get(0)?;
                let (changed_at, flags, location): (i64, i64, i64) = (r.get(1)?, r.get(2)?, r.get(3)?);
                let (lane, last_attempt): (Option<i64>, Option<i64>) = (r.get(4)?, r.get(5)?);
                Ok((state, changed_at, flags, location, lane, last_attempt))
            })
            .optional()?;
        let Some((state, changed_at, flags, location, lane, last_attempt)) = row else { return Ok(true) };
        let state = DeliveryState::from_u8(state).ok_or_else(|| unreadable("a delivery", "its state"))?;
        if !state.is_ended() || changed_at > until.as_millis() {
            return Ok(false);
        }
        let gone = Counted { state, location, lane };
        match part {
            Part::Content if flags & 8 == 0 => {
                take_content(&ledger.db, id, last_attempt)?;
                purged.contents += 1;
            }
            Part::Content => {}
            Part::Record => {
                let kept = self.retention.dedupe.max(self.retention.record);
                let key_goes = MessageId::from_i64(id).at().plus(kept) <= self.now;
                let location = ledger.names.text(&ledger.db, location)?;
                ledger.keys.reach(&ledger.db, id)?;
                let key = take_record(&ledger.db, id, last_attempt, &location)?;
                if key_goes {
                    ledger.keys.drop(&ledger.db, &key)?;
                } else {
                    ledger
                        .db
                        .prepare_cached("INSERT OR REPLACE INTO old_key(message, key) VALUES(?1, ?2)")?
                        .execute((id, key))?;
                }
                ledger.tally.gone(gone);
                purged.records += 1;
                purged.keys += usize::from(key_goes);
                // The newest id must be known even when its message is gone.
                let last = meta(&ledger.db, "last_id")?.unwrap_or(0);
                set_meta(&ledger.db, "last_id", last.max(id))?;
            }
        }
        ledger.messages.drop(MessageId::from_i64(id));
        Ok(true)
    }

    fn keys(&self, ledger: &mut Ledger, purged: &mut Purged) -> Result<bool, Failure> {
        let kept = self.retention.dedupe.max(self.retention.record);
        let old: Vec<(i64, Key)> = ledger
            .db
            .prepare_cached("SELECT message, key FROM old_key ORDER BY message LIMIT ?1")?
            .query_map([LOOKED_AT as i64], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let mut taken = 0;
        for (message, key) in &old {
            if MessageId::from_i64(*message).at().plus(kept) > self.now {
                break;
            }
            ledger.keys.drop(&ledger.db, key)?;
            ledger.db.prepare_cached("DELETE FROM old_key WHERE message = ?1")?.execute([message])?;
            taken += 1;
        }
        purged.keys += taken;
        Ok(taken == LOOKED_AT)
    }

    fn quarantined(&self, ledger: &mut Ledger, purged: &mut Purged) -> Result<bool, Failure> {
        /// Bodies can be large.
        const BODIES: usize = 50;
        let span = i64::try_from(self.retention.quarantine.as_millis()).unwrap_or(i64::MAX);
        let taken = ledger
            .db
            .prepare_cached(
                "DELETE FROM quarantine WHERE id IN \
                 (SELECT id FROM quarantine WHERE received_at <= ?1 ORDER BY received_at LIMIT ?2)",
            )?
            .execute((self.now.as_millis().saturating_sub(span), BODIES as i64))?;
        ledger.tally.quarantined(-(taken as i64));
        purged.quarantined += taken;
        Ok(taken == BODIES)
    }

    /// Receipts that nobody came for.
    fn parked(&self, ledger: &mut Ledger, purged: &mut Purged) -> Result<bool, Failure> {
        let span = i64::try_from(PARKED_FOR.as_millis()).unwrap_or(i64::MAX);
        // They are numbered as they came.
        let taken = ledger
            .db
            .prepare_cached(
                "DELETE FROM parked_receipt WHERE received_at <= ?1 AND seq IN \
                 (SELECT seq FROM parked_receipt ORDER BY seq LIMIT ?2)",
            )?
            .execute((self.now.as_millis().saturating_sub(span), LOOKED_AT as i64))?;
        ledger.parked -= taken;
        purged.receipts += taken;
        Ok(taken == LOOKED_AT)
    }
}

/// Gives free pages back: one for each row that the statement is asked for.
fn vacuum(db: &Connection) -> Result<(), Failure> {
    let mut statement = db.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut pages = statement.query([])?;
    while pages.next()?.is_some() {}
    Ok(())
}

/// The forms under which a message is found by recipient.
fn forms(db: &Connection, id: i64) -> Result<Vec<String>, Failure> {
    let row: Option<(Option<String>, Option<String>, Option<String>)> = db
        .prepare_cached("SELECT recipients, original, sender FROM message WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let (recipients, original, sender) = row.unwrap_or_default();
    Ok(recipient_forms(recipients.as_deref(), [original.as_deref(), sender.as_deref()]))
}

fn take_content(db: &Connection, id: i64, last_attempt: Option<i64>) -> Result<(), Failure> {
    let forms = forms(db, id)?;
    let terms: Vec<(Term, &str)> = forms.iter().map(|form| (Term::Recipient, form.as_str())).collect();
    remove(db, id, &terms)?;
    db.prepare_cached(
        "UPDATE message SET recipients = NULL, original = NULL, content = NULL, \
         sender = iif(sender IS NULL, NULL, '') WHERE id = ?1",
    )?
    .execute([id])?;
    db.prepare_cached("UPDATE delivery SET flags = flags | 8, remaining = NULL WHERE id = ?1")?
        .execute([id])?;
    // What differed by recipient alone becomes one.
    db.prepare_cached("UPDATE OR REPLACE receipt SET recipient = '', words = NULL WHERE message = ?1")?
        .execute([id])?;
    let mut next = last_attempt;
    while let Some(seq) = next {
        let (previous, record): (Option<i64>, String) = db
            .prepare_cached("SELECT previous, record FROM attempt WHERE seq = ?1")?
            .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut attempt: AttemptRecord =
            serde_json::from_str(&record).map_err(|error| unreadable("an attempt", error))?;
        transition::strip_attempt(&mut attempt);
        db.prepare_cached("UPDATE attempt SET exchanges = NULL, record = ?2 WHERE seq = ?1")?
            .execute((seq, super::delivery::json(&attempt)?))?;
        next = previous;
    }
    Ok(())
}

/// Takes all there is of a message; what its key was.
fn take_record(db: &Connection, id: i64, last_attempt: Option<i64>, location: &str) -> Result<Key, Failure> {
    let (external_id, contact, inbound_by): (String, Option<String>, Option<String>) = db
        .prepare_cached(
            "SELECT m.external_id, m.contact, iif(m.sender IS NULL, NULL, n.text) FROM message m \
             JOIN name n ON n.id = m.source WHERE m.id = ?1",
        )?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let key = dedupe_key(&scope(location, inbound_by.as_deref()), &external_id);
    let forms = forms(db, id)?;
    let mut terms: Vec<(Term, &str)> = vec![(Term::Location, location)];
    terms.extend(contact.as_deref().map(|contact| (Term::Contact, contact)));
    terms.extend(forms.iter().map(|form| (Term::Recipient, form.as_str())));
    remove(db, id, &terms)?;
    let present: Option<String> = db
        .prepare_cached("SELECT reference FROM delivery WHERE id = ?1")?
        .query_row([id], |row| row.get(0))?;
    let each = present.iter().flat_map(|text| text.lines());
    remove(db, id, &each.map(|reference| (Term::Reference, reference)).collect::<Vec<_>>())?;
    let mut next = last_attempt;
    while let Some(seq) = next {
        let (previous, reference): (Option<i64>, Option<String>) = db
            .prepare_cached("SELECT previous, reference FROM attempt WHERE seq = ?1")?
            .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let each = reference.iter().flat_map(|text| text.lines());
        remove(db, id, &each.map(|reference| (Term::Reference, reference)).collect::<Vec<_>>())?;
        db.prepare_cached("DELETE FROM attempt WHERE seq = ?1")?.execute([seq])?;
        next = previous;
    }
    for sql in [
        "DELETE FROM event WHERE message = ?1",
        "DELETE FROM receipt WHERE message = ?1",
        "DELETE FROM straggler WHERE kind = 1 AND message = ?1",
        "DELETE FROM delivery WHERE id = ?1",
        "DELETE FROM message WHERE id = ?1",
    ] {
        db.prepare_cached(sql)?.execute([id])?;
    }
    Ok(key)
}
