//! The writer: one thread, one connection, one transaction for everything that waits.
//!
//! It never decides anything: what reaches it has passed the mirror's preconditions. Any statement that fails
//! spoils the store, because what is on disk is then not what memory says; flushes are never tried again. A
//! store that is spoilt is mended by another connection, which reads everything anew.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use placet_engine::{
    call::CallId,
    policy::config::terms::Flush,
    record::{Kind, Record},
    session::{Session, SessionKey},
    state::{Changes, Intent},
    time::Timestamp,
};
use rusqlite::{Connection, ErrorCode, config::DbConfig};
use tokio::sync::oneshot;

use super::{
    Health,
    erase::{self, Erased, Erasure},
    format, found,
    log::{self, Log},
    payload::{PayloadKeys, Sealed},
    queue::{Queue, Taken},
    rows,
    space::Space,
};
use crate::mirror::{Mirror, Trail};

/// With nothing to write for this long, the write-ahead log is folded back into the database.
const IDLE: Duration = Duration::from_millis(200);

/// How long what nobody waits for, and the system has, may wait for a flush. The next commit that somebody waits
/// for flushes it too; so a caller's outcome does not hold up the caller's next call.
const LINGER: Duration = Duration::from_millis(20);

/// What reaches the writer.
#[derive(Debug)]
pub(super) enum Job {
    /// Changes on their way to disk.
    Write(Box<Write>),
    /// Erase what is kept beside records.
    Erase(Box<Erase>),
    /// Write the database anew, so that nothing stands between its rows.
    Rebuild(oneshot::Sender<Result<bool, String>>),
    /// Open the database afresh, if it can be trusted.
    Mend(oneshot::Sender<Result<Mended, String>>),
}

/// Changes on their way to disk, and who waits for them.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) changes: Changes,
    /// What of them is written sealed.
    pub(super) sealed: Sealed,
    /// The session that they are about, as it is after them.
    pub(super) session: Option<After>,
    /// Their records, which are no longer in them.
    pub(super) lines: Vec<Line>,
    pub(super) done: Option<oneshot::Sender<Result<(), String>>>,
}

/// What is to be erased, and who waits for it.
#[derive(Debug)]
pub(super) struct Erase {
    pub(super) erasure: Erasure,
    pub(super) done: oneshot::Sender<Result<(Erased, Vec<CallId>), String>>,
}

impl Job {
    /// Whether it is done at once: somebody waits for it, or it stops something.
    pub(super) fn is_urgent(&self) -> bool {
        match self {
            Job::Write(write) => write.done.is_some() || write.changes.stop.is_some(),
            Job::Erase(_) | Job::Rebuild(_) | Job::Mend(_) => true,
        }
    }
}

/// Lets go of the queue when the writer ends, also if it panics.
struct Abandons<'a>(&'a Queue);

impl Drop for Abandons<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// A session as it is after changes.
#[derive(Debug)]
pub(super) struct After {
    pub(super) key: SessionKey,
    pub(super) session: Session,
    pub(super) trail: Trail,
}

/// A record on its way to disk.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) at: Timestamp,
    pub(super) kind: Kind,
    pub(super) call: Option<CallId>,
    pub(super) text: String,
}

impl Line {
    /// A record and how it reads.
    pub(super) fn new(record: &Record, text: String) -> Self {
        Self { at: record.at, kind: record.kind, call: record.call, text }
    }
}

/// What is on disk after a failure.
#[derive(Debug)]
pub(super) struct Mended {
    pub(super) mirror: Mirror,
    /// Intents whose commit was said to have failed.
    pub(super) never_sent: Vec<Intent>,
    pub(super) has_finished_keys: bool,
}

/// What the writer and those who commit both see.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Arc<Queue>,
    pub(super) waiting: Arc<AtomicUsize>,
    pub(super) flushed: Arc<AtomicU64>,
    pub(super) health: Arc<Health>,
}

/// The writer's own.
pub(super) struct Writer {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    /// What is read anew by, after a failure.
    pub(super) keys: Arc<PayloadKeys>,
    pub(super) space: Space,
    queue: Arc<Queue>,
    pub(super) waiting: Arc<AtomicUsize>,
    pub(super) flushed: Arc<AtomicU64>,
    pub(super) health: Arc<Health>,
    log: Log,
    flush: Flush,
    /// Since when something that is written is not flushed, and how many commits that is.
    unflushed: Option<Instant>,
    behind: u64,
    latest: Timestamp,
    /// Calls whose intent was said not to be kept, so that nothing was sent. Whether it is on disk is not known.
    refused: HashSet<CallId>,
}

impl Writer {
    pub(super) fn new(
        path: PathBuf,
        connection: Connection,
        keys: Arc<PayloadKeys>,
        space: Space,
        shared: Shared,
    ) -> Self {
        let log = Log::of(&path, space.held());
        let Shared { queue, waiting, flushed, health } = shared;
        Self {
            path,
            connection,
            keys,
            space,
            queue,
            waiting,
            flushed,
            health,
            log,
            flush: Flush::Disk,
            unflushed: None,
            behind: 0,
            latest: Timestamp(0),
            refused: HashSet::new(),
        }
    }

    /// Writes until the queue is closed.
    pub(super) fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        // However it ends, nobody waits for it after that.
        let _abandons = Abandons(&queue);
        let mut pause = Some(IDLE);
        loop {
            match queue.take(pause) {
                Taken::Jobs(jobs) => self.work_through(jobs),
                Taken::Nothing if self.unflushed.is_some() => self.catch_up(),
                Taken::Nothing => {
                    self.rest();
                    pause = None;
                    continue;
                }
                Taken::Closed => break,
            }
            pause = Some(if self.unflushed.is_some() { LINGER } else { IDLE });
        }
        if self.health.is_sound() {
            self.rest();
        } else {
            self.leave_the_log();
        }
    }

    fn work_through(&mut self, jobs: Vec<Job>) {
        let mut group = Vec::with_capacity(jobs.len());
        for job in jobs {
            match job {
                Job::Write(write) => group.push(*write),
                // What is erased is recorded, whether or not whoever asked is still there to hear of it.
                Job::Erase(erase) => {
                    self.write(std::mem::take(&mut group));
                    drop(erase.done.send(self.erase(&erase.erasure)));
                }
                Job::Rebuild(done) => {
                    self.write(std::mem::take(&mut group));
                    drop(done.send(self.rebuild()));
                }
                Job::Mend(done) => {
                    self.write(std::mem::take(&mut group));
                    // Whoever asked may be gone; then the store stays as it is, spoilt, until somebody asks again.
                    drop(done.send(self.mend()));
                }
            }
        }
        self.write(group);
        if self.health.is_sound() && self.log.is_long() {
            self.fold();
        }
    }

    fn write(&mut self, group: Vec<Write>) {
        if group.is_empty() {
            return;
        }
        let written = match self.health.why() {
            Some(why) => Err(why),
            None => self.try_write(&group).map_err(|error| self.fail("writing to it", &error)),
        };
        self.waiting.fetch_sub(group.len(), Ordering::Relaxed);
        if written.is_ok() {
            self.behind += group.len() as u64;
            if self.unflushed.is_none() {
                self.has_flushed();
            }
            if !self.refused.is_empty() {
                for intent in group.iter().filter_map(|write| write.changes.intent.as_ref()) {
                    self.refused.remove(&intent.call);
                }
            }
        } else {
            // Who waits is told that it failed. Who does not wait has gone on long ago.
            let waits = group.iter().filter(|write| write.done.is_some());
            self.refused.extend(waits.filter_map(|write| Some(write.changes.intent.as_ref()?.call)));
        }
        for done in group.into_iter().filter_map(|write| write.done) {
            // Nobody waits any more if the caller was cancelled; the changes stand all the same.
            drop(done.send(written.clone()));
        }
        // Not only in idle moments: whoever is refused while it is full may ask again and again.
        if self.health.is_sound() {
            self.look_for_space();
        }
    }

    fn try_write(&mut self, group: &[Write]) -> rusqlite::Result<()> {
        // Those who wait say how; what nobody waits for goes along with a flush that comes soon.
        let mut waited = group.iter().filter(|write| write.done.is_some());
        let asked = waited.any(|write| write.changes.flush == Flush::Disk);
        let overdue = self.unflushed.is_some_and(|since| since.elapsed() >= LINGER);
        let flush = if asked || overdue { Flush::Disk } else { Flush::System };
        self.set(flush)?;
        let transaction =
            self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut last = HashMap::new();
        for (at, write) in group.iter().enumerate() {
            if let Some(after) = &write.session {
                last.insert(&after.key, at);
            }
        }
        for (at, write) in group.iter().enumerate() {
            if let Some(after) = write.session.as_ref().filter(|after| last.get(&after.key) == Some(&at)) {
                rows::write_session(&transaction, after)?;
            }
            rows::write(&transaction, write)?;
            // Some errors end the transaction behind our back; a COMMIT would then report success for nothing.
            if transaction.is_autocommit() {
                return Err(rusqlite::Error::InvalidQuery);
            }
            self.latest = match (write.changes.calendar, write.lines.last()) {
                (Some(accepted), _) => accepted,
                (None, Some(line)) => self.latest.max(line.at),
                (None, None) => self.latest,
            };
        }
        let size = log::size(&transaction)?;
        transaction.commit()?;
        self.log.has_grown(&self.connection, size)?;
        self.unflushed = match flush {
            Flush::Disk => None,
            Flush::System => self.unflushed.or_else(|| Some(Instant::now())),
        };
        Ok(())
    }

    /// Erases a batch; after the last one, nothing of it stays in the log either.
    fn erase(&mut self, erasure: &Erasure) -> Result<(Erased, Vec<CallId>), String> {
        if let Some(why) = self.health.why() {
            return Err(why);
        }
        let erased = self.set(Flush::Disk).and_then(|()| erase::erase(&mut self.connection, erasure));
        let grown = erased.and_then(|erased| {
            let size = log::size(&self.connection)?;
            self.log.has_grown(&self.connection, size)?;
            Ok(erased)
        });
        let (mut erased, calls) = grown.map_err(|error| self.fail("erasing in it", &error))?;
        self.has_flushed();
        if erased.next.is_none() {
            let folded = erase::fold(&self.connection, format::BUSY);
            erased.is_folded = folded.map_err(|error| self.fail("folding its log back", &error))?;
        }
        Ok((erased, calls))
    }

    /// Writes the database anew; whether the log could be cut after it.
    fn rebuild(&mut self) -> Result<bool, String> {
        if let Some(why) = self.health.why() {
            return Err(why);
        }
        let rebuilt = self.set(Flush::Disk).and_then(|()| erase::rebuild(&self.connection, format::BUSY));
        let is_folded = rebuilt.map_err(|error| self.fail("writing it anew", &error))?;
        self.has_flushed();
        self.log = Log::of(&self.path, self.space.held());
        Ok(is_folded)
    }

    /// From here on a commit is flushed, or only handed to the system.
    fn set(&mut self, flush: Flush) -> rusqlite::Result<()> {
        if flush != self.flush {
            let level = match flush {
                Flush::Disk => "FULL",
                Flush::System => "NORMAL",
            };
            self.connection.execute_batch(&format!("PRAGMA synchronous = {level}"))?;
            self.flush = flush;
        }
        Ok(())
    }

    /// All that is written is on disk.
    fn has_flushed(&mut self) {
        self.unflushed = None;
        self.flushed.fetch_add(std::mem::take(&mut self.behind), Ordering::Release);
    }

    /// Flushes what nobody waits for.
    fn catch_up(&mut self) {
        self.unflushed = None;
        if !self.health.is_sound() {
            return;
        }
        // The log is flushed whole, by whatever is written to it.
        let flushed = self.set(Flush::Disk).and_then(|()| rows::mark_calendar(&self.connection, self.latest));
        match flushed {
            Ok(_) => self.has_flushed(),
            Err(error) => drop(self.fail("flushing it", &error)),
        }
    }

    /// A statement has failed.
    fn fail(&self, what: &str, error: &rusqlite::Error) -> String {
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
            self.health.fill();
        }
        self.health.spoil(&format!("{what} failed: {error}"))
    }

    /// What is done when there is nothing to do.
    fn rest(&mut self) {
        if !self.health.is_sound() {
            return;
        }
        if !self.log.is_folded() {
            let tidied = self
                .set(Flush::Disk)
                .and_then(|()| rows::forget_keys(&self.connection, self.latest))
                .and_then(|_| rows::mark_calendar(&self.connection, self.latest));
            match tidied {
                Ok(_) => {
                    self.has_flushed();
                    self.fold();
                }
                Err(error) => drop(self.fail("clearing it up", &error)),
            }
        }
        self.look_for_space();
    }

    fn look_for_space(&self) {
        if self.health.is_full() && self.space.is_enough() {
            self.space.load();
            self.health.empty();
        }
    }

    /// Folds the log back. A reader in the way only postpones it; an error spoils the store like any other.
    fn fold(&mut self) {
        if let Err(error) = self.log.fold(&self.connection) {
            self.fail("folding its log back", &error);
        }
    }

    /// Closing would fold the log back, which is one more use of a file that has failed. Whoever opens the
    /// directory next reads the log as it is; if even this setting cannot be made, so it will be.
    fn leave_the_log(&self) {
        drop(self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true));
    }

    /// Opens the database by another connection and holds it for good only if it can be verified and read.
    fn mend(&mut self) -> Result<Mended, String> {
        if self.health.is_full() {
            self.space.throw_off();
        }
        self.leave_the_log();
        let text = |error: rusqlite::Error| error.to_string();
        let fresh = format::open(&self.path).map_err(|error| error.to_string())?;
        format::verify(&fresh)?;
        let (mirror, mut never_sent) = found::read(&fresh, &self.keys).map_err(|error| error.to_string())?;
        never_sent.retain(|intent| self.refused.contains(&intent.call));
        self.refused = never_sent.iter().map(|intent| intent.call).collect();
        let has_finished_keys = found::has_finished_keys(&fresh).map_err(text)?;
        self.connection = fresh;
        self.flush = Flush::Disk;
        (self.unflushed, self.behind) = (None, 0);
        self.log = Log::of(&self.path, self.space.held());
        self.look_for_space();
        Ok(Mended { mirror, never_sent, has_finished_keys })
    }
}
