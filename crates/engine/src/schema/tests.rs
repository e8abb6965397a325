//! Schemas: which arguments fit, and which tools cannot be used.

use std::time::{Duration, Instant};

use super::*;
use crate::json::{Limits, parse};

fn json(text: &str) -> Json {
    parse(text.as_bytes(), &Limits::EDGE).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn schema(text: &str) -> Schema {
    Schema::compile(&json(text)).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What is wrong with these arguments; empty if nothing.
fn problem(schema_text: &str, arguments: &str) -> String {
    schema(schema_text).check(&json(arguments)).err().unwrap_or_default()
}

#[track_caller]
fn fits(schema_text: &str, arguments: &str) {
    assert_eq!(problem(schema_text, arguments), "", "{arguments} under {schema_text}");
}

/// Refused because of a key that nobody declared, and not for another reason.
#[track_caller]
fn undeclared(schema_text: &str, arguments: &str, key: &str) {
    let problem = problem(schema_text, arguments);
    assert!(
        problem.starts_with(&format!("`{key}` is not an argument of this tool")),
        "{problem:?}: {arguments} under {schema_text}"
    );
}

#[track_caller]
fn refused(schema_text: &str) -> String {
    Schema::compile(&json(schema_text))
        .map_or_else(|error| error.to_string(), |_| panic!("it compiles: {schema_text}"))
}

/// Far more than the work takes, on a busy machine too, and far less than work that explodes would.
#[track_caller]
fn quickly<T>(work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    assert!(begun.elapsed() < Duration::from_secs(60), "took {:?}", begun.elapsed());
    done
}

/// `{"c":{"c":…}}`, so many levels deep.
fn nested(levels: usize) -> String {
    (0..levels).fold("{}".to_owned(), |inner, _| format!(r#"{{"c":{inner}}}"#))
}

#[test]
fn an_undeclared_key_is_refused_with_its_name_and_the_allowed_ones() {
    let user = r#"{"type":"object","properties":{"id":{"type":"string"},"note":{"type":"string"}}}"#;
    fits(user, r#"{"id":"42"}"#);
    assert_eq!(
        problem(user, r#"{"id":"42","admin":true}"#),
        "`admin` is not an argument of this tool; it takes `id`, `note`"
    );
}

#[test]
fn an_undeclared_key_is_refused_however_deep_it_stands() {
    let order = r#"{"properties":{"lines":{"type":"array","items":{"type":"object",
        "properties":{"item":{"properties":{"sku":{}}}}}}}}"#;
    fits(order, r#"{"lines":[{"item":{"sku":"a"}},{}]}"#);
    undeclared(order, r#"{"lines":[{"item":{"sku":"a","free":true}}]}"#, "lines[].item.free");
    undeclared(order, r#"{"lines":[{},{"qty":1}]}"#, "lines[].qty");
}

#[test]
fn a_schema_opens_its_objects_by_saying_so_or_by_declaring_nothing() {
    for open in [
        r#"{"type":"object"}"#,
        r#"{"type":"object","properties":{}}"#,
        r#"{"properties":{"a":{}},"additionalProperties":true}"#,
        r#"{"properties":{"a":{}},"additionalProperties":{}}"#,
        r#"{"properties":{"a":{}},"additionalProperties":{"type":"boolean"}}"#,
        r#"{"properties":{"a":{}},"unevaluatedProperties":{"type":"boolean"}}"#,
        r#"{"properties":{"a":{}},"patternProperties":{"^x":{}}}"#,
        r#"{"allOf":[{"properties":{"a":{}}},{"additionalProperties":true}]}"#,
    ] {
        fits(open, r#"{"xtra":true}"#);
    }
    for closed in [
        r#"{"properties":{"a":{}},"additionalProperties":false}"#,
        r#"{"properties":{"a":{}},"unevaluatedProperties":false}"#,
        r#"{"properties":{"a":{}},"patternProperties":{}}"#,
        r#"{"properties":{"a":{}},"propertyNames":{"maxLength":9}}"#,
        r#"{"properties":{"a":{}},"minProperties":0}"#,
    ] {
        undeclared(closed, r#"{"xtra":true}"#, "xtra");
    }
    // Closed all the same where the library sees to it.
    assert_ne!(problem(r#"{"properties":{},"additionalProperties":false}"#, r#"{"xtra":1}"#), "");
    assert_ne!(
        problem(r#"{"patternProperties":{"^y":{}},"additionalProperties":false}"#, r#"{"xtra":1}"#),
        ""
    );
    assert_ne!(
        problem(r#"{"properties":{"a":{}},"additionalProperties":{"type":"null"}}"#, r#"{"xtra":1}"#),
        ""
    );
}

#[test]
fn a_property_whose_schema_is_true_may_be_anything() {
    fits(r#"{"properties":{"a":true}}"#, r#"{"a":{"b":[{"c":1}]}}"#);
    fits(r#"{"properties":{"a":{}}}"#, r#"{"a":{"b":[{"c":1}]}}"#);
    assert_ne!(problem(r#"{"properties":{"a":false}}"#, r#"{"a":1}"#), "");
}

#[test]
fn what_is_declared_in_any_combined_part_is_declared() {
    for parts in [
        r#"{"allOf":[{"properties":{"a":{}}},{"properties":{"b":{}}}]}"#,
        r#"{"properties":{"a":{}},"allOf":[{"properties":{"b":{}}}]}"#,
        r#"{"properties":{"a":{}},"anyOf":[{"properties":{"b":{}}},{"required":["a"]}]}"#,
        r#"{"oneOf":[{"properties":{"a":{},"b":{}},"required":["b"]},{"properties":{"a":{},"z":{}},"required":["z"]}]}"#,
        r#"{"properties":{"a":{}},"if":{"required":["a"]},"then":{"properties":{"b":{}}}}"#,
        r#"{"properties":{"a":{}},"if":{"required":["z"]},"then":{},"else":{"properties":{"b":{}}}}"#,
        r#"{"if":{"properties":{"a":{}}},"then":{"properties":{"b":{}}},"else":{"properties":{"z":{}}}}"#,
        r#"{"properties":{"a":{}},"dependentSchemas":{"a":{"properties":{"b":{}}}}}"#,
        r#"{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{}},"dependencies":{"a":{"properties":{"b":{}}}}}"#,
        r##"{"$ref":"#/$defs/both","$defs":{"both":{"properties":{"a":{},"b":{}}}}}"##,
        r##"{"properties":{"a":{}},"$ref":"#/$defs/b","unevaluatedProperties":false,"$defs":{"b":{"properties":{"b":{}}}}}"##,
    ] {
        fits(parts, r#"{"a":1,"b":2}"#);
        undeclared(parts, r#"{"a":1,"b":2,"c":3}"#, "c");
    }
}

#[test]
fn conditions_and_requirements_neither_declare_nor_open() {
    for silent in [
        r#""anyOf":[{"required":["a"]},{"required":["b"]}]"#,
        r#""oneOf":[{"required":["a"]},{"type":"object","required":["b"]}]"#,
        r#""not":{"required":["z"]}"#,
        r#""not":{"properties":{"c":{}},"required":["c"]}"#,
        r#""if":{"required":["b"]},"then":{"required":["a"]}"#,
        r#""if":{"properties":{"o":{"required":["x"]}}},"then":true"#,
        r#""allOf":[true,{"minProperties":1}]"#,
        r#""dependentRequired":{"b":["a"]}"#,
        r#""dependentSchemas":{"b":true}"#,
    ] {
        let schema =
            format!(r#"{{"properties":{{"a":{{}},"b":{{}},"o":{{"properties":{{"x":{{}}}}}}}},{silent}}}"#);
        fits(&schema, r#"{"a":1}"#);
        undeclared(&schema, r#"{"a":1,"c":3}"#, "c");
        undeclared(&schema, r#"{"a":1,"o":{"x":1,"y":2}}"#, "o.y");
    }
}

#[test]
fn alternatives_are_closed_only_if_each_of_them_is() {
    let either = |second: &str| {
        format!(
            r#"{{"properties":{{"o":{{"anyOf":[{{"type":"object","properties":{{"x":{{}}}}}},{second}]}}}}}}"#
        )
    };
    for not_an_object in [
        r#"{"type":"null"}"#,
        r#"{"type":["string","null"]}"#,
        r#"{"const":"none"}"#,
        r#"{"enum":["all","none"]}"#,
        r#"{"type":"array","items":{"type":"object"}}"#,
        "false",
        r#"{"properties":{"x":{},"w":{}}}"#,
    ] {
        fits(&either(not_an_object), r#"{"o":{"x":1}}"#);
        undeclared(&either(not_an_object), r#"{"o":{"x":1,"y":2}}"#, "o.y");
    }
    for anything in [
        "true",
        "{}",
        r#"{"type":"object"}"#,
        r#"{"type":["object","null"]}"#,
        r#"{"additionalProperties":{}}"#,
    ] {
        fits(&either(anything), r#"{"o":{"x":1,"y":2}}"#);
    }
}

#[test]
fn a_member_of_two_alternatives_is_closed_only_if_it_is_so_in_both() {
    let two = |second: &str| {
        format!(
            r#"{{"oneOf":[{{"properties":{{"kind":{{"const":1}},"o":{{"properties":{{"x":{{}}}}}}}}}},
                {{"properties":{{"kind":{{"const":2}},"o":{second}}}}}]}}"#
        )
    };
    fits(&two(r#"{"type":"object"}"#), r#"{"kind":2,"o":{"y":1}}"#);
    fits(&two(r#"{"properties":{"y":{}}}"#), r#"{"kind":2,"o":{"y":1}}"#);
    undeclared(&two(r#"{"properties":{"y":{}}}"#), r#"{"kind":2,"o":{"z":1}}"#, "o.z");
    // All parts must hold here, so one that says nothing opens nothing.
    let all =
        r#"{"allOf":[{"properties":{"o":{"properties":{"x":{}}}}},{"properties":{"o":{"type":"object"}}}]}"#;
    undeclared(all, r#"{"o":{"y":1}}"#, "o.y");
}

#[test]
fn lists_are_followed_item_by_item() {
    let draft_07 = r#"{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"l":{
        "items":[{"type":"integer"},{"properties":{"x":{}}}],"additionalItems":{"properties":{"z":{}}}}}}"#;
    let newest = r#"{"properties":{"l":{
        "prefixItems":[{"type":"integer"},{"properties":{"x":{}}}],"items":{"properties":{"z":{}}}}}}"#;
    let unevaluated = r#"{"properties":{"l":{
        "prefixItems":[{"type":"integer"},{"properties":{"x":{}}}],"unevaluatedItems":{"properties":{"z":{}}}}}}"#;
    for tuple in [draft_07, newest, unevaluated] {
        fits(tuple, r#"{"l":[9007199254740993,{"x":1},{"z":1},{"z":2}]}"#);
        undeclared(tuple, r#"{"l":[1,{"z":1}]}"#, "l[].z");
        undeclared(tuple, r#"{"l":[1,{"x":1},{"x":1}]}"#, "l[].x");
    }
    let nullable = r#"{"properties":{"l":{"anyOf":[{"type":"array","items":{"properties":{"x":{}}}},{"type":"null"}]}}}"#;
    fits(nullable, r#"{"l":null}"#);
    undeclared(nullable, r#"{"l":[{"y":1}]}"#, "l[].y");
    let restrained = r#"{"properties":{"l":{"items":{"properties":{"x":{}}},"anyOf":[{"minItems":1},{"maxItems":0}],"contains":{"required":["x"]}}}}"#;
    fits(restrained, r#"{"l":[{"x":1}]}"#);
    undeclared(restrained, r#"{"l":[{"x":1,"y":1}]}"#, "l[].y");
}

#[test]
fn what_stands_under_free_names_is_followed_too() {
    for free in [
        r#"{"properties":{"m":{"additionalProperties":{"properties":{"x":{"type":"integer"}}}}}}"#,
        r#"{"properties":{"m":{"unevaluatedProperties":{"properties":{"x":{"type":"integer"}}}}}}"#,
        r#"{"properties":{"m":{"additionalProperties":false,"patternProperties":{"^k":{"properties":{"x":{"type":"integer"}}}}}}}"#,
    ] {
        fits(free, r#"{"m":{"k1":{"x":9007199254740993},"k2":{}}}"#);
        undeclared(free, r#"{"m":{"k1":{"y":1}}}"#, "m.k1.y");
    }
    fits(
        r#"{"properties":{"m":{"patternProperties":{"^k":{"properties":{"x":{}}}}}}}"#,
        r#"{"m":{"other":{"y":1}}}"#,
    );
}

#[test]
fn references_within_the_schema_are_followed() {
    for (reference, definitions) in [
        (
            "#/definitions/A",
            r##""$schema":"http://json-schema.org/draft-07/schema#","definitions":{"A":{A}}"##,
        ),
        ("#/$defs/A", r##""$defs":{"A":{A}}"##),
        ("#/$defs/B", r##""$defs":{"B":{"$ref":"#/$defs/A"},"A":{A}}"##),
        ("#/$defs/List%3CA%3E", r##""$defs":{"List<A>":{A}}"##),
        ("#/$defs/a~1b~0c", r##""$defs":{"a/b~c":{A}}"##),
        ("#/properties/p", r##""$defs":{}"##),
        ("#here", r##""$defs":{"A":{"$anchor":"here","allOf":[{A}]}}"##),
        ("Row", r##""$defs":{"A":{"$id":"Row","allOf":[{A}]}}"##),
        ("urn:x:tool#/$defs/A", r##""$id":"urn:x:tool","$defs":{"A":{A}}"##),
    ] {
        let a = r#"{"type":"object","properties":{"x":{"type":"integer"}}}"#;
        let definitions = definitions.replace("{A}", a);
        let schema = format!(r#"{{"properties":{{"a":{{"$ref":"{reference}"}},"p":{a}}},{definitions}}}"#);
        fits(&schema, r#"{"a":{"x":9007199254740993}}"#);
        undeclared(&schema, r#"{"a":{"y":1}}"#, "a.y");
    }
}

#[test]
fn a_schema_may_contain_itself() {
    let tree = r##"{"$defs":{"node":{"type":"object","properties":{"id":{"type":"integer"},
        "left":{"$ref":"#/$defs/node"},"right":{"$ref":"#/$defs/node"},"mid":{"$ref":"#/$defs/node"},
        "children":{"type":"array","items":{"$ref":"#/$defs/node"}}}}},"properties":{"root":{"$ref":"#/$defs/node"}}}"##;
    quickly(|| fits(tree, r#"{"root":{"left":{"right":{"children":[{"id":9007199254740993}]}}}}"#));
    undeclared(
        tree,
        r#"{"root":{"left":{"right":{"children":[{"name":"x"}]}}}}"#,
        "root.left.right.children[].name",
    );
    for whole in [
        r##"{"properties":{"c":{"$ref":"#"}}}"##,
        r##"{"$schema":"https://json-schema.org/draft/2019-09/schema","properties":{"c":{"$recursiveRef":"#"}}}"##,
    ] {
        fits(whole, &nested(20));
        undeclared(whole, r#"{"c":{"c":{"d":1}}}"#, "c.c.d");
    }
    let filter = r##"{"$defs":{"f":{"oneOf":[
        {"type":"object","properties":{"and":{"type":"array","items":{"$ref":"#/$defs/f"}}},"required":["and"]},
        {"type":"object","properties":{"not":{"$ref":"#/$defs/f"}},"required":["not"]},
        {"type":"object","properties":{"field":{"type":"string"},"is":{}},"required":["field"]}]}},
        "properties":{"filter":{"$ref":"#/$defs/f"}}}"##;
    fits(filter, r#"{"filter":{"and":[{"not":{"field":"a","is":1}},{"field":"b"}]}}"#);
    undeclared(filter, r#"{"filter":{"and":[{"or":[]}]}}"#, "filter.and[].or");
}

#[test]
fn a_schema_that_never_gets_anywhere_is_refused() {
    for circle in [
        r##"{"$ref":"#"}"##,
        r##"{"allOf":[{"$ref":"#"}]}"##,
        r##"{"anyOf":[{"type":"object"},{"$ref":"#/$defs/a"}],"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}"##,
        r##"{"$anchor":"a","$ref":"#a"}"##,
        r##"{"$id":"urn:x","$ref":"urn:x"}"##,
    ] {
        let why = refused(circle);
        assert!(why.contains("without going deeper"), "{why}: {circle}");
    }
}

#[test]
fn a_schema_whose_references_multiply_is_refused() {
    for doubling in [
        r##"{"allOf":[{"$ref":"#/$defs/NEXT"},{"$ref":"#/$defs/NEXT"}]}"##,
        r##"{"allOf":[{"properties":{"c":{"$ref":"#/$defs/NEXT"}}},{"properties":{"c":{"$ref":"#/$defs/NEXT"}}}]}"##,
    ] {
        let definitions: Vec<_> = (0..40)
            .map(|at| format!(r#""a{at}":{}"#, doubling.replace("NEXT", &format!("a{}", at + 1))))
            .collect();
        let bomb = format!(r##"{{"$ref":"#/$defs/a0","$defs":{{{},"a40":{{}}}}}}"##, definitions.join(","));
        let why = quickly(|| refused(&bomb));
        assert!(why.contains("multiply"), "{why}");
    }
    let chain: Vec<_> = (0..2_000)
        .map(|at| format!(r##""a{at}":{{"properties":{{"c":{{"$ref":"#/$defs/a{}"}}}}}}"##, at + 1))
        .collect();
    let chain = format!(r##"{{"$ref":"#/$defs/a0","$defs":{{{},"a2000":{{}}}}}}"##, chain.join(","));
    assert_eq!(Schema::compile(&json(&chain)).unwrap_err(), SchemaError::TooDeep);
}

#[test]
fn arguments_that_a_schema_would_judge_in_a_thousand_ways_are_judged_quickly() {
    let both = r##"{"allOf":[{"properties":{"c":{"$ref":"#"}}},{"properties":{"c":{"$ref":"#"}}}]}"##;
    let neither = r##"{"anyOf":[{"required":["z"],"properties":{"c":{"$ref":"#"},"z":{}}},
        {"required":["y"],"properties":{"c":{"$ref":"#"},"y":{}}}]}"##;
    let deep = nested(60);
    quickly(|| fits(both, &deep));
    let why = quickly(|| problem(neither, &deep));
    assert_eq!(why, "the arguments do not fit the tool's schema, in a way that is too long to tell");
    assert!(problem(neither, r#"{"c":{}}"#).contains("not valid"), "a short way is told");
}

#[test]
fn only_a_declared_integer_may_be_beyond_what_a_double_holds() {
    const BEYOND: &str = "9007199254740993";
    for (kind, kept) in [
        (r#"{"type":"integer"}"#, true),
        (r#"{"type":["integer","null"]}"#, true),
        (r#"{"anyOf":[{"type":"integer"},{"type":"string"}]}"#, true),
        (r##"{"$ref":"#/$defs/n"}"##, true),
        (r#"{"type":"number"}"#, false),
        (r#"{}"#, false),
        ("true", false),
    ] {
        let schema = format!(r#"{{"properties":{{"n":{kind}}},"$defs":{{"n":{{"type":"integer"}}}}}}"#);
        fits(&schema, r#"{"n":9007199254740991}"#);
        let problem = problem(&schema, &format!(r#"{{"n":{BEYOND}}}"#));
        assert_eq!(problem.is_empty(), kept, "{kind}: {problem}");
        assert!(kept || problem.starts_with("`n`: 9007199254740993 is beyond 2^53 - 1"), "{problem}");
    }
    let open = problem(r#"{"type":"object"}"#, r#"{"a":[{"b":-9007199254740993}]}"#);
    assert!(open.starts_with("`a[].b`: -9007199254740993 is beyond"), "{open}");
}

#[test]
fn a_whole_number_is_an_integer_however_it_is_written_and_a_text_is_none() {
    let count = r#"{"properties":{"n":{"type":"integer"}}}"#;
    for whole in ["5", "5.0", "5e0", "-0"] {
        fits(count, &format!(r#"{{"n":{whole}}}"#));
    }
    for other in ["5.5", r#""5""#, "null", "true", "[5]"] {
        let problem = problem(count, &format!(r#"{{"n":{other}}}"#));
        assert!(problem.starts_with("`n`: ") && problem.contains("integer"), "{problem:?}");
    }
}

#[test]
fn patterns_take_linear_time_or_their_schema_is_refused() {
    let backtracks = r#"{"properties":{"s":{"type":"string","pattern":"^(a+)+$"}}}"#;
    let long = format!(r#"{{"s":"{}b"}}"#, "a".repeat(100_000));
    assert_ne!(quickly(|| problem(backtracks, &long)), "");
    for pattern in [r"(a)\\1", "^(?!secret)", "(?<=a)b", "a{1000000}", "((a{100}){100}){100}", "("] {
        for place in [
            format!(r#"{{"properties":{{"s":{{"pattern":"{pattern}"}}}}}}"#),
            format!(r#"{{"patternProperties":{{"{pattern}":{{}}}}}}"#),
            format!(r#"{{"propertyNames":{{"pattern":"{pattern}"}}}}"#),
        ] {
            let why = quickly(|| refused(&place));
            assert!(why.contains("is not a \"regex\""), "{why}: {place}");
        }
    }
    for (pattern, text) in [
        (r"^\\d{4}-\\d{2}-\\d{2}$", "2026-11-22"),
        (r"^[\\w.+-]+@[\\w-]+\\.[\\w.]+$", "a@b.co"),
        (r"^\\/api\\/", "/api/x"),
    ] {
        fits(
            &format!(r#"{{"properties":{{"s":{{"pattern":"{pattern}"}}}}}}"#),
            &format!(r#"{{"s":"{text}"}}"#),
        );
    }
}

#[test]
fn a_reference_that_leads_outside_costs_its_tool() {
    for reference in [
        "http://127.0.0.1:9/schema.json",
        "https://json-schema.org/draft/2020-12/schema",
        "file:///etc/passwd",
        "other.json#/a",
        "#/$defs/missing",
        "#/$defs/%zz",
        "#missing",
    ] {
        let why = refused(&format!(r#"{{"properties":{{"a":{{"$ref":"{reference}"}}}}}}"#));
        assert!(why.contains("leads nowhere"), "{why}: {reference}");
    }
    assert!(refused(r#"{"$schema":"https://example.com/mine","type":"object"}"#).contains("$schema"));
    // Inside a part with an `$id` a path begins at that part; we do not guess which is meant.
    let rebased = r##"{"$defs":{"x":{"type":"string"},"a":{"$id":"urn:a","properties":{"b":{"$ref":"#/$defs/x"}},"$defs":{"x":{}}}},
        "properties":{"a":{"$ref":"urn:a"}}}"##;
    assert!(refused(rebased).contains("leads nowhere"));
}

#[test]
fn a_schema_that_cannot_be_one_is_refused() {
    for (text, error) in [
        ("[]", SchemaError::NotAnObject),
        ("true", SchemaError::NotAnObject),
        (r#"{"type":"string"}"#, SchemaError::NotAnObject),
        (r#"{"type":["array","null"]}"#, SchemaError::NotAnObject),
    ] {
        assert_eq!(Schema::compile(&json(text)).unwrap_err(), error, "{text}");
    }
    for text in [r#"{"type":"objekt"}"#, r#"{"type":3}"#, r#"{"properties":[]}"#, r#"{"required":"a"}"#] {
        Schema::compile(&json(text)).unwrap_err();
    }
    let deep = |levels| {
        (0..levels).fold(r#"{"type":"string"}"#.to_owned(), |inner, _| {
            format!(r#"{{"properties":{{"a":{inner}}}}}"#)
        })
    };
    schema(&deep(15));
    assert_eq!(Schema::compile(&json(&deep(16))).unwrap_err(), SchemaError::TooDeep);
}

#[test]
fn a_problem_is_cut_to_what_an_agent_is_told() {
    let long = format!(r#"{{"n":"{}"}}"#, "é".repeat(10_000));
    let problem = problem(r#"{"properties":{"n":{"type":"integer"}}}"#, &long);
    assert_eq!(problem.chars().count(), limits::PROBLEM_CHARS + 1);
    let many: Vec<_> = (0..200).map(|at| format!(r#""key_{at}":{{}}"#)).collect();
    let schema = format!(r#"{{"properties":{{{}}}}}"#, many.join(","));
    undeclared(&schema, r#"{"x":1}"#, "x");
}
