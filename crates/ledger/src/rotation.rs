//! Rotation: the old key of a log names the new one, in the log itself.
//!
//! A rotation statement is a note signed by the old key. Its text says which log, at which index the statement
//! stands, and the new key; and the record at that index is the statement, byte for byte. Checkpoints over more
//! records than the index are signed by the new key, all others by the old. The log's file `rotations` lists the
//! indices, one in a line; it is a signpost and proves nothing, since each statement must be signed by the key
//! before it and must lead to the signed root like any record.
//!
//! The limit: whoever has stolen the old key can write a rotation too. Only a checkpoint that somebody else
//! holds, the auditor or a witness, tells the two apart. `docs/design/0005-ledger.md` has the reasons.

use std::fmt;

use crate::{
    note::{KeyKind, Note, Signed, Signer, Verifier},
    tile::decimal,
};

/// How the text of a statement begins.
const FIRST_LINE: &str = "placet-key-rotation/v1";

/// The longest file `rotations` that is read, and with that the most rotations of one log: some thousands.
pub const ROTATIONS_BYTES_MAX: usize = 65_536;

/// The old key's word that from some index on the log is signed by another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Where the statement stands in the log.
    pub index: u64,
    /// Who signs every larger head.
    pub next: Verifier,
    note: Note,
}

/// Not a rotation statement of this log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARotation;

impl fmt::Display for NotARotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a rotation statement of this log")
    }
}

impl std::error::Error for NotARotation {}

impl Rotation {
    /// The statement of `old` that stands at `index`.
    ///
    /// # Errors
    ///
    /// [`NotARotation`] if the new key has another name, is no log's key, or is the old one.
    pub fn sign(old: &Signer, index: u64, next: &Verifier) -> Result<Self, NotARotation> {
        let text = format!("{FIRST_LINE}\n{}\n{index}\n{next}\n", old.verifier().name());
        let note = Note::sign(&text, old).map_err(|_| NotARotation)?;
        let rotation = Self::parse(note.to_string().as_bytes())?;
        if rotation.is_by(old.verifier()) && next != old.verifier() {
            Ok(rotation)
        } else {
            Err(NotARotation)
        }
    }

    /// Reads a statement. That says nothing about who signed it.
    ///
    /// # Errors
    ///
    /// [`NotARotation`] if it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotARotation> {
        let note = Note::parse(bytes).map_err(|_| NotARotation)?;
        let mut lines = note.text().split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(NotARotation);
        }
        let origin = lines.next().ok_or(NotARotation)?;
        let index = lines.next().and_then(decimal).ok_or(NotARotation)?;
        let next: Verifier = lines.next().and_then(|key| key.parse().ok()).ok_or(NotARotation)?;
        let ended = lines.next() == Some("") && lines.next().is_none();
        if ended && next.name().as_str() == origin && next.kind() == KeyKind::Log {
            Ok(Self { index, next, note })
        } else {
            Err(NotARotation)
        }
    }

    /// Whether `old` signed it, for its own log.
    pub fn is_by(&self, old: &Verifier) -> bool {
        old.name() == self.next.name() && matches!(self.note.signed_by(old), Signed::Yes { .. })
    }

    /// The statement, the record that it is.
    pub fn to_record(&self) -> Vec<u8> {
        self.note.to_string().into_bytes()
    }
}

/// Reads the file `rotations`: indices in lines, growing; none if it is not that.
pub fn read_indices(bytes: &[u8]) -> Option<Vec<u64>> {
    if bytes.len() > ROTATIONS_BYTES_MAX {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    if text.is_empty() {
        return Some(Vec::new());
    }
    let indices = text.strip_suffix('\n')?.split('\n').map(decimal).collect::<Option<Vec<u64>>>()?;
    indices.is_sorted_by(|one, next| one < next).then_some(indices)
}
