//! Fields: the keys and values of a parsed file, each with its place, read as the type that is wanted.
//!
//! Every method that fails has said why: it adds a finding and returns `None`. The caller goes on with the
//! next field, so that one reading finds all mistakes; nothing comes of a file in which there was an error.
//!
//! Not here: which fields there are, and what they mean. Start at [`Reader`].

use super::{keys::Keys, people::Asked};
use crate::{
    diagnostic::{Finding, did_you_mean, first_of},
    policy::config::{Credential, Pattern},
};
use std::{collections::BTreeMap, ops::Range};
use toml_edit::{ArrayOfTables, Item, Key, Table, TableLike, Value};

/// The most errors, and the most warnings, that are listed; of the others only the number is told.
const LISTED_MAX: usize = 100;

/// The longest key, in bytes: as long as the longest pattern. What stands in a longer one is not read, so
/// that no message repeats a megabyte.
const KEY_BYTES_MAX: usize = Pattern::BYTES_MAX;

/// How many letters are compared with letters in looking for what was meant, in one reading: far more than a
/// person's file with a hundred mistakes needs, and less than a second's work.
const COMPARISONS_MAX: usize = 100_000_000;

/// How many patterns a file may have, so that what they take together is bounded too.
pub(super) const PATTERNS_MAX: usize = 100;

/// What most fields want.
pub(super) const A_TEXT: &str = "a text";

/// The longest message and help, in characters.
const MESSAGE_CHARS_MAX: usize = 400;

/// What has been found in a file so far.
pub(super) struct Reader<'a> {
    source: &'a str,
    line_starts: Vec<usize>,
    errors: Listed,
    warnings: Listed,
    comparisons_left: usize,
    /// Who is asked by what has been read so far.
    pub(super) asked: Vec<Asked>,
    /// Whose each secret is, a client's or a person's.
    pub(super) owners: BTreeMap<Credential, (&'static str, &'a str)>,
    /// How many more patterns are compiled; each takes memory for as long as the file is used.
    pub(super) patterns_left: usize,
}

/// Findings with the byte that they are sorted by, which one without a visible place has too.
#[derive(Default)]
struct Listed {
    findings: Vec<(usize, Finding)>,
    more: usize,
}

/// A key and its value, or an element of a list.
#[derive(Clone)]
pub(super) struct Field<'a> {
    /// The key; for an element that of its list.
    pub(super) name: &'a str,
    /// Where the key stands; for an element where the element does.
    pub(super) key: Range<usize>,
    /// Where the value stands: of a plain text what is between the quotes, of a table its header.
    pub(super) at: Range<usize>,
    /// The value.
    pub(super) node: Node<'a>,
}

/// A value of any type.
#[derive(Clone, Copy)]
pub(super) enum Node<'a> {
    Value(&'a Value),
    Table(&'a Table),
    Tables(&'a ArrayOfTables),
    Nothing,
}

/// A table of which the keys have been looked at.
pub(super) struct Fields<'a> {
    fields: Vec<Field<'a>>,
    has_others: bool,
}

impl<'a> Fields<'a> {
    /// Whether the table has no keys at all, known or not.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether it has keys that are not read, which has been said.
    pub(super) fn has_others(&self) -> bool {
        self.has_others
    }

    /// The field of this key.
    pub(super) fn get(&self, name: &str) -> Option<Field<'a>> {
        self.fields.iter().find(|field| field.name == name).cloned()
    }
}

impl<'a> Node<'a> {
    pub(super) fn of(item: &'a Item) -> Self {
        match item {
            Item::None => Node::Nothing,
            Item::Value(value) => Node::Value(value),
            Item::Table(table) => Node::Table(table),
            Item::ArrayOfTables(tables) => Node::Tables(tables),
        }
    }

    /// What it is, with its article.
    fn noun(self) -> &'static str {
        match self {
            Node::Nothing => "nothing",
            Node::Table(_) | Node::Value(Value::InlineTable(_)) => "a table",
            Node::Tables(_) => "a list of tables",
            Node::Value(Value::String(_)) => "a text",
            Node::Value(Value::Integer(_)) => "a whole number",
            Node::Value(Value::Float(_)) => "a decimal number",
            Node::Value(Value::Boolean(_)) => "a boolean",
            Node::Value(Value::Datetime(_)) => "a date or time",
            Node::Value(Value::Array(_)) => "a list",
        }
    }

    pub(super) fn as_table(self) -> Option<&'a dyn TableLike> {
        match self {
            Node::Table(table) => Some(table),
            Node::Value(value) => value.as_inline_table().map(|table| table as &dyn TableLike),
            Node::Tables(_) | Node::Nothing => None,
        }
    }

    pub(super) fn as_text(self) -> Option<&'a str> {
        match self {
            Node::Value(value) => value.as_str(),
            Node::Table(_) | Node::Tables(_) | Node::Nothing => None,
        }
    }

    pub(super) fn as_bool(self) -> Option<bool> {
        match self {
            Node::Value(value) => value.as_bool(),
            Node::Table(_) | Node::Tables(_) | Node::Nothing => None,
        }
    }

    pub(super) fn as_integer(self) -> Option<i64> {
        match self {
            Node::Value(value) => value.as_integer(),
            Node::Table(_) | Node::Tables(_) | Node::Nothing => None,
        }
    }

    fn span(self) -> Option<Range<usize>> {
        match self {
            Node::Value(value) => value.span(),
            Node::Table(table) => table.span(),
            Node::Tables(tables) => tables.span(),
            Node::Nothing => None,
        }
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        let ends = source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self {
            source,
            line_starts: [0].into_iter().chain(ends).collect(),
            errors: Listed::default(),
            warnings: Listed::default(),
            comparisons_left: COMPARISONS_MAX,
            asked: Vec::new(),
            owners: BTreeMap::new(),
            patterns_left: PATTERNS_MAX,
        }
    }

    /// The line, counted from 1, on which a byte stands.
    pub(super) fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    /// Adds a finding, and shows its place.
    pub(super) fn found(&mut self, at: &Range<usize>, finding: Finding) {
        self.list(at.start, finding.at(at.clone()));
    }

    /// Adds a finding without showing its line, on which a secret may stand.
    pub(super) fn found_unshown(&mut self, at: &Range<usize>, finding: Finding) {
        self.list(at.start, finding);
    }

    fn list(&mut self, at: usize, finding: Finding) {
        let Finding { severity, message, help, at: shown } = finding;
        let message = first_of(&message, MESSAGE_CHARS_MAX);
        let help = help.map(|help| first_of(&help, MESSAGE_CHARS_MAX));
        let finding = Finding { severity, message, help, at: shown };
        let listed = if finding.is_error() { &mut self.errors } else { &mut self.warnings };
        if listed.findings.len() < LISTED_MAX {
            listed.findings.push((at, finding));
        } else {
            listed.more += 1;
        }
    }

    /// Whether any finding makes the file unusable.
    pub(super) fn has_errors(&self) -> bool {
        !self.errors.findings.is_empty()
    }

    /// All findings, in the order of the file.
    pub(super) fn into_findings(self) -> Vec<Finding> {
        let mut listed = self.errors.findings;
        listed.extend(self.warnings.findings);
        listed.sort_by_key(|(at, _)| *at);
        let mut findings: Vec<Finding> = listed.into_iter().map(|(_, finding)| finding).collect();
        if self.errors.more > 0 {
            findings.push(Finding::error(format!("{} more errors are not listed", self.errors.more)));
        }
        if self.warnings.more > 0 {
            findings.push(Finding::warning(format!("{} more warnings are not listed", self.warnings.more)));
        }
        findings
    }

    /// The candidate that was probably meant, as long as looking for it does not take long.
    pub(super) fn nearest<'c>(
        &mut self,
        word: &str,
        candidates: impl Iterator<Item = &'c str>,
    ) -> Option<&'c str> {
        let candidates: Vec<&str> = candidates.collect();
        let lengths: usize = candidates.iter().map(|candidate| candidate.len()).sum();
        self.comparisons_left = self.comparisons_left.checked_sub(word.len().checked_mul(lengths)?)?;
        did_you_mean(word, candidates)
    }

    /// The same as a help.
    pub(super) fn near<'c>(
        &mut self,
        word: &str,
        candidates: impl Iterator<Item = &'c str>,
    ) -> Option<String> {
        self.nearest(word, candidates).map(|near| format!("did you mean `{near}`?"))
    }

    fn field(&self, table: &'a dyn TableLike, name: &'a str, item: &'a Item) -> Field<'a> {
        let key = table.key(name).and_then(Key::span).unwrap_or_default();
        let key = self.unquoted(key, name);
        let node = Node::of(item);
        let at = match (node.span(), node.as_text()) {
            (Some(at), Some(text)) => self.unquoted(at, text),
            (Some(at), None) => at,
            (None, _) => key.clone(),
        };
        Field { name, key, at, node }
    }

    /// The place between the quotes, if the text stands there as it is; an empty one keeps its quotes.
    fn unquoted(&self, at: Range<usize>, text: &str) -> Range<usize> {
        let inner = at.start + 1..at.end.saturating_sub(1);
        if !text.is_empty() && inner.len() == text.len() && self.source.get(inner.clone()) == Some(text) {
            inner
        } else {
            at
        }
    }

    /// The place of a piece of a text, or that of all of it if the text is written with escapes.
    pub(super) fn within(&self, field: &Field<'_>, piece: Range<usize>) -> Range<usize> {
        if self.source.get(field.at.clone()) == field.node.as_text() {
            field.at.start + piece.start..field.at.start + piece.end
        } else {
            field.at.clone()
        }
    }

    /// A value as it is written, digit by digit where it is a number.
    pub(super) fn literal(&self, field: &Field<'_>) -> &'a str {
        self.source.get(field.at.clone()).unwrap_or_default()
    }

    /// Says that a field is something else than what is wanted.
    pub(super) fn mistyped(&mut self, field: &Field<'_>, wanted: &str, help: Option<String>) {
        let message = format!("`{}` must be {wanted}, not {}", field.name, field.node.noun());
        let finding = Finding { help, ..Finding::error(message) };
        self.found(&field.at, finding);
    }

    /// The fields of a table, whatever their keys are.
    pub(super) fn entries(&mut self, field: &Field<'a>) -> Vec<Field<'a>> {
        match field.node.as_table() {
            Some(table) => self.all(table),
            None => {
                self.mistyped(field, "a table", None);
                Vec::new()
            }
        }
    }

    fn all(&mut self, table: &'a dyn TableLike) -> Vec<Field<'a>> {
        let mut fields = Vec::new();
        for (name, item) in table.iter() {
            let field = self.field(table, name, item);
            if has_usable_length(name) {
                fields.push(field);
            } else {
                let finding = Finding::error(format!("a key is longer than {KEY_BYTES_MAX} bytes"));
                self.found(&field.key, finding);
            }
        }
        fields
    }

    /// The fields of a table with these keys; `path` is what messages call the table.
    pub(super) fn fields(&mut self, field: &Field<'a>, path: &str, keys: &Keys) -> Option<Fields<'a>> {
        match field.node.as_table() {
            Some(table) => Some(self.fields_of(table, path, keys)),
            None => {
                self.mistyped(field, "a table", None);
                None
            }
        }
    }

    pub(super) fn fields_of(&mut self, table: &'a dyn TableLike, path: &str, keys: &Keys) -> Fields<'a> {
        let fields = self.all(table);
        for Field { name, key, .. } in &fields {
            if keys.known.contains(name) {
                continue;
            }
            let finding = match keys.unbuilt.iter().find(|(unbuilt, _)| unbuilt == name) {
                Some((_, until_then)) => {
                    Finding::error(format!("`{name}` is not built yet in this version")).help(*until_then)
                }
                None => {
                    let place = if path.is_empty() { String::new() } else { format!(" in `{path}`") };
                    let help = self.near(name, keys.known.iter().copied());
                    Finding::error(format!("unknown key `{name}`{place}"))
                        .help(help.unwrap_or_else(|| format!("its keys are {}", keys.known.join(", "))))
                }
            };
            self.found(key, finding);
        }
        let has_others = fields.iter().any(|field| !keys.known.contains(&field.name));
        Fields { fields, has_others }
    }

    /// The elements of a list; `wanted` says of what.
    pub(super) fn list_of(&mut self, field: &Field<'a>, wanted: &str) -> Option<Vec<Field<'a>>> {
        match field.node {
            Node::Value(Value::Array(array)) => Some(
                array
                    .iter()
                    .map(|value| {
                        let at = value.span().unwrap_or_else(|| field.at.clone());
                        let at = value.as_str().map_or(at.clone(), |text| self.unquoted(at, text));
                        Field { name: field.name, key: at.clone(), at, node: Node::Value(value) }
                    })
                    .collect(),
            ),
            Node::Tables(tables) => Some(
                tables
                    .iter()
                    .map(|table| {
                        let at = table.span().unwrap_or_else(|| field.at.clone());
                        Field { name: field.name, key: at.clone(), at, node: Node::Table(table) }
                    })
                    .collect(),
            ),
            Node::Value(Value::String(text)) => {
                let example = first_word(text.value());
                let help = format!("write it as a list: `{} = [\"{example}\"]`", field.name);
                self.mistyped(field, wanted, Some(help));
                None
            }
            Node::Value(_) | Node::Table(_) | Node::Nothing => {
                self.mistyped(field, wanted, None);
                None
            }
        }
    }

    /// The tables of a list.
    pub(super) fn tables(&mut self, field: &Field<'a>) -> Vec<Field<'a>> {
        match field.node {
            Node::Tables(_) | Node::Value(Value::Array(_)) => {
                self.list_of(field, "a list of tables").unwrap_or_default()
            }
            Node::Value(_) | Node::Table(_) | Node::Nothing => {
                let help = format!("write `[[{}]]` above each", field.name);
                self.mistyped(field, "a list of tables", Some(help));
                Vec::new()
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn truth(&mut self, field: &Field<'a>) -> Option<bool> {
        let truth = field.node.as_bool();
        if truth.is_none() {
            self.mistyped(field, "true or false", None);
        }
        truth
    }

    /// A text.
    pub(super) fn text(&mut self, field: &Field<'a>, wanted: &str) -> Option<&'a str> {
        let text = field.node.as_text();
        if text.is_none() {
            let is_scalar = match field.node {
                Node::Value(Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_)) => {
                    true
                }
                Node::Value(Value::String(_) | Value::Array(_) | Value::InlineTable(_))
                | Node::Table(_)
                | Node::Tables(_)
                | Node::Nothing => false,
            };
            let help = (is_scalar && wanted == A_TEXT).then(|| "write it in quotes".to_owned());
            self.mistyped(field, wanted, help);
        }
        text
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, field: &Field<'a>) -> Option<Vec<(&'a str, Field<'a>)>> {
        let elements = self.list_of(field, "a list of texts")?;
        Some(
            elements
                .into_iter()
                .filter_map(|element| Some((self.text(&element, A_TEXT)?, element)))
                .collect(),
        )
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        field: &Field<'a>,
        all: &[T],
        as_str: fn(T) -> &'static str,
    ) -> Option<T> {
        let words: Vec<(&'static str, T)> = all.iter().map(|value| (as_str(*value), *value)).collect();
        self.choice(field, &words)
    }

    /// One of the words, each with what it stands for.
    pub(super) fn choice<T: Clone>(&mut self, field: &Field<'a>, all: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(field, A_TEXT)?;
        let found = all.iter().find(|(word, _)| *word == text).map(|(_, value)| value.clone());
        if found.is_none() {
            let words: Vec<&str> = all.iter().map(|(word, _)| *word).collect();
            let help = self.near(text, words.iter().copied());
            let help = help.unwrap_or_else(|| format!("it is one of {}", words.join(", ")));
            let message = format!("unknown word `{text}` for `{}`", field.name);
            self.found(&field.at, Finding::error(message).help(help));
        }
        found
    }
}

/// Whether a key is short enough to be read.
pub(super) fn has_usable_length(key: &str) -> bool {
    key.len() <= KEY_BYTES_MAX
}

/// What a help repeats of a text that should have been a list.
fn first_word(text: &str) -> &str {
    text.split_whitespace().next().filter(|word| word.len() == text.len() && word.len() <= 40).unwrap_or("…")
}
