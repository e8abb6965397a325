//! Decisions: what the boundary says to one proposed call, and why.
//!
//! Every reason has a stable code and says whether trying again can help. Absence is not a decision: nothing
//! configured, nothing matched, or a rule that could not be evaluated all become a denial of their own.
//!
//! Not here: how a denial looks on a wire. Each surface has one exhaustive function for that.

use std::sync::Arc;

use crate::{
    approval::ApprovalRequest,
    call::CallId,
    cost::Amount,
    level::Level,
    names::{Action, BudgetName},
    permit::{Durable, Grant, Queued},
    policy::config::{Control, terms::Measure},
    stop::{Leaves, Scope},
    time::Timestamp,
};

/// What the boundary says to one proposed call.
#[derive(Debug)]
#[must_use = "a decision nobody acts on is a call nobody checked"]
pub enum Decision {
    /// Run it, once the store has remembered that it may.
    Allow(Allowed),
    /// Run nothing yet: people are asked first.
    Ask(ApprovalRequest),
    /// Run nothing, and say why, so that the agent can choose another step.
    Deny(Denial),
    /// A dry run that reaches no tool: say what would happen.
    Plan(Plan),
    /// The same call is under way: wait for it, and run nothing.
    Join(CallId),
    /// The same call was made before: hand out its result, and run nothing.
    Replay(Replay),
}

/// A result that is handed out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The call that ran.
    pub of: CallId,
    /// Its result, as the surface that ran it wrote it.
    pub text: Arc<str>,
}

/// An allowance, by how it must be remembered before the tool may run.
#[derive(Debug)]
pub enum Allowed {
    /// A free read: its record is queued.
    Read(Grant<Queued>),
    /// Everything else: its intent is on disk first.
    Effect(Grant<Durable>),
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub reason: DenyReason,
    /// The tool's level; none where no such tool is known.
    pub level: Option<Level>,
    /// The policies that decided, by their ids.
    pub policies: Vec<Arc<str>>,
    /// Whether the tool is one of the agent's all the same: other arguments may be allowed.
    pub listed: bool,
}

impl Denial {
    /// A refusal to which no policy contributed, of a tool that the agent need not know of.
    pub fn because(reason: DenyReason) -> Self {
        Self { reason, level: None, policies: Vec::new(), listed: false }
    }

    /// The same, of a tool whose level is known.
    pub fn at(self, level: Level) -> Self {
        Self { level: Some(level), ..self }
    }
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DenyReason {
    /// No rule grants it to this agent.
    NotGranted,
    /// A rule forbids it; the rule author's words, if there are any.
    Forbidden(Option<Arc<str>>),
    /// No such tool for this agent.
    UnknownTool,
    /// The tool is no longer the one that was accepted.
    ToolChanged,
    /// The arguments do not fit the tool's schema; what is wrong with them.
    BadArguments(String),
    /// The call is over a bound of the edge; which.
    TooLarge(String),
    /// A policy could not be evaluated.
    PolicyError,
    /// A rule reads an argument that the call does not have; which.
    FactMissing(Box<str>),
    /// A rule reads an argument that it cannot judge; which, and why.
    FactError(Box<str>),
    /// A rule reads an argument that is too large to be judged; which.
    TooLargeToJudge(Box<str>),
    /// A stop is in force.
    Stopped(Box<Stopped>),
    /// No agent has a reason to call this tool.
    Canary,
    /// A budget has not enough left.
    BudgetSpent(Box<Spent>),
    /// What the call costs cannot be worked out; why.
    CostUnknown(String),
    /// The same call had the same answer over and over.
    LoopStopped,
    /// The tool is called once for each key, and this call has none; what it needs.
    KeyMissing(Box<str>),
    /// The key was used for other arguments.
    KeyReused,
    /// The same call is under way, or somebody else's that does the same.
    InProgress,
    /// It was done before, and the result is not this caller's or is no longer kept.
    AlreadyDone,
    /// A call under the same key was sent, and nobody knows what came of it.
    OutcomeUnknown(CallId),
    /// A dry run was asked of a tool that has not declared how.
    DryRunUnsupported,
    /// The world moved under each attempt to decide, or too much is in flight.
    Busy,
    /// So many calls of the same client wait for people that nobody would look at one more.
    TooManyAsked,
    /// A person has said no; in which words.
    ApprovalDenied(Box<str>),
    /// People were asked, and nobody answered in time.
    ApprovalExpired,
    /// It cannot be remembered, so it is not done.
    StoreUnavailable,
    /// The tool's server cannot be reached, and nothing was sent to it.
    UpstreamUnavailable(String),
    /// Our own invariant broke.
    Bug,
}

/// Which stop refuses a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// What is halted.
    pub scope: Scope,
    /// What goes on.
    pub leaves: Leaves,
    /// Since when.
    pub since: Timestamp,
}

/// Which budget refuses a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The budget.
    pub budget: BudgetName,
    /// What it counts.
    pub measure: Measure,
    /// What is left, where that is the agent's own affair.
    pub left: Option<Amount>,
    /// When there will be more, if by time alone.
    pub resets_at: Option<Timestamp>,
}

/// The stable word for a reason, the same on every surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// See [`DenyReason::NotGranted`].
    NotGranted,
    /// See [`DenyReason::Forbidden`].
    Denied,
    /// See [`DenyReason::UnknownTool`].
    UnknownTool,
    /// See [`DenyReason::ToolChanged`].
    ToolChanged,
    /// See [`DenyReason::BadArguments`].
    BadArguments,
    /// See [`DenyReason::TooLarge`].
    TooLarge,
    /// See [`DenyReason::PolicyError`].
    PolicyError,
    /// See [`DenyReason::FactMissing`].
    FactMissing,
    /// See [`DenyReason::FactError`].
    FactError,
    /// See [`DenyReason::TooLargeToJudge`].
    TooLargeToJudge,
    /// See [`DenyReason::Stopped`].
    Stopped,
    /// See [`DenyReason::BudgetSpent`].
    BudgetSpent,
    /// See [`DenyReason::CostUnknown`].
    CostUnknown,
    /// See [`DenyReason::LoopStopped`].
    LoopStopped,
    /// See [`DenyReason::KeyMissing`].
    KeyMissing,
    /// See [`DenyReason::KeyReused`].
    KeyReused,
    /// See [`DenyReason::InProgress`].
    InProgress,
    /// See [`DenyReason::AlreadyDone`].
    AlreadyDone,
    /// See [`DenyReason::DryRunUnsupported`].
    DryRunUnsupported,
    /// See [`DenyReason::Busy`].
    Busy,
    /// See [`DenyReason::StoreUnavailable`].
    StoreUnavailable,
    /// See [`DenyReason::UpstreamUnavailable`].
    UpstreamUnavailable,
    /// A person must say yes first.
    ApprovalPending,
    /// See [`DenyReason::ApprovalDenied`].
    ApprovalDenied,
    /// See [`DenyReason::ApprovalExpired`].
    ApprovalExpired,
    /// The call went out and no definite answer came back. Not a refusal: it may have happened.
    OutcomeUnknown,
    /// See [`DenyReason::Bug`].
    Bug,
}

/// Whether proposing again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// No.
    Never,
    /// With other arguments.
    Changed,
    /// After a while.
    Later,
    /// The same call again attaches to this one.
    Same,
}

impl DenyReason {
    /// Its stable word.
    pub const fn code(&self) -> Code {
        match self {
            DenyReason::NotGranted => Code::NotGranted,
            DenyReason::Forbidden(_) | DenyReason::Canary => Code::Denied,
            DenyReason::UnknownTool => Code::UnknownTool,
            DenyReason::ToolChanged => Code::ToolChanged,
            DenyReason::BadArguments(_) => Code::BadArguments,
            DenyReason::TooLarge(_) => Code::TooLarge,
            DenyReason::PolicyError => Code::PolicyError,
            DenyReason::FactMissing(_) => Code::FactMissing,
            DenyReason::FactError(_) => Code::FactError,
            DenyReason::TooLargeToJudge(_) => Code::TooLargeToJudge,
            DenyReason::Stopped(_) => Code::Stopped,
            DenyReason::BudgetSpent(_) => Code::BudgetSpent,
            DenyReason::CostUnknown(_) => Code::CostUnknown,
            DenyReason::LoopStopped => Code::LoopStopped,
            DenyReason::KeyMissing(_) => Code::KeyMissing,
            DenyReason::KeyReused => Code::KeyReused,
            DenyReason::InProgress => Code::InProgress,
            DenyReason::AlreadyDone => Code::AlreadyDone,
            DenyReason::OutcomeUnknown(_) => Code::OutcomeUnknown,
            DenyReason::DryRunUnsupported => Code::DryRunUnsupported,
            DenyReason::Busy | DenyReason::TooManyAsked => Code::Busy,
            DenyReason::ApprovalDenied(_) => Code::ApprovalDenied,
            DenyReason::ApprovalExpired => Code::ApprovalExpired,
            DenyReason::StoreUnavailable => Code::StoreUnavailable,
            DenyReason::UpstreamUnavailable(_) => Code::UpstreamUnavailable,
            DenyReason::Bug => Code::Bug,
        }
    }
}

impl Code {
    /// Every code, for the pages that explain them.
    pub const ALL: [Code; 27] = [
        Code::NotGranted,
        Code::Denied,
        Code::UnknownTool,
        Code::ToolChanged,
        Code::BadArguments,
        Code::TooLarge,
        Code::PolicyError,
        Code::FactMissing,
        Code::FactError,
        Code::TooLargeToJudge,
        Code::Stopped,
        Code::BudgetSpent,
        Code::CostUnknown,
        Code::LoopStopped,
        Code::KeyMissing,
        Code::KeyReused,
        Code::InProgress,
        Code::AlreadyDone,
        Code::DryRunUnsupported,
        Code::Busy,
        Code::StoreUnavailable,
        Code::UpstreamUnavailable,
        Code::ApprovalPending,
        Code::ApprovalDenied,
        Code::ApprovalExpired,
        Code::OutcomeUnknown,
        Code::Bug,
    ];

    /// The word on the wire, in records and in the names of the pages under `docs/errors/`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Code::NotGranted => "not_granted",
            Code::Denied => "denied",
            Code::UnknownTool => "unknown_tool",
            Code::ToolChanged => "tool_changed",
            Code::BadArguments => "bad_arguments",
            Code::TooLarge => "too_large",
            Code::PolicyError => "policy_error",
            Code::FactMissing => "fact_missing",
            Code::FactError => "fact_error",
            Code::TooLargeToJudge => "too_large_to_judge",
            Code::Stopped => "stopped",
            Code::BudgetSpent => "budget_spent",
            Code::CostUnknown => "cost_unknown",
            Code::LoopStopped => "loop_stopped",
            Code::KeyMissing => "key_missing",
            Code::KeyReused => "key_reused",
            Code::InProgress => "in_progress",
            Code::AlreadyDone => "already_done",
            Code::DryRunUnsupported => "dry_run_unsupported",
            Code::Busy => "busy",
            Code::StoreUnavailable => "store_unavailable",
            Code::UpstreamUnavailable => "upstream_unavailable",
            Code::ApprovalPending => "approval_pending",
            Code::ApprovalDenied => "approval_denied",
            Code::ApprovalExpired => "approval_expired",
            Code::OutcomeUnknown => "outcome_unknown",
            Code::Bug => "bug",
        }
    }

    /// Whether proposing again can help.
    pub const fn retry(self) -> Retry {
        match self {
            Code::NotGranted
            | Code::Denied
            | Code::UnknownTool
            | Code::PolicyError
            | Code::DryRunUnsupported
            | Code::AlreadyDone
            | Code::OutcomeUnknown
            | Code::ApprovalDenied
            | Code::Bug => Retry::Never,
            Code::BadArguments
            | Code::TooLarge
            | Code::FactMissing
            | Code::FactError
            | Code::TooLargeToJudge
            | Code::CostUnknown
            | Code::LoopStopped
            | Code::KeyMissing
            | Code::KeyReused => Retry::Changed,
            Code::ToolChanged
            | Code::Stopped
            | Code::BudgetSpent
            | Code::Busy
            | Code::ApprovalExpired
            | Code::StoreUnavailable
            | Code::UpstreamUnavailable => Retry::Later,
            Code::ApprovalPending | Code::InProgress => Retry::Same,
        }
    }
}

impl Retry {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Retry::Never => "never",
            Retry::Changed => "changed",
            Retry::Later => "later",
            Retry::Same => "same",
        }
    }
}

/// What a dry run that reaches no tool can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What would be called.
    pub action: Action,
    /// Its level.
    pub level: Level,
    /// The policies that would allow it.
    pub policies: Vec<Arc<str>>,
    /// What people would be asked first; empty if nothing.
    pub controls: Vec<Control>,
    /// What it would hold of budgets that are the agent's own.
    pub holds: Vec<(BudgetName, Measure, Amount)>,
}
