//! Numbers in the two forms that policy has for fractions: Cedar's `decimal`, and whole millionths.
//!
//! Both hold an exact multiple of their smallest part or nothing: no number is rounded on its way to a rule, since
//! 100.00004 that became 100.0 would pass for no more than 100.
//!
//! Not here: reading of numbers from text (`json/number.rs`), which has refused what no double names exactly.

use std::sync::LazyLock;

use cedar_policy::RestrictedExpression;
use cedar_policy_core::ast::{Name, RestrictedExpr};

use super::Why;
use crate::json::Number;

/// The digits after the point of Cedar's `decimal`, and of an amount.
const DECIMAL_PLACES: u32 = 4;
const MICROS_PLACES: u32 = 6;

/// The function that makes decimals. Cedar's public way to call it parses this word again for each decimal,
/// 3 µs of them, which is why its syntax tree is built here.
static CONSTRUCTOR: LazyLock<Option<Name>> = LazyLock::new(|| Name::parse_unqualified_name("decimal").ok());

/// The number as a decimal.
pub(super) fn decimal(number: &Number) -> Result<RestrictedExpression, Why> {
    let scale = 10_u64.pow(DECIMAL_PLACES);
    let units = scaled(number, DECIMAL_PLACES)?;
    let (sign, size) = (if units < 0 { "-" } else { "" }, units.unsigned_abs());
    let text = format!("{sign}{}.{:04}", size / scale, size % scale);
    Ok(match &*CONSTRUCTOR {
        Some(name) => RestrictedExpr::call_extension_fn(name.clone(), [RestrictedExpr::val(text)]).into(),
        None => RestrictedExpression::new_decimal(text),
    })
}

/// The number in millionths.
pub(super) fn micros(number: &Number) -> Result<i64, Why> {
    scaled(number, MICROS_PLACES)
}

/// How often the number holds a one at the last of so many places, if it does so exactly. The smallest `i64` is
/// left out, so that a number can be judged if and only if its negative can.
fn scaled(number: &Number, places: u32) -> Result<i64, Why> {
    let scale = 10_i64.checked_pow(places).ok_or(Why::TooFar)?;
    let units = match number {
        Number::Integer(whole) => whole.checked_mul(scale).ok_or(Why::TooFar)?,
        Number::Decimal(fraction) => {
            // Decimals of up to 15 digits each have a double of their own. So where the nearest candidate has no
            // more, it is the number's value if it has the number's double, and otherwise there is none.
            const DISTINCT: f64 = 1e15;
            let candidate = (fraction.as_f64() * scale as f64).round();
            if candidate.abs() >= DISTINCT {
                of_text(&fraction.to_string(), places)?
            } else if candidate / scale as f64 == fraction.as_f64() {
                candidate as i64
            } else {
                return Err(Why::TooPrecise { places });
            }
        }
    };
    if units == i64::MIN { Err(Why::TooFar) } else { Ok(units) }
}

/// The same, of the text of a large number.
fn of_text(text: &str, places: u32) -> Result<i64, Why> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let width = usize::try_from(places).map_err(|_| Why::TooFar)?;
    if fraction.len() > width {
        return Err(Why::TooPrecise { places });
    }
    format!("{whole}{fraction:0<width$}").parse().map_err(|_| Why::TooFar)
}
