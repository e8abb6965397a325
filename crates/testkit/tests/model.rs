//! The model: the engine, permits and a store that crashes, under random steps, held against what must never be.
//!
//! A world proposes calls of several agents, keeps what was decided (or loses it), spends permits, lets tools
//! answer (or not), stops, resumes, resolves, ends sessions, swaps policies, moves the clock, and ends the process
//! at any point between two of these. After every step it is looked at by somebody who has only the history: what
//! was sent, and what is on disk.
//!
//! `PLACET_MODEL_ROUNDS` says how many rounds, `PLACET_MODEL_SEED` from which seed; one that fails prints its
//! steps, shrunk, and is kept beside this file to be run first from then on.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on should say so and end"
)]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use placet_engine::{
    budget::{Account, AccountNeed, Balance},
    call::{Call, CallId, DigestKey, DryRun, Mode, Proposal},
    cost::Amount,
    decide::{self, Engine, Outcome, Verdict},
    decision::{Allowed, Decision},
    json::{Json, Limits, Object, parse},
    level::{Level, LevelSet},
    once::{ClaimKind, Kept},
    permit::{Durability, Durable, Grant, Lapse, Permit, Queued, Receipt},
    policy::{
        Policy, Rules, Tool,
        config::{
            Agent,
            terms::{self, Budget, BudgetScope, Key, Measure, Once, Over, Trip, TripCount},
        },
    },
    record::{Kind, Record},
    session::SessionKey,
    state::{Advance, Changes, Ending, Intent, Known, Needs, StopChange},
    stop::{Coordinates, Generations, Leaves, Stop},
    time::{BootInstant, Now, Timestamp},
    tool::{Definition, Offer},
    window::{Calendar, Window, Zone},
};
use placet_store::{Store, StoreError};
use placet_testkit::{
    crashing::{Crash, Crashing},
    ready,
};
use proptest::{
    prelude::*,
    test_runner::{FileFailurePersistence, RngAlgorithm, TestRng},
};

const AGENTS: [&str; 3] = ["ana", "bo", "cy"];
const TOOLS: [&str; 7] =
    ["shop/look", "shop/count", "shop/note", "shop/pay", "shop/order", "shop/ship", "shop/drop"];
const SCOPES: [&str; 5] = ["everything", "agent:ana", "tool:shop/pay", "label:money", "server:shop"];

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// A call is proposed and judged; it is kept later, or never.
    Judge(Said),
    /// The same, and it goes straight through to its tool.
    Run(Said),
    /// The same six times, each with the same answer.
    Loop(Said),
    /// What was judged is kept.
    Commit(u8),
    /// The same message comes again.
    Again(u8),
    /// A permit is spent.
    Dispatch(u8),
    /// A tool answers.
    Answer {
        which: u8,
        ending: Ending,
        took: u8,
    },
    /// A stop, or its end.
    Stop {
        scope: u8,
        leaves: Leaves,
    },
    Resume(u8),
    /// A person says what became of a call.
    Resolve {
        which: u8,
        happened: bool,
    },
    /// Time passes; the calendar may also be put back.
    Pass(u16),
    PutBack(u16),
    /// Another policy is applied.
    Reload,
    EndSession(u8),
    Reopen(u8),
    /// The next flush goes wrong.
    Fail(Crash),
    Mend,
    /// The process ends, when so much of what waited was flushed.
    Restart {
        flushed: u8,
    },
}

/// What is proposed.
#[derive(Clone, Debug)]
struct Said {
    agent: u8,
    tool: u8,
    amount: u8,
    item: u8,
    key: Option<u8>,
    cost: Option<u8>,
    dry: bool,
}

fn any_said() -> impl Strategy<Value = Said> {
    let key = prop::option::weighted(0.6, 0..3_u8);
    let cost = prop::option::weighted(0.2, 0..9_u8);
    let agent = prop_oneof![3 => Just(0_u8), 2 => Just(1), 1 => Just(2)];
    (agent, 0..7_u8, 1..7_u8, 0..4_u8, key, cost, prop::bool::weighted(0.05)).prop_map(
        |(agent, tool, amount, item, key, cost, dry)| Said { agent, tool, amount, item, key, cost, dry },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let leaves = prop::sample::select(vec![Leaves::Nothing, Leaves::Reads]);
    let crash = prop::sample::select(vec![Crash::BeforeFlush, Crash::AfterFlush, Crash::Busy, Crash::Full]);
    prop_oneof![
        20 => any_said().prop_map(Step::Judge),
        20 => any_said().prop_map(Step::Run),
        2 => any_said().prop_map(Step::Loop),
        24 => any::<u8>().prop_map(Step::Commit),
        8 => any::<u8>().prop_map(Step::Again),
        22 => any::<u8>().prop_map(Step::Dispatch),
        18 => (any::<u8>(), prop::sample::select(Ending::ALL.to_vec()), 0..9_u8)
            .prop_map(|(which, ending, took)| Step::Answer { which, ending, took }),
        2 => (0..5_u8, leaves).prop_map(|(scope, leaves)| Step::Stop { scope, leaves }),
        6 => any::<u8>().prop_map(Step::Resume),
        4 => (any::<u8>(), any::<bool>()).prop_map(|(which, happened)| Step::Resolve { which, happened }),
        6 => prop_oneof![4 => 0..3_u16, 2 => 5..40_u16, 1 => 1_700..4_000_u16].prop_map(Step::Pass),
        1 => (0..600_u16).prop_map(Step::PutBack),
        1 => Just(Step::Reload),
        1 => (0..3_u8).prop_map(Step::EndSession),
        1 => any::<u8>().prop_map(Step::Reopen),
        3 => crash.prop_map(Step::Fail),
        8 => Just(Step::Mend),
        2 => any::<u8>().prop_map(|flushed| Step::Restart { flushed }),
    ]
}

fn secret() -> DigestKey {
    DigestKey::new(&[5; 32])
}

fn engine(strict: bool) -> Engine {
    let usd: placet_engine::names::Unit = "usd".parse().unwrap();
    let once = |by, within| Once { by, within: Duration::from_secs(within), ..Once::default() };
    let money: BTreeSet<_> = ["money".parse().unwrap()].into();
    let terms = |name: &str| match name {
        "shop/look" | "shop/count" => terms::Tool::from(Level::Read),
        "shop/note" => Level::Write.into(),
        "shop/pay" => terms::Tool {
            cost: [(usd.clone(), "args.amount".parse().unwrap())].into(),
            actual: [(usd.clone(), "result.took".parse().unwrap())].into(),
            once: once(Key::By(vec!["args.item".parse().unwrap()]), 3_600),
            labels: money.clone(),
            ..Level::Write.into()
        },
        "shop/order" => terms::Tool {
            cost: [(usd.clone(), "1 + args.amount".parse().unwrap())].into(),
            once: once(Key::Required, 600),
            ..Level::Execute.into()
        },
        "shop/ship" => terms::Tool { once: once(Key::Derived, 10), ..Level::Execute.into() },
        "shop/drop" => Level::Delete.into(),
        other => panic!("{other}"),
    };
    let budget = |name: &str, scope, per, measure, cap| Budget {
        name: name.parse().unwrap(),
        scope,
        per,
        measure,
        cap: Amount::whole(cap),
        over: Over::Deny,
        warn: vec![80],
        unpriced_denied: false,
        line: 0,
    };
    let counted = |pattern: &str| BudgetScope::Tools(pattern.parse().unwrap());
    let spent = || Measure::Cost(usd.clone());
    let hour = Window::Fixed(Calendar::Hour, Zone::default());
    let ten_minutes = Window::Rolling(Duration::from_secs(600));
    let budgets = vec![
        budget("a session's", BudgetScope::Agent(None), Window::Session, spent(), 20),
        budget("everybody's", BudgetScope::All, Window::Total, spent(), if strict { 60 } else { 90 }),
        budget("counted", counted("shop/count"), hour, Measure::Calls, 4),
        budget("lately", BudgetScope::Agent(None), ten_minutes, spent(), 12),
        budget("errors", BudgetScope::Server(None), Window::Total, Measure::Errors, 6),
    ];
    let trip = Trip {
        name: "denials".parse().unwrap(),
        agent: None,
        counts: TripCount::Denials,
        within: Duration::from_secs(600),
        at: Amount::whole(4),
        line: 0,
    };
    let levels = |all: &[Level]| LevelSet::of(all.iter().copied());
    let remit = |at: usize| Agent {
        levels: match at {
            0 => levels(&Level::ALL),
            1 if strict => levels(&[Level::Read, Level::Write]),
            1 => levels(&[Level::Read, Level::Write, Level::Execute]),
            _ => levels(&[Level::Read]),
        },
        ..Agent::default()
    };
    let agents = (0..).zip(AGENTS).map(|(at, name)| (name.parse().unwrap(), remit(at)));
    let rules = Rules { agents: agents.collect(), budgets, trips: vec![trip], ..Rules::default() };
    let catalogue = TOOLS.iter().map(|name| (name.parse().unwrap(), Tool::from(terms(name))));
    Engine::new(Policy::compile(rules, catalogue.collect()).unwrap(), secret())
}

/// A call that was judged, and what is to be kept of it.
struct Judged {
    proposal: Proposal,
    verdict: Verdict,
    now: Now,
}

/// A permit of either kind, and what it was given for.
enum Held {
    Read(Permit<Queued>),
    Effect(Permit<Durable>),
}

impl Held {
    fn check(&self, boot: BootInstant, current: Generations) -> Result<(), Lapse> {
        match self {
            Held::Read(permit) => permit.check(boot, current),
            Held::Effect(permit) => permit.check(boot, current),
        }
    }

    fn about(&self) -> &Coordinates {
        match self {
            Held::Read(permit) => permit.about(),
            Held::Effect(permit) => permit.about(),
        }
    }
}

/// A call of which the first byte has left.
#[derive(Clone)]
struct Sent {
    intent: Intent,
    /// When it was allowed, by the calendar of that moment.
    at: Timestamp,
}

struct World {
    engines: [Arc<Engine>; 2],
    strict: bool,
    store: Crashing,
    now: Now,
    /// How far the calendar had come before somebody put it back.
    furthest: Timestamp,
    next: u64,
    judged: Vec<Judged>,
    proposals: Vec<Proposal>,
    permits: Vec<(Held, Intent)>,
    /// The calls that are out, of this process.
    flights: Vec<Intent>,
    /// The generations that the latch knows.
    latch: Generations,
    /// Every call of which the first byte left, in any process.
    sent: Vec<Sent>,
    /// Stops of which it was said that they hold.
    stops: Vec<Stop>,
    /// Accounts on which more was taken than was held.
    overrun: BTreeSet<Account>,
    /// What each account was seen to be capped at.
    caps: HashMap<Account, (Amount, bool)>,
    offer: Offer,
    /// What has come about so far, so that it can be seen that it does.
    seen: BTreeMap<String, usize>,
}

/// What somebody who has only the history knows of one allowed call.
struct Known1<'a> {
    intent: &'a Intent,
    endings: Vec<Ending>,
}

impl World {
    fn new(engines: [Arc<Engine>; 2]) -> Self {
        let definition = r#"{"name":"t","inputSchema":{"type":"object","properties":
            {"amount":{"type":"integer"},"item":{"type":"integer"}}}}"#;
        let definition = parse(definition.as_bytes(), &Limits::EDGE).unwrap();
        Self {
            engines,
            strict: false,
            store: Crashing::default(),
            now: Now { wall: Timestamp(1_795_340_096_000_000), boot: BootInstant::default() },
            furthest: Timestamp(0),
            next: 0,
            judged: Vec::new(),
            proposals: Vec::new(),
            permits: Vec::new(),
            flights: Vec::new(),
            latch: Generations::default(),
            sent: Vec::new(),
            stops: Vec::new(),
            overrun: BTreeSet::new(),
            caps: HashMap::new(),
            offer: Offer::Accepted(Arc::new(Definition::read(&definition).unwrap())),
            seen: BTreeMap::new(),
        }
    }

    fn saw(&mut self, what: &str) {
        *self.seen.entry(what.to_owned()).or_default() += 1;
    }

    fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engines[usize::from(self.strict)])
    }

    fn commit<D: Durability>(&self, changes: Changes) -> Result<Receipt<D>, StoreError> {
        ready(self.store.commit::<D>(changes))
    }

    /// The latch hears which generations the store has.
    fn follow(&mut self) {
        if let Ok(remembered) = ready(self.store.load(&Needs::default())) {
            let seen = remembered.generations;
            self.latch.stop = self.latch.stop.max(seen.stop);
            self.latch.policy = self.latch.policy.max(seen.policy);
            self.latch.catalogue = self.latch.catalogue.max(seen.catalogue);
        }
    }

    fn judge(&mut self, proposal: Proposal) {
        self.next += 1;
        let mut id = [0; 12];
        id[4..].copy_from_slice(&self.next.to_be_bytes());
        let call = Arc::new(Call::new(CallId::from_random(id), proposal.clone(), &secret()));
        self.judge_call(&call, proposal);
    }

    fn judge_call(&mut self, call: &Arc<Call>, proposal: Proposal) {
        let (engine, now) = (self.engine(), self.now);
        let Ok(remembered) = ready(self.store.load(&engine.needs(call, now))) else { return };
        let known = Known { remembered, offer: self.offer.clone(), paused: false };
        let verdict = engine.decide(call, &known, now);
        if let Decision::Replay(replay) = &verdict.decision {
            // What is handed out is what that very call answered.
            assert_eq!(&*replay.text, format!("answer of {}", replay.of));
            let ran = self.sent.iter().find(|sent| sent.intent.call == replay.of).unwrap();
            assert_eq!((&ran.intent.agent, &ran.intent.action), (&call.agent, &call.action));
            self.saw("replay");
        }
        self.judged.push(Judged { proposal, verdict, now });
    }

    fn keep(&mut self, Judged { proposal, verdict, now }: Judged) {
        let Verdict { decision, changes } = verdict;
        if let Decision::Deny(denial) = &decision {
            self.saw(denial.reason.code().as_str());
        }
        match decision {
            Decision::Allow(Allowed::Read(grant)) => self.allow(grant, changes, now, Held::Read),
            Decision::Allow(Allowed::Effect(grant)) => self.allow(grant, changes, now, Held::Effect),
            Decision::Deny(_) if changes.stop.is_some() => {
                self.saw("trip");
                self.stop(changes);
            }
            // A refusal stands whether or not its record is kept; a plan runs nothing.
            Decision::Deny(_) | Decision::Plan(_) | Decision::Replay(_) => {
                drop(self.commit::<Queued>(changes))
            }
            // The call waits for the other, and is judged again when that one has landed.
            Decision::Join(_) => {
                self.saw("join");
                self.proposals.push(proposal);
            }
            Decision::Ask(_) => panic!("nobody is asked here"),
        }
    }

    fn allow<D: Durability>(
        &mut self,
        grant: Grant<D>,
        changes: Changes,
        now: Now,
        held: impl FnOnce(Permit<D>) -> Held,
    ) {
        let mut intent = changes.intent.clone().unwrap();
        let receipt = match self.commit::<D>(changes) {
            Ok(receipt) => receipt,
            Err(StoreError::Conflict(broken)) => return self.saw(&broken.to_string()),
            Err(_) => return self.saw("not kept"),
        };
        if receipt.call() != Some(intent.call) {
            panic!("another call's receipt");
        }
        let meant = intent.session;
        receipt.place(&mut intent);
        if meant != intent.session {
            self.saw("moved into another session");
        }
        for hold in &intent.holds {
            let engine = self.engine();
            if let Some(budget) = engine.policy().budget(&hold.account.budget) {
                let rolls = matches!(budget.per, Window::Rolling(_)) || hold.measure == Measure::Errors;
                self.caps.insert(hold.account.clone(), (Amount::whole(90).max(budget.cap), rolls));
                // Where time moves what counts, it must fit when it is kept.
                let need = AccountNeed {
                    account: hold.account.clone(),
                    of_session: hold.account.session.is_some(),
                    counts_from: budget.per.at(now.wall).counts_from,
                };
                let needs = Needs { accounts: vec![need], ..Needs::default() };
                let balance = ready(self.store.load(&needs)).unwrap().balances[0];
                let fits = hold.measure == Measure::Errors || balance.spent.plus(balance.held) <= budget.cap;
                assert!(fits, "{balance:?} over {:?} at {}", budget.cap, now.wall);
                assert!(!balance.closed, "{:?} is closed", hold.account);
            }
        }
        #[expect(clippy::disallowed_methods, reason = "the world is the gate here")]
        let permit = Permit::new(grant, receipt).unwrap();
        self.permits.push((held(permit), intent));
    }

    fn stop(&mut self, changes: Changes) {
        let Some(StopChange::Begin(stop)) = changes.stop.clone() else { panic!("it begins") };
        if self.commit::<Durable>(changes).is_ok() {
            // Said to hold only once the latch knows that something moved.
            self.follow();
            if !self.stops.iter().any(|known| known.scope == stop.scope && known.leaves < stop.leaves) {
                self.stops.retain(|known| known.scope != stop.scope);
                self.stops.push(stop);
            }
        }
    }

    fn dispatch(&mut self, (held, intent): (Held, Intent)) {
        if held.check(self.now.boot, self.latch).is_err() {
            let outcome = Outcome::without_result(Ending::NotSent, "it lapsed");
            let changes = self.engine().settle(&intent, &outcome, None, self.now);
            drop(self.commit::<Queued>(changes));
            return self.saw("lapsed");
        }
        // From here on the first byte has left.
        for stop in &self.stops {
            assert!(!stop.covers(held.about()), "{} is covered by {stop:?}", intent.action);
        }
        match held {
            Held::Effect(_) => {
                assert!(self.store.is_on_disk(intent.call), "{} is not on disk", intent.action)
            }
            Held::Read(_) => assert_eq!(intent.level, Level::Read, "only a read may wait in the queue"),
        }
        let history = self.store.history();
        let (_, all) = allowed(&history).into_iter().find(|(call, _)| *call == intent.call).unwrap();
        assert!(all.endings.iter().all(|ending| *ending == Ending::NotSent), "{:?}", all.endings);
        assert!(!self.sent.iter().any(|sent| sent.intent.call == intent.call), "it is sent a second time");
        self.assert_key_is_free(&intent);
        self.sent.push(Sent { at: intent.at, intent: intent.clone() });
        self.flights.push(intent);
    }

    /// No call under the same key was sent before that might have happened.
    fn assert_key_is_free(&self, intent: &Intent) {
        let Some(claim) = &intent.claim else { return };
        let history = self.store.history();
        let calls = allowed(&history);
        let before =
            self.sent.iter().filter(|sent| sent.intent.claim.as_ref().is_some_and(|c| c.key == claim.key));
        for sent in before {
            let first = sent.intent.claim.as_ref().unwrap();
            let endings = &calls[&sent.intent.call].endings;
            let freed = match endings[..] {
                [Ending::Failed] => first.kind != ClaimKind::Sent,
                [Ending::Unknown, Ending::Failed] => true,
                _ => false,
            };
            // One that is over may lapse; one that is not never does. What has lapsed may have been claimed anew
            // and let go of, so it stays lapsed when the calendar is put back (a node's own clock never goes back).
            let over = matches!(endings.last(), Some(Ending::Succeeded | Ending::Failed));
            let lapsed = over && intent.at.max(self.furthest) >= first.until;
            assert!(
                freed || lapsed,
                "{} under the key of {}, which was sent at {} and is {endings:?}",
                intent.call,
                sent.intent.call,
                sent.at
            );
        }
    }

    fn answer(&mut self, intent: &Intent, ending: Ending, took: u8) {
        let text = format!("answer of {}", intent.call);
        let sent_anything = matches!(ending, Ending::Succeeded | Ending::Failed);
        let outcome = Outcome {
            note: None,
            bytes: sent_anything.then_some(text.len()),
            // The same for every call, so that a row of the same call is a loop.
            digest: sent_anything.then(|| secret().digest([ending.as_str().as_bytes()])),
            kept: (sent_anything && intent.claim.is_some()).then(|| Kept::Text(text.as_str().into())),
            ..Outcome::without_result(ending, "")
        };
        let structured = Json::Object(Object::from([("took", Json::from(i64::from(took)))]));
        let structured = sent_anything.then_some(&structured);
        let changes = self.engine().settle(intent, &outcome, structured, self.now);
        let overrun: Vec<_> = {
            let charges = &changes.settled.as_ref().unwrap().charges;
            charges.iter().filter(|charge| charge.close).map(|charge| charge.account.clone()).collect()
        };
        let again = changes.clone();
        let kept = match intent.level {
            Level::Delete => self.commit::<Durable>(changes).map(drop),
            Level::Read | Level::Write | Level::Execute => self.commit::<Queued>(changes).map(drop),
        };
        if !overrun.is_empty() {
            self.saw("overrun");
        }
        self.saw(ending.as_str());
        self.overrun.extend(overrun);
        // The same message a second time changes nothing.
        if kept.is_ok() {
            let before = self.store.history().len();
            assert!(self.commit::<Queued>(again).is_err());
            assert_eq!(self.store.history().len(), before);
        }
    }

    fn propose(&mut self, said: &Said) {
        let agent = AGENTS[usize::from(said.agent)];
        let arguments = Object::from([
            ("amount", Json::from(i64::from(said.amount))),
            ("item", Json::from(i64::from(said.item))),
        ]);
        let cost = said.cost.map(|cost| ("usd".parse().unwrap(), Amount::whole(cost.into())));
        let proposal = Proposal {
            agent: agent.parse().unwrap(),
            client: format!("client-{agent}").parse().unwrap(),
            session: None,
            action: TOOLS[usize::from(said.tool)].parse().unwrap(),
            arguments,
            meta: Object::new(),
            mode: if said.dry { Mode::DryRun(DryRun::Validate) } else { Mode::Live },
            key: said.key.map(|key| format!("key {key}").into()),
            cost: cost.into_iter().collect(),
        };
        self.proposals.push(proposal.clone());
        self.judge(proposal);
    }

    fn apply(&mut self, step: Step) {
        self.furthest = self.furthest.max(self.now.wall);
        match step {
            Step::Judge(said) => self.propose(&said),
            Step::Run(said) => {
                self.propose(&said);
                for step in [Step::Commit(0), Step::Dispatch(0)] {
                    self.apply(step);
                    self.look();
                }
            }
            Step::Loop(said) => {
                for step in [Step::Run(said), Step::Answer { which: 0, ending: Ending::Succeeded, took: 1 }]
                    .into_iter()
                    .cycle()
                    .take(12)
                {
                    self.apply(step);
                    self.look();
                }
            }
            Step::Commit(which) => {
                if let Some(judged) = take(&mut self.judged, which) {
                    self.keep(judged);
                }
            }
            Step::Again(which) => {
                let at = usize::from(which) % self.proposals.len().max(1);
                if let Some(proposal) = self.proposals.get(at).cloned() {
                    self.judge(proposal);
                }
            }
            Step::Dispatch(which) => {
                if let Some(permit) = take(&mut self.permits, which) {
                    self.dispatch(permit);
                }
            }
            Step::Answer { which, ending, took } => {
                if let Some(intent) = take(&mut self.flights, which) {
                    // What has left is not said not to have been sent.
                    let ending = if ending == Ending::NotSent { Ending::Succeeded } else { ending };
                    self.answer(&intent, ending, took);
                }
            }
            Step::Stop { scope, leaves } => {
                let stop = Stop {
                    scope: SCOPES[usize::from(scope)].parse().unwrap(),
                    leaves,
                    reason: "look first".to_owned(),
                    by: "a person".to_owned(),
                    since: self.now.wall,
                };
                self.stop(decide::stop(stop, self.now));
            }
            Step::Resume(scope) => {
                // Mostly one that holds, also one of a trip.
                let all = ready(self.store.load(&Needs { stops: true, ..Needs::default() }));
                let held = all.ok().and_then(|all| all.stops.into_iter().next()).map(|stop| stop.scope);
                let named = SCOPES[usize::from(scope) % SCOPES.len()].parse().unwrap();
                let scope = held.filter(|_| scope > 40).unwrap_or(named);
                // From now on nobody promises that it holds, whether or not the store could end it.
                self.stops.retain(|stop| stop.scope != scope);
                drop(self.commit::<Durable>(decide::resume(scope, "a person", "looked", self.now)));
                self.follow();
            }
            Step::Resolve { which, happened } => {
                let at = usize::from(which) % self.sent.len().max(1);
                let Some(sent) = self.sent.get(at) else { return };
                let Ok(Some(intent)) = ready(self.store.open_intent(sent.intent.call)) else { return };
                // Refused by the store if it is under way.
                let changes = decide::resolve(&intent, happened, "a person", "it says so", self.now);
                if self.commit::<Durable>(changes).is_ok() {
                    self.saw("resolved");
                }
            }
            Step::Pass(seconds) => {
                let by = Duration::from_secs(seconds.into());
                self.now = Now { wall: self.now.wall.plus(by), boot: self.now.boot.plus(by) };
            }
            Step::PutBack(seconds) => {
                self.now.wall.0 -= u64::from(seconds) * 1_000_000;
            }
            Step::Reload => {
                self.strict = !self.strict;
                let record = Record::new(Kind::Start, self.now.wall, []);
                if self.commit::<Durable>(decide::advance(Advance::Policy, record)).is_err() {
                    self.strict = !self.strict;
                }
                self.follow();
            }
            Step::EndSession(agent) => {
                let client = format!("client-{}", AGENTS[usize::from(agent)]).parse().unwrap();
                let key = SessionKey { client, name: None };
                drop(self.commit::<Durable>(decide::end_session(key, "a person", self.now)));
            }
            Step::Reopen(which) => {
                let at = usize::from(which) % self.overrun.len().max(1);
                if let Some(account) = self.overrun.iter().nth(at).cloned() {
                    drop(
                        self.commit::<Durable>(decide::accept_overrun(
                            account, "a person", "looked", self.now,
                        )),
                    );
                }
            }
            Step::Fail(crash) => self.store.fail_next(crash),
            Step::Mend => {
                let never_sent = ready(self.store.mend()).unwrap();
                self.follow();
                for intent in never_sent {
                    self.saw("never sent");
                    assert!(!self.sent.iter().any(|sent| sent.intent.call == intent.call));
                    drop(self.commit::<Queued>(decide::not_sent(&intent, self.now)));
                }
            }
            Step::Restart { flushed } => {
                let left_open = self.store.restart(flushed.into());
                (self.judged, self.permits, self.flights) = (Vec::new(), Vec::new(), Vec::new());
                self.latch = Generations::default();
                for intent in &left_open {
                    self.saw("found open at a start");
                    self.commit::<Durable>(decide::recover(intent, self.now)).unwrap();
                }
                self.follow();
                let history = self.store.history();
                let known = allowed(&history);
                for Sent { intent, .. } in &self.sent {
                    // A read may be lost that waited in the queue; everything else is known to be unknown, or how
                    // it ended.
                    match known.get(&intent.call) {
                        Some(call) => assert!(!call.endings.is_empty(), "{} is forgotten", intent.call),
                        None => assert!(intent.level == Level::Read && intent.holds.is_empty(), "{intent:?}"),
                    }
                }
            }
        }
    }

    /// What must be true between any two steps.
    fn look(&self) {
        let history = self.store.history();
        let calls = allowed(&history);
        for (call, known) in &calls {
            for hold in &known.intent.holds {
                let session = hold.account.session;
                assert!(
                    session.is_none_or(|session| session == known.intent.session),
                    "{call} holds of another session's account: {session:?}"
                );
            }
            let finals =
                known.endings.iter().filter(|ending| ending.is_final() && **ending != Ending::NotSent);
            assert!(finals.count() <= 1, "{call} ended as {:?}", known.endings);
            let last =
                known.endings.iter().position(|ending| ending.is_final() && *ending != Ending::NotSent);
            assert!(last.is_none_or(|at| at + 1 == known.endings.len()), "{call}: {:?}", known.endings);
        }
        self.look_at_records(&history);
        let Ok(_) = ready(self.store.load(&Needs::default())) else { return };
        let accounts: BTreeSet<_> =
            calls.values().flat_map(|known| &known.intent.holds).map(|hold| hold.account.clone()).collect();
        for account in accounts {
            let of_session = account.session.is_some();
            let need = AccountNeed { account: account.clone(), of_session, counts_from: Timestamp(0) };
            let needs = Needs { accounts: vec![need], ..Needs::default() };
            let found = ready(self.store.load(&needs)).unwrap().balances[0];
            let want = naive(&history, &account);
            assert_eq!(found, want, "{account:?}");
            if let Some((cap, rolls)) = self.caps.get(&account) {
                let spared = *rolls || self.overrun.contains(&account);
                assert!(
                    spared || found.spent.plus(found.held) <= *cap,
                    "{account:?}: {found:?} over {cap:?}"
                );
                assert!(
                    !found.closed || self.overrun.contains(&account),
                    "{account:?} is closed for nothing"
                );
            }
        }
    }

    /// Each call that was allowed has a record that says so, and each that ended one for each ending, behind it.
    fn look_at_records(&self, history: &[Changes]) {
        let mut said: BTreeMap<CallId, (usize, usize)> = BTreeMap::new();
        for changes in history {
            for record in &changes.records {
                let Some(call) = record.call else { continue };
                let (allowed, ended) = said.entry(call).or_default();
                if record.kind == Kind::Intent {
                    *allowed += 1;
                } else if record.kind == Kind::Outcome {
                    assert!(*allowed > 0, "{call} ends before it was allowed");
                    *ended += 1;
                }
            }
        }
        for (call, known) in allowed(history) {
            let (_, ended) = said[&call];
            assert_eq!(ended, known.endings.len(), "{call}");
        }
    }
}

/// What stands in the history of each call that was allowed.
fn allowed(history: &[Changes]) -> BTreeMap<CallId, Known1<'_>> {
    let mut calls: BTreeMap<CallId, Known1<'_>> = BTreeMap::new();
    for changes in history {
        if let Some(intent) = &changes.intent {
            calls.entry(intent.call).or_insert(Known1 { intent, endings: Vec::new() }).intent = intent;
        }
        if let Some(settled) = &changes.settled {
            // Nothing ends that was not allowed.
            calls.get_mut(&settled.call).unwrap().endings.push(settled.ending);
        }
    }
    calls
}

/// What stands on an account, worked out from how each call ended and from what its tool took, and from nothing
/// that the engine says of money.
fn naive(history: &[Changes], account: &Account) -> Balance {
    let (mut held, mut spent, mut closed) = (0_u64, 0_u64, false);
    let mut open: BTreeMap<CallId, (&Intent, bool)> = BTreeMap::new();
    for changes in history {
        if changes.reopen.as_ref() == Some(account) {
            closed = false;
        }
        if let Some(intent) = &changes.intent {
            open.insert(intent.call, (intent, false));
        }
        let Some(settled) = &changes.settled else { continue };
        let (intent, was_unknown) = open[&settled.call];
        let Some(hold) = intent.holds.iter().find(|hold| hold.account == *account) else { continue };
        let counts_errors = hold.measure == Measure::Errors;
        let booked = if counts_errors { 1_000_000 } else { hold.amount.0 };
        if was_unknown {
            spent = spent.saturating_sub(booked);
        }
        match settled.ending {
            Ending::NotSent => {}
            Ending::Unknown => {
                spent += booked;
                open.insert(settled.call, (intent, true));
            }
            Ending::Failed if was_unknown => {}
            Ending::Succeeded if counts_errors => spent = 0,
            Ending::Failed if counts_errors => spent += booked,
            Ending::Succeeded | Ending::Failed => {
                let took = took(changes, intent, &hold.measure, was_unknown).unwrap_or(hold.amount.0);
                spent += took;
                closed |= took > hold.amount.0;
            }
        }
        if settled.ending.is_final() {
            open.remove(&settled.call);
        }
    }
    for (intent, unknown) in open.values() {
        let holds = intent.holds.iter().filter(|hold| hold.account == *account && !unknown);
        held += holds.map(|hold| hold.amount.0).sum::<u64>();
    }
    Balance { spent: Amount(spent), held: Amount(held), closed }
}

/// What a tool said that its call took, if it is asked: only what is paid says so. It is found in the record, since
/// nothing else keeps it.
fn took(changes: &Changes, intent: &Intent, measure: &Measure, was_unknown: bool) -> Option<u64> {
    if *measure == Measure::Calls {
        return Some(1_000_000);
    }
    if intent.action.to_string() != "shop/pay" || was_unknown {
        return None;
    }
    let record = changes.records.iter().find(|record| record.kind == Kind::Outcome)?.to_json();
    let spent = record.get("spent")?.as_array()?.iter();
    let of_money = spent.filter(|entry| entry.get("budget").and_then(Json::as_str) == Some("everybody's"));
    let amount = of_money.filter_map(|entry| entry.get("spent")?.as_str()?.parse::<Amount>().ok()).next();
    amount.map(|amount| amount.0)
}

/// One of them: mostly the latest, so that calls come through, and sometimes an old one.
fn take<T>(all: &mut Vec<T>, which: u8) -> Option<T> {
    let last = all.len().checked_sub(1)?;
    Some(all.remove(if which < 160 { last } else { usize::from(which) % all.len() }))
}

fn rounds() -> u32 {
    std::env::var("PLACET_MODEL_ROUNDS").map_or(64, |rounds| rounds.parse().unwrap())
}

#[test]
fn nothing_that_must_never_be_ever_is() {
    let engines = [Arc::new(engine(false)), Arc::new(engine(true))];
    let config = ProptestConfig {
        cases: rounds(),
        max_shrink_iters: 4_096,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("model-failures"))),
        ..ProptestConfig::default()
    };
    let seed = std::env::var("PLACET_MODEL_SEED").map_or(1, |seed| seed.parse::<u64>().unwrap());
    println!("seed {seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(config, rng);
    let seen = std::cell::RefCell::new(BTreeMap::<String, usize>::new());
    let result = runner.run(&prop::collection::vec(any_step(), 1..120), |steps| {
        let mut world = World::new(engines.clone());
        let count = steps.len();
        for step in steps {
            world.apply(step);
            world.look();
        }
        // Whatever is under way when a process ends is unknown in the next.
        world.apply(Step::Restart { flushed: u8::MAX });
        world.look();
        let mut seen = seen.borrow_mut();
        for (what, count) in
            [("steps".to_owned(), count), ("sent".to_owned(), world.sent.len())].into_iter().chain(world.seen)
        {
            *seen.entry(what).or_default() += count;
        }
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    let seen = seen.into_inner();
    println!("{} rounds: {seen:?}", rounds());
    // A model in which nothing comes about proves nothing.
    if rounds() >= 1_000 {
        for what in COMES_ABOUT {
            assert!(seen.contains_key(what), "`{what}` never came about");
        }
    }
}

/// What comes about in a thousand rounds.
const COMES_ABOUT: [&str; 26] = [
    "sent",
    "lapsed",
    "replay",
    "join",
    "trip",
    "overrun",
    "resolved",
    "never sent",
    "not kept",
    "found open at a start",
    "moved into another session",
    "succeeded",
    "failed",
    "unknown",
    "stopped",
    "not_granted",
    "budget_spent",
    "loop_stopped",
    "key_missing",
    "key_reused",
    "already_done",
    "outcome_unknown",
    "no stop covers the call",
    "stop, policy and catalogue are as they were when it was decided",
    "nobody has claimed the key",
    "the budget has enough left",
];
