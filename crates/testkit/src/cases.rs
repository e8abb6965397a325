//! `cases/**/*.yaml`: behaviour as a policy author reads it, and the runner that holds the engine against it.
//!
//! A case gives what is judged by, and then steps: a call, and what is wanted of it. What is judged by is either a
//! few words (tools with levels and terms, one agent's remit, guards, budgets, trips), and then all tools are the
//! server `crm`'s; or a `placet.toml` as its author would write it (`file`), less the servers' commands, with the
//! schemas of the tools beside it.
//!
//! The same cases run through real processes in the gateway's tests, but for those that say what they need
//! besides (`needs`). Start at [`all`]. In `cases/engine.rs` is the engine's own runner, in `cases/given.rs` what
//! becomes a file.

mod engine;
mod given;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use placet_engine::stop::Leaves;
use serde_json::Value;

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
    /// The server of the tool.
    pub server: String,
    /// The tool's name.
    pub call: String,
    /// The agent that proposes it.
    pub agent: String,
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
    /// When, in seconds since 1970, if that matters.
    pub at: Option<u64>,
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

/// The client through which an agent comes.
pub fn client_of(agent: &str) -> &str {
    if agent == "support" { "desk" } else { agent }
}

/// All cases below a folder, and below those in it.
///
/// # Panics
///
/// If a file cannot be read, or a case has a member that is not known: a misspelt case must not pass.
pub fn all(folder: &Path) -> Vec<Case> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.is_dir() || path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no cases in {}", folder.display());
    paths.into_iter().flat_map(|path| if path.is_dir() { all(&path) } else { in_file(&path) }).collect()
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
            match case["given"]["file"].is_string() {
                true => known(&case["given"], &["file", "schemas"], file),
                false => known(&case["given"], &given, file),
            }
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
        "at",
        "as",
        "fill",
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
    let call = text(&step["call"]).expect("a call");
    let (server, call) = call.split_once('/').unwrap_or(("crm", &call));
    Step {
        server: server.to_owned(),
        call: call.to_owned(),
        agent: text(&step["as"]).unwrap_or_else(|| "support".to_owned()),
        arguments: arguments(step),
        dry_run: text(&step["dry_run"]),
        key: text(&step["key"]),
        cost: step["cost"].is_object().then(|| step["cost"].to_string()),
        after: step["after"].as_u64().unwrap_or(0),
        at: text(&step["at"]).map(|at| seconds(&at)),
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

/// The arguments of a step: a mapping, or JSON as it is sent; `fill` puts a text of so many letters under a name.
fn arguments(step: &Value) -> String {
    if let Some(text) = step["arguments"].as_str() {
        return text.to_owned();
    }
    let mut arguments = step["arguments"].as_object().cloned().unwrap_or_default();
    for (name, letters) in step["fill"].as_object().into_iter().flatten() {
        let letters = letters.as_u64().and_then(|letters| usize::try_from(letters).ok()).expect("how many");
        arguments.insert(name.clone(), "x".repeat(letters).into());
    }
    Value::Object(arguments).to_string()
}

/// The moment that a text like `2027-01-15T08:00` names in UTC, in seconds since 1970.
fn seconds(text: &str) -> u64 {
    let parts: Vec<u64> = text.split(['-', 'T', ':']).map(|part| part.parse().expect("a number")).collect();
    let [year, month, day, hour, minute] = parts[..] else { panic!("`{text}` is no moment") };
    // Years begin in March here, so that the odd day is the last of one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469;
    days * 86_400 + hour * 3_600 + minute * 60
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
            self.after > 0 || self.at.is_some(),
            self.answers != Answers::Done || self.result.is_some(),
            self.stop.is_some() || self.resume.is_some(),
        ];
        NEEDS.iter().zip(used).filter(|(_, used)| *used).map(|(need, _)| (*need).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_that_of_the_calendar() {
        for (text, want) in [
            ("1970-01-01T00:00", 0),
            ("2027-01-15T08:00", 1_800_000_000),
            ("2024-02-29T23:59", 1_709_251_140),
            ("2024-03-01T00:00", 1_709_251_200),
        ] {
            assert_eq!(seconds(text), want, "{text}");
        }
    }
}
