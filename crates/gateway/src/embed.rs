//! Placet inside your own program: tools are closures, and the agent's loop calls [`Gateway::execute`].
//!
//! No derive, no server, no file: a builder takes agents with their remits and tools with their levels. What
//! holds for a call over the wire holds here: strict arguments, policy, a permit, a record of everything.
//!
//! Start at [`Gateway::builder`].

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
};

use placet_engine::{
    call::{CallId, DigestKey, DryRun, Mode, Proposal},
    cost::{Amount, CostError},
    json::{Json, Limits, Object, parse},
    level::{Level, LevelSet},
    names::{Action, AgentName, BudgetName, ClientName, NameError, ServerName, ToolName, Unit},
    permit::{Durability, Receipt},
    policy::{
        self, Catalogue, Policy, PolicyError, Rules,
        config::{
            self,
            terms::{self, BudgetScope, Measure},
        },
    },
    session::{History, SessionKey},
    state::{Changes, Intent, Needs, Remembered},
    stop::{Leaves, Scope},
    time::Timestamp,
    tool::{Definition, DefinitionError, Offer},
};
use placet_store::{
    Memory, Store, StoreError,
    sqlite::{OpenError, Opened, Sqlite},
};
use serde_json::Value;

pub use crate::upstream::in_process::{Context, Plan};
use crate::{
    clock::{Clock, Guarded, SystemClock},
    gate::{self, AfterStop, Answer, Gate},
    latch::Latch,
    mcp::meta,
    sealer::Sealer,
    sequencer::SequencerError,
    upstream::in_process::{Closures, InProcess},
    words::{self, Told},
};
pub use placet_engine::{
    policy::config::terms::{Key, Once},
    window::Window,
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
            let entry = policy::Tool {
                plans: tool.closures.plan.is_some(),
                ..policy::Tool::from(tool.terms.clone())
            };
            if catalogue.insert(action.clone(), entry).is_some() {
                return Err(BuildError::Twice(tool.name));
            }
            definitions.insert(action.clone(), Arc::new(definition));
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
        let (store, key, left_open) = open(self.state.as_deref())?;
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

type Opening = (Kept, DigestKey, Vec<Intent>);

fn open(state: Option<&Path>) -> Result<Opening, BuildError> {
    let Some(directory) = state else {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)
            .map_err(|cause| BuildError::Store(StoreError::Unavailable(cause.to_string())))?;
        return Ok((Kept::Memory(Box::default()), DigestKey::new(&secret), Vec::new()));
    };
    let Opened { store, left_open } = Sqlite::open(directory).map_err(BuildError::Open)?;
    let key = store.key().clone();
    Ok((Kept::Sqlite(Box::new(store)), key, left_open))
}

/// Either store, chosen once.
#[derive(Debug)]
pub enum Kept {
    /// Until the process ends.
    Memory(Box<Memory>),
    /// In a state directory.
    Sqlite(Box<Sqlite>),
}

impl Store for Kept {
    async fn open_intent(&self, call: CallId) -> Result<Option<Intent>, StoreError> {
        match self {
            Kept::Memory(store) => store.open_intent(call).await,
            Kept::Sqlite(store) => store.open_intent(call).await,
        }
    }

    async fn mend(&self) -> Result<Vec<Intent>, StoreError> {
        match self {
            Kept::Memory(store) => store.mend().await,
            Kept::Sqlite(store) => store.mend().await,
        }
    }

    async fn load(&self, needs: &Needs) -> Result<Remembered, StoreError> {
        match self {
            Kept::Memory(store) => store.load(needs).await,
            Kept::Sqlite(store) => store.load(needs).await,
        }
    }

    async fn commit<D: Durability>(&self, changes: Changes) -> Result<Receipt<D>, StoreError> {
        match self {
            Kept::Memory(store) => store.commit(changes).await,
            Kept::Sqlite(store) => store.commit(changes).await,
        }
    }
}

/// A boundary in this process.
///
/// ```
/// use placet::{Agent, Gateway, Level, Tool};
/// use serde_json::json;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let schema = json!({ "type": "object", "properties": { "user_id": { "type": "integer" } }, "required": ["user_id"] });
/// let gateway = Gateway::builder()
///     .agent(Agent::new("support").holds([Level::Read, Level::Write]))
///     .tool(Tool::new("read_user", Level::Read).schema(schema.clone()).run(|args, _| async move { Ok(args) }))
///     .tool(Tool::new("delete_user", Level::Delete).schema(schema).run(|_, _| async { unreachable!() }))
///     .build()
///     .await?;
///
/// let reply = gateway.execute("support", "run 1", "read_user", json!({ "user_id": 42 })).await?;
/// assert!(reply.ok());
///
/// let reply = gateway.execute("support", "run 1", "delete_user", json!({ "user_id": 42 })).await?;
/// assert_eq!(reply.error(), Some("action 'delete_user' is blocked by policy (level=delete)"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

struct Inner {
    /// Ends before the store does.
    _sealer: Option<Sealer>,
    gate: Gate<Kept>,
    tools: InProcess,
    definitions: BTreeMap<Action, Arc<Definition>>,
    client: ClientName,
}

/// A proposal that cannot even be judged: a mistake of the host program, not of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecuteError {
    /// No such agent was built.
    UnknownAgent(String),
    /// The name of a run is over 128 characters.
    SessionName,
    /// The key is none; what one is.
    Key(String),
    /// The call was cut off by a panic in our own code, or by the end of the runtime: what came of it is
    /// recorded as unknown at the next start.
    CutOff,
}

impl fmt::Display for ExecuteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExecuteError::UnknownAgent(name) => write!(f, "there is no agent `{name}`"),
            ExecuteError::SessionName => f.write_str("a session's name is at most 128 characters long"),
            ExecuteError::Key(what) => f.write_str(what),
            ExecuteError::CutOff => f.write_str("the call was cut off"),
        }
    }
}

impl std::error::Error for ExecuteError {}

impl Gateway {
    /// Begins to collect agents and tools.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Judges one proposed call and, if policy allows it, runs it.
    ///
    /// `parameters` must be an object; null means no parameters.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if the host names an agent that was not built. A refusal is no error: see [`Reply::ok`].
    pub async fn execute(
        &self,
        agent: &str,
        session: &str,
        action: &str,
        parameters: Value,
    ) -> Result<Reply, ExecuteError> {
        self.propose(agent, session, action, parameters, Mode::Live, None).await
    }

    /// The same under a key of the caller's own: proposed again under it, the call is not made again.
    ///
    /// # Errors
    ///
    /// As [`Gateway::execute`], and if the key cannot be one.
    pub async fn execute_once(
        &self,
        agent: &str,
        session: &str,
        action: &str,
        parameters: Value,
        key: &str,
    ) -> Result<Reply, ExecuteError> {
        let key = meta::caller_key(&Json::from(key)).map_err(ExecuteError::Key)?;
        self.propose(agent, session, action, parameters, Mode::Live, Some(key)).await
    }

    /// The same as a dry run: the tool says what it would do, and nothing is done.
    ///
    /// # Errors
    ///
    /// As [`Gateway::execute`].
    pub async fn dry_run(
        &self,
        agent: &str,
        session: &str,
        action: &str,
        parameters: Value,
    ) -> Result<Reply, ExecuteError> {
        self.propose(agent, session, action, parameters, Mode::DryRun(DryRun::Tool), None).await
    }

    /// Stops everything, durably if there is a state directory.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the stop could not be kept; it holds all the same until this process ends.
    pub async fn stop(&self, by: &str, reason: &str) -> Result<(), StoreError> {
        let stopped =
            self.inner.gate.stop(Scope::Everything, Leaves::Nothing, by, reason, AfterStop::Drain).await;
        stopped.kept
    }

    /// Ends a stop.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if that could not be kept; then everything stays stopped.
    pub async fn resume(&self, by: &str, reason: &str) -> Result<(), StoreError> {
        self.inner.gate.resume(&Scope::Everything, by, reason).await
    }

    /// Waits until everything that was recorded so far is on disk.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if that is not certain.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.inner.gate.flush().await
    }

    async fn propose(
        &self,
        agent: &str,
        session: &str,
        action: &str,
        parameters: Value,
        mode: Mode,
        key: Option<Arc<str>>,
    ) -> Result<Reply, ExecuteError> {
        let inner = Arc::clone(&self.inner);
        let (agent, session, action) = (agent.to_owned(), session.to_owned(), action.to_owned());
        // In a task of its own: a caller that stops to wait loses the answer, and nothing else.
        let whole = async move { inner.propose(&agent, &session, &action, &parameters, mode, key).await };
        tokio::spawn(whole).await.unwrap_or(Err(ExecuteError::CutOff))
    }
}

impl Inner {
    async fn propose(
        &self,
        agent: &str,
        session: &str,
        action: &str,
        parameters: &Value,
        mode: Mode,
        key: Option<Arc<str>>,
    ) -> Result<Reply, ExecuteError> {
        let unknown = || ExecuteError::UnknownAgent(agent.to_owned());
        let name: AgentName = agent.parse().map_err(|_| unknown())?;
        if !self.gate.engine().policy().knows(&name) {
            return Err(unknown());
        }
        if session.chars().count() > 128 {
            return Err(ExecuteError::SessionName);
        }
        let (arguments, problem) = object(parameters);
        // A name that no tool can have is a tool that does not exist; it is judged and recorded like one.
        let tool = action.parse().unwrap_or_else(|_| ToolName::of_method("not-a-name"));
        let full = Action::new(ServerName::app(), tool);
        let proposal = Proposal {
            agent: name,
            client: self.client.clone(),
            session: Some(session.into()),
            action: full.clone(),
            arguments,
            meta: Object::new(),
            mode,
            key,
            cost: BTreeMap::new(),
        };
        let offer = |asked: &Action| match (&problem, self.definitions.get(asked)) {
            (Some(problem), Some(_)) => Offer::Misfit(problem.as_str().into()),
            (None, Some(definition)) => Offer::Accepted(Arc::clone(definition)),
            (_, None) => Offer::Absent,
        };
        let reply = self.gate.handle(proposal, offer, &self.tools).await;
        let history = self.gate.history(SessionKey::of(&reply.call)).await.unwrap_or_default();
        Ok(Reply::new(action, reply, history))
    }
}

/// Strictly parsed parameters, or what is wrong with them.
fn object(parameters: &Value) -> (Object, Option<String>) {
    let text = if parameters.is_null() { "{}".to_owned() } else { parameters.to_string() };
    match parse(text.as_bytes(), &Limits::EDGE) {
        Ok(Json::Object(object)) => (object, None),
        Ok(other) => (Object::new(), Some(format!("`parameters` must be an object, not {}", other.kind()))),
        Err(error) => (Object::new(), Some(error.to_string())),
    }
}

/// What became of one call, as the host program and its agent read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    action: String,
    outcome: Result<Json, Told>,
    history: History,
    decision: Json,
}

impl Reply {
    fn new(action: &str, reply: gate::Reply<Json>, history: History) -> Self {
        let id = reply.call.id.to_string();
        let allowed = |decision: &str| {
            Json::Object(Object::from([
                ("decision", Json::from(decision)),
                ("decision_id", Json::from(id.as_str())),
            ]))
        };
        let refused = |decision, told: Told| {
            let wire = Json::Object(words::wire(decision, &told, id.clone()));
            (Err(told), wire)
        };
        let (outcome, decision) = match reply.answer {
            Answer::Ran(result) => (Ok(result), allowed("allow")),
            Answer::Replayed(of, result) => (Ok(result), Json::Object(words::wire_replay(of, id.clone()))),
            Answer::Planned(plan) => (Ok(Json::from(words::told_plan(&plan, action))), allowed("plan")),
            Answer::Refused(denial) => refused("deny", words::told(&denial, action, reply.disclose)),
            Answer::Waiting(request) => refused("ask", words::told_waiting(&request, action)),
            Answer::Unknown => refused("allow", words::told_unknown(action)),
        };
        Self { action: action.to_owned(), outcome, history, decision }
    }

    /// Whether the call was allowed and answered. The tool itself may still say that it failed.
    pub fn ok(&self) -> bool {
        self.outcome.is_ok()
    }

    /// The tool's answer.
    pub fn result(&self) -> Option<&Json> {
        self.outcome.as_ref().ok()
    }

    /// What was refused and why, for the agent.
    pub fn error(&self) -> Option<&str> {
        self.outcome.as_ref().err().map(|told| told.sentence.as_str())
    }

    /// The session's last steps, this one included.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// `{ok, action, error | result, history, placet}`.
    pub fn to_json(&self) -> Json {
        let mut object = self.without_decision();
        object.insert("placet".to_owned(), self.decision.clone());
        Json::Object(object)
    }

    /// `{ok, action, error | result, history}`.
    pub(crate) fn without_decision(&self) -> Object {
        let entries = self.history.entries.iter().map(|entry| {
            Json::Object(Object::from([
                ("action", Json::from(entry.action.tool.as_str())),
                ("level", Json::from(entry.level.map_or("unknown", Level::as_str))),
                ("status", Json::from(entry.status.as_str())),
            ]))
        });
        let (key, value) = match &self.outcome {
            Ok(result) => ("result", result.clone()),
            Err(told) => ("error", Json::from(told.sentence.as_str())),
        };
        let mut object = Object::from([
            ("ok", Json::from(self.ok())),
            ("action", Json::from(self.action.as_str())),
            (key, value),
            ("history", Json::Array(entries.collect())),
        ]);
        if self.history.truncated {
            object.insert("history_truncated".to_owned(), Json::from(true));
        }
        object
    }
}
