//! A store that forgets when the process ends: for tests, and for a boundary without a state directory.
//!
//! `Durable` means here what it can mean: as durable as the process. The records are kept up to a bound, the
//! oldest go first.

use std::collections::VecDeque;

use parking_lot::Mutex;
use placet_engine::{
    permit::{Durability, Receipt},
    record::Record,
    state::{Changes, Needs, Remembered},
};

use crate::{Store, StoreError, mirror::Mirror};

/// Records kept in memory; a write-through store keeps all.
const RECORDS: usize = 10_000;

/// A store in memory.
#[derive(Debug, Default)]
pub struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    mirror: Mirror,
    records: VecDeque<Record>,
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
        let mut inner = self.inner.lock();
        inner.mirror.check(&changes).map_err(StoreError::Conflict)?;
        inner.mirror.apply(&mut changes);
        let intent = changes.intent.as_ref().map(|intent| intent.call);
        inner.records.extend(changes.records);
        while inner.records.len() > RECORDS {
            inner.records.pop_front();
        }
        #[expect(clippy::disallowed_methods, reason = "the changes are in, as durable as this process")]
        Ok(Receipt::attest(intent))
    }
}
