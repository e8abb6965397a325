//! A log over its whole life: sealed, opened again, killed in the middle of a seal, rotated, witnessed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and end")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use placet_ledger::{
    directory::Directory,
    log::{Log, LogError},
    note::{KeyKind, Note, Signed, Signer, Verifier},
    proof::{Head, RecordProof, Unproved},
    tree::{Hash, Tree},
    verify::{Asked, Check, Why, verify},
    witness::{Refusal, Request, judge},
};

const ORIGIN: &str = "example.org/node/1";

fn signer(seed: u8) -> Signer {
    Signer::from_seed(ORIGIN.parse().unwrap(), KeyKind::Log, &[seed; 32]).unwrap()
}

fn witness(seed: u8) -> Signer {
    Signer::from_seed(format!("witness.example/{seed}").parse().unwrap(), KeyKind::Witness, &[seed; 32])
        .unwrap()
}

fn record(index: u64) -> Vec<u8> {
    format!("{{\"seq\":{index},\"kind\":\"intent\",\"pad\":\"{}\"}}", "y".repeat((index % 40) as usize))
        .into_bytes()
}

fn fill(log: &mut Log, to: u64) {
    for index in log.size()..to {
        assert_eq!(log.append(&record(index)).unwrap(), index);
    }
}

fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files.insert(
                    entry.path().strip_prefix(root).unwrap().to_owned(),
                    fs::read(entry.path()).unwrap(),
                );
            }
        }
    }
    files
}

fn good(folder: &Path, key: &Verifier) -> u64 {
    let report = verify(&Directory::new(folder), &Asked::of(key.clone()));
    assert!(report.is_good(), "{report}");
    report.records
}

#[test]
fn a_log_sealed_in_any_steps_verifies_at_each() {
    let signer = signer(1);
    for steps in [vec![0], vec![1], vec![255, 256, 257], vec![256, 512], vec![3, 300, 301, 700, 1_025]] {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(folder.path(), signer.verifier()).unwrap();
        for to in steps {
            fill(&mut log, to);
            let head = log.seal(&signer).unwrap().head().clone();
            assert_eq!(head.size, to);
            assert_eq!(good(folder.path(), signer.verifier()), to);
            let range = Tree::new(log.directory(), to).range().unwrap();
            assert_eq!(range.root(), head.root);
        }
    }
}

#[test]
fn a_log_that_is_opened_for_each_seal_has_the_same_full_tiles_as_one_that_is_not() {
    let signer = signer(1);
    let (often, once) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for to in [1, 2, 200, 256, 300, 511, 512, 513, 900, 1_024, 1_100] {
        let mut log = Log::open(often.path(), signer.verifier()).unwrap();
        fill(&mut log, to);
        log.seal(&signer).unwrap();
    }
    let mut log = Log::open(once.path(), signer.verifier()).unwrap();
    fill(&mut log, 1_100);
    log.seal(&signer).unwrap();
    let often = files(often.path());
    for (name, bytes) in files(once.path()) {
        assert_eq!(often.get(&name), Some(&bytes), "{}", name.display());
    }
    let left: Vec<_> = often.keys().filter(|name| name.to_string_lossy().contains("000.p")).collect();
    assert!(
        left.iter().all(|name| name.starts_with("tile/1")),
        "partial tiles of full ones are gone: {left:?}"
    );
}

/// What a crash leaves: the files of the last seal, and any part of those of the next, torn anywhere.
#[test]
fn after_a_crash_at_any_point_of_a_seal_the_log_is_what_its_checkpoint_says() {
    let signer = signer(1);
    for (before, after) in [(0, 1), (1, 2), (250, 256), (255, 260), (300, 600), (512, 513)] {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(folder.path(), signer.verifier()).unwrap();
        fill(&mut log, before);
        log.seal(&signer).unwrap();
        let old = files(folder.path());
        fill(&mut log, after);
        log.seal(&signer).unwrap();
        let new = files(folder.path());
        let written: Vec<_> = new.iter().filter(|(name, _)| !old.contains_key(*name)).collect();
        for torn in 0..=written.len() {
            for part in [0, 1, 33] {
                let crashed = tempfile::tempdir().unwrap();
                let put = |name: &Path, bytes: &[u8]| {
                    let path = crashed.path().join(name);
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, bytes).unwrap();
                };
                old.iter().for_each(|(name, bytes)| put(name, bytes));
                for (place, (name, bytes)) in written.iter().enumerate().take(torn + 1) {
                    let whole = place < torn;
                    put(name, if whole { bytes } else { &bytes[..bytes.len().min(part)] });
                }
                put(Path::new("checkpoint.new"), b"torn");
                assert_eq!(good(crashed.path(), signer.verifier()), before);
                let mut log = Log::open(crashed.path(), signer.verifier()).unwrap();
                assert_eq!(log.size(), before);
                let (first, last) = log.last_records().unwrap();
                let held: Vec<_> = (first..before).map(record).collect();
                assert_eq!(last, held);
                fill(&mut log, after);
                log.seal(&signer).unwrap();
                assert_eq!(good(crashed.path(), signer.verifier()), after);
                let found = files(crashed.path());
                for (name, bytes) in &new {
                    assert_eq!(found.get(name), Some(bytes), "{}", name.display());
                }
            }
        }
    }
}

#[test]
fn a_log_that_is_not_whole_or_not_of_the_key_is_not_opened() {
    let (key, other) = (signer(1), signer(2));
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path(), key.verifier()).unwrap();
    fill(&mut log, 300);
    log.seal(&key).unwrap();
    assert!(matches!(Log::open(folder.path(), other.verifier()), Err(LogError::Damaged { .. })));
    for (name, change) in [
        ("tile/0/001.p/44", 5_usize),
        ("tile/entries/001.p/44", 5),
        ("tile/1/000.p/1", 5),
        ("checkpoint", 20),
    ] {
        let path = folder.path().join(name);
        let kept = fs::read(&path).unwrap();
        let mut bytes = kept.clone();
        bytes[change] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(Log::open(folder.path(), key.verifier()).is_err(), "`{name}` was changed");
        fs::remove_file(&path).unwrap();
        if name != "checkpoint" {
            assert!(Log::open(folder.path(), key.verifier()).is_err(), "`{name}` is gone");
        }
        fs::write(&path, kept).unwrap();
    }
    assert_eq!(Log::open(folder.path(), key.verifier()).unwrap().size(), 300);
}

#[test]
fn a_failed_write_breaks_the_log_until_it_is_opened_afresh() {
    let key = signer(1);
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path(), key.verifier()).unwrap();
    fill(&mut log, 3);
    log.seal(&key).unwrap();
    fill(&mut log, 5);
    // A file stands where a folder is needed.
    fs::remove_dir_all(folder.path().join("tile/0")).unwrap();
    fs::write(folder.path().join("tile/0"), b"").unwrap();
    assert!(matches!(log.seal(&key), Err(LogError::Io { .. })));
    assert!(matches!(log.append(b"x"), Err(LogError::Broken)));
    assert!(matches!(log.seal(&key), Err(LogError::Broken)));
}

#[test]
fn a_record_of_64_kib_is_refused_and_nothing_is_added() {
    let key = signer(1);
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path(), key.verifier()).unwrap();
    assert!(matches!(log.append(&[0; 65_536]), Err(LogError::TooLong(_))));
    assert_eq!(log.size(), 0);
    log.append(&[0; 65_535]).unwrap();
    log.append(&[]).unwrap();
    log.seal(&key).unwrap();
    assert_eq!(good(folder.path(), key.verifier()), 2);
}

#[test]
fn after_a_rotation_either_key_verifies_the_log_and_only_the_new_one_signs_it() {
    let (old, new, newest) = (signer(1), signer(2), signer(3));
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path(), old.verifier()).unwrap();
    fill(&mut log, 10);
    let before = log.seal(&old).unwrap().to_string();
    let statement = log.rotate(&old, new.verifier()).unwrap();
    assert_eq!(statement.index, 10);
    assert!(matches!(log.seal(&old), Err(LogError::OtherKey)));
    log.seal(&new).unwrap();
    fill(&mut log, 300);
    log.rotate(&new, newest.verifier()).unwrap();
    fill(&mut log, 302);
    log.seal(&newest).unwrap();
    for key in [&old, &new, &newest] {
        assert_eq!(good(folder.path(), key.verifier()), 302);
    }
    // A checkpoint from before her key is not one that she can judge.
    let mut asked = Asked { old: Some(before.into_bytes()), ..Asked::of(old.verifier().clone()) };
    assert_eq!(verify(&Directory::new(folder.path()), &asked).extends, Check::Passed);
    asked.key = new.verifier().clone();
    assert_eq!(verify(&Directory::new(folder.path()), &asked).extends.why(), Some(Why::Unsigned));
    assert!(Log::open(folder.path(), old.verifier()).is_err());
    assert_eq!(Log::open(folder.path(), newest.verifier()).unwrap().size(), 302);
    assert!(matches!(
        Log::open(folder.path(), newest.verifier()).unwrap().rotate(&newest, newest.verifier()),
        Err(LogError::Rotation(_))
    ));
}

#[test]
fn a_rotation_whose_seal_did_not_come_to_pass_leaves_no_trace() {
    let (old, new) = (signer(1), signer(2));
    for before in [0, 5] {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(folder.path(), old.verifier()).unwrap();
        fill(&mut log, before);
        if before > 0 {
            log.seal(&old).unwrap();
        }
        log.rotate(&old, new.verifier()).unwrap();
        drop(log);
        // The list was written, the checkpoint was not.
        fs::write(folder.path().join("rotations"), format!("{before}\n")).unwrap();
        let mut log = Log::open(folder.path(), old.verifier()).unwrap();
        fill(&mut log, before + 3);
        log.seal(&old).unwrap();
        assert_eq!(good(folder.path(), old.verifier()), before + 3);
    }
}

#[test]
fn a_proof_stands_alone_and_proves_one_record_of_one_log() {
    let key = signer(1);
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path(), key.verifier()).unwrap();
    fill(&mut log, 600);
    let checkpoint = log.seal(&key).unwrap().clone();
    let mut tree = Tree::new(log.directory(), 600);
    let path = tree.inclusion(300).unwrap();
    let proof = RecordProof { extra: Some(record(300)), index: 300, path, checkpoint };
    let text = proof.to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra "));
    let read = RecordProof::parse(text.as_bytes()).unwrap();
    assert_eq!(read, proof);
    assert_eq!(read.check(key.verifier()), Ok(&record(300)[..]));
    assert_eq!(read.check(signer(2).verifier()), Err(Unproved::Unsigned));
    assert_eq!(
        RecordProof { extra: Some(record(301)), ..read.clone() }.check(key.verifier()),
        Err(Unproved::Path)
    );
    assert_eq!(RecordProof { index: 301, ..read.clone() }.check(key.verifier()), Err(Unproved::Path));
    assert_eq!(RecordProof { extra: None, ..read }.check(key.verifier()), Err(Unproved::NoRecord));
}

/// A witness's memory, and what it says to a request.
fn ask(memory: &mut Option<Head>, keys: &[Verifier], request: &str) -> Result<String, Refusal> {
    let accepted = judge(request.as_bytes(), keys, |_| *memory, &witness(9), 1_700_000_000)?;
    let answer = accepted.keep(|origin, head| {
        assert_eq!(origin, ORIGIN);
        *memory = Some(head);
        Ok::<(), ()>(())
    });
    Ok(answer.unwrap())
}

#[test]
fn a_witness_signs_one_history_and_refuses_every_other() {
    let key = signer(1);
    let keys = [key.verifier().clone()];
    let (folder, fork) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut log = Log::open(folder.path(), key.verifier()).unwrap();
    let request = |log: &Log, old: u64| {
        let checkpoint = log.head().unwrap().clone();
        let proof = Tree::new(log.directory(), checkpoint.head().size).consistency(old).unwrap();
        Request { old, proof, checkpoint }.to_string()
    };
    let mut memory = None;
    fill(&mut log, 100);
    log.seal(&key).unwrap();
    let answer = ask(&mut memory, &keys, &request(&log, 0)).unwrap();
    assert_eq!(memory.unwrap().size, 100);
    let mut note = log.head().unwrap().note().clone();
    note.add(placet_ledger::note::SignatureLine::parse(answer.trim_end()).unwrap());
    assert_eq!(note.signed_by(witness(9).verifier()), Signed::Yes { at: Some(1_700_000_000) });
    assert_eq!(note.signed_by(key.verifier()), Signed::Yes { at: None });

    fill(&mut log, 300);
    log.seal(&key).unwrap();
    let stale = request(&log, 0);
    assert_eq!(ask(&mut memory, &keys, &stale), Err(Refusal::OtherSize { signed: 100 }));
    assert_eq!(Refusal::OtherSize { signed: 100 }.body(), "100\n");
    ask(&mut memory, &keys, &request(&log, 100)).unwrap();
    // Once more is no harm.
    ask(&mut memory, &keys, &request(&log, 300)).unwrap();

    let mut other = Log::open(fork.path(), key.verifier()).unwrap();
    other.append(b"another past").unwrap();
    fill(&mut other, 300);
    other.seal(&key).unwrap();
    assert_eq!(ask(&mut memory, &keys, &request(&other, 300)), Err(Refusal::OtherRoot { signed: 300 }));
    fill(&mut other, 400);
    other.seal(&key).unwrap();
    assert_eq!(ask(&mut memory, &keys, &request(&other, 300)), Err(Refusal::Inconsistent));
    let smaller = request(&log, 300).replace("old 300\n", "old 301\n");
    assert_eq!(ask(&mut memory, &keys, &smaller), Err(Refusal::Malformed));
    assert_eq!(ask(&mut memory, &[], &request(&log, 300)), Err(Refusal::UnknownLog));
    assert_eq!(
        ask(&mut memory, &[signer(2).verifier().clone()], &request(&log, 300)),
        Err(Refusal::Unsigned)
    );
    assert_eq!(ask(&mut memory, &keys, "old 0\n\nrubbish"), Err(Refusal::Malformed));
    assert_eq!(memory.unwrap().size, 300);
}

#[test]
fn a_witness_that_cannot_keep_a_head_does_not_sign_it() {
    let key = signer(1);
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path(), key.verifier()).unwrap();
    log.append(b"x").unwrap();
    let checkpoint = log.seal(&key).unwrap().clone();
    let request = Request { old: 0, proof: Vec::new(), checkpoint }.to_string();
    let accepted = judge(request.as_bytes(), &[key.verifier().clone()], |_| None, &witness(9), 1).unwrap();
    assert_eq!(accepted.keep(|_, _| Err("disk full")), Err("disk full"));
}

#[test]
fn keys_and_notes_are_those_of_another_implementation() {
    use signed_note::Verifier as _;
    let key = signer(5);
    let theirs = signed_note::StandardSigner::new(&key.to_secret_text()).unwrap();
    let their_verifier = signed_note::StandardVerifier::new(&key.verifier().to_string()).unwrap();
    let mut note = signed_note::Note::new(b"one\n\ntwo\n", &[]).unwrap();
    note.add_sigs(&[&theirs]).unwrap();
    let ours = Note::sign("one\n\ntwo\n", &key).unwrap();
    assert_eq!(ours.to_string().as_bytes(), note.to_bytes());
    let read = Note::parse(&note.to_bytes()).unwrap();
    assert_eq!(read.signed_by(key.verifier()), Signed::Yes { at: None });
    assert!(!their_verifier.verify(b"x\n", &[7; 64]));
    let again = Signer::parse(&key.to_secret_text()).unwrap();
    assert_eq!(again.verifier(), key.verifier());
    assert!(!format!("{key:?}").contains("PRIVATE"), "a secret is never shown");
    let checkpoint = format!("{ORIGIN}\n7\n{}\n", Hash::of_nothing());
    let theirs = tlog_tiles::Checkpoint::from_bytes(checkpoint.as_bytes()).unwrap();
    let ours: placet_ledger::checkpoint::Checkpoint = checkpoint.parse().unwrap();
    assert_eq!(
        (theirs.origin(), theirs.size(), theirs.hash().0),
        (ours.origin.as_str(), ours.size, ours.root.0)
    );
}

#[test]
fn a_key_under_which_anything_can_be_signed_is_no_key() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use sha2::{Digest as _, Sha256};
    // The neutral point, a point of order four, and the neutral point in a second writing.
    let mut second = [0xff; 32];
    (second[0], second[31]) = (0xee, 0x7f);
    for public in [[&[1][..], &[0; 31]].concat(), vec![0; 32], second.to_vec()] {
        let typed = [&[1][..], &public].concat();
        let hash = Sha256::digest([ORIGIN.as_bytes(), b"\n", &typed].concat());
        let text = format!(
            "{ORIGIN}+{:02x}{:02x}{:02x}{:02x}+{}",
            hash[0],
            hash[1],
            hash[2],
            hash[3],
            STANDARD.encode(typed)
        );
        assert_eq!(text.parse::<Verifier>(), Err(placet_ledger::note::KeyError::Point), "{public:?}");
    }
}
