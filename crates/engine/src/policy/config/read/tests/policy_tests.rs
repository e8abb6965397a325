//! Policy tests: what is read of them, and what is said about each kind of mistake.

use super::*;
use crate::{
    json::{Limits, parse},
    policy::config::{Proposed, Word},
};

/// A test with these lines besides its name.
fn with(lines: &str) -> String {
    format!("{REST}[[test]]\nname = \"it\"\n{lines}\n")
}

#[test]
fn everything_of_a_test_is_read() {
    let config = good(&with(
        r#"agent = "support"
tool = "crm/refund"
session = { steps = 4, labels = ["pii"] }
at = "2026-11-24T11:30:00.250+01:00"
dry_run = true
cost = { usd = 12.50 }
decision = "ask"
controls = ["approval:finance:2"]
by = ["cap"]
[test.args]
amount = 100.10
whole = 9223372036854775807
list = [1, "two", [true], { deep = { er = -0.5 } }]
"a key" = "a text""#,
    ));
    let [test] = config.tests.as_slice() else { panic!("{:?}", config.tests) };
    let text = r#"{"amount":100.1,"whole":9223372036854775807,"list":[1,"two",[true],{"deep":{"er":-0.5}}],"a key":"a text"}"#;
    assert_eq!(test.given.arguments, parse(text.as_bytes(), &Limits::EDGE).unwrap());
    assert_eq!(test.given.at.to_string(), "2026-11-24T10:30:00.250Z");
    assert_eq!((test.given.steps, test.given.labels.len(), test.given.dry_run), (4, 1, true));
    assert_eq!(test.given.cost[&"usd".parse::<Unit>().unwrap()], Amount(12_500_000));
    assert_eq!((test.want.decision, test.want.by.as_slice()), (Word::Ask, &["cap".to_owned()][..]));
    assert_eq!(test.want.controls.as_ref().unwrap().len(), 1);
}

#[test]
fn a_short_test_is_the_first_call_of_a_session_at_a_fixed_moment() {
    let config = good(&with("agent = 'support'\ntool = 'crm/refund'\ndecision = 'deny'"));
    let plain = Proposed::new("support".parse().unwrap(), "crm/refund".parse().unwrap());
    assert_eq!(config.tests[0].given, plain);
    assert_eq!(plain.at.to_string(), "2026-01-01T12:00:00.000Z");
}

#[test]
fn each_mistake_is_said_and_no_test_comes_of_it() {
    const GOOD: &str = "agent = 'support'\ntool = 'crm/refund'\ndecision = 'deny'\n";
    for (lines, want) in [
        (
            "".to_owned(),
            &["the test has no `agent`", "the test has no `tool`", "the test has no `decision`"][..],
        ),
        (GOOD.replace("support", "suport"), &["unknown agent `suport`"]),
        (GOOD.replace("refund", "refnd"), &["tool `crm/refnd` is not in the catalogue"]),
        (GOOD.replace("refund", "*"), &["`crm/*` is more than one tool"]),
        (GOOD.replace("deny", "no"), &["unknown word `no` for `decision`"]),
        (format!("{GOOD}code = 'nope'"), &["unknown word `nope` for `code`"]),
        (
            format!("{GOOD}controls = ['approval:oncall']"),
            &["`controls` is said of another decision than `deny`"],
        ),
        (
            GOOD.replace("deny", "allow") + "code = 'denied'",
            &["`code` is said of another decision than `allow`"],
        ),
        (format!("{GOOD}args = 5"), &["`args` must be a table, not a whole number"]),
        (
            format!("{GOOD}args = {{ a = 2026-01-01, b = inf }}"),
            &["`a` must be a value of JSON, not a date or time", "`b` is not a number that can be compared"],
        ),
        (format!("{GOOD}at = 'noon'"), &["`noon` is not a moment that can be used"]),
        (
            format!("{GOOD}at = 2026-11-24T10:00:00"),
            &["`2026-11-24T10:00:00` is not a moment that can be used"],
        ),
        (
            format!("{GOOD}session = {{ steps = 0, labels = ['A b'] }}"),
            &["`steps` must be a whole number from 1 on", "the name `A b` cannot be used"],
        ),
        (format!("{GOOD}cost = {{ usd = -1 }}"), &["`-1` is negative"]),
        (format!("{GOOD}dryrun = true"), &["unknown key `dryrun` in `test`"]),
        (format!("{GOOD}[[test]]\nname = 'it'\n{GOOD}"), &["two tests are called `it`"]),
    ] {
        let found = read(&with(&lines));
        let told: Vec<_> = found.findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(told, want, "{lines}");
        assert!(found.config.is_none(), "{lines}");
    }
}
