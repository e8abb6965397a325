//! Policy tests as an operator writes them, against a policy of a few rules.

use std::sync::Arc;

use super::*;
use crate::{
    json::{Limits, parse},
    policy::{Rules, catalogue, config::read},
    tool::Definition,
};

/// A shop with a tool that pays back, one that nobody may call, and one of which nothing was accepted.
pub(in crate::policy) const SHOP: &str = r#"
[servers.crm]
command = ["crm"]
[servers.crm.tools]
refund = { level = "write", cost = { usd = "args.amount" } }
find = "read"
wipe = "delete"
bait = { level = "read", canary = true }
[agents.support]
team = "desk"
levels = ["read", "write"]
[agents.bot]
levels = ["read"]
deny = ["crm/f*"]
[match.ours]
path = "args.to[*]"
all = { suffix = "@corp.example" }
[guards]
"crm/refund" = [
  { id = "cap", when = "args.amount > 500", forbid = "too much" },
  { id = "second pair of eyes", when = "args.amount > 100 || call.hour < 6", require = "approval:finance:2" },
  { id = "ours", when = "args has to && !matches.ours", forbid = "not outside" },
  { when = 'session.labels.contains("pii") && call.cost.usd > 10', require = "approval:privacy" },
]
"#;

/// The policy of a file, with the definition of `crm/refund`.
pub(in crate::policy) fn policy(source: &str) -> (crate::policy::config::Config, Policy) {
    let found = read(source);
    let config = found.config.unwrap_or_else(|| panic!("{:?}", found.findings));
    let mut tools = catalogue(&config);
    let text = r#"{"name":"refund","inputSchema":{"type":"object","required":["amount"],"properties":{
        "amount":{"type":"number"},"to":{"type":"array","items":{"type":"string"}}}}}"#;
    let definition = Definition::read(&parse(text.as_bytes(), &Limits::EDGE).unwrap()).unwrap();
    tools.get_mut(&"crm/refund".parse().unwrap()).unwrap().definition = Some(Arc::new(definition));
    let policy = Policy::compile(Rules::from(&config), tools).unwrap_or_else(|error| panic!("{error}"));
    (config, policy)
}

/// What comes of one test that ends with these lines.
fn run(lines: &str) -> Ran {
    let source = format!("{SHOP}[[test]]\nname = \"it\"\nagent = \"support\"\n{lines}\n");
    let (config, policy) = policy(&source);
    config.tests[0].run(&policy)
}

#[test]
fn a_test_passes_where_everything_that_it_says_is_so() {
    for lines in [
        "tool = 'crm/refund'\nargs = { amount = 5 }\ndecision = 'allow'",
        "tool = 'crm/refund'\nargs = { amount = 5 }\ndecision = 'allow'\nby = ['agents.support.levels']",
        "tool = 'crm/refund'\nargs = { amount = 600.5 }\ndecision = 'deny'\ncode = 'denied'\nby = ['cap']",
        "tool = 'crm/refund'\nargs = { amount = 600.5 }\ndecision = 'deny'\nby = ['guards.0.cap']",
        "tool = 'crm/refund'\nargs = { amount = 200 }\ndecision = 'ask'\ncontrols = ['approval:finance:2']",
        "tool = 'crm/refund'\nargs = { amount = 5 }\nat = '2026-11-24T05:59:00Z'\ndecision = 'ask'\nby = ['second pair of eyes']",
        "tool = 'crm/refund'\nargs = { amount = 5 }\nat = '2026-11-24T06:00:00Z'\ndecision = 'allow'",
        "tool = 'crm/refund'\nargs = { amount = 50 }\nsession = { labels = ['pii'] }\ndecision = 'ask'\ncontrols = ['approval:privacy']",
        "tool = 'crm/refund'\nargs = { amount = 5 }\nsession = { labels = ['pii'] }\ndecision = 'allow'",
        // The caller can only make it dearer.
        "tool = 'crm/refund'\nargs = { amount = 5 }\ncost = { usd = 20.5 }\nsession = { labels = ['pii'] }\ndecision = 'ask'",
        "tool = 'crm/refund'\nargs = { amount = 50 }\ncost = { usd = 0 }\nsession = { labels = ['pii'] }\ndecision = 'ask'",
        "tool = 'crm/refund'\nargs = { amount = 5, to = ['a@corp.example'] }\ndecision = 'allow'",
        "tool = 'crm/refund'\nargs = { amount = 5, to = ['a@evil.example'] }\ndecision = 'deny'\nby = ['ours']",
        "tool = 'crm/refund'\nargs = { amount = 'five' }\ndecision = 'deny'\ncode = 'bad_arguments'",
        "tool = 'crm/refund'\nargs = { amount = 1.00001 }\ndecision = 'deny'\ncode = 'fact_error'",
        "tool = 'crm/wipe'\ndecision = 'deny'\ncode = 'not_granted'",
        "tool = 'crm/bait'\ndecision = 'deny'\ncode = 'denied'",
    ] {
        assert!(matches!(run(lines), Ran::Passed(_)), "{lines}: {:?}", run(lines));
    }
}

#[test]
fn a_test_that_fails_says_in_what() {
    for (lines, want) in [
        ("tool = 'crm/refund'\nargs = { amount = 600 }\ndecision = 'allow'", "decision allow deny"),
        ("tool = 'crm/wipe'\ndecision = 'deny'\ncode = 'denied'", "code denied not_granted"),
        (
            "tool = 'crm/refund'\nargs = { amount = 200 }\ndecision = 'ask'\ncontrols = ['approval:finance']",
            "controls approval:finance approval:finance:2",
        ),
        (
            "tool = 'crm/refund'\nargs = { amount = 600 }\ndecision = 'deny'\nby = ['cap', 'ours']",
            "by ours cap, second pair of eyes",
        ),
        ("tool = 'crm/wipe'\ndecision = 'deny'\nby = ['cap']", "by cap no rule"),
        (
            "tool = 'crm/wipe'\ndecision = 'ask'\ncontrols = ['approval:oncall']",
            "decision ask deny; controls approval:oncall none",
        ),
    ] {
        let Ran::Failed { differences, .. } = run(lines) else { panic!("{lines}: {:?}", run(lines)) };
        let told: Vec<String> = differences
            .iter()
            .map(|found| format!("{} {} {}", found.of, found.expected, found.got))
            .collect();
        assert_eq!(told.join("; "), want, "{lines}");
    }
}

#[test]
fn what_depends_on_a_tool_that_nobody_accepted_is_not_said() {
    assert_eq!(run("tool = 'crm/find'\ndecision = 'allow'"), Ran::Untried(Untried::NoDefinition));
}

#[test]
fn tests_are_no_part_of_what_is_judged() {
    let with = format!("{SHOP}[[test]]\nname = 'a'\nagent = 'bot'\ntool = 'crm/find'\ndecision = 'deny'\n");
    assert_eq!(policy(SHOP).1.digest(), policy(&with).1.digest());
}
