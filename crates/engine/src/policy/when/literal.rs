//! Numbers that a condition writes out, kept to the digit.
//!
//! The same `100` is a whole number beside one argument, a decimal beside the next, and a sum in millionths
//! beside a cost. So a literal keeps its decimal value and becomes one of these only when it is known what it
//! stands beside; what would have to be rounded for that is refused there.

use std::fmt;

/// The most decimal places of a literal, those of a sum.
const PLACES_MAX: usize = 6;

/// The most digits before the point.
const DIGITS_MAX: usize = 19;

/// A decimal number: `units` divided by ten to the power of `places`, with as few places as it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    units: i128,
    places: u32,
}

/// Why digits are no literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotALiteral {
    Shape,
    TooManyPlaces,
    TooLarge,
}

impl Literal {
    /// Reads digits, or digits, a point and digits.
    pub(super) fn parse(is_negative: bool, text: &str) -> Result<Self, NotALiteral> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(whole) || !are_digits(fraction) {
            return Err(NotALiteral::Shape);
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        if fraction.len() > PLACES_MAX {
            return Err(NotALiteral::TooManyPlaces);
        }
        if whole.len() > DIGITS_MAX {
            return Err(NotALiteral::TooLarge);
        }
        // At most 25 digits, and the 0 in front of none.
        let units: i128 = format!("0{whole}{fraction}").parse().map_err(|_| NotALiteral::TooLarge)?;
        let places = u32::try_from(fraction.len()).map_err(|_| NotALiteral::TooManyPlaces)?;
        let literal = Self { units: if is_negative { -units } else { units }, places };
        match i64::try_from(literal.units / 10_i128.pow(places)) {
            Ok(_) => Ok(literal),
            Err(_) => Err(NotALiteral::TooLarge),
        }
    }

    /// Its value in millionths, exactly.
    pub(super) fn millionths(self) -> i128 {
        let missing = usize::try_from(self.places).map_or(0, |places| PLACES_MAX.saturating_sub(places));
        // At most 25 digits and six more: far from the end of 128 bits.
        (0..missing).fold(self.units, |units, _| units.saturating_mul(10))
    }

    /// Whether it has no decimal places.
    pub(super) fn is_whole(self) -> bool {
        self.places == 0
    }

    pub(super) fn is_negative(self) -> bool {
        self.units < 0
    }

    /// Whether it has at most so many decimal places.
    pub(super) fn has_places(self, most: u32) -> bool {
        self.places <= most
    }

    /// Its value times ten to the power of `places`, if that is a whole number of 64 bits.
    pub(super) fn scaled(self, places: u32) -> Option<i64> {
        let missing = places.checked_sub(self.places)?;
        i64::try_from(self.units.checked_mul(10_i128.checked_pow(missing)?)?).ok()
    }

    /// The text of it that Cedar reads as a decimal, which has 1 to 4 places.
    pub(super) fn decimal(self) -> Option<String> {
        self.scaled(4)?;
        Some(if self.is_whole() { format!("{self}.0") } else { self.to_string() })
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let (units, one) = (self.units.unsigned_abs(), 10_u128.pow(self.places));
        write!(f, "{sign}{}", units / one)?;
        if self.places == 0 {
            return Ok(());
        }
        let width = usize::try_from(self.places).unwrap_or_default();
        write!(f, ".{:0width$}", units % one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_kept_to_the_digit_and_printed_at_its_shortest() {
        for (text, want) in [
            ("0", Ok("0")),
            ("007", Ok("7")),
            ("100.50", Ok("100.5")),
            ("100.0", Ok("100")),
            ("0.05", Ok("0.05")),
            ("0.000001", Ok("0.000001")),
            ("0.0000010", Ok("0.000001")),
            ("0.0000001", Err(NotALiteral::TooManyPlaces)),
            ("9223372036854775807", Ok("9223372036854775807")),
            ("9223372036854775807.999999", Ok("9223372036854775807.999999")),
            ("9223372036854775808", Err(NotALiteral::TooLarge)),
            ("99999999999999999999", Err(NotALiteral::TooLarge)),
            ("1e3", Err(NotALiteral::Shape)),
            ("1.", Err(NotALiteral::Shape)),
            ("1.2.3", Err(NotALiteral::Shape)),
            ("", Err(NotALiteral::Shape)),
        ] {
            let read = Literal::parse(false, text).map(|literal| literal.to_string());
            assert_eq!(read.as_deref(), want.as_ref().copied(), "{text:?}");
        }
        let least = Literal::parse(true, "9223372036854775808").unwrap();
        assert_eq!((least.to_string().as_str(), least.scaled(0)), ("-9223372036854775808", Some(i64::MIN)));
        assert_eq!(Literal::parse(true, "0.5").unwrap().to_string(), "-0.5");
        assert_eq!(Literal::parse(true, "0"), Literal::parse(false, "0.0"));
    }

    #[test]
    fn a_literal_becomes_what_it_stands_beside_or_nothing() {
        for (text, whole, decimal, micros) in [
            ("100", Some(100), Some("100.0"), Some(100_000_000)),
            ("0.5", None, Some("0.5"), Some(500_000)),
            ("0.12345", None, None, Some(123_450)),
            ("922337203685477.5807", None, Some("922337203685477.5807"), None),
            ("922337203685477.5808", None, None, None),
            ("9223372036854.775807", None, None, Some(i64::MAX)),
            ("9223372036855", Some(9_223_372_036_855), Some("9223372036855.0"), None),
        ] {
            let literal = Literal::parse(false, text).unwrap();
            assert_eq!(literal.scaled(0), whole, "{text}");
            assert_eq!(literal.decimal().as_deref(), decimal, "{text}");
            assert_eq!(literal.scaled(6), micros, "{text}");
        }
    }
}
