//! The gate over a store that fails and tools that misbehave: whatever goes wrong, nothing runs unremembered.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on should say so and end")]

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use placet::{
    Agent, Gateway, Json, Level, Object, Tool,
    clock::{Clock, SystemClock},
    gate::{AfterStop, Answer, Gate, Leash, PauseError},
    latch::{Latch, Passage},
    upstream::{NotSent, Ran, Upstream},
};
use placet_engine::{
    call::{DigestKey, Mode, Proposal},
    decide::Outcome,
    decision::{Code, DenyReason},
    json::{Limits, parse},
    level::LevelSet,
    names::Action,
    permit::{Durability, Permit},
    policy::{Policy, Rules, Tool as Entry, config},
    record::{Kind, Record},
    state::Ending,
    stop::{Leaves, Scope},
    time::{BootInstant, Now, Timestamp},
    tool::{Definition, Offer},
};
use placet_store::Store;
use placet_testkit::faulty::{Fault, Faulty};
use serde_json::json;

/// A tool that counts how often it was reached, and does something at the door first.
struct Counting<F> {
    reached: AtomicUsize,
    before: F,
}

impl<F: Fn(&Latch) + Send + Sync> Upstream for Counting<F> {
    type Output = ();

    fn text(_: &()) -> Cow<'_, str> {
        Cow::Borrowed("null")
    }

    fn from_text(_: &str) -> Option<()> {
        Some(())
    }

    fn structured(_: &()) -> Option<Json> {
        None
    }

    async fn run<D: Durability>(&self, permit: Permit<D>, latch: &Latch, _: Leash) -> Ran<()> {
        (self.before)(latch);
        match latch.pass(permit, SystemClock.now(), |_| Some(self.reached.fetch_add(1, Ordering::SeqCst))) {
            Passage::Passed(_) => Ran::Answered {
                output: (),
                outcome: Outcome::without_result(Ending::Succeeded, "as it does"),
            },
            Passage::Lapsed(lapse) => Ran::NotSent(NotSent::Lapsed(lapse)),
            Passage::Blocked(_) => Ran::NotSent(NotSent::Unavailable("blocked".to_owned())),
        }
    }
}

fn policy(levels: impl IntoIterator<Item = Level>) -> Policy {
    let entry = |level: Level| Entry::from(level);
    let catalogue = BTreeMap::from([
        ("crm/read".parse::<Action>().unwrap(), entry(Level::Read)),
        ("crm/write".parse().unwrap(), entry(Level::Write)),
        ("crm/delete".parse().unwrap(), entry(Level::Delete)),
    ]);
    let remit = config::Agent { levels: LevelSet::of(levels), ..config::Agent::default() };
    Policy::compile(Rules { agents: [("bot".parse().unwrap(), remit)].into(), ..Rules::default() }, catalogue)
        .unwrap()
}

async fn gate<S: Store>(store: S) -> Gate<S> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Gate::new(policy(Level::ALL), store, Latch::default(), DigestKey::new(&[3; 32]), clock, &[])
        .await
        .unwrap()
}

/// A call like no other: the same one at the same time would be taken for one.
fn propose(action: &str) -> Proposal {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = i64::try_from(NUMBER.fetch_add(1, Ordering::Relaxed)).unwrap();
    Proposal {
        agent: "bot".parse().unwrap(),
        client: "test".parse().unwrap(),
        session: None,
        action: action.parse().unwrap(),
        arguments: Object::from([("number", Json::from(number))]),
        meta: Object::new(),
        mode: Mode::Live,
        key: None,
        cost: BTreeMap::new(),
    }
}

fn offer(_: &Action) -> Offer {
    let json = parse(br#"{"name":"any","inputSchema":{"type":"object"}}"#, &Limits::EDGE).unwrap();
    Offer::Accepted(Arc::new(Definition::read(&json).unwrap()))
}

fn counting<F: Fn(&Latch) + Send + Sync>(before: F) -> Counting<F> {
    Counting { reached: AtomicUsize::new(0), before }
}

#[tokio::test]
async fn a_store_that_fails_lets_nothing_through() {
    let cases: [(&[Fault], Code); 4] = [
        (&[Fault::Unavailable], Code::StoreUnavailable),
        (&[Fault::KeptButUnavailable], Code::StoreUnavailable),
        (&[Fault::Busy], Code::Busy),
        (&[Fault::Conflict, Fault::Conflict, Fault::Conflict], Code::Busy),
    ];
    for action in ["crm/read", "crm/write", "crm/delete"] {
        for (faults, code) in cases {
            let gate = gate(Faulty::with(faults.iter().copied())).await;
            let tool = counting(|_| {});
            let reply = gate.handle(propose(action), offer, &tool).await;
            let Answer::Refused(denial) = reply.answer else { panic!("{action} went through {faults:?}") };
            assert_eq!(denial.reason.code(), code, "{action} under {faults:?}");
            assert_eq!(tool.reached.load(Ordering::SeqCst), 0, "{action} reached its tool under {faults:?}");
        }
    }
}

#[tokio::test]
async fn a_conflict_is_decided_again_and_then_runs_once() {
    let gate = gate(Faulty::with([Fault::Conflict, Fault::Conflict])).await;
    let tool = counting(|_| {});
    let reply = gate.handle(propose("crm/write"), offer, &tool).await;
    assert!(matches!(reply.answer, Answer::Ran(())));
    assert_eq!(tool.reached.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_refuses_everything() {
    let gate = gate(Faulty::default()).await;
    gate.store().go_blind();
    let tool = counting(|_| {});
    for action in ["crm/read", "crm/write", "crm/none"] {
        let reply = gate.handle(propose(action), offer, &tool).await;
        let Answer::Refused(denial) = reply.answer else { panic!("{action} went through") };
        assert_eq!(denial.reason, DenyReason::StoreUnavailable);
    }
    assert_eq!(tool.reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_latch_that_closes_between_decision_and_write_sends_nothing() {
    let gate = gate(Faulty::default()).await;
    let stop = placet_engine::stop::Stop {
        leaves: Leaves::Nothing,
        scope: placet_engine::stop::Scope::Everything,
        reason: "now".to_owned(),
        by: "a test".to_owned(),
        since: gate.clock().now().wall,
    };
    let tool = counting(move |latch: &Latch| latch.close(stop.clone()));
    let reply = gate.handle(propose("crm/write"), offer, &tool).await;
    let Answer::Refused(denial) = reply.answer else { panic!("it went through a closed latch") };
    assert_eq!(denial.reason.code(), Code::Stopped);
    assert_eq!(tool.reached.load(Ordering::SeqCst), 0);
    let endings: Vec<_> =
        gate.store().memory().records().into_iter().filter(|r| r.kind == Kind::Outcome).collect();
    assert_eq!(endings.len(), 1, "the intent ended");
    assert_eq!(endings[0].body.get("outcome"), Some(&Json::from("not_sent")));
}

#[tokio::test]
async fn a_policy_that_narrows_between_decision_and_write_is_the_one_that_counts() {
    let gate = Arc::new(gate(Faulty::default()).await);
    let narrowing = Narrowing { gate: Arc::clone(&gate), reached: AtomicUsize::new(0) };
    let reply = gate.handle(propose("crm/write"), offer, &narrowing).await;
    let Answer::Refused(denial) = reply.answer else { panic!("it ran under a policy that was gone") };
    assert_eq!(denial.reason.code(), Code::NotGranted);
    assert_eq!(narrowing.reached.load(Ordering::SeqCst), 0);
}

/// A tool at whose door the policy changes.
struct Narrowing {
    gate: Arc<Gate<Faulty>>,
    reached: AtomicUsize,
}

impl Upstream for Narrowing {
    type Output = ();

    fn text(_: &()) -> Cow<'_, str> {
        Cow::Borrowed("null")
    }

    fn from_text(_: &str) -> Option<()> {
        Some(())
    }

    fn structured(_: &()) -> Option<Json> {
        None
    }

    async fn run<D: Durability>(&self, permit: Permit<D>, latch: &Latch, _: Leash) -> Ran<()> {
        let record =
            Record::new(Kind::Start, self.gate.clock().now().wall, [("policy", Json::from("narrower"))]);
        self.gate.apply(policy([Level::Read]), record).await.unwrap();
        match latch.pass(permit, SystemClock.now(), |_| Some(self.reached.fetch_add(1, Ordering::SeqCst))) {
            Passage::Lapsed(lapse) => Ran::NotSent(NotSent::Lapsed(lapse)),
            Passage::Passed(_) | Passage::Blocked(_) => Ran::NoAnswer("it passed".to_owned()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn once_a_stop_has_returned_no_tool_is_reached() {
    for _ in 0..20 {
        let gate = Arc::new(gate(Faulty::default()).await);
        let tool = Arc::new(counting(|_| {}));
        let callers: Vec<_> = (0..16)
            .map(|_| {
                let (gate, tool) = (Arc::clone(&gate), Arc::clone(&tool));
                tokio::spawn(async move {
                    loop {
                        let reply = gate.handle(propose("crm/write"), offer, &*tool).await;
                        match reply.answer {
                            Answer::Refused(denial) if denial.reason.code() == Code::Stopped => return,
                            Answer::Refused(_) | Answer::Ran(()) => {}
                            other @ (Answer::Waiting(_)
                            | Answer::Planned(_)
                            | Answer::Replayed(..)
                            | Answer::Unknown) => {
                                panic!("{other:?}")
                            }
                        }
                    }
                })
            })
            .collect();
        while tool.reached.load(Ordering::SeqCst) < 10 {
            tokio::task::yield_now().await;
        }
        let stopped =
            gate.stop(Scope::Everything, Leaves::Nothing, "a test", "to see", AfterStop::Drain).await;
        stopped.kept.unwrap();
        let at_stop = tool.reached.load(Ordering::SeqCst);
        for caller in callers {
            caller.await.unwrap();
        }
        assert_eq!(tool.reached.load(Ordering::SeqCst), at_stop);
    }
}

async fn misbehaving(level: Level) -> placet::Reply {
    let gateway = Gateway::builder()
        .agent(Agent::new("bot").holds(Level::ALL))
        .tool(Tool::new("boom", level).run(|_, _| async { panic!("as it does") }))
        .build()
        .await
        .unwrap();
    gateway.execute("bot", "run", "boom", json!({})).await.unwrap()
}

#[tokio::test]
async fn a_tool_that_panics_fails_a_read_and_makes_the_rest_unknown() {
    let read = misbehaving(Level::Read).await;
    assert_eq!(read.result().and_then(|result| result.get("error")), Some(&Json::from("the tool panicked")));
    for level in [Level::Write, Level::Execute, Level::Delete] {
        let reply = misbehaving(level).await;
        assert!(reply.error().unwrap().contains("may or may not have happened"), "{level}");
    }
}

#[tokio::test]
async fn proposals_of_a_host_are_judged_however_they_are_written() {
    let gateway = Gateway::builder()
        .agent(Agent::new("bot").holds([Level::Read]))
        .tool(Tool::new("look", Level::Read).run(|args, _| async move { Ok(args) }))
        .build()
        .await
        .unwrap();
    let ask = |action: &'static str, parameters| gateway.execute("bot", "run", action, parameters);
    assert!(ask("look", json!(null)).await.unwrap().ok(), "null means no parameters");
    for (action, parameters, error) in [
        ("nope", json!({}), "action 'nope' is not found"),
        ("look ", json!({}), "action 'look ' is not found"),
        ("Look", json!({}), "action 'Look' is not found"),
        (
            "look",
            json!([]),
            "the arguments of `look` do not fit: `parameters` must be an object, not an array",
        ),
        ("look", json!(18_446_744_073_709_551_615_u64), "the arguments of `look` do not fit: "),
    ] {
        let reply = ask(action, parameters).await.unwrap();
        assert!(reply.error().unwrap().starts_with(error), "{action}: {:?}", reply.error());
    }
    assert!(gateway.execute("nobody", "run", "look", json!({})).await.is_err());
    let last = ask("look", json!({})).await.unwrap();
    let statuses: Vec<_> = last.history().entries.iter().map(|entry| entry.status.as_str()).collect();
    let want = [("allowed", 1), ("blocked", 5), ("allowed", 1)];
    let want: Vec<_> = want
        .iter()
        .flat_map(|(word, times)| std::iter::repeat_n(["requested", *word], *times))
        .flatten()
        .collect();
    assert_eq!(statuses, want);
}

#[tokio::test]
async fn a_history_shows_its_last_hundred_entries_and_says_so() {
    let gateway = Gateway::builder()
        .agent(Agent::new("bot").holds([Level::Read]))
        .tool(Tool::new("look", Level::Read).repeat().run(|args, _| async move { Ok(args) }))
        .build()
        .await
        .unwrap();
    for _ in 0..51 {
        gateway.execute("bot", "run", "look", json!({})).await.unwrap();
    }
    let reply = gateway.execute("bot", "run", "look", json!({})).await.unwrap();
    assert_eq!(reply.history().entries.len(), 100);
    assert_eq!(reply.to_json().get("history_truncated"), Some(&Json::from(true)));
    let other = gateway.execute("bot", "another run", "look", json!({})).await.unwrap();
    assert_eq!(other.history().entries.len(), 2, "runs have histories of their own");
}

/// A boot clock that stands until it is moved.
#[derive(Debug, Default)]
struct Standing(AtomicUsize);

impl Clock for Standing {
    fn now(&self) -> Now {
        let since = Duration::from_secs(self.0.load(Ordering::SeqCst) as u64);
        Now {
            wall: Timestamp(1_700_000_000_000_000).plus(since),
            boot: BootInstant(Duration::ZERO).plus(since),
        }
    }
}

#[tokio::test]
async fn a_pause_ends_by_itself_and_softens_no_stop() {
    let clock = Arc::new(Standing::default());
    let shared: Arc<dyn Clock> = Arc::clone(&clock) as _;
    let narrow = policy([Level::Read]);
    let key = DigestKey::new(&[3; 32]);
    let gate = Gate::new(narrow, Faulty::default(), Latch::default(), key, shared, &[]).await.unwrap();
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    for length in [Duration::ZERO, minutes(61)] {
        assert!(matches!(gate.pause(length, "ana", "why").await, Err(PauseError::Length)), "{length:?}");
    }
    let now = clock.now();
    let tool = Clocked { now, reached: AtomicUsize::new(0) };
    let code = async |tool: &Clocked| match gate.handle(propose("crm/delete"), offer, tool).await.answer {
        Answer::Ran(()) => None,
        Answer::Refused(denial) => Some(denial.reason.code()),
        other @ (Answer::Waiting(_) | Answer::Planned(_) | Answer::Replayed(..) | Answer::Unknown) => {
            panic!("{other:?}")
        }
    };
    assert_eq!(code(&tool).await, Some(Code::NotGranted));
    gate.pause(minutes(10), "ana", "the rule is wrong").await.unwrap();
    assert_eq!(code(&tool).await, None);
    let paused = gate.stop(Scope::Everything, Leaves::Nothing, "bo", "no", AfterStop::Drain).await;
    paused.kept.unwrap();
    assert_eq!(code(&tool).await, Some(Code::Stopped));
    gate.resume(&Scope::Everything, "bo", "go on").await.unwrap();
    assert_eq!(code(&tool).await, None);
    clock.0.store(10 * 60, Ordering::SeqCst);
    assert!(gate.paused().is_none());
    assert_eq!(code(&tool).await, Some(Code::NotGranted));
    gate.pause(minutes(10), "ana", "again").await.unwrap();
    gate.end_pause("ana", "mended").await.unwrap();
    assert_eq!(code(&tool).await, Some(Code::NotGranted));
    let said: Vec<_> =
        gate.store().memory().records().into_iter().filter(|record| record.kind == Kind::Pause).collect();
    assert_eq!(said.len(), 3, "begun, begun, ended");
}

/// A tool whose permit is looked at as of one moment.
struct Clocked {
    now: Now,
    reached: AtomicUsize,
}

impl Upstream for Clocked {
    type Output = ();

    fn text(_: &()) -> Cow<'_, str> {
        Cow::Borrowed("null")
    }

    fn from_text(_: &str) -> Option<()> {
        Some(())
    }

    fn structured(_: &()) -> Option<Json> {
        None
    }

    async fn run<D: Durability>(&self, permit: Permit<D>, latch: &Latch, _: Leash) -> Ran<()> {
        match latch.pass(permit, self.now, |_| Some(self.reached.fetch_add(1, Ordering::SeqCst))) {
            Passage::Passed(_) => Ran::Answered {
                output: (),
                outcome: Outcome::without_result(Ending::Succeeded, "as it does"),
            },
            Passage::Lapsed(lapse) => Ran::NotSent(NotSent::Lapsed(lapse)),
            Passage::Blocked(_) => Ran::NotSent(NotSent::Unavailable("blocked".to_owned())),
        }
    }
}
