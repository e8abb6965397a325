//! What is true of every call that gets as far as policy, whatever the policy says.
//!
//! A solver that is free to choose would choose a twenty-fifth hour, or a currency that the tool's schema does not
//! list, and call that a counterexample. So what is certain of each real call is said beforehand: what clocks and
//! counters show, and the plainest words of the tool's own schema, which the engine checks before it judges.
//!
//! Each sentence here narrows what is proved, so each must be true: of a schema only keywords are taken that hold
//! at this place whatever stands beside them, and nothing behind a reference. Start at [`certain`].

use placet_engine::{
    json::{Json, Number},
    names::MatchName,
    policy::{
        arguments::{Kind, Record},
        slice::Read,
    },
};
use serde_json::Value;

use crate::expression::{
    at_most, at_most_decimal, both, contains, context, decimal, literal, not, one_of, present, where_present,
};

/// The days of the week, as conditions name them.
pub(crate) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The largest number that a person likes to read in a counterexample.
const PLAIN_MOST: i64 = 1_000_000;

/// What is certain of a call of which this is read: of arguments that fit a schema, and of which these facts are
/// never absent.
pub(crate) fn certain(read: &Read, schema: Option<&Json>, there: &[MatchName]) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    each_place(read, |path, optional, kind| {
        let value = context(path);
        let bounds = match (path, kind) {
            (["session", "steps"], _) => Some(at_most(literal(1), value)),
            (["call", "hour"], _) => {
                Some(both(at_most(literal(0), value.clone()), at_most(value, literal(23))))
            }
            (["call", "minute"], _) => {
                Some(both(at_most(literal(0), value.clone()), at_most(value, literal(59))))
            }
            (["call", "weekday"], _) => Some(one_of(&DAYS.map(literal), &value)),
            (["call", "cost", _], _) => Some(at_most(literal(0), value)),
            (["args", inside @ ..], kind) => {
                schema.and_then(|schema| at(schema, inside)).and_then(|schema| said(schema, kind, &value))
            }
            _ => None,
        };
        all.extend(bounds.map(|bounds| where_present(present(path, optional), bounds)));
    });
    for fact in &read.facts {
        let said = |set: &str| contains(context(&[set]), fact.as_str());
        all.push(match there.contains(fact) {
            true => not(said("absent")),
            false => not(both(said("matches"), said("absent"))),
        });
    }
    all
}

/// What makes a counterexample pleasant to read. It is not true of every call, so nothing is proved by it.
pub(crate) fn plain(read: &Read) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    each_place(read, |path, optional, kind| {
        let value = context(path);
        let bounds = match kind {
            Kind::Whole | Kind::Micros => {
                both(at_most(literal(0), value.clone()), at_most(value, literal(PLAIN_MOST)))
            }
            Kind::Decimal => {
                let (low, high) = (decimal("0"), decimal(&PLAIN_MOST.to_string()));
                both(at_most_decimal(low, value.clone()), at_most_decimal(value, high))
            }
            Kind::Bool | Kind::Text | Kind::Set(_) | Kind::Record(_) | Kind::Opaque(_) => return,
        };
        all.push(where_present(present(path, optional), bounds));
    });
    all
}

/// Every place that is read, with whether each member on the way may be missing.
fn each_place(read: &Read, mut found: impl FnMut(&[&str], &[bool], &Kind)) {
    walk(&read.root, &mut Vec::new(), &mut Vec::new(), &mut found);
}

fn walk<'a>(
    record: &'a Record,
    path: &mut Vec<&'a str>,
    optional: &mut Vec<bool>,
    found: &mut impl FnMut(&[&str], &[bool], &Kind),
) {
    for (name, member) in &record.members {
        path.push(name);
        optional.push(!member.required);
        found(path, optional, &member.kind);
        if let Kind::Record(inside) = &member.kind {
            walk(inside, path, optional, found);
        }
        path.pop();
        optional.pop();
    }
}

/// The schema of a member, if it is written where it is used: beside a reference older drafts read nothing.
fn at<'a>(schema: &'a Json, path: &[&str]) -> Option<&'a Json> {
    let schema = Some(schema).filter(|schema| schema.get("$ref").is_none())?;
    match path.split_first() {
        None => Some(schema),
        Some((name, rest)) => at(schema.get("properties")?.get(name)?, rest),
    }
}

/// What a schema says of a value of this kind, in the words that need no others to be understood.
fn said(schema: &Json, kind: &Kind, value: &Value) -> Option<Value> {
    let listed = schema.get("enum").and_then(Json::as_array);
    let only = schema.get("const").map(std::slice::from_ref);
    let lists = [listed, only].into_iter().flatten();
    match kind {
        Kind::Text => {
            // Of other types than texts none fits a place that is a text.
            let texts = lists.map(|list| {
                let texts: Vec<Value> = list.iter().filter_map(Json::as_str).map(literal).collect();
                (!texts.is_empty()).then(|| one_of(&texts, value))
            });
            let filled = schema.get("minLength").and_then(Json::as_i64).is_some_and(|least| least >= 1);
            let filled =
                filled.then(|| not(serde_json::json!({ "==": { "left": value, "right": literal("") } })));
            texts.flatten().chain(filled).reduce(both)
        }
        Kind::Whole => {
            let bound = |key: &str| schema.get(key).and_then(Json::as_i64);
            let low = bound("minimum").map(|low| at_most(literal(low), value.clone()));
            let high = bound("maximum").map(|high| at_most(value.clone(), literal(high)));
            low.into_iter().chain(high).reduce(both)
        }
        Kind::Decimal => {
            let bound = |key: &str| schema.get(key).and_then(four_places);
            let low = bound("minimum").map(|low| at_most_decimal(decimal(&low), value.clone()));
            let high = bound("maximum").map(|high| at_most_decimal(value.clone(), decimal(&high)));
            low.into_iter().chain(high).reduce(both)
        }
        Kind::Bool | Kind::Micros | Kind::Set(_) | Kind::Record(_) | Kind::Opaque(_) => None,
    }
}

/// A number as a decimal of Cedar, if it is one.
fn four_places(number: &Json) -> Option<String> {
    let Json::Number(number) = number else { return None };
    let text = match number {
        Number::Integer(whole) => whole.to_string(),
        Number::Decimal(_) => number.to_string(),
    };
    let (whole, places) = text.split_once('.').unwrap_or((&text, ""));
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (is_plain(whole.trim_start_matches('-')) && whole.len() <= 12 && is_plain(places) && places.len() <= 4)
        .then_some(text)
}
