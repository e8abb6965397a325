//! Windows: over which time a budget counts, and when it begins anew.
//!
//! A fixed window follows the calendar of a time zone; a rolling one is cut into sixty parts, and a part
//! counts until all of it is past, so that what is spent never counts for less than its time.
//!
//! Not here: what is counted ([`crate::budget`]), and which time it is. Start at [`Window::at`].

use std::time::Duration;

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

/// A time zone by its name, as `Europe/Lisbon`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone(String);

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

impl Window {
    /// Where `now` falls.
    pub fn at(&self, now: Timestamp) -> Span {
        let zero = Timestamp(0);
        Span { window: zero, part: zero, counts_from: zero, resets_at: Some(now) }
    }
}
