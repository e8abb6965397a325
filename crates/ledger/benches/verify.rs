//! How fast a log is written and verified. One record is 500 bytes; a throughput is records in a second.

#![expect(clippy::expect_used, reason = "a benchmark that cannot go on should say so and end")]

use std::hint::black_box;

use divan::{Bencher, counter::ItemsCount};
use placet_ledger::{
    directory::Directory,
    log::Log,
    note::{KeyKind, Signer},
    tree::{Hash, Range, Tree},
    verify::{Asked, verify},
};

fn main() {
    divan::main();
}

fn signer() -> Signer {
    Signer::from_seed("example.org/log".parse().expect("a name"), KeyKind::Log, &[7; 32]).expect("a key")
}

fn record(index: u64) -> Vec<u8> {
    let mut record = format!("{{\"seq\":{index},\"pad\":\"").into_bytes();
    record.resize(498, b'x');
    record.extend_from_slice(b"\"}");
    record
}

fn log_of(size: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut log = Log::open(folder.path(), signer().verifier()).expect("a log");
    for index in 0..size {
        log.append(&record(index)).expect("room");
        if index % 65_536 == 65_535 {
            log.seal(&signer()).expect("a seal");
        }
    }
    log.seal(&signer()).expect("a seal");
    folder
}

/// The whole pass: read, hash, compare, one signature.
#[divan::bench(args = [1_000, 100_000], sample_count = 5)]
fn verify_records(bencher: Bencher, size: u64) {
    let folder = log_of(size);
    let asked = Asked::of(signer().verifier().clone());
    bencher.counter(ItemsCount::new(size)).bench_local(|| {
        let report = verify(&Directory::new(folder.path()), &asked);
        assert!(report.is_good());
        report.records
    });
}

/// What a seal of this many records costs, with all its flushes.
#[divan::bench(args = [1, 1_024], sample_count = 20, sample_size = 1)]
fn append_and_seal(bencher: Bencher, count: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let signer = signer();
    let mut log = Log::open(folder.path(), signer.verifier()).expect("a log");
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        for _ in 0..count {
            log.append(&record(log.size())).expect("room");
        }
        log.seal(&signer).expect("a seal").head().size
    });
}

/// What appending costs before a seal.
#[divan::bench(sample_count = 10)]
fn append_in_memory(bencher: Bencher) {
    let bytes = record(1);
    let mut range = Range::default();
    bencher.counter(ItemsCount::new(1_u64)).bench_local(|| range.push(Hash::of_leaf(black_box(&bytes))));
}

/// A proof of one record out of many, its tiles read from files.
#[divan::bench(sample_count = 10)]
fn prove_one_of_100_000(bencher: Bencher) {
    let folder = log_of(100_000);
    let directory = Directory::new(folder.path());
    bencher.bench_local(|| Tree::new(&directory, 100_000).inclusion(black_box(77_777)).expect("a proof"));
}
