//! What the engine is told of the world, and what it wants remembered: the seam between it and a store.
//!
//! [`Needs`] names what a decision depends on, [`Known`] is one consistent picture of it, [`Changes`] is what
//! must be written, all or nothing. Changes carry preconditions, not versions: what moved but still holds is
//! no conflict.
//!
//! Not here: how a store keeps any of this.

use std::fmt;

use crate::{
    approval::Approval,
    call::{CallId, Digest},
    json::Json,
    level::Level,
    names::Action,
    record::Record,
    session::{History, HistoryEntry, Session, SessionId, SessionKey},
    stop::{Generations, Stop},
    time::Timestamp,
    tool::Offer,
};

/// What must be read before a call can be judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Whose session.
    pub session: Option<SessionKey>,
    /// A question that may already wait for this very call.
    pub question: Option<Digest>,
    /// Whether the answer shows the session's history.
    pub history: bool,
}

/// What a store knows of the world, as of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The stop in force, if any covers everything.
    pub stop: Option<Stop>,
    /// Stop, policy and catalogue generations.
    pub generations: Generations,
    /// The session as the store last saw it; it may have lapsed.
    pub session: Option<Session>,
    /// The last question raised for this very call; it may have lapsed.
    pub question: Option<Approval>,
    /// The session's history, if it was asked for.
    pub history: History,
}

/// Everything that a decision depends on besides the call, the policy and the time.
#[derive(Clone, Debug)]
pub struct Known {
    /// What the store knows.
    pub remembered: Remembered,
    /// What the connection that would carry the call offers.
    pub offer: Offer,
}

/// Something that must still hold when changes are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// No stop covers the call.
    NoStop,
    /// These generations are current.
    Generations(Generations),
    /// No question waits for this digest at this time.
    NoQuestion(Digest, Timestamp),
    /// The intent is open: no final outcome is recorded.
    Open(CallId),
}

impl fmt::Display for Precondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Precondition::NoStop => "no stop covers the call",
            Precondition::Generations(_) => "stop, policy and catalogue are as they were when it was decided",
            Precondition::NoQuestion(..) => "no question waits for the same call",
            Precondition::Open(_) => "the call has no final outcome yet",
        })
    }
}

/// An allowed call whose outcome is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The call.
    pub call: CallId,
    /// What was allowed.
    pub action: Action,
    /// Its level.
    pub level: Level,
    /// Whose session.
    pub session: SessionId,
    /// When it was allowed.
    pub at: Timestamp,
    /// The canonical arguments, kept beside the records so that they can be erased.
    pub arguments: String,
}

/// How an intent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The tool said that it is done.
    Succeeded,
    /// The tool, or its server, said that it is not done.
    Failed,
    /// Nothing was sent.
    NotSent,
    /// It was sent, and no definite answer came. Not final: a person or a look-up may settle it.
    Unknown,
}

impl Ending {
    /// All endings.
    pub const ALL: [Ending; 4] = [Ending::Succeeded, Ending::Failed, Ending::NotSent, Ending::Unknown];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Ending::Succeeded => "succeeded",
            Ending::Failed => "failed",
            Ending::NotSent => "not_sent",
            Ending::Unknown => "unknown",
        }
    }
}

/// A step of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whose session.
    pub key: SessionKey,
    /// Which; another than the store knows under this key begins only if that one no longer runs.
    pub id: SessionId,
    /// When it was taken.
    pub at: Timestamp,
    /// What it adds to the history.
    pub entries: Vec<HistoryEntry>,
}

/// A stop begins, or all stops of its scope end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopChange {
    /// It begins.
    Begin(Stop),
    /// It ends.
    End,
}

/// What is to be remembered of one event, all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// What must hold for any of it to be written.
    pub require: Vec<Precondition>,
    /// A step of a session.
    pub step: Option<Step>,
    /// An allowed call.
    pub intent: Option<Intent>,
    /// How an intent ended.
    pub outcome: Option<(CallId, Ending)>,
    /// A question raised.
    pub question: Option<Approval>,
    /// A stop or its end.
    pub stop: Option<StopChange>,
    /// A generation that grows.
    pub advance: Option<Advance>,
    /// What goes into the ledger, in this order.
    pub records: Vec<Record>,
}

impl Changes {
    /// Moves what these changes say of their session to `session`: two calls that were judged at once may
    /// each have meant to begin one, and only the first did.
    pub fn continue_in(&mut self, session: SessionId) {
        let Some(step) = self.step.as_mut().filter(|step| step.id != session) else { return };
        let meant = Json::from(std::mem::replace(&mut step.id, session).to_string());
        if let Some(intent) = &mut self.intent {
            intent.session = session;
        }
        for said in self.records.iter_mut().filter_map(|record| record.body.get_mut("session")) {
            if *said == meant {
                *said = Json::from(session.to_string());
            }
        }
    }
}

/// Which generation grows besides that of stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// A policy was applied.
    Policy,
    /// What servers offer has changed.
    Catalogue,
}
