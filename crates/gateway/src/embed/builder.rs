//! Building: agents with their remits, tools with their levels and costs, budgets; checked whole, or not built.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
};

use placet_engine::{
    cost::{Amount, CostError},
    json::{Json, Limits, parse},
    level::{Level, LevelSet},
    names::{Action, AgentName, BudgetName, NameError, ServerName, ToolName, Unit},
    policy::{
        self, Catalogue, Policy, PolicyError, Rules,
        config::{
            self,
            terms::{self, BudgetScope, Measure, Once},
        },
    },
    time::Timestamp,
    tool::{Definition, DefinitionError},
    window::Window,
};
use placet_store::{
    StoreError,
    sqlite::{OpenError, PayloadKeys},
};
use serde_json::Value;

use super::{
    Gateway, Inner,
    kept::{Kept, open},
};
use crate::{
    clock::{Clock, Guarded, SystemClock},
    gate::Gate,
    latch::Latch,
    own_files,
    sealer::Sealer,
    sequencer::SequencerError,
    upstream::in_process::{Closures, Context, InProcess, Plan},
};

/// An agent and its remit.
#[derive(Clone, Debug)]
pub struct Agent {
    name: String,
    levels: LevelSet,
    allow: Vec<String>,
    deny: Vec<String>,
}

impl Agent {
    /// An agent that holds nothing yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), levels: LevelSet::EMPTY, allow: Vec::new(), deny: Vec::new() }
    }

    /// Every tool of these levels.
    #[must_use]
    pub fn holds(mut self, levels: impl IntoIterator<Item = Level>) -> Self {
        self.levels = LevelSet::of(levels);
        self
    }

    /// One more tool, whatever its level.
    #[must_use]
    pub fn allow(mut self, tool: impl Into<String>) -> Self {
        self.allow.push(tool.into());
        self
    }

    /// Not this tool, whatever else is held: a denial wins over everything.
    #[must_use]
    pub fn deny(mut self, tool: impl Into<String>) -> Self {
        self.deny.push(tool.into());
        self
    }
}

/// A tool: a name, a level, what its arguments look like, and what it does.
pub struct Tool {
    name: String,
    schema: Value,
    closures: Closures,
    terms: terms::Tool,
    wrong: Option<CostError>,
}

impl Tool {
    /// A tool without arguments that does nothing yet.
    pub fn new(name: impl Into<String>, level: Level) -> Self {
        let run = Arc::new(|_, _| -> std::pin::Pin<Box<dyn Future<Output = Result<Json, String>> + Send>> {
            Box::pin(async { Err("the tool has nothing to run".to_owned()) })
        });
        Self {
            name: name.into(),
            schema: serde_json::json!({ "type": "object", "additionalProperties": false }),
            closures: Closures { level, run, plan: None },
            terms: terms::Tool::from(level),
            wrong: None,
        }
    }

    /// The most that a call costs in a unit, over its arguments: `"args.amount"`, `"len(args.to) * 0.02"`.
    #[must_use]
    pub fn cost(mut self, unit: &str, over: &str) -> Self {
        match (unit.parse(), over.parse()) {
            (Ok(unit), Ok(over)) => drop(self.terms.cost.insert(unit, over)),
            (Err(error), _) => self.wrong = Some(CostError(NameError::to_string(&error))),
            (_, Err(error)) => self.wrong = Some(error),
        }
        self
    }

    /// Whether the same call may happen twice.
    #[must_use]
    pub fn once(mut self, once: Once) -> Self {
        self.terms.once = once;
        self
    }

    /// Identical calls in a row are no loop.
    #[must_use]
    pub fn repeat(mut self) -> Self {
        self.terms.repeat = true;
        self
    }

    /// The JSON Schema of its arguments. Keys that it does not declare are refused.
    #[must_use]
    pub fn schema(mut self, schema: Value) -> Self {
        self.schema = schema;
        self
    }

    /// What it does. An error is a result that says so, not a refusal.
    #[must_use]
    pub fn run<F, R>(mut self, run: F) -> Self
    where
        F: Fn(Json, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Json, String>> + Send + 'static,
    {
        self.closures.run = Arc::new(move |arguments, context| Box::pin(run(arguments, context)));
        self
    }

    /// What it would do, said without doing it. Without this there is no dry run of kind `tool`.
    #[must_use]
    pub fn plan<F, R>(mut self, plan: F) -> Self
    where
        F: Fn(Json, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Plan, String>> + Send + 'static,
    {
        self.closures.plan = Some(Arc::new(move |arguments, context| Box::pin(plan(arguments, context))));
        self
    }
}

/// How much may be spent.
///
/// ```
/// use placet::{Budget, Window};
/// let per_session = Budget::calls("calls of a run", 10).per(Window::Session);
/// let money = Budget::spend("support", "usd", "500.00").of_agent("support").per(Window::Rolling(std::time::Duration::from_secs(86_400)));
/// # drop((per_session, money));
/// ```
#[derive(Clone, Debug)]
pub struct Budget {
    name: String,
    scope: Option<String>,
    per: Window,
    measure: Result<Measure, CostError>,
    cap: Result<Amount, CostError>,
}

impl Budget {
    fn new(
        name: impl Into<String>,
        measure: Result<Measure, CostError>,
        cap: Result<Amount, CostError>,
    ) -> Self {
        Self { name: name.into(), scope: None, per: Window::Total, measure, cap }
    }

    /// So many calls, of everybody together and for ever, unless it is said otherwise.
    pub fn calls(name: impl Into<String>, count: u64) -> Self {
        Self::new(name, Ok(Measure::Calls), Ok(Amount::whole(count)))
    }

    /// So much of a unit in which tools state their cost.
    pub fn spend(name: impl Into<String>, unit: &str, cap: &str) -> Self {
        let unit = unit.parse::<Unit>().map_err(|error| CostError(error.to_string()));
        Self::new(name, unit.map(Measure::Cost), cap.parse())
    }

    /// Only the calls of this agent.
    #[must_use]
    pub fn of_agent(mut self, agent: impl Into<String>) -> Self {
        self.scope = Some(agent.into());
        self
    }

    /// Over which time it counts.
    #[must_use]
    pub fn per(mut self, per: Window) -> Self {
        self.per = per;
        self
    }

    fn build(self) -> Result<terms::Budget, BuildError> {
        let wrong = |cause: CostError| BuildError::Terms(format!("budget `{}`: {cause}", self.name));
        let name: BudgetName = self.name.parse().map_err(BuildError::Name)?;
        let agent = self.scope.as_ref().map(|agent| agent.parse()).transpose().map_err(BuildError::Name)?;
        Ok(terms::Budget {
            name,
            scope: match agent {
                Some(agent) => BudgetScope::Agent(Some(agent)),
                None => BudgetScope::All,
            },
            per: self.per.clone(),
            measure: self.measure.clone().map_err(wrong)?,
            cap: self.cap.clone().map_err(wrong)?,
            over: terms::Over::Deny,
            warn: terms::Budget::WARN.to_vec(),
            unpriced_denied: false,
            line: 0,
        })
    }
}

/// Collects agents and tools.
#[derive(Default)]
pub struct Builder {
    agents: Vec<Agent>,
    tools: Vec<Tool>,
    budgets: Vec<Budget>,
    state: Option<PathBuf>,
    payloads: PayloadKeys,
    clock: Option<Arc<dyn Clock>>,
}

/// Why a gateway cannot be built.
#[derive(Debug)]
pub enum BuildError {
    /// A name that cannot be used.
    Name(NameError),
    /// Two agents or two tools of one name.
    Twice(String),
    /// An agent is allowed or denied a tool that is not there.
    UnknownTool {
        /// The agent.
        agent: String,
        /// The tool.
        tool: String,
    },
    /// A tool's schema cannot be used.
    Schema {
        /// The tool.
        tool: String,
        /// Why.
        cause: DefinitionError,
    },
    /// A cost, a key or a budget that cannot be used; what is wrong.
    Terms(String),
    /// The policy cannot be used.
    Policy(PolicyError),
    /// The state directory cannot be used.
    Open(OpenError),
    /// The store cannot be used.
    Store(StoreError),
    /// The ledger cannot go on.
    Ledger(SequencerError),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Name(error) => error.fmt(f),
            BuildError::Twice(name) => write!(f, "`{name}` is there twice"),
            BuildError::UnknownTool { agent, tool } => {
                write!(f, "agent `{agent}` names the tool `{tool}`, which is not there")
            }
            BuildError::Schema { tool, cause } => write!(f, "tool `{tool}` cannot be used: {cause}"),
            BuildError::Terms(what) => f.write_str(what),
            BuildError::Policy(error) => error.fmt(f),
            BuildError::Open(error) => error.fmt(f),
            BuildError::Store(error) => error.fmt(f),
            BuildError::Ledger(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BuildError {}

impl Builder {
    /// Adds an agent.
    #[must_use]
    pub fn agent(mut self, agent: Agent) -> Self {
        self.agents.push(agent);
        self
    }

    /// Adds a tool.
    #[must_use]
    pub fn tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// Adds a budget.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budgets.push(budget);
        self
    }

    /// Remembers in this directory, which this process then owns. Without it, in memory.
    #[must_use]
    pub fn state(mut self, directory: impl AsRef<Path>) -> Self {
        self.state = Some(directory.as_ref().to_owned());
        self
    }

    /// Encrypts what is kept of calls in that directory. Without it, it stands there in plain text.
    #[must_use]
    pub fn payloads(mut self, keys: PayloadKeys) -> Self {
        self.payloads = keys;
        self
    }

    /// Takes the time from `clock`, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Checks everything, opens the store, and is ready to judge.
    ///
    /// # Errors
    ///
    /// [`BuildError`]; nothing runs through a gateway that could not be built whole.
    pub async fn build(self) -> Result<Gateway, BuildError> {
        let mut catalogue = Catalogue::new();
        let mut definitions = BTreeMap::new();
        let mut closures = BTreeMap::new();
        for tool in self.tools {
            let action = app(&tool.name)?;
            let definition = definition(&tool)?;
            if let Some(wrong) = &tool.wrong {
                return Err(BuildError::Terms(format!("tool `{}`: {wrong}", tool.name)));
            }
            let definition = Arc::new(definition);
            let entry = policy::Tool {
                plans: tool.closures.plan.is_some(),
                definition: Some(Arc::clone(&definition)),
                ..policy::Tool::from(tool.terms.clone())
            };
            if catalogue.insert(action.clone(), entry).is_some() {
                return Err(BuildError::Twice(tool.name));
            }
            definitions.insert(action.clone(), definition);
            closures.insert(action, tool.closures);
        }
        let mut rules = Rules::default();
        for agent in self.agents {
            let name: AgentName = agent.name.parse().map_err(BuildError::Name)?;
            let remit = remit(&agent, &catalogue)?;
            if rules.agents.insert(name, remit).is_some() {
                return Err(BuildError::Twice(agent.name));
            }
        }
        for budget in self.budgets {
            let budget = budget.build()?;
            if rules.budgets.iter().any(|known| known.name == budget.name) {
                return Err(BuildError::Twice(budget.name.to_string()));
            }
            rules.budgets.push(budget);
        }
        let policy = Policy::compile(rules, catalogue).map_err(BuildError::Policy)?;
        // A program's other files are its own; what is remembered here is not its tools' to write.
        let policy = match &self.state {
            Some(state) => policy.guarding(own_files::of_state(state)),
            None => policy,
        };
        let (store, key, left_open) = open(self.state.as_deref(), self.payloads)?;
        let seen = match &store {
            Kept::Memory(_) => Timestamp(0),
            Kept::Sqlite(store) => store.epoch().calendar,
        };
        let clock = self.clock.unwrap_or_else(|| Arc::new(Guarded::new(SystemClock, seen)));
        let gate = Gate::new(policy, store, Latch::default(), key, Arc::clone(&clock), &left_open)
            .await
            .map_err(BuildError::Store)?;
        let sealer = match &self.state {
            Some(state) => {
                let log = Arc::new(|_: &str| {});
                Some(Sealer::start(state, Arc::clone(&clock), log).map_err(BuildError::Ledger)?)
            }
            None => None,
        };
        let client = "app".parse().map_err(BuildError::Name)?;
        let tools = InProcess { tools: closures, clock };
        Ok(Gateway { inner: Arc::new(Inner { gate, _sealer: sealer, tools, definitions, client }) })
    }
}

fn app(tool: &str) -> Result<Action, BuildError> {
    Ok(Action::new(ServerName::app(), tool.parse::<ToolName>().map_err(BuildError::Name)?))
}

fn definition(tool: &Tool) -> Result<Definition, BuildError> {
    let wrong = |cause| BuildError::Schema { tool: tool.name.clone(), cause };
    let text = serde_json::json!({ "name": tool.name, "inputSchema": tool.schema }).to_string();
    let json = parse(text.as_bytes(), &Limits::EDGE).map_err(|_| wrong(DefinitionError::Nameless))?;
    Definition::read(&json).map_err(wrong)
}

fn remit(agent: &Agent, catalogue: &Catalogue) -> Result<config::Agent, BuildError> {
    let patterns = |tools: &[String]| {
        let pattern = |tool: &String| {
            let unknown = || BuildError::UnknownTool { agent: agent.name.clone(), tool: tool.clone() };
            let action = app(tool)?;
            if !catalogue.contains_key(&action) {
                return Err(unknown());
            }
            let value = action.to_string().parse().map_err(|_| unknown())?;
            Ok(config::At { value, line: 0 })
        };
        tools.iter().map(pattern).collect::<Result<Vec<_>, BuildError>>()
    };
    Ok(config::Agent {
        levels: agent.levels,
        allow: patterns(&agent.allow)?,
        deny: patterns(&agent.deny)?,
        disclose: config::Disclose::Full,
        ..config::Agent::default()
    })
}
