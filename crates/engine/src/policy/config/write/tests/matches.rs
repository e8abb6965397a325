//! Matches as they may stand in a file: what the models of the property test are made of.

use super::*;
use crate::{
    json::{Json, Number},
    names::MatchName,
    policy::facts::{
        Count, Examples, FactPath, Match, Quantifier, Test,
        command::{self, CommandTest},
        email::EmailTest,
        file::{self, FileTest},
        number::{Bound, Range},
        sql::SqlTest,
        text::{Case, Literal, Pattern, TextTest},
        url::{self, UrlTest},
    },
};

fn fact_path(each: bool) -> impl Strategy<Value = FactPath> {
    terms::path("args").prop_map(move |path| {
        let inside = path.to_string().split_off("args".len());
        let each = if each { "[*]" } else { "" };
        name::<FactPath>(&format!("args.x{inside}{each}"))
    })
}

fn one_line() -> impl Strategy<Value = Vec<String>> {
    collection::vec(
        sample::select(&["git", "ls", "-x", "--force", "two words", "\"#'"][..]).prop_map(str::to_owned),
        1..3,
    )
}

fn case() -> impl Strategy<Value = Case> {
    sample::select(&[Case::Exact, Case::Ignored][..])
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        text().prop_map(Literal::Text),
        any::<i64>().prop_map(Literal::Integer),
        any::<bool>().prop_map(Literal::Bool)
    ]
}

fn text_test() -> impl Strategy<Value = TextTest> {
    prop_oneof![
        (collection::vec(literal(), 1..3), case())
            .prop_map(|(literals, case)| TextTest::OneOf(literals, case)),
        (filled(), case()).prop_map(|(text, case)| TextTest::Prefix(text, case)),
        (filled(), case()).prop_map(|(text, case)| TextTest::Suffix(text, case)),
        (filled(), case()).prop_map(|(text, case)| TextTest::Contains(text, case)),
        (filled(), case()).prop_map(|(text, case)| {
            let glob = text.replace('*', "").chars().take(50).collect::<String>() + "/**?*";
            TextTest::Pattern(Pattern::glob(&glob, case).unwrap())
        }),
        "[a-z.|\"# ]{1,8}".prop_map(|regex| TextTest::Pattern(Pattern::regex(&regex).unwrap())),
    ]
}

fn number() -> impl Strategy<Value = Number> {
    (any::<i32>(), 0..12).prop_map(|(digits, scale)| Number::parse(&format!("{digits}e-{scale}")).unwrap())
}

fn bound() -> impl Strategy<Value = Bound> {
    prop_oneof![number().prop_map(Bound::Included), number().prop_map(Bound::Excluded)]
}

fn domains() -> impl Strategy<Value = Vec<String>> {
    collection::vec("[a-z]{1,4}[.]example", 1..3)
}

fn range() -> impl Strategy<Value = Range> {
    (option::of(bound()), option::of(bound())).prop_map(|(low, high)| {
        Range::new(low, high)
            .or_else(|_| Range::new(low, None))
            .or_else(|_| Range::new(None, Some(Bound::Included(Number::Integer(1)))))
            .unwrap()
    })
}

fn url_test() -> impl Strategy<Value = UrlTest> {
    let hosts = prop_oneof![domains(), Just(vec!["10.0.0.1".to_owned(), "[2001:db8::1]".to_owned()])];
    let schemes = collection::vec("[a-z]{1,4}", 0..3);
    let ports = collection::vec(1..=u16::MAX, 0..3);
    (schemes, hosts, option::of("[a-z]{1,4}"), ports, option::of("(/[a-z]{1,3}){1,2}/?")).prop_map(
        |(schemes, hosts, host_suffix, ports, path_prefix)| {
            UrlTest::new(&url::Wanted { schemes, hosts, host_suffix, ports, path_prefix }).unwrap()
        },
    )
}

fn file_test() -> impl Strategy<Value = FileTest> {
    let folder = || "(/[a-z #']{0,2}[a-z]){1,3}/?".prop_map(|folder| folder.replace("/ ", "/x"));
    let last = || option::of("[.a-z#'\u{e9}-]{0,3}[a-z]");
    (collection::vec(folder(), 1..3), option::of(folder()), last(), last()).prop_map(
        |(under, base, suffix, name)| FileTest::new(&file::Wanted { under, base, suffix, name }).unwrap(),
    )
}

fn one_test() -> impl Strategy<Value = Test> {
    let command = (one_line(), option::of(one_line()), option::of(one_line())).prop_map(
        |(programs, argv_prefix, never)| {
            let (argv_prefix, never) = (argv_prefix.unwrap_or_default(), never.unwrap_or_default());
            CommandTest::new(&command::Wanted { programs, argv_prefix, never }).unwrap()
        },
    );
    let statement =
        "SELECT [a-z]{1,4}_x FROM \"[a-z ]{1,3}\" WHERE a = [?];?".prop_map(|statement| statement);
    prop_oneof![
        6 => text_test().prop_map(Test::Text),
        2 => range().prop_map(Test::Number),
        1 => (domains(), any::<bool>()).prop_map(|(domains, below)| Test::Email(EmailTest::new(&domains, below).unwrap())),
        2 => url_test().prop_map(Test::Url),
        2 => file_test().prop_map(Test::File),
        1 => command.prop_map(Test::Command),
        1 => collection::vec(statement, 1..3).prop_map(|statements| Test::Sql(SqlTest::new(&statements).unwrap())),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    let deep = prop_oneof![
        collection::vec(one_test(), 1..4).prop_map(Test::AnyOf),
        one_test().prop_map(|test| Test::Not(Box::new(test))),
        collection::vec(one_test(), 1..3).prop_map(|tests| Test::Not(Box::new(Test::AnyOf(tests)))),
    ];
    prop_oneof![3 => one_test(), 1 => deep]
}

fn asked() -> impl Strategy<Value = Match> {
    let each = test().prop_flat_map(|test| {
        sample::select(vec![
            Quantifier::All(test.clone()),
            Quantifier::Any(test.clone()),
            Quantifier::First(test),
        ])
    });
    let counted = (0_usize..9, option::of(9_usize..99))
        .prop_map(|(least, at_most)| Quantifier::Length(Count { at_least: Some(least), at_most }));
    let plain = (fact_path(false), test().prop_map(Quantifier::Is));
    let listed = (fact_path(true), prop_oneof![4 => each, 1 => counted]);
    let example = prop_oneof![
        text().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<bool>().prop_map(Json::from),
        number().prop_map(Json::Number),
        collection::vec(text().prop_map(Json::from), 0..3).prop_map(Json::from),
    ];
    (prop_oneof![plain, listed], collection::vec(example, 0..3)).prop_map(|((path, how), values)| {
        let examples = match &how {
            Quantifier::Is(test)
            | Quantifier::All(test)
            | Quantifier::Any(test)
            | Quantifier::First(test) => {
                let (holding, others) = values.into_iter().partition(|value| test.judge(value) == Ok(true));
                Examples { holding, others }
            }
            Quantifier::Length(_) => Examples::default(),
        };
        Match { path, how, examples, line: 13 }
    })
}

pub(super) fn matches() -> impl Strategy<Value = BTreeMap<MatchName, Match>> {
    collection::btree_map("[a-z][a-z0-9_-]{0,5}".prop_map(|text| name(&text)), asked(), 0..3)
}
