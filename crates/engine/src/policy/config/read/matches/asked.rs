//! What a match asks of one value: a table with one test in it.
//!
//! What a part of a test may be is said by the test itself ([`Unfit`]); here it gets its place in the file.

use super::super::{
    field::{A_TEXT, Field, Fields, PATTERNS_MAX, Reader},
    keys,
};
use crate::{
    diagnostic::Finding,
    policy::facts::{
        Test, Unfit,
        command::{self, CommandTest},
        email::EmailTest,
        file::{self, FileTest},
        number::{Bound, Range},
        sql::SqlTest,
        text::{Case, Pattern, TextTest},
        url::{self, UrlTest},
    },
};

impl<'a> Reader<'a> {
    /// A test, with those inside of it.
    pub(super) fn asked(&mut self, field: &Field<'a>) -> Option<Test> {
        self.asked_within(field, Test::DEPTH_MAX)
    }

    fn asked_within(&mut self, field: &Field<'a>, depth_left: usize) -> Option<Test> {
        let Some(depth_left) = depth_left.checked_sub(1) else {
            let most = Test::DEPTH_MAX;
            let finding = Finding::error(format!("tests stand in each other more than {most} deep"));
            self.found(&field.at, finding.help("write another match for a part of it"));
            return None;
        };
        let table = self.fields(field, field.name, &keys::TEST)?;
        let case = self.case(&table);
        let tests: Vec<&str> = keys::TEST.known.iter().copied().filter(|key| *key != IGNORE_CASE).collect();
        let one = self.only(field, &table, &tests, "test", "`{ suffix = \"@corp.example\" }`")?;
        let folds = matches!(one.name, "equals" | "one_of" | "prefix" | "suffix" | "contains" | "glob");
        if let (Some(ignore), false) = (table.get(IGNORE_CASE), folds) {
            let finding = Finding::error(format!("`{}` has no `{IGNORE_CASE}`", one.name));
            let help = match one.name {
                "regex" => "begin it with `(?i)`",
                _ => "write it inside of the tests that are about texts",
            };
            self.found(&ignore.key, finding.help(help));
            return None;
        }
        match one.name {
            "number" => self.number_test(&one).map(Test::Number),
            "email" => self.email_test(&one).map(Test::Email),
            "url" => self.url_test(&one).map(Test::Url),
            "path" => self.file_test(&one).map(Test::File),
            "command" => self.command_test(&one).map(Test::Command),
            "sql" => self.sql_test(&one).map(Test::Sql),
            "any_of" => self.any_of(&one, depth_left),
            "not" => self.asked_within(&one, depth_left).map(|test| Test::Not(Box::new(test))),
            _ => self.text_test(&one, case?).map(Test::Text),
        }
    }

    fn case(&mut self, table: &Fields<'a>) -> Option<Case> {
        let Some(ignore) = table.get(IGNORE_CASE) else { return Some(Case::Exact) };
        self.truth(&ignore).map(|is_ignored| if is_ignored { Case::Ignored } else { Case::Exact })
    }

    fn any_of(&mut self, field: &Field<'a>, depth_left: usize) -> Option<Test> {
        let elements = self.list_of(field, "a list of tests")?;
        if elements.is_empty() || elements.len() > Test::ALTERNATIVES_MAX {
            let most = Test::ALTERNATIVES_MAX;
            let finding = Finding::error(format!("`any_of` lists not 1 to {most} tests"));
            self.found(&field.at, finding.help("values of one kind go into `one_of`"));
            return None;
        }
        let tests: Vec<Test> =
            elements.iter().filter_map(|element| self.asked_within(element, depth_left)).collect();
        (tests.len() == elements.len()).then_some(Test::AnyOf(tests))
    }

    fn text_test(&mut self, field: &Field<'a>, case: Case) -> Option<TextTest> {
        match field.name {
            "equals" => self.fact_literal(field).map(|literal| TextTest::OneOf(vec![literal], case)),
            "one_of" => {
                let elements = self.list_of(field, "a list of values")?;
                let literals: Vec<_> =
                    elements.iter().filter_map(|element| self.fact_literal(element)).collect();
                if elements.is_empty() {
                    self.unfit(field, &Unfit::empty_list(field.name));
                }
                (!literals.is_empty() && literals.len() == elements.len())
                    .then_some(TextTest::OneOf(literals, case))
            }
            "regex" | "glob" => {
                let text = self.text(field, A_TEXT)?;
                let Some(left) = self.patterns_left.checked_sub(1) else {
                    let finding = Finding::error(format!("there are more than {PATTERNS_MAX} patterns"));
                    self.found(&field.at, finding.help("put several into one, as in `a|b`"));
                    return None;
                };
                self.patterns_left = left;
                let pattern = match field.name {
                    "regex" => Pattern::regex(text),
                    _ => Pattern::glob(text, case),
                };
                self.fit(field, pattern).map(TextTest::Pattern)
            }
            name => {
                let text = self.text(field, A_TEXT)?.to_owned();
                if text.is_empty() {
                    let finding = Finding::error(format!("`{name}` is empty, which fits every text"));
                    self.found(&field.at, finding);
                    return None;
                }
                Some(match name {
                    "prefix" => TextTest::Prefix(text, case),
                    "suffix" => TextTest::Suffix(text, case),
                    _ => TextTest::Contains(text, case),
                })
            }
        }
    }

    fn number_test(&mut self, field: &Field<'a>) -> Option<Range> {
        let table = self.fields(field, field.name, &keys::NUMBER)?;
        let low = self.bound(&table, "above", "at_least");
        let high = self.bound(&table, "below", "at_most");
        let range = Range::new(low?, high?);
        self.fit(field, range)
    }

    /// One end of a range: without the number itself, or with it.
    fn bound(&mut self, table: &Fields<'a>, excluded: &str, included: &str) -> Option<Option<Bound>> {
        match (table.get(excluded), table.get(included)) {
            (None, None) => Some(None),
            (Some(field), None) => self.exact_number(&field).map(|number| Some(Bound::Excluded(number))),
            (None, Some(field)) => self.exact_number(&field).map(|number| Some(Bound::Included(number))),
            (Some(_), Some(second)) => {
                let message = format!("a range has either `{excluded}` or `{included}`");
                self.found(&second.key, Finding::error(message).help("keep the stricter of the two"));
                None
            }
        }
    }

    fn email_test(&mut self, field: &Field<'a>) -> Option<EmailTest> {
        let table = self.fields(field, field.name, &keys::EMAIL)?;
        let domains = self.one_or_many(&table, "domain", "domains");
        let subdomains = match table.get("subdomains") {
            None => Some(false),
            Some(below) => self.truth(&below),
        };
        let test = EmailTest::new(&domains?, subdomains?);
        self.fit(field, test)
    }

    fn url_test(&mut self, field: &Field<'a>) -> Option<UrlTest> {
        let table = self.fields(field, field.name, &keys::URL)?;
        let schemes = self.one_or_many(&table, "scheme", "schemes");
        let hosts = self.one_or_many(&table, "host", "hosts");
        let host_suffix = self.optional(&table, "host_suffix");
        let ports = self.ports(&table);
        let path_prefix = self.optional(&table, "path_prefix");
        let test = UrlTest::new(&url::Wanted {
            schemes: schemes?,
            hosts: hosts?,
            host_suffix: host_suffix?,
            ports: ports?,
            path_prefix: path_prefix?,
        });
        self.fit(field, test)
    }

    fn ports(&mut self, table: &Fields<'a>) -> Option<Vec<u16>> {
        let elements = self.elements(table, "port", "ports")?;
        let ports: Vec<u16> = elements
            .iter()
            .filter_map(|element| {
                let Some(number) = element.node.as_integer() else {
                    self.mistyped(element, "a whole number", None);
                    return None;
                };
                let port = u16::try_from(number).ok().filter(|port| *port != 0);
                if port.is_none() {
                    let finding = Finding::error(format!("{number} is no port"));
                    self.found(&element.at, finding.help("a port is a number from 1 to 65535"));
                }
                port
            })
            .collect();
        (ports.len() == elements.len()).then_some(ports)
    }

    fn file_test(&mut self, field: &Field<'a>) -> Option<FileTest> {
        let table = self.fields(field, field.name, &keys::FILE)?;
        let under = self.one_or_many(&table, "under", "under_any");
        let base = self.optional(&table, "base");
        let suffix = self.optional(&table, "suffix");
        let name = self.optional(&table, "name");
        let test = FileTest::new(&file::Wanted { under: under?, base: base?, suffix: suffix?, name: name? });
        self.fit(field, test)
    }

    fn command_test(&mut self, field: &Field<'a>) -> Option<CommandTest> {
        let table = self.fields(field, field.name, &keys::COMMAND)?;
        let programs = self.one_or_many(&table, "program", "programs");
        let argv_prefix = self.many(&table, "argv_prefix");
        let never = self.many(&table, "never");
        let test = CommandTest::new(&command::Wanted {
            programs: programs?,
            argv_prefix: argv_prefix?,
            never: never?,
        });
        self.fit(field, test)
    }

    fn sql_test(&mut self, field: &Field<'a>) -> Option<SqlTest> {
        let table = self.fields(field, field.name, &keys::SQL)?;
        let statements = self.many(&table, "statements")?;
        let test = SqlTest::new(&statements);
        self.fit(field, test)
    }

    /// The fields of `one`, or of the list `many`; none if neither is there. A list that is there has some.
    fn elements(&mut self, table: &Fields<'a>, one: &str, many: &str) -> Option<Vec<Field<'a>>> {
        match (table.get(one), table.get(many)) {
            (None, None) => Some(Vec::new()),
            (Some(field), None) => Some(vec![field]),
            (None, Some(field)) => {
                let elements = self.list_of(&field, "a list")?;
                if elements.is_empty() {
                    self.unfit(&field, &Unfit::empty_list(field.name));
                    return None;
                }
                Some(elements)
            }
            (Some(_), Some(second)) => {
                let finding = Finding::error(format!("a test has either `{one}` or `{many}`"));
                self.found(&second.key, finding.help(format!("put all of them into `{many}`")));
                None
            }
        }
    }

    fn one_or_many(&mut self, table: &Fields<'a>, one: &str, many: &str) -> Option<Vec<String>> {
        let elements = self.elements(table, one, many)?;
        let texts: Vec<String> =
            elements.iter().filter_map(|element| self.text(element, A_TEXT).map(str::to_owned)).collect();
        (texts.len() == elements.len()).then_some(texts)
    }

    fn many(&mut self, table: &Fields<'a>, key: &str) -> Option<Vec<String>> {
        self.one_or_many(table, "", key)
    }

    fn optional(&mut self, table: &Fields<'a>, key: &str) -> Option<Option<String>> {
        match table.get(key) {
            None => Some(None),
            Some(field) => self.text(&field, A_TEXT).map(|text| Some(text.to_owned())),
        }
    }

    fn fit<T>(&mut self, field: &Field<'a>, read: Result<T, Unfit>) -> Option<T> {
        read.map_err(|why| self.unfit(field, &why)).ok()
    }

    fn unfit(&mut self, field: &Field<'a>, why: &Unfit) {
        let finding = Finding::error(format!("this `{}` cannot be used", field.name));
        self.found(&field.at, finding.help(why.to_string()));
    }
}

/// The key beside a test of a text.
const IGNORE_CASE: &str = "ignore_case";
