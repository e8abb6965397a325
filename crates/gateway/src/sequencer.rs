//! The sequencer: takes what the store has committed into the ledger, in order, and seals it.
//!
//! A record is a leaf of the log exactly as it stands in the store: leaf `n` is record `n + 1`, byte for byte.
//! The store is first, the ledger follows; so a crash loses nothing, and the ledger knows where to go on from its
//! own size. When it is opened, what the last bundle holds is compared with the store. If they differ, or the
//! store is shorter, the store is not the one that was sealed (an older copy put back, say), and nothing goes on
//! until a person has looked.
//!
//! It reads no clock and sleeps never: whoever owns it calls [`Sequencer::advance`], some times in a second, from
//! a thread of its own, since it waits for the disk. One sequencer alone may write a log; the lock of the state
//! directory sees to that.
//!
//! Not here: the log (the `ledger` crate), and asking witnesses (`placet audit cosign`).

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use placet_engine::time::{BootInstant, Now};
use placet_ledger::{
    log::{Log, LogError},
    note::{KeyKind, Signer, Verifier},
};
use placet_store::sqlite::{OpenError, Reader};
use sha2::{Digest as _, Sha256};

use crate::signing;

/// How long a record may wait for its seal.
pub const SEAL_EVERY: Duration = Duration::from_secs(1);

/// How many records are sealed at once, without waiting longer.
pub const SEAL_RECORDS: u64 = 1_024;

/// The longest record that is taken. The format of the log would take eight times as much.
pub const LEAF_BYTES_MAX: usize = placet_engine::limits::RECORD_BYTES;

/// Where the log is, in a state directory.
pub const LOG: &str = "log";

/// Where the log's secret key is.
pub const SECRET_KEY: &str = "ledger.key";

/// Where the log's public key is, for an auditor to take along.
pub const PUBLIC_KEY: &str = "ledger.pub";

/// Records in the order in which they were committed, numbered from 1 without holes.
pub trait Records {
    /// At most `count` records after number `seq`, each with its number.
    ///
    /// # Errors
    ///
    /// In words, why they cannot be read.
    fn after(&self, seq: u64, count: u32) -> Result<Vec<(u64, Vec<u8>)>, String>;
}

impl Records for Reader {
    fn after(&self, seq: u64, count: u32) -> Result<Vec<(u64, Vec<u8>)>, String> {
        let entries = Reader::after(self, seq, count).map_err(|error| error.to_string())?;
        Ok(entries.into_iter().map(|entry| (entry.seq, entry.body.into_bytes())).collect())
    }
}

/// Why the ledger cannot go on.
#[derive(Debug)]
pub enum SequencerError {
    /// The log itself.
    Log(LogError),
    /// A key cannot be read or made.
    Key {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        cause: io::Error,
    },
    /// The store cannot be read.
    Store(String),
    /// There is a log, and its key is gone.
    KeyGone {
        /// Where it should be.
        path: PathBuf,
    },
    /// The store has fewer records than are sealed.
    StoreBehind {
        /// How many are sealed.
        sealed: u64,
        /// The first number that the store was looked through for in vain.
        missing: u64,
    },
    /// The store has another record than the one that is sealed.
    StoreDiffers {
        /// The record's number.
        seq: u64,
    },
    /// The store has no record of the number that comes next, but has later ones.
    Hole {
        /// The number.
        seq: u64,
    },
    /// A record is longer than [`LEAF_BYTES_MAX`].
    TooLong {
        /// The record's number.
        seq: u64,
        /// Its length.
        bytes: usize,
    },
}

impl fmt::Display for SequencerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(cause) => cause.fmt(f),
            Self::Key { path, cause } => write!(f, "cannot use the key `{}`: {cause}", path.display()),
            Self::Store(what) => write!(f, "the ledger cannot read the store: {what}"),
            Self::KeyGone { path } => {
                write!(f, "there is a ledger, but its key `{}` is gone", path.display())
            }
            Self::StoreBehind { sealed, missing } => write!(
                f,
                "the ledger has sealed {sealed} records, the store has no record {missing}: it is an older copy"
            ),
            Self::StoreDiffers { seq } => {
                write!(f, "record {seq} in the store is not the one that the ledger has sealed")
            }
            Self::Hole { seq } => write!(f, "the store has no record {seq}, but later ones"),
            Self::TooLong { seq, bytes } => {
                write!(f, "record {seq} has {bytes} bytes, the ledger takes {LEAF_BYTES_MAX}")
            }
        }
    }
}

impl std::error::Error for SequencerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Log(cause) => Some(cause),
            Self::Key { cause, .. } => Some(cause),
            Self::Store(_)
            | Self::KeyGone { .. }
            | Self::StoreBehind { .. }
            | Self::StoreDiffers { .. }
            | Self::Hole { .. }
            | Self::TooLong { .. } => None,
        }
    }
}

impl From<LogError> for SequencerError {
    fn from(cause: LogError) -> Self {
        Self::Log(cause)
    }
}

/// Where the ledger stands after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// How many records are sealed.
    pub size: u64,
    /// How many are taken and wait for a seal.
    pub waiting: u64,
    /// Whether the store had as many as were taken at once, so that there may be more now.
    pub more: bool,
}

/// The one writer of a node's log.
#[derive(Debug)]
pub struct Sequencer<R = Reader> {
    log: Log,
    signer: Signer,
    records: R,
    /// When the first record that waits was taken.
    waiting_since: Option<BootInstant>,
}

impl Sequencer {
    /// Opens the ledger of a state directory, whose store must be there, and whose lock the caller holds.
    ///
    /// # Errors
    ///
    /// [`SequencerError`], above all if store and ledger contradict each other.
    pub fn open(state: &Path) -> Result<Self, SequencerError> {
        let reader =
            Reader::open(state).map_err(|error: OpenError| SequencerError::Store(error.to_string()))?;
        Self::over(state, reader)
    }
}

impl<R: Records> Sequencer<R> {
    /// The same over any source of records.
    ///
    /// # Errors
    ///
    /// As [`Sequencer::open`].
    pub fn over(state: &Path, records: R) -> Result<Self, SequencerError> {
        let signer = key(state)?;
        let log = Log::open(state.join(LOG), signer.verifier())?;
        let sequencer = Self { log, signer, records, waiting_since: None };
        sequencer.compare()?;
        Ok(sequencer)
    }

    /// Compares what the last bundle holds with the store.
    fn compare(&self) -> Result<(), SequencerError> {
        let (first, sealed) = self.log.last_records()?;
        let count = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
        let stored = self.records.after(first, count).map_err(SequencerError::Store)?;
        for ((seq, expected), place) in (first + 1..).zip(&sealed).zip(0..) {
            match stored.get(place) {
                None => {
                    return Err(SequencerError::StoreBehind { sealed: self.log.sealed(), missing: seq });
                }
                Some((number, _)) if *number != seq => return Err(SequencerError::Hole { seq }),
                Some((_, body)) if body != expected => return Err(SequencerError::StoreDiffers { seq }),
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Takes what the store has committed, and seals if a record has waited for a second, or there are 1,024.
    ///
    /// # Errors
    ///
    /// [`SequencerError`]. After one of a log that is broken the sequencer must be opened afresh; what the store
    /// has is not lost by that.
    pub fn advance(&mut self, now: Now) -> Result<Sealed, SequencerError> {
        // What was taken before something went wrong is sealed all the same, then the error is told.
        let more = self.take(now);
        let waiting = self.waiting();
        let due = self.waiting_since.is_some_and(|since| since.plus(SEAL_EVERY) <= now.boot);
        if waiting >= SEAL_RECORDS || (waiting > 0 && due) {
            self.seal_now()?;
        }
        Ok(Sealed { size: self.log.sealed(), waiting: self.waiting(), more: more? })
    }

    /// Takes everything that the store has and seals it, as before an orderly end.
    ///
    /// # Errors
    ///
    /// As [`Sequencer::advance`].
    pub fn finish(&mut self, now: Now) -> Result<Sealed, SequencerError> {
        loop {
            let more = self.take(now)?;
            if self.waiting() > 0 {
                self.seal_now()?;
            }
            if !more {
                return Ok(Sealed { size: self.log.sealed(), waiting: 0, more: false });
            }
        }
    }

    fn take(&mut self, now: Now) -> Result<bool, SequencerError> {
        let room = SEAL_RECORDS.saturating_sub(self.waiting());
        let count = u32::try_from(room).unwrap_or(0);
        let taken = self.records.after(self.log.size(), count).map_err(SequencerError::Store)?;
        let more = taken.len() as u64 == room;
        for (seq, body) in taken {
            let next = self.log.size() + 1;
            if seq != next {
                return Err(SequencerError::Hole { seq: next });
            }
            if body.len() > LEAF_BYTES_MAX {
                return Err(SequencerError::TooLong { seq, bytes: body.len() });
            }
            self.log.append(&body)?;
            self.waiting_since.get_or_insert(now.boot);
        }
        Ok(more)
    }

    fn seal_now(&mut self) -> Result<(), SequencerError> {
        self.log.seal(&self.signer)?;
        self.waiting_since = None;
        Ok(())
    }

    fn waiting(&self) -> u64 {
        self.log.size().saturating_sub(self.log.sealed())
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The log's public key.
    pub fn verifier(&self) -> &Verifier {
        self.signer.verifier()
    }
}

/// Reads the log's key, or draws it where there is no log yet, and writes its public half beside it.
fn key(state: &Path) -> Result<Signer, SequencerError> {
    let path = state.join(SECRET_KEY);
    let wrong = |path: &Path| {
        let path = path.to_owned();
        move |cause| SequencerError::Key { path, cause }
    };
    let signer = match signing::read(&path, KeyKind::Log).map_err(wrong(&path))? {
        Some(signer) => signer,
        // Another key would begin another log over the tiles of this one.
        None if state.join(LOG).join("checkpoint").exists() => return Err(SequencerError::KeyGone { path }),
        None => signing::draw(&path, KeyKind::Log, origin).map_err(wrong(&path))?,
    };
    let public = state.join(PUBLIC_KEY);
    let text = format!("{}\n", signer.verifier());
    match fs::read_to_string(&public) {
        Ok(there) if there == text => {}
        Ok(_) => {
            let cause =
                io::Error::new(io::ErrorKind::InvalidData, "it is not the public half of the secret key");
            return Err(wrong(&public)(cause));
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            signing::write_private(&public, text.as_bytes()).map_err(wrong(&public))?;
        }
        Err(cause) => return Err(wrong(&public)(cause)),
    }
    Ok(signer)
}

/// The name of a log: `placet.local`, a node that is known by its first key, and the first of its epochs.
fn origin(public: &[u8; 32]) -> String {
    let digest = Sha256::digest(public);
    let node: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("placet.local/{node}/1")
}
