//! Quantifiers, absence and bounds, and that nothing panics. What each test says is tested beside it.

use super::{
    text::{Case, Literal},
    *,
};
use crate::json::{Limits, Number, Object, parse};
use proptest::{collection, prelude::*};

fn json(text: &str) -> Json {
    parse(text.as_bytes(), &Limits::EDGE).unwrap()
}

fn ours() -> Test {
    Test::Text(TextTest::Suffix("@corp".to_owned(), Case::Exact))
}

fn is(text: &str) -> Test {
    Test::Text(TextTest::OneOf(vec![Literal::Text(text.to_owned())], Case::Exact))
}

fn small() -> Test {
    Test::Number(Range::new(None, Some(number::Bound::Included(Number::Integer(9)))).unwrap())
}

fn of(path: &str, how: Quantifier) -> Match {
    Match { path: path.parse().unwrap(), how, examples: Examples::default(), line: 1 }
}

/// `Err` for whatever cannot be judged.
fn assert_answers(how: fn(Test) -> Quantifier, rows: &[(&str, Result<Truth, ()>)]) {
    let asked = of("args.to[*]", how(ours()));
    for (arguments, want) in rows {
        assert_eq!(asked.holds(&json(arguments)).map_err(|_| ()), *want, "{arguments} for {asked:?}");
    }
}

#[test]
fn all_items_are_so_only_if_there_are_some() {
    assert_answers(
        Quantifier::All,
        &[
            (r#"{"to": ["a@corp", "b@corp"]}"#, Ok(Truth::Holds)),
            (r#"{"to": ["a@corp", "b@evil"]}"#, Ok(Truth::Fails)),
            (r#"{"to": []}"#, Ok(Truth::Fails)),
            (r#"{"to": null}"#, Ok(Truth::Absent)),
            (r#"{}"#, Ok(Truth::Absent)),
            (r#"{"to": "a@corp"}"#, Err(())),
            (r#"{"to": {"0": "a@corp"}}"#, Err(())),
            (r#"{"to": ["a@corp", null]}"#, Err(())),
            (r#"{"to": ["a@evil", 7]}"#, Err(())),
            (r#"{"to": [["a@corp"]]}"#, Err(())),
            (r#"["a@corp"]"#, Err(())),
        ],
    );
}

#[test]
fn any_item_is_so_once_all_have_been_judged() {
    assert_answers(
        Quantifier::Any,
        &[
            (r#"{"to": ["a@evil", "b@corp"]}"#, Ok(Truth::Holds)),
            (r#"{"to": ["a@evil"]}"#, Ok(Truth::Fails)),
            (r#"{"to": []}"#, Ok(Truth::Fails)),
            (r#"{"to": ["a@corp", 7]}"#, Err(())),
            (r#"{"to": [null, "a@corp"]}"#, Err(())),
        ],
    );
}

#[test]
fn the_first_item_is_looked_at_alone() {
    assert_answers(
        Quantifier::First,
        &[
            (r#"{"to": ["a@corp", 7]}"#, Ok(Truth::Holds)),
            (r#"{"to": ["a@evil", "a@corp"]}"#, Ok(Truth::Fails)),
            (r#"{"to": []}"#, Ok(Truth::Absent)),
            (r#"{"to": [null]}"#, Err(())),
        ],
    );
}

#[test]
fn items_are_counted_and_not_looked_at() {
    let asked = of("args.to[*]", Quantifier::Length(Count { at_least: Some(1), at_most: Some(2) }));
    for (arguments, want) in [
        (r#"{"to": []}"#, Ok(Truth::Fails)),
        (r#"{"to": [7]}"#, Ok(Truth::Holds)),
        (r#"{"to": [null, null]}"#, Ok(Truth::Holds)),
        (r#"{"to": [1, 2, 3]}"#, Ok(Truth::Fails)),
        (r#"{}"#, Ok(Truth::Absent)),
        (r#"{"to": "ab"}"#, Err(())),
    ] {
        assert_eq!(asked.holds(&json(arguments)).map_err(|_| ()), want, "{arguments}");
    }
}

#[test]
fn a_value_is_absent_or_there_but_never_half_there() {
    let inside = of("args.lines[*].price", Quantifier::All(small()));
    let plain = of("args.order.total", Quantifier::Is(small()));
    for (asked, arguments, want) in [
        (&plain, r#"{"order": {"total": 5}}"#, Ok(Truth::Holds)),
        (&plain, r#"{"order": {"total": 50}}"#, Ok(Truth::Fails)),
        (&plain, r#"{"order": {"total": null}}"#, Ok(Truth::Absent)),
        (&plain, r#"{"order": {}}"#, Ok(Truth::Absent)),
        (&plain, r#"{"order": null}"#, Ok(Truth::Absent)),
        (
            &plain,
            r#"{"order": "total"}"#,
            Err("`args.order.total` cannot be judged: the way there leads through a string"),
        ),
        (
            &plain,
            r#"{"order": {"total": "5"}}"#,
            Err("`args.order.total` cannot be judged: it is a string, not a number"),
        ),
        (&inside, r#"{"lines": [{"price": 1}, {"price": 2}]}"#, Ok(Truth::Holds)),
        (
            &inside,
            r#"{"lines": [{"price": 1}, {}]}"#,
            Err("`args.lines[1].price` cannot be judged: it is missing"),
        ),
        (
            &inside,
            r#"{"lines": [{"price": null}]}"#,
            Err("`args.lines[0].price` cannot be judged: it is missing"),
        ),
        (
            &inside,
            r#"{"lines": [3]}"#,
            Err("`args.lines[0].price` cannot be judged: the way there leads through a number"),
        ),
    ] {
        let answer = asked.holds(&json(arguments));
        assert_eq!(answer.map_err(|error| error.to_string()), want.map_err(str::to_owned), "{arguments}");
    }
}

#[test]
fn a_path_and_a_quantifier_that_do_not_fit_say_nothing() {
    let arguments = json(r#"{"to": ["a@corp"]}"#);
    assert!(of("args.to[*]", Quantifier::Is(ours())).holds(&arguments).is_err());
    for how in [Quantifier::All, Quantifier::Any, Quantifier::First] {
        assert!(of("args.to", how(ours())).holds(&arguments).is_err());
    }
}

#[test]
fn one_of_several_tests_settles_it_only_by_holding() {
    let address = || Test::Email(EmailTest::new(&["corp.example".to_owned()], false).unwrap());
    let either = Test::AnyOf(vec![address(), is("nobody")]);
    let neither = Test::Not(Box::new(Test::AnyOf(vec![is("nobody"), address()])));
    for (text, holds) in [
        ("nobody", Some(true)),
        ("ana@corp.example", Some(true)),
        ("ana@evil.example", Some(false)),
        ("somebody", None),
        ("ana@corp.example@evil.example", None),
    ] {
        assert_eq!(either.judge(&Json::from(text)).ok(), holds, "{text}");
        assert_eq!(neither.judge(&Json::from(text)).ok(), holds.map(|holds| !holds), "not {text}");
    }
}

#[test]
fn what_is_too_large_is_not_judged() {
    let list = |items: Vec<Json>| Json::from(Object::from([("to", Json::from(items))]));
    let asked = of("args.to[*]", Quantifier::Any(ours()));
    let many = |count| list(vec![Json::from("a@corp"); count]);
    assert_eq!(asked.holds(&many(limits::JUDGED_LIST_ITEMS)), Ok(Truth::Holds));
    assert_eq!(
        asked.holds(&many(limits::JUDGED_LIST_ITEMS + 1)).unwrap_err().to_string(),
        "`args.to` cannot be judged: it has more than 4096 items"
    );
    let long = |count, bytes| list(vec![Json::from("a".repeat(bytes)); count]);
    assert_eq!(asked.holds(&long(4, limits::JUDGED_TEXT_BYTES)), Ok(Truth::Fails));
    assert!(asked.holds(&long(5, limits::JUDGED_TEXT_BYTES)).is_err());
    assert!(asked.holds(&long(1, limits::JUDGED_TEXT_BYTES + 1)).is_err());
    let counted = of("args.to[*]", Quantifier::Length(Count { at_least: Some(5000), at_most: None }));
    assert_eq!(counted.holds(&many(5000)), Ok(Truth::Holds), "a count looks at nothing");
}

#[test]
fn an_error_repeats_no_more_than_a_character() {
    let address = Test::Email(EmailTest::new(&["corp.example".to_owned()], false).unwrap());
    let secret = of("args.to", Quantifier::Is(address));
    let error = secret.holds(&json(r#"{"to": "hunter2\u202e secret@corp.example"}"#)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`args.to` cannot be judged: the name before its `@` contains the character U+202E"
    );
}

fn any_json() -> impl Strategy<Value = Json> {
    let text = prop_oneof![
        any::<String>(),
        "\\PC{0,30}",
        "[a-z@.:/\\\\%'\"$;~ \\[\\]?#=-]{0,40}",
        "(https?://|/|git |SELECT )[a-z@.:/%'\" ;?-]{0,20}",
    ];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        text.prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            collection::vec(("to|x", inner), 0..3).prop_map(|members| {
                let mut object = Object::new();
                for (key, value) in members {
                    object.insert(key, value);
                }
                Json::from(object)
            }),
        ]
    })
}

/// One of each kind.
fn every_test() -> Vec<Test> {
    let one = |text: &str| vec![text.to_owned()];
    let files =
        file::Wanted { under: one("/repo"), base: Some("/repo".to_owned()), ..file::Wanted::default() };
    let commands = command::Wanted { programs: one("git"), never: one("-f"), argv_prefix: one("git") };
    let urls = url::Wanted {
        schemes: one("https"),
        hosts: one("corp.example"),
        host_suffix: Some("example".to_owned()),
        ports: vec![443],
        path_prefix: Some("/a".to_owned()),
    };
    vec![
        ours(),
        is("x"),
        small(),
        Test::Text(TextTest::Contains("a".to_owned(), Case::Ignored)),
        Test::Text(TextTest::Pattern(text::Pattern::glob("a*/**b?", Case::Ignored).unwrap())),
        Test::Email(EmailTest::new(&one("corp.example"), true).unwrap()),
        Test::Url(UrlTest::new(&urls).unwrap()),
        Test::File(FileTest::new(&files).unwrap()),
        Test::Command(CommandTest::new(&commands).unwrap()),
        Test::Sql(SqlTest::new(&one("SELECT ?")).unwrap()),
    ]
}

proptest! {
    #[test]
    fn no_value_makes_a_test_panic_and_errors_are_short(value in any_json()) {
        let tests = every_test();
        let arguments = Json::from(Object::from([("to", value)]));
        for test in tests.iter().cloned().chain([Test::AnyOf(tests.clone()), Test::Not(Box::new(ours()))]) {
            let plain = of("args.to", Quantifier::Is(test.clone()));
            let each = of("args.to[*]", Quantifier::All(test.clone()));
            let some = of("args.to[*].x", Quantifier::Any(test));
            for asked in [plain, each, some] {
                if let Err(error) = asked.holds(&arguments) {
                    prop_assert!(error.to_string().chars().count() < 300, "{}", error);
                    prop_assert!(!error.to_string().contains(acts), "{}", error);
                }
            }
        }
    }
}
