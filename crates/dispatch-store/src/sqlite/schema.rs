//! The tables, and how older ones become the present ones.
//!
//! A wide `message` row that never changes, a narrow hot `delivery` row, and dedupe keys apart from
//! both, since they outlive them; like search terms they are written later and in batches (keys.rs). Names (locations, lanes, routes, backends, sources) are numbers, so
//! that rows and index entries stay small.
//!
//! A row of `delivery` is in at most one of the queue indexes at a time, by its column `queue`:
//! *ready* (its time has come) in the order of lane, location, time, which the round robin walks;
//! *later* in the order of lane and time; *parked* while its route or location is suspended. A fresh
//! message begins at the end of *later* even though it is due, unless claims are to find it at once: its place in
//! *ready* would be another page for each location, and one that is claimed by its id needs none.
//! `standing` lists what is neither waiting in a queue nor taken by a provider: the unplanned, the
//! leased, and all that went wrong. Searching by recipient, contact, location and reference goes
//! through `term`, filled later and in batches: random inserts are the real cost of an index.

use rusqlite::Connection;

/// What stands in the file's header, so that a foreign database is recognised: "dspc".
pub(super) const APPLICATION_ID: i64 = 0x6473_7063;

/// Each step takes the schema one version further, in a transaction of its own. A released one is
/// never edited.
const STEPS: [&str; 6] = [FIRST, CALLBACKS, INBOUND, KEYED, COUNTED, COMPARED];

/// The newest schema this program knows.
pub(super) const NEWEST: i64 = STEPS.len() as i64;

const FIRST: &str = "
CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE name(
    id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, text TEXT NOT NULL, UNIQUE(kind, text)
) STRICT;

CREATE TABLE message(
    id INTEGER PRIMARY KEY,
    location INTEGER NOT NULL,
    channel INTEGER NOT NULL,
    source INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    external_id TEXT NOT NULL,
    contact TEXT,
    recipients TEXT,
    original TEXT,
    content BLOB
) STRICT;

CREATE TABLE delivery(
    id INTEGER PRIMARY KEY,
    state INTEGER NOT NULL,
    queue INTEGER NOT NULL,
    location INTEGER NOT NULL,
    lane INTEGER,
    route INTEGER,
    backend INTEGER,
    channel INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    recipient INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    position INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    attempts_total INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    planned_at INTEGER,
    last_attempt INTEGER,
    called_off TEXT,
    reference TEXT,
    reason TEXT,
    remaining TEXT,
    plan TEXT
) STRICT;
CREATE INDEX ready ON delivery(lane, location, due_at) WHERE queue = 1;
CREATE INDEX later ON delivery(lane, due_at) WHERE queue = 2;
CREATE INDEX parked ON delivery(lane) WHERE queue = 3;
CREATE INDEX standing ON delivery(state) WHERE state NOT IN (1, 3, 4);

CREATE TABLE dedupe(key BLOB PRIMARY KEY, message INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE old_key(message INTEGER PRIMARY KEY, key BLOB NOT NULL) STRICT;

CREATE TABLE attempt(
    seq INTEGER PRIMARY KEY,
    message INTEGER NOT NULL,
    previous INTEGER,
    reference TEXT,
    record TEXT NOT NULL,
    exchanges TEXT
) STRICT;

CREATE TABLE event(
    seq INTEGER PRIMARY KEY,
    message INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX event_of ON event(message);

CREATE TABLE term(
    hash INTEGER NOT NULL, message INTEGER NOT NULL, PRIMARY KEY(hash, message)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,
    source INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    size INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX quarantine_age ON quarantine(received_at);

CREATE TABLE suspension(
    kind INTEGER NOT NULL, name TEXT NOT NULL, since INTEGER NOT NULL, PRIMARY KEY(kind, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE lane_record(lane TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE tally(key INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT;
CREATE TABLE waiting(location INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT;
CREATE TABLE lane_waiting(lane INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT;

CREATE TABLE straggler(
    kind INTEGER NOT NULL, message INTEGER NOT NULL, PRIMARY KEY(kind, message)
) STRICT, WITHOUT ROWID;
";

/// Receipts by message, and those whose message is not known yet; what is secret to this installation.
const CALLBACKS: &str = "
CREATE TABLE secret(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE receipt(
    message INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    backend INTEGER NOT NULL,
    reference TEXT NOT NULL,
    recipient TEXT NOT NULL,
    state INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    at INTEGER,
    code TEXT,
    words TEXT,
    PRIMARY KEY(message, generation, backend, reference, recipient, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE parked_receipt(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    place INTEGER NOT NULL,
    backend INTEGER NOT NULL,
    reference TEXT NOT NULL,
    recipient TEXT NOT NULL,
    state INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    at INTEGER,
    code TEXT,
    words TEXT,
    UNIQUE(place, recipient, state)
) STRICT;
";

/// Who sent an inbound message (no outbound one has a sender), and who wants no messages: at the location `''`, of nobody.
const INBOUND: &str = "
ALTER TABLE message ADD COLUMN sender TEXT;
CREATE INDEX inbound ON message(id) WHERE sender IS NOT NULL;

CREATE TABLE suppression(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    channel INTEGER NOT NULL,
    address TEXT NOT NULL,
    location TEXT NOT NULL,
    since INTEGER NOT NULL,
    backend TEXT NOT NULL,
    note TEXT NOT NULL,
    UNIQUE(address, channel, location)
) STRICT;
";

/// Keys are written later than their messages from here on; those of all messages before are there.
const KEYED: &str = "
INSERT INTO meta(key, value) SELECT 'keyed_message', max(id) FROM message HAVING max(id) IS NOT NULL;
";

/// All counts in one table (tally.rs): states below 2^32, locations below 2 * 2^32, lanes from there.
const COUNTED: &str = "
INSERT INTO tally(key, n) SELECT (1 << 32) + location, n FROM waiting;
INSERT INTO tally(key, n) SELECT (2 << 32) + lane, n FROM lane_waiting;
DROP TABLE waiting;
DROP TABLE lane_waiting;
";

/// The same states left out one by one: a list of three is a table of its own that SQLite builds for each row written.
const COMPARED: &str = "
DROP INDEX standing;
CREATE INDEX standing ON delivery(state) WHERE state <> 1 AND state <> 3 AND state <> 4;
";

/// Brings the schema of an open connection from `version` to the newest.
pub(super) fn migrate(connection: &Connection, version: i64) -> rusqlite::Result<()> {
    for (step, target) in STEPS.iter().zip(1i64..).skip(usize::try_from(version).unwrap_or(0)) {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {step} PRAGMA user_version = {target}; PRAGMA application_id = {APPLICATION_ID}; COMMIT;"
        ))?;
    }
    Ok(())
}

/// Touches the root and the ends of every table: a file that was cut or overwritten shows here. A
/// whole check reads the whole file, and is not for a start.
pub(super) fn probe(connection: &Connection) -> rusqlite::Result<()> {
    for (table, key) in [
        ("message", "rowid"),
        ("delivery", "rowid"),
        ("attempt", "rowid"),
        ("event", "rowid"),
        ("quarantine", "rowid"),
        ("name", "rowid"),
        ("old_key", "rowid"),
        ("tally", "rowid"),
        ("parked_receipt", "rowid"),
        ("suppression", "rowid"),
        ("receipt", "message"),
        ("dedupe", "key"),
        ("term", "hash"),
        ("meta", "key"),
        ("lane_record", "lane"),
        ("secret", "name"),
    ] {
        // One by one: both ends in one question would be a walk over the whole table.
        for end in ["min", "max"] {
            connection.query_row(&format!("SELECT {end}({key}) FROM {table}"), [], |_| Ok(()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use dispatch_model::{Direction, MessageId};

    use super::super::tally::{LANES, LOCATIONS};
    use super::*;
    use crate::conformance::sample::sms;
    use crate::{Admitted, NewInbound, SqliteStore, Store as _, StoreConfig};

    /// A store as the version before inbound messages left it, with a message that waits.
    fn older(path: &std::path::Path) {
        let db = Connection::open(path).expect("a file");
        db.execute_batch("PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL;").expect("pragmas");
        for step in &STEPS[..2] {
            db.execute_batch(step).expect("a step");
        }
        let id = MessageId::first_at(crate::conformance::sample::NOON).as_i64();
        db.execute_batch(&format!(
            "PRAGMA user_version = 2; PRAGMA application_id = {APPLICATION_ID};
             INSERT INTO name(id, kind, text) VALUES(1, 1, 'L1'), (2, 5, 'highlevel');
             INSERT INTO message(id, location, channel, source, received_at, external_id, recipients, content)
             VALUES({id}, 1, 0, 2, 0, 'm1', '[\"+525512345678\"]',
                    CAST('{{\"sms\":{{\"to\":{{\"original\":\"x\",\"e164\":\"+525512345678\"}},\"text\":\"hola\"}}}}' AS BLOB));
             INSERT INTO delivery(id, state, queue, location, channel, flags, due_at, recipient, epoch, position,
                                  attempts, attempts_total, generation, expires_at, changed_at)
             VALUES({id}, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 9, 0);
             INSERT INTO tally(key, n) VALUES(0, 1);
             INSERT INTO waiting(location, n) VALUES(1, 1);
             INSERT INTO lane_waiting(lane, n) VALUES(3, 0);"
        ))
        .expect("a message");
    }

    #[tokio::test]
    async fn a_store_of_the_version_before_is_taken_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s.db");
        older(&path);
        let config = StoreConfig { ballast: 0, ..StoreConfig::new(path) };
        for _ in 0..2 {
            let store = SqliteStore::open(config.clone()).expect("it is taken over, and opened again");
            let waiting = store.unplanned(MessageId::ZERO, 9).await.expect("a page");
            assert_eq!(waiting[0].message.direction, Direction::Outbound);
            assert_eq!(waiting[0].message.recipients(), ["+525512345678"]);
        }
        let db = Connection::open(&config.path).expect("a file");
        let n = |key: i64| {
            db.query_row("SELECT n FROM tally WHERE key = ?1", [key], |row| row.get::<_, i64>(0))
                .expect("a count")
        };
        assert_eq!((n(0), n(LOCATIONS + 1), n(LANES + 3)), (1, 1, 0));
        let store = SqliteStore::open(config).expect("a store");
        let direction = Direction::Inbound { from: "+1".into() };
        let submission = dispatch_model::Submission { direction, ..sms("L1", "SM1", 1) };
        let admitted = store.receive(NewInbound { submission, consent: None }).await;
        assert!(matches!(admitted, Ok(Admitted::Fresh(_))));
    }
}
