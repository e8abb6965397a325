//! Trials: calls that nobody makes, judged as if somebody had made them.
//!
//! What is asked is policy alone, by the same steps as in a decision: a canary, what no arguments open, whether
//! the arguments fit the tool's schema, and then the conditions. Stops, keys, budgets and what a session still
//! holds are not asked, and `observe` softens nothing here: a trial says what the policy says.
//!
//! Not here: reading tests (`config`) and showing what came of them (the shell). Start at
//! [`Policy::judge_proposed`] and [`PolicyTest::run`].

use std::{fmt, sync::Arc};

use super::{
    Judged, Policy, Seen,
    config::{Control, Expected, PolicyTest, Proposed, Word},
};
use crate::decision::{Code, DenyReason};

/// Why a call cannot be judged without being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untried {
    /// Nothing was accepted of the tool: neither its schema nor the types of its arguments are known.
    NoDefinition,
}

impl fmt::Display for Untried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Untried::NoDefinition => {
                f.write_str("the tool is not in placet.lock, so its arguments cannot be judged")
            }
        }
    }
}

impl std::error::Error for Untried {}

/// What came of a policy test.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a test that nobody looks at has tested nothing"]
pub enum Ran {
    /// It came out as it should.
    Passed(Judged),
    /// It came out otherwise.
    Failed {
        /// What came out.
        judged: Judged,
        /// In what it differs, at least one.
        differences: Vec<Difference>,
    },
    /// Nothing can be said.
    Untried(Untried),
}

/// One thing in which a judgement is not the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key of the test that expects it: `decision`, `code`, `controls` or `by`.
    pub of: &'static str,
    /// What the test says.
    pub expected: String,
    /// What the policy says.
    pub got: String,
}

impl Policy {
    /// Judges a call that nobody makes, by policy alone.
    ///
    /// # Errors
    ///
    /// [`Untried`] where the answer depends on what is not known here.
    ///
    /// ```
    /// # use placet_engine::policy::{Judged, Policy, Rules, catalogue, config::{Proposed, read}};
    /// # use placet_engine::decision::DenyReason;
    /// let source = "[servers.crm]\ncommand = ['crm']\ntools = { refund = 'write' }\n[agents.bot]\nlevels = ['read']";
    /// let config = read(source).config.expect("no errors");
    /// let policy = Policy::compile(Rules::from(&config), catalogue(&config)).expect("it compiles");
    /// let call = Proposed::new("bot".parse()?, "crm/refund".parse()?);
    /// let refused = Judged::Refused { reason: DenyReason::NotGranted, policies: vec![] };
    /// assert_eq!(policy.judge_proposed(&call), Ok(refused));
    /// # Ok::<(), placet_engine::names::NameError>(())
    /// ```
    pub fn judge_proposed(&self, call: &Proposed) -> Result<Judged, Untried> {
        let refused = |reason| Judged::Refused { reason, policies: Vec::new() };
        let Some(tool) = self.tool(&call.tool) else { return Ok(refused(DenyReason::UnknownTool)) };
        if tool.terms.canary {
            return Ok(refused(DenyReason::Canary));
        }
        let opened = self.judge(&call.agent, &call.tool);
        if matches!(opened, Judged::Refused { .. }) {
            return Ok(opened);
        }
        let definition = tool.definition.as_deref().ok_or(Untried::NoDefinition)?;
        if let Err(problem) = definition.schema.check(&call.arguments) {
            return Ok(refused(DenyReason::BadArguments(problem)));
        }
        if let Some(refused) = self.judge_own_files(&call.tool, &call.arguments) {
            return Ok(refused);
        }
        if !self.is_conditional(&call.tool) {
            return Ok(opened);
        }
        let seen = Seen {
            definition,
            arguments: &call.arguments,
            dry_run: call.dry_run,
            now: call.at,
            steps: call.steps,
            labels: &call.labels,
            cost: &|unit| {
                let unit = unit.parse().map_err(|_| DenyReason::Bug)?;
                let price = tool.terms.price(&unit, &call.arguments, &call.cost);
                let price = price.map_err(|error| DenyReason::CostUnknown(error.to_string()))?;
                Ok(price.unwrap_or_default())
            },
        };
        Ok(self.judge_call(&call.agent, &call.tool, &seen))
    }

    /// What the operator calls the guard that a policy comes from; none if it comes from no guard, or from one
    /// without an id.
    pub fn guard_id(&self, policy: &str) -> Option<&str> {
        let (at, _) = policy.strip_prefix("guards.")?.split_once('.')?;
        self.rules().guards.get(at.parse::<usize>().ok()?)?.id.as_deref()
    }
}

impl Judged {
    /// The decision in one word.
    pub fn word(&self) -> Word {
        match self {
            Judged::Granted { controls, .. } if controls.is_empty() => Word::Allow,
            Judged::Granted { .. } => Word::Ask,
            Judged::Refused { .. } => Word::Deny,
        }
    }

    /// The code of a refusal.
    pub fn code(&self) -> Option<Code> {
        match self {
            Judged::Granted { .. } => None,
            Judged::Refused { reason, .. } => Some(reason.code()),
        }
    }

    /// What is to be asked.
    pub fn controls(&self) -> &[Control] {
        match self {
            Judged::Granted { controls, .. } => controls,
            Judged::Refused { .. } => &[],
        }
    }

    /// The policies that decide.
    pub fn policies(&self) -> &[Arc<str>] {
        match self {
            Judged::Granted { policies, .. } | Judged::Refused { policies, .. } => policies,
        }
    }
}

impl PolicyTest {
    /// Judges the call of this test and compares what comes out with what is expected.
    pub fn run(&self, policy: &Policy) -> Ran {
        let judged = match policy.judge_proposed(&self.given) {
            Ok(judged) => judged,
            Err(why) => return Ran::Untried(why),
        };
        let differences = self.want.differences(&judged, policy);
        match differences.as_slice() {
            [] => Ran::Passed(judged),
            [..] => Ran::Failed { judged, differences },
        }
    }
}

impl Expected {
    /// In what a judgement is not the expected one.
    fn differences(&self, judged: &Judged, policy: &Policy) -> Vec<Difference> {
        let Self { decision, code, controls, by } = self;
        let mut differences = Vec::new();
        let mut differ = |of, expected: String, got: String| {
            if expected != got {
                differences.push(Difference { of, expected, got });
            }
        };
        differ("decision", decision.as_str().to_owned(), judged.word().as_str().to_owned());
        if let Some(code) = code {
            let got = judged.code().map_or("none", |code| code.as_str());
            differ("code", code.as_str().to_owned(), got.to_owned());
        }
        if let Some(controls) = controls {
            let listed = |controls: Vec<String>| match controls.is_empty() {
                true => "none".to_owned(),
                false => controls.join(", "),
            };
            // Both in the order of controls, so that the same ones are the same text.
            let mut got = judged.controls().to_vec();
            got.sort();
            differ(
                "controls",
                listed(controls.iter().map(ToString::to_string).collect()),
                listed(got.iter().map(ToString::to_string).collect()),
            );
        }
        let decided = |wanted: &str| {
            let mut ids = judged.policies().iter();
            ids.any(|id| **id == *wanted || policy.guard_id(id) == Some(wanted))
        };
        let idle: Vec<&str> = by.iter().map(String::as_str).filter(|wanted| !decided(wanted)).collect();
        if !idle.is_empty() {
            let got: Vec<&str> =
                judged.policies().iter().map(|id| policy.guard_id(id).unwrap_or(id)).collect();
            let got = if got.is_empty() { "no rule".to_owned() } else { got.join(", ") };
            differ("by", idle.join(", "), got);
        }
        differences
    }
}

#[cfg(test)]
pub(super) mod tests;
