//! The mirror: everything that decisions read, in memory, and the one place where preconditions are checked.
//!
//! A commit is set right, checked and applied here, under one lock, before its writing is queued; so commits are
//! decided in one order, which is also the order on disk. If the disk then fails, the store is poisoned and what
//! the mirror says no longer matters, since nothing is served from it.
//!
//! Finished keys are the one thing that is not all here: see [`Keys`].

mod accounts;
mod keys;
mod questions;
mod round;

use std::collections::{HashMap, HashSet, VecDeque};

pub(crate) use accounts::{Accounts, LONGEST_WINDOW};
pub(crate) use keys::Keys;
use placet_engine::{
    approval::Approval,
    call::{CallId, Digest},
    limits,
    session::{History, HistoryEntry, Session, SessionId, SessionKey},
    state::{
        Advance, Changes, Ending, Intent, Needs, Open, Precondition, Remembered, Settled, Step, StopChange,
    },
    stop::{Generations, Leaves, Scope, Stop},
    time::Timestamp,
};

use questions::Questions;
use round::Round;

/// Sessions and questions beyond this many are looked through, bit by bit, for those that nobody needs any more.
const SWEEP_ABOVE: usize = 4_096;

#[derive(Debug, Default)]
pub(crate) struct Mirror {
    pub(crate) stops: Vec<Stop>,
    pub(crate) generations: Generations,
    sessions: HashMap<SessionKey, Running>,
    sessions_round: Round<SessionKey>,
    /// The identifiers of the sessions that are kept, and of those that people ended. What belongs to another session
    /// is needed no more.
    kept: HashSet<SessionId>,
    questions: Questions,
    /// Intents without a final outcome.
    pub(crate) open: HashMap<CallId, OpenCall>,
    /// Calls under way for which the same call waits.
    joined: HashMap<Digest, CallId>,
    pub(crate) accounts: Accounts,
    pub(crate) keys: Keys,
    /// When this store was restored from a backup; 0 if that needs no care any more.
    pub(crate) restored_at: Timestamp,
    /// How many commits were applied: the number of the last.
    commits: u64,
    /// The number of the last entry of all histories.
    pub(crate) entries: u64,
}

/// An intent without a final outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenCall {
    pub(crate) state: Open,
    pub(crate) joined: Option<Digest>,
}

/// A session and its last steps.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) session: Session,
    pub(crate) history: VecDeque<HistoryEntry>,
    pub(crate) truncated: bool,
    pub(crate) trail: Trail,
}

/// Where the entries of a session's history stand among those of all sessions: numbers, 0 for none. Each entry
/// names the one before it, so a history is read from its latest backwards and needs no index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trail {
    pub(crate) latest: u64,
    /// The latest before the last step.
    pub(crate) before: u64,
}

impl Mirror {
    pub(crate) fn load(&self, needs: &Needs) -> Remembered {
        let running = needs.session.as_ref().and_then(|key| self.sessions.get(key));
        let history = running.filter(|_| needs.history).map(|running| History {
            entries: running.history.iter().cloned().collect(),
            truncated: running.truncated,
        });
        let session = running.map(|running| &running.session);
        let current = session.filter(|session| session.runs_at(needs.now, &needs.terms)).map(|s| s.id);
        let (mut stop, mut narrowed) = (None, false);
        if !self.stops.is_empty() {
            let about = needs.about.as_ref();
            let placed = about.map(|about| {
                let mut about = about.clone();
                about.session = about.session.or(current);
                about
            });
            stop = self.stops.iter().find(|stop| match &placed {
                Some(about) => stop.covers(about),
                None => stop.scope == Scope::Everything,
            });
            narrowed = about.is_some_and(|about| {
                self.stops.iter().any(|stop| {
                    stop.leaves == Leaves::Reads && stop.scope == Scope::Agent(about.agent.clone())
                })
            });
        }
        Remembered {
            stop: stop.cloned(),
            narrowed,
            generations: self.generations,
            session: session.cloned(),
            question: match (&needs.approval, &needs.question) {
                (Some(id), _) => self.questions.called(*id).cloned(),
                (None, Some(digest)) => self.questions.get(digest).cloned(),
                (None, None) => None,
            },
            waiting: needs.session.as_ref().map_or(0, |key| self.questions.waiting(&key.client, needs.now)),
            questions: if needs.questions { self.questions.live(needs.now) } else { Vec::new() },
            key: needs.key.as_ref().and_then(|key| self.keys.get(key)).cloned(),
            keys_put_away: self.keys.put_away(),
            restored_at: self.restored_at,
            running: needs.running.as_ref().and_then(|digest| self.joined.get(digest)).copied(),
            balances: needs.accounts.iter().map(|need| self.accounts.balance(need, current)).collect(),
            history: history.unwrap_or_default(),
            stops: if needs.stops { self.stops.clone() } else { Vec::new() },
        }
    }

    /// Sets right what changes say of their session and their stop, so that disk and records say what memory
    /// says. Whether anything was.
    pub(crate) fn resolve(&self, changes: &mut Changes) -> bool {
        let mut moved = false;
        if let Some(running) = changes.step.as_ref().and_then(|step| self.running(step)) {
            moved = changes.step.as_ref().is_some_and(|step| step.id != running);
            changes.continue_in(running);
        }
        // Whoever stops less than what is stopped already, a trip that went off meanwhile say, loosens nothing.
        if let Some(StopChange::Begin(stop)) = &mut changes.stop
            && let Some(kept) = self.stops.iter().find(|kept| kept.scope == stop.scope)
            && kept.leaves < stop.leaves
        {
            *stop = kept.clone();
        }
        moved
    }

    /// Goes on after `before`, which was found not to be what is on disk. Numbers that others have seen never go
    /// back: somebody may hold on to one and compare.
    pub(crate) fn go_on_after(&mut self, before: &Self) {
        let (seen, kept) = (before.generations, &mut self.generations);
        kept.stop = kept.stop.max(seen.stop);
        kept.policy = kept.policy.max(seen.policy);
        kept.catalogue = kept.catalogue.max(seen.catalogue);
        self.keys.go_on_after(&before.keys);
    }

    /// Whether all that resolved changes require holds now.
    pub(crate) fn check(&self, changes: &Changes) -> Result<(), Precondition> {
        let broken = changes.require.iter().find(|required| !self.holds(required));
        broken.map_or(Ok(()), |broken| Err(broken.clone()))
    }

    fn holds(&self, required: &Precondition) -> bool {
        match required {
            Precondition::NoStop(about) => !self.stops.iter().any(|stop| stop.covers(about)),
            Precondition::Generations(seen) => *seen == self.generations,
            Precondition::Labels { key, labels, now, terms } => {
                let session = self.sessions.get(key).map(|running| &running.session);
                let session = session.filter(|session| !session.is_forgotten(*now, terms));
                session.map_or(labels.is_empty(), |session| session.labels == *labels)
            }
            Precondition::Question(digest, seen) => self.questions.get(digest).map(Approval::seen) == *seen,
            Precondition::Is(call, state) => self.open.get(call).is_some_and(|open| open.state == *state),
            Precondition::KeyFree { key, now, put_away } => self.keys.is_free(key, *now, *put_away),
            Precondition::NotRunning(digest) => !self.joined.contains_key(digest),
            Precondition::Fits { account, counts_from, amount, cap } => {
                self.accounts.of(account, *counts_from).fits(*amount, *cap)
            }
        }
    }

    /// Makes checked changes true, and says the number of this commit.
    pub(crate) fn apply(&mut self, changes: &Changes) -> u64 {
        self.commits += 1;
        if let Some(step) = &changes.step {
            self.step(step);
        }
        if let Some(intent) = &changes.intent {
            self.begin(intent);
        }
        if let Some(settled) = &changes.settled {
            self.settle(settled);
        }
        if let Some(question) = &changes.question {
            self.questions.put(question.clone());
        }
        match &changes.stop {
            Some(StopChange::Begin(stop)) => {
                self.stops.retain(|kept| kept.scope != stop.scope);
                self.stops.push(stop.clone());
                self.generations.stop += 1;
            }
            Some(StopChange::End(scope)) => {
                self.stops.retain(|kept| kept.scope != *scope);
                self.generations.stop += 1;
            }
            None => {}
        }
        match changes.advance {
            Some(Advance::Policy) => self.generations.policy += 1,
            Some(Advance::Catalogue) => self.generations.catalogue += 1,
            None => {}
        }
        for tally in &changes.tallies {
            self.accounts.tally(tally);
        }
        if let Some(account) = &changes.reopen {
            self.accounts.reopen(account);
        }
        if changes.settle_epoch {
            self.restored_at = Timestamp(0);
        }
        if let Some(key) = &changes.end_session {
            // It stays among the kept: a call that was judged in it just before may still begin it anew, and must
            // find what it has spent.
            self.sessions.remove(key);
            self.sessions_round.remove(key);
        }
        let now = changes.step.as_ref().map(|step| step.at);
        let now = now.or(changes.intent.as_ref().map(|intent| intent.at));
        self.accounts.sweep(now, &self.kept);
        self.commits
    }

    /// A question as it is found on disk.
    pub(crate) fn ask(&mut self, question: Approval) {
        self.questions.put(question);
    }

    /// A session that begins, or as it is found on disk; the one before it under its key is no more.
    pub(crate) fn keep(&mut self, key: SessionKey, running: Running) {
        self.kept.insert(running.session.id);
        match self.sessions.insert(key.clone(), running) {
            Some(before) => {
                self.kept.remove(&before.session.id);
            }
            None => self.sessions_round.add(key),
        }
    }

    /// Whether a session is kept, so that it may go on.
    pub(crate) fn keeps(&self, session: SessionId) -> bool {
        self.kept.contains(&session)
    }

    /// An intent, as it is when it is committed or as it is found on disk.
    pub(crate) fn begin(&mut self, intent: &Intent) {
        let joined = intent.joined.then_some(intent.digest);
        self.open.insert(intent.call, OpenCall { state: Open::Running, joined });
        if let Some(digest) = joined {
            self.joined.insert(digest, intent.call);
        }
        for hold in &intent.holds {
            self.accounts.hold(hold);
        }
        self.keys.claim(intent);
    }

    fn settle(&mut self, settled: &Settled) {
        let before = match settled.ending {
            Ending::Succeeded | Ending::Failed | Ending::NotSent => self.open.remove(&settled.call),
            // Not final: a late word of a person, or of a look-up, may still settle it.
            Ending::Unknown => {
                self.open.insert(settled.call, OpenCall { state: Open::Unknown, joined: None })
            }
        };
        if let Some(digest) = before.and_then(|open| open.joined)
            && self.joined.get(&digest) == Some(&settled.call)
        {
            self.joined.remove(&digest);
        }
        for charge in &settled.charges {
            self.accounts.charge(charge);
        }
        if let Some(approval) = settled.returned {
            self.questions.give_back(approval, settled.call);
        }
        if let Some((key, fate)) = &settled.key {
            self.keys.settle(key, fate, self.commits);
        }
        if let Some((key, heard)) = &settled.heard
            && let Some(running) = self.sessions.get_mut(key)
        {
            running.session.hear(heard);
        }
    }

    /// The session that goes on with this step. Calls that come at once are judged before any of them is
    /// remembered, so each may mean to begin a session; the first does, and the others go on in it.
    fn running(&self, step: &Step) -> Option<SessionId> {
        let known = &self.sessions.get(&step.key)?.session;
        known.runs_at(step.at, &step.terms).then_some(known.id)
    }

    fn step(&mut self, step: &Step) {
        let begins = self.sessions.get(&step.key).is_none_or(|known| known.session.id != step.id);
        if begins {
            let before = self.sessions.get(&step.key).map(|known| &known.session);
            let session = Session::begin(step.id, step.at, before, &step.terms);
            let fresh =
                Running { session, history: VecDeque::new(), truncated: false, trail: Trail::default() };
            self.keep(step.key.clone(), fresh);
            self.sweep_sessions(step);
        }
        let Some(running) = self.sessions.get_mut(&step.key) else { return };
        running.session.last_at = running.session.last_at.max(step.at);
        running.session.steps += 1;
        running.session.labels.extend(step.labels.iter().cloned());
        running.trail.before = running.trail.latest;
        if !step.entries.is_empty() {
            self.entries += step.entries.len() as u64;
            running.trail.latest = self.entries;
        }
        running.history.extend(step.entries.iter().cloned());
        while running.history.len() > limits::HISTORY_ENTRIES {
            running.history.pop_front();
            running.truncated = true;
        }
    }

    fn sweep_sessions(&mut self, step: &Step) {
        let (sessions, kept) = (&mut self.sessions, &mut self.kept);
        self.sessions_round.turn(SWEEP_ABOVE, |key| {
            let Some(running) = sessions.get(key) else { return false };
            // One that has ended may still pass on what it has seen.
            let is_forgotten = running.session.is_forgotten(step.at, &step.terms);
            if is_forgotten {
                kept.remove(&running.session.id);
                sessions.remove(key);
            }
            !is_forgotten
        });
    }

    /// The session under a key as it is now, and its trail: what a store that writes must write.
    pub(crate) fn session(&self, key: &SessionKey) -> Option<(&Session, Trail)> {
        self.sessions.get(key).map(|running| (&running.session, running.trail))
    }
}
