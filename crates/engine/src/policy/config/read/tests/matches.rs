//! Matches: what each way to ask is read as, and what is said about each mistake.

use super::*;
use crate::{
    json::{Json, Limits, parse},
    policy::facts::{Examples, Match, Truth},
};

/// The message and the help of the only finding.
fn assert_mistakes(rows: &[(&str, &str, &str)]) {
    for (source, message, help) in rows {
        let source = format!("[match.m]\n{source}\n");
        let Read { config, findings } = read(&source);
        assert_eq!(config, None, "{source}");
        let [finding] = &findings[..] else { panic!("{}", shown(&source)) };
        assert_eq!(finding.message, *message, "{source}");
        assert_eq!(finding.help.as_deref().unwrap_or_default(), *help, "{source}");
        assert!(finding.at.is_some(), "{source}");
    }
}

fn matched(source: &str) -> Match {
    let config = good(&format!("[match.m]\n{source}\n"));
    config.matches.into_values().next().unwrap()
}

#[test]
fn a_match_asks_what_its_table_says() {
    let path = "path = \"args.x\"\n";
    for (test, holding, failing, unfit) in [
        ("{ equals = \"a\" }", "\"a\"", "\"b\"", "1"),
        ("{ equals = 100 }", "1e2", "100.5", "\"100\""),
        ("{ equals = true }", "true", "false", "\"true\""),
        ("{ one_of = [\"a\", 2] }", "2", "\"b\"", "true"),
        ("{ equals = \"Eur\", ignore_case = true }", "\"EUR\"", "\"usd\"", "null1"),
        ("{ prefix = \"a\", ignore_case = false }", "\"ab\"", "\"Ab\"", "[]"),
        ("{ suffix = \"a\" }", "\"ba\"", "\"ab\"", "{}"),
        ("{ contains = \"a\" }", "\"bab\"", "\"b\"", "1"),
        ("{ regex = '[a-z]+' }", "\"ab\"", "\"ab1\"", "1"),
        ("{ glob = 'docs/*.md' }", "\"docs/a.md\"", "\"docs/a/b.md\"", "1"),
        ("{ number = { at_most = 100.10 } }", "100.1", "100.11", "\"1\""),
        ("{ number = { above = 1_000, below = \"1e4\" } }", "1000.5", "1000", "[1]"),
        ("{ number = { at_least = +0.5 } }", "0.5", "0.4", "true"),
        ("{ email = { domain = \"corp.example\" } }", "\"a@corp.example\"", "\"a@b.example\"", "\"a\""),
        (
            "{ email = { domains = [\"a.example\", \"b.example\"], subdomains = true } }",
            "\"a@x.b.example\"",
            "\"a@c.example\"",
            "\"a@b@c\"",
        ),
        (
            "{ url = { scheme = \"https\", host = \"a.example\", port = 443, path_prefix = \"/x\" } }",
            "\"https://a.example/x\"",
            "\"https://a.example/y\"",
            "\"https:a\"",
        ),
        (
            "{ url = { schemes = [\"http\", \"https\"], hosts = [\"a.example\", \"[::1]\"], ports = [80, 443] } }",
            "\"http://[::1]/\"",
            "\"http://b.example/\"",
            "\"http://a@b/\"",
        ),
        (
            "{ url = { host_suffix = \"a.example\" } }",
            "\"http://x.a.example/\"",
            "\"http://xa.example/\"",
            "\"//a.example\"",
        ),
        (
            "{ path = { under = \"/repo\", base = \"/repo\", suffix = \".rs\" } }",
            "\"a.rs\"",
            "\"/x/a.rs\"",
            "\"../a.rs\"",
        ),
        ("{ path = { under_any = [\"/a\", \"/b\"], name = \"c\" } }", "\"/b/c\"", "\"/c\"", "\"c\""),
        (
            "{ command = { program = \"git\", never = [\"push\"] } }",
            "\"git log\"",
            "\"git push\"",
            "\"git log; rm\"",
        ),
        (
            "{ command = { programs = [\"git\", \"ls\"], argv_prefix = [\"git\", \"log\"] } }",
            "[\"git\", \"log\"]",
            "[\"ls\"]",
            "[]",
        ),
        ("{ sql = { statements = [\"SELECT ?\"] } }", "\"SELECT 1\"", "\"SELECT 1, 2\"", "\"SELECT 1 --\""),
        ("{ any_of = [{ equals = \"a\" }, { prefix = \"b\" }] }", "\"bc\"", "\"c\"", "true"),
        ("{ not = { equals = \"a\" } }", "\"b\"", "\"a\"", "1"),
    ] {
        let asked = matched(&format!("{path}is = {test}"));
        for (value, want) in [(holding, Ok(Truth::Holds)), (failing, Ok(Truth::Fails)), (unfit, Err(()))] {
            let value = value.replace("null1", "[null]");
            let arguments = parse(format!("{{\"x\": {value}}}").as_bytes(), &Limits::EDGE).unwrap();
            assert_eq!(asked.holds(&arguments).map_err(|_| ()), want, "{test} of {value}");
        }
    }
}

#[test]
fn each_way_to_ask_of_a_list_is_read() {
    for (how, arguments, want) in [
        ("all = { equals = 1 }", "[1, 1]", Truth::Holds),
        ("all = { equals = 1 }", "[]", Truth::Fails),
        ("any = { equals = 1 }", "[2, 1]", Truth::Holds),
        ("first = { equals = 1 }", "[2, 1]", Truth::Fails),
        ("len = { at_most = 1 }", "[2, 1]", Truth::Fails),
        ("len = { at_least = 2 }", "[2, 1]", Truth::Holds),
    ] {
        let arguments = parse(format!("{{\"x\": {arguments}}}").as_bytes(), &Limits::EDGE).unwrap();
        assert_eq!(matched(&format!("path = \"args.x[*]\"\n{how}")).holds(&arguments), Ok(want), "{how}");
    }
}

#[test]
fn a_table_under_a_header_is_the_same_test() {
    let inline = matched("path = \"args.x\"\nis = { email = { domain = \"a.example\" } }");
    let below = matched("path = \"args.x\"\n[match.m.is.email]\ndomain = \"a.example\"");
    assert_eq!(inline, below);
    let listed =
        matched("path = \"args.x\"\n[[match.m.is.any_of]]\nequals = 1\n[[match.m.is.any_of]]\nequals = 2");
    assert_eq!(listed, matched("path = \"args.x\"\nis = { any_of = [{ equals = 1 }, { equals = 2 }] }"));
}

#[test]
fn examples_are_kept_and_must_come_out_as_they_say() {
    let source = "path = \"args.to[*]\"\nall = { email = { domain = \"corp.example\" } }\n";
    let examples = "match = [\"ana@corp.example\"]\nnot_match = [\"eve@evil.example\", \"a@corp.example@evil.example\", 7]\n";
    let Examples { holding, others } = matched(&format!("{source}{examples}")).examples;
    assert_eq!(holding, [Json::from("ana@corp.example")]);
    assert_eq!(others.len(), 3);
    assert_eq!(
        shown(&format!(
            "[match.m]\n{source}match = [\"ana@corp.example\", \"ana@evil.example\"]\nnot_match = [\"bo@corp.example\"]\n"
        )),
        r#"error: this example of `match` does not match
  ╭─[placet.toml:4:31]
4 │ match = ["ana@corp.example", "ana@evil.example"]
  ·                               ───────┬────────  help: change the test or the example

error: this example of `not_match` matches
  ╭─[placet.toml:5:15]
5 │ not_match = ["bo@corp.example"]
  ·               ───────┬───────  help: change the test or the example
"#
    );
    assert_mistakes(&[
        (
            "path = \"args.x\"\nis = { regex = \"a\" }\nmatch = [7]",
            "this example of `match` cannot be judged",
            "it is a number, not a text",
        ),
        (
            "path = \"args.x\"\nis = { regex = \"a\" }\nnot_match = [{}]",
            "`not_match` must be a text, a number, a boolean or a list of them, not a table",
            "",
        ),
        (
            "path = \"args.x\"\nis = { regex = \"a\" }\nmatch = \"a\"",
            "`match` must be a list of examples, not a text",
            "write it as a list: `match = [\"a\"]`",
        ),
        (
            "path = \"args.x[*]\"\nlen = { at_most = 1 }\nnot_match = [2]",
            "a match that counts has no examples",
            "an example is one value, and `len` looks at none",
        ),
    ]);
}

#[test]
fn a_mistake_in_a_match_is_shown_where_it_stands() {
    let source = "[match.internal]\npath = \"args.to[*]\"\nall = { sufix = \"@corp.example\" }\n";
    assert_eq!(
        shown(source),
        r#"error: unknown key `sufix` in `all`
  ╭─[placet.toml:3:9]
3 │ all = { sufix = "@corp.example" }
  ·         ──┬──  help: did you mean `suffix`?
"#
    );
}

#[test]
fn mistakes_in_where_and_how_a_match_looks() {
    assert_mistakes(&[
        (
            "is = { equals = 1 }",
            "match `m` has no `path`",
            "say where it looks, as in `path = \"args.to[*]\"`",
        ),
        ("path = \"args.x\"", "the match asks nothing", "say what, as in `is = { equals = \"eur\" }`"),
        (
            "path = \"args.x[*]\"\nany = { equals = 1 }\nall = { equals = 1 }",
            "a match asks one thing, and this one has `any` already",
            "write another match for the other",
        ),
        (
            "path = \"args.x[*]\"\nis = { equals = 1 }",
            "`is` asks of one value, and the path leads to many",
            "ask about the items with `all`, `any` or `first`, or take `[*]` out of the path",
        ),
        (
            "path = \"args.x\"\nall = { equals = 1 }",
            "`all` asks of items, and the path leads to one value",
            "write `[*]` behind the list, as in `args.to[*]`, or ask about the value with `is`",
        ),
        (
            "path = \"args.x\"\nlen = { at_most = 1 }",
            "`len` asks of items, and the path leads to one value",
            "write `[*]` behind the list, as in `args.to[*]`, or ask about the value with `is`",
        ),
        (
            "path = \"args.x[*].y\"\nlen = { at_most = 1 }",
            "`len` counts items, and the path goes on inside of them",
            "end the path at `[*]`",
        ),
        (
            "path = \"args.x[*].y[*]\"\nall = { equals = 1 }",
            "`args.x[*].y[*]` cannot be read as a path",
            "`args.x[*]` goes on with another `[*]`; a path has one",
        ),
        (
            "path = \"result.x\"\nis = { equals = 1 }",
            "`result.x` cannot be read as a path",
            "it begins with `args`, as in `args.to[*]`: facts are about arguments",
        ),
        (
            "path = \"args\"\nis = { equals = 1 }",
            "`args` cannot be read as a path",
            "it names no argument, as `args.to[*]` does",
        ),
        ("path = 7\nis = { equals = 1 }", "`path` must be a text, not a whole number", "write it in quotes"),
        (
            "path = \"args.x[*]\"\nlen = {}",
            "`len` has no bound",
            "as in `len = { at_least = 1, at_most = 5 }`",
        ),
        (
            "path = \"args.x[*]\"\nlen = { at_least = 2, at_most = 1 }",
            "no list is as long as this",
            "as in `len = { at_least = 1, at_most = 5 }`",
        ),
        ("path = \"args.x[*]\"\nlen = { at_most = -1 }", "`at_most` cannot be -1", "it is a number of items"),
        ("path = \"args.x[*]\"\nlen = 5", "`len` must be a table, not a whole number", ""),
        ("path = \"args.x\"\nis = \"a\"", "`is` must be a table, not a text", ""),
        (
            "path = \"args.x\"\nis = { equals = 1 }\nwhen = true",
            "unknown key `when` in `match.m`",
            "its keys are path, is, all, any, first, len, match, not_match",
        ),
    ]);
    assert_eq!(
        read("[match.M]\npath = \"args.x\"\nis = { equals = 1 }\n").findings[0].message,
        "the name `M` cannot be used"
    );
    assert_eq!(read("match = 7\n").findings[0].message, "`match` must be a table, not a whole number");
}

#[test]
fn mistakes_in_what_a_match_asks() {
    let rows = [
        ("{}", "the test asks nothing", "say what, as in `{ suffix = \"@corp.example\" }`"),
        (
            "{ suffix = \"a\", prefix = \"b\" }",
            "a test asks one thing, and this one has `suffix` already",
            "list both in `any_of`, or write another match",
        ),
        ("{ prefix = \"\" }", "`prefix` is empty, which fits every text", ""),
        ("{ contains = 7 }", "`contains` must be a text, not a whole number", "write it in quotes"),
        (
            "{ equals = 1.5 }",
            "`equals` must be a text, a whole number or a boolean, not a decimal number",
            "a decimal is compared with `number = { at_least = …, at_most = … }`",
        ),
        ("{ one_of = [] }", "this `one_of` cannot be used", "`one_of` lists nothing"),
        (
            "{ one_of = \"a\" }",
            "`one_of` must be a list of values, not a text",
            "write it as a list: `one_of = [\"a\"]`",
        ),
        ("{ regex = \"(\" }", "this `regex` cannot be used", "unclosed group"),
        (
            "{ regex = '(?=a)' }",
            "this `regex` cannot be used",
            "look-around, including look-ahead and look-behind, is not supported",
        ),
        (
            "{ regex = '\\w{1000}{1000}' }",
            "this `regex` cannot be used",
            "compiled it takes more than 131072 bytes",
        ),
        ("{ regex = \"\" }", "this `regex` cannot be used", "it is empty"),
        ("{ regex = \"a\", ignore_case = true }", "`regex` has no `ignore_case`", "begin it with `(?i)`"),
        (
            "{ not = { equals = \"a\" }, ignore_case = true }",
            "`not` has no `ignore_case`",
            "write it inside of the tests that are about texts",
        ),
        (
            "{ equals = \"a\", ignore_case = 1 }",
            "`ignore_case` must be true or false, not a whole number",
            "",
        ),
        ("{ glob = \"***\" }", "this `glob` cannot be used", "it has more than two stars together"),
        (
            "{ number = {} }",
            "this `number` cannot be used",
            "`number` has no bound, as in `{ at_most = 100 }`",
        ),
        (
            "{ number = { at_least = 2, at_most = 1 } }",
            "this `number` cannot be used",
            "no number is between these bounds",
        ),
        (
            "{ number = { above = 1, at_least = 1 } }",
            "a range has either `above` or `at_least`",
            "keep the stricter of the two",
        ),
        ("{ number = { above = nan } }", "`above` is not a number that can be compared", "not a JSON number"),
        (
            "{ number = { above = 0x10 } }",
            "`above` is not a number that can be compared",
            "not a JSON number",
        ),
        (
            "{ number = { above = \"1_0\" } }",
            "`above` is not a number that can be compared",
            "not a JSON number",
        ),
        (
            "{ number = { above = 100.000000000000000000001 } }",
            "`above` is not a number that can be compared",
            "the fraction cannot be kept without rounding",
        ),
        ("{ number = { above = true } }", "`above` must be a number, not a boolean", ""),
        ("{ email = {} }", "this `email` cannot be used", "`domains` lists nothing"),
        ("{ email = { domains = [] } }", "this `domains` cannot be used", "`domains` lists nothing"),
        (
            "{ email = { domain = \"*.corp.example\" } }",
            "this `email` cannot be used",
            "its domain contains `*`",
        ),
        (
            "{ email = { domain = \"a.example\", domains = [\"b.example\"] } }",
            "a test has either `domain` or `domains`",
            "put all of them into `domains`",
        ),
        (
            "{ email = { domain = \"a.example\", subdomains = 1 } }",
            "`subdomains` must be true or false, not a whole number",
            "",
        ),
        (
            "{ url = {} }",
            "this `url` cannot be used",
            "`url` asks for nothing, as `{ host = \"corp.example\" }` does",
        ),
        ("{ url = { port = 0 } }", "0 is no port", "a port is a number from 1 to 65535"),
        ("{ url = { ports = [\"80\"] } }", "`ports` must be a whole number, not a text", ""),
        (
            "{ url = { path_prefix = \"/a/../b\" } }",
            "this `url` cannot be used",
            "its path has a segment `.` or `..`",
        ),
        (
            "{ url = { scheme = \"HTTPS\" } }",
            "this `url` cannot be used",
            "`HTTPS` is no scheme: write it as `https`, in small letters",
        ),
        (
            "{ path = { base = \"/repo\" } }",
            "this `path` cannot be used",
            "`path` asks for nothing, as `{ under = \"/repo\" }` does",
        ),
        (
            "{ path = { under = \"repo\" } }",
            "this `path` cannot be used",
            "it does not begin with `/`, and the match has no `base`",
        ),
        (
            "{ command = {} }",
            "this `command` cannot be used",
            "`command` asks for nothing, as `{ program = \"git\" }` does",
        ),
        (
            "{ command = { programs = [\"\"] } }",
            "this `command` cannot be used",
            "a word is empty or has a NUL in it",
        ),
        ("{ command = { never = [] } }", "this `never` cannot be used", "`never` lists nothing"),
        ("{ sql = {} }", "this `sql` cannot be used", "`statements` lists nothing"),
        (
            "{ sql = { statements = [\"A; B\"] } }",
            "this `sql` cannot be used",
            "before its end it contains `;`",
        ),
        ("{ any_of = [] }", "`any_of` lists not 1 to 16 tests", "values of one kind go into `one_of`"),
        ("{ any_of = { equals = 1 } }", "`any_of` must be a list of tests, not a table", ""),
        (
            "{ not = { not = { not = { not = { equals = 1 } } } } }",
            "tests stand in each other more than 4 deep",
            "write another match for a part of it",
        ),
    ];
    let sources =
        rows.map(|(test, message, help)| (format!("path = \"args.x\"\nis = {test}"), message, help));
    let rows: Vec<(&str, &str, &str)> =
        sources.iter().map(|(source, message, help)| (source.as_str(), *message, *help)).collect();
    assert_mistakes(&rows);
}

#[test]
fn patterns_of_a_file_are_counted() {
    let source = |count: usize| {
        let pattern = |at| format!("[match.m{at}]\npath = \"args.x\"\nis = {{ regex = \"a\" }}\n");
        (0..count).map(pattern).collect::<String>()
    };
    assert_eq!(good(&source(100)).matches.len(), 100);
    assert_eq!(read(&source(101)).findings[0].message, "there are more than 100 patterns");
}

proptest! {
    #[test]
    fn no_text_in_a_match_makes_reading_panic(
        key in proptest::sample::select(&["equals", "prefix", "regex", "glob", "email", "url", "path", "command", "sql"][..]),
        inner in proptest::sample::select(&["domain", "host", "under", "program", "statements", "path_prefix", "above"][..]),
        text in "\\PC{0,30}|[a-z0-9()|*+?\\[\\]{}.@:/$%_ -]{0,20}",
    ) {
        for value in [format!("'''{}'''", text.replace("'''", "")), text.clone(), format!("{{ {inner} = '''{}''' }}", text.replace("'''", ""))] {
            let source = format!("[match.m]\npath = '''args.{}'''\nis = {{ {key} = {value} }}\n", text.replace("'''", ""));
            let _ = read(&source);
            let _ = read(&format!("[match.m]\npath = \"args.x\"\nis = {{ {key} = {value} }}\nmatch = [{value}]\n"));
        }
    }
}
