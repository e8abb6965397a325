//! Roots and proofs against two trees that we did not write, for every size up to 600.

#![expect(clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on should say so and end")]

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use placet_ledger::{
    proof::{Head, extends, includes},
    tile::{Kind, Tile},
    tree::{Hash, Range, Tiles, Tree},
};
use proptest::prelude::*;
use sha2::Sha256;
use tlog_tiles::{HashReader, tlog};

const SIZE: u64 = 600;

fn record(index: u64) -> Vec<u8> {
    format!("record {index} {}", "x".repeat((index % 7) as usize)).into_bytes()
}

/// Tiles in memory: by level, all hashes.
struct Memory(Vec<Vec<Hash>>);

impl Memory {
    fn of(size: u64) -> Self {
        let mut levels = vec![(0..size).map(|index| Hash::of_leaf(&record(index))).collect::<Vec<_>>()];
        while levels[levels.len() - 1].len() >= 256 {
            let above = levels[levels.len() - 1].chunks_exact(256).map(|chunk| {
                let mut range = Range::default();
                chunk.iter().for_each(|hash| range.push(*hash));
                range.root()
            });
            levels.push(above.collect());
        }
        Self(levels)
    }
}

impl Tiles for Memory {
    type Error = std::convert::Infallible;

    fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, Self::Error> {
        let Kind::Hashes { level } = tile.kind() else { panic!("hashes were asked for") };
        let start = tile.index() as usize * 256;
        Ok(self.0[level as usize][start..start + tile.width()].to_vec())
    }
}

struct Stored(Vec<tlog::Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[*index as usize]).collect())
    }
}

/// All places of a small tree, and a spread of a larger one unless all are asked for.
fn places(size: u64) -> Vec<u64> {
    if size <= 70 || std::env::var_os("PLACET_LEDGER_ALL").is_some() {
        return (0..size).collect();
    }
    let mut places: Vec<u64> = [0, 1, 2, 3, 127, 128, 255, 256, 257, 383, 511, 512, 513].into();
    places.extend([size / 3, size / 2, size - 2, size - 1]);
    places.retain(|place| *place < size);
    places.sort_unstable();
    places.dedup();
    places
}

#[test]
fn roots_and_proofs_are_those_of_two_other_trees() {
    let memory = Memory::of(SIZE);
    let (mut ours, mut theirs, mut stored) =
        (Range::default(), MemoryBackedTree::<Sha256, Vec<u8>>::new(), Stored(Vec::new()));
    let mut heads = vec![Head { size: 0, root: Hash::of_nothing() }];
    for size in 1..=SIZE {
        let leaf = record(size - 1);
        ours.push(Hash::of_leaf(&leaf));
        stored.0.extend(tlog::stored_hashes(size - 1, &leaf, &stored).unwrap());
        theirs.push(leaf);
        let root = ours.root();
        heads.push(Head { size, root });
        let mut tree = Tree::new(&memory, size);
        assert_eq!(root.0, theirs.root().as_bytes()[..], "root of {size}");
        assert_eq!(root.0, tlog::tree_hash(size, &stored).unwrap().0, "root of {size}");
        assert_eq!(tree.range().unwrap(), ours, "range of {size}");
        for index in places(size) {
            let proof = tree.inclusion(index).unwrap();
            let flat: Vec<u8> = proof.iter().flat_map(|hash| hash.0).collect();
            assert_eq!(flat, theirs.prove_inclusion(index as usize).as_bytes(), "{index} in {size}");
            let tlog_proof = tlog::prove_record(size, index, &stored).unwrap();
            assert_eq!(
                flat,
                tlog_proof.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>(),
                "{index} in {size}"
            );
            assert!(
                includes(index, size, &Hash::of_leaf(&record(index)), &proof, &root),
                "{index} in {size}"
            );
        }
        for old in places(size).into_iter().filter(|old| *old > 0) {
            let proof = tree.consistency(old).unwrap();
            let flat: Vec<u8> = proof.iter().flat_map(|hash| hash.0).collect();
            let others = theirs.prove_consistency((size - old) as usize);
            assert_eq!(flat, others.as_bytes(), "{old} to {size}");
            let tlog_proof = tlog::prove_tree(size, old, &stored).unwrap();
            assert_eq!(
                flat,
                tlog_proof.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>(),
                "{old} to {size}"
            );
            assert!(extends(heads[old as usize], heads[size as usize], &proof), "{old} to {size}");
        }
        assert!(tree.inclusion(size).is_err(), "there is no {size} in {size}");
        assert!(tree.consistency(size + 1).is_err(), "{size} does not extend what is larger");
        assert_eq!(tree.consistency(0), Ok(Vec::new()));
        assert_eq!(tree.consistency(size), Ok(Vec::new()));
    }
}

#[test]
fn the_empty_tree_has_a_root_and_extends_nothing_but_itself() {
    let nothing = Head { size: 0, root: Hash::of_nothing() };
    let one = Head { size: 1, root: Hash::of_leaf(b"x") };
    assert_eq!(nothing.root.to_string(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    assert!(extends(nothing, nothing, &[]));
    assert!(extends(nothing, one, &[]));
    assert!(!extends(Head { size: 0, root: one.root }, one, &[]));
    assert!(!extends(one, nothing, &[]));
    assert!(!extends(nothing, one, &[one.root]));
    assert!(!includes(0, 0, &one.root, &[], &nothing.root));
}

fn rounds() -> u32 {
    std::env::var("PLACET_LEDGER_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(rounds()))]

    #[test]
    fn a_changed_proof_proves_nothing(
        size in 1..=SIZE, place in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), what in 0..6_u8,
    ) {
        let memory = Memory::of(size);
        let index = place.index(size as usize) as u64;
        let mut tree = Tree::new(&memory, size);
        let root = tree.range().unwrap().root();
        let leaf = Hash::of_leaf(&record(index));
        let proof = tree.inclusion(index).unwrap();
        let (mut bad, mut bad_index, mut bad_leaf, mut bad_root) = (proof.clone(), index, leaf, root);
        match what {
            0 if !bad.is_empty() => { let at = at.index(bad.len()); bad[at].0[3] ^= 1; }
            1 if !bad.is_empty() => { bad.remove(at.index(bad.len())); }
            2 => bad.insert(at.index(bad.len() + 1), leaf),
            3 if size > 1 => bad_index = (index + 1) % size,
            4 => bad_leaf.0[0] ^= 1,
            _ => bad_root.0[31] ^= 0x80,
        }
        prop_assert!(includes(index, size, &leaf, &proof, &root));
        prop_assert!(!includes(bad_index, size, &bad_leaf, &bad, &bad_root));
    }

    #[test]
    fn a_tree_with_another_past_is_no_extension(
        size in 2..=SIZE, place in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), what in 0..4_u8,
    ) {
        let memory = Memory::of(size);
        let old = place.index(size as usize - 1) as u64 + 1;
        let head = |size| Head { size, root: Tree::new(&memory, size).range().unwrap().root() };
        let (before, now) = (head(old), head(size));
        let proof = Tree::new(&memory, size).consistency(old).unwrap();
        prop_assert!(extends(before, now, &proof));
        let (mut bad, mut bad_before, mut bad_now) = (proof.clone(), before, now);
        match what {
            0 if !bad.is_empty() => { let at = at.index(bad.len()); bad[at].0[3] ^= 1; }
            1 => bad.insert(at.index(bad.len() + 1), now.root),
            2 => bad_before.root.0[0] ^= 1,
            _ => bad_now.root.0[0] ^= 1,
        }
        prop_assert!(!extends(bad_before, bad_now, &bad));
    }

    #[test]
    fn proofs_of_any_shape_are_answered(
        index in any::<u64>(), size in any::<u64>(), old in any::<u64>(), path in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let path: Vec<Hash> = path.into_iter().map(Hash).collect();
        let root = Hash::of_nothing();
        prop_assert!(!includes(index, size, &root, &path, &root));
        let _ = extends(Head { size: old, root }, Head { size, root }, &path);
    }
}
