//! The sequencer over records that are there, not there, others, or too many, with a clock that the test sets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and end")]

use std::{cell::RefCell, fs, path::Path, rc::Rc, time::Duration};

use placet::sequencer::{LEAF_BYTES_MAX, Records, Sealed, Sequencer, SequencerError};
use placet_engine::time::{BootInstant, Now, Timestamp};
use placet_ledger::{
    directory::Directory,
    verify::{Asked, verify},
};

/// A store that the test writes.
#[derive(Clone, Debug, Default)]
struct Rows(Rc<RefCell<Vec<Row>>>);

type Row = (u64, Vec<u8>);

impl Rows {
    fn fill(&self, to: u64) {
        let mut rows = self.0.borrow_mut();
        let from = rows.last().map_or(1, |(seq, _)| seq + 1);
        rows.extend(
            (from..=to).map(|seq| (seq, format!("{{\"kind\":\"intent\",\"n\":{seq}}}").into_bytes())),
        );
    }
}

impl Records for Rows {
    fn after(&self, seq: u64, count: u32) -> Result<Vec<Row>, String> {
        let rows = self.0.borrow();
        Ok(rows.iter().filter(|(number, _)| *number > seq).take(count as usize).cloned().collect())
    }
}

fn at(millis: u64) -> Now {
    Now { wall: Timestamp(millis * 1_000), boot: BootInstant(Duration::from_millis(millis)) }
}

fn verified(state: &Path) -> u64 {
    let key = fs::read_to_string(state.join("ledger.pub")).unwrap().trim().parse().unwrap();
    let report = verify(&Directory::new(state.join("log")), &Asked::of(key));
    assert!(report.is_good(), "{report}");
    report.records
}

#[test]
fn a_record_waits_for_its_seal_a_second_at_most() {
    let (state, rows) = (tempfile::tempdir().unwrap(), Rows::default());
    let mut sequencer = Sequencer::over(state.path(), rows.clone()).unwrap();
    assert_eq!(sequencer.advance(at(0)).unwrap(), Sealed { size: 0, waiting: 0, more: false });
    rows.fill(3);
    assert_eq!(sequencer.advance(at(100)).unwrap(), Sealed { size: 0, waiting: 3, more: false });
    rows.fill(5);
    assert_eq!(sequencer.advance(at(1_099)).unwrap(), Sealed { size: 0, waiting: 5, more: false });
    assert_eq!(sequencer.advance(at(1_100)).unwrap(), Sealed { size: 5, waiting: 0, more: false });
    assert_eq!(verified(state.path()), 5);
    rows.fill(6);
    assert_eq!(
        sequencer.advance(at(1_200)).unwrap().waiting,
        1,
        "the next second begins with its first record"
    );
}

#[test]
fn a_full_batch_is_sealed_without_waiting() {
    let (state, rows) = (tempfile::tempdir().unwrap(), Rows::default());
    let mut sequencer = Sequencer::over(state.path(), rows.clone()).unwrap();
    rows.fill(2_500);
    assert_eq!(sequencer.advance(at(0)).unwrap(), Sealed { size: 1_024, waiting: 0, more: true });
    assert_eq!(sequencer.advance(at(0)).unwrap(), Sealed { size: 2_048, waiting: 0, more: true });
    assert_eq!(sequencer.advance(at(0)).unwrap(), Sealed { size: 2_048, waiting: 452, more: false });
    assert_eq!(sequencer.finish(at(1)).unwrap(), Sealed { size: 2_500, waiting: 0, more: false });
    assert_eq!(verified(state.path()), 2_500);
}

#[test]
fn after_a_crash_it_goes_on_where_the_seal_was() {
    let (state, rows) = (tempfile::tempdir().unwrap(), Rows::default());
    rows.fill(300);
    let mut sequencer = Sequencer::over(state.path(), rows.clone()).unwrap();
    let key = sequencer.verifier().clone();
    sequencer.finish(at(0)).unwrap();
    rows.fill(310);
    sequencer.advance(at(10)).unwrap();
    drop(sequencer);
    let mut sequencer = Sequencer::over(state.path(), rows.clone()).unwrap();
    assert_eq!(*sequencer.verifier(), key);
    assert_eq!(sequencer.log().size(), 300);
    assert_eq!(sequencer.finish(at(0)).unwrap().size, 310);
    assert_eq!(verified(state.path()), 310);
}

#[test]
fn an_older_or_another_store_is_found_out() {
    let (state, rows) = (tempfile::tempdir().unwrap(), Rows::default());
    rows.fill(400);
    Sequencer::over(state.path(), rows.clone()).unwrap().finish(at(0)).unwrap();

    let older = Rows::default();
    older.fill(390);
    let found = Sequencer::over(state.path(), older.clone()).unwrap_err();
    assert!(matches!(found, SequencerError::StoreBehind { sealed: 400, missing: 391 }), "{found}");
    // The same copy after it has gone on by itself.
    older.0.borrow_mut().extend((391..=500).map(|seq| (seq, b"{\"another\":\"life\"}".to_vec())));
    let found = Sequencer::over(state.path(), older).unwrap_err();
    assert!(matches!(found, SequencerError::StoreDiffers { seq: 391 }), "{found}");
    let empty = Sequencer::over(state.path(), Rows::default()).unwrap_err();
    assert!(matches!(empty, SequencerError::StoreBehind { sealed: 400, missing: 257 }), "{empty}");
    assert!(Sequencer::over(state.path(), rows).is_ok());
}

#[test]
fn holes_and_records_that_are_too_long_are_refused() {
    let (state, rows) = (tempfile::tempdir().unwrap(), Rows::default());
    rows.fill(10);
    drop(rows.0.borrow_mut().remove(4));
    let mut sequencer = Sequencer::over(state.path(), rows).unwrap();
    assert!(matches!(sequencer.advance(at(0)), Err(SequencerError::Hole { seq: 5 })));
    assert!(matches!(sequencer.advance(at(1_000)), Err(SequencerError::Hole { seq: 5 })));
    assert_eq!(verified(state.path()), 4, "what stands before the hole is sealed all the same");

    let (state, rows) = (tempfile::tempdir().unwrap(), Rows::default());
    rows.0.borrow_mut().push((1, vec![b'x'; LEAF_BYTES_MAX + 1]));
    let mut sequencer = Sequencer::over(state.path(), rows).unwrap();
    assert!(matches!(sequencer.advance(at(0)), Err(SequencerError::TooLong { seq: 1, bytes: 8_193 })));
}

#[test]
fn a_key_that_is_gone_others_or_open_to_others_is_not_replaced() {
    use std::os::unix::fs::PermissionsExt as _;
    let (state, rows) = (tempfile::tempdir().unwrap(), Rows::default());
    rows.fill(1);
    Sequencer::over(state.path(), rows.clone()).unwrap().finish(at(0)).unwrap();
    let secret = state.path().join("ledger.key");
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(Sequencer::over(state.path(), rows.clone()), Err(SequencerError::Key { .. })));
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let kept = fs::read(&secret).unwrap();
    fs::remove_file(&secret).unwrap();
    assert!(matches!(Sequencer::over(state.path(), rows.clone()), Err(SequencerError::KeyGone { .. })));
    let other = tempfile::tempdir().unwrap();
    Sequencer::over(other.path(), Rows::default()).unwrap();
    fs::copy(other.path().join("ledger.key"), &secret).unwrap();
    assert!(matches!(Sequencer::over(state.path(), rows.clone()), Err(SequencerError::Key { .. })));
    fs::write(&secret, kept).unwrap();
    assert!(Sequencer::over(state.path(), rows).is_ok());
}
