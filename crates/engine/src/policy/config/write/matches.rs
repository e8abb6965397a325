//! Writing of matches: each is a table, and what it asks stands on one line.
//!
//! A list of one is written as the one, and what would hold without being said is left out.

use super::{
    Page, quoted,
    terms::{Pair, inline_table as table, texts},
};
use crate::{
    json::Json,
    names::MatchName,
    policy::facts::{
        Count, Examples, Match, Quantifier, Test,
        command::CommandTest,
        email::EmailTest,
        file::FileTest,
        number::{Bound, Range},
        sql::SqlTest,
        text::{Case, Literal, Syntax, TextTest},
        url::UrlTest,
    },
};
use std::collections::BTreeMap;

impl Page {
    pub(super) fn matches(&mut self, matches: &BTreeMap<MatchName, Match>) {
        self.section(matches, &["Matches: facts about arguments. What cannot be judged is refused."]);
        for (name, Match { path, how, examples, line: _ }) in matches {
            self.gap();
            self.line(format!("[match.{name}]"));
            self.line(format!("path = {}", quoted(&path.to_string())));
            let (word, value) = match how {
                Quantifier::Is(test) => ("is", asked(test)),
                Quantifier::All(test) => ("all", asked(test)),
                Quantifier::Any(test) => ("any", asked(test)),
                Quantifier::First(test) => ("first", asked(test)),
                Quantifier::Length(Count { at_least, at_most }) => {
                    let bounds = [("at_least", at_least), ("at_most", at_most)];
                    let pairs: Vec<Pair> = bounds
                        .iter()
                        .filter_map(|(key, bound)| Some((*key, bound.as_ref()?.to_string())))
                        .collect();
                    ("len", table(&pairs))
                }
            };
            self.line(format!("{word} = {value}"));
            let Examples { holding, others } = examples;
            for (key, examples) in [("match", holding), ("not_match", others)] {
                if !examples.is_empty() {
                    self.list(key, examples.iter().map(value_of));
                }
            }
        }
    }
}

/// The table of a test.
fn asked(test: &Test) -> String {
    table(&match test {
        Test::Text(test) => text(test),
        Test::Number(range) => vec![("number", number(range))],
        Test::Email(test) => vec![("email", email(test))],
        Test::Url(test) => vec![("url", url(test))],
        Test::File(test) => vec![("path", file(test))],
        Test::Command(test) => vec![("command", command(test))],
        Test::Sql(SqlTest { statements, .. }) => vec![("sql", table(&[("statements", texts(statements))]))],
        Test::AnyOf(tests) => vec![("any_of", list(tests.iter().map(asked)))],
        Test::Not(test) => vec![("not", asked(test))],
    })
}

fn text(test: &TextTest) -> Vec<Pair> {
    let (pair, case) = match test {
        TextTest::OneOf(literals, case) => (
            match literals.as_slice() {
                [one] => ("equals", literal(one)),
                several => ("one_of", list(several.iter().map(literal))),
            },
            *case,
        ),
        TextTest::Prefix(text, case) => (("prefix", quoted(text)), *case),
        TextTest::Suffix(text, case) => (("suffix", quoted(text)), *case),
        TextTest::Contains(text, case) => (("contains", quoted(text)), *case),
        TextTest::Pattern(pattern) => {
            let word = match pattern.syntax {
                Syntax::Regex => "regex",
                Syntax::Glob => "glob",
            };
            ((word, quoted(&pattern.source)), pattern.case)
        }
    };
    match case {
        Case::Exact => vec![pair],
        Case::Ignored => vec![pair, ("ignore_case", "true".to_owned())],
    }
}

fn number(Range { low, high }: &Range) -> String {
    let low = low.as_ref().map(|low| match low {
        Bound::Included(number) => ("at_least", number.to_string()),
        Bound::Excluded(number) => ("above", number.to_string()),
    });
    let high = high.as_ref().map(|high| match high {
        Bound::Included(number) => ("at_most", number.to_string()),
        Bound::Excluded(number) => ("below", number.to_string()),
    });
    table(&low.into_iter().chain(high).collect::<Vec<_>>())
}

fn email(EmailTest { domains, subdomains }: &EmailTest) -> String {
    let mut pairs: Vec<Pair> =
        one_or_many("domain", "domains", domains, |domain| quoted(domain.as_str())).into_iter().collect();
    if *subdomains {
        pairs.push(("subdomains", "true".to_owned()));
    }
    table(&pairs)
}

fn url(UrlTest { schemes, hosts, host_suffix, ports, path_prefix }: &UrlTest) -> String {
    let pairs = [
        one_or_many("scheme", "schemes", schemes, |scheme| quoted(scheme)),
        one_or_many("host", "hosts", hosts, |host| quoted(&host.to_string())),
        host_suffix.as_ref().map(|suffix| ("host_suffix", quoted(suffix.as_str()))),
        one_or_many("port", "ports", ports, u16::to_string),
        path_prefix.as_ref().map(|prefix| ("path_prefix", quoted(prefix))),
    ];
    table(&pairs.into_iter().flatten().collect::<Vec<_>>())
}

fn file(FileTest { under, base, suffix, name }: &FileTest) -> String {
    let optional = |key, text: &Option<String>| text.as_ref().map(|text| (key, quoted(text)));
    let pairs = [
        one_or_many("under", "under_any", under, |folder| quoted(folder)),
        optional("base", base),
        optional("suffix", suffix),
        optional("name", name),
    ];
    table(&pairs.into_iter().flatten().collect::<Vec<_>>())
}

fn command(CommandTest { programs, argv_prefix, never }: &CommandTest) -> String {
    let all = |key, words: &[String]| (!words.is_empty()).then(|| (key, texts(words)));
    let pairs = [
        one_or_many("program", "programs", programs, |program| quoted(program)),
        all("argv_prefix", argv_prefix),
        all("never", never),
    ];
    table(&pairs.into_iter().flatten().collect::<Vec<_>>())
}

fn literal(literal: &Literal) -> String {
    match literal {
        Literal::Text(text) => quoted(text),
        Literal::Integer(_) | Literal::Bool(_) => literal.to_string(),
    }
}

/// A value of an example; there are no nulls and no objects among them.
fn value_of(value: &Json) -> String {
    match value {
        Json::String(text) => quoted(text),
        Json::Array(items) => list(items.iter().map(value_of)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => value.to_string(),
    }
}

fn one_or_many<T>(
    one: &'static str,
    many: &'static str,
    values: &[T],
    written: impl Fn(&T) -> String,
) -> Option<Pair> {
    match values {
        [] => None,
        [value] => Some((one, written(value))),
        several => Some((many, list(several.iter().map(written)))),
    }
}

fn list(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(", "))
}
