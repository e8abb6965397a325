//! Placet's stores: what the boundary remembers between calls.
//!
//! One trait, two verbs. [`Store::load`] reads one consistent picture; [`Store::commit`] writes changes and
//! their records together, or nothing, and answers with the receipt without which no permit can be made. Both
//! backends keep the same mirror in memory, in which preconditions are checked; [`sqlite::Sqlite`] writes
//! what passes to disk, in the same order, from one thread.
//!
//! Not here: policy, and any opinion on what a record means.

mod memory;
mod mirror;
pub mod sqlite;

use std::{fmt, future::Future};

pub use memory::Memory;
use placet_engine::{
    call::CallId,
    permit::{Durability, Receipt},
    state::{Changes, Intent, Needs, Precondition, Remembered},
};

/// What the boundary remembers between calls.
pub trait Store: Send + Sync + 'static {
    /// Reads everything `needs` names, as of one moment.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if what would be read may not be what was written.
    fn load(&self, needs: &Needs) -> impl Future<Output = Result<Remembered, StoreError>> + Send;

    /// Writes the changes and their records together, or nothing.
    ///
    /// `D` says what the receipt proves: `Durable`, on disk; `Queued`, in the writer's queue.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] names the precondition that does not hold: load and decide again.
    /// [`StoreError::Busy`] if too much waits to be written. [`StoreError::Unavailable`] if it is not certain
    /// that the changes are kept: treat the call as refused.
    fn commit<D: Durability>(
        &self,
        changes: Changes,
    ) -> impl Future<Output = Result<Receipt<D>, StoreError>> + Send;

    /// An allowed call that has no final outcome, as it was allowed: for whoever finds out what became of it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] as for [`Store::load`].
    fn open_intent(&self, call: CallId) -> impl Future<Output = Result<Option<Intent>, StoreError>> + Send;

    /// Tries to be usable again after a failure: opens afresh, verifies, and reads everything anew. A flush that
    /// failed is never tried again. Nothing to do if the store is usable.
    ///
    /// Returned are intents of which the commit was said to have failed, and that are on disk all the same: they
    /// were never sent. Of other intents without an outcome that is not certain: the call may be under way, or
    /// over with an outcome that could not be written. They stay as they are, and the next start finds them.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if it is not usable; it may be tried again later.
    fn mend(&self) -> impl Future<Output = Result<Vec<Intent>, StoreError>> + Send;
}

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// This no longer holds; nothing was written.
    Conflict(Precondition),
    /// More waits to be written than the queue takes; nothing was written.
    Busy,
    /// The disk is nearly full: what remains is for stops, refusals and outcomes. Nothing was written.
    Full,
    /// A record has so many bytes, which is more than any event needs; nothing was written.
    TooLarge(usize),
    /// The store is poisoned or gone; whether this was written is not certain.
    Unavailable(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Conflict(what) => write!(f, "no longer true when it was to be written: {what}"),
            StoreError::Busy => f.write_str("too much waits to be written"),
            StoreError::Full => f.write_str("the disk is nearly full"),
            StoreError::TooLarge(bytes) => write!(f, "its record would have {bytes} bytes"),
            StoreError::Unavailable(why) => write!(f, "the store cannot be used: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}
