//! What every store keeps to, run on each of them: preconditions, one order, all of a commit or nothing of it.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on should say so and end"
)]

mod changes;

use std::{fmt, path::Path, sync::Arc};

use changes::{
    asking_for_question, asking_for_session, at, ended, ended_from, entry, go_on, halt_all, id, intent, key,
    no_stop, note, question, step,
};
use placet_engine::{
    decide,
    json::{Json, Limits, parse},
    level::Level,
    limits,
    permit::{Durable, Queued},
    record::{Kind, Record},
    session::{History, SessionId, Status},
    state::{Advance, Changes, Ending, Needs, Open, Precondition, Remembered},
    stop::Generations,
};
use placet_store::{
    Memory, Store, StoreError,
    sqlite::{Reader, Sqlite},
};

/// A store of which the records can be read back.
trait Recorded: Store + fmt::Debug {
    fn records(&self, directory: &Path) -> Vec<Json>;
}

impl Recorded for Memory {
    fn records(&self, _directory: &Path) -> Vec<Json> {
        self.records().iter().map(Record::to_json).collect()
    }
}

impl Recorded for Sqlite {
    fn records(&self, directory: &Path) -> Vec<Json> {
        let entries = Reader::open(directory).unwrap().after(0, 10_000).unwrap();
        entries.iter().map(|entry| parse(entry.body.as_bytes(), &Limits::EDGE).unwrap()).collect()
    }
}

/// A store and, where it has one, its directory.
struct Under<S> {
    store: Arc<S>,
    directory: tempfile::TempDir,
}

impl<S: Recorded> Under<S> {
    #[track_caller]
    fn records(&self) -> Vec<Json> {
        self.store.records(self.directory.path())
    }

    async fn keep(&self, changes: Changes) {
        self.store.commit::<Durable>(changes).await.unwrap();
    }

    async fn load(&self, needs: &Needs) -> Remembered {
        self.store.load(needs).await.unwrap()
    }

    /// Commits what must be refused, and makes sure that nothing of it was kept.
    async fn refuses(&self, broken: Precondition, changes: Changes) {
        let needs = Needs {
            session: Some(key("desk", None)),
            question: changes.question.as_ref().map(|question| question.digest),
            history: true,
            ..Needs::default()
        };
        let (before, records) = (self.load(&needs).await, self.records());
        for refused in [
            self.store.commit::<Durable>(changes.clone()).await.map(drop),
            self.store.commit::<Queued>(changes).await.map(drop),
        ] {
            assert_eq!(refused, Err(StoreError::Conflict(broken.clone())));
        }
        assert_eq!((self.load(&needs).await, self.records()), (before, records), "something of it was kept");
    }
}

/// The call is under way.
fn is_open(call: u64) -> Precondition {
    Precondition::Is(id(call), Open::Running)
}

fn memory() -> Under<Memory> {
    Under { store: Arc::new(Memory::new()), directory: tempfile::tempdir().unwrap() }
}

fn sqlite() -> Under<Sqlite> {
    let directory = tempfile::tempdir().unwrap();
    Under { store: Arc::new(Sqlite::open(directory.path()).unwrap().store), directory }
}

macro_rules! contract {
    ($($what:ident)*) => {
        mod memory_store {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $what() {
                super::$what(super::memory()).await;
            })*
        }
        mod sqlite_store {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $what() {
                super::$what(super::sqlite()).await;
            })*
        }
    };
}

contract! {
    an_empty_store_remembers_nothing
    a_stop_holds_until_it_is_ended_and_moves_its_generation
    policy_and_catalogue_move_their_own_generations
    nothing_is_kept_if_a_stop_came_first
    nothing_is_kept_if_a_generation_moved
    one_broken_precondition_is_enough
    a_question_is_found_by_what_it_is_about
    no_question_is_raised_while_one_waits
    an_intent_is_open_until_its_final_outcome
    what_was_not_sent_may_be_allowed_again
    a_session_counts_its_steps_and_keeps_its_history
    a_history_keeps_the_last_hundred_entries
    sessions_of_one_client_are_kept_apart_by_name
    a_session_that_runs_goes_on_whatever_a_late_call_meant
    a_receipt_names_the_intent_that_was_kept
    records_are_kept_in_the_order_of_their_commits
    of_racing_questions_exactly_one_is_raised
    of_racing_outcomes_exactly_one_is_kept
    of_racing_calls_none_is_lost
}

async fn an_empty_store_remembers_nothing<S: Recorded>(under: Under<S>) {
    let needs = Needs { history: true, ..asking_for_session(&key("desk", None)) };
    assert_eq!(under.load(&needs).await, Remembered::default());
    assert_eq!(under.load(&asking_for_question(1)).await, Remembered::default());
    assert!(under.records().is_empty());
}

async fn a_stop_holds_until_it_is_ended_and_moves_its_generation<S: Recorded>(under: Under<S>) {
    under.keep(halt_all("ana", "look first", 5)).await;
    let remembered = under.load(&Needs::default()).await;
    let stop = remembered.stop.unwrap();
    assert_eq!((stop.by.as_str(), stop.reason.as_str(), stop.since), ("ana", "look first", at(5)));
    assert_eq!(remembered.generations, Generations { stop: 1, ..Generations::default() });
    under.keep(halt_all("bo", "me too", 5)).await;
    assert_eq!(under.load(&Needs::default()).await.stop.unwrap().by, "bo");
    under.keep(go_on("ana", "looked")).await;
    let remembered = under.load(&Needs::default()).await;
    assert_eq!((remembered.stop, remembered.generations.stop), (None, 3));
    let kinds: Vec<_> = under.records().iter().map(|record| record.get("kind").cloned().unwrap()).collect();
    assert_eq!(kinds, [Json::from("stop"), Json::from("stop"), Json::from("resume")]);
}

async fn policy_and_catalogue_move_their_own_generations<S: Recorded>(under: Under<S>) {
    for (which, want) in [
        (Advance::Policy, Generations { stop: 0, policy: 1, catalogue: 0 }),
        (Advance::Catalogue, Generations { stop: 0, policy: 1, catalogue: 1 }),
        (Advance::Policy, Generations { stop: 0, policy: 2, catalogue: 1 }),
    ] {
        under.keep(decide::advance(which, Record::new(Kind::Catalogue, at(0), []))).await;
        assert_eq!(under.load(&Needs::default()).await.generations, want);
    }
}

async fn nothing_is_kept_if_a_stop_came_first<S: Recorded>(under: Under<S>) {
    let guarded = |call| Changes { require: vec![no_stop()], ..intent(call, 0) };
    under.keep(guarded(1)).await;
    under.keep(halt_all("ana", "look first", 0)).await;
    under.refuses(no_stop(), guarded(2)).await;
    // It was not merely answered so: the intent is not there to be settled.
    under.refuses(is_open(2), ended(2, Ending::Succeeded)).await;
    under.keep(go_on("ana", "looked")).await;
    under.keep(guarded(2)).await;
}

async fn nothing_is_kept_if_a_generation_moved<S: Recorded>(under: Under<S>) {
    let record = || Record::new(Kind::Catalogue, at(0), []);
    for mover in [
        decide::advance(Advance::Policy, record()),
        decide::advance(Advance::Catalogue, record()),
        go_on("ana", "nothing was stopped"),
    ] {
        let seen = Precondition::Generations(under.load(&Needs::default()).await.generations);
        let guarded = Changes { require: vec![seen.clone()], ..step(&key("desk", None), 1, 0, &[]) };
        under.keep(guarded.clone()).await;
        under.keep(mover).await;
        under.refuses(seen, guarded).await;
    }
}

async fn one_broken_precondition_is_enough<S: Recorded>(under: Under<S>) {
    let seen = Precondition::Generations(Generations::default());
    under.keep(intent(1, 0)).await;
    let broken = is_open(2);
    let require = vec![no_stop(), seen, is_open(1), broken.clone()];
    under.refuses(broken, Changes { require, ..question(9, 9, 0) }).await;
    assert_eq!(under.load(&asking_for_question(9)).await.question, None);
}

async fn a_question_is_found_by_what_it_is_about<S: Recorded>(under: Under<S>) {
    let raised = question(1, 1, 0).question.unwrap();
    under.keep(question(1, 1, 0)).await;
    assert_eq!(under.load(&asking_for_question(1)).await.question, Some(raised));
    assert_eq!(under.load(&asking_for_question(2)).await.question, None);
    assert_eq!(under.load(&Needs::default()).await.question, None);
}

async fn no_question_is_raised_while_one_waits<S: Recorded>(under: Under<S>) {
    under.keep(question(1, 1, 0)).await;
    for seconds in [0, 59] {
        let again = question(2, 1, seconds);
        under.refuses(again.require[0].clone(), again).await;
    }
    under.keep(question(3, 2, 0)).await;
    under.keep(question(4, 1, 60)).await;
    assert_eq!(under.load(&asking_for_question(1)).await.question.unwrap().id, id(4), "the latest counts");
}

async fn an_intent_is_open_until_its_final_outcome<S: Recorded>(under: Under<S>) {
    for (call, ending) in [(1, Ending::Succeeded), (2, Ending::Failed), (3, Ending::NotSent)] {
        under.refuses(is_open(call), ended(call, ending)).await;
        under.keep(intent(call, 0)).await;
        // Unknown is not final: a late answer still settles it.
        under.keep(ended(call, Ending::Unknown)).await;
        under.refuses(is_open(call), ended(call, ending)).await;
        under.keep(ended_from(Open::Unknown, call, ending)).await;
        let unknown = Precondition::Is(id(call), Open::Unknown);
        under.refuses(unknown, ended_from(Open::Unknown, call, ending)).await;
        under.refuses(is_open(call), ended(call, Ending::Succeeded)).await;
        under.refuses(is_open(call), ended(call, Ending::Unknown)).await;
    }
}

async fn what_was_not_sent_may_be_allowed_again<S: Recorded>(under: Under<S>) {
    under.keep(intent(1, 0)).await;
    under.keep(ended(1, Ending::NotSent)).await;
    under.keep(intent(1, 3)).await;
    under.keep(ended(1, Ending::Succeeded)).await;
    under.refuses(is_open(1), ended(1, Ending::Failed)).await;
    assert_eq!(under.records().len(), 4);
}

async fn a_session_counts_its_steps_and_keeps_its_history<S: Recorded>(under: Under<S>) {
    let desk = key("desk", None);
    let first = [
        entry("crm/read_user", Some(Level::Read), Status::Requested),
        entry("crm/read_user", Some(Level::Read), Status::Allowed),
    ];
    let second =
        [entry("crm/unlisted", None, Status::Requested), entry("crm/unlisted", None, Status::Blocked)];
    under.keep(step(&desk, 1, 0, &first)).await;
    under.keep(step(&desk, 1, 9, &second)).await;
    // A call that was judged earlier and remembered later does not turn the clock back.
    under.keep(step(&desk, 1, 4, &[])).await;
    let remembered = under.load(&asking_for_session(&desk)).await;
    let session = remembered.session.unwrap();
    assert_eq!((session.id, session.steps), (SessionId(id(1)), 3));
    assert_eq!((session.opened_at, session.last_at), (at(0), at(9)));
    assert_eq!(remembered.history, History { entries: [first, second].concat(), truncated: false });
    let unasked = under.load(&Needs { history: false, ..asking_for_session(&desk) }).await;
    assert_eq!((unasked.session, unasked.history), (Some(session), History::default()));
    assert_eq!(under.load(&Needs { history: true, ..Needs::default() }).await, Remembered::default());
}

async fn a_history_keeps_the_last_hundred_entries<S: Recorded>(under: Under<S>) {
    let desk = key("desk", None);
    let numbered = |n: u64| entry(&format!("crm/tool_{n}"), Some(Level::Read), Status::Requested);
    for n in 0..50 {
        under
            .store
            .commit::<Queued>(step(&desk, 1, n, &[numbered(2 * n), numbered(2 * n + 1)]))
            .await
            .unwrap();
    }
    let full = under.load(&asking_for_session(&desk)).await.history;
    assert_eq!((full.entries.len(), full.truncated), (limits::HISTORY_ENTRIES, false));
    under.keep(step(&desk, 1, 50, &[numbered(100), numbered(101)])).await;
    let History { entries, truncated } = under.load(&asking_for_session(&desk)).await.history;
    let want: Vec<_> = (2..102).map(numbered).collect();
    assert_eq!((entries, truncated), (want, true));
}

async fn sessions_of_one_client_are_kept_apart_by_name<S: Recorded>(under: Under<S>) {
    let keys = [key("desk", None), key("desk", Some("a")), key("desk", Some("b")), key("phone", Some("a"))];
    for (n, key) in (1..).zip(&keys) {
        under.keep(step(key, n, n, &[entry(&format!("crm/t{n}"), None, Status::Blocked)])).await;
    }
    for (n, key) in (1..).zip(&keys) {
        let remembered = under.load(&asking_for_session(key)).await;
        assert_eq!(remembered.session.map(|session| session.id), Some(SessionId(id(n))), "{key:?}");
        assert_eq!(remembered.history.entries, [entry(&format!("crm/t{n}"), None, Status::Blocked)]);
    }
}

async fn a_session_that_runs_goes_on_whatever_a_late_call_meant<S: Recorded>(under: Under<S>) {
    let (desk, idle) = (key("desk", None), limits::SESSION_IDLE.as_secs());
    let seen = entry("crm/read_user", Some(Level::Read), Status::Requested);
    // Three first calls, judged at once: each meant to begin a session.
    for meant in [1, 2, 3] {
        let mut changes = step(&desk, meant, meant, std::slice::from_ref(&seen));
        changes.intent = intent(meant, meant).intent;
        under.keep(changes).await;
    }
    let remembered = under.load(&asking_for_session(&desk)).await;
    assert_eq!(
        remembered.session.as_ref().map(|session| (session.id, session.steps)),
        Some((SessionId(id(1)), 3))
    );
    assert_eq!(remembered.history.entries.len(), 3, "no step is lost");
    let said: Vec<_> = under.records().iter().map(|record| record.get("session").cloned().unwrap()).collect();
    assert_eq!(
        said,
        vec![Json::from(SessionId(id(1)).to_string()); 3],
        "and records say the session it is in"
    );

    under.keep(step(&desk, 4, 3 + idle, &[])).await;
    let next = under.load(&asking_for_session(&desk)).await;
    assert_eq!(
        next.session.map(|session| (session.id, session.opened_at)),
        Some((SessionId(id(4)), at(3 + idle)))
    );
    assert_eq!(next.history, History::default());
    // One that was judged just before the old session lapsed comes after it.
    under.keep(step(&desk, 1, 2 + idle, &[])).await;
    assert_eq!(under.load(&asking_for_session(&desk)).await.session.unwrap().id, SessionId(id(4)));
}

async fn a_receipt_names_the_intent_that_was_kept<S: Recorded>(under: Under<S>) {
    let receipt = under.store.commit::<Durable>(intent(5, 0)).await.unwrap();
    assert!(format!("{receipt:?}").contains(&id(5).to_string()), "{receipt:?}");
    let receipt = under.store.commit::<Queued>(note(1)).await.unwrap();
    assert!(format!("{receipt:?}").contains("None"), "{receipt:?}");
}

async fn records_are_kept_in_the_order_of_their_commits<S: Recorded>(under: Under<S>) {
    for n in 0..200 {
        match n % 7 {
            0 => under.keep(note(n)).await,
            _ => drop(under.store.commit::<Queued>(note(n)).await.unwrap()),
        }
    }
    under.keep(note(200)).await;
    let numbers: Vec<_> =
        under.records().iter().map(|record| record.get("n").and_then(Json::as_i64)).collect();
    assert_eq!(numbers, (0..=200).map(Some).collect::<Vec<_>>());
}

async fn race<S: Recorded>(
    under: &Under<S>,
    changes: impl Iterator<Item = Changes>,
) -> Vec<Result<(), StoreError>> {
    let tasks: Vec<_> = changes
        .map(|changes| {
            let store = Arc::clone(&under.store);
            tokio::spawn(async move { store.commit::<Durable>(changes).await.map(drop) })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

async fn of_racing_questions_exactly_one_is_raised<S: Recorded>(under: Under<S>) {
    for digest in 0..8 {
        let results = race(&under, (0..64).map(|n| question(u64::from(digest) * 64 + n, digest, 0))).await;
        let won: Vec<_> =
            (0_u64..).zip(&results).filter(|(_, result)| result.is_ok()).map(|(n, _)| n).collect();
        assert_eq!(won.len(), 1, "{results:?}");
        assert!(
            results.iter().all(|result| matches!(result, Ok(()) | Err(StoreError::Conflict(_)))),
            "{results:?}"
        );
        let raised = under.load(&asking_for_question(digest)).await.question.unwrap();
        assert_eq!(raised.id, id(u64::from(digest) * 64 + won[0]));
        assert_eq!(under.records().len(), usize::from(digest) + 1);
    }
}

async fn of_racing_outcomes_exactly_one_is_kept<S: Recorded>(under: Under<S>) {
    under.keep(intent(1, 0)).await;
    let endings = [Ending::Succeeded, Ending::Failed, Ending::NotSent].into_iter().cycle().take(64);
    let results = race(&under, endings.map(|ending| ended(1, ending))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    assert_eq!(under.records().len(), 2);
}

async fn of_racing_calls_none_is_lost<S: Recorded>(under: Under<S>) {
    let desk = key("desk", None);
    let results = race(&under, (0..64).map(|n| step(&desk, n, 0, &[]))).await;
    assert_eq!(results, vec![Ok(()); 64]);
    assert_eq!(under.load(&asking_for_session(&desk)).await.session.unwrap().steps, 64);
    let sessions: std::collections::BTreeSet<_> =
        under.records().iter().map(|record| record.get("session").unwrap().compact()).collect();
    assert_eq!((under.records().len(), sessions.len()), (64, 1), "{sessions:?}");
}
