//! Explaining: why a call would be decided as it would, and the least that would change a refusal.
//!
//! For people only: rules, thresholds and other agents' remits are named here. Each change that is proposed has
//! been tried: the rules are changed, compiled and asked again, and what would be granted besides is listed.
//!
//! Not here: what an agent is told (the shell's words), and making a change. Start at [`Policy::explain`].

use std::{collections::BTreeSet, fmt, sync::Arc};

use super::{
    Judged, Policy, Rules,
    config::{At, Control, Guard, Proposed},
    facts::{FactError, Truth},
    lower::{Effect, Lowered},
    trial::Untried,
};
use crate::{
    decision::DenyReason,
    json::Json,
    names::{Action, AgentName, MatchName},
};

/// A rule as a person is shown it; printed as `deny "too much" if args.amount > 500`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleShown {
    /// The policy that was made of it.
    pub policy: Arc<str>,
    /// The line of the file, from 1; 0 if it stands in none.
    pub line: usize,
    /// What it does.
    pub does: Does,
    /// Its condition.
    pub when: Option<String>,
}

/// What a rule does where it applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Does {
    /// It grants the call.
    Grants,
    /// It refuses the call, in these words if there are any.
    Forbids(Option<Arc<str>>),
    /// It refuses the call until this has happened.
    Asks(Control),
    /// It refuses the call, because it cannot be told whether it applies.
    CannotTell,
}

impl fmt::Display for RuleShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.does {
            Does::Grants => f.write_str("allow")?,
            Does::Forbids(None) => f.write_str("deny")?,
            Does::Forbids(Some(words)) => write!(f, "deny \"{words}\"")?,
            Does::Asks(control) => write!(f, "ask {control}")?,
            Does::CannotTell => f.write_str("deny, since something is missing that it reads")?,
        }
        match &self.when {
            Some(when) => write!(f, " if {when}"),
            None => Ok(()),
        }
    }
}

/// Why a call would be decided as it would.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What comes out; where arguments were not given, of the rules that do not depend on them.
    pub judged: Result<Judged, Untried>,
    /// The rules that decide.
    pub deciding: Vec<RuleShown>,
    /// The rules with a condition that look at such a call.
    pub conditional: Vec<RuleShown>,
    /// The facts that they read, and what comes out.
    pub facts: Vec<(MatchName, Result<Truth, FactError>)>,
    /// What else they read, and what is there.
    pub read: Vec<(String, Option<Json>)>,
    /// What could be changed in the file so that it is not refused.
    pub changes: Vec<Change>,
}

/// A change of the rules, and what would come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What to change, in a sentence without a full stop.
    pub what: String,
    /// The line of the file about which it is, from 1; 0 if there is none yet.
    pub line: usize,
    /// What would be judged then; `None` if that cannot be tried.
    pub then: Option<Judged>,
    /// What would be granted besides: whom, and which tools.
    pub also: Vec<(AgentName, Action)>,
}

impl Policy {
    /// Explains a call with its arguments.
    ///
    /// ```
    /// # use placet_engine::policy::{Policy, Rules, catalogue, config::{Proposed, Word, read}};
    /// let source = "[servers.crm]\ncommand = ['crm']\ntools = { wipe = 'delete' }\n[agents.bot]\nlevels = ['read']";
    /// let config = read(source).config.expect("no errors");
    /// let policy = Policy::compile(Rules::from(&config), catalogue(&config)).expect("it compiles");
    /// let found = policy.explain(&Proposed::new("bot".parse()?, "crm/wipe".parse()?));
    /// assert_eq!(found.judged.map(|judged| judged.word()), Ok(Word::Deny));
    /// assert_eq!(found.changes[1].what, "or `agents.bot.levels` could hold delete, as in levels = [\"read\", \"delete\"]");
    /// # Ok::<(), placet_engine::names::NameError>(())
    /// ```
    pub fn explain(&self, call: &Proposed) -> Explanation {
        let judged = self.judge_proposed(call);
        let mut explanation =
            self.explained(&call.agent, &call.tool, judged, |policy| policy.judge_proposed(call).ok());
        self.look(call, &mut explanation);
        explanation
    }

    /// Explains what can be said without arguments: what the rules without a condition say, and those with one
    /// that would be looked at.
    pub fn explain_tool(&self, agent: &AgentName, tool: &Action) -> Explanation {
        self.explained(agent, tool, Ok(self.judge_opening(agent, tool)), |policy| {
            Some(policy.judge_opening(agent, tool))
        })
    }

    /// The rules with a condition that look at calls of this tool by this agent, in the order of the file.
    pub fn conditions(&self, agent: &AgentName, tool: &Action) -> Vec<RuleShown> {
        self.compiled.conditional_rules(agent, tool).into_iter().map(shown).collect()
    }

    fn judge_opening(&self, agent: &AgentName, tool: &Action) -> Judged {
        let refused = |reason| Judged::Refused { reason, policies: Vec::new() };
        match self.tool(tool) {
            None => refused(DenyReason::UnknownTool),
            Some(found) if found.terms.canary => refused(DenyReason::Canary),
            Some(_) => self.judge(agent, tool),
        }
    }

    fn explained(
        &self,
        agent: &AgentName,
        tool: &Action,
        judged: Result<Judged, Untried>,
        again: impl Fn(&Policy) -> Option<Judged>,
    ) -> Explanation {
        let ids = judged.as_ref().map(Judged::policies).unwrap_or_default();
        Explanation {
            deciding: ids.iter().filter_map(|id| self.rule_shown(id)).collect(),
            conditional: self.conditions(agent, tool),
            facts: Vec::new(),
            read: Vec::new(),
            changes: match &judged {
                Ok(Judged::Refused { reason, policies }) => {
                    self.changes(agent, tool, reason, policies, again)
                }
                Ok(Judged::Granted { .. }) | Err(Untried::NoDefinition) => Vec::new(),
            },
            judged,
        }
    }

    /// The rule of a policy.
    pub fn rule_shown(&self, policy: &Arc<str>) -> Option<RuleShown> {
        let (rule, is_missing) = self.compiled.rule(policy)?;
        let RuleShown { policy: _, line, does, when } = shown(rule);
        let does = if is_missing { Does::CannotTell } else { does };
        Some(RuleShown { policy: Arc::clone(policy), line, does, when })
    }

    /// Adds the facts and places that the conditional rules of this call read.
    fn look(&self, call: &Proposed, explanation: &mut Explanation) {
        let Some(tool) = self.tool(&call.tool) else { return };
        let definition = tool.definition.as_deref();
        let found =
            definition.and_then(|definition| self.compiled.looked_at(&call.agent, &call.tool, definition));
        let Some((view, looked)) = found else { return };
        let facts = looked.facts.into_iter().filter_map(|name| {
            let holds = self.rules.matches.get(&name)?.holds(&call.arguments);
            Some((name, holds))
        });
        explanation.facts = facts.collect();
        let clock = self.rules.zone.clock(call.at);
        let read = looked.reads.into_iter().map(|path| {
            let words: Vec<&str> = path.iter().map(String::as_str).collect();
            let value = match words.as_slice() {
                ["args", inside @ ..] => {
                    inside.iter().try_fold(&call.arguments, |value, name| value.get(name)).cloned()
                }
                ["session", "steps"] => i64::try_from(call.steps).ok().map(Json::from),
                ["session", "labels"] => Some(Json::from(
                    call.labels.iter().map(|label| Json::from(label.as_str())).collect::<Vec<_>>(),
                )),
                ["call", "dry_run"] => Some(Json::from(call.dry_run)),
                ["call", "extra"] => Some(Json::from(view.is_extra(&call.arguments))),
                ["call", "hour"] => Some(Json::from(u32::from(clock.hour))),
                ["call", "minute"] => Some(Json::from(u32::from(clock.minute))),
                ["call", "weekday"] => Some(Json::from(clock.weekday)),
                ["call", "cost", unit] => {
                    let unit = unit.parse().ok();
                    let price =
                        unit.and_then(|unit| tool.terms.price(&unit, &call.arguments, &call.cost).ok());
                    price.map(|price| Json::from(price.unwrap_or_default().to_string()))
                }
                [..] => None,
            };
            (path.join("."), value)
        });
        explanation.read = read.collect();
    }

    /// What could be changed in the rules so that a refused call is not refused.
    fn changes(
        &self,
        agent: &AgentName,
        tool: &Action,
        reason: &DenyReason,
        policies: &[Arc<str>],
        again: impl Fn(&Policy) -> Option<Judged>,
    ) -> Vec<Change> {
        let untried = |what: String, line| vec![Change { what, line, then: None, also: Vec::new() }];
        match (reason, self.rules.agents.get(agent)) {
            (DenyReason::UnknownTool, _) => {
                let server = &tool.server;
                untried(format!("list `{tool}` in `[servers.{server}.tools]` with its level"), 0)
            }
            (DenyReason::NotGranted, None) => {
                untried(format!("describe the agent in a table, `[agents.{agent}]`"), 0)
            }
            (DenyReason::NotGranted, Some(remit)) => {
                let level = self.level(tool).map_or("unknown", |level| level.as_str());
                let mut changes = Vec::new();
                if let Ok(pattern) = tool.to_string().parse::<super::config::Pattern>()
                    && pattern.is_literal()
                {
                    let mut rules = self.rules.as_ref().clone();
                    let allow = remit.allow.iter().map(|at| at.value.clone()).chain([pattern.clone()]);
                    let allow: Vec<String> = allow.map(|pattern| format!("\"{pattern}\"")).collect();
                    if let Some(remit) = rules.agents.get_mut(agent) {
                        remit.allow.push(At { value: pattern, line: remit.line });
                    }
                    let what = format!(
                        "no rule grants {level} to `{agent}`; `agents.{agent}.allow` could name it, as in allow = [{}]",
                        allow.join(", ")
                    );
                    changes.push(self.tried(what, remit.line, rules, (agent, tool), &again));
                }
                if let Some(level) = self.level(tool) {
                    let mut rules = self.rules.as_ref().clone();
                    let levels = remit.levels.iter().chain([level]).collect();
                    if let Some(remit) = rules.agents.get_mut(agent) {
                        remit.levels = levels;
                    }
                    let words: Vec<String> = levels.iter().map(|level| format!("\"{level}\"")).collect();
                    let what = format!(
                        "or `agents.{agent}.levels` could hold {level}, as in levels = [{}]",
                        words.join(", ")
                    );
                    changes.push(self.tried(what, remit.line, rules, (agent, tool), &again));
                }
                changes
            }
            (DenyReason::Forbidden(_), _) => self.without(policies, (agent, tool), again),
            // These are the call's own affair: other arguments are judged otherwise.
            (
                DenyReason::Canary
                | DenyReason::ToolChanged
                | DenyReason::BadArguments(_)
                | DenyReason::TooLarge(_)
                | DenyReason::PolicyError
                | DenyReason::FactMissing(_)
                | DenyReason::FactError(_)
                | DenyReason::TooLargeToJudge(_)
                | DenyReason::Stopped(_)
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
                | DenyReason::Bug,
                _,
            ) => Vec::new(),
        }
    }

    /// The rules without those that refuse outright.
    fn without(
        &self,
        policies: &[Arc<str>],
        about: (&AgentName, &Action),
        again: impl Fn(&Policy) -> Option<Judged>,
    ) -> Vec<Change> {
        let refusing: Vec<RuleShown> = policies.iter().filter_map(|id| self.rule_shown(id)).collect();
        let refusing: Vec<&RuleShown> =
            refusing.iter().filter(|rule| matches!(rule.does, Does::Forbids(_))).collect();
        let Some(first) = refusing.first() else { return Vec::new() };
        let mut rules = self.rules.as_ref().clone();
        let gone: BTreeSet<&str> = refusing.iter().map(|rule| &*rule.policy).collect();
        for (name, remit) in &mut rules.agents {
            let mut at = 0..;
            remit.deny.retain(|_| {
                let at = at.next().unwrap_or(usize::MAX);
                !gone.contains(format!("agents.{name}.deny.{at}").as_str())
            });
        }
        let guards: BTreeSet<usize> = gone.iter().filter_map(|id| guard_at(id)).collect();
        let mut at = 0..;
        rules.guards.retain(|_: &Guard| !guards.contains(&at.next().unwrap_or(usize::MAX)));
        let lines: Vec<String> = refusing
            .iter()
            .map(|rule| match (self.guard_id(&rule.policy), rule.line) {
                (Some(id), line) => format!("guard `{id}` on line {line}"),
                (None, line) => format!("`{}` on line {line}", rule.policy),
            })
            .collect();
        let hint = if refusing.iter().any(|rule| rule.when.is_some()) {
            ", or change its condition, or send other arguments"
        } else {
            ", or narrow it"
        };
        let what = format!("take out {}{hint}", lines.join(" and "));
        vec![self.tried(what, first.line, rules, about, &again)]
    }

    fn tried(
        &self,
        what: String,
        line: usize,
        rules: Rules,
        (agent, tool): (&AgentName, &Action),
        again: &impl Fn(&Policy) -> Option<Judged>,
    ) -> Change {
        let Ok(changed) = Policy::compile(rules, self.catalogue.as_ref().clone()) else {
            return Change { what, line, then: None, also: Vec::new() };
        };
        let changed = changed.guarding(Arc::clone(&self.own));
        let grants = |policy: &Policy, agent: &AgentName, tool: &Action| {
            matches!(policy.judge_opening(agent, tool), Judged::Granted { .. })
        };
        let pairs =
            self.rules.agents.keys().flat_map(|agent| self.catalogue.keys().map(move |tool| (agent, tool)));
        let also = pairs
            .filter(|(_, tool)| tool.tool.method().is_none())
            .filter(|pair| *pair != (agent, tool))
            .filter(|(agent, tool)| !grants(self, agent, tool) && grants(&changed, agent, tool))
            .map(|(agent, tool)| (agent.clone(), tool.clone()))
            .collect();
        Change { what, line, then: again(&changed), also }
    }
}

/// The place of a guard among all, by a policy that was made of it.
fn guard_at(policy: &str) -> Option<usize> {
    let (at, _) = policy.strip_prefix("guards.")?.split_once('.')?;
    at.parse().ok()
}

pub(super) fn shown(rule: &Lowered) -> RuleShown {
    let does = match &rule.effect {
        Effect::Permit => Does::Grants,
        Effect::Forbid(words) => Does::Forbids(words.clone()),
        Effect::Require(control) => Does::Asks(control.clone()),
        Effect::Missing => Does::CannotTell,
    };
    RuleShown {
        policy: Arc::clone(&rule.id),
        line: rule.line,
        does,
        when: rule.when.as_ref().map(ToString::to_string),
    }
}

#[cfg(test)]
mod tests;
