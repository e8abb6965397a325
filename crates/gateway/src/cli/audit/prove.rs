//! `placet audit prove`: one record, with what shows that it is in the log, in a file that stands alone.

use std::path::{Path, PathBuf};

use clap::Args;
use placet_engine::call::CallId;
use placet_ledger::{
    checkpoint::SignedCheckpoint,
    directory::{Directory, WITNESSED},
    note::{KeyKind, NOTE_BYTES_MAX, Signed, Verifier},
    proof::RecordProof,
    tree::Tree,
};
use placet_store::sqlite::{Entry, Reader};

use super::{
    super::{Exit, PlaceArguments, complain, say},
    unreadable,
};
use crate::{
    sequencer::{LOG, PUBLIC_KEY},
    signing,
};

#[derive(Args, Debug)]
pub(super) struct ProveArguments {
    /// The record's number, or a call's identifier `d_…` for all its records
    #[arg(value_name = "SEQ|CALL_ID")]
    which: String,
    /// Where to; else `record-SEQ.tlog-proof` in this folder
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    place: PlaceArguments,
}

pub(super) fn run(arguments: &ProveArguments) -> Result<(), Exit> {
    let places = arguments.place.places()?;
    let reader = Reader::open(&places.state).map_err(|error| unreadable(&error))?;
    let entries = find(&reader, &arguments.which)?;
    if arguments.output.is_some() && entries.len() > 1 {
        let numbers: Vec<_> = entries.iter().map(|entry| entry.seq.to_string()).collect();
        let hint = format!("name one of its records: {}", numbers.join(", "));
        complain("`--output` is for one record, and this call has several", Some(&hint));
        return Err(Exit::Usage);
    }
    let log = SealedLog::open(&places.state)?;
    for entry in &entries {
        let proof = log.prove(entry)?;
        let path = arguments
            .output
            .clone()
            .unwrap_or_else(|| PathBuf::from(format!("record-{}.tlog-proof", entry.seq)));
        std::fs::write(&path, proof.to_string()).map_err(|cause| {
            complain(&format!("cannot write `{}`: {cause}", path.display()), None);
            Exit::Unavailable
        })?;
        let head = proof.checkpoint.head();
        say(&format!("record {}: `{}`, under a head of {} records", entry.seq, path.display(), head.size));
    }
    Ok(())
}

fn find(reader: &Reader, which: &str) -> Result<Vec<Entry>, Exit> {
    let entries = if let Some(call) = CallId::parse(which) {
        reader.of_call(call)
    } else if let Some(seq) = which.parse::<u64>().ok().and_then(|seq| seq.checked_sub(1)) {
        reader.after(seq, 1).map(|found| found.into_iter().filter(|entry| entry.seq == seq + 1).collect())
    } else {
        complain(
            "a record is named by its number, or by a call's identifier, `d_` and 20 characters",
            Some("`placet audit tail` shows both"),
        );
        return Err(Exit::Usage);
    };
    let entries = entries.map_err(|error| unreadable(&error))?;
    if entries.is_empty() {
        complain(&format!("there is no record `{which}`"), Some("is it another configuration file's?"));
        return Err(Exit::Refused);
    }
    Ok(entries)
}

/// The log of a state directory, read beside the node that writes it.
pub(super) struct SealedLog {
    pub(super) directory: Directory,
    key: Verifier,
    pub(super) head: SignedCheckpoint,
    /// The last head that witnesses have signed, where there is one.
    pub(super) witnessed: Option<SignedCheckpoint>,
}

impl SealedLog {
    pub(super) fn open(state: &Path) -> Result<Self, Exit> {
        let unavailable = |what: String| {
            complain(&what, Some("a node seals its records a second after the first call"));
            Exit::Unavailable
        };
        let key_path = state.join(PUBLIC_KEY);
        let key = signing::public(&key_path.display().to_string(), KeyKind::Log).map_err(unavailable)?;
        let directory = Directory::new(state.join(LOG));
        let read = |name: &str| {
            let bytes = directory.read(name, NOTE_BYTES_MAX as u64);
            let bytes = bytes.map_err(|cause| unavailable(format!("cannot read the log: {cause}")))?;
            let signed = bytes.map(|bytes| SignedCheckpoint::parse(&bytes)).transpose();
            let signed =
                signed.map_err(|error| unavailable(format!("`{name}` of the log is damaged: {error}")))?;
            Ok(signed.filter(|signed| matches!(signed.note().signed_by(&key), Signed::Yes { .. })))
        };
        let head = read(placet_ledger::directory::CHECKPOINT)?;
        let witnessed = read(WITNESSED)?;
        let head = head.ok_or_else(|| unavailable("nothing is sealed under this key yet".to_owned()))?;
        Ok(Self { directory, key, head, witnessed })
    }

    /// The proof of one record, under a head that witnesses have signed if one covers it.
    pub(super) fn prove(&self, entry: &Entry) -> Result<RecordProof, Exit> {
        let index = entry.seq.saturating_sub(1);
        let covering =
            self.witnessed.as_ref().filter(|signed| index < signed.head().size).unwrap_or(&self.head);
        if index >= covering.head().size {
            complain(&format!("record {} is not sealed yet", entry.seq), Some("try again in a second"));
            return Err(Exit::Unavailable);
        }
        let unproved = |what: String| {
            complain(
                &format!("record {} cannot be proved: {what}", entry.seq),
                Some("`placet audit verify` says more"),
            );
            Exit::Unverified
        };
        let path = Tree::new(&self.directory, covering.head().size)
            .inclusion(index)
            .map_err(|error| unproved(error.to_string()))?;
        let extra = Some(entry.body.clone().into_bytes());
        let proof = RecordProof { extra, index, path, checkpoint: covering.clone() };
        // What the store holds may not be what was sealed; a file that proves nothing is not handed out.
        proof.check(&self.key).map_err(|error| unproved(error.to_string()))?;
        Ok(proof)
    }
}
