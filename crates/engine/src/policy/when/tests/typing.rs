//! Conditions over a tool: what becomes of them in Cedar's words, and what does not fit.

use super::*;

/// A condition, what Cedar prints of it, and of what is missing where it can be.
#[test]
fn a_condition_becomes_one_expression_of_cedar() {
    for (text, want, missing) in [
        ("args.amount > 100", "args.amount.greaterThan(decimal(\"100.0\"))", ""),
        ("args.amount >= 0.05", "args.amount.greaterThanOrEqual(decimal(\"0.05\"))", ""),
        ("100.5 < args.amount", "decimal(\"100.5\").lessThan(args.amount)", ""),
        ("args.amount <= -0.5", "args.amount.lessThanOrEqual(decimal(\"-0.5\"))", ""),
        ("args.amount == 100.50", "args.amount == decimal(\"100.5\")", ""),
        ("args.amount != args.limit", "args.amount != args.limit", ""),
        ("args.amount < args.limit", "args.amount.lessThan(args.limit)", ""),
        ("args.count > 100", "args.count > 100", ""),
        ("args.count >= 100.0", "args.count >= 100", ""),
        ("args.count <= -5", "args.count <= -5", ""),
        ("args.count < args.most", "args.count < args.most", ""),
        ("session.spend > 10.5", "session.spend > 10500000", ""),
        ("session.spend == 0.000001", "session.spend == 1", ""),
        ("args.currency == \"EUR\"", "args.currency == \"EUR\"", ""),
        ("args[\"e-mail\"] like \"*@corp.example\"", "args[\"e-mail\"] like \"*@corp.example\"", ""),
        ("args.sure", "args.sure", ""),
        ("!args.sure == call.extra", "!(args.sure) == call.extra", ""),
        ("session.labels.contains(\"private\")", "session.labels.contains(\"private\")", ""),
        ("[\"EUR\",\"USD\"].contains(args.currency)", "[\"EUR\", \"USD\"].contains(args.currency)", ""),
        ("args.to.containsAll([\"a\", args.currency])", "args.to.containsAll([\"a\", args.currency])", ""),
        ("args.to.containsAny(args.cc)", "args.to.containsAny(args.cc)", ""),
        ("args.sums.contains(5)", "args.sums.contains(decimal(\"5.0\"))", ""),
        ("args.sums == [1, 2.5]", "args.sums == [decimal(\"1.0\"), decimal(\"2.5\")]", ""),
        ("[1, args.count].contains(3)", "[1, args.count].contains(3)", ""),
        ("args.to.isEmpty()", "args.to.isEmpty()", ""),
        ("matches.pii", "matches.contains(\"pii\")", ""),
        (
            "args.amount > (if args.sure then 1000 else 100)",
            "args.amount.greaterThan(if args.sure then decimal(\"1000.0\") else decimal(\"100.0\"))",
            "",
        ),
        (
            "(if args.sure then 1 else 2) < 3",
            "(if args.sure then decimal(\"1.0\") else decimal(\"2.0\")).lessThan(decimal(\"3.0\"))",
            "",
        ),
        // A member that may be absent.
        ("args.note == \"x\"", "args has note && args.note == \"x\"", "!(args has note)"),
        ("args has note && args.note == \"x\"", "args has note && args.note == \"x\"", ""),
        ("args has note", "args has note", ""),
        ("!(args has note)", "!(args has note)", ""),
        (
            "args.home.city == \"x\" || args.note == \"y\"",
            "(args has home && args has note) && (args.home.city == \"x\" || args.note == \"y\")",
            "!(args has home && args has note)",
        ),
        (
            "args.home.zip == \"x\"",
            "(args has home && args.home has zip) && args.home.zip == \"x\"",
            "!(args has home && args.home has zip)",
        ),
        (
            "args has home.zip && args.home.zip == \"x\"",
            "(args has home && args.home has zip) && args.home.zip == \"x\"",
            "",
        ),
        (
            "args.home has zip && args.home.zip == \"x\"",
            "args has home && (args.home has zip && args.home.zip == \"x\")",
            "!(args has home)",
        ),
        ("args.home has city", "args has home && args.home has city", "!(args has home)"),
        (
            "(args has note && args.sure) && args.note == \"x\"",
            "(args has note && args.sure) && args.note == \"x\"",
            "",
        ),
        (
            "(args has note && args.sure || args has note && !args.sure) && args.note == \"x\"",
            "((args has note && args.sure) || (args has note && (!(args.sure)))) && args.note == \"x\"",
            "",
        ),
        (
            "if args has note then args.note == \"x\" else args.sure",
            "if args has note then args.note == \"x\" else args.sure",
            "",
        ),
        ("call.cost > 5", "call has cost && call.cost > 5000000", "!(call has cost)"),
        // What is the same for every call of this tool.
        ("args has amount", "true", ""),
        ("args has amount && args.amount > 5", "args.amount.greaterThan(decimal(\"5.0\"))", ""),
        ("args has amuont && args.amuont.x > \"5\" + 0".trim_end_matches(" + 0"), "false", ""),
        ("args.sure && (args has x && args.x == 1)", "false", ""),
        ("args.note == \"a\" && args has x && args.x > 1", "false", ""),
        ("args has x && args.x == 1 || args.sure", "args.sure", ""),
        ("!(args has x) || args.sure", "true", ""),
        ("if args has x then args.x == 1 else args.sure", "args.sure", ""),
        ("if args has amount then args.sure else args.x == 1", "args.sure", ""),
        ("args has x.y.z && args.x.y.z == 1", "false", ""),
        ("args has home.x && args.home.x == 1", "", ""),
        ("args has currency && args.currency like \"*\"", "args.currency like \"*\"", ""),
        ("(args has x) == true", "false == true", ""),
        ("session has budget && session.budget > 5", "false", ""),
        ("true", "true", ""),
        ("if true then args.sure else args.x", "args.sure", ""),
    ] {
        if want.is_empty() {
            assert!(when(text).lower(&Scope { root: &refund(), matches: &names(&[]) }).is_err(), "{text}");
            continue;
        }
        let condition = lowered(text, &refund());
        assert_eq!(printed(&condition.body), as_printed(want), "{text}");
        let missing_part = condition.missing.as_ref().map(printed);
        let missing = (!missing.is_empty()).then(|| as_printed(missing));
        assert_eq!(missing_part, missing, "{text}");
    }
}

/// What Cedar prints of its own text, in which it writes some operators as others and adds brackets.
fn as_printed(text: &str) -> String {
    let text = ["args", "session", "call", "matches"].into_iter().fold(text.to_owned(), |text, root| {
        let pieces: Vec<&str> = text.split(root).collect();
        let mut out = String::new();
        for (at, piece) in pieces.iter().enumerate() {
            out.push_str(piece);
            if at + 1 < pieces.len() {
                out.push_str(if out.ends_with('.') { "" } else { "context." });
                out.push_str(root);
            }
        }
        out
    });
    let policy = format!("permit(principal, action, resource) when {{ {text} }};");
    let policy = Policy::parse(None, policy).unwrap_or_else(|error| panic!("{text}: {error}"));
    let est = policy.to_json().unwrap();
    printed(&est["conditions"][0]["body"])
}

#[test]
fn a_condition_says_what_it_reads_and_nothing_else() {
    let place = |text: &str| -> Vec<String> { text.split('.').map(str::to_owned).collect() };
    for (text, places, matches) in [
        ("args.amount > 100", vec!["args.amount"], vec![]),
        ("args.home.zip == \"x\"", vec!["args.home", "args.home.zip"], vec![]),
        ("args has home.zip", vec!["args.home", "args.home.zip"], vec![]),
        ("args.address.city == \"x\" && matches.pii", vec!["args.address.city"], vec!["pii"]),
        ("args has x && args.x > 1 || session.steps > 5", vec!["session.steps"], vec![]),
        ("if args has x then args.sure else matches.internal_mail", vec![], vec!["internal_mail"]),
        ("args.note == \"a\" && args has x", vec![], vec![]),
        ("true", vec![], vec![]),
    ] {
        let condition = lowered(text, &refund());
        assert_eq!(condition.reads, places.into_iter().map(place).collect(), "{text}");
        assert_eq!(condition.matches, names(&matches), "{text}");
    }
}

/// A condition, and of each of its mistakes the place, the message and the help.
#[test]
fn each_mistake_over_a_tool_is_told_with_its_place_and_a_way_on() {
    for (text, found) in [
        (
            "args.amuont > 1",
            vec![("amuont", "`args.amuont` is not declared by this tool", "did you mean `amount`?")],
        ),
        (
            "args.colour == \"red\"",
            vec![(
                "colour",
                "`args.colour` is not declared by this tool",
                "where only some tools have it, ask first: `args has colour && …`",
            )],
        ),
        (
            "args[\"\\u{202e}x\"] == 1",
            vec![(
                "\"\\u{202e}x\"",
                "`args[\"\\u{202e}x\"]` is not declared by this tool",
                "where only some tools have it, ask first: `args has \"\\u{202e}x\" && …`",
            )],
        ),
        (
            "args.address.street == \"x\"",
            vec![("street", "`args.address.street` is not declared by this tool", A_MATCH)],
        ),
        (
            "args.address has street.number",
            vec![("street", "`args.address.street` is not declared by this tool", A_MATCH)],
        ),
        (
            "session.labelz.isEmpty()",
            vec![("labelz", "there is no `session.labelz`", "did you mean `labels`?")],
        ),
        (
            "session.budget > 5",
            vec![("budget", "there is no `session.budget`", "there is labels, spend, steps")],
        ),
        (
            "args.meta.x == 1",
            vec![(
                "meta",
                "`args.meta` is an object that declares no members, so no rule can read it",
                A_MATCH,
            )],
        ),
        (
            "args has meta.x",
            vec![(
                "meta",
                "`args.meta` is an object that declares no members, so no rule can read it",
                A_MATCH,
            )],
        ),
        (
            "args.either == 1",
            vec![("args.either", "`args.either` may be of several types, so no rule can read it", A_MATCH)],
        ),
        (
            "args.any == 1",
            vec![(
                "args.any",
                "`args.any` has no type in the tool's schema, so no rule can read it",
                A_MATCH,
            )],
        ),
        (
            "args.tree has x",
            vec![(
                "args.tree",
                "`args.tree` contains itself, or nests too deep, so no rule can read it",
                A_MATCH,
            )],
        ),
        (
            "args.lines.isEmpty()",
            vec![("args.lines", "`args.lines` is a list of objects, so no rule can read it", A_MATCH)],
        ),
        ("args.to.name == 1", vec![("to", "`args.to` is a list of texts and has no members", "")]),
        (
            "args.amount has x",
            vec![("args.amount", "`args.amount` is a number with decimals and has no members", "")],
        ),
        ("matches.piii", vec![("matches.piii", "there is no match `piii`", "did you mean `pii`?")]),
        (
            "matches.secret",
            vec![(
                "matches.secret",
                "there is no match `secret`",
                "describe it in a table, `[match.secret]`",
            )],
        ),
        (
            "args.amount",
            vec![(
                "args.amount",
                "`args.amount` is a number with decimals, where something true or false is expected",
                "compare it, as in `args.amount > 100`",
            )],
        ),
        (
            "args.currency",
            vec![(
                "args.currency",
                "`args.currency` is a text, where something true or false is expected",
                "compare it, as in `args.currency == \"a\"`",
            )],
        ),
        (
            "!args.to",
            vec![(
                "args.to",
                "`args.to` is a list of texts, where something true or false is expected",
                "ask for an item, as in `args.to.contains(\"a\")`",
            )],
        ),
        (
            "args && true",
            vec![(
                "args",
                "`args` is an object, where something true or false is expected",
                "name a member of it, as in `args.name`",
            )],
        ),
        (
            "5",
            vec![(
                "5",
                "`5` is a number, where something true or false is expected",
                "compare it, as in `5 > 100`",
            )],
        ),
        (
            "!args.count > 5",
            vec![(
                "args.count",
                "`args.count` is a whole number, where something true or false is expected",
                "compare it, as in `args.count > 100`",
            )],
        ),
        (
            "args.count > 1.5",
            vec![(
                "1.5",
                "it is compared with a whole number, and `1.5` is none",
                "write a number without decimals",
            )],
        ),
        (
            "args.amount > 0.00001",
            vec![("0.00001", "`0.00001` has more than 4 decimal places", "arguments are judged to four")],
        ),
        (
            "args.amount > 922337203685478",
            vec![(
                "922337203685478",
                "`922337203685478` is larger than anything it is compared with",
                "take it out",
            )],
        ),
        (
            "session.spend > 9223372036855",
            vec![(
                "9223372036855",
                "`9223372036855` is larger than anything it is compared with",
                "take it out",
            )],
        ),
        (
            "args.count == args.amount",
            vec![(
                "args.count == args.amount",
                "`args.count` is a whole number and `args.amount` is a number with decimals, which are not compared",
                "compare each with a number",
            )],
        ),
        (
            "args.currency == 5",
            vec![(
                "args.currency == 5",
                "`args.currency` is a text and `5` is a number, which are not compared",
                "write `\"5\"` if it is a text",
            )],
        ),
        (
            "5 == args.currency",
            vec![(
                "5 == args.currency",
                "`5` is a number and `args.currency` is a text, which are not compared",
                "write `\"5\"` if it is a text",
            )],
        ),
        (
            "args.to == \"a\"",
            vec![(
                "args.to == \"a\"",
                "`args.to` is a list of texts and `\"a\"` is a text, which are not compared",
                "ask `args.to.contains(\"a\")`",
            )],
        ),
        (
            "args.sure == \"true\"",
            vec![(
                "args.sure == \"true\"",
                "`args.sure` is true or false and `\"true\"` is a text, which are not compared",
                "",
            )],
        ),
        (
            "args.to == args.sums",
            vec![(
                "args.to == args.sums",
                "`args.to` is a list of texts and `args.sums` is a list of numbers with decimals, which are not compared",
                "",
            )],
        ),
        ("args == args", vec![("args == args", "`==` does not compare objects", "compare their members")]),
        (
            "args.currency < \"a\"",
            vec![(
                "args.currency < \"a\"",
                "`<` compares numbers, and this is a text",
                "a text is compared with `==`, `!=` and `like`",
            )],
        ),
        (
            "args.to >= args.cc",
            vec![(
                "args.to >= args.cc",
                "`>=` compares numbers, and this is a list of texts",
                "a list is asked `.contains(…)`, `.isEmpty()`",
            )],
        ),
        (
            "args.sure > false",
            vec![(
                "args.sure > false",
                "`>` compares numbers, and this is true or false",
                "use `==` or `!=`",
            )],
        ),
        ("1 < 2", vec![("1 < 2", "this is the same for every call", SAME)]),
        ("[1].contains(1)", vec![("[1].contains(1)", "this is the same for every call", SAME)]),
        ("[1].isEmpty()", vec![("[1]", "this is the same for every call", SAME)]),
        ("\"a\" like \"*\"", vec![("\"a\"", "this is the same for every call", SAME)]),
        (
            "args.count like \"1*\"",
            vec![("args.count", "`like` compares texts, and `args.count` is a whole number", "")],
        ),
        (
            "args.currency.contains(\"E\")",
            vec![(
                "args.currency",
                "`contains` asks a list, and `args.currency` is a text",
                "write `args.currency like \"*part*\"`",
            )],
        ),
        (
            "args.currency.isEmpty()",
            vec![(
                "args.currency",
                "`isEmpty` asks a list, and `args.currency` is a text",
                "write `args.currency == \"\"`",
            )],
        ),
        (
            "args.count.contains(1)",
            vec![("args.count", "`contains` asks a list, and `args.count` is a whole number", "")],
        ),
        (
            "args.to.contains(5)",
            vec![(
                "args.to.contains(5)",
                "`args.to` is a list of texts, and `5` is a number",
                "so the answer would always be no",
            )],
        ),
        (
            "args.to.contains(args.cc)",
            vec![(
                "args.to.contains(args.cc)",
                "`args.to` is a list of texts, and `args.cc` is a list of texts",
                "so the answer would always be no",
            )],
        ),
        (
            "args.to.containsAny(\"a\")",
            vec![(
                "\"a\"",
                "`containsAny` asks for a list, and `\"a\"` is a text",
                "write `[\"a\"]`, or ask `.contains(\"a\")`",
            )],
        ),
        (
            "[1, \"a\"].contains(args.count)",
            vec![(
                "\"a\"",
                "`\"a\"` is a text in a list that begins with a number",
                "the items of a list are of one type",
            )],
        ),
        (
            "[args].contains(args)",
            vec![(
                "args",
                "`args` is an object, which stands in no list",
                "the items of a list are of one type",
            )],
        ),
        (
            "args.amount > (if args.sure then 1 else \"2\")",
            vec![(
                "(if args.sure then 1 else \"2\")",
                "this is a number or a text",
                "`then` and `else` give values of one type",
            )],
        ),
        // A member that may be absent, and of which the condition asks elsewhere.
        (
            "args has note && true || args.note == \"x\"",
            vec![("note", "`args.note` may be absent here", ASK)],
        ),
        ("args.note == \"x\" && args has note", vec![("note", "`args.note` may be absent here", ASK)]),
        ("!(args has note) || args.note == \"x\"", vec![("note", "`args.note` may be absent here", ASK)]),
        (
            "if args has note then true else args.note == \"x\"",
            vec![("note", "`args.note` may be absent here", ASK)],
        ),
        (
            "(args has note || args.sure) && args.note == \"x\"",
            vec![("note", "`args.note` may be absent here", ASK)],
        ),
        ("args has home && args.home.zip == \"x\"", vec![("zip", "`args.home.zip` may be absent here", ASK)]),
        (
            "args has home && args.home.zip == \"x\" && args.home has zip",
            vec![("zip", "`args.home.zip` may be absent here", ASK)],
        ),
        // All of them, each once.
        (
            "args.x == 1 && args.x == 2 && (args.count || args.currency < \"a\") && matches.nothing",
            vec![
                (
                    "x",
                    "`args.x` is not declared by this tool",
                    "where only some tools have it, ask first: `args has x && …`",
                ),
                (
                    "args.count",
                    "`args.count` is a whole number, where something true or false is expected",
                    "compare it, as in `args.count > 100`",
                ),
                (
                    "args.currency < \"a\"",
                    "`<` compares numbers, and this is a text",
                    "a text is compared with `==`, `!=` and `like`",
                ),
                (
                    "matches.nothing",
                    "there is no match `nothing`",
                    "describe it in a table, `[match.nothing]`",
                ),
            ],
        ),
    ] {
        let (root, matches) = (refund(), names(&["internal_mail", "pii"]));
        let errors = when(text).lower(&Scope { root: &root, matches: &matches }).expect_err(text);
        let errors: Vec<_> = errors
            .iter()
            .map(|error| {
                (&text[error.span.clone()], error.message.as_str(), error.help.as_deref().unwrap_or_default())
            })
            .collect();
        assert_eq!(errors, found, "{text}");
    }
}

const A_MATCH: &str = "name a `[match]` over it, and ask `matches.NAME` here";
const SAME: &str = "compare with something of the call, as in `args.amount > 100`";
const ASK: &str = "ask with `has` before each place where it is read, joined with `&&`";

#[test]
fn one_condition_serves_every_tool_of_a_pattern() {
    let text = "args has amount && args.amount > 100";
    let tool = |args: Vec<(&str, Kind)>| record([("args", Kind::Record(record(args)))]);
    for (root, body) in [
        (tool(vec![("amount", Kind::Decimal)]), "args.amount.greaterThan(decimal(\"100.0\"))"),
        (tool(vec![("amount", Kind::Whole)]), "args.amount > 100"),
        (tool(vec![("amount?", Kind::Whole)]), "args has amount && args.amount > 100"),
        (tool(vec![("id", Kind::Text)]), "false"),
        (tool(vec![]), "false"),
    ] {
        let condition = lowered(text, &root);
        assert_eq!(printed(&condition.body), as_printed(body), "{root:?}");
        assert_eq!(condition.missing, None);
    }
    // Another type is a mistake, and not a guard that never holds.
    let root = tool(vec![("amount", Kind::Text)]);
    assert!(when(text).lower(&Scope { root: &root, matches: &names(&[]) }).is_err());
}

#[test]
fn nothing_but_the_four_roots_is_ever_read() {
    let root =
        record([("args", Kind::Record(record([("controls", set(Kind::Text)), ("context", Kind::Bool)])))]);
    let condition = lowered("args.controls.contains(\"approval:oncall\") && args.context", &root);
    assert_eq!(
        condition.reads.iter().map(|place| place[0].as_str()).collect::<BTreeSet<_>>(),
        ["args"].into()
    );
    let errors =
        when("session.steps > 1 || call.cost > 1").lower(&Scope { root: &root, matches: &names(&[]) });
    let messages: Vec<_> = errors.unwrap_err().into_iter().map(|error| error.message).collect();
    assert_eq!(messages, ["there is no `session`", "there is no `call`"]);
}

#[test]
fn a_root_may_be_absent_as_a_whole() {
    let root = record([("session?", Kind::Record(record([("steps", Kind::Whole)])))]);
    let condition = lowered("session.steps > 5", &root);
    assert_eq!(printed(&condition.body), as_printed("context has session && session.steps > 5"));
    assert_eq!(condition.missing.as_ref().map(printed), Some(as_printed("!(context has session)")));
}

#[test]
fn mistakes_without_end_are_told_up_to_a_few_dozen() {
    let many: Vec<String> = (0..500).map(|number| format!("args.zzzz{number} == 1")).collect();
    let (root, matches) = (refund(), names(&[]));
    let errors = when(&many.join("||")).lower(&Scope { root: &root, matches: &matches }).unwrap_err();
    assert_eq!(errors.len(), 32);
}

#[test]
fn the_longest_and_the_deepest_condition_are_judged() {
    let root = refund();
    let cheap = call(r#"{"args": {"count": 1, "sure": true, "home": null}, "session": {"steps": 1}}"#);
    let chain = |text: &str, between: &str| {
        let count = (TEXT_BYTES_MAX - 100) / (text.len() + between.len());
        vec![text; count].join(between)
    };
    let nested =
        (0..DEPTH_MAX / 2 - 1).fold("args.sure".to_owned(), |inner, _| format!("!({inner} && args.sure)"));
    let lists = format!("[{}].contains(args.count)", vec!["1"; 8000].join(","));
    for (text, truth) in [
        (chain("args.sure", "&&"), true),
        (chain("args.count>5", "||"), false),
        (chain("(args has note&&args.note==\"\")", "||"), false),
        (nested, false),
        (lists, true),
    ] {
        let condition = lowered(&text, &root);
        assert_eq!(Cedar::of(&condition, &root).says(&condition.body, &cheap, None), truth, "{text:.80}");
    }
}
