//! Budgets: how much may be spent, by whom, over which time.
//!
//! A budget that cannot be read is an error and no budget: a cap without its scope would be everybody's, one
//! without its window would last for ever. Beyond each budget by itself it is looked whether it can be evaded
//! by opening a new session, and whether anything is counted in its unit at all.
//!
//! Start at [`Reader::budgets`].

use super::{
    super::{
        Config,
        terms::{Budget, BudgetScope, Measure, Over, Tool},
    },
    field::{A_TEXT, Field, Reader},
    keys,
    known::Known,
    quantities::length,
    references::Mood,
};
use crate::{
    cost::Amount,
    diagnostic::Finding,
    names::{BudgetName, ServerName, ToolName, Unit},
    window::{Calendar, UnknownZone, Window, Zone},
};
use std::{collections::BTreeSet, ops::Range, time::Duration};

/// The shortest window that rolls: one of its sixty parts is a second.
const ROLLING_MIN: Duration = Duration::from_secs(60);

/// The longest window that rolls.
const ROLLING_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// From here on a window is longer than what a session could be opened anew for.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// The keys that say how much of what.
const MEASURES: [&str; 8] = ["spend", "calls", "tokens", "bytes", "time", "errors", "recipients", "rows"];

/// The words for a window.
const WINDOWS: [&str; 7] = ["session", "minute", "hour", "day", "week", "month", "total"];

/// A budget, and where it says over which time and how much.
struct Placed {
    budget: Budget,
    per: Range<usize>,
    measure: Range<usize>,
}

impl<'a> Reader<'a> {
    /// `config` is what has been read of the rest.
    pub(super) fn budgets(
        &mut self,
        tables: &[Field<'a>],
        known: &Known<'a>,
        config: &Config,
    ) -> Vec<Budget> {
        let mut names = BTreeSet::new();
        let placed: Vec<Placed> =
            tables.iter().filter_map(|table| self.budget(table, &mut names, known)).collect();
        // What a budget that cannot be read would have added is not known.
        if placed.len() == tables.len() {
            self.evaded(&placed, config);
        }
        if !self.has_errors() {
            self.uncounted(&placed, config);
        }
        placed.into_iter().map(|placed| placed.budget).collect()
    }

    fn budget(
        &mut self,
        field: &Field<'a>,
        names: &mut BTreeSet<BudgetName>,
        known: &Known<'a>,
    ) -> Option<Placed> {
        let table = self.fields(field, "budgets", &keys::BUDGET)?;
        let missing = |reader: &mut Self, message: &str, help: &str| {
            reader.found(&field.at, Finding::error(message).help(help));
        };
        let name = match table.get("name") {
            Some(name) => self.own_name(&name, "budgets", names),
            None => {
                let help = "records and refusals say it, as in `name = \"support day\"`";
                missing(self, "the budget has no `name`", help);
                None
            }
        };
        let scope = match table.get("for") {
            Some(scope) => self.budget_scope(&scope, known),
            None => {
                let help = "as in `for = { agent = \"support\" }`, or `for = \"all\"` for everybody together";
                missing(self, "the budget does not say `for` whose calls it is", help);
                None
            }
        };
        let per = match table.get("per") {
            Some(per) => self.window(&per, table.get("zone").as_ref()),
            None => {
                missing(self, "the budget does not say `per` which time it is", "as in `per = \"day\"`");
                None
            }
        };
        let counted: Vec<Field<'a>> = MEASURES.into_iter().filter_map(|key| table.get(key)).collect();
        let measure = match counted.as_slice() {
            [one] => self.measure(one),
            [] => {
                let help = "as in `calls = 50`, or `spend = \"500.00 usd\"`";
                missing(self, "the budget does not say how much", help);
                None
            }
            [_, second, ..] => {
                let finding = Finding::error("a budget caps one thing");
                self.found(&second.key, finding.help("write another budget for the other"));
                None
            }
        };
        let over = table.get("over").map(|over| self.over(&over));
        let warn = table.get("warn").map(|warn| self.warn(&warn));
        let unpriced_denied = table.get("unpriced").and_then(|unpriced| {
            if let Some((Measure::Calls | Measure::Bytes | Measure::Time | Measure::Errors, _)) = &measure {
                let finding = Finding::error("`unpriced` is about tools without a cost");
                let help = "take it out: what this budget caps is counted without one";
                self.found(&unpriced.key, finding.help(help));
            }
            self.choice(&unpriced, &[("free", false), ("deny", true)])
        });
        // A cap that asks must not become one that refuses, nor the reverse.
        let over = match over {
            None => Over::Deny,
            Some(read) => read?,
        };
        let (measure, cap) = measure?;
        let budget = Budget {
            name: name?,
            scope: scope?,
            per: per?,
            measure,
            cap,
            over,
            warn: warn.unwrap_or_else(|| Budget::WARN.to_vec()),
            unpriced_denied: unpriced_denied.unwrap_or(false),
            line: self.line(field.at.start),
        };
        let place = |told: Option<&Field<'a>>| told.unwrap_or(field).at.clone();
        let (per, measure) = (place(table.get("per").as_ref()), place(counted.first()));
        Some(Placed { budget, per, measure })
    }

    fn budget_scope(&mut self, field: &Field<'a>, known: &Known<'a>) -> Option<BudgetScope> {
        const HELP: &str = "it is `\"all\"`, or one of agent, team, client, server and tool, as in `{ agent = \"support\" }`";
        if let Some(text) = field.node.as_text() {
            if text == "all" {
                return Some(BudgetScope::All);
            }
            let help = match self.near(text, ["all"].into_iter()) {
                Some(near) => near,
                None => HELP.to_owned(),
            };
            self.found(&field.at, Finding::error(format!("`for` cannot be `{text}`")).help(help));
            return None;
        }
        let table = self.fields(field, "for", &keys::BUDGET_FOR)?;
        let named: Vec<Field<'a>> = keys::BUDGET_FOR.known.iter().filter_map(|key| table.get(key)).collect();
        let [one] = named.as_slice() else {
            // A key that is unknown has been said.
            if !named.is_empty() || table.is_empty() {
                self.found(&field.at, Finding::error("`for` names one scope").help(HELP));
            }
            return None;
        };
        let is_each = one.node.as_text() == Some("*");
        match one.name {
            "agent" if is_each => Some(BudgetScope::Agent(None)),
            "team" if is_each => Some(BudgetScope::Team(None)),
            "client" if is_each => Some(BudgetScope::Client(None)),
            "server" if is_each => Some(BudgetScope::Server(None)),
            "agent" => self.known_agent(one, known).map(|agent| BudgetScope::Agent(Some(agent))),
            "team" => self.known_team(one, known).map(|team| BudgetScope::Team(Some(team))),
            "client" => self.known_client(one, known).map(|client| BudgetScope::Client(Some(client))),
            "server" => self.known_server(one, known).map(|server| BudgetScope::Server(Some(server))),
            _ => {
                let text = self.text(one, A_TEXT)?;
                self.pattern(text, &one.at, Mood::Grants, known).map(BudgetScope::Tools)
            }
        }
    }

    fn window(&mut self, field: &Field<'a>, zone: Option<&Field<'a>>) -> Option<Window> {
        let read = self.zoneless_window(field);
        let Some(zone) = zone else { return read };
        let text = self.text(zone, A_TEXT)?;
        let named = text.parse::<Zone>().map_err(|error: UnknownZone| {
            self.found(&zone.at, Finding::error(error.to_string()).help(error.help()));
        });
        match (read?, named) {
            (Window::Fixed(calendar, _), named) => Some(Window::Fixed(calendar, named.ok()?)),
            (Window::Session | Window::Rolling(_) | Window::Total, _) => {
                let finding = Finding::error("`zone` is about the calendar, and this window is none");
                self.found(&zone.key, finding.help("take it out, or write `per = \"day\"`"));
                None
            }
        }
    }

    fn zoneless_window(&mut self, field: &Field<'a>) -> Option<Window> {
        let Some(text) = field.node.as_text() else {
            let help = "as in `\"day\"`, or `\"24h\"` for any last 24 hours";
            self.mistyped(field, A_TEXT, Some(help.to_owned()));
            return None;
        };
        match text {
            "session" => return Some(Window::Session),
            "total" => return Some(Window::Total),
            _ => {}
        }
        if let Ok(calendar) = text.parse() {
            return Some(Window::Fixed(calendar, Zone::default()));
        }
        if length(text).is_some() {
            return self.length_of_time(field, ROLLING_MIN..=ROLLING_MAX).map(Window::Rolling);
        }
        let words = || format!("it is one of {}, or any last so much time, as in 24h", WINDOWS.join(", "));
        let help = self.near(text, WINDOWS.into_iter()).unwrap_or_else(words);
        self.found(&field.at, Finding::error(format!("unknown window `{text}`")).help(help));
        None
    }

    fn measure(&mut self, field: &Field<'a>) -> Option<(Measure, Amount)> {
        match field.name {
            "spend" => self.spend(field).map(|(amount, unit)| (Measure::Cost(unit), amount)),
            "calls" => self.count(field).map(|amount| (Measure::Calls, amount)),
            "errors" => self.count(field).map(|amount| (Measure::Errors, amount)),
            "bytes" => {
                let bytes = self.size(field, Amount::MAX.0 / Amount::ONE.0)?;
                Some((Measure::Bytes, Amount::whole(bytes)))
            }
            "time" => {
                let time = self.length_of_time(field, Duration::from_secs(1)..=ROLLING_MAX)?;
                Some((Measure::Time, Amount::seconds(time)))
            }
            unit => {
                let unit: Unit = self.unit(unit, &field.key)?;
                self.count(field).map(|amount| (Measure::Cost(unit), amount))
            }
        }
    }

    fn over(&mut self, field: &Field<'a>) -> Option<Over> {
        let text = self.text(field, A_TEXT)?;
        if text == "deny" {
            return Some(Over::Deny);
        }
        if !text.contains(':') {
            let help = self.near(text, ["deny"].into_iter());
            let help =
                help.unwrap_or_else(|| "it is `deny`, or a control as in `approval:finance`".to_owned());
            let finding = Finding::error(format!("unknown word `{text}` for `over`"));
            self.found(&field.at, finding.help(help));
            return None;
        }
        self.asking(field).map(Over::Ask)
    }

    fn warn(&mut self, field: &Field<'a>) -> Vec<u8> {
        let mut percents: Vec<u8> = Vec::new();
        for element in self.list_of(field, "a list of percents, as in `[50, 80]`").unwrap_or_default() {
            let Some(number) = element.node.as_integer() else {
                self.mistyped(&element, "a whole number", None);
                continue;
            };
            let percent = u8::try_from(number).ok().filter(|percent| (1..=100).contains(percent));
            let ascends = percents.last().is_none_or(|last| i64::from(*last) < number);
            match percent {
                Some(percent) if ascends => percents.push(percent),
                Some(_) => {
                    let finding =
                        Finding::error(format!("{number} stands after a larger or the same percent"));
                    self.found(&element.at, finding.help("write them from the smallest"));
                }
                None => {
                    let finding = Finding::error(format!("{number} is no percent of a cap"));
                    self.found(&element.at, finding.help("it is a number from 1 to 100"));
                }
            }
        }
        percents
    }

    /// Says so where a client can begin anew whatever a budget counts.
    fn evaded(&mut self, placed: &[Placed], config: &Config) {
        for Placed { budget, per, .. } in placed {
            let has_longer = || placed.iter().any(|other| is_longer(&other.budget, budget));
            if budget.per != Window::Session || has_longer() {
                continue;
            }
            let opener = config.clients.iter().find(|(name, client)| {
                client.sessions
                    && match &budget.scope {
                        BudgetScope::All | BudgetScope::Tools(_) => true,
                        BudgetScope::Agent(agent) => {
                            agent.as_ref().is_none_or(|agent| *agent == client.agent)
                        }
                        BudgetScope::Client(client) => client.as_ref().is_none_or(|client| client == *name),
                        BudgetScope::Server(server) => {
                            server.as_ref().is_none_or(|server| client.servers.contains(server))
                        }
                        BudgetScope::Team(team) => team.as_ref().is_none_or(|team| {
                            let agent = config.agents.get(&client.agent);
                            agent.is_some_and(|agent| agent.team.as_ref() == Some(team))
                        }),
                    }
            });
            if let Some((client, _)) = opener {
                let message = format!(
                    "client `{client}` opens its own sessions, and so begins budget `{}` anew as it likes",
                    budget.name
                );
                let help = "put a longer one for the same beside it, as with `per = \"day\"`";
                self.found(per, Finding::error(message).help(help));
            }
        }
    }

    /// Says so where nothing that a budget counts is in its unit.
    fn uncounted(&mut self, placed: &[Placed], config: &Config) {
        for Placed { budget, measure, .. } in placed {
            let Measure::Cost(unit) = &budget.measure else { continue };
            let mut tools = counted(config, &budget.scope).peekable();
            if tools.peek().is_none() || tools.any(|tool| tool.cost.contains_key(unit)) {
                continue;
            }
            let message = format!("no tool that budget `{}` counts has a cost in {unit}", budget.name);
            let then = if budget.unpriced_denied { "it refuses every call" } else { "it caps nothing" };
            let help =
                format!("{then}: say what a call costs, as in `cost = {{ {unit} = \"args.amount\" }}`");
            self.found(measure, Finding::warning(message).help(help));
        }
    }
}

/// Whether `other` caps the same for longer than any session.
fn is_longer(other: &Budget, budget: &Budget) -> bool {
    let is_long = match &other.per {
        Window::Fixed(Calendar::Day | Calendar::Week | Calendar::Month, _) | Window::Total => true,
        Window::Rolling(length) => *length >= LONG,
        Window::Session | Window::Fixed(Calendar::Minute | Calendar::Hour, _) => false,
    };
    is_long && other.scope == budget.scope && other.measure == budget.measure
}

/// The tools of the file of which calls count.
fn counted<'c>(config: &'c Config, scope: &'c BudgetScope) -> impl Iterator<Item = &'c Tool> {
    let counts = move |name: &ServerName, tool: &ToolName| match scope {
        BudgetScope::All | BudgetScope::Agent(_) | BudgetScope::Team(_) => true,
        BudgetScope::Client(client) => client.as_ref().is_none_or(|client| {
            config.clients.get(client).is_some_and(|client| client.servers.contains(name))
        }),
        BudgetScope::Server(server) => server.as_ref().is_none_or(|server| server == name),
        BudgetScope::Tools(pattern) => pattern.covers(name.as_str(), tool.as_str()),
    };
    config.servers.iter().flat_map(move |(name, server)| {
        server.tools.iter().filter(move |(tool, _)| counts(name, tool)).map(|(_, tool)| &tool.value)
    })
}
