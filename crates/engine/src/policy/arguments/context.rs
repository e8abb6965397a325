//! A call's arguments as Cedar reads them, typed by the record and never by what they look like.
//!
//! Cedar's own reader of JSON takes some objects for entities and extension values, so that arguments could
//! forge them, and rounds what it cannot keep. Here the record says what is built: a text is a text whatever it
//! says, a number has its exact value, and whatever does not fit is refused with its place. `null` where a
//! member may be missing is a missing member.
//!
//! On the way of each call that a rule with `args` judges: no text is parsed and no tree is built twice.

use std::fmt;

use cedar_policy::RestrictedExpression;

use super::{
    Kind, Opaque, Record,
    at::{Step, shown},
    decimal::{decimal, micros},
};
use crate::{
    json::{Json, Number},
    limits,
};

/// What each value counts besides its text and its name.
const VALUE_BYTES: usize = 8;

/// A value that a rule reads and cannot judge. The call is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactError {
    /// The place, as it is shown to people and models: `args.to["x-y"]`.
    pub path: String,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a value that a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It must be there and is not, or is `null`.
    Missing,
    /// It is of another type than the tool's schema led to expect.
    Mistyped {
        /// What should be there, in words: `a text`.
        wanted: &'static str,
        /// What is there, in words.
        found: &'static str,
    },
    /// A fraction where whole numbers are counted.
    Fraction,
    /// It has more digits after the point than are compared.
    TooPrecise {
        /// So many are.
        places: u32,
    },
    /// It is beyond ±922337203685477.5807, or what that is in millionths.
    TooFar,
    /// It is larger than what rules read.
    TooLarge(Bound),
    /// It has no form that a rule could read.
    Opaque(Opaque),
    /// Cedar does not take what we built: a bug.
    Bug,
}

/// A limit of what rules read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// [`limits::READ_TEXT_BYTES`].
    Text,
    /// [`limits::READ_ITEMS`].
    Items,
    /// [`limits::READ_DEPTH`].
    Depth,
    /// [`limits::READ_BYTES`].
    Together,
}

impl FactError {
    /// The stable word for it: `fact_missing`, `too_large_to_judge` or `fact_error`.
    pub fn code(&self) -> &'static str {
        match self.why {
            Why::Missing => "fact_missing",
            Why::TooLarge(_) => "too_large_to_judge",
            Why::Mistyped { .. }
            | Why::Fraction
            | Why::TooPrecise { .. }
            | Why::TooFar
            | Why::Opaque(_)
            | Why::Bug => "fact_error",
        }
    }
}

impl fmt::Display for FactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path, self.why)
    }
}

impl std::error::Error for FactError {}

/// What is wrong, after the name of the place.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Missing => f.write_str("is missing"),
            Why::Mistyped { wanted, found } => write!(f, "is {found}, not {wanted}"),
            Why::Fraction => f.write_str("is not a whole number"),
            Why::TooPrecise { places } => write!(f, "has more than {places} digits after the point"),
            Why::TooFar => f.write_str("is too large a number to be judged"),
            Why::TooLarge(bound) => write!(f, "{bound}"),
            Why::Opaque(why) => write!(f, "cannot be read by a rule: {why}"),
            Why::Bug => f.write_str("could not be given to policy; this is a bug"),
        }
    }
}

/// What is too large, after the name of the place.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Text => {
                write!(f, "is longer than {} bytes, more than a rule reads", limits::READ_TEXT_BYTES)
            }
            Bound::Items => write!(f, "has more than {} items, more than a rule reads", limits::READ_ITEMS),
            Bound::Depth => write!(f, "nests deeper than {}, more than a rule reads", limits::READ_DEPTH),
            Bound::Together => write!(
                f,
                "is more than rules read of one call, with what stands before it: {} bytes",
                limits::READ_BYTES
            ),
        }
    }
}

/// The arguments as a record for Cedar, of exactly the members that `narrowed` declares.
///
/// Numbers keep their value: a decimal has at most four places, and an integer where decimals are compared is
/// one (`100` is `100.0`). Members that `narrowed` does not declare stay out.
///
/// # Errors
///
/// [`FactError`] for the first value, in the order of names, that cannot be judged.
pub fn context(narrowed: &Record, arguments: &Json) -> Result<RestrictedExpression, FactError> {
    let mut reader = Reader { left: limits::READ_BYTES };
    reader
        .record(narrowed, arguments, 1)
        .map_err(|fault| FactError { path: shown(fault.path.into_iter().rev()), why: fault.why })
}

/// What is wrong, and where, from the inside out.
struct Fault<'a> {
    why: Why,
    path: Vec<Step<'a>>,
}

impl From<Why> for Fault<'_> {
    fn from(why: Why) -> Self {
        Self { why, path: Vec::new() }
    }
}

impl<'a> Fault<'a> {
    fn inside(mut self, step: Step<'a>) -> Self {
        self.path.push(step);
        self
    }
}

struct Reader {
    /// What may still be read, in bytes.
    left: usize,
}

impl Reader {
    fn take(&mut self, bytes: usize) -> Result<(), Why> {
        self.left = self.left.checked_sub(bytes).ok_or(Why::TooLarge(Bound::Together))?;
        Ok(())
    }

    fn value<'a>(
        &mut self,
        kind: &'a Kind,
        value: &Json,
        depth: usize,
    ) -> Result<RestrictedExpression, Fault<'a>> {
        self.take(VALUE_BYTES)?;
        match (kind, value) {
            (Kind::Bool, Json::Bool(truth)) => Ok(RestrictedExpression::new_bool(*truth)),
            (Kind::Whole, Json::Number(Number::Integer(whole))) => Ok(RestrictedExpression::new_long(*whole)),
            (Kind::Whole, Json::Number(Number::Decimal(_))) => Err(Why::Fraction.into()),
            (Kind::Decimal, Json::Number(number)) => Ok(decimal(number)?),
            (Kind::Micros, Json::Number(number)) => Ok(RestrictedExpression::new_long(micros(number)?)),
            (Kind::Text, Json::String(text)) => {
                if text.len() > limits::READ_TEXT_BYTES {
                    return Err(Why::TooLarge(Bound::Text).into());
                }
                self.take(text.len())?;
                Ok(RestrictedExpression::new_string(text.clone()))
            }
            (Kind::Set(kind), Json::Array(items)) => self.set(kind, items, depth + 1),
            (Kind::Record(record), Json::Object(_)) => self.record(record, value, depth + 1),
            // Only whether it is there is seen.
            (Kind::Opaque(_), _) => RestrictedExpression::new_record([]).map_err(|_| Why::Bug.into()),
            (
                Kind::Bool
                | Kind::Whole
                | Kind::Decimal
                | Kind::Micros
                | Kind::Text
                | Kind::Set(_)
                | Kind::Record(_),
                _,
            ) => Err(mistyped(kind, value).into()),
        }
    }

    fn set<'a>(
        &mut self,
        kind: &'a Kind,
        items: &[Json],
        depth: usize,
    ) -> Result<RestrictedExpression, Fault<'a>> {
        if depth > limits::READ_DEPTH {
            return Err(Why::TooLarge(Bound::Depth).into());
        }
        if items.len() > limits::READ_ITEMS {
            return Err(Why::TooLarge(Bound::Items).into());
        }
        if let Kind::Opaque(why) = kind {
            return Err(Why::Opaque(*why).into());
        }
        let mut set = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            set.push(self.value(kind, item, depth).map_err(|fault| fault.inside(Step::Item(at)))?);
        }
        Ok(RestrictedExpression::new_set(set))
    }

    fn record<'a>(
        &mut self,
        record: &'a Record,
        value: &Json,
        depth: usize,
    ) -> Result<RestrictedExpression, Fault<'a>> {
        if depth > limits::READ_DEPTH {
            return Err(Why::TooLarge(Bound::Depth).into());
        }
        let Json::Object(object) = value else {
            return Err(Why::Mistyped { wanted: "an object", found: value.kind() }.into());
        };
        let mut members = Vec::with_capacity(record.members.len());
        for (name, member) in &record.members {
            let fault = |why| Fault::from(why).inside(Step::Member(name));
            match object.get(name) {
                None | Some(Json::Null) if member.required => return Err(fault(Why::Missing)),
                None | Some(Json::Null) => {}
                Some(value) => {
                    self.take(name.len()).map_err(fault)?;
                    let value = self.value(&member.kind, value, depth);
                    members.push((name.clone(), value.map_err(|fault| fault.inside(Step::Member(name)))?));
                }
            }
        }
        RestrictedExpression::new_record(members).map_err(|_| Why::Bug.into())
    }
}

fn mistyped(kind: &Kind, value: &Json) -> Why {
    let wanted = match kind {
        Kind::Bool => "a boolean",
        Kind::Whole | Kind::Decimal | Kind::Micros => "a number",
        Kind::Text => "a string",
        Kind::Set(_) => "an array",
        Kind::Record(_) => "an object",
        Kind::Opaque(why) => return Why::Opaque(*why),
    };
    Why::Mistyped { wanted, found: value.kind() }
}
