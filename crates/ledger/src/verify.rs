//! The verifier: a directory of files, a public key, and what can be concluded from them.
//!
//! One pass reads each record once, hashes it, and compares each stored hash with what the records make of it.
//! Memory does not grow with the log. Nothing is assumed that was not read: the report has one line for each
//! thing that could be checked, and a thing that was not checked is never called good.
//!
//! Where records and hashes differ, the pass follows both: if the stored hashes lead to the signed root, the
//! first difference is the first record that was changed. If neither leads there, it cannot be told which record
//! was changed, and the report says between which it must be.
//!
//! Not here: words for people ([`report`]). Start at [`verify()`].

pub mod report;

use std::io;

use crate::{
    checkpoint::SignedCheckpoint,
    directory::{CHECKPOINT, Directory, Found, NoHashes, ROTATIONS, WITNESSED},
    note::{NOTE_BYTES_MAX, Note, Signed, Verifier},
    rotation::{ROTATIONS_BYTES_MAX, Rotation, read_indices},
    tile::{Bundle, TILE_WIDTH, Tile},
    tree::{Hash, Range},
};

pub use report::{Check, Cosigned, Report, Why, Witnessed};

/// What an auditor brings.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The log's key, from elsewhere than the directory. One from before or after a rotation will do.
    pub key: Verifier,
    /// A checkpoint that she kept earlier.
    pub old: Option<Vec<u8>>,
    /// The witnesses that she trusts.
    pub witnesses: Vec<Verifier>,
    /// How many of them must have cosigned. It is not zero where there are witnesses.
    pub quorum: usize,
}

impl Asked {
    /// Asks about a key alone.
    pub fn of(key: Verifier) -> Self {
        Self { key, old: None, witnesses: Vec::new(), quorum: 0 }
    }
}

/// Verifies a log.
///
/// It never fails: what cannot be read is part of the answer.
///
/// ```
/// use placet_ledger::{directory::Directory, log::Log, note::{KeyKind, Signer}, verify::{Asked, Why, verify}};
/// let folder = tempfile::tempdir()?;
/// let signer = Signer::from_seed("example.org/log".parse()?, KeyKind::Log, &[7; 32])?;
/// let mut log = Log::open(folder.path(), signer.verifier())?;
/// for record in ["one", "two", "three"] {
///     log.append(record.as_bytes())?;
/// }
/// log.seal(&signer)?;
/// let asked = Asked::of(signer.verifier().clone());
/// let report = verify(&Directory::new(folder.path()), &asked);
/// assert!(report.is_good());
/// assert_eq!(report.records, 3);
/// assert_eq!(report.extends.why(), Some(Why::NoOldCheckpoint));
///
/// let bundle = folder.path().join("tile/entries/000.p/3");
/// let forged = std::fs::read(&bundle)?.iter().map(|byte| if *byte == b'w' { b'v' } else { *byte }).collect::<Vec<_>>();
/// std::fs::write(&bundle, forged)?;
/// let report = verify(&Directory::new(folder.path()), &asked);
/// assert!(!report.is_good());
/// assert_eq!(report.first_bad, Some(1..2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn verify(directory: &Directory, asked: &Asked) -> Report {
    let mut report = Report::nothing_checked(Why::CheckpointFailed);
    let signed = match directory.checkpoint().map(|bytes| bytes.as_deref().map(SignedCheckpoint::parse)) {
        Ok(Some(Ok(signed))) => signed,
        Ok(None) => {
            report.checkpoint = Check::failed_at(Why::Missing, CHECKPOINT);
            return report;
        }
        Ok(Some(Err(_))) | Err(_) => {
            report.checkpoint = Check::failed_at(Why::Malformed, CHECKPOINT);
            return report;
        }
    };
    let head = signed.head().clone();
    report = Report::nothing_checked(Why::SignatureFailed);
    report.checkpoint = Check::Passed;
    report.origin = Some(head.origin.clone());
    report.size = Some(head.size);
    report.root = Some(head.root);

    let keys = match Keys::of(directory, &asked.key, head.size) {
        Ok(keys) => keys,
        Err(Unchained) => {
            report.signature = Check::failed_at(Why::RotationBad, ROTATIONS);
            return report;
        }
    };
    match keys.sign(&signed, &asked.key) {
        Ok(key) => report.key = Some(key.clone()),
        Err(why) => {
            report.signature = Check::failed_at(why, CHECKPOINT);
            return report;
        }
    }
    report.signature = Check::Passed;

    let old = asked.old.as_deref().map(|bytes| read_old(bytes, &asked.key, &keys, head.size));
    let witnessed = (!asked.witnesses.is_empty()).then(|| read_witnessed(directory, asked, &keys, &signed));
    let mut walk = Walk::new(directory, head.size);
    walk.marks.extend(old.iter().flatten().map(|head| (head.size, None)));
    walk.marks.extend(witnessed.iter().flatten().map(|(head, _)| (head.size, None)));
    walk.run();
    judge(&mut report, &walk, &head.root, old, witnessed);
    report.beyond =
        if beyond(directory, head.size) { Check::NotChecked(Why::UnsignedRecords) } else { Check::Passed };
    report
}

/// Draws the conclusions of a pass.
fn judge(
    report: &mut Report,
    walk: &Walk<'_>,
    root: &Hash,
    old: Option<Result<Mark, Why>>,
    witnessed: Option<Result<(Mark, Vec<Cosigned>), Refused>>,
) {
    report.records = walk.read;
    let of_records = walk.records.as_ref().map(Range::root);
    let of_hashes = match &walk.hashes {
        Hashes::Same => None,
        Hashes::Apart(range) => Some(range.root()),
        Hashes::Gone => None,
    };
    let proven = of_records == Some(*root);
    report.entries = walk.bad_bundle.clone().map_or(Check::Passed, |(why, at)| Check::failed_at(why, at));
    report.root_check = match of_records {
        Some(_) if proven => Check::Passed,
        Some(_) => Check::Failed { why: Why::Differs, at: None },
        None => Check::NotChecked(Why::RecordsIncomplete),
    };
    report.tiles = match &walk.bad_tile {
        _ if !proven => Check::NotChecked(Why::RootNotProven),
        Some((why, at)) => Check::failed_at(*why, at),
        None => Check::Passed,
    };

    // A head that was kept elsewhere, and what the records made of the log at its size.
    let same = |mark: &Mark| match walk.root_at(mark.size) {
        None => Err(Check::NotChecked(Why::RecordsIncomplete)),
        Some(root) if root != mark.root => Err(Check::Failed { why: Why::Differs, at: None }),
        Some(_) => Ok(if proven { Check::Passed } else { Check::NotChecked(Why::RootNotProven) }),
    };
    let (mut held, mut forked) = (0, None);
    report.extends = match old {
        None => Check::NotChecked(Why::NoOldCheckpoint),
        Some(Err(why)) => Check::Failed { why, at: None },
        Some(Ok(mark)) => {
            report.old_size = Some(mark.size);
            match same(&mark) {
                Ok(check) => {
                    held = mark.size;
                    check
                }
                Err(check) => {
                    forked = Some(mark.size);
                    check
                }
            }
        }
    };
    report.witnesses = match witnessed {
        None => Check::NotChecked(Why::NoWitnessKey),
        Some(Err(Refused { why, at })) => Check::failed_at(why, at),
        Some(Ok((mark, by))) => match same(&mark) {
            Ok(check) => {
                held = held.max(mark.size);
                if check == Check::Passed {
                    report.witnessed = Some(Witnessed { size: mark.size, by });
                }
                check
            }
            Err(check) => {
                forked = Some(forked.map_or(mark.size, |size: u64| size.min(mark.size)));
                check
            }
        },
    };
    report.freshness = Check::NotChecked(match report.witnessed {
        Some(_) => Why::AsOfWitness,
        None => Why::NoWitness,
    });
    report.first_bad = if proven {
        // Every record leads to the signed root; a head that was kept says that they were others once.
        forked.filter(|_| is_rewritten(report)).map(|size| 0..size)
    } else if of_hashes == Some(*root) {
        walk.first_difference.map(|index| index..index + 1)
    } else {
        let rewritten = forked.filter(|_| is_rewritten(report)).unwrap_or(walk.size);
        let end = walk.first_unreadable.map_or(walk.size, |index| index + 1).min(rewritten);
        (end > held).then_some(held..end)
    };
}

/// Whether the records before a head that was kept are not those that it covered.
fn is_rewritten(report: &Report) -> bool {
    [&report.extends, &report.witnesses].iter().any(|check| check.why() == Some(Why::Differs))
}

/// A size and the root that it must have.
#[derive(Clone, Copy, Debug)]
struct Mark {
    size: u64,
    root: Hash,
}

/// Why a check of a further file failed, and which file.
struct Refused {
    why: Why,
    at: &'static str,
}

/// The rotations of a log are no chain from or to the key that was given.
struct Unchained;

/// The keys of a log, each with the smallest size of a head that it signs.
struct Keys(Vec<(u64, Verifier)>);

impl Keys {
    /// Follows the statements that the log's file lists.
    fn of(directory: &Directory, given: &Verifier, size: u64) -> Result<Self, Unchained> {
        let file = directory.read(ROTATIONS, ROTATIONS_BYTES_MAX as u64).map_err(|_| Unchained)?;
        let indices = read_indices(file.as_deref().unwrap_or_default()).ok_or(Unchained)?;
        let mut keys: Vec<(u64, Verifier)> = Vec::new();
        let mut earlier = false;
        // One beyond the head was listed for a seal that did not come to pass.
        for index in indices.into_iter().filter(|index| *index < size) {
            let record = read_record(directory, index, size).ok_or(Unchained)?;
            let rotation = Rotation::parse(&record).map_err(|_| Unchained)?;
            if rotation.index != index {
                return Err(Unchained);
            }
            match keys.last() {
                Some((_, key)) if rotation.is_by(key) => keys.push((index + 1, rotation.next)),
                Some(_) => return Err(Unchained),
                None if !earlier && rotation.is_by(given) => {
                    keys.push((0, given.clone()));
                    keys.push((index + 1, rotation.next));
                }
                // A statement from before the key that was given, or the one that names it.
                None if rotation.next == *given => keys.push((index + 1, rotation.next)),
                None => earlier = true,
            }
        }
        match (keys.is_empty(), earlier) {
            (true, true) => Err(Unchained),
            (true, false) => Ok(Self(vec![(0, given.clone())])),
            (false, _) => Ok(Self(keys)),
        }
    }

    /// The key that signs heads of this size, if it follows from the one that was given.
    fn at(&self, size: u64) -> Option<&Verifier> {
        self.0.iter().rev().find(|(from, _)| *from <= size).map(|(_, key)| key)
    }

    /// The key that signed a head of the log of `given`.
    fn sign(&self, signed: &SignedCheckpoint, given: &Verifier) -> Result<&Verifier, Why> {
        if signed.head().origin != given.name().as_str() {
            return Err(Why::OtherOrigin);
        }
        let key = self.at(signed.head().size).ok_or(Why::Unsigned)?;
        match signed.note().signed_by(key) {
            Signed::Yes { .. } => Ok(key),
            Signed::No => Err(Why::Unsigned),
            Signed::Wrongly => Err(Why::BadSignature),
        }
    }
}

fn read_record(directory: &Directory, index: u64, size: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let bundle = Tile::of_entries(index / TILE_WIDTH, size)?;
    directory.read_tile(bundle, &mut bytes).ok()?;
    let place = usize::try_from(index % TILE_WIDTH).ok()?;
    Bundle::new(&bytes).nth(place)?.ok().map(<[u8]>::to_vec)
}

/// Reads the checkpoint that the auditor kept.
fn read_old(bytes: &[u8], given: &Verifier, keys: &Keys, size: u64) -> Result<Mark, Why> {
    let signed = SignedCheckpoint::parse(bytes).map_err(|_| Why::Malformed)?;
    keys.sign(&signed, given)?;
    let head = signed.head();
    if head.size > size {
        return Err(Why::Shorter);
    }
    Ok(Mark { size: head.size, root: head.root })
}

/// Looks for a head that enough witnesses have cosigned: the log's own, or the last that was.
fn read_witnessed(
    directory: &Directory,
    asked: &Asked,
    keys: &Keys,
    signed: &SignedCheckpoint,
) -> Result<(Mark, Vec<Cosigned>), Refused> {
    let refused = |at: &'static str| move |why| Refused { why, at };
    let by = cosigners(signed.note(), asked).map_err(refused(CHECKPOINT))?;
    if by.len() >= asked.quorum.max(1) {
        return Ok((Mark { size: signed.head().size, root: signed.head().root }, by));
    }
    let at = refused(WITNESSED);
    let bytes = directory.read(WITNESSED, NOTE_BYTES_MAX as u64).map_err(|_| at(Why::Malformed))?;
    let Some(bytes) = bytes else { return Err(refused(CHECKPOINT)(Why::QuorumNotMet)) };
    let earlier = SignedCheckpoint::parse(&bytes).map_err(|_| at(Why::Malformed))?;
    keys.sign(&earlier, &asked.key).map_err(at)?;
    let by = cosigners(earlier.note(), asked).map_err(at)?;
    if by.len() < asked.quorum.max(1) {
        return Err(at(Why::QuorumNotMet));
    }
    if earlier.head().size > signed.head().size {
        return Err(at(Why::Shorter));
    }
    Ok((Mark { size: earlier.head().size, root: earlier.head().root }, by))
}

/// Which of the witnesses have cosigned, each key once.
fn cosigners(note: &Note, asked: &Asked) -> Result<Vec<Cosigned>, Why> {
    let mut by: Vec<Cosigned> = Vec::new();
    let mut seen: Vec<&[u8; 32]> = Vec::new();
    for witness in &asked.witnesses {
        match note.signed_by(witness) {
            Signed::Yes { at: Some(at) } if !seen.contains(&witness.public()) => {
                seen.push(witness.public());
                by.push(Cosigned { name: witness.name().clone(), at });
            }
            Signed::Yes { .. } | Signed::No => {}
            Signed::Wrongly => return Err(Why::BadCosignature),
        }
    }
    Ok(by)
}

/// Whether records stand behind the signed ones: the next bundle, or a wider one than the last.
fn beyond(directory: &Directory, size: u64) -> bool {
    let index = size / TILE_WIDTH;
    let Some(full) = Tile::of_entries(index, u64::MAX) else { return false };
    let width = size % TILE_WIDTH;
    let next = Tile::of_entries(index.saturating_add(1), u64::MAX);
    directory.has(full)
        || directory.partial_widths(full).iter().any(|found| *found > width)
        || next.is_some_and(|next| directory.has(next) || !directory.partial_widths(next).is_empty())
}

/// The stored hashes of the leaves, as far as they are not what the records make.
#[derive(Debug)]
enum Hashes {
    /// They are.
    Same,
    /// They were, up to some record.
    Apart(Range),
    /// One could not be read.
    Gone,
}

/// One pass over the log.
#[derive(Debug)]
struct Walk<'a> {
    directory: &'a Directory,
    size: u64,
    /// How many records were read.
    read: u64,
    /// What the records make; none once one could not be read.
    records: Option<Range>,
    hashes: Hashes,
    /// The first index at which record and hash are not of each other.
    first_difference: Option<u64>,
    /// The first record that could not be read.
    first_unreadable: Option<u64>,
    bad_bundle: Option<(Why, String)>,
    bad_tile: Option<(Why, String)>,
    /// Sizes at which the root is wanted.
    marks: Vec<(u64, Option<Hash>)>,
    /// By level from 1, the hashes that the records make for the tile that is filling.
    levels: Vec<Vec<Hash>>,
}

impl<'a> Walk<'a> {
    fn new(directory: &'a Directory, size: u64) -> Self {
        Self {
            directory,
            size,
            read: 0,
            records: Some(Range::default()),
            hashes: Hashes::Same,
            first_difference: None,
            first_unreadable: None,
            bad_bundle: None,
            bad_tile: None,
            marks: Vec::new(),
            levels: Vec::new(),
        }
    }

    fn root_at(&self, size: u64) -> Option<Hash> {
        self.marks.iter().find(|(mark, _)| *mark == size).and_then(|(_, root)| *root)
    }

    fn run(&mut self) {
        self.note_mark();
        let (mut bytes, mut tile_bytes, mut leaves) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..self.size.div_ceil(TILE_WIDTH) {
            let Some(bundle) = Tile::of_entries(number, self.size) else { break };
            let Some(tile) = Tile::of_tree(0, number, self.size) else { break };
            if self.records.is_none() && matches!(self.hashes, Hashes::Gone) {
                // Nothing can be concluded from what is left.
                break;
            }
            self.read_leaves(bundle, &mut bytes, &mut leaves);
            let kept = self.directory.read_hashes(tile, &mut tile_bytes);
            let kept = self.take_tile(tile, kept);
            self.step(number * TILE_WIDTH, bundle.width(), &leaves, &kept);
        }
        for level in 1..=self.levels.len() {
            self.compare_level(level, self.size);
        }
    }

    /// The hashes of a bundle's records, as many as can be read.
    fn read_leaves(&mut self, bundle: Tile, bytes: &mut Vec<u8>, leaves: &mut Vec<Hash>) {
        leaves.clear();
        let mut bad = None;
        match self.directory.read_tile(bundle, bytes) {
            Ok(Found::Missing) => bad = Some(Why::Missing),
            Err(_) => bad = Some(Why::Malformed),
            Ok(found @ (Found::Exact | Found::Within)) => {
                let mut entries = Bundle::new(bytes);
                leaves.extend(entries.by_ref().take(bundle.width()).map_while(Result::ok).map(Hash::of_leaf));
                let over = found == Found::Exact && !entries.rest().is_empty();
                if leaves.len() < bundle.width() || over {
                    bad = Some(Why::Malformed);
                }
            }
        }
        self.read += leaves.len() as u64;
        if let Some(why) = bad {
            self.bad_bundle.get_or_insert_with(|| (why, bundle.to_string()));
        }
    }

    /// The hashes of a tile, none if they cannot be had.
    fn take_tile(&mut self, tile: Tile, kept: io::Result<Result<Vec<Hash>, NoHashes>>) -> Vec<Hash> {
        let why = match kept {
            Ok(Ok(hashes)) => return hashes,
            Ok(Err(NoHashes::Missing)) => Why::Missing,
            Ok(Err(NoHashes::Malformed)) | Err(_) => Why::Malformed,
        };
        self.bad_tile.get_or_insert_with(|| (why, tile.to_string()));
        Vec::new()
    }

    /// Takes the records and hashes of one bundle.
    fn step(&mut self, first: u64, width: usize, leaves: &[Hash], kept: &[Hash]) {
        if leaves.len() == width && leaves == kept && matches!(self.hashes, Hashes::Same) {
            leaves.iter().for_each(|leaf| self.push_record(*leaf));
            return;
        }
        for (index, place) in (first..).zip(0..width) {
            let (leaf, hash) = (leaves.get(place), kept.get(place));
            if leaf != hash {
                self.first_difference.get_or_insert(index);
                if let (Hashes::Same, Some(records)) = (&self.hashes, &self.records) {
                    self.hashes = Hashes::Apart(records.clone());
                }
                if let (Some(_), Some(_)) = (leaf, hash) {
                    let number = index / TILE_WIDTH;
                    let at =
                        Tile::of_tree(0, number, self.size).map_or(String::new(), |tile| tile.to_string());
                    self.bad_tile.get_or_insert((Why::Differs, at));
                }
            }
            match (&mut self.hashes, hash) {
                (Hashes::Apart(range), Some(hash)) => range.push(*hash),
                (Hashes::Same, Some(_)) | (Hashes::Gone, _) => {}
                (Hashes::Apart(_) | Hashes::Same, None) => self.hashes = Hashes::Gone,
            }
            match leaf {
                Some(leaf) => self.push_record(*leaf),
                None => {
                    self.first_unreadable.get_or_insert(index);
                    self.records = None;
                }
            }
        }
    }

    fn push_record(&mut self, leaf: Hash) {
        let Some(records) = &mut self.records else { return };
        let levels = &mut self.levels;
        records.push_and(leaf, |height, hash| {
            if height == 0 || height % 8 != 0 {
                return;
            }
            let level = (height / 8) as usize;
            if levels.len() < level {
                levels.resize(level, Vec::new());
            }
            if let Some(hashes) = levels.get_mut(level - 1) {
                hashes.push(hash);
            }
        });
        let size = records.size();
        self.note_mark();
        if size % (TILE_WIDTH * TILE_WIDTH) == 0 {
            for level in 1..=self.levels.len() {
                if self.levels.get(level - 1).is_some_and(|hashes| hashes.len() as u64 == TILE_WIDTH) {
                    self.compare_level(level, size);
                }
            }
        }
    }

    /// Compares the tile that the records have filled on a level with the stored one, and begins the next.
    fn compare_level(&mut self, level: usize, size: u64) {
        let Some(made) = self.levels.get_mut(level - 1).map(std::mem::take) else { return };
        if made.is_empty() || self.records.is_none() {
            return;
        }
        let level = u32::try_from(level).unwrap_or(u32::MAX);
        let last = size.checked_shr(8 * level).unwrap_or(0).saturating_sub(1);
        let Some(tile) = Tile::of_tree(level, last / TILE_WIDTH, self.size) else { return };
        let kept = self.directory.read_hashes(tile, &mut Vec::new());
        let kept = self.take_tile(tile, kept);
        if !kept.is_empty() && kept != made {
            self.bad_tile.get_or_insert_with(|| (Why::Differs, tile.to_string()));
        }
    }

    fn note_mark(&mut self) {
        let Some(records) = &self.records else { return };
        for (size, root) in &mut self.marks {
            if *size == records.size() {
                *root = Some(records.root());
            }
        }
    }
}
