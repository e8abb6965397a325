//! Asking people: what becomes of a call that they must agree to, and what their answers change.
//!
//! A yes is looked at again when the call would run, under the policy of that moment. It lets the call go if all that
//! is asked then was granted, and it is used up in the very commit that remembers the call's intent. Whatever people
//! said about another shape of the tool, or when less was asked, is about something else, and they are asked again.
//!
//! Not here: what a vote counts for ([`crate::approval`]), and waiting, which the gate does.

use std::sync::Arc;

use super::{Approved, Engine, Verdict};
use crate::{
    approval::{Approval, ApprovalRequest, Ballot, BallotError, State, Vote, YesOrNo},
    call::Call,
    decision::{Decision, Denial, DenyReason},
    diagnostic::first_of,
    json::Json,
    level::Level,
    limits,
    record::{Kind, Record},
    session::Status,
    state::{Changes, Known, Precondition},
    stop::Coordinates,
    time::Now,
    tool::{Offer, Shape},
};

/// What people have said of a call that they must agree to.
enum Said<'a> {
    /// Yes, and the yes is still good.
    Yes(&'a Approval),
    /// No.
    No(Box<str>),
    /// Nothing, in all the time that they had.
    Nothing(&'a Approval),
    /// Nothing yet.
    Waits(&'a Approval),
    /// They have not been asked, or not this.
    Unasked,
}

impl Engine {
    /// What becomes of a call that people must agree to: they have, they have not, or they are asked.
    pub(super) fn as_people_say(
        &self,
        call: &Arc<Call>,
        known: &Known,
        now: Now,
        about: Coordinates,
        approved: Approved<'_>,
    ) -> Verdict {
        let Offer::Accepted(definition) = &known.offer else {
            return self.refuse(call, known, now, Denial::because(DenyReason::Bug));
        };
        let question = known.remembered.question.as_ref();
        let stops = known.remembered.generations.stop;
        let said = match question {
            Some(question)
                if question.grants(&approved.controls, &definition.shape, now.wall, stops, &self.policy) =>
            {
                Said::Yes(question)
            }
            // What was asked of people is not what would be asked now: whatever they said is about something else.
            Some(question)
                if question.shape != definition.shape || question.controls != approved.controls =>
            {
                Said::Unasked
            }
            Some(question) => match &question.state {
                State::Pending if question.is_pending(now.wall) => Said::Waits(question),
                State::Pending => Said::Nothing(question),
                State::Denied { note, .. } if question.is_live(now.wall) => Said::No(note.clone()),
                State::Denied { .. } | State::Approved(_) | State::Expired | State::Used { .. } => {
                    Said::Unasked
                }
            },
            None => Said::Unasked,
        };
        let denied = |reason| Denial {
            policies: approved.policies.clone(),
            ..Denial::because(reason).at(approved.level)
        };
        match said {
            Said::Yes(question) => self.allow(call, known, now, about, approved, Some(question)),
            Said::No(note) => {
                let denial = denied(DenyReason::ApprovalDenied(note));
                self.refuse(call, known, now, denial)
            }
            Said::Nothing(lapsed) => {
                let denial = denied(DenyReason::ApprovalExpired);
                let mut verdict = self.refuse(call, known, now, denial);
                verdict.changes.require.push(Precondition::Question(call.digest, Some(lapsed.seen())));
                verdict.changes.question = Some(Approval { state: State::Expired, ..lapsed.clone() });
                let body = [("approval", Json::from(lapsed.id.to_string()))];
                verdict.changes.records.insert(0, Record::new(Kind::Expired, now.wall, body));
                verdict
            }
            Said::Waits(question) => self.wait(call, known, now, approved.level, question),
            Said::Unasked if known.remembered.waiting >= limits::WAITING_QUESTIONS => {
                let denial = denied(DenyReason::TooManyAsked);
                self.refuse(call, known, now, denial)
            }
            Said::Unasked => self.ask(call, known, now, about, approved, definition.shape),
        }
    }

    /// The same call waits already: it waits with it.
    fn wait(&self, call: &Arc<Call>, known: &Known, now: Now, level: Level, found: &Approval) -> Verdict {
        let step = self.step(call, known, now, Some(level), Status::Asked);
        let record = Record::of(Kind::Ask, now.wall, call, Some(level))
            .with("session", step.id.to_string())
            .with("joins", found.id.to_string());
        let waits = found.expires_at.since(now.wall);
        let decision = Decision::Ask(ApprovalRequest { approval: found.clone(), waits });
        Verdict {
            decision,
            changes: Changes { step: Some(step), records: vec![record], ..Changes::default() },
        }
    }

    fn ask(
        &self,
        call: &Arc<Call>,
        known: &Known,
        now: Now,
        about: Coordinates,
        approved: Approved<'_>,
        shape: Shape,
    ) -> Verdict {
        let Approved { level, policies, controls, .. } = approved;
        let step = self.step(call, known, now, Some(level), Status::Asked);
        let waits = self.policy.patience(&controls);
        let approval = Approval::about(call, level, shape, controls, now.wall, waits);
        let before = known.remembered.question.as_ref();
        // A question about what a stop or a new policy has overtaken would be put to people for nothing.
        let require = vec![
            Precondition::NoStop(about),
            Precondition::Generations(known.remembered.generations),
            Precondition::Question(call.digest, before.map(Approval::seen)),
        ];
        let asked: Vec<_> = approval.controls.iter().map(|c| Json::from(c.to_string())).collect();
        let mut record = Record::of(Kind::Ask, now.wall, call, Some(level))
            .with("session", step.id.to_string())
            .with("decision", "ask")
            .with("controls", asked)
            .with("shown", format!("sha256:{}", approval.shown()))
            .with("expires_at", approval.expires_at.to_string());
        // One that was about another shape of the tool, or asked less, waits no more.
        if let Some(other) = before.filter(|before| before.is_pending(now.wall)) {
            record = record.with("supersedes", other.id.to_string());
        }
        let records = vec![self.founded(record, known, &policies)];
        let (step, question) = (Some(step), Some(approval.clone()));
        let changes = Changes { require, step, question, records, ..Changes::default() };
        Verdict { decision: Decision::Ask(ApprovalRequest { approval, waits }), changes }
    }

    /// What one person's answer changes, at a time when stops have come so far.
    ///
    /// # Errors
    ///
    /// [`BallotError`] says why it does not count.
    pub fn answered(
        &self,
        question: &Approval,
        ballot: &Ballot,
        stops: u64,
        now: Now,
    ) -> Result<(Approval, Changes), BallotError> {
        let answered = question.answered(ballot, now.wall, stops, &self.policy)?;
        let tool = self.policy.tool(&question.action);
        // What is stopped is not answered: whoever says yes to it may not know.
        let about = Coordinates {
            agent: question.agent.clone(),
            team: self.policy.team(&question.agent).cloned(),
            client: question.client.clone(),
            session: None,
            action: question.action.clone(),
            level: Some(question.level),
            labels: tool
                .map_or_else(|| Arc::clone(&self.nothing), |tool| Arc::new(tool.terms.labels.clone())),
        };
        let (word, more) = match &ballot.answer {
            YesOrNo::Yes(_) => {
                let group = answered.votes.last().map_or("", |vote| vote.group.as_str());
                ("yes", ("group", Json::from(group)))
            }
            YesOrNo::No(note) => ("no", ("note", Json::from(first_of(note, limits::WORDS_CHARS)))),
        };
        let mut record = Record::new(
            Kind::Answer,
            now.wall,
            [
                ("approval", Json::from(question.id.to_string())),
                ("by", Json::from(ballot.by.as_str())),
                ("answer", Json::from(word)),
                ("strength", Json::from(ballot.strength.as_str())),
                ("shown", Json::from(format!("sha256:{}", ballot.shown))),
                ("became", Json::from(answered.state.as_str())),
                more,
            ],
        );
        record.call = Some(question.id);
        let changes = Changes {
            require: vec![
                Precondition::NoStop(about),
                Precondition::Question(question.digest, Some(question.seen())),
            ],
            question: Some(answered.clone()),
            records: vec![record],
            ..Changes::default()
        };
        Ok((answered, changes))
    }
}

/// Who has said yes, for whom and how.
pub(super) fn votes(votes: &[Vote]) -> Vec<Json> {
    votes.iter().map(|vote| Json::from(vote.to_string())).collect()
}
