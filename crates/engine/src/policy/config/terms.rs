//! Terms: on what conditions a tool is called besides the right to call it, and what the node keeps to.
//!
//! What a call costs, whether it may happen twice, how much may be spent by whom in which time, and when the
//! boundary narrows by itself. Plain data, as the rest of the model.
//!
//! Start at [`Tool`] and [`Budget`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use super::{Control, Pattern, Text};
use crate::{
    cost::{Amount, CostError, Expression, Path},
    json::Json,
    level::Level,
    names::{AgentName, BudgetName, ClientName, Label, ServerName, TeamName, ToolName, Unit},
    window::Window,
};

/// What an operator says of one tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// What kind of effect it has.
    pub level: Level,
    /// The most that a call can cost, by unit. What is not named costs nothing.
    pub cost: BTreeMap<Unit, Expression>,
    /// Where a trusted server's structured result says what a call did cost.
    pub actual: BTreeMap<Unit, Path>,
    /// Whether the same call may happen twice.
    pub once: Once,
    /// Whether identical calls in a row are no loop.
    pub repeat: bool,
    /// What it is called in groups, for stops and policies; a session that used it has seen them.
    pub labels: BTreeSet<Label>,
    /// No agent has a reason to call it: whoever does is narrowed at once.
    pub canary: bool,
    /// The most bytes of a result that are handed on.
    pub result_max: u64,
    /// How long a call may take.
    pub deadline: Duration,
}

impl Tool {
    /// The largest result that is handed on, unless the file says otherwise.
    pub const RESULT_MAX: u64 = 16 << 20;
    /// How long a call may take, unless the file says otherwise.
    pub const DEADLINE: Duration = Duration::from_secs(10 * 60);
    /// The largest result that the file may let through.
    pub const RESULT_MOST: u64 = 64 << 20;
    /// The longest that the file may let a call take.
    pub const DEADLINE_MOST: Duration = Duration::from_secs(24 * 60 * 60);

    /// What a call with these arguments costs in a unit: what the file says, or what the caller says if that is
    /// more. `None` if neither says anything.
    ///
    /// # Errors
    ///
    /// [`CostError`] if it cannot be worked out from the arguments.
    pub fn price(
        &self,
        unit: &Unit,
        arguments: &Json,
        said: &BTreeMap<Unit, Amount>,
    ) -> Result<Option<Amount>, CostError> {
        let said = said.get(unit).copied();
        match self.cost.get(unit) {
            Some(cost) => {
                let worked_out = cost.evaluate(arguments)?;
                Ok(Some(said.map_or(worked_out, |said| said.max(worked_out))))
            }
            None => Ok(said),
        }
    }
}

impl From<Level> for Tool {
    fn from(level: Level) -> Self {
        Self {
            level,
            cost: BTreeMap::new(),
            actual: BTreeMap::new(),
            once: Once::default(),
            repeat: false,
            labels: BTreeSet::new(),
            canary: false,
            result_max: Self::RESULT_MAX,
            deadline: Self::DEADLINE,
        }
    }
}

/// Whether the same call may happen twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// What makes two calls the same.
    pub by: Key,
    /// How long the first is remembered.
    pub within: Duration,
    /// The argument under which the tool itself takes the key, if it takes one.
    pub forward: Option<String>,
    /// How to find out what became of a call whose outcome is unknown.
    pub reconcile: Option<Reconcile>,
}

/// What makes two calls the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Key {
    /// A key that the caller sends, if it sends one.
    #[default]
    Sent,
    /// A key that the caller must send.
    Required,
    /// The same arguments in the same session.
    Derived,
    /// The same values of these arguments, whoever calls.
    By(Vec<Path>),
}

impl Once {
    /// How long a key is remembered, unless the file says otherwise.
    pub const WITHIN: Duration = Duration::from_secs(24 * 60 * 60);
    /// How long a derived key is.
    pub const DERIVED_WITHIN: Duration = Duration::from_secs(10);
    /// How long a business key is.
    pub const BY_WITHIN: Duration = Duration::from_secs(30 * 24 * 60 * 60);
}

impl Default for Once {
    fn default() -> Self {
        Self { by: Key::Sent, within: Self::WITHIN, forward: None, reconcile: None }
    }
}

/// A look-up that tells whether a call happened: a tool of the same server, of level read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconcile {
    /// The tool that is asked.
    pub tool: ToolName,
    /// Its arguments, each from a place in the call's own.
    pub arguments: BTreeMap<String, Path>,
    /// The place in its structured result that says `true` or `false`.
    pub happened: Path,
}

/// How much may be spent.
#[derive(Clone, Debug)]
pub struct Budget {
    /// What it is called.
    pub name: BudgetName,
    /// Whose calls count.
    pub scope: BudgetScope,
    /// Over which time.
    pub per: Window,
    /// What is counted.
    pub measure: Measure,
    /// The most of it.
    pub cap: Amount,
    /// What happens to a call that does not fit.
    pub over: Over,
    /// Hundredths of the cap at which a record warns, ascending.
    pub warn: Vec<u8>,
    /// Whether a tool without a cost in this unit is refused, not free.
    pub unpriced_denied: bool,
    /// The line of its table; no part of equality.
    pub line: usize,
}

impl Budget {
    /// Where a budget warns, unless the file says otherwise.
    pub const WARN: [u8; 1] = [80];
}

impl PartialEq for Budget {
    fn eq(&self, other: &Self) -> bool {
        let Self { name, scope, per, measure, cap, over, warn, unpriced_denied, line: _ } = self;
        *name == other.name
            && *scope == other.scope
            && *per == other.per
            && *measure == other.measure
            && *cap == other.cap
            && *over == other.over
            && *warn == other.warn
            && *unpriced_denied == other.unpriced_denied
    }
}

impl Eq for Budget {}

/// Whose calls count. None of a kind means that each has a count of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BudgetScope {
    /// Everybody's together.
    All,
    /// An agent's, or each agent's own.
    Agent(Option<AgentName>),
    /// A team's, or each team's own.
    Team(Option<TeamName>),
    /// A client's, or each client's own.
    Client(Option<ClientName>),
    /// Those of a server's tools, or of each server's own.
    Server(Option<ServerName>),
    /// Those of the tools that match, together.
    Tools(Pattern),
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Calls that are sent.
    Calls,
    /// Bytes of results.
    Bytes,
    /// Seconds that tools take.
    Time,
    /// Calls that failed, one after another.
    Errors,
    /// What calls cost in this unit.
    Cost(Unit),
}

/// What happens to a call that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// It is refused.
    Deny,
    /// People are asked.
    Ask(Control),
}

/// When the boundary narrows by itself.
#[derive(Clone, Debug)]
pub struct Trip {
    /// What it is called.
    pub name: BudgetName,
    /// Whose calls count; each agent's own if it names none.
    pub agent: Option<AgentName>,
    /// What is counted.
    pub counts: TripCount,
    /// Over how long.
    pub within: Duration,
    /// At how much it trips.
    pub at: Amount,
    /// The line of its table; no part of equality.
    pub line: usize,
}

impl PartialEq for Trip {
    fn eq(&self, other: &Self) -> bool {
        let Self { name, agent, counts, within, at, line: _ } = self;
        *name == other.name
            && *agent == other.agent
            && *counts == other.counts
            && *within == other.within
            && *at == other.at
    }
}

impl Eq for Trip {}

/// What a trip counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TripCount {
    /// Refusals.
    Denials,
    /// Calls that the loop breaker refused.
    Loops,
    /// What is spent in this unit.
    Spend(Unit),
}

/// How long a session lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTerms {
    /// Silence after which it ends.
    pub idle: Duration,
    /// Age at which it ends.
    pub max: Duration,
}

impl SessionTerms {
    /// The longest that the file may let a session last.
    pub const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
}

impl Default for SessionTerms {
    fn default() -> Self {
        Self { idle: crate::limits::SESSION_IDLE, max: crate::limits::SESSION_MAX }
    }
}

/// What must be on disk before a call of a level runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flush {
    /// Flushed to the disk: survives a power cut.
    #[default]
    Disk,
    /// Handed to the operating system: survives the end of this process, not a power cut.
    System,
}

/// What is remembered how carefully.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durability {
    /// Whether a read without a budget or a key is on disk before it runs, too.
    pub reads_wait: bool,
    /// Writes, and reads that hold something.
    pub write: Flush,
    /// Executes.
    pub execute: Flush,
    /// Deletes.
    pub delete: Flush,
}

impl Durability {
    /// How the intent of a call must be kept before it runs; none: it may wait in the queue. A read is free if it
    /// holds no budget and takes no key.
    ///
    /// ```
    /// use placet_engine::{level::Level, policy::config::terms::{Durability, Flush}};
    /// let usual = Durability::default();
    /// assert_eq!(usual.before(Level::Read, true), None);
    /// // Whatever holds something is on disk first.
    /// assert_eq!(usual.before(Level::Read, false), Some(Flush::Disk));
    /// assert_eq!(usual.before(Level::Write, true), Some(Flush::Disk));
    /// ```
    pub const fn before(self, level: Level, is_free: bool) -> Option<Flush> {
        match level {
            Level::Read if is_free && !self.reads_wait => None,
            Level::Read | Level::Write => Some(self.write),
            Level::Execute => Some(self.execute),
            Level::Delete => Some(self.delete),
        }
    }
}

/// The keys under which what is kept of calls beside their records is encrypted. Each is a text of exactly one
/// reference: a key never stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payloads {
    /// The one that is written under.
    pub key: Text,
    /// Those that were before it, for what was written then. In any order.
    pub old: Vec<Text>,
}

impl fmt::Display for BudgetScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn one(f: &mut fmt::Formatter<'_>, kind: &str, name: Option<&dyn fmt::Display>) -> fmt::Result {
            match name {
                Some(name) => write!(f, "{kind}:{name}"),
                None => write!(f, "{kind}:*"),
            }
        }
        fn shown<T: fmt::Display>(name: &Option<T>) -> Option<&dyn fmt::Display> {
            name.as_ref().map(|name| name as &dyn fmt::Display)
        }
        match self {
            BudgetScope::All => f.write_str("all"),
            BudgetScope::Agent(name) => one(f, "agent", shown(name)),
            BudgetScope::Team(name) => one(f, "team", shown(name)),
            BudgetScope::Client(name) => one(f, "client", shown(name)),
            BudgetScope::Server(name) => one(f, "server", shown(name)),
            BudgetScope::Tools(pattern) => write!(f, "tool:{pattern}"),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Measure::Calls => f.write_str("calls"),
            Measure::Bytes => f.write_str("bytes"),
            Measure::Time => f.write_str("seconds"),
            Measure::Errors => f.write_str("errors"),
            Measure::Cost(unit) => unit.fmt(f),
        }
    }
}

/// The word that it prints as. Anything that is not one of the words is a unit.
impl std::str::FromStr for Measure {
    type Err = crate::names::NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "calls" => Measure::Calls,
            "bytes" => Measure::Bytes,
            "seconds" => Measure::Time,
            "errors" => Measure::Errors,
            unit => Measure::Cost(unit.parse()?),
        })
    }
}
