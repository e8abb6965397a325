//! Changes: what is different between two files, and whether that can only narrow what agents may do.
//!
//! The comparison is by form, entry by entry: it tries no call. *Narrower* is said only where the form alone shows
//! that nothing becomes allowed which was not (a level fewer, a guard more, a lower cap). *Wider* says that the
//! form grants more, *different* that it tells nothing. So a change that is called different may be harmless, and
//! one that is called narrower is not wider.
//!
//! Not here: proofs over all calls, which tool definitions are accepted (the lock's), and what a node does with the
//! answer. Start at [`compare`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::config::{Agent, At, Client, Config, Guard, GuardScope, Reload, Scope, Server, read, terms};
use crate::{
    level::{Level, LevelSet},
    names::{Action, AgentName, ServerName, TeamName, ToolName},
    policy::config::Disclose,
};

/// What a change can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    /// Nothing changes.
    #[default]
    Same,
    /// Less is allowed, or as much.
    Narrower,
    /// More is allowed.
    Wider,
    /// Its form does not tell.
    Different,
}

impl Effect {
    /// Both changes at once.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Effect::Same, other) | (other, Effect::Same) => other,
            (Effect::Narrower, Effect::Narrower) => Effect::Narrower,
            (Effect::Wider, Effect::Wider) => Effect::Wider,
            (Effect::Different, _)
            | (_, Effect::Different)
            | (Effect::Narrower, Effect::Wider)
            | (Effect::Wider, Effect::Narrower) => Effect::Different,
        }
    }

    /// Whether it cannot let happen what could not happen before.
    pub const fn only_narrows(self) -> bool {
        match self {
            Effect::Same | Effect::Narrower => true,
            Effect::Wider | Effect::Different => false,
        }
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Effect::Same => "same",
            Effect::Narrower => "narrower",
            Effect::Wider => "wider",
            Effect::Different => "different",
        }
    }

    /// Of something that is more where it `grew`.
    const fn of(grew: bool) -> Self {
        if grew { Effect::Wider } else { Effect::Narrower }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What, in a line for a person.
    pub what: String,
    /// What that can do.
    pub effect: Effect,
    /// The agents that it is about.
    pub agents: BTreeSet<AgentName>,
}

/// Everything that is different.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// One by one, in the order of the file's tables.
    pub differences: Vec<Difference>,
    /// The agents of either file.
    pub agents: BTreeSet<AgentName>,
}

impl Comparison {
    /// What all of it can do together.
    pub fn effect(&self) -> Effect {
        self.differences.iter().fold(Effect::Same, |all, one| all.and(one.effect))
    }

    /// What it can do for one agent.
    pub fn effect_for(&self, agent: &AgentName) -> Effect {
        let about = self.differences.iter().filter(|one| one.agents.contains(agent));
        about.fold(Effect::Same, |all, one| all.and(one.effect))
    }

    /// Adds what is about these agents.
    fn note(&mut self, agents: impl IntoIterator<Item = AgentName>, effect: Effect, what: String) {
        self.differences.push(Difference { what, effect, agents: agents.into_iter().collect() });
    }

    /// Adds what is about everybody.
    pub fn note_for_all(&mut self, effect: Effect, what: String) {
        self.note(self.agents.clone(), effect, what);
    }
}

/// Compares two files.
///
/// ```
/// # use placet_engine::policy::{change::{Effect, compare}, config::read};
/// let file = |levels: &str| read(&format!("agents.bot.levels = [{levels}]")).config.expect("no errors");
/// let (old, new) = (file("'read', 'write'"), file("'read'"));
/// assert_eq!(compare(&old, &new).effect(), Effect::Narrower);
/// assert_eq!(compare(&new, &old).effect(), Effect::Wider);
/// assert_eq!(compare(&old, &new).differences[0].what, "agent `bot` no longer holds write");
/// ```
pub fn compare(old: &Config, new: &Config) -> Comparison {
    let mut found = Comparison {
        agents: old.agents.keys().chain(new.agents.keys()).cloned().collect(),
        ..Comparison::default()
    };
    let both = Both { old, new };
    for (name, old, new) in joined(&old.servers, &new.servers) {
        both.server(name, old, new, &mut found);
    }
    for (name, old, new) in joined(&old.clients, &new.clients) {
        let what = |words: &str| format!("client `{name}` {words}");
        match (old, new) {
            (None, Some(new)) => found.note([new.agent.clone()], Effect::Wider, what("is new")),
            (Some(old), None) => found.note([old.agent.clone()], Effect::Narrower, what("is gone")),
            (Some(old), Some(new)) => client(name.as_str(), old, new, &mut found),
            (None, None) => {}
        }
    }
    for (name, old, new) in joined(&old.agents, &new.agents) {
        let what = |words: &str| format!("agent `{name}` {words}");
        match (old, new) {
            (None, Some(_)) => found.note([name.clone()], Effect::Wider, what("is new")),
            (Some(_), None) => found.note([name.clone()], Effect::Narrower, what("is gone")),
            (Some(old), Some(new)) => agent(name, old, new, &mut found),
            (None, None) => {}
        }
    }
    both.guards(&mut found);
    both.matches(&mut found);
    both.budgets(&mut found);
    both.trips(&mut found);
    both.settings(&mut found);
    found
}

/// The keys of both maps, with what each has under them, where that is not the same.
fn joined<'a, K: Ord, V: PartialEq>(
    old: &'a BTreeMap<K, V>,
    new: &'a BTreeMap<K, V>,
) -> Vec<(&'a K, Option<&'a V>, Option<&'a V>)> {
    let keys: BTreeSet<&K> = old.keys().chain(new.keys()).collect();
    let both = keys.into_iter().map(|key| (key, old.get(key), new.get(key)));
    both.filter(|(_, old, new)| old != new).collect()
}

/// What is in one and not in the other, each once for each time.
fn beyond<'a, T: PartialEq>(these: &'a [T], those: &[T]) -> Vec<&'a T> {
    let mut left: Vec<&T> = those.iter().collect();
    let gone = |one: &&'a T| match left.iter().position(|other| other == one) {
        Some(at) => {
            left.swap_remove(at);
            false
        }
        None => true,
    };
    these.iter().filter(gone).collect()
}

fn client(name: &str, old: &Client, new: &Client, found: &mut Comparison) {
    let agents = [old.agent.clone(), new.agent.clone()];
    let Client { credential, agent, servers, sessions } = new;
    let mut note =
        |effect, words: &str| found.note(agents.clone(), effect, format!("client `{name}` {words}"));
    if *credential != old.credential {
        note(Effect::Different, "has another credential");
    }
    if *agent != old.agent {
        note(Effect::Different, &format!("stands for agent `{agent}` instead of `{}`", old.agent));
    }
    for server in servers.difference(&old.servers) {
        note(Effect::Wider, &format!("reaches server `{server}` too"));
    }
    for server in old.servers.difference(servers) {
        note(Effect::Narrower, &format!("no longer reaches server `{server}`"));
    }
    if *sessions != old.sessions {
        note(Effect::Different, if *sessions { "may open sessions" } else { "may no longer open sessions" });
    }
}

fn agent(name: &AgentName, old: &Agent, new: &Agent, found: &mut Comparison) {
    let Agent { team, levels, allow, deny, disclose, observe, line: _ } = new;
    let mut note =
        |effect, words: String| found.note([name.clone()], effect, format!("agent `{name}` {words}"));
    if *team != old.team {
        let named =
            |team: &Option<TeamName>| team.as_ref().map_or("no team".to_owned(), |team| format!("`{team}`"));
        note(Effect::Different, format!("is of {} instead of {}", named(team), named(&old.team)));
    }
    for level in levels.iter().filter(|level| !has(&old.levels, *level)) {
        note(Effect::Wider, format!("holds {level} too"));
    }
    for level in old.levels.iter().filter(|level| !has(levels, *level)) {
        note(Effect::Narrower, format!("no longer holds {level}"));
    }
    for (now, before, list, grants) in [(allow, &old.allow, "allow", true), (deny, &old.deny, "deny", false)]
    {
        for At { value, .. } in beyond(now, before) {
            note(Effect::of(grants), format!("has `{value}` in its `{list}`"));
        }
        for At { value, .. } in beyond(before, now) {
            note(Effect::of(!grants), format!("has `{value}` no longer in its `{list}`"));
        }
    }
    if *disclose != old.disclose {
        let told = |disclose: Disclose| Disclose::ALL.iter().position(|one| *one == disclose);
        let effect = Effect::of(told(*disclose) > told(old.disclose));
        note(effect, format!("is told by `{}` instead of `{}`", disclose.as_str(), old.disclose.as_str()));
    }
    if *observe != old.observe {
        let words = if *observe { "is only observed" } else { "is no longer only observed" };
        note(Effect::of(*observe), words.to_owned());
    }
}

/// For telling two files apart only; what a level permits is Cedar's to say.
fn has(levels: &LevelSet, level: Level) -> bool {
    levels.iter().any(|held| held == level)
}

struct Both<'a> {
    old: &'a Config,
    new: &'a Config,
}

impl Both<'_> {
    /// The agents of this team, in either file.
    fn of_team(&self, team: &TeamName) -> Vec<AgentName> {
        let agents = self.old.agents.iter().chain(&self.new.agents);
        agents.filter(|(_, agent)| agent.team.as_ref() == Some(team)).map(|(name, _)| name.clone()).collect()
    }

    /// The agents that hold a tool of this level or name it, in either file.
    fn holding(&self, action: &Action, tool: &terms::Tool) -> Vec<AgentName> {
        let holds = |agent: &Agent| {
            has(&agent.levels, tool.level) || agent.allow.iter().any(|at| at.value.matches(action))
        };
        let agents = self.old.agents.iter().chain(&self.new.agents);
        agents.filter(|(_, agent)| holds(agent)).map(|(name, _)| name.clone()).collect()
    }

    fn server(&self, name: &ServerName, old: Option<&Server>, new: Option<&Server>, found: &mut Comparison) {
        let what = |words: &str| format!("server `{name}` {words}");
        let none = BTreeMap::new();
        let (before, now) = match (old, new) {
            (None, None) => return,
            (None, Some(new)) => {
                // Its resources and prompts are reads of whoever holds them.
                found.note_for_all(Effect::Wider, what("is new"));
                (&none, &new.tools)
            }
            (Some(old), None) => {
                found.note_for_all(Effect::Narrower, what("is gone"));
                (&old.tools, &none)
            }
            (Some(old), Some(new)) => {
                self::server(&what, old, new, found);
                (&old.tools, &new.tools)
            }
        };
        for (tool, old, new) in joined(before, now) {
            self.tool(name, tool, (old.map(|at| &at.value), new.map(|at| &at.value)), found);
        }
    }

    fn tool(
        &self,
        server: &ServerName,
        tool: &ToolName,
        (old, new): (Option<&terms::Tool>, Option<&terms::Tool>),
        found: &mut Comparison,
    ) {
        let action = Action::new(server.clone(), tool.clone());
        let mut note =
            |agents, effect, words: String| found.note(agents, effect, format!("tool `{action}` {words}"));
        match (old, new) {
            (None, Some(new)) => {
                note(self.holding(&action, new), Effect::Wider, format!("is new, of level {}", new.level));
            }
            // Without a canary a hostile agent is no longer caught by it.
            (Some(old), None) if old.canary => {
                note(found_all(self), Effect::Different, "is gone, and was a canary".to_owned());
            }
            (Some(old), None) => note(self.holding(&action, old), Effect::Narrower, "is gone".to_owned()),
            (Some(old), Some(new)) => {
                let agents =
                    || self.holding(&action, old).into_iter().chain(self.holding(&action, new)).collect();
                if old.level != new.level {
                    note(
                        agents(),
                        Effect::Different,
                        format!("is of level {} instead of {}", new.level, old.level),
                    );
                }
                let canary = terms::Tool { level: new.level, canary: true, ..old.clone() };
                if *new == canary && !old.canary {
                    note(agents(), Effect::Narrower, "is a canary".to_owned());
                } else if *new != (terms::Tool { level: new.level, ..old.clone() }) {
                    note(agents(), Effect::Different, "has other terms".to_owned());
                }
            }
            (None, None) => {}
        }
    }

    fn guards(&self, found: &mut Comparison) {
        // A name is for records; what a guard means has none.
        let nameless = |guards: &[Guard]| -> Vec<Guard> {
            guards.iter().map(|guard| Guard { id: None, ..guard.clone() }).collect()
        };
        let (old, new) = (nameless(&self.old.guards), nameless(&self.new.guards));
        for (guard, is_new) in beyond(&new, &old)
            .into_iter()
            .map(|guard| (guard, true))
            .chain(beyond(&old, &new).into_iter().map(|guard| (guard, false)))
        {
            let agents = match &guard.applies_to {
                None => found.agents.iter().cloned().collect(),
                Some(Scope::Agent(agent)) => vec![agent.clone()],
                Some(Scope::Team(team)) => self.of_team(team),
            };
            let scope = match &guard.scope {
                GuardScope::Level(level) => level.to_string(),
                GuardScope::Tools(pattern) => pattern.to_string(),
            };
            let words = if is_new { "is new" } else { "is gone" };
            let what = format!("guard on `{scope}` {words}: {}", guard_words(guard));
            found.note(agents, Effect::of(!is_new), what);
        }
    }

    fn matches(&self, found: &mut Comparison) {
        for (name, old, new) in joined(&self.old.matches, &self.new.matches) {
            // By itself a match says nothing; a guard that reads it means something else now.
            match (old, new) {
                (None, _) => found.note_for_all(Effect::Same, format!("match `{name}` is new")),
                (_, None) => found.note_for_all(Effect::Same, format!("match `{name}` is gone")),
                (Some(_), Some(_)) => {
                    found.note_for_all(Effect::Different, format!("match `{name}` asks for something else"));
                }
            }
        }
    }

    fn budgets(&self, found: &mut Comparison) {
        let by_name = |budgets: &[terms::Budget]| -> BTreeMap<_, _> {
            budgets.iter().map(|budget| (budget.name.clone(), budget.clone())).collect()
        };
        for (name, old, new) in joined(&by_name(&self.old.budgets), &by_name(&self.new.budgets)) {
            let what = |words: &str| format!("budget `{name}` {words}");
            let agents = |budget: &terms::Budget| match &budget.scope {
                terms::BudgetScope::Agent(Some(agent)) => [agent.clone()].into(),
                terms::BudgetScope::Team(Some(team)) => self.of_team(team).into_iter().collect(),
                terms::BudgetScope::All
                | terms::BudgetScope::Agent(None)
                | terms::BudgetScope::Team(None)
                | terms::BudgetScope::Client(_)
                | terms::BudgetScope::Server(_)
                | terms::BudgetScope::Tools(_) => found.agents.clone(),
            };
            let (agents, effect, words) = match (old, new) {
                (None, Some(new)) => (agents(new), Effect::Narrower, "is new".to_owned()),
                (Some(old), None) => (agents(old), Effect::Wider, "is gone".to_owned()),
                (Some(old), Some(new)) if *new == (terms::Budget { cap: new.cap, ..old.clone() }) => {
                    let words = format!("has the cap {} instead of {}", new.cap, old.cap);
                    (agents(new), Effect::of(new.cap > old.cap), words)
                }
                (Some(old), Some(new))
                    if *new == (terms::Budget { warn: new.warn.clone(), ..old.clone() }) =>
                {
                    (agents(new), Effect::Same, "warns at other marks".to_owned())
                }
                (Some(old), Some(new)) => {
                    (&agents(old) | &agents(new), Effect::Different, "counts otherwise".to_owned())
                }
                (None, None) => continue,
            };
            found.note(agents, effect, what(&words));
        }
    }

    fn trips(&self, found: &mut Comparison) {
        for trip in beyond(&self.new.trips, &self.old.trips) {
            found.note_for_all(Effect::Narrower, format!("trip `{}` is new, or trips otherwise", trip.name));
        }
        for trip in beyond(&self.old.trips, &self.new.trips) {
            found.note_for_all(Effect::Wider, format!("trip `{}` is gone, or trips otherwise", trip.name));
        }
    }

    fn settings(&self, found: &mut Comparison) {
        let Config {
            state,
            servers: _,
            clients: _,
            agents: _,
            guards: _,
            approvers,
            zone,
            budgets: _,
            trips: _,
            session,
            durability,
            matches: _,
            tests,
            reload,
            people,
            payloads,
            invariants,
        } = self.new;
        let old = self.old;
        for (same, what) in [
            (*state == old.state, "`state` names another folder"),
            (*approvers == old.approvers, "groups of approvers have other settings"),
            (*people == old.people, "people are others, or may do other things"),
            (*invariants == old.invariants, "other invariants are to be kept"),
            (*payloads == old.payloads, "what is kept of calls is encrypted under other keys"),
            (*zone == old.zone, "conditions go by another zone"),
            (*session == old.session, "sessions last otherwise"),
            (*durability == old.durability, "what is on disk before a call runs is another thing"),
        ] {
            if !same {
                found.note_for_all(Effect::Different, what.to_owned());
            }
        }
        if *tests != old.tests {
            found.note_for_all(Effect::Same, "tests are others".to_owned());
        }
        if *reload != old.reload {
            let what = format!("`reload` is \"{}\"", reload.as_str());
            found.note_for_all(Effect::of(*reload == Reload::Auto), what);
        }
    }
}

fn found_all(both: &Both<'_>) -> Vec<AgentName> {
    both.old.agents.keys().chain(both.new.agents.keys()).cloned().collect()
}

fn server(what: &dyn Fn(&str) -> String, old: &Server, new: &Server, found: &mut Comparison) {
    let Server { launch, tools: _, trusted, requests, meta, resources, integers, line: _ } = new;
    let mut note = |effect, words: &str| found.note_for_all(effect, what(words));
    if *launch != old.launch {
        note(Effect::Different, "is started otherwise");
    }
    if *trusted != old.trusted {
        note(Effect::Different, if *trusted { "is trusted" } else { "is no longer trusted" });
    }
    for request in requests.symmetric_difference(&old.requests) {
        let grew = requests.contains(request);
        let words = if grew { "may ask the client for" } else { "may no longer ask the client for" };
        note(Effect::of(grew), &format!("{words} {}", request.as_str()));
    }
    for (these, those, grew) in [(meta, &old.meta, true), (&old.meta, meta, false)] {
        if !beyond(these, those).is_empty() {
            note(
                Effect::of(grew),
                if grew { "gets more keys of `_meta`" } else { "gets fewer keys of `_meta`" },
            );
        }
    }
    match (&old.resources, resources) {
        (None, None) => {}
        (None, Some(_)) => note(Effect::Narrower, "has only some resources that may be read"),
        (Some(_), None) => note(Effect::Wider, "has no resource that may not be read"),
        (Some(before), Some(now)) => {
            for (these, those, grew) in [(now, before, true), (before, now, false)] {
                if !beyond(these, those).is_empty() {
                    note(Effect::of(grew), if grew { "has more resources" } else { "has fewer resources" });
                }
            }
        }
    }
    if *integers != old.integers {
        let grew = *integers == super::config::Integers::Exact;
        note(Effect::of(grew), &format!("takes integers as `{}`", integers.as_str()));
    }
}

/// A guard in few words.
fn guard_words(guard: &Guard) -> String {
    let does = match &guard.effect {
        super::config::GuardEffect::Require(controls) => {
            controls.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
        }
        super::config::GuardEffect::Forbid(words) => format!("forbid \"{words}\""),
    };
    match &guard.when {
        Some(when) => format!("{does} when {when}"),
        None => does,
    }
}

/// What would be compared if nothing had been applied before: all of it is new.
pub fn from_nothing(new: &Config) -> Comparison {
    read("").config.map_or_else(Comparison::default, |empty| compare(&empty, new))
}

#[cfg(test)]
mod tests;
