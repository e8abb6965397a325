//! Writing of policy tests: each is a table, with its arguments on one line.
//!
//! What holds without being said is left out. A null is the one value that TOML cannot say; no test that was
//! read has one, and one that was made has the text `null` written in its place, which is then another value.

use super::{
    Page, quoted,
    terms::{Pair, inline_table as table, texts},
};
use crate::{
    json::Json,
    policy::config::{Expected, PolicyTest, Proposed},
};

impl Page {
    pub(super) fn policy_tests(&mut self, tests: &[PolicyTest]) {
        self.section(tests, &["Tests: what the policy is expected to say. `placet test` runs them."]);
        for PolicyTest { name, given, want, line: _ } in tests {
            self.gap();
            self.line("[[test]]");
            let pairs = [("name", quoted(name))].into_iter().chain(call(given)).chain(expectation(want));
            pairs.for_each(|(key, value)| self.line(format!("{key} = {value}")));
        }
    }
}

fn call(given: &Proposed) -> Vec<Pair> {
    let Proposed { agent, tool, arguments, steps, labels, at, dry_run, cost } = given;
    let mut pairs = vec![("agent", quoted(agent.as_str())), ("tool", quoted(&tool.to_string()))];
    if arguments.as_object().is_none_or(|object| !object.is_empty()) {
        pairs.push(("args", argument(arguments)));
    }
    let steps = (*steps != 1).then(|| ("steps", steps.to_string()));
    let labels = (!labels.is_empty()).then(|| ("labels", texts(labels)));
    let session: Vec<Pair> = [steps, labels].into_iter().flatten().collect();
    if !session.is_empty() {
        pairs.push(("session", table(&session)));
    }
    if *at != Proposed::AT {
        pairs.push(("at", quoted(&at.to_string().replace(".000Z", "Z"))));
    }
    if *dry_run {
        pairs.push(("dry_run", "true".to_owned()));
    }
    if !cost.is_empty() {
        let amounts: Vec<(&str, String)> =
            cost.iter().map(|(unit, amount)| (unit.as_str(), amount.to_string())).collect();
        pairs.push(("cost", table(&amounts)));
    }
    pairs
}

fn expectation(want: &Expected) -> Vec<Pair> {
    let Expected { decision, code, controls, by } = want;
    let mut pairs = vec![("decision", quoted(decision.as_str()))];
    pairs.extend(code.map(|code| ("code", quoted(code.as_str()))));
    pairs.extend(controls.as_ref().map(|controls| ("controls", texts(controls))));
    if !by.is_empty() {
        pairs.push(("by", texts(by)));
    }
    pairs
}

fn argument(value: &Json) -> String {
    match value {
        Json::Null => quoted("null"),
        Json::Bool(_) | Json::Number(_) => value.to_string(),
        Json::String(text) => quoted(text),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(argument).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(object) => {
            let pairs: Vec<(&str, String)> =
                object.iter().map(|(key, value)| (key, argument(value))).collect();
            table(&pairs)
        }
    }
}
