//! Windows: over which time a budget counts, and when it begins anew.
//!
//! A fixed window follows the calendar of a time zone; a rolling one is cut into sixty parts, and a part
//! counts until all of it is past, so that what is spent never counts for less than its time.
//!
//! A day, a week or a month begins when the zone's clock shows its first midnight, or what comes instead of
//! midnight where the clock is put forward over it. An hour or a minute begins whenever the clock shows a
//! full one, so that an hour which a clock goes through twice is two. Either way windows follow one another
//! without a gap, and no moment is in two.
//!
//! Not here: what is counted ([`crate::budget`]), and which time it is. Start at [`Window::at`].

mod zone;

pub use self::zone::{Clock, UnknownZone, Zone};

use std::{fmt, str::FromStr, time::Duration};

use crate::time::Timestamp;

/// Over which time a budget counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// As long as the agent's session.
    Session,
    /// A piece of the calendar, in a time zone.
    Fixed(Calendar, Zone),
    /// The last so much time, at any moment.
    Rolling(Duration),
    /// For ever.
    Total,
}

/// A piece of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Calendar {
    /// Each minute.
    Minute,
    /// Each hour.
    Hour,
    /// Each day, from midnight.
    Day,
    /// Each week, from Monday.
    Week,
    /// Each month, from its first day.
    Month,
}

/// Where a moment falls in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When this window began, which is also its name among others; 0 where there is but one.
    pub window: Timestamp,
    /// The part of it in which what is spent now is counted.
    pub part: Timestamp,
    /// Parts before this one no longer count.
    pub counts_from: Timestamp,
    /// When something that is spent now stops to count, if ever by time alone.
    pub resets_at: Option<Timestamp>,
}

/// How many parts a rolling window has: the more, the more rows; the fewer, the longer after its time
/// something may still count.
const PARTS: u64 = 60;

impl Window {
    /// Where `now` falls.
    ///
    /// ```
    /// # use placet_engine::{time::Timestamp, window::{Calendar, Window, Zone}};
    /// let day = Window::Fixed(Calendar::Day, "Europe/Lisbon".parse()?);
    /// let noon = Timestamp(1_785_067_200_000_000); // 2026-07-26T12:00Z, in summer time
    /// let span = day.at(noon);
    /// assert_eq!(span.window.to_string(), "2026-07-25T23:00:00.000Z");
    /// assert_eq!(span.resets_at.unwrap().to_string(), "2026-07-26T23:00:00.000Z");
    /// # Ok::<(), placet_engine::window::UnknownZone>(())
    /// ```
    pub fn at(&self, now: Timestamp) -> Span {
        const FIRST: Timestamp = Timestamp(0);
        match self {
            Window::Session | Window::Total => {
                Span { window: FIRST, part: FIRST, counts_from: FIRST, resets_at: None }
            }
            Window::Fixed(calendar, zone) => {
                let (begin, end) = zone.piece(*calendar, now);
                Span { window: begin, part: FIRST, counts_from: FIRST, resets_at: end }
            }
            Window::Rolling(length) => {
                let length = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
                let width = length.div_ceil(PARTS).max(1);
                let part = now.0 / width * width;
                // Of a part that began at `p`, something may have been spent as late as `p + width`. It
                // counts at `now` if `p + width + length > now`; the first such `p` is this.
                let counts_from = now.0.saturating_sub(length) / width * width;
                let resets_at = part.checked_add(width).and_then(|end| end.checked_add(length));
                Span {
                    window: FIRST,
                    part: Timestamp(part),
                    counts_from: Timestamp(counts_from),
                    resets_at: resets_at.map(Timestamp),
                }
            }
        }
    }
}

impl Calendar {
    /// All of them, from the shortest.
    pub const ALL: [Calendar; 5] =
        [Calendar::Minute, Calendar::Hour, Calendar::Day, Calendar::Week, Calendar::Month];

    /// The word for it in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Calendar::Minute => "minute",
            Calendar::Hour => "hour",
            Calendar::Day => "day",
            Calendar::Week => "week",
            Calendar::Month => "month",
        }
    }
}

impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no piece of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotACalendar;

impl fmt::Display for NotACalendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is one of minute, hour, day, week, month")
    }
}

impl std::error::Error for NotACalendar {}

impl FromStr for Calendar {
    type Err = NotACalendar;

    fn from_str(text: &str) -> Result<Self, NotACalendar> {
        Self::ALL.into_iter().find(|calendar| calendar.as_str() == text).ok_or(NotACalendar)
    }
}

#[cfg(test)]
mod tests;
