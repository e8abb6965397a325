//! Stops: a person's word that nothing more leaves, and the generations that make it hold.
//!
//! A stop has a scope: everything, or the calls of a team, an agent, a client, a session, a server, a tool or a
//! label. It is checked when a call is judged, when its intent is committed, and by the permit at the moment of
//! writing. The third check also compares [`Generations`]: numbers that grow whenever stop, policy or catalogue
//! change, so that a decision made before the change opens nothing after it.
//!
//! The boundary stops by itself too, when a trip goes off; it narrows to reads first, so that a hostile prompt
//! cannot simply switch an agent off.

use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc};

use crate::{
    level::Level,
    names::{Action, AgentName, ClientName, Label, ServerName, TeamName},
    policy::config::Pattern,
    session::SessionId,
    time::Timestamp,
};

/// How far a stop reaches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Every call of every agent.
    Everything,
    /// The agents of a team.
    Team(TeamName),
    /// One agent.
    Agent(AgentName),
    /// One client.
    Client(ClientName),
    /// One session.
    Session(SessionId),
    /// The tools of one server.
    Server(ServerName),
    /// The tools that match.
    Tool(Pattern),
    /// The tools with this label.
    Label(Label),
}

/// What a stop leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leaves {
    /// Nothing.
    #[default]
    Nothing,
    /// Reads.
    Reads,
}

impl Leaves {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Leaves::Nothing => "nothing",
            Leaves::Reads => "reads",
        }
    }
}

/// A stop in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// What it halts.
    pub scope: Scope,
    /// What goes on all the same.
    pub leaves: Leaves,
    /// Why, in the words of who stopped.
    pub reason: String,
    /// Who stopped.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
}

/// Where a call stands: everything by which a stop or a budget finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coordinates {
    /// Who proposes.
    pub agent: AgentName,
    /// The agent's team.
    pub team: Option<TeamName>,
    /// Through which credential.
    pub client: ClientName,
    /// In which session, once that is known.
    pub session: Option<SessionId>,
    /// What.
    pub action: Action,
    /// Its level, if there is such a tool.
    pub level: Option<Level>,
    /// The tool's labels.
    pub labels: Arc<BTreeSet<Label>>,
}

impl Stop {
    /// Whether a call that stands there may not leave.
    pub fn covers(&self, about: &Coordinates) -> bool {
        let spared = match self.leaves {
            Leaves::Nothing => false,
            // What reads and what does not was the operator's to say; no level is compared with another.
            Leaves::Reads => about.level == Some(Level::Read),
        };
        !spared
            && match &self.scope {
                Scope::Everything => true,
                Scope::Team(team) => about.team.as_ref() == Some(team),
                Scope::Agent(agent) => about.agent == *agent,
                Scope::Client(client) => about.client == *client,
                Scope::Session(session) => about.session == Some(*session),
                Scope::Server(server) => about.action.server == *server,
                Scope::Tool(pattern) => pattern.matches(&about.action),
                Scope::Label(label) => about.labels.contains(label),
            }
    }
}

/// Numbers that only grow: one step for each stop or resume, each policy applied, each catalogue change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Generations {
    /// Stops and resumes.
    pub stop: u64,
    /// Policies applied.
    pub policy: u64,
    /// Changes of what servers offer.
    pub catalogue: u64,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Everything => f.write_str("everything"),
            Scope::Team(name) => write!(f, "team:{name}"),
            Scope::Agent(name) => write!(f, "agent:{name}"),
            Scope::Client(name) => write!(f, "client:{name}"),
            Scope::Session(id) => write!(f, "session:{id}"),
            Scope::Server(name) => write!(f, "server:{name}"),
            Scope::Tool(pattern) => write!(f, "tool:{pattern}"),
            Scope::Label(label) => write!(f, "label:{label}"),
        }
    }
}

/// A text that names no scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAScope(pub String);

impl fmt::Display for NotAScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotAScope {}

/// `everything`, or `kind:name` with kind `team`, `agent`, `client`, `session`, `server`, `tool` or `label`.
impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        let wrong = |what: &dyn fmt::Display| NotAScope(what.to_string());
        if text == "everything" {
            return Ok(Scope::Everything);
        }
        let shape = || {
            NotAScope(
                "a scope is `everything`, or team, agent, client, session, server, tool or label with a name, \
                 as in `agent:support`"
                    .to_owned(),
            )
        };
        let (kind, name) = text.split_once(':').ok_or_else(shape)?;
        match kind {
            "team" => name.parse().map(Scope::Team).map_err(|error| wrong(&error)),
            "agent" => name.parse().map(Scope::Agent).map_err(|error| wrong(&error)),
            "client" => name.parse().map(Scope::Client).map_err(|error| wrong(&error)),
            "server" => name.parse().map(Scope::Server).map_err(|error| wrong(&error)),
            "label" => name.parse().map(Scope::Label).map_err(|error| wrong(&error)),
            "tool" => name.parse().map(Scope::Tool).map_err(|error| wrong(&error)),
            "session" => SessionId::parse(name)
                .map(Scope::Session)
                .ok_or_else(|| wrong(&"a session's id is `s_` and 20 characters")),
            _ => Err(shape()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_back_from_its_text() {
        for text in [
            "everything",
            "team:helpdesk",
            "agent:support",
            "client:desktop",
            "session:s_00000000000000000000",
            "server:crm",
            "tool:crm/export_*",
            "label:egress",
        ] {
            assert_eq!(text.parse::<Scope>().map(|scope| scope.to_string()).as_deref(), Ok(text));
        }
        for wrong in ["", "all", "agent", "agent:", "agent:Support", "level:read", "session:x", "tool:crm"] {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong:?}");
        }
    }
}
