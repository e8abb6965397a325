//! Placet inside your own program: tools are closures, and the agent's loop calls [`Gateway::execute`].
//!
//! No derive, no server, no file: a builder takes agents with their remits and tools with their levels. What
//! holds for a call over the wire holds here: strict arguments, policy, a permit, a record of everything.
//!
//! Start at [`Gateway::builder`].

mod builder;
mod kept;

use std::{collections::BTreeMap, fmt, sync::Arc};

use placet_engine::{
    call::{DryRun, Mode, Proposal},
    json::{Json, Limits, Object, parse},
    level::Level,
    names::{Action, AgentName, ClientName, ServerName, ToolName},
    session::{History, SessionKey},
    stop::{Leaves, Scope},
    tool::{Definition, Offer},
};
use placet_store::StoreError;
use serde_json::Value;

pub use self::{
    builder::{Agent, Budget, BuildError, Builder, Tool},
    kept::Kept,
};
pub use crate::upstream::in_process::{Context, Plan};
use crate::{
    gate::{self, AfterStop, Answer, Gate},
    mcp::meta,
    sealer::Sealer,
    upstream::in_process::InProcess,
    words::{self, Told},
};
pub use placet_engine::{
    policy::config::terms::{Key, Once},
    window::Window,
};

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
