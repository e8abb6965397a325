//! Terms as they may stand in a file: what the models of the property test are made of.

use super::{
    super::super::terms::{
        Budget, BudgetScope, Durability, Flush, Key, Measure, Once, Over, Payloads, Reconcile, SessionTerms,
        Tool, Trip, TripCount,
    },
    *,
};
use crate::{
    cost::{Amount, Expression, Path},
    names::Unit,
    window::{Calendar, Window},
};

pub(super) fn path(root: &'static str) -> impl Strategy<Value = Path> {
    let quoted = text().prop_map(|text| {
        let mut quoted = String::new();
        crate::json::write_string(&text.chars().take(20).collect::<String>(), &mut quoted);
        format!("[{quoted}]")
    });
    let step = prop_oneof!["[.][a-z_][a-z0-9_]{0,4}", "\\[[0-9]\\]", quoted];
    collection::vec(step, 0..3).prop_map(move |steps| name(&format!("{root}{}", steps.concat())))
}

fn cost() -> impl Strategy<Value = Expression> {
    let term = (0u8..3, path("args"), any::<u32>()).prop_map(|(kind, path, number)| match kind {
        0 => Amount(number.into()).to_string(),
        1 => format!("{path} * {}", Amount(number.into())),
        _ => format!("len({path})"),
    });
    collection::vec(term, 1..3).prop_map(|terms| name(&terms.join(" + ")))
}

fn seconds(least: u64, days: u64) -> impl Strategy<Value = Duration> {
    let most = days * 24 * 60 * 60;
    prop_oneof![least..=most, (least.div_ceil(3600).max(1)..=days * 24).prop_map(|hours| hours * 3600)]
        .prop_map(Duration::from_secs)
}

fn unit() -> impl Strategy<Value = Unit> {
    sample::select(&["usd", "tokens", "recipients", "rows", "gpu_minutes"][..]).prop_map(name)
}

fn once() -> impl Strategy<Value = Once> {
    let by = prop_oneof![
        Just(Key::Sent),
        Just(Key::Required),
        Just(Key::Derived),
        collection::vec(path("args"), 1..3).prop_map(Key::By),
    ];
    let argument = text().prop_map(|text| text.chars().take(40).collect::<String>());
    let reconcile = (collection::btree_map(argument, path("args"), 0..2), path("result"))
        .prop_map(|(arguments, happened)| Reconcile { tool: name("put.in.later"), arguments, happened });
    (by, seconds(24 * 60 * 60, 365), any::<bool>(), option::of(filled()), option::of(reconcile)).prop_map(
        |(by, within, usual, forward, reconcile)| {
            let default = match by {
                Key::Sent | Key::Required => Once::WITHIN,
                Key::Derived => Once::DERIVED_WITHIN,
                Key::By(_) => Once::BY_WITHIN,
            };
            Once { by, within: if usual { default } else { within }, forward, reconcile }
        },
    )
}

fn tool() -> impl Strategy<Value = Tool> {
    let cost = collection::btree_map(unit(), cost(), 0..2);
    let limits = (option::of(1..=Tool::RESULT_MOST), option::of(seconds(1, 1)));
    let labels = collection::btree_set("[a-z][a-z0-9_-]{0,5}".prop_map(|label| name(&label)), 0..3);
    let level = || sample::select(&Level::ALL[..]);
    let told = (level(), cost, option::of(path("result")), once(), any::<(bool, bool)>(), labels, limits);
    let told =
        told.prop_map(|(level, cost, actual, once, (repeat, canary), labels, (result_max, deadline))| Tool {
            level,
            actual: cost.keys().cloned().zip(actual).collect(),
            cost,
            once,
            repeat,
            labels,
            canary,
            result_max: result_max.unwrap_or(Tool::RESULT_MAX),
            deadline: deadline.unwrap_or(Tool::DEADLINE),
        });
    prop_oneof![level().prop_map(Tool::from), told]
}

/// Tools of a server and whether it is trusted: look-ups are of the same server and only read, and results
/// are believed only where they may be.
pub(super) fn tools() -> impl Strategy<Value = (BTreeMap<ToolName, At<Tool>>, bool)> {
    let tools = collection::btree_map("[a-zA-Z0-9_./-]{1,12}", (tool(), 0usize..100), 0..5);
    (tools, any::<bool>()).prop_map(|(tools, trusted)| {
        let reads = tools.iter().find(|(_, (tool, _))| tool.level == Level::Read);
        let reads = reads.map(|(tool, _)| name::<ToolName>(tool));
        let listed = tools.into_iter().map(|(tool, (mut value, line))| {
            value.actual.retain(|_, _| trusted);
            let reconcile = value.once.reconcile.zip(reads.clone());
            value.once.reconcile = reconcile.map(|(reconcile, tool)| Reconcile { tool, ..reconcile });
            (name(&tool), At { value, line })
        });
        (listed.collect(), trusted)
    })
}

/// A budget without its scope, which refers to the rest of a model.
pub(super) fn budget() -> impl Strategy<Value = Budget> {
    let zones = sample::select(&["UTC", "Europe/Lisbon", "America/Argentina/Buenos_Aires"][..]);
    let per = prop_oneof![
        Just(Window::Session),
        Just(Window::Total),
        (sample::select(&Calendar::ALL[..]), zones)
            .prop_map(|(calendar, zone)| Window::Fixed(calendar, name(zone))),
        seconds(60, 365).prop_map(Window::Rolling),
    ];
    let whole = || (1..=9_000_000_000_000_u64).prop_map(Amount::whole);
    let measure = prop_oneof![
        (Just(Measure::Calls), whole()),
        (Just(Measure::Errors), whole()),
        (Just(Measure::Bytes), whole()),
        (Just(Measure::Time), (1..=365 * 24 * 60 * 60_u64).prop_map(Amount::whole)),
        (unit().prop_map(Measure::Cost), whole()),
        (unit().prop_map(Measure::Cost), (1..=Amount::MAX.0).prop_map(Amount)),
    ];
    let over = prop_oneof![Just(Over::Deny), control().prop_map(Over::Ask)];
    let warn = prop_oneof![
        Just(Budget::WARN.to_vec()),
        collection::btree_set(1..=100_u8, 0..4).prop_map(|percents| percents.into_iter().collect()),
    ];
    let called = prop_oneof!["[a-z]{1,3}", "[a-zé\"'#\\\\]{1,8}"].prop_map(|text| name(&text));
    (called, per, measure, over, warn, any::<bool>()).prop_map(
        |(name, per, (measure, cap), over, warn, unpriced)| {
            let unpriced_denied = unpriced && matches!(measure, Measure::Cost(_));
            Budget { name, scope: BudgetScope::All, per, measure, cap, over, warn, unpriced_denied, line: 11 }
        },
    )
}

/// A trip for each agent.
pub(super) fn trip() -> impl Strategy<Value = Trip> {
    let counts = prop_oneof![
        (Just(TripCount::Denials), (1..=100_u64).prop_map(Amount::whole)),
        (Just(TripCount::Loops), (1..=100_u64).prop_map(Amount::whole)),
        (unit().prop_map(TripCount::Spend), (1..=Amount::MAX.0).prop_map(Amount)),
    ];
    ("[a-z]{1,3}", counts, seconds(1, 31)).prop_map(|(text, (counts, at), within)| Trip {
        name: name(&text),
        agent: None,
        counts,
        within,
        at,
        line: 12,
    })
}

pub(super) fn session() -> impl Strategy<Value = SessionTerms> {
    let told =
        (seconds(1, 365), seconds(1, 365)).prop_map(|(a, b)| SessionTerms { idle: a.min(b), max: a.max(b) });
    prop_oneof![Just(SessionTerms::default()), told]
}

/// References alone: no key stands in a file.
pub(super) fn payloads() -> impl Strategy<Value = Option<Payloads>> {
    let reference =
        || "[$][{](env:[A-Z_]{1,8}|file:/[a-z \"'\\\\é]{0,8})[}]".prop_map(|text| text.parse().unwrap());
    let told = (reference(), collection::vec(reference(), 0..3)).prop_map(|(key, old)| Payloads { key, old });
    option::of(told)
}

pub(super) fn durability() -> impl Strategy<Value = Durability> {
    let flush = || sample::select(&[Flush::Disk, Flush::System][..]);
    (any::<bool>(), flush(), flush(), flush()).prop_map(|(reads_wait, write, execute, delete)| Durability {
        reads_wait,
        write,
        execute,
        delete,
    })
}
