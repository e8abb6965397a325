//! A log as files: the only module that touches a disk.
//!
//! Reading bounds every file by what its name allows, takes regular files only, and never trusts a byte. Writing
//! keeps one order: tiles are flushed, then the folders that name them, and only then the checkpoint that
//! needs them is renamed into place. A crash leaves a checkpoint all of whose tiles are whole, and perhaps tiles
//! that no checkpoint needs, which are written anew.
//!
//! Not here: what the files mean.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    note::NOTE_BYTES_MAX,
    tile::{BUNDLE_BYTES_MAX, Kind, Tile, read_hashes},
    tree::{Hash, Tiles},
};

/// The head of the log.
pub const CHECKPOINT: &str = "checkpoint";

/// The last head that witnesses have cosigned, with their cosignatures.
pub const WITNESSED: &str = "checkpoint.witnessed";

/// The indices of rotation statements.
pub const ROTATIONS: &str = "rotations";

/// A log's directory.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
}

/// How a tile was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Under its own name.
    Exact,
    /// As the beginning of the full tile that it has become: a partial one may then be gone.
    Within,
    /// Not at all.
    Missing,
}

impl Directory {
    /// The directory at `path`, whether it is there or not.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of this name, if it is there and not longer than `bytes_max`.
    ///
    /// # Errors
    ///
    /// What the system says; and a file that is too long, or not a regular one.
    pub fn read(&self, name: &str, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        Ok(self.read_into(name, bytes_max, &mut bytes)?.then_some(bytes))
    }

    /// The same into a buffer that is used again. False if there is no such file.
    fn read_into(&self, name: &str, bytes_max: u64, bytes: &mut Vec<u8>) -> io::Result<bool> {
        bytes.clear();
        let path = self.path.join(name);
        // Looked at before it is opened, since opening a pipe waits for somebody to write into it.
        let about = match fs::metadata(&path) {
            Ok(about) => about,
            Err(cause) if is_absent(&cause) => return Ok(false),
            Err(cause) => return Err(cause),
        };
        if !about.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file"));
        }
        File::open(&path)?.take(bytes_max.saturating_add(1)).read_to_end(bytes)?;
        if bytes.len() as u64 > bytes_max {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("longer than {bytes_max} bytes")));
        }
        Ok(true)
    }

    /// The checkpoint's bytes, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Directory::read`].
    pub fn checkpoint(&self) -> io::Result<Option<Vec<u8>>> {
        self.read(CHECKPOINT, NOTE_BYTES_MAX as u64)
    }

    /// The bytes of a tile, or of the full tile that begins with it, into `bytes`.
    ///
    /// # Errors
    ///
    /// As [`Directory::read`].
    pub fn read_tile(&self, tile: Tile, bytes: &mut Vec<u8>) -> io::Result<Found> {
        let bytes_max = match tile.kind() {
            Kind::Entries => BUNDLE_BYTES_MAX,
            Kind::Hashes { .. } => 8_192,
        };
        if self.read_into(&tile.to_string(), bytes_max, bytes)? {
            return Ok(Found::Exact);
        }
        if tile.is_partial() && self.read_into(&tile.full().to_string(), bytes_max, bytes)? {
            return Ok(Found::Within);
        }
        Ok(Found::Missing)
    }

    /// The hashes of a tile; none if there is no such tile, or it has another length than its name says.
    ///
    /// # Errors
    ///
    /// As [`Directory::read`].
    pub fn read_hashes(&self, tile: Tile, buffer: &mut Vec<u8>) -> io::Result<Result<Vec<Hash>, NoHashes>> {
        let held = match self.read_tile(tile, buffer)? {
            Found::Missing => return Ok(Err(NoHashes::Missing)),
            Found::Exact => tile.width(),
            Found::Within => tile.full().width(),
        };
        Ok(match read_hashes(buffer, held) {
            Some(mut hashes) => {
                hashes.truncate(tile.width());
                Ok(hashes)
            }
            None => Err(NoHashes::Malformed),
        })
    }

    /// The widths of the partial tiles beside `tile`, as their names say, in no order.
    pub(crate) fn partial_widths(&self, tile: Tile) -> Vec<u64> {
        let folder = fs::read_dir(self.path.join(tile.partial_folder()));
        let names = folder.into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.filter_map(|name| name.to_str().and_then(crate::tile::decimal)).collect()
    }

    /// Whether there is a file under this tile's name.
    pub(crate) fn has(&self, tile: Tile) -> bool {
        self.path.join(tile.to_string()).is_file()
    }

    /// Replaces a file as a whole: whoever reads, and whatever crashes, sees the old one or the new.
    ///
    /// # Errors
    ///
    /// What the system says. The old file may then be there or the new one.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.path)?;
        let (half, whole) = (self.path.join(format!("{name}.new")), self.path.join(name));
        let mut file = File::create(&half)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&half, &whole)?;
        sync(&self.path)
    }

    /// Writes files that no checkpoint needs yet, and returns when they and their names are on disk.
    ///
    /// # Errors
    ///
    /// What the system says. Then nothing may be concluded about any of them.
    pub fn write_all<'a>(&self, files: impl IntoIterator<Item = (Tile, &'a [u8])>) -> io::Result<()> {
        let mut folders = BTreeSet::new();
        for (tile, bytes) in files {
            let path = self.path.join(tile.to_string());
            let folder = path.parent().unwrap_or(&self.path);
            make_folder(folder, &mut folders)?;
            let mut file = File::create(&path)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            folders.insert(folder.to_owned());
        }
        folders.iter().try_for_each(|folder| sync(folder))
    }

    /// Removes the partial widths of a tile that is now full. That they are there does no harm, so failing is none.
    pub(crate) fn drop_partial(&self, tile: Tile) {
        drop(fs::remove_dir_all(self.path.join(tile.partial_folder())));
    }
}

/// Why there are no hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoHashes {
    /// No such file.
    Missing,
    /// Not as long as its name says.
    Malformed,
}

impl Tiles for Directory {
    type Error = io::Error;

    fn hashes(&self, tile: Tile) -> io::Result<Vec<Hash>> {
        self.read_hashes(tile, &mut Vec::new())?.map_err(|why| match why {
            NoHashes::Missing => io::Error::new(io::ErrorKind::NotFound, format!("`{tile}` is not there")),
            NoHashes::Malformed => {
                io::Error::new(io::ErrorKind::InvalidData, format!("`{tile}` has a wrong length"))
            }
        })
    }
}

/// Whether a file is simply not there, be it that something stands where its folder should be.
fn is_absent(cause: &io::Error) -> bool {
    cause.kind() == io::ErrorKind::NotFound || cause.kind() == io::ErrorKind::NotADirectory
}

/// Makes a folder and those above it, and notes each whose name must still be flushed.
fn make_folder(folder: &Path, changed: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        make_folder(above, changed)?;
        changed.insert(above.to_owned());
    }
    match fs::create_dir(folder) {
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => Err(cause),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    // An empty path is the folder that the process is in.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}
