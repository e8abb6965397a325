//! The way of one call through the engine: the first objection wins, and nothing waits.
//!
//! [`Engine::decide`] is a function of the call, what is known, and the time. It runs nothing and writes
//! nothing: it answers with a [`Decision`] and with the [`Changes`] that must be kept before anybody acts on
//! it. What must be kept once the tool has answered, or has not, is in [`settle`].
//!
//! Order: stop → is the tool known → could policy allow it at all → is it as accepted → do the arguments fit →
//! dry run → was the same call made before → is it a loop → does it fit every budget → what people must agree
//! to. A tool that no arguments could open is refused before its arguments are looked at, so that complaints
//! about them tell nothing of it; nobody is asked about what policy would refuse or money cannot cover.

mod asking;
mod counting;
mod judging;
mod people;
mod settle;

use std::{collections::BTreeSet, sync::Arc};

pub use people::{
    accept_clock, accept_overrun, advance, applied, end_pause, end_session, erase, pause, resume,
    settle_epoch, stop,
};
pub use settle::{Outcome, not_sent, recover, resolve};

use crate::{
    approval::Approval,
    budget::Hold,
    call::{Call, CallId, DigestKey, DryRun, Mode, Proposal},
    decision::{Allowed, Decision, Denial, DenyReason, Plan, Replay, Stopped},
    json::Json,
    level::Level,
    limits,
    once::{self, Claim, Held, Kept},
    permit::{Bounds, Grant},
    policy::{
        Policy,
        config::{Control, terms},
    },
    record::{Kind, Record},
    session::{HistoryEntry, SessionId, SessionKey, Status},
    state::{Changes, Intent, Known, Needs, Precondition, Step},
    stop::Coordinates,
    time::{Now, Timestamp},
    tool::Offer,
};
use counting::Counted;
use judging::Ruling;

/// Judges calls under one policy. Swapped whole when the policy changes.
#[derive(Debug)]
pub struct Engine {
    policy: Policy,
    secret: DigestKey,
    nothing: Arc<BTreeSet<crate::names::Label>>,
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

/// Why a call does not simply go on.
enum Objection {
    Denied(Denial),
    Join(CallId),
    Replay(CallId, Arc<str>),
}

impl From<Denial> for Objection {
    fn from(denial: Denial) -> Self {
        Objection::Denied(denial)
    }
}

/// What is left when nothing objects.
struct Approved<'a> {
    level: Level,
    terms: &'a terms::Tool,
    policies: Vec<Arc<str>>,
    controls: Vec<Control>,
    /// What would have been decided, if policy is only watched.
    observed: Option<Box<str>>,
    claim: Option<Claim>,
    holds: Vec<Hold>,
    require: Vec<Precondition>,
    warnings: Vec<Record>,
}

impl Engine {
    /// An engine that judges by `policy`, and makes keyed digests under `secret`.
    pub fn new(policy: Policy, secret: DigestKey) -> Self {
        Self { policy, secret, nothing: Arc::default() }
    }

    /// The policy it judges by.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What must be read before `call` can be judged by this engine.
    ///
    /// Whoever swaps engines does so before the policy's generation moves; so if the same engine is still in
    /// place once this has been read, what was read belongs to it.
    pub fn needs(&self, call: &Call, now: Now) -> Needs {
        let about = self.about(call, None);
        let terms = self.policy.tool(&call.action).map(|tool| &*tool.terms);
        let claim =
            terms.and_then(|terms| once::claim(call, &terms.once, &self.secret, now.wall).ok().flatten());
        let counted = counting::counted(&self.policy, &about, now.wall);
        Needs {
            now: now.wall,
            terms: self.policy.session_terms(),
            session: Some(SessionKey::of(call)),
            question: Some(call.digest),
            approval: None,
            questions: false,
            key: claim.map(|claim| claim.key),
            running: joins(call, about.level).then_some(call.digest),
            accounts: counted.iter().map(Counted::need).collect(),
            about: Some(about),
            history: false,
            stops: false,
        }
    }

    /// Whether a call takes a key.
    pub fn is_keyed(&self, call: &Call, now: Now) -> bool {
        let terms = self.policy.tool(&call.action).map(|tool| &*tool.terms);
        terms.is_some_and(|terms| !matches!(once::claim(call, &terms.once, &self.secret, now.wall), Ok(None)))
    }

    /// What the tool of a proposal is told as its key: the caller's own, or one that stands for what makes the
    /// call the same.
    pub fn token(&self, proposal: &Proposal) -> Option<String> {
        if let Some(own) = &proposal.key {
            return Some(own.to_string());
        }
        let call = Call::new(CallId::from_random([0; 12]), proposal.clone(), &self.secret);
        let once = &self.policy.tool(&call.action)?.terms.once;
        Some(once::claim(&call, once, &self.secret, Timestamp(0)).ok()??.key.to_string())
    }

    /// Where a call stands.
    fn about(&self, call: &Call, session: Option<SessionId>) -> Coordinates {
        let tool = self.policy.tool(&call.action);
        Coordinates {
            agent: call.agent.clone(),
            team: self.policy.team(&call.agent).cloned(),
            client: call.client.clone(),
            session,
            action: call.action.clone(),
            level: tool.map(|tool| tool.level()),
            labels: match tool {
                Some(tool) if !tool.terms.labels.is_empty() => Arc::new(tool.terms.labels.clone()),
                Some(_) | None => Arc::clone(&self.nothing),
            },
        }
    }

    /// Judges one call against what was known at `now`.
    pub fn decide(&self, call: &Arc<Call>, known: &Known, now: Now) -> Verdict {
        let session = self.session(call, known, now.wall);
        let about = self.about(call, Some(session));
        match self.object(call, known, now, &about) {
            Err(Objection::Denied(denial)) => self.refuse(call, known, now, denial),
            // Nothing is remembered yet: when the other call has landed this one is judged again.
            Err(Objection::Join(other)) => {
                Verdict { decision: Decision::Join(other), changes: Changes::default() }
            }
            Err(Objection::Replay(of, text)) => self.replay(call, known, now, about, Replay { of, text }),
            Ok(approved) => match call.mode {
                Mode::DryRun(DryRun::Decide | DryRun::Validate) => self.plan(call, known, now, approved),
                Mode::Live | Mode::DryRun(DryRun::Tool) if !approved.controls.is_empty() => {
                    self.as_people_say(call, known, now, about, approved)
                }
                Mode::Live | Mode::DryRun(DryRun::Tool) => {
                    self.allow(call, known, now, about, approved, None)
                }
            },
        }
    }

    /// The objections, in order; what remains if there is none.
    fn object(
        &self,
        call: &Call,
        known: &Known,
        now: Now,
        about: &Coordinates,
    ) -> Result<Approved<'_>, Objection> {
        if let Some(stop) = &known.remembered.stop {
            let stopped = Stopped { scope: stop.scope.clone(), leaves: stop.leaves, since: stop.since };
            let denial = Denial::because(DenyReason::Stopped(Box::new(stopped)));
            return Err(Denial { level: about.level, ..denial }.into());
        }
        let Some(tool) = self.policy.tool(&call.action) else {
            return Err(Denial::because(DenyReason::UnknownTool).into());
        };
        let (level, terms) = (tool.level(), &*tool.terms);
        let deny = |reason| Objection::from(Denial::because(reason).at(level));
        if terms.canary {
            return Err(deny(DenyReason::Canary));
        }
        let Ruling { mut controls, policies, observed, reads_labels } =
            judging::rule(&self.policy, call, tool, known, now)?;
        if call.mode == Mode::DryRun(DryRun::Tool) && !tool.plans {
            return Err(deny(DenyReason::DryRunUnsupported));
        }
        let claim = once::claim(call, &terms.once, &self.secret, now.wall).map_err(deny)?;
        let mut require = Vec::new();
        if reads_labels {
            let labels = judging::labels(&self.policy, known, now);
            require.push(Precondition::Labels {
                key: SessionKey::of(call),
                labels,
                now: now.wall,
                terms: self.policy.session_terms(),
            });
        }
        if let Some(claim) = &claim {
            let claimed = known.remembered.key.as_ref();
            match once::held(claim, claimed, &call.agent, &call.client, now.wall) {
                // It may have been claimed after the backup from which the store was restored.
                Held::Free
                    if now.wall < known.remembered.restored_at.plus(terms.once.within)
                        && known.remembered.restored_at > Timestamp(0) =>
                {
                    return Err(deny(DenyReason::OutcomeUnknown(call.id)));
                }
                Held::Free => {}
                Held::Running(other) => return Err(Objection::Join(other)),
                Held::Done(of, Kept::Text(text)) => return Err(Objection::Replay(of, text)),
                Held::Done(_, Kept::TooLarge) => return Err(deny(DenyReason::AlreadyDone)),
                Held::Refused(reason) => return Err(deny(reason)),
            }
            let put_away = known.remembered.keys_put_away;
            require.push(Precondition::KeyFree { key: claim.key, now: now.wall, put_away });
        } else if joins(call, Some(level)) {
            if let Some(other) = known.remembered.running {
                return Err(Objection::Join(other));
            }
            require.push(Precondition::NotRunning(call.digest));
        }
        let running = known.remembered.session.as_ref();
        let echoes = running.map_or(0, |session| session.echoes(call.digest, now.wall));
        if !terms.repeat && echoes.saturating_add(1) >= loop_at(level) {
            return Err(deny(DenyReason::LoopStopped));
        }
        let counted = counting::counted(&self.policy, about, now.wall);
        let bill = counting::bill(&counted, call, terms, known, now.wall)
            .map_err(|reason| Denial::because(reason).at(level))?;
        require.extend(bill.require);
        // Joined, not added: two budgets or a guard may ask for the same.
        for control in bill.controls {
            if !controls.contains(&control) {
                controls.push(control);
            }
        }
        Ok(Approved {
            level,
            terms,
            policies,
            controls,
            observed,
            claim,
            holds: bill.holds,
            require,
            warnings: bill.warnings,
        })
    }

    fn allow(
        &self,
        call: &Arc<Call>,
        known: &Known,
        now: Now,
        about: Coordinates,
        approved: Approved<'_>,
        yes: Option<&Approval>,
    ) -> Verdict {
        let Approved { level, terms, policies, controls: _, observed, claim, holds, require: fits, warnings } =
            approved;
        let mut used = None;
        if let Some(yes) = yes {
            let Some(after) = yes.used(call.id) else {
                return self.refuse(call, known, now, Denial::because(DenyReason::Bug));
            };
            used = Some((yes.seen(), after));
        }
        let generations = known.remembered.generations;
        let mut step = self.step(call, known, now, Some(level), Status::Allowed);
        step.labels = terms.labels.iter().cloned().collect();
        let mut record = Record::of(Kind::Intent, now.wall, call, Some(level))
            .with("session", step.id.to_string())
            .with("decision", "allow");
        record = self.founded(record, known, &policies);
        record = judging::with_observed(record, observed.as_deref());
        if !holds.is_empty() {
            record = record.with("holds", some(&holds, counting::shown));
        }
        if let Some(claim) = &claim {
            record = record
                .with("key", format!("hmac-sha256:{}", claim.key))
                .with("key_kind", claim.kind.as_str());
        }
        if let Some((_, yes)) = &used {
            record = record.with("approval", yes.id.to_string()).with("votes", asking::votes(&yes.votes));
        }
        let joined = claim.is_none() && joins(call, Some(level));
        let free = holds.is_empty() && claim.is_none() && used.is_none();
        let intent = Intent {
            call: call.id,
            agent: call.agent.clone(),
            client: call.client.clone(),
            run: SessionKey::of(call).name,
            action: call.action.clone(),
            level,
            session: step.id,
            at: now.wall,
            arguments: call.arguments.canonical().to_owned(),
            salt: None,
            digest: call.digest,
            joined,
            holds,
            claim,
            approval: used.as_ref().map(|(_, yes)| yes.id),
        };
        let mut require = vec![Precondition::NoStop(about.clone()), Precondition::Generations(generations)];
        require.extend(fits);
        if let Some((seen, _)) = &used {
            require.push(Precondition::Question(call.digest, Some(*seen)));
        }
        let durability = self.policy.durability();
        let before = durability.before(level, free);
        let flush = before.unwrap_or(durability.write);
        let mut records = vec![record];
        records.extend(warnings);
        let question = used.map(|(_, after)| after);
        let (step, intent) = (Some(step), Some(intent));
        let changes = Changes { require, step, intent, question, flush, records, ..Changes::default() };
        let bounds = Bounds { result_bytes: terms.result_max, deadline: terms.deadline };
        // How carefully it must be remembered, not whether it may run: that was Cedar's to say.
        let allowed = match before {
            None => Allowed::Read(Grant::new(Arc::clone(call), now, generations, about, bounds)),
            Some(_) => Allowed::Effect(Grant::new(Arc::clone(call), now, generations, about, bounds)),
        };
        Verdict { decision: Decision::Allow(allowed), changes }
    }

    fn plan(&self, call: &Arc<Call>, known: &Known, now: Now, approved: Approved<'_>) -> Verdict {
        let Approved { level, policies, controls, observed, holds, .. } = approved;
        let step = self.step(call, known, now, Some(level), Status::Planned);
        let record = Record::of(Kind::Plan, now.wall, call, Some(level))
            .with("session", step.id.to_string())
            .with("decision", "plan");
        let record = self.founded(record, known, &policies);
        let mut record = judging::with_observed(record, observed.as_deref());
        if !holds.is_empty() {
            record = record.with("holds", some(&holds, counting::shown));
        }
        let own = |hold: &Hold| self.policy.budget(&hold.account.budget).is_some_and(|b| b.is_one_agents());
        let holds = holds.iter().filter(|hold| own(hold));
        let holds = holds.map(|hold| (hold.account.budget.clone(), hold.measure.clone(), hold.amount));
        let plan = Plan { action: call.action.clone(), level, policies, controls, holds: holds.collect() };
        let changes = Changes { step: Some(step), records: vec![record], ..Changes::default() };
        Verdict { decision: Decision::Plan(plan), changes }
    }

    /// Hands out the result of a call that was made before. It costs nothing, but may not be had under a stop.
    fn replay(
        &self,
        call: &Arc<Call>,
        known: &Known,
        now: Now,
        about: Coordinates,
        replay: Replay,
    ) -> Verdict {
        let step = self.step(call, known, now, about.level, Status::Replayed);
        let record = Record::of(Kind::Replay, now.wall, call, about.level)
            .with("session", step.id.to_string())
            .with("decision", "replay")
            .with("of", replay.of.to_string());
        let require =
            vec![Precondition::NoStop(about), Precondition::Generations(known.remembered.generations)];
        let changes = Changes { require, step: Some(step), records: vec![record], ..Changes::default() };
        Verdict { decision: Decision::Replay(replay), changes }
    }

    /// What is to be remembered of a call that waited for the same one, which then answered with `text`.
    pub fn joined(&self, call: &Arc<Call>, known: &Known, now: Now, of: CallId, text: Arc<str>) -> Verdict {
        let session = self.session(call, known, now.wall);
        let about = self.about(call, Some(session));
        if let Some(stop) = &known.remembered.stop {
            let stopped = Stopped { scope: stop.scope.clone(), leaves: stop.leaves, since: stop.since };
            let denial = Denial::because(DenyReason::Stopped(Box::new(stopped)));
            return self.refuse(call, known, now, Denial { level: about.level, ..denial });
        }
        let Some(tool) = self.policy.tool(&call.action) else {
            return self.refuse(call, known, now, Denial::because(DenyReason::UnknownTool));
        };
        match judging::rule(&self.policy, call, tool, known, now) {
            Ok(_) => self.replay(call, known, now, about, Replay { of, text }),
            Err(denial) => self.refuse(call, known, now, denial),
        }
    }

    /// The verdict that refuses `call` for a reason that arose outside the engine or in it.
    pub fn refuse(&self, call: &Arc<Call>, known: &Known, now: Now, denial: Denial) -> Verdict {
        let step = self.step(call, known, now, denial.level, Status::Blocked);
        let record = Record::of(Kind::Refusal, now.wall, call, denial.level)
            .with("session", step.id.to_string())
            .with("decision", "deny")
            .with("code", denial.reason.code().as_str());
        let record = self.founded(record, known, &denial.policies);
        let record = match &denial.reason {
            DenyReason::BudgetSpent(spent) => record.with("budget", spent.budget.as_str()),
            DenyReason::Stopped(stopped) => record.with("scope", stopped.scope.to_string()),
            DenyReason::Canary => record.with("canary", true),
            DenyReason::NotGranted
            | DenyReason::Forbidden(_)
            | DenyReason::UnknownTool
            | DenyReason::ToolChanged
            | DenyReason::BadArguments(_)
            | DenyReason::TooLarge(_)
            | DenyReason::PolicyError
            | DenyReason::FactMissing(_)
            | DenyReason::FactError(_)
            | DenyReason::TooLargeToJudge(_)
            | DenyReason::CostUnknown(_)
            | DenyReason::LoopStopped
            | DenyReason::KeyMissing(_)
            | DenyReason::KeyReused
            | DenyReason::InProgress
            | DenyReason::AlreadyDone
            | DenyReason::OutcomeUnknown(_)
            | DenyReason::DryRunUnsupported
            | DenyReason::Busy
            | DenyReason::TooManyAsked
            | DenyReason::ApprovalDenied(_)
            | DenyReason::ApprovalExpired
            | DenyReason::StoreUnavailable
            | DenyReason::UpstreamUnavailable(_)
            | DenyReason::Bug => record,
        };
        let mut changes = Changes { step: Some(step), records: vec![record], ..Changes::default() };
        counting::trip(
            &self.policy,
            &self.about(call, None),
            call.mode,
            &denial.reason,
            known,
            now.wall,
            &mut changes,
        );
        Verdict { decision: Decision::Deny(denial), changes }
    }

    /// A record with what its decision rests on: the deciding policies and the lines that they come from, the
    /// digest of all policy, and the shape of the tool as it was accepted.
    fn founded(&self, record: Record, known: &Known, policies: &[Arc<str>]) -> Record {
        let lines = policies.iter().take(limits::LISTED).map(|id| self.policy.line(id));
        let lines: Vec<_> = lines.map(|line| Json::from(i64::try_from(line).unwrap_or(0))).collect();
        let record = record.with("policies", list(policies)).with("policy", self.policy.digest());
        let record = if lines.iter().any(|line| *line != Json::from(0)) {
            record.with("lines", lines)
        } else {
            record
        };
        match &known.offer {
            Offer::Accepted(definition) => record.with("shape", definition.shape.to_string()),
            Offer::Changed | Offer::Unusable(_) | Offer::Misfit(_) | Offer::Absent => record,
        }
    }

    /// The session that a call belongs to: the one that runs, or one that it begins.
    fn session(&self, call: &Call, known: &Known, now: Timestamp) -> SessionId {
        let terms = self.policy.session_terms();
        let running = known.remembered.session.as_ref().filter(|session| session.runs_at(now, &terms));
        running.map_or(SessionId(call.id), |session| session.id)
    }

    fn step(&self, call: &Call, known: &Known, now: Now, level: Option<Level>, became: Status) -> Step {
        let entry = |status| HistoryEntry { action: call.action.clone(), level, status };
        Step {
            key: SessionKey::of(call),
            id: self.session(call, known, now.wall),
            at: now.wall,
            terms: self.policy.session_terms(),
            labels: Vec::new(),
            entries: vec![entry(Status::Requested), entry(became)],
        }
    }
}

/// Whether a second call that is the same waits for the first instead of running beside it. Not a read: who
/// reads after a write must not be given what was read before it.
fn joins(call: &Call, level: Option<Level>) -> bool {
    match level {
        Some(Level::Write | Level::Execute | Level::Delete) => call.mode == Mode::Live,
        Some(Level::Read) | None => false,
    }
}

/// How often in a row the same call with the same answer is a loop. Looking again does less harm than doing
/// again.
const fn loop_at(level: Level) -> u32 {
    match level {
        Level::Read => limits::LOOP_READS,
        Level::Write | Level::Execute | Level::Delete => limits::LOOP_EFFECTS,
    }
}

fn list(policies: &[Arc<str>]) -> Vec<Json> {
    some(policies, |id| Json::from(crate::diagnostic::first_of(id, limits::WORDS_CHARS / 4)))
}

/// The first of many, and how many more there are: a record has a bound.
fn some<T>(all: &[T], shown: impl Fn(&T) -> Json) -> Vec<Json> {
    let more = all.len().saturating_sub(limits::LISTED);
    let first = all.iter().take(limits::LISTED).map(shown);
    first.chain((more > 0).then(|| Json::from(format!("and {more} more")))).collect()
}
