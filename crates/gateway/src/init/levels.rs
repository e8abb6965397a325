//! The level that is proposed for a tool, from its name, its arguments and its annotations.
//!
//! The most careful reading wins, and what is unclear is taken as execute. Annotations come from the server, so
//! they may make a proposal more careful and never less.
//!
//! Not here: what a level permits. A person corrects the proposal in the file. Start at [`level_of`].

use placet_engine::{json::Json, level::Level, names::ToolName};

/// Words in a tool's name and the level that they speak for, the most careful first.
const WORDS: [(Level, &[&str]); 4] = [
    (
        Level::Delete,
        &[
            "delete", "remove", "drop", "destroy", "purge", "erase", "truncate", "reset", "clear", "wipe",
            "unlink",
        ],
    ),
    (
        Level::Execute,
        &[
            "execute", "exec", "run", "send", "deploy", "call", "invoke", "post", "publish", "pay", "refund",
            "charge", "transfer", "email", "notify", "trigger", "start", "stop", "restart", "kill", "shell",
            "eval", "submit", "merge", "push", "approve",
        ],
    ),
    (
        Level::Write,
        &[
            "write", "create", "update", "edit", "set", "add", "move", "rename", "commit", "insert", "put",
            "patch", "save", "upload", "append", "checkout", "assign", "tag", "branch", "open", "close",
            "copy",
        ],
    ),
    (
        Level::Read,
        &[
            "read", "get", "list", "search", "find", "fetch", "describe", "show", "view", "status", "diff",
            "log", "count", "lookup", "query", "tree", "info", "convert", "inspect", "check",
        ],
    ),
];

/// Arguments by which a tool takes a program.
const PROGRAMS: [&str; 7] = ["command", "cmd", "code", "script", "sql", "shell", "expression"];

/// The level proposed for a tool, and why, in a few words. Hints may make it more careful, never less.
pub(super) fn level_of(tool: &ToolName, definition: &Json) -> (Level, &'static str) {
    let words = words(tool.as_str());
    let named = |level: Level| {
        let of_level = WORDS.iter().find(|(of, _)| *of == level).map_or(&[][..], |(_, words)| words);
        words.iter().any(|word| of_level.contains(&word.as_str()))
    };
    let hint =
        |key: &str| definition.get("annotations").and_then(|hints| hints.get(key)).and_then(Json::as_bool);
    let properties =
        definition.get("inputSchema").and_then(|schema| schema.get("properties")).and_then(Json::as_object);
    let program = properties.is_some_and(|properties| properties.keys().any(|key| PROGRAMS.contains(&key)));
    if named(Level::Delete) {
        (Level::Delete, "by its name")
    } else if program {
        (Level::Execute, "it takes a program")
    } else if named(Level::Execute) {
        (Level::Execute, "by its name")
    } else if named(Level::Write) {
        (Level::Write, "by its name")
    } else if named(Level::Read)
        && hint("readOnlyHint") != Some(false)
        && hint("destructiveHint") != Some(true)
    {
        (Level::Read, "by its name")
    } else {
        (Level::Execute, "unclear, so taken as execute")
    }
}

/// The words of a name: at `_`, `-`, `.`, `/`, and where a capital begins one.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for letter in name.chars() {
        let begins = !letter.is_ascii_alphanumeric() || (small && letter.is_ascii_uppercase());
        if begins && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_ascii_alphanumeric()) {
            word.push(letter.to_ascii_lowercase());
        }
        small = letter.is_ascii_lowercase();
    }
    words
}

#[cfg(test)]
mod tests {
    use placet_engine::json::{Limits, parse};

    use super::*;

    #[test]
    fn levels_are_proposed_on_the_careful_side() {
        for (name, definition, level) in [
            ("read_user", "{}", Level::Read),
            ("getUser", "{}", Level::Read),
            ("list-files", "{}", Level::Read),
            ("write_file", "{}", Level::Write),
            ("send_webhook", "{}", Level::Execute),
            ("delete_user", "{}", Level::Delete),
            ("list_and_delete", "{}", Level::Delete),
            ("frobnicate", "{}", Level::Execute),
            ("read_user", r#"{"annotations":{"readOnlyHint":false}}"#, Level::Execute),
            ("get_it", r#"{"annotations":{"destructiveHint":true}}"#, Level::Execute),
            ("delete_user", r#"{"annotations":{"readOnlyHint":true}}"#, Level::Delete),
            ("frobnicate", r#"{"annotations":{"readOnlyHint":true}}"#, Level::Execute),
            ("query", r#"{"inputSchema":{"properties":{"sql":{}}}}"#, Level::Execute),
            ("reader", "{}", Level::Execute),
        ] {
            let definition = parse(definition.as_bytes(), &Limits::EDGE).unwrap();
            assert_eq!(level_of(&name.parse().unwrap(), &definition).0, level, "{name}");
        }
    }
}
