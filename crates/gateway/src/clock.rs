//! The clocks of this machine. Everything else takes its time from here, so that tests can set it.
//!
//! A window of a budget begins anew when the calendar says so; so whoever sets the calendar could have a budget
//! reset. [`Guarded`] follows it only as far as the boot clock, which nobody sets, vouches for: a jump is
//! refused, told, and followed once a person has accepted it. Time never goes back here.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use placet_engine::time::{BootInstant, Now, Timestamp};

/// Where the time comes from.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// One reading of both clocks.
    fn now(&self) -> Now;

    /// What keeps it from following the calendar, if something does.
    fn doubt(&self) -> Option<String> {
        None
    }

    /// Follows the calendar from now on, whatever it says: a person has looked.
    fn accept(&self) {}
}

/// The machine's own clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Now {
        // A calendar before 1970 is no calendar; what is stamped 0 stands out.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Now {
            wall: Timestamp(u64::try_from(wall.as_micros()).unwrap_or(u64::MAX)),
            boot: BootInstant(since_boot()),
        }
    }
}

/// How far the calendar may be from what the boot clock says before it is not followed.
pub const STEP: Duration = Duration::from_secs(5 * 60);

/// How long a node may have been away before its calendar is not followed.
pub const AWAY: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// A clock that follows the calendar as far as it can be believed.
///
/// ```
/// use std::sync::Arc;
/// use placet::clock::{Clock, Guarded, SystemClock};
///
/// let clock = Guarded::new(SystemClock, Default::default());
/// let first = clock.now();
/// assert!(clock.now().wall >= first.wall);
/// assert_eq!(clock.doubt(), None);
///
/// // A calendar that is years behind what was seen before is not followed.
/// let ahead = SystemClock.now().wall.plus(std::time::Duration::from_secs(400 * 86_400));
/// let clock = Guarded::new(SystemClock, ahead);
/// assert!(clock.now().wall >= ahead && clock.doubt().is_some());
/// ```
#[derive(Debug)]
pub struct Guarded<C> {
    inner: C,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    last: Now,
    doubt: Option<String>,
}

impl<C: Clock> Guarded<C> {
    /// A clock over `inner`, where the calendar had come as far as `seen` before; 0 if nobody looked yet.
    pub fn new(inner: C, seen: Timestamp) -> Self {
        let read = inner.now();
        let (behind, ahead) = (seen.since(read.wall), read.wall.since(seen));
        let (wall, doubt) = if seen == Timestamp(0) {
            (read.wall, None)
        } else if behind > STEP {
            (seen, Some(format!("the calendar says {}, but was at {seen} before", read.wall)))
        } else if ahead > AWAY {
            (seen, Some(format!("the calendar says {}, over 31 days after {seen}", read.wall)))
        } else {
            (read.wall.max(seen), None)
        };
        let state = State { last: Now { wall, ..read }, doubt };
        Self { inner, state: Mutex::new(state) }
    }
}

impl<C: Clock> Clock for Guarded<C> {
    fn now(&self) -> Now {
        let read = self.inner.now();
        let mut state = self.state.lock();
        let last = state.last;
        // Threads read and then come here in any order; none is told of a time before another's.
        let boot = read.boot.max(last.boot);
        let vouched = last.wall.plus(boot.since(last.boot));
        let off = read.wall.since(vouched).max(vouched.since(read.wall));
        let wall = if state.doubt.is_some() {
            vouched
        } else if off > STEP {
            state.doubt = Some(format!("the calendar jumped from {vouched} to {}", read.wall));
            vouched
        } else {
            read.wall.max(last.wall)
        };
        state.last = Now { wall, boot };
        state.last
    }

    fn doubt(&self) -> Option<String> {
        self.state.lock().doubt.clone()
    }

    fn accept(&self) {
        let read = self.inner.now();
        *self.state.lock() = State { last: read, doubt: None };
    }
}

/// Time since boot, sleep included where the system counts it.
fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
    let reading = rustix::time::clock_gettime(CLOCK);
    Duration::new(reading.tv_sec.unsigned_abs(), u32::try_from(reading.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock of which both hands are set by hand.
    #[derive(Debug, Default)]
    struct Hands(Mutex<Now>);

    impl Clock for Hands {
        fn now(&self) -> Now {
            *self.0.lock()
        }
    }

    const START: Timestamp = Timestamp(1_795_340_096_000_000);

    fn guarded() -> Guarded<Hands> {
        let hands = Hands(Mutex::new(Now { wall: START, boot: BootInstant(Duration::from_secs(100)) }));
        Guarded::new(hands, Timestamp(0))
    }

    fn turn(clock: &Guarded<Hands>, boot: u64, wall: i64) -> (i64, bool) {
        let mut hands = clock.inner.0.lock();
        hands.boot = BootInstant(Duration::from_secs(100 + boot));
        hands.wall = Timestamp(START.0.saturating_add_signed(wall * 1_000_000));
        drop(hands);
        let now = clock.now();
        let seconds = i64::try_from(now.wall.0).unwrap() - i64::try_from(START.0).unwrap();
        (seconds / 1_000_000, clock.doubt().is_some())
    }

    #[test]
    fn a_calendar_that_jumps_is_not_followed_until_a_person_accepts_it() {
        for (what, wall, want, doubted) in [
            ("it goes as the boot clock goes", 60, 60, false),
            ("a step of under five minutes is followed", 300, 300, false),
            ("a step forward is not", 3_600, 60, true),
            ("a step back is not, and time goes on", -3_600, 60, true),
        ] {
            let clock = guarded();
            assert_eq!(turn(&clock, 60, wall), (want, doubted), "{what}");
        }
        let clock = guarded();
        assert_eq!(turn(&clock, 60, 86_400), (60, true));
        assert_eq!(turn(&clock, 120, 120), (120, true), "it stays in doubt");
        assert_eq!(turn(&clock, 180, 86_400), (180, true));
        clock.accept();
        assert_eq!(turn(&clock, 240, 86_460), (86_460, false));
    }

    #[test]
    fn time_never_goes_back() {
        let clock = guarded();
        assert_eq!(turn(&clock, 10, 200), (200, false));
        assert_eq!(turn(&clock, 11, 11), (200, false), "a small step back stands still");
        assert_eq!(turn(&clock, 300, 300), (300, false));
    }

    #[test]
    fn what_was_seen_before_a_restart_counts() {
        let at = |seen: i64| {
            let hands = Hands(Mutex::new(Now { wall: START, boot: BootInstant::default() }));
            let seen = Timestamp(START.0.saturating_add_signed(seen * 1_000_000));
            let clock = Guarded::new(hands, seen);
            (clock.now().wall == seen.max(START), clock.doubt().is_some())
        };
        assert_eq!(at(-60), (true, false), "a minute away");
        assert_eq!(at(60), (true, false), "a minute ahead is waited for");
        assert!(at(3_600).1, "an hour ahead is doubted");
        assert!(at(-40 * 86_400).1, "forty days away are doubted");
    }
}
