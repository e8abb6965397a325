//! A store whose disk is a list: it can lose what was not flushed, or the answer, and be started anew.
//!
//! What is committed goes into memory at once and onto the list at the next flush, as in the store on disk; so a
//! test can end the process between any two steps, look at what was really kept, and go on from there.

use std::sync::Mutex;

use placet_engine::{
    call::CallId,
    decide,
    permit::{Durability, Durable, Receipt},
    record::{Kind, Record},
    state::{Advance, Changes, Intent, Needs, Remembered, StopChange},
    stop::{Generations, Scope},
    time::{Now, Timestamp},
};
use placet_store::{Memory, Store, StoreError};

use crate::ready;

/// What the next flush does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// It fails, and nothing of it is kept.
    BeforeFlush,
    /// It is done, and its answer is lost.
    AfterFlush,
    /// It does not come to it: too much waits.
    Busy,
    /// It does not come to it: the disk is nearly full.
    Full,
}

/// A store that can be started anew from what it has flushed.
#[derive(Debug, Default)]
pub struct Crashing {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    memory: Memory,
    disk: Vec<Changes>,
    queue: Vec<Changes>,
    next: Option<Crash>,
    failed: bool,
    /// Calls whose intent was said not to be kept.
    refused: Vec<CallId>,
}

impl Crashing {
    /// What is on disk and, behind it, what waits for a flush: all that has happened, in its order.
    pub fn history(&self) -> Vec<Changes> {
        let state = self.state.lock().expect("nobody panics here");
        state.disk.iter().chain(&state.queue).cloned().collect()
    }

    /// Whether a call's intent is on disk.
    pub fn is_on_disk(&self, call: CallId) -> bool {
        let state = self.state.lock().expect("nobody panics here");
        state.disk.iter().any(|changes| changes.intent.as_ref().is_some_and(|intent| intent.call == call))
    }

    /// Lets the next flush go wrong.
    pub fn fail_next(&self, crash: Crash) {
        self.state.lock().expect("nobody panics here").next = Some(crash);
    }

    /// Ends the process and begins the next, when `flushed` of what waited had been flushed besides. The intents
    /// without an outcome.
    pub fn restart(&self, flushed: usize) -> Vec<Intent> {
        let mut state = self.state.lock().expect("nobody panics here");
        let kept = flushed.min(state.queue.len());
        let kept: Vec<_> = state.queue.drain(..kept).collect();
        state.disk.extend(kept);
        state.begin_anew();
        state.refused.clear();
        state.left_open()
    }
}

impl State {
    fn begin_anew(&mut self) {
        self.queue.clear();
        self.memory = Memory::new();
        for changes in self.disk.clone() {
            ready(self.memory.commit::<Durable>(changes)).expect("what was kept once is kept again");
        }
        (self.next, self.failed) = (None, false);
    }

    fn left_open(&self) -> Vec<Intent> {
        let open = |intent: &Intent| {
            let ended = |changes: &Changes| changes.settled.as_ref().is_some_and(|s| s.call == intent.call);
            let last = self.disk.iter().rev().find(|changes| {
                ended(changes) || changes.intent.as_ref().is_some_and(|other| other.call == intent.call)
            });
            last.is_some_and(|changes| changes.intent.is_some())
        };
        let mut found: Vec<Intent> = Vec::new();
        for intent in self.disk.iter().rev().filter_map(|changes| changes.intent.as_ref()) {
            // One that was not sent and was allowed again counts as it was allowed last.
            if open(intent) && !found.iter().any(|later| later.call == intent.call) {
                found.push(intent.clone());
            }
        }
        found.reverse();
        found
    }

    fn generations(&self) -> Generations {
        ready(self.memory.load(&Needs::default())).expect("memory can be read").generations
    }
}

impl Store for Crashing {
    async fn load(&self, needs: &Needs) -> Result<Remembered, StoreError> {
        let state = self.state.lock().expect("nobody panics here");
        if state.failed {
            return Err(StoreError::Unavailable("it failed".to_owned()));
        }
        ready(state.memory.load(needs))
    }

    async fn commit<D: Durability>(&self, changes: Changes) -> Result<Receipt<D>, StoreError> {
        let mut state = self.state.lock().expect("nobody panics here");
        if state.failed {
            return Err(StoreError::Unavailable("it failed".to_owned()));
        }
        let crash = if D::ON_DISK { state.next.take() } else { None };
        match crash {
            Some(Crash::Busy) => return Err(StoreError::Busy),
            Some(Crash::Full) if changes.intent.is_some() => return Err(StoreError::Full),
            Some(Crash::BeforeFlush | Crash::AfterFlush | Crash::Full) | None => {}
        }
        let mut kept = changes.clone();
        let receipt = ready(state.memory.commit::<D>(changes))?;
        if let Some(intent) = &mut kept.intent {
            receipt.place(intent);
        }
        let call = kept.intent.as_ref().map(|intent| intent.call);
        state.queue.push(kept);
        if D::ON_DISK && crash != Some(Crash::BeforeFlush) {
            let flushed = std::mem::take(&mut state.queue);
            state.disk.extend(flushed);
        }
        if matches!(crash, Some(Crash::BeforeFlush | Crash::AfterFlush)) {
            state.failed = true;
            state.refused.extend(call);
            return Err(StoreError::Unavailable("its flush failed".to_owned()));
        }
        Ok(receipt)
    }

    async fn open_intent(&self, call: CallId) -> Result<Option<Intent>, StoreError> {
        let state = self.state.lock().expect("nobody panics here");
        ready(state.memory.open_intent(call))
    }

    async fn mend(&self) -> Result<Vec<Intent>, StoreError> {
        let mut state = self.state.lock().expect("nobody panics here");
        if !state.failed {
            return Ok(Vec::new());
        }
        let seen = state.generations();
        state.begin_anew();
        // Numbers that others have seen never go back.
        let record = || Record::new(Kind::Epoch, Timestamp(0), []);
        loop {
            let now = state.generations();
            let grow = if now.stop < seen.stop {
                let nothing = Scope::Agent("nobody-at-all".parse().expect("a name"));
                let resume = decide::resume(nothing, "the store", "it was mended", Now::default());
                debug_assert!(matches!(resume.stop, Some(StopChange::End(_))));
                resume
            } else if now.policy < seen.policy {
                decide::advance(Advance::Policy, record())
            } else if now.catalogue < seen.catalogue {
                decide::advance(Advance::Catalogue, record())
            } else {
                break;
            };
            ready(state.memory.commit::<Durable>(grow.clone())).expect("memory takes it");
            state.disk.push(grow);
        }
        let mut never_sent = state.left_open();
        never_sent.retain(|intent| state.refused.contains(&intent.call));
        Ok(never_sent)
    }
}
