//! A store that fails on request, in each of the ways in which a store can.

use std::{collections::VecDeque, sync::Mutex};

use placet_engine::{
    call::CallId,
    permit::{Durability, Receipt},
    state::{Changes, Intent, Needs, Precondition, Remembered},
    stop::Generations,
};
use placet_store::{Memory, Store, StoreError};

/// What the next commit of an intent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Says that something no longer holds.
    Conflict,
    /// Says that too much waits.
    Busy,
    /// Says that it cannot be used, and keeps nothing.
    Unavailable,
    /// Keeps the changes and says that it cannot be used: nobody knows what is on disk.
    KeptButUnavailable,
}

/// A store in memory with faults to come.
#[derive(Debug, Default)]
pub struct Faulty {
    memory: Memory,
    faults: Mutex<VecDeque<Fault>>,
    blind: Mutex<bool>,
    /// Kept though it was said that they are not.
    kept: Mutex<Vec<Intent>>,
}

impl Faulty {
    /// A store that fails so, once each, in this order, at commits of intents.
    pub fn with(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self { faults: Mutex::new(faults.into_iter().collect()), ..Self::default() }
    }

    /// From now on nothing can be read.
    pub fn go_blind(&self) {
        *self.blind.lock().expect("nobody panics here") = true;
    }

    /// The store behind the faults.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }
}

impl Store for Faulty {
    async fn load(&self, needs: &Needs) -> Result<Remembered, StoreError> {
        if *self.blind.lock().expect("nobody panics here") {
            return Err(StoreError::Unavailable("it is blind".to_owned()));
        }
        self.memory.load(needs).await
    }

    async fn commit<D: Durability>(&self, changes: Changes) -> Result<Receipt<D>, StoreError> {
        let fault =
            changes.intent.as_ref().and_then(|_| self.faults.lock().expect("nobody panics here").pop_front());
        match fault {
            None => self.memory.commit(changes).await,
            Some(Fault::Conflict) => {
                let moved = Precondition::Generations(Generations::default());
                Err(StoreError::Conflict(changes.require.into_iter().next().unwrap_or(moved)))
            }
            Some(Fault::Busy) => Err(StoreError::Busy),
            Some(Fault::Unavailable) => Err(StoreError::Unavailable("it fails".to_owned())),
            Some(Fault::KeptButUnavailable) => {
                let intent = changes.intent.clone();
                self.memory.commit::<D>(changes).await?;
                self.kept.lock().expect("nobody panics here").extend(intent);
                Err(StoreError::Unavailable("it fails after the fact".to_owned()))
            }
        }
    }

    async fn open_intent(&self, call: CallId) -> Result<Option<Intent>, StoreError> {
        self.memory.open_intent(call).await
    }

    async fn mend(&self) -> Result<Vec<Intent>, StoreError> {
        Ok(std::mem::take(&mut *self.kept.lock().expect("nobody panics here")))
    }
}
