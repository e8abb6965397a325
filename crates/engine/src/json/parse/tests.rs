//! The parser: what it takes, and what it refuses with its place.

use super::super::NumberError;
use super::*;

fn kind_of(text: &str) -> Option<ParseErrorKind> {
    parse(text.as_bytes(), &Limits::EDGE).err().map(|e| e.kind())
}

#[test]
fn every_kind_of_value_is_read() {
    for (text, compact) in [
        ("null", "null"),
        (" true\r\n", "true"),
        ("\tfalse ", "false"),
        ("-12.50", "-12.5"),
        (r#""a\"\\\/\b\f\n\r\tb""#, r#""a\"\\/\b\f\n\r\tb""#),
        (r#""\u00e9\u20AC\ud83d\ude02""#, "\"é€😂\""),
        (r#""\u0000""#, r#""\u0000""#),
        ("[ ]", "[]"),
        ("[1 , [2], {}]", "[1,[2],{}]"),
        ("{ }", "{}"),
        (r#"{"b" : 1 , "a":{"b":2}}"#, r#"{"b":1,"a":{"b":2}}"#),
        (r#"{"":""}"#, r#"{"":""}"#),
    ] {
        assert_eq!(
            parse(text.as_bytes(), &Limits::EDGE).map(|v| v.compact()),
            Ok(compact.to_owned()),
            "{text}"
        );
    }
}

#[test]
fn a_refusal_says_what_is_wrong_and_where() {
    for (text, message) in [
        ("", "expected a value, found the end of the text at byte 0"),
        ("[1 2]", "expected `,` or `]`, found `2` at byte 3"),
        ("[1,]", "expected a value, found `]` at byte 3"),
        ("{\"a\":1,}", "expected a key, found `}` at byte 7"),
        ("{\"a\" 1}", "expected `:`, found `1` at byte 5"),
        ("{\"a\":1", "expected `,` or `}`, found the end of the text at byte 6"),
        ("{a:1}", "expected a key, found `a` at byte 1"),
        ("trux", "expected `true`, found `x` at byte 3"),
        ("nul", "expected `null`, found the end of the text at byte 3"),
        ("\"ab", "expected the end of a string, found the end of the text at byte 3"),
        ("\"\\u12", "expected the rest of an escape, found the end of the text at byte 5"),
        ("\"\\x41\"", r"unknown escape `\\x` in a string at byte 1"),
        ("\"\\u12g4\"", r"unknown escape `\\u12g` in a string at byte 1"),
        ("\"\\u+123\"", r"unknown escape `\\u+` in a string at byte 1"),
        ("\"a\u{1}\"", "unescaped control character U+0001 in a string at byte 2"),
        ("\"\\ud83d\"", "escape for half a surrogate pair in a string at byte 1"),
        ("[\"ok\\n\\ude02\\ud83d\"]", "escape for half a surrogate pair in a string at byte 6"),
        ("\"\\ud83d\\u0041\"", "escape for half a surrogate pair in a string at byte 1"),
        ("\u{feff}1", "expected a value, found a byte order mark at byte 0"),
        ("1 \u{feff}", r"expected the end of the text, found `\u{feff}` at byte 2"),
        ("1 2", "expected the end of the text, found `2` at byte 2"),
        ("[01]", "number `01`: not a JSON number at byte 1"),
        ("[-]", "number `-`: not a JSON number at byte 1"),
        ("[1e400]", "number `1e400`: the integer does not fit in 64 bits at byte 1"),
        ("[1e-400]", "number `1e-400`: the fraction cannot be kept without rounding at byte 1"),
        (r#"{"a":1,"\u0061":2}"#, "key `a` stands twice in its object at byte 7"),
        (r#"{"a\nb":1,"a\nb":2}"#, r"key `a\nb` stands twice in its object at byte 10"),
        (r#"[{"__expr":1}]"#, "key `__expr` is reserved at byte 2"),
    ] {
        assert_eq!(parse(text.as_bytes(), &Limits::EDGE).map_err(|e| e.to_string()), Err(message.to_owned()));
    }
    let not_utf8 = parse(b"\"ab\xff\"", &Limits::EDGE).map_err(|e| (e.kind(), e.offset(), e.to_string()));
    let message = "the text is not UTF-8 at byte 3".to_owned();
    assert_eq!(not_utf8, Err((ParseErrorKind::NotUtf8, 3, message)));
}

#[test]
fn keys_that_libraries_read_as_commands_are_refused_at_any_depth() {
    for key in [
        "$serde_json::private::Number",
        "$serde_json::private::",
        "__entity",
        "__extn",
        "__expr",
        r"\u005f_expr",
    ] {
        assert_eq!(
            kind_of(&format!("[{{\"a\":{{\"{key}\":1}}}}]")),
            Some(ParseErrorKind::ReservedKey),
            "{key}"
        );
    }
    for key in ["$serde_json::private:", "$serde_json", "__entity_", "__Entity", "_expr", "entity"] {
        assert_eq!(kind_of(&format!("{{\"{key}\":1}}")), None, "{key}");
    }
    assert_eq!(kind_of(r#"["__entity"]"#), None, "a value is no key");
}

#[test]
fn each_limit_holds_exactly_and_is_quoted() {
    let limits = Limits { bytes: 30, depth: 3, members: 2, key_bytes: 4 };
    for (fits, too_much, kind, quote) in [
        (
            "[\"..........................\"]",
            "[\"...........................\"]",
            ParseErrorKind::TooLong,
            "30 bytes",
        ),
        ("[[[1]]]", "[[[[]]]]", ParseErrorKind::TooDeep, "3 levels"),
        (r#"{"a":1,"b":2}"#, r#"{"a":1,"b":2,"c":3}"#, ParseErrorKind::TooManyMembers, "of 2"),
        (r#"{"żó":1}"#, r#"{"żół":1}"#, ParseErrorKind::KeyTooLong, "4 bytes"),
        (r#"{"\u0061bcd":1}"#, r#"{"\u0061bcde":1}"#, ParseErrorKind::KeyTooLong, "4 bytes"),
    ] {
        assert_eq!(parse(fits.as_bytes(), &limits).err(), None, "{fits}");
        let refused =
            parse(too_much.as_bytes(), &limits).map_err(|e| (e.kind(), e.to_string().contains(quote)));
        assert_eq!(refused, Err((kind, true)), "{too_much}");
        assert!(kind.is_too_large(), "{kind:?}");
    }
}

#[test]
fn nesting_is_bounded_whatever_the_limits_say() {
    let unlimited =
        Limits { bytes: usize::MAX, depth: usize::MAX, members: usize::MAX, key_bytes: usize::MAX };
    for opening in ["[", "{\"a\":", "[{\"a\":"] {
        let refused = parse(opening.repeat(100_000).as_bytes(), &unlimited).map_err(|e| e.kind());
        assert_eq!(refused, Err(ParseErrorKind::TooDeep), "{opening}");
    }
    assert!(parse(("[".repeat(128) + &"]".repeat(128)).as_bytes(), &unlimited).is_ok());
    assert!(parse(("[".repeat(129) + &"]".repeat(129)).as_bytes(), &unlimited).is_err());
    assert!(parse(("[".repeat(64) + &"]".repeat(64)).as_bytes(), &Limits::EDGE).is_ok());
}

#[test]
fn siblings_do_not_add_to_the_depth() {
    let row = "[[],{},[{}]]";
    let limits = Limits { depth: 4, ..Limits::EDGE };
    assert!(parse(format!("[{}]", [row; 100].join(",")).as_bytes(), &limits).is_ok());
}

#[test]
fn a_duplicate_is_found_among_few_and_many_members() {
    for count in [1, 15, 16, 17, 500] {
        let members: Vec<_> = (0..count).map(|n| format!("\"k{n}\":{n}")).collect();
        for again in [0, count - 1] {
            let text = format!("{{{},\"k{again}\":0}}", members.join(","));
            assert_eq!(
                kind_of(&text),
                Some(ParseErrorKind::DuplicateKey),
                "k{again} again after {count} members"
            );
        }
        assert_eq!(kind_of(&format!("{{{}}}", members.join(","))), None, "{count} members");
    }
}

#[test]
fn an_object_refuses_members_past_its_limit_before_it_reads_them() {
    let members: Vec<_> = (0..Limits::EDGE.members).map(|n| format!("\"{n}\":0")).collect();
    assert_eq!(kind_of(&format!("{{{}}}", members.join(","))), None);
    assert_eq!(kind_of(&format!("{{{},oops", members.join(","))), Some(ParseErrorKind::TooManyMembers));
    assert_eq!(kind_of(&format!("[{}]", vec!["0"; Limits::EDGE.members + 1].join(","))), None);
}

#[test]
fn a_long_hostile_number_is_refused_with_a_short_message() {
    let message =
        parse("9".repeat(4 << 20).as_bytes(), &Limits::EDGE).map_err(|e| (e.kind(), e.to_string().len()));
    assert!(
        matches!(message, Err((ParseErrorKind::BadNumber(NumberError::OutOfRange), length)) if length < 200),
        "{message:?}"
    );
}
