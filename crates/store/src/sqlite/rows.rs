//! Rows: changes as statements. How they are found again: [`found`](super::found).
//!
//! Nothing is decided here: what is written has passed the mirror.

use placet_engine::{
    budget::Account,
    call::CallId,
    cost::Amount,
    names::Label,
    once::Kept,
    state::{Advance, Fate, Intent, Settled, Step, StopChange},
    time::Timestamp,
};
use rusqlite::{Connection, params};

use super::{
    questions,
    writer::{After, Line, Write},
};
use crate::mirror::Trail;

/// Writes one event, but for its session ([`write_session`]).
pub(super) fn write(connection: &Connection, write: &Write) -> rusqlite::Result<()> {
    let Write { changes, sealed, session, lines, done: _ } = write;
    if let (Some(step), Some(session)) = (&changes.step, session) {
        write_step(connection, step, session.trail)?;
    }
    if let Some(intent) = &changes.intent {
        write_intent(connection, intent, sealed.intent.as_deref())?;
    }
    if let Some(settled) = &changes.settled {
        write_settled(connection, settled, sealed.result.as_deref())?;
    }
    if let Some(question) = &changes.question {
        questions::write(connection, question, sealed.question.as_deref())?;
    }
    match &changes.stop {
        Some(StopChange::Begin(stop)) => {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO stops (scope, reason, who, since, leaves) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    stop.scope.to_string(),
                    stop.reason,
                    stop.by,
                    micros(stop.since),
                    stop.leaves.as_str()
                ])?;
            connection.execute("UPDATE generations SET stop = stop + 1", [])?;
        }
        Some(StopChange::End(scope)) => {
            connection.execute("DELETE FROM stops WHERE scope = ?1", [scope.to_string()])?;
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
    for tally in &changes.tallies {
        match tally.add {
            Some(amount) => spend(connection, &tally.account, tally.part, amount, Amount::default())?,
            None => clear(connection, &tally.account)?,
        }
    }
    if let Some(account) = &changes.reopen {
        connection
            .prepare_cached(
                "DELETE FROM closed WHERE budget = ?1 AND subject = ?2 AND session = ?3 AND began = ?4",
            )?
            .execute(params![
                account.budget.as_str(),
                &*account.subject,
                session_bytes(account),
                micros(account.window)
            ])?;
    }
    if let Some(key) = &changes.end_session {
        connection
            .prepare_cached("DELETE FROM sessions WHERE client = ?1 AND name = ?2")?
            .execute(params![key.client.as_str(), key.name.as_deref().unwrap_or("")])?;
    }
    if let Some(calendar) = changes.calendar {
        connection.execute("UPDATE epoch SET calendar = ?1", [micros(calendar)])?;
    }
    if changes.settle_epoch {
        connection.execute("UPDATE epoch SET restored_at = 0", [])?;
    }
    lines.iter().try_for_each(|line| write_line(connection, line))
}

/// Writes one record behind all others.
pub(super) fn write_line(connection: &Connection, line: &Line) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO records (at, kind, call, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            micros(line.at),
            line.kind.as_str(),
            line.call.as_ref().map(CallId::as_bytes),
            line.text,
        ])?;
    Ok(())
}

fn write_intent(connection: &Connection, intent: &Intent, sealed: Option<&[u8]>) -> rusqlite::Result<()> {
    let is_plain = sealed.is_none();
    connection
        .prepare_cached(
            // A call whose permit lapsed before anything was sent may be allowed again, by another policy too.
            "INSERT INTO intents (call, action, level, session, at, arguments, agent, client, run, digest, joined,
                                  salt, sealed, approval)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
             ON CONFLICT (call) DO UPDATE SET at = excluded.at, session = excluded.session, ending = NULL,
             level = excluded.level, joined = excluded.joined, approval = excluded.approval",
        )?
        .execute(params![
            intent.call.as_bytes(),
            intent.action.to_string(),
            intent.level.as_str(),
            intent.session.0.as_bytes(),
            micros(intent.at),
            is_plain.then_some(&intent.arguments),
            intent.agent.as_str(),
            intent.client.as_str(),
            intent.run.as_deref().unwrap_or(""),
            intent.digest.0,
            intent.joined,
            intent.salt.filter(|_| is_plain),
            sealed,
            intent.approval.as_ref().map(CallId::as_bytes),
        ])?;
    for hold in &intent.holds {
        let account = &hold.account;
        connection
            .prepare_cached("INSERT OR REPLACE INTO holds VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
            .execute(params![
                intent.call.as_bytes(),
                account.budget.as_str(),
                &*account.subject,
                session_bytes(account),
                micros(account.window),
                micros(hold.part),
                hold.measure.to_string(),
                amount(hold.amount),
            ])?;
    }
    if let Some(claim) = &intent.claim {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO keys VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'running', NULL, NULL)",
            )?
            .execute(params![
                claim.key.0,
                claim.fingerprint.0,
                claim.kind.as_str(),
                micros(claim.until),
                intent.call.as_bytes(),
                intent.agent.as_str(),
                intent.client.as_str(),
            ])?;
    }
    Ok(())
}

fn write_settled(connection: &Connection, settled: &Settled, sealed: Option<&[u8]>) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE intents SET ending = ?2 WHERE call = ?1")?
        .execute(params![settled.call.as_bytes(), settled.ending.as_str()])?;
    if let Some(approval) = settled.returned {
        questions::give_back(connection, approval, settled.call)?;
    }
    for charge in &settled.charges {
        if charge.clear {
            clear(connection, &charge.account)?;
        }
        spend(connection, &charge.account, charge.part, charge.spend, charge.refund)?;
        if charge.close {
            let account = &charge.account;
            connection.prepare_cached("INSERT OR IGNORE INTO closed VALUES (?1, ?2, ?3, ?4)")?.execute(
                params![
                    account.budget.as_str(),
                    &*account.subject,
                    session_bytes(account),
                    micros(account.window)
                ],
            )?;
        }
    }
    if settled.ending.is_final() && !settled.charges.is_empty() {
        connection.prepare_cached("DELETE FROM holds WHERE call = ?1")?.execute([settled.call.as_bytes()])?;
    }
    match &settled.key {
        Some((key, Fate::Freed)) => {
            connection.prepare_cached("DELETE FROM keys WHERE key = ?1")?.execute([key.0])?;
        }
        Some((key, Fate::Unknown)) => {
            connection
                .prepare_cached("UPDATE keys SET state = 'unknown' WHERE key = ?1")?
                .execute([key.0])?;
        }
        Some((key, Fate::Done(kept))) => {
            let result = match kept {
                Kept::Text(text) => Some(&**text).filter(|_| sealed.is_none()),
                Kept::TooLarge => None,
            };
            connection
                .prepare_cached("UPDATE keys SET state = 'done', result = ?2, sealed = ?3 WHERE key = ?1")?
                .execute(params![key.0, result, sealed])?;
        }
        None => {}
    }
    Ok(())
}

fn spend(
    connection: &Connection,
    account: &Account,
    part: Timestamp,
    spend: Amount,
    refund: Amount,
) -> rusqlite::Result<()> {
    if spend == Amount::default() && refund == Amount::default() {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO accounts VALUES (?1, ?2, ?3, ?4, ?5, max(0, ?6 - ?7))
             ON CONFLICT DO UPDATE SET spent = max(0, min(spent + ?6, 9223372036854775807) - ?7)",
        )?
        .execute(params![
            account.budget.as_str(),
            &*account.subject,
            session_bytes(account),
            micros(account.window),
            micros(part),
            amount(spend),
            amount(refund),
        ])?;
    Ok(())
}

fn clear(connection: &Connection, account: &Account) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM accounts WHERE budget = ?1 AND subject = ?2 AND session = ?3 AND began = ?4",
        )?
        .execute(params![
            account.budget.as_str(),
            &*account.subject,
            session_bytes(account),
            micros(account.window)
        ])?;
    Ok(())
}

fn write_step(connection: &Connection, step: &Step, trail: Trail) -> rusqlite::Result<()> {
    let (mut before, mut seq) = (trail.before, trail.latest.saturating_sub(step.entries.len() as u64));
    for entry in &step.entries {
        seq += 1;
        connection.prepare_cached("INSERT INTO history VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(
            params![
                integer(seq),
                integer(before),
                step.id.0.as_bytes(),
                entry.action.to_string(),
                entry.level.map(placet_engine::level::Level::as_str),
                entry.status.as_str(),
            ],
        )?;
        before = seq;
    }
    Ok(())
}

/// Writes a session as it is after an event; of several in one group the last is enough.
pub(super) fn write_session(connection: &Connection, after: &After) -> rusqlite::Result<()> {
    let After { key, session, trail } = after;
    let echo = session.echo;
    connection
        .prepare_cached(
            "INSERT INTO sessions (client, name, id, opened_at, last_at, steps, labels, echo_call, echo_result,
                                   echo_count, echo_at, latest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (client, name) DO UPDATE SET id = excluded.id, opened_at = excluded.opened_at,
             last_at = excluded.last_at, steps = excluded.steps, labels = excluded.labels,
             echo_call = excluded.echo_call, echo_result = excluded.echo_result,
             echo_count = excluded.echo_count, echo_at = excluded.echo_at, latest = excluded.latest",
        )?
        .execute(params![
            key.client.as_str(),
            key.name.as_deref().unwrap_or(""),
            session.id.0.as_bytes(),
            micros(session.opened_at),
            micros(session.last_at),
            integer(session.steps),
            session.labels.iter().map(Label::as_str).collect::<Vec<_>>().join(" "),
            echo.map(|echo| echo.call.0),
            echo.map(|echo| echo.result.0),
            echo.map_or(0, |echo| echo.count),
            echo.map_or(0, |echo| micros(echo.at)),
            integer(trail.latest),
        ])?;
    Ok(())
}

/// A number as SQLite keeps it; what is counted here ends before i64 does.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Calendar time as SQLite keeps it; the calendar ends before i64 does.
pub(super) fn micros(at: Timestamp) -> i64 {
    integer(at.0)
}

/// An amount as SQLite keeps it; none is larger than i64.
fn amount(amount: Amount) -> i64 {
    integer(amount.0)
}

fn session_bytes(account: &Account) -> &[u8] {
    account.session.as_ref().map_or(&[], |session| session.0.as_bytes())
}

/// Marks how far the calendar has been followed.
/// Something is written in any case: whoever needs a flush has one by this.
pub(super) fn mark_calendar(connection: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    connection.prepare_cached("UPDATE epoch SET calendar = max(calendar, ?1)")?.execute([micros(now)])
}

/// Forgets some of the finished keys that lapsed before `now`.
pub(super) fn forget_keys(connection: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM keys WHERE key IN
             (SELECT key FROM keys WHERE state = 'done' AND until < ?1 LIMIT 256)",
        )?
        .execute([micros(now)])
}
