//! Quantities: lengths of time, sizes, counts and amounts, each within its bounds.
//!
//! Each is written in one way, with its unit: a number alone would be seconds to one reader and minutes to
//! another. None of them may be nothing, since a cap of nothing is a refusal that does not say so.
//!
//! Start at [`Reader::length_of_time`].

use super::{
    super::write,
    field::{Field, Reader},
};
use crate::{cost::Amount, diagnostic::Finding, names::Unit};
use std::{ops::RangeInclusive, time::Duration};

/// What is counted without a cost, and in which words a budget says so.
const OWN_MEASURES: [(&str, &str); 5] = [
    ("calls", "calls = 50"),
    ("bytes", "bytes = \"100 MiB\""),
    ("time", "time = \"2h\""),
    ("seconds", "time = \"2h\""),
    ("errors", "errors = 5"),
];

impl<'a> Reader<'a> {
    /// A number and one of `s`, `m`, `h` and `d`.
    pub(super) fn length_of_time(
        &mut self,
        field: &Field<'a>,
        bounds: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let text = self.text(field, "a length of time, as in `\"1h\"`")?;
        let read = length(text).filter(|read| bounds.contains(read));
        if read.is_none() {
            let (least, most) = (write::duration(*bounds.start()), write::duration(*bounds.end()));
            let least = if *bounds.start() > Duration::from_secs(1) {
                format!("at least {least}, ")
            } else {
                String::new()
            };
            let finding = Finding::error(format!("`{text}` is not a length of time that can be used"));
            let help = format!("write a number and a unit, as in 90s, 30m, 1h, 7d; {least}at most {most}");
            self.found(&field.at, finding.help(help));
        }
        read
    }

    /// A number of bytes, with its unit.
    pub(super) fn size(&mut self, field: &Field<'a>, most: u64) -> Option<u64> {
        let text = self.text(field, "a size, as in `\"1 MiB\"`")?;
        let read = size(text).filter(|read| (1..=most).contains(read));
        if read.is_none() {
            let finding = Finding::error(format!("`{text}` is not a size that can be used"));
            let most = write::size(most);
            let help = format!("write a number and a unit, as in 512 B, 64 KiB, 1 MiB; at most {most}");
            self.found(&field.at, finding.help(help));
        }
        read
    }

    /// A whole number above nothing.
    pub(super) fn count(&mut self, field: &Field<'a>) -> Option<Amount> {
        let Some(number) = field.node.as_integer() else {
            self.mistyped(field, "a whole number", None);
            return None;
        };
        let amount = u64::try_from(number).ok().and_then(Amount::checked_whole);
        let Some(amount) = amount else {
            let finding = Finding::error(format!("`{}` cannot be {number}", field.name));
            let most = Amount::MAX.0 / Amount::ONE.0;
            self.found(&field.at, finding.help(format!("it is a number from 1 to {most}")));
            return None;
        };
        self.above_nothing(field, amount)
    }

    /// An amount and its unit.
    pub(super) fn spend(&mut self, field: &Field<'a>) -> Option<(Amount, Unit)> {
        let text = self.text(field, "an amount and its unit, as in `\"500.00 usd\"`")?;
        let Some((amount, unit)) = text.split_once(' ') else {
            let finding = Finding::error(format!("`{text}` is not an amount and its unit"));
            self.found(&field.at, finding.help("write both, as in `\"500.00 usd\"`"));
            return None;
        };
        let read = amount.parse::<Amount>().map_err(|error| {
            let at = self.within(field, 0..amount.len());
            let finding = Finding::error(format!("`{amount}` is not an amount"));
            self.found(&at, finding.help(error.to_string()));
        });
        let at = self.within(field, amount.len() + 1..text.len());
        let unit = self.unit(unit, &at);
        let amount = self.above_nothing(field, read.ok()?)?;
        Some((amount, unit?))
    }

    /// What is counted in a cost.
    pub(super) fn unit(&mut self, text: &str, at: &std::ops::Range<usize>) -> Option<Unit> {
        if let Some((own, example)) = OWN_MEASURES.iter().find(|(own, _)| *own == text) {
            let finding = Finding::error(format!("`{own}` is no unit of a cost: it is counted by itself"));
            self.found(at, finding.help(format!("a budget says `{example}`")));
            return None;
        }
        self.name_in(text, at)
    }

    fn above_nothing(&mut self, field: &Field<'a>, amount: Amount) -> Option<Amount> {
        if amount == Amount(0) {
            let finding = Finding::error(format!("`{}` cannot be zero", field.name));
            let help = "what must never happen is refused by `deny` or by a guard that forbids";
            self.found(&field.at, finding.help(help));
            return None;
        }
        Some(amount)
    }
}

/// A length of time as it is written in the file: a whole number and one of `s`, `m`, `h` and `d`.
///
/// ```
/// use placet_engine::policy::config::length;
/// assert_eq!(length("7d").map(|week| week.as_secs()), Some(604_800));
/// assert_eq!(length("a week"), None);
/// ```
pub fn length(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return None,
    };
    Some(Duration::from_secs(whole(text.strip_suffix(unit)?)?.checked_mul(seconds)?))
}

/// A whole number and one of `B`, `KiB`, `MiB`, `GiB` and `TiB`, with a blank between them or without.
fn size(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.bytes().take_while(u8::is_ascii_digit).count())?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, bytes) = write::SIZES.into_iter().find(|(name, _)| *name == unit)?;
    whole(number)?.checked_mul(bytes)
}

fn whole(digits: &str) -> Option<u64> {
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| are_digits)
}
