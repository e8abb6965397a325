//! The write-ahead log: when it is folded back into the database.
//!
//! Folding is outside commits, and whoever commits meanwhile waits for it: so it is done in idle moments, and
//! without one only once the log is long. How long is weighed: a short log is folded often, each time for more
//! callers than one in a hundred; a long one takes room.
//!
//! What folding adds to the database must fit even on a full disk, on the room that the ballast held: else a
//! store that was spoilt by a full disk could not be mended. So a log is also folded once it holds that much growth.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

/// Pages in the log from which on it is folded without an idle moment: 32 MiB.
const LONG: u64 = 8_192;

/// Pages by which the database may grow when the log is folded, if there is no ballast: 4 MiB.
const GROWTH: u64 = 1_024;

/// The least that is asked for beside a small ballast: a log that is folded with each group would be none.
const GROWTH_LEAST: u64 = 32;

/// Bytes of a page.
const PAGE: u64 = 4_096;

/// What is in the log.
#[derive(Debug)]
pub(super) struct Log {
    database: PathBuf,
    /// Pages in the log, and how many of them were there when it was folded last: it begins anew only later.
    pages: u64,
    folded: u64,
    /// Pages of the database's file, and how many there will be when the log is folded.
    kept: u64,
    size: u64,
    growth_max: u64,
}

impl Log {
    /// The log of this database, of which nothing is known to be in it, beside a ballast of so many bytes.
    pub(super) fn of(database: &Path, ballast: u64) -> Self {
        let kept = pages_of(database);
        // The other half is for what one group adds, and for what must be recorded besides.
        let growth_max = if ballast == 0 { GROWTH } else { (ballast / 2 / PAGE).max(GROWTH_LEAST) };
        Self { database: database.to_owned(), pages: 0, folded: 0, kept, size: kept, growth_max }
    }

    /// A group was written, after which the database has so many pages.
    pub(super) fn has_grown(&mut self, connection: &Connection, size: u64) -> rusqlite::Result<()> {
        self.pages = number(connection, "PRAGMA wal_checkpoint(NOOP)", 1)?;
        if self.pages < self.folded {
            self.folded = 0;
        }
        self.size = size;
        Ok(())
    }

    /// Whether nothing was written since it was folded.
    pub(super) fn is_folded(&self) -> bool {
        self.pages == self.folded
    }

    /// Whether it is to be folded back, idle or not.
    pub(super) fn is_long(&self) -> bool {
        self.pages.saturating_sub(self.folded) >= LONG
            || self.size.saturating_sub(self.kept) >= self.growth_max && !self.is_folded()
    }

    /// Folds it back, but for what somebody still reads.
    pub(super) fn fold(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        number(connection, "PRAGMA wal_checkpoint(PASSIVE)", 1)?;
        self.folded = self.pages;
        self.kept = pages_of(&self.database).max(self.kept);
        Ok(())
    }
}

/// How many pages the database has; in a transaction, as it will be after it.
pub(super) fn size(connection: &Connection) -> rusqlite::Result<u64> {
    number(connection, "PRAGMA page_count", 0)
}

/// One number of what a pragma answers; SQLite says -1 where there is none.
fn number(connection: &Connection, pragma: &str, column: usize) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached(pragma)?;
    statement.query_row([], |row| row.get::<_, i64>(column)).map(|number| u64::try_from(number).unwrap_or(0))
}

/// Pages in a file. What cannot be measured counts as empty: then the log is folded sooner.
fn pages_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len() / PAGE)
}
