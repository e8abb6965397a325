//! A store that forgets when the process ends: for tests, and for a boundary without a state directory.
//!
//! `Durable` means here what it can mean: as durable as the process. The records are kept up to a bound, the
//! oldest go first, and so do results that are kept to be handed out again. Keys are never forgotten before their
//! time, so there is a bound to how many may be claimed.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use placet_engine::{
    call::CallId,
    limits,
    permit::{Durability, Receipt},
    record::Record,
    state::{Changes, Intent, Needs, Remembered},
};

use crate::{Store, StoreError, mirror::Mirror};

/// Records kept in memory; a write-through store keeps all.
const RECORDS: usize = 10_000;

/// Keys that may be claimed at a time.
const KEYS: usize = 100_000;

/// A store in memory.
#[derive(Debug, Default)]
pub struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    mirror: Mirror,
    records: VecDeque<Record>,
    /// Intents without a final outcome.
    open: HashMap<CallId, Intent>,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The records kept, oldest first.
    pub fn records(&self) -> Vec<Record> {
        self.inner.lock().records.iter().cloned().collect()
    }
}

impl Store for Memory {
    async fn load(&self, needs: &Needs) -> Result<Remembered, StoreError> {
        Ok(self.inner.lock().mirror.load(needs))
    }

    async fn commit<D: Durability>(&self, mut changes: Changes) -> Result<Receipt<D>, StoreError> {
        let texts = changes.records.iter().map(|record| record.to_json().canonical());
        if let Some(text) = texts.into_iter().find(|text| text.len() > limits::RECORD_BYTES) {
            return Err(StoreError::TooLarge(text.len()));
        }
        let mut inner = self.inner.lock();
        inner.mirror.resolve(&mut changes);
        inner.mirror.check(&changes).map_err(StoreError::Conflict)?;
        if let Some(intent) = changes.intent.as_ref().filter(|intent| intent.claim.is_some())
            && inner.mirror.keys.len() >= KEYS
        {
            inner.mirror.keys.sweep(intent.at);
            if inner.mirror.keys.len() >= KEYS {
                return Err(StoreError::Busy);
            }
        }
        inner.mirror.apply(&changes);
        inner.mirror.keys.shed();
        #[expect(clippy::disallowed_methods, reason = "the changes are in, as durable as this process")]
        let receipt = Receipt::attest(changes.intent.as_ref());
        if let Some(intent) = changes.intent {
            inner.open.insert(intent.call, intent);
        }
        if let Some(settled) = changes.settled.filter(|settled| settled.ending.is_final()) {
            inner.open.remove(&settled.call);
        }
        inner.records.extend(changes.records);
        while inner.records.len() > RECORDS {
            inner.records.pop_front();
        }
        Ok(receipt)
    }

    async fn open_intent(&self, call: CallId) -> Result<Option<Intent>, StoreError> {
        Ok(self.inner.lock().open.get(&call).cloned())
    }

    async fn mend(&self) -> Result<Vec<Intent>, StoreError> {
        Ok(Vec::new())
    }
}
