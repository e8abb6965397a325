//! The way of one call through the engine: the first objection wins, and nothing waits.
//!
//! [`Engine::decide`] is a function of the call, what is known, and the time. It runs nothing and writes
//! nothing: it answers with a [`Decision`] and with the [`Changes`] that must be kept before anybody acts on
//! it. [`Engine::settle`] says what must be kept once the tool has answered, or has not.
//!
//! Order: stop → is the tool known → could policy allow it at all → is it as accepted → do the arguments fit →
//! dry run → what people must agree to. A tool that no arguments could open is refused before its arguments are
//! looked at, so that complaints about them tell nothing of it; nobody is asked about what policy would refuse.

use std::sync::Arc;

use crate::{
    approval::{Approval, ApprovalRequest},
    call::{Call, DryRun, Mode},
    decision::{Allowed, Decision, Denial, DenyReason, Plan},
    json::Json,
    level::Level,
    permit::Grant,
    policy::{Judged, Policy, config::Control},
    record::{Kind, Record},
    session::{HistoryEntry, SessionId, SessionKey, Status},
    state::{Advance, Changes, Ending, Intent, Known, Needs, Precondition, Step, StopChange},
    stop::{Scope, Stop},
    time::Now,
    tool::{Definition, Offer},
};

/// Judges calls under one policy. Swapped whole when the policy changes.
#[derive(Debug)]
pub struct Engine {
    policy: Policy,
}

/// A decision and what must be kept before anybody acts on it.
#[derive(Debug)]
#[must_use = "a verdict says what must be remembered before its decision may be acted on"]
pub struct Verdict {
    /// What to do.
    pub decision: Decision,
    /// What to keep first.
    pub changes: Changes,
}

/// What came back from a tool, as far as remembering it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// In a few words, why, where it did not succeed.
    pub note: Option<String>,
    /// The result's size in bytes, where there is one.
    pub bytes: Option<usize>,
}

impl Engine {
    /// An engine that judges by `policy`.
    pub fn new(policy: Policy) -> Self {
        Self { policy }
    }

    /// The policy it judges by.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What must be read before `call` can be judged.
    ///
    /// To be read before the engine that judges is taken: a policy is swapped before its generation moves, so
    /// whoever then sees the new generation has the new policy.
    pub fn needs(call: &Call) -> Needs {
        Needs { session: Some(SessionKey::of(call)), question: Some(call.digest), history: false }
    }

    /// Judges one call against what was known at `now`.
    pub fn decide(&self, call: &Arc<Call>, known: &Known, now: Now) -> Verdict {
        let level = self.policy.level(&call.action);
        match self.object(call, known, level) {
            Err(denial) => self.refuse(call, known, now, denial),
            Ok(Approved { level, policies, controls }) => match call.mode {
                Mode::DryRun(DryRun::Decide | DryRun::Validate) => {
                    let plan = Plan { action: call.action.clone(), level, policies, controls };
                    self.plan(call, known, now, plan)
                }
                Mode::Live | Mode::DryRun(DryRun::Tool) if !controls.is_empty() => {
                    self.ask(call, known, now, level, controls, &policies)
                }
                Mode::Live | Mode::DryRun(DryRun::Tool) => self.allow(call, known, now, level, &policies),
            },
        }
    }

    /// The objections, in order; what remains if there is none.
    fn object(&self, call: &Call, known: &Known, level: Option<Level>) -> Result<Approved, Denial> {
        if let Some(stop) = &known.remembered.stop {
            let denial = Denial::because(DenyReason::Stopped(stop.since));
            return Err(Denial { level, ..denial });
        }
        let Some(level) = level else { return Err(Denial::because(DenyReason::UnknownTool)) };
        // A tool that no arguments could open looks absent: its schema is not told by way of complaints.
        let (controls, policies) = match self.policy.judge(&call.agent, &call.action) {
            Judged::Granted { controls, policies } => (controls, policies),
            Judged::Refused { reason, policies } => {
                return Err(Denial { reason, level: Some(level), policies });
            }
        };
        let definition = accepted(&known.offer).map_err(|reason| Denial::because(reason).at(level))?;
        definition
            .schema
            .check(call.arguments.value())
            .map_err(|problem| Denial::because(DenyReason::BadArguments(problem)).at(level))?;
        if call.mode == Mode::DryRun(DryRun::Tool) && !self.policy.plans(&call.action) {
            return Err(Denial::because(DenyReason::DryRunUnsupported).at(level));
        }
        Ok(Approved { level, policies, controls })
    }

    fn allow(
        &self,
        call: &Arc<Call>,
        known: &Known,
        now: Now,
        level: Level,
        policies: &[Arc<str>],
    ) -> Verdict {
        let generations = known.remembered.generations;
        let step = self.step(call, known, now, Some(level), Status::Allowed);
        let intent = Intent {
            call: call.id,
            action: call.action.clone(),
            level,
            session: step.id,
            at: now.wall,
            arguments: call.arguments.canonical().to_owned(),
        };
        let record = Record::of(Kind::Intent, now.wall, call, Some(level))
            .with("session", step.id.to_string())
            .with("decision", "allow")
            .with("policies", list(policies));
        let changes = Changes {
            require: vec![Precondition::NoStop, Precondition::Generations(generations)],
            step: Some(step),
            intent: Some(intent),
            records: vec![record],
            ..Changes::default()
        };
        // How carefully it must be remembered, not whether it may run: that was Cedar's to say.
        let allowed = match level {
            Level::Read => Allowed::Read(Grant::new(Arc::clone(call), now, generations)),
            Level::Write | Level::Execute | Level::Delete => {
                Allowed::Effect(Grant::new(Arc::clone(call), now, generations))
            }
        };
        Verdict { decision: Decision::Allow(allowed), changes }
    }

    fn ask(
        &self,
        call: &Arc<Call>,
        known: &Known,
        now: Now,
        level: Level,
        controls: Vec<Control>,
        policies: &[Arc<str>],
    ) -> Verdict {
        let step = self.step(call, known, now, Some(level), Status::Asked);
        let waits = self.policy.patience(&controls);
        let mut changes = Changes { step: Some(step.clone()), ..Changes::default() };
        if let Some(found) =
            known.remembered.question.as_ref().filter(|question| question.is_pending(now.wall))
        {
            let waits = found.expires_at.since(now.wall);
            let decision = Decision::Ask(ApprovalRequest { approval: found.clone(), waits });
            changes.records.push(
                Record::of(Kind::Ask, now.wall, call, Some(level))
                    .with("session", step.id.to_string())
                    .with("joins", found.id.to_string()),
            );
            return Verdict { decision, changes };
        }
        if let Some(lapsed) = &known.remembered.question {
            changes.records.push(Record::new(
                Kind::Expired,
                now.wall,
                [("approval", Json::from(lapsed.id.to_string()))],
            ));
        }
        let approval = Approval {
            id: call.id,
            digest: call.digest,
            agent: call.agent.clone(),
            action: call.action.clone(),
            controls,
            asked_at: now.wall,
            expires_at: now.wall.plus(waits),
        };
        // A question about what a stop or a new policy has overtaken would be put to people for nothing.
        changes.require = vec![
            Precondition::NoStop,
            Precondition::Generations(known.remembered.generations),
            Precondition::NoQuestion(call.digest, now.wall),
        ];
        changes.records.push(
            Record::of(Kind::Ask, now.wall, call, Some(level))
                .with("session", step.id.to_string())
                .with("decision", "ask")
                .with(
                    "controls",
                    approval.controls.iter().map(|c| Json::from(c.to_string())).collect::<Vec<_>>(),
                )
                .with("policies", list(policies))
                .with("expires_at", approval.expires_at.to_string()),
        );
        changes.question = Some(approval.clone());
        Verdict { decision: Decision::Ask(ApprovalRequest { approval, waits }), changes }
    }

    fn plan(&self, call: &Arc<Call>, known: &Known, now: Now, plan: Plan) -> Verdict {
        let step = self.step(call, known, now, Some(plan.level), Status::Planned);
        let record = Record::of(Kind::Plan, now.wall, call, Some(plan.level))
            .with("session", step.id.to_string())
            .with("decision", "plan")
            .with("policies", list(&plan.policies));
        let changes = Changes { step: Some(step), records: vec![record], ..Changes::default() };
        Verdict { decision: Decision::Plan(plan), changes }
    }

    /// The verdict that refuses `call` for a reason that arose outside the engine or in it.
    pub fn refuse(&self, call: &Arc<Call>, known: &Known, now: Now, denial: Denial) -> Verdict {
        let step = self.step(call, known, now, denial.level, Status::Blocked);
        let record = Record::of(Kind::Refusal, now.wall, call, denial.level)
            .with("session", step.id.to_string())
            .with("decision", "deny")
            .with("code", denial.reason.code().as_str())
            .with("policies", list(&denial.policies));
        let changes = Changes { step: Some(step), records: vec![record], ..Changes::default() };
        Verdict { decision: Decision::Deny(denial), changes }
    }

    fn step(&self, call: &Call, known: &Known, now: Now, level: Option<Level>, became: Status) -> Step {
        let running = known.remembered.session.as_ref().filter(|session| session.runs_at(now.wall));
        let entry = |status| HistoryEntry { action: call.action.clone(), level, status };
        Step {
            key: SessionKey::of(call),
            id: running.map_or(SessionId(call.id), |session| session.id),
            at: now.wall,
            entries: vec![entry(Status::Requested), entry(became)],
        }
    }

    /// What must be kept of how an allowed call ended.
    pub fn settle(&self, call: &Call, outcome: &Outcome, now: Now) -> Changes {
        let mut record = Record::of(Kind::Outcome, now.wall, call, self.policy.level(&call.action))
            .with("outcome", outcome.ending.as_str());
        if let Some(note) = &outcome.note {
            record = record.with("note", note.as_str());
        }
        if let Some(bytes) = outcome.bytes {
            record = record.with("result_bytes", i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        Changes {
            require: vec![Precondition::Open(call.id)],
            outcome: Some((call.id, outcome.ending)),
            records: vec![record],
            ..Changes::default()
        }
    }
}

/// What a person's stop of everything changes.
pub fn stop(by: &str, reason: &str, now: Now) -> Changes {
    let stop =
        Stop { scope: Scope::Everything, reason: reason.to_owned(), by: by.to_owned(), since: now.wall };
    let record = Record::new(
        Kind::Stop,
        now.wall,
        [
            ("scope", Json::from(stop.scope.to_string())),
            ("by", Json::from(by)),
            ("reason", Json::from(reason)),
        ],
    );
    Changes { stop: Some(StopChange::Begin(stop)), records: vec![record], ..Changes::default() }
}

/// What a person's end of a stop changes.
pub fn resume(by: &str, reason: &str, now: Now) -> Changes {
    let record = Record::new(
        Kind::Resume,
        now.wall,
        [
            ("scope", Json::from(Scope::Everything.to_string())),
            ("by", Json::from(by)),
            ("reason", Json::from(reason)),
        ],
    );
    Changes { stop: Some(StopChange::End), records: vec![record], ..Changes::default() }
}

/// What a start finds of calls that an earlier process left without an outcome: they are `unknown`, each by
/// itself, never run again.
pub fn recover(intent: &Intent, now: Now) -> Changes {
    let mut record = Record::new(
        Kind::Outcome,
        now.wall,
        [
            ("tool", Json::from(intent.action.to_string())),
            ("level", Json::from(intent.level.as_str())),
            ("session", Json::from(intent.session.to_string())),
            ("outcome", Json::from(Ending::Unknown.as_str())),
            ("note", Json::from("the node ended before the tool's answer was recorded")),
        ],
    );
    record.call = Some(intent.call);
    Changes {
        require: vec![Precondition::Open(intent.call)],
        outcome: Some((intent.call, Ending::Unknown)),
        records: vec![record],
        ..Changes::default()
    }
}

/// What a new policy or a changed catalogue means for decisions made before it.
pub fn advance(which: Advance, record: Record) -> Changes {
    Changes { advance: Some(which), records: vec![record], ..Changes::default() }
}

/// What is left when nothing objects.
struct Approved {
    level: Level,
    policies: Vec<Arc<str>>,
    controls: Vec<Control>,
}

fn accepted(offer: &Offer) -> Result<&Definition, DenyReason> {
    match offer {
        Offer::Accepted(definition) => Ok(definition),
        Offer::Misfit(problem) => Err(DenyReason::BadArguments(problem.to_string())),
        Offer::Changed | Offer::Unusable(_) => Err(DenyReason::ToolChanged),
        Offer::Absent => Err(DenyReason::UnknownTool),
    }
}

fn list(policies: &[Arc<str>]) -> Vec<Json> {
    policies.iter().map(|id| Json::from(&**id)).collect()
}
