//! Matches: where in the arguments a fact looks, of which items it asks, and examples of what comes out.
//!
//! A match that cannot be read is an error and no match: there is no safe half of a question. Examples run
//! here, so that a test which does not say what its author thinks is found before it judges a call.
//!
//! Not here: what is asked of one value (`matches/asked.rs`). Start at [`Reader::matches`].

mod asked;
mod values;

use super::{
    field::{A_TEXT, Field, Fields, Reader},
    keys,
};
use crate::{
    diagnostic::Finding,
    json::Json,
    names::MatchName,
    policy::facts::{Count, Examples, FactPath, Match, Quantifier, Test, Unfit},
};
use std::collections::BTreeMap;

/// The ways to ask, of which a match has one.
const QUANTIFIERS: [&str; 5] = ["is", "all", "any", "first", "len"];

impl<'a> Reader<'a> {
    pub(super) fn matches(&mut self, fields: &[Field<'a>]) -> BTreeMap<MatchName, Match> {
        let mut matches = BTreeMap::new();
        for field in fields {
            let (name, matched) = (self.name(field), self.matched(field));
            matches.extend(name.zip(matched));
        }
        matches
    }

    fn matched(&mut self, field: &Field<'a>) -> Option<Match> {
        let table = self.fields(field, &format!("match.{}", field.name), &keys::MATCH)?;
        let path = match table.get("path") {
            Some(path) => self.fact_path(&path),
            None => {
                let finding = Finding::error(format!("match `{}` has no `path`", field.name));
                self.found(&field.at, finding.help("say where it looks, as in `path = \"args.to[*]\"`"));
                None
            }
        };
        let how = self.quantifier(field, &table, path.as_ref())?;
        let examples = self.examples(&table, &how);
        Some(Match { path: path?, how, examples: examples?, line: self.line(field.at.start) })
    }

    fn fact_path(&mut self, field: &Field<'a>) -> Option<FactPath> {
        let text = self.text(field, A_TEXT)?;
        let read = text.parse();
        read.map_err(|why: Unfit| {
            let finding = Finding::error(format!("`{text}` cannot be read as a path"));
            self.found(&field.at, finding.help(why.to_string()));
        })
        .ok()
    }

    fn quantifier(
        &mut self,
        field: &Field<'a>,
        table: &Fields<'a>,
        path: Option<&FactPath>,
    ) -> Option<Quantifier> {
        let one = self.only(field, table, &QUANTIFIERS, "match", "`is = { equals = \"eur\" }`")?;
        let how = match one.name {
            "is" => self.asked(&one).map(Quantifier::Is),
            "all" => self.asked(&one).map(Quantifier::All),
            "any" => self.asked(&one).map(Quantifier::Any),
            "first" => self.asked(&one).map(Quantifier::First),
            _ => self.item_count(&one).map(Quantifier::Length),
        };
        let (is_each, ends_at_items) = path.map(|path| (path.is_each(), path.ends_at_items()))?;
        let (message, help) = match one.name {
            "is" if is_each => {
                let help = "ask about the items with `all`, `any` or `first`, or take `[*]` out of the path";
                ("`is` asks of one value, and the path leads to many".to_owned(), help)
            }
            "is" => return how,
            "len" if is_each && !ends_at_items => (
                "`len` counts items, and the path goes on inside of them".to_owned(),
                "end the path at `[*]`",
            ),
            _ if is_each => return how,
            name => {
                let help =
                    "write `[*]` behind the list, as in `args.to[*]`, or ask about the value with `is`";
                (format!("`{name}` asks of items, and the path leads to one value"), help)
            }
        };
        self.found(&one.key, Finding::error(message).help(help));
        None
    }

    /// The one field of these keys that a table has; `example` stands for what is missing.
    fn only(
        &mut self,
        field: &Field<'a>,
        table: &Fields<'a>,
        keys: &[&str],
        what: &str,
        example: &str,
    ) -> Option<Field<'a>> {
        let mut there: Vec<Field<'a>> = keys.iter().filter_map(|key| table.get(key)).collect();
        there.sort_by_key(|field| field.key.start);
        match there.as_slice() {
            [one] => return Some(one.clone()),
            // The key was probably meant, and misspelled.
            [] if table.has_others() => {}
            [] => {
                let finding = Finding::error(format!("the {what} asks nothing"));
                self.found(&field.at, finding.help(format!("say what, as in {example}")));
            }
            [first, second, ..] => {
                let message = format!("a {what} asks one thing, and this one has `{}` already", first.name);
                let help = match what {
                    "match" => "write another match for the other",
                    _ => "list both in `any_of`, or write another match",
                };
                self.found(&second.key, Finding::error(message).help(help));
            }
        }
        None
    }

    fn item_count(&mut self, field: &Field<'a>) -> Option<Count> {
        let table = self.fields(field, "len", &keys::COUNT)?;
        let mut bound = |key| match table.get(key) {
            None => Some(None),
            Some(bound) => self.items(&bound).map(Some),
        };
        let (at_least, at_most) = (bound("at_least"), bound("at_most"));
        let count = Count { at_least: at_least?, at_most: at_most? };
        let message = match count {
            Count { at_least: None, at_most: None } => "`len` has no bound",
            Count { at_least: Some(least), at_most: Some(most) } if least > most => {
                "no list is as long as this"
            }
            Count { at_least: Some(_) | None, at_most: Some(_) | None } => return Some(count),
        };
        self.found(&field.at, Finding::error(message).help("as in `len = { at_least = 1, at_most = 5 }`"));
        None
    }

    fn items(&mut self, field: &Field<'a>) -> Option<usize> {
        let Some(number) = field.node.as_integer() else {
            self.mistyped(field, "a whole number", None);
            return None;
        };
        let items = usize::try_from(number).ok();
        if items.is_none() {
            let finding = Finding::error(format!("`{}` cannot be {number}", field.name));
            self.found(&field.at, finding.help("it is a number of items"));
        }
        items
    }

    /// The examples, each of which must come out as it says.
    fn examples(&mut self, table: &Fields<'a>, how: &Quantifier) -> Option<Examples> {
        let test = match how {
            Quantifier::Is(test)
            | Quantifier::All(test)
            | Quantifier::Any(test)
            | Quantifier::First(test) => test,
            Quantifier::Length(_) => {
                if let Some(field) = table.get("match").or(table.get("not_match")) {
                    let finding = Finding::error("a match that counts has no examples");
                    self.found(&field.key, finding.help("an example is one value, and `len` looks at none"));
                    return None;
                }
                return Some(Examples::default());
            }
        };
        let holding = self.examples_of(table, "match", test);
        let others = self.examples_of(table, "not_match", test);
        Some(Examples { holding: holding?, others: others? })
    }

    fn examples_of(&mut self, table: &Fields<'a>, key: &str, test: &Test) -> Option<Vec<Json>> {
        let Some(field) = table.get(key) else { return Some(Vec::new()) };
        let elements = self.list_of(&field, "a list of examples")?;
        let mut values = Vec::new();
        for element in &elements {
            let value = self.value(element)?;
            let (message, help) = match (key, test.judge(&value)) {
                ("match", Ok(true)) | ("not_match", Ok(false) | Err(_)) => {
                    values.push(value);
                    continue;
                }
                ("match", Err(why)) => ("this example of `match` cannot be judged", why.to_string()),
                ("match", Ok(false)) => {
                    ("this example of `match` does not match", "change the test or the example".to_owned())
                }
                (_, Ok(_) | Err(_)) => {
                    ("this example of `not_match` matches", "change the test or the example".to_owned())
                }
            };
            self.found(&element.at, Finding::error(message).help(help));
        }
        (values.len() == elements.len()).then_some(values)
    }
}
