//! Samples: values that a match may be tried on, so that a call can be found of which it holds, or fails.
//!
//! They come from what the operator wrote: the examples, and the texts and bounds of the tests. Nothing here says
//! what comes out; whoever takes a sample asks [`Match::holds`]. Where no sample does, there may still be a value.
//!
//! Start at [`Match::samples`].

use regex_syntax::hir::{Class, Hir, HirKind};

use super::{
    Match, Quantifier, Test,
    number::Bound,
    text::{Literal, Syntax, TextTest},
};
use crate::{
    json::{Json, Number, Object},
    limits,
};

/// Values of every kind of which nobody asks.
const OTHERS: [&str; 6] =
    ["x", "nobody@nowhere.example", "https://nowhere.example/", "/nowhere/x", "nothing", "select 1"];

impl Match {
    /// Values that may stand where it looks: lists, if it looks at items.
    pub fn samples(&self) -> Vec<Json> {
        let mut values: Vec<Json> =
            self.examples.holding.iter().chain(&self.examples.others).cloned().collect();
        let mut counts = vec![1, 0];
        match &self.how {
            Quantifier::Is(test) => {
                gather(test, &mut values);
                values.extend(others());
                return values;
            }
            Quantifier::All(test) | Quantifier::Any(test) | Quantifier::First(test) => {
                gather(test, &mut values);
            }
            Quantifier::Length(count) => {
                let ends = [count.at_least, count.at_most.map(|most| most.saturating_add(1)), count.at_most];
                counts.extend(ends.into_iter().flatten().filter(|count| *count <= limits::JUDGED_LIST_ITEMS));
            }
        }
        values.extend(others());
        let items: Vec<Json> = values.into_iter().map(|value| self.path.item(value)).collect();
        // Each count with each item; more than two of a kind settle nothing, but for a count.
        let lists =
            counts.iter().flat_map(|count| items.iter().map(|item| Json::from(vec![item.clone(); *count])));
        lists.collect()
    }
}

fn others() -> impl Iterator<Item = Json> {
    let numbers = [Json::from(0), Json::from(1)];
    OTHERS.into_iter().map(Json::from).chain(numbers).chain([Json::from(true), Json::from(false)])
}

fn gather(test: &Test, values: &mut Vec<Json>) {
    let mut text = |text: String| values.push(Json::from(text));
    match test {
        Test::Text(TextTest::OneOf(literals, _)) => {
            values.extend(literals.iter().map(|literal| match literal {
                Literal::Text(text) => Json::from(text.as_str()),
                Literal::Integer(number) => Json::from(*number),
                Literal::Bool(truth) => Json::from(*truth),
            }))
        }
        Test::Text(TextTest::Prefix(part, _) | TextTest::Suffix(part, _) | TextTest::Contains(part, _)) => {
            text(part.clone());
        }
        Test::Text(TextTest::Pattern(pattern)) => match pattern.syntax {
            Syntax::Glob => text(pattern.source.replace("**", "x").replace(['*', '?'], "x")),
            Syntax::Regex => {
                let parsed = regex_syntax::parse(&pattern.source).ok();
                parsed.and_then(|parsed| matching(&parsed)).into_iter().for_each(text);
            }
        },
        Test::Number(range) => {
            let ends = [range.low, range.high].into_iter().flatten();
            for Bound::Included(end) | Bound::Excluded(end) in ends {
                let near = end.as_i64().map(|whole| [whole.saturating_sub(1), whole.saturating_add(1)]);
                values.extend(
                    [Json::Number(end)].into_iter().chain(near.into_iter().flatten().map(Json::from)),
                );
                let half = Number::parse(&format!("{}", end.as_f64() + 0.5)).ok();
                values.extend(half.map(Json::Number));
            }
        }
        Test::Email(test) => test.domains.iter().for_each(|domain| text(format!("someone@{domain}"))),
        Test::Url(test) => {
            let scheme = test.schemes.first().map_or("https", String::as_str);
            let port = test.ports.first().map(|port| format!(":{port}")).unwrap_or_default();
            let path = test.path_prefix.as_deref().unwrap_or("/");
            let hosts = test.hosts.iter().map(ToString::to_string);
            let below = test.host_suffix.iter().map(|suffix| format!("www.{suffix}"));
            let hosts: Vec<String> = hosts.chain(below).collect();
            let any = hosts.is_empty().then(|| "somewhere.example".to_owned());
            hosts.into_iter().chain(any).for_each(|host| text(format!("{scheme}://{host}{port}{path}")));
        }
        Test::File(test) => {
            let name = test.name.clone().unwrap_or_else(|| {
                test.suffix.as_ref().map_or("file".to_owned(), |suffix| format!("file{suffix}"))
            });
            let folders = test.under.iter().chain(&test.base);
            folders.for_each(|folder| text(format!("{}/{name}", folder.trim_end_matches('/'))));
            text(name.clone());
        }
        Test::Command(test) => {
            if !test.argv_prefix.is_empty() {
                text(test.argv_prefix.join(" "));
            }
            test.programs.iter().for_each(|program| text(program.clone()));
            let program = test.programs.first().map_or("run", String::as_str);
            test.never.iter().for_each(|word| text(format!("{program} {word}")));
        }
        Test::Sql(test) => test.statements.iter().for_each(|statement| text(statement.clone())),
        Test::AnyOf(tests) => tests.iter().for_each(|test| gather(test, values)),
        Test::Not(test) => gather(test, values),
    }
}

/// A text that a pattern matches, as short as it may be, unless it asks for what stands around it.
fn matching(pattern: &Hir) -> Option<String> {
    let many =
        |parts: &[Hir]| parts.iter().map(matching).collect::<Option<Vec<_>>>().map(|parts| parts.concat());
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(String::new()),
        HirKind::Literal(literal) => String::from_utf8(literal.0.to_vec()).ok(),
        HirKind::Class(Class::Unicode(class)) => {
            let starts = || class.ranges().iter().map(|range| range.start());
            let plain = ('a'..='z')
                .chain('0'..='9')
                .find(|char| class.ranges().iter().any(|range| (range.start()..=range.end()).contains(char)));
            plain.or_else(|| starts().next()).map(String::from)
        }
        HirKind::Class(Class::Bytes(_)) => None,
        HirKind::Repetition(again) => {
            let times =
                usize::try_from(again.min).ok().filter(|times| *times <= limits::JUDGED_LIST_ITEMS)?;
            matching(&again.sub).map(|part| part.repeat(times))
        }
        HirKind::Capture(group) => matching(&group.sub),
        HirKind::Concat(parts) => many(parts),
        HirKind::Alternation(ways) => ways.iter().find_map(matching),
    }
}

/// The value below these names.
pub(super) fn below<'a>(names: impl DoubleEndedIterator<Item = &'a str>, value: Json) -> Json {
    names.rev().fold(value, |value, name| {
        let mut object = Object::new();
        object.insert(name, value);
        Json::Object(object)
    })
}

#[cfg(test)]
mod tests {
    use crate::{
        json::{Json, Object},
        policy::{config::read, facts::Truth},
    };

    #[test]
    fn what_an_operator_wrote_gives_a_value_of_which_it_holds_and_one_of_which_it_fails() {
        for (path, asked) in [
            ("args.a", "is = { equals = 'x y' }"),
            ("args.a", "is = { one_of = ['DE02', 'DE03'] }"),
            ("args.a", "is = { prefix = 'pre' }"),
            ("args.a", "is = { glob = 'a/*.rs' }"),
            ("args.a", "is = { regex = 'main' }"),
            ("args.a", "is = { regex = '^(INV|ORD)-[0-9]{6}(x|y)?[^a-z]$' }"),
            ("args.a", "is = { number = { above = 5 } }"),
            ("args.a", "is = { number = { at_least = 0.5, below = 1 } }"),
            ("args.a.b", "is = { url = { scheme = 'https', host_suffix = 'corp.example' } }"),
            ("args.a", "is = { path = { under = '/repo', base = '/repo' } }"),
            ("args.a", "is = { path = { name = '.env', base = '/repo' } }"),
            ("args.a", "is = { command = { programs = ['git'], never = ['--force'] } }"),
            ("args.a", "is = { any_of = [{ equals = 'q' }, { not = { prefix = 'z' } }] }"),
            ("args.a[*]", "all = { email = { domain = 'corp.example' } }"),
            ("args.a[*].to", "any = { equals = 'me' }"),
            ("args.a[*]", "len = { at_least = 2, at_most = 3 }"),
        ] {
            let source = format!("[match.m]\npath = '{path}'\n{asked}\n");
            let config = read(&source).config.unwrap_or_else(|| panic!("{source}"));
            let found = &config.matches[&"m".parse().unwrap()];
            let holds = |sample: &Json| {
                let names = found.path.names();
                let Json::Object(arguments) = super::below(names.iter().map(String::as_str), sample.clone())
                else {
                    return None;
                };
                found.holds(&Json::Object(arguments)).ok()
            };
            let answers: Vec<_> = found.samples().iter().filter_map(holds).collect();
            for want in [Truth::Holds, Truth::Fails] {
                assert!(answers.contains(&want), "{source}: {want:?}");
            }
            assert_eq!(found.holds(&Json::Object(Object::new())), Ok(Truth::Absent));
        }
    }
}
