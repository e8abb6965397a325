//! The Merkle tree of RFC 6962: how records become one hash, and which hashes prove that.
//!
//! A leaf is hashed behind a zero byte, a node behind a one, so no record can pass for a node. A [`Range`] holds
//! the roots of the perfect subtrees of the records so far, at most 64 of them: enough to append and to say the
//! root. Proofs are made from hash tiles, one read for each eight levels.
//!
//! Not here: how hashes lie in files ([`crate::tile`]), and checking a proof without the tree ([`crate::proof`]).
//! RFC 6962 §2.1; the recursions below are written as they stand there.

use std::{collections::BTreeMap, fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use crate::tile::{TILE_WIDTH, Tile};

/// A SHA-256 hash: of a leaf, a node or a tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The root of a tree without leaves.
    pub fn of_nothing() -> Self {
        Self(Sha256::digest([]).into())
    }

    /// The hash of one record.
    pub fn of_leaf(record: &[u8]) -> Self {
        Self(Sha256::new().chain_update([0]).chain_update(record).finalize().into())
    }

    /// The hash of two subtrees.
    pub fn of_node(left: &Self, right: &Self) -> Self {
        let mut bytes = [1_u8; 65];
        let (_, halves) = bytes.split_at_mut(1);
        for (to, from) in halves.chunks_exact_mut(32).zip([left, right]) {
            to.copy_from_slice(&from.0);
        }
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NotAHash)
    }
}

/// Not the base64 of 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAHash;

impl fmt::Display for NotAHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a hash is the base64 of 32 bytes")
    }
}

impl std::error::Error for NotAHash {}

/// The roots of the perfect subtrees that the leaves so far make, the largest first.
///
/// ```
/// use placet_ledger::tree::{Hash, Range};
/// let mut range = Range::default();
/// assert_eq!(range.root(), Hash::of_nothing());
/// let (one, two) = (Hash::of_leaf(b"one"), Hash::of_leaf(b"two"));
/// range.push(one);
/// range.push(two);
/// assert_eq!(range.root(), Hash::of_node(&one, &two));
/// // As many roots as the size has bits that are set, or it is no range.
/// assert!(Range::from_peaks(2, vec![one, two]).is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    size: u64,
    peaks: Vec<Hash>,
}

impl Range {
    /// A range from its parts; none if their number does not fit `size`.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (u64::from(size.count_ones()) == peaks.len() as u64).then_some(Self { size, peaks })
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return Hash::of_nothing() };
        peaks.fold(*last, |right, left| Hash::of_node(left, &right))
    }

    /// Adds one leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_and(leaf, |_, _| {});
    }

    /// Adds one leaf, and shows each node that is thereby complete with its height: the leaf itself at 0, then
    /// upwards.
    pub fn push_and(&mut self, leaf: Hash, mut complete: impl FnMut(u32, Hash)) {
        complete(0, leaf);
        let mut hash = leaf;
        for height in 1..=self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = Hash::of_node(&left, &hash);
                complete(height, hash);
            }
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
    }
}

/// Where hash tiles come from.
pub trait Tiles {
    /// Why a tile cannot be had.
    type Error;

    /// The first `tile.width()` hashes of a tile.
    ///
    /// # Errors
    ///
    /// Whatever is in the way.
    fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, Self::Error>;
}

/// Why a proof cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProofError<E> {
    /// What is to be proved is not in a tree of this size.
    OutOfRange,
    /// A tile cannot be had.
    Unreadable(E),
    /// A tile holds fewer hashes than it was asked for.
    Short(Tile),
}

impl<E: fmt::Display> fmt::Display for ProofError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange => f.write_str("the log has no such record at this size"),
            Self::Unreadable(cause) => write!(f, "a hash tile cannot be read: {cause}"),
            Self::Short(tile) => write!(f, "the hash tile `{tile}` is too short"),
        }
    }
}

impl<E: std::error::Error> std::error::Error for ProofError<E> {}

/// The tree of the first `size` leaves, over hash tiles.
#[derive(Debug)]
pub struct Tree<'a, T> {
    size: u64,
    tiles: &'a T,
    seen: BTreeMap<Tile, Vec<Hash>>,
}

impl<'a, T: Tiles> Tree<'a, T> {
    /// The tree that `tiles` held when it had `size` leaves.
    pub fn new(tiles: &'a T, size: u64) -> Self {
        Self { size, tiles, seen: BTreeMap::new() }
    }

    /// The roots of the perfect subtrees, from which the log goes on.
    ///
    /// # Errors
    ///
    /// [`ProofError`] if a tile is in the way.
    pub fn range(&mut self) -> Result<Range, ProofError<T::Error>> {
        let mut peaks = Vec::new();
        let mut from = 0_u64;
        let size = self.size;
        for height in (0..64_u32).rev().filter(|height| size & (1 << height) != 0) {
            peaks.push(self.node(height, from >> height)?);
            from += 1 << height;
        }
        Ok(Range { size: self.size, peaks })
    }

    /// The hashes that prove that leaf `index` is in the tree, from its sibling upwards.
    ///
    /// # Errors
    ///
    /// [`ProofError`] if there is no such leaf, or a tile is in the way.
    pub fn inclusion(&mut self, index: u64) -> Result<Vec<Hash>, ProofError<T::Error>> {
        if index >= self.size {
            return Err(ProofError::OutOfRange);
        }
        // From the root down to the leaf, then turned round: PATH of §2.1.1.
        let (mut from, mut to, mut proof) = (0, self.size, Vec::new());
        while to - from > 1 {
            let middle = from + split(to - from);
            if index < middle {
                proof.push(self.hash(middle, to)?);
                to = middle;
            } else {
                proof.push(self.hash(from, middle)?);
                from = middle;
            }
        }
        proof.reverse();
        Ok(proof)
    }

    /// The hashes that prove that the tree of the first `old` leaves is where this one began.
    ///
    /// # Errors
    ///
    /// [`ProofError`] if `old` is larger than the tree, or a tile is in the way.
    pub fn consistency(&mut self, old: u64) -> Result<Vec<Hash>, ProofError<T::Error>> {
        if old > self.size {
            return Err(ProofError::OutOfRange);
        }
        if old == 0 || old == self.size {
            return Ok(Vec::new());
        }
        // SUBPROOF of §2.1.2, from the root down.
        let (mut from, mut to, mut proof) = (0, self.size, Vec::new());
        while to != old {
            let middle = from + split(to - from);
            if old <= middle {
                proof.push(self.hash(middle, to)?);
                to = middle;
            } else {
                proof.push(self.hash(from, middle)?);
                from = middle;
            }
        }
        // Where the old tree is a left edge of this one, whoever checks has its root already.
        if from != 0 {
            proof.push(self.hash(from, to)?);
        }
        proof.reverse();
        Ok(proof)
    }

    /// The root of leaves `from..to`, where `from` is a multiple of the smallest power of two that is not less
    /// than their number.
    fn hash(&mut self, from: u64, to: u64) -> Result<Hash, ProofError<T::Error>> {
        let mut lefts = Vec::new();
        let mut from = from;
        while !(to - from).is_power_of_two() {
            let middle = from + split(to - from);
            let height = (middle - from).trailing_zeros();
            lefts.push(self.node(height, from >> height)?);
            from = middle;
        }
        let height = (to - from).trailing_zeros();
        let last = self.node(height, from >> height)?;
        Ok(lefts.iter().rev().fold(last, |right, left| Hash::of_node(left, &right)))
    }

    /// The perfect subtree number `index` of this height.
    fn node(&mut self, height: u32, index: u64) -> Result<Hash, ProofError<T::Error>> {
        let (level, above) = (height / 8, height % 8);
        let first = index << above;
        let tile = Tile::of_tree(level, first / TILE_WIDTH, self.size).ok_or(ProofError::OutOfRange)?;
        if !self.seen.contains_key(&tile) {
            let hashes = self.tiles.hashes(tile).map_err(ProofError::Unreadable)?;
            self.seen.insert(tile, hashes);
        }
        // Both fit: a tile has 256 hashes.
        let (start, count) = ((first % TILE_WIDTH) as usize, 1_usize << above);
        let hashes = self.seen.get(&tile).and_then(|hashes| hashes.get(start..start + count));
        let mut row = hashes.ok_or(ProofError::Short(tile))?.to_vec();
        while let [_, _, ..] = row.as_slice() {
            row = row
                .chunks(2)
                .filter_map(|pair| match pair {
                    [left, right] => Some(Hash::of_node(left, right)),
                    _ => None,
                })
                .collect();
        }
        row.first().copied().ok_or(ProofError::Short(tile))
    }
}

/// The largest power of two less than `count`, where `count` is at least two: where RFC 6962 splits a tree.
fn split(count: u64) -> u64 {
    1 << (63 - count.saturating_sub(1).leading_zeros().min(63))
}
