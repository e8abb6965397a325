//! What policy says of one call, and what becomes of that where policy is only watched.
//!
//! An agent that is observed, or everybody while a person has paused enforcement, is not refused by policy and
//! nobody is asked: the call goes on, and its record says what would have been decided. Nothing else is
//! softened: stops, what was accepted of a tool, its schema, keys, budgets and the record hold as they do
//! otherwise, and so does a policy that could not be evaluated.

use std::sync::Arc;

use crate::{
    call::Call,
    decision::{Denial, DenyReason},
    json::Json,
    level::Level,
    policy::{Judged, Policy, config::Control},
    record::Record,
    state::Known,
};

/// What policy lets happen.
pub(super) struct Ruling {
    /// What people must agree to first.
    pub(super) controls: Vec<Control>,
    /// The policies that decided.
    pub(super) policies: Vec<Arc<str>>,
    /// What would have been decided, if policy is only watched and would not simply have allowed it.
    pub(super) observed: Option<Box<str>>,
}

/// Takes what was judged of a call of a tool of this level for what it means now.
pub(super) fn ruling(
    policy: &Policy,
    judged: Judged,
    call: &Call,
    known: &Known,
    level: Level,
) -> Result<Ruling, Denial> {
    let watched = known.paused || policy.observes(&call.agent);
    match judged {
        Judged::Granted { controls, policies } if watched && !controls.is_empty() => {
            let controls: Vec<_> = controls.iter().map(ToString::to_string).collect();
            let observed = Some(format!("ask {}", controls.join(" ")).into());
            Ok(Ruling { controls: Vec::new(), policies, observed })
        }
        Judged::Granted { controls, policies } => Ok(Ruling { controls, policies, observed: None }),
        Judged::Refused { reason, policies } if watched && is_softened(&reason) => {
            let observed = Some(format!("deny {}", reason.code().as_str()).into());
            Ok(Ruling { controls: Vec::new(), policies, observed })
        }
        Judged::Refused { reason, policies } => Err(Denial { policies, ..Denial::because(reason).at(level) }),
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
