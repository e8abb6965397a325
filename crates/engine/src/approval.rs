//! Approvals: a question to a person about exactly one call.
//!
//! A call that policy lets through only with a person's yes is not run; a question is remembered under the
//! call's digest, and the same call, proposed again, finds the same question. This version asks, records and
//! lets questions expire; answering them comes with the operator's side.

use std::time::Duration;

use crate::{
    call::{CallId, Digest},
    names::{Action, AgentName},
    policy::config::Control,
    time::Timestamp,
};

/// A question that waits for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The call that raised it; also the handle under which it is found.
    pub id: CallId,
    /// The call it is about: digest over agent, client, session, tool, arguments and `_meta`.
    pub digest: Digest,
    /// Who proposed it.
    pub agent: AgentName,
    /// What was proposed.
    pub action: Action,
    /// What people must agree to, in the policy's words.
    pub controls: Vec<Control>,
    /// When it was raised.
    pub asked_at: Timestamp,
    /// When it lapses without an answer. Calendar time, capped by the boot clock's advance in the store's
    /// own reading of time; a question that outlives its hour grants nothing.
    pub expires_at: Timestamp,
}

impl Approval {
    /// Whether it can still be answered at `now`.
    pub fn is_pending(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

/// A question to be raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRequest {
    /// The question, new or found.
    pub approval: Approval,
    /// How long it waits from now.
    pub waits: Duration,
}
