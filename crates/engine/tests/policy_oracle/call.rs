//! Calls of the test: arguments that fit their tool's schema, and what is known beside them.

use std::collections::BTreeSet;

use placet_engine::{
    json::{Json, Limits, parse},
    time::Timestamp,
};

use super::{
    dice::Dice,
    facts::{ADDRESSES, fact},
    tool::{ARGUMENTS, Declared, Tool},
};

/// One call, as everybody who judges it sees it.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    pub(crate) tool: &'a Tool,
    pub(crate) arguments: Json,
    pub(crate) dry_run: bool,
    pub(crate) steps: u64,
    pub(crate) labels: BTreeSet<&'static str>,
    /// In millionths; none if it cannot be worked out.
    pub(crate) cost: Option<i128>,
    pub(crate) hour: u8,
    pub(crate) weekday: &'static str,
}

pub(crate) const LABELS: [&str; 2] = ["private", "untrusted"];
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Monday, the 23rd of November 2026, at midnight in UTC.
const MONDAY: u64 = 1_795_392_000_000_000;

impl<'a> Given<'a> {
    pub(crate) fn random(dice: &mut Dice<'_>, tool: &'a Tool) -> Self {
        let mut members = Vec::new();
        for (name, ..) in ARGUMENTS {
            let value = value(dice, name);
            let is_there = match tool.declared(name) {
                Declared::No => tool.open && dice.one_in(3),
                Declared::Always => true,
                Declared::Sometimes => dice.of(2) == 0,
                Declared::Null if dice.of(2) == 0 => {
                    members.push(format!("{name:?}:null"));
                    false
                }
                Declared::Null => true,
            };
            if is_there {
                members.push(format!("{name:?}:{value}"));
            }
        }
        if tool.open && dice.one_in(2) {
            members.push("\"more\":[1]".to_owned());
        }
        let text = format!("{{{}}}", members.join(","));
        let arguments =
            parse(text.as_bytes(), &Limits::EDGE).unwrap_or_else(|error| panic!("{error}: {text}"));
        tool.definition.schema.check(&arguments).unwrap_or_else(|error| panic!("{error}: {text}"));
        Self {
            tool,
            arguments,
            dry_run: dice.one_in(3),
            steps: u64::try_from(dice.of(6)).unwrap(),
            labels: dice.some(&LABELS).into_iter().collect(),
            cost: (!dice.one_in(4)).then(|| dice.pick(&[3_000_000, 0, 2_500_000, 100_000_000, 3_000_001])),
            hour: u8::try_from(dice.of(24)).unwrap(),
            weekday: dice.pick(&WEEKDAYS),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let day = WEEKDAYS.iter().position(|day| *day == self.weekday).unwrap();
        Timestamp(MONDAY + (u64::try_from(day).unwrap() * 24 + u64::from(self.hour)) * 3_600_000_000)
    }

    /// What stands at a place of the arguments; null is nothing.
    pub(crate) fn at(&self, place: &str) -> Option<&Json> {
        let found = place.split('.').try_fold(&self.arguments, |value, name| value.get(name));
        found.filter(|value| !value.is_null())
    }

    pub(crate) fn fact(&self, name: &str) -> Result<Option<bool>, String> {
        let fact = fact(name);
        fact.says(self.at(fact.place))
    }

    pub(crate) fn has_extra(&self) -> bool {
        let declared = |key: &str| self.tool.declared(key) != Declared::No;
        self.arguments.as_object().unwrap().keys().any(|key| !declared(key))
    }
}

/// More than rules read of one text.
const LONG: usize = 64 * 1024 + 1;

fn value(dice: &mut Dice<'_>, name: &str) -> String {
    let list = |items: Vec<String>| format!("[{}]", items.join(","));
    match name {
        "amount" => {
            let amounts = [
                "100",
                "5",
                "100.5",
                "-3",
                "100.0001",
                "500",
                "0.5",
                "1e2",
                "922337203685477.5",
                "99.99999",
                "1e15",
            ];
            dice.pick(&amounts).to_owned()
        }
        "count" => dice.pick(&["5", "0", "1", "6", "-1", "5.0", "9007199254740991"]).to_owned(),
        "home" => {
            let zip = if dice.of(2) == 0 {
                String::new()
            } else {
                format!(r#","zip":"{}""#, dice.pick(&["1", "2", "9"]))
            };
            format!(r#"{{"city":"{}"{zip}}}"#, dice.pick(&["rome", "oslo"]))
        }
        "note" if dice.one_in(200) => format!("{:?}", "x".repeat(LONG)),
        "note" => {
            format!("{:?}", dice.pick(&["x", "a gift", "gift", "a Gift", "", "*", "a*c", "abc", "é gift é"]))
        }
        "sums" => {
            let of = dice.of(4);
            list(
                (0..of)
                    .map(|_| dice.pick(&["1.5", "1", "2.25", "1.5000", "0.0001", "0.00001"]).to_owned())
                    .collect(),
            )
        }
        "sure" => dice.pick(&["true", "false"]).to_owned(),
        "to" => {
            let of = dice.of(4);
            let sound = if dice.one_in(6) { ADDRESSES.len() } else { ADDRESSES.len() - 1 };
            list((0..of).map(|_| format!("{:?}", dice.pick(&ADDRESSES[..sound]).0)).collect())
        }
        other => panic!("{other}"),
    }
}
