//! Inputs: the bytes that a policy is made of, read together and known by one digest.
//!
//! A node judges by a version of all of them, never by one file of today beside another of yesterday. So they are
//! read in one place, checked, kept and compared as one thing.
//!
//! Not here: what they mean (`config`), and which version counts (`applied`).

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use crate::config::LoadError;

/// The part that is `placet.toml`, whatever its file is called.
const CONFIG: &str = "placet.toml";

/// The part that is the lock beside it.
const LOCK: &str = "placet.lock";

/// One version of everything that a policy is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// What messages call the configuration file.
    name: String,
    /// Texts by what part they are. The first one is always there.
    parts: BTreeMap<String, String>,
}

/// The file of the lock beside a configuration file.
pub fn lock_beside(config: &Path) -> PathBuf {
    config.with_extension("lock")
}

impl Inputs {
    /// Reads what stands on disk now.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if a file cannot be read. One that need not be there may be missing.
    pub fn read(config: &Path) -> Result<Self, LoadError> {
        let wrong = |path: &Path, cause: io::Error| {
            LoadError(format!("error: cannot read `{}`: {cause}\n", path.display()))
        };
        let text = fs::read_to_string(config).map_err(|cause| wrong(config, cause))?;
        let mut parts = BTreeMap::from([(CONFIG.to_owned(), text)]);
        let lock = lock_beside(config);
        match fs::read_to_string(&lock) {
            Ok(text) => drop(parts.insert(LOCK.to_owned(), text)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(wrong(&lock, cause)),
        }
        let name = config
            .file_name()
            .map_or_else(|| config.display().to_string(), |name| name.to_string_lossy().into_owned());
        Ok(Self { name, parts })
    }

    /// These parts; none if there is no configuration among them.
    pub fn of(name: String, parts: BTreeMap<String, String>) -> Option<Self> {
        parts.contains_key(CONFIG).then_some(Self { name, parts })
    }

    /// What messages call the configuration file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Texts by what part they are.
    pub fn parts(&self) -> &BTreeMap<String, String> {
        &self.parts
    }

    /// The configuration file's text.
    pub fn config(&self) -> &str {
        // There is always one; without it nothing is granted.
        self.parts.get(CONFIG).map_or("", String::as_str)
    }

    /// The lock's text, if there is a lock.
    pub fn lock(&self) -> Option<&str> {
        self.parts.get(LOCK).map(String::as_str)
    }

    /// The version that this is: a digest of every part, and of which there are.
    pub fn version(&self) -> String {
        let mut hash = Sha256::new();
        for (part, text) in &self.parts {
            for bytes in [part.as_bytes(), text.as_bytes()] {
                hash.update((bytes.len() as u64).to_be_bytes());
                hash.update(bytes);
            }
        }
        as_text(&hash.finalize())
    }
}

/// A digest of one text.
pub fn digest(text: &str) -> String {
    as_text(&Sha256::digest(text.as_bytes()))
}

fn as_text(digest: &[u8]) -> String {
    digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts_and_so_does_its_absence() {
        let version = |config: &str, lock: Option<&str>| {
            let lock = lock.map(|lock| (LOCK.to_owned(), lock.to_owned()));
            let parts = [(CONFIG.to_owned(), config.to_owned())].into_iter().chain(lock).collect();
            Inputs::of("placet.toml".to_owned(), parts).unwrap().version()
        };
        let versions = [
            version("a", None),
            version("b", None),
            version("a", Some("")),
            version("a", Some("b")),
            version("ab", Some("")),
        ];
        for (at, one) in versions.iter().enumerate() {
            assert!(!versions[..at].contains(one), "{at}");
        }
        assert!(Inputs::of("x".to_owned(), BTreeMap::new()).is_none());
    }
}
