//! Time zones, and where their clocks put the boundaries of the calendar.
//!
//! The rules are those that come with the program, not the system's: which window a call falls in must not
//! depend on the machine. What lies after the year 9999 is in one last window without an end.

use std::{fmt, str::FromStr, sync::Arc};

use jiff::{
    SignedDuration, Timestamp as Moment,
    civil::{Date, Weekday},
    tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase},
};

use super::Calendar;
use crate::{diagnostic::did_you_mean, time::Timestamp};

/// A time zone by its name, as `Europe/Lisbon`; UTC unless one is named.
#[derive(Clone)]
pub struct Zone {
    name: Arc<str>,
    rules: TimeZone,
}

/// What a clock on a wall shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// From 0 to 23.
    pub hour: u8,
    /// From 0 to 59.
    pub minute: u8,
    /// The day, in three letters: `mon` to `sun`.
    pub weekday: &'static str,
}

/// The time zone that no zone is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownZone(String);

/// Names in the database that are no place's: nobody's day begins by them.
const PLACEHOLDERS: [&str; 2] = ["Etc/Unknown", "Factory"];

/// The longest name that is compared with others in looking for what was meant.
const COMPARED_BYTES_MAX: usize = 64;

impl Zone {
    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The names of all zones.
    pub fn names() -> impl Iterator<Item = String> {
        let database = TimeZoneDatabase::bundled();
        let names = database.available().map(|name| name.to_string());
        let names: Vec<String> = names.filter(|name| !PLACEHOLDERS.contains(&name.as_str())).collect();
        names.into_iter()
    }

    /// What clocks show there at `now`.
    pub fn clock(&self, now: Timestamp) -> Clock {
        let micros = i64::try_from(now.0).ok();
        let now = micros.and_then(|micros| Moment::from_microsecond(micros).ok()).unwrap_or(Moment::MAX);
        let shown = self.rules.to_datetime(now);
        let weekday = match shown.weekday() {
            Weekday::Monday => "mon",
            Weekday::Tuesday => "tue",
            Weekday::Wednesday => "wed",
            Weekday::Thursday => "thu",
            Weekday::Friday => "fri",
            Weekday::Saturday => "sat",
            Weekday::Sunday => "sun",
        };
        let small = |number: i8| u8::try_from(number).unwrap_or(0);
        Clock { hour: small(shown.hour()), minute: small(shown.minute()), weekday }
    }

    /// The piece of the calendar in which `now` is: when it begins, and when the next one does. What began
    /// before 1970 begins at 0 here.
    pub(super) fn piece(&self, calendar: Calendar, now: Timestamp) -> (Timestamp, Option<Timestamp>) {
        let micros = i64::try_from(now.0).ok();
        let now = micros.and_then(|micros| Moment::from_microsecond(micros).ok()).unwrap_or(Moment::MAX);
        let (begin, end) = match calendar {
            Calendar::Minute => self.clock_piece(now, 60),
            Calendar::Hour => self.clock_piece(now, 60 * 60),
            Calendar::Day | Calendar::Week | Calendar::Month => self.date_piece(calendar, now),
        };
        let told = |moment: Moment| Timestamp(u64::try_from(moment.as_microsecond()).unwrap_or(0));
        (begin.map_or(Timestamp(0), told), end.map(told))
    }

    /// From the first midnight of a date to that of another.
    fn date_piece(&self, calendar: Calendar, now: Moment) -> (Option<Moment>, Option<Moment>) {
        let mut first = calendar.first(self.rules.to_datetime(now).date());
        let mut begin = self.begins(first);
        // Where a clock is put back over midnight it shows a date again after the next has begun, or one that
        // is still to begin. One piece further is far enough; that each is left behind ends both loops.
        while begin.is_some_and(|begin| begin > now) {
            let Some(previous) = first.yesterday().ok().map(|last| calendar.first(last)) else { break };
            first = previous;
            begin = self.begins(first);
        }
        loop {
            let Some(next) = calendar.next(first) else { return (begin, None) };
            match self.begins(next) {
                Some(end) if end <= now => (first, begin) = (next, Some(end)),
                end => return (begin, end),
            }
        }
    }

    /// The first moment at which the clock shows this date, or a later one.
    fn begins(&self, date: Date) -> Option<Moment> {
        let midnight = date.at(0, 0, 0, 0);
        match self.rules.to_ambiguous_timestamp(midnight).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(midnight).ok(),
            AmbiguousOffset::Fold { before, after: _ } => before.to_timestamp(midnight).ok(),
            AmbiguousOffset::Gap { before, after } => {
                // The clock is put forward over midnight: at the moment that both readings of it enclose.
                let (earliest, latest) =
                    (after.to_timestamp(midnight).ok()?, before.to_timestamp(midnight).ok()?);
                let change = latest.as_second().checked_add(1).and_then(|after| self.change_before(after));
                change.filter(|change| *change > earliest.as_second()).map_or(Some(latest), moment)
            }
        }
    }

    /// From one full `length` of the clock to the next, in seconds: whatever it has been put forward or back
    /// between them belongs to the piece.
    fn clock_piece(&self, now: Moment, length: i64) -> (Option<Moment>, Option<Moment>) {
        let now = now.as_microsecond().div_euclid(1_000_000);
        (moment(self.clock_begin(now, length)), self.clock_end(now, length).and_then(moment))
    }

    fn clock_begin(&self, mut second: i64, length: i64) -> i64 {
        loop {
            let offset = self.offset(second);
            let begin = second - (second + offset).rem_euclid(length);
            if self.offset(begin) == offset {
                return begin;
            }
            // The clock was changed since, not to a full one: the piece began by the clock as it was before.
            match self.change_before(second + 1) {
                Some(change) if change > begin => second = change - 1,
                Some(_) | None => return begin,
            }
        }
    }

    fn clock_end(&self, mut second: i64, length: i64) -> Option<i64> {
        loop {
            let offset = self.offset(second);
            let end = second - (second + offset).rem_euclid(length) + length;
            moment(end)?;
            if self.offset(end) == offset {
                return Some(end);
            }
            let change = self.rules.following(moment(second)?).next().map(|change| change.timestamp());
            match change.map(|change| change.as_second()) {
                Some(change) if change <= end => {
                    if (change + self.offset(change)).rem_euclid(length) == 0 {
                        return Some(change);
                    }
                    second = change;
                }
                Some(_) | None => return Some(end),
            }
        }
    }

    /// The last second before this one at which the clock was changed.
    fn change_before(&self, second: i64) -> Option<i64> {
        let change = self.rules.preceding(moment(second)?).next()?;
        Some(change.timestamp().as_second())
    }

    /// By how many seconds the clock is ahead of UTC.
    fn offset(&self, second: i64) -> i64 {
        self.rules.to_offset(moment(second).unwrap_or(Moment::MAX)).seconds().into()
    }
}

fn moment(second: i64) -> Option<Moment> {
    Moment::from_second(second).ok()
}

impl Calendar {
    /// The first date of the piece that a date is in.
    fn first(self, date: Date) -> Date {
        match self {
            Calendar::Minute | Calendar::Hour | Calendar::Day => date,
            Calendar::Week => {
                let since =
                    SignedDuration::from_hours(24 * i64::from(date.weekday().to_monday_zero_offset()));
                date.checked_sub(since).unwrap_or(Date::MIN)
            }
            Calendar::Month => date.first_of_month(),
        }
    }

    /// The first date of the piece after one.
    fn next(self, first: Date) -> Option<Date> {
        match self {
            Calendar::Minute | Calendar::Hour | Calendar::Day => first.tomorrow().ok(),
            Calendar::Week => first.checked_add(SignedDuration::from_hours(24 * 7)).ok(),
            Calendar::Month => first.last_of_month().tomorrow().ok(),
        }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self { name: "UTC".into(), rules: TimeZone::UTC }
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The name to the letter: `europe/lisbon` is none.
impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        let unknown = || UnknownZone(text.to_owned());
        let rules = TimeZoneDatabase::bundled().get(text).map_err(|_| unknown())?;
        if rules.iana_name() != Some(text) || PLACEHOLDERS.contains(&text) {
            return Err(unknown());
        }
        Ok(Self { name: text.into(), rules })
    }
}

impl UnknownZone {
    /// What to write instead.
    pub fn help(&self) -> String {
        const SHAPE: &str = "it is a name of the IANA database, as in `Europe/Lisbon`";
        if self.0.len() > COMPARED_BYTES_MAX {
            return SHAPE.to_owned();
        }
        let names: Vec<String> = Zone::names().collect();
        let same = names.iter().find(|name| name.eq_ignore_ascii_case(&self.0)).map(String::as_str);
        let near = same.or_else(|| did_you_mean(&self.0, names.iter().map(String::as_str)));
        near.map_or_else(|| SHAPE.to_owned(), |near| format!("did you mean `{near}`?"))
    }
}

impl fmt::Display for UnknownZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown time zone `{}`", self.0)
    }
}

impl std::error::Error for UnknownZone {}
