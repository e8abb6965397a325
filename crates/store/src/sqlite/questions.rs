//! Questions to people as rows: what is asked, what was shown, and how far each has come.
//!
//! A question is one row that is written anew with each answer. What people are shown of the call stands in it, in
//! plain text or sealed, until it is erased. A question that still waits, or was answered with yes, must be readable
//! whole at a start: nobody may agree to what she cannot see.

use placet_engine::{
    approval::{Approval, State, Vote, Yes},
    call::{CallId, Digest},
    time::Timestamp,
    tool::Shape,
};
use rusqlite::{Connection, Row, params};

use super::{
    found::{Unreadable, call_id, number, timestamp, unreadable},
    payload::PayloadKeys,
    rows::{integer, micros},
};

const COLUMNS: &str = "id, digest, shape, agent, client, run, action, level, arguments, meta, sealed, controls, \
                       asked_at, expires_at, votes, state, good_until, stops, denied_by, note, used_by";

/// Writes a question as it is from now on.
pub(super) fn write(
    connection: &Connection,
    question: &Approval,
    sealed: Option<&[u8]>,
) -> rusqlite::Result<()> {
    let (mut yes, mut denied, mut used) = (None, None, None);
    match &question.state {
        State::Pending | State::Expired => {}
        State::Approved(given) => yes = Some(*given),
        State::Denied { by, note } => denied = Some((by.as_str(), &**note)),
        State::Used { call, yes: given } => (yes, used) = (Some(*given), Some(*call)),
    }
    let votes = question.votes.iter().map(|vote| {
        let Vote { by, group, strength, at } = vote;
        format!("{by} {group} {} {}\n", strength.as_str(), at.0)
    });
    let is_plain = sealed.is_none();
    connection
        .prepare_cached(&format!(
            "INSERT OR REPLACE INTO questions ({COLUMNS}) VALUES
             (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)"
        ))?
        .execute(params![
            question.id.as_bytes(),
            question.digest.0,
            question.shape.0,
            question.agent.as_str(),
            question.client.as_str(),
            question.run.as_deref().unwrap_or(""),
            question.action.to_string(),
            question.level.as_str(),
            is_plain.then_some(&question.arguments),
            is_plain.then_some(&question.meta),
            sealed,
            question.controls.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            micros(question.asked_at),
            micros(question.expires_at),
            votes.collect::<String>(),
            question.state.as_str(),
            yes.map(|yes| micros(yes.until)),
            yes.map(|yes| integer(yes.stops)),
            denied.map(|(by, _)| by),
            denied.map(|(_, note)| note),
            used.as_ref().map(CallId::as_bytes),
        ])?;
    Ok(())
}

/// A yes comes back: nothing was sent of the call that it had let go.
pub(super) fn give_back(connection: &Connection, question: CallId, call: CallId) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE questions SET state = 'approved', used_by = NULL WHERE id = ?1 AND used_by = ?2",
        )?
        .execute(params![question.as_bytes(), call.as_bytes()])?;
    Ok(())
}

/// Blanks what was shown of the calls that some settled questions are about, of those asked before a moment.
pub(super) fn erase(connection: &Connection, before: i64) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "UPDATE questions SET arguments = NULL, meta = NULL, sealed = NULL, note = NULL
             WHERE asked_at < ?1 AND expires_at < ?1 AND state <> 'approved'
               AND coalesce(arguments, sealed) IS NOT NULL",
        )?
        .execute([before])
}

/// All questions asked since `kept` before the last one, the oldest first.
pub(super) fn read(
    connection: &Connection,
    keys: &PayloadKeys,
    kept: i64,
) -> Result<Vec<Approval>, Unreadable> {
    let mut statement = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM questions
         WHERE asked_at > (SELECT coalesce(max(asked_at), 0) FROM questions) - ?1 ORDER BY asked_at, id"
    ))?;
    let rows = statement.query_map([kept], |row| Ok((read_one(row)?, row.get::<_, Option<Vec<u8>>>(10)?)))?;
    let mut questions = Vec::new();
    for row in rows {
        let (mut question, sealed) = row?;
        if let Some(sealed) = sealed {
            match keys.open_question(question.id, &sealed) {
                Ok((arguments, meta)) => (question.arguments, question.meta) = (arguments, meta),
                Err(cause) => match question.state {
                    State::Pending | State::Approved(_) => {
                        return Err(Unreadable::Sealed(question.id, cause));
                    }
                    State::Denied { .. } | State::Expired | State::Used { .. } => {}
                },
            }
        }
        questions.push(question);
    }
    Ok(questions)
}

fn read_one(row: &Row<'_>) -> rusqlite::Result<Approval> {
    let text = |column: usize| row.get::<_, String>(column);
    let maybe = |column: usize| row.get::<_, Option<String>>(column);
    let run = text(5)?;
    let state = match text(15)?.as_str() {
        "pending" => State::Pending,
        "approved" => State::Approved(read_yes(row)?),
        "denied" => State::Denied {
            by: text(18)?.parse().map_err(|_| unreadable(18))?,
            note: maybe(19)?.unwrap_or_default().into(),
        },
        "expired" => State::Expired,
        "used" => State::Used { call: call_id(row, 20)?, yes: read_yes(row)? },
        _ => return Err(unreadable(15)),
    };
    Ok(Approval {
        id: call_id(row, 0)?,
        digest: Digest(row.get(1)?),
        shape: Shape(row.get(2)?),
        agent: text(3)?.parse().map_err(|_| unreadable(3))?,
        client: text(4)?.parse().map_err(|_| unreadable(4))?,
        run: (!run.is_empty()).then(|| run.into()),
        action: text(6)?.parse().map_err(|_| unreadable(6))?,
        level: text(7)?.parse().map_err(|_| unreadable(7))?,
        arguments: maybe(8)?.unwrap_or_default(),
        meta: maybe(9)?.unwrap_or_default(),
        controls: text(11)?
            .split_whitespace()
            .map(|control| control.parse().map_err(|_| unreadable(11)))
            .collect::<Result<_, _>>()?,
        asked_at: timestamp(row, 12)?,
        expires_at: timestamp(row, 13)?,
        votes: text(14)?.lines().map(read_vote).collect::<Option<_>>().ok_or_else(|| unreadable(14))?,
        state,
    })
}

fn read_yes(row: &Row<'_>) -> rusqlite::Result<Yes> {
    Ok(Yes { until: timestamp(row, 16)?, stops: number(row, 17)? })
}

fn read_vote(line: &str) -> Option<Vote> {
    let words: Vec<_> = line.split(' ').collect();
    let [by, group, strength, at] = words[..] else { return None };
    let strengths = placet_engine::policy::config::Strength::ALL;
    Some(Vote {
        by: by.parse().ok()?,
        group: group.parse().ok()?,
        strength: strengths.into_iter().find(|known| known.as_str() == strength)?,
        at: Timestamp(at.parse().ok()?),
    })
}
