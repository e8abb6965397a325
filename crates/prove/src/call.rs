//! Calls: from what a solver found to a call that the engine can judge.
//!
//! A solver names what rules read and nothing else: numbers, texts, which facts hold. A call has all arguments that
//! its tool requires, a moment and a session, and facts hold of it or they do not. So what is missing is made up
//! from the tool's schema and the operator's own examples, and tried. Where nothing fits there may still be such a
//! call: that is for the caller to say.
//!
//! Start at [`Maker::call`]. Not here: judging it.

use std::collections::BTreeMap;

use cedar_policy::{Context, EvalResult};
use placet_engine::{
    cost::Amount,
    json::{Json, Number, Object},
    names::{Action, AgentName, MatchName},
    policy::{
        Policy,
        arguments::{Kind, Record},
        config::Proposed,
        facts::{Match, Truth},
        slice::Read,
    },
    time::Timestamp,
    tool::Definition,
    window::Zone,
};

use crate::told;

/// A call that a solver came upon, and what it supposed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sought {
    /// The call.
    pub call: Proposed,
    /// The facts that must hold, fail or be absent.
    pub facts: BTreeMap<MatchName, Truth>,
}

/// What calls are made of.
pub(crate) struct Maker<'a> {
    pub(crate) agent: &'a AgentName,
    pub(crate) tool: &'a Action,
    pub(crate) read: &'a Read,
    pub(crate) definition: Option<&'a Definition>,
    pub(crate) schema: Option<&'a Json>,
    pub(crate) zone: &'a Zone,
    /// By the names that the question has for them.
    pub(crate) facts: BTreeMap<MatchName, &'a Match>,
}

impl<'a> Maker<'a> {
    /// Makes calls of an agent and a tool over what a policy says of facts and the clock.
    pub(crate) fn new(policy: &'a Policy, agent: &'a AgentName, tool: &'a Action, read: &'a Read) -> Self {
        let rules = policy.rules();
        let named = |name: &MatchName| Some((name.clone(), rules.matches.get(name)?));
        Self {
            agent,
            tool,
            read,
            definition: policy.tool(tool).and_then(|tool| tool.definition.as_deref()),
            schema: None,
            zone: &rules.zone,
            facts: read.facts.iter().filter_map(named).collect(),
        }
    }

    /// The facts that are absent of no call that fits the tool.
    pub(crate) fn always_there(&self) -> Vec<MatchName> {
        let Some(definition) = self.definition else { return Vec::new() };
        let there = self.facts.iter().filter(|(_, fact)| fact.is_always_there(&definition.arguments));
        there.map(|(name, _)| name.clone()).collect()
    }

    /// The facts of a context.
    pub(crate) fn supposed(&self, context: &Context) -> BTreeMap<MatchName, Truth> {
        let has = |set: &str, name: &MatchName| match context.get(set) {
            Some(EvalResult::Set(set)) => set.contains(&EvalResult::String(name.to_string())),
            Some(_) | None => false,
        };
        let truth = |name: &MatchName| match (has("matches", name), has("absent", name)) {
            (true, _) => Truth::Holds,
            (false, true) => Truth::Absent,
            (false, false) => Truth::Fails,
        };
        self.facts.keys().map(|name| (name.clone(), truth(name))).collect()
    }

    /// A call of which this is read; any call where there is no context, since then nothing is.
    pub(crate) fn call(&self, context: Option<&Context>) -> Sought {
        let mut call = Proposed::new(self.agent.clone(), self.tool.clone());
        let told = |root: &str| context.and_then(|context| context.get(root));
        let mut arguments = match (self.kinds("args"), told("args")) {
            (Some(kinds), Some(value)) => told::object(kinds, &value, self.schema).unwrap_or_default(),
            (Some(_) | None, _) => Object::new(),
        };
        if let Some(definition) = self.definition {
            told::complete(&mut arguments, &definition.arguments, self.schema);
        }
        if let Some(EvalResult::Record(session)) = told("session") {
            if let Some(EvalResult::Long(steps)) = session.get("steps") {
                call.steps = u64::try_from(*steps).unwrap_or(1).max(1);
            }
            if let Some(EvalResult::Set(labels)) = session.get("labels") {
                let labels = labels.iter().filter_map(told::text).filter_map(|label| label.parse().ok());
                call.labels = labels.collect();
            }
        }
        if let Some(EvalResult::Record(about)) = told("call") {
            self.about_call(&about, &mut call, &mut arguments);
        }
        let facts = context.map(|context| self.supposed(context)).unwrap_or_default();
        call.arguments = Json::Object(arguments);
        self.make_facts(&facts, &mut call.arguments);
        Sought { call, facts }
    }

    fn kinds(&self, root: &str) -> Option<&Record> {
        match self.read.root.members.get(root).map(|member| &member.kind) {
            Some(Kind::Record(kinds)) => Some(kinds),
            Some(_) | None => None,
        }
    }

    fn about_call(&self, about: &cedar_policy::Record, call: &mut Proposed, arguments: &mut Object) {
        let long = |name: &str| about.get(name).and_then(told::whole);
        call.dry_run = about.get("dry_run") == Some(&EvalResult::Bool(true));
        if about.get("extra") == Some(&EvalResult::Bool(true)) {
            arguments.insert("undeclared", "x");
        }
        let weekday = about.get("weekday").and_then(told::text);
        if let Some(at) = moment(self.zone, long("hour"), long("minute"), weekday) {
            call.at = at;
        }
        if let Some(EvalResult::Record(costs)) = about.get("cost") {
            let said = costs.iter().filter_map(|(unit, amount)| {
                let micros = told::whole(amount)?;
                Some((unit.parse().ok()?, Amount(u64::try_from(micros).ok()?)))
            });
            call.cost = said.filter(|(_, amount)| *amount != Amount(0)).collect();
        }
    }

    /// Puts values where facts look, so that they are as supposed. Facts that look at one place are settled
    /// together; where no value that is known does it, the place stays as it is.
    fn make_facts(&self, supposed: &BTreeMap<MatchName, Truth>, arguments: &mut Json) {
        let mut places: BTreeMap<Vec<String>, Vec<(&Match, Truth)>> = BTreeMap::new();
        for (name, truth) in supposed {
            if let Some(found) = self.facts.get(name) {
                places.entry(found.path.names()).or_default().push((found, *truth));
            }
        }
        for (path, facts) in places {
            let is_so =
                |arguments: &Json| facts.iter().all(|(fact, truth)| fact.holds(arguments) == Ok(*truth));
            if is_so(arguments) {
                continue;
            }
            let samples = facts.iter().flat_map(|(fact, _)| fact.samples());
            let tries = [None].into_iter().chain(samples.map(Some));
            let mut second = None;
            for value in tries {
                let mut tried = arguments.clone();
                told::put(&mut tried, &path, value);
                if !is_so(&tried) {
                    continue;
                }
                let fits = self.definition.is_none_or(|definition| definition.schema.check(&tried).is_ok());
                if fits {
                    second = Some(tried);
                    break;
                }
                second = second.or(Some(tried));
            }
            if let Some(found) = second {
                *arguments = found;
            }
        }
    }
}

/// A moment at which clocks of a zone show this.
fn moment(zone: &Zone, hour: Option<i64>, minute: Option<i64>, weekday: Option<&str>) -> Option<Timestamp> {
    const MINUTE: u64 = 60 * 1_000_000;
    /// A day more than a week, so that each hour comes although one was left out.
    const MINUTES: u64 = 8 * 24 * 60;
    let is_shown = |at: &Timestamp| {
        let clock = zone.clock(*at);
        hour.is_none_or(|hour| hour == i64::from(clock.hour))
            && minute.is_none_or(|minute| minute == i64::from(clock.minute))
            && weekday.is_none_or(|weekday| weekday == clock.weekday)
    };
    (0..MINUTES).map(|minutes| Timestamp(Proposed::AT.0 + minutes * MINUTE)).find(is_shown)
}

/// A number that stands in Cedar's text of a decimal, as in `decimal("1.5")`.
pub(crate) fn decimal(text: &str) -> Option<Number> {
    Number::parse(text.split('"').nth(1)?).ok()
}
