use proptest::prelude::*;

use super::*;

fn wiring(entry: &str) -> Wiring {
    let args = ["mcp", "fs", "--client", "desk"].map(str::to_owned).to_vec();
    Wiring { entry: entry.to_owned(), command: "/bin/placet".to_owned(), args }
}

fn edited(text: &str) -> Result<String, String> {
    rewire(text, &[wiring("fs")]).map(|(text, _)| text)
}

#[test]
fn an_edit_keeps_everything_around_what_it_changes() {
    for (what, before, after) in [
        (
            "one line",
            r#"{"mcpServers":{"fs":{"command":"npx","args":["-y","x"],"env":{"K":"v"}}}}"#,
            r#"{"mcpServers":{"fs":{"command":"/bin/placet","args":["mcp", "fs", "--client", "desk"]}}}"#,
        ),
        (
            "no arguments",
            "{\n  \"mcpServers\": {\n    \"fs\": {\n      \"command\": \"npx\"\n    }\n  }\n}\n",
            "{\n  \"mcpServers\": {\n    \"fs\": {\n      \"command\": \"/bin/placet\",\n      \"args\": [\"mcp\", \"fs\", \"--client\", \"desk\"]\n    }\n  }\n}\n",
        ),
        (
            "comments, trailing commas, and members that we do not know",
            "// top\n{ /* a */ \"theme\": \"dark\", // {\"mcpServers\": 1}\n  \"mcpServers\": {\n    \"fs\": { // mine\n      \"env\": { \"K\": \"v\", }, // secret\n      \"command\": \"npx\", /* run */\n      \"args\": [\"-y\", \"x\",], \"timeout\": 1e3,\n    },\n  },\n}\n",
            "// top\n{ /* a */ \"theme\": \"dark\", // {\"mcpServers\": 1}\n  \"mcpServers\": {\n    \"fs\": { // mine\n       // secret\n      \"command\": \"/bin/placet\", /* run */\n      \"args\": [\"mcp\", \"fs\", \"--client\", \"desk\"], \"timeout\": 1e3,\n    },\n  },\n}\n",
        ),
        (
            "CRLF and a byte order mark",
            "\u{feff}{\r\n  \"mcpServers\": {\r\n    \"fs\": {\r\n      \"command\": \"npx\",\r\n      \"args\": [],\r\n      \"env\": {}\r\n    }\r\n  }\r\n}\r\n",
            "\u{feff}{\r\n  \"mcpServers\": {\r\n    \"fs\": {\r\n      \"command\": \"/bin/placet\",\r\n      \"args\": [\"mcp\", \"fs\", \"--client\", \"desk\"]\r\n    }\r\n  }\r\n}\r\n",
        ),
        (
            "the same key in other places, and keys with escapes",
            r#"{"projects": {"/p": {"mcpServers": {"fs": {"command": "a"}}}}, "mcp\u0053ervers": {"f\u0073": {"comm\u0061nd": "n\u0070x", "args": ["é\"\\", "//no", "/*no*/", ",}"]}}}"#,
            r#"{"projects": {"/p": {"mcpServers": {"fs": {"command": "a"}}}}, "mcp\u0053ervers": {"f\u0073": {"comm\u0061nd": "/bin/placet", "args": ["mcp", "fs", "--client", "desk"]}}}"#,
        ),
        (
            "an environment in the middle, alone on its line",
            "{\"mcpServers\": {\"fs\": {\"command\": \"npx\",\n\"env\": {\"Ключ\": \"🗝\"}, // why\n\"args\": []}}}",
            "{\"mcpServers\": {\"fs\": {\"command\": \"/bin/placet\",\n // why\n\"args\": [\"mcp\", \"fs\", \"--client\", \"desk\"]}}}",
        ),
        (
            "a line comment before an environment that ends its line",
            "{\"servers\": {\"fs\": {\"command\": \"npx\", // why\n  \"env\": {}}}}",
            "{\"servers\": {\"fs\": {\"command\": \"/bin/placet\",\"args\": [\"mcp\", \"fs\", \"--client\", \"desk\"] // why\n  }}}",
        ),
    ] {
        let edited = edited(before);
        assert_eq!(edited.as_deref(), Ok(after), "{what}");
    }
}

#[test]
fn what_means_two_things_is_refused() {
    for (text, why) in [
        (r#"{"mcpServers": {"fs": {"command": "a"}}, "mcp\u0053ervers": {}}"#, "mcpServers"),
        (r#"{"mcpServers": {"fs": {"command": "a"}, "f\u0073": {"command": "b"}}}"#, "fs"),
        (r#"{"mcpServers": {"fs": {"command": "a", "command": "b"}}}"#, "command"),
        (r#"{"mcpServers": {"fs": {"command": "a", "env": {"K": "1", "K": "2"}}}}"#, "K"),
        (r#"{"mcpServers": {"fs": {"command": "a",,}}}"#, "expected"),
        (r#"{"mcpServers": {"fs": {,}}}"#, "expected"),
        (r#"{"mcpServers": {"fs": {"command": 'a'}}}"#, "expected"),
        (r#"{"mcpServers": {"fs": {"command": "a"}}} x"#, "byte"),
        (r#"{"mcpServers": {"fs": {"command": "a"}} /* x"#, "does not end"),
        (r#"{"mcpServers": {}}"#, "no entry"),
        (r#"{"mcpServers": []}"#, "mcpServers"),
        (r#"{"other": {}}"#, "no `mcpServers`"),
        ("[]", "expected"),
        ("", "byte"),
    ] {
        let refused = edited(text).unwrap_err();
        assert!(refused.contains(why), "{text}: {refused}");
    }
}

#[test]
fn both_pictures_of_a_text_are_as_long_as_it_is() {
    for text in ["\u{feff}{/* é 🗝 */\"a\": \"//\", // é\r\n}", "{\"a\":[1,/**/],}", "\"\\", "//", "/**/", "é"]
    {
        let bare = without_comments(text).unwrap();
        assert_eq!(bare.len(), text.len(), "{text:?}");
        assert_eq!(without_trailing_commas(&bare).len(), text.len(), "{text:?}");
    }
}

/// Texts of objects of servers, with what people put between the tokens.
pub(in crate::init) fn texts() -> impl Strategy<Value = String> {
    let gap = || prop::sample::select(vec!["", " ", "\n  ", "\r\n\t", "/* , } */", " // \"{\n"]);
    let member = |key: &'static str, values: Vec<&'static str>| {
        (gap(), gap(), prop::sample::select(values))
            .prop_map(move |(a, b, value)| format!("{a}\"{key}\"{b}:{b}{value}{a}"))
    };
    let members = vec![
        member("command", vec!["\"npx\"", "\"a\\u0062\""]).boxed(),
        prop::option::of(member("args", vec!["[]", "[ \"-y\", /* x */ \"é,]\" ]", "[\"a\",]"]))
            .prop_map(Option::unwrap_or_default)
            .boxed(),
        prop::option::of(member("env", vec!["{}", "{\"K\": \"v\"}", "{ \"K\" : \"\\/\", }"]))
            .prop_map(Option::unwrap_or_default)
            .boxed(),
        prop::option::of(member("note", vec!["{\"env\": {\"command\": 1}}", "1e999"]))
            .prop_map(Option::unwrap_or_default)
            .boxed(),
    ];
    (members, any::<prop::sample::Index>(), any::<bool>(), gap()).prop_map(
        |(mut members, by, trailing, gap)| {
            let by = by.index(members.len());
            members.rotate_left(by);
            members.retain(|member| !member.is_empty());
            let comma = if trailing { "," } else { "" };
            format!("{gap}{{\"mcpServers\":{{\"fs\":{{{}{comma}{gap}}}{comma}}}}}{gap}", members.join(","))
        },
    )
}

proptest! {
    #[test]
    fn an_edit_means_what_is_meant_or_is_refused(text in texts()) {
        let document = Document::read(&text).unwrap();
        let entry = document.entry("fs").unwrap().unwrap();
        match (document.json(&entry.value), rewire(&text, &[wiring("fs")])) {
            (Ok(mut meant), Ok((edited, values))) => {
                wired(meant.as_object_mut().unwrap(), &wiring("fs"));
                prop_assert_eq!(&values, &[meant]);
                prop_assert!(!edited.contains("\"K\""), "{}", edited);
            }
            // A number that cannot be kept is no value of an entry.
            (Err(_), Err(_)) => prop_assert!(text.contains("1e999")),
            (before, after) => prop_assert!(false, "{:?} {:?} {}", before, after, text),
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[{}\\[\\]\",:/*\\\\ \na-c\u{feff}é]{0,40}") {
        if let Ok(document) = Document::read(&text) {
            drop(document.servers());
            prop_assert_eq!(document.bare.len(), text.len());
        }
        drop(edited(&text));
    }
}
