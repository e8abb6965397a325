//! `cases/*.yaml`: behaviour as a policy author reads it, and the runner that holds the engine against it.
//!
//! A case gives tools with levels and terms, one agent's remit, guards, budgets and trips, and then steps: a call,
//! and what is wanted of it. The same cases run through real processes in the gateway's tests, but for those that
//! say what they need besides (`needs`). All tools are the server `crm`'s.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use placet_engine::{
    call::{Call, CallId, DigestKey, DryRun, Mode, Proposal},
    cost::Amount,
    decide::{self, Engine, Outcome, Verdict},
    decision::{Decision, Denial},
    json::{Json, Limits, Object, parse},
    names::{Action, ToolName},
    once::Kept,
    permit::Durable,
    policy::{Policy, Rules, catalogue, config},
    state::{Changes, Ending, Known},
    stop::{Leaves, Stop},
    time::{BootInstant, Now, Timestamp},
    tool::{Definition, Offer},
};
use placet_store::{Memory, Store};
use serde_json::Value;

use crate::ready;

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Where it stands.
    pub file: PathBuf,
    /// What it says.
    pub name: String,
    given: Value,
    /// What it takes to run it, besides calls: see [`NEEDS`]. Who has none of it passes the case over.
    pub needs: BTreeSet<String>,
    /// What is proposed, in this order.
    pub steps: Vec<Step>,
}

/// What a case may need: a clock that obeys, tools that fail on request, people who stop and resume.
pub const NEEDS: [&str; 3] = ["clock", "failures", "people"];

/// One proposed call and what is wanted of it.
#[derive(Clone, Debug)]
pub struct Step {
    /// The tool's name.
    pub call: String,
    /// Its arguments, as JSON text.
    pub arguments: String,
    /// The kind of dry run, if it is one.
    pub dry_run: Option<String>,
    /// The key that is sent with it.
    pub key: Option<String>,
    /// What the caller says that it costs, as a JSON object.
    pub cost: Option<String>,
    /// How many seconds after the call before it.
    pub after: u64,
    /// The scope that a person stops before it, and what that leaves.
    pub stop: Option<(String, Leaves)>,
    /// The scope that a person lets go on before it.
    pub resume: Option<String>,
    /// What the tool says if it is reached.
    pub answers: Answers,
    /// The tool's structured result, as a JSON object.
    pub result: Option<String>,
    /// The decision.
    pub decision: String,
    /// The code that is recorded.
    pub code: Option<String>,
    /// The code that the agent is told, if another.
    pub told: Option<String>,
    /// Whether the tool is reached.
    pub reached: bool,
}

/// What a tool says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answers {
    /// That it is done.
    #[default]
    Done,
    /// That it is not done.
    Failed,
    /// Nothing.
    Never,
}

/// All cases below a folder.
///
/// # Panics
///
/// If a file cannot be read, or a case has a member that is not known: a misspelt case must not pass.
pub fn all(folder: &Path) -> Vec<Case> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(!files.is_empty(), "no cases in {}", folder.display());
    files.into_iter().flat_map(|file| in_file(&file)).collect()
}

fn in_file(file: &Path) -> Vec<Case> {
    let text = fs::read_to_string(file).expect("a case file");
    let cases: Vec<Value> =
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    cases
        .into_iter()
        .map(|case| {
            known(&case, &["name", "needs", "given", "steps"], file);
            let given = [
                "tools", "offers", "schema", "agent", "guards", "stopped", "budgets", "trips", "session",
                "trusted",
            ];
            known(&case["given"], &given, file);
            let steps: Vec<_> =
                case["steps"].as_array().expect("steps").iter().map(|step| read_step(step, file)).collect();
            let name = case["name"].as_str().expect("a name").to_owned();
            let said = case["needs"].as_array().into_iter().flatten();
            let needs: BTreeSet<_> = said.map(|need| need.as_str().expect("a need").to_owned()).collect();
            let used: BTreeSet<_> = steps.iter().flat_map(Step::needs).collect();
            assert_eq!(needs, used, "{}: {name}: it needs what its steps use", file.display());
            Case { file: file.to_owned(), name, given: case["given"].clone(), needs, steps }
        })
        .collect()
}

fn read_step(step: &Value, file: &Path) -> Step {
    let keys = [
        "call",
        "arguments",
        "dry_run",
        "key",
        "cost",
        "after",
        "stop",
        "narrow",
        "resume",
        "fails",
        "never_answers",
        "result",
        "want",
    ];
    known(step, &keys, file);
    let want = &step["want"];
    known(want, &["decision", "code", "told", "reached"], file);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Step {
        call: text(&step["call"]).expect("a call"),
        arguments: if step["arguments"].is_null() { "{}".to_owned() } else { step["arguments"].to_string() },
        dry_run: text(&step["dry_run"]),
        key: text(&step["key"]),
        cost: step["cost"].is_object().then(|| step["cost"].to_string()),
        after: step["after"].as_u64().unwrap_or(0),
        stop: text(&step["stop"])
            .map(|scope| (scope, Leaves::Nothing))
            .or_else(|| Some((text(&step["narrow"])?, Leaves::Reads))),
        resume: text(&step["resume"]),
        answers: match (step["fails"].as_bool(), step["never_answers"].as_bool()) {
            (Some(true), _) => Answers::Failed,
            (_, Some(true)) => Answers::Never,
            (_, _) => Answers::Done,
        },
        result: step["result"].is_object().then(|| step["result"].to_string()),
        decision: text(&want["decision"]).expect("a decision"),
        code: text(&want["code"]),
        told: text(&want["told"]),
        reached: want["reached"].as_bool().expect("whether the tool is reached"),
    }
}

fn known(value: &Value, keys: &[&str], file: &Path) {
    for key in value.as_object().unwrap_or_else(|| panic!("{}: {value} is no mapping", file.display())).keys()
    {
        assert!(keys.contains(&key.as_str()), "{}: `{key}` is not known here", file.display());
    }
}

impl Step {
    /// What it takes to run it.
    fn needs(&self) -> Vec<String> {
        let used = [
            self.after > 0,
            self.answers != Answers::Done || self.result.is_some(),
            self.stop.is_some() || self.resume.is_some(),
        ];
        NEEDS.iter().zip(used).filter(|(_, used)| *used).map(|(need, _)| (*need).to_owned()).collect()
    }
}

/// A value as `placet.toml` takes it on one line.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members =
                members.iter().map(|(key, value)| format!("{} = {}", Value::from(key.as_str()), toml(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

impl Case {
    /// The configuration file that it gives, for a server with this command.
    pub fn config(&self, command: &str) -> String {
        let trusted = if self.given["trusted"].as_bool() == Some(true) { "trusted = true\n" } else { "" };
        let mut text = format!("[servers.crm]\ncommand = {command}\n{trusted}[servers.crm.tools]\n");
        for (tool, terms) in self.given["tools"].as_object().into_iter().flatten() {
            writeln!(text, "{tool} = {}", toml(terms)).expect("text");
        }
        let agent = &self.given["agent"];
        let disclose = agent["disclose"].as_str().unwrap_or("full");
        writeln!(text, "[agents.support]\ndisclose = \"{disclose}\"").expect("text");
        if let Some(levels) = agent["levels"].as_array() {
            writeln!(text, "levels = {}", Value::from(levels.clone())).expect("text");
        }
        for list in ["allow", "deny"] {
            if let Some(tools) = agent[list].as_array() {
                let full: Vec<_> =
                    tools.iter().map(|tool| format!("\"crm/{}\"", tool.as_str().expect("a tool"))).collect();
                writeln!(text, "{list} = [{}]", full.join(", ")).expect("text");
            }
        }
        if let Some(guards) = self.given["guards"].as_object() {
            text.push_str("[guards]\n");
            for (scope, guard) in guards {
                let guard = match guard["forbid"].as_str() {
                    Some(words) => format!("{{ forbid = \"{words}\" }}"),
                    None => guard.to_string(),
                };
                writeln!(text, "\"{scope}\" = {guard}").expect("text");
            }
        }
        for table in ["budgets", "trips"] {
            for entry in self.given[table].as_array().into_iter().flatten() {
                writeln!(text, "[[{table}]]").expect("text");
                for (key, value) in entry.as_object().into_iter().flatten() {
                    writeln!(text, "{key} = {}", toml(value)).expect("text");
                }
            }
        }
        if let Some(session) = self.given["session"].as_object() {
            text.push_str("[session]\n");
            for (key, value) in session {
                writeln!(text, "{key} = {}", toml(value)).expect("text");
            }
        }
        text
    }

    /// Whether everything is stopped.
    pub fn stopped(&self) -> bool {
        self.given["stopped"].as_bool() == Some(true)
    }

    /// What the server offers, as the result of `tools/list`.
    pub fn offers(&self) -> String {
        let schema = &self.given["schema"];
        let schema = if schema.is_null() { serde_json::json!({ "type": "object" }) } else { schema.clone() };
        let levelled = self.given["tools"].as_object().into_iter().flatten().map(|(tool, _)| tool.as_str());
        let besides = self.given["offers"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let tools: Vec<_> = levelled
            .chain(besides)
            .map(|tool| serde_json::json!({ "name": tool, "inputSchema": schema }))
            .collect();
        serde_json::json!({ "tools": tools }).to_string()
    }

    /// Holds the engine against it.
    ///
    /// # Panics
    ///
    /// With the case's name, if the engine says something else.
    pub fn run_on_engine(&self) {
        let read = config::read(&self.config("[\"true\"]"));
        let config = read.config.unwrap_or_else(|| panic!("{}: {:?}", self.name, read.findings));
        let policy = Policy::compile(Rules::from(&config), catalogue(&config)).expect("a policy");
        let secret = DigestKey::new(&[1; 32]);
        let (engine, store) = (Engine::new(policy, secret.clone()), Memory::new());
        let mut now = Now { wall: Timestamp(1_800_000_000_000_000), boot: BootInstant::default() };
        let keep = |changes: Changes| ready(store.commit::<Durable>(changes)).expect("it is remembered");
        if self.stopped() {
            keep(decide::stop(stop("everything", Leaves::Nothing, now), now));
        }
        let offered = parse(self.offers().as_bytes(), &Limits::EDGE).expect("offers");
        let definitions: Vec<_> = offered
            .get("tools")
            .and_then(Json::as_array)
            .expect("tools")
            .iter()
            .map(|tool| Arc::new(Definition::read(tool).expect("a definition")))
            .collect();
        for (at, step) in self.steps.iter().enumerate() {
            let place = format!("{}: {}, step {}", self.file.display(), self.name, at + 1);
            let passed = Duration::from_secs(step.after);
            now = Now { wall: now.wall.plus(passed), boot: now.boot.plus(passed) };
            if let Some(scope) = &step.resume {
                keep(decide::resume(scope.parse().expect("a scope"), "a person", "it says so", now));
            }
            if let Some((scope, leaves)) = &step.stop {
                keep(decide::stop(stop(scope, *leaves, now), now));
            }
            let id = CallId::from_random([u8::try_from(at).expect("few steps"); 12]);
            let call = Arc::new(Call::new(id, step.proposal(), &secret));
            let remembered = ready(store.load(&engine.needs(&call, now))).expect("what is known");
            let offer = definitions.iter().find(|definition| definition.name == call.action.tool);
            let offer = offer.map_or(Offer::Absent, |definition| Offer::Accepted(Arc::clone(definition)));
            let Verdict { decision, changes } =
                engine.decide(&call, &Known { paused: false, remembered, offer }, now);
            let (word, code) = match &decision {
                Decision::Allow(_) => ("allow", None),
                Decision::Ask(_) => ("ask", Some("approval_pending")),
                Decision::Deny(Denial { reason, .. }) => ("deny", Some(reason.code().as_str())),
                Decision::Plan(_) => ("plan", None),
                Decision::Replay(_) => ("replay", None),
                Decision::Join(_) => ("join", None),
            };
            assert_eq!(word, step.decision, "{place}: {decision:?}");
            assert_eq!(code, step.code.as_deref(), "{place}");
            assert_eq!(word == "allow", step.reached, "{place}");
            let intent = changes.intent.clone();
            keep(changes);
            if let Some(intent) = intent {
                let (outcome, result) = step.outcome(&secret);
                keep(engine.settle(&intent, &outcome, result.as_ref(), now));
            }
        }
    }
}

impl Step {
    /// What is proposed, by the agent of all cases.
    fn proposal(&self) -> Proposal {
        let tool = self.call.parse().unwrap_or_else(|_| ToolName::of_method("not-a-name"));
        let cost = self.cost.as_deref().map(object).unwrap_or_default();
        let amount = |value: &Json| value.compact().parse::<Amount>().expect("an amount");
        Proposal {
            agent: "support".parse().expect("a name"),
            client: "desk".parse().expect("a name"),
            session: None,
            action: Action::new("crm".parse().expect("a name"), tool),
            arguments: object(&self.arguments),
            meta: Object::new(),
            mode: mode(self.dry_run.as_deref()),
            key: self.key.as_deref().map(Into::into),
            cost: cost.iter().map(|(unit, value)| (unit.parse().expect("a unit"), amount(value))).collect(),
        }
    }

    /// What comes back if it is reached: the same each time, so that only the call tells two apart.
    fn outcome(&self, secret: &DigestKey) -> (Outcome, Option<Json>) {
        let (ending, answered) = match self.answers {
            Answers::Done => (Ending::Succeeded, true),
            Answers::Failed => (Ending::Failed, true),
            Answers::Never => (Ending::Unknown, false),
        };
        let text = format!("{ending:?}");
        let outcome = Outcome {
            note: None,
            bytes: answered.then_some(text.len()),
            digest: answered.then(|| secret.digest([text.as_bytes()])),
            kept: answered.then(|| Kept::Text(text.as_str().into())),
            ..Outcome::without_result(ending, "")
        };
        (outcome, self.result.as_deref().map(|result| Json::Object(object(result))))
    }
}

fn object(text: &str) -> Object {
    parse(text.as_bytes(), &Limits::EDGE).expect("JSON").as_object().cloned().expect("an object")
}

fn stop(scope: &str, leaves: Leaves, now: Now) -> Stop {
    Stop {
        scope: scope.parse().expect("a scope"),
        leaves,
        reason: "it says so".to_owned(),
        by: "a case".to_owned(),
        since: now.wall,
    }
}

fn mode(dry_run: Option<&str>) -> Mode {
    match dry_run {
        None => Mode::Live,
        Some("decide") => Mode::DryRun(DryRun::Decide),
        Some("validate") => Mode::DryRun(DryRun::Validate),
        Some("tool") => Mode::DryRun(DryRun::Tool),
        Some(other) => panic!("`{other}` is no kind of dry run"),
    }
}
