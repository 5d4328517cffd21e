//! Receipts as rows: with their message, or parked until one is known.
//!
//! A message's receipts lie together under its id. A repeated one has the same key, and changes nothing.

use dispatch_model::{BackendName, HeardReceipt, MessageId, Reason, Receipt, ReceiptState, Timestamp};
use ring::digest::{Context, SHA256};
use rusqlite::{Connection, Row};

use super::delivery::Stored;
use super::error::{Failure, unreadable};
use super::ledger::Ledger;
use super::names::{Kind, Names};
use super::terms::insert_reference;
use crate::receipts::{PARKED_MAX, RECEIPTS_MAX};
use crate::{Heard, NewReceipt, transition};

/// A parked receipt's place: a digest of its backend and reference.
fn place(backend: &BackendName, reference: &str) -> i64 {
    let mut context = Context::new(&SHA256);
    context.update(backend.as_str().as_bytes());
    context.update(b"\0");
    context.update(reference.as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&context.finish().as_ref()[..8]);
    i64::from_le_bytes(bytes)
}

/// The columns that both tables share, but for the backend.
struct Said {
    reference: String,
    recipient: String,
    state: u8,
    received_at: i64,
    at: Option<i64>,
    code: Option<String>,
    words: Option<String>,
}

impl Said {
    fn of(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            reference: row.get(first)?,
            recipient: row.get(first + 1)?,
            state: row.get(first + 2)?,
            received_at: row.get(first + 3)?,
            at: row.get(first + 4)?,
            code: row.get(first + 5)?,
            words: row.get(first + 6)?,
        })
    }

    fn heard(self, backend: BackendName, generation: u32) -> Result<HeardReceipt, Failure> {
        let state = ReceiptState::from_u8(self.state).ok_or_else(|| unreadable("a receipt", "its state"))?;
        let reason = self.code.map(|code| Reason::new(code, self.words.unwrap_or_default()));
        Ok(HeardReceipt {
            backend,
            generation,
            receipt: Receipt {
                reference: self.reference,
                key: None,
                recipient: Some(self.recipient).filter(|recipient| !recipient.is_empty()),
                state,
                reason,
                at: self.at.map(Timestamp::from_millis),
            },
            received_at: Timestamp::from_millis(self.received_at),
        })
    }
}

/// All receipts of a message, in the order in which they came.
pub(super) fn load(db: &Connection, names: &mut Names, id: MessageId) -> Result<Vec<HeardReceipt>, Failure> {
    let rows: Vec<(i64, u32, Said)> = db
        .prepare_cached(
            "SELECT backend, generation, reference, recipient, state, received_at, at, code, words FROM receipt \
             WHERE message = ?1",
        )?
        .query_map([id.as_i64()], |row| Ok((row.get(0)?, row.get(1)?, Said::of(row, 2)?)))?
        .collect::<Result<_, _>>()?;
    let mut heard = Vec::with_capacity(rows.len());
    for (backend, generation, said) in rows {
        heard.push(said.heard((&*names.text(db, backend)?).into(), generation)?);
    }
    heard.sort_by(transition::receipt_order);
    Ok(heard)
}

/// Keeps a receipt with its message, and lets the delivery hear it.
pub(super) fn attach(
    ledger: &mut Ledger,
    mut stored: Stored,
    heard: &HeardReceipt,
) -> Result<Heard, Failure> {
    let id = stored.delivery.message;
    let kept: i64 = ledger
        .db
        .prepare_cached("SELECT count(*) FROM receipt WHERE message = ?1")?
        .query_row([id.as_i64()], |row| row.get(0))?;
    if kept >= RECEIPTS_MAX as i64 {
        return Ok(Heard::Surplus(id));
    }
    if !insert(ledger, id, heard)? {
        return Ok(Heard::Duplicate(id));
    }
    stored.heard = true;
    let at = heard.received_at;
    hear(ledger, &mut stored, at)?;
    ledger.save(stored)?;
    Ok(Heard::Fresh(id))
}

/// Whether it is a new one.
fn insert(ledger: &mut Ledger, id: MessageId, heard: &HeardReceipt) -> Result<bool, Failure> {
    let backend = ledger.names.intern(&ledger.db, Kind::Backend, heard.backend.as_str())?;
    let HeardReceipt { generation, receipt, received_at, .. } = heard;
    let inserted = ledger
        .db
        .prepare_cached(
            "INSERT OR IGNORE INTO receipt(message, generation, backend, reference, recipient, state, \
             received_at, at, code, words) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute((
            id.as_i64(),
            generation,
            backend,
            &receipt.reference,
            receipt.recipient.as_deref().unwrap_or_default(),
            receipt.state as u8,
            received_at.as_millis(),
            receipt.at.map(Timestamp::as_millis),
            receipt.reason.as_ref().map(|reason| &reason.code),
            receipt.reason.as_ref().map(|reason| &reason.message),
        ))?;
    Ok(inserted == 1)
}

/// The delivery in the light of all its receipts; it is still to be saved.
pub(super) fn hear(ledger: &mut Ledger, stored: &mut Stored, at: Timestamp) -> Result<(), Failure> {
    if !stored.heard {
        return Ok(());
    }
    let id = stored.delivery.message;
    let all = load(&ledger.db, &mut ledger.names, id)?;
    let heard = dispatch_model::hear(stored.delivery.clone(), &all, at);
    for learnt in transition::learnt(&stored.delivery, &heard) {
        insert_reference(&ledger.db, learnt, id)?;
    }
    stored.delivery = heard;
    Ok(())
}

/// Keeps a receipt whose reference nobody knows yet.
pub(super) fn park(ledger: &mut Ledger, new: &NewReceipt) -> Result<Heard, Failure> {
    let NewReceipt { backend, receipt, received_at, .. } = new;
    let number = ledger.names.intern(&ledger.db, Kind::Backend, backend.as_str())?;
    let inserted = ledger
        .db
        .prepare_cached(
            "INSERT OR IGNORE INTO parked_receipt(place, backend, reference, recipient, state, received_at, at, \
             code, words) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute((
            place(backend, &receipt.reference),
            number,
            &receipt.reference,
            receipt.recipient.as_deref().unwrap_or_default(),
            receipt.state as u8,
            received_at.as_millis(),
            receipt.at.map(Timestamp::as_millis),
            receipt.reason.as_ref().map(|reason| &reason.code),
            receipt.reason.as_ref().map(|reason| &reason.message),
        ))?;
    ledger.parked += inserted;
    if ledger.parked > PARKED_MAX {
        let gone = ledger
            .db
            .prepare_cached("DELETE FROM parked_receipt WHERE seq = (SELECT min(seq) FROM parked_receipt)")?
            .execute([])?;
        ledger.parked -= gone;
    }
    Ok(Heard::Parked)
}

/// Gives a message the receipts that came before anybody knew its references.
pub(super) fn adopt(
    ledger: &mut Ledger,
    stored: &mut Stored,
    backend: Option<&BackendName>,
    references: &[String],
) -> Result<(), Failure> {
    let Some(backend) = backend.filter(|_| ledger.parked > 0) else { return Ok(()) };
    for reference in references {
        let place = place(backend, reference);
        let parked: Vec<Said> = ledger
            .db
            .prepare_cached(
                "SELECT reference, recipient, state, received_at, at, code, words FROM parked_receipt \
                 WHERE place = ?1 ORDER BY seq LIMIT ?2",
            )?
            .query_map((place, RECEIPTS_MAX as i64), |row| Said::of(row, 0))?
            .collect::<Result<_, _>>()?;
        for said in parked {
            let heard = said.heard(backend.clone(), stored.delivery.generation)?;
            stored.heard |= insert(ledger, stored.delivery.message, &heard)?;
        }
        let gone =
            ledger.db.prepare_cached("DELETE FROM parked_receipt WHERE place = ?1")?.execute([place])?;
        ledger.parked -= gone;
    }
    Ok(())
}

/// How many are parked.
pub(super) fn parked(db: &Connection) -> rusqlite::Result<usize> {
    let count = |row: &Row<'_>| row.get::<_, i64>(0).map(|count| count as usize);
    db.prepare_cached("SELECT count(*) FROM parked_receipt")?.query_row([], count)
}
