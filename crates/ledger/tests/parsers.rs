//! Every reader of foreign bytes: what is in the corpus is taken or refused as its folder says, no mutation of
//! it makes a reader panic, and whatever is taken would be written just so.
//!
//! `PLACET_LEDGER_MUTATIONS` is how many mutations of each file are tried.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should say so and end"
)]

use std::{fs, path::Path};

use placet_ledger::{
    checkpoint::{Checkpoint, SignedCheckpoint},
    note::{Note, SignatureLine, Signer, Verifier},
    proof::RecordProof,
    rotation::{Rotation, read_indices},
    tile::{Bundle, Tile, push_entry, read_hashes, write_hashes},
    tree::Hash,
    witness::Request,
};

/// Reads bytes; if they are taken, writes them again.
type Reader = fn(&[u8]) -> Option<Vec<u8>>;

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

const READERS: &[(&str, Reader)] = &[
    ("note", |bytes| Note::parse(bytes).ok().map(|note| note.to_string().into_bytes())),
    ("cosignature", |bytes| {
        SignatureLine::parse(text(bytes)?).ok().map(|line| line.to_string().into_bytes())
    }),
    ("checkpoint", |bytes| SignedCheckpoint::parse(bytes).ok().map(|signed| signed.to_string().into_bytes())),
    ("body", |bytes| text(bytes)?.parse::<Checkpoint>().ok().map(|head| head.to_string().into_bytes())),
    ("verifier", |bytes| text(bytes)?.parse::<Verifier>().ok().map(|key| key.to_string().into_bytes())),
    ("signer", |bytes| Signer::parse(text(bytes)?).ok().map(|key| key.to_secret_text().into_bytes())),
    ("hash", |bytes| text(bytes)?.parse::<Hash>().ok().map(|hash| hash.to_string().into_bytes())),
    ("tile", |bytes| text(bytes)?.parse::<Tile>().ok().map(|tile| tile.to_string().into_bytes())),
    ("bundle", |bytes| {
        let mut again = Vec::new();
        for entry in Bundle::new(bytes) {
            push_entry(&mut again, entry.ok()?).ok()?;
        }
        Some(again)
    }),
    ("hashes", |bytes| read_hashes(bytes, 2).map(|hashes| write_hashes(&hashes))),
    ("proof", |bytes| RecordProof::parse(bytes).ok().map(|proof| proof.to_string().into_bytes())),
    ("request", |bytes| Request::parse(bytes).ok().map(|request| request.to_string().into_bytes())),
    ("rotation", |bytes| Rotation::parse(bytes).ok().map(|rotation| rotation.to_record())),
    ("rotations", |bytes| {
        read_indices(bytes)
            .map(|list| list.iter().map(|index| format!("{index}\n")).collect::<String>().into_bytes())
    }),
];

fn corpus(reader: &str, verdict: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(reader).join(verdict);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    files
}

#[test]
fn the_corpus_is_taken_and_refused_as_it_says() {
    for (name, read) in READERS {
        for (file, bytes) in corpus(name, "accept") {
            assert_eq!(read(&bytes).as_deref(), Some(&bytes[..]), "{file}");
        }
        for (file, bytes) in corpus(name, "refuse") {
            assert_eq!(read(&bytes), None, "{file}");
        }
    }
}

/// A generator of numbers that need not be good, only the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides.max(1) as u64) as usize
    }
}

const BITS: &[&[u8]] = &[
    b"\n",
    b"\n\n",
    b" ",
    b"+",
    b"=",
    b"==",
    b"0",
    b"00",
    b"-1",
    b"18446744073709551616",
    b"x",
    b"/",
    b".p/",
    b"256",
    b"\0",
    b"\xff",
    b"\xe2\x80\x94 ",
    b"\xc2\xa0",
    b"old ",
    b"index ",
    b"extra ",
    b"A",
    b"\r\n",
];

fn mutate(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(bytes.len() + 1);
        match dice.roll(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.roll(8),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.truncate(at),
            3 => {
                let end = (at + dice.roll(40)).min(bytes.len());
                let part = bytes[at.min(end)..end].to_vec();
                let to = dice.roll(bytes.len() + 1);
                drop(bytes.splice(to..to, part));
            }
            _ => drop(bytes.splice(at..at, BITS[dice.roll(BITS.len())].iter().copied())),
        }
    }
    bytes
}

#[test]
fn no_mutation_panics_and_what_is_taken_is_written_just_so() {
    let rounds =
        std::env::var("PLACET_LEDGER_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_500);
    let mut taken = 0_u64;
    for (name, read) in READERS {
        for verdict in ["accept", "refuse"] {
            for (file, bytes) in corpus(name, verdict) {
                let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ bytes.len() as u64);
                for _ in 0..rounds {
                    let mutation = mutate(&bytes, &mut dice);
                    if let Some(again) = read(&mutation) {
                        assert_eq!(again, mutation, "{file}: {:?}", String::from_utf8_lossy(&mutation));
                        taken += 1;
                    }
                }
            }
        }
    }
    assert!(taken > 0, "mutations that nobody takes test little");
}

/// What one reader takes the other takes, on the same mutations. Where they differ on purpose, ours is stricter.
#[test]
fn notes_checkpoints_and_paths_are_read_as_others_read_them() {
    let mut dice = Dice(7);
    for (_, bytes) in corpus("note", "accept").into_iter().chain(corpus("checkpoint", "accept")) {
        for _ in 0..300 {
            let mutation = mutate(&bytes, &mut dice);
            let theirs = signed_note::Note::from_bytes(&mutation);
            if Note::parse(&mutation).is_ok() {
                assert!(theirs.is_ok(), "{:?}", String::from_utf8_lossy(&mutation));
            }
        }
    }
    for (_, bytes) in corpus("body", "accept") {
        for _ in 0..300 {
            let mutation = mutate(&bytes, &mut dice);
            let ours = text(&mutation).and_then(|text| text.parse::<Checkpoint>().ok());
            let theirs = tlog_tiles::Checkpoint::from_bytes(&mutation);
            if let Some(ours) = ours {
                let theirs = theirs.unwrap_or_else(|_| panic!("{:?}", String::from_utf8_lossy(&mutation)));
                assert_eq!((theirs.size(), theirs.origin()), (ours.size, ours.origin.as_str()));
            }
        }
    }
    for (_, bytes) in corpus("tile", "accept") {
        for _ in 0..300 {
            let mutation = mutate(&bytes, &mut dice);
            let Some(path) = text(&mutation) else { continue };
            // Theirs asserts that no width is zero, and has another word for records and a number for the height.
            if path.ends_with("/0") {
                continue;
            }
            let Some(rest) = path.strip_prefix("tile/") else { continue };
            let path_of_theirs = format!("tile/8/{}", rest.replacen("entries/", "data/", 1));
            if let Ok(ours) = path.parse::<Tile>() {
                let theirs =
                    tlog_tiles::Tile::from_path(&path_of_theirs).unwrap_or_else(|_| panic!("{path}"));
                assert_eq!((theirs.level_index(), theirs.width() as usize), (ours.index(), ours.width()));
            }
        }
    }
}

/// The case in which another reader of paths panics.
#[test]
fn a_width_of_nothing_is_refused() {
    for path in
        ["tile/1/1/1/0/1.p/0", "tile/0/000.p/0", "tile/entries/000.p/256", "tile/64/000", "tile/00/000"]
    {
        assert!(path.parse::<Tile>().is_err(), "{path}");
    }
}
