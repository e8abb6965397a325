//! Changes to commit, in short.

use std::time::Duration;

use placet_engine::{
    approval::Approval,
    call::{CallId, Digest},
    json::Json,
    level::Level,
    record::{Kind, Record},
    session::{HistoryEntry, SessionId, SessionKey, Status},
    state::{Changes, Ending, Intent, Needs, Precondition, Step},
    time::Timestamp,
};

/// Some moment, and so many seconds more.
pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp(1_795_340_096_000_000).plus(Duration::from_secs(seconds))
}

pub(crate) fn id(n: u64) -> CallId {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&n.to_be_bytes());
    CallId::from_random(bytes)
}

pub(crate) fn key(client: &str, name: Option<&str>) -> SessionKey {
    SessionKey { client: client.parse().unwrap(), name: name.map(Into::into) }
}

/// A record with this number in it.
pub(crate) fn note(n: u64) -> Changes {
    let record = Record::new(Kind::Start, at(0), [("n", Json::from(i64::try_from(n).unwrap()))]);
    Changes { records: vec![record], ..Changes::default() }
}

/// A step of a call that was judged when no session, or another, was known.
pub(crate) fn step(key: &SessionKey, session: u64, seconds: u64, entries: &[HistoryEntry]) -> Changes {
    let step =
        Step { key: key.clone(), id: SessionId(id(session)), at: at(seconds), entries: entries.to_vec() };
    let record = Record::new(Kind::Plan, at(seconds), []).with("session", step.id.to_string());
    Changes { step: Some(step), records: vec![record], ..Changes::default() }
}

pub(crate) fn entry(tool: &str, level: Option<Level>, status: Status) -> HistoryEntry {
    HistoryEntry { action: tool.parse().unwrap(), level, status }
}

/// An allowed write.
pub(crate) fn intent(call: u64, seconds: u64) -> Changes {
    let intent = Intent {
        call: id(call),
        action: "crm/update_user".parse().unwrap(),
        level: Level::Write,
        session: SessionId(id(7)),
        at: at(seconds),
        arguments: format!(r#"{{"n":{call},"text":"é\u0000"}}"#),
    };
    let mut record = Record::new(Kind::Intent, at(seconds), []);
    record.call = Some(intent.call);
    Changes { intent: Some(intent), records: vec![record], ..Changes::default() }
}

/// How that write ended.
pub(crate) fn ended(call: u64, ending: Ending) -> Changes {
    let mut record = Record::new(Kind::Outcome, at(0), []).with("outcome", ending.as_str());
    record.call = Some(id(call));
    Changes {
        require: vec![Precondition::Open(id(call))],
        outcome: Some((id(call), ending)),
        records: vec![record],
        ..Changes::default()
    }
}

/// A question about the call with this digest, unless one waits; it waits for a minute.
pub(crate) fn question(question: u64, digest: u8, seconds: u64) -> Changes {
    let approval = Approval {
        id: id(question),
        digest: Digest([digest; 32]),
        agent: "ops".parse().unwrap(),
        action: "crm/delete_user".parse().unwrap(),
        controls: vec!["approval:finance:2".parse().unwrap(), "approval:oncall:passkey".parse().unwrap()],
        asked_at: at(seconds),
        expires_at: at(seconds + 60),
    };
    Changes {
        require: vec![Precondition::NoQuestion(approval.digest, approval.asked_at)],
        records: vec![Record::new(
            Kind::Ask,
            at(seconds),
            [("question", Json::from(approval.id.to_string()))],
        )],
        question: Some(approval),
        ..Changes::default()
    }
}

pub(crate) fn asking_for_session(key: &SessionKey) -> Needs {
    Needs { session: Some(key.clone()), question: None, history: true }
}

pub(crate) fn asking_for_question(digest: u8) -> Needs {
    Needs { session: None, question: Some(Digest([digest; 32])), history: false }
}
