//! Waiting for people: a call that must be agreed to waits here for a while, and people's answers come in here.
//!
//! Nothing is held while somebody thinks: no budget, no key, no thread. Whoever waited is judged again from nothing,
//! so that a stop, another policy or a changed tool counts as it would for a new call.

use std::{collections::HashMap, fmt};

use parking_lot::Mutex;
use placet_engine::{
    approval::{Approval, ApprovalRequest, Ballot, BallotError, State},
    call::CallId,
    permit::Durable,
    state::{Needs, Precondition},
};
use placet_store::{Store, StoreError};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::Gate;

/// Those who wait, by question.
#[derive(Debug, Default)]
pub(super) struct Doors(Mutex<HashMap<CallId, watch::Sender<()>>>);

impl Doors {
    fn watch(&self, question: CallId) -> watch::Receiver<()> {
        self.0.lock().entry(question).or_insert_with(|| watch::channel(()).0).subscribe()
    }

    fn leave(&self, question: CallId) {
        let mut doors = self.0.lock();
        if doors.get(&question).is_some_and(|door| door.receiver_count() == 0) {
            doors.remove(&question);
        }
    }

    fn open(&self, question: CallId) {
        if let Some(door) = self.0.lock().remove(&question) {
            door.send_replace(());
        }
    }

    /// Everybody is to be judged again: something has been stopped.
    pub(super) fn open_all(&self) {
        for (_, door) in self.0.lock().drain() {
            door.send_replace(());
        }
    }
}

/// Leaves its door when the call that waits there does not wait any more, in whatever way.
struct Leaves<'a>(&'a Doors, CallId, Option<watch::Receiver<()>>);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.2 = None;
        self.0.leave(self.1);
    }
}

/// Why a person's answer was not taken.
#[derive(Debug)]
pub enum AnswerError {
    /// There is no such question any more.
    NoSuch,
    /// It does not count.
    Ballot(BallotError),
    /// A stop covers the call.
    Stopped,
    /// It cannot be kept.
    Store(StoreError),
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnswerError::NoSuch => f.write_str("no such question waits"),
            AnswerError::Ballot(error) => error.fmt(f),
            AnswerError::Stopped => f.write_str("what it is about is stopped; resume first"),
            AnswerError::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AnswerError {}

impl<S: Store> Gate<S> {
    /// Waits until people have answered, or something has been stopped. False if that takes longer than until then,
    /// or nobody could answer.
    pub(super) async fn wait_for_people(&self, request: &ApprovalRequest, until: Instant) -> bool {
        let id = request.approval.id;
        if Instant::now() >= until || !self.engine.load().policy().is_answerable(&request.approval.controls) {
            return false;
        }
        let mut waits = Leaves(&self.doors, id, Some(self.doors.watch(id)));
        // They may have answered before anybody watched.
        match self.question(id).await {
            Ok(Some(question)) if question.state == State::Pending => {}
            Ok(_) => return true,
            Err(_) => return false,
        }
        let Some(door) = &mut waits.2 else { return false };
        timeout_at(until, door.changed()).await.is_ok()
    }

    /// A question by its name, if it is the last about its call.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be asked.
    pub async fn question(&self, id: CallId) -> Result<Option<Approval>, StoreError> {
        let needs = Needs { approval: Some(id), now: self.clock.now().wall, ..Needs::default() };
        Ok(self.store.load(&needs).await?.question)
    }

    /// All questions that still matter, the oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be asked.
    pub async fn questions(&self) -> Result<Vec<Approval>, StoreError> {
        let needs = Needs { questions: true, now: self.clock.now().wall, ..Needs::default() };
        Ok(self.store.load(&needs).await?.questions)
    }

    /// Takes one person's answer; the question as it is then. It is on disk before anybody acts on it.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] says why it was not taken; then nothing has changed.
    pub async fn answer_question(&self, id: CallId, ballot: &Ballot) -> Result<Approval, AnswerError> {
        // Of two who answer at once one is judged again by what the other has said.
        for _ in 0..placet_engine::limits::DECIDE_ATTEMPTS {
            let now = self.clock.now();
            let needs = Needs { approval: Some(id), now: now.wall, ..Needs::default() };
            let known = self.store.load(&needs).await.map_err(AnswerError::Store)?;
            let question = known.question.ok_or(AnswerError::NoSuch)?;
            let engine = self.engine.load_full();
            let answered = engine.answered(&question, ballot, known.generations.stop, now);
            let (answered, changes) = answered.map_err(AnswerError::Ballot)?;
            match self.store.commit::<Durable>(changes).await {
                Ok(_) => {
                    if answered.state != State::Pending {
                        self.doors.open(id);
                    }
                    return Ok(answered);
                }
                Err(StoreError::Conflict(Precondition::NoStop(_))) => return Err(AnswerError::Stopped),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(AnswerError::Store(error)),
            }
        }
        Err(AnswerError::Store(StoreError::Busy))
    }
}
