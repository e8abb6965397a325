//! The mirror: everything that decisions read, in memory, and the one place where preconditions are checked.
//!
//! A commit checks and applies here, under one lock, before its writing is queued; so commits are decided in
//! one order, which is also the order on disk. If the disk then fails, the store is poisoned and what the
//! mirror says no longer matters, since nothing is served from it.

use std::collections::{HashMap, HashSet, VecDeque};

use placet_engine::{
    approval::Approval,
    call::{CallId, Digest},
    limits,
    session::{History, HistoryEntry, Session, SessionId, SessionKey},
    state::{Advance, Changes, Ending, Needs, Precondition, Remembered, Step, StopChange},
    stop::{Generations, Stop},
};

/// Sessions and questions beyond this many are looked through for lapsed ones before another is kept.
const SWEEP_ABOVE: usize = 4_096;

#[derive(Debug, Default)]
pub(crate) struct Mirror {
    pub(crate) stop: Option<Stop>,
    pub(crate) generations: Generations,
    pub(crate) sessions: HashMap<SessionKey, Running>,
    pub(crate) questions: HashMap<Digest, Approval>,
    /// Intents without a final outcome.
    pub(crate) open: HashSet<CallId>,
}

/// A session and its last steps.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) session: Session,
    pub(crate) history: VecDeque<HistoryEntry>,
    pub(crate) truncated: bool,
}

impl Mirror {
    pub(crate) fn load(&self, needs: &Needs) -> Remembered {
        let running = needs.session.as_ref().and_then(|key| self.sessions.get(key));
        let history = running.filter(|_| needs.history).map(|running| History {
            entries: running.history.iter().cloned().collect(),
            truncated: running.truncated,
        });
        Remembered {
            stop: self.stop.clone(),
            generations: self.generations,
            session: running.map(|running| running.session.clone()),
            question: needs.question.as_ref().and_then(|digest| self.questions.get(digest)).cloned(),
            history: history.unwrap_or_default(),
        }
    }

    /// Whether all that `changes` require holds now.
    pub(crate) fn check(&self, changes: &Changes) -> Result<(), Precondition> {
        let broken = changes.require.iter().find(|required| !self.holds(required));
        broken.map_or(Ok(()), |broken| Err(broken.clone()))
    }

    fn holds(&self, required: &Precondition) -> bool {
        match required {
            Precondition::NoStop => self.stop.is_none(),
            Precondition::Generations(seen) => *seen == self.generations,
            Precondition::NoQuestion(digest, now) => {
                !self.questions.get(digest).is_some_and(|question| question.is_pending(*now))
            }
            Precondition::Open(call) => self.open.contains(call),
        }
    }

    /// Makes checked changes true. What they say of their session is set right first, so that disk and records
    /// say what memory says.
    pub(crate) fn apply(&mut self, changes: &mut Changes) {
        if let Some(running) = changes.step.as_ref().and_then(|step| self.running(step)) {
            changes.continue_in(running);
        }
        if let Some(step) = &changes.step {
            self.step(step);
        }
        if let Some(intent) = &changes.intent {
            self.open.insert(intent.call);
        }
        match changes.outcome {
            Some((call, Ending::Succeeded | Ending::Failed | Ending::NotSent)) => {
                self.open.remove(&call);
            }
            // Unknown is not final: a late answer or a person may still settle it.
            Some((_, Ending::Unknown)) | None => {}
        }
        if let Some(question) = &changes.question {
            if self.questions.len() > SWEEP_ABOVE {
                self.questions.retain(|_, kept| kept.is_pending(question.asked_at));
            }
            self.questions.insert(question.digest, question.clone());
        }
        match &changes.stop {
            Some(StopChange::Begin(stop)) => {
                self.stop = Some(stop.clone());
                self.generations.stop += 1;
            }
            Some(StopChange::End) => {
                self.stop = None;
                self.generations.stop += 1;
            }
            None => {}
        }
        match changes.advance {
            Some(Advance::Policy) => self.generations.policy += 1,
            Some(Advance::Catalogue) => self.generations.catalogue += 1,
            None => {}
        }
    }

    /// The session that goes on with this step. Calls that come at once are judged before any of them is
    /// remembered, so each may mean to begin a session; the first does, and the others go on in it.
    fn running(&self, step: &Step) -> Option<SessionId> {
        let known = &self.sessions.get(&step.key)?.session;
        known.runs_at(step.at).then_some(known.id)
    }

    fn step(&mut self, step: &Step) {
        if self.sessions.len() > SWEEP_ABOVE && !self.sessions.contains_key(&step.key) {
            self.sessions.retain(|_, kept| kept.session.runs_at(step.at));
        }
        let fresh = || Running {
            session: Session { id: step.id, opened_at: step.at, last_at: step.at, steps: 0 },
            history: VecDeque::new(),
            truncated: false,
        };
        let running = self.sessions.entry(step.key.clone()).or_insert_with(fresh);
        if running.session.id != step.id {
            *running = fresh();
        }
        running.session.last_at = running.session.last_at.max(step.at);
        running.session.steps += 1;
        running.history.extend(step.entries.iter().cloned());
        while running.history.len() > limits::HISTORY_ENTRIES {
            running.history.pop_front();
            running.truncated = true;
        }
    }
}
