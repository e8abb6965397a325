//! Erasing: what is gone, what must stay, and that the disk does not hold it any more.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and end")]

#[expect(dead_code, reason = "the contract suite uses the rest of it")]
mod changes;

use std::{fs, path::Path};

use changes::{asking_for_key, at, claiming, id, intent, once_key, settled};
use placet_engine::{
    decide,
    json::{Json, Limits, parse},
    once::{ClaimKind, Kept, Progress},
    permit::{Durable, Queued},
    state::{Changes, Ending, Open},
    time::{Now, Timestamp},
};
use placet_store::{
    Store as _,
    sqlite::{Erased, Erasure, Reader, Sqlite},
};

async fn keep(store: &Sqlite, changes: Changes) {
    store.commit::<Durable>(changes).await.unwrap();
}

fn erasure(before: Timestamp) -> Erasure {
    let now = Now { wall: at(1_000), ..Now::default() };
    Erasure { before, after: None, record: decide::erase(before, "ada", "they asked", now) }
}

/// Erases batch after batch, as a person's command does; what each came to.
async fn erase_all(store: &Sqlite, before: Timestamp) -> Vec<Erased> {
    let (mut erased, mut next) = (Vec::new(), erasure(before));
    loop {
        let batch = store.erase(next.clone()).await.unwrap();
        next.after = batch.next;
        let is_last = batch.next.is_none();
        erased.push(batch);
        if is_last {
            return erased;
        }
    }
}

async fn progress(store: &Sqlite, n: u64) -> Option<Progress> {
    let remembered = store.load(&asking_for_key(once_key(n))).await.unwrap();
    remembered.key.map(|claimed| claimed.progress)
}

#[tokio::test]
async fn what_is_over_is_erased_and_what_is_open_or_younger_stays() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(directory.path()).unwrap().store;
    for (call, ending) in [(1, Some(Ending::Succeeded)), (2, Some(Ending::Unknown)), (3, None)] {
        let changes = claiming(call, once_key(call), ClaimKind::Sent, 9_000, 0);
        let intent = changes.intent.clone().unwrap();
        keep(&store, changes).await;
        if let Some(ending) = ending {
            keep(&store, settled(&intent, Open::Running, ending, None)).await;
        }
    }
    let younger = intent(4, 500);
    keep(&store, younger.clone()).await;
    keep(&store, settled(&younger.intent.unwrap(), Open::Running, Ending::Failed, None)).await;
    let before = Reader::open(directory.path()).unwrap().tail(100).unwrap();

    let erased = erase_all(&store, at(500)).await;
    assert_eq!(erased, [Erased { calls: 1, results: 1, open: 2, next: None, is_folded: true }]);
    let reader = Reader::open(directory.path()).unwrap();
    for (call, is_erased) in [(1, true), (2, false), (3, false), (4, false)] {
        let found = reader.call(id(call)).unwrap().unwrap().intent;
        assert_eq!((found.is_erased(), found.salt.is_none()), (is_erased, is_erased), "call {call}");
    }
    // Every record stays as it was, and one more says what was done.
    let after = reader.tail(100).unwrap();
    let (last, others) = after.split_last().unwrap();
    assert_eq!(others, before);
    let record = parse(last.body.as_bytes(), &Limits::EDGE).unwrap();
    let said = ["kind", "by", "reason", "calls", "results"].map(|key| record.get(key).cloned().unwrap());
    let wanted = ["erase", "ada", "they asked"].map(Json::from);
    assert_eq!(said, [&wanted[..], &[Json::from(1), Json::from(1)]].concat()[..]);
    assert_eq!(record.get("before"), Some(&Json::from(at(500).to_string())));

    // The key is taken still, now without its result, in memory and when it is read again.
    assert_eq!(progress(&store, 1).await, Some(Progress::Done(Kept::TooLarge)));
    store.close();
    let store = Sqlite::open(directory.path()).unwrap().store;
    assert_eq!(progress(&store, 1).await, Some(Progress::Done(Kept::TooLarge)));
    assert_eq!(progress(&store, 2).await, Some(Progress::Unknown));
    assert_eq!(progress(&store, 3).await, Some(Progress::Running));

    // Once more finds nothing, and says that it was asked.
    let again = erase_all(&store, at(500)).await;
    assert_eq!(again.iter().map(|batch| (batch.calls, batch.results)).collect::<Vec<_>>(), [(0, 0)]);
    assert_eq!(Reader::open(directory.path()).unwrap().tail(100).unwrap().len(), after.len() + 1);
}

/// How often a text stands in any file of a folder.
fn occurrences(folder: &Path, text: &str) -> usize {
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    files.map(|bytes| bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()).sum()
}

#[tokio::test]
async fn many_calls_go_in_batches_and_the_files_do_not_hold_them_any_more() {
    const CALLS: u64 = 3_000;
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(directory.path()).unwrap().store;
    for n in 0..CALLS {
        // In an order in which pages are split, as those of identifiers drawn in one second are.
        let call = n * 1_237 % CALLS;
        let mut changes = intent(call, 0);
        let intent = changes.intent.as_mut().unwrap();
        intent.arguments =
            format!(r#"{{"n":{call},"pin":"sesame-{}"}}"#, "long".repeat(call as usize % 7 * 300));
        let ending = settled(intent, Open::Running, Ending::Succeeded, None);
        store.commit::<Queued>(changes).await.unwrap();
        match n % 64 {
            0 => keep(&store, ending).await,
            _ => drop(store.commit::<Queued>(ending).await.unwrap()),
        }
    }
    keep(&store, Changes::default()).await;
    let was = occurrences(directory.path(), "sesame-");
    let erased = erase_all(&store, at(1)).await;
    let calls: Vec<_> = erased.iter().map(|batch| (batch.calls, batch.is_folded)).collect();
    assert_eq!(calls, [(1_024, false), (1_024, false), (952, true)]);
    // What SQLite left behind when it moved rows is not reached; it goes when the database is written anew.
    let left = occurrences(directory.path(), "sesame-");
    assert!(left * 10 < was, "{was} before, {left} after");
    assert!(store.rebuild().await.unwrap());
    assert_eq!(occurrences(directory.path(), "sesame-"), 0);
    keep(&store, intent(CALLS + 1, 2)).await;
    store.close();
    assert_eq!(occurrences(directory.path(), "sesame-"), 0);
}

#[tokio::test]
async fn a_reader_in_the_way_of_the_log_is_told_of_and_nothing_waits_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(directory.path()).unwrap().store;
    let changes = intent(1, 0);
    let allowed = changes.intent.clone().unwrap();
    keep(&store, changes).await;
    keep(&store, settled(&allowed, Open::Running, Ending::Succeeded, None)).await;
    let reader = rusqlite::Connection::open(directory.path().join("placet.db")).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    reader.query_row("SELECT count(*) FROM intents", [], |row| row.get::<_, i64>(0)).unwrap();
    let erased = erase_all(&store, at(1)).await;
    assert_eq!(erased.iter().map(|batch| (batch.calls, batch.is_folded)).collect::<Vec<_>>(), [(1, false)]);
    keep(&store, intent(2, 0)).await;
    drop(reader);
    assert!(erase_all(&store, at(1)).await.iter().all(|batch| batch.is_folded));
}
