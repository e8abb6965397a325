//! Proofs: one record is in a log, one log is where another began. Checked without the log.
//!
//! The checks are those of RFC 9162 §2.1.3.2 and §2.1.4.2. A [`RecordProof`] is a file that stands alone: the
//! record, its place, the path to the root, and the signed checkpoint (c2sp.org/tlog-proof). The record travels
//! in the line that the format has for extra data, which nobody may trust before the path has been checked; then
//! it is exactly what was proved.
//!
//! Not here: making proofs ([`crate::tree::Tree`]).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    checkpoint::SignedCheckpoint,
    note::{Signed, Verifier},
    tile::{ENTRY_BYTES_MAX, decimal},
    tree::Hash,
};

/// The most hashes that a proof can need: the height of the largest tree.
pub const PROOF_HASHES_MAX: usize = 64;

/// The longest proof file that is read: a record of any length as base64, a path and a checkpoint.
pub const PROOF_BYTES_MAX: usize = ENTRY_BYTES_MAX / 3 * 4 + 8 + 64 * 48 + crate::note::NOTE_BYTES_MAX;

/// Whether `proof` shows that `leaf` is number `index` of the tree with this size and root.
pub fn includes(index: u64, size: u64, leaf: &Hash, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = Hash::of_node(sibling, &hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = Hash::of_node(&hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// A tree, as far as proofs between trees need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Whether `proof` shows that the tree `old` is where the tree `new` began.
pub fn extends(old: Head, new: Head, proof: &[Hash]) -> bool {
    if old.size > new.size {
        return false;
    }
    if old.size == new.size {
        return proof.is_empty() && old.root == new.root;
    }
    if old.size == 0 {
        return proof.is_empty() && old.root == Hash::of_nothing();
    }
    let (mut place, mut last) = (old.size - 1, new.size - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    // Where the old tree is perfect, the path begins at its root, which is known and not sent.
    let mut path = proof.iter();
    let first = if place == 0 { Some(&old.root) } else { path.next() };
    let Some(first) = first else { return false };
    let (mut before, mut now) = (*first, *first);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            before = Hash::of_node(sibling, &before);
            now = Hash::of_node(sibling, &now);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            now = Hash::of_node(&now, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && before == old.root && now == new.root
}

/// Why bytes are no proof file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAProof;

impl fmt::Display for NotAProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a proof of a record in a log")
    }
}

impl std::error::Error for NotAProof {}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproved {
    /// The checkpoint is of another log than the key.
    Origin,
    /// The key did not sign the checkpoint.
    Unsigned,
    /// The signature in the key's name is not over this checkpoint.
    Signature,
    /// The file holds no record.
    NoRecord,
    /// The path does not lead from the record to the root.
    Path,
}

impl fmt::Display for Unproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Origin => "its checkpoint is of another log than the key",
            Self::Unsigned => "its checkpoint is not signed by the key",
            Self::Signature => "the signature in the key's name is not over this checkpoint",
            Self::NoRecord => "it holds no record",
            Self::Path => "its hashes do not lead from the record to the signed root",
        })
    }
}

impl std::error::Error for Unproved {}

/// A proof that a record is in a log, which can be checked without the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordProof {
    /// The record, or whatever somebody else's proof carries there.
    pub extra: Option<Vec<u8>>,
    /// Its index, from 0.
    pub index: u64,
    /// From the record's sibling to a child of the root.
    pub path: Vec<Hash>,
    /// The head of the log.
    pub checkpoint: SignedCheckpoint,
}

impl RecordProof {
    /// Reads a proof. That proves nothing yet.
    ///
    /// # Errors
    ///
    /// [`NotAProof`] if it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotAProof> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(NotAProof);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| NotAProof)?;
        let (proof, checkpoint) = text.split_once("\n\n").ok_or(NotAProof)?;
        let mut lines = proof.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(NotAProof);
        }
        let extra =
            lines.next_if(|line| line.starts_with("extra ")).and_then(|line| line.strip_prefix("extra "));
        let extra = extra.map(|text| STANDARD.decode(text)).transpose().map_err(|_| NotAProof)?;
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or(NotAProof)?;
        let index = decimal(index).ok_or(NotAProof)?;
        let path = lines.map(str::parse).collect::<Result<Vec<Hash>, _>>().map_err(|_| NotAProof)?;
        if path.len() > PROOF_HASHES_MAX {
            return Err(NotAProof);
        }
        let checkpoint = SignedCheckpoint::parse(checkpoint.as_bytes()).map_err(|_| NotAProof)?;
        Ok(Self { extra, index, path, checkpoint })
    }

    /// The record, if the log whose key this is has it at this index.
    ///
    /// # Errors
    ///
    /// [`Unproved`] says what is not so.
    pub fn check(&self, key: &Verifier) -> Result<&[u8], Unproved> {
        let head = self.checkpoint.head();
        if head.origin != key.name().as_str() {
            return Err(Unproved::Origin);
        }
        match self.checkpoint.note().signed_by(key) {
            Signed::Yes { .. } => {}
            Signed::No => return Err(Unproved::Unsigned),
            Signed::Wrongly => return Err(Unproved::Signature),
        }
        let record = self.extra.as_deref().ok_or(Unproved::NoRecord)?;
        if includes(self.index, head.size, &Hash::of_leaf(record), &self.path, &head.root) {
            Ok(record)
        } else {
            Err(Unproved::Path)
        }
    }
}

/// How a proof file begins.
const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

impl fmt::Display for RecordProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}
