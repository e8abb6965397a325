//! The latch: what a permit is held against at the moment of writing.
//!
//! Whoever is about to send a call's first byte does so inside [`Latch::pass`]; a stop closes the latch and
//! thereby waits for those who are inside. So once a stop has returned, no first byte that it covers leaves any
//! more. The latch closes in memory first; whether the stop is then kept is the store's matter.
//!
//! A `STOP` file closes it too, for everything. It is looked for at each passage and each start, so that it
//! works even when the process that should take the order does not answer.

use std::{cell::Cell, path::PathBuf, time::Duration};

use parking_lot::{Mutex, RwLock};
use placet_engine::{
    permit::{Durability, Lapse, Permit},
    stop::{Coordinates, Generations, Leaves, Scope, Stop},
    time::{Now, Timestamp},
};

/// The door that every call passes, and what stands against passing it.
#[derive(Debug, Default)]
pub struct Latch {
    /// Read by whoever is inside; written, for nothing else, to wait for them.
    door: RwLock<()>,
    current: Mutex<Generations>,
    closed: Mutex<Vec<Closed>>,
    stop_files: Vec<PathBuf>,
}

/// A stop that this process knows of.
#[derive(Clone, Debug)]
struct Closed {
    stop: Stop,
    /// Whether the store has it.
    kept: bool,
}

thread_local! {
    /// Whether this thread is inside the door. One that stops from there does not wait for itself.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
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
        Self { stop_files, ..Self::default() }
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
        let _door = self.door.read();
        let current = *self.current.lock();
        if self.covering(permit.about()) || self.stop_file().is_some() {
            return Passage::Lapsed(Lapse::Moved);
        }
        if let Err(lapse) = permit.check(now.boot, current) {
            return Passage::Lapsed(lapse);
        }
        let _inside = Inside::enter();
        match write(&permit) {
            Some(written) => Passage::Passed(written),
            None => Passage::Blocked(permit),
        }
    }

    /// Closes the latch for what a stop covers. When this returns, no such first byte leaves until it is opened.
    ///
    /// A tool of this process that stops from inside its own first step does not wait for itself: everything
    /// but that step is stopped.
    pub fn close(&self, stop: Stop) {
        {
            let mut closed = self.closed.lock();
            let known = closed.iter().find(|known| known.stop.scope == stop.scope);
            // One that leaves more does not loosen one that stands.
            let leaves = known.map_or(stop.leaves, |known| known.stop.leaves.min(stop.leaves));
            closed.retain(|known| known.stop.scope != stop.scope);
            closed.push(Closed { stop: Stop { leaves, ..stop }, kept: false });
        }
        self.wait();
    }

    /// Waits for those who are inside, unless that is this thread itself.
    fn wait(&self) {
        if !INSIDE.get() {
            drop(self.door.write());
        }
    }

    /// Opens the latch for a scope again. A `STOP` file keeps it closed all the same.
    pub fn open(&self, scope: &Scope) {
        self.closed.lock().retain(|known| known.stop.scope != *scope);
    }

    /// Tells the latch which stops the store has. One that the store could not keep stays, besides.
    pub fn follow(&self, kept: Vec<Stop>) {
        let mut closed = self.closed.lock();
        closed.retain(|known| !known.kept && !kept.iter().any(|stop| stop.scope == known.stop.scope));
        closed.extend(kept.into_iter().map(|stop| Closed { stop, kept: true }));
    }

    /// Stops that the store could not keep.
    pub fn unkept(&self) -> Vec<Stop> {
        self.closed.lock().iter().filter(|known| !known.kept).map(|known| known.stop.clone()).collect()
    }

    /// Tells the latch which generations the store has. They only grow. When this returns, nothing leaves any
    /// more that was decided under others.
    pub fn advance(&self, to: Generations) {
        {
            let mut current = self.current.lock();
            *current = Generations {
                stop: current.stop.max(to.stop),
                policy: current.policy.max(to.policy),
                catalogue: current.catalogue.max(to.catalogue),
            };
        }
        self.wait();
    }

    /// What was decided under the policy of before opens nothing any more, where the store cannot be asked how it
    /// counts.
    pub fn outdate_policy(&self) {
        let current = *self.current.lock();
        self.advance(Generations { policy: current.policy + 1, ..current });
    }

    /// A stop that this process knows of besides the store and that covers a call there, or everything.
    pub fn standing(&self, about: Option<&Coordinates>) -> Option<Stop> {
        let found = self
            .closed
            .lock()
            .iter()
            .find(|known| match about {
                Some(about) => known.stop.covers(about),
                None => known.stop.scope == Scope::Everything,
            })
            .map(|known| known.stop.clone());
        found.or_else(|| {
            self.stop_file().map(|since| Stop {
                scope: Scope::Everything,
                leaves: Leaves::Nothing,
                reason: "a STOP file stands in the runtime folder".to_owned(),
                by: "STOP file".to_owned(),
                since,
            })
        })
    }

    fn covering(&self, about: &Coordinates) -> bool {
        self.closed.lock().iter().any(|known| known.stop.covers(about))
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

/// Marks this thread as inside the door, and no longer when it is gone.
struct Inside(bool);

impl Inside {
    fn enter() -> Self {
        Self(INSIDE.replace(true))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(self.0);
    }
}

/// There is no such file, or not even its folder.
fn absent(cause: &std::io::Error) -> bool {
    matches!(cause.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}
