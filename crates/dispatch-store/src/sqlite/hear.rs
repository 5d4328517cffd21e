//! What providers say: each receipt finds its message, or is parked.
//!
//! The way there is the URL that the callback came to, our key that came with it, or the reference: by the search terms, which have to have
//! come as far as the newest attempt first.

use dispatch_model::{AttemptRecord, BackendName, HeardReceipt, MessageId};

use super::delivery::{Stored, is_among};
use super::error::{Failure, unreadable};
use super::ledger::Ledger;
use super::receipt;
use super::verb::{Progress, Verb, no_room};
use crate::{Heard, NewReceipt, News, transition};

/// Bites of the search terms that are waited for in one transaction.
const BITES: usize = 4;

pub(super) struct Hear(pub(super) Vec<News>);

impl Verb for Hear {
    type Output = Vec<Heard>;

    fn weight(&self) -> usize {
        1024 * self.0.len()
    }

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<Vec<Heard>>, Failure> {
        if let Some(detail) = &ledger.no_room {
            return Err(no_room(detail));
        }
        let by_reference = self.0.iter().any(|News::Receipt(new)| new.about.is_none());
        if by_reference
            && !(0..BITES).try_fold(false, |done, _| if done { Ok(true) } else { ledger.index_attempts() })?
        {
            return Ok(Progress::More);
        }
        let heard = self.0.iter().map(|News::Receipt(new)| take(ledger, new));
        heard.collect::<Result<_, _>>().map(Progress::Done)
    }
}

fn take(ledger: &mut Ledger, new: &NewReceipt) -> Result<Heard, Failure> {
    let Some((stored, generation)) = find(ledger, new)? else { return receipt::park(ledger, new) };
    let heard = HeardReceipt {
        backend: new.backend.clone(),
        generation,
        receipt: new.receipt.clone(),
        received_at: new.received_at,
    };
    receipt::attach(ledger, stored, &heard)
}

/// The delivery that a receipt is about, and which generation of it.
fn find(ledger: &mut Ledger, new: &NewReceipt) -> Result<Option<(Stored, u32)>, Failure> {
    if let Some(about) = new.about
        && let Some(stored) = ledger.stored(about.message)?
    {
        return Ok(Some((stored, about.generation)));
    }
    if let Some(key) = new.key
        && let Some(stored) = ledger.stored(key.message)?
        && transition::speaks_of(new, key, &stored.delivery)
    {
        return Ok(Some((stored, key.generation)));
    }
    let reference = &new.receipt.reference;
    for id in ledger.indexed.referred(&ledger.db, reference)? {
        let Some(stored) = ledger.stored(MessageId::from_i64(id))? else { continue };
        let attempts = attempts(ledger, stored.last_attempt, reference)?;
        if let Some(generation) =
            transition::generation_of(&stored.delivery, &attempts, &new.backend, reference)
        {
            return Ok(Some((stored, generation)));
        }
    }
    Ok(None)
}

/// The attempts of a chain that gave this reference, in order.
fn attempts(ledger: &Ledger, last: Option<i64>, reference: &str) -> Result<Vec<AttemptRecord>, Failure> {
    let mut attempts = Vec::new();
    let mut next = last;
    while let Some(seq) = next {
        let (previous, references, record): (Option<i64>, Option<String>, String) = ledger
            .db
            .prepare_cached("SELECT previous, reference, record FROM attempt WHERE seq = ?1")?
            .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        if is_among(references.as_deref(), reference) {
            attempts.push(serde_json::from_str(&record).map_err(|error| unreadable("an attempt", error))?);
        }
        next = previous;
    }
    attempts.reverse();
    Ok(attempts)
}

/// Lets a settled delivery hear what came before it: parked under its new references, or during the attempt.
pub(super) fn settled(
    ledger: &mut Ledger,
    stored: &mut Stored,
    backend: Option<&BackendName>,
    references: &[String],
) -> Result<(), Failure> {
    receipt::adopt(ledger, stored, backend, references)?;
    let at = stored.delivery.changed_at;
    receipt::hear(ledger, stored, at)
}
