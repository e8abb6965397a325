//! What the store on disk keeps to besides: what was acknowledged is found again, and what fails stops everything.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on should say so and end")]

#[expect(dead_code, reason = "the contract suite uses the rest of it")]
mod changes;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use changes::{
    account, account_of, asking_for, asking_for_key, asking_for_question, asking_for_session, at, balance,
    claiming, ended, ended_from, entry, go_on, halt, halt_all, heard, holding, id, intent, key, note,
    once_key, question, settled, step,
};
use placet_engine::{
    budget::Balance,
    call::Digest,
    cost::Amount,
    decide,
    json::{Json, Limits, parse},
    level::Level,
    limits,
    once::{ClaimKind, Kept, Progress},
    permit::{Durable, Queued},
    record::{Kind, Record},
    session::Status,
    state::{Advance, Changes, Ending, Intent, Needs, Open, Remembered},
    stop::{Generations, Leaves},
    time::Timestamp,
};
use placet_store::{
    Store as _, StoreError,
    sqlite::{Epoch, OpenError, Opened, Reader, Sqlite},
};
use proptest::prelude::*;
use rusqlite::Connection;

fn open(directory: &Path) -> Opened {
    Sqlite::open(directory).unwrap_or_else(|error| panic!("{error}"))
}

/// Another program's connection to the same database.
fn stranger(directory: &Path) -> Connection {
    Connection::open(directory.join("placet.db")).unwrap()
}

async fn keep(store: &Sqlite, changes: Changes) {
    store.commit::<Durable>(changes).await.unwrap();
}

async fn load(store: &Sqlite, needs: &Needs) -> Remembered {
    store.load(needs).await.unwrap()
}

/// The numbers of the notes on disk, in the order of the records.
fn notes(directory: &Path) -> Vec<u64> {
    let entries = Reader::open(directory).unwrap().after(0, 100_000).unwrap();
    let numbers = entries.iter().filter_map(|entry| {
        parse(entry.body.as_bytes(), &Limits::EDGE).unwrap().get("n").and_then(Json::as_i64)
    });
    numbers.map(|n| u64::try_from(n).unwrap()).collect()
}

#[tokio::test]
async fn what_was_acknowledged_is_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let Opened { store, left_open } = open(directory.path());
    assert_eq!(left_open, []);
    let (desk, run) = (key("desk", None), key("desk", Some("run é 1")));
    let long: Vec<_> = (0..130).map(|n| entry(&format!("crm/t{n}"), None, Status::Blocked)).collect();
    keep(&store, step(&desk, 1, 0, &[entry("crm/read_user", Some(Level::Read), Status::Asked)])).await;
    keep(&store, step(&desk, 1, 5, &[entry("crm/read_user", Some(Level::Read), Status::Planned)])).await;
    keep(&store, step(&run, 2, 3, &long)).await;
    for call in 1..=5 {
        keep(&store, intent(call, 10 - call)).await;
    }
    keep(&store, ended(1, Ending::Succeeded)).await;
    keep(&store, ended(2, Ending::NotSent)).await;
    keep(&store, ended(3, Ending::Unknown)).await;
    keep(&store, question(20, 1, 0)).await;
    keep(&store, question(21, 1, 60)).await;
    keep(&store, question(22, 2, 0)).await;
    keep(&store, halt_all("ana", "look first", 8)).await;
    keep(&store, decide::advance(Advance::Catalogue, Record::new(Kind::Catalogue, at(0), []))).await;
    let needs =
        [asking_for_session(&desk), asking_for_session(&run), asking_for_question(1), asking_for_question(2)];
    let mut before = Vec::new();
    for needs in &needs {
        before.push(load(&store, needs).await);
    }
    assert!(before[1].history.truncated && before[1].history.entries.len() == limits::HISTORY_ENTRIES);
    drop(store);

    let Opened { store, left_open } = open(directory.path());
    for (needs, before) in needs.iter().zip(before) {
        assert_eq!(load(&store, needs).await, before);
    }
    // Exactly those without any outcome, oldest first; one that is known to be unknown has been told already.
    assert_eq!(left_open, [intent(5, 5).intent.unwrap(), intent(4, 6).intent.unwrap()]);
    for (call, open) in [(1, false), (2, false), (3, true), (4, true), (5, true)] {
        let from = if call == 3 { Open::Unknown } else { Open::Running };
        let settled = store.commit::<Durable>(ended_from(from, call, Ending::Failed)).await;
        assert_eq!(settled.is_ok(), open, "call {call}");
    }
    keep(&store, intent(2, 30)).await;
    drop(store);
    assert_eq!(open(directory.path()).left_open, [intent(2, 30).intent.unwrap()]);
}

#[tokio::test]
async fn closing_writes_what_is_queued() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).store;
    for n in 0..300 {
        store.commit::<Queued>(note(n)).await.unwrap();
    }
    store.close();
    assert_eq!(notes(directory.path()), (0..300).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_nothing_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path()).store);
    let foreign = stranger(directory.path());
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.commit::<Durable>(note(1)).await.map(drop) }
    });
    tokio::task::yield_now().await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    foreign.execute_batch("ROLLBACK").unwrap();
    keep(&store, note(2)).await;
    assert_eq!(notes(directory.path()), [1, 2]);
}

/// One commit of a random history.
#[derive(Clone, Debug)]
enum Event {
    Step { client: u8, entries: u8, pause: u16 },
    Intent,
    Ended(u8, Ending),
    Question { digest: u8 },
    Stop,
    Resume,
    Advance(Advance),
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..3_u8, 0..60_u8, prop_oneof![4 => 0..90_u16, 1 => 1_700..1_900_u16])
            .prop_map(|(client, entries, pause)| Event::Step { client, entries, pause }),
        2 => Just(Event::Intent),
        2 => (any::<u8>(), prop::sample::select(Ending::ALL.to_vec())).prop_map(|(call, ending)| Event::Ended(call, ending)),
        2 => (0..3_u8).prop_map(|digest| Event::Question { digest }),
        1 => Just(Event::Stop),
        1 => Just(Event::Resume),
        1 => prop::sample::select(vec![Advance::Policy, Advance::Catalogue]).prop_map(Event::Advance),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_disk_never_differ(events in prop::collection::vec((any_event(), prop::bool::weighted(0.1)), 1..60)) {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut store = open(directory.path()).store;
        let clients = ["a", "b", "c"].map(|client| key(client, None));
        let (mut clock, mut calls) = (0, 0);
        for (n, (event, reopens)) in (1_u64..).zip(events) {
            let changes = match event {
                Event::Step { client, entries, pause } => {
                    clock += u64::from(pause);
                    let entries: Vec<_> =
                        (0..entries).map(|at| entry(&format!("crm/t{n}-{at}"), None, Status::Blocked)).collect();
                    step(&clients[usize::from(client)], n, clock, &entries)
                }
                Event::Intent => {
                    calls += 1;
                    intent(calls, clock)
                }
                Event::Ended(call, ending) => ended(u64::from(call) % (calls + 1), ending),
                Event::Question { digest } => question(n, digest, clock),
                Event::Stop => halt_all("ana", &format!("reason {n}"), clock),
                Event::Resume => go_on("ana", "looked"),
                Event::Advance(which) => decide::advance(which, Record::new(Kind::Catalogue, at(0), [])),
            };
            match runtime.block_on(store.commit::<Queued>(changes)) {
                Ok(_) | Err(StoreError::Conflict(_)) => {}
                Err(error) => panic!("{error}"),
            }
            if !reopens {
                continue;
            }
            let needs: Vec<_> =
                clients.iter().map(asking_for_session).chain((0..3).map(asking_for_question)).collect();
            let all = |store: &Sqlite| needs.iter().map(|needs| runtime.block_on(load(store, needs))).collect::<Vec<_>>();
            let before = all(&store);
            drop(store);
            store = open(directory.path()).store;
            prop_assert_eq!(all(&store), before);
        }
    }
}

#[tokio::test]
async fn a_directory_has_one_owner_and_says_which() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).store;
    match Sqlite::open(directory.path()) {
        Err(OpenError::Held { directory: named, holder }) => {
            assert_eq!((named.as_path(), holder), (directory.path(), Some(std::process::id())));
        }
        other => panic!("it is held: {other:?}"),
    }
    let said = Sqlite::open(directory.path()).unwrap_err().to_string();
    assert!(said.ends_with(&format!("is in use by process {}", std::process::id())), "{said}");
    keep(&store, note(1)).await;
    store.close();
    open(directory.path());
}

#[test]
fn the_directory_and_its_key_are_their_owners_alone() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("deep/state");
    drop(open(&directory));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let key = directory.join("key");
    assert_eq!((mode(&directory), mode(&key)), (0o700, 0o600));
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    let drawn = fs::read(&key).unwrap();
    assert_eq!(drawn.len(), 32);
    drop(open(&directory));
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(fs::read(&key).unwrap(), drawn, "the key is kept");
}

#[test]
fn digests_are_made_under_the_key_of_the_directory() {
    let digest = |directory: &Path| open(directory).store.key().digest([&b"what was judged"[..]]);
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(digest(one.path()), digest(one.path()));
    assert_ne!(digest(one.path()), digest(two.path()));
}

#[test]
fn a_key_that_is_no_key_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    fs::write(directory.path().join("key"), b"too short").unwrap();
    assert!(matches!(Sqlite::open(directory.path()), Err(OpenError::Io { .. })));
    assert_eq!(fs::read(directory.path().join("key")).unwrap(), b"too short");
}

#[tokio::test]
async fn a_half_written_key_is_drawn_anew() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("key.new"), b"half").unwrap();
    keep(&open(directory.path()).store, note(1)).await;
    assert_eq!(fs::read(directory.path().join("key")).unwrap().len(), 32);
}

#[tokio::test]
async fn a_database_of_a_newer_format_is_refused_unharmed() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).store;
    keep(&store, note(1)).await;
    store.close();
    stranger(directory.path()).execute_batch("PRAGMA user_version = 3").unwrap();
    let path = directory.path().join("placet.db");
    let before = fs::read(&path).unwrap();
    let said = Sqlite::open(directory.path()).unwrap_err().to_string();
    assert!(
        said.ends_with("its format is 3, this version of Placet writes 2; use the version that wrote it"),
        "{said}"
    );
    assert!(matches!(Reader::open(directory.path()), Err(OpenError::Format { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_database_of_another_program_is_refused_unharmed() {
    let directory = tempfile::tempdir().unwrap();
    stranger(directory.path())
        .execute_batch("CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')")
        .unwrap();
    let path = directory.path().join("placet.db");
    let before = fs::read(&path).unwrap();
    assert!(matches!(Sqlite::open(directory.path()), Err(OpenError::Format { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
    fs::write(&path, b"this is not a database, though it is longer than a header of one".repeat(20)).unwrap();
    assert!(matches!(Sqlite::open(directory.path()), Err(OpenError::Database { .. })));
}

#[tokio::test]
async fn values_that_no_version_wrote_are_not_served() {
    for broken in [
        "UPDATE generations SET stop = -1",
        "UPDATE sessions SET client = 'No Name'",
        "UPDATE sessions SET last_at = -1",
        "UPDATE history SET status = 'forgotten'",
        "UPDATE history SET action = 'no action'",
        "UPDATE questions SET controls = 'a nod'",
        "UPDATE intents SET action = ''",
        "INSERT INTO stops VALUES ('the moon', 'r', 'w', 1, 'nothing')",
        "DROP TABLE generations",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path()).store;
        keep(&store, step(&key("desk", None), 1, 0, &[entry("crm/x", None, Status::Blocked)])).await;
        keep(&store, question(2, 1, 0)).await;
        keep(&store, intent(3, 0)).await;
        store.close();
        stranger(directory.path()).execute_batch(broken).unwrap();
        let opened = Sqlite::open(directory.path());
        assert!(matches!(opened, Err(OpenError::Database { .. })), "{broken}: {opened:?}");
    }
}

/// Refused now and from now on.
async fn assert_spoiled(store: &Sqlite) {
    let why = store.poisoned().unwrap().to_owned();
    assert_eq!(store.load(&Needs::default()).await, Err(StoreError::Unavailable(why.clone())));
    for refused in [
        store.commit::<Durable>(note(90)).await.map(drop),
        store.commit::<Queued>(note(91)).await.map(drop),
        store.commit::<Durable>(halt_all("ana", "look first", 0)).await.map(drop),
    ] {
        assert_eq!(refused, Err(StoreError::Unavailable(why.clone())));
    }
}

#[tokio::test]
async fn a_statement_that_fails_spoils_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).store;
    keep(&store, note(1)).await;
    stranger(directory.path()).execute_batch("DROP TABLE history").unwrap();
    keep(&store, note(2)).await;
    let broken = step(&key("desk", None), 1, 0, &[entry("crm/x", None, Status::Blocked)]);
    let failed = store.commit::<Durable>(broken).await.map(drop);
    assert!(matches!(&failed, Err(StoreError::Unavailable(why)) if why.contains("history")), "{failed:?}");
    assert_spoiled(&store).await;
    drop(store);
    assert_eq!(notes(directory.path()), [1, 2]);
}

#[tokio::test]
async fn a_group_in_which_one_commit_fails_is_refused_whole() {
    // However the statement ends: alone, with what it has done kept, or taking the transaction with it.
    for raise in ["ABORT", "FAIL", "ROLLBACK"] {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(open(directory.path()).store);
        let foreign = stranger(directory.path());
        foreign
            .execute_batch(&format!(
                "CREATE TRIGGER refuse BEFORE INSERT ON records WHEN NEW.kind = 'gap'
                 BEGIN SELECT RAISE({raise}, 'no room'); END;
                 BEGIN IMMEDIATE;"
            ))
            .unwrap();
        let commit = |changes| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.commit::<Durable>(changes).await.map(drop) })
        };
        // The first keeps the writer busy; what comes meanwhile is one group.
        let gap = Changes { records: vec![Record::new(Kind::Gap, at(0), [])], ..Changes::default() };
        let commits = [note(1), note(2), gap, note(3), intent(4, 0)].map(commit);
        tokio::task::yield_now().await;
        store.commit::<Queued>(note(5)).await.unwrap();
        foreign.execute_batch("ROLLBACK").unwrap();

        let mut results = Vec::new();
        for one in commits {
            results.push(one.await.unwrap());
        }
        assert!(
            matches!(&results[2], Err(StoreError::Unavailable(why)) if why.contains("no room")),
            "{results:?}"
        );
        assert!(results[3].is_err() && results[4].is_err(), "{raise}: {results:?}");
        assert_spoiled(&store).await;
        drop(store);
        foreign.execute_batch("DROP TRIGGER refuse").unwrap();
        drop(foreign);

        // When the writer woke decides which commits were in the group; what was refused is nowhere either way.
        let acknowledged: Vec<u64> =
            (1..=2).zip(&results).filter(|(_, result)| result.is_ok()).map(|(n, _)| n).collect();
        assert_eq!(notes(directory.path()), acknowledged, "{raise}");
        let Opened { store, left_open } = open(directory.path());
        assert_eq!(left_open, []);
        keep(&store, note(6)).await;
    }
}

/// A file system of some megabytes, if this process may mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        let mounted = run("mount", &["-t", "tmpfs", "-o", "size=2m,mode=700", "none"], at);
        mounted.then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &["-l"], &self.0);
    }
}

fn run(program: &str, arguments: &[&str], path: &Path) -> bool {
    let output = std::process::Command::new(program).args(arguments).arg(path).output();
    output.is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn a_full_disk_spoils_the_store_and_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(directory.path()) else {
        eprintln!("skipped: this process may not mount a small file system to fill");
        return;
    };
    let store = Arc::new(open(&disk.0).store);
    let mut acknowledged = Vec::new();
    for round in 0..64 {
        // Several at a time, so that the disk is full in the middle of a group.
        let commits: Vec<_> = (round * 8..round * 8 + 8)
            .map(|n| {
                let mut changes = note(n);
                changes.records[0] = changes.records[0].clone().with("ballast", "x".repeat(8_000));
                let store = Arc::clone(&store);
                tokio::spawn(async move { (n, store.commit::<Durable>(changes).await.map(drop)) })
            })
            .collect();
        for commit in commits {
            match commit.await.unwrap() {
                (n, Ok(())) => acknowledged.push(n),
                (_, Err(StoreError::Unavailable(_))) => {}
                (n, Err(other)) => panic!("{n}: {other}"),
            }
        }
    }
    assert!(!acknowledged.is_empty() && acknowledged.len() < 512, "{} fit on 2 MiB", acknowledged.len());
    assert!(store.poisoned().unwrap().contains("full"), "{:?}", store.poisoned());
    assert_spoiled(&store).await;
    drop(store);
    assert!(run("mount", &["-o", "remount,size=32m"], &disk.0), "the disk grows");
    let store = open(&disk.0).store;
    let kept = notes(&disk.0);
    assert!(acknowledged.iter().all(|n| kept.contains(n)), "{acknowledged:?} acknowledged, {kept:?} kept");
    assert!(kept.is_sorted(), "{kept:?}");
    keep(&store, note(9_999)).await;
}

#[tokio::test]
async fn a_short_lock_of_another_program_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path()).store);
    let foreign = stranger(directory.path());
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.commit::<Durable>(note(1)).await.map(drop) }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    assert_eq!(load(&store, &Needs::default()).await.generations, Generations::default(), "reading goes on");
    foreign.execute_batch("ROLLBACK").unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(()));
    assert_eq!(store.poisoned(), None);
}

#[tokio::test]
async fn too_many_calls_are_told_so_while_stops_and_outcomes_are_taken() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path()).store);
    keep(&store, intent(1, 0)).await;
    let foreign = stranger(directory.path());
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut taken = 0;
    let refused = loop {
        match store.commit::<Queued>(note(taken)).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 10_000, "there is no bound");
    };
    assert_eq!((refused, taken), (StoreError::Busy, 1_024));
    let late = [halt_all("ana", "look first", 0), ended(1, Ending::Succeeded)].map(|changes| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.commit::<Durable>(changes).await.map(drop) })
    });
    tokio::task::yield_now().await;
    assert_eq!(store.commit::<Durable>(note(7_000)).await.map(drop), Err(StoreError::Busy));
    assert!(load(&store, &Needs::default()).await.stop.is_some(), "what is queued counts already");
    foreign.execute_batch("ROLLBACK").unwrap();
    for one in late {
        assert_eq!(one.await.unwrap(), Ok(()));
    }
    keep(&store, note(taken)).await;
    assert_eq!(notes(directory.path()), (0..=taken).collect::<Vec<_>>(), "what was refused is nowhere");
}

#[tokio::test]
async fn a_reader_sees_each_commit_once_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).store;
    let reader = Reader::open(directory.path()).unwrap();
    assert_eq!(reader.tail(5).unwrap(), []);
    for n in 0..20 {
        store.commit::<Queued>(note(n)).await.unwrap();
    }
    keep(&store, intent(5, 0)).await;
    keep(&store, ended(5, Ending::Succeeded)).await;
    let all = reader.after(0, 1_000).unwrap();
    assert_eq!(all.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=22).collect::<Vec<_>>());
    assert_eq!(notes(directory.path()), (0..20).collect::<Vec<_>>());
    assert_eq!(reader.tail(3).unwrap(), all[19..]);
    assert_eq!(reader.after(4, 2).unwrap(), all[4..6]);
    assert_eq!(reader.after(22, 2).unwrap(), []);
    assert_eq!(reader.of_call(id(5)).unwrap(), all[20..]);
    assert_eq!(reader.of_call(id(6)).unwrap(), []);
    assert_eq!(reader.call(id(5)).unwrap().map(|call| call.intent), intent(5, 0).intent);
    assert_eq!(reader.call(id(6)).unwrap(), None);
    store.close();
    assert_eq!(
        Reader::open(directory.path()).unwrap().tail(3).unwrap(),
        all[19..],
        "nobody owns it any more"
    );
}

#[test]
fn a_reader_makes_nothing_where_there_is_nothing() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(Reader::open(directory.path()), Err(OpenError::Io { .. })));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// A copy of a fixture, to be opened. Fixtures are never changed: databases like them are out in the world.
fn fixture(format: u32) -> tempfile::TempDir {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/store").join(format.to_string());
    let directory = tempfile::tempdir().unwrap();
    for file in ["placet.db", "key"] {
        fs::copy(fixture.join(file), directory.path().join(file)).unwrap();
    }
    directory
}

/// An intent as format 1 kept it: it knew neither who proposed it nor its digest.
fn of_format_1(call: u64, seconds: u64) -> Intent {
    Intent {
        agent: "unknown".parse().unwrap(),
        client: "unknown".parse().unwrap(),
        digest: Digest([0; 32]),
        ..intent(call, seconds).intent.unwrap()
    }
}

#[tokio::test]
async fn a_database_of_format_1_is_brought_forward() {
    let directory = fixture(1);
    assert!(
        Reader::open(directory.path())
            .unwrap_err()
            .to_string()
            .ends_with("a node brings it to 2 when it starts"),
        "a reader changes nothing"
    );
    let Opened { store, left_open } = open(directory.path());
    assert_eq!(left_open, [of_format_1(3, 3)]);
    let desk = load(&store, &asking_for_session(&key("desk", None))).await;
    let session = desk.session.unwrap();
    assert_eq!((session.opened_at, session.last_at, session.steps), (at(0), at(5), 2));
    assert!(session.labels.is_empty() && session.echo.is_none());
    let history = [
        entry("crm/read_user", Some(Level::Read), Status::Requested),
        entry("crm/unlisted", None, Status::Blocked),
    ];
    assert_eq!(desk.history.entries, history);
    assert_eq!(desk.generations, Generations { stop: 1, policy: 1, catalogue: 0 });
    let stop = desk.stop.unwrap();
    assert_eq!((stop.reason.as_str(), stop.leaves), ("look first", Leaves::Nothing));
    assert_eq!(load(&store, &asking_for_question(1)).await.question, question(9, 1, 0).question);
    assert!(load(&store, &asking_for_session(&key("desk", Some("run-1")))).await.session.is_some());
    assert_eq!(store.epoch(), Epoch { number: 1, restored_at: Timestamp(0) });
    keep(&store, ended_from(Open::Unknown, 2, Ending::Failed)).await;
    let reader = Reader::open(directory.path()).unwrap();
    assert_eq!(reader.tail(100).unwrap().len(), 12);
    assert_eq!(reader.call(id(1)).unwrap().map(|call| call.intent), Some(of_format_1(1, 1)));
}

/// What the fixture of format 2 holds.
async fn write_format_2(directory: &Path) {
    let store = open(directory).store;
    let desk = key("desk", None);
    let mut seen = step(&desk, 1, 0, &[entry("crm/read_user", Some(Level::Read), Status::Requested)]);
    seen.step.as_mut().unwrap().labels = vec!["egress".parse().unwrap(), "pii".parse().unwrap()];
    keep(&store, seen).await;
    keep(&store, heard(1)).await;
    // What is spent, held and booked; an account that is closed; a key in each state.
    let (all, own) = (account("calls"), account_of("a session's", 1));
    for (call, kind, ending) in [
        (11, ClaimKind::Sent, Some(Ending::Succeeded)),
        (12, ClaimKind::By, Some(Ending::Unknown)),
        (13, ClaimKind::Derived, None),
    ] {
        let mut changes = holding(call, &all, 2, 100);
        changes.intent.as_mut().unwrap().claim =
            claiming(call, once_key(call), kind, 60, 0).intent.unwrap().claim;
        let intent = changes.intent.clone().unwrap();
        keep(&store, changes).await;
        if let Some(ending) = ending {
            keep(&store, settled(&intent, Open::Running, ending, None)).await;
        }
    }
    let overrun = holding(14, &own, 1, 10);
    keep(&store, overrun.clone()).await;
    keep(&store, settled(&overrun.intent.unwrap(), Open::Running, Ending::Succeeded, Some(Amount::whole(3))))
        .await;
    keep(&store, halt("agent:ops", Leaves::Reads, "placet", "trip `denials` went off", 8)).await;
    keep(&store, question(9, 1, 0)).await;
    store.close();
}

/// Writes the fixture of the format that this version writes. For whoever makes a new format, before it is
/// released; run with `PLACET_WRITE_FIXTURE=1`, and never for one that was released.
#[tokio::test]
async fn a_database_of_format_2_opens() {
    if std::env::var_os("PLACET_WRITE_FIXTURE").is_some_and(|wanted| wanted == "1") {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/store/2");
        fs::remove_dir_all(&fixture).unwrap_or_default();
        write_format_2(&fixture).await;
        fs::remove_file(fixture.join("lock")).unwrap();
        fs::remove_file(fixture.join("ballast")).unwrap_or_default();
        fs::write(fixture.join("key"), [2; 32]).unwrap();
    }
    let directory = fixture(2);
    let Opened { store, left_open } = open(directory.path());
    let mut open_one = holding(13, &account("calls"), 2, 100).intent.unwrap();
    open_one.claim = claiming(13, once_key(13), ClaimKind::Derived, 60, 0).intent.unwrap().claim;
    assert_eq!(left_open, [open_one]);
    let desk = load(&store, &Needs { now: at(9), ..asking_for_session(&key("desk", None)) }).await;
    let session = desk.session.unwrap();
    assert_eq!(session.labels.iter().map(|label| label.as_str()).collect::<Vec<_>>(), ["egress", "pii"]);
    assert_eq!(session.echoes(Digest([1; 32]), at(9)), 1);
    assert_eq!(load(&store, &asking_for(&account("calls"), 0)).await.balances, [balance(4, 2)]);
    let closed = Balance { closed: true, ..balance(3, 0) };
    assert_eq!(load(&store, &asking_for(&account_of("a session's", 1), 0)).await.balances, [closed]);
    let progress = [11, 12, 13].map(|n| {
        let store = &store;
        async move { load(store, &asking_for_key(once_key(n))).await.key.map(|claimed| claimed.progress) }
    });
    let [done, unknown, running] = progress;
    let text = format!("result of {}", id(11));
    assert_eq!(done.await, Some(Progress::Done(Kept::Text(text.into()))));
    assert_eq!(unknown.await, Some(Progress::Unknown));
    assert_eq!(running.await, Some(Progress::Running));
    let stops = load(&store, &Needs { stops: true, ..Needs::default() }).await.stops;
    assert_eq!(stops.len(), 1);
    assert_eq!((stops[0].leaves, stops[0].scope.to_string()), (Leaves::Reads, "agent:ops".to_owned()));
}
