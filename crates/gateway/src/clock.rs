//! The clocks of this machine. Everything else takes its time from here, so that tests can set it.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use placet_engine::time::{BootInstant, Now, Timestamp};

/// Where the time comes from.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// One reading of both clocks.
    fn now(&self) -> Now;
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

/// Time since boot, sleep included where the system counts it.
fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
    let reading = rustix::time::clock_gettime(CLOCK);
    Duration::new(reading.tv_sec.unsigned_abs(), u32::try_from(reading.tv_nsec).unwrap_or(0))
}
