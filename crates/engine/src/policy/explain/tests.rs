//! What is told of a refusal: the rules, what they read, and changes that do what they say.

use super::*;
use crate::{
    json::{Limits, parse},
    policy::trial::tests::{SHOP, policy},
};

fn explained(source: &str, agent: &str, tool: &str, arguments: &str) -> Explanation {
    let (_, policy) = policy(source);
    let arguments = parse(arguments.as_bytes(), &Limits::EDGE).unwrap();
    policy.explain(&Proposed { arguments, ..Proposed::new(agent.parse().unwrap(), tool.parse().unwrap()) })
}

fn texts(rules: &[RuleShown]) -> Vec<String> {
    rules.iter().map(ToString::to_string).collect()
}

#[test]
fn a_refusal_by_condition_names_the_rule_and_what_it_read() {
    let found = explained(SHOP, "support", "crm/refund", r#"{"amount":600,"to":["a@evil.example"]}"#);
    assert_eq!(
        texts(&found.deciding),
        [
            r#"deny "too much" if args.amount > 500"#,
            "ask approval:finance:2 if args.amount > 100 || call.hour < 6",
            r#"deny "not outside" if args has to && !matches.ours"#,
        ]
    );
    assert_eq!(found.deciding[0].line, 20);
    assert_eq!(found.facts, [("ours".parse().unwrap(), Ok(Truth::Fails))]);
    let read: Vec<String> = found
        .read
        .iter()
        .map(|(path, value)| format!("{path} {}", value.as_ref().map_or("-".to_owned(), Json::compact)))
        .collect();
    assert_eq!(
        read,
        [
            "args.amount 600",
            "args.to [\"a@evil.example\"]",
            "call.cost.usd \"600\"",
            "call.hour 12",
            "session.labels []"
        ]
    );
    let [change] = found.changes.as_slice() else { panic!("{:?}", found.changes) };
    assert_eq!(
        change.what,
        "take out guard `cap` on line 20 and guard `ours` on line 22, or change its condition, or send other arguments"
    );
    assert_eq!(change.then.as_ref().unwrap().controls().len(), 1, "the second pair of eyes is left");
}

#[test]
fn what_nothing_grants_could_be_granted_in_two_ways() {
    let found = explained(SHOP, "bot", "crm/refund", r#"{"amount":5}"#);
    assert!(found.deciding.is_empty());
    let told: Vec<_> = found.changes.iter().map(|change| change.what.as_str()).collect();
    assert_eq!(
        told,
        [
            "no rule grants write to `bot`; `agents.bot.allow` could name it, as in allow = [\"crm/refund\"]",
            "or `agents.bot.levels` could hold write, as in levels = [\"read\", \"write\"]"
        ]
    );
    assert!(found.changes.iter().all(|change| change.then.as_ref().unwrap().controls().is_empty()));
    assert!(found.changes.iter().all(|change| change.also.is_empty()));
}

#[test]
fn a_change_says_what_else_it_opens() {
    let source = SHOP.replace("find = \"read\"", "find = \"read\"\nvoid = \"write\"");
    let found = explained(&source, "bot", "crm/refund", r#"{"amount":5}"#);
    let also: Vec<_> = found.changes.iter().map(|change| change.also.len()).collect();
    assert_eq!(also, [0, 1]);
    assert_eq!(found.changes[1].also[0].1.to_string(), "crm/void");
}

#[test]
fn a_deny_of_the_agent_can_be_taken_out() {
    let (_, policy) = policy(SHOP);
    let found = policy.explain_tool(&"bot".parse().unwrap(), &"crm/find".parse().unwrap());
    assert_eq!(found.changes[0].what, "take out `agents.bot.deny.0` on line 14, or narrow it");
    assert_eq!(found.changes[0].then.as_ref().unwrap().word().as_str(), "allow");
}

#[test]
fn without_arguments_the_conditions_are_listed() {
    let (_, policy) = policy(SHOP);
    let found = policy.explain_tool(&"support".parse().unwrap(), &"crm/refund".parse().unwrap());
    assert_eq!(found.judged.unwrap().word().as_str(), "allow");
    assert_eq!(found.conditional.len(), 4);
    assert_eq!(
        found.conditional[1].to_string(),
        "ask approval:finance:2 if args.amount > 100 || call.hour < 6"
    );
}

#[test]
fn whoever_or_whatever_is_not_known_is_told_so() {
    for (agent, tool, want) in [
        ("support", "crm/none", "list `crm/none` in `[servers.crm.tools]` with its level"),
        ("nobody", "crm/find", "describe the agent in a table, `[agents.nobody]`"),
    ] {
        assert_eq!(explained(SHOP, agent, tool, "{}").changes[0].what, want);
    }
}
