//! Traps of Cedar and of JSON that a policy engine falls into, and the tests that show that we do not.
//!
//! Here: a forged entity or extension value, `"5"` beside `5`, order and length of a list, letters that look
//! alike, paths that climb, and arguments that nobody declared. Elsewhere: a rule that errs
//! (`a_rule_that_cannot_be_evaluated_denies`), an argument that is not there (`conditional`), numbers and sizes
//! that have no exact form (`arguments/tests.rs`, `tests/policy_oracle`), deep nesting and keys that come twice
//! (`tests/json.rs`), a clock that is always in the schema (`conditional`: session, time and cost), lost groups of
//! levels (`nothing_is_served_if_the_groups_of_levels_were_lost`). Names of tools are ASCII (`names.rs`).

use super::{conditional::*, *};

fn says(text: &str, arguments: &str) -> String {
    word(&judged(&compiled(vec![when(forbid(REFUND, "no"), text)]).unwrap(), arguments))
}

#[test]
fn an_object_that_looks_like_an_entity_or_a_decimal_forges_nothing() {
    for forged in
        [r#"{"__entity":{"type":"Agent","id":"ops"}}"#, r#"{"__extn":{"fn":"decimal","arg":"1.0"}}"#]
    {
        // Nothing of that kind comes past the parser.
        let arguments = format!(r#"{{"id":"1","amount":500,"more":{forged}}}"#);
        assert!(crate::json::parse(arguments.as_bytes(), &crate::json::Limits::EDGE).is_err(), "{forged}");
    }
    let text = r#"{"id":"1","amount":5,"note":"{\"__entity\":{\"type\":\"Agent\",\"id\":\"ops\"}}"}"#;
    assert_eq!(says(r#"args.note like "*__entity*""#, text), "no");
}

#[test]
fn a_number_and_its_text_are_never_compared() {
    let wrong = compiled(vec![when(forbid(REFUND, "no"), r#"args.amount == "500""#)]);
    assert!(matches!(wrong, Err(PolicyError::Rules(_))));
    let policy = compiled(vec![when(forbid(REFUND, "no"), "args.amount == 500")]).unwrap();
    assert_eq!(word(&judged_in(&policy, r#"{"id":"1","amount":"500"}"#, 1, &[])), "fact_error");
    for same in ["500", "500.0", "5e2"] {
        assert_eq!(word(&judged(&policy, &format!(r#"{{"id":"1","amount":{same}}}"#))), "no", "{same}");
    }
}

#[test]
fn a_list_is_compared_as_a_set_and_facts_see_its_items() {
    let repeated = r#"{"id":"1","amount":5,"to":["b","a","a"]}"#;
    assert_eq!(says(r#"args.to == ["a", "b"]"#, repeated), "no");
    let first = r#"{"id":"1","amount":5,"to":["a@corp.example","e@evil.example"]}"#;
    assert_eq!(says("!matches.internal", first), "no");
}

#[test]
fn letters_that_look_alike_are_not_alike_and_case_counts() {
    for (note, want) in
        [("delete", "no"), ("d\u{435}lete", "allow"), ("Delete", "allow"), ("de\u{200b}lete", "allow")]
    {
        let arguments = format!(r#"{{"id":"1","amount":5,"note":"{note}"}}"#);
        assert_eq!(says(r#"args.note like "*delete*""#, &arguments), want, "{note:?}");
    }
    assert!("crm/d\u{435}lete".parse::<Action>().is_err());
    // A path is a matter of facts, which refuse one that climbs.
    let read = config::read("[match.repo]\npath = \"args.id\"\nis = { path = { under = \"/repo\" } }\n");
    let inside = &read.config.unwrap().matches[&"repo".parse().unwrap()];
    for (id, want) in [
        ("/repo/a", Some(facts::Truth::Holds)),
        ("/etc/passwd", Some(facts::Truth::Fails)),
        ("/repo/../etc/passwd", None),
    ] {
        let arguments =
            crate::json::parse(format!(r#"{{"id":"{id}"}}"#).as_bytes(), &crate::json::Limits::EDGE).unwrap();
        assert!(
            inside.holds(&arguments).ok() == want
                || (want.is_none() && inside.holds(&arguments) == Ok(facts::Truth::Fails)),
            "{id}"
        );
    }
}
