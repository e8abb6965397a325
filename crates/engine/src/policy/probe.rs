//! Probes: a policy with one guard more, whose condition says which calls somebody is asking about.
//!
//! So such a condition is read, typed and lowered over each tool exactly as a guard's is, and whether it holds of
//! one call is answered by judging that. Nobody's call is ever judged by a probe.
//!
//! Start at [`Policy::probe`].

use std::sync::Arc;

use super::{
    Policy, PolicyError, Rules,
    config::{About, Guard, GuardEffect, GuardScope, Invariant, Pattern},
};

/// A policy with a guard more for the calls that an invariant is about.
#[derive(Debug)]
pub struct Probe {
    /// The policy with that guard, which forbids those calls.
    pub policy: Policy,
    /// The place of the first guard that was added.
    first: usize,
}

impl Probe {
    /// Whether a policy of the probe is one of those that were added.
    pub fn is_added(&self, policy: &str) -> bool {
        let at = policy.strip_prefix("guards.").and_then(|rest| rest.split_once('.'));
        at.and_then(|(at, _)| at.parse::<usize>().ok()).is_some_and(|at| at >= self.first)
    }
}

impl Policy {
    /// The same policy with a guard that forbids the calls that an invariant is about; none if the invariant has no
    /// condition, since then tool and agent say which these are.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Rules`] if the condition means nothing over a tool that the invariant is about.
    pub fn probe(&self, invariant: &Invariant) -> Result<Option<Probe>, PolicyError> {
        let About { who: _, tools, levels, when } = &invariant.about;
        let Some(when) = when else { return Ok(None) };
        let all = || "*/*".parse::<Pattern>().map_err(super::model::bug);
        let mut patterns: Vec<Pattern> = tools.iter().map(|tool| tool.value.clone()).collect();
        if patterns.is_empty() {
            patterns.push(all()?);
        }
        let mut rules: Rules = self.rules().clone();
        let first = rules.guards.len();
        rules.guards.extend(patterns.into_iter().map(|pattern| Guard {
            scope: GuardScope::Tools(pattern),
            applies_to: None,
            levels: *levels,
            when: Some(when.clone()),
            id: None,
            effect: GuardEffect::Forbid("an invariant is about this call".to_owned()),
            line: invariant.line,
        }));
        let catalogue = Arc::unwrap_or_clone(Arc::clone(&self.catalogue));
        Ok(Some(Probe { policy: Policy::compile(rules, catalogue)?, first }))
    }
}
