//! Policy tests as they may stand in a file: what the models of the property test are made of.

use super::*;
use crate::{
    cost::Amount,
    decision::Code,
    json::{Json, Number, Object},
    names::Unit,
    policy::config::{Expected, PolicyTest, Proposed, Word},
    time::Timestamp,
};

/// Any value but null, which TOML cannot say.
fn value() -> impl Strategy<Value = Json> {
    let number = prop_oneof![
        any::<i64>().prop_map(Json::from),
        any::<i32>().prop_map(|eighths| {
            Json::Number(Number::parse(&(f64::from(eighths) / 8.0).to_string()).unwrap())
        }),
        Just(Json::Number(Number::parse("1.5e-7").unwrap())),
    ];
    let leaf = prop_oneof![any::<bool>().prop_map(Json::from), text().prop_map(Json::from), number];
    leaf.prop_recursive(3, 12, 3, |inside| {
        prop_oneof![
            collection::vec(inside.clone(), 0..3).prop_map(Json::from),
            object(inside).prop_map(Json::Object)
        ]
    })
}

fn object(value: impl Strategy<Value = Json>) -> impl Strategy<Value = Object> {
    let key = text().prop_map(|key| key.chars().take(20).collect::<String>());
    collection::btree_map(key, value, 0..3).prop_map(|members| members.into_iter().collect())
}

fn given() -> impl Strategy<Value = Proposed> {
    let labels = collection::btree_set("[a-z]{1,4}", 0..3);
    let at = prop_oneof![Just(Proposed::AT), (0..4_000_000_000_000_u64).prop_map(|ms| Timestamp(ms * 1_000))];
    let cost = collection::btree_map("[d-z]{1,4}", 0..u64::from(u32::MAX), 0..2);
    (object(value()), 1..i64::MAX as u64, labels, at, any::<bool>(), cost).prop_map(
        |(arguments, steps, labels, at, dry_run, cost)| Proposed {
            arguments: Json::Object(arguments),
            steps: if dry_run { 1 } else { steps },
            labels: labels.iter().map(|label| name(label)).collect(),
            at,
            dry_run,
            cost: cost
                .into_iter()
                .filter(|(unit, _)| !["time", "errors", "seconds"].contains(&unit.as_str()))
                .map(|(unit, amount)| (name::<Unit>(&unit), Amount(amount)))
                .collect(),
            ..Proposed::new(name("nobody"), name("none/none"))
        },
    )
}

fn want() -> impl Strategy<Value = Expected> {
    let controls = option::of(collection::btree_set(control(), 0..3));
    let code = option::of(sample::select(&Code::ALL[..]));
    (sample::select(&Word::ALL[..]), code, controls, collection::vec(text(), 0..3)).prop_map(
        |(decision, code, controls, by)| Expected {
            decision,
            code: code.filter(|_| decision == Word::Deny),
            controls: controls.filter(|_| decision == Word::Ask),
            by,
        },
    )
}

/// Tests, each with what picks its agent and its tool.
pub(super) fn policy_tests() -> impl Strategy<Value = Vec<(sample::Index, PolicyTest)>> {
    let test = (any::<sample::Index>(), given(), want());
    collection::vec(test, 0..3).prop_map(|tests| {
        let numbered = tests.into_iter().enumerate();
        numbered
            .map(|(at, (pick, given, want))| {
                (pick, PolicyTest { name: format!("test \"{at}\" # '\\ é"), given, want, line: 1 })
            })
            .collect()
    })
}
