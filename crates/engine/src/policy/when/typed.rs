//! A condition that fits its tool, and Cedar's syntax tree of it.
//!
//! What could be settled while it was typed is settled: no part of this tree is without effect, so what the
//! condition reads is exactly what stands in it. Chains become balanced trees of pairs, since Cedar goes down
//! a tree by recursion and a chain may be long.
//!
//! Start at [`Typed::condition`].

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    Condition,
    syntax::{Comparison, Contains, Part, Pattern},
    types::Type,
};
use crate::names::MatchName;

/// A place, by its words from the root on: `["args", "amount"]`.
pub(super) type Place = Vec<String>;

#[derive(Clone, Debug)]
pub(super) enum Typed {
    Bool(bool),
    Text(String),
    /// A whole number.
    Whole(i64),
    /// A decimal, as Cedar reads it.
    Decimal(String),
    /// A number that is not settled yet, with its place in the text.
    Number(super::literal::Literal, std::ops::Range<usize>),
    List(Vec<Typed>),
    /// What stands at a place, and which places must not be empty for it.
    Read(Place, Vec<Place>),
    /// Whether something stands at a place, and which places must not be empty for the question.
    Has(Place, Vec<Place>),
    Match(MatchName),
    Not(Box<Typed>),
    /// At least two.
    All(Vec<Typed>),
    /// At least two.
    Any(Vec<Typed>),
    If(Box<[Typed; 3]>),
    Compare(Comparison, Type, Box<[Typed; 2]>),
    Like(Box<Typed>, Pattern),
    Contains(Contains, Box<[Typed; 2]>),
    IsEmpty(Box<Typed>),
}

/// What a condition reads.
#[derive(Default)]
struct Read {
    places: BTreeSet<Place>,
    matches: BTreeSet<MatchName>,
    needs: BTreeSet<Place>,
}

impl Typed {
    /// The condition that this is.
    pub(super) fn condition(&self) -> Condition {
        let mut read = Read::default();
        self.gather(&mut read);
        let Read { mut places, matches, needs } = read;
        // In their order a place comes before those below it.
        let asked: Vec<Value> = needs.iter().map(|place| has(place)).collect();
        places.extend(needs.iter().cloned());
        let Some(all_there) = joined("&&", &asked) else {
            return Condition { body: self.cedar(), reads: places, needs, matches, missing: None };
        };
        let body = pair("&&", all_there.clone(), self.cedar());
        Condition { body, reads: places, needs, matches, missing: Some(json!({ "!": { "arg": all_there } })) }
    }

    fn gather(&self, read: &mut Read) {
        match self {
            Typed::Bool(_) | Typed::Text(_) | Typed::Whole(_) | Typed::Decimal(_) | Typed::Number(..) => {}
            Typed::Read(place, needs) | Typed::Has(place, needs) => {
                read.places.insert(place.clone());
                read.needs.extend(needs.iter().cloned());
            }
            Typed::Match(name) => {
                read.matches.insert(name.clone());
            }
            Typed::Not(one) | Typed::Like(one, _) | Typed::IsEmpty(one) => one.gather(read),
            Typed::List(parts) | Typed::All(parts) | Typed::Any(parts) => {
                parts.iter().for_each(|part| part.gather(read));
            }
            Typed::If(parts) => parts.iter().for_each(|part| part.gather(read)),
            Typed::Compare(_, _, sides) | Typed::Contains(_, sides) => {
                sides.iter().for_each(|side| side.gather(read));
            }
        }
    }

    /// The expression in Cedar's JSON syntax.
    fn cedar(&self) -> Value {
        let all = |parts: &[Typed]| -> Vec<Value> { parts.iter().map(Typed::cedar).collect() };
        match self {
            Typed::Bool(truth) => json!({ "Value": truth }),
            Typed::Text(text) => json!({ "Value": text }),
            Typed::Whole(number) => json!({ "Value": number }),
            Typed::Decimal(text) => json!({ "decimal": [{ "Value": text }] }),
            // Every number is settled when what stands beside it is known.
            Typed::Number(literal, _) => json!({ "decimal": [{ "Value": literal.decimal() }] }),
            Typed::List(items) => json!({ "Set": all(items) }),
            Typed::Read(place, _) => read(place),
            Typed::Has(place, _) => has(place),
            Typed::Match(name) => {
                let matches = json!({ ".": { "left": { "Var": "context" }, "attr": "matches" } });
                pair("contains", matches, json!({ "Value": name.as_str() }))
            }
            Typed::Not(one) => json!({ "!": { "arg": one.cedar() } }),
            Typed::All(parts) => joined("&&", &all(parts)).unwrap_or(json!({ "Value": true })),
            Typed::Any(parts) => joined("||", &all(parts)).unwrap_or(json!({ "Value": false })),
            Typed::If(parts) => {
                let [test, yes, no] = &**parts;
                json!({ "if-then-else": { "if": test.cedar(), "then": yes.cedar(), "else": no.cedar() } })
            }
            Typed::Compare(comparison, kind, sides) => {
                let [left, right] = &**sides;
                compare(*comparison, kind, left.cedar(), right.cedar())
            }
            Typed::Like(one, pattern) => {
                let parts: Vec<Value> = pattern.parts().iter().map(part).collect();
                json!({ "like": { "left": one.cedar(), "pattern": parts } })
            }
            Typed::Contains(contains, sides) => {
                let [left, right] = &**sides;
                pair(contains.as_str(), left.cedar(), right.cedar())
            }
            Typed::IsEmpty(one) => json!({ "isEmpty": { "arg": one.cedar() } }),
        }
    }
}

fn compare(comparison: Comparison, kind: &Type, left: Value, right: Value) -> Value {
    let is_decimal = *kind == Type::Decimal;
    let method = match comparison {
        Comparison::Equal | Comparison::Unequal => None,
        Comparison::Less => Some("lessThan"),
        Comparison::AtMost => Some("lessThanOrEqual"),
        Comparison::More => Some("greaterThan"),
        Comparison::AtLeast => Some("greaterThanOrEqual"),
    };
    match method.filter(|_| is_decimal) {
        Some(method) => json!({ method: [left, right] }),
        None => pair(comparison.as_str(), left, right),
    }
}

fn part(part: &Part) -> Value {
    match part {
        Part::Anything => json!("Wildcard"),
        Part::Text(text) => json!({ "Literal": text }),
    }
}

/// `context.args.amount`
fn read(place: &[String]) -> Value {
    place
        .iter()
        .fold(json!({ "Var": "context" }), |left, attr| json!({ ".": { "left": left, "attr": attr } }))
}

/// `context.args has amount`
fn has(place: &[String]) -> Value {
    match place.split_last() {
        Some((attr, above)) => json!({ "has": { "left": read(above), "attr": attr } }),
        None => json!({ "Value": true }),
    }
}

fn pair(operator: &str, left: Value, right: Value) -> Value {
    json!({ operator: { "left": left, "right": right } })
}

/// The parts with `operator` between them, as a balanced tree that keeps their order.
fn joined(operator: &str, parts: &[Value]) -> Option<Value> {
    match parts {
        [] => None,
        [one] => Some(one.clone()),
        [..] => {
            let (left, right) = parts.split_at(parts.len() / 2);
            Some(pair(operator, joined(operator, left)?, joined(operator, right)?))
        }
    }
}
