//! Paths: one place in a value, by its names and numbers.

use std::{fmt, str::FromStr};

use super::{Amount, CostError, read::Scanner};
use crate::json::{Json, write_string};

/// A place in a value: `args.order.total`, `result.items[0]["unit price"]`. The first word says in which value.
///
/// A name of letters, digits and `_` follows a point, any other stands in brackets as a JSON string does; a
/// number in brackets is an item of a list, counted from 0.
///
/// ```
/// # use placet_engine::{cost::Path, json::{Json, Limits, parse}};
/// let path: Path = "args.lines[1].price".parse()?;
/// let args = parse(br#"{"lines": [{"price": 3}, {"price": 4.5}]}"#, &Limits::EDGE).expect("JSON");
/// assert_eq!(path.amount(&args)?.to_string(), "4.5");
/// assert_eq!(path.find(&Json::Null), None);
/// # Ok::<(), placet_engine::cost::CostError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    root: Root,
    steps: Vec<Step>,
}

/// The value that a path leads into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Root {
    Args,
    Result,
}

/// One step further into a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Member(String),
    Item(usize),
}

impl Root {
    pub(super) const ALL: [Root; 2] = [Root::Args, Root::Result];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Root::Args => "args",
            Root::Result => "result",
        }
    }
}

impl Path {
    pub(super) fn new(root: Root, steps: Vec<Step>) -> Self {
        Self { root, steps }
    }

    /// The first word: `args` or `result`.
    pub fn root(&self) -> &str {
        self.root.as_str()
    }

    /// The names of members on its way, up to the first item of a list.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map_while(|step| match step {
            Step::Member(name) => Some(name.as_str()),
            Step::Item(_) => None,
        })
    }

    /// What stands there in `value`, if something does. A path of `args` is looked up in the object of
    /// arguments itself, one of `result` in the structured result.
    pub fn find<'a>(&self, value: &'a Json) -> Option<&'a Json> {
        self.steps.iter().try_fold(value, |value, step| match step {
            Step::Member(name) => value.get(name),
            Step::Item(at) => value.as_array()?.get(*at),
        })
    }

    /// What stands there, as [`Path::find`] has it, but with a third answer: an error with the value that has
    /// no names or no items where the path asks for one. A null on the way or at its end is nothing.
    pub(crate) fn seek<'a>(&self, value: &'a Json) -> Result<Option<&'a Json>, &'a Json> {
        let mut here = value;
        for step in &self.steps {
            let next = match (step, here) {
                (Step::Member(name), Json::Object(members)) => members.get(name),
                (Step::Item(at), Json::Array(items)) => items.get(*at),
                (Step::Member(_) | Step::Item(_), Json::Null) => None,
                (Step::Member(_), Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_))
                | (Step::Item(_), Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_)) => {
                    return Err(here);
                }
            };
            let Some(next) = next else { return Ok(None) };
            here = next;
        }
        Ok((!here.is_null()).then_some(here))
    }

    /// Whether it names a place inside of the value, not all of it.
    pub(crate) fn goes_inside(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Whether it leads through names alone.
    pub(crate) fn has_only_members(&self) -> bool {
        self.names().count() == self.steps.len()
    }

    /// The amount that stands there, up to the next millionth.
    ///
    /// # Errors
    ///
    /// [`CostError`] if nothing stands there, or what is no amount.
    pub fn amount(&self, value: &Json) -> Result<Amount, CostError> {
        self.amount_times(value, Amount::ONE)
    }

    /// The product of the number that stands there and `factor`.
    pub(super) fn amount_times(&self, value: &Json, factor: Amount) -> Result<Amount, CostError> {
        let Json::Number(number) = self.found(value)? else {
            return Err(self.mistyped(value, "a number"));
        };
        Amount::product(number, factor).map_err(|unfit| CostError(format!("`{self}` {unfit}")))
    }

    /// The product of how long the list or text there is and `factor`. A text counts by its characters, as
    /// Unicode does (code points), since that is how sellers of texts count.
    pub(super) fn length_times(&self, value: &Json, factor: Amount) -> Result<Amount, CostError> {
        let length = match self.found(value)? {
            Json::Array(items) => items.len(),
            Json::String(text) => text.chars().count(),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => {
                return Err(self.mistyped(value, "a list or a text"));
            }
        };
        Amount::times(length, factor).ok_or_else(|| CostError(format!("`{self}` is too long to be counted")))
    }

    fn found<'a>(&self, value: &'a Json) -> Result<&'a Json, CostError> {
        self.find(value).ok_or_else(|| CostError(format!("`{self}` is missing")))
    }

    fn mistyped(&self, value: &Json, wanted: &str) -> CostError {
        let kind = self.find(value).map_or("missing", Json::kind);
        CostError(format!("`{self}` is {kind}, not {wanted}"))
    }
}

/// Whether a name may follow a point.
pub(super) fn is_bare(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| !first.is_ascii_digit()) && name.bytes().all(is_in_word)
}

pub(super) fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl FromStr for Path {
    type Err = CostError;

    fn from_str(text: &str) -> Result<Self, CostError> {
        let mut scanner = Scanner::of(text)?;
        let path = scanner.path()?;
        scanner.end()?;
        Ok(path)
    }
}

/// The text that reads back as the same path.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root())?;
        self.steps.iter().try_for_each(|step| match step {
            Step::Member(name) if is_bare(name) => write!(f, ".{name}"),
            Step::Member(name) => {
                let mut quoted = String::new();
                write_string(name, &mut quoted);
                write!(f, "[{quoted}]")
            }
            Step::Item(at) => write!(f, "[{at}]"),
        })
    }
}
