//! Tiles: the files of a log, as C2SP tlog-tiles lays them out.
//!
//! A *hash tile* holds 256 hashes of one level of the tree, every eighth level being stored; an *entry bundle*
//! holds 256 records behind 16-bit lengths. The rightmost of each is partial and carries its width in its name.
//! A tile never changes once a checkpoint covers it: a wider one is another file.
//!
//! Not here: reading and writing files ([`crate::directory`]). Spec: c2sp.org/tlog-tiles.

use std::{fmt, str::FromStr};

use crate::tree::Hash;

/// Hashes in a full hash tile, records in a full bundle.
pub const TILE_WIDTH: u64 = 256;

/// The longest record that a bundle can hold, since its length stands in 16 bits.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// The longest bundle.
pub const BUNDLE_BYTES_MAX: u64 = TILE_WIDTH * (ENTRY_BYTES_MAX as u64 + 2);

/// The highest level that a path may name.
const LEVEL_MAX: u8 = 63;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Hashes of a level; each stands for 256 to the power of `level` records.
    Hashes {
        /// From 0, the leaves, to 63.
        level: u8,
    },
    /// Records.
    Entries,
}

/// The name of a tile.
///
/// ```
/// use placet_ledger::tile::Tile;
/// let tile: Tile = "tile/0/x001/x234/067.p/8".parse()?;
/// assert_eq!((tile.index(), tile.width()), (1_234_067, 8));
/// assert_eq!(tile.to_string(), "tile/0/x001/x234/067.p/8");
/// // One tile has one name, and a width of nothing is none.
/// assert!("tile/0/x000/001".parse::<Tile>().is_err());
/// assert!("tile/0/001.p/0".parse::<Tile>().is_err());
/// # Ok::<(), placet_ledger::tile::NotATile>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    kind: Kind,
    index: u64,
    width: u16,
}

/// Not the path of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotATile;

impl fmt::Display for NotATile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the path of a tile")
    }
}

impl std::error::Error for NotATile {}

impl Tile {
    /// Tile `index` of a level, as wide as a tree of `size` leaves makes it; none if the tree does not have it.
    pub fn of_tree(level: u32, index: u64, size: u64) -> Option<Self> {
        let kind = Kind::Hashes { level: u8::try_from(level).ok().filter(|level| *level <= LEVEL_MAX)? };
        let hashes = level.checked_mul(8).and_then(|bits| size.checked_shr(bits)).unwrap_or(0);
        Self::within(kind, index, hashes)
    }

    /// Bundle `index`, as wide as a log of `size` records makes it; none if the log does not have it.
    pub fn of_entries(index: u64, size: u64) -> Option<Self> {
        Self::within(Kind::Entries, index, size)
    }

    fn within(kind: Kind, index: u64, count: u64) -> Option<Self> {
        let width = count.checked_sub(index.checked_mul(TILE_WIDTH)?)?.min(TILE_WIDTH);
        (width > 0).then_some(Self { kind, index, width: u16::try_from(width).ok()? })
    }

    /// What it holds.
    pub fn kind(self) -> Kind {
        self.kind
    }

    /// Its number on its level.
    pub fn index(self) -> u64 {
        self.index
    }

    /// How many hashes or records it holds, 1 to 256.
    pub fn width(self) -> usize {
        usize::from(self.width)
    }

    /// Whether it can still grow.
    pub fn is_partial(self) -> bool {
        u64::from(self.width) < TILE_WIDTH
    }

    /// The same tile when it is full.
    #[must_use]
    pub fn full(self) -> Self {
        Self { width: 256, ..self }
    }

    /// The folder of all partial widths of this tile.
    pub fn partial_folder(self) -> String {
        format!("{}.p", self.full())
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Hashes { level } => write!(f, "tile/{level}")?,
            Kind::Entries => f.write_str("tile/entries")?,
        }
        let mut groups = vec![self.index % 1_000];
        let mut rest = self.index / 1_000;
        while rest > 0 {
            groups.push(rest % 1_000);
            rest /= 1_000;
        }
        for (place, group) in groups.iter().enumerate().rev() {
            write!(f, "/{}{group:03}", if place == 0 { "" } else { "x" })?;
        }
        if self.is_partial() { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

impl FromStr for Tile {
    type Err = NotATile;

    fn from_str(path: &str) -> Result<Self, NotATile> {
        let rest = path.strip_prefix("tile/").ok_or(NotATile)?;
        let (level, rest) = rest.split_once('/').ok_or(NotATile)?;
        let kind = match level {
            "entries" => Kind::Entries,
            number => Kind::Hashes {
                level: u8::try_from(decimal(number).ok_or(NotATile)?)
                    .ok()
                    .filter(|level| *level <= LEVEL_MAX)
                    .ok_or(NotATile)?,
            },
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => {
                let width = decimal(width).filter(|width| (1..TILE_WIDTH).contains(width)).ok_or(NotATile)?;
                (number, u16::try_from(width).map_err(|_| NotATile)?)
            }
            None => (rest, 256),
        };
        let mut index = 0_u64;
        let mut groups = number.split('/').peekable();
        while let Some(group) = groups.next() {
            let digits = match groups.peek() {
                Some(_) => group.strip_prefix('x').ok_or(NotATile)?,
                None => group,
            };
            if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(NotATile);
            }
            let group = digits.parse::<u64>().map_err(|_| NotATile)?;
            index = index.checked_mul(1_000).and_then(|index| index.checked_add(group)).ok_or(NotATile)?;
        }
        let tile = Self { kind, index, width };
        // One tile, one name: what would not be written so is not read.
        if tile.to_string() == path { Ok(tile) } else { Err(NotATile) }
    }
}

/// A decimal number as the formats of C2SP write it: digits, without leading zeroes.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// Reads a hash tile of exactly `width` hashes; none if it has another length.
pub fn read_hashes(bytes: &[u8], width: usize) -> Option<Vec<Hash>> {
    let hashes: Vec<Hash> =
        bytes.chunks_exact(32).filter_map(|chunk| <[u8; 32]>::try_from(chunk).ok()).map(Hash).collect();
    (bytes.len().is_multiple_of(32) && hashes.len() == width).then_some(hashes)
}

/// The bytes of a hash tile.
pub fn write_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The records of a bundle, one after the other.
///
/// ```
/// use placet_ledger::tile::{Bundle, push_entry};
/// let mut bytes = Vec::new();
/// push_entry(&mut bytes, b"a record")?;
/// let mut bundle = Bundle::new(&bytes);
/// assert_eq!(bundle.next(), Some(Ok(&b"a record"[..])));
/// assert_eq!(bundle.next(), None);
/// // A length that points behind the end is an error, once; then there is nothing more.
/// let mut torn = Bundle::new(&bytes[..5]);
/// assert!(matches!(torn.next(), Some(Err(_))));
/// assert_eq!(torn.next(), None);
/// # Ok::<(), placet_ledger::tile::TooLong>(())
/// ```
#[derive(Clone, Debug)]
pub struct Bundle<'a> {
    rest: &'a [u8],
}

/// A bundle ends in the middle of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn;

impl<'a> Bundle<'a> {
    /// The bundle in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Bundle<'a> {
    type Item = Result<&'a [u8], Torn>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let split = self
            .rest
            .split_first_chunk::<2>()
            .and_then(|(length, rest)| rest.split_at_checked(usize::from(u16::from_be_bytes(*length))));
        Some(match split {
            Some((entry, rest)) => {
                self.rest = rest;
                Ok(entry)
            }
            None => {
                self.rest = &[];
                Err(Torn)
            }
        })
    }
}

/// Longer than a bundle can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong(pub usize);

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a record of {} bytes is longer than {ENTRY_BYTES_MAX}", self.0)
    }
}

impl std::error::Error for TooLong {}

/// Adds one record to a bundle.
///
/// # Errors
///
/// [`TooLong`] if its length does not fit into 16 bits; then nothing is added.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), TooLong> {
    let length = u16::try_from(entry.len()).map_err(|_| TooLong(entry.len()))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}
