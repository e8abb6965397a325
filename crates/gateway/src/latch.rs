//! The latch: what a permit is held against at the moment of writing.
//!
//! Whoever is about to send a call's first byte does so inside [`Latch::pass`]; a stop closes the latch and
//! thereby waits for those who are inside. So once a stop has returned, no first byte leaves any more. The
//! latch closes in memory first; whether the stop is then kept is the store's matter.
//!
//! A `STOP` file closes it too. It is looked for at each passage and each start, so that it works even when
//! the process that should take the order does not answer.

use std::{path::PathBuf, time::Duration};

use parking_lot::RwLock;
use placet_engine::{
    permit::{Durability, Lapse, Permit},
    stop::{Generations, Scope, Stop},
    time::{Now, Timestamp},
};

/// The door that every call passes, and what stands against passing it.
#[derive(Debug, Default)]
pub struct Latch {
    door: RwLock<Door>,
    stop_files: Vec<PathBuf>,
}

#[derive(Debug, Default)]
struct Door {
    current: Generations,
    closed: Option<Stop>,
}

/// What happened at the door.
#[derive(Debug)]
pub enum Passage<D: Durability, T> {
    /// The write was made; the permit is spent.
    Passed(T),
    /// The write was not made, since the other side does not take bytes now; the permit is still good for
    /// another try, at which it is held against the latch again.
    Blocked(Permit<D>),
    /// The permit opens nothing any more. Nothing was sent.
    Lapsed(Lapse),
}

impl Latch {
    /// A latch that the given files close while they exist.
    pub fn new(stop_files: Vec<PathBuf>) -> Self {
        Self { door: RwLock::default(), stop_files }
    }

    /// Spends `permit` on one write, if it still opens its tool at `now`.
    ///
    /// `write` must not wait: it sends at least one byte and returns what came of it, or returns none because
    /// nothing could be sent.
    pub fn pass<D: Durability, T>(
        &self,
        permit: Permit<D>,
        now: Now,
        write: impl FnOnce(&Permit<D>) -> Option<T>,
    ) -> Passage<D, T> {
        let door = self.door.read();
        if door.closed.is_some() || self.stop_file().is_some() {
            return Passage::Lapsed(Lapse::Moved);
        }
        if let Err(lapse) = permit.check(now.boot, door.current) {
            return Passage::Lapsed(lapse);
        }
        match write(&permit) {
            Some(written) => Passage::Passed(written),
            None => Passage::Blocked(permit),
        }
    }

    /// Closes the latch. When this returns, no first byte leaves until it is opened.
    pub fn close(&self, stop: Stop) {
        self.door.write().closed = Some(stop);
    }

    /// Opens the latch again. A `STOP` file keeps it closed all the same.
    pub fn open(&self) {
        self.door.write().closed = None;
    }

    /// Tells the latch which generations the store has. They only grow.
    pub fn advance(&self, to: Generations) {
        let mut door = self.door.write();
        let current = door.current;
        door.current = Generations {
            stop: current.stop.max(to.stop),
            policy: current.policy.max(to.policy),
            catalogue: current.catalogue.max(to.catalogue),
        };
    }

    /// The stop that this process knows of besides the store, if there is one.
    pub fn standing(&self) -> Option<Stop> {
        if let Some(stop) = &self.door.read().closed {
            return Some(stop.clone());
        }
        self.stop_file().map(|since| Stop {
            scope: Scope::Everything,
            reason: "a STOP file stands in the runtime folder".to_owned(),
            by: "STOP file".to_owned(),
            since,
        })
    }

    /// Since when a `STOP` file stands. A file that cannot be looked for counts as standing.
    fn stop_file(&self) -> Option<Timestamp> {
        self.stop_files.iter().find_map(|path| match std::fs::symlink_metadata(path) {
            Ok(found) => {
                let written =
                    found.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
                let micros = written.unwrap_or(Duration::ZERO).as_micros();
                Some(Timestamp(u64::try_from(micros).unwrap_or(u64::MAX)))
            }
            Err(cause) if absent(&cause) => None,
            Err(_) => Some(Timestamp::default()),
        })
    }
}

/// There is no such file, or not even its folder.
fn absent(cause: &std::io::Error) -> bool {
    matches!(cause.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}
