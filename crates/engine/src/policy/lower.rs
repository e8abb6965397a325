//! Lowering: from the simple file's rules to Cedar policies, each with its id and the line it came from.
//!
//! Policies are built as Cedar's JSON syntax trees, never by pasting text. A rule that a person's yes can
//! lift becomes a forbid with `unless { context has controls && context.controls.contains("…") }`: without
//! the `has`, a context that lacks controls would make the forbid err, and Cedar skips what errs.
//!
//! Globs expand here, over the catalogue, to lists of actions: a tool that appears later matches nothing.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    Catalogue, Rules,
    config::{Control, Guard, GuardEffect, GuardScope, Pattern, Scope},
    when::When,
};
use crate::{
    level::{Level, LevelSet},
    names::{Action, AgentName, TeamName},
};

/// One policy before it is Cedar's.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lowered {
    pub(super) id: Arc<str>,
    pub(super) line: usize,
    pub(super) effect: Effect,
    pub(super) who: Who,
    pub(super) what: What,
    /// The condition under which it matches at all. It is lowered for each tool, over what that declares.
    pub(super) when: Option<Arc<When>>,
}

/// What a policy does where it matches.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Effect {
    Permit,
    /// Refuses, in these words if there are any.
    Forbid(Option<Arc<str>>),
    /// Refuses until the control is satisfied.
    Require(Control),
    /// Refuses, because it cannot be told whether a rule applies.
    Missing,
}

/// Whom a policy is about: its principal scope.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Who {
    Anyone,
    Agent(AgentName),
    Team(TeamName),
}

/// What a policy is about: its action scope.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    Levels(LevelSet),
    Actions(Vec<Action>),
}

/// All policies that the rules mean.
pub(super) fn lower(rules: &Rules, catalogue: &Catalogue) -> Vec<Lowered> {
    let mut policies = Vec::new();
    for (name, agent) in &rules.agents {
        let who = Who::Agent(name.clone());
        if !agent.levels.is_empty() {
            policies.push(Lowered {
                id: format!("agents.{name}.levels").into(),
                line: agent.line,
                effect: Effect::Permit,
                who: who.clone(),
                what: What::Levels(agent.levels),
                when: None,
            });
        }
        for (list, effect, kind) in
            [(&agent.allow, Effect::Permit, "allow"), (&agent.deny, Effect::Forbid(None), "deny")]
        {
            for (at, pattern) in list.iter().enumerate() {
                let actions = expand(&pattern.value, catalogue, None);
                if !actions.is_empty() {
                    policies.push(Lowered {
                        id: format!("agents.{name}.{kind}.{at}").into(),
                        line: pattern.line,
                        effect: effect.clone(),
                        who: who.clone(),
                        what: What::Actions(actions),
                        when: None,
                    });
                }
            }
        }
    }
    for (at, guard) in rules.guards.iter().enumerate() {
        policies.extend(lower_guard(at, guard, catalogue));
    }
    policies
}

fn lower_guard(at: usize, guard: &Guard, catalogue: &Catalogue) -> Vec<Lowered> {
    let what = match (&guard.scope, guard.levels) {
        (GuardScope::Level(level), None) => What::Levels(LevelSet::of([*level])),
        // A guard of one level that names levels again means tools of both, which is no tool or the same.
        (GuardScope::Level(level), Some(levels)) => What::Levels(LevelSet::of(
            [*level].into_iter().filter(|level| levels.iter().any(|l| l == *level)),
        )),
        (GuardScope::Tools(pattern), levels) => What::Actions(expand(pattern, catalogue, levels)),
    };
    match &what {
        What::Levels(levels) if levels.is_empty() => return Vec::new(),
        What::Actions(actions) if actions.is_empty() => return Vec::new(),
        What::Levels(_) | What::Actions(_) => {}
    }
    let who = match &guard.applies_to {
        None => Who::Anyone,
        Some(Scope::Agent(agent)) => Who::Agent(agent.clone()),
        Some(Scope::Team(team)) => Who::Team(team.clone()),
    };
    let name = guard.id.clone().unwrap_or_else(|| at.to_string());
    let effects: Vec<Effect> = match &guard.effect {
        GuardEffect::Forbid(words) => vec![Effect::Forbid(Some(words.as_str().into()))],
        GuardEffect::Require(controls) => controls.iter().cloned().map(Effect::Require).collect(),
    };
    let when = guard.when.clone().map(Arc::new);
    let several = effects.len() > 1;
    let policy = |(nth, effect)| Lowered {
        id: if several { format!("guards.{at}.{name}.{nth}") } else { format!("guards.{at}.{name}") }.into(),
        line: guard.line,
        effect,
        who: who.clone(),
        what: what.clone(),
        when: when.clone(),
    };
    effects.into_iter().enumerate().map(policy).collect()
}

fn expand(pattern: &Pattern, catalogue: &Catalogue, levels: Option<LevelSet>) -> Vec<Action> {
    let matching = catalogue.iter().filter(|(action, tool)| {
        pattern.matches(action)
            && levels.is_none_or(|levels| levels.iter().any(|level| level == tool.level()))
    });
    matching.map(|(action, _)| action.clone()).collect()
}

impl Lowered {
    /// Whether its scope can match a call of this tool by this agent.
    pub(super) fn can_match(
        &self,
        agent: &AgentName,
        team: Option<&TeamName>,
        action: &Action,
        level: Level,
    ) -> bool {
        let who = match &self.who {
            Who::Anyone => true,
            Who::Agent(name) => name == agent,
            Who::Team(name) => Some(name) == team,
        };
        who && self.covers(action, level)
    }

    /// Whether its scope can match a call of this tool by somebody.
    pub(super) fn covers(&self, action: &Action, level: Level) -> bool {
        match &self.what {
            What::Levels(levels) => levels.iter().any(|held| held == level),
            What::Actions(actions) => actions.binary_search(action).is_ok(),
        }
    }

    /// The same for this tool alone.
    pub(super) fn of_one(&self, action: &Action) -> Self {
        Self { what: What::Actions(vec![action.clone()]), ..self.clone() }
    }

    /// The same for this tool alone, if it is about a list of tools and this is one of them.
    pub(super) fn narrowed(&self, action: &Action) -> Option<Self> {
        match &self.what {
            What::Actions(actions) if actions.len() > 1 && actions.contains(action) => {
                Some(Self { what: What::Actions(vec![action.clone()]), ..self.clone() })
            }
            What::Levels(_) | What::Actions(_) => None,
        }
    }

    /// The policy in Cedar's JSON syntax, as if it had no condition.
    pub(super) fn to_est(&self) -> Value {
        self.to_est_where(None)
    }

    /// The policy in Cedar's JSON syntax, where this holds besides.
    pub(super) fn to_est_where(&self, condition: Option<&Value>) -> Value {
        let principal = match &self.who {
            Who::Anyone => json!({ "op": "All" }),
            Who::Agent(name) => json!({ "op": "==", "entity": { "type": "Agent", "id": name.as_str() } }),
            Who::Team(name) => json!({ "op": "in", "entity": { "type": "Team", "id": name.as_str() } }),
        };
        let actions: Vec<Value> = match &self.what {
            What::Levels(levels) => levels.iter().map(|level| action_entity(&level_group(level))).collect(),
            What::Actions(actions) => {
                actions.iter().map(|action| action_entity(&action.to_string())).collect()
            }
        };
        let mut annotations = Map::from_iter([("id".to_owned(), json!(&*self.id))]);
        if self.line > 0 {
            annotations.insert("src".to_owned(), json!(format!("placet.toml:{}", self.line)));
        }
        let mut conditions: Vec<Value> =
            condition.iter().map(|body| json!({ "kind": "when", "body": body })).collect();
        let effect = match &self.effect {
            Effect::Permit => "permit",
            Effect::Missing => "forbid",
            Effect::Forbid(words) => {
                if let Some(words) = words {
                    annotations.insert("reason".to_owned(), json!(&**words));
                }
                "forbid"
            }
            Effect::Require(control) => {
                annotations.insert("requires".to_owned(), json!(control.to_string()));
                conditions.push(json!({ "kind": "unless", "body": controls_contain(control) }));
                "forbid"
            }
        };
        json!({
            "effect": effect,
            "principal": principal,
            "action": { "op": "in", "entities": actions },
            "resource": { "op": "All" },
            "conditions": conditions,
            "annotations": annotations,
        })
    }
}

/// `context has controls && context.controls.contains("…")`
fn controls_contain(control: &Control) -> Value {
    let context = json!({ "Var": "context" });
    json!({ "&&": {
        "left": { "has": { "left": context, "attr": "controls" } },
        "right": { "contains": {
            "left": { ".": { "left": context, "attr": "controls" } },
            "right": { "Value": control.to_string() },
        } },
    } })
}

fn action_entity(id: &str) -> Value {
    json!({ "type": "Action", "id": id })
}

/// The action group of a level. A colon is in no tool's name, so no tool is ever taken for a group.
pub(super) fn level_group(level: Level) -> String {
    format!("level:{level}")
}

/// The action group of a server.
pub(super) fn server_group(server: &str) -> String {
    format!("server:{server}")
}

/// The action on which a forbid of `level` is tried at load.
pub(super) fn probe(level: Level) -> String {
    format!("probe:{level}")
}
