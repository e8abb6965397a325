//! Rules with conditions: what they read, what they refuse, and what they say where nothing can be said.

use super::*;
use crate::{
    json::{Limits, parse},
    policy::when::When,
};

pub(super) const REFUND: &str = "crm/refund";

fn definition(name: &str, schema: &str) -> Arc<Definition> {
    let text = format!(r#"{{"name":"{name}","inputSchema":{schema}}}"#);
    Arc::new(Definition::read(&parse(text.as_bytes(), &Limits::EDGE).unwrap()).unwrap())
}

fn refund() -> Arc<Definition> {
    definition(
        "refund",
        r#"{"type":"object","required":["id","amount"],"properties":{
            "id":{"type":"string"},"amount":{"type":"number"},"to":{"type":"array","items":{"type":"string"}},
            "note":{"type":["string","null"]},"more":{"type":"object"}}}"#,
    )
}

fn with_refund() -> Catalogue {
    let tool = Tool { definition: Some(refund()), ..Tool::from(Level::Write) };
    crm().into_iter().chain([(action(REFUND), tool)]).collect()
}

pub(super) fn when(guard: Guard, text: &str) -> Guard {
    Guard { when: Some(When::parse(text).unwrap()), ..guard }
}

fn facts() -> BTreeMap<MatchName, Match> {
    let read =
        config::read("[match.internal]\npath = \"args.to[*]\"\nall = { suffix = \"@corp.example\" }\n");
    read.config.unwrap_or_else(|| panic!("{:?}", read.findings)).matches
}

pub(super) fn compiled(guards: Vec<Guard>) -> Result<Policy, PolicyError> {
    let agents = [(agent("bot"), remit(&[Level::Read, Level::Write]))].into();
    Policy::compile(Rules { agents, guards, matches: facts(), ..Rules::default() }, with_refund())
}

pub(super) fn judged(policy: &Policy, arguments: &str) -> Judged {
    let parsed =
        parse(arguments.as_bytes(), &Limits::EDGE).unwrap_or_else(|error| panic!("{error}: {arguments}"));
    refund().schema.check(&parsed).unwrap();
    judged_in(policy, arguments, 1, &[])
}

pub(super) fn judged_in(policy: &Policy, arguments: &str, steps: u64, labels: &[&str]) -> Judged {
    seen_in(arguments, steps, labels, |seen| policy.judge_call(&agent("bot"), &action(REFUND), seen))
}

/// What is said of a call of a refund, once it can be seen.
pub(super) fn seen_in<T>(
    arguments: &str,
    steps: u64,
    labels: &[&str],
    say: impl FnOnce(&Seen<'_>) -> T,
) -> T {
    let definition = refund();
    let arguments =
        parse(arguments.as_bytes(), &Limits::EDGE).unwrap_or_else(|error| panic!("{error}: {arguments}"));
    let labels = labels.iter().map(|label| label.parse().unwrap()).collect();
    say(&Seen {
        definition: &definition,
        arguments: &arguments,
        dry_run: false,
        // A Tuesday, 10:26 in UTC.
        now: Timestamp(1_795_515_960_000_000),
        steps,
        labels: &labels,
        cost: &|_| Ok(Amount::whole(3)),
    })
}

/// What a judgement comes to, in a word.
pub(super) fn word(judged: &Judged) -> String {
    match judged {
        Judged::Granted { controls, .. } if controls.is_empty() => "allow".to_owned(),
        Judged::Granted { controls, .. } => {
            controls.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        }
        Judged::Refused { reason: DenyReason::Forbidden(Some(words)), .. } => words.to_string(),
        Judged::Refused { reason, .. } => reason.code().as_str().to_owned(),
    }
}

#[test]
fn a_condition_decides_by_the_arguments() {
    let guards = vec![
        when(require(REFUND, &["approval:finance:2"]), "args.amount > 100"),
        when(forbid(REFUND, "too much"), "args.amount > 500"),
        when(forbid(REFUND, "not outside"), "args has to && !matches.internal"),
    ];
    let policy = compiled(guards).unwrap();
    for (arguments, want) in [
        (r#"{"id":"1","amount":100}"#, "allow"),
        (r#"{"id":"1","amount":100.0001}"#, "approval:finance:2"),
        (r#"{"id":"1","amount":500}"#, "approval:finance:2"),
        (r#"{"id":"1","amount":500.5}"#, "too much"),
        (r#"{"id":"1","amount":5,"to":["a@corp.example"]}"#, "allow"),
        (r#"{"id":"1","amount":5,"to":["a@corp.example","b@evil.example"]}"#, "not outside"),
        (r#"{"id":"1","amount":5,"to":[]}"#, "not outside"),
        // More decimal places than policy keeps: nobody rounds.
        (r#"{"id":"1","amount":99.99999}"#, "fact_error"),
        (r#"{"id":"1","amount":-5}"#, "allow"),
        (r#"{"id":"1","amount":5,"note":null}"#, "allow"),
    ] {
        assert_eq!(word(&judged(&policy, arguments)), want, "{arguments}");
    }
}

#[test]
fn an_argument_that_a_rule_reads_and_that_is_not_there_refuses() {
    let policy = compiled(vec![when(forbid(REFUND, "no"), r#"args.note like "*gift*""#)]).unwrap();
    for (arguments, want) in [
        (r#"{"id":"1","amount":5,"note":"a gift"}"#, "no"),
        (r#"{"id":"1","amount":5,"note":"x"}"#, "allow"),
        (r#"{"id":"1","amount":5,"note":null}"#, "fact_missing"),
        (r#"{"id":"1","amount":5}"#, "fact_missing"),
    ] {
        assert_eq!(word(&judged(&policy, arguments)), want, "{arguments}");
    }
    let Judged::Refused { reason, policies } = judged(&policy, r#"{"id":"1","amount":5}"#) else { panic!() };
    assert_eq!(reason, DenyReason::FactMissing("`note`".into()));
    assert_eq!(policies, ["guards.0.0.missing".into()]);
    let asked = when(forbid(REFUND, "no"), r#"args has note && args.note like "*gift*""#);
    assert_eq!(word(&judged(&compiled(vec![asked]).unwrap(), r#"{"id":"1","amount":5}"#)), "allow");
    let fact = compiled(vec![when(forbid(REFUND, "no"), "!matches.internal")]).unwrap();
    assert_eq!(word(&judged(&fact, r#"{"id":"1","amount":5}"#)), "fact_missing");
}

#[test]
fn a_condition_may_be_about_the_session_the_time_and_the_cost() {
    for (text, steps, labels, want) in [
        ("session.steps > 3", 3, &[][..], "allow"),
        ("session.steps > 3", 4, &[], "no"),
        (r#"session.labels.contains("private")"#, 1, &["public"], "allow"),
        (r#"session.labels.contains("private")"#, 1, &["private"], "no"),
        (r#"session.labels.containsAll(["private", "untrusted"])"#, 1, &["private", "untrusted"], "no"),
        ("call.hour < 8 || call.hour >= 18", 1, &[], "allow"),
        ("call.hour >= 10", 1, &[], "no"),
        (r#"["sat", "sun"].contains(call.weekday)"#, 1, &[], "allow"),
        (r#"call.weekday == "tue""#, 1, &[], "no"),
        ("call.dry_run", 1, &[], "allow"),
        ("call.extra", 1, &[], "allow"),
    ] {
        let policy = compiled(vec![when(forbid(REFUND, "no"), text)]).unwrap();
        let judged = judged_in(&policy, r#"{"id":"1","amount":5}"#, steps, labels);
        assert_eq!(word(&judged), want, "{text}");
        assert_eq!(policy.reads_labels(&action(REFUND)), text.contains("labels"), "{text}");
    }
}

#[test]
fn the_hour_is_that_of_the_files_zone() {
    let guards = vec![when(forbid(REFUND, "no"), "call.hour == 19")];
    let agents = [(agent("bot"), remit(&[Level::Write]))].into();
    let zone = "Asia/Tokyo".parse().unwrap();
    let rules = Rules { agents, guards, zone, ..Rules::default() };
    let policy = Policy::compile(rules, with_refund()).unwrap();
    assert_eq!(word(&judged(&policy, r#"{"id":"1","amount":5}"#)), "no");
}

#[test]
fn a_condition_that_means_nothing_over_a_tool_does_not_load() {
    for (scope, text, want) in [
        (REFUND, "args.amuont > 1", "is not declared"),
        ("write", "args.amount > 1", "`crm/refund`"),
        (REFUND, r#"args.amount == "5""#, ""),
        (REFUND, "args.more.x == 1", ""),
        (REFUND, "matches.unheard", ""),
    ] {
        let guard = Guard { line: 7, ..when(forbid(scope, "no"), text) };
        let found = compiled(vec![guard]);
        if scope == "write" {
            // Of the tools of this level only one is known; the other is checked when it is.
            assert!(found.is_ok(), "{found:?}");
            continue;
        }
        let Err(PolicyError::Rules(problems)) = found else { panic!("{text}: {found:?}") };
        assert!(problems.iter().all(|problem| problem.line == 7), "{problems:?}");
        assert!(problems[0].message.contains(want), "{text}: {problems:?}");
        assert!(problems[0].message.contains(REFUND), "{problems:?}");
    }
}

#[test]
fn a_tool_that_is_first_seen_with_a_shape_over_which_a_rule_means_nothing_is_not_called() {
    let agents = [(agent("bot"), remit(&[Level::Write]))].into();
    let guards = vec![when(forbid(REFUND, "no"), "args.sum > 5")];
    let catalogue = [(action(REFUND), Tool::from(Level::Write))].into();
    let policy = Policy::compile(Rules { agents, guards, ..Rules::default() }, catalogue).unwrap();
    assert_eq!(word(&judged(&policy, r#"{"id":"1","amount":5}"#)), "policy_error");
    assert!(policy.could_allow(&agent("bot"), &action(REFUND)));
}

#[test]
fn of_what_no_rule_can_read_a_rule_can_ask_whether_it_is_there() {
    let asked = |text| compiled(vec![when(forbid(REFUND, "no"), text)]).unwrap();
    for (text, arguments, want) in [
        ("args has more", r#"{"id":"1","amount":5,"more":{"x":[1]}}"#, "no"),
        ("args has more", r#"{"id":"1","amount":5,"more":{}}"#, "no"),
        ("args has more", r#"{"id":"1","amount":5}"#, "allow"),
        ("args has more && !matches.internal", r#"{"id":"1","amount":5,"more":{}}"#, "fact_missing"),
    ] {
        assert_eq!(word(&judged(&asked(text), arguments)), want, "{text} of {arguments}");
    }
    // A tool that takes anything: its argument is nobody's word but the match's.
    let open = definition("any", r#"{"type":"object"}"#);
    let tool = Tool { definition: Some(Arc::clone(&open)), ..Tool::from(Level::Write) };
    let guard = when(forbid("crm/any", "not outside"), "args has to && !matches.internal");
    let agents = [(agent("bot"), remit(&[Level::Write]))].into();
    let rules = Rules { agents, guards: vec![guard], matches: facts(), ..Rules::default() };
    let policy = Policy::compile(rules, [(action("crm/any"), tool)].into()).unwrap();
    for (arguments, want) in [
        ("{}", "allow"),
        (r#"{"to":null}"#, "allow"),
        (r#"{"to":["a@corp.example"]}"#, "allow"),
        (r#"{"to":["a@evil.example"]}"#, "not outside"),
        (r#"{"to":7}"#, "fact_error"),
    ] {
        let arguments = parse(arguments.as_bytes(), &Limits::EDGE).unwrap();
        let labels = BTreeSet::new();
        let seen = Seen {
            definition: &open,
            arguments: &arguments,
            dry_run: false,
            now: Timestamp(0),
            steps: 1,
            labels: &labels,
            cost: &|_| Ok(Amount::default()),
        };
        let judged = policy.judge_call(&agent("bot"), &action("crm/any"), &seen);
        assert_eq!(word(&judged), want, "{arguments}");
    }
}

#[test]
fn a_method_has_nothing_that_a_condition_over_tools_could_look_at_and_is_refused() {
    let method = Action::new("crm".parse().unwrap(), crate::names::ToolName::of_method("resources/read"));
    let none = definition("any", r#"{"type":"object"}"#);
    let none = Arc::new(Definition { arguments: Arc::default(), ..Arc::into_inner(none).unwrap() });
    let entry = Tool { definition: Some(Arc::clone(&none)), ..Tool::from(Level::Read) };
    let guards = vec![
        when(forbid("crm/*", "not there"), "matches.internal"),
        when(forbid("crm/*", "no gifts"), r#"args.note == "gift""#),
    ];
    let asked = vec![when(forbid("crm/*", "not there"), "args has to && !matches.internal")];
    for (guards, want) in [(guards, "fact_missing"), (asked, "allow")] {
        let agents = [(agent("bot"), remit(&[Level::Read]))].into();
        let rules = Rules { agents, guards, matches: facts(), ..Rules::default() };
        let policy = Policy::compile(rules, [(method.clone(), entry.clone())].into()).unwrap();
        let arguments = parse(br#"{"uri":"file:///etc/passwd"}"#, &Limits::EDGE).unwrap();
        let labels = BTreeSet::new();
        let seen = Seen {
            definition: &none,
            arguments: &arguments,
            dry_run: false,
            now: Timestamp(0),
            steps: 1,
            labels: &labels,
            cost: &|_| Ok(Amount::default()),
        };
        assert_eq!(word(&policy.judge_call(&agent("bot"), &method, &seen)), want);
    }
}

#[test]
fn a_guard_of_another_team_reads_nothing_of_this_agents_calls() {
    let helpdesk = Some(Scope::Team("helpdesk".parse().unwrap()));
    let guard = Guard { applies_to: helpdesk, ..when(forbid(REFUND, "no"), "args.amount > 5") };
    let policy = compiled(vec![guard]).unwrap();
    assert_eq!(word(&judged(&policy, r#"{"id":"1","amount":99.99999}"#)), "allow");
    assert!(policy.is_conditional(&action(REFUND)));
    assert!(!policy.is_conditional_for(&agent("bot"), &action(REFUND)));
    let for_all = compiled(vec![when(forbid(REFUND, "no"), "args.amount > 5")]).unwrap();
    assert!(for_all.is_conditional_for(&agent("bot"), &action(REFUND)));
    assert!(!for_all.is_conditional_for(&agent("stranger"), &action(REFUND)));
}

#[test]
fn what_the_whole_policy_says_in_cedar_parses_and_has_no_word_of_ours_in_it() {
    let guards = vec![
        when(require(REFUND, &["approval:finance"]), "args.amount > 100"),
        when(forbid(REFUND, "no"), "!matches.internal && args.note == \"x\""),
    ];
    let text = compiled(guards).unwrap().to_cedar();
    let set: cedar_policy::PolicySet = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(set.policies().count(), 4, "{text}");
    for part in
        ["decimal(\"100.0\")", "context.matches.contains(\"internal\")", "context.absent", "context.args has"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}
