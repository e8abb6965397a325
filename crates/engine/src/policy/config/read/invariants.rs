//! Invariants: what a file says of every call that it will ever allow.
//!
//! A part that cannot be read never makes an invariant say less: there is none then, and an error. A group that
//! nobody is asked of is a misspelt one: no call could ever need its approval.
//!
//! Start at [`Reader::invariants`].

use super::{
    super::{
        About, At, Claim, Config, Control, ControlError, GuardEffect, Invariant, Need, Pattern, Scope, terms,
    },
    field::{A_TEXT, Field, Fields, Node, Reader},
    keys,
    known::Known,
    references::Mood,
};
use crate::{
    diagnostic::{Finding, inert},
    level::LevelSet,
    names::GroupName,
};
use std::collections::BTreeSet;
use toml_edit::Value;

/// The longest name of an invariant, in characters.
const NAME_CHARS_MAX: usize = 128;

impl<'a> Reader<'a> {
    /// The invariants, where `config` holds all else of the file.
    pub(super) fn invariants(
        &mut self,
        tables: &[Field<'a>],
        known: &Known<'a>,
        config: &Config,
    ) -> Vec<Invariant> {
        // What is wrong elsewhere may be what names the group.
        let groups = (!self.has_errors()).then(|| asked_groups(config));
        let mut names = BTreeSet::new();
        tables.iter().filter_map(|table| self.invariant(table, &mut names, known, groups.as_ref())).collect()
    }

    fn invariant(
        &mut self,
        field: &Field<'a>,
        names: &mut BTreeSet<&'a str>,
        known: &Known<'a>,
        groups: Option<&BTreeSet<GroupName>>,
    ) -> Option<Invariant> {
        let table = self.fields(field, "invariants", &keys::INVARIANT)?;
        let name = match table.get("name") {
            Some(name) => self.invariant_name(&name, names),
            None => {
                let finding = Finding::error("the invariant has no `name`");
                self.found(&field.at, finding.help("as in `name = \"each delete is approved\"`"));
                None
            }
        };
        let said = match (table.get("need"), table.get("never")) {
            (Some(need), None) => {
                let about = self.about(field, &table, "tools", known);
                let need = self.need(&need, groups);
                about.zip(need.map(Claim::Needs))
            }
            (None, Some(never)) => {
                self.only_in_never(&table);
                let inside = self.fields(&never, "never", &keys::NEVER);
                inside
                    .and_then(|inside| self.about(&never, &inside, "tool", known))
                    .map(|about| (about, Claim::Never))
            }
            (Some(_), Some(never)) => {
                let finding = Finding::error("an invariant has either `need` or `never`, not both");
                self.found(&never.key, finding.help("write another invariant for the other"));
                None
            }
            (None, None) => {
                let finding = Finding::error("the invariant has neither `need` nor `never`");
                let help = "as in `need = \"approval:*\"`, or `never = { team = \"helpdesk\", levels = [\"delete\"] }`";
                self.found(&field.at, finding.help(help));
                None
            }
        };
        let (about, claim) = said?;
        Some(Invariant { name: name?, about, claim, line: self.line(field.at.start) })
    }

    fn invariant_name(&mut self, field: &Field<'a>, names: &mut BTreeSet<&'a str>) -> Option<String> {
        let name = self.text(field, A_TEXT)?;
        if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX || inert(name) != name {
            let finding = Finding::error("the invariant's `name` cannot be used");
            let help = format!("it is 1 to {NAME_CHARS_MAX} characters on one line, all of them visible");
            self.found(&field.at, finding.help(help));
            return None;
        }
        if !names.insert(name) {
            let finding = Finding::error(format!("two invariants are called `{name}`"));
            self.found(&field.at, finding.help("a name is one invariant's alone"));
        }
        Some(name.to_owned())
    }

    /// Says so if what `never` is about stands beside it.
    fn only_in_never(&mut self, table: &Fields<'a>) {
        for key in ["levels", "tools", "for", "when"] {
            if let Some(field) = table.get(key) {
                let finding = Finding::error(format!("`{key}` stands beside `never`"));
                self.found(
                    &field.key,
                    finding.help("say inside it what never happens, as in `never = { tool = \"crm/*\" }`"),
                );
            }
        }
    }

    /// The calls that are meant. Where one part cannot be read there is nothing that is meant.
    fn about(
        &mut self,
        field: &Field<'a>,
        table: &Fields<'a>,
        tools: &str,
        known: &Known<'a>,
    ) -> Option<About> {
        let who = self.whose(table, known);
        let patterns = table.get(tools).map(|tools| self.meant_tools(&tools, known));
        let levels = table.get("levels").map(|levels| self.meant_levels(&levels));
        let when = table.get("when").map(|when| self.when(&when));
        let says_nothing = who == Some(None) && patterns.is_none() && levels.is_none();
        // A misspelt key has been said, and may be the one that is missing.
        if says_nothing && table.has_others() {
            return None;
        }
        if says_nothing {
            let finding = Finding::error("the invariant does not say which calls it is about");
            self.found(&field.at, finding.help("as in `levels = [\"delete\"]`"));
            return None;
        }
        let unless_unread = |read: Option<Option<LevelSet>>| match read {
            None => Some(None),
            Some(read) => read.map(Some),
        };
        let when = match when {
            None => None,
            Some(read) => Some(read?),
        };
        Some(About {
            who: who?,
            tools: patterns.unwrap_or_else(|| Some(Vec::new()))?,
            levels: unless_unread(levels)?,
            when,
        })
    }

    /// Whose calls are meant; `Some(None)` is anybody's.
    fn whose(&mut self, table: &Fields<'a>, known: &Known<'a>) -> Option<Option<Scope>> {
        if let Some(applies_to) = table.get("for") {
            return self.applies_to(&applies_to, known).map(Some);
        }
        match (table.get("agent"), table.get("team")) {
            (Some(agent), None) => self.known_agent(&agent, known).map(|agent| Some(Scope::Agent(agent))),
            (None, Some(team)) => self.known_team(&team, known).map(|team| Some(Scope::Team(team))),
            (Some(_), Some(team)) => {
                let finding = Finding::error("`never` names one agent or one team, not both");
                self.found(&team.key, finding.help("write another invariant for the other"));
                None
            }
            (None, None) => Some(None),
        }
    }

    fn meant_tools(&mut self, field: &Field<'a>, known: &Known<'a>) -> Option<Vec<At<Pattern>>> {
        let elements = match field.node {
            Node::Value(Value::String(_)) if field.name == "tool" => vec![field.clone()],
            Node::Value(_) | Node::Table(_) | Node::Tables(_) | Node::Nothing => {
                self.list_of(field, "a list of patterns")?
            }
        };
        if elements.is_empty() {
            let finding = Finding::error(format!("`{}` names no tool", field.name));
            self.found(&field.at, finding.help("as in `\"crm/*\"`; without it all tools are meant"));
            return None;
        }
        let patterns: Vec<At<Pattern>> = elements
            .iter()
            .filter_map(|element| {
                let text = self.text(element, A_TEXT)?;
                let value = self.pattern(text, &element.at, Mood::Refuses, known)?;
                Some(At { value, line: self.line(element.at.start) })
            })
            .collect();
        (patterns.len() == elements.len()).then_some(patterns)
    }

    fn meant_levels(&mut self, field: &Field<'a>) -> Option<LevelSet> {
        let elements = self.list_of(field, "a list of levels")?;
        if elements.is_empty() {
            let finding = Finding::error("`levels` names no level");
            self.found(
                &field.at,
                finding.help("levels are read, write, execute, delete; without it all are meant"),
            );
            return None;
        }
        let levels: Vec<_> =
            elements.iter().filter_map(|element| self.level(element, "a list of levels")).collect();
        (levels.len() == elements.len()).then(|| levels.into_iter().collect())
    }

    fn need(&mut self, field: &Field<'a>, groups: Option<&BTreeSet<GroupName>>) -> Option<Need> {
        let text = self.text(field, "a control, or `approval:*`")?;
        if text == Need::ANY_APPROVAL {
            return Some(Need::AnyApproval);
        }
        let control: Control = text
            .parse()
            .map_err(|error: ControlError| {
                self.found(&field.at, Finding::error(error.to_string()).help(error.help()));
            })
            .ok()?;
        let Control::Approval { group, .. } = &control;
        if let Some(groups) = groups.filter(|groups| !groups.contains(group)) {
            let near = self.near(group.as_str(), groups.iter().map(GroupName::as_str));
            let help =
                near.unwrap_or_else(|| "no guard asks it, so no call could need its approval".to_owned());
            self.found(&field.at, Finding::error(format!("unknown group `{group}`")).help(help));
            return None;
        }
        Some(Need::Control(control))
    }
}

/// The groups that somebody is asked of, or that have settings.
fn asked_groups(config: &Config) -> BTreeSet<GroupName> {
    let guards = config.guards.iter().flat_map(|guard| match &guard.effect {
        GuardEffect::Require(controls) => controls.as_slice(),
        GuardEffect::Forbid(_) => &[],
    });
    let budgets = config.budgets.iter().filter_map(|budget| match &budget.over {
        terms::Over::Ask(control) => Some(control),
        terms::Over::Deny => None,
    });
    let asked = guards.chain(budgets).map(|Control::Approval { group, .. }| group.clone());
    asked.chain(config.approvers.keys().cloned()).collect()
}
