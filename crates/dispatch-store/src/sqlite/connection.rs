//! Opens connections, and refuses those whose settings would not keep a promise.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::OpenError;
use super::schema::{self, APPLICATION_ID, NEWEST};

/// Pages in the log before a commit checkpoints it. Inline and not by a thread of its own: a
/// background checkpointer let the log grow, and with it the slowest commits.
const WAL_PAGES: i64 = 4000;

/// What is left of the log after a checkpoint, at most.
const WAL_BYTES: i64 = 64 << 20;

/// Somebody with another program may hold the file for a moment.
const BUSY: Duration = Duration::from_secs(5);

/// Statements kept prepared; there are fewer.
const STATEMENTS: usize = 192;

/// The first version without the bug that could reset a log in use.
const OLDEST_SQLITE: i32 = 3_051_003;

/// Opens the one connection that writes: settings, schema, a look at the content.
pub(super) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(OpenError::OldSqlite { found: rusqlite::version().to_owned() });
    }
    let failed = |error| OpenError::of_sqlite(path, error);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    if connection.is_readonly("main").map_err(failed)? {
        return Err(OpenError::ReadOnly { path: path.to_owned() });
    }
    let version = recognise(&connection, path)?;
    if version == 0 {
        // Both only take before the first table.
        connection.pragma_update(None, "page_size", 8192).map_err(failed)?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(failed)?;
    }
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        return Err(setting(path, "journal_mode", mode, "wal"));
    }
    settle_settings(&connection, path, 16 << 10)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES).map_err(failed)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES).map_err(failed)?;
    schema::migrate(&connection, version).map_err(failed)?;
    schema::probe(&connection).map_err(failed)?;
    Ok(connection)
}

/// Opens a connection for questions.
pub(super) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|error| OpenError::of_sqlite(path, error))?;
    settle_settings(&connection, path, 4 << 10)?;
    Ok(connection)
}

/// The schema's version; 0 for a new file.
fn recognise(connection: &Connection, path: &Path) -> Result<i64, OpenError> {
    let failed = |error| OpenError::of_sqlite(path, error);
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(failed);
    let (version, application) = (number("user_version")?, number("application_id")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    if tables > 0 && application != APPLICATION_ID {
        let detail = "it is a database of another program".to_owned();
        return Err(OpenError::NotADatabase { path: path.to_owned(), detail });
    }
    if version > NEWEST {
        return Err(OpenError::NewerSchema { path: path.to_owned(), found: version, known: NEWEST });
    }
    Ok(version)
}

/// What every connection needs; `synchronous` is read back, since nothing else says that it did not take.
fn settle_settings(connection: &Connection, path: &Path, cache_kib: i64) -> Result<(), OpenError> {
    let failed = |error| OpenError::of_sqlite(path, error);
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without this SQLite looks at the values that are bound, and prepares a statement anew for almost
    // each of them: two thirds of what a claim cost.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
    for (name, value) in [
        ("synchronous", 2),
        ("cache_size", -cache_kib),
        ("temp_store", 2),
        ("foreign_keys", 0),
        ("trusted_schema", 0),
    ] {
        connection.pragma_update(None, name, value).map_err(failed)?;
    }
    let synchronous: i64 =
        connection.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(failed)?;
    verify_synchronous(path, synchronous)
}

fn verify_synchronous(path: &Path, found: i64) -> Result<(), OpenError> {
    if found == 2 { Ok(()) } else { Err(setting(path, "synchronous", found.to_string(), "2 (FULL)")) }
}

fn setting(path: &Path, setting: &'static str, found: String, wanted: &'static str) -> OpenError {
    OpenError::Setting { path: path.to_owned(), setting, found, wanted }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pragma(connection: &Connection, name: &str) -> String {
        connection
            .pragma_query_value(None, name, |row| {
                row.get_ref(0).map(|value| match value {
                    rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                    other => other.as_str().unwrap_or("?").to_owned(),
                })
            })
            .unwrap()
    }

    #[test]
    fn every_connection_has_the_settings_that_the_promise_rests_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.db");
        let writer = open_writer(&path).unwrap();
        for (name, value) in [
            ("page_size", "8192"),
            ("auto_vacuum", "2"),
            ("journal_mode", "wal"),
            ("synchronous", "2"),
            ("wal_autocheckpoint", "4000"),
            ("journal_size_limit", "67108864"),
        ] {
            assert_eq!(pragma(&writer, name), value, "{name}");
        }
        assert_eq!(pragma(&open_reader(&path).unwrap(), "synchronous"), "2");
    }

    #[test]
    fn anything_but_full_is_refused() {
        let path = Path::new("s.db");
        assert!(verify_synchronous(path, 2).is_ok());
        for found in [0, 1, 3] {
            let error = verify_synchronous(path, found).unwrap_err();
            assert!(matches!(error, OpenError::Setting { setting: "synchronous", .. }), "{error}");
        }
    }
}
