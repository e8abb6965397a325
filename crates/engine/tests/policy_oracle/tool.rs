//! Tools of the test: each declares some of the same few arguments, in one of a few ways.
//!
//! So a condition over one argument fits many tools, and there are always some over which it means nothing, or of
//! whose calls nothing can be said.

use std::{collections::BTreeMap, sync::Arc};

use placet_engine::{
    json::{Limits, parse},
    level::Level,
    tool::Definition,
};

use super::dice::Dice;

/// All arguments that a tool may declare, with the type of each as a schema has it.
pub(crate) const ARGUMENTS: [(&str, &str, &str); 7] = [
    ("amount", "number", ""),
    ("count", "integer", ""),
    (
        "home",
        "object",
        r#","properties":{"city":{"type":"string"},"zip":{"type":"string"}},"required":["city"]"#,
    ),
    ("note", "string", ""),
    ("sums", "array", r#","items":{"type":"number"}"#),
    ("sure", "boolean", ""),
    ("to", "array", r#","items":{"type":"string"}"#),
];

/// How a tool declares an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declared {
    No,
    Always,
    Sometimes,
    /// It must be there and may be null.
    Null,
}

#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) level: Level,
    /// Whether the operator says what a call costs.
    pub(crate) usd: bool,
    /// Whether it takes arguments that it does not declare.
    pub(crate) open: bool,
    pub(crate) members: BTreeMap<&'static str, Declared>,
    pub(crate) definition: Arc<Definition>,
}

impl Tool {
    pub(crate) fn random(dice: &mut Dice<'_>, level: Level, usd: bool) -> Self {
        let open = dice.one_in(6);
        let members: BTreeMap<_, _> = ARGUMENTS
            .into_iter()
            .map(|(name, ..)| {
                let ways =
                    [Declared::Always, Declared::Always, Declared::Sometimes, Declared::Null, Declared::No];
                (name, dice.pick(&ways))
            })
            .collect();
        let properties: Vec<_> = ARGUMENTS
            .into_iter()
            .filter_map(|(name, kind, more)| match members[name] {
                Declared::No => None,
                Declared::Always | Declared::Sometimes => {
                    Some(format!(r#""{name}":{{"type":"{kind}"{more}}}"#))
                }
                Declared::Null => Some(format!(r#""{name}":{{"type":["{kind}","null"]{more}}}"#)),
            })
            .collect();
        let required: Vec<_> = members
            .iter()
            .filter(|(_, declared)| matches!(declared, Declared::Always | Declared::Null))
            .map(|(name, _)| format!("{name:?}"))
            .collect();
        let text = format!(
            r#"{{"name":"t","inputSchema":{{"type":"object","additionalProperties":{open},"properties":{{{}}},"required":[{}]}}}}"#,
            properties.join(","),
            required.join(",")
        );
        let json = parse(text.as_bytes(), &Limits::EDGE).unwrap();
        let definition = Definition::read(&json).unwrap_or_else(|error| panic!("{error}: {text}"));
        Self { level, usd, open, members, definition: Arc::new(definition) }
    }

    pub(crate) fn declared(&self, argument: &str) -> Declared {
        self.members.get(argument).copied().unwrap_or(Declared::No)
    }
}
