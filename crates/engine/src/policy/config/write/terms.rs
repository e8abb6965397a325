//! Writing of terms: tools with conditions, budgets, trips, sessions, durability and payloads.
//!
//! What says nothing but what would hold without it is left out. A tool of which the conditions fit on its
//! line stands there; any other has a table of its own.

use super::{
    super::{
        At, Config,
        terms::{
            Budget, BudgetScope, Durability, Flush, Key, Measure, Once, Over, Payloads, Reconcile,
            SessionTerms, Tool, Trip, TripCount,
        },
    },
    Comments, LINE_CHARS_MAX, Page, comment, duration, key, quoted, size,
};
use crate::{
    names::{ServerName, ToolName},
    window::{Window, Zone},
};
use std::{collections::BTreeMap, fmt::Display, time::Duration};

/// A key and its value, as they are written.
pub(super) type Pair = (&'static str, String);

impl Page {
    pub(super) fn tools(
        &mut self,
        server: &ServerName,
        tools: &BTreeMap<ToolName, At<Tool>>,
        comments: &Comments,
    ) {
        let about = |tool: &ToolName| {
            let about = comments.tools.get(&(server.clone(), tool.clone()));
            about.map(|about| comment(about)).filter(|about| about != "#")
        };
        let (mut rows, mut tables) = (Vec::new(), Vec::new());
        for (tool, At { value, line: _ }) in tools {
            let pairs = tool_pairs(value);
            let inline = match pairs.as_slice() {
                [(_, level)] => level.clone(),
                pairs => inline_table(pairs),
            };
            let name = key(tool.as_str());
            if pairs.len() == 1 || format!("{name} = {inline}").chars().count() <= LINE_CHARS_MAX {
                rows.push((name, inline, about(tool)));
            } else {
                tables.push((name, pairs, about(tool)));
            }
        }
        if !rows.is_empty() {
            self.gap();
            self.line(format!("[servers.{server}.tools]"));
            self.rows(rows);
        }
        for (name, pairs, about) in tables {
            self.gap();
            about.into_iter().for_each(|about| self.line(about));
            self.line(format!("[servers.{server}.tools.{name}]"));
            self.pairs(&pairs);
        }
    }

    pub(super) fn terms(&mut self, config: &Config) {
        let Config {
            zone: _,
            budgets,
            trips,
            session,
            durability,
            payloads,
            state: _,
            servers: _,
            clients: _,
            agents: _,
            guards: _,
            approvers: _,
            matches: _,
            invariants: _,
            tests: _,
            people: _,
            reload: _,
        } = config;
        self.section(budgets, &["Budgets: how much may be spent, by whom, over which time."]);
        for budget in budgets {
            self.gap();
            self.line("[[budgets]]");
            self.pairs(&budget_pairs(budget));
        }
        self.section(trips, &["Trips: when the boundary narrows by itself."]);
        for trip in trips {
            self.gap();
            self.line("[[trips]]");
            self.pairs(&trip_pairs(trip));
        }
        let payloads = payloads.as_ref().map(payloads_pairs).unwrap_or_default();
        let tables = [
            ("session", session_pairs(*session)),
            ("durability", durability_pairs(*durability)),
            ("payloads", payloads),
        ];
        for (name, pairs) in tables.iter().filter(|(_, pairs)| !pairs.is_empty()) {
            self.gap();
            self.line(format!("[{name}]"));
            self.pairs(pairs);
        }
    }

    fn pairs(&mut self, pairs: &[Pair]) {
        pairs.iter().for_each(|(key, value)| self.line(format!("{key} = {value}")));
    }
}

fn tool_pairs(tool: &Tool) -> Vec<Pair> {
    let Tool { level, cost, actual, once, repeat, labels, canary, result_max, deadline } = tool;
    let mut pairs = vec![("level", quoted(level.as_str()))];
    if !cost.is_empty() {
        pairs.push(("cost", texts_by_key(cost.iter().map(|(unit, cost)| (unit.as_str(), cost)))));
    }
    if !actual.is_empty() {
        pairs.push(("actual", texts_by_key(actual.iter().map(|(unit, path)| (unit.as_str(), path)))));
    }
    if *once != Once::default() {
        pairs.push(("once", once_value(once)));
    }
    if *repeat {
        pairs.push(("repeat", "true".to_owned()));
    }
    if !labels.is_empty() {
        pairs.push(("labels", texts(labels)));
    }
    if *canary {
        pairs.push(("canary", "true".to_owned()));
    }
    if *result_max != Tool::RESULT_MAX {
        pairs.push(("result_max", quoted(&size(*result_max))));
    }
    if *deadline != Tool::DEADLINE {
        pairs.push(("deadline", quoted(&duration(*deadline))));
    }
    pairs
}

fn once_value(once: &Once) -> String {
    let Once { by, within, forward, reconcile } = once;
    let (by, usual) = match by {
        Key::Sent => (("key", quoted("none")), Once::WITHIN),
        Key::Required => (("key", quoted("required")), Once::WITHIN),
        Key::Derived => (("key", quoted("derived")), Once::DERIVED_WITHIN),
        Key::By(paths) => (("by", texts(paths)), Once::BY_WITHIN),
    };
    let mut pairs = vec![by];
    if *within != usual {
        pairs.push(("within", quoted(&duration(*within))));
    }
    if let Some(forward) = forward {
        pairs.push(("forward", quoted(forward)));
    }
    if let Some(Reconcile { tool, arguments, happened }) = reconcile {
        let mut reconcile = vec![("tool", quoted(tool.as_str()))];
        if !arguments.is_empty() {
            reconcile
                .push(("args", texts_by_key(arguments.iter().map(|(name, path)| (name.as_str(), path)))));
        }
        reconcile.push(("happened", quoted(&happened.to_string())));
        pairs.push(("reconcile", inline_table(&reconcile)));
    }
    match pairs.as_slice() {
        [("key", word)] => word.clone(),
        pairs => inline_table(pairs),
    }
}

fn budget_pairs(budget: &Budget) -> Vec<Pair> {
    let Budget { name, scope, per, measure, cap, over, warn, unpriced_denied, line: _ } = budget;
    let mut pairs = vec![("name", quoted(name.as_str())), ("for", scope_value(scope))];
    match per {
        Window::Session => pairs.push(("per", quoted("session"))),
        Window::Total => pairs.push(("per", quoted("total"))),
        Window::Rolling(length) => pairs.push(("per", quoted(&duration(*length)))),
        Window::Fixed(calendar, zone) => {
            pairs.push(("per", quoted(calendar.as_str())));
            if *zone != Zone::default() {
                pairs.push(("zone", quoted(zone.as_str())));
            }
        }
    }
    pairs.push(match measure {
        Measure::Calls => ("calls", cap.to_string()),
        Measure::Errors => ("errors", cap.to_string()),
        Measure::Bytes => ("bytes", quoted(&cap.as_whole().map_or_else(|| cap.to_string(), size))),
        Measure::Time => {
            let seconds = cap.as_whole().map(|seconds| duration(Duration::from_secs(seconds)));
            ("time", quoted(&seconds.unwrap_or_else(|| cap.to_string())))
        }
        Measure::Cost(unit) => match (unit.as_str(), cap.as_whole()) {
            ("tokens", Some(count)) => ("tokens", count.to_string()),
            ("recipients", Some(count)) => ("recipients", count.to_string()),
            ("rows", Some(count)) => ("rows", count.to_string()),
            (unit, _) => ("spend", quoted(&format!("{cap} {unit}"))),
        },
    });
    match over {
        Over::Deny => {}
        Over::Ask(control) => pairs.push(("over", quoted(&control.to_string()))),
    }
    if *warn != Budget::WARN {
        let warn: Vec<String> = warn.iter().map(u8::to_string).collect();
        pairs.push(("warn", format!("[{}]", warn.join(", "))));
    }
    if *unpriced_denied {
        pairs.push(("unpriced", quoted("deny")));
    }
    pairs
}

fn scope_value(scope: &BudgetScope) -> String {
    fn one(kind: &'static str, name: Option<&str>) -> String {
        inline_table(&[(kind, quoted(name.unwrap_or("*")))])
    }
    match scope {
        BudgetScope::All => quoted("all"),
        BudgetScope::Agent(agent) => one("agent", agent.as_ref().map(|agent| agent.as_str())),
        BudgetScope::Team(team) => one("team", team.as_ref().map(|team| team.as_str())),
        BudgetScope::Client(client) => one("client", client.as_ref().map(|client| client.as_str())),
        BudgetScope::Server(server) => one("server", server.as_ref().map(|server| server.as_str())),
        BudgetScope::Tools(pattern) => one("tool", Some(&pattern.to_string())),
    }
}

fn trip_pairs(trip: &Trip) -> Vec<Pair> {
    let Trip { name, agent, counts, within, at, line: _ } = trip;
    let mut pairs = vec![("name", quoted(name.as_str()))];
    if let Some(agent) = agent {
        pairs.push(("agent", quoted(agent.as_str())));
    }
    pairs.push(match counts {
        TripCount::Denials => ("denials", at.to_string()),
        TripCount::Loops => ("loops", at.to_string()),
        TripCount::Spend(unit) => ("spend", quoted(&format!("{at} {unit}"))),
    });
    pairs.push(("within", quoted(&duration(*within))));
    pairs
}

fn session_pairs(session: SessionTerms) -> Vec<Pair> {
    let SessionTerms { idle, max } = session;
    let usual = SessionTerms::default();
    let lengths = [("idle", idle, usual.idle), ("max", max, usual.max)];
    let said = lengths.into_iter().filter(|(_, length, usual)| length != usual);
    said.map(|(key, length, _)| (key, quoted(&duration(length)))).collect()
}

fn durability_pairs(durability: Durability) -> Vec<Pair> {
    let Durability { reads_wait, write, execute, delete } = durability;
    let mut pairs = Vec::new();
    if reads_wait {
        pairs.push(("reads", quoted("wait")));
    }
    for (key, flush) in [("write", write), ("execute", execute), ("delete", delete)] {
        match flush {
            Flush::Disk => {}
            Flush::System => pairs.push((key, quoted("os"))),
        }
    }
    pairs
}

fn payloads_pairs(payloads: &Payloads) -> Vec<Pair> {
    let Payloads { key, old } = payloads;
    let mut pairs = vec![("key", quoted(&key.to_string()))];
    if !old.is_empty() {
        let old: Vec<String> = old.iter().map(|key| quoted(&key.to_string())).collect();
        pairs.push(("old", format!("[{}]", old.join(", "))));
    }
    pairs
}

pub(super) fn inline_table<K: AsRef<str>>(pairs: &[(K, String)]) -> String {
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{} = {value}", key(name.as_ref()))).collect();
    format!("{{ {} }}", pairs.join(", "))
}

fn texts_by_key<'a, T: Display>(pairs: impl Iterator<Item = (&'a str, T)>) -> String {
    let pairs: Vec<(&str, String)> = pairs.map(|(key, value)| (key, quoted(&value.to_string()))).collect();
    inline_table(&pairs)
}

pub(super) fn texts<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| quoted(&value.to_string())).collect();
    format!("[{}]", values.join(", "))
}
