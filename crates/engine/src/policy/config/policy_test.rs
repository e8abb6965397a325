//! Policy tests: what an operator expects the policy to say of one call, written beside the policy itself.
//!
//! A test is a call ([`Proposed`]) and what is to come out ([`Expected`]). It takes no part in what is judged:
//! the policy's digest is the same with tests and without.
//!
//! Not here: reading and writing (`read`, `write`), and judging ([`crate::policy::trial`]). Start at
//! [`PolicyTest`].

use super::Control;
use crate::{
    cost::Amount,
    decision::Code,
    json::{Json, Object},
    names::{Action, AgentName, Label, Unit},
    time::Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};

/// One test of the policy.
///
/// ```
/// # use placet_engine::policy::config::{Word, read};
/// let source = r#"
/// [agents.support]
/// levels = ["read"]
/// [servers.crm]
/// command = ["crm"]
/// tools = { refund = "write" }
/// [[test]]
/// name = "support pays nothing back"
/// agent = "support"
/// tool = "crm/refund"
/// args = { amount = 5 }
/// decision = "deny"
/// code = "not_granted"
/// "#;
/// let config = read(source).config.expect("no errors");
/// assert_eq!(config.tests[0].want.decision, Word::Deny);
/// assert!(read(&source.replace("not_granted", "granted")).config.is_none());
/// ```
#[derive(Clone, Debug)]
pub struct PolicyTest {
    /// What it is called: one test's alone, at most 128 characters, all of them visible.
    pub name: String,
    /// The call.
    pub given: Proposed,
    /// What is to come out.
    pub want: Expected,
    /// The line of its table; no part of equality.
    pub line: usize,
}

impl PartialEq for PolicyTest {
    fn eq(&self, other: &Self) -> bool {
        let Self { name, given, want, line: _ } = self;
        *name == other.name && *given == other.given && *want == other.want
    }
}

impl Eq for PolicyTest {}

/// A call that nobody makes: all that policy could know of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// Whose call it is.
    pub agent: AgentName,
    /// The tool.
    pub tool: Action,
    /// Its arguments, an object.
    pub arguments: Json,
    /// How many calls were proposed in its session, this one included.
    pub steps: u64,
    /// What its session has seen.
    pub labels: BTreeSet<Label>,
    /// When it is proposed: whole milliseconds.
    pub at: Timestamp,
    /// Whether nothing is to be done for real.
    pub dry_run: bool,
    /// What the caller says that it costs, by unit.
    pub cost: BTreeMap<Unit, Amount>,
}

impl Proposed {
    /// When a call is proposed of which nothing else is said: Thursday, 2026-01-01T12:00:00Z. A fixed moment,
    /// so that a test says the same on each day.
    pub const AT: Timestamp = Timestamp(1_767_268_800_000_000);

    /// The first call of a session, without arguments.
    pub fn new(agent: AgentName, tool: Action) -> Self {
        Self {
            agent,
            tool,
            arguments: Json::Object(Object::new()),
            steps: 1,
            labels: BTreeSet::new(),
            at: Self::AT,
            dry_run: false,
            cost: BTreeMap::new(),
        }
    }
}

/// What is to come out of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The decision.
    pub decision: Word,
    /// The code of a denial; `None` is any.
    pub code: Option<Code>,
    /// What is asked, all of it; `None` is anything. Never set unless the decision is [`Word::Ask`].
    pub controls: Option<BTreeSet<Control>>,
    /// Guards, by their ids, or policies, by theirs, that are among those that decide.
    pub by: Vec<String>,
}

/// A decision in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    /// It may run.
    Allow,
    /// It may run once people have agreed.
    Ask,
    /// It may not run.
    Deny,
}

impl Word {
    /// All of them, from the widest.
    pub const ALL: [Word; 3] = [Word::Allow, Word::Ask, Word::Deny];

    /// The word for it in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Word::Allow => "allow",
            Word::Ask => "ask",
            Word::Deny => "deny",
        }
    }
}
