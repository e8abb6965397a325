//! The sealer: a thread of its own that has the sequencer follow the store, as long as it lives.
//!
//! It looks several times in a second, so a record is sealed about a second after it was committed, and all of
//! them when the process ends in order. What goes wrong is told, and tried again from the start; the records are
//! safe in the store meanwhile, and nothing waits for a seal.

use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use crate::{
    clock::Clock,
    sequencer::{Sequencer, SequencerError},
    upstream::stdio::Log,
};

/// How often it looks for new records.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A running sealer. When it is dropped, what has been committed is sealed first.
#[derive(Debug)]
pub struct Sealer {
    end: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sealer {
    /// Opens the ledger of a state directory whose store this process owns, and begins to follow it.
    ///
    /// # Errors
    ///
    /// [`SequencerError`], above all if store and ledger contradict each other; then nothing should be served.
    pub fn start(state: &Path, clock: Arc<dyn Clock>, log: Log) -> Result<Self, SequencerError> {
        let sequencer = Sequencer::open(state)?;
        let (end, ended) = mpsc::channel();
        let state = state.to_owned();
        let thread = std::thread::Builder::new()
            .name("placet-sealer".to_owned())
            .spawn(move || run(&state, sequencer, &ended, &*clock, &log))
            .map_err(|cause| SequencerError::Store(format!("its thread cannot be started: {cause}")))?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Sealer {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // What it could not seal is in the store, and is sealed at the next start.
            drop(thread.join());
        }
    }
}

fn run(state: &Path, first: Sequencer, ended: &mpsc::Receiver<()>, clock: &dyn Clock, log: &Log) {
    let mut sequencer = Some(first);
    let mut told: Option<String> = None;
    loop {
        let ends = !matches!(ended.recv_timeout(LOOK_EVERY), Err(mpsc::RecvTimeoutError::Timeout));
        let stepped = match &mut sequencer {
            Some(sequencer) if ends => sequencer.finish(clock.now()).map(drop),
            Some(sequencer) => follow(sequencer, clock),
            None => Sequencer::open(state).map(|fresh| sequencer = Some(fresh)),
        };
        match stepped {
            Ok(()) => told = None,
            Err(error) => {
                let what = format!("the ledger is behind: {error}");
                // The same trouble, five times a second, is told once.
                if told.as_ref() != Some(&what) {
                    log(&what);
                    told = Some(what);
                }
                sequencer = None;
            }
        }
        if ends {
            return;
        }
    }
}

fn follow(sequencer: &mut Sequencer, clock: &dyn Clock) -> Result<(), SequencerError> {
    while sequencer.advance(clock.now())?.more {}
    Ok(())
}
