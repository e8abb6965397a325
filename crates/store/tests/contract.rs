//! What every store keeps to, run on each of them: preconditions, one order, all of a commit or nothing of it.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on should say so and end"
)]

mod changes;

use std::{fmt, path::Path, sync::Arc};

use changes::{
    account, account_of, asking_for, asking_for_key, asking_for_question, asking_for_session, at, balance,
    claiming, coordinates, ended, ended_from, entry, further, go_on, halt, halt_all, heard, holding,
    holding_in, id, intent, key, no_stop, note, once_key, question, question_after, settled, step,
};
use placet_engine::{
    approval::{Approval, State},
    budget::{Account, Balance},
    call::Digest,
    cost::Amount,
    decide,
    json::{Json, Limits, parse},
    level::Level,
    limits,
    once::{ClaimKind, Kept, Progress},
    permit::{Durable, Queued},
    policy::config::terms::Measure,
    record::{Kind, Record},
    session::{Heard, History, SessionId, SessionKey, Status},
    state::{Advance, Changes, Ending, Intent, Needs, Open, Precondition, Remembered, Tally},
    stop::{Coordinates, Generations, Leaves},
    time::{Now, Timestamp},
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
    no_question_is_raised_by_whoever_has_not_seen_the_last
    of_two_answers_at_once_one_is_told
    a_yes_is_used_up_once_and_comes_back_if_nothing_was_sent
    the_questions_of_a_client_that_wait_are_counted
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
    what_a_call_holds_counts_until_it_is_settled
    of_racing_calls_exactly_as_many_hold_as_the_cap_has_room_for
    an_unknown_call_keeps_its_charge_until_somebody_knows
    an_overrun_closes_an_account_until_a_person_opens_it
    a_rolling_window_forgets_part_by_part
    errors_in_a_row_end_with_a_success
    a_session_that_was_begun_by_another_call_pays_for_both
    what_fits_is_judged_by_what_came_before_in_the_same_group
    a_call_holds_of_all_its_accounts_or_of_none
    a_key_is_claimed_once_and_then_hands_out_its_result
    of_racing_claims_exactly_one_wins
    a_failure_frees_a_key_unless_its_caller_could_choose_another
    an_unknown_call_blocks_its_key_until_it_is_resolved
    a_key_is_claimed_anew_once_it_has_lapsed
    keys_that_are_put_away_are_found_and_never_claimed_twice
    a_stop_covers_what_its_scope_names_and_leaves_what_it_leaves
    a_stop_that_leaves_more_does_not_loosen_one_that_leaves_less
    what_is_tallied_counts_until_it_begins_anew
    the_same_call_waits_for_the_one_that_is_under_way
    a_session_passes_on_what_it_has_seen_if_the_next_begins_soon
    a_session_is_not_forgotten_for_others_as_long_as_it_passes_something_on
    a_session_that_a_person_ends_leaves_nothing_behind
    a_session_counts_the_same_answer_in_a_row
    an_open_intent_is_found_with_what_it_holds
    a_record_that_is_too_large_is_refused_and_nothing_else
    nothing_needs_mending_in_a_store_that_works
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

async fn no_question_is_raised_by_whoever_has_not_seen_the_last<S: Recorded>(under: Under<S>) {
    under.keep(question(1, 1, 0)).await;
    for seconds in [0, 60] {
        let again = question(2, 1, seconds);
        under.refuses(again.require[0].clone(), again).await;
    }
    under.keep(question(3, 2, 0)).await;
    let first = question(1, 1, 0).question.unwrap();
    under.keep(question_after(Some(&first), 4, 1, 60)).await;
    let called = |n| Needs { approval: Some(id(n)), ..Needs::default() };
    assert_eq!(under.load(&asking_for_question(1)).await.question.unwrap().id, id(4), "the latest counts");
    assert_eq!(under.load(&called(4)).await.question.unwrap().id, id(4));
    assert_eq!(under.load(&called(1)).await.question, None, "one that was overtaken has no name any more");
}

async fn of_two_answers_at_once_one_is_told<S: Recorded>(under: Under<S>) {
    let asked = question(1, 1, 0).question.unwrap();
    under.keep(question(1, 1, 0)).await;
    let no = State::Denied { by: "ana".parse().unwrap(), note: "not today".into() };
    let denied =
        Changes { question: Some(Approval { state: no, ..asked.clone() }), ..further(&asked, 1).unwrap() };
    for round in 0..32 {
        let yes = further(&asked, 1).unwrap();
        let results = race(&under, [yes, denied.clone()].into_iter()).await;
        let taken = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(taken, usize::from(round == 0), "{results:?}");
    }
}

async fn a_yes_is_used_up_once_and_comes_back_if_nothing_was_sent<S: Recorded>(under: Under<S>) {
    let mut asked = question(1, 1, 0).question.unwrap();
    under.keep(question(1, 1, 0)).await;
    for seconds in [1, 2] {
        let next = further(&asked, seconds).unwrap();
        asked = next.question.clone().unwrap();
        under.keep(next).await;
    }
    // Sixty-four calls want to go by it; the yes is for one.
    let by = |call: u64| {
        let mut changes = intent(call, 3);
        changes.require = vec![Precondition::Question(asked.digest, Some(asked.seen()))];
        changes.question = asked.used(id(call));
        if let Some(intent) = &mut changes.intent {
            intent.approval = Some(asked.id);
        }
        changes
    };
    let results = race(&under, (10..74).map(by)).await;
    let went: Vec<_> =
        (10_u64..).zip(&results).filter(|(_, result)| result.is_ok()).map(|(call, _)| call).collect();
    assert_eq!(went.len(), 1, "{results:?}");
    let mut unsent = ended(went[0], Ending::NotSent);
    unsent.settled.as_mut().unwrap().returned = Some(asked.id);
    under.keep(unsent.clone()).await;
    assert_eq!(under.load(&asking_for_question(1)).await.question.as_ref(), Some(&asked), "it came back");
    under.keep(by(80)).await;
    // What another call had used does not come back by this one's word.
    let used = under.load(&asking_for_question(1)).await.question;
    let mut foreign = intent(81, 4);
    foreign.intent.as_mut().unwrap().approval = Some(asked.id);
    under.keep(foreign).await;
    let mut unsent = ended(81, Ending::NotSent);
    unsent.settled.as_mut().unwrap().returned = Some(asked.id);
    under.keep(unsent).await;
    assert_eq!(under.load(&asking_for_question(1)).await.question, used);
}

async fn the_questions_of_a_client_that_wait_are_counted<S: Recorded>(under: Under<S>) {
    let waiting = |seconds| Needs { session: Some(key("desk", None)), now: at(seconds), ..Needs::default() };
    for n in 1..=3 {
        under.keep(question(u64::from(n), n, u64::from(n))).await;
    }
    assert_eq!(under.load(&waiting(3)).await.waiting, 3);
    assert_eq!(under.load(&waiting(61)).await.waiting, 2, "the first has lapsed");
    let second = question(2, 2, 2).question.unwrap();
    let denied =
        Approval { state: State::Denied { by: "ana".parse().unwrap(), note: "".into() }, ..second.clone() };
    under.keep(Changes { question: Some(denied), ..further(&second, 5).unwrap() }).await;
    assert_eq!(under.load(&waiting(5)).await.waiting, 2);
    let other = Needs { session: Some(key("else", None)), now: at(5), ..Needs::default() };
    assert_eq!(under.load(&other).await.waiting, 0);
    let all = under.load(&Needs { questions: true, now: at(5), ..Needs::default() }).await.questions;
    assert_eq!(all.iter().map(|question| question.id).collect::<Vec<_>>(), [id(1), id(2), id(3)]);
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

async fn balance_of<S: Recorded>(under: &Under<S>, account: &Account) -> Balance {
    under.load(&asking_for(account, 0)).await.balances[0]
}

/// Commits what must fit, or must not.
async fn fits<S: Recorded>(under: &Under<S>, changes: Changes) -> Option<Intent> {
    let intent = changes.intent.clone();
    match under.store.commit::<Durable>(changes).await {
        Ok(_) => intent,
        Err(StoreError::Conflict(Precondition::Fits { .. })) => None,
        Err(other) => panic!("{other}"),
    }
}

async fn what_a_call_holds_counts_until_it_is_settled<S: Recorded>(under: Under<S>) {
    let calls = account("calls");
    assert_eq!(balance_of(&under, &calls).await, Balance::default());
    for (n, ending, actual, want) in [
        (1, Ending::Succeeded, Some(3), balance(3, 0)),
        (2, Ending::NotSent, None, balance(3, 0)),
        (3, Ending::Failed, Some(0), balance(3, 0)),
        (4, Ending::Succeeded, None, balance(8, 0)),
    ] {
        let before = balance_of(&under, &calls).await;
        let intent = fits(&under, holding(n, &calls, 5, 10)).await.unwrap();
        let held = Balance { held: Amount::whole(5), ..before };
        assert_eq!(balance_of(&under, &calls).await, held);
        under.keep(settled(&intent, Open::Running, ending, actual.map(Amount::whole))).await;
        assert_eq!(balance_of(&under, &calls).await, want, "{ending:?}");
    }
    assert_eq!(fits(&under, holding(5, &calls, 3, 10)).await, None);
    assert!(fits(&under, holding(6, &calls, 2, 10)).await.is_some(), "what just fits, fits");
    assert_eq!(balance_of(&under, &account("other calls")).await, Balance::default());
}

async fn of_racing_calls_exactly_as_many_hold_as_the_cap_has_room_for<S: Recorded>(under: Under<S>) {
    let calls = account("calls");
    let results = race(&under, (0..64).map(|n| holding(n, &calls, 1, 10))).await;
    let won: Vec<_> = (0..64).filter(|n| results[usize::try_from(*n).unwrap()].is_ok()).collect();
    assert_eq!(won.len(), 10, "{results:?}");
    assert_eq!(balance_of(&under, &calls).await, balance(0, 10));
    // Whatever they come to, in whatever order, there is no room for more than comes back.
    let endings = [Ending::Succeeded, Ending::NotSent, Ending::Unknown].into_iter().cycle();
    for (n, ending) in won.into_iter().zip(endings) {
        let intent = holding(n, &calls, 1, 10).intent.unwrap();
        under.keep(settled(&intent, Open::Running, ending, None)).await;
    }
    assert_eq!(balance_of(&under, &calls).await, balance(7, 0));
    let results = race(&under, (100..164).map(|n| holding(n, &calls, 1, 10))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3);
    assert_eq!(balance_of(&under, &calls).await, balance(7, 3));
}

async fn an_unknown_call_keeps_its_charge_until_somebody_knows<S: Recorded>(under: Under<S>) {
    let calls = account("calls");
    for (n, happened, want) in [(1, false, balance(0, 0)), (2, true, balance(4, 0))] {
        let intent = fits(&under, holding(n, &calls, 4, 10)).await.unwrap();
        under.keep(settled(&intent, Open::Running, Ending::Unknown, None)).await;
        assert_eq!(balance_of(&under, &calls).await, balance(4, 0), "it may have been spent");
        let ending = if happened { Ending::Succeeded } else { Ending::Failed };
        let resolved = settled(&intent, Open::Unknown, ending, None);
        under.keep(resolved.clone()).await;
        assert_eq!(balance_of(&under, &calls).await, want);
        under.refuses(resolved.require[0].clone(), resolved).await;
    }
}

async fn an_overrun_closes_an_account_until_a_person_opens_it<S: Recorded>(under: Under<S>) {
    let calls = account("calls");
    let intent = fits(&under, holding(1, &calls, 2, 100)).await.unwrap();
    under.keep(settled(&intent, Open::Running, Ending::Succeeded, Some(Amount::whole(3)))).await;
    let closed = Balance { closed: true, ..balance(3, 0) };
    assert_eq!(balance_of(&under, &calls).await, closed, "booked in full");
    assert_eq!(fits(&under, holding(2, &calls, 0, 100)).await, None, "not even what costs nothing");
    assert!(fits(&under, holding(3, &account("other calls"), 1, 100)).await.is_some());
    under.keep(decide::accept_overrun(calls.clone(), "ana", "the price went up", Now::default())).await;
    assert_eq!(balance_of(&under, &calls).await, balance(3, 0));
    assert!(fits(&under, holding(4, &calls, 97, 100)).await.is_some());
}

async fn a_rolling_window_forgets_part_by_part<S: Recorded>(under: Under<S>) {
    let calls = account("calls");
    for part in [10, 20, 30] {
        let intent = fits(&under, holding_in(part, &calls, (part, 0), 3, 10)).await.unwrap();
        under.keep(settled(&intent, Open::Running, Ending::Succeeded, None)).await;
    }
    for (counts_from, want) in [(0, 9), (10, 9), (11, 6), (20, 6), (30, 3), (31, 0)] {
        let balances = under.load(&asking_for(&calls, counts_from)).await.balances;
        assert_eq!(balances, [balance(want, 0)], "from {counts_from}");
    }
    assert_eq!(fits(&under, holding_in(40, &calls, (40, 10), 2, 10)).await, None);
    let held = fits(&under, holding_in(41, &calls, (40, 11), 2, 10)).await.unwrap();
    // What is held counts, however old.
    assert_eq!(under.load(&asking_for(&calls, 100)).await.balances, [balance(0, 2)]);
    under.keep(settled(&held, Open::Running, Ending::Unknown, None)).await;
    under.keep(settled(&held, Open::Unknown, Ending::Failed, None)).await;
    assert_eq!(balance_of(&under, &calls).await, balance(9, 0), "it is refunded where it was booked");
}

async fn errors_in_a_row_end_with_a_success<S: Recorded>(under: Under<S>) {
    let errors = account("errors");
    let failing = |n| {
        let mut changes = holding(n, &errors, 0, 3);
        changes.intent.as_mut().unwrap().holds[0].measure = Measure::Errors;
        changes
    };
    for (n, ending, want) in [
        (1, Ending::Failed, 1),
        (2, Ending::Unknown, 2),
        (3, Ending::NotSent, 2),
        (4, Ending::Succeeded, 0),
        (5, Ending::Failed, 1),
    ] {
        let intent = fits(&under, failing(n)).await.unwrap();
        under.keep(settled(&intent, Open::Running, ending, None)).await;
        assert_eq!(balance_of(&under, &errors).await, balance(want, 0), "{n}: {ending:?}");
    }
}

async fn a_session_that_was_begun_by_another_call_pays_for_both<S: Recorded>(under: Under<S>) {
    let desk = key("desk", None);
    let in_session = |meant: u64| {
        let mut changes = step(&desk, meant, 0, &[]);
        let holding = holding(meant, &account_of("a session's", meant), 4, 10);
        (changes.require, changes.intent) = (holding.require, holding.intent);
        changes.intent.as_mut().unwrap().session = SessionId(id(meant));
        changes
    };
    for meant in [1, 2] {
        assert!(fits(&under, in_session(meant)).await.is_some());
    }
    assert_eq!(fits(&under, in_session(3)).await, None, "the third meant an account of its own");
    assert_eq!(balance_of(&under, &account_of("a session's", 1)).await, balance(0, 8));
    assert_eq!(balance_of(&under, &account_of("a session's", 2)).await, Balance::default());
    // Whoever asks does not know which session runs: that one's account is meant.
    let mut needs = Needs { now: at(1), ..asking_for_session(&desk) };
    needs.accounts = asking_for(&account_of("a session's", 9), 0).accounts;
    needs.accounts[0].account.session = None;
    assert_eq!(under.load(&needs).await.balances, [balance(0, 8)]);
    let lapsed = at(limits::SESSION_IDLE.as_secs());
    assert_eq!(under.load(&Needs { now: lapsed, ..needs }).await.balances, [Balance::default()]);
    // The receipt says where the hold is, and what it took comes off there.
    let mut moved = in_session(2).intent.unwrap();
    let other = under.store.commit::<Durable>(intent(9, 0)).await.unwrap();
    other.place(&mut moved);
    assert_eq!(moved.session, SessionId(id(2)), "another call's receipt moves nothing");
    under.keep(settled(&in_session(1).intent.unwrap(), Open::Running, Ending::NotSent, None)).await;
    let receipt = under.store.commit::<Durable>(in_session(4)).await.unwrap();
    let mut placed = in_session(4).intent.unwrap();
    receipt.place(&mut placed);
    assert_eq!((placed.session, placed.holds[0].account.session), (SessionId(id(1)), Some(SessionId(id(1)))));
    under.keep(settled(&placed, Open::Running, Ending::NotSent, None)).await;
    assert_eq!(balance_of(&under, &account_of("a session's", 1)).await, balance(0, 4));
}

async fn what_fits_is_judged_by_what_came_before_in_the_same_group<S: Recorded>(under: Under<S>) {
    let calls = account("calls");
    // Queued, so that nothing is flushed between them.
    for (n, room) in [(1, true), (2, true), (3, false), (4, false)] {
        let queued = under.store.commit::<Queued>(holding(n, &calls, 5, 10)).await;
        assert_eq!(queued.is_ok(), room, "{n}");
    }
    let intent = holding(1, &calls, 5, 10).intent.unwrap();
    let queued = under.store.commit::<Queued>(settled(&intent, Open::Running, Ending::NotSent, None)).await;
    queued.map(drop).unwrap();
    assert!(under.store.commit::<Queued>(holding(5, &calls, 5, 10)).await.is_ok());
    under.keep(note(1)).await;
    assert_eq!(balance_of(&under, &calls).await, balance(0, 10));
}

async fn a_call_holds_of_all_its_accounts_or_of_none<S: Recorded>(under: Under<S>) {
    let (small, large) = (account("small"), account("large"));
    let both = |n| {
        let (mut changes, other) = (holding(n, &large, 3, 100), holding(n, &small, 3, 5));
        changes.require.extend(other.require);
        changes.intent.as_mut().unwrap().holds.extend(other.intent.unwrap().holds);
        changes
    };
    assert!(fits(&under, both(1)).await.is_some());
    let refused = both(2);
    under.refuses(refused.require[1].clone(), refused).await;
    let needs = Needs {
        accounts: [&large, &small].map(|account| asking_for(account, 0).accounts[0].clone()).to_vec(),
        ..Needs::default()
    };
    assert_eq!(under.load(&needs).await.balances, [balance(0, 3), balance(0, 3)], "in the order asked for");
}

fn key_free(n: u64, put_away: u64) -> Precondition {
    Precondition::KeyFree { key: once_key(n), now: at(0), put_away }
}

async fn claimed<S: Recorded>(under: &Under<S>, n: u64) -> Option<Progress> {
    under.load(&asking_for_key(once_key(n))).await.key.map(|claimed| claimed.progress)
}

async fn a_key_is_claimed_once_and_then_hands_out_its_result<S: Recorded>(under: Under<S>) {
    for (n, kind) in (1..).zip(ClaimKind::ALL) {
        assert_eq!(claimed(&under, n).await, None);
        let changes = claiming(n, once_key(n), kind, 60, 0);
        under.keep(changes.clone()).await;
        let found = under.load(&asking_for_key(once_key(n))).await.key.unwrap();
        assert_eq!((found.call, found.progress), (id(n), Progress::Running));
        assert_eq!((found.agent.as_str(), found.client.as_str()), ("ops", "desk"));
        assert_eq!(Some(&found.claim), changes.intent.as_ref().unwrap().claim.as_ref());
        under.refuses(key_free(n, 0), claiming(50 + n, once_key(n), kind, 60, 0)).await;
        under.keep(settled(&changes.intent.unwrap(), Open::Running, Ending::Succeeded, None)).await;
        let text = format!("result of {}", id(n));
        assert_eq!(claimed(&under, n).await, Some(Progress::Done(Kept::Text(text.into()))));
        under.refuses(key_free(n, 0), claiming(60 + n, once_key(n), kind, 60, 0)).await;
    }
}

async fn of_racing_claims_exactly_one_wins<S: Recorded>(under: Under<S>) {
    for n in 0..8 {
        let results =
            race(&under, (0..64).map(|call| claiming(n * 64 + call, once_key(n), ClaimKind::By, 60, 0)))
                .await;
        let won: Vec<_> = (0..64).filter(|call| results[usize::try_from(*call).unwrap()].is_ok()).collect();
        assert_eq!(won.len(), 1, "{results:?}");
        let found = under.load(&asking_for_key(once_key(n))).await.key.unwrap();
        assert_eq!(found.call, id(n * 64 + won[0]));
    }
}

async fn a_failure_frees_a_key_unless_its_caller_could_choose_another<S: Recorded>(under: Under<S>) {
    for (n, kind, ending, free) in [
        (1, ClaimKind::Sent, Ending::NotSent, true),
        (2, ClaimKind::Derived, Ending::NotSent, true),
        (3, ClaimKind::By, Ending::NotSent, true),
        (4, ClaimKind::Sent, Ending::Failed, false),
        (5, ClaimKind::Derived, Ending::Failed, true),
        (6, ClaimKind::By, Ending::Failed, true),
    ] {
        let changes = claiming(n, once_key(n), kind, 60, 0);
        under.keep(changes.clone()).await;
        under.keep(settled(&changes.intent.unwrap(), Open::Running, ending, None)).await;
        assert_eq!(claimed(&under, n).await.is_none(), free, "{kind:?} {ending:?}");
        let again = under.store.commit::<Durable>(claiming(100 + n, once_key(n), kind, 60, 0)).await;
        assert_eq!(again.is_ok(), free, "{kind:?} {ending:?}");
    }
}

async fn an_unknown_call_blocks_its_key_until_it_is_resolved<S: Recorded>(under: Under<S>) {
    for (n, ending) in [(1, Ending::Succeeded), (2, Ending::Failed)] {
        let changes = claiming(n, once_key(n), ClaimKind::Sent, 60, 0);
        under.keep(changes.clone()).await;
        let intent = changes.intent.unwrap();
        under.keep(settled(&intent, Open::Running, Ending::Unknown, None)).await;
        assert_eq!(claimed(&under, n).await, Some(Progress::Unknown));
        // However long ago that was.
        let mut late = claiming(100 + n, once_key(n), ClaimKind::Sent, 60, 0);
        let then = Precondition::KeyFree { key: once_key(n), now: at(1_000_000), put_away: 0 };
        late.require = vec![then.clone()];
        under.refuses(then, late).await;
        under.keep(settled(&intent, Open::Unknown, ending, None)).await;
        let found = claimed(&under, n).await;
        assert_eq!(found.is_none(), ending == Ending::Failed, "what did not happen may be tried: {found:?}");
    }
}

async fn a_key_is_claimed_anew_once_it_has_lapsed<S: Recorded>(under: Under<S>) {
    let first = claiming(1, once_key(1), ClaimKind::By, 60, 0);
    under.keep(first.clone()).await;
    under.keep(settled(&first.intent.unwrap(), Open::Running, Ending::Succeeded, None)).await;
    for (call, seconds, free) in [(2, 59, false), (3, 60, true)] {
        let mut again = claiming(call, once_key(1), ClaimKind::By, 120, 0);
        again.require = vec![Precondition::KeyFree { key: once_key(1), now: at(seconds), put_away: 0 }];
        assert_eq!(under.store.commit::<Durable>(again).await.is_ok(), free, "after {seconds} s");
    }
    let found = under.load(&asking_for_key(once_key(1))).await.key.unwrap();
    assert_eq!((found.call, found.progress), (id(3), Progress::Running));
}

async fn keys_that_are_put_away_are_found_and_never_claimed_twice<S: Recorded>(under: Under<S>) {
    // Somebody looks for a key that nobody has claimed, and is slow.
    let slow = under.load(&asking_for_key(once_key(7))).await;
    assert_eq!(slow.key, None);
    for n in 0..5_000 {
        let changes = claiming(n, once_key(n), ClaimKind::Sent, 60, 0);
        let intent = changes.intent.clone().unwrap();
        let now = under.load(&asking_for_key(once_key(n))).await.keys_put_away;
        let changes = Changes { require: vec![key_free(n, now)], ..changes };
        under.store.commit::<Queued>(changes).await.unwrap();
        let done = settled(&intent, Open::Running, Ending::Succeeded, None);
        match n % 512 {
            511 => under.keep(done).await,
            _ => drop(under.store.commit::<Queued>(done).await.unwrap()),
        }
    }
    // It was claimed, done, and perhaps put away, since that look was taken.
    let claim = |call, looked| Changes {
        require: vec![key_free(7, looked)],
        ..claiming(call, once_key(7), ClaimKind::Sent, 60, 0)
    };
    let late = under.store.commit::<Durable>(claim(9_001, slow.keys_put_away)).await.map(drop);
    assert_eq!(late, Err(StoreError::Conflict(key_free(7, slow.keys_put_away))));
    let again = under.load(&asking_for_key(once_key(7))).await;
    let found = again.key.unwrap();
    assert_eq!(found.call, id(7));
    assert_eq!(found.progress, Progress::Done(Kept::Text(format!("result of {}", id(7)).into())));
    // One that nobody ever claimed is free, also to whoever looks now.
    let fresh = under.load(&asking_for_key(once_key(8_000))).await;
    under
        .keep(Changes {
            require: vec![key_free(8_000, fresh.keys_put_away)],
            ..claiming(9_002, once_key(8_000), ClaimKind::Sent, 60, 0)
        })
        .await;
}

async fn a_stop_covers_what_its_scope_names_and_leaves_what_it_leaves<S: Recorded>(under: Under<S>) {
    let session = SessionId(id(7)).to_string();
    let desk = key("desk", None);
    under.keep(step(&desk, 7, 0, &[])).await;
    for (scope, covers) in [
        ("everything".to_owned(), true),
        ("team:night".to_owned(), true),
        ("team:day".to_owned(), false),
        ("agent:ops".to_owned(), true),
        ("agent:clerk".to_owned(), false),
        ("client:desk".to_owned(), true),
        ("client:phone".to_owned(), false),
        (format!("session:{session}"), true),
        (format!("session:{}", SessionId(id(8))), false),
        ("server:crm".to_owned(), true),
        ("server:shop".to_owned(), false),
        ("tool:crm/update_*".to_owned(), true),
        ("tool:crm/read_*".to_owned(), false),
        ("label:egress".to_owned(), true),
        ("label:pii".to_owned(), false),
    ] {
        for leaves in [Leaves::Nothing, Leaves::Reads] {
            under.keep(halt(&scope, leaves, "ana", "look first", 0)).await;
            for (action, level) in
                [("crm/update_user", Some(Level::Write)), ("crm/update_user", Some(Level::Read))]
            {
                let want = covers && (leaves == Leaves::Nothing || level != Some(Level::Read));
                let about = coordinates(action, level);
                let asked = Coordinates { session: None, ..about.clone() };
                let needs = Needs { now: at(1), about: Some(asked), ..asking_for_session(&desk) };
                let found = under.load(&needs).await;
                assert_eq!(found.stop.is_some(), want, "{scope} {leaves:?} {level:?}");
                assert_eq!(found.narrowed, scope == "agent:ops" && leaves == Leaves::Reads);
                let guarded = Changes { require: vec![Precondition::NoStop(about)], ..note(1) };
                assert_eq!(under.store.commit::<Durable>(guarded).await.is_err(), want, "{scope} {leaves:?}");
            }
            let scope = scope.parse().unwrap();
            under.keep(decide::resume(scope, "ana", "looked", Now::default())).await;
        }
    }
    // They stand side by side, and one ends alone.
    for scope in ["agent:clerk", "label:pii"] {
        under.keep(halt(scope, Leaves::Nothing, "ana", "look first", 0)).await;
    }
    under.keep(decide::resume("label:pii".parse().unwrap(), "ana", "looked", Now::default())).await;
    let stops = under.load(&Needs { stops: true, ..Needs::default() }).await.stops;
    assert_eq!(stops.iter().map(|stop| stop.scope.to_string()).collect::<Vec<_>>(), ["agent:clerk"]);
}

async fn a_stop_that_leaves_more_does_not_loosen_one_that_leaves_less<S: Recorded>(under: Under<S>) {
    let all = Needs { stops: true, ..Needs::default() };
    under.keep(halt("agent:ops", Leaves::Reads, "placet", "a trip went off", 1)).await;
    under.keep(halt("agent:ops", Leaves::Nothing, "ana", "look first", 2)).await;
    // A trip that was judged before that stop, and is kept after it.
    under.keep(halt("agent:ops", Leaves::Reads, "placet", "a trip went off", 3)).await;
    let stops = under.load(&all).await.stops;
    assert_eq!(stops.len(), 1);
    assert_eq!((stops[0].leaves, stops[0].by.as_str()), (Leaves::Nothing, "ana"));
    // Another scope's stop is another stop.
    under.keep(halt("agent:clerk", Leaves::Reads, "placet", "a trip went off", 4)).await;
    assert_eq!(under.load(&all).await.stops.len(), 2);
}

async fn what_is_tallied_counts_until_it_begins_anew<S: Recorded>(under: Under<S>) {
    let denials = account("trip denials");
    let tally = |part: u64, add: Option<Amount>| {
        let part = Timestamp(part * 1_000_000);
        Changes { tallies: vec![Tally { account: denials.clone(), part, add }], ..note(0) }
    };
    for (part, want) in [(1, 1), (1, 2), (2, 3)] {
        under.keep(tally(part, Some(Amount::ONE))).await;
        assert_eq!(balance_of(&under, &denials).await, balance(want, 0));
    }
    assert_eq!(under.load(&asking_for(&denials, 2)).await.balances, [balance(1, 0)]);
    under.keep(tally(2, None)).await;
    assert_eq!(balance_of(&under, &denials).await, Balance::default());
}

async fn the_same_call_waits_for_the_one_that_is_under_way<S: Recorded>(under: Under<S>) {
    let joined = |call: u64| {
        let mut changes = intent(call, 0);
        let intent = changes.intent.as_mut().unwrap();
        (intent.joined, intent.digest) = (true, Digest([5; 32]));
        changes.require = vec![Precondition::NotRunning(intent.digest)];
        changes
    };
    let running = Needs { running: Some(Digest([5; 32])), ..Needs::default() };
    let results = race(&under, (1..=64).map(joined)).await;
    let won: Vec<_> = (1..=64).filter(|n| results[usize::try_from(n - 1).unwrap()].is_ok()).collect();
    assert_eq!(won.len(), 1, "{results:?}");
    assert_eq!(under.load(&running).await.running, Some(id(won[0])));
    // One that is given up is waited for no longer.
    under.keep(ended(won[0], Ending::Unknown)).await;
    assert_eq!(under.load(&running).await.running, None);
    under.keep(joined(100)).await;
    under.keep(ended_from(Open::Unknown, won[0], Ending::Succeeded)).await;
    assert_eq!(under.load(&running).await.running, Some(id(100)), "the late word is not about this one");
    under.keep(ended(100, Ending::Succeeded)).await;
    assert_eq!(under.load(&running).await.running, None);
}

async fn labels_of<S: Recorded>(under: &Under<S>, key: &SessionKey) -> Vec<String> {
    let session = under.load(&asking_for_session(key)).await.session;
    session.into_iter().flat_map(|session| session.labels).map(|label| label.to_string()).collect()
}

fn labelled(key: &SessionKey, session: u64, seconds: u64, labels: &[&str]) -> Changes {
    let mut changes = step(key, session, seconds, &[]);
    changes.step.as_mut().unwrap().labels = labels.iter().map(|label| label.parse().unwrap()).collect();
    changes
}

async fn a_session_passes_on_what_it_has_seen_if_the_next_begins_soon<S: Recorded>(under: Under<S>) {
    let (desk, idle) = (key("desk", None), limits::SESSION_IDLE.as_secs());
    under.keep(labelled(&desk, 1, 0, &["pii"])).await;
    under.keep(labelled(&desk, 1, 10, &["egress", "pii"])).await;
    assert_eq!(labels_of(&under, &desk).await, ["egress", "pii"], "they only grow");
    under.keep(labelled(&desk, 2, 10 + idle, &[])).await;
    assert_eq!(labels_of(&under, &desk).await, ["egress", "pii"]);
    assert_eq!(under.load(&asking_for_session(&desk)).await.session.unwrap().id, SessionId(id(2)));
    // It ended when it fell silent, and so long ago that the next begins with nothing.
    under.keep(labelled(&desk, 3, 10 + 3 * idle, &["pii"])).await;
    assert_eq!(labels_of(&under, &desk).await, ["pii"]);
    under.keep(labelled(&desk, 4, 10 + 5 * idle - 1, &[])).await;
    assert_eq!(labels_of(&under, &desk).await, ["pii"], "one second sooner it does not");
}

async fn a_session_is_not_forgotten_for_others_as_long_as_it_passes_something_on<S: Recorded>(
    under: Under<S>,
) {
    let (first, idle) = (key("desk", Some("first")), limits::SESSION_IDLE.as_secs());
    under.keep(labelled(&first, 1, 0, &["pii"])).await;
    // A host that names each of its runs begins more of them than are kept for nothing.
    for n in 2..4_300 {
        let run = key("desk", Some(&format!("run {n}")));
        let queued = under.store.commit::<Queued>(labelled(&run, n, idle + 10, &[])).await;
        match queued {
            Ok(_) => {}
            Err(StoreError::Busy) => under.keep(labelled(&run, n, idle + 10, &[])).await,
            Err(other) => panic!("{other}"),
        }
        if n % 256 == 0 {
            under.keep(Changes::default()).await;
        }
    }
    under.keep(labelled(&first, 5_000, idle + 20, &[])).await;
    let next = under.load(&asking_for_session(&first)).await.session.unwrap();
    assert_eq!(next.id, SessionId(id(5_000)));
    assert_eq!(labels_of(&under, &first).await, ["pii"]);
}

async fn a_session_that_a_person_ends_leaves_nothing_behind<S: Recorded>(under: Under<S>) {
    let (desk, run) = (key("desk", None), key("desk", Some("run")));
    for key in [&desk, &run] {
        under.keep(labelled(key, 1, 0, &["pii"])).await;
    }
    under.keep(heard(1)).await;
    under.keep(decide::end_session(desk.clone(), "ana", Now::default())).await;
    let left = under.load(&asking_for_session(&desk)).await;
    assert_eq!((left.session, left.history), (None, History::default()));
    assert_eq!(labels_of(&under, &run).await, ["pii"], "another run's is another's");
    under.keep(labelled(&desk, 2, 2, &[])).await;
    let session = under.load(&asking_for_session(&desk)).await.session.unwrap();
    assert_eq!((session.id, session.steps, session.echo), (SessionId(id(2)), 1, None));
    assert!(session.labels.is_empty());
}

async fn a_session_counts_the_same_answer_in_a_row<S: Recorded>(under: Under<S>) {
    let desk = key("desk", None);
    let pause = placet_engine::session::ECHO_LIFE.as_secs();
    under.keep(step(&desk, 1, 0, &[])).await;
    let echoes = async |seconds: u64| {
        let session = under.load(&asking_for_session(&desk)).await.session.unwrap();
        session.echoes(Digest([1; 32]), at(seconds))
    };
    for n in 1..=3 {
        under.keep(heard(u64::from(n))).await;
        assert_eq!(echoes(4).await, n);
    }
    let mut failed = heard(4);
    failed.settled.as_mut().unwrap().heard.as_mut().unwrap().1.failed = true;
    under.keep(failed).await;
    assert_eq!(echoes(4).await, 5, "a failure counts twice");
    assert_eq!((echoes(3 + pause).await, echoes(4 + pause).await), (5, 0), "who waits is not in a loop");
    under.keep(heard(4 + pause)).await;
    assert_eq!(echoes(4 + pause).await, 1);
    for change in
        [|heard: &mut Heard| heard.call = Digest([8; 32]), |heard: &mut Heard| heard.result = Digest([8; 32])]
    {
        under.keep(heard(5 + pause)).await;
        let mut other = heard(6 + pause);
        change(&mut other.settled.as_mut().unwrap().heard.as_mut().unwrap().1);
        under.keep(other).await;
        assert!(echoes(6 + pause).await <= 1, "something else in between ends a row");
    }
}

async fn an_open_intent_is_found_with_what_it_holds<S: Recorded>(under: Under<S>) {
    let mut changes = holding(1, &account("calls"), 2, 10);
    changes.intent.as_mut().unwrap().claim =
        claiming(1, once_key(1), ClaimKind::By, 60, 0).intent.unwrap().claim;
    changes.intent.as_mut().unwrap().run = Some("run é".into());
    let intent = changes.intent.clone().unwrap();
    under.store.commit::<Queued>(changes).await.unwrap();
    assert_eq!(under.store.open_intent(id(1)).await, Ok(Some(intent.clone())));
    under.keep(settled(&intent, Open::Running, Ending::Unknown, None)).await;
    assert_eq!(under.store.open_intent(id(1)).await, Ok(Some(intent.clone())), "it may still be settled");
    under.keep(settled(&intent, Open::Unknown, Ending::Succeeded, None)).await;
    assert_eq!(under.store.open_intent(id(1)).await, Ok(None));
    assert_eq!(under.store.open_intent(id(2)).await, Ok(None));
}

async fn a_record_that_is_too_large_is_refused_and_nothing_else<S: Recorded>(under: Under<S>) {
    let padded = |bytes: usize| {
        let mut changes = intent(1, 0);
        changes.records[0] = changes.records[0].clone().with("said", "");
        let left = bytes - changes.records[0].to_json().canonical().len();
        changes.records[0] = changes.records[0].clone().with("said", "x".repeat(left));
        changes
    };
    let refused = under.store.commit::<Durable>(padded(limits::RECORD_BYTES + 1)).await.map(drop);
    assert_eq!(refused, Err(StoreError::TooLarge(limits::RECORD_BYTES + 1)));
    assert_eq!(under.store.open_intent(id(1)).await, Ok(None), "nothing of it is kept");
    assert!(under.records().is_empty());
    under.keep(padded(limits::RECORD_BYTES)).await;
    assert_eq!(under.records().len(), 1);
}

async fn nothing_needs_mending_in_a_store_that_works<S: Recorded>(under: Under<S>) {
    under.keep(intent(1, 0)).await;
    assert_eq!(under.store.mend().await, Ok(Vec::new()));
    under.keep(ended(1, Ending::Succeeded)).await;
}
