//! A log that grows: records are appended in memory and sealed together, under one signature.
//!
//! Nothing exists before it is sealed. So after a crash the log is what its last checkpoint says; the caller
//! asks [`Log::size`] which of its own records comes next, and appends from there. The same records give the
//! same tiles, byte for byte. After a write that failed the log refuses everything until it is opened afresh,
//! because a flush that failed once may lie when it is tried again.
//!
//! A log is bytes: what a record means, and when to seal, is the caller's. Start at [`Log::open`].

use std::{fmt, io, path::PathBuf};

use crate::{
    checkpoint::{Checkpoint, SignedCheckpoint},
    directory::{CHECKPOINT, Directory, ROTATIONS},
    note::{Signed, Signer, Verifier},
    rotation::{NotARotation, ROTATIONS_BYTES_MAX, Rotation, read_indices},
    tile::{Bundle, TILE_WIDTH, Tile, TooLong, push_entry, write_hashes},
    tree::{Hash, ProofError, Range, Tree},
};

/// Why a log cannot be opened or go on.
#[derive(Debug)]
pub enum LogError {
    /// A file cannot be read or written.
    Io {
        /// The log's directory.
        directory: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// What is there is no log of this key, or not whole.
    Damaged {
        /// The log's directory.
        directory: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A record is longer than a log can hold.
    TooLong(TooLong),
    /// The key that was to sign is not the log's.
    OtherKey,
    /// The new key cannot follow the old one.
    Rotation(NotARotation),
    /// An earlier write failed; open the log afresh.
    Broken,
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { directory, cause } => {
                write!(f, "cannot use the log `{}`: {cause}", directory.display())
            }
            Self::Damaged { directory, what } => {
                write!(f, "cannot go on with the log `{}`: {what}", directory.display())
            }
            Self::TooLong(cause) => cause.fmt(f),
            Self::OtherKey => f.write_str("the key is not the one that signs this log"),
            Self::Rotation(cause) => cause.fmt(f),
            Self::Broken => f.write_str("a write to the log failed before; it must be opened afresh"),
        }
    }
}

impl std::error::Error for LogError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { cause, .. } => Some(cause),
            Self::TooLong(cause) => Some(cause),
            Self::Rotation(cause) => Some(cause),
            Self::Damaged { .. } | Self::OtherKey | Self::Broken => None,
        }
    }
}

/// A log in a directory, which this value alone may write.
///
/// ```
/// use placet_ledger::{log::Log, note::{KeyKind, Signer}};
/// let folder = tempfile::tempdir()?;
/// let signer = Signer::from_seed("example.org/log".parse()?, KeyKind::Log, &[7; 32])?;
/// let mut log = Log::open(folder.path(), signer.verifier())?;
/// log.append(b"first")?;
/// let checkpoint = log.seal(&signer)?;
/// assert_eq!(checkpoint.head().size, 1);
///
/// log.append(b"never sealed")?;
/// drop(log);
/// // As after a crash: the log is what its checkpoint says.
/// assert_eq!(Log::open(folder.path(), signer.verifier())?.size(), 1);
/// // Another key is refused: its log this is not.
/// let other = Signer::from_seed("example.org/log".parse()?, KeyKind::Log, &[8; 32])?;
/// assert!(Log::open(folder.path(), other.verifier()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Log {
    directory: Directory,
    key: Verifier,
    head: Option<SignedCheckpoint>,
    range: Range,
    /// The records after the last full bundle, as a bundle.
    bundle: Vec<u8>,
    /// By level, the hashes after the last full tile.
    levels: Vec<Vec<Hash>>,
    /// Full tiles and bundles that are not written yet.
    full: Vec<(Tile, Vec<u8>)>,
    rotations: Vec<u64>,
    /// Whether the file of rotations says something else.
    rotated: bool,
    broken: bool,
}

impl Log {
    /// Opens the log in `directory`, which need not be there yet, and whose heads `key` signs.
    ///
    /// # Errors
    ///
    /// [`LogError::Io`], and [`LogError::Damaged`] if the checkpoint is not by this key, or the tiles at the end
    /// of the log do not lead to it.
    pub fn open(directory: impl Into<PathBuf>, key: &Verifier) -> Result<Self, LogError> {
        let mut log = Self {
            directory: Directory::new(directory),
            key: key.clone(),
            head: None,
            range: Range::default(),
            bundle: Vec::new(),
            levels: Vec::new(),
            full: Vec::new(),
            rotations: Vec::new(),
            rotated: false,
            broken: false,
        };
        let Some(bytes) = log.directory.checkpoint().map_err(|cause| log.io(cause))? else {
            log.read_rotations(0)?;
            return Ok(log);
        };
        let signed = SignedCheckpoint::parse(&bytes).map_err(|_| log.damaged("its checkpoint is none"))?;
        let head = signed.head().clone();
        if head.origin != key.name().as_str() {
            return Err(log.damaged(format!(
                "its checkpoint is of `{}`, not of `{}`",
                head.origin,
                key.name()
            )));
        }
        if !matches!(signed.note().signed_by(key), Signed::Yes { .. }) {
            return Err(log.damaged("its checkpoint is not signed by this log's key"));
        }
        log.range = Tree::new(&log.directory, head.size).range().map_err(|error| match error {
            ProofError::Unreadable(cause) => log.io(cause),
            ProofError::OutOfRange | ProofError::Short(_) => log.damaged("a hash tile is too short"),
        })?;
        if log.range.root() != head.root {
            return Err(log.damaged("the last hash tiles do not lead to the signed root"));
        }
        log.read_edge(head.size)?;
        log.read_rotations(head.size)?;
        log.head = Some(signed);
        Ok(log)
    }

    /// Reads what the partial tiles at the end hold. Their hashes lead to the signed root already; the records
    /// must lead to the hashes.
    fn read_edge(&mut self, size: u64) -> Result<(), LogError> {
        let mut buffer = Vec::new();
        for level in 0..8 {
            let count = size >> (8 * level);
            let tile = Tile::of_tree(level, count / TILE_WIDTH, size);
            let hashes = match tile {
                Some(tile) => {
                    self.directory.read_hashes(tile, &mut buffer).map_err(|cause| self.io(cause))?
                }
                None => Ok(Vec::new()),
            };
            // What could not be read here was read a moment ago, to make the range.
            self.levels.push(hashes.map_err(|_| self.damaged("a hash tile changed while it was read"))?);
        }
        let (_, records) = self.last_records()?;
        if !size.is_multiple_of(TILE_WIDTH) {
            for record in &records {
                push_entry(&mut self.bundle, record).map_err(LogError::TooLong)?;
            }
        }
        Ok(())
    }

    fn read_rotations(&mut self, size: u64) -> Result<(), LogError> {
        let file =
            self.directory.read(ROTATIONS, ROTATIONS_BYTES_MAX as u64).map_err(|cause| self.io(cause))?;
        let listed = read_indices(file.as_deref().unwrap_or_default())
            .ok_or_else(|| self.damaged("its file `rotations` is none"))?;
        let count = listed.len();
        // One that was listed when the seal that would have covered it did not come to pass.
        self.rotations = listed.into_iter().filter(|index| *index < size).collect();
        self.rotated = self.rotations.len() != count;
        Ok(())
    }

    /// The last records that are sealed, as far back as the last bundle goes, and the index of the first of
    /// them: what a caller compares with its own, before it appends.
    ///
    /// # Errors
    ///
    /// [`LogError`] if the bundle cannot be read, or its records do not lead to the hash tile.
    pub fn last_records(&self) -> Result<(u64, Vec<Vec<u8>>), LogError> {
        let size = self.sealed();
        let size = if self.head.is_none() { self.range.size() } else { size };
        let Some(index) = size.checked_sub(1).map(|last| last / TILE_WIDTH) else {
            return Ok((0, Vec::new()));
        };
        let gone = || self.damaged("the last bundle and its hash tile do not match");
        let (bundle, tile) =
            Tile::of_entries(index, size).zip(Tile::of_tree(0, index, size)).ok_or_else(gone)?;
        let mut bytes = Vec::new();
        self.directory.read_tile(bundle, &mut bytes).map_err(|cause| self.io(cause))?;
        let hashes = self.directory.read_hashes(tile, &mut Vec::new()).map_err(|cause| self.io(cause))?;
        let hashes = hashes.map_err(|_| gone())?;
        let entries = Bundle::new(&bytes).take(bundle.width()).collect::<Result<Vec<_>, _>>();
        let entries = entries.map_err(|_| gone())?;
        let same = entries.len() == hashes.len()
            && entries.iter().zip(&hashes).all(|(entry, hash)| Hash::of_leaf(entry) == *hash);
        if !same {
            return Err(gone());
        }
        Ok((index * TILE_WIDTH, entries.into_iter().map(<[u8]>::to_vec).collect()))
    }

    /// How many records there are, sealed or not: the index of the next one.
    pub fn size(&self) -> u64 {
        self.range.size()
    }

    /// How many records are sealed.
    pub fn sealed(&self) -> u64 {
        self.head().map_or(0, |signed| signed.head().size)
    }

    /// The last checkpoint.
    pub fn head(&self) -> Option<&SignedCheckpoint> {
        self.head.as_ref()
    }

    /// Where the log is.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The key that signs the next head.
    pub fn key(&self) -> &Verifier {
        &self.key
    }

    /// Adds a record, in memory, and says its index.
    ///
    /// # Errors
    ///
    /// [`LogError::TooLong`] beyond 65,535 bytes; [`LogError::Broken`].
    pub fn append(&mut self, record: &[u8]) -> Result<u64, LogError> {
        if self.broken {
            return Err(LogError::Broken);
        }
        let index = self.range.size();
        push_entry(&mut self.bundle, record).map_err(LogError::TooLong)?;
        let (levels, full) = (&mut self.levels, &mut self.full);
        self.range.push_and(Hash::of_leaf(record), |height, hash| {
            if height % 8 != 0 {
                return;
            }
            let level = (height / 8) as usize;
            if levels.len() <= level {
                levels.resize(level + 1, Vec::new());
            }
            let Some(hashes) = levels.get_mut(level) else { return };
            hashes.push(hash);
            if hashes.len() as u64 == TILE_WIDTH {
                let number = ((index + 1) >> (height + 8)).saturating_sub(1);
                if let Some(tile) = Tile::of_tree(height / 8, number, index + 1) {
                    full.push((tile, write_hashes(hashes)));
                }
                hashes.clear();
            }
        });
        if self.range.size().is_multiple_of(TILE_WIDTH) {
            let bundle = std::mem::take(&mut self.bundle);
            if let Some(tile) = Tile::of_entries(index / TILE_WIDTH, index + 1) {
                self.full.push((tile, bundle));
            }
        }
        Ok(index)
    }

    /// Appends the statement by which `next` follows the present key: the next head is signed by it.
    ///
    /// # Errors
    ///
    /// [`LogError::OtherKey`] if `old` is not the present key; [`LogError::Rotation`] if `next` cannot follow it.
    pub fn rotate(&mut self, old: &Signer, next: &Verifier) -> Result<Rotation, LogError> {
        if *old.verifier() != self.key {
            return Err(LogError::OtherKey);
        }
        let rotation = Rotation::sign(old, self.range.size(), next).map_err(LogError::Rotation)?;
        self.append(&rotation.to_record())?;
        self.rotations.push(rotation.index);
        self.rotated = true;
        self.key = next.clone();
        Ok(rotation)
    }

    /// Writes everything that was appended and signs the head. Without anything new it is the last one.
    ///
    /// # Errors
    ///
    /// [`LogError::OtherKey`]; [`LogError::Io`], after which the log is broken and nothing may be concluded about
    /// what was appended since the last checkpoint.
    pub fn seal(&mut self, signer: &Signer) -> Result<&SignedCheckpoint, LogError> {
        if self.broken {
            return Err(LogError::Broken);
        }
        if *signer.verifier() != self.key {
            return Err(LogError::OtherKey);
        }
        let size = self.range.size();
        if self.head.as_ref().is_none_or(|signed| signed.head().size != size) {
            let head = Checkpoint {
                origin: self.key.name().as_str().to_owned(),
                size,
                root: self.range.root(),
                extensions: Vec::new(),
            };
            let signed = SignedCheckpoint::sign(head, signer).map_err(|_| LogError::OtherKey)?;
            // Broken until it is known to be written.
            self.broken = true;
            self.write(&signed).map_err(|cause| self.io(cause))?;
            self.broken = false;
            for (tile, _) in std::mem::take(&mut self.full) {
                self.directory.drop_partial(tile);
            }
            self.head = Some(signed);
        }
        // There is a head now, or there was one.
        self.head.as_ref().ok_or(LogError::Broken)
    }

    fn write(&mut self, signed: &SignedCheckpoint) -> io::Result<()> {
        let (size, sealed) = (self.range.size(), self.sealed());
        let mut partial = Vec::new();
        if !self.bundle.is_empty() {
            partial.extend(Tile::of_entries(size / TILE_WIDTH, size).map(|tile| (tile, self.bundle.clone())));
        }
        for (level, hashes) in (0_u32..).zip(&self.levels) {
            // A tile that the last checkpoint needs is never touched again.
            let count = size.checked_shr(8 * level).unwrap_or(0);
            if !hashes.is_empty() && count != sealed.checked_shr(8 * level).unwrap_or(0) {
                let tile = Tile::of_tree(level, count / TILE_WIDTH, size);
                partial.extend(tile.map(|tile| (tile, write_hashes(hashes))));
            }
        }
        let files = self.full.iter().chain(&partial);
        self.directory.write_all(files.map(|(tile, bytes)| (*tile, bytes.as_slice())))?;
        if self.rotated {
            let lines: String = self.rotations.iter().map(|index| format!("{index}\n")).collect();
            self.directory.replace(ROTATIONS, lines.as_bytes())?;
            self.rotated = false;
        }
        self.directory.replace(CHECKPOINT, signed.to_string().as_bytes())
    }

    fn io(&self, cause: io::Error) -> LogError {
        LogError::Io { directory: self.directory.path().to_owned(), cause }
    }

    fn damaged(&self, what: impl Into<String>) -> LogError {
        LogError::Damaged { directory: self.directory.path().to_owned(), what: what.into() }
    }
}
