//! Cost: the most that a call can cost, worked out from its arguments before it runs.
//!
//! `args.amount`, `len(args.to) * 0.02`, `0.10 + args.pages * 0.01`: sums of decimals, paths and products, in
//! exact millionths. Each term is rounded up to a millionth, so that no sum says less than its parts. What
//! cannot be worked out (a missing, negative or mistyped value) has no cost, and what has no cost is not
//! called.
//!
//! A number counts by its decimal text, never by the double that is nearest to it. Not here: who pays, and
//! what is left ([`crate::budget`]). Start at [`Expression`].

mod amount;
mod path;
mod read;

pub use self::{amount::Amount, path::Path};

use std::{fmt, str::FromStr};

use self::read::Scanner;
use crate::json::Json;

/// What a call costs at most in one unit, over its arguments.
///
/// A sum of one or more terms: a decimal with at most six places, a [`Path`] into the arguments, or
/// `len(path)`, the number of a list's items or of a text's characters; the last two also times a decimal.
///
/// ```
/// # use placet_engine::{cost::Expression, json::{Limits, parse}};
/// let cost: Expression = "0.10 + len(args.to) * 0.02".parse()?;
/// let args = |text: &str| parse(text.as_bytes(), &Limits::EDGE).expect("JSON");
/// assert_eq!(cost.evaluate(&args(r#"{"to": ["ana", "bo"]}"#))?.to_string(), "0.14");
/// assert_eq!(cost.evaluate(&args("{}")).unwrap_err().to_string(), "`args.to` is missing");
/// # Ok::<(), placet_engine::cost::CostError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// Never empty.
    terms: Vec<Term>,
}

/// One summand. A factor of one is written as none.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    Amount(Amount),
    Value { path: Path, times: Amount },
    Length { path: Path, times: Amount },
}

/// Why an expression is none, or has no value here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostError(pub String);

impl fmt::Display for CostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CostError {}

impl Expression {
    /// The value over `args`, the call's arguments.
    ///
    /// # Errors
    ///
    /// [`CostError`] if a value that it reads is missing, negative, no number, or the sum is too large.
    pub fn evaluate(&self, args: &Json) -> Result<Amount, CostError> {
        let mut sum = Amount(0);
        for term in &self.terms {
            let too_large = || CostError("the sum is too large to be counted".to_owned());
            sum = sum.checked_plus(term.value(args)?).ok_or_else(too_large)?;
        }
        Ok(sum)
    }

    /// The places in the arguments that it reads, in its order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.terms.iter().filter_map(|term| match term {
            Term::Amount(_) => None,
            Term::Value { path, .. } | Term::Length { path, .. } => Some(path),
        })
    }
}

impl Term {
    fn value(&self, args: &Json) -> Result<Amount, CostError> {
        match self {
            Term::Amount(amount) => Ok(*amount),
            Term::Value { path, times } => path.amount_times(args, *times),
            Term::Length { path, times } => path.length_times(args, *times),
        }
    }
}

impl FromStr for Expression {
    type Err = CostError;

    fn from_str(text: &str) -> Result<Self, CostError> {
        let mut scanner = Scanner::of(text)?;
        let mut terms = vec![scanner.term()?];
        while scanner.plus()? {
            terms.push(scanner.term()?);
        }
        Ok(Self { terms })
    }
}

/// The text that reads back as the same expression: one blank around `+` and `*`, decimals at their
/// shortest.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, term) in self.terms.iter().enumerate() {
            if at > 0 {
                f.write_str(" + ")?;
            }
            let times = match term {
                Term::Amount(amount) => {
                    write!(f, "{amount}")?;
                    continue;
                }
                Term::Value { path, times } => write!(f, "{path}").map(|()| *times)?,
                Term::Length { path, times } => write!(f, "len({path})").map(|()| *times)?,
            };
            if times != Amount::ONE {
                write!(f, " * {times}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
