//! Erasing: what is kept beside the records of calls that are over is blanked, and the record that says so is
//! written with it.
//!
//! Arguments and salts of calls go, and results that were kept to be handed out again; what decisions rest on
//! stays: keys, budgets, digests, and every record. A call that is not over keeps everything, since a person or a
//! look-up may need it. Many calls are erased in batches, each a transaction with a record of its own, so that
//! nobody waits long behind one.
//!
//! The freed bytes are overwritten with zeros in the database, and after the last batch the log is folded back and
//! cut. Copies that SQLite left behind when it moved rows go only when the database is written anew
//! ([`Sqlite::rebuild`]). Not here: copies that others made before, backups above all.

use std::time::Duration;

use placet_engine::{call::CallId, limits, record::Record, time::Timestamp};
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::{
    Sqlite, found, questions, rows,
    writer::{Erase, Job, Line},
};
use crate::StoreError;

/// Calls that are erased in one transaction.
const BATCH: usize = 1_024;

/// How long readers in the way of the log are waited for. Whoever waits for a decision waits with us.
const PATIENCE: Duration = Duration::from_millis(250);

/// What is to be erased.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// Calls that were allowed before this moment.
    pub before: Timestamp,
    /// Of those, the ones after this call: where the batch before ended.
    pub after: Option<CallId>,
    /// What is recorded; how many they are is added to it.
    pub record: Record,
}

/// What one batch erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// How many calls' arguments.
    pub calls: u64,
    /// How many kept results.
    pub results: u64,
    /// How many calls before the bound are not over, and keep theirs.
    pub open: u64,
    /// Where the next batch begins; none after the last one.
    pub next: Option<CallId>,
    /// Whether nothing of it is left in the log beside the database. A reader may have been in the way.
    pub is_folded: bool,
}

impl Sqlite {
    /// Blanks arguments, salts and kept results of a batch of calls that are over, and records it, all in one
    /// transaction. It cannot be undone.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if it is not certain whether it was done; asking again is safe.
    /// [`StoreError::Full`] if what room is left is for stops, refusals and outcomes; then nothing was done.
    pub async fn erase(&self, erasure: Erasure) -> Result<Erased, StoreError> {
        self.has_room()?;
        let (done, erased) = oneshot::channel();
        {
            // Under the lock, as everything that is queued: memory and disk see one order.
            let _inner = self.inner.lock();
            self.usable()?;
            if !self.queue.push(Job::Erase(Box::new(Erase { erasure, done }))) {
                return Err(self.spoil("its writer is gone"));
            }
        }
        match erased.await {
            Ok(Ok((erased, calls))) => {
                // Before anybody is told that they are gone: a finished key may still hold its result in memory.
                self.inner.lock().mirror.keys.forget_results_of(&calls);
                Ok(erased)
            }
            Ok(Err(why)) => Err(StoreError::Unavailable(why)),
            Err(_) => Err(self.spoil("its writer is gone")),
        }
    }

    /// Writes the whole database anew, so that no copy of an erased value stands in the room between its rows, where
    /// SQLite leaves some when it moves rows from page to page. Everything waits meanwhile, and the disk must have
    /// room for a second one. Whether nothing is left in the log beside it, either.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if it could not be done. [`StoreError::Full`] if the disk is nearly full.
    pub async fn rebuild(&self) -> Result<bool, StoreError> {
        self.has_room()?;
        let (done, rebuilt) = oneshot::channel();
        {
            let _inner = self.inner.lock();
            if !self.queue.push(Job::Rebuild(done)) {
                return Err(self.spoil("its writer is gone"));
            }
        }
        let rebuilt = rebuilt.await.map_err(|_| self.spoil("its writer is gone"))?;
        rebuilt.map_err(StoreError::Unavailable)
    }

    fn has_room(&self) -> Result<(), StoreError> {
        self.usable()?;
        if self.is_full() { Err(StoreError::Full) } else { Ok(()) }
    }
}

/// Writes the whole database anew, and folds the log back.
pub(super) fn rebuild(connection: &Connection, usual: Duration) -> rusqlite::Result<bool> {
    connection.execute_batch("VACUUM")?;
    fold(connection, usual)
}

/// Erases one batch, with its record; the calls that it was.
pub(super) fn erase(
    connection: &mut Connection,
    erasure: &Erasure,
) -> rusqlite::Result<(Erased, Vec<CallId>)> {
    let before = i64::try_from(erasure.before.0).unwrap_or(i64::MAX);
    overwrite(connection, true)?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let calls = over(&transaction, before, erasure.after)?;
    let mut results = 0_usize;
    for call in &calls {
        transaction
            .prepare_cached(
                "UPDATE intents SET arguments = NULL, salt = NULL, sealed = NULL WHERE call = ?1",
            )?
            .execute([call.as_bytes()])?;
        // Each finds its rows by an index of its own, which one statement for both would not.
        for blank in [
            "UPDATE keys SET result = NULL WHERE call = ?1 AND result IS NOT NULL",
            "UPDATE keys SET sealed = NULL WHERE call = ?1 AND sealed IS NOT NULL",
        ] {
            results += transaction.prepare_cached(blank)?.execute([call.as_bytes()])?;
        }
    }
    let open = transaction.query_row(
        "SELECT count(*) FROM intents WHERE (ending IS NULL OR ending = 'unknown') AND at < ?1",
        [before],
        |row| found::number(row, 0),
    )?;
    let next = if calls.len() == BATCH { calls.last().copied() } else { None };
    let asked = if next.is_none() { questions::erase(&transaction, before)? } else { 0 };
    let erased = Erased { calls: calls.len() as u64, results: results as u64, open, next, is_folded: false };
    // That somebody asked is recorded even if there was nothing; that a batch after others was empty is not.
    if erased.calls > 0 || erasure.after.is_none() {
        let shown = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let record = erasure.record.clone();
        let record = record.with("calls", shown(erased.calls)).with("results", shown(erased.results));
        let record = record.with("questions", shown(asked as u64));
        let text = record.to_json().canonical();
        // Its words are bounded where it is made; a longer one would stand in the way of every seal.
        if text.len() > limits::RECORD_BYTES {
            return Err(rusqlite::Error::InvalidQuery);
        }
        rows::write_line(&transaction, &Line::new(&record, text))?;
    }
    if transaction.is_autocommit() {
        return Err(rusqlite::Error::InvalidQuery);
    }
    transaction.commit()?;
    overwrite(connection, false)?;
    Ok((erased, calls))
}

/// The next calls that are over and have arguments, in the order of their names.
fn over(connection: &Connection, before: i64, after: Option<CallId>) -> rusqlite::Result<Vec<CallId>> {
    let mut calls = connection.prepare_cached(
        "SELECT call FROM intents WHERE call > ?1 AND at < ?2 AND (arguments IS NOT NULL OR sealed IS NOT NULL)
         AND ending IS NOT NULL AND ending <> 'unknown' ORDER BY call LIMIT ?3",
    )?;
    let after = after.as_ref().map_or(&[][..], |call| call.as_bytes().as_slice());
    let rows = calls.query_map(params![after, before, BATCH as i64], |row| found::call_id(row, 0))?;
    rows.collect()
}

/// Whether bytes that are freed are overwritten with zeros from here on.
fn overwrite(connection: &Connection, overwrites: bool) -> rusqlite::Result<()> {
    let word = if overwrites { "ON" } else { "OFF" };
    connection.query_row(&format!("PRAGMA secure_delete = {word}"), [], |_| Ok(()))
}

/// Folds the log back and cuts it to nothing; false if a reader was in the way.
pub(super) fn fold(connection: &Connection, usual: Duration) -> rusqlite::Result<bool> {
    connection.busy_timeout(PATIENCE)?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    connection.busy_timeout(usual)?;
    Ok(busy? == 0)
}
