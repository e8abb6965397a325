//! What a call costs, whether it may happen twice, and when the boundary narrows by itself: which objection
//! comes first, and what each changes.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on should say so and end"
)]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use placet_engine::{
    budget::{Account, Balance},
    call::{Call, CallId, Digest, DigestKey, DryRun, Mode, Proposal},
    cost::Amount,
    decide::{self, Engine, Outcome, Verdict},
    decision::{Allowed, Decision, DenyReason, Replay},
    json::{Json, Limits, Object, parse},
    level::{Level, LevelSet},
    limits,
    names::Label,
    once::{ClaimKind, Claimed, Kept, Progress},
    policy::{
        Policy, Rules, Tool,
        config::{
            Agent,
            terms::{self, Budget, BudgetScope, Key, Measure, Once, Over, Trip, TripCount},
        },
    },
    record::Kind,
    session::{ECHO_LIFE, Echo, Session, SessionId},
    state::{Changes, Ending, Fate, Intent, Known, Open, Precondition, Remembered, StopChange},
    stop::{Leaves, Scope, Stop},
    time::{BootInstant, Now, Timestamp},
    tool::{Definition, Offer},
    window::Window,
};

const SECOND: Duration = Duration::from_secs(1);

fn now() -> Now {
    Now { wall: Timestamp(1_795_340_096_000_000), boot: BootInstant(5_000 * SECOND) }
}

fn later(seconds: u64) -> Now {
    let by = Duration::from_secs(seconds);
    Now { wall: now().wall.plus(by), boot: now().boot.plus(by) }
}

fn secret() -> DigestKey {
    DigestKey::new(&[3; 32])
}

fn json(text: &str) -> Json {
    parse(text.as_bytes(), &Limits::EDGE).unwrap()
}

fn object(text: &str) -> Object {
    json(text).as_object().unwrap().clone()
}

fn usd(dollars: u64) -> Amount {
    Amount::whole(dollars)
}

fn budget(name: &str, measure: Measure, cap: u64) -> Budget {
    Budget {
        name: name.parse().unwrap(),
        scope: BudgetScope::Agent(None),
        per: Window::Total,
        measure,
        cap: Amount::whole(cap),
        over: Over::Deny,
        warn: vec![80],
        unpriced_denied: false,
        line: 0,
    }
}

fn money() -> Measure {
    Measure::Cost("usd".parse().unwrap())
}

fn trip(name: &str, counts: TripCount, at: u64) -> Trip {
    let within = 600 * SECOND;
    Trip { name: name.parse().unwrap(), agent: None, counts, within, at: Amount::whole(at), line: 0 }
}

/// A shop: what is paid costs its amount, what is mailed costs two cents for each addressee.
fn tools() -> Vec<(&'static str, Tool)> {
    let usd: placet_engine::names::Unit = "usd".parse().unwrap();
    let priced = |level, cost: &str| terms::Tool {
        cost: [(usd.clone(), cost.parse().unwrap())].into(),
        ..terms::Tool::from(level)
    };
    let once = |by| Once { by, ..Once::default() };
    let pay = terms::Tool {
        once: once(Key::By(vec!["args.invoice".parse().unwrap()])),
        actual: [(usd.clone(), "result.charged".parse().unwrap())].into(),
        ..priced(Level::Write, "args.amount")
    };
    let plain: Vec<(&str, terms::Tool)> = vec![
        ("shop/look", Level::Read.into()),
        ("shop/note", Level::Write.into()),
        ("shop/pay", pay),
        ("shop/refund", priced(Level::Write, "args.amount")),
        ("shop/order", terms::Tool { once: once(Key::Required), ..Level::Write.into() }),
        (
            "shop/ship",
            terms::Tool {
                once: Once { by: Key::Derived, within: Once::DERIVED_WITHIN, ..Once::default() },
                ..Level::Execute.into()
            },
        ),
        ("shop/poll", terms::Tool { repeat: true, ..Level::Read.into() }),
        ("shop/vault", terms::Tool { canary: true, ..Level::Read.into() }),
        ("shop/export", terms::Tool { labels: ["egress".parse().unwrap()].into(), ..Level::Read.into() }),
        ("shop/drop", Level::Delete.into()),
    ];
    let mut tools: Vec<_> = plain.into_iter().map(|(name, terms)| (name, Tool::from(terms))).collect();
    // One that says what it would do.
    tools.push(("shop/plan", Tool { plans: true, ..Tool::from(priced(Level::Write, "args.amount")) }));
    tools
}

/// `ops` may do everything but delete.
fn engine_with(budgets: Vec<Budget>, trips: Vec<Trip>) -> Engine {
    let levels = LevelSet::of([Level::Read, Level::Write, Level::Execute]);
    let remit = Agent { levels, team: Some("night".parse().unwrap()), ..Agent::default() };
    let rules =
        Rules { agents: [("ops".parse().unwrap(), remit)].into(), budgets, trips, ..Rules::default() };
    let tools = tools().into_iter().map(|(name, tool)| (name.parse().unwrap(), tool));
    Engine::new(Policy::compile(rules, tools.collect()).unwrap(), secret())
}

fn known() -> Known {
    let definition = r#"{"name":"t","inputSchema":{"type":"object","additionalProperties":false,"properties":
        {"amount":{"type":"number"},"invoice":{"type":"string"},"id":{"type":"string"}}}}"#;
    let offer = Offer::Accepted(Arc::new(Definition::read(&json(definition)).unwrap()));
    Known { remembered: Remembered::default(), offer, paused: false }
}

/// The same, where so much stands on the accounts, in the order of the file.
fn with_balances(balances: &[Balance]) -> Known {
    let remembered = Remembered { balances: balances.to_vec(), ..Remembered::default() };
    Known { remembered, ..known() }
}

fn spent(wholes: u64) -> Balance {
    Balance { spent: Amount::whole(wholes), ..Balance::default() }
}

fn proposal(action: &str, arguments: &str) -> Proposal {
    Proposal {
        agent: "ops".parse().unwrap(),
        client: "desk".parse().unwrap(),
        session: None,
        action: action.parse().unwrap(),
        arguments: object(arguments),
        meta: Object::new(),
        mode: Mode::Live,
        key: None,
        cost: [].into(),
    }
}

fn call_of(id: u8, proposal: Proposal) -> Arc<Call> {
    Arc::new(Call::new(CallId::from_random([id; 12]), proposal, &secret()))
}

fn call(action: &str, arguments: &str) -> Arc<Call> {
    call_of(1, proposal(action, arguments))
}

fn in_mode(mode: Mode, action: &str, arguments: &str) -> Arc<Call> {
    call_of(1, Proposal { mode, ..proposal(action, arguments) })
}

#[track_caller]
fn reason(verdict: Verdict) -> DenyReason {
    match verdict.decision {
        Decision::Deny(denial) => denial.reason,
        other => panic!("it is not denied: {other:?}"),
    }
}

#[track_caller]
fn code(verdict: Verdict) -> &'static str {
    reason(verdict).code().as_str()
}

#[track_caller]
fn allowed(verdict: Verdict) -> Changes {
    assert!(matches!(verdict.decision, Decision::Allow(_)), "{:?}", verdict.decision);
    verdict.changes
}

fn kinds(changes: &Changes) -> Vec<Kind> {
    changes.records.iter().map(|record| record.kind).collect()
}

/// A session in which `call` has had the same answer so often.
fn echoing(call: &Call, count: u32) -> Session {
    let echo = Echo { call: call.digest, result: Digest([1; 32]), count, at: now().wall };
    Session {
        id: SessionId(CallId::from_random([9; 12])),
        opened_at: now().wall,
        last_at: now().wall,
        steps: 1,
        labels: BTreeSet::new(),
        echo: Some(echo),
    }
}

/// A key that was claimed by a call of `agent` through `client`, just as `call` would.
fn claimed_by(engine: &Engine, call: &Arc<Call>, progress: Progress) -> Claimed {
    let intent = allowed(engine.decide(call, &known(), now())).intent.unwrap();
    let claim = intent.claim.unwrap();
    Claimed {
        claim,
        call: CallId::from_random([7; 12]),
        agent: intent.agent,
        client: intent.client,
        progress,
    }
}

fn done() -> Progress {
    Progress::Done(Kept::Text("the first result".into()))
}

#[test]
fn the_first_objection_in_order_is_the_one_told() {
    let engine = engine_with(vec![budget("money", money(), 10)], Vec::new());
    let everything = r#"{"amount":99,"invoice":"r1"}"#;
    let pay = call("shop/pay", everything);
    let mut known = with_balances(&[spent(10)]);
    known.remembered.session = Some(echoing(&pay, 99));
    let claimed = claimed_by(&engine_with(Vec::new(), Vec::new()), &pay, Progress::Unknown);
    known.remembered.key = Some(claimed);
    let stop = Stop {
        scope: Scope::Everything,
        leaves: Leaves::Nothing,
        reason: "look first".into(),
        by: "ana".into(),
        since: Timestamp(7),
    };
    // Everything objects at once; one objection after the other is taken away.
    known.remembered.stop = Some(stop);
    known.offer = Offer::Changed;
    let said =
        |known: &Known, arguments: &str| code(engine.decide(&call("shop/pay", arguments), known, now()));
    assert_eq!(said(&known, r#"{"nope":1}"#), "stopped");
    known.remembered.stop = None;
    assert_eq!(said(&known, r#"{"nope":1}"#), "tool_changed");
    known.offer = self::known().offer;
    assert_eq!(said(&known, r#"{"nope":1}"#), "bad_arguments");
    assert_eq!(
        said(&known, r#"{"amount":99}"#),
        "key_missing",
        "the argument that makes the key is not there"
    );
    assert_eq!(said(&known, everything), "outcome_unknown");
    known.remembered.key = None;
    assert_eq!(said(&known, everything), "loop_stopped");
    known.remembered.session = None;
    assert_eq!(said(&known, everything), "budget_spent");
    known.remembered.balances = vec![Balance::default()];
    let small = r#"{"amount":10,"invoice":"r1"}"#;
    assert!(matches!(engine.decide(&call("shop/pay", small), &known, now()).decision, Decision::Allow(_)));
    // A canary comes right after a stop: before policy, so that it tells nothing, and before its arguments.
    known.offer = Offer::Absent;
    assert_eq!(code(engine.decide(&call("shop/vault", r#"{"nope":1}"#), &known, now())), "denied");
    // And what policy refuses comes before everything that a budget or a key could say.
    assert_eq!(code(engine.decide(&call("shop/drop", everything), &known, now())), "not_granted");
}

#[test]
fn a_call_holds_of_every_budget_that_matches_in_the_order_of_the_file() {
    let scoped = |name: &str, scope, measure| Budget { scope, ..budget(name, measure, 10) };
    let budgets = vec![
        scoped("all calls", BudgetScope::All, Measure::Calls),
        scoped("a day's money", BudgetScope::Agent(Some("ops".parse().unwrap())), money()),
        scoped("another's", BudgetScope::Agent(Some("clerk".parse().unwrap())), Measure::Calls),
        scoped("the night's", BudgetScope::Team(None), Measure::Calls),
        scoped("mails", BudgetScope::Tools("shop/ship".parse().unwrap()), Measure::Calls),
        scoped("time", BudgetScope::Server(None), Measure::Time),
        scoped("errors", BudgetScope::Client(None), Measure::Errors),
    ];
    let mut budgets = budgets;
    budgets[5].cap = Amount::whole(100_000);
    let engine = engine_with(budgets, Vec::new());
    let refund = call("shop/refund", r#"{"amount":2.5}"#);
    let subjects: Vec<_> = engine
        .needs(&refund, now())
        .accounts
        .iter()
        .map(|need| format!("{} of {}", need.account.budget, need.account.subject))
        .collect();
    let want = [
        "all calls of all",
        "a day's money of agent:ops",
        "the night's of team:night",
        "time of server:shop",
        "errors of client:desk",
    ];
    assert_eq!(subjects, want);
    let changes = allowed(engine.decide(&refund, &with_balances(&[Balance::default(); 5]), now()));
    let holds: Vec<_> =
        changes.intent.as_ref().unwrap().holds.iter().map(|hold| hold.amount.to_string()).collect();
    assert_eq!(
        holds,
        ["1", "2.5", "1", "600", "0"],
        "one call, its price, one call, its deadline, no error yet"
    );
    let fits = changes.require.iter().filter(|required| matches!(required, Precondition::Fits { .. }));
    assert_eq!(fits.count(), 4, "what an error would take is not known before");
    // A store that does not answer for an account has answered that nothing is left.
    assert_eq!(code(engine.decide(&refund, &with_balances(&[Balance::default(); 4]), now())), "budget_spent");
    for full in 0..5 {
        let mut balances = vec![Balance::default(); 5];
        balances[full] = Balance { closed: true, ..Balance::default() };
        assert_eq!(code(engine.decide(&refund, &with_balances(&balances), now())), "budget_spent", "{full}");
    }
}

#[test]
fn a_caller_can_only_make_a_call_dearer() {
    let engine = engine_with(vec![budget("money", money(), 100)], Vec::new());
    for (said, held) in [(None, 5), (Some(1), 5), (Some(5), 5), (Some(9), 9)] {
        let cost = said.map(|said| ("usd".parse().unwrap(), usd(said))).into_iter().collect();
        let refund = call_of(1, Proposal { cost, ..proposal("shop/refund", r#"{"amount":5}"#) });
        let changes = allowed(engine.decide(&refund, &with_balances(&[Balance::default()]), now()));
        assert_eq!(changes.intent.unwrap().holds[0].amount, usd(held), "{said:?}");
    }
    // What the caller says of a tool without a price counts, and that of another unit does not.
    for (unit, holds) in [("usd", 1), ("eur", 0)] {
        let cost = [(unit.parse().unwrap(), usd(3))].into();
        let note = call_of(1, Proposal { cost, ..proposal("shop/note", "{}") });
        let changes = allowed(engine.decide(&note, &with_balances(&[Balance::default()]), now()));
        assert_eq!(changes.intent.unwrap().holds.len(), holds, "{unit}");
    }
    let strict = Budget { unpriced_denied: true, ..budget("money", money(), 100) };
    let engine = engine_with(vec![strict], Vec::new());
    let balances = with_balances(&[Balance::default()]);
    assert_eq!(code(engine.decide(&call("shop/note", "{}"), &balances, now())), "cost_unknown");
    for unpriced in [r#"{"amount":-1}"#, "{}", r#"{"amount":9500000000000}"#] {
        assert_eq!(code(engine.decide(&call("shop/refund", unpriced), &balances, now())), "cost_unknown");
    }
}

#[test]
fn a_read_is_free_only_if_it_holds_nothing_and_has_no_key() {
    let free = engine_with(Vec::new(), Vec::new());
    let counted = engine_with(vec![budget("calls", Measure::Calls, 10)], Vec::new());
    let look = call("shop/look", "{}");
    let is_free = |verdict: Verdict| match verdict.decision {
        Decision::Allow(Allowed::Read(_)) => true,
        Decision::Allow(Allowed::Effect(_)) => false,
        other => panic!("it is allowed: {other:?}"),
    };
    assert!(is_free(free.decide(&look, &known(), now())));
    assert!(!is_free(counted.decide(&look, &with_balances(&[Balance::default()]), now())));
    let keyed = call_of(1, Proposal { key: Some("k1".into()), ..proposal("shop/look", "{}") });
    assert!(!is_free(free.decide(&keyed, &known(), now())));
}

#[test]
fn people_are_asked_about_what_is_over_a_budget_that_says_so() {
    let group = || Over::Ask("approval:finance".parse().unwrap());
    let asks = |name: &str, cap| Budget { over: group(), ..budget(name, money(), cap) };
    let engine = engine_with(vec![asks("small", 10), asks("large", 100)], Vec::new());
    let refund = call("shop/refund", r#"{"amount":50}"#);
    for (balances, asked) in [([spent(0), spent(0)], 1), ([spent(0), spent(80)], 1)] {
        let Verdict { decision: Decision::Ask(request), changes } =
            engine.decide(&refund, &with_balances(&balances), now())
        else {
            panic!("people are asked")
        };
        assert_eq!(request.approval.controls.len(), asked, "two budgets of one group ask it once");
        // Nothing is held while somebody thinks.
        assert_eq!((kinds(&changes), changes.intent), (vec![Kind::Ask], None));
    }
    let small = call("shop/refund", r#"{"amount":10}"#);
    assert!(matches!(
        engine.decide(&small, &with_balances(&[spent(0); 2]), now()).decision,
        Decision::Allow(_)
    ));
    // One that refuses comes before one that asks, wherever it stands.
    for budgets in [
        vec![asks("small", 10), budget("hard", money(), 20)],
        vec![budget("hard", money(), 20), asks("small", 10)],
    ] {
        let engine = engine_with(budgets, Vec::new());
        assert_eq!(code(engine.decide(&refund, &with_balances(&[spent(0); 2]), now())), "budget_spent");
    }
}

#[test]
fn a_refusal_tells_what_is_left_only_of_what_is_the_agents_own() {
    let own = budget("own", money(), 10);
    let shared = Budget { scope: BudgetScope::All, ..budget("shared", money(), 10) };
    let rolling = Budget { per: Window::Rolling(3_600 * SECOND), ..budget("rolling", money(), 10) };
    for (of, balance, left, resets) in [
        (own, spent(8), Some(usd(2)), false),
        (shared, spent(8), None, false),
        (rolling.clone(), spent(8), Some(usd(2)), true),
        (rolling, Balance { closed: true, ..spent(8) }, Some(usd(0)), false),
    ] {
        let engine = engine_with(vec![of.clone()], Vec::new());
        let refund = call("shop/refund", r#"{"amount":3}"#);
        let DenyReason::BudgetSpent(told) = reason(engine.decide(&refund, &with_balances(&[balance]), now()))
        else {
            panic!("it does not fit")
        };
        assert_eq!((told.budget, told.left, told.resets_at.is_some()), (of.name, left, resets));
    }
}

#[test]
fn a_record_warns_where_a_call_passes_a_mark() {
    let of = Budget { warn: vec![50, 80], ..budget("money", money(), 100) };
    let engine = engine_with(vec![of], Vec::new());
    for (before, amount, warned) in [
        (0, 49, None),
        (0, 50, Some("50")),
        (49, 1, Some("50")),
        (50, 10, None),
        (10, 80, Some("80")),
        (80, 20, None),
    ] {
        let refund = call("shop/refund", &format!(r#"{{"amount":{amount}}}"#));
        let changes = allowed(engine.decide(&refund, &with_balances(&[spent(before)]), now()));
        let warning = changes.records.iter().find(|record| record.kind == Kind::Warning);
        let percent = warning.map(|record| record.to_json().get("percent").unwrap().compact());
        assert_eq!(percent.as_deref(), warned, "{before} and {amount} more");
    }
}

#[test]
fn what_a_call_took_is_booked_and_too_much_closes_the_account() {
    let calls = || budget("calls", Measure::Calls, 10);
    let bytes = Budget { cap: Amount::MAX, ..budget("bytes", Measure::Bytes, 0) };
    let engine = engine_with(vec![budget("money", money(), 100), calls(), bytes], Vec::new());
    let pay = call("shop/pay", r#"{"amount":5,"invoice":"r1"}"#);
    let intent =
        allowed(engine.decide(&pay, &with_balances(&[Balance::default(); 3]), now())).intent.unwrap();
    let ended = |ending, bytes, result: Option<&str>| {
        let outcome = Outcome { bytes, note: None, ..Outcome::without_result(ending, "") };
        engine.settle(&intent, &outcome, result.map(json).as_ref(), now())
    };
    let booked = |changes: &Changes| -> Vec<_> {
        let charges = &changes.settled.as_ref().unwrap().charges;
        charges.iter().map(|charge| (charge.spend, charge.close)).collect()
    };
    let whole_result = Amount::whole(terms::Tool::RESULT_MAX);
    for (changes, want) in [
        (
            ended(Ending::Succeeded, Some(7), Some(r#"{"charged":4.25}"#)),
            [(Amount(4_250_000), false), (usd(1), false), (usd(7), false)],
        ),
        // What cannot be read leaves the whole hold.
        (
            ended(Ending::Succeeded, None, Some(r#"{"charged":"much"}"#)),
            [(usd(5), false), (usd(1), false), (whole_result, false)],
        ),
        (
            ended(Ending::Succeeded, Some(7), Some(r#"{"charged":6}"#)),
            [(usd(6), true), (usd(1), false), (usd(7), false)],
        ),
        (ended(Ending::Unknown, None, None), [(usd(5), false), (usd(1), false), (whole_result, false)]),
        (ended(Ending::NotSent, None, None), [(usd(0), false), (usd(0), false), (usd(0), false)]),
    ] {
        assert_eq!(booked(&changes), want);
        let overruns = usize::from(want[0].1);
        let said = kinds(&changes).into_iter().filter(|kind| *kind == Kind::Overrun).count();
        assert_eq!(said, overruns, "it is said so");
    }
}

#[test]
fn a_key_that_was_used_hands_out_the_first_result_and_costs_nothing() {
    let engine = engine_with(vec![budget("money", money(), 10)], Vec::new());
    let pay = call("shop/pay", r#"{"amount":5,"invoice":"r1"}"#);
    let claimed = {
        let free = engine_with(Vec::new(), Vec::new());
        claimed_by(&free, &pay, done())
    };
    // Nothing is left to spend, and the same answer has come over and over.
    let mut known = with_balances(&[spent(10)]);
    known.remembered.session = Some(echoing(&pay, 50));
    known.remembered.key = Some(claimed.clone());
    let Verdict { decision: Decision::Replay(Replay { of, text }), changes } =
        engine.decide(&pay, &known, now())
    else {
        panic!("it was done before")
    };
    assert_eq!((of, &*text), (claimed.call, "the first result"));
    assert_eq!((kinds(&changes), changes.intent, changes.tallies.len()), (vec![Kind::Replay], None, 0));
    // It may not be had under a stop, nor if policy has come to refuse it meanwhile.
    assert!(matches!(&changes.require[..], [Precondition::NoStop(_), Precondition::Generations(_)]));
    known.remembered.stop = Some(Stop {
        scope: Scope::Agent("ops".parse().unwrap()),
        leaves: Leaves::Reads,
        reason: String::new(),
        by: String::new(),
        since: Timestamp(0),
    });
    assert_eq!(code(engine.decide(&pay, &known, now())), "stopped");
    known.remembered.stop = None;
    let stranger = call_of(
        1,
        Proposal {
            agent: "nobody".parse().unwrap(),
            ..proposal("shop/pay", r#"{"amount":5,"invoice":"r1"}"#)
        },
    );
    assert_eq!(code(engine.decide(&stranger, &known, now())), "not_granted");
    // A retention that is over makes it another call.
    let then = later(Once::WITHIN.as_secs());
    known.remembered.balances = vec![Balance::default()];
    assert!(allowed(engine.decide(&pay, &known, then)).intent.unwrap().claim.is_some());
}

#[test]
fn what_a_claimed_key_means_depends_on_its_kind_and_on_who_asks() {
    let engine = engine_with(Vec::new(), Vec::new());
    let sent = |key: &str, arguments: &str| {
        call_of(2, Proposal { key: Some(key.into()), ..proposal("shop/order", arguments) })
    };
    let (own, other) = (sent("k1", r#"{"id":"1"}"#), sent("k1", r#"{"id":"2"}"#));
    let by = |agent: &str, arguments: &str| {
        call_of(2, Proposal { agent: agent.parse().unwrap(), ..proposal("shop/pay", arguments) })
    };
    let pay = by("ops", r#"{"amount":5,"invoice":"r1"}"#);
    let dearer = by("ops", r#"{"amount":6,"invoice":"r1"}"#);
    for (first, second, progress, want) in [
        (&own, &own, Progress::Running, "join"),
        (&own, &own, done(), "replay"),
        (&own, &own, Progress::Done(Kept::TooLarge), "already_done"),
        (&own, &own, Progress::Unknown, "outcome_unknown"),
        (&own, &other, Progress::Running, "key_reused"),
        (&own, &other, done(), "key_reused"),
        (&pay, &pay, Progress::Running, "join"),
        (&pay, &pay, done(), "replay"),
        (&pay, &dearer, Progress::Running, "in_progress"),
        (&pay, &dearer, done(), "already_done"),
        (&pay, &dearer, Progress::Unknown, "outcome_unknown"),
    ] {
        let mut known = known();
        known.remembered.key = Some(claimed_by(&engine, first, progress.clone()));
        let said = match engine.decide(second, &known, now()).decision {
            Decision::Join(of) => {
                assert_eq!(of, CallId::from_random([7; 12]));
                "join"
            }
            Decision::Replay(_) => "replay",
            Decision::Deny(denial) => denial.reason.code().as_str(),
            other => panic!("{other:?}"),
        };
        assert_eq!(said, want, "{progress:?}");
        // Another agent's call is told that it is done, and not what came of it.
        let mut known = known.clone();
        let claimed = known.remembered.key.as_mut().unwrap();
        claimed.agent = "clerk".parse().unwrap();
        let is_by = first.action.tool.as_str() == "pay";
        if is_by && matches!(progress, Progress::Done(_)) {
            assert_eq!(code(engine.decide(second, &known, now())), "already_done");
        }
    }
}

#[test]
fn a_tool_that_wants_a_key_is_not_called_without_one() {
    let engine = engine_with(Vec::new(), Vec::new());
    assert_eq!(code(engine.decide(&call("shop/order", "{}"), &known(), now())), "key_missing");
    let keyed = call_of(1, Proposal { key: Some("k1".into()), ..proposal("shop/order", "{}") });
    let changes = allowed(engine.decide(&keyed, &known(), now()));
    let claim = changes.intent.as_ref().unwrap().claim.clone().unwrap();
    assert_eq!((claim.kind, claim.until), (ClaimKind::Sent, now().wall.plus(Once::WITHIN)));
    assert_eq!(engine.needs(&keyed, now()).key, Some(claim.key));
    let free = Precondition::KeyFree { key: claim.key, now: now().wall, put_away: 0 };
    assert!(changes.require.contains(&free), "{:?}", changes.require);
    assert!(!format!("{:?}", changes.records).contains("k1"), "keys are kept only as digests");
    // Two kinds of key, two agents, two tools: no two of them are one.
    let keys: BTreeSet<_> = [
        proposal("shop/order", "{}"),
        proposal("shop/note", "{}"),
        Proposal { client: "phone".parse().unwrap(), ..proposal("shop/order", "{}") },
    ]
    .into_iter()
    .map(|proposal| Proposal { key: Some("k1".into()), ..proposal })
    .map(|proposal| engine.needs(&call_of(1, proposal), now()).key.unwrap().to_string())
    .chain([engine.needs(&call("shop/ship", "{}"), now()).key.unwrap().to_string()])
    .collect();
    assert_eq!(keys.len(), 4);
}

#[test]
fn after_a_restore_a_key_may_have_been_used_that_nobody_knows_of() {
    let engine = engine_with(Vec::new(), Vec::new());
    let keyed = call_of(1, Proposal { key: Some("k1".into()), ..proposal("shop/order", "{}") });
    let mut known = known();
    known.remembered.restored_at = now().wall;
    for (then, want) in
        [(later(0), false), (later(Once::WITHIN.as_secs() - 1), false), (later(Once::WITHIN.as_secs()), true)]
    {
        let verdict = engine.decide(&keyed, &known, then);
        match &verdict.decision {
            Decision::Allow(_) => assert!(want, "{then:?}"),
            _ => assert_eq!(code(verdict), if want { "" } else { "outcome_unknown" }),
        }
    }
    // A call without a key, or one whose key is known, is not in doubt.
    allowed(engine.decide(&call("shop/note", "{}"), &known, now()));
    known.remembered.key = Some(claimed_by(&engine, &keyed, done()));
    assert!(matches!(engine.decide(&keyed, &known, now()).decision, Decision::Replay(_)));
}

#[test]
fn a_dry_run_takes_no_key_and_no_money() {
    let budgets = || vec![budget("money", money(), 10), budget("calls", Measure::Calls, 10)];
    let engine = engine_with(budgets(), vec![trip("steep", TripCount::Spend("usd".parse().unwrap()), 8)]);
    let balances = with_balances(&[Balance::default(); 3]);
    let with_tool = in_mode(Mode::DryRun(DryRun::Tool), "shop/plan", r#"{"amount":5}"#);
    let changes = allowed(engine.decide(&with_tool, &balances, now()));
    let intent = changes.intent.unwrap();
    let holds: Vec<_> = intent.holds.iter().map(|hold| hold.account.budget.to_string()).collect();
    assert_eq!((holds, intent.claim), (vec!["calls".to_owned()], None), "it is a call, and costs no money");
    // Though it would not fit, the tool may say what it would do.
    let full = with_balances(&[spent(10), spent(0), spent(8)]);
    allowed(engine.decide(&with_tool, &full, now()));
    for dry in [DryRun::Decide, DryRun::Validate] {
        let pay = in_mode(Mode::DryRun(dry), "shop/pay", r#"{"amount":5,"invoice":"r1"}"#);
        let Verdict { decision: Decision::Plan(plan), changes } = engine.decide(&pay, &balances, now())
        else {
            panic!("it reaches no tool")
        };
        assert_eq!(engine.needs(&pay, now()).key, None);
        // What it says is what the call itself would do: it would hold money.
        let told: Vec<_> = plan.holds.iter().map(|(name, _, amount)| format!("{name}: {amount}")).collect();
        assert_eq!(told, ["money: 5", "calls: 1"]);
        assert!(changes.intent.is_none() && changes.require.is_empty() && changes.tallies.is_empty());
        // And what is refused live is refused dry; nothing was spent, so nothing trips.
        for full in [&full, &with_balances(&[spent(0), spent(0), spent(8)])] {
            let verdict = engine.decide(&pay, full, now());
            assert!(verdict.changes.stop.is_none());
            assert_eq!(code(verdict), "budget_spent");
        }
    }
}

#[test]
fn the_same_answer_over_and_over_ends_unless_the_agent_waits() {
    let engine = engine_with(Vec::new(), Vec::new());
    let repeated = engine_with(Vec::new(), Vec::new());
    for (action, at) in [("shop/look", limits::LOOP_READS), ("shop/note", limits::LOOP_EFFECTS)] {
        let call = call(action, "{}");
        let mut known = known();
        for (echoes, stopped) in [(at - 2, false), (at - 1, true), (u32::MAX, true)] {
            known.remembered.session = Some(echoing(&call, echoes));
            let verdict = engine.decide(&call, &known, now());
            assert_eq!(matches!(verdict.decision, Decision::Deny(_)), stopped, "{action} after {echoes}");
        }
        // Whoever looks again after half a minute is waiting for something.
        let pause = ECHO_LIFE.as_secs();
        assert_eq!(code(engine.decide(&call, &known, later(pause - 1))), "loop_stopped");
        allowed(engine.decide(&call, &known, later(pause)));
        // Another call is no part of the row.
        allowed(engine.decide(&self::call(action, r#"{"id":"2"}"#), &known, now()));
    }
    let poll = call("shop/poll", "{}");
    let mut known = known();
    known.remembered.session = Some(echoing(&poll, 1_000));
    allowed(repeated.decide(&poll, &known, now()));
}

#[test]
fn a_session_inherits_the_row_and_what_was_seen_but_not_for_long() {
    let terms = terms::SessionTerms::default();
    let egress: Label = "egress".parse().unwrap();
    let call = call("shop/look", "{}");
    let mut before = echoing(&call, 4);
    before.labels.insert(egress.clone());
    let idle = terms.idle.as_secs();
    for (ends_after, inherits) in [(idle, true), (2 * idle - 1, true), (2 * idle, false)] {
        let at = later(ends_after).wall;
        assert!(!before.runs_at(at, &terms));
        let next = Session::begin(SessionId(call.id), at, Some(&before), &terms);
        assert_eq!(next.labels.contains(&egress), inherits, "{ends_after} s later");
        assert_eq!(next.echo.is_some(), inherits);
        assert_eq!((next.steps, next.opened_at), (0, at));
    }
    // What a call's tool has seen the session has, once the call is allowed.
    let engine = engine_with(Vec::new(), Vec::new());
    let export = self::call("shop/export", "{}");
    let step = allowed(engine.decide(&export, &known(), now())).step.unwrap();
    assert_eq!(step.labels, [egress]);
    let mut stopped = known();
    stopped.remembered.stop = Some(Stop {
        scope: Scope::Label("egress".parse().unwrap()),
        leaves: Leaves::Nothing,
        reason: String::new(),
        by: String::new(),
        since: Timestamp(0),
    });
    let refused = engine.decide(&export, &stopped, now());
    assert_eq!(refused.changes.step.unwrap().labels, []);
}

fn begun(changes: &Changes) -> Option<&Stop> {
    match &changes.stop {
        Some(StopChange::Begin(stop)) => Some(stop),
        Some(StopChange::End(_)) | None => None,
    }
}

#[test]
fn a_trip_narrows_to_reads_first_and_stops_second() {
    let engine = engine_with(Vec::new(), vec![trip("denials", TripCount::Denials, 3)]);
    let refused = call("shop/drop", "{}");
    for (so_far, narrowed, leaves) in [
        (0, false, None),
        (1, false, None),
        (2, false, Some(Leaves::Reads)),
        (2, true, Some(Leaves::Nothing)),
    ] {
        let mut known = with_balances(&[spent(so_far)]);
        known.remembered.narrowed = narrowed;
        let verdict = engine.decide(&refused, &known, now());
        let stop = begun(&verdict.changes);
        assert_eq!(stop.map(|stop| stop.leaves), leaves, "after {so_far}");
        if let Some(stop) = stop {
            assert_eq!((&stop.scope, stop.by.as_str()), (&Scope::Agent("ops".parse().unwrap()), "placet"));
            assert_eq!(kinds(&verdict.changes), [Kind::Refusal, Kind::Stop]);
        }
        // Once it has gone off it counts anew.
        let tally = &verdict.changes.tallies[0];
        assert_eq!(tally.add, leaves.is_none().then_some(Amount::ONE));
        let account: &Account = &tally.account;
        assert_eq!((account.budget.as_str(), &*account.subject), ("trip denials", "agent:ops"));
        assert_eq!(engine.needs(&refused, now()).accounts[0].account, *account);
    }
    // What is not the agent's doing is not counted against it.
    for known in [Known { offer: Offer::Changed, ..with_balances(&[spent(2)]) }, with_balances(&[spent(2)])] {
        let verdict = engine.decide(&call("shop/look", r#"{"nope":1}"#), &known, now());
        assert!(verdict.changes.tallies.is_empty() && verdict.changes.stop.is_none());
    }
}

#[test]
fn a_canary_a_loop_and_spending_too_fast_trip_too() {
    let engine = engine_with(Vec::new(), Vec::new());
    let mut known = known();
    let verdict = engine.decide(&call("shop/vault", "{}"), &known, now());
    assert_eq!(
        begun(&verdict.changes).map(|stop| stop.leaves),
        Some(Leaves::Reads),
        "no trip is needed for it"
    );
    known.remembered.narrowed = true;
    let verdict = engine.decide(&call("shop/vault", "{}"), &known, now());
    assert_eq!(begun(&verdict.changes).map(|stop| stop.leaves), Some(Leaves::Nothing));

    let trips =
        vec![trip("loops", TripCount::Loops, 2), trip("steep", TripCount::Spend("usd".parse().unwrap()), 8)];
    let engine = engine_with(Vec::new(), trips);
    let note = call("shop/note", "{}");
    for (so_far, goes_off) in [(0, false), (1, true)] {
        let mut known = with_balances(&[spent(so_far), spent(0)]);
        known.remembered.session = Some(echoing(&note, 9));
        let verdict = engine.decide(&note, &known, now());
        assert_eq!(begun(&verdict.changes).is_some(), goes_off, "after {so_far}");
        assert_eq!(code(verdict), "loop_stopped");
    }
    for (so_far, goes_off) in [(3, false), (4, true)] {
        let verdict = engine.decide(
            &call("shop/refund", r#"{"amount":5}"#),
            &with_balances(&[spent(0), spent(so_far)]),
            now(),
        );
        assert_eq!(begun(&verdict.changes).is_some(), goes_off, "after {so_far}");
        if goes_off {
            assert_eq!(code(verdict), "budget_spent");
        } else {
            let holds = allowed(verdict).intent.unwrap().holds;
            assert_eq!((holds.len(), holds[0].amount), (1, usd(5)), "what is spent counts against the trip");
        }
    }
    // Of an agent that it does not watch it says nothing.
    let other = Trip { agent: Some("clerk".parse().unwrap()), ..trip("denials", TripCount::Denials, 1) };
    let engine = engine_with(Vec::new(), vec![other]);
    let verdict = engine.decide(&call("shop/drop", "{}"), &self::known(), now());
    assert!(verdict.changes.tallies.is_empty() && verdict.changes.stop.is_none());
}

#[test]
fn what_became_of_a_key_depends_on_how_the_call_ended() {
    let engine = engine_with(Vec::new(), Vec::new());
    let sent = call_of(1, Proposal { key: Some("k1".into()), ..proposal("shop/order", "{}") });
    let by = call("shop/pay", r#"{"amount":5,"invoice":"r1"}"#);
    let kept = || Kept::Text("a result".into());
    let fate = |intent: &Intent, ending| {
        let outcome = Outcome { kept: Some(kept()), ..Outcome::without_result(ending, "") };
        engine.settle(intent, &outcome, None, now()).settled.unwrap().key.unwrap().1
    };
    for (call, failed) in [(&sent, Fate::Done(kept())), (&by, Fate::Freed)] {
        let intent = allowed(engine.decide(call, &known(), now())).intent.unwrap();
        assert_eq!(fate(&intent, Ending::Succeeded), Fate::Done(kept()));
        assert_eq!(fate(&intent, Ending::Failed), failed);
        assert_eq!(fate(&intent, Ending::NotSent), Fate::Freed);
        assert_eq!(fate(&intent, Ending::Unknown), Fate::Unknown);
        let resolved =
            |happened| decide::resolve(&intent, happened, "ana", "", now()).settled.unwrap().key.unwrap().1;
        assert_eq!(
            resolved(true),
            Fate::Done(Kept::TooLarge),
            "that there was a result is all that is known"
        );
        assert_eq!(resolved(false), Fate::Freed);
        let changes = decide::recover(&intent, now());
        assert_eq!(changes.require, [Precondition::Is(intent.call, Open::Running)]);
        assert_eq!(changes.settled.unwrap().key.unwrap().1, Fate::Unknown);
    }
}

#[test]
fn the_same_call_waits_for_the_one_that_is_out_and_gets_its_answer() {
    let engine = engine_with(Vec::new(), Vec::new());
    let (note, out) = (call("shop/note", "{}"), CallId::from_random([7; 12]));
    let mut known = known();
    known.remembered.running = Some(out);
    let verdict = engine.decide(&note, &known, now());
    assert!(matches!(verdict.decision, Decision::Join(of) if of == out));
    assert_eq!(verdict.changes, Changes::default(), "nothing is remembered of it yet");
    allowed(engine.decide(&call("shop/look", "{}"), &known, now()));
    let joined = engine.joined(&note, &known, now(), out, "its answer".into());
    assert!(matches!(joined.decision, Decision::Replay(Replay { of, .. }) if of == out));
    assert_eq!(kinds(&joined.changes), [Kind::Replay]);
    known.remembered.stop = Some(Stop {
        scope: Scope::Everything,
        leaves: Leaves::Nothing,
        reason: String::new(),
        by: String::new(),
        since: Timestamp(0),
    });
    assert_eq!(code(engine.joined(&note, &known, now(), out, "its answer".into())), "stopped");
}
