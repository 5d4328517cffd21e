//! Counts, kept in the same transactions as what they count, so that nobody ever has to count a
//! million rows: deliveries by state, waiting messages by location, scheduled ones by lane.
//!
//! Changes gather in memory and are written once a group: an admit and a settlement of the same
//! location cancel out.

use ahash::AHashMap;
use dispatch_model::DeliveryState;
use rusqlite::{Connection, OptionalExtension as _};

/// The key of quarantined bodies in the table of counts; states have theirs from 0.
pub(super) const QUARANTINED: i64 = 100;

/// All keys below are states and the quarantine.
pub(super) const LOCATIONS: i64 = 1 << 32;

/// From here on they are lanes.
pub(super) const LANES: i64 = 2 << 32;

/// Locations whose count is kept in memory at most.
const KEPT: usize = 200_000;

#[derive(Debug, Default)]
pub(super) struct Tally {
    /// By key: one table for all counts, since each table is a page more in each commit.
    changes: AHashMap<i64, i64>,
    /// Committed counts of locations that were asked for.
    known: AHashMap<i64, i64>,
}

/// Where a delivery stands, as far as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) state: DeliveryState,
    pub(super) location: i64,
    pub(super) lane: Option<i64>,
}

impl Tally {
    /// A delivery came to be.
    pub(super) fn born(&mut self, counted: Counted) {
        self.count(counted, 1);
    }

    /// A delivery is gone.
    pub(super) fn gone(&mut self, counted: Counted) {
        self.count(counted, -1);
    }

    /// A delivery changed.
    pub(super) fn moved(&mut self, from: Counted, to: Counted) {
        if from != to {
            self.count(from, -1);
            self.count(to, 1);
        }
    }

    pub(super) fn quarantined(&mut self, change: i64) {
        self.change(QUARANTINED, change);
    }

    fn count(&mut self, counted: Counted, change: i64) {
        self.change(counted.state as i64, change);
        if counted.state.is_waiting() {
            self.change(LOCATIONS + counted.location, change);
        }
        if let (DeliveryState::Scheduled, Some(lane)) = (counted.state, counted.lane) {
            self.change(LANES + lane, change);
        }
    }

    fn change(&mut self, key: i64, change: i64) {
        *self.changes.entry(key).or_default() += change;
    }

    /// How many of a location wait, those of the present transaction included.
    pub(super) fn waiting(&mut self, db: &Connection, location: i64) -> rusqlite::Result<u64> {
        let key = LOCATIONS + location;
        let known = match self.known.get(&key) {
            Some(known) => *known,
            None => {
                let read: Option<i64> = db
                    .prepare_cached("SELECT n FROM tally WHERE key = ?1")?
                    .query_row([key], |row| row.get(0))
                    .optional()?;
                if self.known.len() >= KEPT {
                    self.known.clear();
                }
                self.known.insert(key, read.unwrap_or(0));
                read.unwrap_or(0)
            }
        };
        let change = self.changes.get(&key).copied().unwrap_or(0);
        Ok(u64::try_from(known + change).unwrap_or(0))
    }

    /// Writes the changes: the last thing before a commit.
    pub(super) fn flush(&self, db: &Connection) -> rusqlite::Result<()> {
        let mut statement = db.prepare_cached(
            "INSERT INTO tally(key, n) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET n = n + ?2",
        )?;
        for (key, change) in self.changes.iter().filter(|(_, change)| **change != 0) {
            statement.execute((key, change))?;
        }
        Ok(())
    }

    /// The transaction holds.
    pub(super) fn committed(&mut self) {
        for (key, change) in self.changes.drain() {
            if let Some(known) = self.known.get_mut(&key) {
                *known += change;
            }
        }
    }

    /// The transaction is lost.
    pub(super) fn rolled_back(&mut self) {
        self.changes.clear();
    }
}
