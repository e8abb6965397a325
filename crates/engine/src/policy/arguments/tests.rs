//! Awkward schemas and awkward values: which kind each place has, and what becomes of each value.

mod property;
mod schemas;
mod values;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, Policy, PolicyId, PolicySet, Request,
    RestrictedExpression, Schema as CedarSchema,
};
use serde_json::{Value, json as cedar_json};

use super::*;
use crate::json::{Limits, Object, parse};

fn json(text: &str) -> Json {
    parse(text.as_bytes(), &Limits::EDGE).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn record(schema: &str) -> Record {
    Record::of_schema(&json(schema)).unwrap_or_else(|error| panic!("{error}: {schema}"))
}

/// The record of a tool with one argument `a` of this schema, and definitions beside it.
fn one(schema: &str, beside: &str) -> Kind {
    let whole = format!(r#"{{"type":"object","properties":{{"a":{schema}}}{beside}}}"#);
    record(&whole).members.remove("a").unwrap_or_else(|| panic!("no `a`: {whole}")).kind
}

/// A record on one line: `{a: Text, b?: Set<Whole>, ..}`, with `..` where it is open.
fn told(record: &Record) -> String {
    let mut parts: Vec<_> = record
        .members
        .iter()
        .map(|(name, member)| {
            let mark = if member.required { "" } else { "?" };
            format!("{name}{mark}: {}", told_kind(&member.kind))
        })
        .collect();
    parts.extend(record.open.then(|| "..".to_owned()));
    format!("{{{}}}", parts.join(", "))
}

fn told_kind(kind: &Kind) -> String {
    match kind {
        Kind::Set(items) => format!("Set<{}>", told_kind(items)),
        Kind::Record(record) => told(record),
        Kind::Opaque(why) => format!("{why:?}"),
        Kind::Bool | Kind::Whole | Kind::Decimal | Kind::Micros | Kind::Text => format!("{kind:?}"),
    }
}

fn path(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// All of a record that can be read.
fn all(record: &Record) -> Record {
    record.narrowed(&Reads::from_iter([Vec::new()]))
}

fn uid(text: &str) -> EntityUid {
    text.parse().unwrap()
}

/// A Cedar schema of one action whose context has these arguments.
fn cedar_schema(narrowed: &Record) -> CedarSchema {
    let context = cedar_json!({ "type": "Record", "attributes": { "args": narrowed.cedar_type() } });
    let applies =
        cedar_json!({ "principalTypes": ["Agent"], "resourceTypes": ["Server"], "context": context });
    CedarSchema::from_json_value(cedar_json!({ "": {
        "entityTypes": { "Agent": {}, "Server": {} }, "actions": { "t": { "appliesTo": applies } } } }))
    .unwrap_or_else(|error| panic!("{:?}", miette(&error)))
}

fn miette(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

fn request(args: RestrictedExpression, schema: &CedarSchema) -> Result<Request, String> {
    let context = Context::from_pairs([("args".to_owned(), args)]).map_err(|error| miette(&error))?;
    Request::new(uid(r#"Agent::"a""#), uid(r#"Action::"t""#), uid(r#"Server::"s""#), context, Some(schema))
        .map_err(|error| miette(&error))
}

/// Whether the condition holds, an expression in Cedar's own JSON form.
fn holds(request: &Request, condition: Value) -> bool {
    let policy = cedar_json!({ "effect": "permit", "principal": { "op": "All" }, "action": { "op": "All" },
        "resource": { "op": "All" }, "conditions": [{ "kind": "when", "body": condition }] });
    let policy = Policy::from_json(Some(PolicyId::new("p")), policy).unwrap();
    let set = PolicySet::from_policies([policy]).unwrap();
    let response = Authorizer::new().is_authorized(request, &set, &Entities::empty());
    assert_eq!(response.diagnostics().errors().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
    response.decision() == Decision::Allow
}

/// `context.args` and so on down the path.
fn place(path: &[String]) -> Value {
    let args = cedar_json!({ ".": { "left": { "Var": "context" }, "attr": "args" } });
    path.iter().fold(args, |left, name| cedar_json!({ ".": { "left": left, "attr": name } }))
}

fn has(path: &[String]) -> Value {
    let (last, before) = path.split_last().unwrap();
    cedar_json!({ "has": { "left": place(before), "attr": last } })
}

fn equals(path: &[String], literal: Value) -> Value {
    cedar_json!({ "==": { "left": place(path), "right": literal } })
}

fn decimal_literal(text: &str) -> Value {
    cedar_json!({ "decimal": [{ "Value": text }] })
}
