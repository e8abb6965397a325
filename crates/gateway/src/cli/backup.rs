//! `placet backup` and `placet restore`: a copy of the state while the node goes on, and going on from one.

use std::path::PathBuf;

use clap::Args;
use placet_store::sqlite::{BackupError, restore};

use super::{Exit, PlaceArguments, audit, complain, say};
use crate::clock::{Clock as _, SystemClock};

#[derive(Args, Debug)]
pub(super) struct BackupArguments {
    /// A folder that does not exist yet
    to: PathBuf,
    #[command(flatten)]
    place: PlaceArguments,
}

#[derive(Args, Debug)]
pub(super) struct RestoreArguments {
    /// The backup
    from: PathBuf,
    #[command(flatten)]
    place: PlaceArguments,
}

pub(super) fn backup(arguments: &BackupArguments) -> Exit {
    let reader = match audit::open(&arguments.place) {
        Ok(reader) => reader,
        Err(exit) => return exit,
    };
    match reader.backup(&arguments.to) {
        Ok(()) => {
            say(&format!("backed up to {}", arguments.to.display()));
            complain_of_keys();
            Exit::Done
        }
        Err(error) => failed(&error),
    }
}

/// A backup holds secrets: whoever has it can sign as this ledger, and match digests.
fn complain_of_keys() {
    eprintln!("note: the backup holds the state's keys; keep it as you keep the state itself");
}

pub(super) fn run_restore(arguments: &RestoreArguments) -> Exit {
    let places = match arguments.place.places() {
        Ok(places) => places,
        Err(exit) => return exit,
    };
    match restore(&arguments.from, &places.state, SystemClock.now().wall) {
        Ok(epoch) => {
            say(&format!("restored to {} as epoch {}", places.state.display(), epoch.number));
            complain_of_epoch();
            Exit::Done
        }
        Err(error) => failed(&error),
    }
}

/// Until somebody has looked, keys are not safe to use again.
fn complain_of_epoch() {
    eprintln!(
        "note: calls that were made after the backup are not in it; calls under a key are refused as unknown until \
         their key would have lapsed, or until you have looked: `placet calls resolve --epoch --evidence TEXT`"
    );
}

fn failed(error: &BackupError) -> Exit {
    let hint = match error {
        BackupError::Exists(_) => Some("nothing is overwritten: move it away, or name another place"),
        BackupError::Open(_) => Some("end the node first: `placet node stop`"),
        BackupError::Io(..) | BackupError::Database(..) | BackupError::Damaged(..) => None,
    };
    complain(&error.to_string(), hint);
    Exit::Unavailable
}
