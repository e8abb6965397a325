//! The writer: one thread, one connection, one transaction for everything that waits.
//!
//! It never decides anything: what reaches it has passed the mirror's preconditions. Any statement that fails
//! spoils the store, because what is on disk is then not what memory says; flushes are never tried again.

use std::{
    path::Path,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use placet_engine::{
    approval::Approval,
    call::{CallId, Digest},
    session::{HistoryEntry, Session, SessionId, SessionKey, Status},
    state::{Advance, Changes, Intent, Step, StopChange},
    stop::{Generations, Stop},
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension as _, Row, config::DbConfig, params};

use super::{Job, OpenError};
use crate::mirror::{Mirror, Running};

/// The format that this version writes, kept in `user_version`.
pub(super) const FORMAT: i64 = 1;

/// Commits joined in one transaction.
const GROUP: usize = 1_024;

/// With nothing to write for this long, the write-ahead log is folded back into the database.
const IDLE: Duration = Duration::from_millis(200);

/// Commits after which the log is folded back even without an idle moment.
const CHECKPOINT_EVERY: usize = 4_096;

/// Sessions read at a start, the latest. A host that names each of its runs leaves many that nobody continues.
const SESSIONS_READ: i64 = 4_096;

/// A question older than this is not looked at again: it lapsed long ago.
const QUESTIONS_KEPT: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// How long a lock of another program's connection is waited for. The directory is ours, but a person may look
/// into the database with SQLite's own shell, or a backup may copy it: such locks last for moments and are no
/// reason to stop. One that lasts is: whoever waits for a decision would wait with us.
const BUSY: Duration = Duration::from_secs(5);

/// Opens the database, makes its tables if it is new, and reads what decisions depend on.
pub(super) fn open(path: &Path) -> Result<(Connection, Mirror, Vec<Intent>), OpenError> {
    let database = |cause| OpenError::Database { path: path.to_owned(), cause };
    let connection = Connection::open(path).map_err(database)?;
    connection.busy_timeout(BUSY).map_err(database)?;
    // Before anything is set or made: what another version or another program has written stays as it is.
    let format = format_of(&connection).map_err(database)?;
    let is_empty = is_empty(&connection).map_err(database)?;
    match (format, is_empty) {
        (FORMAT, _) => configure(&connection).map_err(database)?,
        (0, true) => configure(&connection).and_then(|()| make_tables(&connection)).map_err(database)?,
        (other, _) => return Err(other_format(path, other)),
    }
    let (mirror, left_open) = read(&connection).map_err(database)?;
    Ok((connection, mirror, left_open))
}

/// The format that a database says it has; none is 0.
pub(super) fn format_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

pub(super) fn other_format(path: &Path, found: i64) -> OpenError {
    let what = match found {
        0 => "it is not a database of Placet's".to_owned(),
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
    // FULL: a commit that was acknowledged survives a power cut. Checkpoints are ours, outside commits.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA fullfsync = 1;
         PRAGMA checkpoint_fullfsync = 1;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA mmap_size = 0;
         PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA foreign_keys = ON;",
    )?;
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    if mode == "wal" { Ok(()) } else { Err(rusqlite::Error::InvalidQuery) }
}

fn make_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {} PRAGMA user_version = {FORMAT}; COMMIT;",
        include_str!("schema.sql")
    ))
}

/// Writes until the store lets go of its end of the queue.
pub(super) fn run(
    mut connection: Connection,
    jobs: &Receiver<Job>,
    waiting: &AtomicUsize,
    poison: &OnceLock<String>,
) {
    let mut since_checkpoint = 0;
    loop {
        let first = match jobs.recv_timeout(IDLE) {
            Ok(job) => job,
            Err(RecvTimeoutError::Timeout) => {
                if since_checkpoint > 0 && poison.get().is_none() {
                    checkpoint(&connection, poison);
                    since_checkpoint = 0;
                }
                match jobs.recv() {
                    Ok(job) => job,
                    Err(_) => break,
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let mut group = vec![first];
        group.extend(jobs.try_iter().take(GROUP - 1));
        let written = match poison.get() {
            Some(why) => Err(why.clone()),
            None => write(&mut connection, &group).map_err(|error| {
                let why = format!("writing to it failed: {error}");
                poison.get_or_init(|| why).clone()
            }),
        };
        since_checkpoint += group.len();
        waiting.fetch_sub(group.len(), Ordering::Relaxed);
        for done in group.into_iter().filter_map(|job| job.done) {
            // Nobody waits any more if the caller was cancelled; the changes stand all the same.
            drop(done.send(written.clone()));
        }
        if since_checkpoint >= CHECKPOINT_EVERY && poison.get().is_none() {
            checkpoint(&connection, poison);
            since_checkpoint = 0;
        }
    }
    if poison.get().is_none() {
        checkpoint(&connection, poison);
    } else {
        // Closing would fold the log back, which is one more use of a file that has failed. Whoever opens the
        // directory next reads the log as it is; if even this setting cannot be made, so it will be.
        drop(connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true));
    }
}

/// Folds the log back. A reader in the way only postpones it; an error spoils the store like any other.
fn checkpoint(connection: &Connection, poison: &OnceLock<String>) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        poison.get_or_init(|| format!("folding its log back failed: {error}"));
    }
}

fn write(connection: &mut Connection, group: &[Job]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for job in group {
        write_changes(&transaction, &job.changes)?;
        // Some errors end the transaction behind our back; a COMMIT would then report success for nothing.
        if transaction.is_autocommit() {
            return Err(rusqlite::Error::InvalidQuery);
        }
    }
    transaction.commit()
}

fn write_changes(connection: &Connection, changes: &Changes) -> rusqlite::Result<()> {
    if let Some(step) = &changes.step {
        write_step(connection, step)?;
    }
    if let Some(intent) = &changes.intent {
        connection
            .prepare_cached(
                // A call whose permit lapsed before anything was sent may be allowed again.
                "INSERT INTO intents (call, action, level, session, at, arguments) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (call) DO UPDATE SET at = excluded.at, session = excluded.session, ending = NULL",
            )?
            .execute(params![
                intent.call.as_bytes(),
                intent.action.to_string(),
                intent.level.as_str(),
                intent.session.0.as_bytes(),
                micros(intent.at),
                intent.arguments,
            ])?;
    }
    if let Some((call, ending)) = changes.outcome {
        connection
            .prepare_cached("UPDATE intents SET ending = ?2 WHERE call = ?1")?
            .execute(params![call.as_bytes(), ending.as_str()])?;
    }
    if let Some(question) = &changes.question {
        connection.prepare_cached("INSERT INTO questions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute(
            params![
                question.id.as_bytes(),
                question.digest.0,
                question.agent.as_str(),
                question.action.to_string(),
                question.controls.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
                micros(question.asked_at),
                micros(question.expires_at),
            ],
        )?;
    }
    match &changes.stop {
        Some(StopChange::Begin(stop)) => {
            connection
                .prepare_cached("INSERT OR REPLACE INTO stops VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![stop.scope.to_string(), stop.reason, stop.by, micros(stop.since)])?;
            connection.execute("UPDATE generations SET stop = stop + 1", [])?;
        }
        Some(StopChange::End) => {
            connection.execute("DELETE FROM stops", [])?;
            connection.execute("UPDATE generations SET stop = stop + 1", [])?;
        }
        None => {}
    }
    match changes.advance {
        Some(Advance::Policy) => connection.execute("UPDATE generations SET policy = policy + 1", [])?,
        Some(Advance::Catalogue) => {
            connection.execute("UPDATE generations SET catalogue = catalogue + 1", [])?
        }
        None => 0,
    };
    for record in &changes.records {
        connection
            .prepare_cached("INSERT INTO records (at, kind, call, body) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                micros(record.at),
                record.kind.as_str(),
                record.call.as_ref().map(CallId::as_bytes),
                record.to_json().compact(),
            ])?;
    }
    Ok(())
}

fn write_step(connection: &Connection, step: &Step) -> rusqlite::Result<()> {
    let (client, name) = (step.key.client.as_str(), step.key.name.as_deref().unwrap_or(""));
    connection
        .prepare_cached(
            "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?4, 1)
             ON CONFLICT (client, name) DO UPDATE SET
               opened_at = iif(id = excluded.id, opened_at, excluded.opened_at),
               steps = iif(id = excluded.id, steps + 1, 1),
               last_at = iif(id = excluded.id, max(last_at, excluded.last_at), excluded.last_at),
               id = excluded.id",
        )?
        .execute(params![client, name, step.id.0.as_bytes(), micros(step.at)])?;
    for entry in &step.entries {
        connection
            .prepare_cached("INSERT INTO history (session, action, level, status) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                step.id.0.as_bytes(),
                entry.action.to_string(),
                entry.level.map(placet_engine::level::Level::as_str),
                entry.status.as_str(),
            ])?;
    }
    Ok(())
}

/// Calendar time as SQLite keeps it; the calendar ends before i64 does.
fn micros(at: Timestamp) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

fn read(connection: &Connection) -> rusqlite::Result<(Mirror, Vec<Intent>)> {
    let mut mirror = Mirror {
        generations: connection.query_row("SELECT stop, policy, catalogue FROM generations", [], |row| {
            Ok(Generations { stop: number(row, 0)?, policy: number(row, 1)?, catalogue: number(row, 2)? })
        })?,
        stop: connection
            .query_row("SELECT scope, reason, who, since FROM stops", [], |row| {
                Ok(Stop {
                    scope: row.get::<_, String>(0)?.parse().map_err(|()| unreadable(0))?,
                    reason: row.get(1)?,
                    by: row.get(2)?,
                    since: timestamp(row, 3)?,
                })
            })
            .optional()?,
        ..Mirror::default()
    };

    let mut sessions = connection.prepare(
        "SELECT client, name, id, opened_at, last_at, steps FROM sessions ORDER BY last_at DESC LIMIT ?1",
    )?;
    let rows = sessions.query_map([SESSIONS_READ], |row| {
        let name: String = row.get(1)?;
        let key = SessionKey {
            client: row.get::<_, String>(0)?.parse().map_err(|_| unreadable(0))?,
            name: (!name.is_empty()).then(|| name.into()),
        };
        let session = Session {
            id: SessionId(call_id(row, 2)?),
            opened_at: timestamp(row, 3)?,
            last_at: timestamp(row, 4)?,
            steps: number(row, 5)?,
        };
        Ok((key, session))
    })?;
    for row in rows {
        let (key, session) = row?;
        let (history, truncated) = read_history(connection, session.id)?;
        mirror.sessions.insert(key, Running { session, history: history.into(), truncated });
    }

    let mut questions = connection.prepare(
        "SELECT id, digest, agent, action, controls, asked_at, expires_at FROM questions
         WHERE asked_at > (SELECT coalesce(max(asked_at), 0) FROM questions) - ?1 ORDER BY asked_at",
    )?;
    let kept = i64::try_from(QUESTIONS_KEPT.as_micros()).unwrap_or(i64::MAX);
    for question in questions.query_map([kept], read_question)? {
        let question = question?;
        mirror.questions.insert(question.digest, question);
    }

    let mut intents = connection.prepare(
        "SELECT call, action, level, session, at, arguments, ending FROM intents
         WHERE ending IS NULL OR ending = 'unknown' ORDER BY at",
    )?;
    let mut left_open = Vec::new();
    for row in intents.query_map([], |row| Ok((read_intent(row)?, row.get::<_, Option<String>>(6)?)))? {
        let (intent, ending) = row?;
        mirror.open.insert(intent.call);
        if ending.is_none() {
            left_open.push(intent);
        }
    }
    Ok((mirror, left_open))
}

fn read_history(connection: &Connection, session: SessionId) -> rusqlite::Result<(Vec<HistoryEntry>, bool)> {
    let limit = placet_engine::limits::HISTORY_ENTRIES;
    let mut newest = connection.prepare_cached(
        "SELECT action, level, status FROM history WHERE session = ?1 ORDER BY seq DESC LIMIT ?2",
    )?;
    let rows = newest.query_map(params![session.0.as_bytes(), limit as i64 + 1], |row| {
        let level: Option<String> = row.get(1)?;
        let status: String = row.get(2)?;
        Ok(HistoryEntry {
            action: row.get::<_, String>(0)?.parse().map_err(|_| unreadable(0))?,
            level: level.map(|level| level.parse()).transpose().map_err(|_| unreadable(1))?,
            status: Status::ALL.into_iter().find(|s| s.as_str() == status).ok_or_else(|| unreadable(2))?,
        })
    })?;
    let mut entries = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let truncated = entries.len() > limit;
    entries.truncate(limit);
    entries.reverse();
    Ok((entries, truncated))
}

fn read_question(row: &Row<'_>) -> rusqlite::Result<Approval> {
    let controls: String = row.get(4)?;
    Ok(Approval {
        id: call_id(row, 0)?,
        digest: Digest(row.get(1)?),
        agent: row.get::<_, String>(2)?.parse().map_err(|_| unreadable(2))?,
        action: row.get::<_, String>(3)?.parse().map_err(|_| unreadable(3))?,
        controls: controls
            .split_whitespace()
            .map(|control| control.parse().map_err(|_| unreadable(4)))
            .collect::<Result<_, _>>()?,
        asked_at: timestamp(row, 5)?,
        expires_at: timestamp(row, 6)?,
    })
}

pub(super) fn read_intent(row: &Row<'_>) -> rusqlite::Result<Intent> {
    Ok(Intent {
        call: call_id(row, 0)?,
        action: row.get::<_, String>(1)?.parse().map_err(|_| unreadable(1))?,
        level: row.get::<_, String>(2)?.parse().map_err(|_| unreadable(2))?,
        session: SessionId(call_id(row, 3)?),
        at: timestamp(row, 4)?,
        arguments: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
    })
}

pub(super) fn call_id(row: &Row<'_>, column: usize) -> rusqlite::Result<CallId> {
    row.get(column).map(CallId::from_random)
}

pub(super) fn timestamp(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    number(row, column).map(Timestamp)
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(|_| unreadable(column))
}

/// A value that this version would not have written.
pub(super) fn unreadable(column: usize) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        column,
        rusqlite::types::Type::Text,
        "not a value that Placet writes".into(),
    )
}
