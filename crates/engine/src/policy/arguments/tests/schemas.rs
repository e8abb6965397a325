//! Which kind each place has, over schemas as they are found and as an enemy would write them.

use std::time::{Duration, Instant};

use super::*;

#[test]
fn a_place_has_the_one_type_that_its_schema_gives_it() {
    const DEFS: &str = r#","$defs":{"text":{"type":"string"},"point":{"type":"object","properties":{"x":{"type":"number"},
        "y":{"type":"number"}},"required":["x"]},"tree":{"type":"object","properties":{"id":{"type":"integer"},
        "left":{"$ref":"\#/$defs/tree"},"all":{"type":"array","items":{"$ref":"\#/$defs/tree"}}}}}"#;
    let defs = DEFS.replace("\\#", "#");
    for (schema, want) in [
        (r#"{"type":"boolean"}"#, "Bool"),
        (r#"{"type":"integer"}"#, "Whole"),
        (r#"{"type":"number"}"#, "Decimal"),
        (r#"{"type":"string","pattern":"^a","maxLength":3,"format":"date"}"#, "Text"),
        (r#"{"type":["string","null"]}"#, "Text"),
        (r#"{"type":["integer","number"]}"#, "Decimal"),
        (r#"{"type":["string","integer"]}"#, "Union"),
        (r#"{"type":"null"}"#, "Untyped"),
        (r#"{"type":"objekt"}"#, "Untyped"),
        ("true", "Untyped"),
        ("false", "Untyped"),
        ("{}", "Untyped"),
        (r#"{"description":"anything","minimum":3}"#, "Untyped"),
        (r#"{"not":{"type":"string"}}"#, "Untyped"),
        // Values that are listed.
        (r#"{"enum":["fast","slow"]}"#, "Text"),
        (r#"{"enum":["fast",null]}"#, "Text"),
        (r#"{"enum":[1,2.0]}"#, "Whole"),
        (r#"{"enum":[1,2.5]}"#, "Decimal"),
        (r#"{"type":"number","enum":[1,2]}"#, "Whole"),
        (r#"{"enum":[true]}"#, "Bool"),
        (r#"{"enum":["fast",1]}"#, "Union"),
        (r#"{"const":"x"}"#, "Text"),
        (r#"{"const":7}"#, "Whole"),
        (r#"{"const":null}"#, "Untyped"),
        (r#"{"const":{"b":1}}"#, "FreeObject"),
        (r#"{"type":"string","enum":["a",1,null]}"#, "Text"),
        // Objects.
        (r#"{"type":"object"}"#, "FreeObject"),
        (r#"{"type":"object","properties":{}}"#, "FreeObject"),
        (r#"{"type":"object","additionalProperties":{"type":"string"}}"#, "FreeObject"),
        (r#"{"type":"object","additionalProperties":false}"#, "{}"),
        (r#"{"properties":{"x":{"type":"string"}}}"#, "{x?: Text}"),
        (r#"{"type":"object","properties":{"x":{"type":"string"}},"required":["x","y"]}"#, "{x: Text}"),
        (r#"{"properties":{"x":{"type":["string","null"]}},"required":["x"]}"#, "{x?: Text}"),
        (r#"{"properties":{"x":{"type":"string"}},"additionalProperties":true}"#, "{x?: Text, ..}"),
        (
            r#"{"properties":{"x":{"type":"string"}},"additionalProperties":{"type":"integer"}}"#,
            "{x?: Text, ..}",
        ),
        (
            r#"{"properties":{"x":{"type":"string"}},"patternProperties":{"^x":{"type":"integer"}}}"#,
            "{x?: Text, ..}",
        ),
        (r#"{"type":["object","string"],"properties":{"x":{}}}"#, "Union"),
        // Lists.
        (r#"{"type":"array","items":{"type":"string"}}"#, "Set<Text>"),
        (r#"{"type":"array","items":{"type":"array","items":{"type":"number"}}}"#, "Set<Set<Decimal>>"),
        (r#"{"type":"array"}"#, "Untyped"),
        (r#"{"items":{"type":"string"}}"#, "Untyped"),
        (r#"{"type":"array","items":true}"#, "Untyped"),
        (r#"{"type":"array","items":{"type":["string","null"]}}"#, "Union"),
        (r#"{"type":"array","items":{"type":["string","integer"]}}"#, "Union"),
        (r#"{"type":"array","prefixItems":[{"type":"string"}],"items":{"type":"string"}}"#, "Union"),
        (r#"{"type":"array","items":[{"type":"string"}]}"#, "Union"),
        (r#"{"type":"array","unevaluatedItems":{"type":"string"}}"#, "Union"),
        (r#"{"type":"array","items":{"properties":{"x":{"type":"string"}}}}"#, "Set<{x?: Text}>"),
        (r#"{"type":"array","items":{"properties":{"x":{}}}}"#, "Untyped"),
        (
            r#"{"type":"array","items":{"properties":{"x":{"type":"string"}},"additionalProperties":true}}"#,
            "FreeObject",
        ),
        // All of several.
        (r#"{"allOf":[{"type":["string","integer"]},{"type":["integer","null"]}]}"#, "Whole"),
        (r#"{"allOf":[{"type":"number"},{"type":"integer"}]}"#, "Whole"),
        (r#"{"allOf":[{"type":"string"},{"type":"integer"}]}"#, "Untyped"),
        (
            r##"{"allOf":[{"$ref":"#/$defs/point"},{"properties":{"z":{"type":"number"}},"required":["y"]}]}"##,
            "{x: Decimal, y: Decimal, z?: Decimal}",
        ),
        (
            r#"{"allOf":[{"properties":{"x":{}}},{"additionalProperties":{"type":"string"}}]}"#,
            "{x?: Text, ..}",
        ),
        (r#"{"allOf":[{"properties":{"x":{"type":"string"}}},{"properties":{"x":true}}]}"#, "{x?: Text}"),
        // One of several.
        (r#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#, "Text"),
        (r#"{"anyOf":[{"type":"string"},{"enum":["a","b"]}]}"#, "Text"),
        (r#"{"anyOf":[{"type":"string"},{"type":"integer"}]}"#, "Union"),
        (r#"{"anyOf":[{"type":"string"},{}]}"#, "Untyped"),
        (r#"{"anyOf":[{"type":"string"},false]}"#, "Text"),
        (r#"{"oneOf":[{"const":"a","title":"A"},{"const":"b"}]}"#, "Text"),
        (r#"{"type":"string","anyOf":[{"minLength":1},{"pattern":"^a"}]}"#, "Text"),
        (
            r#"{"oneOf":[{"properties":{"kind":{"const":"a"},"v":{"type":"string"}},"required":["kind","v"]},
                {"properties":{"kind":{"const":"b"},"v":{"type":"integer"},"w":{"type":"boolean"}},"required":["kind"]}]}"#,
            "{kind: Text, v?: Union, w?: Bool}",
        ),
        (r#"{"anyOf":[{"properties":{"x":{"type":"string"}}},{"type":"object"}]}"#, "{x?: Untyped, ..}"),
        (r#"{"anyOf":[{"properties":{"x":{"type":"string"}}},{"type":"string"}]}"#, "Union"),
        (
            r#"{"anyOf":[{"type":"array","items":{"type":"string"}},{"type":"array","items":{"type":"integer"}}]}"#,
            "Union",
        ),
        (r#"{"anyOf":[{"type":"array","items":{"type":"string"}},{"type":"array"}]}"#, "Untyped"),
        (r#"{"anyOf":[{"type":"array","items":{"type":"string"}},{"type":"null"}]}"#, "Set<Text>"),
        // A name that the outer schema leaves open stays so, whatever one alternative says of it.
        (
            r#"{"properties":{"x":{}},"anyOf":[{"properties":{"x":{"type":"string"}}},{"properties":{"y":{"type":"string"}}}]}"#,
            "{x?: Untyped, y?: Text}",
        ),
        // Conditions.
        (
            r#"{"properties":{"m":{"enum":["a","b"]}},"if":{"properties":{"m":{"const":"a"},"n":{"const":1}}},
                "then":{"properties":{"x":{"type":"string"}},"required":["x"]},"else":{"properties":{"x":{"type":"string"},"z":{"type":"integer"}},"required":["x","z"]}}"#,
            "{m?: Text, n?: Untyped, x: Text, z?: Whole}",
        ),
        (
            r#"{"properties":{"x":{}},"if":{"required":["x"]},"then":{"properties":{"x":{"type":"string"},"y":{"type":"string"}},"required":["y"]}}"#,
            "{x?: Untyped, y?: Text}",
        ),
        (
            r#"{"properties":{"x":{"type":"string"}},"dependentSchemas":{"x":{"properties":{"y":{"type":"integer"}},"required":["y"]}}}"#,
            "{x?: Text, y?: Whole}",
        ),
        (r#"{"properties":{"x":{"type":"string"}},"dependencies":{"x":["y"]}}"#, "{x?: Text}"),
        (
            r#"{"properties":{"x":{"type":"string"}},"anyOf":[{"properties":{"y":{"type":"string"}}},{"properties":{"z":{"type":"string"}}}],
                "unevaluatedProperties":{"type":"integer"}}"#,
            "{x?: Text, y?: Union, z?: Union, ..}",
        ),
        // References.
        (r##"{"$ref":"#/$defs/text"}"##, "Text"),
        (r##"{"$ref":"#/$defs/text","description":"beside it"}"##, "Text"),
        (r##"{"$ref":"#/$defs/text","type":"integer"}"##, "Untyped"),
        (r##"{"$ref":"#/$defs/nowhere"}"##, "Untyped"),
        (r##"{"$ref":"https://example.com/a.json"}"##, "Untyped"),
        (r##"{"$dynamicRef":"#/$defs/text"}"##, "Untyped"),
        (r##"{"anyOf":[{"$ref":"#/$defs/point"},{"type":"null"}]}"##, "{x: Decimal, y?: Decimal}"),
        (r##"{"$ref":"#/$defs/tree"}"##, "{all?: Recursive, id?: Whole, left?: Recursive}"),
        (r##"{"$ref":"#/properties/a"}"##, "Untyped"),
    ] {
        assert_eq!(told_kind(&one(schema, &defs)), want, "{schema}");
    }
}

#[test]
fn up_to_draft_7_a_reference_is_all_that_counts() {
    let beside =
        |draft: &str| format!(r#","$schema":"{draft}","definitions":{{"t":{{"type":"string"}},"any":{{}}}}"#);
    let old = beside("http://json-schema.org/draft-07/schema#");
    assert_eq!(one(r##"{"$ref":"#/definitions/t","type":"integer"}"##, &old), Kind::Text);
    assert_eq!(told_kind(&one(r##"{"$ref":"#/definitions/any","type":"integer"}"##, &old)), "Untyped");
    for new in [
        beside("https://json-schema.org/draft/2019-09/schema"),
        beside("https://json-schema.org/draft/2020-12/schema"),
    ] {
        assert_eq!(one(r##"{"$ref":"#/definitions/any","type":"integer"}"##, &new), Kind::Whole);
    }
}

#[test]
fn the_arguments_as_a_whole_are_an_object() {
    for (schema, want) in [
        ("{}", "{..}"),
        (r#"{"type":"object"}"#, "{..}"),
        (r#"{"type":"object","additionalProperties":false}"#, "{}"),
        (r#"{"type":["object","null"],"properties":{"x":{"type":"string"}},"required":["x"]}"#, "{x: Text}"),
        (
            r#"{"properties":{"x":{"type":"string"}},"anyOf":[{"required":["x"]},{"required":["y"]}]}"#,
            "{x?: Text}",
        ),
        (r##"{"$ref":"#/$defs/a","$defs":{"a":{"properties":{"x":{"type":"string"}}}}}"##, "{x?: Text}"),
        (r##"{"properties":{"c":{"$ref":"#"},"n":{"type":"integer"}}}"##, "{c?: Recursive, n?: Whole}"),
        (
            r#"{"anyOf":[{"properties":{"x":{"type":"string"}},"required":["x"]},{"properties":{"y":{"type":"string"}}}]}"#,
            "{x?: Text, y?: Text}",
        ),
        (r##"{"$ref":"#"}"##, "{..}"),
        (r#"{"enum":["a"]}"#, "{..}"),
    ] {
        assert_eq!(told(&record(schema)), want, "{schema}");
    }
    for (schema, error) in [
        ("[]", SchemaError::NotAnObject),
        ("true", SchemaError::NotAnObject),
        (r#"{"type":"string"}"#, SchemaError::NotAnObject),
    ] {
        assert_eq!(Record::of_schema(&json(schema)), Err(error), "{schema}");
    }
    assert!(matches!(Record::of_schema(&json(r#"{"$schema":"urn:mine"}"#)), Err(SchemaError::Refused(_))));
    let deep = (0..20).fold("{}".to_owned(), |inner, _| format!(r#"{{"properties":{{"a":{inner}}}}}"#));
    assert_eq!(Record::of_schema(&json(&deep)), Err(SchemaError::TooDeep));
}

#[test]
fn one_bad_place_costs_no_other() {
    let record = record(
        r##"{"properties":{"lost":{"$ref":"#/nowhere"},"circle":{"$ref":"#/properties/circle"},"odd":{"type":7,"properties":[]},
            "good":{"type":"string"}},"required":["good"]}"##,
    );
    assert_eq!(told(&record), "{circle?: Untyped, good: Text, lost?: Untyped, odd?: Untyped}");
}

#[test]
fn a_member_may_have_any_name() {
    let long = "n".repeat(10 << 10);
    let names = [
        "",
        "__entity",
        "__extn",
        "__proto__",
        "a.b",
        "in",
        "if",
        "\"",
        "\\",
        "\0",
        "🦀",
        "\u{202e}x",
        " ",
        "-",
        &long,
    ];
    let properties: Object =
        names.iter().map(|name| ((*name).to_owned(), json(r#"{"type":"string"}"#))).collect();
    let required: Vec<_> = names.iter().map(|name| Json::from(*name)).collect();
    let schema = Object::from([("properties", Json::from(properties)), ("required", Json::from(required))]);
    let record = Record::of_schema(&schema.into()).unwrap();
    assert_eq!(record.members.len(), names.len());
    let values: Object = names.iter().map(|name| ((*name).to_owned(), Json::from(*name))).collect();
    let args = context(&record, &values.into()).unwrap();
    let request = request(args, &cedar_schema(&record)).unwrap();
    for name in names {
        let path = path(&[name]);
        assert!(record.at(&path).is_ok(), "{name:?}");
        assert!(holds(&request, equals(&path, cedar_json!({ "Value": name }))), "{name:?}");
        assert!(!holds(&request, equals(&path, cedar_json!({ "Value": format!("{name}!") }))), "{name:?}");
    }
}

#[test]
fn circles_end_where_they_come_back() {
    let record = record(
        r##"{"properties":{"a":{"$ref":"#/$defs/a"},"b":{"$ref":"#/$defs/b"},"list":{"type":"array","items":{"$ref":"#/$defs/a"}}},
            "$defs":{"a":{"properties":{"n":{"type":"integer"},"b":{"$ref":"#/$defs/b"}}},
                     "b":{"properties":{"t":{"type":"string"},"a":{"$ref":"#/$defs/a"},"p":{"$ref":"#/$defs/p"}}},
                     "p":{"properties":{"x":{"type":"number"}}}}}"##,
    );
    assert_eq!(
        told(&record),
        "{a?: {b?: Recursive, n?: Whole}, b?: {a?: Recursive, p?: {x?: Decimal}, t?: Text}, list?: Recursive}"
    );
}

/// Far more than the work takes, on a busy machine too, and far less than work that explodes would.
#[track_caller]
fn quickly<T>(work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    assert!(begun.elapsed() < Duration::from_secs(60), "took {:?}", begun.elapsed());
    done
}

fn count(kind: &Kind) -> usize {
    match kind {
        Kind::Set(items) => 1 + count(items),
        Kind::Record(record) => 1 + record.members.values().map(|member| count(&member.kind)).sum::<usize>(),
        Kind::Bool | Kind::Whole | Kind::Decimal | Kind::Micros | Kind::Text | Kind::Opaque(_) => 1,
    }
}

#[test]
fn a_schema_whose_parts_multiply_stays_small_and_keeps_its_plain_places() {
    let chain = |levels: usize, link: &str| {
        let links: Vec<_> = (0..levels)
            .map(|at| format!(r#""d{at}":{}"#, link.replace("NEXT", &format!("#/$defs/d{}", at + 1))))
            .collect();
        format!(
            r##"{{"properties":{{"aa":{{"$ref":"#/$defs/d0"}},"plain":{{"type":"string"}},"zz":{{"properties":{{"n":{{"type":"integer"}}}}}}}},
                "$defs":{{{},"d{levels}":{{"type":"integer"}}}}}}"##,
            links.join(",")
        )
    };
    for (name, schema) in [
        ("members", chain(40, r#"{"properties":{"l":{"$ref":"NEXT"},"r":{"$ref":"NEXT"}}}"#)),
        (
            "many members",
            chain(
                8,
                &format!(
                    r#"{{"properties":{{{}}}}}"#,
                    (0..40).map(|at| format!(r#""m{at}":{{"$ref":"NEXT"}}"#)).collect::<Vec<_>>().join(",")
                ),
            ),
        ),
        ("all of", chain(25, r#"{"allOf":[{"$ref":"NEXT"},{"$ref":"NEXT"}]}"#)),
        ("any of", chain(25, r#"{"anyOf":[{"$ref":"NEXT"},{"properties":{"x":{"$ref":"NEXT"}}}]}"#)),
        (
            "both",
            chain(
                30,
                r#"{"allOf":[{"properties":{"c":{"$ref":"NEXT"}}},{"properties":{"c":{"$ref":"NEXT"},"d":{"$ref":"NEXT"}}}]}"#,
            ),
        ),
        ("long", chain(3_000, r#"{"properties":{"c":{"$ref":"NEXT"}}}"#)),
        ("lists", chain(200, r#"{"type":"array","items":{"$ref":"NEXT"}}"#)),
    ] {
        let record = quickly(|| record(&schema));
        assert_eq!(record.members["plain"].kind, Kind::Text, "{name}");
        assert_eq!(told_kind(&record.members["zz"].kind), "{n?: Whole}", "{name}");
        let size = count(&Kind::Record(record));
        assert!(size < 10_000, "{name}: {size}");
    }
    // All refer to all: as many ways through it as there are orders of its parts.
    let parts: Vec<_> = (0..60)
        .map(|at| {
            let members: Vec<_> =
                (0..60).map(|to| format!(r##""m{to}":{{"$ref":"#/$defs/d{to}"}}"##)).collect();
            format!(r#""d{at}":{{"properties":{{"n":{{"type":"integer"}},{}}}}}"#, members.join(","))
        })
        .collect();
    let clique =
        format!(r##"{{"properties":{{"a":{{"$ref":"#/$defs/d0"}}}},"$defs":{{{}}}}}"##, parts.join(","));
    assert_eq!(count(&Kind::Record(quickly(|| record(&clique)))), 63);
    // Each part has something to say about the members of all others.
    let parts: Vec<_> = (0..600)
        .map(|at| {
            format!(
                r#"{{"properties":{{"p{at}":{{"title":"p"}}}},"additionalProperties":{{"title":"{at}"}}}}"#
            )
        })
        .collect();
    let wide =
        format!(r#"{{"properties":{{"aa":{{"allOf":[{}]}},"plain":{{"type":"string"}}}}}}"#, parts.join(","));
    assert_eq!(quickly(|| record(&wide)).members["plain"].kind, Kind::Text);
}

#[test]
fn a_wide_tool_keeps_all_of_its_members() {
    let members: Vec<_> =
        (0..3_000).map(|at| format!(r#""m{at}":{{"type":"integer","title":"{at}"}}"#)).collect();
    let wide = quickly(|| record(&format!(r#"{{"properties":{{{}}}}}"#, members.join(","))));
    assert!(wide.members.len() == 3_000 && wide.members.values().all(|member| member.kind == Kind::Whole));
}

#[test]
fn a_path_leads_to_a_kind_or_to_a_reason() {
    let record = record(
        r##"{"properties":{"amount":{"type":"number"},"to":{"type":"array","items":{"type":"string"}},"any":{},
            "tree":{"$ref":"#/$defs/t"},"o":{"properties":{"x-y":{"properties":{"in":{"type":"string"}},"required":["in"]}}},
            "must":{"properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a"]}},"required":["amount","must"],
            "$defs":{"t":{"properties":{"t":{"$ref":"#/$defs/t"}}}}}"##,
    );
    let sometimes = |optional: &[usize]| Presence::Sometimes { optional: optional.to_vec() };
    for (names, kind, presence) in [
        (&["amount"][..], "Decimal", Presence::Always),
        (&["to"], "Set<Text>", sometimes(&[1])),
        (&["must", "a"], "Text", Presence::Always),
        (&["must", "b"], "Text", sometimes(&[2])),
        (&["o", "x-y", "in"], "Text", sometimes(&[1, 2])),
        (&["o"], "{x-y?: {in: Text}}", sometimes(&[1])),
    ] {
        let path = path(names);
        let (found, present) = record.at(&path).unwrap();
        assert_eq!((told_kind(found).as_str(), present), (kind, presence), "{names:?}");
    }
    for (names, want) in [
        (&["ammount"][..], "`args.ammount` is not an argument of this tool; did you mean `amount`?"),
        (&["o", "x-z"], "`args.o[\"x-z\"]` is not an argument of this tool; did you mean `x-y`?"),
        (&["nothing near"], "`args[\"nothing near\"]` is not an argument of this tool"),
        (&["any"], "`args.any` cannot be read by a rule: the tool's schema does not say of which type it is"),
        (
            &["any", "b"],
            "`args.any` cannot be read by a rule: the tool's schema does not say of which type it is",
        ),
        (
            &["tree", "t"],
            "`args.tree.t` cannot be read by a rule: the tool's schema lets it contain itself, or nest too deep",
        ),
        (&["to", "0"], "`args.to` is a list, which has no members by name"),
        (&["amount", "usd"], "`args.amount` is a number, which has no members by name"),
        (&["\u{202e}\"\n"], r#"`args["\u{202e}\"\n"]` is not an argument of this tool"#),
        (&[], "`args` is all arguments: name one of them, as in `args.amount`"),
    ] {
        assert_eq!(record.at(&path(names)).unwrap_err().to_string(), want);
    }
    let long = record.at(&[("é".repeat(5_000))]).unwrap_err().to_string();
    assert!(long.chars().count() < 150, "{long}");
}

#[test]
fn only_what_is_read_is_left() {
    let record = record(
        r#"{"properties":{"a":{"type":"string"},"b":{"properties":{"c":{"type":"string"},"d":{"type":"integer"},"e":{}},"required":["c"]},
            "l":{"type":"array","items":{"type":"string"}},"any":{}},"additionalProperties":true}"#,
    );
    for (reads, want) in [
        (vec![], "{..}"),
        (vec![vec!["a"]], "{a?: Text, ..}"),
        (vec![vec!["b", "c"]], "{b?: {c: Text}, ..}"),
        (vec![vec!["b"]], "{b?: {}, ..}"),
        (vec![vec!["b"], vec!["b", "c"]], "{b?: {c: Text}, ..}"),
        (vec![vec!["b", "d"], vec!["b", "c"], vec!["l"]], "{b?: {c: Text, d?: Whole}, l?: Set<Text>, ..}"),
        (vec![vec!["b", "e"]], "{b?: {e?: Untyped}, ..}"),
        (vec![vec!["any"]], "{any?: Untyped, ..}"),
        (vec![vec!["nowhere"], vec!["a", "x"], vec!["l", "0"]], "{nowhere?: Untyped, ..}"),
        (vec![vec![]], "{a?: Text, b?: {c: Text, d?: Whole}, l?: Set<Text>, ..}"),
    ] {
        let reads = reads.iter().map(|names| path(names)).collect();
        assert_eq!(told(&record.narrowed(&reads)), want, "{reads:?}");
    }
}

#[test]
fn the_cedar_type_says_what_the_record_does() {
    let record = Record {
        members: [
            ("a", Kind::Bool, true),
            ("b", Kind::Whole, false),
            ("c", Kind::Decimal, true),
            ("d", Kind::Micros, true),
            ("e", Kind::Set(Box::new(Kind::Text)), true),
            ("f", Kind::Record(Record::default()), false),
            ("g", Kind::Opaque(Opaque::Union), true),
            ("h", Kind::Set(Box::new(Kind::Opaque(Opaque::Union))), true),
        ]
        .map(|(name, kind, required)| (name.to_owned(), Member { kind, required }))
        .into(),
        open: true,
    };
    let want = cedar_json!({ "type": "Record", "attributes": {
        "a": { "type": "Boolean", "required": true },
        "b": { "type": "Long", "required": false },
        "c": { "type": "Extension", "name": "decimal", "required": true },
        "d": { "type": "Long", "required": true },
        "e": { "type": "Set", "element": { "type": "String" }, "required": true },
        "f": { "type": "Record", "attributes": {}, "required": false },
        "g": { "type": "Record", "attributes": {}, "required": true },
    } });
    assert_eq!(record.cedar_type(), want);
    cedar_schema(&record);
}
