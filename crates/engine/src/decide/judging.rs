//! What policy says of one call, and what becomes of that where policy is only watched.
//!
//! An agent that is observed, or everybody while a person has paused enforcement, is not refused by policy and
//! nobody is asked: the call goes on, and its record says what would have been decided. Nothing else is
//! softened: stops, what was accepted of a tool, its schema, keys, budgets and the record hold as they do
//! otherwise, and so does a policy that could not be evaluated.

use std::{collections::BTreeSet, sync::Arc};

use super::counting;
use crate::{
    call::{Call, Mode},
    decision::{Denial, DenyReason},
    json::Json,
    level::Level,
    names::Label,
    policy::{Judged, Policy, Seen, Tool, config::Control},
    record::Record,
    state::Known,
    time::Now,
    tool::{Definition, Offer},
};

/// What policy lets happen.
pub(super) struct Ruling {
    /// What people must agree to first.
    pub(super) controls: Vec<Control>,
    /// The policies that decided.
    pub(super) policies: Vec<Arc<str>>,
    /// What would have been decided, if policy is only watched and would not simply have allowed it.
    pub(super) observed: Option<Box<str>>,
    /// Whether it depends on what the session has seen.
    pub(super) reads_labels: bool,
}

/// Judges a call by policy: first by what does not depend on it, then, if its arguments fit, by the rest.
pub(super) fn rule(
    policy: &Policy,
    call: &Call,
    tool: &Tool,
    known: &Known,
    now: Now,
) -> Result<Ruling, Denial> {
    let level = tool.level();
    let deny = |reason| Denial::because(reason).at(level);
    // A tool that no arguments could open looks absent: its schema is not told by way of complaints.
    let opened = policy.judge(&call.agent, &call.action);
    let listed = matches!(opened, Judged::Granted { .. });
    let ruling = ruling(policy, opened, call, known, level)?;
    let definition = accepted(&known.offer).map_err(deny)?;
    let arguments = call.arguments.value();
    definition.schema.check(arguments).map_err(|problem| deny(DenyReason::BadArguments(problem)))?;
    // No pause and no `observe` softens this one.
    if let Some(Judged::Refused { reason, policies }) = policy.judge_own_files(&call.action, arguments) {
        return Err(Denial { policies, listed, ..deny(reason) });
    }
    if !policy.is_conditional(&call.action) {
        return Ok(ruling);
    }
    let seen = Seen {
        definition,
        arguments,
        dry_run: call.mode != Mode::Live,
        now: now.wall,
        steps: steps(policy, known, now),
        labels: &labels(policy, known, now),
        cost: &|unit| {
            let unit = unit.parse().map_err(|_| DenyReason::Bug)?;
            // A condition names only units in which the tool has a cost.
            counting::price(call, &tool.terms, &unit)?.ok_or(DenyReason::Bug)
        },
    };
    let judged = policy.judge_call(&call.agent, &call.action, &seen);
    let ruling =
        self::ruling(policy, judged, call, known, level).map_err(|denial| Denial { listed, ..denial })?;
    Ok(Ruling { reads_labels: policy.reads_labels(&call.action), ..ruling })
}

/// Takes what was judged of a call of a tool of this level for what it means now.
fn ruling(
    policy: &Policy,
    judged: Judged,
    call: &Call,
    known: &Known,
    level: Level,
) -> Result<Ruling, Denial> {
    let watched = known.paused || policy.observes(&call.agent);
    let ruled = |controls, policies, observed| Ruling { controls, policies, observed, reads_labels: false };
    match judged {
        Judged::Granted { controls, policies } if watched && !controls.is_empty() => {
            let controls: Vec<_> = controls.iter().map(ToString::to_string).collect();
            Ok(ruled(Vec::new(), policies, Some(format!("ask {}", controls.join(" ")).into())))
        }
        Judged::Granted { controls, policies } => Ok(ruled(controls, policies, None)),
        Judged::Refused { reason, policies } if watched && is_softened(&reason) => {
            Ok(ruled(Vec::new(), policies, Some(format!("deny {}", reason.code().as_str()).into())))
        }
        Judged::Refused { reason, policies } => Err(Denial { policies, ..Denial::because(reason).at(level) }),
    }
}

/// How many calls were proposed in the call's session, this one included.
fn steps(policy: &Policy, known: &Known, now: Now) -> u64 {
    let terms = policy.session_terms();
    let session = known.remembered.session.as_ref();
    let running = session.filter(|session| session.runs_at(now.wall, &terms));
    running.map_or(0, |session| session.steps).saturating_add(1)
}

/// What the call's session has seen, be it in an earlier one.
pub(super) fn labels(policy: &Policy, known: &Known, now: Now) -> BTreeSet<Label> {
    let session = known.remembered.session.as_ref();
    let seen = session.filter(|session| !session.is_forgotten(now.wall, &policy.session_terms()));
    seen.map(|session| session.labels.clone()).unwrap_or_default()
}

fn accepted(offer: &Offer) -> Result<&Definition, DenyReason> {
    match offer {
        Offer::Accepted(definition) => Ok(definition),
        Offer::Misfit(problem) => Err(DenyReason::BadArguments(problem.to_string())),
        Offer::Changed | Offer::Unusable(_) => Err(DenyReason::ToolChanged),
        Offer::Absent => Err(DenyReason::UnknownTool),
    }
}

/// Whether this is policy's own no. What could not be evaluated is none: it is not known what it would say.
fn is_softened(reason: &DenyReason) -> bool {
    match reason {
        DenyReason::NotGranted
        | DenyReason::Forbidden(_)
        | DenyReason::FactMissing(_)
        | DenyReason::FactError(_)
        | DenyReason::TooLargeToJudge(_) => true,
        DenyReason::UnknownTool
        | DenyReason::ToolChanged
        | DenyReason::BadArguments(_)
        | DenyReason::TooLarge(_)
        | DenyReason::PolicyError
        | DenyReason::Stopped(_)
        | DenyReason::Canary
        | DenyReason::BudgetSpent(_)
        | DenyReason::CostUnknown(_)
        | DenyReason::LoopStopped
        | DenyReason::KeyMissing(_)
        | DenyReason::KeyReused
        | DenyReason::InProgress
        | DenyReason::AlreadyDone
        | DenyReason::OutcomeUnknown(_)
        | DenyReason::DryRunUnsupported
        | DenyReason::Busy
        | DenyReason::TooManyAsked
        | DenyReason::ApprovalDenied(_)
        | DenyReason::ApprovalExpired
        | DenyReason::StoreUnavailable
        | DenyReason::UpstreamUnavailable(_)
        | DenyReason::Bug => false,
    }
}

/// The record of a call that goes on, with what would have been decided if policy were not only watched.
pub(super) fn with_observed(record: Record, observed: Option<&str>) -> Record {
    match observed {
        Some(decision) => record.with("observed", Json::from(decision)),
        None => record,
    }
}
