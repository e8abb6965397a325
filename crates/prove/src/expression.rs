//! Expressions in Cedar's JSON syntax, as far as questions need them.
//!
//! Built as trees, like the engine's own policies, and never by pasting text. Not here: what is asked.

use serde_json::{Value, json};

/// `context.A.B`
pub(crate) fn context(path: &[&str]) -> Value {
    path.iter().fold(json!({ "Var": "context" }), |left, attr| json!({ ".": { "left": left, "attr": attr } }))
}

/// `context.A has B`, for each member of the path that may be missing; none if all are always there.
pub(crate) fn present(path: &[&str], optional: &[bool]) -> Option<Value> {
    let asked = optional.iter().enumerate().filter(|(_, optional)| **optional).filter_map(|(at, _)| {
        let (attr, left) = path.get(..=at)?.split_last()?;
        Some(json!({ "has": { "left": context(left), "attr": attr } }))
    });
    asked.reduce(both)
}

pub(crate) fn contains(set: Value, item: &str) -> Value {
    json!({ "contains": { "left": set, "right": { "Value": item } } })
}

pub(crate) fn one_of(items: &[Value], value: &Value) -> Value {
    json!({ "contains": { "left": { "Set": items }, "right": value } })
}

pub(crate) fn literal(value: impl Into<Value>) -> Value {
    json!({ "Value": value.into() })
}

/// A decimal, which is written with a point.
pub(crate) fn decimal(text: &str) -> Value {
    let text = if text.contains('.') { text.to_owned() } else { format!("{text}.0") };
    json!({ "decimal": [{ "Value": text }] })
}

pub(crate) fn at_most(less: Value, more: Value) -> Value {
    json!({ "<=": { "left": less, "right": more } })
}

pub(crate) fn at_most_decimal(less: Value, more: Value) -> Value {
    json!({ "lessThanOrEqual": [less, more] })
}

pub(crate) fn not(value: Value) -> Value {
    json!({ "!": { "arg": value } })
}

pub(crate) fn both(left: Value, right: Value) -> Value {
    json!({ "&&": { "left": left, "right": right } })
}

pub(crate) fn either(left: Value, right: Value) -> Value {
    json!({ "||": { "left": left, "right": right } })
}

/// What must be true where `present` is: true of each call in which the place is empty. Written with `if`, since Cedar
/// takes a member for present only behind a `has` that holds.
pub(crate) fn where_present(present: Option<Value>, value: Value) -> Value {
    match present {
        Some(present) => json!({ "if-then-else": { "if": present, "then": value, "else": literal(true) } }),
        None => value,
    }
}

/// A policy that refuses everything of which this is not true.
pub(crate) fn only_where(value: &Value) -> Value {
    json!({
        "effect": "forbid", "principal": { "op": "All" }, "action": { "op": "All" }, "resource": { "op": "All" },
        "conditions": [{ "kind": "unless", "body": value }],
    })
}
