//! Two clocks, given to the engine from outside: the calendar and the time since boot.
//!
//! Durations that protect something (how long a permit opens, how long an approval waits) run on the boot
//! clock, which nobody sets. The calendar is for people and records.
//!
//! Not here: reading a clock. The shell does that and passes [`Now`] in.

use std::{fmt, time::Duration};

/// A moment on the calendar, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

/// A moment on the boot clock: how long this machine has been up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootInstant(pub Duration);

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The calendar.
    pub wall: Timestamp,
    /// The time since boot.
    pub boot: BootInstant,
}

impl Timestamp {
    /// This moment and `later` more; at the end of the calendar it stays there.
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_micros()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; nothing if it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Timestamp {
    /// Reads RFC 3339 with any offset, to the microsecond; none if it is something else, finer, or before 1970.
    ///
    /// ```
    /// # use placet_engine::time::Timestamp;
    /// let moment = Timestamp::parse("2026-11-24T10:00:00+01:00").expect("a moment");
    /// assert_eq!(moment.to_string(), "2026-11-24T09:00:00.000Z");
    /// assert_eq!(Timestamp::parse("2026-11-24 10:00"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let read: jiff::Timestamp = text.parse().ok()?;
        let whole = read.subsec_nanosecond() % 1_000 == 0;
        u64::try_from(read.as_microsecond()).ok().filter(|_| whole).map(Self)
    }
}

impl BootInstant {
    /// This moment and `later` more.
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }

    /// How long after `earlier` this is; nothing if it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// RFC 3339 in UTC with milliseconds: `2026-11-22T09:30:00.125Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0 / 1_000_000, self.0 / 1_000 % 1_000);
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// The Gregorian date of a day counted from 1970-01-01, by whole 400-year eras that begin on 1 March.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_read_as_rfc_3339() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
            (1_795_340_096_789_123, "2026-11-22T09:34:56.789Z"),
            (4_102_444_799_999_999, "2099-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp(micros).to_string(), text);
        }
    }
}
