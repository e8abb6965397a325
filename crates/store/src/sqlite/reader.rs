//! Looking at the records: a read-only connection beside the node's own, for `placet audit`.

use std::path::{Path, PathBuf};

use placet_engine::{
    call::CallId,
    cost::Amount,
    names::AgentName,
    record::Kind,
    session::{Session, SessionId, SessionKey},
    state::{Ending, Intent, Open},
    stop::Stop,
    time::Timestamp,
};
use rusqlite::{Connection, OpenFlags, Row};

use super::{
    OpenError, PayloadError, PayloadKeys,
    format::{FORMAT, format_of, keep_little, other_format},
    found::{self, call_id, number, read_stop, timestamp},
};

/// Reads a state directory that another process may own.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    connection: Connection,
    keys: PayloadKeys,
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

/// An allowed call as it stands in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What was allowed. Its arguments and its salt are blank if they are erased, or cannot be read.
    pub intent: Intent,
    /// How it ended, if it did.
    pub ending: Option<Ending>,
    /// Why its arguments and its salt cannot be read, if they are encrypted and cannot.
    pub unreadable: Option<PayloadError>,
}

/// What stands on one part of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spending {
    /// The budget.
    pub budget: String,
    /// Whose calls count.
    pub subject: String,
    /// The session whose it is, where each has its own.
    pub session: Option<String>,
    /// When its window began; 0 where there is but one.
    pub window: Timestamp,
    /// The part of the window.
    pub part: Timestamp,
    /// What is spent.
    pub spent: Amount,
    /// What calls in flight may still spend.
    pub held: Amount,
    /// Whether an overrun closed the account.
    pub closed: bool,
}

impl Reader {
    /// Opens `directory` for reading, without a key: of what is encrypted it says so, call by call.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if there is no store, or none that can be read.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        Self::open_with(directory, PayloadKeys::default())
    }

    /// The same, with the keys by which payloads are read.
    ///
    /// # Errors
    ///
    /// As for [`Reader::open`]. That a key does not fit is no error here: each [`Call`] says it of itself.
    pub fn open_with(directory: &Path, keys: PayloadKeys) -> Result<Self, OpenError> {
        let path = directory.join("placet.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if let Err(cause) = std::fs::metadata(&path) {
            return Err(OpenError::Io { path, cause });
        }
        let opened = Connection::open_with_flags(&path, flags)
            .and_then(|connection| Ok((format_of(&connection)?, connection)))
            .and_then(|(format, connection)| keep_little(&connection).map(|()| (format, connection)));
        match opened {
            Ok((FORMAT, connection)) => Ok(Self { path, connection, keys }),
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

    /// The last record of a kind. Looks through all of them if there is none.
    ///
    /// # Errors
    ///
    /// [`OpenError::Database`] if they cannot be read.
    pub fn last_of(&self, kind: Kind) -> Result<Option<Entry>, OpenError> {
        let found = self.query(
            "SELECT seq, call, body FROM records WHERE kind = ?1 ORDER BY seq DESC LIMIT 1",
            rusqlite::params![kind.as_str()],
        )?;
        Ok(found.into_iter().next())
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

    /// What was allowed under this identifier, with its arguments, and how it ended if it did.
    ///
    /// # Errors
    ///
    /// [`OpenError::Database`] if it cannot be read.
    pub fn call(&self, call: CallId) -> Result<Option<Call>, OpenError> {
        found::call(&self.connection, &self.keys, call).map_err(|cause| self.failed(cause))
    }

    /// Allowed calls without a final outcome: those under way, or the unknown ones; oldest first.
    ///
    /// # Errors
    ///
    /// [`OpenError::Database`] if they cannot be read.
    pub fn open_calls(&self, state: Open) -> Result<Vec<Call>, OpenError> {
        found::calls_in(&self.connection, &self.keys, state).map_err(|cause| self.failed(cause))
    }

    /// The stops in force, oldest first.
    ///
    /// # Errors
    ///
    /// [`OpenError::Database`] if they cannot be read.
    pub fn stops(&self) -> Result<Vec<Stop>, OpenError> {
        self.rows("SELECT scope, reason, who, since, leaves FROM stops ORDER BY since", [], read_stop)
    }

    /// What was spent and is held, by account and part.
    ///
    /// # Errors
    ///
    /// [`OpenError::Database`] if it cannot be read.
    pub fn spending(&self) -> Result<Vec<Spending>, OpenError> {
        self.rows(
            "SELECT budget, subject, session, began, part, sum(spent), sum(held),
                    EXISTS (SELECT 1 FROM closed WHERE closed.budget = all_of.budget
                            AND closed.subject = all_of.subject AND closed.session = all_of.session
                            AND closed.began = all_of.began)
             FROM (SELECT budget, subject, session, began, part, spent, 0 AS held FROM accounts
                   UNION ALL
                   SELECT budget, subject, holds.session, began, part, 0, amount FROM holds
                   JOIN intents ON intents.call = holds.call WHERE intents.ending IS NULL) AS all_of
             GROUP BY budget, subject, session, began, part",
            [],
            |row| {
                let session: Vec<u8> = row.get(2)?;
                let session = <[u8; 12]>::try_from(session).ok();
                Ok(Spending {
                    budget: row.get(0)?,
                    subject: row.get(1)?,
                    session: session.map(|id| SessionId(CallId::from_random(id)).to_string()),
                    window: timestamp(row, 3)?,
                    part: timestamp(row, 4)?,
                    spent: Amount(number(row, 5)?),
                    held: Amount(number(row, 6)?),
                    closed: row.get(7)?,
                })
            },
        )
    }

    /// Sessions, the latest first.
    ///
    /// # Errors
    ///
    /// [`OpenError::Database`] if they cannot be read.
    pub fn sessions(&self) -> Result<Vec<(SessionKey, Session)>, OpenError> {
        self.rows(
            "SELECT client, name, id, opened_at, last_at, steps, labels, echo_call, echo_result, echo_count,
                    echo_at
             FROM sessions ORDER BY last_at DESC LIMIT 1000",
            [],
            found::read_session,
        )
    }

    /// The agents of all calls so far: what a scope may name.
    ///
    /// # Errors
    ///
    /// [`OpenError::Database`] if they cannot be read.
    pub fn agents(&self) -> Result<Vec<AgentName>, OpenError> {
        self.rows("SELECT DISTINCT agent FROM intents ORDER BY agent", [], |row| {
            row.get::<_, String>(0)?.parse().map_err(|_| found::unreadable(0))
        })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    fn rows<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, OpenError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|cause| self.failed(cause))?;
        let rows = statement.query_map(parameters, read).map_err(|cause| self.failed(cause))?;
        rows.collect::<rusqlite::Result<_>>().map_err(|cause| self.failed(cause))
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
        self.rows(sql, parameters, entry)
    }

    fn failed(&self, cause: rusqlite::Error) -> OpenError {
        OpenError::Database { path: self.path.clone(), cause }
    }
}
