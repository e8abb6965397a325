//! What one decision costs: for a small remit, and for a hundred agents over three hundred tools.
//!
//! `judged_by_*` judge a call by guards that read its arguments, among so many policies of which always the same
//! few concern it; `cedar_over_all` asks Cedar alone about the same call and the same policies, for the ratio.
//!
//! Arguments are parsed and digested already, slices are warm, and the tool's schema is checked each time: so
//! it goes for every call after an agent's first. Reading the wire and making the call are measured apart.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a measurement that cannot go on should say so and end"
)]

use std::{hint::black_box, sync::Arc};

use cedar_policy::{Authorizer, Context, Entities, Entity, PolicySet, Request, RestrictedExpression};
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
        own_files::{Base, OwnFiles},
        when::When,
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
            Policy::compile(rules, catalogue).expect("the rules are sound").guarding(Arc::new(own_files())),
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
        Self {
            engine,
            known: Known { remembered, offer: Offer::Accepted(Arc::new(definition)), paused: false },
            now,
        }
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

/// As many files as a node has, for a server whose folder is known.
fn own_files() -> OwnFiles {
    let files = (0..60).map(|at| format!("/home/person/.config/folder_{at}/file_{at}"));
    let base = Base::Guessed(vec!["/".to_owned()]);
    OwnFiles::new(files, false)
        .at_home("/home/person", Some("person"))
        .with_base("crm".parse().expect("a name"), base)
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

/// Arguments of which half are paths.
#[divan::bench]
fn look_for_own_files(bencher: Bencher<'_, '_>) {
    let own = own_files();
    let arguments = json(
        r#"{"path":"/home/person/work/project/src/main.rs","other":"src/lib.rs","text":"a line of text / with a slash",
            "edits":[{"old":"fn one() {}","new":"fn two() {}"},{"old":"x","new":"y"}],"dry":true}"#,
    );
    let server = "crm".parse().expect("a name");
    bencher.bench_local(|| own.touched(black_box(&server), black_box(&arguments)));
}

/// A text of a hundred thousand letters, as a file's content is.
#[divan::bench]
fn look_for_own_files_in_a_long_text(bencher: Bencher<'_, '_>) {
    let own = own_files();
    let text = "let path = \"src/main.rs\"; // a line of code\n".repeat(2_200);
    let arguments = Json::Object(Object::from([("content", Json::from(text))]));
    let server = "crm".parse().expect("a name");
    bencher.bench_local(|| own.touched(black_box(&server), black_box(&arguments)));
}

#[divan::bench]
fn judge(bencher: Bencher<'_, '_>) {
    let desk = Desk::small();
    let (agent, action) = (agent("support"), action("crm/read_user"));
    bencher.bench_local(|| desk.engine.policy().judge(black_box(&agent), black_box(&action)));
}

/// So many policies, most of them guards with a condition: three concern what is called, the others one agent and
/// one tool each.
fn conditional(policies: usize) -> (Rules, Catalogue) {
    let definition = Arc::new(Definition::read(&json(DEFINITION)).expect("the definition is sound"));
    let tool =
        |at: usize| Tool { definition: Some(Arc::clone(&definition)), ..Tool::from(Level::ALL[at % 4]) };
    let name = |at: usize| format!("s{}/tool_{at}", at % 10);
    let catalogue = (0..300).map(|at| (action(&name(at)), tool(at))).collect();
    let agents = (policies / 2).min(100);
    let remit = || Agent { levels: LevelSet::of(Level::ALL), ..Agent::default() };
    let guard = |at: usize| {
        let (applies_to, scope, when, effect) = match at {
            0 => (None, name(0), "args.limit > 50".to_owned(), approval()),
            1 => (None, name(0), "args.options.fresh == false".to_owned(), forbidden()),
            2 => (
                None,
                name(0),
                r#"args.fields.contains("status") && session.steps > 9"#.to_owned(),
                forbidden(),
            ),
            _ => {
                let agent = agent(&format!("agent_{}", at % agents));
                let when = format!("args has limit && args.limit > {}", at % 90);
                (Some(Scope::Agent(agent)), name(1 + at % 299), when, approval())
            }
        };
        Guard {
            scope: GuardScope::Tools(scope.parse().expect("a pattern")),
            applies_to,
            levels: None,
            when: Some(When::parse(&when).expect("a condition")),
            id: None,
            effect,
            line: 1,
        }
    };
    let rules = Rules {
        agents: (0..agents).map(|at| (agent(&format!("agent_{at}")), remit())).collect(),
        guards: (0..policies - agents).map(guard).collect(),
        ..Rules::default()
    };
    (rules, catalogue)
}

fn approval() -> GuardEffect {
    GuardEffect::Require(vec!["approval:oncall".parse().expect("a control")])
}

fn forbidden() -> GuardEffect {
    GuardEffect::Forbid("not here".to_owned())
}

/// From parsed arguments to the decision.
fn judged_by(bencher: Bencher<'_, '_>, policies: usize) {
    let (rules, catalogue) = conditional(policies);
    let desk = Desk::new(rules, catalogue);
    let key = DigestKey::new(&[1; 32]);
    let first = desk.decide(&call("agent_7", "s0/tool_0")).decision;
    assert!(matches!(first, Decision::Allow(_)), "{first:?}");
    bencher.with_inputs(|| proposal("agent_7", "s0/tool_0")).bench_local_values(|proposal| {
        desk.decide(&Arc::new(Call::new(CallId::from_random([9; 12]), proposal, &key)))
    });
}

#[divan::bench]
fn judged_by_100(bencher: Bencher<'_, '_>) {
    judged_by(bencher, 100);
}

#[divan::bench]
fn judged_by_1000(bencher: Bencher<'_, '_>) {
    judged_by(bencher, 1_000);
}

#[divan::bench]
fn judged_by_10000(bencher: Bencher<'_, '_>) {
    judged_by(bencher, 10_000);
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn load_1000(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(|| conditional(1_000)).bench_local_values(|(rules, catalogue)| {
        Policy::compile(rules, catalogue).expect("the rules are sound")
    });
}

#[divan::bench]
fn cedar_over_all(bencher: Bencher<'_, '_>) {
    let (rules, catalogue) = conditional(1_000);
    let policy = Policy::compile(rules, catalogue).expect("the rules are sound");
    let set: PolicySet = policy.to_cedar().parse().expect("it is Cedar");
    let uid = |text: &str| text.parse().expect("a name of Cedar's");
    let entities = [
        Entity::new_no_attrs(uid("Action::\"s0/tool_0\""), [uid("Action::\"level:read\"")].into()),
        Entity::new_no_attrs(uid("Agent::\"agent_7\""), [].into()),
    ];
    let entities = Entities::from_entities(entities, None).expect("they are sound");
    let record = |pairs: Vec<(&str, RestrictedExpression)>| {
        let pairs = pairs.into_iter().map(|(name, value)| (name.to_owned(), value));
        RestrictedExpression::new_record(pairs).expect("names differ")
    };
    let texts = |texts: &[&str]| {
        RestrictedExpression::new_set(
            texts.iter().map(|text| RestrictedExpression::new_string((*text).to_owned())),
        )
    };
    let options = record(vec![("fresh", RestrictedExpression::new_bool(true))]);
    let limit = RestrictedExpression::new_long(10);
    let args = record(vec![("limit", limit), ("options", options), ("fields", texts(&["name", "email"]))]);
    let session = record(vec![("steps", RestrictedExpression::new_long(4))]);
    let context = [("args", args), ("session", session), ("controls", texts(&[]))];
    let context =
        Context::from_pairs(context.map(|(name, value)| (name.to_owned(), value))).expect("names differ");
    let (agent, action, server) =
        (uid("Agent::\"agent_7\""), uid("Action::\"s0/tool_0\""), uid("Server::\"s0\""));
    let request = Request::new(agent, action, server, context, None).expect("it is sound");
    let first = Authorizer::new().is_authorized(&request, &set, &entities);
    assert_eq!(first.decision(), cedar_policy::Decision::Allow, "{first:?}");
    bencher.bench_local(|| Authorizer::new().is_authorized(black_box(&request), &set, &entities));
}
