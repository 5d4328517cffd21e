//! Search terms: which messages have this recipient, contact, location, or provider's reference.
//!
//! Random inserts are what makes an index dear: each one touches a page of its own. So terms are not
//! in the transaction that admits. The writer gathers them for thousands of messages, sorts them, and
//! writes them in slices, when nothing waits or enough has come together; when the last slice is on
//! disk it notes how far it came. A search reads what is not yet in the table from the messages
//! themselves, so it is complete at every moment. Terms are numbers made from digests, and every hit
//! is checked.

use dispatch_model::MessageId;
use ring::digest::{Context, SHA256};
use rusqlite::Connection;

use super::error::Failure;
use super::ledger::{meta, set_meta};
use crate::form::search_form;

/// Messages gathered, or terms written, in one bite: some milliseconds.
const BITE: usize = 512;

/// Messages whose terms are written together. The more, the more of them fall on the same page; and
/// the longer is the part that a search has to read message by message.
const BATCH: usize = 16_384;

/// What a term is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Term {
    Recipient = 1,
    Contact = 2,
    Location = 3,
    Reference = 4,
}

impl Term {
    /// The number that stands for a text.
    pub(super) fn number(self, text: &str) -> i64 {
        let mut context = Context::new(&SHA256);
        context.update(&[self as u8]);
        context.update(text.as_bytes());
        let digest = context.finish();
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest.as_ref()[..8]);
        i64::from_le_bytes(bytes)
    }
}

/// How far the table is.
#[derive(Debug)]
pub(super) struct Indexed {
    /// Roughly how many messages are not in it.
    lag: u64,
    batch: Batch,
}

/// Terms on their way. Nothing of it is kept on disk: what was written of a batch that was not
/// finished is written once more.
#[derive(Debug)]
struct Batch {
    /// Messages up to this id are in it, or in the table.
    message: i64,
    /// Attempts up to this number are in it, or in the table.
    attempt: i64,
    messages: usize,
    terms: Vec<(i64, i64)>,
    /// How many of the terms are written, once all are gathered and sorted.
    written: Option<usize>,
}

impl Batch {
    fn open(db: &Connection) -> rusqlite::Result<Self> {
        let (message, attempt) = Indexed::read(db)?;
        Ok(Self { message, attempt, messages: 0, terms: Vec::new(), written: None })
    }
}

impl Indexed {
    pub(super) fn open(db: &Connection, last_id: i64) -> rusqlite::Result<Self> {
        let batch = Batch::open(db)?;
        // How many there are between is not worth counting: the batch that comes up short says it.
        let lag = if batch.message < last_id { BATCH as u64 + 1 } else { 0 };
        Ok(Self { lag, batch })
    }

    /// Up to which message and which attempt the table is complete.
    pub(super) fn read(db: &Connection) -> rusqlite::Result<(i64, i64)> {
        Ok((meta(db, "indexed_message")?.unwrap_or(0), meta(db, "indexed_attempt")?.unwrap_or(0)))
    }

    pub(super) fn rolled_back(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.batch = Batch::open(db)?;
        self.lag = self.lag.max(1);
        Ok(())
    }

    pub(super) fn admitted(&mut self) {
        self.lag += 1;
    }

    pub(super) fn lag(&self) -> u64 {
        self.lag
    }

    /// Whether a bite is due when nothing else is to be done.
    pub(super) fn is_behind(&self) -> bool {
        self.lag > 0
    }

    /// Whether a bite is due whatever else is to be done.
    pub(super) fn is_far_behind(&self) -> bool {
        self.lag > BATCH as u64 || self.batch.written.is_some()
    }

    /// Takes a bite: gathers, or writes.
    pub(super) fn bite(&mut self, db: &Connection) -> Result<(), Failure> {
        let Some(written) = self.batch.written else { return self.gather(db) };
        let end = (written + BITE).min(self.batch.terms.len());
        let mut insert = db.prepare_cached("INSERT OR IGNORE INTO term(hash, message) VALUES(?1, ?2)")?;
        for term in &self.batch.terms[written..end] {
            insert.execute(*term)?;
        }
        self.batch.written = Some(end);
        if end == self.batch.terms.len() {
            set_meta(db, "indexed_message", self.batch.message)?;
            set_meta(db, "indexed_attempt", self.batch.attempt)?;
            let whole = self.batch.messages >= BATCH;
            self.lag = self.lag.saturating_sub(self.batch.messages as u64).max(u64::from(whole));
            self.batch = Batch {
                messages: 0,
                terms: Vec::new(),
                written: None,
                message: self.batch.message,
                attempt: self.batch.attempt,
            };
        }
        Ok(())
    }

    /// Whether all attempts up to this one can be found; takes a bite of what is missing where not.
    pub(super) fn reaches(&mut self, db: &Connection, attempt: i64) -> Result<bool, Failure> {
        if self.batch.attempt < attempt {
            match self.batch.written {
                Some(_) => self.bite(db)?,
                // Not closed when it comes up short: a batch for each receipt would be as dear as no batch.
                None => drop(self.read_on(db)?),
            }
        }
        Ok(self.batch.attempt >= attempt)
    }

    /// Messages that may have this reference, newest first.
    pub(super) fn referred(&self, db: &Connection, reference: &str) -> Result<Vec<i64>, Failure> {
        let number = Term::Reference.number(reference);
        let mut found: Vec<i64> = db
            .prepare_cached("SELECT message FROM term WHERE hash = ?1 ORDER BY message DESC LIMIT 100")?
            .query_map([number], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        found.extend(self.batch.terms.iter().filter(|(term, _)| *term == number).map(|(_, message)| message));
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.dedup();
        Ok(found)
    }

    fn gather(&mut self, db: &Connection) -> Result<(), Failure> {
        if self.read_on(db)? < BITE {
            // These are all there are, whatever was estimated.
            self.lag = self.batch.messages as u64;
            self.close();
        }
        Ok(())
    }

    /// Reads on, and closes the batch when it is full; how much was read.
    fn read_on(&mut self, db: &Connection) -> Result<usize, Failure> {
        let mut terms = std::mem::take(&mut self.batch.terms);
        let messages = self.read_messages(db, &mut terms)?;
        let attempts = self.read_attempts(db, &mut terms)?;
        self.batch.messages += messages;
        self.batch.terms = terms;
        if self.batch.messages >= BATCH || self.batch.terms.len() >= 8 * BATCH {
            self.close();
        }
        Ok(messages.max(attempts))
    }

    fn close(&mut self) {
        self.batch.terms.sort_unstable();
        self.batch.written = Some(0);
    }

    fn read_messages(&mut self, db: &Connection, terms: &mut Vec<(i64, i64)>) -> Result<usize, Failure> {
        let mut statement = db.prepare_cached(
            "SELECT m.id, n.text, m.contact, m.recipients, m.original, m.sender FROM message m \
             JOIN name n ON n.id = m.location WHERE m.id > ?1 ORDER BY m.id LIMIT ?2",
        )?;
        let mut rows = statement.query((self.batch.message, BITE as i64))?;
        let (mut read, mut last) = (0, self.batch.message);
        while let Some(row) = rows.next()? {
            last = row.get(0)?;
            read += 1;
            terms.push((Term::Location.number(row.get_ref(1)?.as_str().unwrap_or_default()), last));
            let contact: Option<&str> = row.get_ref(2)?.as_str_or_null().unwrap_or_default();
            terms.extend(contact.map(|contact| (Term::Contact.number(contact), last)));
            let recipients = recipient_forms(
                row.get_ref(3)?.as_str_or_null().unwrap_or_default(),
                [4, 5].map(|column| row.get_ref(column).ok()?.as_str_or_null().unwrap_or_default()),
            );
            terms.extend(recipients.iter().map(|form| (Term::Recipient.number(form), last)));
        }
        self.batch.message = last;
        Ok(read)
    }

    fn read_attempts(&mut self, db: &Connection, terms: &mut Vec<(i64, i64)>) -> Result<usize, Failure> {
        let mut statement = db.prepare_cached(
            "SELECT seq, message, reference FROM attempt WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )?;
        let mut rows = statement.query((self.batch.attempt, BITE as i64))?;
        let (mut read, mut last) = (0, self.batch.attempt);
        while let Some(row) = rows.next()? {
            last = row.get(0)?;
            read += 1;
            let message: i64 = row.get(1)?;
            let reference = row.get_ref(2)?.as_str_or_null().unwrap_or_default();
            let each = reference.into_iter().flat_map(str::lines);
            terms.extend(each.map(|reference| (Term::Reference.number(reference), message)));
        }
        self.batch.attempt = last;
        Ok(read)
    }
}

/// The forms by which a message's recipients are found, from its columns: also as written, and who sent an inbound one.
pub(super) fn recipient_forms(recipients: Option<&str>, others: [Option<&str>; 2]) -> Vec<String> {
    let shown: Vec<String> = recipients.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let all = shown.iter().map(String::as_str).chain(others.into_iter().flatten());
    let mut forms: Vec<String> = all.map(search_form).filter(|form| !form.is_empty()).collect();
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// A reference that came without an attempt.
pub(super) fn insert_reference(db: &Connection, reference: &str, message: MessageId) -> Result<(), Failure> {
    db.prepare_cached("INSERT OR IGNORE INTO term(hash, message) VALUES(?1, ?2)")?
        .execute((Term::Reference.number(reference), message.as_i64()))?;
    Ok(())
}

/// Takes a message's terms out, before its content or its record goes.
pub(super) fn remove(db: &Connection, message: i64, terms: &[(Term, &str)]) -> Result<(), Failure> {
    let mut statement = db.prepare_cached("DELETE FROM term WHERE hash = ?1 AND message = ?2")?;
    for (term, text) in terms {
        statement.execute((term.number(text), message))?;
    }
    Ok(())
}
