//! Backups: a copy of the store at one moment, and going on from it in another epoch.
//!
//! After a restore nobody here knows which calls were made between the backup and the loss. So a restored store
//! begins a new epoch, in which a call under a key that might have been claimed in that time is refused as
//! unknown, until the key would have lapsed or a person has looked.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use placet_engine::{
    json::Json,
    record::{Kind, Record},
    time::Timestamp,
};
use rusqlite::Connection;

use super::{Epoch, OpenError, format, found::number};

/// Why a backup was not made or not restored.
#[derive(Debug)]
pub enum BackupError {
    /// Something is in the way.
    Open(OpenError),
    /// There is something already where it would go.
    Exists(PathBuf),
    /// A file cannot be read or written.
    Io(PathBuf, std::io::Error),
    /// SQLite says no.
    Database(PathBuf, rusqlite::Error),
    /// The copy is not whole.
    Damaged(PathBuf, String),
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackupError::Open(error) => error.fmt(f),
            BackupError::Exists(path) => write!(f, "`{}` exists already", path.display()),
            BackupError::Io(path, cause) => write!(f, "cannot use `{}`: {cause}", path.display()),
            BackupError::Database(path, cause) => write!(f, "cannot use `{}`: {cause}", path.display()),
            BackupError::Damaged(path, what) => write!(f, "`{}` is damaged: {what}", path.display()),
        }
    }
}

impl std::error::Error for BackupError {}

impl From<OpenError> for BackupError {
    fn from(error: OpenError) -> Self {
        BackupError::Open(error)
    }
}

/// The files beside the database that a backup holds, besides the ledger's folder.
const BESIDE: [&str; 3] = ["key", LEDGER_KEY, LEDGER_PUB];

const LEDGER_KEY: &str = "ledger.key";
const LEDGER_PUB: &str = "ledger.pub";
const LOG: &str = "log";

/// The version of the policy last applied: a restored state goes on with the one that it had.
const APPLIED: &str = "applied";

/// Which epoch a database is in.
pub(super) fn epoch(connection: &Connection) -> rusqlite::Result<Epoch> {
    connection.query_row("SELECT number, restored_at, calendar FROM epoch", [], |row| {
        Ok(Epoch {
            number: number(row, 0)?,
            restored_at: Timestamp(number(row, 1)?),
            calendar: Timestamp(number(row, 2)?),
        })
    })
}

impl super::Reader {
    /// Copies the store as of one moment into a new folder `to`, while a node may go on writing.
    ///
    /// # Errors
    ///
    /// [`BackupError`]; then `to` is not a backup.
    pub fn backup(&self, to: &Path) -> Result<(), BackupError> {
        if to.exists() {
            return Err(BackupError::Exists(to.to_owned()));
        }
        let io = |path: &Path| {
            let path = path.to_owned();
            move |cause| BackupError::Io(path, cause)
        };
        super::make_private(to).map_err(io(to))?;
        let path = to.join("placet.db");
        let database = |cause| BackupError::Database(path.clone(), cause);
        self.connection().execute("VACUUM INTO ?1", [path.to_string_lossy()]).map_err(database)?;
        let copy = Connection::open(&path).map_err(database)?;
        let found: String =
            copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(database)?;
        drop(copy);
        if found != "ok" {
            return Err(BackupError::Damaged(path, found));
        }
        let from = self.directory();
        for name in BESIDE {
            let (source, target) = (from.join(name), to.join(name));
            if source.exists() {
                fs::copy(&source, &target).map_err(io(&source))?;
            }
        }
        copy_folder(&from.join(LOG), &to.join(LOG))?;
        copy_folder(&from.join(APPLIED), &to.join(APPLIED))?;
        for file in [path.as_path(), to] {
            fs::File::open(file).and_then(|file| file.sync_all()).map_err(io(file))?;
        }
        Ok(())
    }
}

/// Makes a state directory `to` of the backup in `from`, in a new epoch that begins at `now`.
///
/// # Errors
///
/// [`BackupError`] if `to` holds a store already, or the backup cannot be read; nothing is overwritten.
pub fn restore(from: &Path, to: &Path, now: Timestamp) -> Result<Epoch, BackupError> {
    let target = to.join("placet.db");
    // A log without its database too: SQLite would fold it into the copy, and it may hold what nothing else does.
    for taken in [target.clone(), to.join("placet.db-wal")] {
        if taken.exists() {
            return Err(BackupError::Exists(taken));
        }
    }
    let io = |path: &Path| {
        let path = path.to_owned();
        move |cause| BackupError::Io(path, cause)
    };
    super::make_private(to).map_err(io(to))?;
    let _lock = super::take_lock(to)?;
    let source = from.join("placet.db");
    let half = to.join("placet.db.new");
    for left in [half.clone(), to.join("placet.db.new-wal"), to.join("placet.db.new-shm")] {
        // From an attempt that was cut off: its log is not this copy's.
        match fs::remove_file(&left) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => return Err(io(&left)(cause)),
            Ok(()) | Err(_) => {}
        }
    }
    fs::copy(&source, &half).map_err(io(&source))?;
    let connection = format::open(&half)?;
    let database = |cause| BackupError::Database(half.clone(), cause);
    let found: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(database)?;
    if found != "ok" {
        drop(connection);
        fs::remove_file(&half).map_err(io(&half))?;
        return Err(BackupError::Damaged(source, found));
    }
    let old = epoch(&connection).map_err(database)?.number;
    let at = i64::try_from(now.0).unwrap_or(i64::MAX);
    connection.execute("UPDATE epoch SET number = number + 1, restored_at = ?1", [at]).map_err(database)?;
    let epoch = epoch(&connection).map_err(database)?;
    // The new epoch's log begins with what the backup holds, and names the head that the old one had then.
    let head = fs::read_to_string(from.join(LOG).join("checkpoint")).unwrap_or_default();
    let head: Vec<_> = head.lines().take(3).map(Json::from).collect();
    let record = Record::new(
        Kind::Epoch,
        now,
        [
            ("finding", "restored from a backup".into()),
            ("epoch", i64::try_from(epoch.number).unwrap_or(i64::MAX).into()),
            ("old_head", Json::Array(head)),
        ],
    );
    let text = record.to_json().canonical();
    connection
        .execute("INSERT INTO records (at, kind, body) VALUES (?1, ?2, ?3)", (at, record.kind.as_str(), text))
        .map_err(database)?;
    // One file again, so that it can be renamed whole.
    connection
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE")
        .map_err(database)?;
    drop(connection);
    // The old log goes no further: it stays beside as evidence, and the new epoch has a log and a key of its own.
    for (name, target) in [("key", "key".to_owned()), (LEDGER_PUB, format!("ledger.{old}.pub"))] {
        let source = from.join(name);
        if source.exists() {
            fs::copy(&source, to.join(target)).map_err(io(&source))?;
        }
    }
    copy_folder(&from.join(LOG), &to.join(format!("{LOG}.{old}")))?;
    // One that is there is what was applied last in this very place.
    if !to.join(APPLIED).exists() {
        copy_folder(&from.join(APPLIED), &to.join(APPLIED))?;
    }
    fs::File::open(&half).and_then(|file| file.sync_all()).map_err(io(&half))?;
    fs::rename(&half, &target).map_err(io(&target))?;
    fs::File::open(to).and_then(|folder| folder.sync_all()).map_err(io(to))?;
    Ok(epoch)
}

/// Copies a folder of plain files and folders, if it is there.
fn copy_folder(from: &Path, to: &Path) -> Result<(), BackupError> {
    if !from.is_dir() {
        return Ok(());
    }
    let io = |cause| BackupError::Io(from.to_owned(), cause);
    super::make_private(to).map_err(io)?;
    for entry in fs::read_dir(from).map_err(io)? {
        let entry = entry.map_err(io)?;
        let kind = entry.file_type().map_err(io)?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target).map_err(io)?;
        }
    }
    Ok(())
}
