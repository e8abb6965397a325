//! Lints: what a file says that its author probably did not mean, although it can be used.
//!
//! Each is cheap and certain: nothing is guessed about what a call may hold. A rule that is ahead of its tools
//! is no mistake where it refuses a level; where it names tools and there are none, it is worth a word.
//!
//! Not here: mistakes (reading finds those) and what only a prover could find. Start at [`lint`].

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Judged, Policy, RuleProblem,
    config::{Config, Control, Guard, GuardEffect, GuardScope, Pattern, Scope, terms::Over},
};
use crate::{
    decision::DenyReason,
    names::{Action, ServerName, TeamName},
};

/// Everything in a file that is probably not meant, in the order of its lines.
///
/// ```
/// # use placet_engine::policy::{Policy, Rules, catalogue, config::read, lint::lint};
/// let source = "[servers.crm]\ncommand = ['crm']\ntools = { refund = 'write' }\n[agents.bot]\nlevels = ['read']";
/// let config = read(source).config.expect("no errors");
/// let policy = Policy::compile(Rules::from(&config), catalogue(&config)).expect("it compiles");
/// let found = lint(&config, &policy);
/// assert_eq!(found[0].message, "no agent may call `crm/refund`");
/// assert_eq!(found[1].message, "nothing is granted to agent `bot`");
/// ```
pub fn lint(config: &Config, policy: &Policy) -> Vec<RuleProblem> {
    let mut found = Vec::new();
    idle_patterns(config, policy, &mut found);
    shadowed(policy, &mut found);
    fixed_conditions(config, &mut found);
    unread_matches(config, &mut found);
    idle_agents(config, policy, &mut found);
    closed_tools(config, policy, &mut found);
    nameless(config, &mut found);
    unanswered(config, &mut found);
    found.sort_by_key(|problem| problem.line);
    found
}

fn problem(line: usize, message: String, help: &str) -> RuleProblem {
    RuleProblem { line, message, help: Some(help.to_owned()) }
}

/// The tools that a guard is about.
fn covered<'a>(guard: &Guard, policy: &'a Policy) -> BTreeSet<&'a Action> {
    let covers = |action: &Action, level| {
        let is_meant = guard.levels.is_none_or(|levels| levels.iter().any(|held| held == level));
        is_meant
            && match &guard.scope {
                GuardScope::Level(meant) => *meant == level,
                GuardScope::Tools(pattern) => pattern.matches(action),
            }
    };
    policy
        .catalogue()
        .iter()
        .filter(|(action, tool)| covers(action, tool.level()))
        .map(|(action, _)| action)
        .collect()
}

/// Whether a pattern may match tools that no file lists.
fn is_ahead(pattern: &Pattern) -> bool {
    pattern.literal_server() == Some(ServerName::app().as_str())
}

/// Guards whose pattern and levels together are no tool. A pattern that alone matches none is found in reading.
fn idle_patterns(config: &Config, policy: &Policy, found: &mut Vec<RuleProblem>) {
    for guard in &config.guards {
        let (GuardScope::Tools(pattern), Some(levels)) = (&guard.scope, guard.levels) else { continue };
        let matches = policy.catalogue().keys().any(|action| pattern.matches(action));
        if matches && !is_ahead(pattern) && covered(guard, policy).is_empty() {
            let levels: Vec<String> = levels.iter().map(|level| level.to_string()).collect();
            let message = format!(
                "guard `{pattern}` covers no tool: none that it matches has level {}",
                levels.join(" or ")
            );
            found.push(problem(guard.line, message, "it does nothing until such a tool is listed"));
        }
    }
}

/// Guards that say nothing, because another one refuses every call that they are about.
fn shadowed(policy: &Policy, found: &mut Vec<RuleProblem>) {
    let guards = &policy.rules().guards;
    let is_plain_forbid = |guard: &Guard| match guard.effect {
        GuardEffect::Forbid(_) => guard.when.is_none(),
        GuardEffect::Require(_) => false,
    };
    let forbids: Vec<(usize, &Guard, BTreeSet<&Action>)> = guards
        .iter()
        .enumerate()
        .filter(|(_, guard)| is_plain_forbid(guard))
        .map(|(at, guard)| (at, guard, covered(guard, policy)))
        .collect();
    for (at, guard) in guards.iter().enumerate() {
        let tools = covered(guard, policy);
        let wider = forbids.iter().find(|(other, forbid, theirs)| {
            let is_other = *other != at && (!is_plain_forbid(guard) || *other < at);
            is_other && !tools.is_empty() && tools.is_subset(theirs) && includes(forbid, guard, policy)
        });
        if let Some((_, forbid, _)) = wider {
            let message = format!(
                "this guard of `{}` changes nothing: the one of `{}` on line {} forbids every such call",
                guard.scope, forbid.scope, forbid.line
            );
            found.push(problem(
                guard.line,
                message,
                "take one of them out, or give the other a `when` or a `for`",
            ));
        }
    }
}

/// Whether a guard is about all agents that another is about.
fn includes(wide: &Guard, narrow: &Guard, policy: &Policy) -> bool {
    let team_of = |agent| policy.team(agent) as Option<&TeamName>;
    match (&wide.applies_to, &narrow.applies_to) {
        (None, _) => true,
        (Some(wide), Some(narrow)) if wide == narrow => true,
        (Some(Scope::Team(team)), Some(Scope::Agent(agent))) => team_of(agent) == Some(team),
        (Some(Scope::Team(_)), Some(Scope::Team(_)) | None)
        | (Some(Scope::Agent(_)), Some(Scope::Agent(_) | Scope::Team(_)) | None) => false,
    }
}

fn fixed_conditions(config: &Config, found: &mut Vec<RuleProblem>) {
    for guard in &config.guards {
        let Some(certain) = guard.when.as_ref().and_then(|when| when.certain()) else { continue };
        let (message, help) = match certain {
            true => ("this condition holds whatever the call is", "take `when` out if that is meant"),
            false => {
                ("this condition can never hold", "the guard does nothing: change its `when`, or take it out")
            }
        };
        found.push(problem(guard.line, message.to_owned(), help));
    }
}

fn unread_matches(config: &Config, found: &mut Vec<RuleProblem>) {
    let read: BTreeSet<_> = config
        .guards
        .iter()
        .filter_map(|guard| guard.when.as_ref())
        .flat_map(|when| when.matches())
        .collect();
    for (name, unread) in config.matches.iter().filter(|(name, _)| !read.contains(*name)) {
        let message = format!("no guard reads match `{name}`");
        let help = format!("ask for it in a `when`, as in `when = \"!matches.{name}\"`, or take it out");
        found.push(problem(unread.line, message, &help));
    }
}

fn idle_agents(config: &Config, policy: &Policy, found: &mut Vec<RuleProblem>) {
    if config.servers.values().all(|server| server.tools.is_empty()) {
        return;
    }
    for (name, agent) in &config.agents {
        let mut tools = policy.catalogue().keys().filter(|action| action.tool.method().is_none());
        if !tools.any(|action| policy.could_allow(name, action)) {
            let message = format!("nothing is granted to agent `{name}`");
            found.push(problem(agent.line, message, "give it `levels` or `allow`, or take it out"));
        }
    }
}

fn closed_tools(config: &Config, policy: &Policy, found: &mut Vec<RuleProblem>) {
    if config.agents.is_empty() {
        return;
    }
    for (server, entry) in &config.servers {
        for (tool, terms) in entry.tools.iter().filter(|(_, terms)| !terms.value.canary) {
            let action = Action::new(server.clone(), tool.clone());
            // What a rule refuses is refused on purpose.
            let is_open = |agent| {
                policy.observes(agent)
                    || match policy.judge(agent, &action) {
                        Judged::Refused { reason, .. } => reason != DenyReason::NotGranted,
                        Judged::Granted { .. } => true,
                    }
            };
            if !config.agents.keys().any(is_open) {
                let message = format!("no agent may call `{action}`");
                found.push(problem(terms.line, message, "that is safe; grant it, or leave it so on purpose"));
            }
        }
    }
}

/// Guards of one scope that records can tell apart by number only.
fn nameless(config: &Config, found: &mut Vec<RuleProblem>) {
    let mut by_scope: BTreeMap<&GuardScope, Vec<&Guard>> = BTreeMap::new();
    for guard in config.guards.iter().filter(|guard| guard.id.is_none()) {
        by_scope.entry(&guard.scope).or_default().push(guard);
    }
    for (scope, guards) in by_scope {
        if let [first, _, ..] = guards.as_slice() {
            let message = format!("{} guards of `{scope}` have no `id`", guards.len());
            let help =
                "records name them by their number, which changes when a guard before them comes or goes";
            found.push(problem(first.line, message, help));
        }
    }
}

/// Questions, where the file names nobody who could answer. Too few people are found in reading, once there are any.
fn unanswered(config: &Config, found: &mut Vec<RuleProblem>) {
    if !config.people.is_empty() {
        return;
    }
    let guards = config.guards.iter().filter_map(|guard| match &guard.effect {
        GuardEffect::Require(controls) => controls.first().map(|control| (guard.line, control)),
        GuardEffect::Forbid(_) => None,
    });
    let budgets = config.budgets.iter().filter_map(|budget| match &budget.over {
        Over::Ask(control) => Some((budget.line, control)),
        Over::Deny => None,
    });
    if let Some((line, control)) = guards.chain(budgets).min_by_key(|(line, _)| *line) {
        let Control::Approval { group, .. } = control;
        let message = "the file names no people, so nobody can say yes to what it asks".to_owned();
        let help = format!("name them, as in `[people.ana]` with `may = [\"approve:{group}\"]`");
        found.push(problem(line, message, &help));
    }
}

#[cfg(test)]
mod tests;
