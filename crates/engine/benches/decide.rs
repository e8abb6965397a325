//! What one decision costs: for a small remit, and for a hundred agents over three hundred tools.
//!
//! Arguments are parsed and digested already, slices are warm, and the tool's schema is checked each time: so
//! it goes for every call after an agent's first. Reading the wire and making the call are measured apart.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a measurement that cannot go on should say so and end"
)]

use std::{hint::black_box, sync::Arc};

use divan::Bencher;
use placet_engine::{
    call::{Call, CallId, DigestKey, Mode, Proposal},
    decide::{Engine, Verdict},
    decision::Decision,
    json::{Json, Limits, Object, parse},
    level::{Level, LevelSet},
    names::{Action, AgentName},
    policy::{
        Catalogue, Policy, Rules, Tool,
        config::{Agent, At, Guard, GuardEffect, GuardScope, Scope},
    },
    session::{Session, SessionId},
    state::{Known, Remembered},
    time::{BootInstant, Now, Timestamp},
    tool::{Definition, Offer},
};

fn main() {
    divan::main();
}

const DEFINITION: &str = r#"{"name":"read_user","description":"Reads a user.","inputSchema":{"type":"object",
    "properties":{"id":{"type":"string","maxLength":64},"fields":{"type":"array","items":{"type":"string","enum":["name","email","status"]}},
    "limit":{"type":"integer","minimum":1,"maximum":100},"options":{"type":"object","properties":{"fresh":{"type":"boolean"}}}},
    "required":["id"]}}"#;

const ARGUMENTS: &str = r#"{"id":"42","fields":["name","email"],"limit":10,"options":{"fresh":true}}"#;

fn json(text: &str) -> Json {
    parse(text.as_bytes(), &Limits::EDGE).expect("it is JSON")
}

fn arguments() -> Object {
    let Json::Object(object) = json(ARGUMENTS) else { return Object::new() };
    object
}

fn proposal(agent: &str, action: &str) -> Proposal {
    Proposal {
        agent: agent.parse().expect("a name"),
        client: "desk".parse().expect("a name"),
        session: None,
        action: action.parse().expect("a name"),
        arguments: arguments(),
        meta: Object::new(),
        mode: Mode::Live,
        key: None,
        cost: Default::default(),
    }
}

/// An engine and what it knows when a call comes.
struct Desk {
    engine: Engine,
    known: Known,
    now: Now,
}

impl Desk {
    fn new(rules: Rules, catalogue: Catalogue) -> Self {
        let engine = Engine::new(
            Policy::compile(rules, catalogue).expect("the rules are sound"),
            DigestKey::new(&[1; 32]),
        );
        let definition = Definition::read(&json(DEFINITION)).expect("the definition is sound");
        let now = Now { wall: Timestamp(1_795_340_096_000_000), boot: BootInstant::default() };
        let session = Session {
            id: SessionId(CallId::from_random([7; 12])),
            opened_at: now.wall,
            last_at: now.wall,
            steps: 3,
            labels: Default::default(),
            echo: None,
        };
        let remembered = Remembered { session: Some(session), ..Remembered::default() };
        Self { engine, known: Known { remembered, offer: Offer::Accepted(Arc::new(definition)) }, now }
    }

    /// Four tools, and an agent that may read and write.
    fn small() -> Self {
        let tools = [
            ("crm/read_user", Level::Read),
            ("crm/update_user", Level::Write),
            ("crm/send_mail", Level::Execute),
            ("crm/delete_user", Level::Delete),
        ];
        let catalogue = tools.into_iter().map(|(name, level)| (action(name), Tool::from(level))).collect();
        let remit = Agent { levels: LevelSet::of([Level::Read, Level::Write]), ..Agent::default() };
        Self::new(Rules { agents: [(agent("support"), remit)].into(), ..Rules::default() }, catalogue)
    }

    /// A hundred agents with a thousand rules among them, over three hundred tools of ten servers.
    fn large() -> Self {
        let catalogue: Catalogue = (0..300)
            .map(|at| {
                let level = Level::ALL[at % 4];
                (action(&format!("s{}/tool_{at}", at % 10)), Tool::from(level))
            })
            .collect();
        let pattern = |text: String| At { value: text.parse().expect("a pattern"), line: 1 };
        let agents = (0..100).map(|at: usize| {
            let remit = Agent {
                team: Some(format!("team_{}", at % 8).parse().expect("a name")),
                levels: LevelSet::of([Level::Read, Level::Write]),
                allow: (0..5).map(|n| pattern(format!("s{}/tool_*{n}", (at + n) % 10))).collect(),
                deny: (0..3).map(|n| pattern(format!("s{}/tool_{n}9*", (at + 3 * n) % 10))).collect(),
                ..Agent::default()
            };
            (agent(&format!("agent_{at}")), remit)
        });
        let guards = (0..100).map(|at: usize| {
            let scope = match at % 5 {
                0 => GuardScope::Level(Level::ALL[at % 4]),
                _ => GuardScope::Tools(format!("s{}/tool_*{}", at % 10, at % 7).parse().expect("a pattern")),
            };
            let team = format!("team_{}", at % 8).parse().expect("a name");
            let effect = match at % 10 {
                9 => GuardEffect::Forbid("not here".to_owned()),
                _ => GuardEffect::Require(vec![format!("approval:g{}", at % 4).parse().expect("a control")]),
            };
            Guard {
                scope,
                applies_to: Some(Scope::Team(team)),
                levels: None,
                when: None,
                id: None,
                effect,
                line: 1,
            }
        });
        let rules = Rules { agents: agents.collect(), guards: guards.collect(), ..Rules::default() };
        Self::new(rules, catalogue)
    }

    /// The first call of a tool of this level on which the decision is the one meant.
    fn find(&self, level: Level, meant: fn(&Decision) -> bool) -> Arc<Call> {
        let of_level = self.engine.policy().catalogue().iter().filter(|(_, tool)| tool.level() == level);
        let mut calls = of_level.flat_map(|(action, _)| {
            (0..100).map(move |at| call(&format!("agent_{at}"), &action.to_string()))
        });
        calls.find(|call| meant(&self.decide(call).decision)).expect("there is such a call")
    }

    fn decide(&self, call: &Arc<Call>) -> Verdict {
        self.engine.decide(black_box(call), &self.known, self.now)
    }
}

fn action(name: &str) -> Action {
    name.parse().expect("a name")
}

fn agent(name: &str) -> AgentName {
    name.parse().expect("a name")
}

fn call(agent: &str, action: &str) -> Arc<Call> {
    let key = DigestKey::new(&[1; 32]);
    Arc::new(Call::new(CallId::from_random([9; 12]), proposal(agent, action), &key))
}

/// Measures one decision, after making sure that it is the one meant.
fn measure(bencher: Bencher<'_, '_>, desk: &Desk, call: &Arc<Call>, meant: fn(&Decision) -> bool) {
    let first = desk.decide(call).decision;
    assert!(meant(&first), "{first:?}");
    bencher.bench_local(|| desk.decide(call));
}

#[divan::bench]
fn small_read(bencher: Bencher<'_, '_>) {
    let call = call("support", "crm/read_user");
    measure(bencher, &Desk::small(), &call, |decision| matches!(decision, Decision::Allow(_)));
}

#[divan::bench]
fn small_refused_delete(bencher: Bencher<'_, '_>) {
    let call = call("support", "crm/delete_user");
    measure(bencher, &Desk::small(), &call, |decision| matches!(decision, Decision::Deny(_)));
}

#[divan::bench]
fn large_read(bencher: Bencher<'_, '_>) {
    let (desk, meant) = (Desk::large(), |decision: &_| matches!(decision, Decision::Allow(_)));
    let call = desk.find(Level::Read, meant);
    measure(bencher, &desk, &call, meant);
}

#[divan::bench]
fn large_refused_delete(bencher: Bencher<'_, '_>) {
    let (desk, meant) = (Desk::large(), |decision: &_| matches!(decision, Decision::Deny(_)));
    let call = desk.find(Level::Delete, meant);
    measure(bencher, &desk, &call, meant);
}

#[divan::bench]
fn large_write_that_is_asked_about(bencher: Bencher<'_, '_>) {
    let (desk, meant) = (Desk::large(), |decision: &_| matches!(decision, Decision::Ask(_)));
    let call = desk.find(Level::Write, meant);
    measure(bencher, &desk, &call, meant);
}

#[divan::bench]
fn parse_arguments() -> Json {
    json(black_box(ARGUMENTS))
}

#[divan::bench]
fn make_call(bencher: Bencher<'_, '_>) {
    let key = DigestKey::new(&[1; 32]);
    bencher
        .with_inputs(|| proposal("support", "crm/read_user"))
        .bench_local_values(|proposal| Call::new(CallId::from_random([9; 12]), proposal, &key));
}

#[divan::bench]
fn check_schema(bencher: Bencher<'_, '_>) {
    let definition = Definition::read(&json(DEFINITION)).expect("the definition is sound");
    let arguments = Json::Object(arguments());
    bencher.bench_local(|| definition.schema.check(black_box(&arguments)));
}

#[divan::bench]
fn judge(bencher: Bencher<'_, '_>) {
    let desk = Desk::small();
    let (agent, action) = (agent("support"), action("crm/read_user"));
    bencher.bench_local(|| desk.engine.policy().judge(black_box(&agent), black_box(&action)));
}
