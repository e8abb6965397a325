//! What people change: stops and their ends, sessions that end, accounts that open again, policies applied.

use std::time::Duration;

use crate::{
    budget::Account,
    diagnostic::first_of,
    json::Json,
    limits,
    record::{Kind, Record},
    session::SessionKey,
    state::{Advance, Changes, StopChange},
    stop::{Scope, Stop},
    time::{Now, Timestamp},
};

/// What a stop changes.
pub fn stop(stop: Stop, now: Now) -> Changes {
    let record = stop_record(&stop, now.wall);
    Changes { stop: Some(StopChange::Begin(stop)), records: vec![record], ..Changes::default() }
}

pub(super) fn stop_record(stop: &Stop, at: Timestamp) -> Record {
    Record::new(
        Kind::Stop,
        at,
        [
            ("scope", Json::from(stop.scope.to_string())),
            ("leaves", Json::from(stop.leaves.as_str())),
            ("by", Json::from(words(&stop.by))),
            ("reason", Json::from(words(&stop.reason))),
        ],
    )
}

/// What a person's end of a stop changes.
pub fn resume(scope: Scope, by: &str, reason: &str, now: Now) -> Changes {
    let record = Record::new(
        Kind::Resume,
        now.wall,
        [
            ("scope", Json::from(scope.to_string())),
            ("by", Json::from(words(by))),
            ("reason", Json::from(words(reason))),
        ],
    );
    Changes { stop: Some(StopChange::End(scope)), records: vec![record], ..Changes::default() }
}

/// What a pause changes: policy is only watched for so long, and that is on record.
pub fn pause(length: Duration, by: &str, reason: &str, now: Now) -> Changes {
    let record = Record::new(
        Kind::Pause,
        now.wall,
        [
            ("until", Json::from(now.wall.plus(length).to_string())),
            ("by", Json::from(words(by))),
            ("reason", Json::from(words(reason))),
        ],
    );
    Changes { records: vec![record], ..Changes::default() }
}

/// What the end of a pause changes: what was decided in it opens nothing any more.
pub fn end_pause(by: &str, reason: &str, now: Now) -> Changes {
    let record = Record::new(
        Kind::Pause,
        now.wall,
        [("ended", Json::from(true)), ("by", Json::from(words(by))), ("reason", Json::from(words(reason)))],
    );
    advance(Advance::Policy, record)
}

/// What a new policy or a changed catalogue means for decisions made before it.
pub fn advance(which: Advance, record: Record) -> Changes {
    Changes { advance: Some(which), records: vec![record], ..Changes::default() }
}

/// What a person's end of a session changes: the next one inherits nothing of it.
pub fn end_session(key: SessionKey, by: &str, now: Now) -> Changes {
    let mut record = Record::new(
        Kind::SessionEnd,
        now.wall,
        [("client", Json::from(key.client.as_str())), ("by", Json::from(words(by)))],
    );
    if let Some(run) = &key.name {
        record = record.with("run", &**run);
    }
    Changes { end_session: Some(key), records: vec![record], ..Changes::default() }
}

/// What it means that a person has looked at what was lost before the store was restored.
pub fn settle_epoch(by: &str, evidence: &str, now: Now) -> Changes {
    let record = Record::new(
        Kind::Epoch,
        now.wall,
        [("settled_by", Json::from(words(by))), ("evidence", Json::from(words(evidence)))],
    );
    Changes { settle_epoch: true, records: vec![record], ..Changes::default() }
}

/// What it means that a person has accepted a calendar that was not followed.
pub fn accept_clock(doubt: &str, by: &str, reason: &str, now: Now) -> Changes {
    let record = Record::new(
        Kind::Clock,
        now.wall,
        [
            ("doubt", Json::from(words(doubt))),
            ("accepted_by", Json::from(words(by))),
            ("reason", Json::from(words(reason))),
        ],
    );
    Changes { calendar: Some(now.wall), records: vec![record], ..Changes::default() }
}

/// What it means that a person has looked at an overrun: the account is open again, with what was booked.
pub fn accept_overrun(account: Account, by: &str, reason: &str, now: Now) -> Changes {
    let record = Record::new(
        Kind::Reopen,
        now.wall,
        [
            ("budget", Json::from(account.budget.as_str())),
            ("subject", Json::from(&*account.subject)),
            ("by", Json::from(words(by))),
            ("reason", Json::from(words(reason))),
        ],
    );
    Changes { reopen: Some(account), records: vec![record], ..Changes::default() }
}

/// What is recorded of a person's word that values are erased of calls that are over and were allowed before
/// `before`. How many they are the store adds, in the transaction that erases them.
pub fn erase(before: Timestamp, by: &str, reason: &str, now: Now) -> Record {
    Record::new(
        Kind::Erase,
        now.wall,
        [
            ("before", Json::from(before.to_string())),
            ("by", Json::from(words(by))),
            ("reason", Json::from(words(reason))),
        ],
    )
}

/// What is recorded of a file that is made effective: the versions of all that is applied with it, and what is
/// different.
pub fn applied(
    versions: (Option<&str>, &str),
    changes: &[String],
    by: &str,
    reason: &str,
    at: Timestamp,
) -> Record {
    let (old, new) = versions;
    let listed =
        changes.iter().take(limits::LISTED).map(|what| Json::from(first_of(what, limits::WORDS_CHARS / 4)));
    let more = changes.len().saturating_sub(limits::LISTED);
    let more = (more > 0).then(|| Json::from(format!("and {more} more")));
    Record::new(
        Kind::Apply,
        at,
        [
            ("old", old.map_or(Json::Null, Json::from)),
            ("new", Json::from(new)),
            ("changes", Json::Array(listed.chain(more).collect())),
            ("by", Json::from(words(by))),
            ("reason", Json::from(words(reason))),
        ],
    )
}

/// Somebody's words, as far as a record takes them.
pub(super) fn words(text: &str) -> String {
    first_of(text, limits::WORDS_CHARS)
}
