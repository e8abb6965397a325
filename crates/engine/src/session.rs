//! Sessions: one run of an agent, what it has seen, and what it has done in it.
//!
//! All calls of one credential fall into one running session, which ends after a time of silence or at an
//! age; reconnecting does not begin another, and the next one inherits what this one has seen if it begins
//! soon. A host that runs tools in its own process may name its runs.
//!
//! Not here: what a session has spent ([`crate::budget`]).

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use crate::{
    call::{Call, CallId, Digest},
    level::Level,
    names::{Action, ClientName, Label},
    policy::config::terms::SessionTerms,
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
    /// What it has seen: the labels of the tools that it used. They only grow.
    pub labels: BTreeSet<Label>,
    /// The last call that was answered, and how often it was in a row.
    pub echo: Option<Echo>,
}

/// A call and its result, over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// The call.
    pub call: Digest,
    /// Its result.
    pub result: Digest,
    /// How often in a row; a failure counts twice.
    pub count: u32,
    /// When it was last answered.
    pub at: Timestamp,
}

/// How long after the last answer the same call is no longer part of a row: whoever waits that long before
/// looking again is waiting for something, not going round in circles.
pub const ECHO_LIFE: Duration = Duration::from_secs(30);

impl Session {
    /// A session that begins with a step, after `before` under the same key.
    pub fn begin(id: SessionId, at: Timestamp, before: Option<&Session>, terms: &SessionTerms) -> Self {
        let inherits = before.filter(|before| !before.is_forgotten(at, terms));
        Self {
            id,
            opened_at: at,
            last_at: at,
            steps: 0,
            labels: inherits.map(|before| before.labels.clone()).unwrap_or_default(),
            echo: inherits.and_then(|before| before.echo),
        }
    }

    /// Whether a call that comes at `now` still belongs to it.
    pub fn runs_at(&self, now: Timestamp, terms: &SessionTerms) -> bool {
        now.since(self.last_at) < terms.idle && now.since(self.opened_at) < terms.max
    }

    /// Whether it ended so long before `now` that the next one inherits nothing of it.
    pub fn is_forgotten(&self, now: Timestamp, terms: &SessionTerms) -> bool {
        now.since(self.ended_at(terms)) >= terms.idle
    }

    /// When it ended, or will if nothing more comes.
    fn ended_at(&self, terms: &SessionTerms) -> Timestamp {
        self.last_at.plus(terms.idle).min(self.opened_at.plus(terms.max))
    }

    /// A call of it was answered.
    pub fn hear(&mut self, heard: &Heard) {
        let before = self.echo.filter(|echo| {
            echo.call == heard.call && echo.result == heard.result && heard.at.since(echo.at) < ECHO_LIFE
        });
        let weight = if heard.failed { 2 } else { 1 };
        let count = before.map_or(0, |echo| echo.count).saturating_add(weight);
        self.echo = Some(Echo { call: heard.call, result: heard.result, count, at: heard.at });
    }

    /// How often in a row `call` has had the same answer, as of `now`.
    pub fn echoes(&self, call: Digest, now: Timestamp) -> u32 {
        self.echo
            .filter(|echo| echo.call == call && now.since(echo.at) < ECHO_LIFE)
            .map_or(0, |echo| echo.count)
    }
}

/// An answer that a session heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// To which call.
    pub call: Digest,
    /// Which answer.
    pub result: Digest,
    /// Whether it says that the call failed.
    pub failed: bool,
    /// When.
    pub at: Timestamp,
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
    /// It was made before, and its first result was handed out again.
    Replayed,
}

impl Status {
    /// All statuses.
    pub const ALL: [Status; 6] = [
        Status::Requested,
        Status::Allowed,
        Status::Blocked,
        Status::Asked,
        Status::Planned,
        Status::Replayed,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Requested => "requested",
            Status::Allowed => "allowed",
            Status::Blocked => "blocked",
            Status::Asked => "asked",
            Status::Planned => "planned",
            Status::Replayed => "replayed",
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
    /// At most [`crate::limits::HISTORY_ENTRIES`].
    pub entries: Vec<HistoryEntry>,
    /// Whether older entries were left out.
    pub truncated: bool,
}
