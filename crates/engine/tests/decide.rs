//! The way of one call through the engine: which objection comes first, what must be kept, and for how long
//! an allowance opens anything.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on should say so and end"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use placet_engine::{
    approval::Approval,
    call::{Call, CallId, DigestKey, DryRun, Mode, Proposal},
    decide::{self, Engine, Outcome, Verdict},
    decision::{Allowed, Decision, Denial, DenyReason, Plan, Stopped},
    json::{Json, Limits, Object, parse},
    level::{Level, LevelSet},
    limits,
    permit::{Durability, Durable, Grant, Lapse, Mismatch, Permit, Queued, Receipt},
    policy::{
        Policy, Rules, Tool,
        config::{Agent, Approvers, Guard, GuardEffect, GuardScope, terms::SessionTerms},
    },
    record::Kind,
    session::{HistoryEntry, Session, SessionId, SessionKey, Status},
    state::{
        Advance, Changes, Ending, Intent, Known, Needs, Open, Precondition, Remembered, Settled, StopChange,
    },
    stop::{Coordinates, Generations, Leaves, Scope, Stop},
    time::{BootInstant, Now, Timestamp},
    tool::{Definition, Offer},
};
use proptest::prelude::*;

const READ: &str = "crm/read_user";
const WRITE: &str = "crm/update_user";
const EXECUTE: &str = "crm/send_mail";
const DELETE: &str = "crm/delete_user";
/// The one tool that can say what it would do.
const PLANNING: &str = "crm/pause_user";
const ALL: [(&str, Level); 5] = [
    (READ, Level::Read),
    (WRITE, Level::Write),
    (EXECUTE, Level::Execute),
    (DELETE, Level::Delete),
    (PLANNING, Level::Write),
];

const SECOND: Duration = Duration::from_secs(1);

/// `clerk` holds read and write, `ops` everything; each delete asks two groups.
fn engine() -> Engine {
    let remit = |levels: &[Level]| Agent { levels: LevelSet::of(levels.iter().copied()), ..Agent::default() };
    let delete = Guard {
        scope: GuardScope::Level(Level::Delete),
        applies_to: None,
        levels: None,
        when: None,
        id: None,
        effect: GuardEffect::Require(vec![
            "approval:oncall".parse().unwrap(),
            "approval:finance:2".parse().unwrap(),
        ]),
        line: 0,
    };
    let rules = Rules {
        agents: [
            ("clerk".parse().unwrap(), remit(&[Level::Read, Level::Write])),
            ("ops".parse().unwrap(), remit(&Level::ALL)),
        ]
        .into(),
        guards: vec![delete],
        approvers: [("oncall".parse().unwrap(), Approvers { expires: 600 * SECOND, ..Approvers::default() })]
            .into(),
        ..Rules::default()
    };
    let tools = ALL
        .into_iter()
        .map(|(name, level)| (name.parse().unwrap(), Tool { plans: name == PLANNING, ..Tool::from(level) }));
    Engine::new(Policy::compile(rules, tools.collect()).unwrap(), secret())
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

fn accepted() -> Offer {
    let definition = r#"{"name":"t","inputSchema":{"type":"object",
        "properties":{"id":{"type":"string"},"count":{"type":"integer"}},"required":["id"]}}"#;
    Offer::Accepted(Arc::new(Definition::read(&json(definition)).unwrap()))
}

fn now() -> Now {
    Now { wall: Timestamp(1_795_340_096_000_000), boot: BootInstant(5_000 * SECOND) }
}

fn later(now: Now, by: Duration) -> Now {
    Now { wall: now.wall.plus(by), boot: now.boot.plus(by) }
}

fn known() -> Known {
    Known { remembered: Remembered::default(), offer: accepted(), paused: false }
}

fn stop() -> Stop {
    Stop {
        scope: Scope::Everything,
        reason: "look first".to_owned(),
        by: "ana".to_owned(),
        since: Timestamp(7),
        leaves: Leaves::Nothing,
    }
}

fn proposal(agent: &str, action: &str) -> Proposal {
    Proposal {
        agent: agent.parse().unwrap(),
        client: "desk".parse().unwrap(),
        session: None,
        action: action.parse().unwrap(),
        arguments: object(r#"{"id":"42"}"#),
        meta: Object::new(),
        mode: Mode::Live,
        key: None,
        cost: BTreeMap::new(),
    }
}

fn call_of(id: u8, proposal: Proposal) -> Arc<Call> {
    Arc::new(Call::new(CallId::from_random([id; 12]), proposal, &secret()))
}

fn call(agent: &str, action: &str) -> Arc<Call> {
    call_of(1, proposal(agent, action))
}

fn in_mode(agent: &str, action: &str, mode: Mode) -> Arc<Call> {
    call_of(1, Proposal { mode, ..proposal(agent, action) })
}

const MODES: [Mode; 4] =
    [Mode::Live, Mode::DryRun(DryRun::Decide), Mode::DryRun(DryRun::Validate), Mode::DryRun(DryRun::Tool)];

/// Where a call of these tests stands, in the session that it begins.
fn about(agent: &str, action: &str, level: Level) -> Coordinates {
    Coordinates {
        agent: agent.parse().unwrap(),
        team: None,
        client: "desk".parse().unwrap(),
        session: Some(SessionId(CallId::from_random([1; 12]))),
        action: action.parse().unwrap(),
        level: Some(level),
        labels: Arc::default(),
    }
}

fn no_stop(agent: &str, action: &str, level: Level) -> Precondition {
    Precondition::NoStop(about(agent, action, level))
}

#[track_caller]
fn denial(verdict: Verdict) -> Denial {
    match verdict.decision {
        Decision::Deny(denial) => denial,
        other => panic!("it is not denied: {other:?}"),
    }
}

fn kinds(changes: &Changes) -> Vec<Kind> {
    changes.records.iter().map(|record| record.kind).collect()
}

fn member(changes: &Changes, at: usize, key: &str) -> Option<String> {
    changes.records[at].to_json().get(key).map(|value| value.as_str().map_or(value.compact(), str::to_owned))
}

#[test]
fn a_stop_comes_before_every_other_objection() {
    let engine = engine();
    let mut known = known();
    known.remembered.stop = Some(stop());
    for (agent, action) in
        [("ops", READ), ("ops", DELETE), ("ops", "crm/unlisted"), ("clerk", DELETE), ("nobody", READ)]
    {
        for mode in MODES {
            for offer in [accepted(), Offer::Changed, Offer::Absent] {
                known.offer = offer;
                let bad = Proposal { mode, arguments: object(r#"{"nope":1}"#), ..proposal(agent, action) };
                let verdict = engine.decide(&call_of(1, bad), &known, now());
                let stopped =
                    Stopped { scope: Scope::Everything, leaves: Leaves::Nothing, since: Timestamp(7) };
                let want = DenyReason::Stopped(Box::new(stopped));
                assert_eq!(denial(verdict).reason, want, "{agent} {action} {mode:?}");
            }
        }
    }
}

#[test]
fn the_first_objection_in_order_is_the_one_told() {
    let engine = engine();
    let misfit = Offer::Misfit("it is a list".into());
    for (agent, action, arguments, offer, want) in [
        // Not by way of complaints about arguments does an agent learn what a tool that it may not call takes.
        ("clerk", "crm/unlisted", "{}", accepted(), DenyReason::UnknownTool),
        ("clerk", DELETE, "{}", accepted(), DenyReason::NotGranted),
        ("clerk", DELETE, "{}", Offer::Absent, DenyReason::NotGranted),
        ("nobody", READ, "{}", Offer::Changed, DenyReason::NotGranted),
        ("clerk", READ, "{}", Offer::Absent, DenyReason::UnknownTool),
        ("clerk", READ, "{}", Offer::Changed, DenyReason::ToolChanged),
        ("clerk", READ, "{}", Offer::Unusable("its schema".into()), DenyReason::ToolChanged),
        ("clerk", READ, "{}", misfit, DenyReason::BadArguments("it is a list".to_owned())),
        ("ops", DELETE, r#"{"id":"1"}"#, Offer::Changed, DenyReason::ToolChanged),
    ] {
        let known = Known { offer, ..known() };
        let call = call_of(1, Proposal { arguments: object(arguments), ..proposal(agent, action) });
        assert_eq!(denial(engine.decide(&call, &known, now())).reason, want, "{agent} {action}");
    }
    for arguments in ["{}", r#"{"id":7}"#, r#"{"id":"1","x":2}"#] {
        // Nobody is asked about what could not run.
        let call = call_of(1, Proposal { arguments: object(arguments), ..proposal("ops", DELETE) });
        let reason = denial(engine.decide(&call, &known(), now())).reason;
        assert!(matches!(reason, DenyReason::BadArguments(_)), "{arguments}: {reason:?}");
    }
}

#[test]
fn a_refusal_says_the_level_and_the_policies_where_there_are_some() {
    let engine = engine();
    let verdict = engine.decide(&call("clerk", DELETE), &known(), now());
    assert_eq!(member(&verdict.changes, 0, "level").as_deref(), Some("delete"));
    assert_eq!(member(&verdict.changes, 0, "code").as_deref(), Some("not_granted"));
    assert_eq!(kinds(&verdict.changes), [Kind::Refusal]);
    assert_eq!((verdict.changes.require.len(), verdict.changes.intent.is_none()), (0, true));
    assert_eq!(denial(verdict).level, Some(Level::Delete));
    let verdict = engine.decide(&call("clerk", "crm/unlisted"), &known(), now());
    assert_eq!(member(&verdict.changes, 0, "level").as_deref(), Some("unknown"));
    assert_eq!(denial(verdict).level, None);
}

#[test]
fn only_a_read_may_run_on_a_queued_record() {
    let engine = engine();
    for (action, level) in ALL.into_iter().filter(|(action, _)| *action != DELETE) {
        let verdict = engine.decide(&call("ops", action), &known(), now());
        let Decision::Allow(allowed) = verdict.decision else { panic!("{action} is not allowed") };
        assert_eq!(matches!(allowed, Allowed::Read(_)), level == Level::Read, "{action}");
    }
}

#[test]
fn an_allowance_holds_only_while_nothing_has_moved() {
    let mut known = known();
    known.remembered.generations = Generations { stop: 3, policy: 1, catalogue: 4 };
    let generations = Precondition::Generations(known.remembered.generations);
    let read = engine().decide(&call("ops", READ), &known, now()).changes;
    assert_eq!(read.require, [no_stop("ops", READ, Level::Read), generations.clone()]);
    let changes = engine().decide(&call("ops", WRITE), &known, now()).changes;
    let same = Precondition::NotRunning(call("ops", WRITE).digest);
    assert_eq!(changes.require, [no_stop("ops", WRITE, Level::Write), generations.clone(), same]);
    let question = engine().decide(&call("ops", DELETE), &known, now()).changes;
    let digest = call("ops", DELETE).digest;
    assert_eq!(
        question.require,
        [no_stop("ops", DELETE, Level::Delete), generations, Precondition::Question(digest, None)]
    );
}

#[test]
fn an_allowance_is_kept_with_the_very_text_that_is_sent() {
    let text = r#"{"count":5.0,"id":"42"}"#;
    let call = call_of(9, Proposal { arguments: object(text), ..proposal("clerk", WRITE) });
    let changes = engine().decide(&call, &known(), now()).changes;
    let intent = Intent {
        call: call.id,
        agent: "clerk".parse().unwrap(),
        client: "desk".parse().unwrap(),
        run: None,
        action: WRITE.parse().unwrap(),
        level: Level::Write,
        session: SessionId(call.id),
        at: now().wall,
        arguments: r#"{"count":5,"id":"42"}"#.to_owned(),
        salt: None,
        digest: call.digest,
        joined: true,
        holds: Vec::new(),
        claim: None,
        approval: None,
    };
    assert_eq!(changes.intent, Some(intent));
    assert_eq!(kinds(&changes), [Kind::Intent]);
    assert_eq!(changes.records[0].call, Some(call.id));
    assert_eq!(member(&changes, 0, "digest"), Some(format!("hmac-sha256:{}", call.digest)));
    assert_eq!(member(&changes, 0, "policies").as_deref(), Some(r#"["agents.clerk.levels"]"#));
}

#[test]
fn people_are_asked_once_about_one_call() {
    let engine = engine();
    let first = call_of(1, proposal("ops", DELETE));
    let Verdict { decision: Decision::Ask(request), changes } = engine.decide(&first, &known(), now()) else {
        panic!("a delete asks")
    };
    // As long as the most impatient of the two groups.
    assert_eq!(request.waits, 600 * SECOND);
    assert_eq!(request.approval.expires_at, now().wall.plus(600 * SECOND));
    assert_eq!((request.approval.id, request.approval.digest), (first.id, first.digest));
    let asked: Vec<_> = request.approval.controls.iter().map(ToString::to_string).collect();
    assert_eq!(asked, ["approval:finance:2", "approval:oncall"]);
    assert_eq!(changes.question.as_ref(), Some(&request.approval));
    assert_eq!((kinds(&changes), changes.intent), (vec![Kind::Ask], None));

    let mut known = known();
    known.remembered.question = Some(request.approval.clone());
    let then = later(now(), 599 * SECOND);
    let again = call_of(2, proposal("ops", DELETE));
    let Verdict { decision: Decision::Ask(joined), changes } = engine.decide(&again, &known, then) else {
        panic!("it still waits")
    };
    assert_eq!((&joined.approval, joined.waits), (&request.approval, SECOND));
    assert_eq!((changes.question.as_ref(), changes.require.len()), (None, 0));
    assert_eq!(member(&changes, 0, "joins"), Some(first.id.to_string()));

    let then = later(now(), 600 * SECOND);
    let Verdict { decision: Decision::Deny(denial), changes } = engine.decide(&again, &known, then) else {
        panic!("no answer is a no")
    };
    assert_eq!(denial.reason, DenyReason::ApprovalExpired);
    assert_eq!(kinds(&changes), [Kind::Expired, Kind::Refusal]);
    assert_eq!(member(&changes, 0, "approval"), Some(first.id.to_string()));
    assert!(changes.require.contains(&Precondition::Question(again.digest, Some(request.approval.seen()))));

    // Once that has been said the same call asks anew.
    known.remembered.question = changes.question;
    let Verdict { decision: Decision::Ask(anew), changes } = engine.decide(&again, &known, then) else {
        panic!("a delete asks")
    };
    assert_eq!((anew.approval.id, anew.approval.expires_at), (again.id, then.wall.plus(600 * SECOND)));
    assert_eq!(kinds(&changes), [Kind::Ask]);
}

#[test]
fn whatever_the_tool_would_see_makes_another_question() {
    let base = proposal("ops", DELETE);
    let other: Vec<Proposal> = vec![
        Proposal { arguments: object(r#"{"id":"43"}"#), ..base.clone() },
        Proposal { arguments: object(r#"{"id":"42","count":1}"#), ..base.clone() },
        Proposal { meta: object(r#"{"x":1}"#), ..base.clone() },
        Proposal { session: Some("run-1".into()), ..base.clone() },
        Proposal { client: "phone".parse().unwrap(), ..base.clone() },
        Proposal { agent: "clerk".parse().unwrap(), ..base.clone() },
        Proposal { action: WRITE.parse().unwrap(), ..base.clone() },
        Proposal { action: "crm2/delete_user".parse().unwrap(), ..base.clone() },
        Proposal { mode: Mode::DryRun(DryRun::Tool), ..base.clone() },
    ];
    let digests: std::collections::BTreeSet<_> =
        other.into_iter().chain([base.clone()]).map(|proposal| call_of(1, proposal).digest).collect();
    assert_eq!(digests.len(), 10);
    // The same arguments in another order and spelling are the same call.
    let respelt = Proposal { arguments: object(r#"{ "\u0069d" : "42" }"#), ..base.clone() };
    assert_eq!(call_of(1, base).digest, call_of(2, respelt).digest);
}

#[test]
fn a_dry_run_that_reaches_no_tool_says_what_would_happen() {
    for dry in [DryRun::Decide, DryRun::Validate] {
        for (action, level, controls) in
            [(READ, Level::Read, 0), (PLANNING, Level::Write, 0), (DELETE, Level::Delete, 2)]
        {
            let verdict = engine().decide(&in_mode("ops", action, Mode::DryRun(dry)), &known(), now());
            let Decision::Plan(Plan { action: planned, level: of, policies, controls: asked, holds }) =
                verdict.decision
            else {
                panic!("{action} {dry:?} is no plan")
            };
            assert_eq!((planned.to_string().as_str(), of, asked.len()), (action, level, controls));
            assert!(policies.iter().any(|id| &**id == "agents.ops.levels"), "{policies:?}");
            assert_eq!(holds, []);
            let changes = verdict.changes;
            assert_eq!((kinds(&changes), changes.intent, changes.question), (vec![Kind::Plan], None, None));
        }
    }
}

#[test]
fn a_dry_run_that_reaches_the_tool_is_a_dispatch_that_the_tool_must_know() {
    let tool = Mode::DryRun(DryRun::Tool);
    let unsupported = engine().decide(&in_mode("ops", WRITE, tool), &known(), now());
    assert_eq!(denial(unsupported).reason, DenyReason::DryRunUnsupported);
    let allowed = engine().decide(&in_mode("ops", PLANNING, tool), &known(), now());
    assert!(matches!(allowed.decision, Decision::Allow(Allowed::Effect(_))));
    assert_eq!(member(&allowed.changes, 0, "mode").as_deref(), Some("dry_run:tool"));
    assert!(allowed.changes.intent.is_some());
}

#[test]
fn what_is_refused_live_is_refused_dry_and_for_the_same_reason() {
    for (agent, action, arguments) in [
        ("clerk", WRITE, r#"{"id":7}"#),
        ("clerk", PLANNING, r#"{"id":"1","x":2}"#),
        ("ops", DELETE, "{}"),
        ("clerk", DELETE, r#"{"id":"1"}"#),
        ("clerk", "crm/unlisted", r#"{"id":"1"}"#),
        ("nobody", READ, r#"{"id":"1"}"#),
    ] {
        let denials = MODES.map(|mode| {
            let call = call_of(1, Proposal { mode, arguments: object(arguments), ..proposal(agent, action) });
            denial(engine().decide(&call, &known(), now()))
        });
        assert!(
            denials.iter().all(|denial| *denial == denials[0]),
            "{agent} {action} {arguments}: {denials:?}"
        );
    }
}

#[test]
fn a_session_goes_on_until_it_idles_or_is_too_old() {
    let minute = 60 * SECOND;
    let session = SessionId(CallId::from_random([77; 12]));
    for (age, idle, goes_on) in [
        (Duration::ZERO, Duration::ZERO, true),
        (40 * minute, 30 * minute - SECOND, true),
        (40 * minute, 30 * minute, false),
        (24 * 60 * minute - SECOND, SECOND, true),
        (24 * 60 * minute, SECOND, false),
    ] {
        let then = later(now(), 25 * 60 * minute);
        let opened_at = Timestamp(then.wall.0 - u64::try_from(age.as_micros()).unwrap());
        let last_at = Timestamp(then.wall.0 - u64::try_from(idle.as_micros()).unwrap());
        let mut known = known();
        known.remembered.session =
            Some(Session { id: session, opened_at, last_at, steps: 5, labels: BTreeSet::new(), echo: None });
        for action in [READ, DELETE, "crm/unlisted"] {
            let call = call("ops", action);
            let changes = engine().decide(&call, &known, then).changes;
            let step = changes.step.clone().unwrap();
            let want = if goes_on { session } else { SessionId(call.id) };
            assert_eq!((step.id, step.at), (want, then.wall), "{action}: {age:?} old, {idle:?} idle");
            assert_eq!(member(&changes, 0, "session"), Some(want.to_string()));
        }
    }
}

#[test]
fn a_run_that_the_host_named_is_a_session_of_its_own() {
    let named = |name: &str| call_of(1, Proposal { session: Some(name.into()), ..proposal("ops", READ) });
    let key = |call: &Call| engine().needs(call, now()).session.unwrap();
    assert_ne!(key(&named("a")), key(&named("b")));
    assert_ne!(key(&named("a")), key(&call("ops", READ)));
    assert_eq!(key(&named("")), key(&call("ops", READ)), "an empty name names nothing");
    let changes = engine().decide(&named("a"), &known(), now()).changes;
    assert_eq!(changes.step.unwrap().key, key(&named("a")));
    let needs = engine().needs(&named("a"), now());
    assert_eq!((needs.session, needs.question), (Some(key(&named("a"))), Some(named("a").digest)));
}

#[test]
fn the_history_says_what_was_requested_and_what_became_of_it() {
    for (agent, action, mode, level, became) in [
        ("ops", READ, Mode::Live, Some(Level::Read), Status::Allowed),
        ("clerk", DELETE, Mode::Live, Some(Level::Delete), Status::Blocked),
        ("ops", "crm/unlisted", Mode::Live, None, Status::Blocked),
        ("ops", DELETE, Mode::Live, Some(Level::Delete), Status::Asked),
        ("ops", DELETE, Mode::DryRun(DryRun::Decide), Some(Level::Delete), Status::Planned),
    ] {
        let step = engine().decide(&in_mode(agent, action, mode), &known(), now()).changes.step.unwrap();
        let entry = |status| HistoryEntry { action: action.parse().unwrap(), level, status };
        assert_eq!(step.entries, [entry(Status::Requested), entry(became)], "{agent} {action}");
    }
}

#[test]
fn a_call_needs_to_know_what_its_decision_depends_on() {
    let write = call("ops", WRITE);
    let needs = Needs {
        now: now().wall,
        terms: SessionTerms::default(),
        about: Some(Coordinates { session: None, ..about("ops", WRITE, Level::Write) }),
        session: Some(SessionKey::of(&write)),
        question: Some(write.digest),
        key: None,
        approval: None,
        questions: false,
        running: Some(write.digest),
        accounts: Vec::new(),
        history: false,
        stops: false,
    };
    assert_eq!(engine().needs(&write, now()), needs);
    assert_eq!(engine().needs(&call("ops", READ), now()).running, None, "a read waits for no other");
    let dry = in_mode("ops", PLANNING, Mode::DryRun(DryRun::Tool));
    assert_eq!(engine().needs(&dry, now()).running, None, "nor does a dry run");
}

fn intent_of(call: &Arc<Call>) -> Intent {
    engine().decide(call, &known(), now()).changes.intent.unwrap()
}

fn outcome(ending: Ending) -> Outcome {
    Outcome { note: None, ..Outcome::without_result(ending, "") }
}

#[test]
fn how_a_call_ended_is_kept_once() {
    let intent = intent_of(&call("ops", WRITE));
    for (ending, word) in [
        (Ending::Succeeded, "succeeded"),
        (Ending::Failed, "failed"),
        (Ending::NotSent, "not_sent"),
        (Ending::Unknown, "unknown"),
    ] {
        let outcome = Outcome { note: Some("why".to_owned()), bytes: Some(12), ..outcome(ending) };
        let changes = engine().settle(&intent, &outcome, None, now());
        assert_eq!(changes.require, [Precondition::Is(intent.call, Open::Running)]);
        let settled = Settled {
            call: intent.call,
            ending,
            charges: Vec::new(),
            key: None,
            heard: None,
            returned: None,
        };
        assert_eq!(changes.settled, Some(settled));
        assert_eq!(kinds(&changes), [Kind::Outcome]);
        for (key, value) in [("outcome", word), ("note", "why"), ("result_bytes", "12"), ("level", "write")] {
            assert_eq!(member(&changes, 0, key).as_deref(), Some(value), "{key}");
        }
    }
}

#[test]
fn what_a_dead_node_left_open_becomes_unknown() {
    let intent = intent_of(&call("ops", WRITE));
    let changes = decide::recover(&intent, now());
    assert_eq!(changes.require, [Precondition::Is(intent.call, Open::Running)]);
    assert_eq!(changes.settled.as_ref().map(|s| (s.call, s.ending)), Some((intent.call, Ending::Unknown)));
    assert_eq!((kinds(&changes), changes.records[0].call), (vec![Kind::Outcome], Some(intent.call)));
    assert!(!changes.records[0].to_json().compact().contains("42"), "no arguments");
}

#[test]
fn only_an_unknown_call_is_resolved_and_only_a_running_one_settled() {
    let intent = intent_of(&call("ops", WRITE));
    for (happened, ending) in [(true, Ending::Succeeded), (false, Ending::Failed)] {
        let changes = decide::resolve(&intent, happened, "ana", "the bank says so", now());
        assert_eq!(changes.require, [Precondition::Is(intent.call, Open::Unknown)]);
        assert_eq!(changes.settled.as_ref().map(|settled| settled.ending), Some(ending));
        assert_eq!(member(&changes, 0, "resolved_by").as_deref(), Some("ana"));
        assert_eq!(member(&changes, 0, "evidence").as_deref(), Some("the bank says so"));
    }
    let changes = decide::not_sent(&intent, now());
    assert_eq!(changes.require, [Precondition::Is(intent.call, Open::Running)]);
    assert_eq!(changes.settled.map(|settled| settled.ending), Some(Ending::NotSent));
}

#[test]
fn a_stop_and_its_end_are_always_taken_and_recorded() {
    let begun = decide::stop(Stop { since: now().wall, ..stop() }, now());
    let Some(StopChange::Begin(stop)) = &begun.stop else { panic!("it begins") };
    assert_eq!((stop.by.as_str(), stop.reason.as_str(), stop.since), ("ana", "look first", now().wall));
    let ended = decide::resume(Scope::Everything, "bo", "looked", now());
    assert_eq!(ended.stop, Some(StopChange::End(Scope::Everything)));
    for (changes, kind, by) in [(begun, Kind::Stop, "ana"), (ended, Kind::Resume, "bo")] {
        assert_eq!((kinds(&changes), changes.require.len()), (vec![kind], 0));
        assert_eq!(member(&changes, 0, "by").as_deref(), Some(by));
        assert_eq!(member(&changes, 0, "scope").as_deref(), Some("everything"));
    }
    let record = placet_engine::record::Record::new(Kind::Catalogue, now().wall, []);
    assert_eq!(decide::advance(Advance::Catalogue, record).advance, Some(Advance::Catalogue));
}

#[test]
fn a_call_that_loses_the_race_for_a_session_moves_into_the_one_that_runs() {
    let mut changes = engine().decide(&call("ops", WRITE), &known(), now()).changes;
    let running = SessionId(CallId::from_random([5; 12]));
    let meant = changes.step.clone().unwrap().id;
    changes.continue_in(running);
    assert_eq!(changes.step.as_ref().unwrap().id, running);
    assert_eq!(changes.intent.as_ref().unwrap().session, running);
    assert_eq!(member(&changes, 0, "session"), Some(running.to_string()));
    let text = changes.records[0].to_json().compact();
    assert!(!text.contains(&meant.to_string()), "{text}");
    let same = changes.clone();
    changes.continue_in(running);
    assert_eq!(changes, same);
}

#[expect(clippy::disallowed_methods, reason = "the test stands in for a store that has taken the changes")]
fn receipt<D: Durability>(call: Option<CallId>) -> Receipt<D> {
    let intent = call.map(|call| Intent { call, ..intent_of(&self::call("ops", WRITE)) });
    Receipt::attest(intent.as_ref())
}

#[expect(clippy::disallowed_methods, reason = "the test stands in for the gate")]
fn permit<D: Durability>(grant: Grant<D>, receipt: Receipt<D>) -> Result<Permit<D>, Mismatch> {
    Permit::new(grant, receipt)
}

fn read_grant(id: u8, known: &Known) -> Grant<Queued> {
    match engine().decide(&call_of(id, proposal("ops", READ)), known, now()).decision {
        Decision::Allow(Allowed::Read(grant)) => grant,
        other => panic!("a read is allowed: {other:?}"),
    }
}

fn write_grant(id: u8, known: &Known) -> Grant<Durable> {
    match engine().decide(&call_of(id, proposal("ops", WRITE)), known, now()).decision {
        Decision::Allow(Allowed::Effect(grant)) => grant,
        other => panic!("a write is allowed: {other:?}"),
    }
}

#[test]
fn a_permit_needs_the_receipt_of_its_own_intent() {
    let (one, two) = (CallId::from_random([1; 12]), CallId::from_random([2; 12]));
    assert_eq!(permit(write_grant(1, &known()), receipt(Some(two))).unwrap_err(), Mismatch);
    assert_eq!(permit(write_grant(1, &known()), receipt(None)).unwrap_err(), Mismatch);
    assert_eq!(permit(read_grant(1, &known()), receipt(None)).unwrap_err(), Mismatch);
    assert_eq!(permit(write_grant(1, &known()), receipt(Some(one))).unwrap().call().id, one);
    assert_eq!(permit(read_grant(2, &known()), receipt(Some(two))).unwrap().call().id, two);
}

#[test]
fn a_permit_stands_in_the_session_in_which_its_intent_is_kept() {
    let grant = write_grant(1, &known());
    let meant = grant.about().session;
    let mut kept = intent_of(&call("ops", WRITE));
    let running = SessionId(CallId::from_random([5; 12]));
    kept.continue_in(running);
    #[expect(clippy::disallowed_methods, reason = "the test stands in for a store")]
    let permit = permit(grant, Receipt::attest(Some(&kept))).unwrap();
    assert_eq!((meant, permit.about().session), (Some(SessionId(kept.call)), Some(running)));
    let stop = Stop { scope: Scope::Session(running), ..stop() };
    assert!(stop.covers(permit.about()), "a stop of that session finds it");
}

#[test]
fn a_permit_lapses_two_seconds_after_the_decision() {
    let permit = permit(write_grant(1, &known()), receipt(Some(CallId::from_random([1; 12])))).unwrap();
    let current = Generations::default();
    assert_eq!(limits::PERMIT_LIFE, 2 * SECOND);
    for (after, want) in [
        (Duration::ZERO, Ok(())),
        (2 * SECOND - Duration::from_nanos(1), Ok(())),
        (2 * SECOND, Err(Lapse::TooLate)),
        (86_400 * SECOND, Err(Lapse::TooLate)),
    ] {
        assert_eq!(permit.check(now().boot.plus(after), current), want, "{after:?}");
    }
}

#[test]
fn a_permit_lapses_when_stop_policy_or_catalogue_move() {
    let seen = Generations { stop: 1, policy: 2, catalogue: 3 };
    let mut known = known();
    known.remembered.generations = seen;
    let permit = permit(write_grant(1, &known), receipt(Some(CallId::from_random([1; 12])))).unwrap();
    assert_eq!(permit.check(now().boot, seen), Ok(()));
    for moved in [
        Generations { stop: 2, ..seen },
        Generations { policy: 3, ..seen },
        Generations { catalogue: 4, ..seen },
        Generations { stop: 0, ..seen },
        Generations::default(),
    ] {
        assert_eq!(permit.check(now().boot, moved), Err(Lapse::Moved), "{moved:?}");
    }
}

const CANARY: &str = "canary7f3k";

/// JSON that holds the canary in keys and in texts, at random places.
fn any_secretive() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        Just(Json::from(CANARY)),
        "[a-z]{0,3}".prop_map(|text| Json::from(format!("{text}{CANARY}"))),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let key = prop_oneof![
            Just("id".to_owned()),
            Just("count".to_owned()),
            "[a-z]{0,2}".prop_map(|text| format!("{CANARY}{text}")),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::from),
            prop::collection::vec((key, inner), 0..3)
                .prop_map(|members| Json::Object(members.into_iter().collect::<Object>())),
        ]
    })
}

fn any_arguments() -> impl Strategy<Value = Object> {
    prop_oneof![
        any_secretive().prop_map(|id| Object::from([("id", id)])),
        any_secretive().prop_map(|count| Object::from([("id", Json::from(CANARY)), ("count", count)])),
        any_secretive().prop_map(|value| Object::from([(CANARY, value)])),
        Just(Object::from([("id", Json::from(CANARY)), ("count", Json::from(1))])),
    ]
}

fn any_call() -> impl Strategy<Value = Arc<Call>> {
    let names: Vec<_> = ALL.iter().map(|(name, _)| *name).chain(["crm/unlisted"]).collect();
    (
        prop::sample::select(vec!["clerk", "ops", "nobody"]),
        prop::sample::select(names),
        prop::sample::select(MODES.to_vec()),
        any_arguments(),
        any::<u8>(),
    )
        .prop_map(|(agent, action, mode, arguments, id)| {
            let meta = Object::from([(CANARY, Json::from(CANARY))]);
            call_of(id, Proposal { mode, arguments, meta, ..proposal(agent, action) })
        })
}

fn any_known() -> impl Strategy<Value = Known> {
    let question = prop::option::of((any::<bool>(), any::<u8>()));
    (prop::option::weighted(0.2, Just(stop())), 0..5_usize, question, any::<u64>()).prop_map(
        |(stop, offer, question, policy)| {
            let offers = [
                accepted(),
                accepted(),
                Offer::Changed,
                Offer::Absent,
                Offer::Unusable("it cannot be used".into()),
            ];
            let question = question.map(|(pending, id)| {
                let asked = call_of(id, proposal("ops", DELETE));
                let shape = match accepted() {
                    Offer::Accepted(definition) => definition.shape,
                    other => panic!("{other:?}"),
                };
                let controls = vec!["approval:oncall".parse().unwrap()];
                let waits = if pending { SECOND } else { Duration::ZERO };
                Approval::about(&asked, Level::Delete, shape, controls, now().wall, waits)
            });
            let generations = Generations { policy, ..Generations::default() };
            let remembered = Remembered { stop, question, generations, ..Remembered::default() };
            Known { remembered, offer: offers[offer].clone(), paused: false }
        },
    )
}

/// The decision in short, to compare two.
fn in_short(decision: &Decision) -> String {
    match decision {
        Decision::Allow(Allowed::Read(_)) => "read".to_owned(),
        Decision::Allow(Allowed::Effect(_)) => "effect".to_owned(),
        Decision::Ask(request) => format!("{request:?}"),
        Decision::Deny(denial) => format!("{denial:?}"),
        Decision::Plan(plan) => format!("{plan:?}"),
        Decision::Join(other) => format!("joins {other}"),
        Decision::Replay(replay) => format!("{replay:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn records_hold_no_arguments(call in any_call(), known in any_known()) {
        let engine = engine();
        let Verdict { decision, changes } = engine.decide(&call, &known, now());
        for record in &changes.records {
            let text = record.to_json().compact();
            prop_assert!(!text.contains(CANARY), "{}", text);
        }
        // What people must be shown stands in the question, beside the records, and is erased as intents' arguments are.
        let question = changes.question.clone().map(|question| {
            Approval { arguments: String::new(), meta: String::new(), ..question }
        });
        let beside = format!("{:?} {:?}", changes.step, question);
        prop_assert!(!beside.contains(CANARY), "{}", beside);
        if let Decision::Allow(_) = decision {
            let intent = changes.intent.unwrap();
            prop_assert!(intent.arguments.contains(CANARY), "beside the records they are kept");
            let outcome = Outcome { bytes: Some(1), ..outcome(Ending::Succeeded) };
            for kept in [engine.settle(&intent, &outcome, None, now()), decide::recover(&intent, now())] {
                prop_assert!(!kept.records[0].to_json().compact().contains(CANARY));
            }
        }
    }

    #[test]
    fn nothing_is_allowed_except_what_every_check_lets_through(call in any_call(), known in any_known()) {
        let engine = engine();
        let Verdict { decision, changes } = engine.decide(&call, &known, now());
        let allows = matches!(decision, Decision::Allow(_));
        prop_assert_eq!(allows, changes.intent.is_some(), "an intent is kept for what may run, and for nothing else");
        // Whatever happened, one record says so, and the step is counted once.
        prop_assert_eq!(changes.records.iter().filter(|record| record.call == Some(call.id)).count(), 1);
        prop_assert_eq!(changes.step.as_ref().map(|step| step.entries.len()), Some(2));
        if allows {
            prop_assert!(known.remembered.stop.is_none());
            let Offer::Accepted(definition) = &known.offer else { panic!("{:?} is no accepted tool", known.offer) };
            prop_assert_eq!(definition.schema.check(call.arguments.value()), Ok(()));
            prop_assert!(call.agent.as_str() != "nobody");
            let level = engine.policy().level(&call.action);
            prop_assert!(level.is_some() && level != Some(Level::Delete), "each delete asks");
            prop_assert!(call.agent.as_str() == "ops" || level != Some(Level::Execute), "the clerk executes nothing");
            prop_assert!(matches!(call.mode, Mode::Live | Mode::DryRun(DryRun::Tool)));
            let level = level.unwrap();
            let mut require = vec![
                no_stop(call.agent.as_str(), &call.action.to_string(), level),
                Precondition::Generations(known.remembered.generations),
            ];
            let Precondition::NoStop(about) = &mut require[0] else { panic!("it is the first") };
            about.session = Some(SessionId(call.id));
            if call.mode == Mode::Live && level != Level::Read {
                require.push(Precondition::NotRunning(call.digest));
            }
            prop_assert_eq!(changes.require, require);
        }
    }

    #[test]
    fn the_same_call_under_the_same_circumstances_is_decided_alike(call in any_call(), known in any_known()) {
        let (one, two) = (engine().decide(&call, &known, now()), engine().decide(&call, &known, now()));
        prop_assert_eq!(one.changes, two.changes);
        prop_assert_eq!(in_short(&one.decision), in_short(&two.decision));
    }
}

/// What the first record of a verdict says of a member.
fn said(verdict: &Verdict, key: &str) -> Option<String> {
    let record = verdict.changes.records.first()?.to_json();
    record.get(key).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

#[test]
fn where_policy_is_only_watched_the_call_runs_and_its_record_says_what_would_have_been_decided() {
    let mut rules = engine().policy().rules().clone();
    for agent in rules.agents.values_mut() {
        agent.observe = true;
    }
    let watched =
        Engine::new(Policy::compile(rules, engine().policy().catalogue().clone()).unwrap(), secret());
    let paused = Known { paused: true, ..known() };
    for (agent, action, observed) in [
        ("clerk", WRITE, None),
        ("clerk", EXECUTE, Some("deny not_granted")),
        ("clerk", DELETE, Some("deny not_granted")),
        ("ops", DELETE, Some("ask approval:finance:2 approval:oncall")),
    ] {
        let call = call(agent, action);
        for verdict in [watched.decide(&call, &known(), now()), engine().decide(&call, &paused, now())] {
            assert!(
                matches!(verdict.decision, Decision::Allow(_)),
                "{agent} {action}: {:?}",
                verdict.decision
            );
            assert_eq!(said(&verdict, "observed").as_deref(), observed, "{agent} {action}");
        }
    }
    let unknown = watched.decide(&call("clerk", "crm/unheard_of"), &known(), now());
    assert!(matches!(unknown.decision, Decision::Deny(_)));
}

#[test]
fn a_pause_softens_nothing_but_policy() {
    let stopped = Remembered { stop: Some(stop()), ..Remembered::default() };
    let bad = Proposal { arguments: object(r#"{"id":42}"#), ..proposal("ops", WRITE) };
    for (known, call, reason) in [
        (Known { remembered: stopped, ..known() }, call("ops", WRITE), "stopped"),
        (Known { offer: Offer::Changed, ..known() }, call("ops", WRITE), "tool_changed"),
        (known(), call_of(1, bad), "bad_arguments"),
        (known(), call("nobody", "crm/unheard_of"), "unknown_tool"),
    ] {
        let verdict = engine().decide(&call, &Known { paused: true, ..known }, now());
        let Decision::Deny(denial) = verdict.decision else { panic!("{reason}") };
        assert_eq!(denial.reason.code().as_str(), reason);
    }
}
