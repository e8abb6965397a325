//! Payloads: under which key what is kept of calls is encrypted.
//!
//! A key is named, never written: each text is exactly one reference, and whatever else stands in its place may be
//! the key itself, so its line is not shown. Whether what is referred to is a key is seen when a node starts.
//!
//! Start at [`Reader::payloads`].

use super::{
    super::{Part, Text, terms::Payloads},
    field::{Field, Node, Reader},
    keys,
};
use crate::diagnostic::Finding;
use toml_edit::Value;

const A_LIST: &str = "a list of references";

/// What to write instead.
const HELP: &str = "keep it in a file that only you can read, and write `\"${file:/run/secrets/payloads}\"`";

impl<'a> Reader<'a> {
    pub(super) fn payloads(&mut self, field: &Field<'a>) -> Option<Payloads> {
        let table = self.fields(field, "payloads", &keys::PAYLOADS)?;
        let Some(key) = table.get("key") else {
            if !table.has_others() {
                let finding = Finding::error("`payloads` names no `key` to encrypt under");
                self.found(&field.at, finding.help(HELP));
            }
            return None;
        };
        let key = self.reference(&key);
        let mut old = Vec::new();
        if let Some(list) = table.get("old") {
            match list.node {
                Node::Value(Value::Array(_)) => {
                    let elements = self.list_of(&list, A_LIST).unwrap_or_default();
                    old.extend(elements.iter().filter_map(|element| self.reference(element)));
                }
                Node::Value(_) | Node::Table(_) | Node::Tables(_) | Node::Nothing => {
                    self.unusable(&list, "is not a list of references", HELP);
                }
            }
        }
        Some(Payloads { key: key?, old })
    }

    /// One reference and nothing besides.
    fn reference(&mut self, field: &Field<'a>) -> Option<Text> {
        let text = field.node.as_text().unwrap_or_default();
        let (what, help) = match text.parse::<Text>() {
            Ok(text) if matches!(text.parts(), [Part::Env(_) | Part::File(_)]) => return Some(text),
            Ok(_) => ("is not a reference to a key", HELP),
            Err(_) if text.starts_with("${exec:") => {
                ("asks a program for the key, which is not built yet in this version", HELP)
            }
            Err(error) => ("is not a reference that can be read", error.help()),
        };
        self.unusable(field, what, help);
        None
    }

    /// What stands here instead is not repeated.
    fn unusable(&mut self, field: &Field<'a>, what: &str, help: &'static str) {
        let message =
            format!("`{}` of `payloads`, on line {}, {what}", field.name, self.line(field.at.start));
        self.found_unshown(&field.at, Finding::error(message).help(help));
    }
}
