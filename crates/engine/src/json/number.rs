//! Numbers, none of which is ever rounded.
//!
//! A literal is accepted when its exact decimal value can be kept: as an integer that fits 64 bits
//! however it was written (`5`, `5.0`, `1e2`), or as a fraction that the nearest double names exactly,
//! so that writing it by ECMAScript's rules gives the same decimal value back (`0.1`, `2.5e-3`). All
//! else is refused: a reader that rounds it would act on a number that nobody judged.
//!
//! Literals are compared as digit strings with an exponent, never by arithmetic on them: linear in the
//! length of the literal, whatever `1e99999999999999999999` claims. Text is RFC 8785 section 3.2.2.3.
//! Not here: whether an integer above 2^53 - 1 is welcome, which a tool's schema decides.

mod order;

use std::error::Error;
use std::fmt;

/// The most digits that the shortest text of a double ever needs.
const DOUBLE_DIGITS: usize = 17;

/// Decimals of so many digits each have a double of their own, unless they are [too small](NORMAL_POINT).
const DISTINCT_DIGITS: usize = f64::DIGITS as usize;

/// From 0.1 times ten to this power on, doubles have all their bits.
const NORMAL_POINT: i64 = f64::MIN_10_EXP as i64 + 1;

/// The smallest double is 0.5 times ten to this power.
const SMALLEST_POINT: i64 = -323;

/// No integer of 64 bits has more digits than this.
const INTEGER_DIGITS: i64 = 19;

/// A JSON number, exactly as valued by its literal.
///
/// Equal numbers have one representation: what is integral is always an `Integer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// An integral value, however it was written.
    Integer(i64),
    /// A value between two integers.
    Decimal(Decimal),
}

/// A fraction: finite and never integral. Made only by [`Number::parse`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decimal(f64);

/// Lawful, because a `Decimal` is never NaN.
impl Eq for Decimal {}

impl Decimal {
    /// The double whose shortest text is this fraction.
    pub fn as_f64(self) -> f64 {
        self.0
    }
}

/// Why a literal is not a [`Number`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberError {
    /// An integer beyond 64 bits.
    OutOfRange,
    /// A fraction that could be kept only by rounding it.
    Inexact,
    /// Not a number by JSON's grammar.
    Malformed,
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "the integer does not fit in 64 bits",
            Self::Inexact => "the fraction cannot be kept without rounding",
            Self::Malformed => "not a JSON number",
        })
    }
}

impl Error for NumberError {}

impl Number {
    /// Reads one JSON number literal, with nothing around it.
    ///
    /// # Errors
    ///
    /// [`NumberError`] if the text is no number, or none that can be kept exactly.
    ///
    /// ```
    /// use placet_engine::json::{Number, NumberError};
    ///
    /// assert_eq!(Number::parse("1.5e1"), Ok(Number::Integer(15)));
    /// assert_eq!(Number::parse("1.10")?.to_string(), "1.1");
    /// assert_eq!(Number::parse("100.000000000000000000001"), Err(NumberError::Inexact));
    /// # Ok::<(), NumberError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        if literal_length(text.as_bytes()) == Some(text.len()) {
            Self::of_literal(text)
        } else {
            Err(NumberError::Malformed)
        }
    }

    /// The value of a literal whose grammar has been checked.
    pub(super) fn of_literal(literal: &str) -> Result<Self, NumberError> {
        // Nearly every number in a call is a short plain integer; this also makes `-0` the integer 0.
        if let Ok(integer) = literal.parse() {
            return Ok(Self::Integer(integer));
        }
        let Some(exact) = Exact::of_literal(literal) else {
            return Ok(Self::Integer(0));
        };
        if exact.is_integral() {
            exact.to_integer().map(Self::Integer).ok_or(NumberError::OutOfRange)
        } else {
            exact.to_decimal().map(Self::Decimal).ok_or(NumberError::Inexact)
        }
    }

    /// The value, if it is integral.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(*integer),
            Self::Decimal(_) => None,
        }
    }

    /// The nearest double. Integers that are not [safe](Self::is_safe_integer) may be rounded by this.
    pub fn as_f64(&self) -> f64 {
        match self {
            Self::Integer(integer) => *integer as f64,
            Self::Decimal(decimal) => decimal.0,
        }
    }

    /// Whether this is an integer that every reader keeps exactly, also one that knows only doubles:
    /// at most 2^53 - 1 either side of zero.
    pub fn is_safe_integer(&self) -> bool {
        const LARGEST: u64 = (1 << 53) - 1;
        match self {
            Self::Integer(integer) => integer.unsigned_abs() <= LARGEST,
            Self::Decimal(_) => false,
        }
    }
}

/// The text that RFC 8785 gives the number; integers in plain digits, also where a double would round.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(integer) => integer.fmt(f),
            Self::Decimal(decimal) => decimal.fmt(f),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_double(self.0, f)
    }
}

/// How many bytes at the start of `text` are one number by JSON's grammar; `None` if it starts none.
pub(super) fn literal_length(text: &[u8]) -> Option<usize> {
    let digits_from = |at: usize| {
        text.get(at..).map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count())
    };
    let mut at = usize::from(text.first() == Some(&b'-'));
    let whole = digits_from(at);
    if whole == 0 || (whole > 1 && text.get(at) == Some(&b'0')) {
        return None;
    }
    at += whole;
    if text.get(at) == Some(&b'.') {
        let fraction = digits_from(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
        let exponent = digits_from(at);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    Some(at)
}

/// The exact value of a literal other than zero: `0.DIGITS` times ten to the power of `point`, where
/// the digits neither begin nor end with a zero.
struct Exact<'a> {
    literal: &'a str,
    negative: bool,
    /// The digits still as they stand in the literal: `skip` zeros, then `count` digits that matter.
    whole: &'a str,
    fraction: &'a str,
    skip: usize,
    count: usize,
    point: i64,
}

impl<'a> Exact<'a> {
    /// `None` for zero, which has no first digit.
    fn of_literal(literal: &'a str) -> Option<Self> {
        let (negative, magnitude) = match literal.strip_prefix('-') {
            Some(magnitude) => (true, magnitude),
            None => (false, literal),
        };
        let (mantissa, exponent) = magnitude.split_once(['e', 'E']).unwrap_or((magnitude, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = || whole.bytes().chain(fraction.bytes());
        let skip = digits().position(|digit| digit != b'0')?;
        let dropped = digits().rev().position(|digit| digit != b'0')?;
        Some(Self {
            literal,
            negative,
            whole,
            fraction,
            skip,
            count: whole.len() + fraction.len() - skip - dropped,
            point: signed(whole.len()).saturating_sub(signed(skip)).saturating_add(saturated(exponent)),
        })
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.bytes().chain(self.fraction.bytes()).skip(self.skip).take(self.count)
    }

    fn is_integral(&self) -> bool {
        self.point >= signed(self.count)
    }

    fn to_integer(&self) -> Option<i64> {
        if self.point > INTEGER_DIGITS {
            return None;
        }
        let zeros = self.point.saturating_sub(signed(self.count));
        let zeros = std::iter::repeat_n(b'0', usize::try_from(zeros).ok()?);
        let magnitude =
            self.digits().chain(zeros).fold(0_i128, |sum, digit| sum * 10 + i128::from(digit - b'0'));
        i64::try_from(if self.negative { -magnitude } else { magnitude }).ok()
    }

    fn to_decimal(&self) -> Option<Decimal> {
        if self.count > DOUBLE_DIGITS || self.point < SMALLEST_POINT {
            return None;
        }
        let nearest: f64 = self.literal.parse().ok()?;
        let kept = (self.count <= DISTINCT_DIGITS && self.point >= NORMAL_POINT) || {
            let shortest = Shortest::of(nearest);
            shortest.point == self.point && shortest.digits.bytes().eq(self.digits())
        };
        kept.then_some(Decimal(nearest))
    }
}

/// Lengths are far below `i64::MAX`, so this never saturates where memory is finite.
fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The value of an exponent, held at the ends of `i64`. No literal is long enough to bring a number
/// with such an exponent back into range, so the exact value would be treated the same.
fn saturated(exponent: &str) -> i64 {
    let magnitude = exponent
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    if exponent.starts_with('-') { -magnitude } else { magnitude }
}

/// The fewest digits that name a double among all doubles, the nearest of those, and the even one of
/// two that are equally near: `0.DIGITS` times ten to the power of `point`.
///
/// This is ECMAScript's Number::toString with the note to it that RFC 8785 makes binding.
struct Shortest {
    digits: String,
    point: i64,
}

impl Shortest {
    /// Of the magnitude: the sign is left out.
    fn of(double: f64) -> Self {
        let double = double.abs();
        let shortest = Self::from_scientific(&format!("{double:e}"));
        if shortest.digits.len() <= DISTINCT_DIGITS {
            return shortest;
        }
        // Where two texts are equally short and equally near, the standard library may take either and
        // ECMAScript takes the even one. Rounding the exact value to that many digits goes half to even,
        // but next to a power of two it can leave the double, and then there was no choice.
        let even = format!("{double:.*e}", shortest.digits.len() - 1);
        if even.parse() == Ok(double) { Self::from_scientific(&even) } else { shortest }
    }

    fn from_scientific(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        Self {
            digits: mantissa.chars().filter(|c| *c != '.').collect(),
            point: exponent.parse::<i64>().unwrap_or(0) + 1,
        }
    }
}

/// Writes a finite double as ECMAScript's Number::toString does.
fn write_double(double: f64, out: &mut impl fmt::Write) -> fmt::Result {
    let Shortest { digits, point } = Shortest::of(double);
    if double < 0.0 {
        out.write_char('-')?;
    }
    match point {
        1..=21 => {
            let width = usize::try_from(point).unwrap_or(0);
            match digits.split_at_checked(width) {
                Some((whole, fraction)) if !fraction.is_empty() => write!(out, "{whole}.{fraction}"),
                _ => write!(out, "{digits:0<width$}"),
            }
        }
        -5..=0 => {
            let width = digits.len() + usize::try_from(-point).unwrap_or(0);
            write!(out, "0.{digits:0>width$}")
        }
        _ => {
            let (first, others) = digits.split_at_checked(1).unwrap_or((&digits, ""));
            let dot = if others.is_empty() { "" } else { "." };
            write!(out, "{first}{dot}{others}e{:+}", point - 1)
        }
    }
}

#[cfg(test)]
mod tests;
