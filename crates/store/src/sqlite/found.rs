//! What decisions read, as it is found again: the mirror, and one call, key or session at a time.
//!
//! What was not written by this version is refused, never guessed at. Not here: how it was written
//! ([`rows`](super::rows)), and pages for people, which are the reader's.

use std::{fmt, time::Duration};

use placet_engine::{
    budget::{Account, Hold},
    call::{CallId, Digest},
    cost::Amount,
    once::{Claim, ClaimKind, Claimed, Kept, Progress},
    session::{Echo, HistoryEntry, Session, SessionId, SessionKey, Status},
    state::{Ending, Intent, Open},
    stop::{Generations, Leaves, Stop},
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    payload::{PayloadError, PayloadKeys},
    questions,
    reader::Call,
    rows::integer,
};
use crate::mirror::{Mirror, OpenCall, Running, Trail};
/// Sessions read at a start, the latest. A host that names each of its runs leaves many that nobody continues.
const SESSIONS_READ: i64 = 4_096;

/// A question older than this is not looked at again: it lapsed long ago.
const QUESTIONS_KEPT: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// Why what is stored cannot be used.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// What SQLite says.
    Database(rusqlite::Error),
    /// A call that somebody needs is sealed.
    Sealed(CallId, PayloadError),
}

impl From<rusqlite::Error> for Unreadable {
    fn from(cause: rusqlite::Error) -> Self {
        Unreadable::Database(cause)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::Database(cause) => cause.fmt(f),
            Unreadable::Sealed(call, cause) => write!(f, "what is kept of call {call} is {cause}"),
        }
    }
}

/// Everything that decisions read, and the intents without an outcome, oldest first. What is not over must be
/// readable whole: a look-up, or a person, may need its arguments.
pub(super) fn read(connection: &Connection, keys: &PayloadKeys) -> Result<(Mirror, Vec<Intent>), Unreadable> {
    let mut mirror = Mirror::default();
    mirror.generations =
        connection.query_row("SELECT stop, policy, catalogue FROM generations", [], |row| {
            Ok(Generations { stop: number(row, 0)?, policy: number(row, 1)?, catalogue: number(row, 2)? })
        })?;
    mirror.restored_at = super::backup::epoch(connection)?.restored_at;
    let mut stops =
        connection.prepare("SELECT scope, reason, who, since, leaves FROM stops ORDER BY since")?;
    for stop in stops.query_map([], read_stop)? {
        mirror.stops.push(stop?);
    }

    let mut sessions = connection.prepare(
        "SELECT client, name, id, opened_at, last_at, steps, labels, echo_call, echo_result, echo_count, echo_at,
                latest
         FROM sessions ORDER BY last_at DESC LIMIT ?1",
    )?;
    let found = sessions.query_map([SESSIONS_READ], |row| Ok((read_session(row)?, number(row, 11)?)))?;
    for row in found {
        let ((key, session), latest) = row?;
        let (history, truncated) = read_history(connection, session.id, latest)?;
        let trail = Trail { latest, before: 0 };
        mirror.keep(key, Running { session, history: history.into(), truncated, trail });
    }
    mirror.entries =
        connection.query_row("SELECT coalesce(max(seq), 0) FROM history", [], |row| number(row, 0))?;

    let kept = i64::try_from(QUESTIONS_KEPT.as_micros()).unwrap_or(i64::MAX);
    for question in questions::read(connection, keys, kept)? {
        mirror.ask(question);
    }

    let mut accounts = connection.prepare(
        "SELECT budget, subject, session, began, part, spent FROM accounts
         WHERE began = 0 OR began > (SELECT coalesce(max(began), 0) FROM accounts) - ?1",
    )?;
    let longest = i64::try_from(crate::mirror::LONGEST_WINDOW.as_micros()).unwrap_or(i64::MAX);
    for row in accounts
        .query_map([longest], |row| Ok((read_account(row)?, timestamp(row, 4)?, Amount(number(row, 5)?))))?
    {
        let (account, part, spent) = row?;
        if may_be_touched(&mirror, &account) {
            mirror.accounts.restore(&account, part, spent);
        }
    }
    let mut closed = connection.prepare("SELECT budget, subject, session, began FROM closed")?;
    for account in closed.query_map([], read_account)? {
        let account = account?;
        if may_be_touched(&mirror, &account) {
            mirror.accounts.restore_closed(&account);
        }
    }

    let mut open_keys = connection.prepare(&format!("{KEYS} WHERE state <> 'done'"))?;
    for claimed in open_keys.query_map([], read_key)? {
        mirror.keys.insert(claimed?.0);
    }

    let mut left_open = Vec::new();
    for (Call { intent, ending: _, unreadable }, state) in open_intents(connection, keys)? {
        if let Some(cause) = unreadable {
            return Err(Unreadable::Sealed(intent.call, cause));
        }
        match state {
            Open::Running => {
                mirror.begin(&intent);
                left_open.push(intent);
            }
            // Booked as spent when it became unknown; nothing of it is held.
            Open::Unknown => {
                mirror.open.insert(intent.call, OpenCall { state, joined: None });
            }
        }
    }
    Ok((mirror, left_open))
}

/// Whether a call may count on an account: a session that was not read does not go on.
fn may_be_touched(mirror: &Mirror, account: &Account) -> bool {
    account.session.is_none_or(|session| mirror.keeps(session))
}

const INTENTS: &str = "SELECT call, action, level, session, at, arguments, agent, client, run, digest, joined, ending, salt, sealed, approval FROM intents";

const KEYS: &str =
    "SELECT key, fingerprint, kind, until, call, agent, client, state, result, sealed FROM keys";

fn open_intents(connection: &Connection, keys: &PayloadKeys) -> rusqlite::Result<Vec<(Call, Open)>> {
    let mut statement =
        connection.prepare(&format!("{INTENTS} WHERE ending IS NULL OR ending = 'unknown' ORDER BY at"))?;
    let rows = statement.query_map([], |row| read_call(row, keys))?;
    let mut calls = Vec::new();
    for row in rows {
        let mut call = row?;
        complete(connection, &mut call.intent)?;
        let state = if call.ending.is_some() { Open::Unknown } else { Open::Running };
        calls.push((call, state));
    }
    Ok(calls)
}

/// One allowed call, with how it ended, if it did.
pub(super) fn call(
    connection: &Connection,
    keys: &PayloadKeys,
    call: CallId,
) -> rusqlite::Result<Option<Call>> {
    let found = connection
        .prepare_cached(&format!("{INTENTS} WHERE call = ?1"))?
        .query_row([call.as_bytes()], |row| read_call(row, keys))
        .optional()?;
    let Some(mut call) = found else { return Ok(None) };
    complete(connection, &mut call.intent)?;
    Ok(Some(call))
}

/// Allowed calls that are not over: `unknown` ones, or those under way.
pub(super) fn calls_in(
    connection: &Connection,
    keys: &PayloadKeys,
    state: Open,
) -> rusqlite::Result<Vec<Call>> {
    let calls = open_intents(connection, keys)?;
    Ok(calls.into_iter().filter(|(_, of)| *of == state).map(|(call, _)| call).collect())
}

/// What a call without a final outcome holds, and its key.
fn complete(connection: &Connection, intent: &mut Intent) -> rusqlite::Result<()> {
    let mut holds = connection.prepare_cached(
        "SELECT budget, subject, session, began, part, measure, amount FROM holds WHERE call = ?1",
    )?;
    let rows = holds.query_map([intent.call.as_bytes()], |row| {
        Ok(Hold {
            account: read_account(row)?,
            part: timestamp(row, 4)?,
            measure: row.get::<_, String>(5)?.parse().map_err(|_| unreadable(5))?,
            amount: Amount(number(row, 6)?),
        })
    })?;
    intent.holds = rows.collect::<rusqlite::Result<_>>()?;
    let claimed = connection
        .prepare_cached(&format!("{KEYS} WHERE call = ?1 AND state <> 'done'"))?
        .query_row([intent.call.as_bytes()], read_key)
        .optional()?;
    intent.claim = claimed.map(|(claimed, _)| claimed.claim);
    Ok(())
}

/// A finished key. Others are all in memory; one that is here and not there has been freed since, and that is
/// still to be written.
///
/// A result under a key that is not there is as good as erased: the call was made, and is not made again. One that
/// was changed is an error.
pub(super) fn finished_key(
    connection: &Connection,
    keys: &PayloadKeys,
    key: Digest,
) -> Result<Option<Claimed>, Unreadable> {
    let found = connection
        .prepare_cached(&format!("{KEYS} WHERE key = ?1 AND state = 'done'"))?
        .query_row([key.0], read_key)
        .optional()?;
    let Some((mut claimed, sealed)) = found else { return Ok(None) };
    if let Some(sealed) = sealed {
        let kept = match keys.open_result(claimed.call, &sealed) {
            Ok(text) => Kept::Text(text.into()),
            Err(PayloadError::OtherKey { .. }) => Kept::TooLarge,
            Err(cause @ (PayloadError::Damaged(_) | PayloadError::Form)) => {
                return Err(Unreadable::Sealed(claimed.call, cause));
            }
        };
        claimed.progress = Progress::Done(kept);
    }
    Ok(Some(claimed))
}

/// Whether any finished key is there to be looked for.
pub(super) fn has_finished_keys(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT EXISTS (SELECT 1 FROM keys WHERE state = 'done')", [], |row| row.get(0))
}

fn read_history(
    connection: &Connection,
    session: SessionId,
    latest: u64,
) -> rusqlite::Result<(Vec<HistoryEntry>, bool)> {
    let limit = placet_engine::limits::HISTORY_ENTRIES;
    let mut newest = connection.prepare_cached(
        "WITH RECURSIVE trail AS (
           SELECT seq, before, action, level, status FROM history WHERE seq = ?2 AND session = ?1
           UNION ALL
           SELECT history.seq, history.before, history.action, history.level, history.status
           FROM trail JOIN history ON history.seq = trail.before WHERE history.session = ?1
           LIMIT ?3)
         SELECT action, level, status FROM trail ORDER BY seq DESC",
    )?;
    let rows = newest.query_map(params![session.0.as_bytes(), integer(latest), limit as i64 + 1], |row| {
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

pub(super) fn read_stop(row: &Row<'_>) -> rusqlite::Result<Stop> {
    let leaves: String = row.get(4)?;
    Ok(Stop {
        scope: row.get::<_, String>(0)?.parse().map_err(|_| unreadable(0))?,
        reason: row.get(1)?,
        by: row.get(2)?,
        since: timestamp(row, 3)?,
        leaves: [Leaves::Nothing, Leaves::Reads]
            .into_iter()
            .find(|known| known.as_str() == leaves)
            .ok_or_else(|| unreadable(4))?,
    })
}

pub(super) fn read_session(row: &Row<'_>) -> rusqlite::Result<(SessionKey, Session)> {
    let name: String = row.get(1)?;
    let labels: String = row.get(6)?;
    let key = SessionKey {
        client: row.get::<_, String>(0)?.parse().map_err(|_| unreadable(0))?,
        name: (!name.is_empty()).then(|| name.into()),
    };
    let echo = match (row.get::<_, Option<[u8; 32]>>(7)?, row.get::<_, Option<[u8; 32]>>(8)?) {
        (Some(call), Some(result)) => Some(Echo {
            call: Digest(call),
            result: Digest(result),
            count: row.get(9)?,
            at: timestamp(row, 10)?,
        }),
        (None, _) | (_, None) => None,
    };
    let session = Session {
        id: SessionId(call_id(row, 2)?),
        opened_at: timestamp(row, 3)?,
        last_at: timestamp(row, 4)?,
        steps: number(row, 5)?,
        labels: labels
            .split_whitespace()
            .map(|label| label.parse().map_err(|_| unreadable(6)))
            .collect::<Result<_, _>>()?,
        echo,
    };
    Ok((key, session))
}

fn read_account(row: &Row<'_>) -> rusqlite::Result<Account> {
    let session: Vec<u8> = row.get(2)?;
    let session = match session.as_slice() {
        [] => None,
        bytes => Some(SessionId(CallId::from_random(bytes.try_into().map_err(|_| unreadable(2))?))),
    };
    Ok(Account {
        budget: row.get::<_, String>(0)?.parse().map_err(|_| unreadable(0))?,
        subject: row.get::<_, String>(1)?.into(),
        session,
        window: timestamp(row, 3)?,
    })
}

/// A key, and its result if that is sealed.
fn read_key(row: &Row<'_>) -> rusqlite::Result<(Claimed, Option<Vec<u8>>)> {
    let (kind, state): (String, String) = (row.get(2)?, row.get(7)?);
    let kept = row.get::<_, Option<String>>(8)?.map_or(Kept::TooLarge, |text| Kept::Text(text.into()));
    let claimed = Claimed {
        claim: Claim {
            key: Digest(row.get(0)?),
            fingerprint: Digest(row.get(1)?),
            kind: ClaimKind::ALL
                .into_iter()
                .find(|known| known.as_str() == kind)
                .ok_or_else(|| unreadable(2))?,
            until: timestamp(row, 3)?,
        },
        call: call_id(row, 4)?,
        agent: row.get::<_, String>(5)?.parse().map_err(|_| unreadable(5))?,
        client: row.get::<_, String>(6)?.parse().map_err(|_| unreadable(6))?,
        progress: match state.as_str() {
            "running" => Progress::Running,
            "unknown" => Progress::Unknown,
            "done" => Progress::Done(kept),
            _ => return Err(unreadable(7)),
        },
    };
    Ok((claimed, row.get(9)?))
}

/// A call, whose arguments and salt are blank if they cannot be read, and then why.
fn read_call(row: &Row<'_>, keys: &PayloadKeys) -> rusqlite::Result<Call> {
    let mut call = Call { intent: read_intent(row)?, ending: read_ending(row)?, unreadable: None };
    if let Some(sealed) = row.get::<_, Option<Vec<u8>>>(13)? {
        match keys.open_intent(call.intent.call, &sealed) {
            Ok((arguments, salt)) => (call.intent.arguments, call.intent.salt) = (arguments, salt),
            Err(cause) => call.unreadable = Some(cause),
        }
    }
    Ok(call)
}

fn read_intent(row: &Row<'_>) -> rusqlite::Result<Intent> {
    let run: String = row.get(8)?;
    Ok(Intent {
        call: call_id(row, 0)?,
        action: row.get::<_, String>(1)?.parse().map_err(|_| unreadable(1))?,
        level: row.get::<_, String>(2)?.parse().map_err(|_| unreadable(2))?,
        session: SessionId(call_id(row, 3)?),
        at: timestamp(row, 4)?,
        arguments: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
        agent: row.get::<_, String>(6)?.parse().map_err(|_| unreadable(6))?,
        client: row.get::<_, String>(7)?.parse().map_err(|_| unreadable(7))?,
        run: (!run.is_empty()).then(|| run.into()),
        digest: Digest(row.get(9)?),
        salt: row.get(12)?,
        joined: row.get(10)?,
        holds: Vec::new(),
        claim: None,
        approval: row.get::<_, Option<[u8; 12]>>(14)?.map(CallId::from_random),
    })
}

fn read_ending(row: &Row<'_>) -> rusqlite::Result<Option<Ending>> {
    let ending: Option<String> = row.get(11)?;
    let read = |ending: String| {
        Ending::ALL.into_iter().find(|known| known.as_str() == ending).ok_or_else(|| unreadable(11))
    };
    ending.map(read).transpose()
}

pub(super) fn call_id(row: &Row<'_>, column: usize) -> rusqlite::Result<CallId> {
    row.get(column).map(CallId::from_random)
}

pub(super) fn timestamp(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    number(row, column).map(Timestamp)
}

pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
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
