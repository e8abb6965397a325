//! Changes to commit, in short.

use std::time::Duration;

use placet_engine::{
    approval::{Approval, State, Vote, Yes},
    budget::{Account, AccountNeed, Balance, Became, Hold, charge},
    call::{CallId, Digest},
    cost::Amount,
    decide,
    json::Json,
    level::Level,
    once::{Claim, ClaimKind, Kept},
    policy::config::Strength,
    policy::config::terms::{Flush, Measure, SessionTerms},
    record::{Kind, Record},
    session::{Heard, HistoryEntry, SessionId, SessionKey, Status},
    state::{Changes, Ending, Fate, Intent, Needs, Open, Precondition, Settled, Step},
    stop::{Coordinates, Leaves, Scope, Stop},
    time::{Now, Timestamp},
    tool::Shape,
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
    let step = Step {
        key: key.clone(),
        id: SessionId(id(session)),
        at: at(seconds),
        terms: SessionTerms::default(),
        labels: Vec::new(),
        entries: entries.to_vec(),
    };
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
        agent: "ops".parse().unwrap(),
        client: "desk".parse().unwrap(),
        run: None,
        action: "crm/update_user".parse().unwrap(),
        level: Level::Write,
        session: SessionId(id(7)),
        at: at(seconds),
        arguments: format!(r#"{{"n":{call},"text":"é\u0000"}}"#),
        salt: Some([u8::try_from(call % 251).unwrap(); 16]),
        digest: Digest([u8::try_from(call % 251).unwrap(); 32]),
        joined: false,
        holds: Vec::new(),
        claim: None,
        approval: None,
    };
    let mut record = Record::new(Kind::Intent, at(seconds), []);
    record.call = Some(intent.call);
    Changes { intent: Some(intent), records: vec![record], flush: Flush::Disk, ..Changes::default() }
}

/// How that write ended.
pub(crate) fn ended(call: u64, ending: Ending) -> Changes {
    ended_from(Open::Running, call, ending)
}

/// How that write ended, when it was under way or given up.
pub(crate) fn ended_from(from: Open, call: u64, ending: Ending) -> Changes {
    let mut record = Record::new(Kind::Outcome, at(0), []).with("outcome", ending.as_str());
    record.call = Some(id(call));
    let settled =
        Settled { call: id(call), ending, charges: Vec::new(), key: None, heard: None, returned: None };
    Changes {
        require: vec![Precondition::Is(id(call), from)],
        settled: Some(settled),
        records: vec![record],
        ..Changes::default()
    }
}

/// How an intent ended that holds something or has a key; `actual` is what it took of each account.
pub(crate) fn settled(intent: &Intent, from: Open, ending: Ending, actual: Option<Amount>) -> Changes {
    let charges = intent.holds.iter().map(|hold| charge(hold, Became { from, ending }, actual)).collect();
    let fate = |claim: &Claim| match ending {
        Ending::Unknown => Fate::Unknown,
        Ending::NotSent => Fate::Freed,
        Ending::Failed if from == Open::Unknown || claim.kind.freed_by_failure() => Fate::Freed,
        Ending::Succeeded | Ending::Failed => {
            Fate::Done(Kept::Text(format!("result of {}", intent.call).into()))
        }
    };
    let mut record = Record::new(Kind::Outcome, intent.at, []).with("outcome", ending.as_str());
    record.call = Some(intent.call);
    let settled = Settled {
        call: intent.call,
        ending,
        charges,
        key: intent.claim.as_ref().map(|claim| (claim.key, fate(claim))),
        heard: None,
        returned: None,
    };
    let require = vec![Precondition::Is(intent.call, from)];
    Changes { require, settled: Some(settled), records: vec![record], ..Changes::default() }
}

/// The session of `desk` hears the same answer to the same call once more.
pub(crate) fn heard(seconds: u64) -> Changes {
    let heard = Heard { call: Digest([1; 32]), result: Digest([2; 32]), failed: false, at: at(seconds) };
    let mut changes = ended(0, Ending::Succeeded);
    changes.require.clear();
    changes.settled.as_mut().unwrap().heard = Some((key("desk", None), heard));
    changes
}

/// An account that everybody shares, in its one window.
pub(crate) fn account(budget: &str) -> Account {
    Account { budget: budget.parse().unwrap(), subject: "all".into(), session: None, window: Timestamp(0) }
}

/// An account of which each session has its own.
pub(crate) fn account_of(budget: &str, session: u64) -> Account {
    Account { session: Some(SessionId(id(session))), ..account(budget) }
}

/// A call that holds so much of an account, if that stays under the cap.
pub(crate) fn holding(call: u64, account: &Account, amount: u64, cap: u64) -> Changes {
    holding_in(call, account, (0, 0), amount, cap)
}

/// The same, in a part of the account's window, where parts before another no longer count; in seconds.
pub(crate) fn holding_in(
    call: u64,
    account: &Account,
    (part, counts_from): (u64, u64),
    amount: u64,
    cap: u64,
) -> Changes {
    let mut changes = intent(call, part);
    changes.require.push(Precondition::Fits {
        account: account.clone(),
        counts_from: Timestamp(counts_from * 1_000_000),
        amount: Amount::whole(amount),
        cap: Amount::whole(cap),
    });
    changes.intent.as_mut().unwrap().holds.push(Hold {
        account: account.clone(),
        part: Timestamp(part * 1_000_000),
        measure: Measure::Calls,
        amount: Amount::whole(amount),
    });
    changes
}

/// What is asked for an account, as far as parts from `counts_from` on count; in seconds.
pub(crate) fn asking_for(account: &Account, counts_from: u64) -> Needs {
    let of_session = account.session.is_some();
    let counts_from = Timestamp(counts_from * 1_000_000);
    Needs {
        accounts: vec![AccountNeed { account: account.clone(), of_session, counts_from }],
        ..Needs::default()
    }
}

/// What stands on an account, in wholes.
pub(crate) fn balance(spent: u64, held: u64) -> Balance {
    Balance { spent: Amount::whole(spent), held: Amount::whole(held), closed: false }
}

/// A call that takes this key, which lapses after so many seconds, when `put_away` keys had been put away.
pub(crate) fn claiming(call: u64, key: Digest, kind: ClaimKind, until: u64, put_away: u64) -> Changes {
    let mut changes = intent(call, 0);
    changes.require.push(Precondition::KeyFree { key, now: at(0), put_away });
    changes.intent.as_mut().unwrap().claim =
        Some(Claim { key, fingerprint: Digest([9; 32]), kind, until: at(until) });
    changes
}

/// A key of this number.
pub(crate) fn once_key(n: u64) -> Digest {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&n.to_be_bytes());
    Digest(bytes)
}

pub(crate) fn asking_for_key(key: Digest) -> Needs {
    Needs { key: Some(key), ..Needs::default() }
}

/// A stop.
pub(crate) fn halt(scope: &str, leaves: Leaves, by: &str, reason: &str, seconds: u64) -> Changes {
    let (by, reason) = (by.to_owned(), reason.to_owned());
    let stop = Stop { scope: scope.parse().unwrap(), leaves, reason, by, since: at(seconds) };
    decide::stop(stop, Now { wall: at(seconds), ..Now::default() })
}

/// A stop of everything.
pub(crate) fn halt_all(by: &str, reason: &str, seconds: u64) -> Changes {
    halt("everything", Leaves::Nothing, by, reason, seconds)
}

/// Its end.
pub(crate) fn go_on(by: &str, reason: &str) -> Changes {
    decide::resume(Scope::Everything, by, reason, Now::default())
}

/// Where the calls of these tests stand.
pub(crate) fn coordinates(action: &str, level: Option<Level>) -> Coordinates {
    Coordinates {
        agent: "ops".parse().unwrap(),
        team: Some("night".parse().unwrap()),
        client: "desk".parse().unwrap(),
        session: Some(SessionId(id(7))),
        action: action.parse().unwrap(),
        level,
        labels: std::sync::Arc::new(["egress".parse().unwrap()].into()),
    }
}

/// Nothing must cover such a write.
pub(crate) fn no_stop() -> Precondition {
    Precondition::NoStop(coordinates("crm/update_user", Some(Level::Write)))
}

/// A question about the call with this digest, of which there was none; it waits for a minute.
pub(crate) fn question(question: u64, digest: u8, seconds: u64) -> Changes {
    question_after(None, question, digest, seconds)
}

/// The same, after another one.
pub(crate) fn question_after(before: Option<&Approval>, question: u64, digest: u8, seconds: u64) -> Changes {
    let approval = Approval {
        id: id(question),
        digest: Digest([digest; 32]),
        shape: Shape([digest; 32]),
        agent: "ops".parse().unwrap(),
        client: "desk".parse().unwrap(),
        run: None,
        level: Level::Delete,
        arguments: r#"{"id":"42"}"#.to_owned(),
        meta: "{}".to_owned(),
        votes: Vec::new(),
        state: State::Pending,
        action: "crm/delete_user".parse().unwrap(),
        controls: vec!["approval:finance:2".parse().unwrap(), "approval:oncall:passkey".parse().unwrap()],
        asked_at: at(seconds),
        expires_at: at(seconds + 60),
    };
    Changes {
        require: vec![Precondition::Question(approval.digest, before.map(Approval::seen))],
        records: vec![Record::new(
            Kind::Ask,
            at(seconds),
            [("question", Json::from(approval.id.to_string()))],
        )],
        question: Some(approval),
        ..Changes::default()
    }
}

/// The question as it is next: one yes, then the other, then used by a call.
pub(crate) fn further(before: &Approval, seconds: u64) -> Option<Changes> {
    let vote = |by: &str, group: &str| Vote {
        by: by.parse().unwrap(),
        group: group.parse().unwrap(),
        strength: Strength::Passkey,
        at: at(seconds),
    };
    let yes = Yes { until: at(seconds + 600), stops: seconds };
    let mut next = before.clone();
    match (&before.state, before.votes.len()) {
        (State::Pending, 0) => next.votes.push(vote("ana", "finance")),
        (State::Pending, _) => {
            next.votes.push(vote("bo", "oncall"));
            next.state = State::Approved(yes);
        }
        (State::Approved(_), _) => next = before.used(id(seconds)).unwrap(),
        _ => return None,
    }
    Some(Changes {
        require: vec![Precondition::Question(before.digest, Some(before.seen()))],
        question: Some(next),
        ..note(seconds)
    })
}

pub(crate) fn asking_for_session(key: &SessionKey) -> Needs {
    Needs { session: Some(key.clone()), history: true, ..Needs::default() }
}

pub(crate) fn asking_for_question(digest: u8) -> Needs {
    Needs { question: Some(Digest([digest; 32])), ..Needs::default() }
}
