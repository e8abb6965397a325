//! Words: what an agent is told of a refusal, in one place for all surfaces.
//!
//! How much an agent may know is its `disclose`. Below `full`, a tool that is hidden from it and one that does
//! not exist are answered alike, in code and in words; the record keeps the difference. Thresholds, patterns,
//! policy text, other agents and approvers never appear.

use placet_engine::{
    approval::ApprovalRequest,
    call::CallId,
    decision::{Code, Denial, DenyReason, Plan, Retry},
    json::{Json, Object},
    level::Level,
    policy::config::Disclose,
    stop::{Leaves, Scope},
    time::Timestamp,
};

/// What an agent is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The stable word.
    pub code: Code,
    /// What was refused and why, in one sentence without a full stop.
    pub sentence: String,
    /// What the agent can do instead.
    pub next: &'static str,
    /// When it will be otherwise, where time alone does it and the agent may know.
    pub resets_at: Option<Timestamp>,
}

/// What an agent is told of a refusal of `action`, which is named as the agent named it.
pub fn told(denial: &Denial, action: &str, disclose: Disclose) -> Told {
    let level = denial.level.map_or("unknown", Level::as_str);
    let full = disclose == Disclose::Full;
    let (code, sentence) = match &denial.reason {
        DenyReason::NotGranted | DenyReason::Forbidden(_) | DenyReason::UnknownTool | DenyReason::Canary
            if !full && !denial.listed =>
        {
            (Code::UnknownTool, format!("`{action}` is not one of this agent's tools"))
        }
        DenyReason::UnknownTool => (Code::UnknownTool, format!("action '{action}' is not found")),
        reason @ (DenyReason::NotGranted | DenyReason::Forbidden(None) | DenyReason::Canary) => {
            (reason.code(), format!("action '{action}' is blocked by policy (level={level})"))
        }
        reason @ DenyReason::Forbidden(Some(words)) => {
            (reason.code(), format!("action '{action}' is blocked by policy (level={level}): {words}"))
        }
        reason @ DenyReason::ToolChanged => {
            (reason.code(), format!("`{action}` is not the tool that was accepted, so it is not called"))
        }
        reason @ DenyReason::BadArguments(problem) => {
            (reason.code(), format!("the arguments of `{action}` do not fit: {problem}"))
        }
        reason @ DenyReason::TooLarge(which) => (reason.code(), format!("the call is too large: {which}")),
        reason @ DenyReason::PolicyError => {
            (reason.code(), format!("`{action}` is refused, because its policy could not be evaluated"))
        }
        reason @ DenyReason::FactMissing(which) => {
            (reason.code(), format!("`{action}` is not called without {which}, which a rule looks at"))
        }
        reason @ DenyReason::FactError(what) => {
            (reason.code(), format!("`{action}` is refused, for a rule looks at an argument of it: {what}"))
        }
        reason @ DenyReason::TooLargeToJudge(what) => {
            (reason.code(), format!("`{action}` is refused, for a rule looks at an argument of it: {what}"))
        }
        reason @ DenyReason::Stopped(stopped) => {
            let what = match (&stopped.scope, stopped.leaves) {
                (Scope::Everything, Leaves::Nothing) => "all calls are stopped",
                (_, Leaves::Nothing) => "calls like this are stopped",
                (_, Leaves::Reads) => "everything but reading is stopped",
            };
            (reason.code(), format!("`{action}` is refused, because {what}"))
        }
        reason @ DenyReason::BudgetSpent(spent) => {
            let left = match &spent.left {
                Some(left) if full => format!(": {left} {} left in `{}`", spent.measure, spent.budget),
                Some(_) | None => String::new(),
            };
            (reason.code(), format!("`{action}` does not fit a budget any more{left}"))
        }
        reason @ DenyReason::CostUnknown(why) => {
            (reason.code(), format!("what `{action}` would cost cannot be worked out: {why}"))
        }
        reason @ DenyReason::LoopStopped => (
            reason.code(),
            format!("`{action}` was called over and over with the same arguments, and answered the same"),
        ),
        reason @ DenyReason::KeyMissing(what) => (
            reason.code(),
            format!("`{action}` runs once for each key, and this call has none: it needs {what}"),
        ),
        reason @ DenyReason::KeyReused => {
            (reason.code(), format!("the key of this call of `{action}` was used for other arguments"))
        }
        reason @ DenyReason::InProgress => {
            (reason.code(), format!("the same call of `{action}` is under way already"))
        }
        reason @ DenyReason::AlreadyDone => {
            (reason.code(), format!("`{action}` has been done already; its result is not handed out again"))
        }
        reason @ DenyReason::OutcomeUnknown(_) => (
            reason.code(),
            format!("the same call of `{action}` was sent before, and it is not known what came of it"),
        ),
        reason @ DenyReason::DryRunUnsupported => {
            (reason.code(), format!("`{action}` cannot say what it would do, so there is no dry run of it"))
        }
        reason @ DenyReason::Busy => {
            (reason.code(), "too much is going on to decide this safely now".to_owned())
        }
        reason @ DenyReason::TooManyAsked => {
            (reason.code(), "too many calls wait for a person's approval already".to_owned())
        }
        reason @ DenyReason::ApprovalDenied(note) if note.is_empty() => {
            (reason.code(), format!("a person was asked about this call of `{action}`, and said no"))
        }
        reason @ DenyReason::ApprovalDenied(note) => {
            (reason.code(), format!("a person was asked about this call of `{action}`, and said no: {note}"))
        }
        reason @ DenyReason::ApprovalExpired => {
            (reason.code(), format!("a person was asked about this call of `{action}`, and nobody answered"))
        }
        reason @ DenyReason::StoreUnavailable => {
            (reason.code(), "this call cannot be recorded now, so it is not made".to_owned())
        }
        reason @ DenyReason::UpstreamUnavailable(why) => {
            (reason.code(), format!("the server of `{action}` cannot be reached: {why}"))
        }
        reason @ DenyReason::Bug => {
            (reason.code(), format!("`{action}` is refused, because of a fault in the boundary itself"))
        }
    };
    let sentence = if disclose == Disclose::Code { in_short(code, action) } else { sentence };
    let resets_at = if let DenyReason::BudgetSpent(spent) = &denial.reason
        && disclose != Disclose::Code
    {
        spent.resets_at
    } else {
        None
    };
    let narrowed = matches!(&denial.reason, DenyReason::Stopped(stopped) if stopped.leaves == Leaves::Reads);
    let next = if narrowed {
        "go on with what only reads, and tell the user that a person must resume the rest"
    } else {
        next(code)
    };
    Told { code, sentence, next, resets_at }
}

/// What an agent is told of a call that waits for people.
pub fn told_waiting(request: &ApprovalRequest, action: &str) -> Told {
    let sentence =
        format!("`{action}` waits for a person's approval, as {}; nothing has run yet", request.approval.id);
    Told { code: Code::ApprovalPending, sentence, next: next(Code::ApprovalPending), resets_at: None }
}

/// What an agent is told of a call whose outcome nobody knows.
pub fn told_unknown(action: &str) -> Told {
    let sentence =
        format!("`{action}` was sent, but no definite answer came back: it may or may not have happened");
    Told { code: Code::OutcomeUnknown, sentence, next: next(Code::OutcomeUnknown), resets_at: None }
}

/// What an agent is told of a dry run that reached no tool.
pub fn told_plan(plan: &Plan, action: &str) -> String {
    let holds =
        plan.holds.iter().map(|(budget, measure, amount)| format!("{amount} {measure} of `{budget}`"));
    let holds = holds.collect::<Vec<_>>().join(", ");
    let holds = if holds.is_empty() { holds } else { format!(", and would hold {holds}") };
    if plan.controls.is_empty() {
        format!("dry run: `{action}` would be allowed{holds}; nothing has run")
    } else {
        format!("dry run: `{action}` would wait for a person's approval{holds}; nothing has run")
    }
}

fn in_short(code: Code, action: &str) -> String {
    match code {
        Code::UnknownTool => format!("`{action}` is not one of this agent's tools"),
        Code::NotGranted
        | Code::Denied
        | Code::ToolChanged
        | Code::BadArguments
        | Code::TooLarge
        | Code::PolicyError
        | Code::FactMissing
        | Code::FactError
        | Code::TooLargeToJudge
        | Code::Stopped
        | Code::BudgetSpent
        | Code::CostUnknown
        | Code::LoopStopped
        | Code::KeyMissing
        | Code::KeyReused
        | Code::InProgress
        | Code::AlreadyDone
        | Code::DryRunUnsupported
        | Code::Busy
        | Code::StoreUnavailable
        | Code::UpstreamUnavailable
        | Code::ApprovalPending
        | Code::ApprovalDenied
        | Code::ApprovalExpired
        | Code::OutcomeUnknown
        | Code::Bug => format!("`{action}` was refused"),
    }
}

fn next(code: Code) -> &'static str {
    match code {
        Code::NotGranted | Code::Denied | Code::UnknownTool | Code::PolicyError => {
            "use one of the listed tools, or ask the user"
        }
        Code::ToolChanged => "use another tool; a person must accept the changed one first",
        Code::BadArguments => "correct the arguments and call again",
        Code::FactMissing => "call again with the argument that is missing",
        Code::FactError => "write the argument plainly, so that it means one thing, or ask the user",
        Code::TooLargeToJudge => "send less in that argument",
        Code::TooLarge => "send less in one call",
        Code::BudgetSpent => "do less, wait until there is more, or ask the user",
        Code::CostUnknown => "correct the arguments that the cost depends on",
        Code::LoopStopped => "do something else: the same call will have the same answer",
        Code::KeyMissing => "call again with what is missing",
        Code::KeyReused => "use another key for another call",
        Code::InProgress => "go on with other work, and make the same call again later to have its result",
        Code::AlreadyDone => "do not do it again: read the current state",
        Code::Stopped => "do not call tools until a person resumes; tell the user",
        Code::DryRunUnsupported => "ask for a dry run of kind `validate`, or ask the user",
        Code::Busy | Code::StoreUnavailable | Code::UpstreamUnavailable => {
            "try again later, or go on without it"
        }
        Code::ApprovalDenied => "do not propose it again; find another way, or ask the user",
        Code::ApprovalExpired => "go on with other work; the same call again asks anew",
        Code::ApprovalPending => "go on with other work, and make the same call again later",
        Code::OutcomeUnknown => "do not repeat it blindly: read the current state first, or ask the user",
        Code::Bug => "tell the user",
    }
}

/// The wire object of a decision: `{decision, code, retry, next, decision_id, resets_at?}`.
pub fn wire(decision: &str, told: &Told, decision_id: String) -> Object {
    let mut wire = Object::from([
        ("decision", Json::from(decision)),
        ("code", Json::from(told.code.as_str())),
        ("retry", Json::from(Retry::as_str(told.code.retry()))),
        ("next", Json::from(told.next)),
        ("decision_id", Json::from(decision_id)),
    ]);
    if let Some(resets_at) = told.resets_at {
        wire.insert("resets_at", resets_at.to_string());
    }
    wire
}

/// The wire object of a call that was made before: `{decision, of, decision_id}`.
pub fn wire_replay(of: CallId, decision_id: String) -> Object {
    Object::from([
        ("decision", Json::from("replay")),
        ("of", Json::from(of.to_string())),
        ("decision_id", Json::from(decision_id)),
    ])
}
