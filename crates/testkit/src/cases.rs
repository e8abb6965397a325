//! `cases/*.yaml`: behaviour as a policy author reads it, and the runner that holds the engine against it.
//!
//! A case gives tools with levels, one agent's remit and guards, and then steps: a call, and what is wanted of
//! it. The same cases run through real processes in the gateway's tests. All tools are the server `crm`'s.

use std::{
    fmt::Write as _,
    fs,
    future::Future,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use placet_engine::{
    call::{Call, CallId, DigestKey, DryRun, Mode, Proposal},
    decide::{Engine, stop},
    decision::{Decision, Denial},
    json::{Json, Limits, Object, parse},
    names::{Action, ToolName},
    permit::Durable,
    policy::{Policy, Rules, catalogue, config},
    state::Known,
    time::{BootInstant, Now, Timestamp},
    tool::{Definition, Offer},
};
use placet_store::{Memory, Store};
use serde_json::Value;

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Where it stands.
    pub file: PathBuf,
    /// What it says.
    pub name: String,
    given: Value,
    /// What is proposed, in this order.
    pub steps: Vec<Step>,
}

/// One proposed call and what is wanted of it.
#[derive(Clone, Debug)]
pub struct Step {
    /// The tool's name.
    pub call: String,
    /// Its arguments, as JSON text.
    pub arguments: String,
    /// The kind of dry run, if it is one.
    pub dry_run: Option<String>,
    /// The decision.
    pub decision: String,
    /// The code that is recorded.
    pub code: Option<String>,
    /// The code that the agent is told, if another.
    pub told: Option<String>,
    /// Whether the tool is reached.
    pub reached: bool,
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
            known(&case, &["name", "given", "steps"], file);
            known(&case["given"], &["tools", "offers", "schema", "agent", "guards", "stopped"], file);
            let steps =
                case["steps"].as_array().expect("steps").iter().map(|step| read_step(step, file)).collect();
            let name = case["name"].as_str().expect("a name").to_owned();
            Case { file: file.to_owned(), name, given: case["given"].clone(), steps }
        })
        .collect()
}

fn read_step(step: &Value, file: &Path) -> Step {
    known(step, &["call", "arguments", "dry_run", "want"], file);
    let want = &step["want"];
    known(want, &["decision", "code", "told", "reached"], file);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Step {
        call: text(&step["call"]).expect("a call"),
        arguments: if step["arguments"].is_null() { "{}".to_owned() } else { step["arguments"].to_string() },
        dry_run: text(&step["dry_run"]),
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

impl Case {
    /// The configuration file that it gives, for a server with this command.
    pub fn config(&self, command: &str) -> String {
        let mut text = format!("[servers.crm]\ncommand = {command}\n[servers.crm.tools]\n");
        for (tool, level) in self.given["tools"].as_object().into_iter().flatten() {
            writeln!(text, "{tool} = {level}").expect("text");
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
        let (engine, store, key) = (Engine::new(policy), Memory::new(), DigestKey::new(&[1; 32]));
        let now = Now { wall: Timestamp(1_800_000_000_000_000), boot: BootInstant::default() };
        if self.stopped() {
            ready(store.commit::<Durable>(stop("a case", "it says so", now))).expect("a stop");
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
            let tool = step.call.parse().unwrap_or_else(|_| ToolName::of_method("not-a-name"));
            let proposal = Proposal {
                agent: "support".parse().expect("a name"),
                client: "desk".parse().expect("a name"),
                session: None,
                action: Action::new("crm".parse().expect("a name"), tool),
                arguments: parse(step.arguments.as_bytes(), &Limits::EDGE)
                    .expect("arguments")
                    .as_object()
                    .cloned()
                    .expect("an object"),
                meta: Object::new(),
                mode: mode(step.dry_run.as_deref()),
            };
            let id = CallId::from_random([u8::try_from(at).expect("few steps"); 12]);
            let call = Arc::new(Call::new(id, proposal, &key));
            let remembered = ready(store.load(&Engine::needs(&call))).expect("what is known");
            let offer = definitions.iter().find(|definition| definition.name == call.action.tool);
            let offer = offer.map_or(Offer::Absent, |definition| Offer::Accepted(Arc::clone(definition)));
            let verdict = engine.decide(&call, &Known { remembered, offer }, now);
            let (decision, code) = match &verdict.decision {
                Decision::Allow(_) => ("allow", None),
                Decision::Ask(_) => ("ask", Some("approval_pending")),
                Decision::Deny(Denial { reason, .. }) => ("deny", Some(reason.code().as_str())),
                Decision::Plan(_) => ("plan", None),
            };
            let place = format!("{}: {}, step {}", self.file.display(), self.name, at + 1);
            assert_eq!(decision, step.decision, "{place}: {:?}", verdict.decision);
            assert_eq!(code, step.code.as_deref(), "{place}");
            assert_eq!(decision == "allow", step.reached, "{place}");
            ready(store.commit::<Durable>(verdict.changes)).expect("it is remembered");
        }
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

/// The output of a future that waits for nothing.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a store in memory waits for nothing"),
    }
}
