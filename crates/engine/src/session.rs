//! Sessions: one run of an agent, and what it has done in it.
//!
//! All calls of one credential fall into one running session, which ends after a time of silence or at an
//! age; reconnecting does not begin another. A host that runs tools in its own process may name its runs.
//!
//! Not here: labels and budgets of a session, which come with the engines that read them.

use std::{fmt, sync::Arc};

use crate::{
    call::{Call, CallId},
    level::Level,
    limits,
    names::{Action, ClientName},
    time::Timestamp,
};

/// Identifies a session: the identifier of the call that began it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub CallId);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        write!(f, "s_{}", text.strip_prefix("d_").unwrap_or(&text))
    }
}

impl SessionId {
    /// Reads the text form, `s_` and 20 characters.
    pub fn parse(text: &str) -> Option<Self> {
        CallId::parse(&format!("d_{}", text.strip_prefix("s_")?)).map(Self)
    }
}

/// Whose session it is: a credential's running one, or a run that the host named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    /// The credential.
    pub client: ClientName,
    /// The host's name for the run.
    pub name: Option<Arc<str>>,
}

impl SessionKey {
    /// Where this call belongs.
    pub fn of(call: &Call) -> Self {
        // An empty name names no run: a store may keep "no name" as an empty text.
        Self { client: call.client.clone(), name: call.session.clone().filter(|name| !name.is_empty()) }
    }
}

/// A session as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its identifier.
    pub id: SessionId,
    /// When it began.
    pub opened_at: Timestamp,
    /// When its last call was proposed.
    pub last_at: Timestamp,
    /// How many calls were proposed in it.
    pub steps: u64,
}

impl Session {
    /// Whether a call that comes at `now` still belongs to it.
    pub fn runs_at(&self, now: Timestamp) -> bool {
        now.since(self.last_at) < limits::SESSION_IDLE && now.since(self.opened_at) < limits::SESSION_MAX
    }
}

/// What became of one step, in the words of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The model proposed it.
    Requested,
    /// Policy allowed it.
    Allowed,
    /// Policy or a stop refused it.
    Blocked,
    /// A person is asked first.
    Asked,
    /// A dry run: said what would happen.
    Planned,
}

impl Status {
    /// All statuses.
    pub const ALL: [Status; 5] =
        [Status::Requested, Status::Allowed, Status::Blocked, Status::Asked, Status::Planned];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Requested => "requested",
            Status::Allowed => "allowed",
            Status::Blocked => "blocked",
            Status::Asked => "asked",
            Status::Planned => "planned",
        }
    }
}

/// One entry of a session's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// What was proposed.
    pub action: Action,
    /// The tool's level; none if no such tool is known.
    pub level: Option<Level>,
    /// What became of it.
    pub status: Status,
}

/// A session's last entries, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// At most [`limits::HISTORY_ENTRIES`].
    pub entries: Vec<HistoryEntry>,
    /// Whether older entries were left out.
    pub truncated: bool,
}
