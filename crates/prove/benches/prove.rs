//! How long a proof takes, the solver's start included.
//!
//! Ten agents in four teams, 60 tools of which 30 delete, and 200 rules. `one_invariant` proves that each delete needs
//! an approval where only two conditions together say so, with another bound for each tool: nothing is settled by
//! text and little is asked twice. `one_invariant_by_level` is the usual file. `one_limit_changed` compares two files.
//!
//! Without a solver there is nothing to measure, which is said.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a measurement that cannot go on should say so and end"
)]

use std::{fmt::Write as _, sync::Arc};

use divan::Bencher;
use placet_engine::{
    json::{Json, Limits, parse},
    names::Action,
    policy::{
        Policy, Rules, catalogue,
        config::{Config, read},
    },
    tool::Definition,
};
use placet_prove::{Effort, diff, prove};

const TOOLS: usize = 60;

const SCHEMA: &str = r#"{"type":"object","required":["id","amount"],"properties":{"id":{"type":"string"},
    "amount":{"type":"number","minimum":0},"note":{"type":"string"},"count":{"type":"integer"}}}"#;

fn main() {
    if let Err(none) = solver() {
        eprintln!("skipped: {none}");
        return;
    }
    divan::main();
}

/// Whether there is a solver, by asking the simplest thing.
fn solver() -> Result<(), String> {
    let (config, policy) = loaded("[agents.a]\nlevels = ['delete']\n", "");
    let proofs = prove(&policy, &config.invariants, &Effort::default(), &schemas);
    match proofs.verdicts.iter().flat_map(|verdict| &verdict.unproved).next() {
        Some(unproved) => Err(unproved.doubt.to_string()),
        None => Ok(()),
    }
}

fn schemas(_: &Action) -> Option<Json> {
    Some(json(SCHEMA))
}

fn json(text: &str) -> Json {
    parse(text.as_bytes(), &Limits::EDGE).expect("it is JSON")
}

fn loaded(agents: &str, guards: &str) -> (Config, Policy) {
    let mut source = String::new();
    for server in 0..6 {
        writeln!(source, "[servers.s{server}]\ncommand = ['s']\n[servers.s{server}.tools]").unwrap();
        for tool in (0..TOOLS).filter(|tool| tool % 6 == server) {
            let level = if tool % 2 == 0 { "delete" } else { "write" };
            writeln!(source, "t{tool} = '{level}'").unwrap();
        }
    }
    write!(source, "{agents}[guards]\n{guards}").unwrap();
    source.push_str(
        "[[invariants]]\nname = 'each delete is approved'\nlevels = ['delete']\nneed = 'approval:*'\n",
    );
    let config = read(&source).config.expect("the file is good");
    let mut catalogue = catalogue(&config);
    for (action, tool) in &mut catalogue {
        let text = format!("{{\"name\":\"{}\",\"inputSchema\":{SCHEMA}}}", action.tool);
        tool.definition = Some(Arc::new(Definition::read(&json(&text)).expect("a definition")));
    }
    let policy = Policy::compile(Rules::from(&config), catalogue).expect("it compiles");
    (config, policy)
}

fn agents() -> String {
    (0..10).fold(String::new(), |mut text, agent| {
        writeln!(text, "[agents.a{agent}]\nteam = 'team{}'\nlevels = ['write', 'delete']", agent % 4)
            .unwrap();
        text
    })
}

/// 190 guards, with the 10 of the agents 200 rules.
fn guards(limit: usize) -> String {
    let mut text = String::new();
    for tool in 0..TOOLS {
        let (server, bound) = (tool % 6, limit + tool);
        let extra = if tool < 10 { "{ when = 'args.note like \"*secret*\"', forbid = 'no' }, " } else { "" };
        let rules = if tool % 2 == 0 {
            format!(
                "{{ when = 'args.amount > {bound}', require = 'approval:board:2' }}, {{ when = 'args.amount <= {bound}', require = 'approval:oncall' }}, "
            )
        } else {
            format!(
                "{{ when = 'args.amount > {bound}', require = 'approval:oncall' }}, {{ when = 'args.count > {bound}', forbid = 'no' }}, "
            )
        };
        let team =
            format!("{{ for = {{ team = 'team{}' }}, when = 'args.count > 5', forbid = 'no' }}", tool % 4);
        writeln!(text, "'s{server}/t{tool}' = [{extra}{rules}{team}]").unwrap();
    }
    text
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn one_invariant(bencher: Bencher<'_, '_>) {
    let (config, policy) = loaded(&agents(), &guards(100));
    let once = prove(&policy, &config.invariants, &Effort::default(), &schemas);
    assert!(once.hold(), "{once:?}");
    eprintln!("{:?}", once.timings);
    bencher.bench_local(|| prove(&policy, &config.invariants, &Effort::default(), &schemas).hold());
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn one_invariant_by_level(bencher: Bencher<'_, '_>) {
    let (config, policy) = loaded(&agents(), &format!("delete = 'approval:oncall'\n{}", guards(100)));
    bencher.bench_local(|| prove(&policy, &config.invariants, &Effort::default(), &schemas).hold());
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn one_limit_changed(bencher: Bencher<'_, '_>) {
    let (_, old) = loaded(&agents(), &guards(100));
    let (_, new) = loaded(&agents(), &guards(100).replacen("args.amount > 107", "args.amount > 1070", 1));
    let changes = diff(&old, &new, &Effort::default(), &schemas);
    assert!(!changes.found.is_empty() && changes.is_complete(), "{changes:?}");
    bencher.bench_local(|| diff(&old, &new, &Effort::default(), &schemas).found.len());
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn every_limit_changed(bencher: Bencher<'_, '_>) {
    let (_, old) = loaded(&agents(), &guards(100));
    let (_, new) = loaded(&agents(), &guards(200));
    let changes = diff(&old, &new, &Effort::default(), &schemas);
    assert!(changes.is_complete(), "{changes:?}");
    bencher.bench_local(|| diff(&old, &new, &Effort::default(), &schemas).found.len());
}
