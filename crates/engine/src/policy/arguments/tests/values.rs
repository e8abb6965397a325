//! What becomes of each value: its exact form in Cedar, or an error that denies.

use super::*;
use crate::json::Number;

/// A record of one required member `a`.
fn holding(kind: Kind) -> Record {
    Record { members: [("a".to_owned(), Member { kind, required: true })].into(), open: false }
}

fn argument(value: Json) -> Json {
    Object::from([("a", value)]).into()
}

/// What is wrong with `value` where `kind` is read; empty if nothing.
fn problem(kind: Kind, value: Json) -> String {
    context(&holding(kind), &argument(value)).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn a_number_is_compared_at_its_exact_value_or_not_at_all() {
    const PRECISE: &str = "`args.a` has more than 4 digits after the point";
    const FAR: &str = "`args.a` is too large a number to be judged";
    for (number, want) in [
        ("100", Ok("100.0")),
        ("-0", Ok("0.0")),
        ("1.10", Ok("1.1")),
        ("0.1", Ok("0.1")),
        ("-0.0001", Ok("-0.0001")),
        ("1e-4", Ok("0.0001")),
        ("99999999999.9999", Ok("99999999999.9999")),
        ("100000000000.0001", Ok("100000000000.0001")),
        ("-123456789012.3456", Ok("-123456789012.3456")),
        ("922337203685477", Ok("922337203685477.0")),
        ("-922337203685477", Ok("-922337203685477.0")),
        ("922337203685477.5", Ok("922337203685477.5")),
        ("1e14", Ok("100000000000000.0")),
        ("922337203685478", Err(FAR)),
        ("-922337203685478", Err(FAR)),
        ("922337203685477.6", Err(FAR)),
        ("9223372036854775807", Err(FAR)),
        ("100.00004", Err(PRECISE)),
        ("0.00001", Err(PRECISE)),
        ("1e-7", Err(PRECISE)),
        ("5e-324", Err(PRECISE)),
        ("-1.23456789", Err(PRECISE)),
        ("12345678901.23456", Err(PRECISE)),
    ] {
        let narrowed = holding(Kind::Decimal);
        match (context(&narrowed, &argument(json(number))), want) {
            (Ok(args), Ok(want)) => {
                let request = request(args, &cedar_schema(&narrowed)).unwrap();
                assert!(holds(&request, equals(&path(&["a"]), decimal_literal(want))), "{number}");
                assert!(!holds(&request, equals(&path(&["a"]), decimal_literal("100.0001"))), "{number}");
            }
            (Err(error), Err(want)) => {
                assert_eq!((error.to_string().as_str(), error.code()), (want, "fact_error"), "{number}");
            }
            (found, want) => panic!("{number}: {found:?}, not {want:?}"),
        }
    }
}

#[test]
fn a_decimal_is_built_as_cedar_itself_would() {
    for (number, text) in [("12.5", "12.5000"), ("-7", "-7.0000"), ("0", "0.0000"), ("-0.0001", "-0.0001")] {
        let number = Number::parse(number).unwrap();
        assert_eq!(super::super::decimal::decimal(&number), Ok(RestrictedExpression::new_decimal(text)));
    }
}

#[test]
fn a_whole_number_is_counted_to_the_digit() {
    for (number, want) in [
        ("9007199254740993", Ok(9_007_199_254_740_993)),
        ("9223372036854775807", Ok(i64::MAX)),
        ("-9223372036854775808", Ok(i64::MIN)),
        ("5.0", Ok(5)),
        ("1e2", Ok(100)),
        ("5.5", Err("`args.a` is not a whole number")),
    ] {
        let narrowed = holding(Kind::Whole);
        match (context(&narrowed, &argument(json(number))), want) {
            (Ok(args), Ok(want)) => {
                let request = request(args, &cedar_schema(&narrowed)).unwrap();
                assert!(holds(&request, equals(&path(&["a"]), cedar_json!({ "Value": want }))), "{number}");
            }
            (Err(error), Err(want)) => assert_eq!(error.to_string(), want, "{number}"),
            (found, want) => panic!("{number}: {found:?}, not {want:?}"),
        }
    }
    for (number, want) in
        [("12.5", Some(12_500_000)), ("0.000001", Some(1)), ("0.0000001", None), ("1e13", None)]
    {
        let args = context(&holding(Kind::Micros), &argument(json(number))).ok();
        let holds = args.map(|args| {
            let request = request(args, &cedar_schema(&holding(Kind::Micros))).unwrap();
            holds(&request, equals(&path(&["a"]), cedar_json!({ "Value": want.unwrap_or_default() })))
        });
        assert_eq!(holds, want.map(|_| true), "{number}");
    }
}

#[test]
fn a_value_of_another_type_is_refused_with_its_place() {
    let list = |kind| Kind::Set(Box::new(kind));
    for (kind, value, want) in [
        (Kind::Bool, "1", "`args.a` is a number, not a boolean"),
        (Kind::Whole, r#""5""#, "`args.a` is a string, not a number"),
        (Kind::Decimal, "true", "`args.a` is a boolean, not a number"),
        (Kind::Text, "[]", "`args.a` is an array, not a string"),
        (Kind::Text, "null", "`args.a` is missing"),
        (list(Kind::Text), r#""x""#, "`args.a` is a string, not an array"),
        (list(Kind::Text), r#"["x",7]"#, "`args.a[1]` is a number, not a string"),
        (list(Kind::Text), r#"["x",null]"#, "`args.a[1]` is null, not a string"),
        (
            list(list(Kind::Decimal)),
            "[[1],[2,0.00001]]",
            "`args.a[1][1]` has more than 4 digits after the point",
        ),
        (Kind::Record(holding(Kind::Text)), "[]", "`args.a` is an array, not an object"),
        (Kind::Record(holding(Kind::Text)), "{}", "`args.a.a` is missing"),
        (
            Kind::Record(holding(list(Kind::Bool))),
            r#"{"a":[true,{}]}"#,
            "`args.a.a[1]` is an object, not a boolean",
        ),
        (
            list(Kind::Opaque(Opaque::Union)),
            "[1]",
            "`args.a` cannot be read by a rule: the tool's schema lets it be of several types",
        ),
    ] {
        assert_eq!(problem(kind, json(value)), want, "{value}");
    }
    assert_eq!(
        context(&Record::default(), &Json::Null).unwrap_err().to_string(),
        "`args` is null, not an object"
    );
    let missing = context(&holding(Kind::Text), &json("{}")).unwrap_err();
    assert_eq!((missing.why, missing.code()), (Why::Missing, "fact_missing"));
    let hostile =
        record("{\"properties\":{\"x-y\":{\"properties\":{\"\u{202e}\\u0000\":{\"type\":\"string\"}}}}}");
    let refused = context(&hostile, &json("{\"x-y\":{\"\u{202e}\\u0000\":1}}")).unwrap_err();
    assert_eq!(refused.path, r#"args["x-y"]["\u{202e}\u0000"]"#);
}

#[test]
fn null_where_a_member_may_be_missing_is_a_missing_member() {
    let record =
        record(r#"{"properties":{"a":{"type":["string","null"]},"b":{"type":"string"}},"required":["a"]}"#);
    let schema = cedar_schema(&record);
    for (args, is_there) in [("{}", false), (r#"{"a":null}"#, false), (r#"{"a":""}"#, true)] {
        let request = request(context(&record, &json(args)).unwrap(), &schema).unwrap();
        assert_eq!(holds(&request, has(&path(&["a"]))), is_there, "{args}");
    }
}

#[test]
fn members_that_no_rule_reads_stay_out_whatever_they_are() {
    let record = record(
        r#"{"properties":{"a":{"type":"string"},"n":{"type":"number"},"u":{}},"additionalProperties":true}"#,
    );
    let narrowed = record.narrowed(&Reads::from_iter([path(&["a"])]));
    let args = context(&narrowed, &json(r#"{"a":"x","n":0.00000001,"u":[1],"other":{"deep":[]}}"#)).unwrap();
    let request = request(args, &cedar_schema(&narrowed)).unwrap();
    assert!(!holds(&request, has(&path(&["n"]))) && !holds(&request, has(&path(&["other"]))));
}

#[test]
fn an_argument_cannot_pass_for_an_entity_or_for_an_extension_value() {
    let forged = |key: &str, inner: Object| Json::from(Object::from([(key, Json::from(inner))]));
    let entity = || Object::from([("type", Json::from("Agent")), ("id", Json::from("a"))]);
    let extension = || Object::from([("fn", Json::from("decimal")), ("arg", Json::from("1.0"))]);
    for value in [
        forged("__entity", entity()),
        forged("__extn", extension()),
        forged("__expr", Object::new()),
        Json::from("decimal(\"1.0\")"),
        Json::from("Agent::\"a\""),
    ] {
        for kind in [Kind::Decimal, Kind::Whole, Kind::Bool, Kind::Set(Box::new(Kind::Text))] {
            assert!(problem(kind, value.clone()).contains(", not "), "{value}");
        }
    }
    // Where a tool really has such members they are texts in records.
    let text = || holding_names(&["type", "id", "fn", "arg"]);
    let names =
        ["__entity", "__extn"].map(|name| (name.to_owned(), Member { kind: text(), required: false }));
    let record = holding(Kind::Record(Record { members: names.into(), open: false }));
    let schema = cedar_schema(&record);
    for (key, inner, name, said) in
        [("__entity", entity(), "type", "Agent"), ("__extn", extension(), "arg", "1.0")]
    {
        let args = context(&record, &argument(forged(key, inner))).unwrap();
        let request = request(args, &schema).unwrap();
        assert!(holds(&request, equals(&path(&["a", key, name]), cedar_json!({ "Value": said }))));
        let entity = cedar_json!({ "Value": { "__entity": { "type": "Agent", "id": "a" } } });
        assert!(!holds(&request, equals(&path(&["a"]), entity)));
        assert!(!holds(&request, equals(&path(&["a"]), decimal_literal("1.0"))));
    }
}

fn holding_names(names: &[&str]) -> Kind {
    let members = names.iter().map(|name| ((*name).to_owned(), Member { kind: Kind::Text, required: false }));
    Kind::Record(Record { members: members.collect(), open: false })
}

#[test]
fn what_is_too_large_to_judge_is_refused_at_its_limit_and_not_before() {
    let texts = |count: usize, text: &str| Json::from(vec![Json::from(text); count]);
    let list = |kind| Kind::Set(Box::new(kind));
    let kilobyte = "x".repeat(1 << 10);
    for (name, kind, fits, exceeds, bound) in [
        (
            "one text",
            Kind::Text,
            Json::from("x".repeat(limits::READ_TEXT_BYTES)),
            Json::from("x".repeat(limits::READ_TEXT_BYTES + 1)),
            Bound::Text,
        ),
        (
            "one list",
            list(Kind::Text),
            texts(limits::READ_ITEMS, ""),
            texts(limits::READ_ITEMS + 1, ""),
            Bound::Items,
        ),
        ("all together", list(Kind::Text), texts(250, &kilobyte), texts(256, &kilobyte), Bound::Together),
        (
            "many small ones",
            list(list(Kind::Bool)),
            Json::from(vec![Json::from(vec![Json::from(true); 4_000]); 8]),
            Json::from(vec![Json::from(vec![Json::from(true); 4_096]); 8]),
            Bound::Together,
        ),
    ] {
        assert_eq!(problem(kind.clone(), fits), "", "{name}");
        let error = context(&holding(kind), &argument(exceeds)).unwrap_err();
        assert_eq!((error.why, error.code()), (Why::TooLarge(bound), "too_large_to_judge"), "{name}");
        assert!(error.to_string().starts_with("`args.a"), "{error}");
    }
    // Names count too: a list of small records with long names is large.
    let name = "n".repeat(1_000);
    let items = Kind::Record(Record {
        members: [(name.clone(), Member { kind: Kind::Bool, required: true })].into(),
        open: false,
    });
    let item = Json::from(Object::from_iter([(name, Json::from(true))]));
    let error = context(&holding(list(items)), &argument(Json::from(vec![item; 400]))).unwrap_err();
    assert_eq!(error.why, Why::TooLarge(Bound::Together));
}

#[test]
fn what_nests_deep_is_refused_and_never_overflows() {
    let deep = |levels: usize| {
        let kind = (0..levels).fold(Kind::Bool, |kind, _| Kind::Set(Box::new(kind)));
        let value = (0..levels).fold(Json::from(true), |value, _| Json::from(vec![value]));
        context(&holding(kind), &argument(value))
    };
    let fits = deep(limits::READ_DEPTH - 1).unwrap();
    let kind = (0..limits::READ_DEPTH - 1).fold(Kind::Bool, |kind, _| Kind::Set(Box::new(kind)));
    request(fits, &cedar_schema(&holding(kind))).unwrap();
    for levels in [limits::READ_DEPTH, 500] {
        let error = deep(levels).unwrap_err();
        assert_eq!(error.why, Why::TooLarge(Bound::Depth));
        assert_eq!(error.code(), "too_large_to_judge");
    }
    let value = (0..500).fold(Json::from(true), |value, _| argument(value));
    assert!(problem(Kind::Text, value).contains("is an object, not a string"));
}

#[test]
fn a_set_forgets_order_and_repetition_and_nothing_else() {
    let record =
        record(r#"{"properties":{"a":{"type":"array","items":{"type":"number"}}},"required":["a"]}"#);
    let args = context(&record, &json(r#"{"a":[2,1.50,1.5,2]}"#)).unwrap();
    let request = request(args, &cedar_schema(&record)).unwrap();
    let set = |items: &[&str]| cedar_json!({ "Set": items.iter().map(|text| decimal_literal(text)).collect::<Vec<_>>() });
    assert!(holds(&request, equals(&path(&["a"]), set(&["1.5", "2.0"]))));
    assert!(!holds(&request, equals(&path(&["a"]), set(&["1.5"]))));
    assert!(!holds(&request, equals(&path(&["a"]), set(&["1.5", "2.0", "0.0"]))));
}
