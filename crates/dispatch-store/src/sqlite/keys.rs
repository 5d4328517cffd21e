//! Dedupe keys: which message an external id stands for, in its scope.
//!
//! Keys are digests, so each one belongs to a page of its own, and writing them with their messages would be most of
//! what an admit writes. So they are not: the key of a message is in its row, and new ones are held in memory as well
//! until thousands have come together. Then they are written in order, slice by slice, so that many fall on the same
//! page; when the last slice is on disk it is noted how far the table is. What is not in it by then is read back from
//! the messages when the store is opened. At every moment a key is in the table, or in memory, or in both.

use std::collections::BTreeMap;
use std::sync::Arc;

use dispatch_model::{MessageId, Submission};
use parking_lot::Mutex;
use ring::digest::{Context, SHA256, digest};
use rusqlite::{Connection, OptionalExtension as _};

use super::ledger::{meta, set_meta};

/// Keys written in one bite: a millisecond.
const BITE: usize = 512;

/// Keys written together. The more, the more of them fall on the same page; and the longer it takes to read them back
/// after a crash.
const BATCH: usize = 32_768;

/// Where it stands up to which message the table is complete.
const KEYED: &str = "keyed_message";

/// Half of a dedupe key.
const HALF: usize = 8;

/// Eight bytes of the external id's digest, and eight of scope and external id. So a key is found by its external id
/// alone as well, and needs no index for that.
pub(super) type Key = [u8; 2 * HALF];

pub(super) fn dedupe_key(scope: &str, external_id: &str) -> Key {
    let mut key = [0; 2 * HALF];
    key[..HALF].copy_from_slice(&external_prefix(external_id));
    let mut both = Context::new(&SHA256);
    // The length keeps ("a", "bc") and ("ab", "c") apart.
    both.update(&(scope.len() as u64).to_le_bytes());
    both.update(scope.as_bytes());
    both.update(external_id.as_bytes());
    key[HALF..].copy_from_slice(&both.finish().as_ref()[..HALF]);
    key
}

/// What the keys of an external id begin with.
fn external_prefix(external_id: &str) -> [u8; HALF] {
    let mut prefix = [0; HALF];
    prefix.copy_from_slice(&digest(&SHA256, external_id.as_bytes()).as_ref()[..HALF]);
    prefix
}

/// The first and the last key that an external id may have.
pub(super) fn keys_of(external_id: &str) -> (Key, Key) {
    let prefix = external_prefix(external_id);
    let (mut first, mut last) = ([0; 2 * HALF], [0xff; 2 * HALF]);
    first[..HALF].copy_from_slice(&prefix);
    last[..HALF].copy_from_slice(&prefix);
    (first, last)
}

/// The keys that are perhaps not in the table, with their messages: the writer's, and the readers look them up.
#[derive(Debug, Default)]
pub(super) struct FreshKeys(Mutex<BTreeMap<Key, i64>>);

impl FreshKeys {
    /// Messages that may have this external id. To be asked before the table is, by whoever asks both: what has gone
    /// from here was committed there before.
    pub(super) fn messages(&self, external_id: &str) -> Vec<i64> {
        let (first, last) = keys_of(external_id);
        self.0.lock().range(first..=last).map(|(_, message)| *message).collect()
    }
}

/// The writer's side of it.
#[derive(Debug)]
pub(super) struct Keys {
    fresh: Arc<FreshKeys>,
    /// Up to this message the table is complete.
    keyed: i64,
    /// What the present transaction changed of the fresh ones, and what was there before.
    changed: Vec<(Key, Option<i64>)>,
    slices: Option<Slices>,
}

/// Keys on their way into the table.
#[derive(Debug)]
struct Slices {
    keys: Vec<(Key, i64)>,
    written: usize,
    /// The newest message among them: no older one is missing.
    upto: i64,
}

impl Keys {
    /// Reads back what the table does not have.
    pub(super) fn open(db: &Connection, fresh: Arc<FreshKeys>) -> rusqlite::Result<Self> {
        let keyed = meta(db, KEYED)?.unwrap_or(0);
        let mut statement = db.prepare(
            "SELECT m.id, m.external_id, m.sender IS NULL, l.text, s.text FROM message m \
             JOIN name l ON l.id = m.location JOIN name s ON s.id = m.source WHERE m.id > ?1",
        )?;
        let mut rows = statement.query([keyed])?;
        let mut known = fresh.0.lock();
        while let Some(row) = rows.next()? {
            let (location, source) = (row.get_ref(3)?.as_str()?, row.get_ref(4)?.as_str()?);
            let outbound: bool = row.get(2)?;
            let scope = scope(location, (!outbound).then_some(source));
            known.insert(dedupe_key(&scope, row.get_ref(1)?.as_str()?), row.get(0)?);
        }
        drop(known);
        Ok(Self { fresh, keyed, changed: Vec::new(), slices: None })
    }

    /// The message a key stands for.
    pub(super) fn promised(&self, db: &Connection, key: &Key) -> rusqlite::Result<Option<MessageId>> {
        let fresh = self.fresh.0.lock().get(key).copied();
        let known = match fresh {
            Some(id) => Some(id),
            None => db
                .prepare_cached("SELECT message FROM dedupe WHERE key = ?1")?
                .query_row([key], |row| row.get(0))
                .optional()?,
        };
        Ok(known.map(MessageId::from_i64))
    }

    /// A key of a message that is written in the same transaction.
    pub(super) fn keep(&mut self, key: Key, message: i64) {
        let before = self.fresh.0.lock().insert(key, message);
        self.changed.push((key, before));
    }

    /// From here on nothing is promised under this key.
    pub(super) fn drop(&mut self, db: &Connection, key: &Key) -> rusqlite::Result<()> {
        if let Some(before) = self.fresh.0.lock().remove(key) {
            self.changed.push((*key, Some(before)));
        }
        db.prepare_cached("DELETE FROM dedupe WHERE key = ?1")?.execute([key]).map(drop)
    }

    /// Whether a bite is due when nothing else is to be done.
    pub(super) fn is_behind(&self) -> bool {
        self.slices.is_some() || !self.fresh.0.lock().is_empty()
    }

    /// Whether a bite is due whatever else is to be done.
    pub(super) fn is_far_behind(&self) -> bool {
        self.slices.is_some() || self.fresh.0.lock().len() >= BATCH
    }

    /// Writes a slice.
    pub(super) fn bite(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.write(db, BITE)
    }

    /// Writes all that is missing up to a message that is about to go: its row is then no more what its key can be read from.
    pub(super) fn reach(&mut self, db: &Connection, message: i64) -> rusqlite::Result<()> {
        if self.keyed >= message || self.slices.as_ref().is_some_and(|slices| slices.is_written_upto(message))
        {
            return Ok(());
        }
        self.slices = None;
        self.write(db, usize::MAX)
    }

    fn write(&mut self, db: &Connection, most: usize) -> rusqlite::Result<()> {
        let (fresh, keyed) = (&self.fresh, self.keyed);
        let slices = self.slices.get_or_insert_with(|| {
            let keys: Vec<_> = fresh.0.lock().iter().map(|(key, message)| (*key, *message)).collect();
            let upto = keys.iter().map(|(_, message)| *message).max().unwrap_or(0);
            let upto = upto.max(keyed);
            Slices { keys, written: 0, upto }
        });
        let end = slices.written.saturating_add(most).min(slices.keys.len());
        // What was written of slices that a crash broke off is written once more.
        let mut insert = db.prepare_cached("INSERT OR IGNORE INTO dedupe(key, message) VALUES(?1, ?2)")?;
        for (key, message) in &slices.keys[slices.written..end] {
            insert.execute((key, message))?;
        }
        slices.written = end;
        if end == slices.keys.len() {
            set_meta(db, KEYED, slices.upto)?;
        }
        Ok(())
    }

    pub(super) fn committed(&mut self) {
        self.changed.clear();
        if let Some(slices) = self.slices.take_if(|slices| slices.written == slices.keys.len()) {
            self.keyed = self.keyed.max(slices.upto);
            self.fresh.0.lock().retain(|_, message| *message > slices.upto);
        }
    }

    pub(super) fn rolled_back(&mut self) {
        self.slices = None;
        let mut fresh = self.fresh.0.lock();
        for (key, before) in self.changed.drain(..).rev() {
            match before {
                Some(message) => fresh.insert(key, message),
                None => fresh.remove(&key),
            };
        }
    }
}

impl Slices {
    fn is_written_upto(&self, message: i64) -> bool {
        self.written == self.keys.len() && self.upto >= message
    }
}

/// What an external id is unique in: its location, or for an inbound message the backend that it came by.
pub(super) fn scope(location: &str, inbound_by: Option<&str>) -> String {
    inbound_by.map_or_else(|| location.to_owned(), Submission::inbound_scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sample::sms;
    use crate::{Admitted, SqliteStore, Store as _, StoreConfig};

    const LAST: u8 = 9;

    fn table() -> (Connection, Keys) {
        let db = Connection::open_in_memory().expect("a database");
        super::super::schema::migrate(&db, 0).expect("a schema");
        let keys = Keys::open(&db, Arc::default()).expect("no keys");
        (db, keys)
    }

    fn key(number: u8) -> Key {
        dedupe_key("L1", &format!("m{number}"))
    }

    fn written(db: &Connection) -> i64 {
        db.query_row("SELECT count(*) FROM dedupe", [], |row| row.get(0)).expect("a count")
    }

    fn all_are_known(db: &Connection, keys: &Keys) -> bool {
        (1..=LAST)
            .all(|n| keys.promised(db, &key(n)).expect("an answer") == Some(MessageId::from_i64(n.into())))
    }

    #[test]
    fn a_key_is_known_before_while_and_after_it_is_written() {
        let (db, mut keys) = table();
        (1..=LAST).for_each(|n| keys.keep(key(n), n.into()));
        keys.committed();
        assert!(all_are_known(&db, &keys) && written(&db) == 0);
        keys.write(&db, 4).expect("a slice");
        keys.committed();
        assert!(all_are_known(&db, &keys) && written(&db) == 4 && keys.is_far_behind());
        // Comes while the others are being written, and waits for the next time.
        keys.keep(key(LAST + 1), i64::from(LAST) + 1);
        keys.write(&db, 5).expect("the last slice");
        keys.committed();
        assert!(all_are_known(&db, &keys) && written(&db) == i64::from(LAST));
        assert_eq!(keys.fresh.messages(&format!("m{}", LAST + 1)), [i64::from(LAST) + 1]);
        assert!(keys.fresh.messages("m1").is_empty() && keys.is_behind() && !keys.is_far_behind());
    }

    #[test]
    fn what_was_rolled_back_is_not_promised() {
        let (db, mut keys) = table();
        keys.keep(key(1), 1);
        keys.committed();
        keys.keep(key(2), 2);
        keys.drop(&db, &key(1)).expect("gone");
        keys.rolled_back();
        assert_eq!(keys.promised(&db, &key(1)).expect("an answer"), Some(MessageId::from_i64(1)));
        assert_eq!(keys.promised(&db, &key(2)).expect("an answer"), None);
    }

    #[test]
    fn a_message_that_goes_leaves_its_key() {
        let (db, mut keys) = table();
        (1..=LAST).for_each(|n| keys.keep(key(n), n.into()));
        keys.committed();
        keys.write(&db, 2).expect("a slice");
        keys.reach(&db, 3).expect("the rest");
        keys.drop(&db, &key(3)).expect("gone");
        keys.reach(&db, 4).expect("nothing more to write");
        keys.committed();
        assert_eq!(written(&db), i64::from(LAST) - 1);
        assert!(keys.promised(&db, &key(3)).expect("an answer").is_none() && !keys.is_behind());
    }

    #[tokio::test]
    async fn what_is_in_no_table_yet_is_read_back_from_the_messages() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = StoreConfig { ballast: 0, ..StoreConfig::new(folder.path().join("s.db")) };
        let inbound = |id: &str| Submission {
            direction: dispatch_model::Direction::Inbound { from: "+1".into() },
            ..sms("L1", id, 1)
        };
        let store = SqliteStore::open(config.clone()).expect("a store");
        for submission in [sms("L1", "m1", 1), sms("L2", "m1", 1), inbound("m1")] {
            assert!(matches!(store.admit(submission).await, Ok(Admitted::Fresh(_))));
        }
        assert_eq!(store.find("m1").await.expect("an answer").len(), 3);
        drop(store);
        // As a crash leaves it: an idle moment may have come before this one.
        let db = Connection::open(&config.path).expect("the file");
        db.execute_batch("DELETE FROM dedupe; DELETE FROM meta WHERE key = 'keyed_message';").expect("none");
        drop(db);
        let store = SqliteStore::open(config).expect("a store");
        assert_eq!(store.find("m1").await.expect("an answer").len(), 3);
        for submission in [sms("L1", "m1", 1), sms("L2", "m1", 1), inbound("m1")] {
            assert!(matches!(store.admit(submission).await, Ok(Admitted::Duplicate(_))));
        }
    }
}
