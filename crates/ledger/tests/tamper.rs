//! What somebody who owns the disk can do to a log, and that both verifiers name it in the same words.
//!
//! Each mode is one change to a log of 700 records; `tools/placet-verify.py` must give the same report, byte for
//! byte, as the verifier of this crate.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should say so and end"
)]

use std::{
    fs, iter,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use placet_ledger::{
    checkpoint::{Checkpoint, SignedCheckpoint},
    directory::Directory,
    log::Log,
    note::{KeyKind, SignatureLine, Signer},
    tile::{Bundle, push_entry},
    verify::{Asked, Check, Report, Why, verify},
};
use tempfile::TempDir;

const ORIGIN: &str = "example.org/node/1";
const SIZE: u64 = 700;
const OLD: u64 = 300;

fn signer(seed: u8) -> Signer {
    Signer::from_seed(ORIGIN.parse().unwrap(), KeyKind::Log, &[seed; 32]).unwrap()
}

fn witness(seed: u8) -> Signer {
    Signer::from_seed(format!("witness.example/{seed}").parse().unwrap(), KeyKind::Witness, &[seed; 32])
        .unwrap()
}

fn record(index: u64) -> Vec<u8> {
    format!("{{\"at\":\"2026-01-01T00:00:00Z\",\"kind\":\"intent\",\"seq\":{index}}}").into_bytes()
}

/// A log of these records, by this key, with its heads at some sizes.
fn log_of(records: &[Vec<u8>], key: &Signer, heads: &[u64]) -> (TempDir, Vec<SignedCheckpoint>) {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path(), key.verifier()).unwrap();
    let mut signed = Vec::new();
    for (index, record) in (1..).zip(records) {
        log.append(record).unwrap();
        if heads.contains(&index) {
            signed.push(log.seal(key).unwrap().clone());
        }
    }
    signed.push(log.seal(key).unwrap().clone());
    (folder, signed)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A log that is to be tampered with, and what the auditor brings.
struct Case {
    folder: TempDir,
    asked: Asked,
}

impl Case {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn edit(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.path(name)).unwrap();
        change(&mut bytes);
        fs::write(self.path(name), bytes).unwrap();
    }

    fn edit_text(&self, name: &str, change: impl FnOnce(String) -> String) {
        self.edit(name, |bytes| *bytes = change(String::from_utf8(bytes.clone()).unwrap()).into_bytes());
    }

    /// Changes the records of one bundle.
    fn edit_records(&self, name: &str, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
        self.edit(name, |bytes| {
            let mut records: Vec<_> = Bundle::new(bytes).map(|record| record.unwrap().to_vec()).collect();
            change(&mut records);
            bytes.clear();
            records.iter().for_each(|record| push_entry(bytes, record).unwrap());
        });
    }

    fn remove(&self, name: &str) {
        let path = self.path(name);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    /// Puts another log's files over this one's.
    fn replace_with(&self, other: &TempDir, checkpoint_too: bool) {
        let kept = fs::read(self.path("checkpoint")).unwrap();
        fs::remove_dir_all(self.path("tile")).unwrap();
        copy(other.path(), self.folder.path());
        if !checkpoint_too {
            fs::write(self.path("checkpoint"), kept).unwrap();
        }
    }

    fn sign(&self, size: u64, change: impl FnOnce(&mut Checkpoint), key: &Signer) {
        let bytes = fs::read(self.path("checkpoint")).unwrap();
        let mut head = SignedCheckpoint::parse(&bytes).unwrap().head().clone();
        head.size = size;
        change(&mut head);
        fs::write(self.path("checkpoint"), SignedCheckpoint::sign(head, key).unwrap().to_string()).unwrap();
    }

    fn add_line(&self, line: &SignatureLine) {
        self.edit_text("checkpoint", |text| format!("{text}{line}\n"));
    }

    fn ask_witness(&mut self, seeds: &[u8]) {
        self.asked.witnesses = seeds.iter().map(|seed| witness(*seed).verifier().clone()).collect();
        self.asked.quorum = seeds.len();
    }

    /// The report, after making sure that the other verifier gives the same.
    fn report(&self, name: &str) -> Report {
        let report = verify(&Directory::new(self.folder.path()), &self.asked);
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/placet-verify.py");
        let mut command = Command::new("python3");
        command
            .arg(program)
            .arg(self.folder.path())
            .arg("--json")
            .args(["--key", &self.asked.key.to_string()]);
        let kept = tempfile::NamedTempFile::new().unwrap();
        if let Some(old) = &self.asked.old {
            fs::write(kept.path(), old).unwrap();
            command.arg("--checkpoint").arg(kept.path());
        }
        for witness in &self.asked.witnesses {
            command.args(["--witness", &witness.to_string()]);
        }
        if !self.asked.witnesses.is_empty() {
            command.args(["--quorum", &self.asked.quorum.to_string()]);
        }
        let output = command.output().expect("python3 is needed for this test");
        let theirs = String::from_utf8(output.stdout).unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(theirs.trim_end(), report.to_json(), "{name}: {complaint}");
        assert_eq!(output.status.code(), Some(if report.is_good() { 0 } else { 8 }), "{name}: {complaint}");
        report
    }
}

/// What must be found: the check that fails and why, or nothing; and among which indices the first bad record is.
struct Want {
    failed: Option<(&'static str, Why)>,
    first_bad: Option<std::ops::Range<u64>>,
}

fn fails(check: &'static str, why: Why) -> Want {
    Want { failed: Some((check, why)), first_bad: None }
}

impl Want {
    fn at(self, first_bad: std::ops::Range<u64>) -> Self {
        Self { first_bad: Some(first_bad), ..self }
    }
}

const GOOD: Want = Want { failed: None, first_bad: None };

type Mode = (&'static str, fn(&mut Case, &Given) -> Want);

/// The log before it is touched.
struct Given {
    records: Vec<Vec<u8>>,
    old: SignedCheckpoint,
    head: SignedCheckpoint,
}

impl Given {
    fn with(&self, index: usize) -> Vec<Vec<u8>> {
        let mut records = self.records.clone();
        records[index] = b"{\"kind\":\"nothing\"}".to_vec();
        records
    }
}

const FIRST: &str = "tile/entries/000";
const LAST: &str = "tile/entries/002.p/188";

/// The modes in which records, hashes or their files were changed.
const FILES: &[Mode] = &[
    ("nothing", |_, _| GOOD),
    ("a byte of a record is altered", |case, _| {
        case.edit_records(FIRST, |records| records[17][5] ^= 1);
        fails("root", Why::Differs).at(17..18)
    }),
    ("a record of the partial bundle is altered", |case, _| {
        case.edit_records(LAST, |records| records[187][5] ^= 1);
        fails("root", Why::Differs).at(699..700)
    }),
    ("two records are altered", |case, _| {
        case.edit_records(FIRST, |records| records[40][5] ^= 1);
        case.edit_records("tile/entries/001", |records| records[3][5] ^= 1);
        fails("root", Why::Differs).at(40..41)
    }),
    ("a length is altered", |case, _| {
        case.edit(FIRST, |bytes| {
            let place = (0..17).fold(0, |place, _| place + 2 + usize::from(bytes[place + 1]));
            bytes[place + 1] += 1;
        });
        fails("records", Why::Malformed).at(17..18)
    }),
    ("a length points far behind the end", |case, _| {
        case.edit("tile/entries/001", |bytes| bytes[0] = 0xff);
        fails("records", Why::Malformed).at(256..257)
    }),
    ("a record is dropped", |case, _| {
        case.edit_records(FIRST, |records| drop(records.remove(40)));
        fails("records", Why::Malformed).at(40..41)
    }),
    ("a record is inserted", |case, _| {
        case.edit_records(FIRST, |records| records.insert(40, b"{}".to_vec()));
        fails("records", Why::Malformed).at(40..41)
    }),
    ("two records are swapped", |case, _| {
        case.edit_records(FIRST, |records| records.swap(10, 11));
        fails("root", Why::Differs).at(10..11)
    }),
    ("a record is written twice", |case, _| {
        case.edit_records(FIRST, |records| records[6] = records[5].clone());
        fails("root", Why::Differs).at(6..7)
    }),
    ("two bundles are swapped", |case, _| {
        let (one, two) = (case.path(FIRST), case.path("tile/entries/001"));
        fs::rename(&one, case.path("kept")).unwrap();
        fs::rename(&two, &one).unwrap();
        fs::rename(case.path("kept"), &two).unwrap();
        fails("root", Why::Differs).at(0..1)
    }),
    ("a bundle is cut in the middle", |case, _| {
        case.edit("tile/entries/001", |bytes| bytes.truncate(bytes.len() / 2));
        fails("records", Why::Malformed).at(384..385)
    }),
    ("a bundle is empty", |case, _| {
        case.edit("tile/entries/001", Vec::clear);
        fails("records", Why::Malformed).at(256..257)
    }),
    ("a bundle is missing", |case, _| {
        case.remove("tile/entries/001");
        fails("records", Why::Missing).at(256..257)
    }),
    ("a bundle is a folder", |case, _| {
        case.remove("tile/entries/001");
        fs::create_dir(case.path("tile/entries/001")).unwrap();
        fails("records", Why::Malformed).at(256..257)
    }),
    ("a bundle and its hash tile are missing", |case, _| {
        case.remove("tile/entries/001");
        case.remove("tile/0/001");
        fails("records", Why::Missing).at(0..257)
    }),
    ("the tail is cut off, the checkpoint kept", |case, _| {
        case.remove("tile/entries/002.p");
        case.remove("tile/0/002.p");
        fails("records", Why::Missing).at(0..513)
    }),
    ("the tail is cut off, and an older head vouches for the beginning", |case, given| {
        case.asked.old = Some(given.old.to_string().into_bytes());
        case.remove("tile/entries/002.p");
        case.remove("tile/0/002.p");
        fails("records", Why::Missing).at(OLD..513)
    }),
    ("the partial bundle is padded with a record", |case, _| {
        case.edit_records(LAST, |records| records.push(b"{}".to_vec()));
        fails("records", Why::Malformed)
    }),
    ("the partial bundle is padded with zeroes", |case, _| {
        case.edit(LAST, |bytes| bytes.extend([0; 2]));
        fails("records", Why::Malformed)
    }),
    ("a hash of a leaf is altered, records intact", |case, _| {
        case.edit("tile/0/000", |bytes| bytes[3] ^= 1);
        fails("tiles", Why::Differs)
    }),
    ("a hash of a higher level is altered", |case, _| {
        case.edit("tile/1/000.p/2", |bytes| bytes[40] ^= 1);
        fails("tiles", Why::Differs)
    }),
    ("a hash tile is missing", |case, _| {
        case.remove("tile/0/001");
        fails("tiles", Why::Missing)
    }),
    ("a hash tile of a higher level is missing", |case, _| {
        case.remove("tile/1");
        fails("tiles", Why::Missing)
    }),
    ("a partial hash tile is padded", |case, _| {
        case.edit("tile/0/002.p/188", |bytes| bytes.extend([0; 32]));
        fails("tiles", Why::Malformed)
    }),
    ("a hash tile has half a hash too few", |case, _| {
        case.edit("tile/0/001", |bytes| bytes.truncate(8_176));
        fails("tiles", Why::Malformed)
    }),
    ("record and hash are altered together", |case, given| {
        case.replace_with(&log_of(&given.with(650), &signer(1), &[]).0, false);
        fails("root", Why::Differs).at(0..SIZE)
    }),
    ("the same, and an older head vouches for the beginning", |case, given| {
        case.asked.old = Some(given.old.to_string().into_bytes());
        case.replace_with(&log_of(&given.with(650), &signer(1), &[]).0, false);
        fails("root", Why::Differs).at(OLD..SIZE)
    }),
    ("the same, in the part that an older head covers", |case, given| {
        case.asked.old = Some(given.old.to_string().into_bytes());
        case.replace_with(&log_of(&given.with(100), &signer(1), &[]).0, false);
        fails("root", Why::Differs).at(0..OLD)
    }),
    ("records are added without a signature", |case, given| {
        let more: Vec<_> = given.records.iter().cloned().chain(iter::once(b"{}".to_vec())).collect();
        let kept = fs::read(case.path("checkpoint")).unwrap();
        copy(log_of(&more, &signer(1), &[]).0.path(), case.folder.path());
        fs::write(case.path("checkpoint"), kept).unwrap();
        GOOD
    }),
];

/// The modes in which the checkpoint or its signatures were changed.
const HEADS: &[Mode] = &[
    ("the directory is empty", |case, _| {
        case.remove("tile");
        case.remove("checkpoint");
        fails("checkpoint", Why::Missing)
    }),
    ("the directory is not there", |case, _| {
        fs::remove_dir_all(case.folder.path()).unwrap();
        fails("checkpoint", Why::Missing)
    }),
    ("the checkpoint is a folder", |case, _| {
        case.remove("checkpoint");
        fs::create_dir(case.path("checkpoint")).unwrap();
        fails("checkpoint", Why::Malformed)
    }),
    ("the size is edited", |case, _| {
        case.edit_text("checkpoint", |text| text.replace("\n700\n", "\n699\n"));
        fails("signature", Why::BadSignature)
    }),
    ("the root is edited", |case, given| {
        let other = given.old.head().root.to_string();
        case.edit_text("checkpoint", |text| text.replace(&given.head.head().root.to_string(), &other));
        fails("signature", Why::BadSignature)
    }),
    ("the size is written with a zero before it", |case, _| {
        case.edit_text("checkpoint", |text| text.replace("\n700\n", "\n0700\n"));
        fails("checkpoint", Why::Malformed)
    }),
    ("the size is beyond every number", |case, _| {
        case.edit_text("checkpoint", |text| text.replace("\n700\n", "\n99999999999999999999999\n"));
        fails("checkpoint", Why::Malformed)
    }),
    ("the log's own key signs a size that was never reached", |case, _| {
        case.sign(1 << 60, |_| {}, &signer(1));
        fails("records", Why::Missing).at(0..513)
    }),
    ("the log's own key signs another root", |case, given| {
        let root = given.old.head().root;
        case.sign(SIZE, |head| head.root = root, &signer(1));
        fails("root", Why::Differs).at(0..SIZE)
    }),
    ("an extension line is added and signed", |case, _| {
        case.sign(SIZE, |head| head.extensions.push("more".to_owned()), &signer(1));
        GOOD
    }),
    ("an extension line is added and not signed", |case, _| {
        case.edit_text("checkpoint", |text| text.replacen("\n\n", "\nmore\n\n", 1));
        fails("signature", Why::BadSignature)
    }),
    ("lines end as on another system", |case, _| {
        case.edit_text("checkpoint", |text| text.replace('\n', "\r\n"));
        fails("checkpoint", Why::Malformed)
    }),
    ("the origin is edited", |case, _| {
        case.edit_text("checkpoint", |text| text.replacen("/node/1", "/node/2", 1));
        fails("signature", Why::OtherOrigin)
    }),
    ("the head of another log", |case, given| {
        let other = Signer::from_seed("example.org/node/2".parse().unwrap(), KeyKind::Log, &[1; 32]).unwrap();
        case.replace_with(&log_of(&given.records, &other, &[]).0, true);
        fails("signature", Why::OtherOrigin)
    }),
    ("signed by another key of the same name", |case, _| {
        case.sign(SIZE, |_| {}, &signer(2));
        fails("signature", Why::Unsigned)
    }),
    ("the short hash of the key is altered", |case, given| {
        let line = given.head.note().signatures()[0].to_string();
        let (head, base64) = line.rsplit_once(' ').unwrap();
        let mut bytes = STANDARD.decode(base64).unwrap();
        bytes[0] ^= 1;
        case.edit_text("checkpoint", |text| {
            text.replace(&line, &format!("{head} {}", STANDARD.encode(bytes)))
        });
        fails("signature", Why::Unsigned)
    }),
    ("another key's signature under the key's short hash", |case, given| {
        let line = given.head.note().signatures()[0].to_string();
        let (head, base64) = line.rsplit_once(' ').unwrap();
        let other = signer(2).sign(given.head.note().text(), 0).to_string();
        let mut bytes = STANDARD.decode(other.rsplit_once(' ').unwrap().1).unwrap();
        bytes[..4].copy_from_slice(&STANDARD.decode(base64).unwrap()[..4]);
        case.edit_text("checkpoint", |text| {
            text.replace(&line, &format!("{head} {}", STANDARD.encode(bytes)))
        });
        fails("signature", Why::BadSignature)
    }),
    ("the second half of the signature is not reduced", |case, given| {
        let line = given.head.note().signatures()[0].to_string();
        let (head, base64) = line.rsplit_once(' ').unwrap();
        let mut bytes = STANDARD.decode(base64).unwrap();
        // Adds the group's order, which names the same scalar in a second way.
        let order =
            [0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14];
        let mut carry = 0;
        for (place, byte) in bytes[36..].iter_mut().enumerate() {
            let sum = u16::from(*byte)
                + u16::from(order.get(place).copied().unwrap_or(u8::from(place == 31) << 4))
                + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        case.edit_text("checkpoint", |text| {
            text.replace(&line, &format!("{head} {}", STANDARD.encode(bytes)))
        });
        fails("signature", Why::BadSignature)
    }),
    ("signature lines of strangers are added", |case, given| {
        for seed in 20..30 {
            case.add_line(&signer(seed).sign(given.head.note().text(), 0));
            case.add_line(&witness(seed).sign(given.head.note().text(), 5));
        }
        GOOD
    }),
    ("a second line in the key's name is not its signature", |case, given| {
        case.add_line(&signer(1).sign(given.old.note().text(), 0));
        fails("signature", Why::BadSignature)
    }),
    ("more signatures than are read", |case, given| {
        for seed in 20..90 {
            case.add_line(&signer(seed).sign(given.head.note().text(), 0));
        }
        fails("checkpoint", Why::Malformed)
    }),
    ("the signature is removed", |case, _| {
        case.edit_text("checkpoint", |text| text.split_inclusive('\n').take(4).collect());
        fails("checkpoint", Why::Malformed)
    }),
    ("base64 with a letter that is none", |case, _| {
        case.edit_text("checkpoint", |text| text.replacen("=\n\n", "*\n\n", 1));
        fails("checkpoint", Why::Malformed)
    }),
    ("base64 in a second writing", |case, given| {
        let root = given.head.head().root.to_string();
        // The last letter before `=` has two bits that say nothing; setting one is another text for the same.
        let mut letters: Vec<char> = root.chars().collect();
        let place = letters.len() - 2;
        letters[place] = char::from_u32(letters[place] as u32 + 1).unwrap();
        let other: String = letters.into_iter().collect();
        case.edit_text("checkpoint", |text| text.replace(&root, &other));
        fails("checkpoint", Why::Malformed)
    }),
    ("base64 without its padding", |case, given| {
        let root = given.head.head().root.to_string();
        case.edit_text("checkpoint", |text| text.replace(&root, root.trim_end_matches('=')));
        fails("checkpoint", Why::Malformed)
    }),
    ("bytes that are no UTF-8", |case, _| {
        case.edit("checkpoint", |bytes| bytes[3] = 0xff);
        fails("checkpoint", Why::Malformed)
    }),
    ("a checkpoint of a megabyte", |case, _| {
        case.edit("checkpoint", |bytes| bytes.splice(0..0, [b'a'; 1_000_000]).for_each(drop));
        fails("checkpoint", Why::Malformed)
    }),
];

/// The modes that only something kept elsewhere can show: an older checkpoint, a witness, the chain of keys.
const PAST: &[Mode] = &[
    ("a checkpoint that was kept", |case, given| {
        case.asked.old = Some(given.old.to_string().into_bytes());
        GOOD
    }),
    ("the present head was kept", |case, given| {
        case.asked.old = Some(given.head.to_string().into_bytes());
        GOOD
    }),
    ("an old head is played back", |case, given| {
        case.asked.old = Some(given.head.to_string().into_bytes());
        fs::write(case.path("checkpoint"), given.old.to_string()).unwrap();
        fails("extends", Why::Shorter)
    }),
    ("the log's owner cuts the tail off and signs", |case, given| {
        case.asked.old = Some(given.head.to_string().into_bytes());
        case.replace_with(&log_of(&given.records[..650], &signer(1), &[]).0, true);
        fails("extends", Why::Shorter)
    }),
    ("the log's owner rewrites a record and signs", |case, given| {
        case.asked.old = Some(given.old.to_string().into_bytes());
        case.replace_with(&log_of(&given.with(100), &signer(1), &[]).0, true);
        fails("extends", Why::Differs).at(0..OLD)
    }),
    ("the same, at the same size", |case, given| {
        case.asked.old = Some(given.head.to_string().into_bytes());
        case.replace_with(&log_of(&given.with(100), &signer(1), &[]).0, true);
        fails("extends", Why::Differs).at(0..SIZE)
    }),
    ("the same, and nobody kept anything: it cannot be seen", |case, given| {
        case.replace_with(&log_of(&given.with(100), &signer(1), &[]).0, true);
        GOOD
    }),
    ("the kept checkpoint is signed by another key", |case, given| {
        let old = SignedCheckpoint::sign(given.old.head().clone(), &signer(2)).unwrap();
        case.asked.old = Some(old.to_string().into_bytes());
        fails("extends", Why::Unsigned)
    }),
    ("the kept checkpoint is of another log", |case, given| {
        let other = Signer::from_seed("example.org/node/2".parse().unwrap(), KeyKind::Log, &[1; 32]).unwrap();
        case.asked.old = Some(log_of(&given.records, &other, &[]).1[0].to_string().into_bytes());
        fails("extends", Why::OtherOrigin)
    }),
    ("the kept checkpoint is none", |case, _| {
        case.asked.old = Some(b"rubbish".to_vec());
        fails("extends", Why::Malformed)
    }),
    ("cosigned by the witness", |case, given| {
        case.ask_witness(&[9]);
        case.add_line(&witness(9).sign(given.head.note().text(), 1_700_000_000));
        GOOD
    }),
    ("two of three witnesses are enough", |case, given| {
        case.ask_witness(&[7, 8, 9]);
        case.asked.quorum = 2;
        case.add_line(&witness(7).sign(given.head.note().text(), 1_700_000_000));
        case.add_line(&witness(9).sign(given.head.note().text(), 1_700_000_009));
        GOOD
    }),
    ("one witness, named twice, is one", |case, given| {
        case.ask_witness(&[9, 9]);
        case.add_line(&witness(9).sign(given.head.note().text(), 1_700_000_000));
        fails("witnesses", Why::QuorumNotMet)
    }),
    ("not cosigned", |case, _| {
        case.ask_witness(&[9]);
        fails("witnesses", Why::QuorumNotMet)
    }),
    ("the time in a cosignature is altered", |case, given| {
        case.ask_witness(&[9]);
        let line = witness(9).sign(given.head.note().text(), 1_700_000_000).to_string();
        let (head, base64) = line.rsplit_once(' ').unwrap();
        let mut bytes = STANDARD.decode(base64).unwrap();
        bytes[11] ^= 1;
        case.edit_text("checkpoint", |text| format!("{text}{head} {}\n", STANDARD.encode(bytes)));
        fails("witnesses", Why::BadCosignature)
    }),
    ("an earlier head is cosigned", |case, given| {
        case.ask_witness(&[9]);
        let mut seen = given.old.clone();
        seen.note_mut().add(witness(9).sign(given.old.note().text(), 1_700_000_000));
        fs::write(case.path("checkpoint.witnessed"), seen.to_string()).unwrap();
        GOOD
    }),
    ("the witness saw another past", |case, given| {
        case.ask_witness(&[9]);
        let mut seen = log_of(&given.with(100), &signer(1), &[OLD]).1[0].clone();
        let line = witness(9).sign(seen.note().text(), 1_700_000_000);
        seen.note_mut().add(line);
        fs::write(case.path("checkpoint.witnessed"), seen.to_string()).unwrap();
        fails("witnesses", Why::Differs).at(0..OLD)
    }),
    ("the witness saw a longer log", |case, given| {
        case.ask_witness(&[9]);
        let mut seen = given.head.clone();
        seen.note_mut().add(witness(9).sign(given.head.note().text(), 1_700_000_000));
        fs::write(case.path("checkpoint.witnessed"), seen.to_string()).unwrap();
        case.replace_with(&log_of(&given.records[..650], &signer(1), &[]).0, true);
        fails("witnesses", Why::Shorter)
    }),
    ("the cosigned head is not by the log", |case, given| {
        case.ask_witness(&[9]);
        let mut seen = SignedCheckpoint::sign(given.old.head().clone(), &signer(2)).unwrap();
        seen.note_mut().add(witness(9).sign(given.old.note().text(), 1_700_000_000));
        fs::write(case.path("checkpoint.witnessed"), seen.to_string()).unwrap();
        fails("witnesses", Why::Unsigned)
    }),
    ("the key is rotated", |case, _| {
        rotate(case, 400);
        GOOD
    }),
    ("the key is rotated, and the auditor has the new one", |case, _| {
        rotate(case, 400);
        case.asked.key = signer(2).verifier().clone();
        GOOD
    }),
    ("after a rotation the old key signs", |case, _| {
        rotate(case, 400);
        case.sign(SIZE + 1, |_| {}, &signer(1));
        fails("signature", Why::Unsigned)
    }),
    ("the list of rotations is removed", |case, _| {
        rotate(case, 400);
        case.remove("rotations");
        fails("signature", Why::Unsigned)
    }),
    ("the list of rotations names a record that is none", |case, _| {
        fs::write(case.path("rotations"), "5\n").unwrap();
        fails("signature", Why::RotationBad)
    }),
    ("the list of rotations is not in order", |case, _| {
        rotate(case, 400);
        fs::write(case.path("rotations"), "400\n400\n").unwrap();
        fails("signature", Why::RotationBad)
    }),
    ("a rotation of a seal that did not come to pass", |case, _| {
        fs::write(case.path("rotations"), "700\n").unwrap();
        GOOD
    }),
    ("a rotation by a key that is not the log's", |case, given| {
        let mut records = given.records.clone();
        let statement = placet_ledger::rotation::Rotation::sign(&signer(3), 5, signer(2).verifier()).unwrap();
        records[5] = statement.to_record();
        case.replace_with(&log_of(&records, &signer(2), &[]).0, true);
        fs::write(case.path("rotations"), "5\n").unwrap();
        fails("signature", Why::RotationBad)
    }),
];

/// Puts a log there whose key changed from the first signer to the second at `index`.
fn rotate(case: &Case, index: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path(), signer(1).verifier()).unwrap();
    for number in 0..SIZE {
        if number == index {
            log.rotate(&signer(1), signer(2).verifier()).unwrap();
        }
        log.append(&record(number)).unwrap();
    }
    log.seal(&signer(2)).unwrap();
    case.replace_with(&folder, true);
}

fn run(modes: &[Mode]) {
    let records: Vec<_> = (0..SIZE).map(record).collect();
    let (pristine, heads) = log_of(&records, &signer(1), &[OLD]);
    let given = Given { records, old: heads[0].clone(), head: heads[1].clone() };
    for (name, change) in modes {
        let mut case =
            Case { folder: tempfile::tempdir().unwrap(), asked: Asked::of(signer(1).verifier().clone()) };
        copy(pristine.path(), case.folder.path());
        let want = change(&mut case, &given);
        let report = case.report(name);
        let failed = report.checks().into_iter().find_map(|(check, result)| match result {
            Check::Failed { why, at: _ } => Some((check, *why)),
            Check::Passed | Check::NotChecked(_) => None,
        });
        assert_eq!(failed, want.failed, "{name}:\n{report}");
        assert_eq!(report.first_bad, want.first_bad, "{name}:\n{report}");
        assert_eq!(report.is_good(), want.failed.is_none(), "{name}:\n{report}");
        assert_ne!(report.freshness, Check::Passed, "{name}: nobody can prove that");
    }
}

#[test]
fn changed_files_are_named_by_both_verifiers() {
    run(FILES);
}

#[test]
fn changed_heads_are_named_by_both_verifiers() {
    run(HEADS);
}

#[test]
fn what_contradicts_a_kept_head_a_witness_or_the_chain_of_keys_is_named_by_both_verifiers() {
    run(PAST);
}

#[test]
fn records_behind_the_signed_ones_are_said_to_be_unsigned() {
    let (folder, _) = log_of(&(0..10).map(record).collect::<Vec<_>>(), &signer(1), &[]);
    fs::write(folder.path().join("tile/entries/000.p/11"), b"").unwrap();
    let case = Case { folder, asked: Asked::of(signer(1).verifier().clone()) };
    assert_eq!(case.report("beyond").beyond, Check::NotChecked(Why::UnsignedRecords));
}

#[test]
fn a_name_in_any_script_is_reported_alike() {
    let key = Signer::from_seed("λόγος/\"日\\本\"".parse().unwrap(), KeyKind::Log, &[1; 32]).unwrap();
    let (folder, _) = log_of(&[b"one".to_vec(), Vec::new()], &key, &[]);
    let mut case = Case { folder, asked: Asked::of(key.verifier().clone()) };
    assert!(case.report("any script").is_good());
    case.asked.key = signer(1).verifier().clone();
    assert_eq!(case.report("any script").signature.why(), Some(Why::OtherOrigin));
}

#[test]
fn a_report_says_what_was_proven_and_what_was_not() {
    let (folder, heads) = log_of(&(0..10).map(record).collect::<Vec<_>>(), &signer(1), &[4]);
    let mut case = Case { folder, asked: Asked::of(signer(1).verifier().clone()) };
    case.asked.old = Some(heads[0].to_string().into_bytes());
    case.ask_witness(&[9]);
    case.add_line(&witness(9).sign(heads[1].note().text(), 1_700_000_000));
    let key = signer(1).verifier().to_string();
    assert_eq!(
        case.report("words").to_string(),
        format!(
            "checkpoint  proven: it is there, and speaks of 10 records of `example.org/node/1`
signature   proven: by `{key}`
records     proven: all 10 are there
root        proven: recomputed from the records, and equal to the signed one
tiles       proven: every stored hash is what the records make it
beyond      proven: nothing stands behind the signed records
extends     proven: its first 4 records are those of the checkpoint that was kept
witnesses   proven: the first 10 records, by `witness.example/9` at 2023-11-14T22:13:20Z
freshness   not proven: what came after the witness's time is not known
good: what is called proven above is proven, and nothing else"
        )
    );
    case.edit_records("tile/entries/000.p/10", |records| records[7][3] ^= 1);
    case.asked = Asked::of(signer(1).verifier().clone());
    assert_eq!(
        case.report("words").to_string(),
        format!(
            "checkpoint  proven: it is there, and speaks of 10 records of `example.org/node/1`
signature   proven: by `{key}`
records     proven: all 10 are there
root        FAILED: the records do not lead to the signed one
tiles       not checked: the records do not lead to the signed root
beyond      proven: nothing stands behind the signed records
extends     not checked: no earlier checkpoint was given
witnesses   not checked: no witness was named
freshness   not proven: without a witness nobody but the log says what its newest head is
the first record that was changed or removed has index 7
failed: this is not the log that was signed"
        )
    );
}
