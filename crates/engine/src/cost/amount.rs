//! Amounts: whole millionths, and their decimal text.

use std::{fmt, str::FromStr, time::Duration};

use super::CostError;
use crate::json::Number;

/// How many millionths a whole has.
const MILLIONTHS: u64 = 1_000_000;

/// The most digits after the point.
const PLACES_MAX: usize = 6;

/// An amount of anything that is counted, in millionths: of a dollar, a token, a call, a second.
///
/// ```
/// # use placet_engine::cost::Amount;
/// assert_eq!("12.50".parse(), Ok(Amount(12_500_000)));
/// assert_eq!(Amount(12_500_000).to_string(), "12.5");
/// assert!("-1".parse::<Amount>().is_err());
/// assert!("0.0000001".parse::<Amount>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub u64);

/// Why a number is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    Negative,
    TooLarge,
}

impl Amount {
    /// One whole.
    pub const ONE: Amount = Amount(MILLIONTHS);
    /// The most that is counted.
    pub const MAX: Amount = Amount(i64::MAX as u64);

    /// So many wholes.
    pub const fn whole(count: u64) -> Self {
        let millionths = count.saturating_mul(MILLIONTHS);
        if millionths > Self::MAX.0 { Self::MAX } else { Amount(millionths) }
    }

    /// So many wholes, unless that is more than is counted.
    pub fn checked_whole(count: u64) -> Option<Self> {
        count.checked_mul(MILLIONTHS).map(Amount).filter(|amount| *amount <= Self::MAX)
    }

    /// Both together; at the most that is counted it stays there.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Amount(self.0.saturating_add(other.0).min(Self::MAX.0))
    }

    /// Both together, unless that is more than is counted.
    pub fn checked_plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Amount).filter(|sum| *sum <= Self::MAX)
    }

    /// What is left without `other`; nothing if that is more.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Amount(self.0.saturating_sub(other.0))
    }

    /// How many wholes it is, if it is whole.
    pub fn as_whole(self) -> Option<u64> {
        self.0.is_multiple_of(MILLIONTHS).then_some(self.0 / MILLIONTHS)
    }

    /// A length of time as seconds, with what is less than a millionth rounded up.
    pub fn seconds(length: Duration) -> Self {
        let micros = length.as_nanos().div_ceil(1_000);
        u64::try_from(micros).map_or(Self::MAX, |micros| Amount(micros).min(Self::MAX))
    }

    /// `number` times `factor`: the exact product, up to the next millionth.
    pub(super) fn product(number: &Number, factor: Self) -> Result<Self, Unfit> {
        let text = number.to_string();
        if text.starts_with('-') {
            return Err(Unfit::Negative);
        }
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: i64 = exponent.parse().map_err(|_| Unfit::TooLarge)?;
        let places = i64::try_from(fraction.len()).map_err(|_| Unfit::TooLarge)? - exponent;
        let scale = |places: u64| 10_u128.checked_pow(u32::try_from(places).ok()?);
        // At most 19 digits times 63 bits: no product of the two is near the end of 128 bits.
        let digits: u128 = format!("{whole}{fraction}").parse().map_err(|_| Unfit::TooLarge)?;
        let product = digits.checked_mul(u128::from(factor.0)).ok_or(Unfit::TooLarge)?;
        let millionths = if places <= 0 {
            scale(places.unsigned_abs()).and_then(|scale| product.checked_mul(scale))
        } else {
            // A scale that is no number here is larger than any product.
            Some(scale(places.unsigned_abs()).map_or(product.min(1), |scale| product.div_ceil(scale)))
        };
        let millionths = millionths.and_then(|millionths| u64::try_from(millionths).ok());
        millionths.map(Amount).filter(|amount| *amount <= Self::MAX).ok_or(Unfit::TooLarge)
    }

    /// So many times `factor`.
    pub(super) fn times(count: usize, factor: Self) -> Option<Self> {
        let product = u64::try_from(count).ok()?.checked_mul(factor.0)?;
        Some(Amount(product)).filter(|amount| *amount <= Self::MAX)
    }
}

/// The amount that a number names, up to the next millionth.
impl TryFrom<&Number> for Amount {
    type Error = CostError;

    fn try_from(number: &Number) -> Result<Self, CostError> {
        Self::product(number, Self::ONE).map_err(|unfit| CostError(format!("`{number}` {unfit}")))
    }
}

/// What is wrong with the number, after its name.
impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unfit::Negative => "is negative",
            Unfit::TooLarge => "is too large to be counted",
        })
    }
}

/// The shortest decimal: `12.5`, `0.000001`, `3`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / MILLIONTHS, self.0 % MILLIONTHS);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let places = format!("{part:0PLACES_MAX$}");
        write!(f, "{whole}.{}", places.trim_end_matches('0'))
    }
}

/// Plain digits, and at most six after a point; no sign, no exponent, nothing around them.
impl FromStr for Amount {
    type Err = CostError;

    fn from_str(text: &str) -> Result<Self, CostError> {
        let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
        let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let is_plain = are_digits(whole) && (whole == "0" || !whole.starts_with('0'));
        if !is_plain || !are_digits(places) {
            return Err(CostError(format!("`{text}` is not a plain decimal such as `12.50`")));
        }
        if places.len() > PLACES_MAX {
            return Err(CostError(format!("`{text}` has more than {PLACES_MAX} digits after the point")));
        }
        let millionths = format!("{whole}{places:0<PLACES_MAX$}").parse().ok();
        let amount = millionths.map(Amount).filter(|amount| *amount <= Self::MAX);
        amount.ok_or_else(|| CostError(format!("`{text}` is more than can be counted, {}", Self::MAX)))
    }
}
