//! The SQLite store: what passes the mirror is written by one thread, in groups, each one transaction.
//!
//! A commit checks its preconditions in memory and queues its writing under the same lock; the writer takes
//! everything that waits, writes it in order and flushes once. A caller that needs `Durable` waits for that
//! flush, so the flush itself is the batching window. After any failing statement the store is poisoned:
//! nothing more is written or read, and every call is refused until a process opens the directory afresh.
//!
//! Start at [`Sqlite::open`]. [`Reader`] looks at the records without disturbing the node that owns them.

mod reader;
mod writer;

use std::{
    fs::{self, File, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Sender, channel},
    },
    thread::JoinHandle,
};

use parking_lot::Mutex;
use placet_engine::{
    call::DigestKey,
    permit::{Durability, Receipt},
    state::{Changes, Intent, Needs, Remembered},
};
use tokio::sync::oneshot;

pub use reader::{Entry, Reader};

use crate::{Store, StoreError, mirror::Mirror};

/// Commits that may wait to be written. Beyond it a new call is answered `busy`; how a call ended, and a stop,
/// are always taken, and there are never more of them than calls that were let in.
const QUEUE: usize = 1_024;

/// A store in a state directory, which this process alone owns.
#[derive(Debug)]
pub struct Sqlite {
    inner: Mutex<Inner>,
    waiting: Arc<AtomicUsize>,
    poison: Arc<OnceLock<String>>,
    writer: Option<JoinHandle<()>>,
    key: DigestKey,
    _lock: File,
}

#[derive(Debug)]
struct Inner {
    mirror: Mirror,
    queue: Option<Sender<Job>>,
}

/// Changes on their way to disk, and who waits for them.
#[derive(Debug)]
struct Job {
    changes: Changes,
    done: Option<oneshot::Sender<Result<(), String>>>,
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
            OpenError::Format { path, what } => write!(f, "cannot use `{}`: {what}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OpenError::Io { cause, .. } => Some(cause),
            OpenError::Database { cause, .. } => Some(cause),
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
    /// The directory is made readable by its owner alone.
    ///
    /// # Errors
    ///
    /// [`OpenError`] says what is in the way; then nothing was changed.
    pub fn open(directory: &Path) -> Result<Opened, OpenError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |cause| OpenError::Io { path, cause }
        };
        make_private(directory).map_err(io(directory))?;
        let lock = take_lock(directory)?;
        let key_path = directory.join("key");
        let key = digest_key(&key_path).map_err(io(&key_path))?;
        let path = directory.join("placet.db");
        let (connection, mirror, left_open) = writer::open(&path)?;

        let poison = Arc::new(OnceLock::new());
        let (queue, jobs) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let (left, spoiled) = (Arc::clone(&waiting), Arc::clone(&poison));
        let writer = std::thread::Builder::new()
            .name("placet-writer".to_owned())
            .spawn(move || writer::run(connection, &jobs, &left, &spoiled))
            .map_err(io(&path))?;
        let inner = Mutex::new(Inner { mirror, queue: Some(queue) });
        let store = Sqlite { inner, waiting, poison, writer: Some(writer), key, _lock: lock };
        Ok(Opened { store, left_open })
    }

    /// The key under which digests in this directory's records are made.
    pub fn key(&self) -> &DigestKey {
        &self.key
    }

    /// Why the store can no longer be used, if it cannot.
    pub fn poisoned(&self) -> Option<&str> {
        self.poison.get().map(String::as_str)
    }

    /// Writes what is queued and lets go of the directory.
    pub fn close(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        self.inner.get_mut().queue = None;
        if let Some(writer) = self.writer.take() {
            // The writer catches its own failures; a panic there has poisoned nothing that still matters.
            drop(writer.join());
        }
    }

    /// Serves nothing from here on, for this reason or an earlier one.
    fn spoil(&self, why: &str) -> StoreError {
        StoreError::Unavailable(self.poison.get_or_init(|| why.to_owned()).clone())
    }

    fn usable(&self) -> Result<(), StoreError> {
        self.poison.get().map_or(Ok(()), |why| Err(StoreError::Unavailable(why.clone())))
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
        Ok(self.inner.lock().mirror.load(needs))
    }

    async fn commit<D: Durability>(&self, mut changes: Changes) -> Result<Receipt<D>, StoreError> {
        self.usable()?;
        let intent = changes.intent.as_ref().map(|intent| intent.call);
        let (done, written) = oneshot::channel();
        let written = {
            let mut inner = self.inner.lock();
            inner.mirror.check(&changes).map_err(StoreError::Conflict)?;
            let admits = changes.outcome.is_none() && changes.stop.is_none();
            if admits && self.waiting.load(Ordering::Relaxed) >= QUEUE {
                return Err(StoreError::Busy);
            }
            // Applied and queued under one lock: memory and disk see one order. If there is no writer to queue
            // for, the store is spoiled, and what memory says no longer matters.
            inner.mirror.apply(&mut changes);
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let queue = inner.queue.as_ref().ok_or_else(|| self.spoil("it is closing"))?;
            queue
                .send(Job { changes, done: D::ON_DISK.then_some(done) })
                .map_err(|_| self.spoil("its writer is gone"))?;
            written
        };
        if D::ON_DISK {
            match written.await {
                Ok(Ok(())) => {}
                Ok(Err(why)) => return Err(StoreError::Unavailable(why)),
                Err(_) => return Err(self.spoil("its writer is gone")),
            }
        }
        #[expect(clippy::disallowed_methods, reason = "queued, and if it had to be, flushed")]
        Ok(Receipt::attest(intent))
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
