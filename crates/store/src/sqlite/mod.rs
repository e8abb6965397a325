//! The SQLite store: what passes the mirror is written by one thread, in groups, each one transaction.
//!
//! A commit checks its preconditions in memory and queues its writing under the same lock; the writer takes
//! everything that waits, writes it in order and flushes once. A caller that needs `Durable` waits for that
//! flush, so the flush itself is the batching window. After any failing statement the store is poisoned:
//! nothing more is written or read, and every call is refused until the database has been opened afresh,
//! verified, and read anew ([`Store::mend`]).
//!
//! Start at [`Sqlite::open`]. [`Reader`] looks at the records without disturbing the node that owns them.

mod backup;
mod erase;
mod format;
mod found;
mod log;
mod payload;
mod questions;
mod queue;
mod reader;
mod rows;
mod space;
mod writer;

use std::{
    fs::{self, File, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use parking_lot::{Mutex, RwLock};
use placet_engine::{
    call::{CallId, DigestKey},
    limits,
    permit::{Durability, Receipt},
    state::{Changes, Intent, Needs, Remembered},
    time::Timestamp,
};
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

pub use backup::{BackupError, restore};
pub use erase::{Erased, Erasure};
pub use payload::{KeyId, NotAPayloadKey, PayloadError, PayloadKey, PayloadKeys};
pub use reader::{Call, Entry, Reader, Spending};

use crate::{Store, StoreError, mirror::Mirror};
use found::Unreadable;
use queue::Queue;
use space::Space;
use writer::{After, Job, Line, Shared, Write, Writer};

/// Commits that may wait to be written. Beyond it a new call is answered `busy`; how a call ended, and a stop,
/// are always taken, and there are never more of them than calls that were let in.
const QUEUE: usize = 4_096;

/// A store in a state directory, which this process alone owns.
#[derive(Debug)]
pub struct Sqlite {
    inner: Mutex<Inner>,
    /// Looks for what is no longer in memory.
    look: Mutex<Connection>,
    /// One mends at a time: what a second one reads is old when the first has let calls in.
    mending: tokio::sync::Mutex<()>,
    queue: Arc<Queue>,
    waiting: Arc<AtomicUsize>,
    flushed: Arc<AtomicU64>,
    health: Arc<Health>,
    writer: Option<JoinHandle<()>>,
    key: DigestKey,
    /// What payloads are sealed and read by.
    keys: Arc<PayloadKeys>,
    epoch: Epoch,
    lock: File,
}

#[derive(Debug)]
struct Inner {
    mirror: Mirror,
    /// Whether some finished keys may be on disk and not in memory.
    keys_on_disk: bool,
}

/// Whether the store can be used.
#[derive(Debug, Default)]
struct Health {
    why: RwLock<Option<String>>,
    spoilt: AtomicBool,
    full: AtomicBool,
}

impl Health {
    fn is_sound(&self) -> bool {
        !self.spoilt.load(Ordering::Acquire)
    }

    fn why(&self) -> Option<String> {
        if self.is_sound() { None } else { self.why.read().clone() }
    }

    /// Serves nothing from here on, for this reason or an earlier one.
    fn spoil(&self, why: &str) -> String {
        let why = self.why.write().get_or_insert_with(|| why.to_owned()).clone();
        self.spoilt.store(true, Ordering::Release);
        why
    }

    fn heal(&self) {
        let mut why = self.why.write();
        *why = None;
        self.spoilt.store(false, Ordering::Release);
    }

    fn fill(&self) {
        self.full.store(true, Ordering::Release);
    }

    fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    fn empty(&self) {
        self.full.store(false, Ordering::Release);
    }
}

/// Which life of a state directory this is. A backup that is restored begins another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its number, from 1.
    pub number: u64,
    /// When it was restored from a backup; 0 if it was not, or a person has looked at what was lost.
    pub restored_at: Timestamp,
    /// How far the calendar has been followed; 0 at first.
    pub calendar: Timestamp,
}

/// Why a state directory cannot be used.
#[derive(Debug)]
pub enum OpenError {
    /// Another process owns it; its process id, as far as it can be told.
    Held {
        /// The directory.
        directory: PathBuf,
        /// The holder's process id.
        holder: Option<u32>,
    },
    /// The directory or a file in it cannot be read or written.
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The database cannot be used.
    Database {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        cause: rusqlite::Error,
    },
    /// A call that is not over is encrypted, and cannot be read. Nobody could find out what became of it.
    Sealed {
        /// Which file.
        path: PathBuf,
        /// The call.
        call: CallId,
        /// Why it cannot be read.
        cause: PayloadError,
    },
    /// What stands in the database is not what this version writes.
    Format {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OpenError::Held { directory, holder } => {
                write!(f, "the state directory `{}` is in use", directory.display())?;
                holder.map_or(Ok(()), |pid| write!(f, " by process {pid}"))
            }
            OpenError::Io { path, cause } => write!(f, "cannot use `{}`: {cause}", path.display()),
            OpenError::Database { path, cause } => write!(f, "cannot use `{}`: {cause}", path.display()),
            OpenError::Sealed { path, call, cause } => {
                let path = path.display();
                write!(f, "cannot use `{path}`: the arguments of {call}, which is not over, are {cause}")
            }
            OpenError::Format { path, what } => write!(f, "cannot use `{}`: {what}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OpenError::Io { cause, .. } => Some(cause),
            OpenError::Database { cause, .. } => Some(cause),
            OpenError::Sealed { cause, .. } => Some(cause),
            OpenError::Held { .. } | OpenError::Format { .. } => None,
        }
    }
}

/// A store that has just been opened, and what an earlier process left behind.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Sqlite,
    /// Allowed calls whose outcome nobody recorded, oldest first.
    pub left_open: Vec<Intent>,
}

impl Sqlite {
    /// Takes ownership of `directory`, making it if need be, and reads what decisions depend on.
    ///
    /// The directory is made readable by its owner alone. What is kept of calls is written in plain text.
    ///
    /// # Errors
    ///
    /// [`OpenError`] says what is in the way; then nothing was changed.
    pub fn open(directory: &Path) -> Result<Opened, OpenError> {
        Self::open_with(directory, PayloadKeys::default())
    }

    /// The same, with the keys under which arguments, salts and kept results are encrypted. What stands there in
    /// plain text is read as ever, and stays as it is until it is erased.
    ///
    /// # Errors
    ///
    /// As for [`Sqlite::open`]; [`OpenError::Sealed`] if a call that is not over is encrypted under a key that is
    /// not there.
    ///
    /// ```
    /// # use placet_store::sqlite::{PayloadKey, PayloadKeys, Sqlite};
    /// # let directory = tempfile::tempdir()?;
    /// let keys = PayloadKeys::new(PayloadKey::new(&[7; 32]), []);
    /// let opened = Sqlite::open_with(directory.path(), keys)?;
    /// assert!(opened.store.payloads().id().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open_with(directory: &Path, keys: PayloadKeys) -> Result<Opened, OpenError> {
        let keys = Arc::new(keys);
        let io = |path: &Path| {
            let path = path.to_owned();
            move |cause| OpenError::Io { path, cause }
        };
        make_private(directory).map_err(io(directory))?;
        let lock = take_lock(directory)?;
        let key_path = directory.join("key");
        let key = digest_key(&key_path).map_err(io(&key_path))?;
        let path = directory.join("placet.db");
        let connection = format::open(&path)?;
        let database = |cause| OpenError::Database { path: path.clone(), cause };
        let (mirror, left_open) = found::read(&connection, &keys).map_err(|error| match error {
            Unreadable::Database(cause) => database(cause),
            Unreadable::Sealed(call, cause) => OpenError::Sealed { path: path.clone(), call, cause },
        })?;
        let keys_on_disk = found::has_finished_keys(&connection).map_err(database)?;
        let epoch = backup::epoch(&connection).map_err(database)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let look = Connection::open_with_flags(&path, flags).map_err(database)?;
        format::keep_little(&look).map_err(database)?;
        let space = Space::of(directory);
        space.load();

        let queue = Arc::new(Queue::default());
        let waiting = Arc::new(AtomicUsize::new(0));
        let flushed = Arc::new(AtomicU64::new(0));
        let health = Arc::new(Health::default());
        let shared = Shared {
            queue: Arc::clone(&queue),
            waiting: Arc::clone(&waiting),
            flushed: Arc::clone(&flushed),
            health: Arc::clone(&health),
        };
        let writer = Writer::new(path.clone(), connection, Arc::clone(&keys), space, shared);
        let writer = std::thread::Builder::new()
            .name("placet-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(io(&path))?;
        let inner = Mutex::new(Inner { mirror, keys_on_disk });
        let (look, writer) = (Mutex::new(look), Some(writer));
        let mending = tokio::sync::Mutex::default();
        let store =
            Sqlite { inner, look, mending, queue, waiting, flushed, health, writer, key, keys, epoch, lock };
        Ok(Opened { store, left_open })
    }

    /// Which life of its directory this is.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The key under which digests in this directory's records are made.
    pub fn key(&self) -> &DigestKey {
        &self.key
    }

    /// The keys that payloads are encrypted under.
    pub fn payloads(&self) -> &PayloadKeys {
        &self.keys
    }

    /// Why the store can no longer be used, if it cannot.
    pub fn poisoned(&self) -> Option<String> {
        self.health.why()
    }

    /// Whether the disk is so full that no call is taken.
    pub fn is_full(&self) -> bool {
        self.health.is_full()
    }

    /// Writes what is queued and lets go of the directory.
    pub fn close(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            // The writer catches its own failures; a panic there has poisoned nothing that still matters.
            drop(writer.join());
        }
        // Let go of by word and not only by closing: a child that another thread has just forked holds the same open
        // file until it has become its program.
        self.lock.unlock().unwrap_or_default();
    }

    fn spoil(&self, why: &str) -> StoreError {
        StoreError::Unavailable(self.health.spoil(why))
    }

    fn usable(&self) -> Result<(), StoreError> {
        self.health.why().map_or(Ok(()), |why| Err(StoreError::Unavailable(why)))
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Store for Sqlite {
    async fn load(&self, needs: &Needs) -> Result<Remembered, StoreError> {
        self.usable()?;
        let (mut remembered, keys_on_disk) = {
            let inner = self.inner.lock();
            (inner.mirror.load(needs), inner.keys_on_disk)
        };
        // After the look into memory: what was put away in between is told from the number that it gave.
        if let Some(key) = needs.key.filter(|_| remembered.key.is_none() && keys_on_disk) {
            let found = found::finished_key(&self.look.lock(), &self.keys, key);
            remembered.key = found
                .map_err(|error| StoreError::Unavailable(format!("a key cannot be looked up: {error}")))?;
        }
        Ok(remembered)
    }

    async fn commit<D: Durability>(&self, mut changes: Changes) -> Result<Receipt<D>, StoreError> {
        self.usable()?;
        // As text here and not in the writer's thread, of which there is one.
        let as_text = |changes: &Changes| -> Vec<_> {
            changes.records.iter().map(|record| record.to_json().canonical()).collect()
        };
        let mut texts = as_text(&changes);
        if let Some(text) = texts.iter().find(|text| text.len() > limits::RECORD_BYTES) {
            return Err(StoreError::TooLarge(text.len()));
        }
        // Here too, and not under the lock. What is sealed does not move with the session that changes go to.
        let sealed = self.keys.seal(&changes).map_err(StoreError::Unavailable)?;
        let (done, written) = oneshot::channel();
        let (written, receipt, freed) = {
            let mut inner = self.inner.lock();
            // Once more, under the lock under which it is mended.
            self.usable()?;
            if inner.mirror.resolve(&mut changes) {
                texts = as_text(&changes);
            }
            inner.mirror.check(&changes).map_err(StoreError::Conflict)?;
            // Whoever only waits for what is queued already adds nothing to it.
            let admits = changes.settled.is_none() && changes.stop.is_none() && changes != Changes::default();
            if admits && self.waiting.load(Ordering::Relaxed) >= QUEUE {
                return Err(StoreError::Busy);
            }
            if changes.intent.is_some() && self.health.is_full() {
                return Err(StoreError::Full);
            }
            // Applied and queued under one lock: memory and disk see one order. If there is no writer to queue
            // for, the store is spoiled, and what memory says no longer matters.
            inner.mirror.apply(&changes);
            #[expect(
                clippy::disallowed_methods,
                reason = "handed out only once queued, and if need be flushed"
            )]
            let receipt = Receipt::attest(changes.intent.as_ref());
            let about = changes.step.as_ref().map(|step| &step.key);
            let about = about.or(changes.settled.as_ref().and_then(|s| s.heard.as_ref().map(|(key, _)| key)));
            let session = about.and_then(|key| {
                let (session, trail) = inner.mirror.session(key)?;
                Some(After { key: key.clone(), session: session.clone(), trail })
            });
            let before = inner.mirror.keys.put_away();
            inner.mirror.keys.tidy(self.flushed.load(Ordering::Acquire));
            inner.keys_on_disk |= inner.mirror.keys.put_away() > before;
            self.waiting.fetch_add(1, Ordering::Relaxed);
            // What was only to be checked, and records beside their texts, are freed here and not by the writer,
            // of which there is one.
            let freed = (std::mem::take(&mut changes.require), std::mem::take(&mut changes.records));
            let lines = freed.1.iter().zip(texts).map(|(record, text)| Line::new(record, text)).collect();
            let done = D::ON_DISK.then_some(done);
            let write = Write { changes, sealed, session, lines, done };
            if !self.queue.push(Job::Write(Box::new(write))) {
                return Err(self.spoil("its writer is gone"));
            }
            (written, receipt, freed)
        };
        drop(freed);
        if D::ON_DISK {
            match written.await {
                Ok(Ok(())) => {}
                Ok(Err(why)) => return Err(StoreError::Unavailable(why)),
                Err(_) => return Err(self.spoil("its writer is gone")),
            }
        }
        Ok(receipt)
    }

    async fn open_intent(&self, call: CallId) -> Result<Option<Intent>, StoreError> {
        // What is queued may be the intent that is asked for, or its end.
        self.commit::<placet_engine::permit::Durable>(Changes::default()).await?;
        let found = found::call(&self.look.lock(), &self.keys, call);
        let unavailable = |why: String| StoreError::Unavailable(format!("a call cannot be read: {why}"));
        let found = found.map_err(|error| unavailable(error.to_string()))?;
        match found.filter(|call| call.ending.is_none_or(|ending| !ending.is_final())) {
            None => Ok(None),
            Some(Call { unreadable: Some(why), .. }) => Err(unavailable(format!("it is {why}"))),
            Some(Call { intent, ending: _, unreadable: None }) => Ok(Some(intent)),
        }
    }

    async fn mend(&self) -> Result<Vec<Intent>, StoreError> {
        let _alone = self.mending.lock().await;
        if self.health.is_sound() {
            return Ok(Vec::new());
        }
        let (done, mended) = oneshot::channel();
        {
            let _inner = self.inner.lock();
            if !self.queue.push(Job::Mend(done)) {
                return Err(self.spoil("its writer is gone"));
            }
        }
        let unavailable =
            |why: &str| StoreError::Unavailable(format!("it could not be opened afresh: {why}"));
        let mended = mended.await.map_err(|_| unavailable("its writer is gone"))?;
        let mut mended = mended.map_err(|why| unavailable(&why))?;
        let mut inner = self.inner.lock();
        mended.mirror.go_on_after(&inner.mirror);
        // Nothing was queued since: whoever commits is told that it is spoilt before this lock, and under it.
        inner.mirror = mended.mirror;
        inner.keys_on_disk |= mended.has_finished_keys;
        self.flushed.store(0, Ordering::Release);
        self.health.heal();
        Ok(mended.never_sent)
    }
}

/// Makes `directory`, for its owner alone.
fn make_private(directory: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
    }
    #[cfg(not(unix))]
    fs::create_dir_all(directory)
}

fn take_lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join("lock");
    let io = |cause| OpenError::Io { path: path.clone(), cause };
    let mut file =
        File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let holder = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(OpenError::Held { directory: directory.to_owned(), holder });
        }
        Err(TryLockError::Error(cause)) => return Err(io(cause)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(io)?;
    Ok(file)
}

/// Reads the directory's key, or draws one and makes it durable before anything is digested under it.
fn digest_key(path: &Path) -> std::io::Result<DigestKey> {
    match fs::read(path) {
        Ok(bytes) => {
            let secret: [u8; 32] = bytes
                .try_into()
                .map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidData, "a key has 32 bytes"))?;
            Ok(DigestKey::new(&secret))
        }
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            let mut secret = [0_u8; 32];
            getrandom::fill(&mut secret).map_err(std::io::Error::other)?;
            let mut options = File::options();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            // Written beside and renamed, so that a crash leaves a whole key or none.
            let half = path.with_extension("new");
            match fs::remove_file(&half) {
                Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => return Err(cause),
                Ok(()) | Err(_) => {}
            }
            let mut file = options.open(&half)?;
            file.write_all(&secret)?;
            file.sync_all()?;
            fs::rename(&half, path)?;
            if let Some(directory) = path.parent() {
                File::open(directory)?.sync_all()?;
            }
            Ok(DigestKey::new(&secret))
        }
        Err(cause) => Err(cause),
    }
}
