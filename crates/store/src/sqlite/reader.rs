//! Looking at the records: a read-only connection beside the node's own, for `placet audit`.

use std::path::{Path, PathBuf};

use placet_engine::{call::CallId, state::Intent};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row};

use super::{
    OpenError,
    writer::{FORMAT, call_id, format_of, other_format, read_intent},
};

/// Reads a state directory that another process may own.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    connection: Connection,
}

/// One record as it stands in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number, in commit order from 1.
    pub seq: u64,
    /// The call it is about.
    pub call: Option<CallId>,
    /// The record, one line of JSON.
    pub body: String,
}

impl Reader {
    /// Opens `directory` for reading.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if there is no store, or none that can be read.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join("placet.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if let Err(cause) = std::fs::metadata(&path) {
            return Err(OpenError::Io { path, cause });
        }
        let opened = Connection::open_with_flags(&path, flags)
            .and_then(|connection| Ok((format_of(&connection)?, connection)));
        match opened {
            Ok((FORMAT, connection)) => Ok(Self { path, connection }),
            Ok((other, _)) => Err(other_format(&path, other)),
            Err(cause) => Err(OpenError::Database { path, cause }),
        }
    }

    /// The last `count` records, oldest first.
    ///
    /// # Errors
    ///
    /// [`OpenError::Database`] if they cannot be read.
    pub fn tail(&self, count: u32) -> Result<Vec<Entry>, OpenError> {
        let mut entries = self.query(
            "SELECT seq, call, body FROM records ORDER BY seq DESC LIMIT ?1",
            rusqlite::params![count],
        )?;
        entries.reverse();
        Ok(entries)
    }

    /// At most `count` records after number `seq`, oldest first.
    ///
    /// # Errors
    ///
    /// [`OpenError::Database`] if they cannot be read.
    pub fn after(&self, seq: u64, count: u32) -> Result<Vec<Entry>, OpenError> {
        self.query(
            "SELECT seq, call, body FROM records WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            rusqlite::params![i64::try_from(seq).unwrap_or(i64::MAX), count],
        )
    }

    /// All records about one call, oldest first.
    ///
    /// # Errors
    ///
    /// [`OpenError::Database`] if they cannot be read.
    pub fn of_call(&self, call: CallId) -> Result<Vec<Entry>, OpenError> {
        self.query(
            "SELECT seq, call, body FROM records WHERE call = ?1 ORDER BY seq",
            rusqlite::params![call.as_bytes()],
        )
    }

    /// What was allowed under this identifier, with its arguments.
    ///
    /// # Errors
    ///
    /// [`OpenError::Database`] if it cannot be read.
    pub fn intent(&self, call: CallId) -> Result<Option<Intent>, OpenError> {
        self.connection
            .query_row(
                "SELECT call, action, level, session, at, arguments FROM intents WHERE call = ?1",
                [call.as_bytes()],
                read_intent,
            )
            .optional()
            .map_err(|cause| self.failed(cause))
    }

    fn query(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<Vec<Entry>, OpenError> {
        let entry = |row: &Row<'_>| {
            let seq = row.get::<_, i64>(0)?.unsigned_abs();
            let call = if row.get_ref(1)? == rusqlite::types::ValueRef::Null {
                None
            } else {
                Some(call_id(row, 1)?)
            };
            Ok(Entry { seq, call, body: row.get(2)? })
        };
        let mut statement = self.connection.prepare_cached(sql).map_err(|cause| self.failed(cause))?;
        let rows = statement.query_map(parameters, entry).map_err(|cause| self.failed(cause))?;
        rows.collect::<rusqlite::Result<_>>().map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: rusqlite::Error) -> OpenError {
        OpenError::Database { path: self.path.clone(), cause }
    }
}
