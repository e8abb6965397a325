//! Checkpoints: the head of a log, signed.
//!
//! Three lines say all: whose log (the *origin*), how many records, and the root of the tree over them. Two
//! checkpoints of one log are *consistent* if the smaller tree is where the larger began; a log that signs two
//! that are not has been caught.
//!
//! Not here: signatures ([`crate::note`]) and what a checkpoint is compared with ([`crate::verify()`]).
//! Spec: c2sp.org/tlog-checkpoint.

use std::{fmt, str::FromStr};

use crate::{
    note::{Note, NoteError, Signer},
    tile::decimal,
    tree::Hash,
};

/// The head of a log.
///
/// ```
/// use placet_ledger::{checkpoint::Checkpoint, tree::Hash};
/// let text = format!("example.org/log\n2\n{}\n", Hash::of_nothing());
/// let checkpoint: Checkpoint = text.parse()?;
/// assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.org/log", 2));
/// assert_eq!(checkpoint.to_string(), text);
/// assert!(text.replace("\n2\n", "\n02\n").parse::<Checkpoint>().is_err());
/// # Ok::<(), placet_ledger::checkpoint::NotACheckpoint>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: the name of its key.
    pub origin: String,
    /// How many records.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// Further lines. Placet writes none and gives those of others no meaning.
    pub extensions: Vec<String>,
}

/// Not the text of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotACheckpoint;

impl fmt::Display for NotACheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the origin, size and root of a log")
    }
}

impl std::error::Error for NotACheckpoint {}

impl From<NoteError> for NotACheckpoint {
    fn from(_: NoteError) -> Self {
        Self
    }
}

impl FromStr for Checkpoint {
    type Err = NotACheckpoint;

    fn from_str(text: &str) -> Result<Self, NotACheckpoint> {
        let text = text.strip_suffix('\n').ok_or(NotACheckpoint)?;
        let mut lines = text.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or(NotACheckpoint);
        let origin = line()?.to_owned();
        let size = decimal(line()?).ok_or(NotACheckpoint)?;
        let root = line()?.parse().map_err(|_| NotACheckpoint)?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(NotACheckpoint);
        }
        Ok(Self { origin, size, root, extensions })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A checkpoint with its signatures, whoever made them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    head: Checkpoint,
    note: Note,
}

impl SignedCheckpoint {
    /// Signs a head.
    ///
    /// # Errors
    ///
    /// [`NotACheckpoint`] if the origin cannot stand in a note.
    pub fn sign(head: Checkpoint, signer: &Signer) -> Result<Self, NotACheckpoint> {
        let note = Note::sign(&head.to_string(), signer)?;
        Self::of_note(note)
    }

    /// Reads one. That says nothing about who signed it.
    ///
    /// # Errors
    ///
    /// [`NotACheckpoint`] if it is no note, or its text is no checkpoint.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotACheckpoint> {
        Self::of_note(Note::parse(bytes)?)
    }

    fn of_note(note: Note) -> Result<Self, NotACheckpoint> {
        Ok(Self { head: note.text().parse()?, note })
    }

    /// What it says.
    pub fn head(&self) -> &Checkpoint {
        &self.head
    }

    /// The note that it is.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// The note, to add cosignatures to it.
    pub fn note_mut(&mut self) -> &mut Note {
        &mut self.note
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.note, f)
    }
}
