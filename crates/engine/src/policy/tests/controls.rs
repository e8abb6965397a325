//! Controls, where rules have conditions: they only ever lift the forbid that names them.
//!
//! The theorem is tested on the policies themselves, each tried alone over what a call shows. Below it are
//! attempts to get around it that a file could make. That one person answers for two groups is no matter of
//! policy: approvals see to it.

use super::{conditional::*, *};
use crate::policy::when::When;

const CONDITIONS: [&str; 8] = [
    "args.amount > 100",
    "args.amount <= 100",
    "args.note like \"*gift*\"",
    "args has note && args.note == \"x\"",
    "matches.internal",
    "args has to && !matches.internal",
    "session.steps > 2 || session.labels.contains(\"private\")",
    "!call.dry_run",
];

const ARGUMENTS: [&str; 7] = [
    r#"{"id":"1","amount":100}"#,
    r#"{"id":"1","amount":100.5}"#,
    r#"{"id":"1","amount":5,"note":"a gift"}"#,
    r#"{"id":"1","amount":500,"note":"x","to":["a@corp.example"]}"#,
    r#"{"id":"1","amount":500,"note":"x","to":["a@evil.example"]}"#,
    r#"{"id":"1","amount":5,"note":null,"to":[]}"#,
    r#"{"id":"1","amount":0.00001}"#,
];

fn any_guard() -> impl Strategy<Value = Guard> {
    let condition = option::weighted(0.8, prop::sample::select(CONDITIONS.to_vec()));
    let effect = prop_oneof![
        1 => Just(GuardEffect::Forbid("no".to_owned())),
        4 => subsequence(CONTROLS.to_vec(), 1..=2)
            .prop_map(|texts| GuardEffect::Require(texts.into_iter().map(control).collect())),
    ];
    let scope = prop::sample::select(vec![REFUND, "write", "crm/*"]);
    (scope, condition, effect).prop_map(|(scope, condition, effect)| {
        let when = condition.map(|text| When::parse(text).unwrap());
        Guard { when, ..guard(scope, effect) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn more_controls_never_satisfy_a_forbid_and_never_change_a_permit_whatever_the_call(
        guards in vec(any_guard(), 1..5),
        some in subsequence(CONTROLS.to_vec(), 0..=4),
        more in subsequence(CONTROLS.to_vec(), 0..=4),
        steps in 1_u64..5,
    ) {
        let policy = compiled(guards).unwrap();
        let fewer: BTreeSet<_> = some.iter().map(|text| control(text)).collect();
        let all: BTreeSet<_> = some.iter().chain(&more).map(|text| control(text)).collect();
        for arguments in ARGUMENTS {
            let satisfied = |controls: &BTreeSet<Control>| {
                seen_in(arguments, steps, &["private"], |seen| {
                    policy.compiled.satisfied_by(&agent("bot"), &action(REFUND), seen, controls)
                })
            };
            let (Some((permits, forbids)), Some((permits_then, forbids_then))) = (satisfied(&fewer), satisfied(&all))
            else {
                prop_assert_eq!(word(&judged_in(&policy, arguments, steps, &["private"])), "fact_error");
                continue;
            };
            prop_assert_eq!(permits, permits_then, "{}", arguments);
            prop_assert!(forbids_then.is_subset(&forbids), "{}: {:?} beyond {:?}", arguments, forbids_then, forbids);
        }
    }

    #[test]
    fn nobody_is_asked_in_vain(guards in vec(any_guard(), 1..5), steps in 1_u64..5) {
        let policy = compiled(guards).unwrap();
        for arguments in ARGUMENTS {
            let Judged::Granted { controls, .. } = judged_in(&policy, arguments, steps, &[]) else { continue };
            let granted: BTreeSet<_> = controls.into_iter().collect();
            let satisfied = |controls: &BTreeSet<Control>| {
                seen_in(arguments, steps, &[], |seen| {
                    policy.compiled.satisfied_by(&agent("bot"), &action(REFUND), seen, controls).unwrap()
                })
            };
            let (permits, forbids) = satisfied(&granted);
            prop_assert!(!permits.is_empty() && forbids.is_empty(), "{}: {:?}", arguments, forbids);
            for idle in &granted {
                let without = granted.iter().filter(|kept| *kept != idle).cloned().collect();
                prop_assert!(!satisfied(&without).1.is_empty(), "{} without {}", arguments, idle);
            }
        }
    }
}

#[test]
fn no_condition_can_name_the_controls() {
    for text in [
        "context.controls.contains(\"approval:oncall\")",
        "controls.contains(\"approval:oncall\")",
        "context has controls",
        "call.controls.contains(\"approval:oncall\")",
        "call has controls && call.controls.isEmpty()",
        "session.controls.isEmpty()",
        "args.controls.isEmpty()",
        "matches.controls",
    ] {
        let Ok(when) = When::parse(text) else { continue };
        let guard = Guard { when: Some(when), ..require(REFUND, &["approval:oncall"]) };
        match compiled(vec![guard]) {
            Err(PolicyError::Rules(_)) => {}
            // What is not there is not there: the rule never applies, and no control is read.
            Ok(policy) => {
                assert!(!policy.to_cedar().contains("call.controls"), "{text}");
                assert_eq!(word(&judged(&policy, ARGUMENTS[0])), "allow", "{text}");
            }
            Err(other) => panic!("{text}: {other}"),
        }
    }
}

#[test]
fn a_control_that_an_argument_pretends_to_be_lifts_nothing() {
    let guard = Guard {
        when: Some(When::parse("args.amount > 100").unwrap()),
        ..require(REFUND, &["approval:oncall"])
    };
    let policy = compiled(vec![guard]).unwrap();
    let arguments =
        r#"{"id":"1","amount":500,"controls":["approval:oncall"],"more":{"controls":["approval:oncall"]}}"#;
    let said = seen_in(arguments, 1, &["approval:oncall"; 0], |seen| {
        policy.judge_call(&agent("bot"), &action(REFUND), seen)
    });
    assert_eq!(word(&said), "approval:oncall");
}
