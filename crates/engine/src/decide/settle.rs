//! Settling: what must be kept once a call has ended, or has been given up, or is cleared up later.
//!
//! Every intent ends in exactly one final outcome. `unknown` is not final: it keeps what was held and blocks
//! its key until a person, or a look-up that the operator declared, says what really happened.

use std::time::Duration;

use super::{Engine, people::words};
use crate::{
    budget::{Became, charge},
    call::Digest,
    cost::Amount,
    json::{Json, Object},
    once::Kept,
    policy::config::terms::Measure,
    record::{Kind, Record},
    session::Heard,
    state::{Changes, Ending, Fate, Intent, Open, Precondition, Settled},
    time::{Now, Timestamp},
};

/// What came back from a tool, as far as remembering it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// In a few words, why, where it did not succeed.
    pub note: Option<String>,
    /// The result's size in bytes, where there is one.
    pub bytes: Option<usize>,
    /// The result's keyed digest, where there is one.
    pub digest: Option<Digest>,
    /// The result itself, where it may have to be handed out again.
    pub kept: Option<Kept>,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether the tool only asks for something first: the call is not done, and is proposed again.
    pub is_unfinished: bool,
}

impl Outcome {
    /// An ending without a result.
    pub fn without_result(ending: Ending, note: impl Into<String>) -> Self {
        Self {
            ending,
            note: Some(note.into()),
            bytes: None,
            digest: None,
            kept: None,
            elapsed: Duration::ZERO,
            is_unfinished: false,
        }
    }
}

impl Engine {
    /// What must be kept of how an allowed call ended. `structured` is the tool's result as a value, where it
    /// has one.
    pub fn settle(&self, intent: &Intent, outcome: &Outcome, structured: Option<&Json>, now: Now) -> Changes {
        let tool = self.policy.tool(&intent.action);
        let mut record = about(intent, now.wall)
            .with("level", intent.level.as_str())
            .with("outcome", outcome.ending.as_str());
        if let Some(note) = &outcome.note {
            record = record.with("note", words(note));
        }
        if let Some(bytes) = outcome.bytes {
            record = record.with("result_bytes", i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        if let Some(digest) = outcome.digest {
            record = record.with("result_digest", format!("hmac-sha256:{digest}"));
        }
        let actual = |measure: &Measure| match measure {
            Measure::Calls => Some(Amount::ONE),
            Measure::Bytes => outcome.bytes.map(|bytes| Amount::whole(bytes as u64)),
            Measure::Time => {
                Some(Amount(u64::try_from(outcome.elapsed.as_micros()).unwrap_or(Amount::MAX.0)))
            }
            Measure::Errors => None,
            // Only a trusted server has such a path; what cannot be read leaves the whole hold.
            Measure::Cost(unit) => tool
                .and_then(|tool| tool.terms.actual.get(unit))
                .and_then(|path| path.amount(structured?).ok()),
        };
        let heard = outcome.digest.map(|result| Heard {
            call: intent.digest,
            result,
            failed: outcome.ending == Ending::Failed,
            at: now.wall,
        });
        let mut changes =
            ended(intent, Open::Running, outcome.ending, outcome.kept.clone(), actual, record, now.wall);
        if let Some(settled) = &mut changes.settled {
            settled.heard = heard.map(|heard| (intent.session_key(), heard));
            if let Some((_, fate)) = settled.key.as_mut().filter(|_| outcome.is_unfinished) {
                *fate = Fate::Freed;
            }
        }
        changes
    }
}

/// What a start finds of calls that an earlier process left without an outcome: they are `unknown`, each by
/// itself, never run again.
pub fn recover(intent: &Intent, now: Now) -> Changes {
    let record = about(intent, now.wall)
        .with("level", intent.level.as_str())
        .with("outcome", Ending::Unknown.as_str())
        .with("note", "the node ended before the tool's answer was recorded");
    ended(intent, Open::Running, Ending::Unknown, None, |_| None, record, now.wall)
}

/// What is found after a failure of the store: an intent that was said not to be kept, is kept, and was never
/// acted on.
pub fn not_sent(intent: &Intent, now: Now) -> Changes {
    let record = about(intent, now.wall)
        .with("level", intent.level.as_str())
        .with("outcome", Ending::NotSent.as_str())
        .with("note", "the store failed while it was written, so the call was refused");
    ended(intent, Open::Running, Ending::NotSent, None, |_| None, record, now.wall)
}

/// What a person, or a look-up, found out about a call that was given up.
pub fn resolve(intent: &Intent, happened: bool, by: &str, evidence: &str, now: Now) -> Changes {
    let ending = if happened { Ending::Succeeded } else { Ending::Failed };
    let record = about(intent, now.wall)
        .with("level", intent.level.as_str())
        .with("outcome", ending.as_str())
        .with("resolved_by", words(by))
        .with("evidence", words(evidence));
    // Its result is not known, only that there was one.
    let kept = happened.then_some(Kept::TooLarge);
    ended(intent, Open::Unknown, ending, kept, |_| None, record, now.wall)
}

fn about(intent: &Intent, at: Timestamp) -> Record {
    let mut record = Record::new(
        Kind::Outcome,
        at,
        [
            ("agent", Json::from(intent.agent.as_str())),
            ("client", Json::from(intent.client.as_str())),
            ("tool", Json::from(intent.action.to_string())),
            ("session", Json::from(intent.session.to_string())),
        ],
    );
    record.call = Some(intent.call);
    record
}

fn ended(
    intent: &Intent,
    from: Open,
    ending: Ending,
    kept: Option<Kept>,
    actual: impl Fn(&Measure) -> Option<Amount>,
    record: Record,
    at: Timestamp,
) -> Changes {
    let became = Became { from, ending };
    let charges: Vec<_> =
        intent.holds.iter().map(|hold| charge(hold, became, actual(&hold.measure))).collect();
    let mut records = vec![match charges.is_empty() {
        true => record,
        false => record.with("spent", super::some(&charges, shown)),
    }];
    for (hold, charge) in intent.holds.iter().zip(&charges).filter(|(_, charge)| charge.close) {
        let mut overrun = Record::new(
            Kind::Overrun,
            at,
            [
                ("budget", Json::from(hold.account.budget.as_str())),
                ("subject", Json::from(&*hold.account.subject)),
                ("held", Json::from(hold.amount.to_string())),
                ("taken", Json::from(charge.spend.to_string())),
            ],
        );
        overrun.call = Some(intent.call);
        records.push(overrun);
    }
    let key = intent.claim.as_ref().map(|claim| {
        let fate = match ending {
            Ending::Unknown => Fate::Unknown,
            Ending::NotSent => Fate::Freed,
            // Found never to have happened, or said by the tool not to have, where nobody could choose another key.
            Ending::Failed if from == Open::Unknown || claim.kind.freed_by_failure() => Fate::Freed,
            Ending::Succeeded | Ending::Failed => Fate::Done(kept.unwrap_or(Kept::TooLarge)),
        };
        (claim.key, fate)
    });
    let returned = intent.approval.filter(|_| ending == Ending::NotSent);
    Changes {
        require: vec![Precondition::Is(intent.call, from)],
        settled: Some(Settled { call: intent.call, ending, charges, key, heard: None, returned }),
        records,
        ..Changes::default()
    }
}

fn shown(charge: &crate::budget::Charge) -> Json {
    let mut shown = Object::from([
        ("budget", Json::from(charge.account.budget.as_str())),
        ("subject", Json::from(&*charge.account.subject)),
        ("spent", Json::from(charge.spend.to_string())),
    ]);
    if charge.refund > Amount::default() {
        shown.insert("refunded".to_owned(), Json::from(charge.refund.to_string()));
    }
    Json::Object(shown)
}
