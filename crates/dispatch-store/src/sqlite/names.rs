//! Names as numbers: rows and indexes hold a few bytes instead of twenty or thirty.
//!
//! Numbers are given once and never taken back, so what is cached stays right; after a transaction
//! that was rolled back the cache is emptied, since some of it may never have been written.

use std::sync::Arc;

use ahash::AHashMap;
use rusqlite::{Connection, OptionalExtension as _};

/// What a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Location = 1,
    Lane = 2,
    Route = 3,
    Backend = 4,
    Source = 5,
}

const KINDS: [Kind; 5] = [Kind::Location, Kind::Lane, Kind::Route, Kind::Backend, Kind::Source];

/// Names kept at most before all are dropped and read again: twice the locations of a large
/// installation, some 20 MB.
const KEPT: usize = 200_000;

#[derive(Debug, Default)]
pub(super) struct Names {
    /// By [`Kind`], so that a name can be looked up without being owned.
    numbers: [AHashMap<Arc<str>, i64>; KINDS.len()],
    texts: AHashMap<i64, Arc<str>>,
}

impl Names {
    pub(super) fn forget(&mut self) {
        self.numbers.iter_mut().for_each(|of_kind| of_kind.clear());
        self.texts.clear();
    }

    /// The number of a name, if it has one.
    pub(super) fn number(
        &mut self,
        db: &Connection,
        kind: Kind,
        text: &str,
    ) -> rusqlite::Result<Option<i64>> {
        if let Some(number) = self.numbers[kind as usize - 1].get(text) {
            return Ok(Some(*number));
        }
        let found: Option<i64> = db
            .prepare_cached("SELECT id FROM name WHERE kind = ?1 AND text = ?2")?
            .query_row((kind as i64, text), |row| row.get(0))
            .optional()?;
        if let Some(number) = found {
            self.keep(kind, text.into(), number);
        }
        Ok(found)
    }

    /// The number of a name; a new one gets the next.
    pub(super) fn intern(&mut self, db: &Connection, kind: Kind, text: &str) -> rusqlite::Result<i64> {
        if let Some(number) = self.number(db, kind, text)? {
            return Ok(number);
        }
        db.prepare_cached("INSERT INTO name(kind, text) VALUES(?1, ?2)")?.execute((kind as i64, text))?;
        let number = db.last_insert_rowid();
        self.keep(kind, text.into(), number);
        Ok(number)
    }

    /// The name of a number.
    pub(super) fn text(&mut self, db: &Connection, number: i64) -> rusqlite::Result<Arc<str>> {
        if let Some(text) = self.texts.get(&number) {
            return Ok(Arc::clone(text));
        }
        let (kind, text): (i64, String) = db
            .prepare_cached("SELECT kind, text FROM name WHERE id = ?1")?
            .query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let text: Arc<str> = text.into();
        if let Some(kind) = KINDS.into_iter().find(|known| *known as i64 == kind) {
            self.keep(kind, Arc::clone(&text), number);
        }
        Ok(text)
    }

    fn keep(&mut self, kind: Kind, text: Arc<str>, number: i64) {
        if self.texts.len() >= KEPT {
            self.forget();
        }
        self.texts.insert(number, Arc::clone(&text));
        self.numbers[kind as usize - 1].insert(text, number);
    }
}
