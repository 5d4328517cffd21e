//! Who wants no messages. A row each, numbered as they came; the location `''` stands for every one.

use dispatch_model::{LocationId, Timestamp};
use rusqlite::Connection;

use super::admit::Admit;
use super::content::{channel_number, channel_of};
use super::error::Failure;
use super::ledger::Ledger;
use super::reader::Reader;
use super::verb::{Progress, Verb, no_room};
use crate::{Admitted, Consent, Cursor, Lift, NewInbound, Page, StoreError, Suppression, SuppressionFilter};

/// Rows of a page at most: an answer is built in memory.
const PAGE: usize = 1_000;

/// Rows lifted in one bite.
const LIFTED: usize = 1_000;

/// What a filter asks, with its values as `?1` to `?4`.
const MATCHES: &str = "(?1 IS NULL OR address = ?1) AND (?2 IS NULL OR channel = ?2) \
                       AND (?3 IS NULL OR location = ?3) AND (NOT ?4 OR location = '')";

/// A message from a person, and what it says of that person's wish.
pub(super) struct Receive {
    admit: Admit,
    consent: Option<Consent>,
}

impl Receive {
    pub(super) fn new(inbound: NewInbound) -> Result<Self, StoreError> {
        Ok(Self { admit: Admit::new(inbound.submission, None)?, consent: inbound.consent })
    }
}

impl Verb for Receive {
    type Output = Admitted;

    fn weight(&self) -> usize {
        self.admit.weight() + 256
    }

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<Admitted>, Failure> {
        let progress = self.admit.run(ledger)?;
        if let Progress::Done(Admitted::Fresh(_) | Admitted::Waiting(_)) = &progress {
            match &self.consent {
                None => {}
                Some(Consent::Stop(suppression)) => drop(insert(&ledger.db, suppression)?),
                Some(Consent::Start(lift)) => lift_all(&ledger.db, lift)?,
            }
        }
        Ok(progress)
    }

    fn committed(&mut self) {
        self.admit.committed();
    }
}

fn text(location: Option<&LocationId>) -> &str {
    location.map_or("", LocationId::as_str)
}

/// Whether it is a new one.
fn insert(db: &Connection, new: &Suppression) -> rusqlite::Result<bool> {
    let inserted = db
        .prepare_cached(
            "INSERT INTO suppression(channel, address, location, since, backend, note) \
             VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )?
        .execute((
            channel_number(new.channel),
            &new.address,
            text(new.location.as_ref()),
            new.since.as_millis(),
            new.backend.as_ref().map_or("", |backend| backend.as_str()),
            &new.note,
        ))?;
    Ok(inserted == 1)
}

fn lift_all(db: &Connection, lift: &Lift) -> rusqlite::Result<()> {
    db.prepare_cached(
        "DELETE FROM suppression WHERE address = ?1 AND channel = ?2 \
         AND (location = '' OR location = ?3 OR (?4 <> '' AND backend = ?4))",
    )?
    .execute((
        &lift.address,
        channel_number(lift.channel),
        text(lift.location.as_ref()),
        lift.backend.as_ref().map_or("", |backend| backend.as_str()),
    ))
    .map(drop)
}

pub(super) struct Suppress(pub(super) Vec<Suppression>);

impl Verb for Suppress {
    type Output = usize;

    fn weight(&self) -> usize {
        256 * self.0.len()
    }

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<usize>, Failure> {
        if let Some(detail) = &ledger.no_room {
            return Err(no_room(detail));
        }
        let mut new = 0;
        for suppression in &self.0 {
            new += usize::from(insert(&ledger.db, suppression)?);
        }
        Ok(Progress::Done(new))
    }
}

/// Lifts what matches, in bites.
pub(super) struct Unsuppress {
    filter: SuppressionFilter,
    done: usize,
    next: usize,
}

impl Unsuppress {
    pub(super) fn new(filter: SuppressionFilter) -> Self {
        Self { filter, done: 0, next: 0 }
    }
}

impl Verb for Unsuppress {
    type Output = usize;

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<usize>, Failure> {
        let filter = &self.filter;
        let lifted = ledger
            .db
            .prepare_cached(&format!(
                "DELETE FROM suppression WHERE id IN (SELECT id FROM suppression WHERE {MATCHES} LIMIT ?5)"
            ))?
            .execute((
                &filter.address,
                filter.channel.map(channel_number),
                filter.location.as_ref().map(LocationId::as_str),
                filter.everywhere,
                LIFTED as i64,
            ))?;
        self.next = self.done + lifted;
        Ok(if lifted == LIFTED { Progress::More } else { Progress::Done(self.next) })
    }

    fn committed(&mut self) {
        self.done = self.next;
    }
}

impl Reader {
    pub(super) fn suppressed(
        &mut self,
        filter: &SuppressionFilter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Suppression>, Failure> {
        let limit = limit.clamp(1, PAGE);
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT id, channel, address, location, since, backend, note FROM suppression \
             WHERE {MATCHES} AND id < ?5 ORDER BY id DESC LIMIT ?6"
        ))?;
        let values = (
            &filter.address,
            filter.channel.map(channel_number),
            filter.location.as_ref().map(LocationId::as_str),
            filter.everywhere,
            cursor.map_or(i64::MAX, |cursor| cursor.0),
            // One more than wanted tells whether there is a next page.
            limit as i64 + 1,
        );
        let mut rows: Vec<(i64, Suppression)> = statement
            .query_map(values, |row| {
                let (location, backend): (String, String) = (row.get(3)?, row.get(5)?);
                let suppression = Suppression {
                    channel: channel_of(row.get(1)?),
                    address: row.get(2)?,
                    location: (!location.is_empty()).then(|| location.into()),
                    since: Timestamp::from_millis(row.get(4)?),
                    backend: (!backend.is_empty()).then(|| backend.into()),
                    note: row.get(6)?,
                };
                Ok((row.get(0)?, suppression))
            })?
            .collect::<Result<_, _>>()?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|(id, _)| Cursor(*id));
        Ok(Page { items: rows.into_iter().map(|(_, suppression)| suppression).collect(), next })
    }
}
