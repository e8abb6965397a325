//! Facts: named questions about a call's arguments that have an answer or are refused.
//!
//! Cedar compares texts letter by letter; whether a text is an address of our domain, a path below a folder or
//! a plain command is asked here, before Cedar. A [`Match`] finds a value, reads it in the strictest form that
//! its kind has, and says [`Truth::Holds`] or [`Truth::Fails`]. What can be read in two ways is neither: it is
//! a [`FactError`], since a rule may forbid on either answer. Every test is total and takes time in proportion
//! to the text, whatever the text is.
//!
//! Not here: what a rule makes of an answer, and the reading of `[match.NAME]` (`config`). Whatever cannot be
//! told from a text stays untold: where a symbolic link leads, what a name resolves to, what a program does.
//! Start at [`Match::holds`].

mod case;
pub mod command;
mod domain;
pub mod email;
pub mod file;
pub mod number;
pub mod path;
mod samples;
pub mod sql;
pub mod text;
pub mod url;

pub use self::path::FactPath;

use self::{
    command::CommandTest, email::EmailTest, file::FileTest, number::Range, sql::SqlTest, text::TextTest,
    url::UrlTest,
};
use crate::{
    diagnostic::{acts, first_of, inert},
    json::Json,
    limits,
    policy::arguments::{Kind, Record},
};
use std::fmt;

/// A question about a call's arguments: where, of which items, and what is asked.
///
/// ```
/// # use placet_engine::{json::{Limits, parse}, policy::{config::read, facts::Truth}};
/// let source = r#"
/// [match.internal_mail]
/// path = "args.to[*]"
/// all  = { email = { domain = "corp.example" } }
/// "#;
/// let config = read(source).config.expect("no errors");
/// let internal = &config.matches[&"internal_mail".parse()?];
/// let holds = |args: &str| internal.holds(&parse(args.as_bytes(), &Limits::EDGE).expect("JSON"));
/// assert_eq!(holds(r#"{"to": ["ana@corp.example"]}"#), Ok(Truth::Holds));
/// assert_eq!(holds(r#"{"to": ["ana@corp.example", "eve@evil.example"]}"#), Ok(Truth::Fails));
/// assert_eq!(holds(r#"{"to": []}"#), Ok(Truth::Fails));
/// assert_eq!(holds("{}"), Ok(Truth::Absent));
/// let refused = holds(r#"{"to": ["ana@corp.example@evil.example"]}"#).unwrap_err();
/// assert_eq!(refused.to_string(), "`args.to[0]` cannot be judged: it has more than one `@`");
/// # Ok::<(), placet_engine::names::NameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Match {
    /// Where the value stands.
    pub path: FactPath,
    /// What is asked, and of which items.
    pub how: Quantifier,
    /// Values with the answer that they must have.
    pub examples: Examples,
    /// The line of its table; no part of equality.
    pub line: usize,
}

impl PartialEq for Match {
    fn eq(&self, other: &Self) -> bool {
        let Self { path, how, examples, line: _ } = self;
        *path == other.path && *how == other.how && *examples == other.examples
    }
}

impl Eq for Match {}

/// Of which items of a list something is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// Of the value itself; the path has no `[*]`. All others need one.
    Is(Test),
    /// Of each item. An empty list fails: nothing in it was found to be as it should.
    All(Test),
    /// Of at least one item. All are judged; one that cannot be is an error.
    Any(Test),
    /// Of the first item. An empty list has none: the value is absent.
    First(Test),
    /// How many items there are; nothing is asked of them.
    Length(Count),
}

/// How many items there may be; at least one of both is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// No fewer.
    pub at_least: Option<usize>,
    /// No more.
    pub at_most: Option<usize>,
}

impl Count {
    fn allows(self, items: usize) -> bool {
        self.at_least.is_none_or(|least| items >= least) && self.at_most.is_none_or(|most| items <= most)
    }
}

/// Values for which the operator says what comes out: of an item if the path has a `[*]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examples {
    /// For these the test holds.
    pub holding: Vec<Json>,
    /// For these it does not: it fails, or they cannot be judged.
    pub others: Vec<Json>,
}

/// What is asked of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// A text, number or boolean as it is.
    Text(TextTest),
    /// A number within bounds.
    Number(Range),
    /// An address of certain domains.
    Email(EmailTest),
    /// A URL of certain servers.
    Url(UrlTest),
    /// A file below certain folders.
    File(FileTest),
    /// A command of certain programs.
    Command(CommandTest),
    /// One of certain statements.
    Sql(SqlTest),
    /// At least one of these. One that holds settles it, also beside one that cannot judge the value: they may
    /// be of different kinds. Never empty.
    AnyOf(Vec<Test>),
    /// The opposite. What cannot be judged stays so.
    Not(Box<Test>),
}

impl Test {
    /// How deep `any_of` and `not` may stand in each other.
    pub const DEPTH_MAX: usize = 4;
    /// How many tests `any_of` may list.
    pub const ALTERNATIVES_MAX: usize = 16;
}

/// What comes out of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It is so, for certain.
    Holds,
    /// It is not so, for certain.
    Fails,
    /// There is no value: a member is missing or null.
    Absent,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Truth::Holds } else { Truth::Fails }
    }
}

/// A value that is there and cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactError {
    /// Where it stands, as `args.to[3]`.
    pub place: String,
    /// What is wrong with it; no more than a character of it is repeated.
    pub why: Unfit,
}

impl fmt::Display for FactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` cannot be judged: {}", first_of(&inert(&self.place), PLACE_CHARS), self.why)
    }
}

impl std::error::Error for FactError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.why)
    }
}

/// How much of a place an error shows, in characters.
const PLACE_CHARS: usize = 120;

/// Why a value cannot be judged, or a part of the file cannot be used as a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit(String);

impl Unfit {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }

    pub(in crate::policy) fn empty_list(key: &str) -> Self {
        Self(format!("`{key}` lists nothing"))
    }

    /// A character that makes the value unfit, as `what` has it.
    fn character(char: char, what: &str) -> Self {
        let shown = if acts(char) || (char.is_whitespace() && char != ' ') {
            format!("the character U+{:04X}", u32::from(char))
        } else {
            format!("`{char}`")
        };
        Self(format!("{what} {shown}"))
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

impl Match {
    /// What comes out for these arguments of a call.
    ///
    /// # Errors
    ///
    /// [`FactError`] if the value is there and cannot be judged: it is of another kind, is not in the strict
    /// form of its kind, or is beyond [`limits::JUDGED_TEXT_BYTES`], [`limits::JUDGED_LIST_ITEMS`] or
    /// [`limits::JUDGED_ALL_BYTES`]. The caller refuses the call.
    pub fn holds(&self, arguments: &Json) -> Result<Truth, FactError> {
        match &self.how {
            Quantifier::Is(_) if self.path.is_each() => {
                Err(self.path.error(Unfit::new("`is` asks of one value, and the path has a `[*]`")))
            }
            Quantifier::Is(test) => match self.path.value(arguments)? {
                Some(value) => test.judge(value).map(Truth::from).map_err(|why| self.path.error(why)),
                None => Ok(Truth::Absent),
            },
            Quantifier::All(test) => self.of_items(arguments, |items| {
                let answers = self.each(items, test)?;
                Ok(Truth::from(!answers.is_empty() && answers.iter().all(|holds| *holds)))
            }),
            Quantifier::Any(test) => {
                self.of_items(arguments, |items| Ok(Truth::from(self.each(items, test)?.contains(&true))))
            }
            Quantifier::First(test) => self.of_items(arguments, |items| match items.first() {
                Some(first) => self.item(0, first, test).map(Truth::from),
                None => Ok(Truth::Absent),
            }),
            Quantifier::Length(count) => {
                self.of_items(arguments, |items| Ok(Truth::from(count.allows(items.len()))))
            }
        }
    }

    fn of_items(
        &self,
        arguments: &Json,
        answer: impl FnOnce(&[Json]) -> Result<Truth, FactError>,
    ) -> Result<Truth, FactError> {
        if !self.path.is_each() {
            return Err(self.path.error(Unfit::new("its items are asked about, and the path has no `[*]`")));
        }
        self.path.list(arguments)?.map_or(Ok(Truth::Absent), answer)
    }

    /// The answers of all items: an error does not depend on where in the list an item stands.
    fn each(&self, items: &[Json], test: &Test) -> Result<Vec<bool>, FactError> {
        if items.len() > limits::JUDGED_LIST_ITEMS {
            let most = limits::JUDGED_LIST_ITEMS;
            return Err(self.path.error(Unfit::new(format!("it has more than {most} items"))));
        }
        let mut bytes_left = limits::JUDGED_ALL_BYTES;
        let mut answers = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let used = self.path.inside(at, item)?.map_or(0, size);
            let Some(left) = bytes_left.checked_sub(used) else {
                let most = limits::JUDGED_ALL_BYTES;
                return Err(self.path.error(Unfit::new(format!("its texts have more than {most} bytes"))));
            };
            bytes_left = left;
            answers.push(self.item(at, item, test)?);
        }
        Ok(answers)
    }

    /// An item without the value that is asked about cannot be judged: others of the list have it.
    fn item(&self, at: usize, item: &Json, test: &Test) -> Result<bool, FactError> {
        let error = |why| self.path.error_at(at, why);
        let value = self.path.inside(at, item)?.ok_or_else(|| error(Unfit::new("it is missing")))?;
        test.judge(value).map_err(error)
    }
}

impl Match {
    /// Whether it is never absent of arguments like these: each member on its way is always there.
    pub fn is_always_there(&self, declared: &Record) -> bool {
        match self.how {
            // Of an empty list there is no first item.
            Quantifier::First(_) => false,
            Quantifier::Is(_) | Quantifier::All(_) | Quantifier::Any(_) | Quantifier::Length(_) => {
                self.path.has_only_members() && are_required(declared, &self.path.names())
            }
        }
    }
}

fn are_required(declared: &Record, path: &[String]) -> bool {
    let Some((name, rest)) = path.split_first() else { return true };
    let Some(member) = declared.members.get(name).filter(|member| member.required) else { return false };
    match (&member.kind, rest) {
        (_, []) => true,
        (Kind::Record(inside), [_, ..]) => are_required(inside, rest),
        (
            Kind::Bool
            | Kind::Whole
            | Kind::Decimal
            | Kind::Micros
            | Kind::Text
            | Kind::Set(_)
            | Kind::Opaque(_),
            [_, ..],
        ) => false,
    }
}

/// The bytes of a text, or of the texts of a list.
fn size(value: &Json) -> usize {
    match value {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().filter_map(Json::as_str).map(str::len).sum(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => 0,
    }
}

impl Test {
    /// Whether it holds for a value.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if the value cannot be judged by it.
    pub fn judge(&self, value: &Json) -> Result<bool, Unfit> {
        match self {
            Test::Text(test) => test.judge(value),
            Test::Number(range) => range.judge(value),
            Test::Email(test) => test.judge(value),
            Test::Url(test) => test.judge(value),
            Test::File(test) => test.judge(value),
            Test::Command(test) => test.judge(value),
            Test::Sql(test) => test.judge(value),
            Test::AnyOf(tests) => {
                let mut unfit = None;
                for test in tests {
                    match test.judge(value) {
                        Ok(true) => return Ok(true),
                        Ok(false) => {}
                        Err(why) => unfit = unfit.or(Some(why)),
                    }
                }
                unfit.map_or(Ok(false), Err)
            }
            Test::Not(test) => test.judge(value).map(|holds| !holds),
        }
    }
}

/// The text to be judged.
fn text_of(value: &Json) -> Result<&str, Unfit> {
    match value.as_str() {
        Some(text) if text.len() <= limits::JUDGED_TEXT_BYTES => Ok(text),
        Some(_) => Err(Unfit::new(format!("it is longer than {} bytes", limits::JUDGED_TEXT_BYTES))),
        None => Err(mistyped(value, "a text")),
    }
}

fn mistyped(value: &Json, wanted: &str) -> Unfit {
    Unfit::new(format!("it is {}, not {wanted}", value.kind()))
}

/// Some texts of the file, at least one, none of them empty.
fn filled(texts: &[String], key: &str) -> Result<(), Unfit> {
    match texts {
        [] => Err(Unfit::empty_list(key)),
        [..] if texts.iter().any(String::is_empty) => {
            Err(Unfit::new(format!("`{key}` has an empty text, which says nothing")))
        }
        [..] => Ok(()),
    }
}

#[cfg(test)]
mod tests;
