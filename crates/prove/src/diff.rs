//! Differences: what one policy permits, refuses and asks about that another does not.
//!
//! For each agent and tool the slices of both are compared: as texts first, so that what was not touched costs
//! nothing, and then by questions to a solver over what both read. Each difference comes with one call which both
//! engines have judged. Where only one of them knows the agent or the tool, no solver is needed.
//!
//! What is compared is what the rules say of calls that they can read. Arguments that fit one tool's schema and not
//! the other's, and values without a form that rules can read, are no part of it. Start at [`diff()`].

use std::collections::{BTreeMap, BTreeSet};

use placet_engine::{
    names::{Action, AgentName, MatchName},
    policy::{
        Judged, Policy,
        arguments::Kind as Type,
        config::Control,
        explain::Does,
        facts::Match,
        slice::{Read, Ruled, Slice},
    },
};
use serde_json::{Value, json};

use crate::{
    Schemas, apart,
    call::{Maker, Sought},
    expression::{contains, context, not},
    invariant::{Doubt, is_always, judged, word},
    possible,
    question::{Question, Rule},
    seek::{Seeking, seek},
    solver::{Effort, NoSolver, Solver, Timings},
};

/// What differs between two policies.
#[derive(Clone, Debug, Default)]
#[must_use = "a difference that nobody looks at may be a hole"]
pub struct Changes {
    /// By agent and tool.
    pub found: Vec<Change>,
    /// What could not be compared, and why.
    pub uncompared: Vec<Uncompared>,
    /// How many pairs of agent and tool are in one of the policies at least.
    pub pairs: usize,
    /// What it took.
    pub timings: Timings,
}

/// What differs for one agent and one tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The agent.
    pub agent: AgentName,
    /// The tool.
    pub tool: Action,
    /// What differs.
    pub kind: Kind,
    /// A call of which it is so.
    pub shown: Shown,
}

/// In what way a call is decided otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It was refused, and no longer is.
    Permitted,
    /// It needed this control, and no longer does.
    AsksNoLonger(Control),
    /// It did not need this control, and now does.
    AsksNow(Control),
    /// It was not refused, and now is.
    Denied,
}

/// The call of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Both engines say so: what the old one says, and the new one.
    Call(Box<Sought>, Judged, Judged),
    /// Rules with a condition decide, and no call is known of which it is so.
    ByCondition,
}

/// A pair that was not compared, or not in every way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncompared {
    /// The agent.
    pub agent: AgentName,
    /// The tool.
    pub tool: Action,
    /// Why.
    pub why: String,
    /// A call that a solver came upon and that the engines do not bear out.
    pub sought: Option<Box<Sought>>,
}

impl Changes {
    /// Whether everything was compared.
    pub fn is_complete(&self) -> bool {
        self.uncompared.is_empty()
    }
}

/// Compares two policies. Waits for a solver; see [`crate::invariants_hold`].
pub fn diff(old: &Policy, new: &Policy, effort: &Effort, schemas: &dyn Schemas) -> Changes {
    let compared = apart(|| {
        let mut solver = Solver::find(effort);
        let mut changes = Changes::default();
        let agents: BTreeSet<&AgentName> =
            old.rules().agents.keys().chain(new.rules().agents.keys()).collect();
        let tools: BTreeSet<&Action> = old.catalogue().keys().chain(new.catalogue().keys()).collect();
        for agent in agents {
            for tool in &tools {
                changes.pairs += 1;
                let mut pair = Pair { old, new, agent, tool, solver: &mut solver, changes: &mut changes };
                if let Err(why) = pair.compare(schemas) {
                    pair.give_up(why, None);
                }
            }
        }
        if let Ok(solver) = &solver {
            let settled = changes.timings.settled;
            changes.timings = Timings { settled, ..solver.timings() };
        }
        changes
    });
    compared.unwrap_or_else(|| {
        let all =
            old.rules().agents.keys().flat_map(|agent| old.catalogue().keys().map(move |tool| (agent, tool)));
        let why = "the comparison broke off; this is a bug".to_owned();
        let uncompared = all.map(|(agent, tool)| Uncompared {
            agent: agent.clone(),
            tool: tool.clone(),
            why: why.clone(),
            sought: None,
        });
        Changes { uncompared: uncompared.collect(), ..Changes::default() }
    })
}

struct Pair<'a> {
    old: &'a Policy,
    new: &'a Policy,
    agent: &'a AgentName,
    tool: &'a Action,
    solver: &'a mut Result<Solver, NoSolver>,
    changes: &'a mut Changes,
}

impl<'a> Pair<'a> {
    fn give_up(&mut self, why: String, sought: Option<Sought>) {
        self.changes.uncompared.push(Uncompared {
            agent: self.agent.clone(),
            tool: self.tool.clone(),
            why,
            sought: sought.map(Box::new),
        });
    }

    fn change(&mut self, kind: Kind, shown: Shown) {
        let (agent, tool) = (self.agent.clone(), self.tool.clone());
        self.changes.found.push(Change { agent, tool, kind, shown });
    }

    fn compare(&mut self, schemas: &dyn Schemas) -> Result<(), String> {
        let observed = [self.old, self.new].map(|policy| policy.observes(self.agent));
        if observed != [false, false] {
            return match observed {
                [true, true] => Ok(()),
                [false, _] => {
                    Err("the agent is observed now: what policy refuses runs all the same".to_owned())
                }
                [true, _] => {
                    Err("the agent is no longer observed: what policy refuses ran until now".to_owned())
                }
            };
        }
        let (before, after) =
            (side(self.old, self.agent, self.tool)?, side(self.new, self.agent, self.tool)?);
        let (before, after) = match (before, after) {
            (None, None) => return Ok(()),
            (before, after) if before.is_none() || after.is_none() => {
                return self.one_sided(schemas);
            }
            (before, after) => (before.unwrap_or_default(), after.unwrap_or_default()),
        };
        if never(&before) && never(&after) || self.is_same(&before, &after) {
            self.changes.timings.settled += 1;
            return Ok(());
        }
        if is_plain(&before) && is_plain(&after) {
            return self.plain(schemas);
        }
        self.by_solver(before, after, schemas)
    }

    /// Whether both slices say the same of the same calls, by their texts.
    fn is_same(&self, before: &Slice, after: &Slice) -> bool {
        let texts = |slice: &Slice| {
            let all = slice.rules.iter().map(|rule| (format!("{:?}", kind_of(rule)), rule.est.to_string()));
            let mut all: Vec<_> = all.collect();
            all.sort_unstable();
            all
        };
        before.untyped.is_empty()
            && after.untyped.is_empty()
            && texts(before) == texts(after)
            && before.read == after.read
            && before.read.facts.iter().all(|name| self.fact(self.old, name) == self.fact(self.new, name))
            && (is_plain(before) || self.surroundings(before).is_none())
    }

    fn fact<'p>(&self, policy: &'p Policy, name: &MatchName) -> Option<&'p Match> {
        policy.rules().matches.get(name)
    }

    /// Why what stands around the rules makes the same words mean something else, if it does.
    fn surroundings(&self, slice: &Slice) -> Option<String> {
        let reads = |path: &[&str]| {
            let (first, rest) = path.split_first()?;
            let inside = slice.read.root.members.get(*first)?;
            match (&inside.kind, rest) {
                (_, []) => Some(()),
                (Type::Record(record), [name, ..]) => record.members.get(*name).map(|_| ()),
                (_, [_, ..]) => None,
            }
        };
        let clock = ["hour", "minute", "weekday"].iter().any(|name| reads(&["call", name]).is_some());
        if clock && self.old.rules().zone != self.new.rules().zone {
            return Some("the file's `zone` changed, and a condition reads the clock".to_owned());
        }
        let tools = [self.old, self.new].map(|policy| policy.tool(self.tool));
        let [Some(before), Some(after)] = tools else { return None };
        if reads(&["call", "cost"]).is_some() && before.terms.cost != after.terms.cost {
            return Some("what the tool costs changed, and a condition reads it".to_owned());
        }
        let shapes = [before, after].map(|tool| tool.definition.as_ref().map(|definition| definition.shape));
        let [one, two] = shapes;
        (one != two).then(|| {
            "the tool's definition in placet.lock changed, so other calls fit it; only what the rules say was compared"
                .to_owned()
        })
    }

    /// One of the policies does not know the agent or the tool, and so refuses.
    fn one_sided(&mut self, schemas: &dyn Schemas) -> Result<(), String> {
        let (known, kind) = match side(self.new, self.agent, self.tool)? {
            Some(_) => (self.new, Kind::Permitted),
            None => (self.old, Kind::Denied),
        };
        if matches!(known.judge(self.agent, self.tool), Judged::Refused { .. }) {
            return Ok(());
        }
        let schema = schemas.of(self.tool);
        let read = Read::default();
        let mut maker = Maker::new(known, self.agent, self.tool, &read);
        maker.schema = schema.as_ref();
        let sought = maker.call(None);
        let shown = match self.both(&sought) {
            Ok((before, after)) if is_so(&kind, &before, &after) => {
                Shown::Call(Box::new(sought), before, after)
            }
            Ok(_) | Err(_) => Shown::ByCondition,
        };
        self.change(kind, shown);
        Ok(())
    }

    /// No rule of either reads a call, so both say the same of each.
    fn plain(&mut self, schemas: &dyn Schemas) -> Result<(), String> {
        let [before, after] = [self.old, self.new].map(|policy| policy.judge(self.agent, self.tool));
        let schema = schemas.of(self.tool);
        let read = Read::default();
        let mut maker = Maker::new(self.new, self.agent, self.tool, &read);
        maker.schema = schema.as_ref();
        let sought = maker.call(None);
        for kind in kinds(&before, &after) {
            let shown = Shown::Call(Box::new(sought.clone()), before.clone(), after.clone());
            self.change(kind, shown);
        }
        Ok(())
    }

    fn by_solver(&mut self, before: Slice, after: Slice, schemas: &dyn Schemas) -> Result<(), String> {
        if let Err(none) = self.solver {
            return Err(format!("not compared: {none}; {}", none.help()));
        }
        if !before.untyped.is_empty() || !after.untyped.is_empty() {
            return Err("the tool is not in placet.lock, so conditions over it cannot be compared".to_owned());
        }
        let around = self.surroundings(&before).or_else(|| self.surroundings(&after));
        if let Some(why) = &around {
            self.give_up(why.clone(), None);
        }
        let (before, renamed) = self.renamed(before)?;
        let read = before
            .read
            .and(&after.read)
            .ok_or("the rules read one argument as two different types, so they cannot be compared")?;
        let schema = schemas.of(self.tool);
        let mut maker = Maker::new(self.new, self.agent, self.tool, &read);
        maker.schema = schema.as_ref();
        maker.facts.extend(renamed);
        // What one definition says is certain only of calls that fit it.
        let certain = match around {
            None => possible::certain(&read, maker.schema, &maker.always_there()),
            Some(_) => possible::certain(&read, None, &[]),
        };
        let whole = |slice: &Slice| chosen(slice, |does| !matches!(does, Does::Asks(_)));
        let mut questions = Vec::new();
        let question = |allows, denies, lacking: Option<&Control>| {
            let lacking = lacking.map(|control| not(contains(context(&["controls"]), &control.to_string())));
            let assumed = certain.iter().cloned().chain(lacking).collect();
            Question { read: read.clone(), allows, denies: Some(denies), assumed }
        };
        if texts(&whole(&before)) != texts(&whole(&after)) {
            questions.push((Kind::Permitted, question(whole(&after), whole(&before), None)));
            questions.push((Kind::Denied, question(whole(&before), whole(&after), None)));
        }
        for control in controls(&before).union(&controls(&after)) {
            if asking(&before, control) == asking(&after, control) {
                continue;
            }
            let without = |slice: &Slice| {
                chosen(slice, |does| match does {
                    Does::Asks(asked) => asked == control,
                    Does::Grants | Does::Forbids(_) | Does::CannotTell => true,
                })
            };
            let refusing =
                |slice: &Slice| chosen(slice, |does| matches!(does, Does::Forbids(_) | Does::CannotTell));
            for (kind, lax, strict) in [
                (Kind::AsksNoLonger(control.clone()), &after, &before),
                (Kind::AsksNow(control.clone()), &before, &after),
            ] {
                // Allowed here without the control and there only with it: nothing else refuses it there.
                let grants = strict.rules.iter().any(|rule| matches!(rule.does, Does::Grants));
                if grants {
                    let allows = without(lax).into_iter().chain(refusing(strict)).collect();
                    questions.push((kind, question(allows, without(strict), Some(control))));
                }
            }
        }
        for (kind, question) in questions {
            self.answer(kind, question, &maker);
        }
        Ok(())
    }

    fn answer(&mut self, kind: Kind, question: Question, maker: &Maker<'_>) {
        let (old, new) = (self.old, self.new);
        let attempt = |sought: &Sought| {
            let (before, after) = judge_both(old, new, sought)?;
            match is_so(&kind, &before, &after) {
                true => Ok((sought.clone(), before, after)),
                false => Err(format!("before: {}, after: {}", word(&before), word(&after))),
            }
        };
        let Ok(solver) = self.solver else { return };
        match seek(solver, question, maker, attempt) {
            Seeking::None => {}
            Seeking::Stands((sought, before, after)) => {
                self.change(kind, Shown::Call(Box::new(sought), before, after));
            }
            Seeking::Doubtful(sought, said) => {
                let said = Doubt::NotReproduced { sought: Box::new(sought.clone()), said }.to_string();
                self.give_up(format!("{}: {said}", kind.phrase()), Some(sought));
            }
            Seeking::Untold(why) => self.give_up(format!("{}: {why}", kind.phrase()), None),
        }
    }

    fn both(&self, sought: &Sought) -> Result<(Judged, Judged), String> {
        judge_both(self.old, self.new, sought)
    }

    /// The old slice with names of its own for facts that mean something else in the new policy.
    fn renamed(&self, mut before: Slice) -> Result<(Slice, BTreeMap<MatchName, &'a Match>), String> {
        let mut named = BTreeMap::new();
        for name in before.read.facts.clone() {
            let unknown = || format!("the match `{name}` is not known; this is a bug");
            let found = self.fact(self.old, &name).ok_or_else(unknown)?;
            if self.fact(self.new, &name) == Some(found) {
                named.insert(name, found);
                continue;
            }
            let taken = |name: &MatchName| {
                [self.old, self.new].iter().any(|policy| policy.rules().matches.contains_key(name))
            };
            let mut fresh = (0_usize..).map_while(|at| format!("old{at}").parse::<MatchName>().ok());
            // Under one name the two would be taken for one.
            let fresh =
                fresh.find(|fresh| !taken(fresh) && !named.contains_key(fresh)).ok_or_else(unknown)?;
            for rule in &mut before.rules {
                rename(&mut rule.est, name.as_str(), fresh.as_str());
            }
            before.read.facts.remove(&name);
            before.read.facts.insert(fresh.clone());
            named.insert(fresh, found);
        }
        Ok((before, named))
    }
}

impl Kind {
    /// In a few words.
    pub fn phrase(&self) -> String {
        match self {
            Kind::Permitted => "newly permitted".to_owned(),
            Kind::Denied => "newly denied".to_owned(),
            Kind::AsksNow(control) => format!("asks {control} now"),
            Kind::AsksNoLonger(control) => format!("asks {control} no longer"),
        }
    }
}

/// The slice of a pair; none if the policy refuses whatever the call is, since it does not know the pair.
fn side(policy: &Policy, agent: &AgentName, tool: &Action) -> Result<Option<Slice>, String> {
    if policy.tool(tool).is_none_or(|tool| tool.terms.canary) {
        return Ok(None);
    }
    policy.slice(agent, tool).map_err(|error| error.to_string())
}

/// Whether the rules that hold of each call refuse it.
fn never(slice: &Slice) -> bool {
    !slice.rules.iter().any(|rule| matches!(rule.does, Does::Grants))
        || slice.rules.iter().any(|rule| matches!(rule.does, Does::Forbids(_)) && is_always(rule))
}

/// Whether no rule reads a call.
fn is_plain(slice: &Slice) -> bool {
    slice.untyped.is_empty() && slice.rules.iter().all(is_always)
}

fn kind_of(rule: &Ruled) -> Option<&Control> {
    match &rule.does {
        Does::Asks(control) => Some(control),
        Does::Grants | Does::Forbids(_) | Does::CannotTell => None,
    }
}

fn controls(slice: &Slice) -> BTreeSet<Control> {
    slice.rules.iter().filter_map(kind_of).cloned().collect()
}

/// The rules that ask for a control, as texts.
fn asking(slice: &Slice, control: &Control) -> BTreeSet<String> {
    let asking = slice.rules.iter().filter(|rule| kind_of(rule) == Some(control));
    asking.map(|rule| rule.est.to_string()).collect()
}

fn texts(rules: &[Rule]) -> BTreeSet<String> {
    rules.iter().map(|rule| rule.est.to_string()).collect()
}

fn chosen(slice: &Slice, is_chosen: impl Fn(&Does) -> bool) -> Vec<Rule> {
    slice.rules.iter().filter(|rule| is_chosen(&rule.does)).map(Rule::from).collect()
}

fn judge_both(old: &Policy, new: &Policy, sought: &Sought) -> Result<(Judged, Judged), String> {
    Ok((judged(old, sought)?, judged(new, sought)?))
}

/// All ways in which two judgements of one call differ.
fn kinds(before: &Judged, after: &Judged) -> Vec<Kind> {
    match (before, after) {
        (Judged::Refused { .. }, Judged::Refused { .. }) => Vec::new(),
        (Judged::Refused { .. }, Judged::Granted { .. }) => vec![Kind::Permitted],
        (Judged::Granted { .. }, Judged::Refused { .. }) => vec![Kind::Denied],
        (Judged::Granted { controls: before, .. }, Judged::Granted { controls: after, .. }) => {
            let only = |one: &[Control], other: &[Control]| -> Vec<Control> {
                one.iter().filter(|control| !other.contains(control)).cloned().collect()
            };
            let no_longer = only(before, after).into_iter().map(Kind::AsksNoLonger);
            no_longer.chain(only(after, before).into_iter().map(Kind::AsksNow)).collect()
        }
    }
}

fn is_so(kind: &Kind, before: &Judged, after: &Judged) -> bool {
    kinds(before, after).contains(kind)
}

/// Renames a fact in an expression.
fn rename(value: &mut Value, from: &str, to: &str) {
    let is_fact = |set: &Value| ["matches", "absent"].iter().any(|name| *set == context(&[name]));
    match value {
        Value::Object(object) => {
            if let Some(Value::Object(asked)) = object.get_mut("contains")
                && asked.get("left").is_some_and(is_fact)
                && asked.get("right") == Some(&json!({ "Value": from }))
            {
                asked.insert("right".to_owned(), json!({ "Value": to }));
                return;
            }
            object.values_mut().for_each(|value| rename(value, from, to));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| rename(value, from, to)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
