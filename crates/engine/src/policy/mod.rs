//! Policy: who may call what, and under which conditions. Cedar judges; nothing else does.
//!
//! The simple file ([`config`]) is lowered to Cedar policies ([`lower`]) over one model: agents are
//! principals, tools are actions in groups `level:…` and `server:…`, servers are resources. At load everything
//! is validated strictly, and for each pair of agent and tool only the policies whose scope can match are
//! kept ([`eval`]). A policy that cannot be evaluated denies: Cedar alone would skip it.
//!
//! Start at [`Policy::compile`] and [`Policy::judge`]. Not here: what a call costs or what has happened before.

pub mod arguments;
pub mod change;
pub mod config;
mod eval;
pub mod explain;
pub mod facts;
pub mod lint;
mod lower;
mod model;
pub mod own_files;
pub mod probe;
pub mod slice;
pub mod trial;
mod view;
pub mod when;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use crate::{
    approval::Electorate,
    cost::Amount,
    decision::DenyReason,
    json::Json,
    level::Level,
    limits,
    names::{
        Action, AgentName, BudgetName, ClientName, GroupName, Label, MatchName, NameError, PersonName,
        TeamName,
    },
    time::Timestamp,
    tool::Definition,
    window::{Window, Zone},
};
use config::{Agent, Approvers, Config, Control, Disclose, Guard, Person, Strength, terms};
use eval::Compiled;
use facts::Match;
use own_files::OwnFiles;

/// What a tool is, by the operator's word.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Its level, and on what conditions it is called.
    pub terms: Arc<terms::Tool>,
    /// Whether it can say what it would do without doing it.
    pub plans: bool,
    /// What was accepted of it, where that is known when the policy is loaded: conditions over its arguments
    /// are checked then, and not only at its first call.
    pub definition: Option<Arc<Definition>>,
}

impl Tool {
    /// Its level.
    pub fn level(&self) -> Level {
        self.terms.level
    }
}

impl From<terms::Tool> for Tool {
    fn from(terms: terms::Tool) -> Self {
        Self { terms: Arc::new(terms), plans: false, definition: None }
    }
}

impl From<Level> for Tool {
    fn from(level: Level) -> Self {
        Self::from(terms::Tool::from(level))
    }
}

/// The tools that an operator has given a level. Globs expand over these and over nothing else.
pub type Catalogue = BTreeMap<Action, Tool>;

/// Who may do what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// Agents and their remits.
    pub agents: BTreeMap<AgentName, Agent>,
    /// What must also hold.
    pub guards: Vec<Guard>,
    /// Settings of groups of approvers.
    pub approvers: BTreeMap<GroupName, Approvers>,
    /// People and what each may do.
    pub people: BTreeMap<PersonName, Person>,
    /// Facts, by name.
    pub matches: BTreeMap<MatchName, Match>,
    /// By whose clock a condition reads the hour and the day.
    pub zone: Zone,
    /// The clients through which agents come.
    pub clients: BTreeSet<ClientName>,
    /// How much may be spent.
    pub budgets: Vec<terms::Budget>,
    /// When the boundary narrows by itself.
    pub trips: Vec<terms::Trip>,
    /// How long sessions last.
    pub session: terms::SessionTerms,
    /// What is remembered how carefully.
    pub durability: terms::Durability,
}

impl From<&Config> for Rules {
    fn from(config: &Config) -> Self {
        Self {
            agents: config.agents.clone(),
            guards: config.guards.clone(),
            approvers: config.approvers.clone(),
            people: config.people.clone(),
            matches: config.matches.clone(),
            zone: config.zone.clone(),
            clients: config.clients.keys().cloned().collect(),
            budgets: config.budgets.clone(),
            trips: config.trips.clone(),
            session: config.session,
            durability: config.durability,
        }
    }
}

/// The catalogue that a configuration file gives.
pub fn catalogue(config: &Config) -> Catalogue {
    let tools = config.servers.iter().flat_map(|(server, entry)| {
        entry.tools.iter().map(|(tool, tool_terms)| {
            (Action::new(server.clone(), tool.clone()), Tool::from(tool_terms.value.clone()))
        })
    });
    tools.collect()
}

/// Why a policy cannot be used. The one that runs goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// A rule says what Cedar's validator refuses.
    Invalid(Vec<String>),
    /// A rule that must refuse did not, when it was tried at load.
    SelfCheck(Level),
    /// Conditions that mean nothing over the tools that they cover.
    Rules(Vec<RuleProblem>),
    /// Our lowering made something that Cedar does not take.
    Bug(String),
}

/// What is wrong with one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleProblem {
    /// The line that it stands on, from 1; 0 if it stands in no file.
    pub line: usize,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PolicyError::Invalid(problems) => write!(f, "the policy is not valid: {}", problems.join("; ")),
            PolicyError::SelfCheck(level) => {
                write!(
                    f,
                    "a rule that forbids level {level} did not refuse when it was tried, so nothing is served"
                )
            }
            PolicyError::Rules(problems) => {
                for (at, problem) in problems.iter().enumerate() {
                    let gap = if at == 0 { "" } else { "; " };
                    write!(f, "{gap}line {}: {}", problem.line, problem.message)?;
                }
                Ok(())
            }
            PolicyError::Bug(what) => write!(f, "the policy could not be built: {what}; this is a bug"),
        }
    }
}

impl std::error::Error for PolicyError {}

/// A policy, ready to judge.
#[derive(Debug)]
pub struct Policy {
    rules: Arc<Rules>,
    catalogue: Arc<Catalogue>,
    compiled: Compiled,
    trips: Vec<(terms::Trip, BudgetName, Window)>,
    own: Arc<OwnFiles>,
}

/// What rules with conditions may look at of one call.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// The tool, as it was accepted.
    pub definition: &'a Definition,
    /// The arguments, which fit its schema.
    pub arguments: &'a Json,
    /// Whether nothing is to be done for real.
    pub dry_run: bool,
    /// When it is proposed.
    pub now: Timestamp,
    /// How many calls were proposed in its session, this one included.
    pub steps: u64,
    /// What its session has seen.
    pub labels: &'a BTreeSet<Label>,
    /// What it costs in a unit.
    pub cost: &'a dyn Fn(&str) -> Result<Amount, DenyReason>,
}

impl fmt::Debug for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen").field("arguments", self.arguments).finish_non_exhaustive()
    }
}

/// What policy says of one agent and one tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It may run once these controls are satisfied; none left means now.
    Granted {
        /// What is missing.
        controls: Vec<Control>,
        /// The policies that grant it, and those that the controls lift.
        policies: Vec<Arc<str>>,
    },
    /// It may not run.
    Refused {
        /// Why.
        reason: DenyReason,
        /// The policies that refuse it; none where nothing grants it.
        policies: Vec<Arc<str>>,
    },
}

impl Policy {
    /// Lowers, validates and slices `rules` over `catalogue`, and tries a forbid of each level.
    ///
    /// # Errors
    ///
    /// [`PolicyError`]; nothing is served under a policy that has one.
    pub fn compile(rules: Rules, catalogue: Catalogue) -> Result<Self, PolicyError> {
        let (rules, catalogue) = (Arc::new(rules), Arc::new(catalogue));
        let compiled = Compiled::new(&rules, &catalogue)?;
        let trips = rules.trips.iter().map(|trip| {
            let name = format!("trip {}", trip.name).parse().map_err(|error: NameError| {
                PolicyError::Invalid(vec![format!("the name of trip `{}` is too long: {error}", trip.name)])
            })?;
            Ok((trip.clone(), name, Window::Rolling(trip.within)))
        });
        let trips = trips.collect::<Result<_, PolicyError>>()?;
        Ok(Self { rules, catalogue, compiled, trips, own: Arc::default() })
    }

    /// The same, with files that no argument may lead to, whatever the rules say.
    #[must_use]
    pub fn guarding(self, own: Arc<OwnFiles>) -> Self {
        Self { own, ..self }
    }

    /// Refuses a call with an argument that leads to one of Placet's own files. Nothing lifts it.
    pub(crate) fn judge_own_files(&self, action: &Action, arguments: &Json) -> Option<Judged> {
        let argument = self.own.touched(&action.server, arguments)?;
        let words = format!("`{argument}` leads to a file of Placet's own, or to a folder that holds one");
        Some(Judged::Refused {
            reason: DenyReason::Forbidden(Some(words.into())),
            policies: vec![own_files::RULE.into()],
        })
    }

    /// The tool's level, if the operator has given it one.
    pub fn level(&self, action: &Action) -> Option<Level> {
        self.catalogue.get(action).map(Tool::level)
    }

    /// The tool, if the operator has given it a level.
    pub fn tool(&self, action: &Action) -> Option<&Tool> {
        self.catalogue.get(action)
    }

    /// The team of an agent, if it has one.
    pub fn team(&self, agent: &AgentName) -> Option<&TeamName> {
        self.rules.agents.get(agent)?.team.as_ref()
    }

    /// The rules that it was made of.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How much may be spent, in the order of the file.
    pub fn budgets(&self) -> &[terms::Budget] {
        &self.rules.budgets
    }

    /// The budget of this name.
    pub fn budget(&self, name: &BudgetName) -> Option<&terms::Budget> {
        self.rules.budgets.iter().find(|budget| budget.name == *name)
    }

    /// Trips, each with the name of its account and its window.
    pub(crate) fn trips(&self) -> &[(terms::Trip, BudgetName, Window)] {
        &self.trips
    }

    /// How long sessions last.
    pub fn session_terms(&self) -> terms::SessionTerms {
        self.rules.session
    }

    /// What is remembered how carefully.
    pub fn durability(&self) -> terms::Durability {
        self.rules.durability
    }

    /// The tools that have a level.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Judges a call by the rules that do not depend on it. What they refuse, no arguments open; what they grant
    /// stands if the tool [is not conditional](Self::is_conditional).
    pub fn judge(&self, agent: &AgentName, action: &Action) -> Judged {
        self.compiled.judge(agent, action)
    }

    /// Whether what is said of this tool depends on the arguments, the session or the time.
    pub fn is_conditional(&self, action: &Action) -> bool {
        self.compiled.is_conditional(action)
    }

    /// Whether what this agent is told of this tool depends on the arguments, the session or the time: then
    /// [`Self::judge`] says only what no call can pass.
    pub fn is_conditional_for(&self, agent: &AgentName, action: &Action) -> bool {
        self.compiled.is_conditional_for(agent, action)
    }

    /// Whether a rule of this tool reads what the session has seen.
    pub fn reads_labels(&self, action: &Action) -> bool {
        self.compiled.reads_labels(action)
    }

    /// Judges one call by all rules, its arguments having been found to fit the tool's schema.
    pub fn judge_call(&self, agent: &AgentName, action: &Action, seen: &Seen<'_>) -> Judged {
        self.compiled.judge_call(agent, action, seen)
    }

    /// The line of the file on which the rule of this policy stands; 0 if it stands in none.
    pub fn line(&self, policy: &str) -> usize {
        self.compiled.line(policy)
    }

    /// Whether any call of this tool could be allowed to this agent, once every control is satisfied. What
    /// could not is not even listed.
    pub fn could_allow(&self, agent: &AgentName, action: &Action) -> bool {
        matches!(self.judge(agent, action), Judged::Granted { .. })
            || (self.observes(agent) && self.catalogue.contains_key(action))
    }

    /// How much a refusal tells this agent. One that the rules do not name is told least.
    pub fn disclose(&self, agent: &AgentName) -> Disclose {
        self.rules.agents.get(agent).map_or(Disclose::Code, |agent| agent.disclose)
    }

    /// Whether policy is only watched for this agent.
    pub fn observes(&self, agent: &AgentName) -> bool {
        self.rules.agents.get(agent).is_some_and(|agent| agent.observe)
    }

    /// Whether the rules name this agent.
    pub fn knows(&self, agent: &AgentName) -> bool {
        self.rules.agents.contains_key(agent)
    }

    /// How long a question about these controls waits: as long as its most impatient group lets it.
    pub(crate) fn patience(&self, controls: &[Control]) -> Duration {
        let groups: BTreeSet<_> = controls.iter().map(|Control::Approval { group, .. }| group).collect();
        groups
            .into_iter()
            .map(|group| {
                self.rules.approvers.get(group).map_or(limits::APPROVAL_PENDING, |group| group.expires)
            })
            .min()
            .unwrap_or(limits::APPROVAL_PENDING)
    }

    /// Whether people could meet these controls at all: there are as many as each of them asks.
    pub fn is_answerable(&self, controls: &[Control]) -> bool {
        controls.iter().all(|Control::Approval { group, votes, .. }| {
            let may = self.rules.people.values().filter(|person| person.may_approve(group));
            may.count() >= usize::from(*votes)
        })
    }

    /// All policies as Cedar text, in load order, each with its id and the line it comes from.
    pub fn to_cedar(&self) -> String {
        self.compiled.to_cedar()
    }

    /// Digest of everything in the rules that can change a judgement: the policies and the catalogue. Which files are
    /// Placet's own is no rule, and no part of it.
    pub fn digest(&self) -> &str {
        self.compiled.digest()
    }
}

impl Electorate for Policy {
    fn may_approve(&self, person: &PersonName, group: &GroupName) -> bool {
        self.rules.people.get(person).is_some_and(|person| person.may_approve(group))
    }

    fn strength(&self, group: &GroupName) -> Strength {
        self.rules.approvers.get(group).map_or(Strength::Passkey, |group| group.strength)
    }
}

#[cfg(test)]
mod tests;
