//! Random schemas with random values: what is converted is what was said, and Cedar takes it.

use proptest::{collection, prelude::*, sample};

use super::*;
use crate::{json::Number, schema::Schema};

const NAMES: [&str; 8] = ["a", "b", "x-y", "", "__entity", "__extn", "🦀", "in"];

/// Definitions that all schemas here may refer to.
const DEFS: &str = r##"{"text":{"type":"string"},"point":{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"integer"}},
    "required":["a"]},"tree":{"type":"object","properties":{"a":{"type":"string"},"b":{"$ref":"#/$defs/tree"}}}}"##;

fn object(members: Vec<(&'static str, Json)>) -> Json {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Object>().into()
}

fn schemas() -> impl Strategy<Value = Json> {
    const TYPES: [&str; 7] = ["boolean", "integer", "number", "string", "null", "array", "object"];
    let leaf = prop_oneof![
        8 => sample::select(&TYPES[..5]).prop_map(|name| object(vec![("type", name.into())])),
        2 => sample::subsequence(&TYPES[..], 1..3)
            .prop_map(|names| object(vec![("type", names.into_iter().map(Json::from).collect::<Vec<_>>().into())])),
        2 => collection::vec(values(), 1..3).prop_map(|values| object(vec![("enum", values.into())])),
        1 => values().prop_map(|value| object(vec![("const", value)])),
        1 => any::<bool>().prop_map(Json::from),
        1 => Just(object(vec![])),
        2 => sample::select(vec!["#/$defs/text", "#/$defs/point", "#/$defs/tree"])
            .prop_map(|to| object(vec![("$ref", to.into())])),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let one = inner.clone();
        prop_oneof![
            4 => objects(inner.clone()),
            2 => inner.clone().prop_map(|items| object(vec![("type", "array".into()), ("items", items)])),
            1 => inner.clone().prop_map(|items| object(vec![("prefixItems", vec![items].into())])),
            3 => (sample::select(vec!["allOf", "anyOf", "oneOf"]), collection::vec(inner.clone(), 1..4))
                .prop_map(|(key, parts)| object(vec![(key, parts.into())])),
            1 => (objects(inner.clone()), sample::select(vec!["allOf", "anyOf", "oneOf"]), collection::vec(objects(inner.clone()), 1..3))
                .prop_map(|(mut whole, key, parts)| {
                    if let Some(whole) = whole.as_object_mut() {
                        whole.insert(key, parts);
                    }
                    whole
                }),
            1 => (objects(inner.clone()), objects(inner.clone()), objects(inner), one, 0..4_usize).prop_map(
                |(mut whole, condition, then, otherwise, which)| {
                    if let Some(whole) = whole.as_object_mut() {
                        whole.insert("if", condition);
                        if which & 1 == 1 {
                            whole.insert("then", then);
                        }
                        if which & 2 == 2 {
                            whole.insert("else", otherwise);
                        }
                    }
                    whole
                }
            ),
        ]
    })
}

fn objects(inner: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    let members = collection::vec((sample::select(&NAMES[..]), inner), 1..6);
    let required = prop_oneof![3 => Just(vec![]), 1 => sample::subsequence(&NAMES[..], 1..2)];
    (members, required, 0..6_usize, any::<bool>()).prop_map(|(members, required, additional, typed)| {
        let mut whole = Object::from([("properties", object(members))]);
        if typed {
            whole.insert("type", "object");
        }
        whole.insert("required", required.into_iter().map(Json::from).collect::<Vec<_>>());
        match additional {
            0 => drop(whole.insert("additionalProperties", true)),
            1 => drop(whole.insert("additionalProperties", object(vec![("type", "string".into())]))),
            2 => drop(whole.insert("unevaluatedProperties", object(vec![("type", "integer".into())]))),
            3 => drop(whole.insert("additionalProperties", false)),
            _ => {}
        }
        whole.into()
    })
}

fn numbers() -> impl Strategy<Value = Json> {
    prop_oneof![
        any::<i64>().prop_map(Json::from),
        (-5..5_i64).prop_map(Json::from),
        (any::<i32>(), 0..7_u32).prop_map(|(digits, places)| json(&format!("{digits}e-{places}"))),
        (-1e15..1e15_f64).prop_filter_map("it is written otherwise", |double| {
            Number::parse(&double.to_string()).ok().map(Json::Number)
        }),
    ]
}

fn values() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        numbers(),
        sample::select(vec!["", "a", "decimal(\"1.0\")", "\0"]).prop_map(Json::from),
        any::<String>().prop_map(Json::from),
    ]
}

/// A value that has a good chance to fit the schema.
fn fitting(schema: &Json, depth: usize) -> BoxedStrategy<Json> {
    let defs = json(DEFS);
    let schema = match schema.get("$ref").and_then(Json::as_str).and_then(|to| to.rsplit('/').next()) {
        Some(name) => defs.get(name).cloned().unwrap(),
        None => schema.clone(),
    };
    let mut options: Vec<BoxedStrategy<Json>> = Vec::new();
    for key in ["allOf", "anyOf", "oneOf"] {
        let parts = schema.get(key).and_then(Json::as_array).unwrap_or_default();
        options.extend(parts.iter().map(|part| fitting(part, depth)));
    }
    let listed = schema.get("enum").and_then(Json::as_array).unwrap_or_default();
    options.extend(listed.iter().chain(schema.get("const")).map(|value| Just(value.clone()).boxed()));
    if let Some(items) = schema.get("items").filter(|_| depth > 0) {
        options.push(collection::vec(fitting(items, depth - 1), 0..4).prop_map(Json::from).boxed());
    }
    if depth > 0 && (schema.get("properties").is_some() || schema.get("type") == Some(&"object".into())) {
        let mut declared: Vec<(String, Json)> = Vec::new();
        let branches = ["allOf", "anyOf", "oneOf"].into_iter();
        let branches = branches.flat_map(|key| schema.get(key).and_then(Json::as_array).unwrap_or_default());
        let branches = branches.chain(["then", "else"].into_iter().filter_map(|key| schema.get(key)));
        for part in std::iter::once(&schema).chain(branches) {
            let members = part.get("properties").and_then(Json::as_object).into_iter().flat_map(Object::iter);
            declared.extend(members.map(|(name, below)| (name.to_owned(), below.clone())));
        }
        let members: Vec<_> = declared
            .into_iter()
            .map(|(name, below)| (Just(name), proptest::option::weighted(0.8, fitting(&below, depth - 1))))
            .collect();
        let strategy = members.prop_map(|members| {
            Json::from(
                members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect::<Object>(),
            )
        });
        options.push(strategy.boxed());
    }
    match schema.get("type").and_then(Json::as_str) {
        Some("boolean") => options.push(any::<bool>().prop_map(Json::from).boxed()),
        Some("integer" | "number") => options.push(numbers().boxed()),
        Some("string") => options.push(any::<String>().prop_map(Json::from).boxed()),
        _ => {}
    }
    if options.is_empty() {
        options.push(values().boxed());
    }
    proptest::strategy::Union::new(options).boxed()
}

/// A tool's schema and arguments that may fit it.
fn calls() -> impl Strategy<Value = (Json, Json)> {
    objects(schemas()).prop_flat_map(|mut schema| {
        schema.as_object_mut().unwrap().insert("$defs", json(DEFS));
        let arguments = fitting(&schema, 4);
        (Just(schema), arguments)
    })
}

/// Every scalar of the record with the value that stands there, by path; and every member that is not there.
fn scalars<'a>(
    record: &'a Record,
    value: &'a Json,
    path: &mut Vec<String>,
    see: &mut impl FnMut(&[String], &'a Kind, Option<&'a Json>),
) {
    for (name, member) in &record.members {
        path.push(name.clone());
        let below = value.get(name).filter(|below| !below.is_null());
        match (&member.kind, below) {
            (Kind::Record(inner), Some(below)) => scalars(inner, below, path, see),
            (kind, below) => see(path, kind, below),
        }
        path.pop();
    }
}

/// The literal of a scalar, and of one that is nearly the same.
fn literals(kind: &Kind, value: &Json) -> Option<(Value, Value)> {
    match (kind, value) {
        (Kind::Bool, Json::Bool(truth)) => {
            Some((cedar_json!({ "Value": truth }), cedar_json!({ "Value": !truth })))
        }
        (Kind::Whole, value) => {
            let whole = value.as_i64()?;
            Some((cedar_json!({ "Value": whole }), cedar_json!({ "Value": whole ^ 1 })))
        }
        (Kind::Text, Json::String(text)) => {
            Some((cedar_json!({ "Value": text }), cedar_json!({ "Value": format!("{text} ") })))
        }
        (Kind::Decimal, Json::Number(number)) => {
            let text = number.to_string();
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            let padded = format!("{fraction:0<4}");
            let units: i64 = format!("{whole}{padded}").parse().ok()?;
            let near = format!("{:05}", (units ^ 1).unsigned_abs());
            let (head, tail) = near.split_at(near.len() - 4);
            let sign = if units ^ 1 < 0 { "-" } else { "" };
            Some((
                decimal_literal(&format!("{whole}.{padded}")),
                decimal_literal(&format!("{sign}{head}.{tail}")),
            ))
        }
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn what_cedar_is_told_is_what_was_said((schema, arguments) in calls()) {
        let compiled = Schema::compile(&schema);
        prop_assume!(compiled.is_ok_and(|compiled| compiled.check(&arguments).is_ok()));
        let narrowed = all(&Record::of_schema(&schema).unwrap());
        let cedar = cedar_schema(&narrowed);
        if let Ok(args) = context(&narrowed, &arguments) {
            let request = request(args, &cedar);
            prop_assert!(request.is_ok(), "{request:?}");
            let request = request.unwrap();
            let mut wrong = Vec::new();
            scalars(&narrowed, &arguments, &mut Vec::new(), &mut |path, kind, value| match value {
                None if holds(&request, has(path)) => wrong.push(format!("{path:?} is not there")),
                None => {}
                Some(value) => {
                    if let Some((same, near)) = literals(kind, value)
                        && (!holds(&request, equals(path, same)) || holds(&request, equals(path, near)))
                    {
                        wrong.push(format!("{path:?} is {value}"));
                    }
                }
            });
            prop_assert!(wrong.is_empty(), "{wrong:?}");
        }
    }

    /// Only numbers that have no exact form, and what an alternative lets through that another one declares,
    /// are refused: where nothing is combined, types never are.
    #[test]
    fn a_plain_schema_never_leads_to_a_value_of_another_type((schema, arguments) in calls()) {
        let text = schema.to_string();
        prop_assume!(!["anyOf", "oneOf", "\"if\"", "unevaluated"].iter().any(|key| text.contains(key)));
        let compiled = Schema::compile(&schema);
        prop_assume!(compiled.is_ok_and(|compiled| compiled.check(&arguments).is_ok()));
        let narrowed = all(&Record::of_schema(&schema).unwrap());
        if let Err(error) = context(&narrowed, &arguments) {
            let is_number = matches!(error.why, Why::TooPrecise { .. } | Why::TooFar);
            // An object is meant where members are declared without a type.
            let is_meant = matches!(error.why, Why::Mistyped { wanted: "an object", .. } | Why::Missing);
            prop_assert!(is_number || is_meant, "{error}");
        }
    }

    #[test]
    fn any_value_under_any_record_is_judged_or_refused((schema, _) in calls(), (_, arguments) in calls()) {
        let record = Record::of_schema(&schema).unwrap();
        drop(context(&record, &arguments));
        let narrowed = all(&record);
        if let Ok(args) = context(&narrowed, &arguments) {
            let request = request(args, &cedar_schema(&narrowed));
            prop_assert!(request.is_ok(), "{request:?}");
        }
    }
}
