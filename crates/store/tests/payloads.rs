//! Payloads under a key: what is read back, what the files do not show, and what is refused when the key is another
//! one or a value was moved.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on should say so and end")]

#[expect(dead_code, reason = "the contract suite uses the rest of it")]
mod changes;

use std::{fs, path::Path};

use changes::{asking_for_key, at, claiming, id, intent, once_key, settled};
use placet_engine::{
    decide,
    once::{ClaimKind, Kept, Progress},
    permit::Durable,
    state::{Changes, Ending, Intent, Open},
    time::{Now, Timestamp},
};
use placet_store::{
    Store as _, StoreError,
    sqlite::{Erasure, OpenError, Opened, PayloadError, PayloadKey, PayloadKeys, Reader, Sqlite, restore},
};
use rusqlite::Connection;

/// What the arguments and the results of these tests have in them.
const MARKER: &str = "sesame";

fn key(secret: u8) -> PayloadKey {
    PayloadKey::new(&[secret; 32])
}

fn keys(secret: u8) -> PayloadKeys {
    PayloadKeys::new(key(secret), [])
}

fn open(directory: &Path, keys: PayloadKeys) -> Opened {
    Sqlite::open_with(directory, keys).unwrap_or_else(|error| panic!("{error}"))
}

fn reader(directory: &Path, keys: PayloadKeys) -> Reader {
    Reader::open_with(directory, keys).unwrap()
}

async fn keep(store: &Sqlite, changes: Changes) {
    store.commit::<Durable>(changes).await.unwrap();
}

/// A call under a key of its own, with something in its arguments that can be looked for.
fn secret(call: u64) -> Changes {
    let mut changes = claiming(call, once_key(call), ClaimKind::Sent, 9_000, 0);
    changes.intent.as_mut().unwrap().arguments = format!(r#"{{"n":{call},"pin":"{MARKER}"}}"#);
    changes
}

/// How it ended, with a result that can be looked for.
fn succeeded(changes: &Changes) -> Changes {
    let mut ending = settled(changes.intent.as_ref().unwrap(), Open::Running, Ending::Succeeded, None);
    let fate = &mut ending.settled.as_mut().unwrap().key.as_mut().unwrap().1;
    *fate = placet_engine::state::Fate::Done(Kept::Text(format!("the pin is {MARKER}").into()));
    ending
}

async fn keep_whole(store: &Sqlite, call: u64) {
    let changes = secret(call);
    keep(store, changes.clone()).await;
    keep(store, succeeded(&changes)).await;
}

async fn progress(store: &Sqlite, n: u64) -> Result<Progress, StoreError> {
    store.load(&asking_for_key(once_key(n))).await.map(|remembered| remembered.key.unwrap().progress)
}

fn result() -> Progress {
    Progress::Done(Kept::Text(format!("the pin is {MARKER}").into()))
}

/// How often the marker stands in any file of a folder.
fn shown(folder: &Path) -> usize {
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    let marker = MARKER.as_bytes();
    files.map(|bytes| bytes.windows(marker.len()).filter(|window| *window == marker).count()).sum()
}

#[tokio::test]
async fn what_is_encrypted_is_found_again_and_no_file_shows_it() {
    for (keys, shows) in [(PayloadKeys::default(), true), (keys(1), false)] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path(), keys.clone()).store;
        keep_whole(&store, 1).await;
        let open_one = secret(2);
        keep(&store, open_one.clone()).await;
        // Once while everything stands in the log, and once when it is folded back.
        assert_eq!(shown(directory.path()) > 0, shows);
        assert_eq!(store.open_intent(id(2)).await, Ok(open_one.intent.clone()));
        store.close();
        assert_eq!(shown(directory.path()) > 0, shows);

        let Opened { store, left_open } = open(directory.path(), keys.clone());
        assert_eq!(left_open, [open_one.intent.clone().unwrap()]);
        assert_eq!(progress(&store, 1).await, Ok(result()));
        let over = reader(directory.path(), keys).call(id(1)).unwrap().unwrap();
        let Intent { arguments, salt, .. } = secret(1).intent.unwrap();
        assert_eq!((over.intent.arguments, over.intent.salt, over.unreadable), (arguments, salt, None));
    }
}

#[tokio::test]
async fn plain_and_encrypted_rows_live_side_by_side_and_keys_take_turns() {
    let directory = tempfile::tempdir().unwrap();
    let turns = [PayloadKeys::default(), keys(1), PayloadKeys::new(key(2), [key(1)])];
    for (turn, keys) in (1..).zip(&turns) {
        let store = open(directory.path(), keys.clone()).store;
        keep_whole(&store, turn).await;
        for earlier in 1..=turn {
            assert_eq!(progress(&store, earlier).await, Ok(result()), "call {earlier} in turn {turn}");
        }
        store.close();
    }
    for (name, keys, readable) in [
        ("none", PayloadKeys::default(), [true, false, false]),
        ("the first", keys(1), [true, true, false]),
        ("the second", keys(2), [true, false, true]),
        ("both", turns[2].clone(), [true, true, true]),
    ] {
        let reader = reader(directory.path(), keys.clone());
        for (call, wanted) in (1..).zip(readable) {
            let call = reader.call(id(call)).unwrap().unwrap();
            let is_readable = call.unreadable.is_none() && call.intent.arguments.contains(MARKER);
            assert_eq!(is_readable, wanted, "{name}: {call:?}");
            let Some(why) = call.unreadable else { continue };
            assert!(matches!(why, PayloadError::OtherKey { named, .. } if named == keys.id()), "{why}");
        }
    }
}

#[tokio::test]
async fn a_start_without_the_key_of_a_call_that_is_not_over_is_refused() {
    for ending in [None, Some(Ending::Unknown)] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path(), keys(1)).store;
        let (over, left) = (secret(1), secret(2));
        keep(&store, over.clone()).await;
        keep(&store, succeeded(&over)).await;
        keep(&store, left.clone()).await;
        if let Some(ending) = ending {
            keep(&store, settled(left.intent.as_ref().unwrap(), Open::Running, ending, None)).await;
        }
        store.close();

        for (lost, named) in [(PayloadKeys::default(), None), (keys(2), Some(key(2).id()))] {
            let error = Sqlite::open_with(directory.path(), lost.clone()).unwrap_err();
            let said = error.to_string();
            let cause = PayloadError::OtherKey { under: key(1).id(), named };
            let wanted = format!("the arguments of {}, which is not over, are {cause}", id(2));
            assert!(said.ends_with(&wanted), "{said}");
            assert!(matches!(error, OpenError::Sealed { call, .. } if call == id(2)));
            // Whoever only looks is told, call by call.
            let state = if ending.is_some() { Open::Unknown } else { Open::Running };
            let calls = reader(directory.path(), lost).open_calls(state).unwrap();
            assert_eq!(calls.iter().map(|call| call.unreadable).collect::<Vec<_>>(), [Some(cause)]);
        }

        // With the key it goes on; once the call is over the key may be lost, and with it what it opens.
        let store = open(directory.path(), keys(1)).store;
        let from = if ending.is_some() { Open::Unknown } else { Open::Running };
        keep(&store, settled(left.intent.as_ref().unwrap(), from, Ending::Succeeded, None)).await;
        store.close();
        let store = open(directory.path(), keys(2)).store;
        assert_eq!(progress(&store, 1).await, Ok(Progress::Done(Kept::TooLarge)), "done, its result is lost");
        keep_whole(&store, 3).await;
    }
}

#[tokio::test]
async fn a_value_that_was_moved_to_another_row_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), keys(1)).store;
    keep_whole(&store, 1).await;
    keep_whole(&store, 2).await;
    keep(&store, secret(3)).await;
    store.close();
    let damaged = PayloadError::Damaged(key(1).id());
    let stranger = Connection::open(directory.path().join("placet.db")).unwrap();
    let move_to = |table: &str, to: u64| {
        let sql = format!(
            "UPDATE {table} SET sealed = (SELECT sealed FROM {table} WHERE call = ?1) WHERE call = ?2"
        );
        assert_eq!(stranger.execute(&sql, [id(1).as_bytes(), id(to).as_bytes()]).unwrap(), 1);
    };
    move_to("intents", 2);
    move_to("keys", 2);
    let seen = reader(directory.path(), keys(1)).call(id(2)).unwrap().unwrap();
    assert_eq!((seen.intent.arguments.as_str(), seen.unreadable), ("", Some(damaged)));
    let store = open(directory.path(), keys(1)).store;
    let refused = progress(&store, 2).await.unwrap_err().to_string();
    assert!(refused.ends_with(&damaged.to_string()), "{refused}");
    assert_eq!(progress(&store, 1).await, Ok(result()));
    store.close();

    move_to("intents", 3);
    assert!(matches!(
        Sqlite::open_with(directory.path(), keys(1)),
        Err(OpenError::Sealed { cause, .. }) if cause == damaged
    ));
    stranger
        .execute("UPDATE intents SET sealed = substr(sealed, 1, 5) WHERE call = ?1", [id(3).as_bytes()])
        .unwrap();
    assert!(matches!(
        Sqlite::open_with(directory.path(), keys(1)),
        Err(OpenError::Sealed { cause: PayloadError::Form, .. })
    ));
}

#[tokio::test]
async fn both_kinds_of_rows_are_erased_without_any_key() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(directory.path()).unwrap().store;
    keep_whole(&store, 1).await;
    store.close();
    let store = open(directory.path(), keys(1)).store;
    keep_whole(&store, 2).await;
    keep(&store, secret(3)).await;
    keep(&store, succeeded(&secret(3))).await;
    store.close();

    let store = Sqlite::open(directory.path()).unwrap().store;
    let (before, now) = (Timestamp(u64::MAX), Now { wall: at(1_000), ..Now::default() });
    let record = decide::erase(at(1_000), "ada", "they asked", now);
    let erased = store.erase(Erasure { before, after: None, record }).await.unwrap();
    assert_eq!((erased.calls, erased.results, erased.open), (3, 3, 0));
    for call in [1, 2, 3] {
        assert_eq!(progress(&store, call).await, Ok(Progress::Done(Kept::TooLarge)));
        let seen = reader(directory.path(), keys(1)).call(id(call)).unwrap().unwrap();
        assert_eq!((seen.intent.is_erased(), seen.intent.salt, seen.unreadable), (true, None, None));
    }
    let left = "SELECT (SELECT count(*) FROM intents WHERE coalesce(arguments, salt, sealed) IS NOT NULL)
                + (SELECT count(*) FROM keys WHERE coalesce(result, sealed) IS NOT NULL)";
    let stranger = Connection::open(directory.path().join("placet.db")).unwrap();
    assert_eq!(stranger.query_row(left, [], |row| row.get::<_, i64>(0)), Ok(0));
}

#[tokio::test]
async fn a_backup_stays_encrypted_and_is_restored_without_the_key() {
    let parent = tempfile::tempdir().unwrap();
    let [state, copy, back] = ["state", "copy", "back"].map(|name| parent.path().join(name));
    let store = open(&state, keys(1)).store;
    keep(&store, secret(1)).await;
    Reader::open(&state).unwrap().backup(&copy).unwrap();
    restore(&copy, &back, at(5)).unwrap();
    assert_eq!((shown(&copy), shown(&back)), (0, 0));
    assert!(matches!(Sqlite::open(&back), Err(OpenError::Sealed { .. })));
    assert_eq!(open(&back, keys(1)).left_open, [secret(1).intent.unwrap()]);
}

#[tokio::test]
async fn a_store_that_was_mended_reads_by_the_same_keys() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), keys(1)).store;
    keep(&store, secret(1)).await;
    // Somebody's lasting lock, and an impossible statement: the store is spoilt, and opened afresh.
    let stranger = Connection::open(directory.path().join("placet.db")).unwrap();
    stranger.execute_batch("ALTER TABLE records RENAME TO mislaid").unwrap();
    assert!(store.commit::<Durable>(intent(2, 0)).await.is_err());
    stranger.execute_batch("ALTER TABLE mislaid RENAME TO records").unwrap();
    assert_eq!(store.mend().await, Ok(Vec::new()));
    assert_eq!(store.open_intent(id(1)).await, Ok(secret(1).intent));
    keep(&store, succeeded(&secret(1))).await;
    assert_eq!(shown(directory.path()), 0);
}
