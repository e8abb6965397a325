//! Invariants, proved: for each agent and tool that one is about, that no call of theirs breaks it.
//!
//! `need`: assume that no control is there which would be enough, and show that nothing is allowed. `never`: show
//! that nothing is. Where the rules without a condition say so already, no solver is asked; otherwise its no is the
//! proof, and its yes is made a call which the engine judges. Only a call that the engine lets through refutes.
//!
//! What holds of a solver's call and not of the engine's is no proof either way, and is told with what differed.
//!
//! Start at [`prove()`]; [`invariants_hold`] is the same for who only needs a yes.

use std::{fmt, sync::Arc};

use placet_engine::{
    names::{Action, AgentName},
    policy::{
        Judged, Policy,
        config::{Claim, Control, Invariant, Scope},
        explain::Does,
        probe::Probe,
        slice::Ruled,
    },
};
use serde_json::Value;

use crate::{
    Schemas, apart,
    call::{Maker, Sought},
    expression::{contains, context, either, literal, not},
    possible,
    question::{Question, Rule},
    seek::{Seeking, seek},
    solver::{Effort, NoSolver, Solver, Timings, Why},
};

/// What came of all invariants.
#[derive(Clone, Debug)]
#[must_use = "a proof that nobody looks at has shown nothing"]
pub struct Proofs {
    /// In the order of the file.
    pub verdicts: Vec<Verdict>,
    /// What it took.
    pub timings: Timings,
}

impl Proofs {
    /// Whether all are proved.
    pub fn hold(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.proof() == Proof::Proved)
    }
}

/// What came of one invariant.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The invariant's name.
    pub name: String,
    /// The line of its table.
    pub line: usize,
    /// The pairs of agent and tool that it is about.
    pub pairs: usize,
    /// Calls that break it, one for each pair of which there is one.
    pub refuted: Vec<Refuted>,
    /// Of which pairs it is not known, and why.
    pub unproved: Vec<Unproved>,
}

/// What came of one invariant, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// No call breaks it.
    Proved,
    /// A call breaks it.
    Refuted,
    /// Nobody knows.
    Unproved,
}

impl Verdict {
    /// In a word.
    pub fn proof(&self) -> Proof {
        if !self.refuted.is_empty() {
            Proof::Refuted
        } else if self.unproved.is_empty() {
            Proof::Proved
        } else {
            Proof::Unproved
        }
    }
}

/// A call that breaks an invariant, as the engine itself says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refuted {
    /// The call.
    pub sought: Sought,
    /// What the engine says to it.
    pub judged: Judged,
}

/// A pair of which an invariant is not proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unproved {
    /// Agent and tool; none where it is so of all.
    pub pair: Option<(AgentName, Action)>,
    /// Why not.
    pub doubt: Doubt,
}

/// Why an invariant is not proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// There is no solver.
    NoSolver(NoSolver),
    /// The agent is observed: what policy refuses or asks about runs all the same.
    Observed,
    /// A condition is about a tool of which nothing was accepted: a policy, and its line.
    Untyped {
        /// The policy.
        policy: Arc<str>,
        /// The line of the file.
        line: usize,
    },
    /// The solver did not answer.
    Unanswered(Why),
    /// The solver found a call, which the engine does not let through, or not so.
    NotReproduced {
        /// The call.
        sought: Box<Sought>,
        /// What the engine says to it.
        said: String,
    },
    /// The policy cannot be looked at.
    Policy(String),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::NoSolver(none) => write!(f, "{none}; {}", none.help()),
            Doubt::Observed => {
                f.write_str("the agent is observed, so what policy refuses or asks about runs all the same")
            }
            Doubt::Untyped { policy, line } => write!(
                f,
                "the tool is not in placet.lock, so nothing can be said of the condition of `{policy}` on line {line}"
            ),
            Doubt::Unanswered(why) => why.fmt(f),
            Doubt::NotReproduced { said, .. } => write!(
                f,
                "the solver found a call that the engine does not bear out ({said}); there may be another that it does"
            ),
            Doubt::Policy(what) => f.write_str(what),
        }
    }
}

/// Not all invariants hold.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Those that are refuted or not proved.
    pub verdicts: Vec<Verdict>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, verdict) in self.verdicts.iter().enumerate() {
            let gap = if at == 0 { "" } else { "; " };
            let word = match verdict.proof() {
                Proof::Refuted => "is refuted",
                Proof::Proved | Proof::Unproved => "is not proved",
            };
            write!(f, "{gap}invariant `{}` {word}", verdict.name)?;
        }
        Ok(())
    }
}

impl std::error::Error for Broken {}

/// Whether a policy keeps its invariants. Waits for a solver, so it is for what changes a policy and not for what
/// judges by it; it may be called from within a runtime, whose thread it holds up.
///
/// # Errors
///
/// [`Broken`] with each invariant that is refuted, or that is not proved, for whatever reason.
pub fn invariants_hold(
    policy: &Policy,
    invariants: &[Invariant],
    effort: &Effort,
    schemas: &dyn Schemas,
) -> Result<(), Broken> {
    let proofs = prove(policy, invariants, effort, schemas);
    let kept = |verdict: &Verdict| verdict.proof() != Proof::Proved;
    let verdicts: Vec<Verdict> = proofs.verdicts.into_iter().filter(kept).collect();
    if verdicts.is_empty() { Ok(()) } else { Err(Broken { verdicts }) }
}

/// Proves invariants of a policy, or refutes them.
pub fn prove(policy: &Policy, invariants: &[Invariant], effort: &Effort, schemas: &dyn Schemas) -> Proofs {
    let all_doubted = |doubt: &Doubt| {
        let verdict = |invariant: &Invariant| {
            let unproved = vec![Unproved { pair: None, doubt: doubt.clone() }];
            let Invariant { name, line, .. } = invariant;
            Verdict { name: name.clone(), line: *line, pairs: 0, refuted: Vec::new(), unproved }
        };
        Proofs { verdicts: invariants.iter().map(verdict).collect(), timings: Timings::default() }
    };
    let proved = apart(|| match Solver::find(effort) {
        Err(none) => all_doubted(&Doubt::NoSolver(none)),
        Ok(mut solver) => {
            let verdicts =
                invariants.iter().map(|invariant| verdict(policy, invariant, &mut solver, schemas)).collect();
            Proofs { verdicts, timings: solver.timings() }
        }
    });
    // A proof that broke off has proved nothing.
    proved.unwrap_or_else(|| all_doubted(&Doubt::Policy("the prover broke off; this is a bug".to_owned())))
}

fn verdict(policy: &Policy, invariant: &Invariant, solver: &mut Solver, schemas: &dyn Schemas) -> Verdict {
    let mut verdict = Verdict {
        name: invariant.name.clone(),
        line: invariant.line,
        pairs: 0,
        refuted: Vec::new(),
        unproved: Vec::new(),
    };
    let probe = match policy.probe(invariant) {
        Ok(probe) => probe,
        Err(error) => {
            verdict.unproved.push(Unproved { pair: None, doubt: Doubt::Policy(error.to_string()) });
            return verdict;
        }
    };
    for agent in policy.rules().agents.keys().filter(|agent| is_whose(policy, invariant, agent)) {
        for (tool, level) in policy.catalogue().iter().map(|(tool, terms)| (tool, terms.level())) {
            let about = &invariant.about;
            let is_meant = (about.tools.is_empty()
                || about.tools.iter().any(|meant| meant.value.matches(tool)))
                && about.levels.is_none_or(|levels| levels.iter().any(|meant| meant == level));
            if !is_meant {
                continue;
            }
            verdict.pairs += 1;
            let pair = Pair { policy, probe: probe.as_ref(), claim: &invariant.claim, agent, tool };
            match pair.prove(solver, schemas) {
                Ok(()) => {}
                Err(Objection::Refuted(refuted)) => verdict.refuted.push(*refuted),
                Err(Objection::Doubt(doubt)) => {
                    verdict.unproved.push(Unproved { pair: Some((agent.clone(), tool.clone())), doubt });
                }
            }
        }
    }
    verdict
}

fn is_whose(policy: &Policy, invariant: &Invariant, agent: &AgentName) -> bool {
    match &invariant.about.who {
        None => true,
        Some(Scope::Agent(meant)) => meant == agent,
        Some(Scope::Team(team)) => policy.team(agent) == Some(team),
    }
}

/// One agent and one tool, and what is to be shown of their calls.
struct Pair<'a> {
    policy: &'a Policy,
    probe: Option<&'a Probe>,
    claim: &'a Claim,
    agent: &'a AgentName,
    tool: &'a Action,
}

/// What stands between an invariant and its proof.
enum Objection {
    Refuted(Box<Refuted>),
    Doubt(Doubt),
}

impl From<Doubt> for Objection {
    fn from(doubt: Doubt) -> Self {
        Objection::Doubt(doubt)
    }
}

impl Pair<'_> {
    fn prove(&self, solver: &mut Solver, schemas: &dyn Schemas) -> Result<(), Objection> {
        if self.policy.observes(self.agent) {
            return Err(Doubt::Observed.into());
        }
        // A canary is refused before policy is asked.
        if self.policy.tool(self.tool).is_none_or(|tool| tool.terms.canary) {
            return Ok(());
        }
        let judge = self.probe.map_or(self.policy, |probe| &probe.policy);
        let slice = judge.slice(self.agent, self.tool).map_err(|error| Doubt::Policy(error.to_string()))?;
        let Some(slice) = slice else { return Ok(()) };
        let added = |id: &str| self.probe.is_some_and(|probe| probe.is_added(id));
        let (about, rules): (Vec<&Ruled>, Vec<&Ruled>) = slice.rules.iter().partition(|rule| added(&rule.id));
        if self.is_settled(&rules) {
            solver.timings.settled += 1;
            return Ok(());
        }
        if let Some(policy) = slice.untyped.first() {
            let line = judge.line(policy);
            return Err(Doubt::Untyped { policy: Arc::clone(policy), line }.into());
        }
        if self.probe.is_some() && about.is_empty() {
            return Err(
                Doubt::Policy("the condition of the invariant was lost; this is a bug".to_owned()).into()
            );
        }
        let schema = schemas.of(self.tool);
        let mut maker = Maker::new(self.policy, self.agent, self.tool, &slice.read);
        maker.schema = schema.as_ref();
        let question = self.question(&maker, &rules, &about);
        match seek(solver, question, &maker, |sought| self.try_on_engine(sought)) {
            Seeking::None => Ok(()),
            Seeking::Stands(refuted) => Err(Objection::Refuted(Box::new(refuted))),
            Seeking::Doubtful(sought, said) => {
                Err(Doubt::NotReproduced { sought: Box::new(sought), said }.into())
            }
            Seeking::Untold(why) => Err(Doubt::Unanswered(why).into()),
        }
    }

    /// Whether the rules that hold of each call leave nothing that could break the claim.
    fn is_settled(&self, rules: &[&Ruled]) -> bool {
        let permits = rules.iter().any(|rule| matches!(rule.does, Does::Grants));
        !permits
            || rules.iter().any(|rule| match (&rule.does, is_always(rule)) {
                (Does::Forbids(_) | Does::CannotTell, always) => always,
                (Does::Asks(control), always) => always && self.is_enough(control),
                (Does::Grants, _) => false,
            })
    }

    fn is_enough(&self, control: &Control) -> bool {
        match self.claim {
            Claim::Needs(need) => need.is_met_by(control),
            Claim::Never => false,
        }
    }

    /// Is there a call that is allowed although nothing was enough?
    fn question(&self, maker: &Maker<'_>, rules: &[&Ruled], about: &[&Ruled]) -> Question {
        let enough = rules.iter().filter_map(|rule| match &rule.does {
            Does::Asks(control) if self.is_enough(control) => Some(control.to_string()),
            Does::Asks(_) | Does::Grants | Does::Forbids(_) | Does::CannotTell => None,
        });
        let lacking = enough.map(|control| not(contains(context(&["controls"]), &control)));
        let mut assumed: Vec<Value> =
            lacking.chain(possible::certain(maker.read, maker.schema, &maker.always_there())).collect();
        assumed.sort_by_key(Value::to_string);
        assumed.dedup();
        if self.probe.is_some() {
            assumed.push(meant(about));
        }
        let allows = rules.iter().map(|rule| Rule::from(*rule)).collect();
        Question { read: maker.read.clone(), allows, denies: None, assumed }
    }

    /// Lets the engine judge a call; what it says if that does not break the claim.
    fn try_on_engine(&self, sought: &Sought) -> Result<Refuted, String> {
        let judged = judged(self.policy, sought)?;
        let breaks = match &judged {
            Judged::Refused { .. } => false,
            Judged::Granted { controls, .. } => !controls.iter().any(|control| self.is_enough(control)),
        };
        if !breaks {
            return Err(word(&judged));
        }
        if let Some(probe) = self.probe {
            let about = probe.policy.judge_proposed(&sought.call);
            let is_about = about.is_ok_and(|judged| judged.policies().iter().any(|id| probe.is_added(id)));
            if !is_about {
                return Err("the invariant is not about it".to_owned());
            }
        }
        Ok(Refuted { sought: sought.clone(), judged })
    }
}

/// What the engine says to a call.
pub(crate) fn judged(policy: &Policy, sought: &Sought) -> Result<Judged, String> {
    let call = &sought.call;
    match policy.judge_proposed(call) {
        Ok(judged) => Ok(judged),
        // Where no rule looks at a call, what is said of the tool is said of each.
        Err(_) if !policy.is_conditional_for(&call.agent, &call.tool) => {
            Ok(policy.judge(&call.agent, &call.tool))
        }
        Err(untried) => Err(untried.to_string()),
    }
}

/// A judgement in a few words.
pub(crate) fn word(judged: &Judged) -> String {
    match judged {
        Judged::Granted { controls, .. } if controls.is_empty() => "allow".to_owned(),
        Judged::Granted { controls, .. } => {
            let controls: Vec<_> = controls.iter().map(ToString::to_string).collect();
            format!("ask {}", controls.join(" and "))
        }
        Judged::Refused { reason, .. } => format!("deny {}", reason.code().as_str()),
    }
}

/// Whether a rule says the same of each call, but for the control that lifts it.
pub(crate) fn is_always(rule: &Ruled) -> bool {
    let conditions = rule.est.get("conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is_lifted = |condition: &Value| condition.get("kind").and_then(Value::as_str) == Some("unless");
    match (&rule.does, conditions) {
        (_, []) => true,
        (Does::Asks(_), [one]) => is_lifted(one),
        (Does::Asks(_) | Does::Grants | Does::Forbids(_) | Does::CannotTell, [..]) => false,
    }
}

/// The calls that a probe forbids: those that an invariant is about, and those of which it cannot be told.
fn meant(added: &[&Ruled]) -> Value {
    let whole = || literal(true);
    let bodies = |is_missing: bool| {
        let rules = added.iter().filter(move |rule| matches!(rule.does, Does::CannotTell) == is_missing);
        rules.map(move |rule| {
            let conditions = rule.est.get("conditions").and_then(Value::as_array);
            let body =
                conditions.and_then(|conditions| conditions.first()).and_then(|first| first.get("body"));
            body.cloned().unwrap_or_else(whole)
        })
    };
    // What is missing is asked first, so that the condition is looked at only where it can be told.
    bodies(true).chain(bodies(false)).reduce(either).unwrap_or_else(|| literal(false))
}

impl fmt::Display for Refuted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = &self.sought.call;
        write!(f, "{} {} {}: {}", call.agent, call.tool, call.arguments, word(&self.judged))
    }
}
