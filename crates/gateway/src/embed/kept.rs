//! Either store, chosen once: in memory until the process ends, or in a state directory.

use std::path::Path;

use placet_engine::{
    call::{CallId, DigestKey},
    permit::{Durability, Receipt},
    state::{Changes, Intent, Needs, Remembered},
};
use placet_store::{
    Memory, Store, StoreError,
    sqlite::{Opened, PayloadKeys, Sqlite},
};

use super::BuildError;

pub(super) type Opening = (Kept, DigestKey, Vec<Intent>);

/// Opens a state directory, or begins in memory under a key of its own.
pub(super) fn open(state: Option<&Path>, keys: PayloadKeys) -> Result<Opening, BuildError> {
    let Some(directory) = state else {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)
            .map_err(|cause| BuildError::Store(StoreError::Unavailable(cause.to_string())))?;
        return Ok((Kept::Memory(Box::default()), DigestKey::new(&secret), Vec::new()));
    };
    let Opened { store, left_open } = Sqlite::open_with(directory, keys).map_err(BuildError::Open)?;
    let key = store.key().clone();
    Ok((Kept::Sqlite(Box::new(store)), key, left_open))
}

/// Either store, chosen once.
#[derive(Debug)]
pub enum Kept {
    /// Until the process ends.
    Memory(Box<Memory>),
    /// In a state directory.
    Sqlite(Box<Sqlite>),
}

impl Store for Kept {
    async fn open_intent(&self, call: CallId) -> Result<Option<Intent>, StoreError> {
        match self {
            Kept::Memory(store) => store.open_intent(call).await,
            Kept::Sqlite(store) => store.open_intent(call).await,
        }
    }

    async fn mend(&self) -> Result<Vec<Intent>, StoreError> {
        match self {
            Kept::Memory(store) => store.mend().await,
            Kept::Sqlite(store) => store.mend().await,
        }
    }

    async fn load(&self, needs: &Needs) -> Result<Remembered, StoreError> {
        match self {
            Kept::Memory(store) => store.load(needs).await,
            Kept::Sqlite(store) => store.load(needs).await,
        }
    }

    async fn commit<D: Durability>(&self, changes: Changes) -> Result<Receipt<D>, StoreError> {
        match self {
            Kept::Memory(store) => store.commit(changes).await,
            Kept::Sqlite(store) => store.commit(changes).await,
        }
    }
}
