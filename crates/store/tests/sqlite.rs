//! What the store on disk keeps to besides: what was acknowledged is found again, and what fails stops everything.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on should say so and end"
)]

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
    claiming, ended, ended_from, entry, further, go_on, halt, halt_all, heard, holding, holding_in, id,
    intent, key, note, once_key, question, question_after, settled, step,
};
use placet_engine::{
    budget::{Account, Balance},
    call::Digest,
    cost::Amount,
    decide,
    json::{Json, Limits, parse},
    level::Level,
    limits,
    once::{ClaimKind, Kept, Progress},
    permit::{Durable, Queued},
    policy::config::terms::Flush,
    record::{Kind, Record},
    session::{SessionKey, Status},
    state::{Advance, Changes, Ending, Intent, Needs, Open, Precondition, Remembered, Tally},
    stop::{Generations, Leaves},
    time::{Now, Timestamp},
};
use placet_store::{
    Store as _, StoreError,
    sqlite::{BackupError, Epoch, OpenError, Opened, Reader, Sqlite, restore},
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
    let first = question(20, 1, 0).question.unwrap();
    keep(&store, question_after(Some(&first), 21, 1, 60)).await;
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
    Step { client: u8, entries: u8, pause: u16, label: Option<u8> },
    Intent { budget: u8, amount: u8, key: Option<u8>, joined: bool },
    Ended { call: u8, from: Open, ending: Ending, actual: Option<u8> },
    Heard { result: u8, failed: bool },
    EndSession { client: u8 },
    Tally { budget: u8, add: Option<u8> },
    Reopen { budget: u8 },
    Question { digest: u8 },
    Stop { scope: u8, leaves: Leaves },
    Resume { scope: u8 },
    Advance(Advance),
}

const SCOPES: [&str; 3] = ["everything", "agent:ops", "label:egress"];

const LABELS: [&str; 3] = ["egress", "pii", "payroll"];

fn any_event() -> impl Strategy<Value = Event> {
    let optional = |of| prop::option::of(of);
    prop_oneof![
        6 => (0..3_u8, 0..60_u8, prop_oneof![4 => 0..90_u16, 1 => 1_700..1_900_u16], optional(0..3_u8))
            .prop_map(|(client, entries, pause, label)| Event::Step { client, entries, pause, label }),
        8 => (0..4_u8, 0..4_u8, optional(0..4_u8), any::<bool>())
            .prop_map(|(budget, amount, key, joined)| Event::Intent { budget, amount, key, joined }),
        8 => (
            any::<u8>(),
            prop::sample::select(vec![Open::Running, Open::Running, Open::Unknown]),
            prop::sample::select(Ending::ALL.to_vec()),
            optional(0..6_u8),
        )
            .prop_map(|(call, from, ending, actual)| Event::Ended { call, from, ending, actual }),
        3 => (0..2_u8, any::<bool>()).prop_map(|(result, failed)| Event::Heard { result, failed }),
        1 => (0..3_u8).prop_map(|client| Event::EndSession { client }),
        2 => (0..4_u8, optional(1..3_u8)).prop_map(|(budget, add)| Event::Tally { budget, add }),
        1 => (0..4_u8).prop_map(|budget| Event::Reopen { budget }),
        2 => (0..3_u8).prop_map(|digest| Event::Question { digest }),
        1 => (0..3_u8, prop::sample::select(vec![Leaves::Nothing, Leaves::Reads]))
            .prop_map(|(scope, leaves)| Event::Stop { scope, leaves }),
        1 => (0..3_u8).prop_map(|scope| Event::Resume { scope }),
        1 => prop::sample::select(vec![Advance::Policy, Advance::Catalogue]).prop_map(Event::Advance),
    ]
}

/// What random histories leave behind, besides the store.
#[derive(Default)]
struct Past {
    clock: u64,
    intents: Vec<Intent>,
    questions: std::collections::HashMap<u8, placet_engine::approval::Approval>,
}

impl Past {
    fn account(budget: u8) -> Account {
        account(&format!("budget {budget}"))
    }

    fn changes(&mut self, n: u64, event: Event, clients: &[SessionKey; 3]) -> Changes {
        match event {
            Event::Step { client, entries, pause, label } => {
                self.clock += u64::from(pause);
                let entries: Vec<_> =
                    (0..entries).map(|at| entry(&format!("crm/t{n}-{at}"), None, Status::Blocked)).collect();
                let mut changes = step(&clients[usize::from(client)], n, self.clock, &entries);
                let label = label.map(|label| LABELS[usize::from(label)].parse().unwrap());
                changes.step.as_mut().unwrap().labels.extend(label);
                changes
            }
            Event::Intent { budget, amount, key, joined } => {
                let part = self.clock / 60 * 60;
                let mut changes = holding_in(n, &Self::account(budget), (part, 0), amount.into(), 20);
                let intent = changes.intent.as_mut().unwrap();
                intent.at = at(self.clock);
                match key {
                    Some(key) => {
                        let key = once_key(key.into());
                        let claim = claiming(n, key, ClaimKind::ALL[n as usize % 3], self.clock + 300, 0);
                        intent.claim = claim.intent.unwrap().claim;
                        changes.require.push(Precondition::KeyFree { key, now: at(self.clock), put_away: 0 });
                    }
                    None => {
                        (intent.joined, intent.digest) = (joined, Digest([amount; 32]));
                        changes.require.push(Precondition::NotRunning(intent.digest));
                    }
                }
                self.intents.push(intent.clone());
                changes
            }
            Event::Ended { call, from, ending, actual } => {
                let Some(intent) = self.intents.get(usize::from(call) % self.intents.len().max(1)) else {
                    return note(n);
                };
                settled(intent, from, ending, actual.map(|actual| Amount::whole(actual.into())))
            }
            Event::Heard { result, failed } => {
                let mut changes = heard(self.clock);
                let (key, heard) = changes.settled.as_mut().unwrap().heard.as_mut().unwrap();
                (*key, heard.result, heard.failed) = (clients[0].clone(), Digest([result; 32]), failed);
                changes
            }
            Event::EndSession { client } => {
                decide::end_session(clients[usize::from(client)].clone(), "ana", Now::default())
            }
            Event::Tally { budget, add } => {
                let part = Timestamp(self.clock / 60 * 60_000_000);
                let add = add.map(|add| Amount::whole(add.into()));
                Changes { tallies: vec![Tally { account: Self::account(budget), part, add }], ..note(n) }
            }
            Event::Reopen { budget } => {
                decide::accept_overrun(Self::account(budget), "ana", "looked", Now::default())
            }
            Event::Question { digest } => {
                let before = self.questions.get(&digest);
                let further = before.and_then(|before| further(before, self.clock));
                let changes = further.unwrap_or_else(|| question_after(before, n, digest, self.clock));
                self.questions.insert(digest, changes.question.clone().unwrap());
                changes
            }
            Event::Stop { scope, leaves } => {
                halt(SCOPES[usize::from(scope)], leaves, "ana", &format!("reason {n}"), self.clock)
            }
            Event::Resume { scope } => {
                let scope = SCOPES[usize::from(scope)].parse().unwrap();
                decide::resume(scope, "ana", "looked", Now::default())
            }
            Event::Advance(which) => decide::advance(which, Record::new(Kind::Catalogue, at(0), [])),
        }
    }

    /// Everything that could be asked for.
    fn needs(&self, clients: &[SessionKey; 3]) -> Vec<Needs> {
        let now = at(self.clock);
        let sessions = clients.iter().map(asking_for_session);
        let questions = (0..3).map(asking_for_question);
        let accounts =
            (0..4).map(|budget| asking_for(&Self::account(budget), self.clock.saturating_sub(200)));
        let keys = (0..4).map(|key| asking_for_key(once_key(key)));
        let running = (0..4).map(|digest| Needs { running: Some(Digest([digest; 32])), ..Needs::default() });
        let stops = [Needs { stops: true, ..Needs::default() }];
        let all = sessions.chain(questions).chain(accounts).chain(keys).chain(running).chain(stops);
        all.map(|needs| Needs { now, ..needs }).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_disk_never_differ(events in prop::collection::vec((any_event(), prop::bool::weighted(0.1)), 1..80)) {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut store = open(directory.path()).store;
        let clients = ["a", "b", "c"].map(|client| key(client, None));
        let mut past = Past::default();
        for (n, (event, reopens)) in (1_u64..).zip(events) {
            let changes = past.changes(n, event, &clients);
            let claim = changes.intent.as_ref().and_then(|intent| intent.claim.clone());
            if let Some(claim) = claim {
                // Nobody claims a key who has not looked for it: one that is done may be on disk alone.
                let found = runtime.block_on(load(&store, &asking_for_key(claim.key))).key;
                if found.is_some_and(|claimed| claimed.stands(at(past.clock))) {
                    drop(past.intents.pop());
                    continue;
                }
            }
            let intended = changes.intent.is_some();
            match runtime.block_on(store.commit::<Queued>(changes)) {
                Ok(_) => {}
                Err(StoreError::Conflict(_)) if intended => drop(past.intents.pop()),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => panic!("{error}"),
            }
            if !reopens {
                continue;
            }
            let needs = past.needs(&clients);
            let all = |store: &Sqlite| {
                let mut all = Vec::new();
                for needs in &needs {
                    let mut known = runtime.block_on(load(store, needs));
                    // One that lapsed may have been forgotten, and none is the same.
                    known.key = known.key.filter(|claimed| claimed.stands(needs.now));
                    known.stops.sort_by_key(|stop| stop.scope.to_string());
                    known.stop = None;
                    all.push(known);
                }
                all
            };
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
        let mounted = run("mount", &["-t", "tmpfs", "-o", "size=24m,mode=700", "none"], at);
        mounted.then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &["-l"], &self.0);
    }
}

/// How many bytes are free there.
fn free(path: &Path) -> u64 {
    let found = rustix::fs::statvfs(path).unwrap();
    found.f_bavail * found.f_frsize
}

fn run(program: &str, arguments: &[&str], path: &Path) -> bool {
    let output = std::process::Command::new(program).args(arguments).arg(path).output();
    output.is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn a_disk_that_fills_in_the_middle_of_a_group_loses_nothing_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(directory.path()) else {
        eprintln!("skipped: this process may not mount a small file system to fill");
        return;
    };
    let store = Arc::new(open(&disk.0).store);
    let ballast = disk.0.join("ballast");
    assert!(ballast.exists(), "it is taken on while there is room");
    let calls = account("calls");
    keep(&store, holding(1_000, &calls, 1, 1_000)).await;

    // Nearly nothing left, and then 64 at once of which some fit.
    let filler = disk.0.join("filler");
    fs::write(&filler, vec![0; usize::try_from(free(&disk.0) - (256 << 10)).unwrap()]).unwrap();
    let foreign = stranger(&disk.0);
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let commits: Vec<_> = (0..64)
        .map(|call| {
            let mut changes = holding(call, &calls, 1, 1_000);
            changes.intent.as_mut().unwrap().arguments = "x".repeat(16_000);
            let store = Arc::clone(&store);
            tokio::spawn(async move { (call, store.commit::<Durable>(changes).await.map(drop)) })
        })
        .collect();
    tokio::task::yield_now().await;
    foreign.execute_batch("ROLLBACK").unwrap();
    let mut acknowledged = vec![1_000];
    let mut refused = 0;
    for commit in commits {
        match commit.await.unwrap() {
            (call, Ok(())) => {
                assert_eq!(refused, 0, "{call} is kept though one before it is not");
                acknowledged.push(call);
            }
            (_, Err(StoreError::Unavailable(why))) => {
                assert!(why.contains("full"), "{why}");
                refused += 1;
            }
            (call, Err(other)) => panic!("{call}: {other}"),
        }
    }
    assert!(refused > 0, "64 times 16 KiB did fit into 256 KiB");
    assert_spoiled(&store).await;
    assert!(ballast.exists());

    // With the ballast thrown off there is room for what must be said, and for nothing else.
    assert_eq!(store.mend().await, Ok(Vec::new()), "what was refused is not on disk");
    assert!(store.is_full() && !ballast.exists());
    let held = u64::try_from(acknowledged.len()).unwrap();
    assert_eq!(load(&store, &asking_for(&calls, 0)).await.balances, [balance(0, held)]);
    assert_eq!(store.commit::<Durable>(holding(70, &calls, 1, 1_000)).await.map(drop), Err(StoreError::Full));
    assert_eq!(store.commit::<Queued>(intent(71, 0)).await.map(drop), Err(StoreError::Full));
    keep(&store, halt_all("ana", "look first", 1)).await;
    keep(&store, note(7)).await;
    keep(
        &store,
        settled(&holding(1_000, &calls, 1, 1_000).intent.unwrap(), Open::Running, Ending::Succeeded, None),
    )
    .await;
    assert!(store.is_full(), "that frees nothing");

    fs::remove_file(&filler).unwrap();
    // Whoever writes next finds that there is room, and the one after it finds that it was found.
    keep(&store, note(8)).await;
    keep(&store, note(9)).await;
    assert!(!store.is_full() && ballast.exists());
    keep(&store, go_on("ana", "there is room")).await;
    keep(&store, holding(72, &calls, 1, 1_000)).await;
    assert_eq!(load(&store, &asking_for(&calls, 0)).await.balances, [balance(1, held)]);
    drop(store);
    let Opened { store, left_open } = open(&disk.0);
    let mut found: Vec<_> = left_open.iter().map(|intent| intent.call).collect();
    found.sort_unstable();
    acknowledged.retain(|call| *call != 1_000);
    let want: Vec<_> = acknowledged.iter().copied().chain([72]).map(id).collect();
    assert_eq!(found, want, "exactly what was acknowledged");
    assert_eq!(notes(&disk.0), [7, 8, 9]);
    assert_eq!(load(&store, &asking_for(&calls, 0)).await.balances, [balance(1, held)]);
}

/// Leaves so many bytes free on a disk.
fn fill(disk: &SmallDisk, left: u64) -> PathBuf {
    let filler = disk.0.join("filler");
    fs::write(&filler, vec![0; usize::try_from(free(&disk.0) - left).unwrap()]).unwrap();
    filler
}

/// Writes notes from this number on until there is no room for one, and says which it was.
async fn note_until_full(store: &Sqlite, from: u64) -> u64 {
    for n in from.. {
        match store.commit::<Durable>(long_note(n)).await {
            Ok(_) => {}
            Err(StoreError::Unavailable(why)) if why.contains("full") => return n,
            Err(other) => panic!("{n}: {other}"),
        }
    }
    unreachable!("numbers do not end")
}

/// A note that takes up more than a page.
fn long_note(n: u64) -> Changes {
    let mut changes = note(n);
    changes.records.push(Record::new(Kind::Gap, at(0), [("long", "x".repeat(6_000).into())]));
    changes
}

#[tokio::test]
async fn a_log_is_folded_back_before_it_holds_more_than_fits_where_the_ballast_was() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(directory.path()) else {
        eprintln!("skipped: this process may not mount a small file system to fill");
        return;
    };
    let store = open(&disk.0).store;
    let ballast = fs::metadata(disk.0.join("ballast")).unwrap().len();
    // Without an idle moment, several times as much as the ballast holds.
    let many = 5 * ballast / 6_000;
    for n in 1..=many {
        keep(&store, long_note(n)).await;
    }
    fill(&disk, 64 << 10);
    let refused = note_until_full(&store, many + 1).await;
    assert_eq!(store.mend().await, Ok(Vec::new()), "what the log holds fits");
    keep(&store, halt_all("ana", "look first", 1)).await;
    drop(store);
    assert_eq!(notes(&disk.0), (1..refused).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_store_whose_log_does_not_fit_on_a_full_disk_is_mended_once_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(directory.path()) else {
        eprintln!("skipped: this process may not mount a small file system to fill");
        return;
    };
    let store = open(&disk.0).store;
    keep(&store, note(1)).await;
    // Somebody reads for so long that the log cannot be folded back, and it outgrows the ballast.
    let foreign = stranger(&disk.0);
    foreign.execute_batch("BEGIN; SELECT count(*) FROM records").unwrap();
    for n in 2..=500 {
        keep(&store, long_note(n)).await;
    }
    let log = fs::metadata(disk.0.join("placet.db-wal")).unwrap().len();
    assert!(log > 4 * fs::metadata(disk.0.join("ballast")).unwrap().len(), "{log}");
    let filler = fill(&disk, 64 << 10);
    let refused = note_until_full(&store, 501).await;
    foreign.execute_batch("ROLLBACK").unwrap();
    for _ in 0..3 {
        let failed = store.mend().await;
        assert!(matches!(&failed, Err(StoreError::Unavailable(why)) if why.contains("full")), "{failed:?}");
        assert_spoiled(&store).await;
    }
    fs::remove_file(filler).unwrap();
    assert_eq!(store.mend().await, Ok(Vec::new()));
    assert!(!store.is_full());
    keep(&store, halt_all("ana", "look first", 1)).await;
    keep(&store, note(refused)).await;
    drop(store);
    assert_eq!(notes(&disk.0), (1..=refused).collect::<Vec<_>>(), "nothing that was acknowledged is lost");
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
    assert_eq!((refused, taken), (StoreError::Busy, 4_096));
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
async fn a_reader_sees_what_is_spent_and_what_is_held() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).store;
    let (all, own) = (account("money"), account_of("a run", 7));
    keep(&store, holding(1, &all, 30, 100)).await;
    let over = holding(2, &all, 20, 100).intent.unwrap();
    keep(&store, holding(2, &all, 20, 100)).await;
    keep(&store, settled(&over, Open::Running, Ending::Succeeded, None)).await;
    keep(&store, holding(3, &own, 5, 100)).await;
    let seen = Reader::open(directory.path()).unwrap().spending().unwrap();
    let seen: Vec<_> = seen
        .iter()
        .map(|part| (part.budget.as_str(), part.session.is_some(), part.spent, part.held))
        .collect();
    let whole = Amount::whole;
    assert_eq!(seen, [("a run", true, whole(0), whole(5)), ("money", false, whole(20), whole(30))]);
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

/// Lets a commit fail in the store, and everything that is queued behind it in the same group.
async fn fail(store: &Arc<Sqlite>, directory: &Path, along: impl IntoIterator<Item = Changes>) {
    let foreign = stranger(directory);
    foreign
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON records WHEN NEW.kind = 'gap'
             BEGIN SELECT RAISE(ROLLBACK, 'no room'); END;
             BEGIN IMMEDIATE;",
        )
        .unwrap();
    let gap = Changes { records: vec![Record::new(Kind::Gap, at(0), [])], ..Changes::default() };
    let commits: Vec<_> = [gap]
        .into_iter()
        .chain(along)
        .map(|changes| {
            let store = Arc::clone(store);
            tokio::spawn(async move { store.commit::<Durable>(changes).await.map(drop) })
        })
        .collect();
    tokio::task::yield_now().await;
    foreign.execute_batch("ROLLBACK").unwrap();
    for commit in commits {
        assert!(matches!(commit.await.unwrap(), Err(StoreError::Unavailable(_))));
    }
    foreign.execute_batch("DROP TRIGGER refuse").unwrap();
    assert!(store.poisoned().is_some());
}

#[tokio::test]
async fn a_mended_store_serves_what_is_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path()).store);
    let calls = account("calls");
    keep(&store, holding(1, &calls, 2, 10)).await;
    keep(&store, halt("agent:ops", Leaves::Reads, "placet", "a trip went off", 1)).await;
    fail(&store, directory.path(), [holding(2, &calls, 3, 10), go_on("ana", "never said"), note(5)]).await;
    assert_spoiled(&store).await;
    assert_eq!(store.mend().await, Ok(Vec::new()));
    assert_eq!(store.poisoned(), None);
    let now = load(&store, &Needs { stops: true, ..asking_for(&calls, 0) }).await;
    assert_eq!(now.balances, [balance(0, 2)]);
    assert_eq!(now.stops.len(), 1);
    // The lost resume moved a number that somebody may have seen; it is not given out a second time.
    assert_eq!(now.generations.stop, 2);
    keep(&store, halt_all("ana", "look first", 2)).await;
    assert_eq!(load(&store, &Needs::default()).await.generations.stop, 3);
    keep(&store, settled(&holding(1, &calls, 2, 10).intent.unwrap(), Open::Running, Ending::Succeeded, None))
        .await;
    keep(&store, note(6)).await;
    assert_eq!(notes(directory.path()), [6]);
    drop(store);
    assert_eq!(load(&open(directory.path()).store, &asking_for(&calls, 0)).await.balances, [balance(2, 0)]);
}

#[tokio::test]
async fn mending_hands_back_only_what_was_never_sent() {
    let directory = tempfile::tempdir().unwrap();
    keep(&open(directory.path()).store, intent(1, 1)).await;
    let Opened { store, left_open } = open(directory.path());
    assert_eq!(left_open.len(), 1);
    let store = Arc::new(store);
    // 1 is an earlier process's; 2 is under way; 3 is over, and its outcome is lost in what fails, like that of 1.
    keep(&store, intent(2, 2)).await;
    keep(&store, intent(3, 3)).await;
    fail(
        &store,
        directory.path(),
        [ended(1, Ending::Unknown), ended(3, Ending::Succeeded), intent(4, 4), intent(5, 5)],
    )
    .await;
    // Of 4 and 5 it was said that they are not kept. One of them is all the same.
    stranger(directory.path())
        .execute_batch(
            "INSERT INTO intents SELECT x'000000000000000000000004', action, level, session, at, arguments,
             ending, agent, client, run, digest, joined, salt, sealed, approval FROM intents LIMIT 1",
        )
        .unwrap();
    let never_sent = store.mend().await.unwrap();
    assert_eq!(never_sent.iter().map(|intent| intent.call).collect::<Vec<_>>(), [id(4)]);
    // The same again, as long as nobody has settled it.
    fail(&store, directory.path(), [ended(4, Ending::NotSent)]).await;
    assert_eq!(store.mend().await.unwrap().len(), 1);
    keep(&store, ended(4, Ending::NotSent)).await;
    fail(&store, directory.path(), [intent(6, 6)]).await;
    assert_eq!(store.mend().await, Ok(Vec::new()));
    for call in [1, 2, 3] {
        keep(&store, ended(call, Ending::Unknown)).await;
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_not_mended_until_it_can() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path()).store);
    keep(&store, note(1)).await;
    stranger(directory.path()).execute_batch("ALTER TABLE closed RENAME TO elsewhere").unwrap();
    fail(&store, directory.path(), []).await;
    for _ in 0..2 {
        let refused = store.mend().await;
        assert!(
            matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("closed")),
            "{refused:?}"
        );
        assert_spoiled(&store).await;
    }
    stranger(directory.path()).execute_batch("ALTER TABLE elsewhere RENAME TO closed").unwrap();
    assert_eq!(store.mend().await, Ok(Vec::new()));
    keep(&store, note(2)).await;
    assert_eq!(notes(directory.path()), [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_who_mend_at_once_undo_nothing_of_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path()).store);
    let calls = account("calls");
    let mut expected = 0;
    for round in 0..8 {
        fail(&store, directory.path(), []).await;
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let (store, calls) = (Arc::clone(&store), calls.clone());
                tokio::spawn(async move {
                    store.mend().await.unwrap();
                    // What is taken once it works again is not forgotten by whoever mends besides.
                    store.commit::<Durable>(holding(round * 8 + n, &calls, 1, 1_000)).await.map(drop)
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), Ok(()));
            expected += 1;
        }
        assert_eq!(load(&store, &asking_for(&calls, 0)).await.balances, [balance(0, expected)]);
    }
}

#[tokio::test]
async fn a_key_that_was_looked_for_before_mending_is_looked_for_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path()).store);
    let looked = load(&store, &asking_for_key(once_key(1))).await;
    assert_eq!(looked.key, None);
    let first = claiming(1, once_key(1), ClaimKind::Sent, 60, looked.keys_put_away);
    keep(&store, first.clone()).await;
    keep(&store, settled(&first.intent.unwrap(), Open::Running, Ending::Succeeded, None)).await;
    fail(&store, directory.path(), []).await;
    store.mend().await.unwrap();
    // It is on disk now, and only there.
    let late =
        store.commit::<Durable>(claiming(2, once_key(1), ClaimKind::Sent, 60, looked.keys_put_away)).await;
    assert!(matches!(late.map(drop), Err(StoreError::Conflict(Precondition::KeyFree { .. }))));
    assert_eq!(load(&store, &asking_for_key(once_key(1))).await.key.unwrap().call, id(1));
}

#[tokio::test]
async fn a_key_that_is_free_again_is_so_before_that_is_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).store;
    let finished = claiming(1, once_key(1), ClaimKind::Sent, 60, 0);
    keep(&store, finished.clone()).await;
    keep(&store, settled(&finished.intent.unwrap(), Open::Running, Ending::Succeeded, None)).await;
    drop(store);
    // From here on it looks on disk for keys that it does not know.
    let store = open(directory.path()).store;
    let tried = claiming(2, once_key(2), ClaimKind::By, 60, 0);
    keep(&store, tried.clone()).await;
    let foreign = stranger(directory.path());
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let failed = settled(&tried.intent.unwrap(), Open::Running, Ending::Failed, None);
    store.commit::<Queued>(failed).await.unwrap();
    assert_eq!(load(&store, &asking_for_key(once_key(2))).await.key, None, "on disk it is running still");
    store.commit::<Queued>(claiming(3, once_key(2), ClaimKind::By, 60, 0)).await.unwrap();
    foreign.execute_batch("ROLLBACK").unwrap();
    keep(&store, note(1)).await;
    assert_eq!(load(&store, &asking_for_key(once_key(2))).await.key.unwrap().call, id(3));
    assert_eq!(load(&store, &asking_for_key(once_key(1))).await.key.unwrap().call, id(1));
}

#[tokio::test]
async fn a_month_in_which_the_clock_is_put_back_is_one_window_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).store;
    // A month of 31 days and one hour, and a budget of minutes in its last hour.
    let day = 24 * 60 * 60;
    let began = |seconds: u64| Account { window: at(seconds), ..account("calls") };
    let (month, minute, older) = (began(40 * day), began(71 * day + 55 * 60), began(0));
    for (n, account) in [(1, &month), (2, &minute), (3, &older)] {
        let intent = holding(n, account, 3, 10);
        keep(&store, intent.clone()).await;
        keep(&store, settled(&intent.intent.unwrap(), Open::Running, Ending::Succeeded, None)).await;
    }
    drop(store);
    let store = open(directory.path()).store;
    for (account, want) in [(&month, 3), (&minute, 3), (&older, 0)] {
        assert_eq!(load(&store, &asking_for(account, 0)).await.balances, [balance(want, 0)], "{account:?}");
    }
}

#[tokio::test]
async fn what_is_allowed_again_is_kept_as_it_was_allowed_last() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).store;
    keep(&store, intent(1, 0)).await;
    keep(&store, ended(1, Ending::NotSent)).await;
    // Another policy has come meanwhile.
    let mut again = intent(1, 3);
    let changed = again.intent.as_mut().unwrap();
    (changed.level, changed.joined) = (Level::Delete, true);
    keep(&store, again.clone()).await;
    drop(store);
    assert_eq!(open(directory.path()).left_open, [again.intent.unwrap()]);
}

#[tokio::test]
async fn what_need_not_be_flushed_is_kept_in_the_same_order() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).store;
    for n in 0..60 {
        let flush = if n % 3 == 0 { Flush::Disk } else { Flush::System };
        let changes = Changes { flush, ..note(n) };
        match n % 4 {
            3 => drop(store.commit::<Queued>(changes).await.unwrap()),
            _ => keep(&store, changes).await,
        }
    }
    // Another connection sees what the system has.
    assert_eq!(notes(directory.path())[..59], (0..59).collect::<Vec<_>>());
    store.close();
    assert_eq!(notes(directory.path()), (0..60).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_call_whose_caller_went_away_while_it_was_written_is_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path()).store);
    let foreign = stranger(directory.path());
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let calls = account("calls");
    let waiting = tokio::spawn({
        let (store, changes) = (Arc::clone(&store), holding(1, &calls, 4, 10));
        async move { store.commit::<Durable>(changes).await.map(drop) }
    });
    tokio::task::yield_now().await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    foreign.execute_batch("ROLLBACK").unwrap();
    keep(&store, note(1)).await;
    assert_eq!(
        load(&store, &asking_for(&calls, 0)).await.balances,
        [balance(0, 4)],
        "it holds, since it may run"
    );
    drop(store);
    let Opened { store, left_open } = open(directory.path());
    assert_eq!(left_open, [holding(1, &calls, 4, 10).intent.unwrap()]);
    keep(&store, decide::recover(&left_open[0], Now::default())).await;
    assert_eq!(load(&store, &asking_for(&calls, 0)).await.balances, [balance(4, 0)]);
}

/// The epoch of the store in a directory, and when it was restored, as decisions read it.
async fn epoch_of(directory: &Path) -> (u64, Timestamp) {
    let store = open(directory).store;
    let restored_at = load(&store, &Needs::default()).await.restored_at;
    assert_eq!(store.epoch().restored_at, restored_at);
    (store.epoch().number, restored_at)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_made_while_calls_run_is_one_moment_and_begins_another_epoch() {
    let parent = tempfile::tempdir().unwrap();
    let (state, copy, restored) =
        (parent.path().join("state"), parent.path().join("copy"), parent.path().join("new"));
    let store = Arc::new(open(&state).store);
    let calls = account("calls");
    keep(&store, holding(10_000, &calls, 1, 100_000)).await;
    let writing = tokio::spawn({
        let (store, calls) = (Arc::clone(&store), calls.clone());
        async move {
            for n in 0..2_000 {
                let changes = holding(n, &calls, 1, 100_000);
                store.commit::<Queued>(changes).await.unwrap();
                if n % 50 == 0 {
                    keep(&store, Changes::default()).await;
                }
            }
        }
    });
    let reader = Reader::open(&state).unwrap();
    reader.backup(&copy).unwrap();
    assert!(matches!(reader.backup(&copy), Err(BackupError::Exists(_))), "nothing is overwritten");
    writing.await.unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o700);

    let epoch = restore(&copy, &restored, at(100)).unwrap();
    assert_eq!((epoch.number, epoch.restored_at), (2, at(100)));
    assert!(matches!(restore(&copy, &restored, at(101)), Err(BackupError::Exists(_))));
    assert!(matches!(restore(&copy, &state, at(101)), Err(BackupError::Exists(_))), "not over one in use");
    assert_eq!(fs::read(restored.join("key")).unwrap(), fs::read(state.join("key")).unwrap());
    assert_eq!(epoch_of(&restored).await, (2, at(100)));
    let Opened { store: new, left_open } = open(&restored);
    // As many calls as records: one moment, not a mixture of two.
    let held = u64::try_from(left_open.len()).unwrap();
    assert!((1..=2_001).contains(&held));
    assert_eq!(load(&new, &asking_for(&calls, 0)).await.balances, [balance(0, held)]);
    let intents = Reader::open(&restored).unwrap().after(0, 10_000).unwrap();
    assert_eq!(intents.iter().filter(|entry| entry.call.is_some()).count(), left_open.len());
    // A person has looked at what was lost.
    keep(&new, decide::settle_epoch("ana", "the bank says so", Now::default())).await;
    assert_eq!(load(&new, &Needs::default()).await.restored_at, Timestamp(0));
    drop(new);
    assert_eq!(epoch_of(&restored).await, (2, Timestamp(0)));
    drop(store);
}

#[tokio::test]
async fn a_restore_mixes_nothing_in_of_what_was_there_before() {
    let parent = tempfile::tempdir().unwrap();
    let (state, copy) = (parent.path().join("state"), parent.path().join("copy"));
    let store = open(&state).store;
    keep(&store, note(1)).await;
    Reader::open(&state).unwrap().backup(&copy).unwrap();
    keep(&store, note(2)).await;
    // The log as it is while a node runs: what it holds is in no database yet.
    let log = fs::read(state.join("placet.db-wal")).unwrap();
    assert!(!log.is_empty());

    // The database is gone and its log is there: it may hold what nothing else does, so nobody writes over it.
    let lost = parent.path().join("lost");
    fs::create_dir(&lost).unwrap();
    fs::write(lost.join("placet.db-wal"), &log).unwrap();
    assert!(matches!(restore(&copy, &lost, at(9)), Err(BackupError::Exists(_))));

    // A restore that was cut off has left its half and the log of that.
    let half = parent.path().join("half");
    fs::create_dir(&half).unwrap();
    fs::copy(state.join("placet.db"), half.join("placet.db.new")).unwrap();
    fs::write(half.join("placet.db.new-wal"), &log).unwrap();
    restore(&copy, &half, at(9)).unwrap();
    assert_eq!(notes(&half), [1]);
    drop(store);
}

#[tokio::test]
async fn a_backup_that_is_damaged_is_not_restored() {
    let parent = tempfile::tempdir().unwrap();
    let (state, copy, new) =
        (parent.path().join("state"), parent.path().join("copy"), parent.path().join("new"));
    let store = open(&state).store;
    for n in 0..200 {
        store.commit::<Queued>(note(n)).await.unwrap();
    }
    keep(&store, note(200)).await;
    Reader::open(&state).unwrap().backup(&copy).unwrap();
    let mut bytes = fs::read(copy.join("placet.db")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4_096].fill(0xff);
    fs::write(copy.join("placet.db"), bytes).unwrap();
    assert!(restore(&copy, &new, at(9)).is_err());
    assert!(!new.join("placet.db").exists());
    assert!(restore(&parent.path().join("nowhere"), &new, at(9)).is_err());
}

/// What this process has in memory, in bytes.
fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

/// How much memory finished keys take. `PLACET_KEYS` says how many; a million take some minutes.
#[tokio::test]
async fn finished_keys_do_not_fill_the_memory() {
    let count = std::env::var("PLACET_KEYS").map_or(20_000, |count| count.parse::<u64>().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).store;
    let began = std::time::Instant::now();
    let mut early = 0;
    for n in 0..count {
        let looked = load(&store, &asking_for_key(once_key(n))).await;
        let changes = claiming(n, once_key(n), ClaimKind::Sent, 60, looked.keys_put_away);
        let intent = changes.intent.clone().unwrap();
        store.commit::<Queued>(changes).await.unwrap();
        let done = settled(&intent, Open::Running, Ending::Succeeded, None);
        match n % 256 {
            255 => keep(&store, done).await,
            _ => drop(store.commit::<Queued>(done).await.unwrap()),
        }
        if n == 10_000 {
            early = resident();
        }
    }
    let (late, took) = (resident(), began.elapsed());
    println!("{count} keys in {took:.1?}: {} KiB after 10,000, {} KiB at the end", early >> 10, late >> 10);
    assert!(late.saturating_sub(early) < 64 << 20, "{} KiB more", late.saturating_sub(early) >> 10);
    // They are all there.
    for n in [0, count / 2, count - 1] {
        assert_eq!(load(&store, &asking_for_key(once_key(n))).await.key.unwrap().call, id(n));
    }
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

/// An intent as format 1 kept it: it knew neither who proposed it nor its digest, and had no salt.
fn of_format_1(call: u64, seconds: u64) -> Intent {
    Intent {
        agent: "unknown".parse().unwrap(),
        client: "unknown".parse().unwrap(),
        digest: Digest([0; 32]),
        salt: None,
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
    // It could not be answered, and does not hold what people must be shown.
    assert_eq!(load(&store, &asking_for_question(1)).await.question, None);
    assert!(load(&store, &asking_for_session(&key("desk", Some("run-1")))).await.session.is_some());
    assert_eq!(store.epoch(), Epoch { number: 1, restored_at: Timestamp(0), calendar: Timestamp(0) });
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
        // The whole of it in one file: the last connection that closes takes the log away.
        let connection = rusqlite::Connection::open(fixture.join("placet.db")).unwrap();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        connection.close().unwrap();
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
