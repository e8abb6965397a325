//! Trips: when the boundary narrows by itself.
//!
//! A trip that cannot be read is an error and no trip; one for an agent that nobody describes would watch
//! nobody.
//!
//! Start at [`Reader::trips`].

use super::{
    super::terms::{Trip, TripCount},
    field::{Field, Reader},
    keys,
    known::Known,
};
use crate::{diagnostic::Finding, names::BudgetName};
use std::{collections::BTreeSet, time::Duration};

/// How long a trip may look back. Beyond a month it is a budget that is wanted.
const WITHIN_MAX: Duration = Duration::from_secs(31 * 24 * 60 * 60);

impl<'a> Reader<'a> {
    pub(super) fn trips(&mut self, tables: &[Field<'a>], known: &Known<'a>) -> Vec<Trip> {
        let mut names = BTreeSet::new();
        tables.iter().filter_map(|table| self.trip(table, &mut names, known)).collect()
    }

    fn trip(
        &mut self,
        field: &Field<'a>,
        names: &mut BTreeSet<BudgetName>,
        known: &Known<'a>,
    ) -> Option<Trip> {
        let table = self.fields(field, "trips", &keys::TRIP)?;
        let name = match table.get("name") {
            Some(name) => self.own_name(&name, "trips", names),
            None => {
                let finding = Finding::error("the trip has no `name`");
                self.found(&field.at, finding.help("records say it, as in `name = \"too many refusals\"`"));
                None
            }
        };
        let agent = table.get("agent").map(|agent| self.known_agent(&agent, known));
        let counted: Vec<Field<'a>> =
            ["denials", "loops", "spend"].into_iter().filter_map(|key| table.get(key)).collect();
        let counts = match counted.as_slice() {
            [one] if one.name == "spend" => {
                self.spend(one).map(|(amount, unit)| (TripCount::Spend(unit), amount))
            }
            [one] if one.name == "loops" => self.count(one).map(|amount| (TripCount::Loops, amount)),
            [one] => self.count(one).map(|amount| (TripCount::Denials, amount)),
            [] => {
                let finding = Finding::error("the trip counts nothing");
                self.found(&field.at, finding.help("say what, as in `denials = 20`"));
                None
            }
            [_, second, ..] => {
                let finding = Finding::error("a trip counts one thing");
                self.found(&second.key, finding.help("write another trip for the other"));
                None
            }
        };
        let within = match table.get("within") {
            Some(within) => self.length_of_time(&within, Duration::from_secs(1)..=WITHIN_MAX),
            None => {
                let finding = Finding::error("the trip does not say `within` which time");
                self.found(&field.at, finding.help("as in `within = \"10m\"`"));
                None
            }
        };
        // An agent that cannot be read must not become each agent.
        let agent = match agent {
            None => None,
            Some(read) => Some(read?),
        };
        let (counts, at) = counts?;
        Some(Trip { name: name?, agent, counts, within: within?, at, line: self.line(field.at.start) })
    }

    /// The name of one budget or trip alone.
    pub(super) fn own_name(
        &mut self,
        field: &Field<'a>,
        kind: &str,
        names: &mut BTreeSet<BudgetName>,
    ) -> Option<BudgetName> {
        let name: BudgetName = self.named(field)?;
        if !names.insert(name.clone()) {
            let finding = Finding::error(format!("two {kind} are called `{name}`"));
            self.found(&field.at, finding.help("a name is one's alone"));
        }
        Some(name)
    }
}
