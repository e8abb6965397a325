//! Space: a ballast that is thrown off when the disk is full, so that stops and refusals can still be recorded.
//!
//! Once the disk was full, calls are refused until enough is free again; what must be recorded in the meantime
//! has the room that the ballast held.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// The largest ballast, in bytes.
const BALLAST: u64 = 16 << 20;

/// How much must be free before calls are taken again, in bytes; on a small disk an eighth of it.
const ENOUGH: u64 = 64 << 20;

/// The space that a state directory has.
#[derive(Debug)]
pub(super) struct Space {
    directory: PathBuf,
}

impl Space {
    pub(super) fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Takes ballast on, if there is room for it several times over. Without one, things work all the same.
    pub(super) fn load(&self) {
        let Ok((free, total)) = self.free_and_total() else { return };
        let size = BALLAST.min(total / 64);
        let path = self.ballast();
        if free < size.saturating_mul(8) || size == 0 || path.exists() {
            return;
        }
        if fill(&path, size).is_err() {
            self.throw_off();
        }
    }

    /// Throws the ballast off.
    pub(super) fn throw_off(&self) {
        // None there, or none that can be removed: then there is no more room than there was.
        fs::remove_file(self.ballast()).unwrap_or_default();
    }

    /// How large the ballast is, in bytes; 0 if there is none.
    pub(super) fn held(&self) -> u64 {
        fs::metadata(self.ballast()).map_or(0, |found| found.len())
    }

    /// Whether there is room for calls. What cannot be measured is not enough.
    pub(super) fn is_enough(&self) -> bool {
        self.free_and_total().is_ok_and(|(free, total)| free >= ENOUGH.min(total / 8))
    }

    fn free_and_total(&self) -> io::Result<(u64, u64)> {
        let found = rustix::fs::statvfs(&self.directory)?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok((bytes(found.f_bavail), bytes(found.f_blocks)))
    }

    fn ballast(&self) -> PathBuf {
        self.directory.join("ballast")
    }
}

/// Really takes the room: a file with holes would hold none.
fn fill(path: &Path, size: u64) -> io::Result<()> {
    use io::Write as _;
    let mut file = File::options().write(true).create_new(true).open(path)?;
    let block = vec![0_u8; 1 << 20];
    let mut left = size;
    while left > 0 {
        let part =
            block.get(..usize::try_from(left.min(block.len() as u64)).unwrap_or(0)).unwrap_or_default();
        file.write_all(part)?;
        left -= part.len() as u64;
    }
    file.sync_all()
}
