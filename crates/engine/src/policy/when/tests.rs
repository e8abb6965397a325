//! What conditions are tested with: tools, and Cedar itself.
//!
//! Every condition that is lowered here goes through Cedar's strict validator, under a schema that holds
//! nothing but what the condition says that it reads. So a place that is read and not reported cannot pass.
//!
//! `reading` is about texts, `typing` about tools, `agreement` about random conditions over random calls.

mod agreement;
mod reading;
mod typing;

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, Policy, PolicySet, Request, RestrictedExpression,
    Schema, ValidationMode, ValidationWarning, Validator,
};
use serde_json::{Map, Value, json};

use super::{
    super::arguments::{Kind, Member, Opaque, Record},
    *,
};
use crate::json::{Json, Limits, Number, parse};

/// A record that is closed: names with `?` may be absent.
fn record<'a>(members: impl IntoIterator<Item = (&'a str, Kind)>) -> Record {
    let members = members.into_iter().map(|(name, kind)| {
        let required = !name.ends_with('?');
        (name.trim_end_matches('?').to_owned(), Member { kind, required })
    });
    Record { members: members.collect(), open: false }
}

fn set(items: Kind) -> Kind {
    Kind::Set(Box::new(items))
}

/// A tool that refunds, and what the boundary knows of its calls.
fn refund() -> Record {
    let address = Record { open: true, ..record([("city", Kind::Text), ("zip?", Kind::Text)]) };
    let args = record([
        ("amount", Kind::Decimal),
        ("limit", Kind::Decimal),
        ("count", Kind::Whole),
        ("most", Kind::Whole),
        ("currency", Kind::Text),
        ("e-mail", Kind::Text),
        ("sure", Kind::Bool),
        ("to", set(Kind::Text)),
        ("cc", set(Kind::Text)),
        ("sums", set(Kind::Decimal)),
        ("note?", Kind::Text),
        ("tags?", set(Kind::Text)),
        ("address", Kind::Record(address.clone())),
        ("home?", Kind::Record(address)),
        ("lines", set(Kind::Record(record([("price", Kind::Decimal)])))),
        ("meta", Kind::Opaque(Opaque::FreeObject)),
        ("either?", Kind::Opaque(Opaque::Union)),
        ("any", Kind::Opaque(Opaque::Untyped)),
        ("tree", Kind::Opaque(Opaque::Recursive)),
    ]);
    let session = record([("labels", set(Kind::Text)), ("steps", Kind::Whole), ("spend", Kind::Micros)]);
    let call = record([("cost?", Kind::Micros), ("extra", Kind::Bool)]);
    record([("args", Kind::Record(args)), ("session", Kind::Record(session)), ("call", Kind::Record(call))])
}

fn names(names: &[&str]) -> BTreeSet<MatchName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn when(text: &str) -> When {
    When::parse(text).unwrap_or_else(|error| panic!("{text}: {error} at {:?}", error.span))
}

/// The condition over a tool, which Cedar accepts.
fn lowered(text: &str, root: &Record) -> Condition {
    let matches = names(&["internal_mail", "pii"]);
    let lowered = when(text).lower(&Scope { root, matches: &matches });
    let condition = lowered.unwrap_or_else(|errors| panic!("{text}: {errors:#?}"));
    Cedar::of(&condition, root).accepts(&condition);
    condition
}

/// What Cedar prints of an expression.
fn printed(body: &Value) -> String {
    let text = policy(body).to_cedar().unwrap();
    let body = text.split_once("when {").unwrap().1.trim_end().trim_end_matches("};");
    body.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace("( ", "(")
        .replace(" )", ")")
        .replace("context.", "")
}

fn policy(body: &Value) -> Policy {
    let est = json!({ "effect": "permit", "principal": { "op": "All" }, "action": { "op": "All" },
        "resource": { "op": "All" }, "conditions": [{ "kind": "when", "body": body }] });
    Policy::from_json(None, est.clone()).unwrap_or_else(|error| panic!("{error:?}: {est}"))
}

/// Cedar, with a context of what one condition reads.
struct Cedar {
    root: Record,
    schema: Schema,
}

impl Cedar {
    fn of(condition: &Condition, root: &Record) -> Self {
        let root = pruned(root, &mut Vec::new(), &condition.reads);
        let mut context = cedar_record(&root);
        if !condition.matches.is_empty() {
            let matches = json!({ "type": "Set", "element": { "type": "String" }, "required": true });
            context["attributes"]["matches"] = matches;
        }
        let schema = json!({ "": { "entityTypes": { "One": {} }, "actions": { "call": { "appliesTo": {
            "principalTypes": ["One"], "resourceTypes": ["One"], "context": context } } } } });
        Self { root, schema: Schema::from_json_value(schema).unwrap() }
    }

    /// Fails unless both expressions are valid by the strict rules. A condition that can never hold may stand.
    fn accepts(&self, condition: &Condition) {
        for body in [Some(&condition.body), condition.missing.as_ref()].into_iter().flatten() {
            let set = PolicySet::from_policies([policy(body)]).unwrap();
            let result = Validator::new(self.schema.clone()).validate(&set, ValidationMode::Strict);
            let errors: Vec<String> = result.validation_errors().map(ToString::to_string).collect();
            assert!(errors.is_empty(), "{errors:?}: {}", printed(body));
            for warning in result.validation_warnings() {
                assert!(
                    matches!(warning, ValidationWarning::ImpossiblePolicy(_)),
                    "{warning}: {}",
                    printed(body)
                );
            }
        }
    }

    /// What an expression says of a call.
    fn says(&self, body: &Value, call: &Json, matches: Option<&BTreeSet<MatchName>>) -> bool {
        let members = self.root.members.iter().filter_map(|(name, member)| {
            Some((name.clone(), cedar_value(&member.kind, present(call, name)?)))
        });
        let matches = matches.map(|names| {
            let names = names.iter().map(|name| RestrictedExpression::new_string(name.to_string()));
            ("matches".to_owned(), RestrictedExpression::new_set(names))
        });
        let context = Context::from_pairs(members.chain(matches)).unwrap();
        let uid = |text: &str| text.parse::<EntityUid>().unwrap();
        let request = Request::new(
            uid("One::\"p\""),
            uid("Action::\"call\""),
            uid("One::\"r\""),
            context,
            Some(&self.schema),
        );
        let set = PolicySet::from_policies([policy(body)]).unwrap();
        let response = Authorizer::new().is_authorized(&request.unwrap(), &set, &Entities::empty());
        let errors: Vec<String> = response.diagnostics().errors().map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{errors:?}: {} over {call}", printed(body));
        response.decision() == Decision::Allow
    }
}

/// The part of a record that these places are in.
fn pruned(record: &Record, above: &mut Vec<String>, reads: &BTreeSet<Vec<String>>) -> Record {
    let mut members = BTreeMap::new();
    for (name, member) in &record.members {
        above.push(name.clone());
        if reads.iter().any(|place| place.starts_with(above)) {
            let kind = match &member.kind {
                Kind::Record(record) => Kind::Record(pruned(record, above, reads)),
                Kind::Bool
                | Kind::Whole
                | Kind::Decimal
                | Kind::Micros
                | Kind::Text
                | Kind::Set(_)
                | Kind::Opaque(_) => member.kind.clone(),
            };
            members.insert(name.clone(), Member { kind, required: member.required });
        }
        above.pop();
    }
    Record { members, open: false }
}

fn cedar_record(record: &Record) -> Value {
    let attributes = record.members.iter().map(|(name, member)| {
        let mut kind = cedar_type(&member.kind);
        kind["required"] = json!(member.required);
        (name.clone(), kind)
    });
    json!({ "type": "Record", "attributes": attributes.collect::<Map<_, _>>() })
}

fn cedar_type(kind: &Kind) -> Value {
    match kind {
        Kind::Bool => json!({ "type": "Boolean" }),
        Kind::Whole | Kind::Micros => json!({ "type": "Long" }),
        Kind::Decimal => json!({ "type": "Extension", "name": "decimal" }),
        Kind::Text => json!({ "type": "String" }),
        Kind::Set(items) => json!({ "type": "Set", "element": cedar_type(items) }),
        Kind::Record(record) => cedar_record(record),
        Kind::Opaque(why) => panic!("a rule reads what is {why:?}"),
    }
}

/// A member that is there: `null` is read as absence.
fn present<'a>(value: &'a Json, name: &str) -> Option<&'a Json> {
    value.get(name).filter(|member| !member.is_null())
}

fn cedar_value(kind: &Kind, value: &Json) -> RestrictedExpression {
    match (kind, value) {
        (Kind::Bool, Json::Bool(truth)) => RestrictedExpression::new_bool(*truth),
        (Kind::Whole | Kind::Micros, Json::Number(Number::Integer(number))) => {
            RestrictedExpression::new_long(*number)
        }
        (Kind::Decimal, Json::Number(Number::Integer(number))) => {
            RestrictedExpression::new_decimal(format!("{number}.0"))
        }
        (Kind::Decimal, Json::Number(Number::Decimal(_))) => {
            RestrictedExpression::new_decimal(value.to_string())
        }
        (Kind::Text, Json::String(text)) => RestrictedExpression::new_string(text.clone()),
        (Kind::Set(kind), Json::Array(items)) => {
            RestrictedExpression::new_set(items.iter().map(|item| cedar_value(kind, item)))
        }
        (Kind::Record(record), Json::Object(_)) => {
            let members = record.members.iter().filter_map(|(name, member)| {
                Some((name.clone(), cedar_value(&member.kind, present(value, name)?)))
            });
            RestrictedExpression::new_record(members).unwrap()
        }
        (kind, value) => panic!("{value} is no {kind:?}"),
    }
}

fn call(text: &str) -> Json {
    parse(text.as_bytes(), &Limits::EDGE).unwrap_or_else(|error| panic!("{error}: {text}"))
}
