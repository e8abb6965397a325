//! The order of numbers: by their exact decimal values, without rounding.
//!
//! A comparison that turns an integer of 19 digits into a double calls two different amounts equal. Here
//! nothing is turned into anything: two integers compare as integers, two fractions as the doubles that name
//! them, and an integer meets a fraction through the whole number below it.
//!
//! That is exact because each double has the decimals nearest to it for itself. So doubles are ordered as the
//! decimals that they name, and no integer lies between a fraction and its double: such an integer, being a
//! double too, would be nearer to the fraction. From 2^52 on every double is an integer, so a fraction's whole
//! part fits `i64` with room to spare.

use std::cmp::Ordering;

use super::{Decimal, Number};

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => left.cmp(right),
            (Self::Decimal(left), Self::Decimal(right)) => left.0.total_cmp(&right.0),
            (Self::Integer(left), Self::Decimal(right)) => against(*left, *right),
            (Self::Decimal(left), Self::Integer(right)) => against(*right, *left).reverse(),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// An integer and a fraction are never equal.
fn against(integer: i64, fraction: Decimal) -> Ordering {
    let whole_below = fraction.0.floor() as i64;
    if integer <= whole_below { Ordering::Less } else { Ordering::Greater }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_ordered_as_their_decimals_are() {
        let rising = [
            "-9223372036854775808",
            "-9223372036854775807",
            "-9007199254740993",
            "-4503599627370495.5",
            "-2",
            "-1.5",
            "-1",
            "-1e-7",
            "0",
            "5e-324",
            "0.1",
            "0.5",
            "0.9999999999999999",
            "1",
            "1.0000000000000002",
            "100",
            "100.5",
            "101",
            "4503599627370495",
            "4503599627370495.5",
            "4503599627370496",
            "9007199254740992",
            "9007199254740993",
            "9223372036854775806",
            "9223372036854775807",
        ];
        for (i, left) in rising.iter().enumerate() {
            for (j, right) in rising.iter().enumerate() {
                let (left, right) = (Number::parse(left).unwrap(), Number::parse(right).unwrap());
                assert_eq!(left.cmp(&right), i.cmp(&j), "{left} and {right}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_the_digits(left in -99_999_999_i64..100_000_000, right in -99_999_999_i64..100_000_000, scale in 0_u32..9) {
            let read = |digits: i64| Number::parse(&format!("{digits}e-{scale}")).unwrap();
            prop_assert_eq!(read(left).cmp(&read(right)), left.cmp(&right));
        }

        #[test]
        fn a_neighbour_of_a_fraction_is_on_its_side(whole in -4_503_599_627_370_000_i64..4_503_599_627_370_000) {
            let half = Number::parse(&format!("{whole}.5")).unwrap();
            let (towards_zero, away) = (Number::Integer(whole), Number::Integer(whole + if whole < 0 { -1 } else { 1 }));
            prop_assert_eq!(half.cmp(&towards_zero), if whole < 0 { Ordering::Less } else { Ordering::Greater });
            prop_assert_eq!(half.cmp(&away), if whole < 0 { Ordering::Greater } else { Ordering::Less });
        }
    }
}
