//! What the engine is told of the world, and what it wants remembered: the seam between it and a store.
//!
//! [`Needs`] names what a decision depends on, [`Remembered`] is one consistent picture of it, [`Changes`] is
//! what must be written, all or nothing. Changes carry preconditions, not versions: what moved but still holds
//! is no conflict, so a budget that many spend from at once refuses nobody who fits.
//!
//! Not here: how a store keeps any of this.

use std::{collections::BTreeSet, fmt};

use crate::{
    approval::{Approval, Seen},
    budget::{Account, AccountNeed, Balance, Charge, Hold},
    call::{CallId, Digest},
    cost::Amount,
    json::Json,
    level::Level,
    names::{Action, AgentName, ClientName, Label},
    once::{Claim, Claimed, Kept},
    policy::config::terms::{Flush, SessionTerms},
    record::Record,
    session::{Heard, History, HistoryEntry, Session, SessionId, SessionKey},
    stop::{Coordinates, Generations, Scope, Stop},
    time::Timestamp,
    tool::Offer,
};

/// What must be read before a call can be judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// As of when: a session that has lapsed by then is not the call's.
    pub now: Timestamp,
    /// How long sessions last.
    pub terms: SessionTerms,
    /// Where the call stands, but for its session; none: what covers everything.
    pub about: Option<Coordinates>,
    /// Whose session.
    pub session: Option<SessionKey>,
    /// A question that may already wait for this very call.
    pub question: Option<Digest>,
    /// The question of this name, in the place of it.
    pub approval: Option<CallId>,
    /// Whether the answer lists all questions that still matter.
    pub questions: bool,
    /// A key that may be claimed already.
    pub key: Option<Digest>,
    /// The same call, which may be under way.
    pub running: Option<Digest>,
    /// Accounts, in this order.
    pub accounts: Vec<AccountNeed>,
    /// Whether the answer shows the session's history.
    pub history: bool,
    /// Whether it lists all stops.
    pub stops: bool,
}

/// What a store knows of the world, as of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// A stop in force that covers the call, if there is one.
    pub stop: Option<Stop>,
    /// Whether the call's agent, by name, is narrowed to reads.
    pub narrowed: bool,
    /// Stop, policy and catalogue generations.
    pub generations: Generations,
    /// The session that runs, or the last that did under its key.
    pub session: Option<Session>,
    /// The last question raised for this very call; it may have lapsed.
    pub question: Option<Approval>,
    /// How many questions of the call's client wait for people.
    pub waiting: usize,
    /// All questions that still matter, if they were asked for, the oldest first.
    pub questions: Vec<Approval>,
    /// Who has claimed the key; it may have lapsed.
    pub key: Option<Claimed>,
    /// How many finished keys the store had put away when it looked: see [`Precondition::KeyFree`].
    pub keys_put_away: u64,
    /// When the store was restored from a backup: calls under a key may have been made that it does not know of.
    /// 0 if it was not, or a person has looked.
    pub restored_at: Timestamp,
    /// The same call, if it is under way.
    pub running: Option<CallId>,
    /// What stands on the accounts, in the order in which they were asked for.
    pub balances: Vec<Balance>,
    /// The session's history, if it was asked for.
    pub history: History,
    /// All stops, if they were asked for.
    pub stops: Vec<Stop>,
}

/// Everything that a decision depends on besides the call, the policy and the time.
#[derive(Clone, Debug)]
pub struct Known {
    /// What the store knows.
    pub remembered: Remembered,
    /// What the connection that would carry the call offers.
    pub offer: Offer,
    /// Whether a person has policy only watched at the moment: see [`Agent::observe`].
    ///
    /// [`Agent::observe`]: crate::policy::config::Agent::observe
    pub paused: bool,
}

/// Something that must still hold when changes are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// No stop covers a call that stands there.
    NoStop(Coordinates),
    /// These generations are current.
    Generations(Generations),
    /// A call under this key is in a session that has seen just this.
    Labels {
        /// Whose session.
        key: SessionKey,
        /// What it has seen.
        labels: BTreeSet<Label>,
        /// As of when: what lapsed long before is forgotten.
        now: Timestamp,
        /// How long sessions last.
        terms: SessionTerms,
    },
    /// The last question about this call is the one that was seen, and has come as far; none if there was none.
    Question(Digest, Option<Seen>),
    /// The intent is in this state.
    Is(CallId, Open),
    /// The key can be claimed at this time.
    KeyFree {
        /// The key.
        key: Digest,
        /// As of when.
        now: Timestamp,
        /// [`Remembered::keys_put_away`] when the key was looked for where finished ones are put away; one that
        /// was put away since may have been missed.
        put_away: u64,
    },
    /// The same call is not under way.
    NotRunning(Digest),
    /// So much more stays under the cap.
    Fits {
        /// On which account.
        account: Account,
        /// Parts before this one do not count.
        counts_from: Timestamp,
        /// How much.
        amount: Amount,
        /// Under which cap.
        cap: Amount,
    },
}

impl fmt::Display for Precondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Precondition::NoStop(_) => "no stop covers the call",
            Precondition::Generations(_) => "stop, policy and catalogue are as they were when it was decided",
            Precondition::Labels { .. } => "the session has seen what it had when it was decided",
            Precondition::Question(..) => "the question about the call is as it was when it was decided",
            Precondition::Is(_, Open::Running) => "the call has no outcome yet",
            Precondition::Is(_, Open::Unknown) => "the call's outcome is unknown",
            Precondition::KeyFree { .. } => "nobody has claimed the key",
            Precondition::NotRunning(_) => "the same call is not under way",
            Precondition::Fits { .. } => "the budget has enough left",
        })
    }
}

/// An allowed call whose outcome is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The call.
    pub call: CallId,
    /// Who proposed it.
    pub agent: AgentName,
    /// Through which credential.
    pub client: ClientName,
    /// The host's name for the run, if it gave one.
    pub run: Option<std::sync::Arc<str>>,
    /// What was allowed.
    pub action: Action,
    /// Its level.
    pub level: Level,
    /// Whose session.
    pub session: SessionId,
    /// When it was allowed.
    pub at: Timestamp,
    /// The canonical arguments, kept beside the records so that they can be erased; empty once they are.
    pub arguments: String,
    /// With what the intent's record commits to the arguments. Drawn by the shell, and erased with them; none if
    /// nothing is committed to.
    pub salt: Option<[u8; 16]>,
    /// Digest of the whole call.
    pub digest: Digest,
    /// Whether the same call waits for this one instead of running beside it.
    pub joined: bool,
    /// What it holds.
    pub holds: Vec<Hold>,
    /// The key that it takes.
    pub claim: Option<Claim>,
    /// The yes of people that it uses up.
    pub approval: Option<CallId>,
}

impl Intent {
    /// Whether its arguments have been erased. There are no arguments without a text: the fewest are `{}`.
    pub fn is_erased(&self) -> bool {
        self.arguments.is_empty()
    }

    /// Under which key its session is kept.
    pub fn session_key(&self) -> SessionKey {
        SessionKey { client: self.client.clone(), name: self.run.clone() }
    }

    /// Moves it into another session than was meant.
    pub fn continue_in(&mut self, session: SessionId) {
        let meant = std::mem::replace(&mut self.session, session);
        for kept in self.holds.iter_mut().map(|hold| &mut hold.account.session) {
            if *kept == Some(meant) {
                *kept = Some(session);
            }
        }
    }
}

/// How far an allowed call has come, as long as it has no final outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Open {
    /// It is under way.
    Running,
    /// It was given up; a person or a look-up may settle it.
    Unknown,
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

    /// Whether nothing can change it any more.
    pub const fn is_final(self) -> bool {
        match self {
            Ending::Succeeded | Ending::Failed | Ending::NotSent => true,
            Ending::Unknown => false,
        }
    }
}

/// How a call ended, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The call.
    pub call: CallId,
    /// How it ended.
    pub ending: Ending,
    /// What it does to accounts.
    pub charges: Vec<Charge>,
    /// What becomes of the key that it had claimed.
    pub key: Option<(Digest, Fate)>,
    /// What its session heard.
    pub heard: Option<(SessionKey, Heard)>,
    /// The yes of people that comes back, since nothing was sent.
    pub returned: Option<CallId>,
}

/// What becomes of a claimed key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is done, with this result.
    Done(Kept),
    /// Nobody knows.
    Unknown,
    /// It is free again.
    Freed,
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
    /// How long sessions last.
    pub terms: SessionTerms,
    /// What the session has seen from now on.
    pub labels: Vec<Label>,
    /// What it adds to the history.
    pub entries: Vec<HistoryEntry>,
}

/// A stop begins, or that of its scope ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopChange {
    /// It begins.
    Begin(Stop),
    /// It ends.
    End(Scope),
}

/// Something that is counted without being capped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Where.
    pub account: Account,
    /// In which part of its window.
    pub part: Timestamp,
    /// How much more; none begins anew.
    pub add: Option<Amount>,
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
    pub settled: Option<Settled>,
    /// A question raised, or as it is from now on.
    pub question: Option<Approval>,
    /// A stop or its end.
    pub stop: Option<StopChange>,
    /// A generation that grows.
    pub advance: Option<Advance>,
    /// What is counted.
    pub tallies: Vec<Tally>,
    /// An account that an overrun closed is opened again.
    pub reopen: Option<Account>,
    /// A person has looked at what was lost before the store was restored.
    pub settle_epoch: bool,
    /// The calendar that a person has accepted.
    pub calendar: Option<Timestamp>,
    /// A session that a person ends; nothing of it is inherited.
    pub end_session: Option<SessionKey>,
    /// How it must be on disk, where it must be.
    pub flush: Flush,
    /// What goes into the ledger, in this order.
    pub records: Vec<Record>,
}

impl Changes {
    /// Moves what these changes say of their session to `session`: two calls that were judged at once may
    /// each have meant to begin one, and only the first did.
    pub fn continue_in(&mut self, session: SessionId) {
        let Some(step) = self.step.as_mut().filter(|step| step.id != session) else { return };
        let meant_id = std::mem::replace(&mut step.id, session);
        let meant = Json::from(meant_id.to_string());
        let moved = |kept: &mut Option<SessionId>| {
            if *kept == Some(meant_id) {
                *kept = Some(session);
            }
        };
        if let Some(intent) = &mut self.intent {
            intent.continue_in(session);
        }
        for required in &mut self.require {
            match required {
                Precondition::NoStop(about) => moved(&mut about.session),
                Precondition::Fits { account, .. } => moved(&mut account.session),
                Precondition::Generations(_)
                | Precondition::Labels { .. }
                | Precondition::Question(..)
                | Precondition::Is(..)
                | Precondition::KeyFree { .. }
                | Precondition::NotRunning(_) => {}
            }
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
