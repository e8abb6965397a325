//! Conditions as the test knows them: a small tree that can print itself and that is read without Cedar.
//!
//! Each question is about one argument, or about the session or the call. An argument of which a condition asks
//! whether it is there is asked about everywhere in it, since anything else does not load. What can be told of a
//! question before any call comes ([`Told`]) follows from the declared arguments alone.
//!
//! Start at [`Cond::told`] and [`Cond::holds`].

use std::collections::BTreeSet;

use placet_engine::json::Json;

use super::{
    call::Given,
    facts::fact,
    tool::{Declared, Tool},
};

/// What a condition is made of.
#[derive(Clone, Debug)]
pub(crate) enum Cond {
    Ask(Question),
    Not(Box<Cond>),
    All(Vec<Cond>),
    Any(Vec<Cond>),
    If(Box<[Cond; 3]>),
}

/// One question.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    Truth(bool),
    /// Which of `<`, `<=`, `>`, `>=`, `==` and `!=`, and beside which number, as it is written.
    Amount(&'static str, &'static str),
    Count(&'static str, &'static str),
    CountIsOneOf(Vec<i64>),
    NoteIs(bool, &'static str),
    /// A pattern, with its texts between the stars.
    NoteLike(&'static str, &'static [&'static str]),
    Sure(Option<bool>),
    /// Which of `contains`, `containsAny`, `containsAll`, `isEmpty` and `==`, and the texts.
    To(&'static str, Vec<&'static str>),
    SumsContain(&'static str),
    City(&'static str),
    Zip(&'static str),
    Match(&'static str),
    Cost(&'static str, &'static str),
    Steps(&'static str, &'static str),
    Label(&'static str),
    Hour(&'static str, &'static str),
    Weekday(Vec<&'static str>),
    DryRun,
    Extra,
}

/// What is known of a condition once its tool is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    /// It is the same for every call.
    Always(bool),
    /// It looks at the call.
    Looks(Looks),
}

/// What a condition looks at.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Looks {
    /// Places of arguments, and `cost` for what the call costs.
    pub(crate) reads: BTreeSet<&'static str>,
    /// Those of them that must be there, as nobody asks.
    pub(crate) needs: BTreeSet<&'static str>,
    pub(crate) facts: BTreeSet<&'static str>,
}

/// It means nothing over this tool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Unfit;

impl Question {
    /// The argument, or `cost`.
    pub(crate) fn about(&self) -> Option<&'static str> {
        match self {
            Question::Amount(..) => Some("amount"),
            Question::Count(..) | Question::CountIsOneOf(_) => Some("count"),
            Question::NoteIs(..) | Question::NoteLike(..) => Some("note"),
            Question::Sure(_) => Some("sure"),
            Question::To(..) => Some("to"),
            Question::SumsContain(_) => Some("sums"),
            Question::City(_) | Question::Zip(_) => Some("home"),
            Question::Match(name) => Some(fact(name).argument),
            Question::Cost(..) => Some("cost"),
            Question::Truth(_)
            | Question::Steps(..)
            | Question::Label(_)
            | Question::Hour(..)
            | Question::Weekday(_)
            | Question::DryRun
            | Question::Extra => None,
        }
    }

    fn print(&self, asks: &BTreeSet<&'static str>) -> String {
        let list =
            |texts: &[&str]| texts.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(", ");
        let bare = match self {
            Question::Truth(truth) => truth.to_string(),
            Question::Amount(sign, number) => format!("args.amount {sign} {number}"),
            Question::Count(sign, number) => format!("args.count {sign} {number}"),
            Question::CountIsOneOf(numbers) => format!("{numbers:?}.contains(args.count)"),
            Question::NoteIs(is, text) => format!("args.note {} {text:?}", if *is { "==" } else { "!=" }),
            Question::NoteLike(pattern, _) => format!("args.note like \"{pattern}\""),
            Question::Sure(None) => "args.sure".to_owned(),
            Question::Sure(Some(truth)) => format!("args.sure == {truth}"),
            Question::To("==", texts) => format!("args.to == [{}]", list(texts)),
            Question::To("isEmpty", _) => "args.to.isEmpty()".to_owned(),
            Question::To("contains", texts) => format!("args.to.contains({})", list(texts)),
            Question::To(how, texts) => format!("args.to.{how}([{}])", list(texts)),
            Question::SumsContain(number) => format!("args.sums.contains({number})"),
            Question::City(city) => format!("args.home.city == {city:?}"),
            Question::Zip(zip) => format!("args.home.zip == {zip:?}"),
            Question::Match(name) => format!("matches.{name}"),
            Question::Cost(sign, number) => format!("call.cost.usd {sign} {number}"),
            Question::Steps(sign, number) => format!("session.steps {sign} {number}"),
            Question::Label(label) => format!("session.labels.contains({label:?})"),
            Question::Hour(sign, number) => format!("call.hour {sign} {number}"),
            Question::Weekday(days) => format!("[{}].contains(call.weekday)", list(days)),
            Question::DryRun => "call.dry_run".to_owned(),
            Question::Extra => "call.extra".to_owned(),
        };
        match self.about().filter(|about| asks.contains(about)) {
            None => bare,
            Some("cost") => format!("(call has cost.usd && {bare})"),
            Some("home") if matches!(self, Question::Zip(_)) => format!("(args has home.zip && {bare})"),
            Some(about) => format!("(args has {about} && {bare})"),
        }
    }

    fn told(&self, asks: &BTreeSet<&'static str>, tool: &Tool) -> Result<Told, Unfit> {
        let mut looks = Looks::default();
        let Some(about) = self.about() else {
            let Question::Truth(truth) = self else { return Ok(Told::Looks(looks)) };
            return Ok(Told::Always(*truth));
        };
        let is_asked = asks.contains(about);
        if about == "cost" {
            return match (tool.usd, is_asked) {
                (true, _) => Ok(Told::Looks(Looks { reads: [about].into(), ..looks })),
                (false, true) => Ok(Told::Always(false)),
                (false, false) => Err(Unfit),
            };
        }
        let declared = tool.declared(about);
        if declared == Declared::No {
            return match self {
                // Whether a fact has anything to look at is asked only if it is looked at: see `over`. Of what a
                // tool takes undeclared can be asked whether it is there, and the fact looks at it itself.
                Question::Match(name) if !is_asked || tool.open => {
                    Ok(Told::Looks(Looks { facts: [*name].into(), ..looks }))
                }
                _ if is_asked && !tool.open => Ok(Told::Always(false)),
                _ => Err(Unfit),
            };
        }
        let may_be_absent = declared != Declared::Always;
        if may_be_absent && !is_asked && !matches!(self, Question::Match(_)) {
            looks.needs.insert(about);
        }
        match self {
            Question::Match(name) => {
                looks.facts.insert(name);
                if is_asked && may_be_absent {
                    looks.reads.insert(about);
                }
            }
            Question::City(_) => {
                // To ask whether there is an object, or to need one, is to read nothing in it.
                looks.reads.insert("home.city");
            }
            Question::Zip(_) => {
                looks.reads.insert("home.zip");
                if !is_asked {
                    looks.needs.insert("home.zip");
                }
            }
            _ => drop(looks.reads.insert(about)),
        }
        Ok(Told::Looks(looks))
    }

    fn holds(&self, asks: &BTreeSet<&'static str>, given: &Given<'_>) -> bool {
        let about = self.about();
        let is_asked = about.is_some_and(|about| asks.contains(about));
        let there = |place| given.at(place).is_some();
        if is_asked && about != Some("cost") {
            let place = if matches!(self, Question::Zip(_)) { "home.zip" } else { about.unwrap_or_default() };
            if !there(place) {
                return false;
            }
        }
        let value =
            |place| given.at(place).unwrap_or_else(|| panic!("nobody asked whether `{place}` is there"));
        let text = |place| value(place).as_str().unwrap();
        match self {
            Question::Truth(truth) => *truth,
            Question::Amount(sign, number) => compare(sign, exact(value("amount")), millionths(number)),
            Question::Count(sign, number) => compare(sign, exact(value("count")), millionths(number)),
            Question::CountIsOneOf(numbers) => {
                numbers.iter().any(|number| i128::from(*number) * 1_000_000 == exact(value("count")))
            }
            Question::NoteIs(is, wanted) => (text("note") == *wanted) == *is,
            Question::NoteLike(_, parts) => fits(text("note"), parts),
            Question::Sure(wanted) => value("sure").as_bool().unwrap() == wanted.unwrap_or(true),
            Question::To(how, wanted) => {
                let to: BTreeSet<_> =
                    value("to").as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect();
                let wanted: BTreeSet<_> = wanted.iter().copied().collect();
                match *how {
                    "isEmpty" => to.is_empty(),
                    "==" => to == wanted,
                    "containsAny" => !to.is_disjoint(&wanted),
                    "contains" | "containsAll" => to.is_superset(&wanted),
                    other => panic!("{other}"),
                }
            }
            Question::SumsContain(number) => {
                value("sums").as_array().unwrap().iter().any(|sum| exact(sum) == millionths(number))
            }
            Question::City(city) => text("home.city") == *city,
            Question::Zip(zip) => text("home.zip") == *zip,
            Question::Match(name) => given.fact(name) == Ok(Some(true)),
            Question::Cost(sign, number) => compare(sign, given.cost.unwrap(), millionths(number)),
            Question::Steps(sign, number) => {
                compare(sign, i128::from(given.steps) * 1_000_000, millionths(number))
            }
            Question::Label(label) => given.labels.contains(label),
            Question::Hour(sign, number) => {
                compare(sign, i128::from(given.hour) * 1_000_000, millionths(number))
            }
            Question::Weekday(days) => days.contains(&given.weekday),
            Question::DryRun => given.dry_run,
            Question::Extra => given.has_extra(),
        }
    }
}

impl Cond {
    /// The text that stands in a file.
    pub(crate) fn print(&self, asks: &BTreeSet<&'static str>) -> String {
        let all = |parts: &[Cond]| parts.iter().map(|part| part.print(asks)).collect::<Vec<_>>();
        match self {
            Cond::Ask(question) => question.print(asks),
            Cond::Not(one) => format!("!({})", one.print(asks)),
            Cond::All(parts) => format!("({})", all(parts).join(" && ")),
            Cond::Any(parts) => format!("({})", all(parts).join(" || ")),
            Cond::If(parts) => match &all(&**parts)[..] {
                [test, yes, no] => format!("(if {test} then {yes} else {no})"),
                other => panic!("{other:?}"),
            },
        }
    }

    pub(crate) fn visit(&self, see: &mut impl FnMut(&Question)) {
        match self {
            Cond::Ask(question) => see(question),
            Cond::Not(one) => one.visit(see),
            Cond::All(parts) | Cond::Any(parts) => parts.iter().for_each(|part| part.visit(see)),
            Cond::If(parts) => parts.iter().for_each(|part| part.visit(see)),
        }
    }

    /// What is known of the whole condition. A fact over an argument that nobody declares means nothing.
    pub(crate) fn over(&self, asks: &BTreeSet<&'static str>, tool: &Tool) -> Result<Told, Unfit> {
        let told = self.told(asks, tool)?;
        let is_blind = |name: &&str| !tool.open && tool.declared(fact(name).argument) == Declared::No;
        match &told {
            Told::Looks(looks) if looks.facts.iter().any(is_blind) => Err(Unfit),
            Told::Looks(_) | Told::Always(_) => Ok(told),
        }
    }

    /// What is known before a call comes. What stands behind a part that settles everything is not looked at.
    pub(crate) fn told(&self, asks: &BTreeSet<&'static str>, tool: &Tool) -> Result<Told, Unfit> {
        match self {
            Cond::Ask(question) => question.told(asks, tool),
            Cond::Not(one) => Ok(match one.told(asks, tool)? {
                Told::Always(truth) => Told::Always(!truth),
                looks @ Told::Looks(_) => looks,
            }),
            Cond::All(parts) => chain(parts, false, asks, tool),
            Cond::Any(parts) => chain(parts, true, asks, tool),
            Cond::If(parts) => {
                let [test, yes, no] = &**parts;
                match test.told(asks, tool) {
                    Ok(Told::Always(true)) => yes.told(asks, tool),
                    Ok(Told::Always(false)) => no.told(asks, tool),
                    Err(Unfit) => Err(Unfit),
                    Ok(Told::Looks(mut looks)) => {
                        for told in [yes.told(asks, tool)?, no.told(asks, tool)?] {
                            looks.add(told);
                        }
                        Ok(Told::Looks(looks))
                    }
                }
            }
        }
    }

    /// Whether it holds for a call that has all that it needs.
    pub(crate) fn holds(&self, asks: &BTreeSet<&'static str>, given: &Given<'_>) -> bool {
        let dead = |part: &Cond| part.told(asks, given.tool);
        match self {
            Cond::Ask(question) => match question.told(asks, given.tool) {
                Ok(Told::Always(truth)) => truth,
                Ok(Told::Looks(_)) => question.holds(asks, given),
                Err(Unfit) => panic!("{question:?} is looked at"),
            },
            Cond::Not(one) => !one.holds(asks, given),
            Cond::All(parts) => {
                let settled = parts.iter().position(|part| dead(part) == Ok(Told::Always(false)));
                settled.is_none() && parts.iter().all(|part| part.holds(asks, given))
            }
            Cond::Any(parts) => {
                let settled = parts.iter().position(|part| dead(part) == Ok(Told::Always(true)));
                settled.is_some() || parts.iter().any(|part| part.holds(asks, given))
            }
            Cond::If(parts) => {
                let [test, yes, no] = &**parts;
                if test.holds(asks, given) { yes.holds(asks, given) } else { no.holds(asks, given) }
            }
        }
    }
}

impl Looks {
    fn add(&mut self, told: Told) {
        if let Told::Looks(Looks { reads, needs, facts }) = told {
            self.reads.extend(reads);
            self.needs.extend(needs);
            self.facts.extend(facts);
        }
    }
}

/// Parts of which one that is always `end` settles all.
fn chain(parts: &[Cond], end: bool, asks: &BTreeSet<&'static str>, tool: &Tool) -> Result<Told, Unfit> {
    let (mut looks, mut is_open, mut is_unfit) = (Looks::default(), false, false);
    for part in parts {
        match part.told(asks, tool) {
            Ok(Told::Always(truth)) if truth == end => {
                return if is_unfit { Err(Unfit) } else { Ok(Told::Always(end)) };
            }
            Ok(Told::Always(_)) => {}
            Ok(told @ Told::Looks(_)) => {
                is_open = true;
                looks.add(told);
            }
            Err(Unfit) => is_unfit = true,
        }
    }
    match (is_unfit, is_open) {
        (true, _) => Err(Unfit),
        (false, true) => Ok(Told::Looks(looks)),
        (false, false) => Ok(Told::Always(!end)),
    }
}

fn compare(sign: &str, left: i128, right: i128) -> bool {
    match sign {
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        ">=" => left >= right,
        "==" => left == right,
        "!=" => left != right,
        other => panic!("{other}"),
    }
}

/// A number's value, from its text.
pub(crate) fn exact(value: &Json) -> i128 {
    millionths(&value.to_string())
}

fn millionths(text: &str) -> i128 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    assert!(fraction.len() <= 6, "{text}");
    sign * format!("{whole}{fraction:0<6}").parse::<i128>().unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Whether a text is these parts with anything between them.
fn fits(text: &str, parts: &[&str]) -> bool {
    match parts {
        [] => true,
        [whole] => text == *whole,
        [first, rest @ ..] => text.strip_prefix(first).is_some_and(|text| {
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| fits(&text[at..], rest))
        }),
    }
}
