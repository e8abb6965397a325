//! Texts of conditions: what reads as what, and what is said of the rest.

use super::*;
use crate::diagnostic::acts;
use proptest::prelude::*;

#[test]
fn a_condition_is_printed_in_one_way() {
    for (text, want) in [
        ("args.amount>100", "args.amount > 100"),
        ("  args.amount\n\t>= 100.50\r\n", "args.amount >= 100.5"),
        ("((args.amount) > (100.0))", "args.amount > 100"),
        ("args.n == -5", "args.n == -5"),
        ("args.n == - 5", "args.n == -5"),
        ("args.n == -9223372036854775808", "args.n == -9223372036854775808"),
        ("true||false&&true", "true || false && true"),
        ("(true||false)&&true", "(true || false) && true"),
        ("true&&(false&&true)&&true", "true && (false && true) && true"),
        ("true || (false || true)", "true || (false || true)"),
        ("!args.sure", "!args.sure"),
        ("!!args.sure", "!(!args.sure)"),
        ("!args.a == args.b", "!args.a == args.b"),
        ("!(args.a == args.b)", "!(args.a == args.b)"),
        ("(args.a == args.b) == args.c", "(args.a == args.b) == args.c"),
        ("args.a == (args.b == args.c)", "args.a == (args.b == args.c)"),
        ("args[\"amount\"] > 1", "args.amount > 1"),
        ("args[\"e-mail\"] == \"\"", "args[\"e-mail\"] == \"\""),
        ("args[\"if\"].then1", "args[\"if\"].then1"),
        ("args [ \"a\\u{202e}\\\"\" ] . b", "args[\"a\\u{202e}\\\"\"].b"),
        ("(args).a.b", "args.a.b"),
        ("args has a", "args has a"),
        ("args.a has b . c", "args.a has b.c"),
        ("args has \"a b\"", "args has \"a b\""),
        ("args has \"ab\"", "args has ab"),
        ("args.a like \"*.t**xt\\*\"", "args.a like \"*.t*xt\\*\""),
        ("args.a like \"\"", "args.a like \"\""),
        ("[\"EUR\",\"USD\",].contains(args.currency)", "[\"EUR\", \"USD\"].contains(args.currency)"),
        ("args.to.containsAll([1,-2.5])", "args.to.containsAll([1, -2.5])"),
        ("args.to.containsAny(args.cc)", "args.to.containsAny(args.cc)"),
        ("args.contains.contains(args.isEmpty)", "args.contains.contains(args.isEmpty)"),
        ("args.to.isEmpty( )", "args.to.isEmpty()"),
        ("matches.pii && matches[\"internal-mail\"]", "matches.pii && matches[\"internal-mail\"]"),
        ("matches[\"pii\"]", "matches.pii"),
        ("if true then false else true && false", "if true then false else true && false"),
        ("(if true then false else true) && false", "(if true then false else true) && false"),
        (
            "if if true then true else false then 1 == args.a else if true then true else false",
            "if if true then true else false then 1 == args.a else if true then true else false",
        ),
        (
            "args.a == \"\\n\\r\\t\\\\\\0\\\"\\'\\x41\\u{e9}\\u{00e9}\"",
            "args.a == \"\\n\\r\\t\\\\\\0\\\"'Aéé\"",
        ),
        ("(-5).contains(1)", "(-5).contains(1)"),
    ] {
        let read = when(text);
        assert_eq!(read.to_string(), want, "{text}");
        assert_eq!(When::parse(want).as_ref(), Ok(&read), "{want}");
        assert_eq!(read.text(), text);
    }
}

#[test]
fn operators_bind_as_they_do_in_cedar() {
    for text in [
        "true || false && true == false",
        "!true == false || true",
        "true == true && false || if true then true else false && true",
        "args.a like \"a\" && args has b || !args.c",
        "args.a has b.c && args.to.contains(1) == true",
    ] {
        // Our own tree in Cedar's brackets against what Cedar makes of the plain text.
        let bare = text.replace("if true", "(if true").replace("false && true", "false && true)");
        let text = if text.contains("if ") { bare.as_str() } else { text };
        let ours = when(text).to_string();
        let cedar = |text: &str| {
            let policy = format!(
                "permit(principal, action, resource) when {{ {} }};",
                text.replace("args", "context.args")
            );
            Policy::parse(None, policy).unwrap_or_else(|error| panic!("{text}: {error}")).to_json().unwrap()
        };
        assert_eq!(cedar(&ours), cedar(text), "{ours} / {text}");
    }
}

#[test]
fn a_condition_says_what_it_mentions() {
    let read = when("args has a && matches.pii && (session.x > 1 || !matches[\"b-c\"])");
    assert_eq!(read.matches(), names(&["b-c", "pii"]));
    assert_eq!(read.roots(), BTreeSet::from([Root::Args, Root::Session]));
    assert_eq!(when("args.a == 1"), when("args . a==1"));
    assert_ne!(when("args.a == 1"), when("args.a == 2"));
}

/// A text, and the place, message and help of its mistake.
#[test]
fn each_mistake_is_told_with_its_place_and_a_way_on() {
    for (text, place, message, help) in [
        ("", "", "the condition is empty", "say what must hold, as in `args.amount > 100`"),
        (" ", " ", "the condition is empty", "say what must hold, as in `args.amount > 100`"),
        ("args.a + 1 > 2", "+", "a condition does no arithmetic", token::NO_ARITHMETIC),
        ("args.a * 2 > 2", "*", "a condition does no arithmetic", token::NO_ARITHMETIC),
        ("args.a / 2 > 2", "/", "a condition does no arithmetic", token::NO_ARITHMETIC),
        ("args.a % 2 == 0", "%", "a condition does no arithmetic", token::NO_ARITHMETIC),
        ("args.a - 2 > 2", "-", "a condition does no arithmetic", token::NO_ARITHMETIC),
        ("-args.a > 2", "-", "a condition does no arithmetic", "`-` stands before a number only, as in `-5`"),
        (
            "--5 == args.a",
            "-",
            "a condition does no arithmetic",
            "`-` stands before a number only, as in `-5`",
        ),
        ("true // so", "//", "a condition has no comments", "write it in the file, after `#`"),
        ("true & true", "&", "`&` is no operator", "write `&&`"),
        ("true | true", "|", "`|` is no operator", "write `||`"),
        ("args.a = 1", "=", "`=` is no operator", "write `==`"),
        ("args.a === 1", "=", "`=` is no operator", "write `==`"),
        (
            "args.a == 'x'",
            "'",
            "a text stands between double quotes",
            "write `\"text\"`, in a file whose own quotes are single",
        ),
        (
            "args == {\"a\": 1}",
            "{",
            "a condition has no objects",
            "read one member of it, as in `args.address.city`",
        ),
        ("true; true", ";", "a condition is one expression", "join two with `&&` or `||`"),
        ("args.a ? 1 : 2", "?", "`?` is no operator", "write `if a then b else c`"),
        ("@id(\"x\") true", "@", "a condition has no annotations", "a guard's `id` names it"),
        (
            "args.größe > 1",
            "ö",
            "the character `ö` cannot stand here",
            "a name with other letters stands in brackets, as in `args[\"größe\"]`",
        ),
        (
            "args.a\u{a0}> 1",
            "\u{a0}",
            "the character `\u{a0}` cannot stand here",
            "a name with other letters stands in brackets, as in `args[\"größe\"]`",
        ),
        (
            "args.a\u{202e}> 1",
            "\u{202e}",
            "the character `\\u{202e}` cannot stand here",
            "a name with other letters stands in brackets, as in `args[\"größe\"]`",
        ),
        (
            "args.a == \"x\u{200b}\"",
            "\u{200b}",
            "the character `\\u{200b}` is not seen, or moves what is seen",
            "write its escape, as in `\\n` or `\\u{200b}`",
        ),
        (
            "args.a == \"x\n\"",
            "\n",
            "the character `\\u{a}` is not seen, or moves what is seen",
            "write its escape, as in `\\n` or `\\u{200b}`",
        ),
        ("args.a == \"x", "\"x", "the text has no second quote", "end it with `\"`"),
        ("args.a == \"x\\\"", "\"x\\\"", "the text has no second quote", "end it with `\"`"),
        ("args.a == \"\\q\"", "\\q", "unknown escape `\\q`", ESCAPES),
        ("args.a == \"\\x80\"", "\\x80", "unknown escape `\\x80`", ESCAPES),
        ("args.a == \"a\\x4\"", "\\x", "unknown escape `\\x`", ESCAPES),
        ("args.a == \"\\x+4\"", "\\x+4", "unknown escape `\\x+4`", ESCAPES),
        ("args.a == \"\\u{d800}\"", "\\u{d800}", "unknown escape `\\u{d800}`", ESCAPES),
        ("args.a == \"\\u{}\"", "\\u{}", "unknown escape `\\u{}`", ESCAPES),
        ("args.a == \"\\u{0000041}\"", "\\u{0000041}", "unknown escape `\\u{0000041}`", ESCAPES),
        ("args.a == \"\\u41\"", "\\u", "unknown escape `\\u`", ESCAPES),
        ("args.a == \"\\*\"", "\\*", "`\\*` stands in the pattern of a `like` only", "write `*`"),
        (
            "args.a like \"\\x2a\"",
            "\\x2a",
            "this is either a star or any characters",
            "write `\\*` for a star, `*` for any characters",
        ),
        (
            "args.a like args.b",
            "args",
            "a pattern in quotes, as in `args.name like \"*.txt\"`, is expected where `args` stands",
            "",
        ),
        ("1 < args.a < 5", "<", "comparisons do not chain", CHAIN),
        ("args.a == 1 == true", "==", "comparisons do not chain", CHAIN),
        ("args has a has b", "has", "comparisons do not chain", CHAIN),
        ("args.a like \"a\" in 1", "in", "comparisons do not chain", CHAIN),
        (
            "args.a in [\"x\"]",
            "in",
            "`in` is about entities, and a condition has none",
            "for a list, write `[\"a\", \"b\"].contains(args.a)`",
        ),
        (
            "args.a is User",
            "is",
            "`is` is about entities, and a condition has none",
            "a guard's key says for which tools it is, and its `for` for whom",
        ),
        (
            "true && if true then true else false",
            "if",
            "an `if` within an expression stands in brackets",
            "as in `args.sure && (if a then b else c)`",
        ),
        ("if true", "", "`then` is expected at its end", "as in `if a then b else c`"),
        ("if true then true", "", "`else` is expected at its end", "as in `if a then b else c`"),
        ("then", "then", "a value, as in `args.amount`, is expected where `then` stands", ""),
        ("true &&", "", "a value, as in `args.amount`, is expected at its end", ""),
        ("true true", "true", "`&&`, `||` or nothing more is expected where `true` stands", ""),
        ("true) && false", ")", "`&&`, `||` or nothing more is expected where `)` stands", ""),
        ("(true", "", "`)` is expected at its end", ""),
        ("true and false", "and", "`&&`, `||` or nothing more is expected where `and` stands", "write `&&`"),
        ("true OR false", "OR", "`&&`, `||` or nothing more is expected where `OR` stands", "write `||`"),
        ("not true", "not", "a value, as in `args.amount`, is expected where `not` stands", "write `!`"),
        ("not(true)", "not", "there is no function `not`", "write `!(…)`"),
        ("!!!!!true", "!", "more than 4 `!` in a row", "two of them say nothing"),
        (
            "args.a(1)",
            "a",
            "there is no `.a(…)`",
            "of a list is asked `contains`, `containsAll`, `containsAny` and `isEmpty`",
        ),
        ("args.to.contain(1)", "contain", "there is no `.contain(…)`", "did you mean `contains`?"),
        ("args.to.isempty()", "isempty", "there is no `.isempty(…)`", "did you mean `isEmpty`?"),
        ("args.a.lessThan(1)", "lessThan", "there is no `.lessThan(…)`", "write `args.a < 100`"),
        (
            "args.a.startsWith(\"x\")",
            "startsWith",
            "there is no `.startsWith(…)`",
            "write `args.a like \"text*\"`",
        ),
        ("args.a.endsWith(\"x\")", "endsWith", "there is no `.endsWith(…)`", "write `args.a like \"*text\"`"),
        (
            "args.to.isEmpty(1)",
            "1",
            "`isEmpty` takes nothing between its brackets",
            "as in `args.to.isEmpty()`",
        ),
        (
            "args.to.contains()",
            ")",
            "`contains` asks for what?",
            "as in `args.labels.contains(\"private\")`, `args.to.containsAll([\"a\", \"b\"])`",
        ),
        (
            "args.to.contains(1, 2)",
            ",",
            "`contains` takes one value",
            "ask for several with `.containsAll([…])` or `.containsAny([…])`",
        ),
        (
            "args.to.isEmpty().isEmpty()",
            "isEmpty",
            "the answer is true or false, of which nothing more is asked",
            "",
        ),
        (
            "args.to.isEmpty().a",
            "a",
            "`args.to.isEmpty()` has no members",
            "a path begins with `args`, `session` or `call`",
        ),
        ("\"a\".b", "b", "`\"a\"` has no members", "a path begins with `args`, `session` or `call`"),
        (
            "args.a[0] == 1",
            "0",
            "a list has no order here, so its items have no numbers",
            "ask `.contains(…)`, or name a `[match]` over the items",
        ),
        ("args[a] == 1", "a", "a name in quotes between brackets is expected where `a` stands", ""),
        ("args. == 1", "==", "a member's name after the point is expected where `==` stands", ""),
        (
            "args.if == 1",
            "if",
            "`if` is a word of the language",
            "as a name it stands in quotes: `args[\"if\"]`, `args has \"if\"`",
        ),
        (
            "args has like",
            "like",
            "`like` is a word of the language",
            "as a name it stands in quotes: `args[\"like\"]`, `args has \"like\"`",
        ),
        ("args has 5", "5", "a member's name, as in `args has amount`, is expected where `5` stands", ""),
        (
            "args has a[\"b\"]",
            "[",
            "`has` is followed by a name",
            "a name with other letters stands in quotes, as in `args has \"e-mail\"`",
        ),
        (
            "5 has a",
            "has",
            "`5` has no members",
            "`has` asks about `args`, `session`, `call` or one of their members",
        ),
        ("matches", "matches", "`matches` alone says nothing", MATCHES),
        ("matches has pii", "matches", "`matches` alone says nothing", MATCHES),
        ("matches.contains(\"pii\")", "contains", "nothing is asked of `matches`", MATCHES),
        (
            "matches.pii.a",
            "a",
            "`matches.pii` has no members",
            "a path begins with `args`, `session` or `call`",
        ),
        (
            "matches.Pii",
            "Pii",
            "the name `Pii` cannot be used",
            "a match's name is 1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter",
        ),
        (
            "matches[\"\\u{202e}\"]",
            "\"\\u{202e}\"",
            "the name `\\u{202e}` cannot be used",
            "a match's name is 1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter",
        ),
        (
            "principal == 1",
            "principal",
            "a path begins with `args`, `session` or `call`, not with `principal`",
            "for whom a guard is, its `for` says, as in `for = { team = \"helpdesk\" }`",
        ),
        (
            "resource.x",
            "resource",
            "a path begins with `args`, `session` or `call`, not with `resource`",
            "for which tools a guard is, its key says, as in `\"crm/refund\"`",
        ),
        (
            "context.args.a == 1",
            "context",
            "a path begins with `args`, `session` or `call`, not with `context`",
            "leave it out: a path begins with `args`, `session` or `call`",
        ),
        (
            "controls.contains(\"x\")",
            "controls",
            "a path begins with `args`, `session` or `call`, not with `controls`",
            "what is required of a call is the guard's `require`, and lifts that guard alone",
        ),
        (
            "facts.a",
            "facts",
            "a path begins with `args`, `session` or `call`, not with `facts`",
            "facts are not built yet in this version",
        ),
        (
            "arg.a == 1",
            "arg",
            "a path begins with `args`, `session` or `call`, not with `arg`",
            "did you mean `args`?",
        ),
        (
            "amount > 100",
            "amount",
            "a path begins with `args`, `session` or `call`, not with `amount`",
            "an argument is `args.amount`, a text stands in double quotes",
        ),
        (
            "User::\"ana\" == 1",
            "User",
            "`User::…` is an entity, and a condition has none",
            "for whom a guard is, its `for` says, as in `for = { team = \"helpdesk\" }`",
        ),
        (
            "ip(\"1.1.1.1\") == 1",
            "ip",
            "there is no function `ip`",
            "what must be computed first can be a `[match]`",
        ),
        (
            "decimal(\"1.0\") == 1",
            "decimal",
            "there is no function `decimal`",
            "write the number itself, as in `args.amount > 100.5`",
        ),
        ("len(args.to) > 1", "len", "there is no function `len`", "a condition counts nothing; a cost does"),
        ("(true)(true)", "(", "a value is not called", "join two expressions with `&&` or `||`"),
        ("args.a > 1e3", "1e3", "`1e3` is no number", "write it out, as in `1000` or `0.5`"),
        ("args.a > 1.2.3", "1.2.3", "`1.2.3` is no number", "write it out, as in `1000` or `0.5`"),
        ("args.a > 100usd", "100usd", "`100usd` is no number", "write it out, as in `1000` or `0.5`"),
        (
            "args.a > 0.0000001",
            "0.0000001",
            "`0.0000001` has more than 6 decimal places",
            "nothing is judged to more",
        ),
        (
            "args.a > 9223372036854775808",
            "9223372036854775808",
            "`9223372036854775808` is beyond 64 bits",
            "no number that policy reads is as large",
        ),
        ("args.a > .5", ".", "a value, as in `args.amount`, is expected where `.` stands", ""),
        ("args.a > 5.", "", "a member's name after the point is expected at its end", ""),
        (
            "[].contains(args.a)",
            "[]",
            "a list with nothing in it says nothing",
            "whether a list is empty asks `.isEmpty()`",
        ),
        ("[1 2]", "2", "`,` or `]` is expected where `2` stands", ""),
        ("[1", "", "`,` or `]` is expected at its end", ""),
    ] {
        let error = When::parse(text).expect_err(text);
        assert_eq!(error.message, message, "{text}");
        assert_eq!(error.help.as_deref().unwrap_or_default(), help, "{text}");
        let marked = text.get(error.span.clone()).unwrap_or_else(|| panic!("{text}: {:?}", error.span));
        assert_eq!(marked, place, "{text}");
    }
}

const CHAIN: &str = "compare twice, as in `1 < args.count && args.count < 9`";
const ESCAPES: &str = "escapes are \\n \\r \\t \\\\ \\0 \\\" \\' \\x41 \\u{e9}, and \\* in a pattern";
const MATCHES: &str = "a match is named, as in `matches.internal_mail` or `matches[\"internal-mail\"]`";

#[test]
fn what_is_too_long_or_too_deep_is_refused() {
    let deep = |levels: usize| format!("{}true{}", "(".repeat(levels), ")".repeat(levels));
    let path = |steps: usize| format!("args{} == 1", ".a".repeat(steps));
    let has = |steps: usize| format!("args has a{}", ".a".repeat(steps - 1));
    let ifs = |levels: usize| format!("{}true", "if true then true else ".repeat(levels));
    let nested =
        |levels: usize| (0..levels).fold("true".to_owned(), |inner, _| format!("!({inner} && true)"));
    for (name, good, bad) in [
        ("brackets", deep(DEPTH_MAX - 1), deep(DEPTH_MAX)),
        ("brackets that never end", deep(1), "(".repeat(TEXT_BYTES_MAX)),
        ("lists that never end", deep(1), "[".repeat(TEXT_BYTES_MAX)),
        ("questions that never end", deep(1), "args.a.contains(".repeat(900)),
        ("ifs", ifs(DEPTH_MAX - 1), ifs(DEPTH_MAX)),
        ("operators", nested(DEPTH_MAX / 2 - 1), nested(DEPTH_MAX / 2)),
        ("members", path(32), path(33)),
        ("members that are asked for", has(32), has(33)),
        ("bytes", "true||".repeat(2700) + "true", "true||".repeat(2800) + "true"),
    ] {
        assert_eq!(When::parse(&good).err(), None, "{name}");
        assert!(When::parse(&bad).is_err(), "{name}");
    }
    let error = When::parse(&deep(DEPTH_MAX)).unwrap_err();
    assert_eq!(error.message, "the condition is nested more than 64 deep");
    assert_eq!(When::parse(&path(33)).unwrap_err().message, "policy reads at most 32 members deep");
    assert_eq!(
        When::parse(&"a".repeat(TEXT_BYTES_MAX + 1)).unwrap_err().message,
        "the condition is longer than 16 KiB"
    );
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        reads_or_refuses(&text);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        reads_or_refuses(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_words_are_read_or_refused(
        words in proptest::collection::vec(proptest::sample::select(WORDS.to_vec()), 0..24),
        between in proptest::sample::select(vec!["", " "]),
    ) {
        reads_or_refuses(&words.join(between));
    }
}

const WORDS: [&str; 52] = [
    "args",
    "session",
    "call",
    "matches",
    "a",
    "b",
    ".",
    ".",
    ".",
    ".a",
    ".pii",
    "has",
    "like",
    "in",
    "is",
    "if",
    "then",
    "else",
    "true",
    "false",
    "(",
    ")",
    "[",
    "]",
    ",",
    "&&",
    "||",
    "!",
    "-",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "=",
    "1",
    "0.5",
    "\"a\"",
    "\"*\\*\"",
    "[\"a b\"]",
    "\"",
    "\\",
    "é",
    "\u{202e}",
    "+",
    "::",
    ".contains(",
    ".isEmpty()",
    "\n",
    "'",
    "//",
];

fn reads_or_refuses(text: &str) {
    match When::parse(text) {
        Ok(when) => {
            let printed = when.to_string();
            assert!(!printed.contains(acts), "{printed:?}");
            assert_eq!(When::parse(&printed), Ok(when.clone()), "{text:?} as {printed:?}");
            // Over any tool it has types or mistakes.
            let (root, matches) = (refund(), names(&["pii"]));
            if let Err(errors) = when.lower(&Scope { root: &root, matches: &matches }) {
                assert!(!errors.is_empty(), "{text:?}");
                errors.iter().for_each(|error| is_shown(error, text));
            }
        }
        Err(error) => is_shown(&error, text),
    }
}

fn is_shown(error: &WhenError, text: &str) {
    assert!(text.get(error.span.clone()).is_some(), "{text:?}: {error:?}");
    assert!(!error.message.contains(acts) && !error.message.is_empty(), "{text:?}: {error:?}");
    assert!(!error.help.as_deref().unwrap_or_default().contains(acts), "{text:?}: {error:?}");
}
