//! What is proved and what is refuted, of whole files; and what is neither.

use std::{path::PathBuf, sync::Arc, time::Duration};

use placet_engine::{
    json::{Json, Limits, parse},
    names::Action,
    policy::{
        Policy, Rules, catalogue,
        config::{Config, Word, read},
    },
    tool::Definition,
};

use crate::{Doubt, Effort, Kind, Proof, Proofs, Shown, Verdict, diff, invariants_hold, prove};

/// What the tools of the tests take.
const SCHEMAS: [(&str, &str); 4] = [
    (
        "crm/refund",
        r#"{"type":"object","required":["order","amount"],"properties":{"order":{"type":"string","minLength":3},
        "amount":{"type":"number","minimum":0.01},"currency":{"type":"string","enum":["EUR","USD"]}}}"#,
    ),
    (
        "crm/wipe",
        r#"{"type":"object","required":["id"],"properties":{"id":{"type":"integer"},"note":{"type":"string"}}}"#,
    ),
    (
        "mail/send",
        r#"{"type":"object","required":["to"],"properties":{"to":{"type":"array","items":{"type":"string"}}}}"#,
    ),
    ("files/write", r#"{"type":"object","required":["path"],"properties":{"path":{"type":"string"}}}"#),
];

const SERVERS: &str = "[servers.crm]\ncommand = ['crm']\ntools = { refund = 'write', wipe = 'delete', show = 'read' }\n\
    [servers.mail]\ncommand = ['mail']\ntools = { send = { level = 'execute', labels = ['egress'] } }\n\
    [servers.files]\ncommand = ['files']\ntools = { write = 'write' }\n";

fn json(text: &str) -> Json {
    parse(text.as_bytes(), &Limits::EDGE).unwrap()
}

fn schemas(action: &Action) -> Option<Json> {
    SCHEMAS.iter().find(|(name, _)| *name == action.to_string()).map(|(_, schema)| json(schema))
}

fn compiled(config: &Config) -> Policy {
    let mut catalogue = catalogue(config);
    for (action, tool) in &mut catalogue {
        let Some(schema) = schemas(action) else { continue };
        let text = format!("{{\"name\":\"{}\",\"inputSchema\":{schema}}}", action.tool);
        tool.definition = Some(Arc::new(Definition::read(&json(&text)).unwrap()));
    }
    Policy::compile(Rules::from(config), catalogue).unwrap_or_else(|error| panic!("{error}"))
}

fn loaded(rules: &str) -> (Config, Policy) {
    let source = format!("{SERVERS}{rules}");
    let read = read(&source);
    let config = read.config.unwrap_or_else(|| panic!("{:?}", read.findings));
    let policy = compiled(&config);
    (config, policy)
}

fn proofs(rules: &str) -> Proofs {
    let (config, policy) = loaded(rules);
    prove(&policy, &config.invariants, &Effort::default(), &schemas)
}

fn one(rules: &str) -> Verdict {
    let mut proofs = proofs(rules);
    assert_eq!(proofs.verdicts.len(), 1);
    proofs.verdicts.remove(0)
}

/// The proof in a word; what stands against it goes with the message.
fn assert_proof(rules: &str, want: Proof) -> Verdict {
    let verdict = one(rules);
    assert_eq!(verdict.proof(), want, "{rules}\n{verdict:#?}");
    verdict
}

const DELETES: &str =
    "[[invariants]]\nname = 'each delete is approved'\nlevels = ['delete']\nneed = 'approval:*'\n";

#[test]
fn a_guard_of_the_level_proves_it() {
    let rules = "[agents.ops]\nlevels = ['read', 'delete']\n[guards]\ndelete = 'approval:oncall'\n";
    let verdict = assert_proof(&format!("{rules}{DELETES}"), Proof::Proved);
    assert_eq!(verdict.pairs, 1);
}

#[test]
fn a_missing_guard_on_delete_is_found_with_a_call() {
    let rules = "[agents.ops]\nlevels = ['read', 'delete']\n[guards]\nwrite = 'approval:oncall'\n";
    let verdict = assert_proof(&format!("{rules}{DELETES}"), Proof::Refuted);
    let found = &verdict.refuted[0];
    assert_eq!(found.to_string(), "ops crm/wipe {\"id\":1}: allow");
}

#[test]
fn a_guard_for_one_team_only_is_no_guard_for_the_other() {
    let rules = "[agents.ana]\nteam = 'red'\nlevels = ['delete']\n[agents.bo]\nteam = 'blue'\nlevels = ['delete']\n\
        [guards]\ndelete = { for = { team = 'red' }, require = 'approval:oncall' }\n";
    let verdict = assert_proof(&format!("{rules}{DELETES}"), Proof::Refuted);
    assert_eq!(verdict.refuted.len(), 1);
    assert_eq!(verdict.refuted[0].sought.call.agent.as_str(), "bo");
    let both = rules
        .replace(
            "[guards]\ndelete = {",
            "[guards]\nexecute = 'approval:oncall'\ndelete = [{ for = { team = 'blue' }, forbid = 'no' }, {",
        )
        .replace("'approval:oncall' }\n", "'approval:oncall' }]\n");
    assert_proof(&format!("{both}{DELETES}"), Proof::Proved);
}

#[test]
fn what_one_way_forbids_another_may_open() {
    // By level, by name besides, and under a team's guard: all of it counts at once.
    let rules = "[agents.ana]\nteam = 'red'\nlevels = ['read']\nallow = ['crm/wipe']\n\
        [agents.bo]\nteam = 'red'\nlevels = ['delete']\ndeny = ['crm/w*']\n\
        [guards]\n'crm/refund' = 'approval:oncall'\n";
    let verdict = assert_proof(&format!("{rules}{DELETES}"), Proof::Refuted);
    assert_eq!((verdict.pairs, verdict.refuted.len()), (2, 1));
    assert_eq!(verdict.refuted[0].sought.call.agent.as_str(), "ana");
    let never =
        "[[invariants]]\nname = 'red deletes nothing'\nnever = { team = 'red', levels = ['delete'] }\n";
    assert_proof(&format!("{rules}{never}"), Proof::Refuted);
    let closed = rules.replace("allow = ['crm/wipe']\n", "");
    assert_proof(&format!("{closed}{never}"), Proof::Proved);
}

const REFUNDS: &str =
    "[[invariants]]\nname = 'a refund needs finance'\ntools = ['crm/refund']\nneed = 'approval:finance'\n";

#[test]
fn a_condition_with_a_hole_is_found_with_the_smallest_sum_that_passes() {
    let rules = "[agents.desk]\nlevels = ['write']\n[guards]\n'crm/refund' = { when = 'args.amount > 100', require = 'approval:finance' }\n";
    let verdict = assert_proof(&format!("{rules}{REFUNDS}"), Proof::Refuted);
    let call = &verdict.refuted[0].sought.call;
    let Some(Json::Number(amount)) = call.arguments.get("amount") else { panic!("{call:?}") };
    assert!(amount.as_f64() > 0.0 && amount.as_f64() <= 100.0, "{amount}");
    // Two conditions that leave nothing between them are a proof.
    let whole = "[agents.desk]\nlevels = ['write']\n[guards]\n'crm/refund' = [\
        { when = 'args.amount > 100', require = 'approval:finance:2' }, { when = 'args.amount <= 100', require = 'approval:finance' }]\n";
    assert_proof(&format!("{whole}{REFUNDS}"), Proof::Proved);
    // And leave a hole of one place after the point, if the author says so.
    let hole = whole.replace("args.amount <= 100", "args.amount < 100");
    let verdict = assert_proof(&format!("{hole}{REFUNDS}"), Proof::Refuted);
    assert_eq!(verdict.refuted[0].sought.call.arguments.get("amount"), Some(&Json::from(100)));
}

#[test]
fn more_votes_are_enough_and_fewer_are_not() {
    let rules = |asked: &str, need: &str| {
        format!(
            "[agents.desk]\nlevels = ['write']\n[guards]\n'crm/refund' = {{ when = 'args.amount >= 0', require = '{asked}' }}\n\
             [[invariants]]\nname = 'it'\ntools = ['crm/refund']\nneed = '{need}'\n"
        )
    };
    assert_proof(&rules("approval:finance:3", "approval:finance:2"), Proof::Proved);
    let verdict = assert_proof(&rules("approval:finance", "approval:finance:2"), Proof::Refuted);
    assert!(verdict.refuted[0].to_string().ends_with(": ask approval:finance"), "{}", verdict.refuted[0]);
    assert_proof(&rules("approval:finance:2", "approval:finance:2:passkey"), Proof::Refuted);
    assert_proof(&rules("approval:finance:2:passkey", "approval:finance:session"), Proof::Proved);
}

#[test]
fn what_the_schema_and_the_clock_make_certain_is_taken_for_certain() {
    let rules = |when: &str| {
        format!(
            "[agents.desk]\nlevels = ['write']\n[guards]\n'crm/refund' = {{ when = '{when}', forbid = 'no' }}\n\
             [[invariants]]\nname = 'none'\nnever = {{ tool = 'crm/refund' }}\n"
        )
    };
    for whole in [
        "args.amount >= 0.01",
        "call.hour < 24",
        "call.minute >= 0 || call.hour > 25",
        "session.steps > 0",
        r#"["mon", "tue", "wed", "thu", "fri", "sat", "sun"].contains(call.weekday)"#,
        r#"!(args has currency && args.currency == "GBP")"#,
    ] {
        assert_proof(&rules(whole), Proof::Proved);
    }
    for hole in [
        "args.amount > 0.01",
        "call.hour < 23",
        "session.steps > 1",
        r#"["mon", "tue", "wed", "thu", "fri", "sat"].contains(call.weekday)"#,
        r#"!(args has currency && args.currency == "EUR")"#,
        "call.dry_run",
        r#"session.labels.contains("private")"#,
    ] {
        assert_proof(&rules(hole), Proof::Refuted);
    }
}

#[test]
fn facts_are_free_and_calls_are_found_of_which_they_are_as_supposed() {
    let rules = |guard: &str| {
        format!(
            "[agents.desk]\nlevels = ['execute']\n[match.internal]\npath = 'args.to[*]'\nall = {{ email = {{ domain = 'corp.example' }} }}\n\
             [match.few]\npath = 'args.to[*]'\nlen = {{ at_least = 1, at_most = 3 }}\n[guards]\n'mail/send' = {guard}\n\
             [[invariants]]\nname = 'mail is approved'\ntools = ['mail/*']\nneed = 'approval:*'\n"
        )
    };
    let verdict = assert_proof(
        &rules(
            "[{ when = '!matches.internal', forbid = 'no' }, { when = '!matches.few', require = 'approval:x' }]",
        ),
        Proof::Refuted,
    );
    assert_eq!(verdict.refuted[0].sought.call.arguments.to_string(), r#"{"to":["someone@corp.example"]}"#);
    assert_proof(
        &rules(
            "[{ when = '!matches.internal', forbid = 'no' }, { when = 'matches.internal', require = 'approval:x' }]",
        ),
        Proof::Proved,
    );
    // That no text is both is nothing that the solver knows.
    let doubtful = rules("[{ when = '!matches.internal', forbid = 'no' }, { when = 'matches.internal && !matches.none', require = 'approval:x' }]")
        .replace("[guards]", "[match.none]\npath = 'args.to[*]'\nlen = { at_most = 0 }\n[guards]");
    let verdict = assert_proof(&doubtful, Proof::Unproved);
    let Doubt::NotReproduced { said, .. } = &verdict.unproved[0].doubt else { panic!("{verdict:?}") };
    assert!(!said.is_empty());
}

#[test]
fn an_invariant_with_a_condition_is_about_those_calls_and_no_others() {
    let rules = |when: &str| {
        format!(
            "[agents.desk]\nlevels = ['write']\n[guards]\n'crm/refund' = {{ when = 'args.amount > 100', require = 'approval:finance' }}\n\
             [[invariants]]\nname = 'large ones'\ntools = ['crm/refund']\nwhen = '{when}'\nneed = 'approval:finance'\n"
        )
    };
    assert_proof(&rules("args.amount > 100"), Proof::Proved);
    assert_proof(&rules("args.amount > 500"), Proof::Proved);
    let verdict = assert_proof(&rules("args.amount > 50"), Proof::Refuted);
    let Some(Json::Number(amount)) = verdict.refuted[0].sought.call.arguments.get("amount") else { panic!() };
    assert!(amount.as_f64() > 50.0 && amount.as_f64() <= 100.0, "{amount}");
    // A call of which it cannot be told is among them.
    assert_proof(&rules(r#"args.currency == "EUR" && args.amount > 100"#), Proof::Refuted);
    let never = "[agents.desk]\nlevels = ['write']\n[guards]\n'crm/refund' = { when = 'args.amount > 500', forbid = 'no' }\n\
        [[invariants]]\nname = 'never much'\nnever = { tool = 'crm/refund', when = 'args.amount > 499.9999' }\n";
    let verdict = assert_proof(never, Proof::Refuted);
    assert_eq!(verdict.refuted[0].sought.call.arguments.get("amount"), Some(&Json::from(500)));
    assert_proof(&never.replace("499.9999", "500"), Proof::Proved);
}

#[test]
fn an_observed_agent_and_an_unknown_tool_are_not_proved() {
    let rules = "[agents.ops]\nobserve = true\nlevels = ['delete']\n[guards]\ndelete = 'approval:oncall'\n";
    let verdict = assert_proof(&format!("{rules}{DELETES}"), Proof::Unproved);
    assert_eq!(verdict.unproved[0].doubt, Doubt::Observed);
    let rules = "[agents.ops]\nlevels = ['read']\n[guards]\n'crm/show' = { when = 'args.id > 5', forbid = 'no' }\n\
        [[invariants]]\nname = 'it'\nnever = { tool = 'crm/show' }\n";
    let verdict = assert_proof(rules, Proof::Unproved);
    assert!(matches!(verdict.unproved[0].doubt, Doubt::Untyped { line: 13, .. }), "{verdict:?}");
    // A guard without a condition proves it whatever the other says.
    let guarded = rules.replace("[guards]\n", "[guards]\nread = { forbid = 'no' }\n");
    assert_proof(&guarded, Proof::Proved);
}

#[test]
fn without_a_solver_nothing_is_proved_and_the_package_is_named() {
    let rules = "[agents.ops]\nlevels = ['delete']\n[guards]\ndelete = 'approval:oncall'\n";
    let (config, policy) = loaded(&format!("{rules}{DELETES}"));
    // A program that is there and is no solver.
    let effort = Effort { solver: Some(PathBuf::from("/bin/false")), ..Effort::default() };
    let hole = "[agents.desk]\nlevels = ['write']\n[guards]\n'crm/refund' = { when = 'args.amount > 100', require = 'approval:finance' }\n";
    let (holed, other) = loaded(&format!("{hole}{REFUNDS}"));
    let found = prove(&other, &holed.invariants, &effort, &schemas);
    assert!(!found.hold());
    assert!(matches!(found.verdicts[0].unproved[0].doubt, Doubt::Unanswered(_)), "{found:?}");
    assert!(invariants_hold(&policy, &config.invariants, &Effort::default(), &schemas).is_ok());
    let broken = invariants_hold(&other, &holed.invariants, &Effort::default(), &schemas).unwrap_err();
    assert_eq!(broken.to_string(), "invariant `a refund needs finance` is refuted");
    assert!(crate::NoSolver::Nowhere.to_string().contains("`cvc5`"));
    assert!(crate::NoSolver::Nowhere.help().contains("apt-get install cvc5"));
}

#[test]
fn no_time_is_no_proof() {
    let hole = "[agents.desk]\nlevels = ['write']\n[guards]\n'crm/refund' = { when = 'args.amount > 100', require = 'approval:finance' }\n";
    let (config, policy) = loaded(&format!("{hole}{REFUNDS}"));
    let effort = Effort { all: Duration::ZERO, ..Effort::default() };
    let proofs = prove(&policy, &config.invariants, &effort, &schemas);
    assert_eq!(proofs.verdicts[0].proof(), Proof::Unproved, "{proofs:?}");
}

/// What differs, each as one line.
fn differences(before: &str, after: &str) -> Vec<String> {
    let ((_, old), (_, new)) = (loaded(before), loaded(after));
    let changes = diff(&old, &new, &Effort::default(), &schemas);
    let mut lines: Vec<String> = changes
        .found
        .iter()
        .map(|change| {
            if let Shown::Call(sought, before, after) = &change.shown {
                let words = (before.word(), after.word());
                let fits = match change.kind {
                    Kind::Permitted => words.0 == Word::Deny && words.1 != Word::Deny,
                    Kind::Denied => words.0 != Word::Deny && words.1 == Word::Deny,
                    Kind::AsksNow(_) => words.1 == Word::Ask,
                    Kind::AsksNoLonger(_) => words.0 == Word::Ask,
                };
                assert!(fits, "{change:?}");
                assert_eq!(sought.call.tool, change.tool);
            }
            format!("{} {} {}", change.agent, change.tool, change.kind.phrase())
        })
        .collect();
    lines
        .extend(changes.uncompared.iter().map(|pair| format!("{} {} ? {}", pair.agent, pair.tool, pair.why)));
    lines
}

const DESK: &str = "[agents.desk]\nlevels = ['write']\n[guards]\n'crm/refund' = [\n{ id = 'cap', when = 'args.amount > 500', forbid = 'no' },\n{ id = 'ask', when = 'args.amount > 100', require = 'approval:finance' },\n]\n";

#[test]
fn the_same_rules_in_other_words_do_not_differ() {
    assert_eq!(differences(DESK, DESK), Vec::<String>::new());
    let moved = DESK.replace("id = 'cap', ", "").replace("[guards]", "# a comment\n[guards]");
    assert_eq!(differences(DESK, &moved), Vec::<String>::new());
    let other = DESK.replace("args.amount > 500", "500 < args.amount");
    assert_eq!(differences(DESK, &other), Vec::<String>::new());
}

#[test]
fn each_way_in_which_rules_can_change_is_told_with_a_call() {
    for (change, want) in [
        (("> 500", "> 600"), vec!["desk crm/refund newly permitted"]),
        (("> 500", "> 400"), vec!["desk crm/refund newly denied"]),
        (("> 100", "> 50"), vec!["desk crm/refund asks approval:finance now"]),
        (("> 100", "> 150"), vec!["desk crm/refund asks approval:finance no longer"]),
        (
            ("approval:finance", "approval:finance:2"),
            vec![
                "desk crm/refund asks approval:finance no longer",
                "desk crm/refund asks approval:finance:2 now",
            ],
        ),
        (
            ("levels = ['write']", "levels = []"),
            vec!["desk crm/refund newly denied", "desk files/write newly denied"],
        ),
        (
            ("[agents.desk]", "[agents.other]"),
            vec![
                "desk crm/refund newly denied",
                "desk files/write newly denied",
                "other crm/refund newly permitted",
                "other files/write newly permitted",
            ],
        ),
    ] {
        assert_eq!(differences(DESK, &DESK.replace(change.0, change.1)), want, "{change:?}");
    }
}

#[test]
fn a_fact_that_means_something_else_is_another_fact() {
    let rules = "[agents.desk]\nlevels = ['write']\n[match.inside]\npath = 'args.path'\nis = { path = { under = '/repo', base = '/repo' } }\n\
        [guards]\n'files/write' = { when = '!matches.inside', forbid = 'no' }\n";
    assert_eq!(differences(rules, rules), Vec::<String>::new());
    let wider = rules.replace("under = '/repo'", "under_any = ['/repo', '/tmp']");
    let found = differences(rules, &wider);
    assert!(found.iter().any(|line| line == "desk files/write newly permitted"), "{found:?}");
}

#[test]
fn what_stands_around_the_rules_is_told_where_it_changes_what_they_mean() {
    let night = "[agents.desk]\nlevels = ['write']\n[guards]\n'crm/refund' = { when = 'call.hour > 20', forbid = 'no' }\n";
    let elsewhere = format!("zone = 'Europe/Lisbon'\n{SERVERS}{night}");
    let (_, old) = loaded(night);
    let new = compiled(&read(&elsewhere).config.unwrap());
    let changes = diff(&old, &new, &Effort::default(), &schemas);
    assert!(changes.uncompared[0].why.contains("`zone` changed"), "{changes:?}");
    let observed = DESK.replace("levels = ['write']", "levels = ['write']\nobserve = true");
    let found = differences(DESK, &observed);
    assert!(found.iter().all(|line| line.contains("observed now")) && !found.is_empty(), "{found:?}");
}
