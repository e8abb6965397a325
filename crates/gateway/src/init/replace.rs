//! Writing files that other programs own, or that hold secrets: whole, or not at all.
//!
//! A file is replaced by renaming a finished one over it, in the same folder, with its mode and owner. Whoever
//! reads it meanwhile sees the old text or the new. If it is not what it was when it was read, it is left alone.
//!
//! Not here: what is written.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use crate::place;

/// Replaces the text of a file, unless it is no longer `expected`. `path` has no symbolic links in it.
///
/// # Errors
///
/// Why it was left as it was.
pub(crate) fn replace(path: &Path, expected: &str, text: &str) -> io::Result<()> {
    let found = fs::metadata(path)?;
    if found.permissions().readonly() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"));
    }
    let folder = path.parent().ok_or(io::ErrorKind::NotFound)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    let made = file.as_file().metadata()?;
    if (made.uid(), made.gid()) != (found.uid(), found.gid()) {
        std::os::unix::fs::fchown(file.as_file(), Some(found.uid()), Some(found.gid()))?;
    }
    file.as_file().set_permissions(fs::Permissions::from_mode(found.mode() & 0o7777))?;
    file.as_file().sync_all()?;
    if fs::read(path)? != expected.as_bytes() {
        return Err(io::Error::other("somebody else has just changed it"));
    }
    file.persist(path)?;
    fs::File::open(folder)?.sync_all()
}

/// Makes a file for its owner alone, in a folder for its owner alone. A file that is there stays.
///
/// # Errors
///
/// `AlreadyExists` among others.
pub(super) fn create_private(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        place::make_private(folder).map_err(io::Error::other)?;
    }
    create(path, text)
}

/// Makes a file for its owner alone, and the folders above it. A file that is there stays.
///
/// # Errors
///
/// `AlreadyExists` among others.
pub(crate) fn create(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_somebody_changed_is_left_alone_and_its_mode_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(replace(&path, "zero", "two").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        replace(&path, "one", "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left in the folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
        assert!(replace(&path, "two", "three").is_err());
    }

    #[test]
    fn a_private_file_is_made_once_and_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets/one");
        create_private(&path, "a").unwrap();
        assert_eq!(create_private(&path, "b").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
    }
}
