//! The database's format: opening one, making a new one, and bringing an older one forward.
//!
//! What another program or a later version has written is refused before anything is set or changed. An older
//! format is brought forward in one transaction, step by step; files of each format that was ever released stay
//! in `fixtures/` and must still open.

use std::{path::Path, time::Duration};

use rusqlite::Connection;

use super::OpenError;

/// The format that this version writes, kept in `user_version`.
pub(super) const FORMAT: i64 = 2;

/// What brings a format to the next: the first entry is from 1 to 2.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/2.sql")];

/// How long a lock of another program's connection is waited for. The directory is ours, but a person may look
/// into the database with SQLite's own shell, or a backup may copy it: such locks last for moments and are no
/// reason to stop. One that lasts is: whoever waits for a decision would wait with us.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Opens the database and makes or brings forward its tables.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    let database = |cause| OpenError::Database { path: path.to_owned(), cause };
    let mut connection = Connection::open(path).map_err(database)?;
    connection.busy_timeout(BUSY).map_err(database)?;
    // Before anything is set or made: what another version or another program has written stays as it is.
    let format = format_of(&connection).map_err(database)?;
    match (format, is_empty(&connection).map_err(database)?) {
        (FORMAT, _) => configure(&connection).map_err(database)?,
        (0, true) => configure(&connection).and_then(|()| make_tables(&connection)).map_err(database)?,
        (older, _) if (1..FORMAT).contains(&older) => {
            configure(&connection).and_then(|()| bring_forward(&mut connection, older)).map_err(database)?
        }
        (other, _) => return Err(other_format(path, other)),
    }
    Ok(connection)
}

/// The format that a database says it has; none is 0.
pub(super) fn format_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

pub(super) fn other_format(path: &Path, found: i64) -> OpenError {
    let what = match found {
        0 => "it is not a database of Placet's".to_owned(),
        older if (1..FORMAT).contains(&older) => {
            format!("its format is {older}; a node brings it to {FORMAT} when it starts")
        }
        _ => format!(
            "its format is {found}, this version of Placet writes {FORMAT}; use the version that wrote it"
        ),
    };
    OpenError::Format { path: path.to_owned(), what }
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    // FULL: a commit that was acknowledged survives a power cut. Checkpoints are ours, outside commits. The cache
    // (in KiB) holds what a group touches: calls of one time lie together, so that is little, and more of it only
    // makes a node large.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA fullfsync = 1;
         PRAGMA checkpoint_fullfsync = 1;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA cache_size = -1536;
         PRAGMA mmap_size = 0;
         PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA foreign_keys = ON;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    if mode == "wal" { Ok(()) } else { Err(rusqlite::Error::InvalidQuery) }
}

/// A connection that looks for one thing, or reads along from one end, needs to keep next to nothing (in KiB).
pub(super) fn keep_little(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA cache_size = -256")
}

fn make_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {} PRAGMA user_version = {FORMAT}; COMMIT;",
        include_str!("schema.sql")
    ))
}

fn bring_forward(connection: &mut Connection, from: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let done = usize::try_from(from - 1).unwrap_or(MIGRATIONS.len());
    for step in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.execute_batch(&format!("PRAGMA user_version = {FORMAT}"))?;
    transaction.commit()
}

/// Makes sure, after a failure, that what is read is what is on disk: everything in the log is folded into the
/// database and flushed anew, by a connection that has not seen the failure, and the database is looked through.
pub(super) fn verify(connection: &Connection) -> Result<(), String> {
    let failed = |error: rusqlite::Error| error.to_string();
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(failed)?;
    if busy != 0 {
        return Err("its log is in use by another program".to_owned());
    }
    let found: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if found == "ok" { Ok(()) } else { Err(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every table and index with its columns.
    fn shape(connection: &Connection) -> Vec<String> {
        let mut tables = connection
            .prepare("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
            .unwrap();
        let names: Vec<String> =
            tables.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        names
            .into_iter()
            .map(|name| {
                let mut columns = connection
                    .prepare("SELECT name, type, \"notnull\", pk, dflt_value FROM pragma_table_info(?1)")
                    .unwrap();
                let columns: Vec<String> = columns
                    .query_map([&name], |row| {
                        Ok(format!(
                            "{} {} {} {} {:?}",
                            row.get::<_, String>(0)?,
                            row.get::<_, String>(1)?,
                            row.get::<_, i64>(2)?,
                            row.get::<_, i64>(3)?,
                            row.get::<_, Option<String>>(4)?
                        ))
                    })
                    .unwrap()
                    .collect::<Result<_, _>>()
                    .unwrap();
                format!("{name}: {}", columns.join(", "))
            })
            .collect()
    }

    #[test]
    fn a_database_that_was_brought_forward_is_like_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/store/1/placet.db");
        let old = folder.path().join("old.db");
        std::fs::copy(fixture, &old).unwrap();
        let new = folder.path().join("new.db");
        assert_eq!(shape(&open(&old).unwrap()), shape(&open(&new).unwrap()));
    }
}
