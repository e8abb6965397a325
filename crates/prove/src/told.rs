//! Arguments: what a solver told of them as JSON, and what a tool requires besides.
//!
//! Types come from what rules read of the tool, or from its schema; nothing is taken from what a value looks like.
//! What a schema asks for beyond the plain words (a pattern, a dependency) is not made up: such a call does not fit
//! its tool, and the engine says so.
//!
//! Start at [`object`] and [`complete`].

use cedar_policy::EvalResult;
use placet_engine::{
    json::{Json, Number, Object},
    policy::arguments::{Kind, Record},
};

use crate::call::decimal;

/// How deep a made-up value is.
const DEPTH_MAX: usize = 8;

/// The most items, and the longest text, that are made up because a schema wants so many.
const LENGTH_MAX: usize = 4_096;

/// A text that a solver told.
pub(crate) fn text(value: &EvalResult) -> Option<&str> {
    if let EvalResult::String(text) = value { Some(text) } else { None }
}

/// A whole number that a solver told.
pub(crate) fn whole(value: &EvalResult) -> Option<i64> {
    if let EvalResult::Long(number) = value { Some(*number) } else { None }
}

/// The members that a solver told.
pub(crate) fn object(kinds: &Record, value: &EvalResult, schema: Option<&Json>) -> Option<Object> {
    let EvalResult::Record(record) = value else { return None };
    let members = record.iter().filter_map(|(name, value)| {
        let kind = &kinds.members.get(name)?.kind;
        let below = schema.and_then(|schema| schema.get("properties")?.get(name));
        Some((name.clone(), json(kind, value, below)?))
    });
    Some(members.collect())
}

fn json(kind: &Kind, value: &EvalResult, schema: Option<&Json>) -> Option<Json> {
    match (kind, value) {
        (Kind::Bool, EvalResult::Bool(truth)) => Some(Json::from(*truth)),
        (Kind::Whole | Kind::Micros, EvalResult::Long(number)) => Some(Json::from(*number)),
        (Kind::Decimal, EvalResult::ExtensionValue(text)) => decimal(text).map(Json::Number),
        (Kind::Text, EvalResult::String(text)) => Some(Json::from(text.as_str())),
        (Kind::Set(kind), EvalResult::Set(items)) => {
            let items: Vec<Json> = items.iter().filter_map(|item| json(kind, item, None)).collect();
            Some(Json::from(items))
        }
        (Kind::Record(kinds), record) => object(kinds, record, schema).map(Json::Object),
        // All that is known is that something stands there.
        (Kind::Opaque(_), _) => Some(schema.map_or(Json::from("x"), |schema| sample(schema, schema, 0))),
        (Kind::Bool | Kind::Whole | Kind::Micros | Kind::Decimal | Kind::Text | Kind::Set(_), _) => None,
    }
}

/// Adds what must be there and is not.
pub(crate) fn complete(arguments: &mut Object, declared: &Record, schema: Option<&Json>) {
    for (name, member) in &declared.members {
        let below = schema.and_then(|schema| schema.get("properties")?.get(name));
        match (arguments.get_mut(name), &member.kind) {
            (Some(Json::Object(inside)), Kind::Record(kinds)) => complete(inside, kinds, below),
            (Some(_), _) => {}
            (None, kind) if member.required => {
                let value = match (below, schema) {
                    (Some(below), Some(root)) => sample(below, root, 0),
                    (Some(_) | None, _) => of_kind(kind),
                };
                arguments.insert(name.clone(), value);
            }
            (None, _) => {}
        }
    }
}

fn of_kind(kind: &Kind) -> Json {
    match kind {
        Kind::Bool => Json::from(false),
        Kind::Whole | Kind::Micros | Kind::Decimal => Json::from(1),
        Kind::Text | Kind::Opaque(_) => Json::from("x"),
        Kind::Set(_) => Json::from(Vec::new()),
        Kind::Record(kinds) => {
            let mut inside = Object::new();
            complete(&mut inside, kinds, None);
            Json::Object(inside)
        }
    }
}

/// A value that a schema allows, as far as its plain words say.
fn sample(schema: &Json, root: &Json, depth: usize) -> Json {
    let schema = match schema.get("$ref").and_then(Json::as_str).and_then(|to| referred(root, to)) {
        Some(referred) => referred,
        None => schema,
    };
    let first = |key: &str| schema.get(key).and_then(Json::as_array).and_then(<[Json]>::first);
    if let Some(value) = schema.get("const").or(first("enum")).or(schema.get("default")).or(first("examples"))
    {
        return value.clone();
    }
    if depth > DEPTH_MAX {
        return Json::Null;
    }
    if let Some(one) = first("anyOf").or(first("oneOf")) {
        return sample(one, root, depth + 1);
    }
    let named = schema.get("type").and_then(Json::as_str);
    let named = named.or_else(|| {
        let all = schema.get("type").and_then(Json::as_array)?;
        all.iter().filter_map(Json::as_str).find(|name| *name != "null")
    });
    let count = |key: &str| {
        let count = schema.get(key).and_then(Json::as_i64).and_then(|count| usize::try_from(count).ok());
        count.unwrap_or(0).min(LENGTH_MAX)
    };
    match named {
        Some("boolean") => Json::from(false),
        Some("integer" | "number") => number(schema),
        Some("array") => {
            let item = schema.get("items").map_or(Json::from("x"), |items| sample(items, root, depth + 1));
            Json::from(vec![item; count("minItems")])
        }
        Some("object") => {
            let required = schema.get("required").and_then(Json::as_array).unwrap_or_default();
            let members = required.iter().filter_map(Json::as_str).map(|name| {
                let below = schema.get("properties").and_then(|properties| properties.get(name));
                (name.to_owned(), below.map_or(Json::from("x"), |below| sample(below, root, depth + 1)))
            });
            Json::Object(members.collect())
        }
        Some("null") => Json::Null,
        Some(_) | None => Json::from("x".repeat(count("minLength").max(1))),
    }
}

fn number(schema: &Json) -> Json {
    let bound = |key: &str| match schema.get(key) {
        Some(Json::Number(number)) => Some(*number),
        Some(_) | None => None,
    };
    let above = bound("exclusiveMinimum").and_then(|low| low.as_i64()).map(|low| low.saturating_add(1));
    let one = Number::Integer(1);
    let low = bound("minimum").or(above.map(Number::Integer)).filter(|low| *low > one);
    let high = bound("maximum").filter(|high| *high < one);
    Json::Number(low.or(high).unwrap_or(one))
}

fn referred<'a>(root: &'a Json, to: &str) -> Option<&'a Json> {
    to.strip_prefix("#/")?.split('/').try_fold(root, |schema, name| schema.get(name))
}

/// Puts a value at a path, making the objects on the way; nothing takes away what is there.
pub(crate) fn put(arguments: &mut Json, path: &[String], value: Option<Json>) {
    let Some((name, rest)) = path.split_first() else { return };
    let Json::Object(object) = arguments else { return };
    match (rest, value) {
        ([], None) => drop(object.remove(name)),
        ([], Some(value)) => drop(object.insert(name.clone(), value)),
        ([..], value) => {
            if object.get(name).and_then(Json::as_object).is_none() {
                if value.is_none() {
                    return;
                }
                object.insert(name.clone(), Object::new());
            }
            if let Some(inside) = object.get_mut(name) {
                put(inside, rest, value);
            }
        }
    }
}
