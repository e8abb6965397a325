//! Numbers within bounds, compared by their decimals and never rounded.
//!
//! Start at [`Range`].

use super::{Unfit, mistyped};
use crate::json::{Json, Number};

/// Bounds of a number: at most one on each side, at least one in all.
///
/// ```
/// # use placet_engine::{json::{Json, Number}, policy::facts::number::{Bound, Range}};
/// let range = Range::new(None, Some(Bound::Included(Number::parse("100.5").expect("a number"))))?;
/// assert_eq!(range.judge(&Json::from(100)), Ok(true));
/// assert_eq!(range.judge(&Json::from(101)), Ok(false));
/// assert!(range.judge(&Json::from("100")).is_err());
/// # Ok::<(), placet_engine::policy::facts::Unfit>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub(in crate::policy) low: Option<Bound>,
    pub(in crate::policy) high: Option<Bound>,
}

/// An end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The number itself is within.
    Included(Number),
    /// The number itself is not.
    Excluded(Number),
}

impl Range {
    /// The numbers between these.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if there is no bound, or no number between them.
    pub fn new(low: Option<Bound>, high: Option<Bound>) -> Result<Self, Unfit> {
        let is_possible = match (low, high) {
            (None, None) => return Err(Unfit::new("`number` has no bound, as in `{ at_most = 100 }`")),
            (Some(_), None) | (None, Some(_)) => true,
            (Some(Bound::Included(low)), Some(Bound::Included(high))) => low <= high,
            (
                Some(Bound::Included(low) | Bound::Excluded(low)),
                Some(Bound::Included(high) | Bound::Excluded(high)),
            ) => low < high,
        };
        if is_possible {
            Ok(Self { low, high })
        } else {
            Err(Unfit::new("no number is between these bounds"))
        }
    }

    /// Whether a value is a number within the bounds.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if it is no number. Digits in a text are a text.
    pub fn judge(&self, value: &Json) -> Result<bool, Unfit> {
        let Json::Number(number) = value else { return Err(mistyped(value, "a number")) };
        let above = match &self.low {
            None => true,
            Some(Bound::Included(low)) => number >= low,
            Some(Bound::Excluded(low)) => number > low,
        };
        let below = match &self.high {
            None => true,
            Some(Bound::Included(high)) => number <= high,
            Some(Bound::Excluded(high)) => number < high,
        };
        Ok(above && below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_exact() {
        let number = |text: &str| Number::parse(text).unwrap();
        let (included, excluded) =
            (|text| Some(Bound::Included(number(text))), |text| Some(Bound::Excluded(number(text))));
        for (low, high, value, holds) in [
            (None, included("100.5"), "100.5", true),
            (None, included("100.5"), "1.005e2", true),
            (None, included("100.5"), "100.50000000000001", false),
            (None, excluded("100.5"), "100.5", false),
            (None, excluded("100.5"), "100.49999999999999", true),
            (included("0"), None, "-0", true),
            (excluded("0"), None, "-0", false),
            (excluded("0"), None, "5e-324", true),
            (included("9007199254740993"), None, "9007199254740992", false),
            (included("9007199254740993"), None, "9007199254740993", true),
            (None, excluded("9223372036854775807"), "9223372036854775806", true),
            (included("-1"), included("1"), "-1.0000000000000002", false),
        ] {
            let range = Range::new(low, high).unwrap();
            assert_eq!(range.judge(&Json::Number(number(value))), Ok(holds), "{value} in {range:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_not_compared() {
        let range = Range::new(Some(Bound::Included(Number::Integer(0))), None).unwrap();
        for value in [Json::from("5"), Json::from(true), Json::Null, Json::from(vec![Json::from(5)])] {
            assert!(range.judge(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn bounds_that_no_number_is_between_are_a_mistake() {
        let at = |integer| Some(Bound::Included(Number::Integer(integer)));
        let beyond = |integer| Some(Bound::Excluded(Number::Integer(integer)));
        for (low, high, good) in [
            (None, None, false),
            (at(1), at(1), true),
            (at(2), at(1), false),
            (beyond(1), at(1), false),
            (at(1), beyond(1), false),
            (beyond(1), beyond(2), true),
        ] {
            assert_eq!(Range::new(low, high).is_ok(), good, "{low:?} {high:?}");
        }
    }
}
