//! Search terms: which messages have this recipient, contact, location, or provider's reference.
//!
//! Random inserts are what makes an index dear, so they are not in the transaction that admits: the
//! writer fills the table when nothing waits, in sorted batches, and remembers in the same transaction
//! how far it came. A search reads what is not yet in the table from the messages themselves, so it is
//! complete at every moment. Terms are numbers made from digests, and every hit is checked.

use dispatch_model::MessageId;
use ring::digest::{Context, SHA256};
use rusqlite::Connection;

use super::error::Failure;
use super::ledger::{meta, set_meta};
use crate::form::search_form;

/// Messages indexed in one bite: some milliseconds.
const BITE: usize = 512;

/// When so many messages wait for it, bites are taken under load as well: the part that a search has
/// to read message by message stays bounded.
const LAG_MAX: u64 = 100_000;

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
#[derive(Debug, Clone, Copy)]
pub(super) struct Indexed {
    /// Messages up to this id are in it.
    pub(super) message: i64,
    /// Attempts up to this number are in it.
    pub(super) attempt: i64,
    /// Roughly how many messages are not.
    lag: u64,
}

impl Indexed {
    pub(super) fn open(db: &Connection, last_id: i64) -> rusqlite::Result<Self> {
        let (message, attempt) = Self::read(db)?;
        // How many there are between is not worth counting: the first bite that comes up short says it.
        Ok(Self { message, attempt, lag: if message < last_id { LAG_MAX } else { 0 } })
    }

    /// Both numbers as they stand.
    pub(super) fn read(db: &Connection) -> rusqlite::Result<(i64, i64)> {
        Ok((meta(db, "indexed_message")?.unwrap_or(0), meta(db, "indexed_attempt")?.unwrap_or(0)))
    }

    pub(super) fn rolled_back(&mut self, db: &Connection) -> rusqlite::Result<()> {
        (self.message, self.attempt) = Self::read(db)?;
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
        self.lag > LAG_MAX
    }

    /// Takes a bite.
    pub(super) fn bite(&mut self, db: &Connection) -> Result<(), Failure> {
        let mut terms = Vec::with_capacity(4 * BITE);
        let messages = self.read_messages(db, &mut terms)?;
        let attempts = self.read_attempts(db, &mut terms)?;
        terms.sort_unstable();
        let mut insert = db.prepare_cached("INSERT OR IGNORE INTO term(hash, message) VALUES(?1, ?2)")?;
        for term in terms {
            insert.execute(term)?;
        }
        set_meta(db, "indexed_message", self.message)?;
        set_meta(db, "indexed_attempt", self.attempt)?;
        self.lag =
            if messages.max(attempts) < BITE { 0 } else { self.lag.saturating_sub(BITE as u64).max(1) };
        Ok(())
    }

    fn read_messages(&mut self, db: &Connection, terms: &mut Vec<(i64, i64)>) -> Result<usize, Failure> {
        let mut statement = db.prepare_cached(
            "SELECT m.id, n.text, m.contact, m.recipients, m.original FROM message m \
             JOIN name n ON n.id = m.location WHERE m.id > ?1 ORDER BY m.id LIMIT ?2",
        )?;
        let mut rows = statement.query((self.message, BITE as i64))?;
        let (mut read, mut last) = (0, self.message);
        while let Some(row) = rows.next()? {
            last = row.get(0)?;
            read += 1;
            terms.push((Term::Location.number(row.get_ref(1)?.as_str().unwrap_or_default()), last));
            let contact: Option<&str> = row.get_ref(2)?.as_str_or_null().unwrap_or_default();
            terms.extend(contact.map(|contact| (Term::Contact.number(contact), last)));
            let recipients = recipient_forms(
                row.get_ref(3)?.as_str_or_null().unwrap_or_default(),
                row.get_ref(4)?.as_str_or_null().unwrap_or_default(),
            );
            terms.extend(recipients.iter().map(|form| (Term::Recipient.number(form), last)));
        }
        self.message = last;
        Ok(read)
    }

    fn read_attempts(&mut self, db: &Connection, terms: &mut Vec<(i64, i64)>) -> Result<usize, Failure> {
        let mut statement = db.prepare_cached(
            "SELECT seq, message, reference FROM attempt WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )?;
        let mut rows = statement.query((self.attempt, BITE as i64))?;
        let (mut read, mut last) = (0, self.attempt);
        while let Some(row) = rows.next()? {
            last = row.get(0)?;
            read += 1;
            let message: i64 = row.get(1)?;
            let reference = row.get_ref(2)?.as_str_or_null().unwrap_or_default();
            terms.extend(reference.map(|reference| (Term::Reference.number(reference), message)));
        }
        self.attempt = last;
        Ok(read)
    }
}

/// The forms by which a message's recipients are found, from its columns.
pub(super) fn recipient_forms(recipients: Option<&str>, original: Option<&str>) -> Vec<String> {
    let shown: Vec<String> = recipients.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let mut forms: Vec<String> =
        shown.iter().map(String::as_str).chain(original).map(search_form).filter(|f| !f.is_empty()).collect();
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
