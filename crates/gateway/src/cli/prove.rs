//! `placet prove`: the invariants of the file, each proved, refuted with a call, or neither.
//!
//! Nothing is called and nothing is recorded. What is not proved is said to be so, with the reason: without a solver
//! that is everything. A call that refutes was judged by the engine that would judge it in earnest.

use clap::Args;
use placet_engine::{
    diagnostic::inert,
    json::{Json, Object},
    policy::{config::Proposed, facts::Truth},
};
use placet_prove::{Doubt, Effort, Proof, Proofs, Refuted, Sought, Timings, Unproved, Verdict};

use super::{Exit, PlaceArguments, check, complain, say, test};
use crate::config::Loaded;

/// How many calls, and how many doubts, are listed of one invariant.
const LISTED_MAX: usize = 5;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// Each as one line of JSON
    #[arg(long)]
    json: bool,
    /// What it took, too
    #[arg(long)]
    timings: bool,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let loaded = match check::loaded(&arguments.place) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    if loaded.config.invariants.is_empty() {
        complain("the file has no invariants, so nothing is proved", Some("write a table `[[invariants]]`"));
        return Exit::Unverified;
    }
    let proofs = loaded.prove(&Effort::default());
    for verdict in &proofs.verdicts {
        let lines = match arguments.json {
            true => vec![described(verdict, &loaded).compact()],
            false => shown(verdict, &loaded),
        };
        for line in lines {
            if !say(&line) {
                return Exit::Unverified;
            }
        }
    }
    if !arguments.json {
        say(&summary(&proofs));
    }
    if arguments.timings {
        for line in timed(&proofs.timings, arguments.json) {
            say(&line);
        }
    }
    if proofs.hold() { Exit::Done } else { Exit::Unverified }
}

fn summary(proofs: &Proofs) -> String {
    let count = |proof| proofs.verdicts.iter().filter(|verdict| verdict.proof() == proof).count();
    let [proved, refuted, unproved] = [Proof::Proved, Proof::Refuted, Proof::Unproved].map(count);
    format!("{proved} proved, {refuted} refuted, {unproved} not proved")
}

/// What a run took, as lines for a person or one for a program.
pub(super) fn timed(timings: &Timings, json: bool) -> Vec<String> {
    let Timings { all, solving, asked, again, settled } = timings;
    if json {
        let mut object = Object::new();
        let millis = |length: &std::time::Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        let number = |number: &usize| i64::try_from(*number).unwrap_or(i64::MAX);
        object.insert("took_ms", millis(all));
        object.insert("solving_ms", millis(solving));
        object.insert("asked", number(asked));
        object.insert("asked_before", number(again));
        object.insert("settled", number(settled));
        return vec![Json::Object(object).compact()];
    }
    vec![format!(
        "took {:.3} s, {:.3} s of it solving: {asked} questions, {again} that had been asked, {settled} pairs without",
        all.as_secs_f64(),
        solving.as_secs_f64()
    )]
}

/// The word for what came of an invariant.
fn word(proof: Proof) -> &'static str {
    match proof {
        Proof::Proved => "proved",
        Proof::Refuted => "refuted",
        Proof::Unproved => "not proved",
    }
}

/// An invariant and what came of it; below it the calls that break it, and what is not known.
pub(super) fn shown(verdict: &Verdict, loaded: &Loaded) -> Vec<String> {
    let Verdict { name, line, pairs, refuted, unproved } = verdict;
    let proof = verdict.proof();
    let about = match (proof, pairs) {
        (Proof::Proved, 0) => " (about no agent and no tool of this file)".to_owned(),
        (Proof::Proved, 1) => " (1 pair of agent and tool)".to_owned(),
        (Proof::Proved, pairs) => format!(" ({pairs} pairs of agent and tool)"),
        (Proof::Refuted | Proof::Unproved, _) => format!(" ({}:{line})", inert(&loaded.name)),
    };
    let mut lines = vec![format!("{:10}  {}{about}", word(proof), inert(name))];
    for Refuted { sought, judged } in refuted.iter().take(LISTED_MAX) {
        lines.push(format!("            {}: {}", call(&sought.call), check::judged(judged)));
        lines.extend(around(sought).map(|around| format!("              {around}")));
        let rules = judged.policies().iter().filter_map(|id| loaded.policy.rule_shown(id));
        lines.extend(rules.map(|rule| {
            format!("              by {}", check::rule_line(&rule, &loaded.policy, &loaded.name))
        }));
    }
    if refuted.len() > LISTED_MAX {
        lines
            .push(format!("            and for {} more pairs of agent and tool", refuted.len() - LISTED_MAX));
    }
    for Unproved { pair, doubt } in unproved.iter().take(LISTED_MAX) {
        let whom = pair.as_ref().map(|(agent, tool)| format!("{agent} {tool}: ")).unwrap_or_default();
        lines.push(format!("            {}{}", inert(&whom), inert(&doubt.to_string())));
        if let Doubt::NotReproduced { sought, .. } = doubt {
            lines.push(format!("              {}", call(&sought.call)));
            lines.extend(around(sought).map(|around| format!("              {around}")));
        }
    }
    if unproved.len() > LISTED_MAX {
        lines.push(format!("            and {} more", unproved.len() - LISTED_MAX));
    }
    lines
}

/// A call on one line.
pub(super) fn call(call: &Proposed) -> String {
    let Proposed { agent, tool, arguments, .. } = call;
    inert(&format!("{agent} {tool} {}", arguments.compact())).into_owned()
}

/// What is so of a call besides its arguments, where it is not what goes without saying.
pub(super) fn around(sought: &Sought) -> Option<String> {
    let Sought { call, facts } = sought;
    let plain = Proposed::new(call.agent.clone(), call.tool.clone());
    let mut said = Vec::new();
    if call.steps != plain.steps {
        said.push(format!("call {} of its session", call.steps));
    }
    if !call.labels.is_empty() {
        let labels: Vec<&str> = call.labels.iter().map(|label| label.as_str()).collect();
        said.push(format!("the session has seen {}", labels.join(", ")));
    }
    if call.at != plain.at {
        said.push(format!("at {}", call.at));
    }
    if call.dry_run {
        said.push("as a dry run".to_owned());
    }
    said.extend(call.cost.iter().map(|(unit, amount)| format!("at a cost of {amount} {unit}")));
    said.extend(facts.iter().map(|(name, truth)| format!("{name} {}", truth_word(*truth))));
    (!said.is_empty()).then(|| inert(&said.join("; ")).into_owned())
}

fn truth_word(truth: Truth) -> &'static str {
    match truth {
        Truth::Holds => "holds",
        Truth::Fails => "fails",
        Truth::Absent => "is absent",
    }
}

fn described(verdict: &Verdict, loaded: &Loaded) -> Json {
    let Verdict { name, line, pairs, refuted, unproved } = verdict;
    let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let mut object = Object::new();
    object.insert("invariant", name.as_str());
    object.insert("line", number(*line));
    object.insert("proof", word(verdict.proof()));
    object.insert("pairs", number(*pairs));
    let calls = refuted.iter().map(|Refuted { sought, judged }| {
        let mut object = described_call(sought);
        test::outcome(&mut object, judged);
        let rules = judged.policies().iter().map(|id| Json::from(id.to_string()));
        object.insert("policies", rules.collect::<Vec<_>>());
        object.insert("lines", lines_of(judged.policies(), loaded));
        Json::Object(object)
    });
    object.insert("calls", calls.collect::<Vec<_>>());
    let doubts = unproved.iter().map(|Unproved { pair, doubt }| {
        let mut object = Object::new();
        if let Some((agent, tool)) = pair {
            object.insert("agent", agent.as_str());
            object.insert("tool", tool.to_string());
        }
        object.insert("why", doubt.to_string());
        if let Doubt::NotReproduced { sought, .. } = doubt {
            object.insert("call", described_call(sought));
        }
        Json::Object(object)
    });
    object.insert("not_proved", doubts.collect::<Vec<_>>());
    Json::Object(object)
}

fn lines_of(policies: &[std::sync::Arc<str>], loaded: &Loaded) -> Vec<Json> {
    let lines = policies.iter().map(|id| i64::try_from(loaded.policy.line(id)).unwrap_or(0));
    lines.map(Json::from).collect()
}

/// A call as a member of what is said of it.
pub(super) fn described_call(sought: &Sought) -> Object {
    let Sought { call, facts } = sought;
    let Proposed { agent, tool, arguments, steps, labels, at, dry_run, cost } = call;
    let mut object = Object::new();
    object.insert("agent", agent.as_str());
    object.insert("tool", tool.to_string());
    object.insert("args", arguments.clone());
    let mut session = Object::new();
    session.insert("steps", i64::try_from(*steps).unwrap_or(i64::MAX));
    session.insert("labels", labels.iter().map(|label| Json::from(label.as_str())).collect::<Vec<_>>());
    object.insert("session", session);
    object.insert("at", at.to_string());
    object.insert("dry_run", *dry_run);
    let cost = cost.iter().map(|(unit, amount)| (unit.to_string(), Json::from(amount.to_string())));
    object.insert("cost", cost.collect::<Object>());
    let facts = facts.iter().map(|(name, truth)| (name.to_string(), Json::from(truth_word(*truth))));
    object.insert("facts", facts.collect::<Object>());
    object
}
